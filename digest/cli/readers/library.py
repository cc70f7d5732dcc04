"""`digest library`: what readers have, taken over from files, listed, and checked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

from digest.cli.base import Command, Context, json_option, pass_context
from digest.cli.daily.cycle import progress_line
from digest.errors import ConfigError, UsageError
from digest.explain.library import IMPORTED, NOT_KEPT, Holding, Source, holding_of
from digest.keywords.words import counted
from digest.library import LibraryError, Odd, read_file, read_item
from digest.library.zotero import Access, is_zotero
from digest.model import Subscriber
from digest.run.find_titles import Found, find_titles
from digest.run.libraries import completed, fields_of
from digest.run.library_papers import merged, papers_of
from digest.run.zotero import is_incomplete, read_again, require_zotero
from digest.setup.parts import existing_store, machine_now, reading_store, require_subscriber
from digest.setup.settings import IN_PLACE, Settings
from digest.setup.subscribers import read_roster
from digest.store import Store
from digest.store.preferences import LibraryPaper
from digest.system.locks import cycle_lock
from digest.times import in_utc, text_or_none

NAMED = 10
"""So many entries that are formed strangely an import names; `check` names all."""

find_option = click.option(
    "--find", is_flag=True, help="Ask arXiv for entries without an id, by their titles."
)
path_type = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a file or an item: papers, and what is odd; `found` says what arXiv knew by
    title (None: it was not asked).
    """

    name: str
    papers: list[LibraryPaper]
    odd: Sequence[Odd] = ()
    trouble: str = ""
    found: Found | None = None


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
    with reading_store(settings) as store:
        holding = holding_of(store, reader, settings.home)
    value = {
        "email": reader.email,
        "sources": [
            asdict(source) | {"changed": text_or_none(source.changed)} for source in holding.sources
        ],
        "liked": holding.liked,
        "changed": text_or_none(holding.since),
        "doubts": list(holding.doubts),
        "papers": [
            {"id": paper.id, "title": paper.title, "has_abstract": bool(paper.abstract)}
            for paper in holding.papers
        ],
    }
    kept = [] if not settings.subscribers_yaml else [f"  {NOT_KEPT}"]
    context.show(value, [*_list_lines(reader, holding), *kept], as_json=as_json)


def _list_lines(reader: Subscriber, holding: Holding) -> Iterator[str]:
    if not holding.sources:
        yield f"{reader.email} has no library: the field 'library' names one (docs/subscribers.md)."
        return
    papers = counted(len(holding.papers), "paper")
    since = f", as of {in_utc(holding.since)}" if holding.since else ""
    yield f"{reader.email} has {papers}, {holding.with_abstract} with an abstract{since}"
    yield from (f"  {source_words(source)}" for source in holding.sources)
    yield from (f"  {doubt}" for doubt in holding.doubts)


def source_words(source: Source) -> str:
    """One source of a library, in a line."""
    words = (
        f"{source.name}: {counted(source.papers, 'paper')}, {source.with_abstract} with abstract"
    )
    if source.changed:
        words += f"; the file is of {source.changed:%Y-%m-%d}"
    if source.unasked:
        words += f"; arXiv is still to be asked for {source.unasked}"
    return f"{words}; the next runs read the rest" if source.incomplete else words


