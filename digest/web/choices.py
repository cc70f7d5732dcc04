"""The page behind "Change what comes": a reader's choices, shown and changed.

Mails are forwarded, so whoever has the link sees no address and changes choices alone, and the next
digest tells of each change. For readers of the subscribers file it only takes away.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest.errors import UsageError
from digest.mail.reader_tokens import Signer
from digest.model import Standing
from digest.store import Store
from digest.store.letters import Asked, LetterKind
from digest.store.suppressions import UNDO
from digest.subscribers.book import fields_of, pause_text
from digest.web.answers import secret_page, unknown_link
from digest.web.counts import Counts, Viewer
from digest.web.database_thread import DatabaseThread
from digest.web.forms import read_form, require_fresh, stamp
from digest.web.gateway import place_of
from digest.web.leaving import MEANT
from digest.web.pages import Pages
from digest.web.readers import Known, Readers
from digest.web.undoing import numbered, undo, words_back
from digest.web.wanted import (
    ABSTRACTS,
    DAYS,
    FEEDBACK,
    ORDERS,
    REVISIONS,
    Fault,
    as_posted,
    changes,
    fault_of,
    posted,
    require_offered,
    shown,
    zone_options,
)

log = logging.getLogger(__name__)

LONGEST_FORM = 40_000
"""Octets of the form: twenty keywords of any language, each letter written in nine."""
WORDS = {
    "days": DAYS,
    "orders": ORDERS,
    "abstracts": ABSTRACTS,
    "revisions": REVISIONS,
    "feedback": FEEDBACK,
    "zones": zone_options,
}
"""What a form lets choose."""
UNCHANGED = "Nothing was changed."
SAVED = "Saved: {}. It counts from the next digest on, which tells of it."
LAST_KEYWORD = UsageError("that is the last keyword", remedy="leave altogether, at the end")


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a press: `said` is told at the top, `fault` beside it; `form` is the page's form
    again as it was filled, None as it now is.
    """

    said: str = ""
    fault: Fault | None = None
    form: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Choices:
    """Answers the links to readers' choices."""

    pages: Pages
    database: DatabaseThread
    signer: Signer
    clock: Callable[[], datetime]
    readers: Readers
    counts: Counts = field(default_factory=Counts)

    @property
    def routes(self) -> list[Route]:
        """Where it answers."""
        return [Route("/p/{token}", self.answer, methods=["GET", "POST"])]

    async def answer(self, request: Request) -> Response:
        """Do what a request asks for, and show the choices. Raises TryLaterError where the database
        is busy.
        """
        form: dict[str, str] | None = None
        if request.method == "POST":
            form = await read_form(request, longest=LONGEST_FORM)
        token, place = request.path_params["token"], place_of(request)
        await self.readers.look()
        page = await self.database.do(lambda store: self._answer(store, token, form, place))
        if page is None:
            return unknown_link(self.pages)
        return secret_page(page)

    def _answer(
        self, store: Store, token: str, form: dict[str, str] | None, place: str
    ) -> str | None:
        known = self.readers.by_link(store, self.signer, token)
        if known is None:
            return None
        done = Done()
        if form is not None:
            try:
                # To leave, no page is too old.
                if form.get("button") != "leave all":
                    require_fresh(self.signer, form, self.clock(), known.whose)
                done = self._do(store, known, form, place)
            except UsageError as error:
                done = Done(fault=fault_of(error), form=as_posted(form))
            known = self.readers.of(store, known.number) or known
        return self._page(store, known, done, place)

    def _do(self, store: Store, known: Known, form: Mapping[str, str], place: str) -> Done:
        """Do what a press of one of the page's buttons says."""
        button, _, item = form.get("button", "").partition(":")
        now = self.clock()
        match button:
            case "leave all":
                store.suppressions.leave_by_button(known.number, now)
                log.info("%s: unsubscribed", known.address)
                return Done()
            case "return" if MEANT in form:
                store.suppressions.undo(known.number, now)
                return Done("Your digests come as before, with all that was announced meanwhile.")
            case "key":
                asked = Asked(LetterKind.KEY, known.address, place, known.number)
                store.letters.ask(asked, now)
                return Done("A mail with a link is on its way to your address.")
            case "show":
                return Done(form=as_posted(form))
            case "undo":
                was = store.choices.one(known.number, numbered(item), now)
                said = undo(store, self.readers.book(), known, was, now) if was else ""
                return Done(SAVED.format(said) if said else UNCHANGED)
        if known.signup is None:
            return self._take_away(store, known, button, item, form)
        return self._change(store, known, button, item, form)

    def _change(
        self, store: Store, known: Known, button: str, item: str, form: Mapping[str, str]
    ) -> Done:
        """Change the entry of somebody who signed up."""
        assert known.signup is not None
        names, before = known.signup.names, fields_of(known.signup)
        after = before
        match button:
            case "save":
                after = posted(form, before, shown(known.now, before))
            case "leave":
                after = before | {"keywords": [k for k in _texts(before) if k != item]}
                if not after["keywords"]:
                    raise LAST_KEYWORD
        said = changes(before, after)
        if not said:
            return Done(UNCHANGED)
        book = self.readers.book()
        require_offered(book, _texts(after), names)
        new = book.sign_up(known.address, after, names)
        store.signups.change(new, self.clock(), said)
        log.info("%s: %s", known.address, said)
        return Done(SAVED.format(said))

    def _take_away(
        self, store: Store, known: Known, button: str, item: str, form: Mapping[str, str]
    ) -> Done:
        """Take away from what the file says, or give that back."""
        if known.whole is None or known.now is None:
            return Done()
        match button:
            case "pause":
                said = self._pause(store, known, _day(form.get("paused_until", "")))
            case "leave":
                said = self._leave(store, known, item)
            case "back":
                said = self._take_back(store, known, item)
            case _:
                said = ""
        if not said:
            return Done(UNCHANGED)
        log.info("%s: %s", known.address, said)
        return Done(SAVED.format(said))

    def _pause(self, store: Store, known: Known, until: date) -> str:
        assert known.whole is not None
        said = f"paused until {until}"
        store.wishes.pause(known.number, until, pause_text(known.whole), self.clock(), said)
        return said

    def _leave(self, store: Store, known: Known, name: str) -> str:
        assert known.now is not None
        found = [keyword for keyword in known.now.keywords if keyword.name == name]
        if not found:
            return ""
        if len(known.now.keywords) == 1:
            raise LAST_KEYWORD
        said = f"keywords left: {name}"
        store.wishes.leave(known.number, found[0], self.clock(), said)
        return said

    def _take_back(self, store: Store, known: Known, item: str) -> str:
        found = [wish for wish in known.wishes if f"{wish.field} {wish.value}" == item]
        if not found:
            return ""
        said = words_back(found[0])
        store.wishes.take_back(known.number, found[0], self.clock(), said)
        return said

    def _page(self, store: Store, known: Known, done: Done, place: str) -> str:
        now = self.clock()
        standing = store.suppressions.standing(known.number, now)
        fields = fields_of(known.signup) if known.signup else {}
        form = done.form or shown(known.now, fields)
        texts = [text for text in form["keywords"].splitlines()[:50] if text.strip()]
        names: Collection[str] = known.signup.names if known.signup else ()
        if known.signup is None:
            names = texts = [k.name for k in known.now.keywords] if known.now else []
        book = self.readers.book()
        own = known.signup is not None
        return self.pages.page(
            "choices.html",
            masked=known.masked,
            own=own,
            gone=standing is not Standing.READS,
            lately=standing is Standing.LEFT_JUST_NOW,
            undo_days=UNDO.days,
            reader=known.now,
            wishes=known.wishes,
            changed=[c for c in store.choices.of(known.number, now) if c.entry and c.taken is None][
                :5
            ],
            counts=self.counts.of(store, book, texts, Viewer(names, known.queries, place), now),
            form=form,
            said=done.said,
            fault=done.fault,
            today=now.date(),
            stamp=stamp(self.signer, now, known.whose),
            **WORDS,
        )


def _texts(fields: Mapping[str, Any]) -> list[str]:
    found = fields.get("keywords")
    return [str(text) for text in found] if isinstance(found, list) else []


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(f"{text!r} is no date", remedy="write one as 2026-12-24") from error
