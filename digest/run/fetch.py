"""The fetching step of a cycle: sources are tried in their order, and what each query gets is
judged and recorded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from digest.errors import ArxivError, DoubtfulError
from digest.model import Keyword, Kind, Query, Window
from digest.rules.calendar import last_served, why_nothing
from digest.rules.plan import API, FEEDS, is_compared, reaches
from digest.run.quarantine import (
    begins_anew,
    history_of_another,
    is_confirmed,
    news_beside,
    why_doubtful,
)
from digest.run.sources.base import Errand, Source
from digest.store import Store
from digest.store.runs import KeywordRecord
from digest.store.windows import Judgement

log = logging.getLogger(__name__)

STALE = "stale index"
"""So begins the reason where an announcement was served and the index shows nothing of it."""
WAITS = tuple(timedelta(minutes=m) for m in (15, 30, 60, 120, 240, 360))
UNREACHABLE_WAIT = timedelta(minutes=1)
"""The wait after a failure, the longer the more often it failed; where no request even reached
arXiv (no network), little, and no more than a quarter of an hour. Where arXiv asks to slow down,
the pause is for all queries."""
SOURCE_WORDS = {"api": "the API", "feeds": "the announcement feeds", "oai": "OAI"}


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one query: its record, the error where there was one, and the source that was
    asked.
    """

    record: KeywordRecord
    error: ArxivError | None = None
    source: str = ""


def paused(store: Store, now: datetime) -> str:
    """Why nobody may ask arXiv now, or ""."""
    pause = store.windows.pause()
    if pause is None or pause.until <= now:
        return ""
    return f"arXiv asked to slow down: it is asked again from {pause.until:%Y-%m-%d %H:%M} UTC on"


def why_not_due(query: Query, now: datetime) -> str:
    """Why a query is not asked for now."""
    if query.next_fetch_at is not None:
        return f"asked again at {query.next_fetch_at:%Y-%m-%d %H:%M} UTC: {query.trouble}"
    return why_nothing(now=now, previous_good=query.last_good_at, fetched=0, first_seen=0)


