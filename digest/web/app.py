"""One page: a POST to a reader's own link unsubscribes at once, a GET shows a button and changes
nothing.

RFC 8058: mail services send the POST themselves, in either form encoding, and follow no redirect;
programs that only look for viruses follow links by GET. The token in the path is all that counts;
the body is only looked at for the page's own buttons, since a press can be undone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from digest.errors import DigestError
from digest.model import Standing
from digest.web.pages import BUSY, FIELD, GONE, PAGES, UNKNOWN, Deed, page

log = logging.getLogger(__name__)

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self';"
        " frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
"""The address of the page is a secret: it is kept out of caches, indexes, frames and other sites'
logs."""

LONGEST_FORM = 100
"""Octets that the form of a button can have."""
SECONDS = 5.0
"""How long the rest of a form is waited for."""


def make_app(
    act: Callable[[Deed, str], Awaitable[Standing | None]], *, prefix: str = ""
) -> Starlette:
    """The web application. `act` does a deed to the reader whose token it is given, and tells how
    that reader stands afterwards; None where the token is nobody's.

    `prefix` is the path of the web side in its public address; it may be there or be taken off by
    the server in front.
    """

    async def link(request: Request) -> Response:
        token = request.path_params["token"]
        try:
            deed = await _deed(request)
            standing = await act(deed, token)
        except DigestError as error:
            log.warning("%s", error)
            return _page(BUSY, 503, {"Retry-After": "30"})
        if standing is None:
            return _page(UNKNOWN, 404)
        return _page(PAGES.get((deed, standing), GONE))

    async def refused(_request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            return _page(BUSY, 500)
        return _page(UNKNOWN, error.status_code, error.headers)

    # The server in front may pass the public path on, or take its beginning off.
    paths = dict.fromkeys([f"{prefix}/u/{{token}}", "/u/{token}"])
    routes = [Route(path, link, methods=["GET", "POST"]) for path in paths]
    app = Starlette(routes=routes, exception_handlers={HTTPException: refused, Exception: refused})
    # It would lead to whatever host the request names.
    app.router.redirect_slashes = False
    return app


async def _deed(request: Request) -> Deed:
    """What a request asks for. Raises HTTPException where a form does not come."""
    # Programs that look for viruses follow links: a GET changes nothing.
    if request.method != "POST":
        return Deed.LOOK
    if not request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        return Deed.ONE_CLICK
    form = b""
    try:
        async with asyncio.timeout(SECONDS):
            async for chunk in request.stream():
                form += chunk
                if len(form) > LONGEST_FORM:
                    break
    except (ClientDisconnect, TimeoutError) as error:
        raise HTTPException(408) from error
    pressed = parse_qs(form.decode("latin-1")).get(FIELD, [""])[0]
    return Deed(pressed) if pressed in (Deed.LEAVE, Deed.UNDO) else Deed.ONE_CLICK


def _page(content: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return HTMLResponse(page(content), status_code=status, headers=HEADERS | dict(headers or {}))
