"""`digest library`: what readers have, taken over from files, listed, and checked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import Command, Context, json_option, pass_context
from digest.cli.daily.cycle import progress_line
from digest.errors import ConfigError, UsageError
from digest.keywords.words import counted
from digest.model import Subscriber
from digest.setup.parts import (
    existing_store,
    machine_now,
    places_of,
    reading_store,
    require_subscriber,
)
from digest.setup.settings import IN_PLACE
from digest.setup.subscribers import read_roster
from digest.system.locks import cycle_lock
from digest.times import in_utc, text_or_none

if TYPE_CHECKING:
    from digest.explain.libraries import Holding, Source
    from digest.run.find_titles import Found
    from digest.run.read_library import Reading

NAMED = 10
"""So many entries that are formed strangely an import names; `check` names all."""
NOT_KEPT = f"with {IN_PLACE} the database keeps no library: each run reads it"

find_option = click.option(
    "--find", is_flag=True, help="Ask arXiv for entries without an id, by their titles."
)
path_type = click.Path(path_type=Path)


@click.group()
def library() -> None:
    """Take over what a reader has from a file, list what is known of it, check a file."""


@library.command("list", cls=Command, examples=("digest library list ada@example.org",))
@click.argument("email")
@json_option
@pass_context
def list_(context: Context, email: str, as_json: bool) -> None:
    """Tell what of a reader's library is known, from where, and what is wrong with it.

    With --json, all its papers as well.
    """
    settings = context.settings
    reader = require_subscriber(read_roster(settings), email, settings)
    holding = held_by(context, reader)
    value = {
        "email": reader.email,
        **holding_json(holding),
        "papers": [
            {"id": paper.id, "title": paper.title, "has_abstract": bool(paper.abstract)}
            for paper in holding.papers
        ],
    }
    kept = [f"  {NOT_KEPT}"] if settings.subscribers_yaml else []
    context.show(value, [*_list_lines(reader, holding), *kept], as_json=as_json)


def held_by(context: Context, reader: Subscriber) -> Holding:
    """What is known of a reader's library."""
    from digest.explain.libraries import holding_of

    with reading_store(context.settings) as store:
        return holding_of(store, reader, context.settings.home)


def holding_json(holding: Holding) -> dict[str, Any]:
    """What is known of a library, without its papers, for programs."""
    return {
        "sources": [
            asdict(source) | {"changed": text_or_none(source.changed)} for source in holding.sources
        ],
        "liked": holding.liked,
        "changed": text_or_none(holding.since),
        "doubts": list(holding.doubts),
    }


def _list_lines(reader: Subscriber, holding: Holding) -> Iterator[str]:
    if not holding.sources:
        yield f"{reader.email} has no library: the field 'library' names one (docs/subscribers.md)."
        return
    yield reader.email
    yield from library_lines(holding)


def library_lines(holding: Holding) -> Iterator[str]:
    """What is known of a library, and what it is good for; nothing where there is none."""
    if not holding.sources:
        return
    papers = counted(len(holding.papers), "paper")
    since = f", as of {in_utc(holding.since)}" if holding.since else ""
    yield f"  library: {papers}, {holding.with_abstract} with an abstract{since}"
    yield from (f"    {_source_words(source)}" for source in holding.sources)
    yield from (f"    {doubt}" for doubt in holding.doubts)


def _source_words(source: Source) -> str:
    """One source of a library, in a line."""
    papers = counted(source.papers, "paper")
    words = f"{source.name}: {papers}, {source.with_abstract} with an abstract"
    if source.changed:
        words += f"; the file is of {source.changed:%Y-%m-%d}"
    if source.unasked:
        words += f"; arXiv is still to be asked for {source.unasked}"
    if source.unknown:
        words += f"; arXiv does not know {source.unknown} of its ids"
    return f"{words}; the next runs read the rest" if source.incomplete else words


