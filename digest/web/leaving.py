"""The link by which a reader leaves: a POST to it unsubscribes at once, a GET shows a button and
changes nothing.

RFC 8058: mail services send the POST themselves, in either form encoding, and follow no redirect;
programs that only look for viruses follow links by GET. The token in the path is all that counts;
the body is only looked at for the page's own buttons. For some days the same link takes it back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest.mail.reader_tokens import Purpose, Signer
from digest.model import Standing
from digest.store import Store
from digest.store.suppressions import UNDO
from digest.web.answers import secret_page, unknown_link
from digest.web.database_thread import DatabaseThread
from digest.web.forms import read_form
from digest.web.pages import Pages

log = logging.getLogger(__name__)

LONGEST_FORM = 100
"""Octets that the form of a button can have."""
FIELD = "button"
"""The field of the page's own buttons, by which they differ from what mail services post."""
MEANT = "meant"
"""The box that is ticked by who returns later."""


class Deed(StrEnum):
    """What is done with a reader's link: looking at it, RFC 8058's one click, a press of one of the
    page's own buttons, `RETURN` by who also ticked that they mean it.
    """

    LOOK = "look"
    ONE_CLICK = "one click"
    LEAVE = "leave"
    UNDO = "undo"
    RETURN = "return"


# docs/decisions.md, "What a scanner's press undoes, and what it does not"
SHOWN = {
    (Deed.LOOK, Standing.READS): "question",
    (Deed.UNDO, Standing.READS): "back",
    (Deed.RETURN, Standing.READS): "back",
    (Deed.LEAVE, Standing.LEFT_JUST_NOW): "gone just now",
}
"""What is shown after a deed to whom it left so; to all others, that they are unsubscribed, and how
to return if they left lately."""


class Leaving:
    """Answers the links by which readers leave."""

    def __init__(
        self, pages: Pages, database: DatabaseThread, signer: Signer, clock: Callable[[], datetime]
    ) -> None:
        self._pages, self._database, self._signer, self._clock = pages, database, signer, clock

    @property
    def routes(self) -> list[Route]:
        """Where it answers."""
        return [Route("/u/{token}", self.answer, methods=["GET", "POST"])]

    async def answer(self, request: Request) -> Response:
        """Do what a request asks for, and show how the reader stands then. Raises TryLaterError
        where the database is busy.
        """
        deed = await _deed(request)
        reader = self._signer.number(Purpose.LEAVE, request.path_params["token"])
        standing = None
        if reader is not None:
            standing = await self._database.do(lambda store: self._do(store, deed, reader))
        if standing is None:
            return unknown_link(self._pages)
        lately = standing is Standing.LEFT_JUST_NOW
        return secret_page(
            self._page(SHOWN.get((deed, standing), "gone lately" if lately else "gone"))
        )

    def _page(self, shown: str) -> str:
        return self._pages.page("leave.html", shown=shown, field=FIELD, meant=MEANT, days=UNDO.days)

    def _do(self, store: Store, deed: Deed, reader: int) -> Standing | None:
        suppressions, now = store.suppressions, self._clock()
        if deed is Deed.ONE_CLICK:
            suppressions.leave_by_one_click(reader, now)
        elif deed is Deed.LEAVE:
            suppressions.leave_by_button(reader, now)
        elif deed in (Deed.UNDO, Deed.RETURN):
            suppressions.undo(reader, now)
        standing = suppressions.standing(reader, now)
        if deed is not Deed.LOOK:
            address = store.inbox.address_of(reader)
            became = "subscribed" if standing is Standing.READS else "unsubscribed"
            log.info("%s: %s", address, became)
        return standing


async def _deed(request: Request) -> Deed:
    """What a request asks for. Raises HTTPException where a form does not come."""
    # Programs that look for viruses follow links: a GET changes nothing.
    if request.method != "POST":
        return Deed.LOOK
    form = await read_form(request, longest=LONGEST_FORM)
    pressed = form.get(FIELD, "")
    if pressed == Deed.RETURN:
        return Deed.RETURN if MEANT in form else Deed.LOOK
    return Deed(pressed) if pressed in (Deed.LEAVE, Deed.UNDO) else Deed.ONE_CLICK
