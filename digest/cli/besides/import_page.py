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
from digest.keywords.grammar import make_keyword
from digest.keywords.words import counted
from digest.model import Keyword
from digest.setup.parts import clock_at
from digest.setup.settings import Settings
from digest.setup.subscribers import place_of_subscribers, read_roster
from digest.store import open_store, rehearsal_store
from digest.store.pages import MOVED
from digest.system.locks import cycle_lock

if TYPE_CHECKING:
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
    named = _named(context.settings)
    keywords = {s.keyword: _keyword(s.keyword, named, context.settings) for s in read.sections}
    rows = _take_in(context.settings.db, read, keywords, until, dry_run=dry_run)
    if read.unread:
        context.warn(f"{page}: {_unread(read.unread)}")
    missing = [heading for heading in keywords if heading.casefold() not in named]
    value = {
        "page": str(page),
        "updated": read.updated.isoformat() if read.updated else None,
        "dry_run": dry_run,
        "keywords": rows,
        "unread": list(read.unread),
        "missing": missing,
    }
    said = _lines(rows, until, moment, dry_run=dry_run)
    if missing:
        place = place_of_subscribers(context.settings)
        said.append(f"Not in {place} yet: {', '.join(missing)} ('digest keywords add' adds them).")
    context.show(value, said, as_json=as_json)


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


def _unread(lines: tuple[int, ...]) -> str:
    named = ", ".join(map(str, lines[:UNREAD_NAMED])) + (", …" if len(lines) > UNREAD_NAMED else "")
    return f"{counted(len(lines), 'row')} could not be read and passed over: line {named}"


def _named(settings: Settings) -> dict[str, Keyword]:
    """The subscribers file's keywords by casefolded name; none where there is no such file."""
    if not settings.subscribers_yaml and not settings.subscribers.exists():
        return {}
    return {
        keyword.name.casefold(): keyword for keyword in read_roster(settings, whole=True).keywords
    }


def _keyword(heading: str, named: dict[str, Keyword], settings: Settings) -> Keyword:
    """The keyword of a heading: the subscribers file's of that name, or a plain one."""
    try:
        return named.get(heading.casefold()) or make_keyword(heading)
    except QueryError as error:
        place = place_of_subscribers(settings)
        raise UsageError(
            f"the heading {heading!r} is no keyword ({error.message})",
            remedy=f"add a keyword of this name to {place}, with a query",
        ) from error


def _take_in(
    db: Path, page: PublishedPage, keywords: dict[str, Keyword], until: datetime, *, dry_run: bool
) -> list[dict[str, Any]]:
    """Write the page into the database, or into a copy of it, and say what that brought for each
    keyword.
    """
    from digest.rendering.page.ranks import papers_of

    papers = papers_of(page.sections, until.date())
    logs: dict[str, list[str]] = {}
    for section in page.sections:
        logs.setdefault(keywords[section.keyword].query, []).extend(row.id for row in section.rows)
    # docs/decisions.md: "An imported page is history, and the first window after it is cut at its
    # oldest row"
    if dry_run:
        with rehearsal_store(db) as store:
            taken = store.pages.import_page(papers, logs, until, page.links)
    else:
        with cycle_lock(db), open_store(db) as store:
            taken = store.pages.import_page(papers, logs, until, page.links)
    return [
        {
            "keyword": keyword.name,
            "query": keyword.query,
            "papers": len({row.id for row in section.rows}),
            "added": taken[keyword.query].added,
            "begins": taken[keyword.query].begins,
        }
        for section in page.sections
        for keyword in [keywords[section.keyword]]
    ]


def _lines(
    rows: list[dict[str, Any]], until: datetime, now: datetime, *, dry_run: bool
) -> list[str]:
    """What the page brought for each keyword, and what that means for digests."""
    width = max(len(row["keyword"]) for row in rows)
    lines = []
    for row in rows:
        new = f"{row['added']} new to the database" if row["added"] else "all known already"
        lines.append(f"{row['keyword']:<{width}}  {counted(row['papers'], 'paper')}, {new}")
    lines.append(
        "Nothing was written." if dry_run else "They count as seen; none of them is mailed."
    )
    begins = any(row["begins"] for row in rows)
    if begins and until >= now - MOVED:
        lines.append(f"The first digests bring what came after {until:%Y-%m-%d}.")
    elif begins:
        lines.append(
            f"The page is of {until:%Y-%m-%d}, long ago:"
            " first digests show the youngest few, as of a new keyword."
        )
    return lines