@library.command(
    cls=Command,
    examples=(
        "digest library check ada@example.org refs.bib",
        "digest library check ada@example.org refs.bib --find",
    ),
)
@click.argument("email")
@click.argument("file", type=path_type, required=False)
@find_option
@json_option
@pass_context
def check(context: Context, email: str, file: Path | None, find: bool, as_json: bool) -> None:
    """Read a file, or all that a reader's entry names, and store nothing.

    Says how many entries can be used, and names those that are formed strangely, with their lines.
    """
    from digest.libraries import LibraryError
    from digest.run.read_library import read_given, read_items

    settings = context.settings
    reader = require_subscriber(read_roster(settings), email, settings)
    readings = [read_given(file)] if file else [*read_items(places_of(settings), reader)]
    if not readings:
        raise UsageError(
            f"the entry of {reader.email} names no library",
            remedy="name a file: digest library check EMAIL FILE",
        )
    if find:
        readings = [_with_titles(context, reading) for reading in readings]
    context.show(
        {"email": reader.email, "items": [_json(reading) for reading in readings]},
        [line for reading in readings for line in _check_lines(reading)],
        as_json=as_json,
    )
    if any(reading.trouble for reading in readings):
        context.exit(LibraryError.exit_code)


def _with_titles(context: Context, reading: Reading) -> Reading:
    from digest.run.read_library import with_titles
    from digest.setup.arxiv import make_arxiv

    async def ask() -> Reading:
        with (
            progress_line(context, quiet=False) as progress,
            reading_store(context.settings) as store,
        ):
            async with make_arxiv(context.settings) as arxiv:
                return await with_titles(arxiv, store, reading, machine_now(), progress)

    return asyncio.run(ask())


def _check_lines(reading: Reading) -> Iterator[str]:
    if reading.trouble:
        yield reading.trouble
        return
    yield f"{reading.name}: {reading.figures}"
    yield from (f"  {odd}" for odd in reading.odd)
    yield from _found_lines(reading.found)


def _found_lines(found: Found | None) -> Iterator[str]:
    if found is None or not (found.asked or found.trouble):
        return
    words = f"arXiv was asked for {counted(found.asked, 'title')} and has {found.found} of them"
    trouble = f"; no more were asked for: {found.trouble}" if found.trouble else ""
    yield f"  {words}{trouble}"


def _json(reading: Reading) -> dict[str, Any]:
    found = reading.found
    return {
        "item": reading.name,
        "papers": len(reading.papers),
        "with_abstract": reading.with_abstract,
        "with_arxiv_id": reading.with_id,
        "strange": [{"line": odd.line or None, "words": odd.words} for odd in reading.odd],
        "found_by_title": found.found if found else None,
        "trouble": reading.trouble or (found.trouble if found else ""),
    }


@library.command(
    "import", cls=Command, examples=("digest library import ada@example.org refs.bib",)
)
@click.argument("email")
@click.argument("file", type=path_type)
@find_option
@click.option("--replace", "is_whole", is_flag=True, help="Put it in the place of earlier imports.")
@json_option
@pass_context
def import_(
    context: Context, email: str, file: Path, find: bool, is_whole: bool, as_json: bool
) -> None:
    """Take the papers of a file over into a reader's library, once.

    The file may lie anywhere, and is not looked at again. One that is to be read whenever it
    changes goes into the home folder, and its name into the field 'library' of the subscribers
    file.
    """
    from digest.explain.libraries import holding_of
    from digest.run.read_library import read_given, take_over

    settings = context.settings
    if settings.subscribers_yaml:
        raise UsageError(NOT_KEPT, remedy="name the file in the reader's field 'library'")
    reader = require_subscriber(read_roster(settings), email, settings)
    reading = read_given(file)
    if find:
        reading = _with_titles(context, reading)
    with cycle_lock(settings.db), existing_store(settings) as store:
        number = store.preferences.number_of(reader.email) if store else None
        if store is None or number is None:
            raise ConfigError(
                f"the database does not know {reader.email} yet", remedy="call 'digest run' first"
            )
        new = take_over(store, number, reading, machine_now(), is_whole=is_whole)
        holding = holding_of(store, reader, settings.home)
    value = _json(reading) | {"email": reader.email, "new": new, "in_all": len(holding.papers)}
    lines = [*_import_lines(reader, reading, new), *(f"  {doubt}" for doubt in holding.doubts)]
    context.show(value, lines, as_json=as_json)


def _import_lines(reader: Subscriber, reading: Reading, new: int) -> Iterator[str]:
    papers = counted(len(reading.papers), "paper")
    yield f"{reader.email}: {papers} of {reading.name} imported, {new} of them new"
    yield f"  {reading.figures}"
    yield from _found_lines(reading.found)
    yield from (f"  {odd}" for odd in reading.odd[:NAMED])
    if more := len(reading.odd[NAMED:]):
        yield f"  {more} more: 'digest library check' names them all"
