"""The announcement feeds as a source: each category's once a day, matched on this machine,
completed by the API.
"""

from __future__ import annotations

import calendar
import logging
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from digest.arxiv.combine import categories_of, expanded, feeds_for, halves, id_batches
from digest.arxiv.feeds import Announced, AnnouncementFeed, FullFeedError, StaleFeedError
from digest.errors import ArxivError
from digest.keywords.grammar import Node, parse, terms
from digest.model import Paper, Query, Window
from digest.rules.calendar import Announcement, submitted_by
from digest.rules.plan import FEEDS, feed_day, in_the_feeds, previous
from digest.run.sources.base import Arxiv, FetchRequest, SourceResult, attribute, counted_once
from digest.store import Store
from digest.store.sources import FeedState

log = logging.getLogger(__name__)

LONGEST_ENRICHMENT = 12
"""At most this many requests are made to complete a day's announcements: all of arXiv's on a busy
day take eleven."""
_SEEN_IN_COMMENTS = ("co", "all")
_ASKED_AGAIN = timedelta(days=8)


class Served(Protocol):
    """A feed that is believed, and its entity tag."""

    @property
    def feed(self) -> AnnouncementFeed:
        """What it holds."""

    @property
    def etag(self) -> str:
        """Its entity tag."""


class Feeds(Protocol):
    """Whoever reads announcement feeds."""

    @property
    def requests(self) -> int:
        """How many requests were made, whatever was asked."""

    async def fetch(
        self,
        names: Sequence[str],
        day: date,
        *,
        before: Set[str] = ...,
        etag: str = ...,
        attempts: int = ...,
    ) -> Served:
        """Return the feed of some categories or archives as it is on `day`."""


@dataclass(slots=True)
class _Reading:
    """One round of reading feeds. `failed` has the error by category; `proven`: every feed was seen
    to differ from that of the announcement before; `known` are the papers on record, by id.
    """

    feeds: Feeds
    before: Mapping[str, FeedState]
    announcement: Announcement
    request: FetchRequest
    announced: dict[str, Announced] = field(default_factory=dict)
    states: list[FeedState] = field(default_factory=list)
    failed: dict[str, ArxivError] = field(default_factory=dict)
    proven: bool = True
    known: Mapping[str, Paper] = field(default_factory=dict)

    async def read(self, feeds: Sequence[tuple[str, ...]]) -> None:
        """Read feeds, each in halves where it is full; none after one that cannot be reached or
        asks to slow down.
        """
        waiting = list(feeds)
        while waiting and not self.request.stop.is_set():
            names = waiting.pop(0)
            try:
                await self._read_one(names)
            except FullFeedError as error:
                parts = halves(names)
                waiting[:0] = parts
                if not parts:
                    self._fail(names, error)
            except ArxivError as error:
                lost = [names, *waiting] if error.unreachable or error.throttled else [names]
                waiting = waiting[len(lost) - 1 :]
                self._lose(lost, error)
        if not self.announced:
            evening = self.announcement.evening
            words = f"the feeds hold nothing, and {evening} was an announcement's evening"
            for names in feeds:
                self._fail(names, ArxivError(words), unless_failed=True)

    async def _read_one(self, names: tuple[str, ...]) -> None:
        """Read one feed; a paper in several feeds counts once, in its latest version."""
        state, day = self._state(names), feed_day(self.announcement)
        # Only an earlier announcement's tag and keys tell whether this feed has moved on.
        earlier = state if state.day is not None and state.day < day else FeedState(state.name)
        self.request.progress(f"reading the announcements in {state.name}")
        served = await self.feeds.fetch(
            names,
            day,
            before=earlier.keys,
            etag=earlier.etag,
        )
        self._add(served.feed.papers)
        is_of_day_before = state.day == feed_day(previous(self.announcement))
        proven = is_of_day_before or (state.day == day and state.proven)
        self.states.append(FeedState(state.name, day, served.etag, served.feed.keys, proven))
        # Where another source can be asked, what nothing proves is not taken.
        if not proven and self.request.first and not self.request.throttled:
            self._fail(names, unproven(self.announcement))
        self.proven = self.proven and proven

    def _add(self, papers: Iterable[Announced]) -> None:
        for paper in papers:
            held = self.announced.get(paper.id)
            if held is None or held.version < paper.version:
                self.announced[paper.id] = paper

    def _state(self, names: tuple[str, ...]) -> FeedState:
        name = "+".join(names)
        return self.before.get(name) or FeedState(name)

    def _lose(self, feeds: Sequence[tuple[str, ...]], error: ArxivError) -> None:
        """Note feeds that could not be read."""
        for names in feeds:
            self._fail(names, error)
            self.states.append(replace(self._state(names), trouble=str(error)))

    def _fail(
        self, names: tuple[str, ...], error: ArxivError, *, unless_failed: bool = False
    ) -> None:
        failed = dict.fromkeys(expanded(names), error)
        self.failed = failed | self.failed if unless_failed else self.failed | failed

    def is_repeated(self, shares: Mapping[str, Sequence[Paper]]) -> bool:
        """Whether feeds that nothing proves to be new brought nothing but first versions that were
        known before.
        """
        papers = (paper for share in shares.values() for paper in share)
        first = {paper.id for paper in papers if paper.version == 1}
        return not self.proven and bool(first) and first <= self.known.keys()

    def news(self, papers: Iterable[Paper]) -> dict[str, list[Paper]]:
        """What each feed that is proven to be of this day announced as new, as it is among these
        papers or else as the feed tells it.
        """
        known = dict(self.known) | {paper.id: paper for paper in papers}
        new = {
            each.key: known.get(each.id) or provisional(each, None, self.announcement)
            for each in self.announced.values()
            if not each.kind.startswith("replace")
        }
        return {
            state.name: [new[key] for key in sorted(state.keys, reverse=True) if key in new]
            for state in self.states
            if state.proven and not state.trouble
        }

    def errors(self, nodes: Mapping[str, Node]) -> dict[str, ArxivError | None]:
        """For each query what keeps the announcement to it from being whole, if anything does."""
        needs = {text: categories_of(node) for text, node in nodes.items()}
        return {text: self._error(categories) for text, categories in needs.items()}

    def _error(self, categories: Collection[str] | None) -> ArxivError | None:
        needed = (n for n in self.failed if categories is None or n in categories)
        return next((self.failed[name] for name in needed), None)


