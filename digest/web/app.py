"""The web application: all routes, and what each of them works with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from digest.errors import DigestError
from digest.mail.reader_tokens import Signer
from digest.setup.mail import make_signer
from digest.setup.parts import machine_now
from digest.setup.settings import Settings
from digest.store import Store
from digest.web.answers import SAFE, Errors, error_page
from digest.web.archive import Archive
from digest.web.choices import Choices
from digest.web.counts import Counts
from digest.web.database_thread import DatabaseThread
from digest.web.gateway import Gateway
from digest.web.leaving import Leaving
from digest.web.letters import Letters
from digest.web.liking import Liking
from digest.web.pages import Pages
from digest.web.private_pages import PrivatePages
from digest.web.public import PublicFile
from digest.web.questions import Questions
from digest.web.readers import Readers
from digest.web.search import Search
from digest.web.signing_up import SigningUp
from digest.web.told import Told, legal_routes
from digest.web.undoing import Undoing

log = logging.getLogger(__name__)

FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


@dataclass(frozen=True, slots=True)
class Site:
    """What the routes work with: a thread with the database for what readers do, one for what
    people read, and one of the search's own, so that none waits for another.
    """

    settings: Settings
    pages: Pages
    signer: Signer
    database: DatabaseThread
    reading: DatabaseThread
    search: Search
    file: PublicFile
    readers: Readers
    clock: Callable[[], datetime] = machine_now


@contextmanager
def open_site(settings: Settings, store: Store) -> Iterator[Site]:
    """What the application works with in an installation: threads of its own end with it."""
    prefix = urlsplit(settings.base_url).path
    pages = Pages(prefix, settings.templates, signup=settings.signup)
    signer, file = make_signer(store, settings.secret), PublicFile(settings)
    file.look()
    with (
        closing(DatabaseThread(settings.db)) as database,
        closing(DatabaseThread(settings.db)) as reading,
        closing(DatabaseThread(settings.db)) as searching,
    ):
        search = Search(pages, searching)
        readers = Readers(settings)
        yield Site(settings, pages, signer, database, reading, search, file, readers)


async def prepare(site: Site) -> None:
    """Do before anybody asks what takes long the first time, and keep the search's index up."""
    await site.readers.begin()
    await site.search.follow(site.file)


def make_app(site: Site) -> Gateway:
    """The application. Each request passes the gateway first."""
    app = Starlette(
        routes=[
            *_common(site),
            *PrivatePages(
                site.pages, site.reading, site.signer, site.file, site.settings.base_url
            ).routes,
            *Leaving(site.pages, site.database, site.signer, site.clock).routes,
            *Liking(site.pages, site.database, site.signer, site.clock).routes,
            *_for_readers(site),
            *legal_routes(site.pages),
        ],
        exception_handlers=Errors(site.pages).handlers,  # type: ignore[arg-type]
    )
    # It would lead to whatever host the request names.
    app.router.redirect_slashes = False
    address = site.settings.base_url
    app.router.default = Archive(site.pages, site.reading, site.file, address, site.search)
    return Gateway(
        Told(app, site.pages, site.database, site.clock),
        prefix=site.pages.prefix,
        trusted=site.settings.proxies,
        # What is left of the body is not waited for.
        refuse=lambda: error_page(site.pages, 413, {"Connection": "close"}),
    )


def _for_readers(site: Site) -> Iterator[Route]:
    """Where people sign up, change what comes, and follow the links that they asked for."""
    readers, counts = site.readers, Counts(Questions() if site.settings.signup else None)
    pages, database, signer, clock = site.pages, site.database, site.signer, site.clock
    yield from Choices(pages, database, signer, clock, readers, counts).routes
    yield from Undoing(pages, database, signer, clock, readers).routes
    yield from Letters(site.settings, pages, database, signer, clock, readers).routes
    yield from SigningUp(site.settings, pages, database, signer, clock, readers, counts).routes


def _common(site: Site) -> list[Route]:
    """What stands beside all pages: their style, and whether all is well, without details."""

    async def style(_request: Request) -> Response:
        return Response(site.pages.style, media_type="text/css", headers=SAFE | FOR_EVER)

    async def health(_request: Request) -> Response:
        status, headers = "ok", SAFE | {"Cache-Control": "no-store"}
        try:
            await site.database.do(lambda store: store.runs.latest())
        except DigestError as error:
            log.warning("%s", error)
            status = "unavailable"
        return JSONResponse({"status": status}, 200 if status == "ok" else 503, headers)

    return [Route(f"/{site.pages.style_name}", style), Route("/healthz", health)]
