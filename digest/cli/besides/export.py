"""`digest export`: the papers that were seen or mailed, for reference managers, spreadsheets and
programs.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.base import Command, Context, pass_context
from digest.errors import ConfigError, UsageError
from digest.keywords.words import counted
from digest.setup.parts import existing_store

if TYPE_CHECKING:
    from digest.model import Keyword, Roster
    from digest.rendering.export import Record
    from digest.store import Store


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
    type=click.Choice(("json", "csv", "bibtex")),
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
@pass_context
def export(
    context: Context,
    wanted: str | None,
    output: Path | None,
    email: str | None,
    unmailed: bool,
    keywords: tuple[str, ...],
    since: date | None,
    until: date | None,
) -> None:
    """Write the papers that were seen or mailed as JSON, CSV or BibTeX.

    Every paper in the database, or with --email those that were mailed to one reader; with
    --unmailed the others of their keywords, such as those let go after a pause, by the day on which
    they were seen. In CSV an apostrophe stands before a cell that a spreadsheet program would take
    for a formula. Days are the reader's own with --email, else in UTC.
    """
    from digest.rendering.export import ENDINGS, WRITERS

    if unmailed and email is None:
        raise UsageError("--unmailed needs a reader", remedy="add --email ADDRESS")
    ending = output.suffix.casefold() if output else ""
    if output is not None and wanted is None and ending not in ENDINGS:
        raise UsageError(
            f"the ending of {output} says no format",
            remedy=f"add --format, or end it in {', '.join(ENDINGS)}",
        )
    chosen = wanted or ENDINGS.get(ending, "json")
    with existing_store(context.settings) as store:
        records = _records(context, store, email, keywords, since, until, unmailed=unmailed)
        if output is None:
            for piece in WRITERS[chosen](records):
                click.echo(piece.encode("utf-8"), nl=False)
            return
        papers = list(records)
        _write(output, "".join(WRITERS[chosen](papers)).encode("utf-8"))
    context.echo(f"{counted(len(papers), 'paper')} written to {output}.")


def _write(path: Path, data: bytes) -> None:
    """Put the whole file in its place; the old one stays where this cannot be done."""
    from digest.system.files import replace_file

    target = path.resolve()
    if target.exists() and not target.is_file():
        raise UsageError(f"{path} is no file", remedy="leave --output out to print")
    if not target.parent.is_dir():
        raise UsageError(
            f"the folder {target.parent} does not exist", remedy="make it, or name another"
        )
    replace_file(target, data)


def _records(
    context: Context,
    store: Store | None,
    email: str | None,
    keywords: tuple[str, ...],
    since: date | None,
    until: date | None,
    *,
    unmailed: bool,
) -> Iterator[Record]:
    """The papers that are asked for, oldest submission first."""
    from digest.cli.look.history import readable_roster

    roster = readable_roster(
        context, why="keywords have the names under which they were last asked for"
    )
    zone, reader = _reader(context, roster, store, email) if email else ("UTC", None)
    if store is None:
        return iter(())
    names = store.exports.labels() | {k.query: k.name for k in _all_keywords(roster)}
    queries = _queries(names, keywords) if keywords else None
    if email and reader is None:
        return iter(())
    if unmailed and reader is not None:
        own = [part.query for part in store.history.parts(reader) if part.until is None]
        queries = own if queries is None else [query for query in own if query in queries]
    return _chosen(store, reader, names, queries, zone, since, until, unmailed=unmailed)


def _chosen(
    store: Store,
    reader: int | None,
    names: dict[str, str],
    queries: list[str] | None,
    zone: str,
    since: date | None,
    until: date | None,
    *,
    unmailed: bool,
) -> Iterator[Record]:
    from digest.rendering.export import Record
    from digest.rules.schedule import local_date

    for found in store.exports.export(reader=reader, queries=queries, unmailed=unmailed):
        first = local_date(found.first_seen, zone) if found.first_seen else None
        mailed = local_date(found.mailed, zone) if found.mailed else None
        day = (mailed if reader is not None and not unmailed else first) or local_date(
            found.paper.published, zone
        )
        if (since is None or day >= since) and (until is None or day <= until):
            yield Record(
                found.paper, tuple(dict.fromkeys(names[q] for q in found.queries)), first, mailed
            )


def _reader(
    context: Context, roster: Roster, store: Store | None, email: str
) -> tuple[str, int | None]:
    from digest.cli.look.why import find_reader

    subscriber, past = find_reader(context, roster, store, email)
    return subscriber.timezone if subscriber else "UTC", past.id if past else None


def _all_keywords(roster: Roster) -> Iterator[Keyword]:
    yield from roster.keywords
    for subscriber in roster.subscribers:
        yield from subscriber.keywords


def _queries(names: dict[str, str], keywords: tuple[str, ...]) -> list[str]:
    """The queries of keywords given by name or by query; ConfigError, with the nearest, for one
    that is unknown.
    """
    import difflib

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
