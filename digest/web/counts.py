"""What keywords would have brought in the last days, of the papers on record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.errors import QueryError
from digest.keywords.grammar import describe, parse
from digest.keywords.match import Matcher, stems
from digest.keywords.words import reading
from digest.model import Keyword, Paper, Rule
from digest.store import Store
from digest.subscribers.book import Book
from digest.subscribers.check import fold
from digest.web.wanted import Fault, fault_of, is_offered, not_offered

SPAN = timedelta(days=7)
MOST = 5_000
"""Papers that are looked through, the newest: a second's work once a run."""
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Count:
    """A keyword as it was written, how it is read, and how many papers it would have brought, with
    the titles of the newest; or its mistake.
    """

    text: str
    reading: tuple[str, ...] = ()
    papers: int = 0
    newest: tuple[str, ...] = ()
    fault: Fault | None = None


class Counts:
    """Counts on the thread that works with the database; the index of papers lasts until the next
    run, or for an hour.
    """

    def __init__(self) -> None:
        self._matcher: Matcher | None = None
        self._titles: dict[str, str] = {}
        self._made: object = None

    def of(
        self,
        store: Store,
        book: Book,
        texts: Collection[str],
        names: Collection[str],
        now: datetime,
    ) -> list[Count]:
        """The counts of some keywords, in their order; `names` are those that are known to whom
        they are shown.
        """
        if not texts:
            return []
        self._refresh(store, now)
        return [
            self._count(book, text)
            if is_offered(book, text, names)
            else Count(text, fault=Fault(not_offered(text)))
            for text in texts
        ]

    def _refresh(self, store: Store, now: datetime) -> None:
        latest = store.runs.latest()
        made = (latest, now.replace(minute=0, second=0))
        if self._matcher is not None and made == self._made:
            return
        if self._matcher is not None:
            self._matcher.close()
        self._titles = {}
        papers = self._noted(store.pages.latest(now - SPAN, MOST))
        self._matcher, self._made = Matcher(papers), made

    def _noted(self, papers: Iterable[Paper]) -> Iterator[Paper]:
        """Papers, of which the titles are kept in their order."""
        for paper in papers:
            self._titles[paper.id] = paper.title
            yield paper

    def _count(self, book: Book, text: str) -> Count:
        assert self._matcher is not None
        try:
            keywords = _meant(book, text)
        except QueryError as error:
            return Count(text, fault=fault_of(error))
        found: set[str] = set()
        words: list[str] = []
        for keyword in keywords:
            node = parse(keyword.query)
            found |= self._matcher.match(node)
            is_query = keyword.rule is Rule.QUERY
            words += reading(node, stems) if is_query else [describe(keyword)]
        titles = [title for paper, title in self._titles.items() if paper in found]
        return Count(text, tuple(words), len(titles), tuple(titles[:EXAMPLES]))


def _meant(book: Book, text: str) -> tuple[Keyword, ...]:
    """The keywords of a line: a group's, a name's, or itself."""
    if text.startswith("+"):
        return book.checked.groups.get(fold(text[1:]), ())
    return (book.checked.find(text),)
