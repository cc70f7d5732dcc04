"""arXiv as it is seen from here: whether it answers one small question sanely, and what its clock
says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from urllib.request import getproxies

from digest.arxiv.api import ArxivClient
from digest.arxiv.feeds import StaleFeedError
from digest.arxiv.line import Response, Timeouts
from digest.errors import ArxivError, DigestError
from digest.rules.calendar import last_served
from digest.rules.plan import API, FEEDS, feed_day
from digest.setup.arxiv import make_arxiv, make_feeds, make_oai, source_order
from digest.setup.doctor.check import Cause, Check, fail, ok, skip, unresolved, warn
from digest.setup.doctor.files import is_running, lock_note
from digest.setup.doctor.masks import without_login
from digest.setup.settings import Settings, Survey
from digest.subscribers import load_roster

QUESTION = "cat:cs.LG"
"""A query to which arXiv always has papers."""
PAPERS = 5
SMALL = ("econ", "q-fin")
"""Small archives, in arXiv's order."""
CLOCK_TOLERANCE = timedelta(minutes=5)
TIMEOUTS = Timeouts(connect=5.0, read=8.0, whole=9.0)
_EVERYTHING_IS_OLDER = datetime(9000, 1, 1, tzinfo=UTC)


class _Dates:
    """When arXiv says that it answered last, and when that was here."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.said: datetime | None = None
        self.heard: datetime | None = None
        self._clock = clock

    def note(self, answer: Response) -> None:
        """Take the Date header of an answer."""
        self.heard = self._clock()
        try:
            self.said = parsedate_to_datetime(answer.headers["date"]).astimezone(UTC)
        except (KeyError, ValueError, TypeError):
            self.said = None


def check_arxiv(survey: Survey, clock: Callable[[], datetime]) -> list[Check]:
    """Ask arXiv for a few papers, once; and compare the clock with the Date of its answer (RFC
    9110, 6.6.1).
    """
    name = "arXiv"
    settings = survey.settings
    if "DIGEST_ARXIV_API" in survey.mistakes:
        return [skip(name, "DIGEST_ARXIV_API is wrong"), skip("clock", "arXiv was not asked")]
    note = lock_note(settings.db)
    if note is not None and is_running(note[0]):
        why = "a cycle is at work, and arXiv wants one connection at a time"
        return [skip(name, why), skip("clock", "arXiv was not asked")]
    address = urlsplit(settings.arxiv_api)
    shown = without_login(settings.arxiv_api)
    trouble = (
        "" if getproxies() else unresolved(address.hostname or "")
    )  # a proxy looks it up itself
    if trouble:
        found = fail(name, f"{address.hostname} is not found ({trouble})", _REMEDY, Cause.NETWORK)
        return [found, skip("clock", "arXiv did not answer")]
    dates = _Dates(clock)
    client = make_arxiv(settings, timeouts=TIMEOUTS)
    client.line.on_response = dates.note
    answered = asyncio.run(
        _ask(client, shown, default=survey.settings.origins.get("DIGEST_ARXIV_API") == "default")
    )
    return [answered, _clock(dates)]


def check_source(survey: Survey, now: datetime) -> list[Check]:
    """Ask the chosen source, where that is not the API: a small feed, or the last records of a
    small archive.
    """
    settings, name = survey.settings, "source"
    chosen = source_order(settings, _queries(settings))[0]
    if chosen == API or "DIGEST_SOURCE" in survey.mistakes:
        return []
    note = lock_note(settings.db)
    if note is not None and is_running(note[0]):
        return [skip(name, "a cycle is at work, and arXiv wants one connection at a time")]
    try:
        return [
            asyncio.run(_ask_feeds(settings, now) if chosen == FEEDS else _ask_oai(settings, now))
        ]
    except StaleFeedError as error:
        return [warn(name, error.message, "wait: the API is asked instead")]
    except ArxivError as error:
        remedy = (
            error.remedy
            or f"runs ask another source meanwhile; is DIGEST_ARXIV_{chosen.upper()} right?"
        )
        return [warn(name, error.message, remedy)]


async def _ask_feeds(settings: Settings, now: datetime) -> Check:
    """One feed of two small archives."""
    async with make_arxiv(settings, timeouts=TIMEOUTS) as client:
        feeds = make_feeds(settings, client.line)
        assert feeds is not None
        served = await feeds.fetch(SMALL, feed_day(last_served(now)), attempts=1)
    address, papers = without_login(settings.arxiv_feeds), len(served.feed.papers)
    return ok("source", f"{address} answers: {papers} papers today in {' and '.join(SMALL)}")


async def _ask_oai(settings: Settings, now: datetime) -> Check:
    """The first page of a small archive's last days."""
    async with make_arxiv(settings, timeouts=TIMEOUTS) as client:
        oai = make_oai(settings, client.line)
        assert oai is not None
        since = (now - timedelta(days=3)).date()
        async for page in oai.harvest(since, SMALL[0], attempts=1):
            records = page.total or len(page.records)
            break
    return ok(
        "source",
        f"{without_login(settings.arxiv_oai)} answers: {records} records in {SMALL[0]} since {since}",
    )


def _queries(settings: Settings) -> int:
    """How many different queries the subscribers file has; none where it cannot be read, which
    another check tells.
    """
    try:
        return len({keyword.query for keyword in load_roster(settings.subscribers).keywords})
    except DigestError:
        return 0


_REMEDY = "check the network and HTTPS_PROXY; a run tries again by itself"


async def _ask(client: ArxivClient, shown: str, *, default: bool) -> Check:
    name = "arXiv"
    try:
        async with client:
            window = await client.fetch(
                QUESTION, since=_EVERYTHING_IS_OLDER, page_size=PAPERS, attempts=1
            )
    except ArxivError as error:
        if error.throttled:
            return warn(
                name,
                f"{error.message}: it answers, and turned this question away",
                "wait: runs try again",
            )
        if error.transient:
            return fail(name, error.message, error.remedy or _REMEDY, Cause.NETWORK)
        remedy = error.remedy or ("" if default else "is DIGEST_ARXIV_API right?")
        return fail(name, error.message, remedy, Cause.OTHER if default else Cause.CONFIG)
    return ok(name, f"{shown} answers: {window.total:,} papers in {QUESTION.removeprefix('cat:')}")


def _clock(dates: _Dates) -> Check:
    """The machine's clock against arXiv's, to the second that a Date header has."""
    name = "clock"
    if dates.said is None or dates.heard is None:
        return skip(name, "arXiv did not answer")
    off = dates.heard - dates.said
    if abs(off) > CLOCK_TOLERANCE:
        direction = "ahead of" if off > timedelta(0) else "behind"
        return warn(
            name,
            f"{_span(abs(off))} {direction} arXiv's",
            "set it, and let it be kept (timedatectl set-ntp true)",
        )
    return ok(name, f"within {max(1, round(abs(off).total_seconds()))} s of arXiv's")


def _span(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
