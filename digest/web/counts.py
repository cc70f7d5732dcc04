"""What keywords would have brought in the last days: of the papers on record, of announcements that
are kept whole, or by arXiv's own answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from digest.arxiv.combine import categories_of
from digest.errors import QueryError
from digest.keywords.categories import CATEGORIES
from digest.keywords.grammar import describe, parse
from digest.keywords.match import Matcher, stems
from digest.keywords.words import reading
from digest.model import Keyword, Paper, Rule
from digest.store import Store
from digest.subscribers.book import Book
from digest.subscribers.check import fold
from digest.times import in_utc
from digest.web import announced
from digest.web.questions import Questions, in_words
from digest.web.wanted import Fault, fault_of, is_offered, not_offered

SPAN = timedelta(days=7)
MOST, MOST_ANNOUNCED = 5_000, 10_000
"""Papers that are looked through, the newest on record and of the announcements: a second's work
for each 5,000, once a run."""
EXAMPLES = 3
ON_RECORD = "of the papers on record here"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at a preview: the names that are known to them, the queries that they read, and
    from which network they ask.
    """

    names: Collection[str] = ()
    queries: Collection[str] = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """A keyword as it was written, how it is read, and how many papers it would have brought, with
    the titles of the newest, and `among` which papers; or its mistake. `is_least`: there may be
    more.
    """

    text: str
    reading: tuple[str, ...] = ()
    papers: int = 0
    newest: tuple[str, ...] = ()
    among: str = ON_RECORD
    is_least: bool = False
    fault: Fault | None = None


class Counts:
    """Counts on the thread that works with the database; the index of papers lasts until the next
    run, or for an hour. `questions` notes what arXiv is to be asked; None: it is not asked.
    """

    def __init__(self, questions: Questions | None = None) -> None:
        self._questions = questions
        self._matcher: Matcher | None = None
        self._titles: dict[str, str] = {}
        self._announced = 0
        self._whole: frozenset[str] = frozenset()
        self._made: object = None

    def of(
        self, store: Store, book: Book, texts: Collection[str], viewer: Viewer, now: datetime
    ) -> list[Count]:
        """The counts of some keywords, in their order."""
        if not texts:
            return []
        self._refresh(store, now)
        known = {keyword.query for keyword in book.roster.public} | {*viewer.queries}
        return [
            self._count(store, book, text, replace(viewer, queries=known), now) for text in texts
        ]

    def _refresh(self, store: Store, now: datetime) -> None:
        latest = store.runs.latest()
        made = (latest, now.replace(minute=0, second=0))
        if self._matcher is not None and made == self._made:
            return
        if self._matcher is not None:
            self._matcher.close()
        self._titles = {}
        self._whole = announced.whole(store, now - SPAN, now)
        self._matcher, self._made = Matcher(self._papers(store, now)), made

    def _papers(self, store: Store, now: datetime) -> Iterator[Paper]:
        """The papers that are looked through, each once, of which the titles are kept in their
        order.
        """
        for paper in announced.papers(store, now - SPAN, MOST_ANNOUNCED):
            self._titles[paper.id] = paper.title
            yield paper
        self._announced = len(self._titles)
        for paper in store.pages.latest(now - SPAN, MOST):
            if paper.id not in self._titles:
                self._titles[paper.id] = paper.title
                yield paper

    def _count(self, store: Store, book: Book, text: str, viewer: Viewer, now: datetime) -> Count:
        if not is_offered(book, text, viewer.names):
            return Count(text, fault=Fault(not_offered(text)))
        try:
            keywords = _meant(book, text)
        except QueryError as error:
            return Count(text, fault=fault_of(error))
        count = self._counted(text, keywords)
        # docs/decisions.md, "A preview does not tell which keywords readers have"
        new = [keyword.query for keyword in keywords if keyword.query not in viewer.queries]
        if text in viewer.names or not new:
            return count
        return self._of_new(store, count, new[0], viewer.place, now)

    def _counted(self, text: str, keywords: Iterable[Keyword]) -> Count:
        """The count of some keywords together."""
        assert self._matcher is not None
        found: set[str] = set()
        words: list[str] = []
        for keyword in keywords:
            node = parse(keyword.query)
            found |= self._matcher.match(node)
            is_query = keyword.rule is Rule.QUERY
            words += reading(node, stems) if is_query else [describe(keyword)]
        titles = [title for paper, title in self._titles.items() if paper in found]
        return Count(text, tuple(words), len(titles), tuple(titles[:EXAMPLES]))

    def _of_new(self, store: Store, count: Count, query: str, place: str, now: datetime) -> Count:
        """The count of a keyword that is none of the viewer's, and not public."""
        needed = categories_of(parse(query)) or CATEGORIES
        if needed <= self._whole:
            among = f"of {self._announced:,} papers announced{announced.where(self._whole)}"
            return replace(count, among=among)
        if self._questions is None:
            return replace(count, is_least=True)
        question = self._questions.look(store, query, place, now)
        if question is None or question.answered_at is None or question.failed:
            words = in_words(store, question, now)
            return replace(count, among=ON_RECORD + words, is_least=True)
        return replace(
            count,
            papers=question.papers,
            newest=question.titles,
            among=f"by arXiv's own answer of {in_utc(question.answered_at)}",
        )


def _meant(book: Book, text: str) -> tuple[Keyword, ...]:
    """The keywords of a line: a group's, a name's, or itself."""
    if text.startswith("+"):
        return book.checked.groups.get(fold(text[1:]), ())
    return (book.checked.find(text),)
