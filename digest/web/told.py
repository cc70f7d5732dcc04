"""What all pages tell: the operator's notice, and the pages that the law wants of the operator."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from digest.errors import DigestError
from digest.web.answers import SAFE
from digest.web.database_thread import DatabaseThread
from digest.web.gateway import Application
from digest.web.pages import Pages

log = logging.getLogger(__name__)

OFTEN = timedelta(minutes=1)
"""How often the database is asked for the notice."""


class Told:
    """Stands before an application, and puts the notice that holds now on its pages."""

    def __init__(
        self,
        application: Application,
        pages: Pages,
        database: DatabaseThread,
        clock: Callable[[], datetime],
    ) -> None:
        self._application, self._pages, self._database = application, pages, database
        self._clock = clock
        self._looked: datetime | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request (ASGI)."""
        now = self._clock()
        if self._looked is None or abs(now - self._looked) >= OFTEN:
            self._looked = now
            # A database that is busy keeps no page back that needs none.
            try:
                self._pages.notice = await self._database.do(lambda store: store.notices.text(now))
            except DigestError as error:
                log.info("the notice was not looked up: %s", error)
        await self._application(scope, receive, send)


def legal_routes(pages: Pages) -> list[Route]:
    """The pages that the operator wrote: a folder without them has none."""

    def page_of(name: str) -> Callable[[Request], Response]:
        return lambda _request: HTMLResponse(pages.page(f"{name}.html"), headers=SAFE)

    return [Route(f"/{name}", page_of(name)) for name in pages.legal]
