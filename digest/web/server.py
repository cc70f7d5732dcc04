"""The server of the pages: what connections may cost, whatever comes over them or does not.

Uvicorn waits for the rest of a request for ever and takes any number of connections; beyond the
process's limit of open files asyncio then writes a traceback for each that it cannot take.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Iterator
from typing import Any, ClassVar

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from digest.system.signals import Stop
from digest.web.gateway import LONGEST_BODY

# What is taken must find a descriptor, beside the database's.
MOST = min(100, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
"""Connections at once; one more ends the one that has waited for longest."""
SECONDS = 15.0
"""For a whole request with its answer, from the connection or the answer before."""
LONGEST_HEAD = 16_384
"""Octets of a request's line and headers."""
MOST_OCTETS = LONGEST_HEAD + LONGEST_BODY
"""Octets that may come from the connection, or the answer before, to the answer. What is left of a
body once it is answered is thrown away, and has an end, too."""
AT_A_TIME = MOST // 2
"""Connections that are taken before those before them are read."""


class Connection(H11Protocol):
    """A connection with a time limit."""

    open: ClassVar[dict[Connection, asyncio.TimerHandle]] = {}
    """The connections with their limits, the one that has waited for longest first."""

    _octets = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()
        if len(self.open) > MOST:
            next(iter(self.open))._end()

    def data_received(self, data: bytes) -> None:
        """Take what came, as far as that has an end."""
        self._octets += len(data)
        if self._octets > MOST_OCTETS:
            self._end()
        else:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._forget()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._wait()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; where another answer has begun, by ending the connection."""
        # The body of a request that is being answered: one answer is enough.
        if self.cycle is not None:
            self.cycle.disconnected = True
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            self._end()

    def _wait(self) -> None:
        self._forget()
        self._octets = 0
        self.open[self] = self.loop.call_later(SECONDS, self._end)

    def _forget(self) -> None:
        if self in self.open:
            self.open.pop(self).cancel()

    def _end(self) -> None:
        self._forget()
        self.transport.abort()


class Server(uvicorn.Server):
    """Leaves signals to its caller."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers."""
        yield


async def serve_until(server: Server, listener: socket.socket, stop: Stop) -> None:
    """Serve until a stop is asked for."""
    stopping = asyncio.ensure_future(stop.wait())
    stopping.add_done_callback(lambda _: setattr(server, "should_exit", True))
    try:
        await server.serve(sockets=[listener])
    finally:
        stopping.cancel()


def make_server(application: Any) -> Server:
    """The server of an application. Requests are not logged: their paths are secrets."""
    return Server(
        uvicorn.Config(
            application,
            http=Connection,
            ws="none",
            access_log=False,
            log_config=None,
            # It warns of each request that is no HTTP.
            log_level="error",
            lifespan="off",
            server_header=False,
            backlog=AT_A_TIME,
            h11_max_incomplete_event_size=LONGEST_HEAD,
            timeout_graceful_shutdown=5,
        )
    )
