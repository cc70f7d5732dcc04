"""Asking arXiv's query API: one connection, unhurried, page after page, until a window is whole."""

from __future__ import annotations

import asyncio
import random
import re
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import httpx

from digest import __version__
from digest.arxiv.atom import Feed, clean_text, parse_feed
from digest.arxiv.gate import check_page, check_window, newest_versions, same_index
from digest.errors import ArxivError, ConfigError
from digest.model import Paper, Window

Progress = Callable[[int, int], None]
Turn = Callable[[float], AbstractAsyncContextManager[None]]
"""A turn at asking arXiv, that is held during one request and begins so many seconds after the last one's end."""

PAGE_LIMIT = 2_000  # papers in one answer, and
DEPTH_LIMIT = 30_000  # papers of one query in all; more is HTTP 400 (arXiv API user's manual)
BODY_LIMIT = 20_000_000  # bytes; the largest page, 2,000 papers, takes about 5 million
REDIRECT_LIMIT = 5
LONGEST_PAUSE = timedelta(minutes=10)  # that arXiv may ask for and this run still waits

# A window ends once this many rows in a row lie beyond its depth: a single one may stand astray.
_ROWS_BEYOND = 3


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds: for a connection, between two pieces, for one whole answer."""

    connect: float = 20.0
    read: float = 60.0
    whole: float = 180.0


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: httpx.Headers
    body: bytes


class ArxivClient:
    """Fetches windows from arXiv's query API; an async context manager that holds one connection.

    Between the end of one request and the start of the next lie at least `delay` seconds (arXiv's terms:
    3); `turn` lets no two processes ask at once, and keeps the delay between them too. `contact` is the
    operator's address, named in the User-Agent. `requests` counts every HTTP request, redirects and
    repetitions included. HTTPS_PROXY and SSL_CERT_FILE are honoured.
    """

    def __init__(
        self,
        url: str,
        *,
        contact: str = "",
        delay: float = 3.0,
        turn: Turn = lambda _delay: nullcontext(),
        timeouts: Timeouts = Timeouts(),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.requests = 0
        self._url = url
        self._user_agent = user_agent(contact)
        self._delay = delay
        self._timeouts = timeouts
        self._sleep = sleep
        self._monotonic = monotonic
        self._jitter = jitter
        self._turn = turn
        self._ended: float | None = None
        self._http: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        """Nothing is prepared before the first request: most runs ask for nothing."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def _connection(self) -> httpx.AsyncClient:
        """The connection; raises ConfigError where proxy or certificates cannot be used."""
        if self._http is None:
            try:
                self._http = httpx.AsyncClient(
                    headers={
                        "User-Agent": self._user_agent,
                        "Accept": "application/atom+xml",
                        "Accept-Encoding": "gzip",
                    },
                    timeout=httpx.Timeout(self._timeouts.read, connect=self._timeouts.connect),
                    limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
                )
            except (OSError, ssl.SSLError, ValueError, httpx.InvalidURL) as error:
                raise ConfigError(
                    f"the way to arXiv cannot be set up ({clean_text(str(error))})",
                    remedy="check HTTPS_PROXY, SSL_CERT_FILE and SSL_CERT_DIR",
                ) from error
        return self._http

    async def fetch(
        self,
        query: str,
        *,
        since: datetime,
        page_size: int,
        attempts: int = 4,
        progress: Progress | None = None,
    ) -> Window:
        """Return every match of `query` whose served version is younger than `since`, newest first.

        Pages of `page_size` papers (at most 2,000) are read until the last rows are older than `since`,
        or all matches were served; each page is asked for up to `attempts` times, and a window during
        which the index moved is read again as often. `progress` is told rows read and matches in all.
        Raises ArxivError: an answer that is not whole and sane after all attempts, a refusal, or a query
        that matches too much; its `body` is the last answer, its `requests` how many were made.
        """
        if not 1 <= page_size <= PAGE_LIMIT:
            raise ValueError(f"page_size must be 1 to {PAGE_LIMIT}")
        before = self.requests
        try:
            papers, total, raw = await self._window(query, since, page_size, attempts, progress)
        except ArxivError as error:
            error.requests = self.requests - before
            raise
        return Window(query, papers, total, since, self.requests - before, raw)

    async def _window(
        self, query: str, since: datetime, page_size: int, attempts: int, progress: Progress | None
    ) -> tuple[tuple[Paper, ...], int, bytes]:
        """All rows of a window, arXiv's count of all matches, and the first page as it came."""
        passes = 1
        collected: list[Paper] = []  # in all passes
        rows: list[Paper] = []  # in this pass, as they were served
        start, total, raw = 0, 0, b""
        while True:
            feed, body = await self._page(query, rows, start, min(page_size, DEPTH_LIMIT - start), attempts)
            if not same_index(rows, total, feed):
                if passes == attempts:
                    raise ArxivError(f"arXiv's index kept moving while it was read ({passes} times)")
                passes, rows, start = passes + 1, [], 0
                continue
            raw = raw if rows else body
            rows += feed.papers
            collected += feed.papers
            start, total = start + len(feed.papers), feed.total
            if progress is not None:
                progress(start, total)
            if start >= total or _beyond(rows, since):
                return newest_versions(rows if passes == 1 else rows + collected), total, raw
            if start >= DEPTH_LIMIT:
                raise ArxivError(
                    f"the query is too broad: {DEPTH_LIMIT:,} of {total:,} papers do not reach back to "
                    f"{since:%Y-%m-%d}, and arXiv serves no more",
                    remedy="narrow it, for example with AND cat:cs.LG, or split it into several keywords",
                    transient=False,
                )

    async def _page(self, query: str, rows: list[Paper], start: int, size: int, attempts: int) -> tuple[Feed, bytes]:
        """One page and its bytes, asked for until it is whole and sane, or `attempts` are used up."""
        attempt = 1
        while True:
            try:
                return await self._ask(query, rows, start, size)
            except ArxivError as error:
                pause = error.retry_after or timedelta(0)
                # Where nobody answers at all there is most likely no network: one more try, and the next run's.
                last = min(attempts, 2) if error.unreachable else attempts
                if not error.transient or attempt >= last or pause > LONGEST_PAUSE:
                    raise
                growing = self._delay * 3**attempt * (1 + self._jitter() / 2)
                await self._sleep(max(growing, pause.total_seconds()))
                attempt += 1

    async def _ask(self, query: str, rows: list[Paper], start: int, size: int) -> tuple[Feed, bytes]:
        answer = await self._get(
            {
                "search_query": query,
                "start": str(start),
                "max_results": str(size),
                "sortBy": "lastUpdatedDate",
                "sortOrder": "descending",
            }
        )
        try:
            _check_status(answer)
            # Reading 2,000 papers takes more than a second: beside the loop, so that it goes on.
            feed = await asyncio.to_thread(parse_feed, answer.body, content_type=answer.headers.get("content-type", ""))
            check_page(feed, query=query, start=start, page_size=size)
            check_window(newest_versions([*rows, *feed.papers]))
        except ArxivError as error:
            error.body = answer.body
            raise
        return feed, answer.body

    async def _get(self, parameters: dict[str, str]) -> _Answer:
        """Send one request and follow where it is redirected, all of them paced."""
        http = self._connection()
        try:
            request: httpx.Request | None = http.build_request("GET", self._url, params=parameters)
        except httpx.InvalidURL as error:
            raise ArxivError(f"{self._url} is no address to ask ({error})", transient=False) from None
        for _hop in range(REDIRECT_LIMIT + 1):
            assert request is not None
            answer, request = await self._send(request)
            if request is None:
                return answer
        raise ArxivError("arXiv redirects in circles", body=answer.body)

    async def _send(self, request: httpx.Request) -> tuple[_Answer, httpx.Request | None]:
        """Send one request at its time; return the answer, and the next request if it is a redirect."""
        if self._ended is not None and (rest := self._ended + self._delay - self._monotonic()) > 0:
            await self._sleep(rest)
        async with self._turn(self._delay):
            self.requests += 1
            try:
                return await self._exchange(request)
            finally:
                self._ended = self._monotonic()

    async def _exchange(self, request: httpx.Request) -> tuple[_Answer, httpx.Request | None]:
        """One request and its answer, as it came."""
        received = bytearray()
        try:
            async with asyncio.timeout(self._timeouts.whole):
                response = await self._connection().send(request, stream=True)
                try:
                    async for piece in response.aiter_bytes():
                        received += piece
                        if len(received) > BODY_LIMIT:
                            raise ArxivError(f"arXiv's answer is larger than {BODY_LIMIT:,} bytes")
                finally:
                    await response.aclose()
            return _Answer(response.status_code, response.headers, bytes(received)), response.next_request
        except ArxivError as error:
            error.body = bytes(received[:BODY_LIMIT])
            raise
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise ArxivError(f"no way to ask {request.url.host or self._url} ({error})", transient=False) from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise ArxivError(f"{request.url.host} cannot be reached ({_words(error)})", unreachable=True) from None
        except (httpx.TimeoutException, TimeoutError):
            raise ArxivError("arXiv did not answer in time", body=bytes(received)) from None
        except httpx.HTTPError as error:
            raise ArxivError(f"arXiv's answer broke off ({_words(error)})", body=bytes(received)) from None


