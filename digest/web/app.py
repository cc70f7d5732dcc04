"""One page: a POST to a reader's own link unsubscribes at once, a GET shows a button and changes
nothing.

RFC 8058: mail services send the POST themselves, in either form encoding, and follow no redirect;
programs that only look for viruses follow links by GET. The token in the path is all that counts,
so the body is not read.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from digest.errors import DigestError
from digest.web.pages import BUSY, GONE, QUESTION, UNKNOWN, page

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

Act = Callable[[str], Awaitable[bool]]


def make_app(known: Act, leave: Act, *, prefix: str = "") -> Starlette:
    """The web application. `known` tells whether a token is genuine, `leave` unsubscribes its
    reader if it is.

    `prefix` is the path of the web side in its public address; it may be there or be taken off by
    the server in front.
    """

    async def link(request: Request) -> Response:
        token = request.path_params["token"]
        try:
            if request.method == "POST":
                return _page(GONE) if await leave(token) else _page(UNKNOWN, 404)
            # Programs that look for viruses follow links: a GET changes nothing.
            return _page(QUESTION) if await known(token) else _page(UNKNOWN, 404)
        except DigestError as error:
            log.warning("%s", error)
            return _page(BUSY, 503, {"Retry-After": "30"})

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


def _page(content: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return HTMLResponse(page(content), status_code=status, headers=HEADERS | dict(headers or {}))
