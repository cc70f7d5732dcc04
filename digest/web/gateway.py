"""What is looked at before a request is answered: its length, and whom it comes from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any, TypeAlias

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

Network: TypeAlias = IPv4Network | IPv6Network
Application: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

LONGEST_BODY = 1_000_000
"""Octets of a request's body; the longest form is a small part of it, and what mail services post
to leave is not read at all."""
MOST_HOPS = 20
"""Servers that a request is believed to have come through."""
_FORWARDED = re.compile(r"(?:^|[;,])\s*for=(?:\"([^\"]*)\"|([^;,\s]*))", re.IGNORECASE)


class Gateway:
    """Stands before an application: refuses bodies that are too long before they come, puts the
    client's address in the place of the server's in front, and takes off the path under which all
    is.

    `trusted` are the networks of those servers: of nobody else it is believed for whom a request
    is forwarded.
    """

    def __init__(
        self,
        application: Application,
        *,
        prefix: str,
        trusted: Sequence[Network],
        refuse: Callable[[], Response],
    ) -> None:
        self._application, self._prefix = application, prefix
        self._trusted, self._refuse = trusted, refuse
        self.answers: Counter[str] = Counter()
        """How many answers were sent, by the class of their status."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request (ASGI)."""

        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.answers[f"{message['status'] // 100}xx"] += 1
            await send(message)

        if scope["type"] == "http":
            headers = Headers(scope=scope)
            scope["path"] = self._below(scope["path"])
            if client := scope.get("client"):
                scope["client"] = (client_of(client[0], headers, self._trusted), client[1])
            if _length(headers) > LONGEST_BODY:
                await self._refuse()(scope, receive, counted)
                return
        await self._application(scope, receive, counted)

    def _below(self, path: str) -> str:
        # The server in front may pass the public path on, or take its beginning off.
        begins = self._prefix and path.startswith(f"{self._prefix}/")
        return path[len(self._prefix) :] if begins else path


def _length(headers: Mapping[str, str]) -> int:
    """How long a request says that its body is; one in pieces is counted as it is read."""
    written = headers.get("content-length", "")
    # HTTP's parser has refused what is no number.
    return int(written) if written.isdecimal() else 0


def client_of(peer: str, headers: Headers, trusted: Sequence[Network]) -> str:
    """The address that a request comes from: the peer's, or, as long as who forwarded it is
    trusted, the one that is named (Forwarded, RFC 7239; else X-Forwarded-For), from the last on.
    """
    named = [*_forwarded_for(headers)][-MOST_HOPS:]
    address = peer
    while named and is_within(address, trusted):
        found = _address(named.pop())
        if found is None:
            break
        address = str(found)
    return address


def place_of(request: Request) -> str:
    """The network that a request comes from, shortened so that it names nobody: of IPv4 the first
    24 bits, of IPv6 the first 48.
    """
    found = _address(request.client.host) if request.client else None
    if found is None:
        return "unknown"
    return str(ip_network((found, 24 if found.version == 4 else 48), strict=False))


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address lies in one of the networks."""
    found = _address(address)
    return found is not None and any(found in network for network in networks)


def _forwarded_for(headers: Headers) -> Iterator[str]:
    if standard := headers.getlist("forwarded"):
        for quoted, plain in _FORWARDED.findall(",".join(standard)):
            yield quoted or plain
        return
    for line in headers.getlist("x-forwarded-for"):
        yield from line.split(",")


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address, with a port or without; None for a name that hides one."""
    text = text.strip()
    with_port = re.fullmatch(r"\[([^\]]+)\](?::\d+)?|([\d.]+):\d+", text)
    with suppress(ValueError):
        found = ip_address((with_port[1] or with_port[2]) if with_port else text)
        return getattr(found, "ipv4_mapped", None) or found
    return None
