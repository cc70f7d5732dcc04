"""What a reader reads at addresses that nobody can guess: a digest as it was mailed, and a feed of
all that is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest.mail.reader_tokens import Purpose, Signer, claimed_number
from digest.model import Digest, Item, Kind
from digest.rendering.export import file_name, records_of
from digest.rendering.value import decode
from digest.store import Store
from digest.store.ageing import KEPT
from digest.web.answers import HEADERS, error_page, secret_page
from digest.web.archive import conditional
from digest.web.archive_pages import EXPORTS, Found, digest_page, feed_content, taken_along
from digest.web.database_thread import DatabaseThread
from digest.web.listings import IN_FEED, Feed
from digest.web.pages import Pages
from digest.web.public import PublicFile

OWN = {"Cache-Control": "private, max-age=300", "X-Robots-Tag": "noindex"}
GONE = (
    f"A digest can be read here for {KEPT.days} days after it was mailed. The mail stays yours, and"
    " each paper in it leads to arXiv."
)
IN_ARCHIVE = " What came to public keywords stands under the links above, by day and by keyword."


class PrivatePages:
    """Answers readers' own addresses: none of them names a reader, and what cannot be guessed is
    public to whom it is given.
    """

    def __init__(
        self,
        pages: Pages,
        database: DatabaseThread,
        signer: Signer,
        file: PublicFile,
        address: str,
    ) -> None:
        self._pages, self._database, self._signer = pages, database, signer
        self._file, self._address = file, address

    @property
    def routes(self) -> list[Route]:
        """Where it answers."""
        return [
            *(Route(f"/d/{{token}}{ending}", self.papers, name=ending) for ending in EXPORTS),
            Route("/d/{token}", self.digest),
            Route("/reader/{token}.atom", self.feed),
        ]

    async def digest(self, request: Request) -> Response:
        """The digest behind "View in browser", its papers as they are known now."""
        token = request.path_params["token"]
        return await self._answer(
            token,
            lambda digest: secret_page(
                digest_page(self._pages, "view.html", digest, token=token.lower())
            ),
        )

    async def papers(self, request: Request) -> Response:
        """The papers of that digest, for reference managers."""
        ending = PurePath(request.url.path).suffix
        return await self._answer(
            request.path_params["token"], lambda digest: _file_of(digest, ending)
        )

    async def _answer(self, token: str, make: Callable[[Digest], Response]) -> Response:
        """What is made of the digest that a token stands for, in the thread of the database."""
        content = self._signer.number(Purpose.VIEW, token)
        if content is None:
            raise HTTPException(404)

        def made(store: Store) -> Response | None:
            kept = store.archive.content(content)
            return make(decode(kept.digest, kept.papers)) if kept else None

        answer = await self._database.do(made)
        if answer is None:
            public = await self._file.now()
            way = IN_ARCHIVE if public.keywords else ""
            return error_page(self._pages, 410, words=GONE + way, archive=bool(public.keywords))
        return answer

    async def feed(self, request: Request) -> Response:
        """All that one reader is mailed, as a feed."""
        token = request.path_params["token"]
        found = await self._database.do(lambda store: self._feed(store, token))
        if found is None:
            raise HTTPException(404)
        return conditional(request, found, OWN)

    def _feed(self, store: Store, token: str) -> Found | None:
        reader = claimed_number(token)
        if reader is None or store.inbox.address_of(reader) is None:
            return None
        if not self._signer.is_own(Purpose.FEED, token, store.letters.links(reader)):
            return None
        rows = store.archive.mailed(reader, IN_FEED)
        papers = store.archive.papers([row.paper for row in rows])
        items = {
            row.paper: Item(papers[row.paper], Kind.REVISED if row.revised else Kind.NEW, ())
            for row in rows
        }
        subtitle = "The papers of one reader's digests"
        own = Feed(f"reader/{token}", "My arXiv digest", subtitle, list(items.values()), store.uuid)
        return feed_content(self._address, own)


def _file_of(digest: Digest, ending: str) -> Response:
    """The papers of a digest as the file with this ending."""
    found = taken_along(ending, records_of(digest))
    named = {"Content-Disposition": f'attachment; filename="{file_name(digest, ending)}"'}
    return Response(found.content, media_type=found.media, headers=HEADERS | named)
