"""The step of a cycle in which readers' libraries are read again where their files have changed,
and arXiv is asked for what is missing in them.

Nothing here fails a cycle, or holds a reader back: what cannot be read stays as it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from digest.errors import ArxivError, DigestError
from digest.library import Entry, LibraryError, Odd, read_item
from digest.model import Origin, Paper, Roster, Subscriber
from digest.rendering.tex.text import to_unicode
from digest.run.fetch import why_paused
from digest.run.session import Session
from digest.run.sources.base import Arxiv
from digest.store import Store
from digest.store.preferences import LIBRARY_PAPERS, LibraryPaper

log = logging.getLogger(__name__)

SECONDS = 60.0
"""So much of a cycle may be spent on libraries; the next one goes on."""
BATCH = 100
"""So many papers arXiv is asked for at once, and"""
BATCHES = 5
"""so many times in a cycle: digests wait for it."""
NAMED = 5
"""So many of a file's entries that are formed strangely are named."""


@dataclass(frozen=True, slots=True)
class Libraries:
    """What readers have. Where the database keeps no libraries they stand in `held`, by email."""

    store: Store
    held: dict[str, list[LibraryPaper]] = field(default_factory=dict)

    def of(self, reader: int, email: str) -> Sequence[LibraryPaper]:
        """The papers of a reader's library."""
        return self.held.get(email) or self.store.preferences.library_of(reader)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a reader's library, in a line. An item that could not be read stays as it
    was last; of entries that are formed strangely there is what could be read.
    """

    email: str
    words: str

    def __str__(self) -> str:
        return f"{self.email}: {self.words}"


async def refresh(session: Session, arxiv: Arxiv, home: Path | None, roster: Roster) -> Libraries:
    """Read again what has changed, and ask arXiv for some of what is missing."""
    store = session.store
    libraries = Libraries(store)
    if home is None:
        return libraries
    end = asyncio.get_running_loop().time() + SECONDS
    kept = store.preferences.readers_with_library()
    for reader in roster.subscribers:
        if session.stop.is_set() or asyncio.get_running_loop().time() > end:
            break
        if fields_of(reader) or reader.email.lower() in kept:
            _refresh_one(session, home, reader, libraries)
            await asyncio.sleep(0)
    await _ask(session, arxiv)
    return libraries


def _refresh_one(session: Session, home: Path, reader: Subscriber, libraries: Libraries) -> None:
    """Read one reader's library again. Strangers may see a database that knows its readers by other
    names: it keeps no libraries.
    """
    preferences, is_kept = session.store.preferences, not session.store.naming.mark
    number = preferences.number_of(reader.email)
    if number is None:
        return
    before = preferences.library_rows(number) if is_kept else []
    papers, troubles = _read(reader, home, before)
    for trouble in troubles:
        log.warning("%s", trouble)
    if not is_kept:
        libraries.held[reader.email] = _known(session.store, papers)
    elif papers != before:
        _keep(session, number, reader, _completed(session.store, papers))


def fields_of(reader: Subscriber) -> tuple[str, ...]:
    """The items of a reader's library that may be read: who signed up names no files of ours."""
    return reader.library_items if reader.origin is Origin.FILE else ()


def troubles_of(reader: Subscriber, home: Path) -> list[Trouble]:
    """What is wrong with a reader's library now."""
    return _read(reader, home, [])[1]


def _read(
    reader: Subscriber, home: Path, before: Iterable[LibraryPaper]
) -> tuple[list[LibraryPaper], list[Trouble]]:
    """A reader's library as it is now: what has not changed, or cannot be read, stays."""
    by_source: dict[str, list[LibraryPaper]] = {"": []}
    for paper in before:
        by_source.setdefault(paper.source, []).append(paper)
    found, troubles = list(by_source[""]), []
    for item in fields_of(reader):
        old = by_source.get(item, [])
        try:
            mark, reading = read_item(item, home, old[0].mark if old else "")
        except LibraryError as error:
            troubles.append(Trouble(reader.email, str(error)))
            reading = None
        if reading is None:
            found += old
            continue
        troubles += [Trouble(reader.email, words) for words in _strange(item, reading.odd)]
        known = {paper.id: paper for paper in old}
        for paper in papers_of(reading.entries):
            had = known.get(paper.id)
            paper = replace(paper, source=item, mark=mark)
            found.append(_merged(paper, had.title, had.abstract, asked=had.asked) if had else paper)
    return sorted(found, key=lambda paper: (paper.id, paper.source)), troubles