@library.command(
    cls=Command,
    examples=("digest library check ada@example.org", "digest library check ada@example.org a.bib"),
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
    settings = context.settings
    reader = require_subscriber(read_roster(settings), email, settings)
    if file is None and not fields_of(reader):
        raise UsageError(
            f"the entry of {reader.email} names no library",
            remedy="name a file: digest library check EMAIL FILE",
        )
    readings = [_read_given(file)] if file else [*_read_items(settings, reader)]
    if find:
        readings = [_with_titles(context, reading) for reading in readings]
    context.show(
        {"email": reader.email, "items": [_json(reading) for reading in readings]},
        [line for reading in readings for line in _check_lines(reading)],
        as_json=as_json,
    )
    if any(reading.trouble for reading in readings):
        context.exit(LibraryError.exit_code)


def _read_given(file: Path) -> Reading:
    read = read_file(file)
    return Reading(str(file), papers_of(read.entries), read.odd)


def _read_items(settings: Settings, reader: Subscriber) -> Iterator[Reading]:
    """Everything that a reader's entry names, as it is now."""
    access = Access(settings.zotero_api, settings.zotero_key)
    for item in fields_of(reader):
        try:
            if is_zotero(item):
                require_zotero(item)
                shelf = read_again(item, (), access, lambda: False)
                more = "; the runs read the rest" if is_incomplete(shelf.papers) else ""
                papers = [paper for paper in shelf.papers if paper.title]
                yield Reading(item + more, papers, trouble=shelf.words)
                continue
            _, read = read_item(item, settings.home)
        except LibraryError as error:
            yield Reading(item, [], trouble=str(error))
        else:
            yield Reading(item, papers_of(read.entries if read else ()), read.odd if read else ())


def _with_titles(context: Context, reading: Reading) -> Reading:
    """A reading with the ids that arXiv knows by title, at its pace."""
    found = asyncio.run(_find(context, reading.papers))
    return replace(reading, papers=found.papers, found=found)


async def _find(context: Context, papers: list[LibraryPaper]) -> Found:
    from digest.run.fetch import why_paused
    from digest.setup.arxiv import make_arxiv

    with reading_store(context.settings) as store:
        paused = why_paused(store, machine_now())
    if paused:
        return Found(papers, 0, 0, paused)
    with progress_line(context, quiet=False) as progress:
        async with make_arxiv(context.settings) as arxiv:
            return await find_titles(arxiv, papers, machine_now(), progress)


def _check_lines(reading: Reading) -> Iterator[str]:
    if reading.trouble:
        yield reading.trouble
        return
    yield f"{reading.name}: {_figures(reading)}"
    yield from (f"  {odd}" for odd in reading.odd)
    if reading.found:
        yield f"  {_found_words(reading.found)}"


def _figures(reading: Reading) -> str:
    papers = reading.papers
    with_abstract = sum(bool(paper.abstract) for paper in papers)
    with_id = sum(paper.arxiv for paper in papers)
    odd = counted(len(reading.odd), "place is", "places are")
    strange = f"; {odd} formed strangely" if reading.odd else ""
    return (
        f"{counted(len(papers), 'paper')} can be used, {with_abstract} with an abstract and"
        f" {with_id} with an arXiv id{strange}"
    )


def _found_words(found: Found) -> str:
    words = f"arXiv was asked for {counted(found.asked, 'title')} and has {found.found} of them"
    return f"{words}; no more were asked for: {found.trouble}" if found.trouble else words


def _json(reading: Reading) -> dict[str, Any]:
    found = reading.found
    return {
        "item": reading.name,
        "papers": len(reading.papers),
        "with_abstract": sum(bool(paper.abstract) for paper in reading.papers),
        "with_arxiv_id": sum(paper.arxiv for paper in reading.papers),
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
    settings = context.settings
    if settings.subscribers_yaml:
        raise UsageError(NOT_KEPT, remedy=f"name the file in the field 'library' of {IN_PLACE}")
    reader = require_subscriber(read_roster(settings), email, settings)
    reading = _read_given(file)
    if find:
        reading = _with_titles(context, reading)
    with cycle_lock(settings.db), existing_store(settings) as store:
        number = store.preferences.number_of(reader.email) if store else None
        if store is None or number is None:
            raise ConfigError(
                f"the database does not know {reader.email} yet", remedy="call 'digest run' first"
            )
        new = _take_over(store, number, reading, is_whole=is_whole)
        holding = holding_of(store, reader, settings.home)
    told = [_imported(reader, reading, new), f"  {_figures(reading)}"]
    if reading.found:
        told.append(f"  {_found_words(reading.found)}")
    told += [f"  {odd}" for odd in reading.odd[:NAMED]]
    if more := len(reading.odd[NAMED:]):
        told.append(f"  {more} more: 'digest library check' names them all")
    value = _json(reading) | {"email": reader.email, "new": new, "in_all": len(holding.papers)}
    context.show(value, [*told, *(f"  {doubt}" for doubt in holding.doubts)], as_json=as_json)


def _take_over(store: Store, reader: int, reading: Reading, *, is_whole: bool) -> int:
    """Put what was read among a reader's papers; returns how many are new."""
    rows = store.preferences.library_rows(reader)
    others = [paper for paper in rows if paper.source]
    imported = {paper.id: paper for paper in rows if not paper.source}
    given = {paper.id: paper for paper in reading.papers}
    new = sum(name not in imported for name in given)
    known = {name: merged(paper, imported.get(name, paper)) for name, paper in given.items()}
    kept = known if is_whole else imported | known
    whole = completed(store, [*others, *kept.values()])
    store.preferences.replace_library(reader, whole, machine_now())
    return new


def _imported(reader: Subscriber, reading: Reading, new: int) -> str:
    papers = counted(len(reading.papers), "paper")
    return f"{reader.email}: {papers} of {reading.name} {IMPORTED}, {new} of them new"
