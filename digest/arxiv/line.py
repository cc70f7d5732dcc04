"""The line to arXiv: one connection, unhurried, one request after the other, whichever service is
asked.
"""

from __future__ import annotations

import asyncio
import random
import re
import ssl
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import httpx

from digest import __version__
from digest.arxiv.documents import carrying, mail_date, plain_text
from digest.errors import ArxivError, ConfigError, ThrottledError, UnreachableError

T = TypeVar("T")


Turn = Callable[[float], AbstractAsyncContextManager[None]]
"""A turn at asking arXiv: held during one request, it begins the given seconds after the end of the
last one."""

BODY_LIMIT = 20_000_000
"""Bytes. The largest pages, 2,000 papers of the API or 2,500 of OAI, take 5 to 8 million."""
REDIRECT_LIMIT = 5
LONGEST_PAUSE = timedelta(minutes=10)
"""The longest pause that arXiv may ask for and this run still waits."""
ROUND = 660.0
"""Seconds of one round of asking, whatever is asked for, that may be lost: to answers that fail, to
the waits after them, and to what a good answer takes beyond SLOW."""
SLOW = 60.0
"""Seconds; pages of 2,000 papers take 5 to 30."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds: for a connection, between two pieces, for one whole answer."""

    connect: float = 20.0
    read: float = 60.0
    whole: float = 180.0


@dataclass(frozen=True, slots=True)
class Response:
    """One answer of HTTP as it came."""

    status: int
    headers: httpx.Headers
    body: bytes


