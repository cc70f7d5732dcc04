"""`digest import`: a Daily Papers page becomes history, so that whoever moves here is not mailed it
again.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import Command, Context, json_option, now_option, pass_context
from digest.errors import QueryError, UsageError
from digest.keywords.words import counted
from digest.setup.parts import clock_at
from digest.setup.subscribers import place_of_subscribers, read_roster

if TYPE_CHECKING:
    from digest.model import Keyword
    from digest.rendering.page.read import PublishedPage

UNREAD_NAMED = 5


@click.command(
    "import", cls=Command, examples=("digest import README.md --dry-run", "digest import README.md")
)
@click.argument("page", type=click.Path(path_type=Path), metavar="PAGE")
@click.option("--dry-run", is_flag=True, help="Only say what would be taken in.")
@now_option
@json_option
@pass_context
def import_page(
    context: Context, page: Path, dry_run: bool, now: datetime | None, as_json: bool
) -> None:
    """Take the papers of a Daily Papers page into the database, as seen.

    None of them is ever mailed. A keyword that begins with a page begins where the page ends: its
    readers get what came after, and neither the page again nor what lies before it. It can be
    repeated; nothing comes twice.
    """
    from digest.rendering.page.read import read_page

    read = read_page(_text(page))
    if not read.sections:
        raise UsageError(
            f"{page} has no table of papers below a heading", remedy="name a Daily Papers page"
        )
    moment = clock_at(now)()
    until = _until(read, moment)
    keywords = _keywords(context, read)
    rows = _take_in(context, read, keywords, until, dry_run=dry_run)
    if read.unread:
        lines = ", ".join(map(str, read.unread[:UNREAD_NAMED])) + (
            ", …" if len(read.unread) > UNREAD_NAMED else ""
        )
        context.warn(
            f"{page}: {counted(len(read.unread), 'row')} could not be read and passed over: line {lines}"
        )
    missing = [name for name, (_, known) in keywords.items() if not known]
    if as_json:
        context.print_json(
            {
                "page": str(page),
                "updated": read.updated.isoformat() if read.updated else None,
                "dry_run": dry_run,
                "keywords": rows,
                "unread": list(read.unread),
                "missing": missing,
            }
        )
        return
    _tell(context, rows, until, moment, dry_run=dry_run)
    if missing:
        place = place_of_subscribers(context.settings)
        context.echo(f"Not in {place} yet: {', '.join(missing)} ('digest keywords add' adds them).")


def _text(page: Path) -> str:
    try:
        return page.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{page} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{page} is not UTF-8", remedy="save it as UTF-8") from error


def _until(page: PublishedPage, now: datetime) -> datetime:
    """When the page was last updated: the end of the day that it names, or of its youngest
    row's.
    """
    days = [row.date for section in page.sections for row in section.rows if row.date]
    day = page.updated or max(days, default=now.date())
    return min(datetime.combine(day, time(23, 59, 59), UTC), now)


def _keywords(context: Context, page: PublishedPage) -> dict[str, tuple[Keyword, bool]]:
    """The keyword of each heading: the subscribers file's of that name, or a plain one; and whether
    it is known.
    """
    from digest.keywords.grammar import make_keyword

    settings = context.settings
    roster = (
        read_roster(settings)
        if settings.subscribers_yaml or settings.subscribers.exists()
        else None
    )
    named = {keyword.name.casefold(): keyword for keyword in roster.keywords} if roster else {}
    found: dict[str, tuple[Keyword, bool]] = {}
    for section in page.sections:
        known = named.get(section.keyword.casefold())
        try:
            found[section.keyword] = (known or make_keyword(section.keyword), known is not None)
        except QueryError as error:
            remedy = f"add a keyword of this name to {place_of_subscribers(settings)}, with a query"
            words = f"the heading {section.keyword!r} is no keyword ({error.message})"
            raise UsageError(words, remedy=remedy) from error
    return found


def _take_in(
    context: Context,
    page: PublishedPage,
    keywords: dict[str, tuple[Keyword, bool]],
    until: datetime,
    *,
    dry_run: bool,
) -> list[dict[str, Any]]:
    """Write the page into the database, or into a copy of it, and say what that brought for each
    keyword.
    """
    from digest.rendering.page.ranks import papers_of
    from digest.store import open_store, rehearsal_store
    from digest.system.locks import cycle_lock

    papers = papers_of(page.sections, until.date())
    logs: dict[str, list[str]] = {}
    for section in page.sections:
        log = logs.setdefault(keywords[section.keyword][0].query, [])
        log += [row.id for row in section.rows]
    db = context.settings.db
    if dry_run:
        with rehearsal_store(db) as store:
            taken = store.pages.take_in(papers, logs, until)
    else:
        with cycle_lock(db), open_store(db) as store:
            taken = store.pages.take_in(papers, logs, until)
    rows = []
    for section in page.sections:
        keyword = keywords[section.keyword][0]
        found = taken[keyword.query]
        rows.append(
            {
                "keyword": keyword.name,
                "query": keyword.query,
                "papers": len({row.id for row in section.rows}),
                "added": found.added,
                "begins": found.begins,
            }
        )
    return rows


def _tell(
    context: Context, rows: list[dict[str, Any]], until: datetime, now: datetime, *, dry_run: bool
) -> None:
    from digest.store.pages import MOVED

    width = max(len(row["keyword"]) for row in rows)
    for row in rows:
        new = "all known already" if not row["added"] else f"{row['added']} new to the database"
        context.echo(f"{row['keyword']:<{width}}  {counted(row['papers'], 'paper')}, {new}")
    context.echo(
        "Nothing was written." if dry_run else "They count as seen; none of them is mailed."
    )
    if any(row["begins"] for row in rows):
        recent = until >= now - MOVED
        first = (
            f"The first digests bring what came after {until:%Y-%m-%d}."
            if recent
            else f"The page is of {until:%Y-%m-%d}, long ago: first digests show the youngest few, as of a new keyword."
        )
        context.echo(first)
