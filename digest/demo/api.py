"""A small arXiv on this machine: papers in memory, served as the query API does."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from digest.arxiv.documents import PAPER_ID
from digest.demo.feeds import error_feed, feed
from digest.demo.search import Search
from digest.errors import QueryError
from digest.keywords.grammar import parse
from digest.model import Paper

T = TypeVar("T")

PAGE_LIMIT = 2_000
START_LIMIT = 30_000
LONGEST_QUERY, DEEPEST_QUERY = 8_000, 30
_PAPER_ID = re.compile(rf"(?:{PAPER_ID})(?:v[0-9]+)?")
_SORTS: Mapping[str, Callable[[Paper], Any]] = {
    "relevance": lambda _paper: 0,  # no order of ours: the index's own stays
    "lastUpdatedDate": lambda paper: (paper.updated, paper.id),
    "submittedDate": lambda paper: (paper.published, paper.id),
}
_ORDERS = {"ascending": False, "descending": True}


class _RefusedError(Exception):
    """arXiv's answer with HTTP 400, in its words."""


class Index:
    """The papers that arXiv knows, and what its query API answers about them."""

    def __init__(self, papers: Iterable[Paper] = ()) -> None:
        self.serve(papers)

    def serve(self, papers: Iterable[Paper]) -> None:
        """Hold these papers from now on."""
        self._papers = tuple(papers)
        self._index = Search(self._papers)
        self._matches: dict[str, frozenset[str]] = {}

    def answer(self, params: Mapping[str, str]) -> tuple[int, bytes]:
        """The status and the feed with which the API answers these parameters."""
        try:
            return 200, self._search(params)
        except _RefusedError as refusal:
            return 400, error_feed(str(refusal))

    def _search(self, params: Mapping[str, str]) -> bytes:
        query = params.get("search_query", "")
        ids = [each.strip() for each in params.get("id_list", "").split(",") if each.strip()]
        for each in ids:
            if not _PAPER_ID.fullmatch(each):
                raise _RefusedError(f"incorrect id format for {each}")
        start = _whole_number(params, "start", 0, START_LIMIT)
        size = _whole_number(params, "max_results", 10, PAGE_LIMIT)
        sort_by = _one_of(_SORTS, params, "sortBy", "relevance")
        newest_first = _one_of(_ORDERS, params, "sortOrder", "descending")
        papers = self.rows(query, ids, sort_by, newest_first)
        return feed(
            papers[start : start + size],
            query=query,
            id_list=",".join(ids),
            start=start,
            max_results=size,
            total=len(papers),
        )

    def rows(
        self, query: str, ids: list[str], key: Callable[[Paper], Any], descending: bool
    ) -> list[Paper]:
        """The papers that match a query, and stand in a list of ids; either may be empty."""
        papers = self._papers if query or ids else ()
        if ids:
            papers = tuple(
                paper for paper in papers if {paper.id, f"{paper.id}v{paper.version}"} & set(ids)
            )
        if query:
            found = self._find(query)
            papers = tuple(paper for paper in papers if paper.id in found)
        return sorted(papers, key=key, reverse=descending)

    def _find(self, query: str) -> frozenset[str]:
        """The base ids that match, searched for once: Digest asks page after page."""
        if query not in self._matches:
            try:
                found = self._index.find(parse(query, LONGEST_QUERY, DEEPEST_QUERY))
            except QueryError as error:
                raise _RefusedError(f"Invalid query string: {error.message}") from None
            self._matches[query] = frozenset(found)
        return self._matches[query]


def _whole_number(params: Mapping[str, str], name: str, default: int, limit: int) -> int:
    text = params.get(name, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise _RefusedError(f"{name} must be a non-negative integer")
    number = int(text or default)
    if number > limit:
        raise _RefusedError(f"{name} must be at most {limit}")
    return number


def _one_of(known: Mapping[str, T], params: Mapping[str, str], name: str, default: str) -> T:
    value = params.get(name, default)
    if value not in known:
        raise _RefusedError(f"{name} must be in: {', '.join(known)}")
    return known[value]


class _Handler(BaseHTTPRequestHandler):
    """Answers each request from the index, whatever the path."""

    def __init__(self, index: Index, *request: Any) -> None:
        self.index = index
        super().__init__(*request)  # answers at once

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Be silent."""

    def do_GET(self) -> None:
        """Answer one request."""
        params = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        status, body = self.index.answer(params)
        self.send_response(status)
        self.send_header("Content-Type", "application/atom+xml; charset=utf-8")
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serve_api(index: Index) -> Iterator[str]:
    """Answer for an index on a free port of 127.0.0.1, and give the address to ask."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, index)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="demo arXiv")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api/query"
        finally:
            server.shutdown()
            thread.join()
