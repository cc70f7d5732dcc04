"""Delivery to programs: JSON posted to a URL and signed as Standard Webhooks 1.0 has it
(https://www.standardwebhooks.com, "Signature scheme").
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import io
import json
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage, parse_headers
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from digest import __version__
from digest.mail.message import EndedError, Message
from digest.mail.targets import Target, Targets, not_now
from digest.model import Outcome, Outgoing, Receipt
from digest.times import to_text

WIDTH = 4
CONNECT, ANSWER = 20.0, 60.0
"""Seconds for a connection with its handshake, and for the question and the answer's head."""
CLOSE = 1.0
"""Seconds for the end of a connection."""
LONGEST_REST = timedelta(days=1)
"""A receiver that asks for more is asked again after this all the same."""
LONGEST_HEAD = 64 * 1024
FOR_A_TIME = (408, 425, 429)
"""Statuses below 500 by which a receiver says "later" (RFC 9110 and RFC 8470)."""
_NAT64 = IPv6Network("64:ff9b::/96")
_WITHIN = "it leads to this machine or its network, and DIGEST_WEBHOOK_TARGETS is public"


def assemble_webhook(outgoing: Outgoing) -> Message:
    """The message of one delivery: the digest in an envelope of its own, the same at each attempt;
    the first piece is the digest's JSON.
    """
    name = outgoing.address.partition(":")[2]
    head = {"type": "digest", "timestamp": to_text(outgoing.date), "reader": name}
    data = json.dumps(head).encode()[:-1] + b', "data": ' + outgoing.pieces[0] + b"}"
    return Message(sender="", recipient=outgoing.address, message_id=outgoing.message_id, data=data)


def key_of(secret: str) -> bytes:
    """The key that a secret is the text of: `whsec_`, or nothing, and base64 of 24 to 64 bytes.

    Raises ValueError.
    """
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("it is no base64") from None
    if not 24 <= len(key) <= 64:
        raise ValueError("it holds no 24 to 64 bytes")
    return key


def signed(message: Message, secret: str, now: datetime) -> dict[str, str]:
    """The three headers of Standard Webhooks. The id is made of the Message-ID, so it is the same
    at each attempt. Raises ValueError where the secret is none.
    """
    unique = f"msg_{hashlib.sha256(message.message_id.encode()).hexdigest()[:32]}"
    stamp = str(int(now.timestamp()))
    said = f"{unique}.{stamp}.".encode() + message.data
    code = base64.b64encode(hmac.digest(key_of(secret), said, "sha256")).decode()
    return {
        "webhook-id": unique,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{code}",
    }


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether everybody's packets reach the same machine there; an IPv6 address that carries an
    IPv4 one is judged by that.
    """
    if isinstance(address, IPv6Address):
        within = IPv4Address(address.packed[-4:]) if address in _NAT64 else None
        if inner := address.ipv4_mapped or address.sixtofour or within:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def read_url(url: str) -> SplitResult:
    """The parts of a webhook's URL. Raises ValueError, with nothing of the URL in its words."""
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("a URL is printable ASCII without blanks")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        # Its own words repeat a part of the URL.
        raise ValueError("its host or port cannot be read") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("a webhook begins with https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a webhook has no login in its URL: the signature tells who sends")
    return parts


