"""`digest publish`: the Daily Papers page and a site from the database."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from digest.cli.base import Command, Context, flags_as, json_option, now_option
from digest.errors import ConfigError, UsageError
from digest.keywords.words import counted
from digest.model import Roster
from digest.rendering.page.cells import HTTP, HTTPS
from digest.setup.parts import clock_at, machine_now
from digest.setup.settings import Settings
from digest.setup.subscribers import place_of_subscribers, read_roster
from digest.store import open_store
from digest.subscribers.fields import read_flag

if TYPE_CHECKING:
    from digest.rendering.page.render import KeywordTable

LIMIT = 100


@dataclass(frozen=True, slots=True)
class PublishFlags:
    """The flags of `digest publish`."""

    markdown: Path | None
    site: Path | None
    limit: int
    always: bool
    template: Path | None
    links: str | None
    timezone: str
    now: datetime | None
    as_json: bool


@click.command(
    cls=Command,
    examples=(
        "digest publish --markdown README.md",
        "digest publish --markdown - --limit 5",
    ),
)
@click.option(
    "--markdown",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="The page; - prints it.",
)
@click.option(
    "--site",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The archive of what is public, as files in this folder.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=LIMIT,
    show_default=True,
    help="Papers of each keyword, at most.",
)
@click.option(
    "--always", is_flag=True, help="Write the file even where only its date would change."
)
@click.option(
    "--template",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A page of your own, not the built-in.",
)
@click.option(
    "--links",
    type=click.Choice([HTTPS, HTTP]),
    help="How links begin; else as on the page that was imported, or https.",
)
@click.option(
    "--timezone",
    default="UTC",
    show_default=True,
    metavar="ZONE",
    help="The zone of the date that the page names.",
)
@now_option
@json_option
@flags_as(PublishFlags)
def publish(context: Context, flags: PublishFlags) -> None:
    """Write the Daily Papers page, a table of the most recent papers of each keyword; or a site.

    A site has the pages and feeds of 'digest serve', of the keywords that 'public:' in the
    subscribers file names. On the page the keywords come in the order of that file, the papers by
    their submission, the newest first. Nothing is fetched: 'digest run' does that. What has not
    changed is left alone, and so is a page that would differ only in its date.
    """
    if flags.markdown is None and flags.site is None:
        raise UsageError(
            "nothing to write was named", remedy="such as with --markdown README.md, or --site DIR"
        )
    # What strangers read loses no keyword for a mistake: it stays as it was.
    roster = read_roster(context.settings, whole=True)
    value, lines = dict[str, Any](), list[str]()
    for wanted, write in ((flags.markdown, _write_page), (flags.site, _write_site)):
        if wanted is not None:
            said, line = write(context.settings, roster, flags, wanted)
            value |= said
            lines.append(line)
    # The page itself went to the standard output.
    if str(flags.markdown) != "-" or flags.site:
        context.show(value, filter(None, lines), as_json=flags.as_json)


def _write_page(
    settings: Settings, roster: Roster, flags: PublishFlags, file: Path
) -> tuple[dict[str, Any], str]:
    """Write the Daily Papers page; returns what is said of that, as a value and in a line."""
    from digest.rendering.page.render import render_page
    from digest.run.publish import write_page

    zone = ZoneInfo(str(read_flag("timezone", flags.timezone) or "UTC"))
    tables, imported = _tables(settings, roster, flags.limit)
    links = flags.links or imported or HTTPS
    updated = clock_at(flags.now)().astimezone(zone).date()
    page = render_page(
        tables, updated, links=links, template=flags.template, templates=settings.templates
    )
    if str(file) == "-":  # as UTF-8, which the terminal's encoding may not be
        click.echo(page.encode("utf-8"), nl=False)
        return {}, ""
    written = write_page(file, page, always=flags.always)
    _note_shown(settings, roster, flags.limit)
    value = {
        "file": str(file),
        "written": written,
        "updated": updated.isoformat(),
        "keywords": [{"keyword": t.keyword, "papers": len(t.papers)} for t in tables],
    }
    papers = counted(len({paper.id for table in tables for paper in table.papers}), "paper")
    if not written:
        return value, f"{file} says all that already; it was left alone (--always writes it)."
    return value, f"{file}: {papers} under {counted(len(tables), 'keyword')}."


def _write_site(
    settings: Settings, roster: Roster, _flags: PublishFlags, folder: Path
) -> tuple[dict[str, Any], str]:
    """Write the site; returns what is said of that, as a value and in a line."""
    from digest.web.archive_pages import ArchivePages
    from digest.web.listings import Listings
    from digest.web.pages import Pages
    from digest.web.public import Public
    from digest.web.site_files import SiteFiles

    public = Public.of(roster)
    if not public.keywords:
        raise ConfigError(
            "no keyword is public",
            remedy=f"add a line 'public: all', or some of their names, to"
            f" {place_of_subscribers(settings)}",
        )
    pages = Pages(templates=settings.templates)
    # Pages that are read without their server: none of them leads to what only that has.
    pages.legal.clear()
    with open_store(settings.db, create=False) as store:
        pages.notice = store.notices.text(machine_now())
        listings, pages_of_archive = (
            Listings(store, public),
            ArchivePages(pages, public, static=True),
        )
        done = SiteFiles(folder, settings.templates).publish(listings, pages_of_archive, pages)
    value = {"folder": str(folder), **asdict(done)}
    changed = f"{counted(done.written, 'file')} written, {done.removed} removed"
    return {"site": value}, f"{folder}: {changed}, {done.left} as before."


def _note_shown(settings: Settings, roster: Roster, limit: int) -> None:
    """Remember what the page shows: the abstracts of these papers are kept."""
    with open_store(settings.db, create=False) as store:
        store.pages.note_shown([k.query for k in roster.keywords], limit, roster.within)


def _tables(settings: Settings, roster: Roster, limit: int) -> tuple[list[KeywordTable], str]:
    """A table for each keyword, and how the links of the page began that was imported; "" where
    none was.
    """
    from digest.rendering.page.render import KeywordTable

    if not roster.keywords:
        place = place_of_subscribers(settings)
        raise ConfigError(f"{place} holds no keyword yet", remedy="'digest keywords add' adds one")
    with open_store(settings.db, create=False) as store:
        tables = [
            KeywordTable(k.name, store.pages.recent(k.query, limit, roster.within))
            for k in roster.keywords
        ]
        return tables, store.pages.links()