class FeedsSource:
    """Reads the feeds that hold every match of the queries, and gives each query what of that
    matches it.

    A window from here is one announcement, however old its papers are; it is good only for a query
    that lacks no other. What a feed does not tell (dates, comments) is asked of the API by id, for
    the papers that match; where the API does not answer, dates are derived from the announcement
    and marked so.
    """

    name = FEEDS

    def __init__(
        self, feeds: Feeds, arxiv: Arxiv, store: Store, *, keeps_whole: bool = False
    ) -> None:
        """`keeps_whole`: what is announced is kept whole, for previews."""
        self._feeds = feeds
        self._keeps_whole = keeps_whole
        self._arxiv = arxiv
        self._store = store

    async def windows(
        self, wanted: Sequence[Query], request: FetchRequest
    ) -> AsyncIterator[SourceResult]:
        """Give a window or an error for each query, from the announcement that is in the feeds now.

        As the chosen source it reads what other queries need too, so that tomorrow's feeds can be
        told from today's.
        """
        announcement = in_the_feeds(request.now)
        if announcement is None or not (wanted or request.first):
            return
        before = self._feeds.requests
        nodes = {query.text: parse(query.text) for query in wanted}
        reading = _Reading(self._feeds, self._store.sources.feeds(), announcement, request)
        await reading.read(self._needed(nodes, reading))
        if request.stop.is_set():
            return
        errors = reading.errors(nodes)
        good = {text: nodes[text] for text, error in errors.items() if error is None}
        papers = await self._completed(reading, good) if good else ()
        shares = await attribute(papers, good)
        if reading.is_repeated(shares):
            errors |= dict.fromkeys(good, unproven(announcement))
        results: list[SourceResult] = [
            (query, errors[query.text] or _window(query, shares[query.text], announcement))
            for query in wanted
        ]
        for result in counted_once(results, self._feeds.requests - before):
            yield result
        # Only now: a run that is interrupted before must find the feeds as if it had not read them.
        self._store.sources.keep_feeds(reading.states, request.now)
        if self._keeps_whole and request.first:
            self._store.previews.keep(feed_day(announcement), reading.news(papers))

    def _needed(self, nodes: Mapping[str, Node], reading: _Reading) -> list[tuple[str, ...]]:
        """The feeds to read: always the same ones for the same subscribers file, as far as these
        queries need them.
        """
        needs = [categories_of(node) for node in nodes.values()]
        request, day = reading.request, feed_day(reading.announcement)

        def is_needed(names: tuple[str, ...]) -> bool:
            state = reading.before.get("+".join(names))
            is_unread = request.first and (state is None or state.day != day)
            return is_unread or any(need is None or need & expanded(names) for need in needs)

        plan = feeds_for(categories_of(parse(text)) for text in request.names or nodes)
        return [names for names in plan if is_needed(names)]

    async def _completed(self, reading: _Reading, nodes: Mapping[str, Node]) -> tuple[Paper, ...]:
        """The announced papers: as the API or the database knows them, else as far as the feeds
        tell.
        """
        announced = reading.announced
        known = reading.known = self._store.sources.papers(list(announced))
        derived = {
            base: provisional(paper, known.get(base), reading.announcement)
            for base, paper in announced.items()
        }
        matched = set(announced)
        if not _reads_comments(nodes):
            matched = _ids_in(await attribute(tuple(derived.values()), nodes))
        missing = [
            base
            for base, paper in announced.items()
            if base in matched and not _is_complete(known.get(base), paper)
        ]
        throttled = reading.request.throttled
        fresh = {} if throttled else await self._by_ids(missing, announced, reading.request)
        return tuple(
            _first_complete(paper, fresh.get(base), known.get(base)) or derived[base]
            for base, paper in announced.items()
        )

    async def _by_ids(
        self, missing: Sequence[str], announced: Mapping[str, Announced], request: FetchRequest
    ) -> dict[str, Paper]:
        """Ask the API for papers, and for those of the last days of which only the announcement is
        known.
        """
        sources = self._store.sources
        older = [b for b in sources.approximate(request.now - _ASKED_AGAIN) if b not in announced]
        found: dict[str, Paper] = {}
        asked: list[str] = []
        for batch in id_batches([*missing, *older])[:LONGEST_ENRICHMENT]:
            request.progress(f"asking arXiv for the dates of {len(batch)} papers")
            try:
                found |= {paper.id: paper for paper in await self._arxiv.by_ids(batch, attempts=2)}
            except ArxivError as error:
                log.info("announced papers go without their dates: %s", error)
                break
            asked += batch
        others = [paper for base, paper in found.items() if base not in announced]
        self._store.windows.complete(others)
        sources.note_lack("api", _lacking(asked, announced, found), request.now)
        return found