class WebhookTransport:
    """Posts messages to the readers' URLs, straight and never through a proxy: the address that was
    looked at is the one that is connected to. No redirect is followed.

    `private`: URLs may lead to this machine and its network, there also by plain http.
    """

    width = WIDTH
    description = "webhooks"

    def __init__(
        self, targets: Targets, *, private: bool = False, clock: Callable[[], datetime]
    ) -> None:
        self._targets = targets
        self._private = private
        self._clock = clock

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        """Post one message. What goes wrong is this reader's trouble alone."""
        try:
            target = self._targets.of(message.recipient)
            url, headers = self._read(target, message)
            reader, writer = await self._connected(url)
        except EndedError as ended:
            return ended.receipt
        try:
            before_data()
            async with asyncio.timeout(ANSWER):
                writer.write(_request(url, headers, message.data))
                await writer.drain()
                status, answer = await _answer(reader)
        except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError) as error:
            # EOFError: the connection was closed within the answer.
            return Receipt(Outcome.UNKNOWN, f"the connection broke ({type(error).__name__})")
        except (HTTPException, ValueError):
            return Receipt(Outcome.UNKNOWN, "the answer cannot be read")
        finally:
            await _close(writer)
        return _receipt(status, answer, self._clock())

    async def examine(self, address: str) -> Receipt:
        """Whether a reader's URL can be connected to; nothing is sent, so what it says to a digest
        stays unknown.
        """
        try:
            url, _ = self._read(self._targets.of(address), Message("", address, "<>", b""))
        except EndedError as ended:
            return replace(ended.receipt, permanent=True)
        try:
            _, writer = await self._connected(url)
        except EndedError as ended:
            return ended.receipt
        await _close(writer)
        return Receipt(Outcome.SENT, "can be connected to; nothing was sent")

    async def close(self) -> None:
        """Nothing to let go: each message has a connection of its own."""

    def _read(self, target: Target, message: Message) -> tuple[SplitResult, dict[str, str]]:
        """The parts of a URL, and the headers that sign. Raises EndedError."""
        try:
            url = read_url(target.url)
        except ValueError as error:
            raise not_now(f"its URL is wrong: {error}") from None
        try:
            return url, signed(message, target.secret, self._clock())
        except ValueError as error:
            raise not_now(f"its secret is wrong: {error}") from None

    async def _connected(
        self, url: SplitResult
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the first of the host's permitted addresses that answers. Raises
        EndedError.
        """
        port = url.port or (443 if url.scheme == "https" else 80)
        tls = ssl.create_default_context() if url.scheme == "https" else None
        host, why = url.hostname or "", "no answer"
        try:
            async with asyncio.timeout(CONNECT):
                for place in await self._addresses(host, port, plain=tls is None):
                    try:
                        return await asyncio.open_connection(
                            place, port, ssl=tls, server_hostname=host if tls else None
                        )
                    except ssl.SSLError as error:
                        why = _tls_words(error)
                    except OSError as error:
                        why = type(error).__name__
        except TimeoutError:
            pass
        raise not_now(f"it could not be connected to ({why})")

    async def _addresses(self, host: str, port: int, *, plain: bool) -> list[str]:
        """The addresses of a host to which a message may go. Raises EndedError."""
        places = await _resolved(host, port)
        # The zone of a link-local address stands behind a %.
        public = [place for place in places if is_public(ip_address(place.partition("%")[0]))]
        if plain and (public or not self._private):
            raise not_now("its URL begins with http://, and only https:// is safe on the way")
        if not public and not self._private:
            raise not_now(_WITHIN)
        return places if self._private else public


async def _resolved(host: str, port: int) -> list[str]:
    """All addresses of a host, each once. Raises EndedError where it has none."""
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise not_now("its host has no address") from None
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    # Whoever does not answer a TLS connection's end is not waited for.
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(CLOSE):
            await writer.wait_closed()


def _tls_words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not valid for it"
    return "no TLS"


def _request(url: SplitResult, headers: dict[str, str], body: bytes) -> bytes:
    """The whole question (RFC 9112)."""
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    host = url.netloc
    lines = {
        "Host": host,
        "User-Agent": f"arxiv-digest/{__version__}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode("ascii") + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, HTTPMessage]:
    """The status and the headers of the final answer; the rest is nobody's to read. Raises
    ValueError where it is no HTTP.
    """
    while True:
        head = io.BytesIO(await reader.readuntil(b"\r\n\r\n"))
        version, _, rest = head.readline(LONGEST_HEAD).partition(b" ")
        status = int(rest[:3])
        if not version.startswith(b"HTTP/1."):
            raise ValueError("no HTTP")
        headers = parse_headers(head)
        if status >= 200:
            return status, headers


def _receipt(status: int, headers: HTTPMessage, now: datetime) -> Receipt:
    """What an answer means. Of its words only the status is kept: a receiver may repeat the URL."""
    known = status in HTTPStatus._value2member_map_
    said = f"{status} {HTTPStatus(status).phrase}" if known else str(status)
    if 200 <= status < 300:
        return Receipt(Outcome.SENT, said)
    if status >= 500 or status in FOR_A_TIME:
        return Receipt(Outcome.DEFERRED, said, rest=_rest(headers.get("retry-after", ""), now))
    if status < 400:
        return Receipt(Outcome.FAILED, f"{said}: no redirect is followed, write where it leads")
    return Receipt(Outcome.FAILED, f"{said}: look whether URL and secret are still right")


def _rest(after: str, now: datetime) -> timedelta | None:
    """For how long a receiver asks to be left alone, in seconds or by a date (RFC 9110, 10.2.3)."""
    if after.isdecimal() and len(after) < 10:
        return min(timedelta(seconds=int(after)), LONGEST_REST)
    try:
        wait = parsedate_to_datetime(after) - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, timedelta()), LONGEST_REST)
