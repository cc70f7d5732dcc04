"""Waiting for a network that comes up late, as after sleep, by a run that needs one: at most two
minutes.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias
from urllib.parse import urlsplit

from digest.errors import UnreachableError
from digest.run.cycle import Parts
from digest.system.signals import Stop

LONGEST = 120.0
"""Seconds that one run waits in all, whatever it waits for."""
CONNECT_TIMEOUT = 10.0
PORTS = {"http": 80, "https": 443, "smtp": 587, "smtps": 465}

HostPort: TypeAlias = tuple[str, int]
"""A host and a port."""


class NetworkWait:
    """Waits, before a run's first request to a host and not again, until that can be reached: it is
    tried after 2, 4, 8 … s, until it answers or the run's two minutes are used up.

    So a run that asks nobody and mails nothing is not delayed. `in_vain`: one could not be reached.
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
        self._sleep = sleep or stop.rest
        self._monotonic = monotonic
        self._left = LONGEST
        self._why: dict[HostPort, str] = {}
        self.in_vain = False

    async def arxiv(self, url: str) -> None:
        """Wait for whom a request to `url` connects to; raises UnreachableError where that was in
        vain.
        """
        server = _behind_proxy(url)
        why = await self.unreachable(server) if server else ""
        if server and why:
            words = f"{server[0]} cannot be reached ({why})"
            raise UnreachableError(words, transient=False)

    async def relay(self, description: str) -> None:
        """Wait for a mail server, or GitHub; not for a folder or a program. Where that was in vain
        the transport's own words say what is wrong.
        """
        # The address ends the description.
        place = description.rpartition(" ")[2]
        is_web = place.startswith(("http:", "https:"))
        if server := _behind_proxy(place) if is_web else _host_port(place):
            await self.unreachable(server)

    async def mailbox(self, host: str, port: int) -> None:
        """Wait for the mailbox. Where that was in vain the run goes on, and its reading says what
        is wrong.
        """
        before = self.in_vain
        await self.unreachable((host, port))
        self.in_vain = before

    async def unreachable(self, server: HostPort) -> str:
        """Return "" as soon as a connection can be made, or else, in the end, why none could."""
        if server in self._why:
            return self._why[server]
        pause = 2.0
        while True:
            before = self._monotonic()
            why = await _try(server)
            if not why or self._left <= 0 or self._stop.is_set():
                break
            self._progress(f"waiting for the network ({server[0]} cannot be reached: {why})")
            await self._sleep(min(pause, self._left))
            self._left -= self._monotonic() - before
            pause *= 2
        self.in_vain = self.in_vain or bool(why)
        self._why[server] = why
        return why


def waiting_for_network(parts: Parts, network: NetworkWait) -> Parts:
    """The same parts, which wait for a network at the moment when they need it."""
    if parts.sources.line is not None:
        parts.sources.line.ready = network.arxiv
    return replace(parts, mailer=replace(parts.mailer, ready=network.relay))


async def _try(server: HostPort) -> str:
    """Make a connection and close it; return why that failed."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, writer = await asyncio.open_connection(*server)
    except TimeoutError:
        return "no answer"
    except OSError as error:
        # asyncio's own words repeat the address; a failed look-up of a name has a number of its own
        # (EAI_…).
        known = error.errno if isinstance(error.errno, int) and error.errno > 0 else None
        words = os.strerror(known) if known else error.strerror or "no connection"
        return words.rstrip(".").lower()
    # That a connection can be made is enough: what is asked comes on one of its own.
    writer.close()
    return ""


def _host_port(url: str) -> HostPort | None:
    """The host and port of a URL; None for what is no URL, such as the description of a Maildir."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port else None


def _behind_proxy(url: str) -> HostPort | None:
    """The server that a request for `url` connects to: the proxy that the environment names, else
    the host itself.
    """
    # A slow import: only runs with --wait pay for it.
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy and not proxy_bypass(parts.hostname or ""):
        return _host_port(proxy if "://" in proxy else f"http://{proxy}")
    return _host_port(url)