def _window(query: Query, papers: tuple[Paper, ...], announcement: Announcement) -> Window:
    since = query.last_good_at or submitted_by(announcement)
    evening = announcement.evening
    return Window(query.text, papers, None, since, 0, source=FEEDS, announced=evening)


def _lacking(
    asked: Sequence[str], announced: Mapping[str, Announced], found: Mapping[str, Paper]
) -> list[str]:
    """The announced papers that the API did not have, or not yet in the announced version."""
    versions = {base: paper.version for base, paper in found.items()}
    return [b for b in asked if b in announced and versions.get(b, 0) < announced[b].version]


def _ids_in(shares: Mapping[str, Sequence[Paper]]) -> set[str]:
    return {paper.id for share in shares.values() for paper in share}


def _reads_comments(nodes: Mapping[str, Node]) -> bool:
    """Whether a query may match by a comment, which no feed tells."""
    return any(term.field in _SEEN_IN_COMMENTS for node in nodes.values() for term in terms(node))


def _first_complete(announced: Announced, *papers: Paper | None) -> Paper | None:
    return next((paper for paper in papers if _is_complete(paper, announced)), None)


def provisional(paper: Announced, known: Paper | None, announcement: Announcement) -> Paper:
    """A paper as far as its announcement tells, and what is `known` of an earlier version: its
    first date, its comment.

    Else its dates are the second before the announcement's deadline, or, for the first one, the
    last moment of the month in its id, whichever is earlier.
    """
    closed = submitted_by(announcement) - timedelta(seconds=1)
    published = known.published if known else min(closed, _end_of_month(paper.id))
    updated = closed if paper.kind.startswith("replace") else published
    return Paper(
        id=paper.id,
        version=paper.version,
        title=paper.title,
        abstract=paper.abstract,
        authors=paper.authors,
        categories=paper.categories,
        published=published,
        updated=updated,
        comment=known.comment if known else "",
        journal_ref=paper.journal_ref,
        doi=paper.doi,
        approximate=True,
    )


def _end_of_month(base: str) -> datetime:
    """The last second of the month that an id names: `2503.14895`, `hep-th/9901001`."""
    digits = base.rpartition("/")[2]
    year, month = int(digits[:2]), min(max(int(digits[2:4]), 1), 12)
    year += 1900 if year > 90 else 2000
    return datetime(year, month, calendar.monthrange(year, month)[1], 23, 59, 59, tzinfo=UTC)


def _is_complete(paper: Paper | None, announced: Announced) -> bool:
    """Whether all is known of what was announced."""
    if paper is None or paper.approximate or not paper.authors:  # an imported page names no authors
        return False
    return paper.version >= announced.version


def unproven(announcement: Announcement) -> ArxivError:
    """The error for feeds that may still hold an earlier announcement."""
    words = f"nothing proves that the feeds hold the announcement of {announcement.evening} already"
    return StaleFeedError(words, transient=False)
