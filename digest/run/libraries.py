"""The step of a cycle in which readers' libraries are read again where their files have changed,
and arXiv is asked for what is missing in them.

Nothing here fails a cycle, or holds a reader back: what cannot be read stays as it was.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from digest.errors import ArxivError, DigestError
from digest.libraries import LibraryError, Odd, read_item
from digest.libraries.zotero import Access, is_zotero
from digest.model import Origin, Paper, Roster, Subscriber
from digest.run.fetch import why_paused
from digest.run.papers_of_library import merged, papers_of
from digest.run.session import Session
from digest.run.sources.base import Arxiv
from digest.run.zotero import is_incomplete, read_again, require_zotero
from digest.store import Store
from digest.store.preferences import LIBRARY_PAPERS, LibraryPaper

log = logging.getLogger(__name__)

SECONDS = 60.0
"""So much of a cycle may be spent on libraries; the next one goes on."""
ZOTERO_SECONDS = 20.0
"""So much of that one library at Zotero may take: others wait behind it."""
BATCH = 100
"""So many papers arXiv is asked for at once, and"""
BATCHES = 5
"""so many times in a cycle: digests wait for it."""
NAMED = 5
"""So many of a file's entries that are formed strangely are named."""
UNNAMED = (
    "something is wrong with the library: 'digest subscribers check' on your own machine, with the"
    " same text in a file, names it"
)

ByItem: TypeAlias = dict[str, list[LibraryPaper]]
"""What is kept of libraries at Zotero, by the item that names each."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where readers' libraries lie: in files below `home`, and at Zotero."""

    home: Path
    zotero: Access


Libraries: TypeAlias = dict[int, list[LibraryPaper]]
"""Papers by readers' numbers."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a reader's library, in a line. An item that could not be read stays as it
    was last; of entries that are formed strangely there is what could be read.
    """

    email: str
    words: str

    def __str__(self) -> str:
        return f"{self.email}: {self.words}"


async def refresh(
    session: Session,
    arxiv: Arxiv | None,
    places: Places | None,
    roster: Roster,
    *,
    fetched: bool = True,
) -> Libraries:
    """Read again what has changed, and ask arXiv, where it is given, for some of what is missing.
    Zotero is asked in cycles that `fetched` something, and in those that go on with a library read
    in part.

    Returns the libraries that the database does not keep.
    """
    held: Libraries = {}
    if places is None:
        return held
    refreshing = _Refreshing(session, places, fetched, time.monotonic() + SECONDS)
    kept = session.store.preferences.readers_with_library()
    for reader in roster.subscribers:
        if refreshing.is_over():
            break
        if fields_of(reader) or reader.email.lower() in kept:
            await refreshing.take(reader, held)
            await asyncio.sleep(0)
    if arxiv is not None:
        await _ask(session, arxiv)
    return held


@dataclass(frozen=True, slots=True)
class _Refreshing:
    """One such step of a cycle, which ends at `end` of the event loop's clock."""

    session: Session
    places: Places
    fetched: bool
    end: float

    def is_over(self) -> bool:
        """Whether the step is to end; asked from threads, too."""
        return self.session.stop.is_set() or time.monotonic() > self.end

    def _over_in(self, seconds: float) -> Callable[[], bool]:
        """Whether the step is to end, or so much time is up."""
        end = time.monotonic() + seconds
        return lambda: self.is_over() or time.monotonic() > end

    async def take(self, reader: Subscriber, held: Libraries) -> None:
        """Read one reader's library again. Strangers may see a database that knows its readers by
        other names: it keeps no libraries, and the log, which they may see too, names no papers.
        """
        store = self.session.store
        preferences, is_kept = store.preferences, not store.naming.mark
        number = preferences.number_of(reader.email)
        if number is None:
            return
        if is_kept and self._is_as_it_was(reader, preferences.marks_of_library(number)):
            return
        before = preferences.rows_of_library(number) if is_kept else []
        by_item, troubles = await self._zotero(reader, before)
        papers, more = _read(reader, self.places.home, before, by_item)
        troubles += more
        for trouble in troubles if is_kept else []:
            log.warning("%s", trouble)
        if not is_kept:
            if troubles:
                log.warning("%s: %s", reader.email, UNNAMED)
            held[number] = _known(store, papers)
        elif papers != before:
            _keep(self.session, number, reader, completed(store, papers))

    def _is_as_it_was(self, reader: Subscriber, marks: Mapping[str, str]) -> bool:
        """Whether all that the reader's entry names is known, and none of it has changed."""
        items = fields_of(reader)
        if marks.keys() != set(items):
            return False
        try:
            return not any(self._has_changed(item, marks[item]) for item in items)
        except LibraryError:
            return False

    def _has_changed(self, item: str, mark: str) -> bool:
        """Whether an item is another one than its mark says, or that is to be asked for."""
        if is_zotero(item):
            return self.fetched or is_incomplete(mark)
        return read_item(item, self.places.home, mark)[1] is not None

    async def _zotero(
        self, reader: Subscriber, before: Sequence[LibraryPaper]
    ) -> tuple[ByItem, list[Trouble]]:
        """What a reader has at Zotero."""
        store, now = self.session.store, self.session.clock()
        preferences = store.preferences
        by_item: ByItem = {}
        troubles = []
        for item in filter(is_zotero, fields_of(reader)):
            old = [paper for paper in before if paper.source == item]
            resting = preferences.zotero_rests_until()
            # What is not kept is to be read whenever a digest may be ranked by it.
            is_wanted = (
                self.fetched or is_incomplete(old[0].mark if old else "") or bool(store.naming.mark)
            )
            if not is_wanted or self.is_over() or (resting and now < resting):
                continue
            try:
                require_zotero(item)
            except LibraryError as error:
                troubles.append(Trouble(reader.email, str(error)))
                continue
            fetched = await asyncio.to_thread(
                read_again, item, old, self.places.zotero, self._over_in(ZOTERO_SECONDS)
            )
            by_item[item] = fetched.papers
            if fetched.words:
                troubles.append(Trouble(reader.email, fetched.words))
            if fetched.rest:
                preferences.let_zotero_rest(now + fetched.rest)
        return by_item, troubles


