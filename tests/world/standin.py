"""A stand-in for arXiv: a real HTTP server on the loopback interface whose API, feeds and OAI
answer as arXiv's do.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from digest.demo.api import Index
from digest.errors import one_line
from digest.model import Paper
from tests.world.announcing import Announcing

API_PATH = "/api/query"


@dataclass(frozen=True, slots=True)
class ScriptedAnswer:
    """What the stand-in sends to one request, whatever was requested.

    `body` None is the real answer. `delay` is the silence before the headers, in seconds. With
    `cut_after`, the connection is dropped after so many bytes of the body, and after `stall`
    seconds more; `reset` drops it before anything was sent.
    """

    status: int = 200
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut_after: int | None = None
    stall: float = 0.0
    reset: bool = False


@dataclass(slots=True)
class Request:
    """One request as it came, with its arrival and its end by the monotonic clock, in seconds.

    `port` is the asking side's, the same for all requests over one connection.
    """

    port: int
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    arrived: float
    ended: float | None = None


class Standin(Index):
    """arXiv's query API, feeds and OAI as far as Digest speaks to them; a context manager that
    holds the server.

    `serve` says what the index holds from now on; `serve_windows` names the exact answer to some
    queries; `announcing` holds what feeds and OAI tell. `script` hands out answers to the next
    requests, one each; `on_query` (for the API) and `on_request`, asked where no script is left,
    may give an answer of their own. `clock` tells the Date of the answers, None: they have none.
    `requests` holds what was asked, in order of arrival.
    """

    def __init__(
        self,
        papers: Iterable[Paper] = (),
        *,
        on_query: Callable[[dict[str, str]], ScriptedAnswer | None] | None = None,
    ) -> None:
        self.requests: list[Request] = []
        self.clock: Callable[[], datetime | None] = lambda: datetime.now(UTC)
        self.announcing = Announcing()
        self.on_query = on_query
        self.on_request: Callable[[Request], ScriptedAnswer | None] | None = None
        self._lock = threading.RLock()  # on_query may call serve
        self._script: deque[ScriptedAnswer] = deque()
        self._closing = threading.Event()
        super().__init__(papers)

    def __enter__(self) -> Self:
        """Open a free port on 127.0.0.1 and answer there."""
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="standin"
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drop what is open and close the port."""
        self._closing.set()
        self._server.shutdown()
        self._server.drop_connections()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The address of the API, in place of arXiv's."""
        return f"{self._root}/api/query"

    @property
    def feeds_url(self) -> str:
        """The address of the announcement feeds."""
        return f"{self._root}/atom"

    @property
    def oai_url(self) -> str:
        """The address of the OAI service."""
        return f"{self._root}/oai"

    @property
    def _root(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def serve(self, papers: Iterable[Paper]) -> None:
        """Let the index hold these papers, and forget windows that were named."""
        with self._lock:
            super().serve(papers)
            self._windows: dict[str, tuple[Paper, ...]] = {}

    def serve_windows(self, windows: Mapping[str, Sequence[Paper]]) -> None:
        """Answer each of these queries with exactly its papers, in their order, whatever the
        sort.
        """
        with self._lock:
            self._windows = {one_line(query): tuple(papers) for query, papers in windows.items()}

    def script(self, *answers: ScriptedAnswer) -> None:
        """Hand out these answers to the next requests, one each."""
        with self._lock:
            self._script.extend(answers)

    def pause(self, seconds: float) -> bool:
        """Stay silent, but no longer than the stand-in is open; return whether it is."""
        return not self._closing.wait(seconds)

    def respond(self, request: Request) -> tuple[ScriptedAnswer, bytes]:
        """Return how to answer a request, and the body."""
        with self._lock:
            self.requests.append(request)
            scripted = self._script.popleft() if self._script else None
            if scripted is None and self.on_request is not None:
                scripted = self.on_request(request)
            if scripted is None and self.on_query is not None and request.path == API_PATH:
                scripted = self.on_query(request.params)
            if scripted is not None and scripted.body is not None:
                return scripted, scripted.body
            status, body, headers = self._real(request)
            return scripted or ScriptedAnswer(status=status, headers=headers), body

    def _real(self, request: Request) -> tuple[int, bytes, Mapping[str, str]]:
        if request.path != API_PATH:
            return self.announcing.answer(request.path, request.params, request.headers) or (
                404,
                b"not found",
                {},
            )
        return *super().answer(request.params), {}

    def rows(
        self, query: str, ids: list[str], key: Callable[[Paper], Any], descending: bool
    ) -> list[Paper]:
        """The papers of a window that was named, else those of the index."""
        if (window := self._windows.get(one_line(query))) is not None:
            return list(window)
        return super().rows(query, ids, key, descending)


class _Server(ThreadingHTTPServer):
    """The stand-in's port; it remembers its connections, to drop them when it closes."""

    daemon_threads = False

    def __init__(self, standin: Standin) -> None:
        self.standin = standin
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def drop_connections(self) -> None:
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # closed by the other side meanwhile
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of mistakes; a client that went away is none."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write for headers and body
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Be silent."""

    def do_GET(self) -> None:
        """Answer one request."""
        standin = self.server.standin
        parts = urlsplit(self.path)
        params = {
            name: values[0]
            for name, values in parse_qs(parts.query, keep_blank_values=True).items()
        }
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(
            self.client_address[1], parts.path, params, headers, arrived=time.monotonic()
        )
        answer, body = standin.respond(request)
        if not standin.pause(answer.delay) or answer.reset:
            request.ended = time.monotonic()
            self._reset()
        else:
            self._send(request, answer, body)

    def _send(self, request: Request, answer: ScriptedAnswer, body: bytes) -> None:
        headers = {
            "Content-Type": "application/atom+xml; charset=utf-8",
            "Content-Length": str(len(body)),
        } | {name.title(): value for name, value in answer.headers.items()}
        self.send_response_only(answer.status)
        if (now := self.server.standin.clock()) is not None:
            self.send_header("Date", format_datetime(now, usegmt=True))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: answer.cut_after])
        request.ended = time.monotonic()  # first: whoever has the answer may look at once
        self.wfile.flush()
        if answer.cut_after is not None:
            self.server.standin.pause(answer.stall)
            request.ended = time.monotonic()
            self.close_connection = True

    def _reset(self) -> None:
        """Close so that the other side sees a connection reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
