"""Asks an endpoint that speaks OpenAI's chat form (POST …/chat/completions): hosted ones, Ollama,
llama.cpp, vLLM. Whatever it answers costs no more than its bounds.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from digest import __version__
from digest.errors import masked, one_line

BODY_LIMIT = 500_000
"""Bytes of an answer; two sentences with all that comes with them have some thousand."""
SECONDS = 30.0
"""For one whole answer."""
MAX_TOKENS = 300
"""Tokens of an answer: two sentences have at most 150, in some scripts twice as many."""
MOST_TOKENS = 100_000
"""What an endpoint says that a request took is not believed beyond this."""
LATE = "its turn has not come"
"""Why a paper has no summary yet where nobody is to blame."""
WORDS = 160
"""Characters of an endpoint's own words."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where models are asked, which one, and with which key ("": none)."""

    url: str
    model: str
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said; `tokens` is what question and answer took. `is_whole`: it said all that
    it wanted to.
    """

    text: str
    tokens: int
    is_whole: bool


class EndpointError(Exception):
    """There is no answer, in words that name no secret.

    `of_paper`: it may be this paper's fault. `of_endpoint`: the endpoint cannot be used now; `rest`
    is for how long it asks to be left alone, and `permanent` says that only a person can mend it.
    """

    def __init__(
        self,
        words: str,
        *,
        of_paper: bool = False,
        of_endpoint: bool = True,
        rest: timedelta | None = None,
        permanent: bool = False,
    ) -> None:
        super().__init__(words)
        self.of_paper, self.of_endpoint = of_paper, of_endpoint
        self.rest, self.permanent = rest, permanent


class Client(AbstractAsyncContextManager["Client"]):
    """Asks one endpoint, one question after the other. HTTPS_PROXY and SSL_CERT_FILE are honoured,
    redirects are not followed: who is asked gets what the papers say, and the key.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._limit_name = "max_tokens"
        self._http: httpx.AsyncClient | None = None

    async def __aexit__(self, *_error: object) -> None:
        """Close the connection."""
        if self._http is not None:
            await self._http.aclose()

    async def ask(self, messages: Sequence[dict[str, str]], seconds: float = SECONDS) -> Answer:
        """Ask once. Raises EndpointError."""
        with self._mended(is_late=seconds < SECONDS):
            async with asyncio.timeout(min(seconds, SECONDS)):
                try:
                    return await self._asked(messages)
                except _OtherNameError:
                    self._limit_name = "max_completion_tokens"
                    return await self._asked(messages)

    async def _asked(self, messages: Sequence[dict[str, str]]) -> Answer:
        model = self.endpoint.model
        body = {"model": model, "messages": list(messages), self._limit_name: MAX_TOKENS}
        url = f"{self.endpoint.url.rstrip('/')}/chat/completions"
        async with self._connection().stream("POST", url, json=body) as response:
            received = await _read(response)
            self._check(response, received)
        return _answer(received, sum(len(message["content"]) for message in messages))

    def _connection(self) -> httpx.AsyncClient:
        if self._http is None:
            # A packed answer could unpack to any size.
            headers = {
                "User-Agent": f"arxiv-digest/{__version__}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            }
            if self.endpoint.key:
                headers["Authorization"] = f"Bearer {self.endpoint.key}"
            self._http = httpx.AsyncClient(headers=headers, timeout=SECONDS)
        return self._http

    @contextmanager
    def _mended(self, *, is_late: bool) -> Iterator[None]:
        """Turn whatever goes wrong on the way into one EndpointError. `is_late`: it was given less
        time than it is due.
        """
        place = _host_of(self.endpoint.url)
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            words = re.sub(r"^\[Errno -?\d+\] ", "", one_line(str(error))) or type(error).__name__
            raise EndpointError(f"{place} cannot be reached ({words[:WORDS]})") from None
        except (TimeoutError, httpx.TimeoutException):
            if is_late:
                raise EndpointError(LATE, of_endpoint=False) from None
            raise EndpointError("no answer in time", of_paper=True) from None
        except httpx.HTTPError as error:
            words = f"the answer broke off ({type(error).__name__})"
            raise EndpointError(words, of_paper=True) from None
        except (httpx.InvalidURL, UnicodeError, OSError, ssl.SSLError, ValueError) as error:
            words = f"{place} cannot be asked ({type(error).__name__})"
            raise EndpointError(words, permanent=True) from None

    def _check(self, response: httpx.Response, body: bytes) -> None:
        """Raise EndpointError for every status but 200."""
        status = response.status_code
        if status == httpx.codes.OK:
            return
        said = masked(_words_of(body), [self.endpoint.key])
        if self._limit_name == "max_tokens" and status == 400 and "max_completion_tokens" in said:
            raise _OtherNameError
        words = f"HTTP {status}" + (f": {said}" if said else "")
        if status in (400, 413, 422):
            raise EndpointError(words, of_paper=True, of_endpoint=False)
        if status in (408, 409, 425, 429) or status >= 500:
            # 500 may come of what was asked; those after it say that nobody looked at it.
            rest = _pause(response.headers)
            raise EndpointError(words, of_paper=status == 500, rest=rest)
        raise EndpointError(words, permanent=True)


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or "the endpoint"
    except ValueError:
        return "the endpoint"


class _OtherNameError(Exception):
    """The endpoint calls the most tokens of an answer by its newer name."""


async def _read(response: httpx.Response) -> bytes:
    """A body as it came. Raises EndpointError where it is packed, or too large."""
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    if packed not in ("", "identity"):
        raise EndpointError("an answer that is packed", of_paper=True)
    received = bytearray()
    async for piece in response.aiter_raw():
        received += piece
        if len(received) > BODY_LIMIT:
            raise EndpointError(f"an answer of more than {BODY_LIMIT:,} bytes", of_paper=True)
    return bytes(received)


def _answer(body: bytes, asked: int) -> Answer:
    """What an answer's JSON says; `asked` are the characters of the question. Raises
    EndpointError.
    """
    try:
        said = json.loads(body)
        choice = said["choices"][0]
        text = choice["message"]["content"]
        if not isinstance(text, str | None):
            raise TypeError
    except (ValueError, TypeError, LookupError, RecursionError):
        raise EndpointError("an answer that cannot be read", of_paper=True) from None
    text = text or ""
    tokens = _tokens(said.get("usage")) or 1 + (asked + len(text)) // 3
    return Answer(text, tokens, choice.get("finish_reason") == "stop")


def _tokens(usage: Any) -> int:
    """How many tokens were used; 0 where nothing sane is said of it."""
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    return min(total, MOST_TOKENS) if type(total) is int and total > 0 else 0


def _words_of(body: bytes) -> str:
    """An error's own words, in a line; "" where it has none that can be read."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    error = said.get("error", said) if isinstance(said, dict) else None
    words = error.get("message") if isinstance(error, dict) else error
    line = one_line(words) if isinstance(words, str) else ""
    return "".join(c if c.isprintable() else "?" for c in line)[:WORDS]


def _pause(headers: httpx.Headers) -> timedelta | None:
    """The pause that Retry-After names (RFC 9110, section 10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch("[0-9]{1,9}", text):
        return timedelta(seconds=int(text))
    try:
        now = parsedate_to_datetime(headers.get("date", ""))
        return max(parsedate_to_datetime(text) - now, timedelta(0))
    except (ValueError, TypeError, OverflowError):
        return None
