"""Libraries read for a person who asks: a file, or all that a reader's entry names; and what was
read taken over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from digest.keywords.words import counted
from digest.libraries import LibraryError, Odd, read_file, read_item
from digest.libraries.zotero import is_zotero
from digest.model import Subscriber
from digest.run.fetch import why_paused
from digest.run.find_titles import Found, find_titles
from digest.run.libraries import Places, completed, fields_of
from digest.run.papers_of_library import merged, papers_of
from digest.run.sources.base import Arxiv
from digest.run.zotero import is_incomplete, read_again, require_zotero
from digest.store import Store
from digest.store.preferences import LibraryPaper


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a file or an item: papers, and what is odd; `trouble` says why it could not
    be read, or ""; `found` what arXiv knew by title (None: it was not asked).
    """

    name: str
    papers: list[LibraryPaper]
    odd: Sequence[Odd] = ()
    trouble: str = ""
    found: Found | None = None

    @property
    def with_abstract(self) -> int:
        """How many papers have an abstract."""
        return sum(bool(paper.abstract) for paper in self.papers)

    @property
    def with_id(self) -> int:
        """How many papers have an arXiv id."""
        return sum(paper.arxiv for paper in self.papers)

    @property
    def figures(self) -> str:
        """How much of it can be used, in words."""
        places = counted(len(self.odd), "place is", "places are")
        strange = f"; {places} formed strangely" if self.odd else ""
        return (
            f"{counted(len(self.papers), 'paper')} can be used, {self.with_abstract} with an"
            f" abstract and {self.with_id} with an arXiv id{strange}"
        )


def read_given(file: Path) -> Reading:
    """A file that somebody names. Raises LibraryError where it cannot be read."""
    if is_zotero(str(file)):
        raise LibraryError(
            f"the library {file} is no file",
            remedy="name it in the reader's field 'library', and call 'digest library check EMAIL'",
        )
    read = read_file(file)
    return Reading(str(file), papers_of(read.entries), read.odd)


def read_items(places: Places, reader: Subscriber) -> Iterator[Reading]:
    """Everything that a reader's entry names, as it is now."""
    for item in fields_of(reader):
        try:
            if is_zotero(item):
                yield _read_zotero(places, item)
                continue
            _, read = read_item(item, places.home)
        except LibraryError as error:
            yield Reading(item, [], trouble=str(error))
        else:
            yield Reading(item, papers_of(read.entries if read else ()), read.odd if read else ())


def _read_zotero(places: Places, item: str) -> Reading:
    require_zotero(item)
    fetched = read_again(item, (), places.zotero, lambda: False)
    more = (
        " (its latest items; runs read the rest)"
        if is_incomplete(fetched.papers[0].mark if fetched.papers else "")
        else ""
    )
    papers = [paper for paper in fetched.papers if paper.title]
    return Reading(item + more, papers, trouble=fetched.words)


async def with_titles(
    arxiv: Arxiv,
    store: Store,
    reading: Reading,
    now: datetime,
    progress: Callable[[str], None],
) -> Reading:
    """A reading with the ids that arXiv knows by title, asked at its pace."""
    if paused := why_paused(store, now):
        return replace(reading, found=Found(reading.papers, 0, 0, paused))
    found = await find_titles(arxiv, reading.papers, now, progress)
    return replace(reading, papers=found.papers, found=found)


def take_over(store: Store, reader: int, reading: Reading, now: datetime, *, is_whole: bool) -> int:
    """Put what was read among the papers that a reader imported, or in their place; returns how
    many are new. Raises UsageError where they are more than a library may hold.
    """
    rows = store.preferences.rows_of_library(reader)
    others = [paper for paper in rows if paper.source]
    imported = {paper.id: paper for paper in rows if not paper.source}
    given = {paper.id: paper for paper in reading.papers}
    new = sum(name not in imported for name in given)
    known = {name: merged(paper, imported.get(name, paper)) for name, paper in given.items()}
    kept = known if is_whole else imported | known
    store.preferences.replace_library(reader, completed(store, [*others, *kept.values()]), now)
    return new
