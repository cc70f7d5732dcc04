"""`digest export`: the papers that were seen or mailed, for reference managers, spreadsheets and
programs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import click

from digest.cli.base import Command, Context, flags_as
from digest.cli.look.reader import known_reader, readable_roster
from digest.errors import ConfigError, UsageError
from digest.keywords.words import counted
from digest.model import Keyword, Roster
from digest.rendering.export import ENDINGS, WRITERS, Record, format_of
from digest.rules.schedule import local_date
from digest.setup.parts import reading_store
from digest.store import Store
from digest.store.exports import Exported
from digest.system.files import replace_file


@dataclass(frozen=True, slots=True)
class ExportFlags:
    """The flags of `digest export`."""

    wanted: str | None
    output: Path | None
    email: str | None
    unmailed: bool
    keywords: tuple[str, ...]
    since: date | None
    until: date | None


def _date(_ctx: click.Context, param: click.Parameter, value: str | None) -> date | None:
    """Read a day."""
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise UsageError(
            f"--{param.name} {value!r} is no date", remedy="write 2026-11-23"
        ) from None


@click.command(
    cls=Command,
    examples=(
        "digest export --output papers.bib",
        "digest export --email ada@example.org --since 2026-11-01 --format csv",
        "digest export --email ada@example.org --unmailed --since 2026-11-01",
    ),
)
@click.option(
    "--format",
    "wanted",
    type=click.Choice(tuple(WRITERS)),
    help="How to write; else by the file's ending, else JSON.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Write to this file as a whole, instead of printing.",
)
@click.option("--email", help="Only what was mailed to this reader.")
@click.option(
    "--unmailed",
    is_flag=True,
    help="With --email: what their keywords brought, and they were not mailed.",
)
@click.option(
    "-k",
    "--keyword",
    "keywords",
    multiple=True,
    help="Only papers of this keyword; may be repeated.",
)
@click.option(
    "--since",
    callback=_date,
    metavar="DATE",
    help="Seen (with --email: mailed) on this day or later.",
)
@click.option(
    "--until",
    callback=_date,
    metavar="DATE",
    help="Seen (with --email: mailed) on this day or earlier.",
)
@flags_as(ExportFlags)
def export(context: Context, flags: ExportFlags) -> None:
    """Write the papers that were seen or mailed as JSON, CSV, BibTeX, RIS or CSL-JSON.

    Every paper in the database, or with --email those that were mailed to one reader; with
    --unmailed the others of their keywords, such as those let go after a pause, by the day on which
    they were seen. In CSV an apostrophe stands before a cell that a spreadsheet program would take
    for a formula. Days are the reader's own with --email, else in UTC.
    """
    output = flags.output
    if flags.unmailed and flags.email is None:
        raise UsageError("--unmailed needs a reader", remedy="add --email ADDRESS")
    wanted = flags.wanted or (format_of(output.name) if output else "json")
    if wanted is None:
        raise UsageError(
            f"the ending of {output} says no format",
            remedy=f"add --format, or end it in {', '.join(ENDINGS)}",
        )
    write = WRITERS[wanted]
    with reading_store(context.settings) as store:
        records = _records(context, store, flags)
        if output is None:
            # Piece by piece, since a database may hold more than fits into memory; as UTF-8, which
            # the formats ask for and the terminal's encoding may not be.
            for piece in write(records):
                click.echo(piece.encode("utf-8"), nl=False)
            return
        papers = list(records)  # whole before the old file is replaced
    _write(output, "".join(write(papers)).encode("utf-8"))
    context.echo(f"{counted(len(papers), 'paper')} written to {output}.")


def _write(path: Path, data: bytes) -> None:
    """Put the whole file in its place; the old one stays where this cannot be done."""
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise UsageError(f"{path} is no file", remedy="leave --output out to print")
    if not target.parent.is_dir():
        raise UsageError(
            f"the folder {target.parent} does not exist", remedy="make it, or name another"
        )
    replace_file(target, data)


def _records(context: Context, store: Store, flags: ExportFlags) -> Iterator[Record]:
    """The papers that are asked for, oldest submission first."""
    roster = readable_roster(
        context, why="keywords have the names under which they were last asked for"
    )
    reader = known_reader(context.settings, roster, store, flags.email) if flags.email else None
    names = store.exports.labels() | {k.query: k.name for k in _all_keywords(roster)}
    queries = queries_of(names, flags.keywords) if flags.keywords else None
    if reader is not None and flags.unmailed:
        queries = _own_queries(store, reader.number, queries)
    found = store.exports.export(
        reader=reader.number if reader else None, queries=queries, unmailed=flags.unmailed
    )
    return _within(found, names, reader.zone if reader else "UTC", flags)


def _own_queries(store: Store, reader: int, among: list[str] | None) -> list[str]:
    """The queries of a reader's keywords, all or those among some."""
    own = [part.query for part in store.history.parts(reader) if part.until is None]
    return own if among is None else [query for query in own if query in among]


def _within(
    found: Iterator[Exported], names: dict[str, str], zone: str, flags: ExportFlags
) -> Iterator[Record]:
    """What was seen, or mailed to the one reader, on the days that are asked for."""
    for one in found:
        first, mailed = _day(one.first_seen, zone), _day(one.mailed, zone)
        day = mailed if flags.email and not flags.unmailed else first
        # A paper whose run's record is gone was seen at some time after its submission.
        day = day or local_date(one.paper.published, zone)
        if (flags.since or date.min) <= day <= (flags.until or date.max):
            keywords = tuple(dict.fromkeys(names[query] for query in one.queries))
            yield Record(one.paper, keywords, first, mailed)


def _day(moment: datetime | None, zone: str) -> date | None:
    return local_date(moment, zone) if moment else None


def _all_keywords(roster: Roster) -> Iterator[Keyword]:
    yield from roster.keywords
    for subscriber in roster.subscribers:
        yield from subscriber.keywords


def queries_of(names: dict[str, str], keywords: tuple[str, ...]) -> list[str]:
    """The queries of keywords given by name or by query; ConfigError, with the nearest, for one
    that is unknown.
    """
    by_name: dict[str, list[str]] = {}
    for query, name in names.items():
        by_name.setdefault(name.casefold(), []).append(query)
    queries = []
    for keyword in keywords:
        found = by_name.get(keyword.casefold(), [keyword] if keyword in names else [])
        if not found:
            near = difflib.get_close_matches(keyword.casefold(), by_name, n=1)
            remedy = (
                f"did you mean {names[by_name[near[0]][0]]}?"
                if near
                else "'digest keywords' lists them"
            )
            raise ConfigError(f"there is no keyword {keyword!r}", remedy=remedy)
        queries += found
    return queries