def fields_of(reader: Subscriber) -> tuple[str, ...]:
    """The items of a reader's library that may be read: who signed up names no files of ours."""
    return reader.items_of_library if reader.origin is Origin.FILE else ()


def troubles_of(reader: Subscriber, home: Path) -> list[Trouble]:
    """What is wrong with a reader's library now, as far as files tell."""
    troubles = _read(reader, home, [])[1]
    for item in filter(is_zotero, fields_of(reader)):
        try:
            require_zotero(item)
        except LibraryError as error:
            troubles.append(Trouble(reader.email, str(error)))
    return troubles


def _read(
    reader: Subscriber,
    home: Path,
    before: Sequence[LibraryPaper],
    by_item: Mapping[str, list[LibraryPaper]] = MappingProxyType({}),
) -> tuple[list[LibraryPaper], list[Trouble]]:
    """A reader's library as it is now, with what was read at Zotero: what has not changed, or
    cannot be read, stays.
    """
    by_source: dict[str, list[LibraryPaper]] = {"": []}
    for paper in before:
        by_source.setdefault(paper.source, []).append(paper)
    found, troubles = list(by_source[""]), []
    for item in fields_of(reader):
        old = by_source.get(item, [])
        if is_zotero(item):
            found += by_item.get(item, old)
            continue
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
            found.append(merged(paper, had) if had else paper)
    return sorted(found, key=lambda paper: (paper.id, paper.source)), troubles


def _strange(item: str, odd: Sequence[Odd]) -> list[str]:
    """The entries that are formed strangely, the first of them by name."""
    more = len(odd) - NAMED
    told = [f"the library {item}, {one}" for one in odd[:NAMED]]
    return [*told, f"the library {item}: {more} more such entries"] if more > 0 else told


def completed(store: Store, papers: Sequence[LibraryPaper]) -> list[LibraryPaper]:
    """The papers with what the database knows of those with an arXiv id."""
    lacking = [paper.id for paper in papers if not paper.abstract and paper.arxiv]
    known = store.preferences.on_record(lacking) if lacking else {}
    return [_told(paper, known) for paper in papers]


def _told(paper: LibraryPaper, known: dict[str, Paper]) -> LibraryPaper:
    """A paper with what arXiv says of it."""
    told = known.get(paper.id)
    if told is None:
        return paper
    return replace(paper, title=paper.title or told.title, abstract=paper.abstract or told.abstract)


def _known(store: Store, papers: Sequence[LibraryPaper]) -> list[LibraryPaper]:
    return [paper for paper in completed(store, papers) if paper.title]


def _keep(
    session: Session, number: int, reader: Subscriber, papers: Sequence[LibraryPaper]
) -> None:
    """Put a library in the place of the old one, as much of it as is kept."""
    if len(papers) > LIBRARY_PAPERS:
        words = f"{len(papers)} papers, and {LIBRARY_PAPERS} are kept: name fewer in it"
        log.warning("the library of %s has %s", reader.email, words)
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