@dataclass(slots=True)
class Round:
    """One run's asking. `keywords` are by query text; `insists`: even while arXiv wants a pause,
    till it says so again.

    `done` has what became of each query so far: a source's window is recorded at once, and so is a
    failure, which the next source may still make good.
    """

    store: Store
    keywords: Mapping[str, Keyword]
    run: int
    clock: Callable[[], datetime]
    errand: Errand
    insists: bool = False
    done: dict[str, Fetched] = field(default_factory=dict)

    def skip(self, query: Query, why: str) -> None:
        """Note that a query is not asked for."""
        self.done[query.text] = Fetched(
            KeywordRecord(self.keywords[query.text].name, "skipped", why=why)
        )

    async def ask(self, source: Source, due: Sequence[Query], *, first: str) -> None:
        """Ask a source for those due queries that have no window yet, as far as it leaves no gap in
        them.

        `first` names the source that is tried first. What does not fit its history is asked for a
        second time after all others.
        """
        now = self.clock()
        left = [query for query in due if not self._has_window(query)]
        waiting = [query for query in left if reaches(source.name, query, now, first)]
        if left:
            await self._ask(source, waiting, replace(self.errand, first=source.name == first))
        doubtful = [q.text for q in waiting if self._is_in_doubt(q)]
        if source.name == API and doubtful:
            await self._ask(
                source, self.store.windows.queries(doubtful), replace(self.errand, attempts=1)
            )

    async def _ask(self, source: Source, waiting: Sequence[Query], errand: Errand) -> None:
        """Ask for some queries; while arXiv wants a pause, only feeds are read, which are served
        elsewhere.
        """
        pause = paused(self.store, self.clock())
        if not pause or self.insists or source.name == FEEDS:
            attempts = 1 if pause else errand.attempts
            errand = replace(errand, now=self.clock(), hushed=bool(pause), attempts=attempts)
            async for query, answer in source.windows(waiting, errand):
                self._take(source.name, query, answer, errand.now)
            pause = paused(self.store, self.clock())
        for query in waiting if pause and not errand.stop.is_set() else ():
            if query.text not in self.done:
                self.skip(query, pause)

    def _has_window(self, query: Query) -> bool:
        one = self.done.get(query.text)
        return one is not None and one.record.status == "ok"

    def _is_in_doubt(self, query: Query) -> bool:
        one = self.done.get(query.text)
        return one is not None and isinstance(one.error, DoubtfulError) and one.error.ordered

    def _take(
        self, source: str, query: Query, answer: Window | ArxivError, asked: datetime
    ) -> None:
        """Record what a source said of one query; a failure is recorded too, and stops nobody else.

        A window is as old as its question: an announcement that was served while it was open is not
        in it.
        """
        why = (
            why_doubtful(self.store, query, answer)
            if source == API and isinstance(answer, Window)
            else ""
        )
        if (
            isinstance(answer, Window)
            and why
            and not is_confirmed(self.store, query, answer, self.clock())
        ):
            doubtful = DoubtfulError(why, answer.papers, ordered=True, body=answer.raw)
            doubtful.requests = answer.requests
            answer = doubtful
        if isinstance(answer, ArxivError):
            fetched = self._failed(source, query, answer)
        else:
            fetched = self._good(source, query, answer, asked, anew=bool(why))
        self.store.runs.note_keyword(self.run, query.id, fetched.record)
        self.done[query.text] = fetched

    def _good(
        self, source: str, query: Query, window: Window, now: datetime, *, anew: bool
    ) -> Fetched:
        """Record a window. Papers of held-back windows come with the API's, which is what they are
        compared with.
        """
        before = self.done.get(query.text)
        beside = news_beside(self.store, query, window.papers) if source == API else ()
        changed = source == API and (anew or begins_anew(query))
        old = history_of_another(query, window.papers) if changed else frozenset[str]()
        counts = self.store.windows.record(
            query, window, now, self.run, Judgement(beside, old, anew)
        )
        if source == API and query.source not in ("", API) and is_compared(query, now):
            self.store.sources.note_brought(query.source, query.id, self.run, now)
        why = (
            ""
            if counts[Kind.NEW] + counts[Kind.LATE]
            else _why(query, window, counts[Kind.OLD], now)
        )
        if before is not None and before.source != source:
            failed = (
                f"{SOURCE_WORDS[before.source]}: {before.record.why}"
                if before.source
                else before.record.why
            )
            why = "; ".join(filter(None, (why, f"from {SOURCE_WORDS[source]}", failed)))
        record = KeywordRecord(
            self.keywords[query.text].name,
            "ok",
            fetched=len(window.papers),
            new=counts[Kind.NEW],
            revised=counts[Kind.REVISED],
            late=counts[Kind.LATE],
            requests=window.requests + (before.record.requests if before else 0),
            why=why,
            first=query.last_good_at is None,
        )
        log.info(
            "%s: %d rows, %d new, %d late", record.keyword, record.fetched, record.new, record.late
        )
        return Fetched(record, source=source)

    def _failed(self, source: str, query: Query, error: ArxivError) -> Fetched:
        """Keep what came, and when to ask again; what was whole and is not believed is held back.

        A source that stands in for another one only adds its words: the failure is counted once.
        """
        name, before, now = self.keywords[query.text].name, self.done.get(query.text), self.clock()
        log.info("%s: %s: %s", name, source, error)
        again = now + _wait(query, error)
        if error.throttled:
            again = self.store.windows.slow_down(now, error.retry_after).until
            self.insists = False
        error.requests += before.record.requests if before else 0
        if isinstance(error, DoubtfulError):
            self.store.windows.hold(query, error, now, again)
            rows = len(error.papers)
            record = KeywordRecord(
                name, "quarantined", rows, requests=error.requests, why=str(error)
            )
            return Fetched(record, error, source)
        if before is not None and before.error is not None:
            words = "likewise" if str(error) in before.record.why else str(error)
            why = f"{before.record.why}; {SOURCE_WORDS[source]}: {words}"
            return Fetched(
                replace(before.record, requests=error.requests, why=why),
                before.error,
                before.source,
            )
        self.store.windows.record_failure(query, error, now, again)
        return Fetched(
            KeywordRecord(name, "failed", requests=error.requests, why=str(error)), error, source
        )


def _why(query: Query, window: Window, old: int, now: datetime) -> str:
    """Why a good window brought nothing new, but `old` papers that are too old to be mailed."""
    served = last_served(now).served_at
    newest = max((p.updated for p in window.papers), default=None)
    missed = (
        (query.last_good_at or served) < served
        and newest is not None
        and newest < served - timedelta(days=5)
    )
    if missed and (query.rows_per_day or 0) >= 3:
        return f"{STALE}: an announcement was served, and the newest row is of {newest:%Y-%m-%d}"
    return why_nothing(
        now=now, previous_good=query.last_good_at, fetched=len(window.papers), first_seen=old
    )


def _wait(query: Query, error: ArxivError) -> timedelta:
    """How long to leave a failed query alone, the longer the more often it failed."""
    wait = WAITS[min(query.failures, len(WAITS) - 1)]
    if error.unreachable:
        wait = min(UNREACHABLE_WAIT * (query.failures + 1), WAITS[0])
    return max(wait, error.retry_after or wait)