def _strange(item: str, odd: Sequence[Odd]) -> list[str]:
    """The entries that are formed strangely, the first of them by name."""
    more = len(odd) - NAMED
    told = [f"the library {item}, {one}" for one in odd[:NAMED]]
    return [*told, f"the library {item}: {more} more such entries"] if more > 0 else told


def papers_of(entries: Iterable[Entry]) -> list[LibraryPaper]:
    """Entries as papers, each with an id of its own: two that share a key are two."""
    found: dict[str, LibraryPaper] = {}
    for entry in entries:
        name, number = entry.id, 2
        title, abstract = _plain(entry.title, entry), _plain(entry.abstract, entry)
        while name in found and title and found[name].title not in ("", title):
            if name == entry.arxiv:
                break
            name, number = f"{entry.id} ({number})", number + 1
        paper = LibraryPaper(name, title, abstract, arxiv=name == entry.arxiv)
        had = found.get(name)
        found[name] = _merged(paper, had.title, had.abstract, asked=False) if had else paper
    return list(found.values())


def _plain(text: str, entry: Entry) -> str:
    """A text as people read it: braces in TeX only keep capitals."""
    if not entry.tex or not set(text) & set("\\{}$~-"):
        return text
    return to_unicode(text).replace("{", "").replace("}", "")


def _merged(paper: LibraryPaper, title: str, abstract: str, *, asked: bool) -> LibraryPaper:
    """A paper with what is known besides of what it lacks."""
    return replace(
        paper,
        title=paper.title or title,
        abstract=paper.abstract or abstract,
        asked=paper.asked or asked,
    )


def _completed(store: Store, papers: Sequence[LibraryPaper]) -> list[LibraryPaper]:
    """The papers with what the database knows of those with an arXiv id."""
    lacking = [paper.id for paper in papers if not paper.abstract and paper.arxiv]
    known = store.preferences.on_record(lacking) if lacking else {}
    return [_told(paper, known) for paper in papers]


def _told(paper: LibraryPaper, known: dict[str, Paper]) -> LibraryPaper:
    """A paper with what arXiv says of it."""
    told = known.get(paper.id)
    return _merged(paper, told.title, told.abstract, asked=paper.asked) if told else paper


def _known(store: Store, papers: Sequence[LibraryPaper]) -> list[LibraryPaper]:
    return [paper for paper in _completed(store, papers) if paper.title]


def _keep(
    session: Session, number: int, reader: Subscriber, papers: Sequence[LibraryPaper]
) -> None:
    """Put a library in the place of the old one, as much of it as is kept."""
    try:
        session.store.preferences.replace_library(number, papers[:LIBRARY_PAPERS], session.clock())
    except DigestError as error:
        log.warning("the library of %s stays as it was: %s", reader.email, error)


async def _ask(session: Session, arxiv: Arxiv) -> None:
    """Ask arXiv once for each paper of which something is missing, a few of them in a cycle."""
    preferences = session.store.preferences
    for _ in range(BATCHES):
        wanted = preferences.unasked(BATCH)
        if not wanted or session.stop.is_set() or why_paused(session.store, session.clock()):
            return
        try:
            papers = await arxiv.by_ids(wanted, attempts=1)
        except ArxivError as error:
            if error.throttled:
                session.store.windows.slow_down(session.clock(), error.retry_after)
            log.info("arXiv was asked for papers of libraries: %s", error)
            return
        preferences.note_answer(wanted, papers)
