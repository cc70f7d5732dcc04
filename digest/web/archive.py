"""Answers whoever reads back: the archive's pages, files for reference managers, and feeds."""

from __future__ import annotations

import time
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
from digest.web.not_here import DID_NOT_COME, why_not
from digest.web.pages import Pages
from digest.web.public import Public, PublicFile
from digest.web.search import ADDRESSES, Search

KEPT = 3_000_000
"""Octets of pages that are kept, made, as long as they are current."""
LOOKED = 10.0
"""Seconds for which a page that is kept holds, whatever is written that brings no paper: a run that
mails writes many times a second."""
FRESH = {"Cache-Control": "public, max-age=60"}


class Archive:
    """Answers for all public pages; with a database of its own, so that no reader's deed waits for
    them.
    """

    def __init__(
        self,
        pages: Pages,
        database: DatabaseThread,
        file: PublicFile,
        address: str,
        search: Search,
    ) -> None:
        self._pages, self._database, self._file, self._address = pages, database, file, address
        self._kept, self._search = Kept(), search

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
        if request.method not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        if path in ADDRESSES:
            return await self._search.answer(request, public, ADDRESSES[path])
        found = await self._database.do(lambda store: self._find(store, public, path))
        if found is None:
            name = read_paper_name(path.removeprefix("paper/").removesuffix(".html"))
            if name is None or not path.startswith("paper/"):
                return error_page(self._pages, 404, archive=True)
            words = await self._database.do(lambda store: why_not(store, public, name))
            return error_page(self._pages, 404, words=words, title=DID_NOT_COME, archive=True)
        return conditional(request, found)

    def _find(self, store: Store, public: Public, path: str) -> Found | None:
        self._kept.look(store, public, self._pages.notice)
        found = self._kept.get(path)
        if found is None:
            pages_of_archive = ArchivePages(self._pages, public, address=self._address)
            found = pages_of_archive.find(Listings(store, public), path)
            if found is not None:
                self._kept.put(path, found)
        return found


class Kept:
    """Pages that were made: those that were asked for last."""

    def __init__(self) -> None:
        self._pages: OrderedDict[str, Found] = OrderedDict()
        self._octets, self._changes, self._looked = 0, 0, -LOOKED
        self._state: object = None

    def look(self, store: Store, public: Public, notice: str) -> None:
        """Let go of all where it may no longer be current: papers that came, what is public and the
        notice count at once, all else within LOOKED.
        """
        if time.monotonic() - self._looked >= LOOKED:
            self._changes, self._looked = store.archive.changes(), time.monotonic()
        state = self._changes, store.archive.head(), public, notice
        if state != self._state:
            self._pages.clear()
            self._octets, self._state = 0, state

    def get(self, path: str) -> Found | None:
        """What was made for a path, as long as it is kept."""
        if path in self._pages:
            self._pages.move_to_end(path)
        return self._pages.get(path)

    def put(self, path: str, found: Found) -> None:
        """Keep what was made for a path."""
        self._pages[path] = found
        self._octets += len(found.content)
        while self._octets > KEPT:
            _, gone = self._pages.popitem(last=False)
            self._octets -= len(gone.content)


def conditional(request: Request, found: Found, headers: dict[str, str] = FRESH) -> Response:
    """The answer with what was found, or 304 (RFC 9110 section 13) where who asks has it."""
    own = SAFE | headers | {"ETag": found.tag}
    if found.modified:
        own["Last-Modified"] = format_datetime(found.modified, usegmt=True)
    if _has_it(request, found):
        return Response(status_code=304, headers=own)
    return Response(found.content, media_type=found.media, headers=own)


def _has_it(request: Request, found: Found) -> bool:
    named = request.headers.get("if-none-match")
    if named is not None:
        tags = {each.strip().removeprefix("W/") for each in named.split(",")}
        return bool(tags & {found.tag, "*"})
    since = request.headers.get("if-modified-since")
    if since is None or found.modified is None:
        return False
    try:
        return found.modified <= parsedate_to_datetime(since)
    except (ValueError, TypeError):
        return False
