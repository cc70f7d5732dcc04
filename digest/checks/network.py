"""arXiv as it is seen from here: whether it answers one small question sanely, and what its clock says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from digest.arxiv.client import ArxivClient, Timeouts
from digest.checks.check import Cause, Check, fail, ok, skip, unresolved, warn
from digest.checks.files import is_running, lock_note
from digest.checks.masks import without_login
from digest.errors import ArxivError
from digest.locks import ArxivTurns
from digest.settings import Survey

QUESTION = "cat:cs.LG"
"""A query to which arXiv always has papers."""
PAPERS = 5
CLOCK_TOLERANCE = timedelta(minutes=5)
TIMEOUTS = Timeouts(connect=5.0, read=8.0, whole=9.0)
_EVERYTHING_IS_OLDER = datetime(9000, 1, 1, tzinfo=UTC)


class _DatedClient(ArxivClient):
    """The client, which also remembers when arXiv says that it answered last, and when that was here."""

    said: datetime | None = None
    heard: datetime | None = None
    clock: Callable[[], datetime]

    async def _send(self, request: Any) -> Any:
        answer, following = await super()._send(request)
        self.heard = self.clock()
        try:
            self.said = parsedate_to_datetime(answer.headers["date"]).astimezone(UTC)
        except (KeyError, ValueError, TypeError):
            self.said = None
        return answer, following


def check_arxiv(survey: Survey, clock: Callable[[], datetime]) -> list[Check]:
    """Ask arXiv for a few papers, once; and compare the clock with the Date of its answer (RFC 9110, 6.6.1)."""
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
    trouble = "" if getproxies() else unresolved(address.hostname or "")  # a proxy looks it up itself
    if trouble:
        found = fail(name, f"{address.hostname} is not found ({trouble})", _REMEDY, Cause.NETWORK)
        return [found, skip("clock", "arXiv did not answer")]
    client = _DatedClient(
        settings.arxiv_api,
        contact=settings.contact,
        delay=settings.arxiv_delay,
        timeouts=TIMEOUTS,
        turn=ArxivTurns(settings.db),
    )
    client.clock = clock
    answered = asyncio.run(_ask(client, shown, default=survey.settings.origins.get("DIGEST_ARXIV_API") == "default"))
    return [answered, _clock(client)]


_REMEDY = "check the network and HTTPS_PROXY; a run tries again by itself"


async def _ask(client: _DatedClient, shown: str, *, default: bool) -> Check:
    name = "arXiv"
    try:
        async with client:
            window = await client.fetch(QUESTION, since=_EVERYTHING_IS_OLDER, page_size=PAPERS, attempts=1)
    except ArxivError as error:
        if error.throttled:
            return warn(name, f"{error.message}: it answers, and turned this question away", "wait: runs try again")
        if error.transient:
            return fail(name, error.message, error.remedy or _REMEDY, Cause.NETWORK)
        remedy = error.remedy or ("" if default else "is DIGEST_ARXIV_API right?")
        return fail(name, error.message, remedy, Cause.OTHER if default else Cause.CONFIG)
    return ok(name, f"{shown} answers: {window.total:,} papers in {QUESTION.removeprefix('cat:')}")


def _clock(client: _DatedClient) -> Check:
    """The machine's clock against arXiv's, to the second that a Date header has."""
    name = "clock"
    if client.said is None or client.heard is None:
        return skip(name, "arXiv did not answer")
    off = client.heard - client.said
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
