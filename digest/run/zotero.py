"""Readers' Zotero libraries: what has changed in one since it was read last is asked for, in steps.

Each paper that is kept bears in its mark the version of the library as of which all is known (0
while something is still to be asked for), and the items that it was made of with their versions.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta

from digest.libraries import Entry, LibraryError
from digest.libraries.zotero import Access, Listing, place_of
from digest.run.papers_of_library import merged, papers_of
from digest.store.preferences import LIBRARY_PAPERS, LibraryPaper

STEP = 1_000
"""So many items of a library are asked for in one cycle: digests wait for it."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is kept of a library now. `rest`: for how long nobody is to ask Zotero; `words` say
    what is wrong, or "".
    """

    papers: list[LibraryPaper]
    words: str = ""
    rest: timedelta | None = None


def require_zotero(item: str) -> None:
    """Raise LibraryError where an item names no Zotero library, or none can be read here."""
    place_of(item)
    if importlib.util.find_spec("pyzotero") is None:
        raise LibraryError(
            f"the library {item} needs pyzotero, which is not installed",
            remedy="in the clone: pip install '.[zotero]'",
        )


def is_incomplete(mark: str) -> bool:
    """Whether of the library of a paper with this mark more is to be asked for; `""`: nothing is
    known of it.
    """
    return mark.startswith("0 ")


def read_again(
    item: str, before: Sequence[LibraryPaper], access: Access, is_over: Callable[[], bool]
) -> Fetched:
    """A Zotero library as it is now; what cannot be read stays as it was `before`. Asks over the
    network, and blocks.
    """
    from digest.libraries.zotero_api import AT_ONCE, ZoteroClient, ZoteroError

    merging = None
    with closing(ZoteroClient(place_of(item), access, is_over)) as client:
        try:
            listing = client.listing(_version_of(before))
            if listing is None:
                return Fetched(list(before), rest=client.rest)
            merging = _Merging(item, listing, before)
            for _ in range(STEP // AT_ONCE):
                if client.rest or not merging.missing:
                    break
                asked = merging.missing[:AT_ONCE]
                merging.put(asked, client.items(asked))
        except ZoteroError as error:
            papers = merging.papers() if merging else list(before)
            return Fetched(papers, f"the library {item}: {error}", error.rest)
    more, words = len(listing.items) - LIBRARY_PAPERS, ""
    if more > 0:
        words = f"the library {item} has {more} items more than the {LIBRARY_PAPERS} that are read"
    return Fetched(merging.papers(), words, client.rest)


class _Merging:
    """A library that is brought up to a listing: what is `missing` has changed, or is new, the
    latest first.
    """

    def __init__(self, item: str, listing: Listing, before: Sequence[LibraryPaper]) -> None:
        latest = sorted(listing.items.items(), key=lambda one: (-one[1], one[0]))
        self._item, self._version = item, listing.version
        self._listed = dict(latest[:LIBRARY_PAPERS])
        self._before = {paper.id: paper for paper in before}
        self._made_of = {paper.id: _items_of(paper) for paper in before}
        self._current = {
            name: self._before[name]
            for name, items in self._made_of.items()
            if all(self._listed.get(key) == version for key, version in items.items())
        }
        held = {key for name in self._current for key in self._made_of[name]}
        self.missing = [key for key in self._listed if key not in held]
        self._unanswered: set[str] = set()

    def put(self, asked: Sequence[str], answer: dict[str, tuple[int, Entry]]) -> None:
        """Take what an answer says of the items that were asked for."""
        asked_for = set(asked)
        self.missing = [key for key in self.missing if key not in asked_for]
        self._unanswered |= asked_for - answer.keys()
        for key, (version, entry) in answer.items():
            (paper,) = papers_of([entry])
            items = {key: version}
            if twin := self._current.get(paper.id):
                items |= self._made_of[paper.id]
                paper = merged(paper, twin)
            elif paper.arxiv and paper.id in self._before:
                # What arXiv was asked for is not asked for again.
                paper = merged(paper, self._before[paper.id])
            self._current[paper.id], self._made_of[paper.id] = paper, items

    def papers(self) -> list[LibraryPaper]:
        """All papers now; what is to be replaced stays until it is."""
        waiting = {*self.missing, *self._unanswered}
        kept = {
            name: paper
            for name, paper in self._before.items()
            if name not in self._current and waiting & self._made_of[name].keys()
        }
        version = 0 if self.missing else self._version
        return [
            replace(paper, source=self._item, mark=_mark(version, self._made_of[name]))
            for name, paper in (kept | self._current).items()
        ]


def _mark(version: int, items: dict[str, int]) -> str:
    return " ".join([str(version), *(f"{key}:{number}" for key, number in sorted(items.items()))])


def _items_of(paper: LibraryPaper) -> dict[str, int]:
    pairs = (pair.partition(":") for pair in paper.mark.split()[1:])
    return {key: int(number) for key, _, number in pairs}


def _version_of(papers: Sequence[LibraryPaper]) -> int:
    return int(papers[0].mark.split()[0]) if papers else 0
