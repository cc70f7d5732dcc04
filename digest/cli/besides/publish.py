"""`digest publish`: the Daily Papers page from the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from digest.cli.base import Command, Context, flags_as, json_option, now_option
from digest.errors import ConfigError, UsageError
from digest.keywords.words import counted
from digest.model import Roster
from digest.rendering.page.cells import HTTP, HTTPS
from digest.setup.parts import clock_at
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
    limit: int
    always: bool
    template: Path | None
    links: str | None
    timezone: str
    now: datetime | None
    as_json: bool


@click.command(
    cls=Command,
    examples=("digest publish --markdown README.md", "digest publish --markdown - --limit 5"),
)
@click.option(
    "--markdown",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="The page; - prints it.",
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
    """Write the Daily Papers page: a table of the most recent papers of each keyword.

    The keywords come in the order of the subscribers file, the papers by their submission, the
    newest first. Nothing is fetched: 'digest run' does that. A page that would differ only in its
    date is left alone.
    """
    from digest.rendering.page.render import render_page
    from digest.run.publish import write_page

    settings, file = context.settings, flags.markdown
    zone = ZoneInfo(str(read_flag("timezone", flags.timezone) or "UTC"))
    if file is None:
        raise UsageError("nothing to write was named", remedy="such as with --markdown README.md")
    # A page that strangers read loses no keyword for a mistake: it stays as it was.
    roster = read_roster(settings, whole=True)
    tables, imported = _tables(settings, roster, flags.limit)
    links = flags.links or imported or HTTPS
    updated = clock_at(flags.now)().astimezone(zone).date()
    page = render_page(
        tables, updated, links=links, template=flags.template, templates=settings.templates
    )
    if str(file) == "-":  # as UTF-8, which the terminal's encoding may not be
        click.echo(page.encode("utf-8"), nl=False)
        return
    written = write_page(file, page, always=flags.always)
    _note_shown(settings, roster, flags.limit)
    value = {
        "file": str(file),
        "written": written,
        "updated": updated.isoformat(),
        "keywords": [{"keyword": t.keyword, "papers": len(t.papers)} for t in tables],
    }
    papers = counted(len({paper.id for table in tables for paper in table.papers}), "paper")
    line = f"{file} says all that already; it was left alone (--always writes it)."
    if written:
        line = f"{file}: {papers} under {counted(len(tables), 'keyword')}."
    context.show(value, [line], as_json=flags.as_json)


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
