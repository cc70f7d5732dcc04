"""The links beside the papers of a mail: a GET shows a button, a press of it says that the reader
wants more like this, and for as long as the link works it can be taken back.

Programs that look for viruses follow links by GET, and some press the button of what they find:
then a like is there that nobody meant, and the reader can take it back. No other POST likes
anything.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest.mail.reader_tokens import Signer
from digest.rendering.texts import readable
from digest.run.likes import choose
from digest.store import Store
from digest.web.answers import secret_page, unknown_link
from digest.web.database_thread import DatabaseThread
from digest.web.forms import read_form
from digest.web.leaving import FIELD, LONGEST_FORM
from digest.web.pages import Pages

log = logging.getLogger(__name__)

_NUMBER = re.compile("[0-9]{1,4}")


class Deed(StrEnum):
    """What is done with a link: looking at it, or a press of one of the page's own buttons."""

    LOOK = "look"
    LIKE = "like"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Liked:
    """The title of a paper that stands in a reader's mail, and whether that reader likes it."""

    title: str
    likes: bool


class Liking:
    """Answers the links beside papers."""

    def __init__(
        self, pages: Pages, database: DatabaseThread, signer: Signer, clock: Callable[[], datetime]
    ) -> None:
        self._pages, self._database, self._signer, self._clock = pages, database, signer, clock

    @property
    def routes(self) -> list[Route]:
        """Where it answers."""
        return [Route("/u/{token}/{number}", self.answer, methods=["GET", "POST"])]

    async def answer(self, request: Request) -> Response:
        """Do what a request asks for, and show whether the paper is liked then. Raises
        TryLaterError where the database is busy.
        """
        deed = await _deed(request)
        token, number = request.path_params["token"], request.path_params["number"]
        liked = None
        if _NUMBER.fullmatch(number):
            liked = await self._database.do(lambda store: self._do(store, deed, token, int(number)))
        if liked is None:
            return unknown_link(self._pages, "like.html")
        shown = "noted" if liked.likes else "taken back" if deed is Deed.UNDO else "question"
        return secret_page(
            self._pages.page("like.html", shown=shown, title=liked.title, field=FIELD)
        )

    def _do(self, store: Store, deed: Deed, token: str, number: int) -> Liked | None:
        chosen = choose(store, self._signer, token, [number])
        if chosen is None or not chosen.papers or store.naming.mark:
            return None
        (paper,) = chosen.papers
        if deed is Deed.LIKE:
            store.preferences.like(chosen.reader, paper, self._clock())
        elif deed is Deed.UNDO:
            store.preferences.unlike(chosen.reader, paper)
        likes = paper in store.preferences.liked(chosen.reader)
        if deed is not Deed.LOOK:
            address = store.inbox.address_of(chosen.reader)
            log.info("%s %s %s", address, "likes" if likes else "no longer likes", paper)
        known = store.history.paper(paper)
        return Liked((readable(known.title) if known else "") or paper, likes)


async def _deed(request: Request) -> Deed:
    """What a request asks for. Raises HTTPException where a form does not come."""
    if request.method != "POST":
        return Deed.LOOK
    pressed = (await read_form(request, longest=LONGEST_FORM)).get(FIELD, "")
    return Deed(pressed) if pressed in list(Deed) else Deed.LOOK
