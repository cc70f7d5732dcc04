"""A Zotero on loopback: it keeps one library's items, and refuses, limits, breaks off or changes as
it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "a-key-for-tests"


@dataclass(frozen=True)
class Answer:
    """An answer in place of the usual one; `cut`: so many bytes of its body are left out."""

    status: int = 200
    body: bytes = b"no"
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0


@dataclass
class ZoteroServer:
    """The library of user 7 in a version that grows with each change. `next` are the answers to
    the next requests, None for the usual one; `before_items` is done before items are answered.
    """

    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    version: int = 100
    next: list[Answer | None] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    before_items: Callable[[], None] | None = None
    requests: list[tuple[str, dict[str, list[str]], int]] = field(default_factory=list)
    url: str = ""

    def put(self, key: str, title: str, **data: Any) -> None:
        """Add an item, or change it."""
        self.version += 1
        self.items[key] = {
            "key": key,
            "version": self.version,
            "itemType": data.pop("kind", "preprint"),
            "title": title,
            "tags": [{"tag": tag} for tag in data.pop("tags", ())],
            "collections": data.pop("collections", []),
            **data,
        }

    def remove(self, key: str) -> None:
        """Delete an item."""
        self.version += 1
        del self.items[key]

    def answer(self, target: str, headers: dict[str, str]) -> Answer:
        """Answer a GET request."""
        parts = urlsplit(target)
        query, path = parse_qs(parts.query), parts.path.strip("/").split("/")
        answer = self.next.pop(0) if self.next else None
        answer = answer or self._usual(path, query, headers)
        self.requests.append((parts.path, query, answer.status))
        return answer

    def _usual(
        self, path: list[str], query: dict[str, list[str]], headers: dict[str, str]
    ) -> Answer:
        if headers.get("authorization") != f"Bearer {KEY}":
            return Answer(403, b"Forbidden")
        if path[:2] != ["users", "7"] or path[2] not in ("items", "collections"):
            return Answer(404, b"Not found")
        if headers.get("if-modified-since-version") == str(self.version):
            return Answer(304, b"")
        kept = self.items
        if path[2] == "collections":
            kept = {key: item for key, item in kept.items() if path[3] in item["collections"]}
            if not kept:
                return Answer(404, b"Collection not found")
        found: Any = {key: item["version"] for key, item in kept.items()}
        if query.get("format") != ["versions"]:
            if self.before_items:
                self.before_items()
            wanted = query["itemKey"][0].split(",")
            kept = self.items
            found = [{"key": key, "data": kept[key]} for key in wanted if key in kept]
        more = {"Content-Type": "application/json", "Last-Modified-Version": str(self.version)}
        return Answer(200, json.dumps(found).encode(), more | self.headers)


@contextmanager
def zotero() -> Iterator[ZoteroServer]:
    """A server on a free port of the loopback address."""
    world = ZoteroServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # in one piece, which is not waited for

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = world.answer(self.path, headers)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status != 304:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: len(answer.body) - answer.cut])
            self.close_connection = self.close_connection or bool(answer.cut)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        world.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield world
        finally:
            server.shutdown()
            thread.join()
