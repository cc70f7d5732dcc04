"""Answers who searches the archive, and keeps its index up."""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from digest.errors import DigestError, QueryError, TryLaterError
from digest.keywords.grammar import MAX_LENGTH, Node, read_search
from digest.rules.verdict import read_paper_name
from digest.store import Store
from digest.web.answers import RETRY_AFTER, SAFE
from digest.web.archive_pages import ENDINGS, ArchivePages, Found
from digest.web.database_thread import DatabaseThread
from digest.web.finding import PATH, listing_of
from digest.web.pages import Pages
from digest.web.public import Public, PublicFile
from digest.web.wanted import Fault, fault_of

log = logging.getLogger(__name__)

ADDRESSES = {f"{PATH}{ending}": ending for ending in ENDINGS}
HEADERS = SAFE | {"Cache-Control": "public, max-age=60", "X-Robots-Tag": "noindex"}
PATIENCE = 1.0
"""Seconds for which a search waits for its index to take in what has just come."""
PAUSE = 0.05
"""Seconds between two of its steps, in which others can write."""
OFTEN = 60.0
"""Seconds after which the server looks whether anything has come that is not in the index."""
COUNTED = 20
"""Steps after which it is counted how far they came, which takes as long as one of them at most."""
NOT_READY = "The search is being made ready{}. Please try again in a minute."
SO_FAR = ": so far {} % of what came here is in its index"
TOO_MUCH = (
    "This search takes longer than a page may. Please name a rarer word, or try again in a minute."
)


class Search:
    """Answers searches, on a thread with a database of its own: no page waits for them."""

    def __init__(self, pages: Pages, database: DatabaseThread) -> None:
        self._pages, self._database = pages, database
        self._public = Public()
        self._state: object = None
        self._began, self._steps, self._so_far = 0.0, 0, ""
        self._work: asyncio.Task[bool] | None = None

    async def answer(self, request: Request, public: Public, ending: str) -> Response:
        """What matches; where a paper is named by its id, the way to its page."""
        text = request.query_params.get("q", "").strip()
        before = request.query_params.get("before", "")
        if name := read_paper_name(text):
            return Response(status_code=303, headers=SAFE | {"Location": f"paper/{name.id}.html"})
        if not text:
            return self._said(text)
        try:
            node = read_search(text)
        except QueryError as error:
            return self._said(text[:MAX_LENGTH], 400, fault=fault_of(error))
        if not await self._is_ready(public):
            return self._said(text, 503, words=NOT_READY.format(self._so_far))
        try:
            found = await self._database.do(
                lambda store: self._found(store, public, text, node, before, ending)
            )
        except TryLaterError:
            return self._said(text, 503, words=TOO_MUCH)
        return Response(found.content, media_type=found.media, headers=HEADERS)

    def _found(
        self, store: Store, public: Public, text: str, node: Node, before: str, ending: str
    ) -> Found:
        listing = listing_of(store, public, text, node, before)
        return ArchivePages(self._pages, public).content(listing, ending)

    def _said(
        self, text: str, status: int = 200, *, words: str = "", fault: Fault | None = None
    ) -> Response:
        content = self._pages.page("search.html", text=text, words=words, fault=fault, root=".")
        headers = HEADERS | ({"Retry-After": str(RETRY_AFTER)} if status == 503 else {})
        return HTMLResponse(content, status, headers)

    async def _is_ready(self, public: Public) -> bool:
        """Whether the index holds what is public now; what takes long is not waited for."""
        # Another request may begin anew before this one goes on.
        work = self.keep_up(public)
        left = self._began + PATIENCE - time.monotonic()
        done, _ = await asyncio.wait([work], timeout=max(left, 0))
        return bool(done) and work.result()

    async def follow(self, file: PublicFile) -> None:
        """Keep the index up, whether anybody searches or not: a large one takes minutes."""
        while True:
            if (public := await file.now()).keywords:
                await self.keep_up(public)
            await asyncio.sleep(OFTEN)

    def keep_up(self, public: Public) -> asyncio.Task[bool]:
        """The work that brings the index up to what is public; it begins where none is done."""
        self._public = public
        if self._work is None or self._work.done():
            self._began, self._steps, self._so_far = time.monotonic(), 0, ""
            self._work = asyncio.create_task(self._bring_up())
        return self._work

    async def _bring_up(self) -> bool:
        """Whether the index was brought up to what is public."""
        try:
            more = True
            while more:
                more = await self._database.do(self._step)
                await asyncio.sleep(PAUSE if more else 0)
        except DigestError as error:
            log.warning("the index of the search is not up to date: %s", error)
            return False
        return True

    def _step(self, store: Store) -> bool:
        """Do one step; false where nothing was left to do."""
        state = store.archive.changes(), store.archive.head(), self._public
        if state == self._state:
            return False
        if store.search.step(self._public.queries):
            if self._steps % COUNTED == 0:
                self._so_far = SO_FAR.format(int(100 * store.search.share()))
            self._steps += 1
            return True
        self._state = state
        return False