@dataclass(eq=False, kw_only=True)
class Line(AbstractAsyncContextManager["Line"]):
    """Sends requests to arXiv's services; an async context manager that holds one connection.

    Between the end of one request and the start of the next lie at least `delay` seconds (arXiv's
    terms: 3), counted over all services together; `turn` lets no two processes ask at once, and
    keeps the delay between them too. `contact` is the operator's address, named in the User-Agent.
    `requests` counts every HTTP request, redirects and repetitions included; one that keeps
    everybody waiting is not asked beyond a limit until the next round begins; `on_response`
    is given every response, `ready` waits until the host of a URL can be reached (None: nothing is
    waited for). HTTPS_PROXY and SSL_CERT_FILE are honoured.
    """

    contact: str = ""
    delay: float = 3.0
    turn: Turn = lambda _delay: nullcontext()
    timeouts: Timeouts = Timeouts()
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    on_response: Callable[[Response], None] = lambda _response: None
    ready: Callable[[str], Awaitable[None]] | None = None
    requests: int = field(default=0, init=False)
    _left: float = field(default=ROUND, init=False)
    _ended: float | None = field(default=None, init=False)
    _http: httpx.AsyncClient | None = field(default=None, init=False)

    async def __aexit__(self, *_error: object) -> None:
        """Close the connection."""
        await self.close()

    async def close(self) -> None:
        """Close the connection, if there is one: most runs ask for nothing and open none."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def _connection(self) -> httpx.AsyncClient:
        """The connection; raises ConfigError where proxy or certificates cannot be used."""
        if self._http is None:
            try:
                self._http = httpx.AsyncClient(
                    headers={
                        "User-Agent": user_agent(self.contact),
                        "Accept": "application/atom+xml",
                        "Accept-Encoding": "gzip",
                    },
                    timeout=httpx.Timeout(self.timeouts.read, connect=self.timeouts.connect),
                    # arXiv's terms: a single connection at a time.
                    limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
                )
            except (OSError, ssl.SSLError, ValueError, httpx.InvalidURL) as error:
                raise ConfigError(
                    f"the way to arXiv cannot be set up ({plain_text(str(error))})",
                    remedy="check HTTPS_PROXY, SSL_CERT_FILE and SSL_CERT_DIR",
                ) from error
        return self._http

    def begin_round(self) -> None:
        """Give arXiv the time of a whole round again."""
        self._left = ROUND

    async def patiently(self, ask: Callable[[], Awaitable[T]], attempts: int) -> T:
        """Ask until the answer is good, or `attempts` are used up, or the round's time is; the
        waits in between grow.

        Raises the last ArxivError.
        """
        attempt = 1
        while True:
            if self._left <= 0:
                raise UnreachableError("arXiv has kept this run waiting for too long already")
            began = self.monotonic()
            try:
                answer = await ask()
                self._left -= max(0.0, self.monotonic() - began - SLOW)
                return answer
            except ArxivError as error:
                self._left -= self.monotonic() - began
                pause = error.retry_after or timedelta(0)
                # Where nobody answers at all there is most likely no network: one more try, and the
                # next run's.
                last = min(attempts, 2) if error.unreachable else attempts
                # Jitter only lengthens: the wait that arXiv asks for is never cut short.
                growing = self.delay * 3**attempt * (1 + self.jitter() / 2)
                wait = max(growing, pause.total_seconds())
                is_too_long = pause > LONGEST_PAUSE or wait > self._left
                if not error.transient or attempt >= last or is_too_long:
                    raise
                self._left -= wait
                await self.sleep(wait)
                attempt += 1

    async def get(
        self,
        url: str,
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send one request and follow where it is redirected, all of them paced."""
        http = self._connection()
        try:
            request: httpx.Request | None = http.build_request(
                "GET", url, params=parameters, headers=headers
            )
        except httpx.InvalidURL as error:
            raise ArxivError(f"{url} is no address to ask ({error})", transient=False) from None
        if self.ready is not None:
            await self.ready(url)
        for _hop in range(REDIRECT_LIMIT + 1):
            assert request is not None
            response, request = await self._send(request)
            if request is None:
                return response
        raise ArxivError("arXiv redirects in circles", body=response.body)

    async def _send(self, request: httpx.Request) -> tuple[Response, httpx.Request | None]:
        """Send one request at its time; return the answer, and the next request if it is a
        redirect.
        """
        if self._ended is not None and (rest := self._ended + self.delay - self.monotonic()) > 0:
            await self.sleep(rest)
        async with self.turn(self.delay):
            self.requests += 1
            try:
                return await self._exchange(request)
            finally:
                self._ended = self.monotonic()

    async def _exchange(self, request: httpx.Request) -> tuple[Response, httpx.Request | None]:
        """One request and its answer, as it came."""
        received = bytearray()
        try:
            async with asyncio.timeout(min(self.timeouts.whole, self._left)):
                response = await self._connection().send(request, stream=True)
                try:
                    await _unpack(response, received)
                finally:
                    await response.aclose()
            received_whole = Response(response.status_code, response.headers, bytes(received))
            self.on_response(received_whole)
            return received_whole, response.next_request
        except ArxivError as error:
            error.body = bytes(received[:BODY_LIMIT])
            raise
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise ArxivError(
                f"no way to ask {request.url.host or request.url} ({error})", transient=False
            ) from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise UnreachableError(
                f"{request.url.host} cannot be reached ({_words(error)})"
            ) from None
        except (httpx.TimeoutException, TimeoutError):
            raise ArxivError("arXiv did not answer in time", body=bytes(received)) from None
        except httpx.HTTPError as error:
            raise ArxivError(
                f"arXiv's answer broke off ({_words(error)})", body=bytes(received)
            ) from None


async def _unpack(response: httpx.Response, received: bytearray) -> None:
    """Read an answer's body to its end, as far as it fits: what grows stops at the limit, not after
    a piece, since packing can make a thousandth of it.
    """
    unpacker = zlib.decompressobj(wbits=31) if _is_packed(response.headers) else None
    async for piece in response.aiter_raw():
        room = BODY_LIMIT + 1 - len(received)
        try:
            received += unpacker.decompress(piece, room) if unpacker else piece
        except zlib.error as error:
            raise ArxivError(f"arXiv's answer cannot be unpacked ({error})") from None
        if len(received) > BODY_LIMIT:
            raise ArxivError(f"arXiv's answer is larger than {BODY_LIMIT:,} bytes")
    if unpacker and received and not unpacker.eof:
        raise ArxivError("arXiv's answer broke off (its packing has no end)")


