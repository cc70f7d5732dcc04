"""The fetching step of a cycle: which queries are due, how deep to ask, and what follows from the answer."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from digest.calendar import last_served, quiet_night, why_nothing
from digest.errors import ArxivError, DigestError, DoubtfulError
from digest.holding import OVERLAP, begins_anew, history_of_another, is_confirmed, news_beside, why_doubtful
from digest.model import Keyword, Kind, Window
from digest.store import Store
from digest.store.runs import KeywordRecord
from digest.store.windows import Query

log = logging.getLogger(__name__)

DEEP = timedelta(days=36)
"""A query's first window, those of nights without an announcement, and those asked for while it is held back reach
back this far: a paper that moderation held stands in the list at its old date, weeks down."""
STALE = "stale index"
"""So begins the reason where an announcement was served and the index shows nothing of it."""
AT_LEAST_EVERY = timedelta(hours=24)
FIRST_PAGE = 500
PAGE = range(50, 2001)
"""arXiv serves at most 2,000 rows an answer (API user manual, "start and max_results paging")."""
ATTEMPTS = 4
WAITS = tuple(timedelta(minutes=m) for m in (15, 30, 60, 120, 240, 360))
UNREACHABLE_WAIT = timedelta(minutes=1)
"""The wait after a failure, the longer the more often it failed; where no request even reached arXiv (no network),
little, and no more than a quarter of an hour. Where arXiv asks to slow down, the pause is for all queries."""


class Arxiv(Protocol):
    """Whoever can answer a query with a whole window, or with an ArxivError."""

    async def fetch(
        self,
        query: str,
        *,
        since: datetime,
        page_size: int,
        attempts: int = ATTEMPTS,
        progress: Callable[[int, int], None] | None = None,
    ) -> Window:
        """Return every match whose served version is younger than `since`, newest first."""
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one query: its record, and the error where there was one."""

    record: KeywordRecord
    error: ArxivError | None = None


def is_due(query: Query, now: datetime) -> bool:
    """Whether to ask: an announcement was served since the last good window, or a day has passed.

    After a failure the stored wait comes first.
    """
    if query.next_fetch_at is not None:
        return query.next_fetch_at <= now
    if query.last_good_at is None:
        return True
    return query.last_good_at < last_served(now).served_at or query.last_good_at <= now - AT_LEAST_EVERY


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


def depth(query: Query, now: datetime) -> datetime:
    """How far back a window must reach to be good."""
    since = (query.last_good_at or now) - OVERLAP
    if query.last_good_at is None or query.quarantined_since is not None or quiet_night(now):
        since = min(since, now - DEEP)
    return since


def page_size(query: Query, since: datetime, now: datetime) -> int:
    """Rows to ask for at once: all that are expected, a fifth more, in arXiv's bounds."""
    if query.rows_per_day is None:
        return FIRST_PAGE
    expected = query.rows_per_day * ((now - since) / timedelta(days=1)) * 1.2
    return min(max(math.ceil(expected / 50) * 50, PAGE.start), PAGE.stop - 1)


async def fetch_query(
    store: Store,
    arxiv: Arxiv,
    keyword: Keyword,
    query: Query,
    *,
    run: int,
    now: datetime,
    attempts: int = ATTEMPTS,
    progress: Callable[[int, int], None] | None = None,
    requests: int = 0,
) -> Fetched:
    """Ask arXiv for one query and record what came; a failure is recorded too, and stops nobody else.

    `requests` were made for it in this run before, and count.
    """
    since = depth(query, now)
    try:
        window = await _ask(arxiv, query, since, now, attempts, progress)
        why = why_doubtful(store, query, window)
        if why and not is_confirmed(store, query, window, now):
            doubtful = DoubtfulError(why, window.papers, ordered=True, body=window.raw)
            doubtful.requests = window.requests
            raise doubtful
    except ArxivError as error:
        log.info("%s: %s", keyword.name, error)
        error.requests += requests
        record = _fail(store, keyword, query, error, now)
        store.runs.note_keyword(run, query.id, record)
        return Fetched(record, error)
    beside = news_beside(store, query, window.papers)
    old = history_of_another(query, window.papers) if why or begins_anew(query) else frozenset()
    counts = store.windows.record(query, window, now, run, beside=beside, old=old, anew=bool(why))
    first_seen = counts[Kind.NEW] + counts[Kind.LATE]
    record = KeywordRecord(
        keyword.name,
        "ok",
        fetched=len(window.papers),
        new=counts[Kind.NEW],
        revised=counts[Kind.REVISED],
        late=counts[Kind.LATE],
        requests=window.requests + requests,
        why="" if first_seen else _why(query, window, counts[Kind.OLD], now),
        first=query.last_good_at is None,
    )
    log.info("%s: %d rows, %d new, %d late", keyword.name, record.fetched, record.new, record.late)
    store.runs.note_keyword(run, query.id, record)
    return Fetched(record)


def _fail(store: Store, keyword: Keyword, query: Query, error: ArxivError, now: datetime) -> KeywordRecord:
    """Keep what came, and when to ask again; what was whole and is not believed is held back."""
    again = now + _wait(query, error)
    if error.throttled:
        again = store.windows.slow_down(now, error.retry_after).until
    if isinstance(error, DoubtfulError):
        store.windows.hold(query, str(error), error.papers, error.body, now, again, ordered=error.ordered)
        return KeywordRecord(
            keyword.name, "quarantined", fetched=len(error.papers), requests=error.requests, why=str(error)
        )
    store.windows.record_failure(query, str(error), error.body, now, again)
    return KeywordRecord(keyword.name, "failed", requests=error.requests, why=str(error))


async def _ask(
    arxiv: Arxiv,
    query: Query,
    since: datetime,
    now: datetime,
    attempts: int,
    progress: Callable[[int, int], None] | None,
) -> Window:
    """The window; what goes wrong unforeseen while an answer is read concerns this query alone."""
    try:
        return await arxiv.fetch(
            query.text, since=since, page_size=page_size(query, since, now), attempts=attempts, progress=progress
        )
    except DigestError:
        raise
    except Exception as error:
        log.exception("while asking arXiv for %s", query.text)
        raise ArxivError(f"an error of the program itself ({type(error).__name__}: {error})") from error


def _why(query: Query, window: Window, old: int, now: datetime) -> str:
    """Why a good window brought nothing new, but `old` papers that are too old to be mailed."""
    served = last_served(now).served_at
    newest = max((p.updated for p in window.papers), default=None)
    missed = (query.last_good_at or served) < served and newest is not None and newest < served - timedelta(days=5)
    if missed and (query.rows_per_day or 0) >= 3:
        return f"{STALE}: an announcement was served, and the newest row is of {newest:%Y-%m-%d}"
    return why_nothing(now=now, previous_good=query.last_good_at, fetched=len(window.papers), first_seen=old)


def _wait(query: Query, error: ArxivError) -> timedelta:
    """How long to leave a failed query alone, the longer the more often it failed."""
    wait = WAITS[min(query.failures, len(WAITS) - 1)]
    if error.unreachable:
        wait = min(UNREACHABLE_WAIT * (query.failures + 1), WAITS[0])
    return max(wait, error.retry_after or wait)