def user_agent(contact: str) -> str:
    """Name the program, its version and whom to write to; arXiv asks for a distinct User-Agent."""
    address = re.sub(r"[^\x21-\x7e]|[()]", "", contact)
    if not address:
        return f"arxiv-digest/{__version__}"
    return f"arxiv-digest/{__version__} (+{address if '://' in address else f'mailto:{address}'})"


def pause_asked_for(headers: httpx.Headers) -> timedelta | None:
    """Return the pause that Retry-After names, in seconds or as a date (RFC 9110, section 10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch("[0-9]{1,9}", text):
        return timedelta(seconds=int(text))
    try:
        until = _moment(text)
        now = _moment(headers["date"]) if "date" in headers else datetime.now(UTC)
    except (ValueError, OverflowError):
        return None
    return max(until - now, timedelta(0))


def _moment(text: str) -> datetime:
    moment = parsedate_to_datetime(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _beyond(rows: list[Paper], since: datetime) -> bool:
    """Tell whether the last rows all lie beyond the depth that is wanted."""
    last = rows[-_ROWS_BEYOND:]
    return len(last) == _ROWS_BEYOND and all(paper.updated < since for paper in last)


def _check_status(answer: _Answer) -> None:
    """Raise ArxivError for every status but 200; an Error feed's own words come with a refusal."""
    status = answer.status
    pause = pause_asked_for(answer.headers)
    rate_exceeded = answer.body.strip().lower().startswith(b"rate exceeded")  # also seen with status 200
    if rate_exceeded or status in (429, 406):  # 406: how clients are turned away since September 2026
        raise ArxivError(f"arXiv asks to slow down (HTTP {status})", throttled=True, retry_after=pause)
    if status == httpx.codes.OK:
        return
    if status >= 500 or status in (408, 425):
        raise ArxivError(f"arXiv is out of order (HTTP {status})", retry_after=pause)
    if status < 400:
        raise ArxivError(f"arXiv answered with HTTP {status} and no feed", retry_after=pause)
    try:
        parse_feed(answer.body)
    except ArxivError as error:
        if not error.transient:
            raise
    raise ArxivError(f"arXiv refused the request (HTTP {status})", transient=False)


def _words(error: Exception) -> str:
    """What went wrong, without the number that the system gives it."""
    return re.sub(r"^\[Errno -?\d+\] ", "", clean_text(str(error))) or type(error).__name__
