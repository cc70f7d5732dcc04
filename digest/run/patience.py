"""Waiting for a network that comes up late, as after sleep, by a run that needs one: at most two
minutes.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from digest.errors import ArxivError

if TYPE_CHECKING:
    from digest.arxiv.oai import RecordPage
    from digest.mail.message import Message
    from digest.mail.transport import Transport
    from digest.model import Paper, Receipt, Window
    from digest.run.cycle import Parts
    from digest.run.sources.base import Arxiv
    from digest.run.sources.feeds import Feeds, Served
    from digest.run.sources.oai import Oai
    from digest.system.signals import Stop

LONGEST = 120.0
"""Seconds that one run waits in all, whatever it waits for."""
CONNECT_TIMEOUT = 10.0
PORTS = {"http": 80, "https": 443, "smtp": 587, "smtps": 465}

Place: TypeAlias = tuple[str, int]
"""A host and a port."""


class Patience:
    """Tries to reach a host again after 2, 4, 8 … s, until it answers or the run's two minutes are
    used up.
    """

    def __init__(
        self,
        stop: Stop,
        progress: Callable[[str], None],
        *,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stop = stop
        self._progress = progress
        self._sleep = sleep or self._rest
        self._monotonic = monotonic
        self._left = LONGEST
        self.in_vain = False

    async def unreachable(self, place: Place) -> str:
        """Return "" as soon as a connection can be made, or else, in the end, why none could."""
        pause = 2.0
        while True:
            before = self._monotonic()
            why = await _try(place)
            if not why or self._left <= 0 or self._stop.is_set():
                break
            self._progress(f"waiting for the network ({place[0]} cannot be reached: {why})")
            await self._sleep(min(pause, self._left))
            self._left -= self._monotonic() - before
            pause *= 2
        self.in_vain = self.in_vain or bool(why)
        return why

    async def _rest(self, seconds: float) -> None:
        """Sleep, or less where a stop is asked for."""
        asked = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({asked}, timeout=seconds)
        asked.cancel()


async def _try(place: Place) -> str:
    """Make a connection and let go of it; return why that failed."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, writer = await asyncio.open_connection(*place)
    except TimeoutError:
        return "no answer"
    except OSError as error:
        # asyncio's own words repeat the address; a failed look-up of a name has a number of its own
        # (EAI_…).
        known = error.errno if isinstance(error.errno, int) and error.errno > 0 else None
        return (
            (os.strerror(known) if known else error.strerror or "no connection").rstrip(".").lower()
        )
    writer.close()
    return ""


class _Door:
    """A host that is waited for before the run's first question to it, and not again."""

    def __init__(self, place: Place, patience: Patience) -> None:
        self._place = place
        self._patience = patience
        self._why: str | None = None

    async def open(self) -> None:
        """Wait until it can be reached; raises ArxivError as of a host that cannot be, where that
        was in vain.
        """
        if self._why is None:
            self._why = await self._patience.unreachable(self._place)
        if self._why:
            raise ArxivError(f"{self._place[0]} cannot be reached ({self._why})", unreachable=True)


class PatientArxiv:
    """Asks arXiv's API, after waiting until it can be reached."""

    def __init__(self, arxiv: Arxiv, door: _Door) -> None:
        self._arxiv = arxiv
        self._door = door

    async def fetch(self, query: str, *, since: datetime, page_size: int, **options: Any) -> Window:
        """Return the window."""
        await self._door.open()
        return await self._arxiv.fetch(query, since=since, page_size=page_size, **options)

    async def by_ids(self, ids: Sequence[str], attempts: int = 4) -> tuple[Paper, ...]:
        """Return the papers."""
        await self._door.open()
        return await self._arxiv.by_ids(ids, attempts)


class PatientFeeds:
    """Reads announcement feeds, after waiting until they can be reached."""

    def __init__(self, feeds: Feeds, door: _Door) -> None:
        self._feeds = feeds
        self._door = door

    @property
    def requests(self) -> int:
        """How many requests were made."""
        return self._feeds.requests

    async def fetch(self, names: Sequence[str], day: date, **options: Any) -> Served:
        """Return the feed."""
        await self._door.open()
        return await self._feeds.fetch(names, day, **options)


class PatientOai:
    """Harvests records, after waiting until the service can be reached."""

    def __init__(self, oai: Oai, door: _Door) -> None:
        self._oai = oai
        self._door = door

    @property
    def requests(self) -> int:
        """How many requests were made."""
        return self._oai.requests

    async def harvest(
        self, since: date, set_name: str = "", **options: Any
    ) -> AsyncIterator[RecordPage]:
        """Yield the pages."""
        await self._door.open()
        async for page in self._oai.harvest(since, set_name, **options):
            yield page


class PatientTransport:
    """Hands over mail, after waiting until the relay can be reached, which is tried before the
    first message only.
    """

    def __init__(self, transport: Transport, place: Place, patience: Patience) -> None:
        self._transport = transport
        self._place = place
        self._patience = patience
        self._tried = False

    @property
    def description(self) -> str:
        """The relay."""
        return self._transport.description

    @property
    def width(self) -> int:
        """As many messages at a time as the relay takes."""
        return self._transport.width

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        """Hand over one message; where waiting was in vain, the transport's own words say what is
        wrong.
        """
        if not self._tried:
            self._tried = True
            await self._patience.unreachable(self._place)
        return await self._transport.send(message, before_data)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._transport.close()


def patient(parts: Parts, patience: Patience, *, api: str, feeds: str, oai: str) -> Parts:
    """The same parts, of which those that need a network wait for it at the moment when they need
    it.

    So a run that asks nobody and mails nothing is not delayed, and one whose relay is a folder or a
    program never waits for that. `api`, `feeds` and `oai` are the addresses of arXiv's services.
    """
    relay = _place(parts.transport.description)
    if relay:
        parts = replace(parts, transport=PatientTransport(parts.transport, relay, patience))
    if place := _behind_proxy(api):
        parts = replace(parts, arxiv=PatientArxiv(parts.arxiv, _Door(place, patience)))
    if parts.feeds and (place := _behind_proxy(feeds)):
        parts = replace(parts, feeds=PatientFeeds(parts.feeds, _Door(place, patience)))
    if parts.oai and (place := _behind_proxy(oai)):
        parts = replace(parts, oai=PatientOai(parts.oai, _Door(place, patience)))
    return parts


def _place(url: str) -> Place | None:
    """The host and port of a URL; None for what is no URL, such as the description of a Maildir."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port else None


def _behind_proxy(url: str) -> Place | None:
    """Whom a request for `url` connects to: the proxy that the environment names, else the host
    itself.
    """
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy and not proxy_bypass(parts.hostname or ""):
        return _place(proxy if "://" in proxy else f"http://{proxy}")
    return _place(url)