def _is_packed(headers: httpx.Headers) -> bool:
    """Whether an answer is packed as was asked for: by gzip, once. Raises ArxivError where it is
    otherwise.
    """
    texts = headers.get_list("content-encoding", split_commas=True)
    packed = [name for text in texts if (name := text.strip().lower()) not in ("", "identity")]
    if packed not in ([], ["gzip"], ["x-gzip"]):
        raise ArxivError(f"arXiv's answer is packed by {plain_text(', '.join(packed))[:80]}")
    return bool(packed)


def user_agent(contact: str) -> str:
    """Name the program, its version and whom to write to; arXiv asks for a distinct User-Agent."""
    address = re.sub(r"[^\x21-\x7e]|[()]", "", contact)
    if not address:
        return f"arxiv-digest/{__version__}"
    return f"arxiv-digest/{__version__} (+{address if '://' in address else f'mailto:{address}'})"


def pause_asked_for(headers: httpx.Headers) -> timedelta | None:
    """Return the pause that Retry-After names, in seconds or as a date (RFC 9110, section
    10.2.3).
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch("[0-9]{1,9}", text):
        return timedelta(seconds=int(text))
    try:
        until = mail_date(text)
        now = mail_date(headers["date"]) if "date" in headers else datetime.now(UTC)
    except (ValueError, OverflowError):
        return None
    return max(until - now, timedelta(0))


def answered_at(headers: httpx.Headers, now: datetime) -> datetime | None:
    """The moment (UTC) of an answer by the clock of whoever gave it, from its Date (RFC 9110,
    6.6.1). None where it has none.

    A cache keeps the Date and adds the Age since then (RFC 9111, 5.1), but Varnish, and so Fastly,
    may date each delivery anew. Of the moments between the two it is the nearest to `now`.
    """
    age = headers.get("age", "").strip()
    try:
        since = timedelta(seconds=int(age) if re.fullmatch("[0-9]{1,9}", age) else 0)
        date = mail_date(headers.get("date", ""))
        return min(max(now, date), date + since)
    except (ValueError, OverflowError):
        return None


async def parsed(
    response: Response, parse: Callable[..., T], check: Callable[[T], None] = lambda _document: None
) -> T:
    """What `parse` makes of a response, once `check` raises nothing against it.

    `parse` takes the body and the content type, and raises ArxivError as `check` does. Raises
    ArxivError, which carries the body.
    """
    with carrying(response.body):
        _check_status(response, parse)
        kind = response.headers.get("content-type", "")
        # Reading 2,000 papers takes more than a second: beside the loop, so that it goes on.
        document = await asyncio.to_thread(parse, response.body, content_type=kind)
        check(document)
        return document


def _check_status(response: Response, read: Callable[[bytes], object]) -> None:
    """Raise ArxivError for every status but 200; `read` raises a refusal's own words where its body
    has some.
    """
    status = response.status
    pause = pause_asked_for(response.headers)
    # Also seen with status 200. 406 is how clients are turned away since September 2026.
    rate_exceeded = response.body.strip().lower().startswith(b"rate exceeded")
    if rate_exceeded or status in (429, 406):
        raise ThrottledError(f"arXiv asks to slow down (HTTP {status})", retry_after=pause)
    if status == httpx.codes.OK:
        return
    if status >= 500 or status in (408, 425):
        raise ArxivError(f"arXiv is out of order (HTTP {status})", retry_after=pause)
    if status < 400:
        raise ArxivError(
            f"arXiv answered with HTTP {status} and nothing to read", retry_after=pause
        )
    try:
        read(response.body)
    except ArxivError as error:
        if not error.transient:
            raise
    raise ArxivError(f"arXiv refused the request (HTTP {status})", transient=False)


def _words(error: Exception) -> str:
    """What went wrong, without the number that the system gives it."""
    return re.sub(r"^\[Errno -?\d+\] ", "", plain_text(str(error))) or type(error).__name__
