"""What a reader's library is good for: what of it is kept, from where, and what is wrong in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from digest.keywords.words import counted
from digest.libraries import LibraryError, path_of
from digest.libraries.entries import arxiv_id
from digest.libraries.zotero import is_zotero
from digest.model import Order, Roster, Subscriber
from digest.ranking import ENOUGH
from digest.run.libraries import UNNAMED, fields_of
from digest.run.zotero import is_incomplete, require_zotero
from digest.store import Store
from digest.store.preferences import LIBRARY_PAPERS, LibraryPaper

IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Source:
    """What is kept of one item of a reader's field `library`, or of what was imported. `unasked`:
    papers of which arXiv is still to be asked for what is missing; `changed`: when the file was
    written last (UTC); `trouble` says what is wrong with it now, or ""; `unknown`: ids that arXiv
    does not know.
    """

    name: str
    papers: int
    with_abstract: int
    unasked: int
    incomplete: bool = False
    changed: datetime | None = None
    trouble: str = ""
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Holding:
    """A reader's library as it is kept: `papers` are those of which the title is known, each once;
    `since`: when something in it changed last (UTC).
    """

    sources: tuple[Source, ...]
    papers: tuple[LibraryPaper, ...]
    liked: int
    since: datetime | None
    doubts: tuple[str, ...]

    @property
    def with_abstract(self) -> int:
        """How many papers have an abstract."""
        return sum(bool(paper.abstract) for paper in self.papers)


def holding_of(store: Store, reader: Subscriber, home: Path) -> Holding:
    """All that is known of a reader's library, without reading it again."""
    preferences = store.preferences
    number = preferences.number_of(reader.email)
    rows = [] if number is None else preferences.rows_of_library(number)
    by_source: dict[str, list[LibraryPaper]] = {item: [] for item in fields_of(reader)}
    for row in rows:
        by_source.setdefault(row.source, []).append(row)
    papers = [] if number is None else preferences.papers_of_library(number)
    liked = 0 if number is None else len(preferences.liked(number))
    return Holding(
        tuple(_source(item, kept, home) for item, kept in by_source.items()),
        tuple(papers),
        liked,
        None if number is None else preferences.kept_of_library_since(number),
        tuple(_doubts(reader, len(papers), liked, home, is_kept=not store.naming.mark)),
    )


def _source(item: str, kept: Sequence[LibraryPaper], home: Path) -> Source:
    trouble, changed = _trouble(item, home) if item else ("", None)
    known = [paper for paper in kept if paper.title]
    return Source(
        item or IMPORTED,
        len(known),
        sum(bool(paper.abstract) for paper in known),
        sum(paper.arxiv and not paper.asked and not paper.abstract for paper in kept),
        is_zotero(item) and is_incomplete(kept[0].mark if kept else ""),
        changed,
        trouble,
        sum(paper.asked and not paper.title for paper in kept),
    )


def doubtful_libraries(store: Store, roster: Roster, home: Path) -> Iterator[str]:
    """What is wrong with readers' libraries, a line each, as far as it shows without reading
    them.
    """
    counts, is_kept = store.preferences.own_papers(), not store.naming.mark
    for reader in roster.subscribers:
        held, liked = counts.get(reader.email.lower(), (0, 0))
        for doubt in _doubts(reader, held, liked, home, is_kept=is_kept):
            yield f"{reader.email}: {doubt}"


def _doubts(
    reader: Subscriber, held: int, liked: int, home: Path, *, is_kept: bool
) -> Iterator[str]:
    items = fields_of(reader)
    troubles = [trouble for item in items if (trouble := _trouble(item, home)[0])]
    # Where the database keeps nothing, strangers may read what is said.
    yield from troubles if is_kept else [UNNAMED][: len(troubles)]
    if held >= LIBRARY_PAPERS:
        yield f"the library has {LIBRARY_PAPERS} papers or more, and no more are kept"
    if not (items or held) or not is_kept:
        return
    if held + liked < ENOUGH and not troubles:
        yield (
            f"the library ranks nothing yet: {held} and {counted(liked, 'like')} of the {ENOUGH}"
            " papers that it takes are known"
        )
    elif reader.order is not Order.LIKELIEST:
        yield f"the library ranks nothing: the reader's order is {reader.order}"


def _trouble(item: str, home: Path) -> tuple[str, datetime | None]:
    """What keeps an item from being read, and when its file was written."""
    try:
        if is_zotero(item):
            require_zotero(item)
        elif not arxiv_id(item):
            path = path_of(item, home)
            with path.open("rb"):
                written = path.stat().st_mtime
            return "", datetime.fromtimestamp(written, UTC)
    except LibraryError as error:
        return str(error), None
    except OSError as error:
        return f"the library {item} cannot be read ({error.strerror})", None
    return "", None
