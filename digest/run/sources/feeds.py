"""The announcement feeds as a source: each category's once a day, matched on this machine,
completed by the API.
"""

from __future__ import annotations

import calendar
import copy
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
from digest.run.sources.base import Arxiv, FetchRequest, SourceResult, attribute
from digest.store import Store
from digest.store.sources import FeedState

log = logging.getLogger(__name__)

LONGEST_ENRICHMENT = 12
"""So many requests are made at most to complete a day's announcements: all of arXiv's on a busy day
take eleven."""
_SEEN_IN_COMMENTS = ("co", "all")


class Served(Protocol):
    """A feed that is believed, and its entity tag."""

    @property
    def feed(self) -> AnnouncementFeed:
        """What it holds."""
        ...

    @property
    def etag(self) -> str:
        """Its entity tag."""
        ...


class Feeds(Protocol):
    """Whoever reads announcement feeds."""

    @property
    def requests(self) -> int:
        """How many requests were made, whatever was asked."""
        ...

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
        ...


@dataclass(slots=True)
class _Reading:
    """What one round of reading feeds brought. `failed` has the error by category; `proven`: every
    feed was seen to differ from that of the announcement before; `known` are the papers that were
    on record before.
    """

    announced: dict[str, Announced] = field(default_factory=dict)
    states: list[FeedState] = field(default_factory=list)
    failed: dict[str, ArxivError] = field(default_factory=dict)
    proven: bool = True
    known: frozenset[str] = frozenset()

    def add(self, papers: Iterable[Announced]) -> None:
        """Take what a feed announces; a paper in several feeds counts once, in its latest
        version.
        """
        for paper in papers:
            held = self.announced.get(paper.id)
            if held is None or held.version < paper.version:
                self.announced[paper.id] = paper

    def is_repeated(self, shares: Mapping[str, Sequence[Paper]]) -> bool:
        """Whether feeds that nothing proves to be new brought nothing but first versions that were
        known before.
        """
        first = {paper.id for share in shares.values() for paper in share if paper.version == 1}
        return not self.proven and bool(first) and first <= self.known

    def error(self, categories: Collection[str] | None) -> ArxivError | None:
        """What keeps from whole an announcement to a query that needs these categories, or all."""
        needed = (
            self.failed
            if categories is None
            else [name for name in self.failed if name in categories]
        )
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

    def __init__(self, feeds: Feeds, arxiv: Arxiv, store: Store) -> None:
        self._feeds = feeds
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
        reading = await self._read(
            self._needed(nodes, announcement, request), announcement, request
        )
        broken = {
            text: error
            for text, node in nodes.items()
            if (error := reading.error(categories_of(node)))
        }
        good = {text: node for text, node in nodes.items() if text not in broken}
        if request.stop.is_set():
            return
        papers = await self._completed(reading, good, announcement, request) if good else ()
        shares = await attribute(papers, good)
        if reading.is_repeated(shares):
            broken |= dict.fromkeys(good, unproven(announcement))
        requests = self._feeds.requests - before
        for query in wanted:
            if query.text in broken:
                yield query, _counted(broken[query.text], requests)
            else:
                since = query.last_good_at or submitted_by(announcement)
                window = Window(query.text, shares[query.text], None, since, requests, source=FEEDS)
                yield query, replace(window, announced=announcement.evening)
            requests = 0
        # Only now: a run that is interrupted before must find the feeds as if it had not read them.
        self._store.sources.keep_feeds(reading.states, request.now)

    def _needed(
        self, nodes: Mapping[str, Node], announcement: Announcement, request: FetchRequest
    ) -> list[tuple[str, ...]]:
        """The feeds to read: always the same ones for the same subscribers file, as far as these
        queries need them.
        """
        needs = [categories_of(node) for node in nodes.values()]
        known, day = self._store.sources.feeds(), feed_day(announcement)

        def is_needed(names: tuple[str, ...]) -> bool:
            state = known.get("+".join(names))
            unread = request.first and (state is None or state.day != day)
            return unread or any(need is None or need & expanded(names) for need in needs)

        plan = feeds_for(categories_of(parse(text)) for text in request.names or nodes)
        return [names for names in plan if is_needed(names)]

    async def _read(
        self, feeds: Sequence[tuple[str, ...]], announcement: Announcement, request: FetchRequest
    ) -> _Reading:
        """Read feeds, each in halves where it is full; none after one that cannot be reached or
        asks to slow down.
        """
        reading, known = _Reading(), self._store.sources.feeds()
        day, day_before = feed_day(announcement), feed_day(previous(announcement))
        waiting = list(feeds)
        stopped: ArxivError | None = None
        while waiting and not request.stop.is_set():
            names = waiting.pop(0)
            state = known.get("+".join(names)) or FeedState("+".join(names))
            earlier = state.day is not None and state.day < day
            request.progress(f"reading the announcements in {state.name}")
            try:
                if stopped is not None:
                    raise stopped
                served = await self._feeds.fetch(
                    names,
                    day,
                    before=state.keys if earlier else frozenset(),
                    etag=state.etag if earlier else "",
                )
            except FullFeedError as error:
                parts = halves(names)
                waiting[:0] = parts
                if not parts:
                    reading.failed |= dict.fromkeys(expanded(names), error)
            except ArxivError as error:
                stopped = error if error.unreachable or error.throttled else stopped
                reading.failed |= dict.fromkeys(expanded(names), error)
                reading.states.append(replace(state, trouble=str(error)))
            else:
                proven = state.day == day_before or (state.day == day and state.proven)
                reading.add(served.feed.papers)
                reading.states.append(
                    FeedState(state.name, day, served.etag, served.feed.keys, proven)
                )
                if not proven and request.first and not request.throttled:
                    reading.failed |= dict.fromkeys(expanded(names), unproven(announcement))
                reading.proven = reading.proven and proven
        if not reading.announced:
            words = (
                f"the feeds hold nothing, and {announcement.evening} was an announcement's evening"
            )
            empty = ArxivError(words)
            for names in feeds:
                reading.failed = dict.fromkeys(expanded(names), empty) | reading.failed
        return reading

    async def _completed(
        self,
        reading: _Reading,
        nodes: Mapping[str, Node],
        announcement: Announcement,
        request: FetchRequest,
    ) -> tuple[Paper, ...]:
        """The announced papers: as the API or the database knows them, else as far as the feeds
        tell.
        """
        announced = reading.announced
        known = self._store.sources.papers(list(announced))
        reading.known = frozenset(known)
        derived = {
            base: provisional(paper, known.get(base), announcement)
            for base, paper in announced.items()
        }
        wanted = set(announced)
        if not any(
            term.field in _SEEN_IN_COMMENTS for node in nodes.values() for term in terms(node)
        ):
            shares = await attribute(tuple(derived.values()), nodes)
            wanted = {paper.id for share in shares.values() for paper in share}
        missing = [
            b for b in announced if b in wanted and not _is_complete(known.get(b), announced[b])
        ]
        fresh = {} if request.throttled else await self._by_ids(missing, announced, request)
        return tuple(
            next(
                (p for p in (fresh.get(base), known.get(base)) if p and _is_complete(p, paper)),
                derived[base],
            )
            for base, paper in announced.items()
        )

    async def _by_ids(
        self, missing: Sequence[str], announced: Mapping[str, Announced], request: FetchRequest
    ) -> dict[str, Paper]:
        """Ask the API for papers, and for those of the last days of which only the announcement is
        known.
        """
        older = [
            b
            for b in self._store.sources.approximate(request.now - timedelta(days=8))
            if b not in announced
        ]
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
        self._store.windows.complete(
            [paper for base, paper in found.items() if base not in announced]
        )
        behind = [
            b
            for b in asked
            if b in announced and (b not in found or found[b].version < announced[b].version)
        ]
        self._store.sources.note_lack("api", behind, request.now)
        return found


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


def _counted(error: ArxivError, requests: int) -> ArxivError:
    counted = copy.copy(error)
    counted.requests = requests
    return counted
