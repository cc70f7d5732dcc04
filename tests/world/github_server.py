"""A GitHub on loopback: it keeps the issues of its repositories, and refuses, limits or breaks off
as it is told."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "a-token-for-tests"
LIMIT = 65_536
"""The most characters that a body may have."""


@dataclass(frozen=True)
class Refuse:
    """An answer in place of the usual one."""

    status: int
    message: str = "no"
    headers: dict[str, str] = field(default_factory=dict)


class Break:
    """Break the connection off: before the request is acted on, or after it."""

    def __init__(self, *, after: bool) -> None:
        self.after = after


@dataclass
class GithubServer:
    """`issues` by repository; `next` are the answers to the next requests of a method, then the
    usual ones.

    `without_issues` are the repositories that have issues switched off, `reading` those that the
    token may only read; `enabled` are the workflows that were enabled.
    """

    repositories: set[str] = field(default_factory=lambda: {"ada/papers"})
    private: set[str] = field(default_factory=set)
    archived: set[str] = field(default_factory=set)
    without_issues: set[str] = field(default_factory=set)
    reading: set[str] = field(default_factory=set)
    enabled: list[str] = field(default_factory=list)
    issues: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    next: dict[str, list[Refuse | Break | None]] = field(default_factory=lambda: defaultdict(list))
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    port: int = 0

    @property
    def url(self) -> str:
        """The address for DIGEST_GITHUB_API."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests on one connection."""
        self.writers.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                first, *lines = head.decode().split("\r\n")
                method, target, _ = first.split(" ")
                headers = {
                    k.lower(): v.strip()
                    for k, _, v in (line.partition(":") for line in lines if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.requests.append((method, target, headers))
                scripted = self.next[method].pop(0) if self.next[method] else None
                if isinstance(scripted, Break) and not scripted.after:
                    break
                if isinstance(scripted, Refuse):
                    status, answer, more = (
                        scripted.status,
                        {"message": scripted.message},
                        scripted.headers,
                    )
                else:
                    status, answer = self.act(method, target, headers, body)
                    more = {}
                if isinstance(scripted, Break):
                    break
                payload = b"" if status == 204 else json.dumps(answer).encode()
                fields = {
                    "Content-Type": "application/json",
                    "Content-Length": str(len(payload)),
                    **more,
                }
                lines = [f"HTTP/1.1 {status} X", *(f"{k}: {v}" for k, v in fields.items()), "", ""]
                writer.write("\r\n".join(lines).encode() + payload)
                await writer.drain()
        writer.close()

    def _post(self, repository: str, wanted: dict[str, Any]) -> tuple[int, Any]:
        """Keep a new issue, or refuse it."""
        if "title" not in wanted:
            return 422, {"message": "Invalid request."}
        if len(wanted["body"]) > LIMIT or len(wanted["title"]) > 256:
            return 422, {"message": "Validation Failed"}
        kept = self.issues[repository]
        moment = f"{self.clock():%Y-%m-%dT%H:%M:%SZ}"
        times = {"created_at": moment, "updated_at": moment}
        kept.append({**wanted, "number": len(kept) + 1, **times, "state": "open"})
        url = f"https://github.com/{repository}/issues/{len(kept)}"
        return 201, {**kept[-1], "html_url": url}

    def act(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, Any]:
        """Do what a request asks for."""
        parts = urlsplit(target)
        repository = "/".join(parts.path.split("/")[2:4])
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}
        if repository not in self.repositories:
            return 404, {"message": "Not Found"}
        if method == "PUT" and parts.path.endswith("/enable"):
            self.enabled.append(parts.path.split("/")[-2])
            return 204, None
        if not parts.path.endswith("/issues"):
            return (
                (200, self._described(repository))
                if parts.path.count("/") == 3
                else (404, {"message": "Not Found"})
            )
        if repository in self.without_issues:
            return 410, {"message": "Issues are disabled for this repo"}
        if method == "POST" and repository in self.reading:
            return 403, {"message": "Resource not accessible by personal access token"}
        if method == "POST":
            return self._post(repository, json.loads(body))
        kept = self.issues[repository]
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        states = {"all": ("open", "closed")}.get(
            query.get("state", "open"), (query.get("state", "open"),)
        )
        listed = [
            i for i in kept if i["updated_at"] >= query.get("since", "") and i["state"] in states
        ]
        if query.get("direction", "desc") == "desc":
            listed.reverse()
        size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
        return 200, listed[(page - 1) * size : page * size]

    def _described(self, repository: str) -> dict[str, Any]:
        """A repository, as GitHub describes it to whoever may write there."""
        return {
            "full_name": repository,
            "private": repository in self.private,
            "archived": repository in self.archived,
        }


@asynccontextmanager
async def github() -> AsyncIterator[GithubServer]:
    """A server on a free port of the loopback address."""
    server = GithubServer()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for writer in server.writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
