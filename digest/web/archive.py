"""Answers whoever reads back: the archive's pages, files for reference managers, and feeds."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from digest.rules.verdict import read_paper_name
from digest.store import Store
from digest.web.answers import SAFE, error_page
from digest.web.archive_pages import ArchivePages, Found
from digest.web.database_thread import DatabaseThread
from digest.web.listings import Listings
from digest.web.pages import Pages
from digest.web.public import Public, PublicFile

MOST_KEPT = 200
"""Pages that are kept, made, until something is written into the database."""
NOT_HERE = (
    "None of the keywords that are public here has brought this paper. It may be on arXiv all the"
    " same: they are matched with title, abstract and authors, and from the day on since which they"
    " are asked for."
)
NO_ID = "That is no id of arXiv's, which are written as 2611.01234 or hep-th/9901001."
FRESH = {"Cache-Control": "public, max-age=60"}


class Archive:
    """Answers for all public pages; with a database of its own, so that no reader's deed waits for
    them.
    """

    def __init__(
        self, pages: Pages, database: DatabaseThread, file: PublicFile, address: str
    ) -> None:
        self._pages, self._database, self._file, self._address = pages, database, file, address
        self._kept: OrderedDict[str, Found | None] = OrderedDict()
        self._state: tuple[str, Public, str] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer where no other route does (ASGI)."""
        response = await self.answer(Request(scope, receive))
        await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """A page. Raises HTTPException where there is none, TryLaterError where the database is
        busy.
        """
        public, path = await self._file.now(), request.scope["path"].removeprefix("/")
        if not public.keywords:
            raise HTTPException(404)
        if path == "find":
            return self._to_paper(request.query_params.get("id", ""))
        found = await self._database.do(lambda store: self._find(store, public, path))
        if found is None:
            words = NOT_HERE if path.startswith("paper/") else ""
            return error_page(self._pages, 404, words=words, archive=True)
        if request.method not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        return conditional(request, found)

    def _to_paper(self, text: str) -> Response:
        """The way to the page of a paper that is asked for, by its id or its address on arXiv."""
        name = read_paper_name(text)
        if name is None:
            return error_page(self._pages, 404, words=NO_ID, archive=True)
        return Response(status_code=303, headers=SAFE | {"Location": f"paper/{name.id}.html"})

    def _find(self, store: Store, public: Public, path: str) -> Found | None:
        state = store.archive.state(), public, self._pages.notice
        if state != self._state:
            self._kept.clear()
            self._state = state
        if path not in self._kept:
            pages_of_archive = ArchivePages(self._pages, public, address=self._address)
            found = pages_of_archive.find(Listings(store, public), path)
            if found is None:
                return None
            self._kept[path] = found
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(path)
        return self._kept[path]


def conditional(request: Request, found: Found, headers: dict[str, str] = FRESH) -> Response:
    """The answer with what was found, or 304 (RFC 9110 section 13) where who asks has it."""
    content = found.text.encode()
    tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
    own = SAFE | headers | {"ETag": tag}
    if found.modified:
        own["Last-Modified"] = format_datetime(found.modified, usegmt=True)
    if _has_it(request, found, tag):
        return Response(status_code=304, headers=own)
    return Response(content, media_type=found.media, headers=own)


def _has_it(request: Request, found: Found, tag: str) -> bool:
    named = request.headers.get("if-none-match")
    if named is not None:
        tags = {each.strip().removeprefix("W/") for each in named.split(",")}
        return bool(tags & {tag, "*"})
    since = request.headers.get("if-modified-since")
    if since is None or found.modified is None:
        return False
    try:
        return found.modified <= parsedate_to_datetime(since)
    except (ValueError, TypeError):
        return False
