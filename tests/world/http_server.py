"""A program on loopback that takes HTTP requests, each answered as the test's script says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """What came in one request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What goes back: `status`, headers and body; `then`: `close` as HTTP has it, `reset` without
    an answer, `hang` without one either until the server stops, `garbage` in place of HTTP, `drip`
    a byte now and then."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    then: str = "close"


@dataclass
class HttpServer:
    """`script` holds the next answers to requests whose path holds `at`; all others get `usual`."""

    requests: list[Request] = field(default_factory=list)
    script: list[Answer] = field(default_factory=list)
    usual: Answer = field(default_factory=Answer)
    at: str = ""
    port: int = 0
    serving: set[asyncio.Task[None]] = field(default_factory=set)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request on one connection."""
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            method, path, _ = first.split(" ")
            headers = {k.lower(): v.strip() for k, _, v in (x.partition(":") for x in lines if x)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.requests.append(Request(method, path, headers, body))
            await self._answer(
                writer, self.script.pop(0) if self.script and self.at in path else self.usual
            )
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _answer(self, writer: asyncio.StreamWriter, answer: Answer) -> None:
        if answer.then == "hang":
            await self.stopped.wait()
        if answer.then == "garbage":
            writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        if answer.then not in ("close", "drip"):
            return
        lines = {"Content-Length": str(len(answer.body)), "Connection": "close"} | answer.headers
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        whole = f"HTTP/1.1 {answer.status} Said\r\n{head}\r\n".encode() + answer.body
        for place in range(len(whole) if answer.then == "drip" else 0):
            writer.write(whole[place : place + 1])
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopped.wait(), 0.05)
                return
        writer.write(whole)
        await writer.drain()


@asynccontextmanager
async def http_server(*script: Answer) -> AsyncIterator[HttpServer]:
    """The server, on a port of its own."""
    server = HttpServer(script=list(script))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.stopped.set()
        listening.close()
        await asyncio.gather(*server.serving)


@contextmanager
def in_a_thread(*script: Answer) -> Iterator[HttpServer]:
    """The server in a thread of its own, for commands that have the main one."""
    loop, begun, done = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    found: list[HttpServer] = []

    async def serve() -> None:
        async with http_server(*script) as server:
            found.append(server)
            begun.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    begun.wait(10)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
        loop.close()
