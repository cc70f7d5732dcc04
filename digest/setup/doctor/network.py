"""arXiv as it is seen from here: whether it answers one small question sanely, and what its clock
says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from digest.arxiv.api import ArxivClient
from digest.arxiv.feeds import StaleFeedError
from digest.arxiv.feeds_and_oai import FeedClient, OaiClient
from digest.arxiv.line import Timeouts, answered_at
from digest.errors import ArxivError, masked
from digest.rules.calendar import last_served
from digest.rules.plan import API, FEEDS, feed_day
from digest.run.clock import SET_IT, off_by
from digest.setup.arxiv import make_arxiv, source_order
from digest.setup.doctor.check import (
    Cause,
    Finding,
    UncheckedError,
    fail,
    first,
    ok,
    skip,
    unresolved,
    warn,
)
from digest.setup.settings import Settings
from digest.setup.subscribers import roster_or_empty
from digest.store.clock import SKEW
from digest.system.locks import is_running, lock_note

QUESTION = "cat:cs.LG"
"""A query to which arXiv always has papers."""
PAPERS = 5
SMALL = ("econ", "q-fin")
"""Small archives, in arXiv's order."""
CLOCK_TOLERANCE = timedelta(minutes=5)
TIMEOUTS = Timeouts(connect=5.0, read=8.0, whole=9.0)
BUSY = "a cycle is at work, and arXiv wants one connection at a time"
NETWORK = "check the network and HTTPS_PROXY; a run tries again by itself"
_EVERYTHING_IS_OLDER = datetime(9000, 1, 1, tzinfo=UTC)


def check_arxiv(
    settings: Settings, clock: Callable[[], datetime], *, wrong: bool = False
) -> list[Finding]:
    """Ask arXiv for a few papers, once; and compare the clock with the Date of its answer (RFC
    9110, 6.6.1). `wrong`: its address cannot be.
    """
    if wrong or _is_busy(settings.db):
        why = "DIGEST_ARXIV_API is wrong" if wrong else BUSY
        return [skip(why), skip("arXiv was not asked", "clock")]
    host = urlsplit(settings.arxiv_api).hostname or ""
    # A proxy looks the host up itself.
    if not getproxies() and (trouble := unresolved(host)):
        lost = fail(f"{host} is not found ({trouble})", NETWORK, Cause.NETWORK)
        return [lost, skip("arXiv did not answer", "clock")]
    dates: list[tuple[datetime, datetime | None]] = []
    client = make_arxiv(settings, timeouts=TIMEOUTS)
    client.line.on_response = lambda answer: dates.append(
        (here := clock(), answered_at(answer.headers, here))
    )
    is_default = settings.origins.get("DIGEST_ARXIV_API") == "default"
    shown = masked(settings.arxiv_api)
    answered = asyncio.run(_ask(client, shown, is_default=is_default))
    return [answered, replace(_clock(dates), name="clock")]


def _is_busy(db: Path) -> bool:
    note = lock_note(db)
    return note is not None and is_running(note[0])


async def _ask(client: ArxivClient, shown: str, *, is_default: bool) -> Finding:
    try:
        async with client:
            # Once, and one page alone: the doctor is to be quick, and to press nobody.
            window = await client.fetch(
                QUESTION, since=_EVERYTHING_IS_OLDER, page_size=PAPERS, attempts=1
            )
    except ArxivError as error:
        message, remedy = error.message, error.remedy
        return first(
            (
                error.throttled,
                warn(
                    f"{message}: it answers, and turned this question away",
                    "wait: runs try again",
                ),
            ),
            (error.transient, fail(message, remedy or NETWORK, Cause.NETWORK)),
            # arXiv's own address is right, so this is not the operator's mistake.
            (is_default, fail(message, remedy, Cause.OTHER)),
            (True, fail(message, remedy or "is DIGEST_ARXIV_API right?")),
        )
    return ok(f"{shown} answers: {window.total:,} papers in {QUESTION.removeprefix('cat:')}")


def check_source(settings: Settings, now: datetime) -> list[Finding]:
    """Ask the chosen source, where that is not the API: a small feed, or the last records of a
    small archive.
    """
    queries = {keyword.query for keyword in roster_or_empty(settings).keywords}
    chosen = source_order(settings, len(queries))[0]
    if chosen == API:
        return []
    if _is_busy(settings.db):
        raise UncheckedError(BUSY)
    ask = _ask_feeds if chosen == FEEDS else _ask_oai
    try:
        return [asyncio.run(ask(settings, now))]
    except StaleFeedError as error:
        return [warn(error.message, "wait: the API is asked instead")]
    except ArxivError as error:
        right = f"is DIGEST_ARXIV_{chosen.upper()} right?"
        return [warn(error.message, error.remedy or f"runs ask another source meanwhile; {right}")]


async def _ask_feeds(settings: Settings, now: datetime) -> Finding:
    """One feed of two small archives."""
    async with make_arxiv(settings, timeouts=TIMEOUTS) as client:
        feeds = FeedClient(client.line, settings.arxiv_feeds)
        served = await feeds.fetch(SMALL, feed_day(last_served(now)), attempts=1)
    address, papers = masked(settings.arxiv_feeds), len(served.feed.papers)
    return ok(f"{address} answers: {papers} papers today in {' and '.join(SMALL)}")


async def _ask_oai(settings: Settings, now: datetime) -> Finding:
    """The first page of a small archive's last days."""
    since = (now - timedelta(days=3)).date()
    async with make_arxiv(settings, timeouts=TIMEOUTS) as client:
        pages = OaiClient(client.line, settings.arxiv_oai).harvest(since, SMALL[0], attempts=1)
        page = await anext(pages)
    address, records = masked(settings.arxiv_oai), page.total or len(page.records)
    return ok(f"{address} answers: {records} records in {SMALL[0]} since {since}")


def _clock(dates: list[tuple[datetime, datetime | None]]) -> Finding:
    """The machine's clock against arXiv's, to the second that a Date header has."""
    here, there = dates[-1] if dates else (None, None)
    if here is None or there is None:
        return skip("arXiv's answer has no Date" if dates else "arXiv did not answer")
    off = abs(here - there)
    return first(
        (off >= SKEW, fail(off_by(here, there), SET_IT, Cause.OTHER)),
        (off > CLOCK_TOLERANCE, warn(off_by(here, there), SET_IT.partition(";")[0])),
        (True, ok(f"within {max(1, round(off.total_seconds()))} s of arXiv's")),
    )
