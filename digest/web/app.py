"""One page: a POST to a reader's own link unsubscribes at once, a GET shows a button and changes
nothing.

RFC 8058: mail services send the POST themselves, in either form encoding, and follow no redirect;
programs that only look for viruses follow links by GET. The token in the path is all that counts,
so the body is not read.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from digest.errors import TryLaterError
from digest.web.pages import BUSY, GONE, UNKNOWN, ask, page

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
"""The address of the page is a secret: it is kept out of caches, indexes, frames and other sites'
logs."""


def make_app(
    known: Callable[[str], bool], leave: Callable[[str], bool], *, prefix: str = ""
) -> Starlette:
    """The web application. `known` tells whether a token is genuine, `leave` unsubscribes its
    reader if it is.

    `prefix` is the path of the web side in its public address; it may be there or be taken off by
    the server in front.
    """

    async def link(request: Request) -> Response:
        token = request.path_params["token"]
        try:
            if request.method == "POST":
                return _answer(GONE, 200) if leave(token) else _answer(UNKNOWN, 404)
            return _answer(ask(), 200) if known(token) else _answer(UNKNOWN, 404)
        except TryLaterError:
            response = _answer(BUSY, 503)
            response.headers["Retry-After"] = "30"
            return response

    async def nothing(_request: Request, _error: Exception) -> Response:
        return _answer(UNKNOWN, 404)

    paths = dict.fromkeys([f"{prefix}/u/{{token}}", "/u/{token}"])
    routes = [Route(path, link, methods=["GET", "POST"]) for path in paths]
    return Starlette(routes=routes, exception_handlers={404: nothing})


def _answer(content: str, status: int) -> Response:
    return HTMLResponse(page(content), status_code=status, headers=HEADERS)
