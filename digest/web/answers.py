"""What is sent back: pages with the headers that keep them harmless, and errors as pages."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from digest.errors import DigestError, TryLaterError
from digest.web.pages import Pages

log = logging.getLogger(__name__)

SAFE = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self';"
        " frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""The headers of every answer: no script, nothing of anybody else's, no frame around it."""
HEADERS = SAFE | {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}
"""Those of a page whose address is a secret: it is kept out of caches, indexes, and other sites'
logs."""
RETRY_AFTER = 30
"""Seconds after which a database that was locked is worth another try."""
WORDS = {
    404: (
        "There is no such page",
        "Was the address copied whole? The page may also have gone, or not be public.",
    ),
    405: ("That cannot be done here", "The page is there, but not for this kind of request."),
    408: ("The rest did not come", "The request ended before its end. Please try again."),
    410: ("This digest is no longer kept", "It was here for a while."),
    413: ("That is too much", "The request is longer than anything that is wanted here."),
    503: ("Not now", "The database is busy. Please try again in a minute."),
}
"""What a page says of an error: a heading, and a sentence."""


def secret_page(content: str, status: int = 200) -> Response:
    """The answer at an address that only its reader knows."""
    return HTMLResponse(content, status_code=status, headers=HEADERS)


def unknown_link(pages: Pages, template: str = "leave.html") -> Response:
    """The answer to a link that leads nowhere, in the words of the page behind such links."""
    log.info("a link that leads nowhere")
    return secret_page(pages.page(template, shown="unknown"), 404)


def error_page(
    pages: Pages,
    status: int,
    headers: Mapping[str, str] | None = None,
    words: str = "",
    title: str = "",
    *,
    archive: bool = False,
) -> Response:
    """An error as a page; `words` in the place of the usual sentence, under a `title` of their own.
    With the ways to the other pages where it stands among those of the `archive`.
    """
    heading, sentence = WORDS.get(status, ("This did not work", "Please try again."))
    content = pages.page(
        "error.html", heading=title or heading, sentence=words or sentence, archive=archive
    )
    return HTMLResponse(content, status_code=status, headers=HEADERS | dict(headers or {}))


class Errors:
    """Makes pages of what goes wrong in an answer."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def refused(self, _request: Request, error: Exception) -> Response:
        """A request that cannot be answered, as its status says."""
        if not isinstance(error, HTTPException):
            return error_page(self._pages, 500)
        words = error.detail if error.detail != HTTPException(error.status_code).detail else ""
        return error_page(self._pages, error.status_code, error.headers, words)

    async def failed(self, _request: Request, error: Exception) -> Response:
        """What the program itself could not do: the database is locked, gone or damaged."""
        (log.info if isinstance(error, TryLaterError) else log.warning)("%s", error)
        return error_page(self._pages, 503, {"Retry-After": str(RETRY_AFTER)})

    @property
    def handlers(self) -> dict[int | type[Exception], object]:
        """Them all, for Starlette."""
        return {
            HTTPException: self.refused,
            DigestError: self.failed,
            Exception: self.refused,
        }
