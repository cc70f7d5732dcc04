"""The page behind "Undo" in a digest that tells of a change: a GET shows what undoing it would do,
and a press of its button does it.

Programs that look for viruses press buttons, too: behind the first press there is a button that
takes it back, and behind that one none.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest.errors import UsageError
from digest.mail.reader_tokens import Signer
from digest.model import Away, Wish
from digest.store import Store
from digest.store.choices import KEPT, Choice, Taken
from digest.subscribers.book import Book, fields_of, listed_in
from digest.web.answers import secret_page, unknown_link
from digest.web.database_thread import DatabaseThread
from digest.web.forms import read_form, require_fresh, stamp
from digest.web.leaving import FIELD, LONGEST_FORM
from digest.web.pages import Pages
from digest.web.readers import Known, Readers
from digest.web.wanted import changes, fault_of, require_offered

log = logging.getLogger(__name__)

UNDO = "undo"
_NUMBER = re.compile("[0-9]{1,12}")
BACK = "taken back: "
"""Begins the words of a change that undoes another one."""


@dataclass(frozen=True, slots=True)
class Undoing:
    """Answers the links by which single changes are undone."""

    pages: Pages
    database: DatabaseThread
    signer: Signer
    clock: Callable[[], datetime]
    readers: Readers

    @property
    def routes(self) -> list[Route]:
        """Where it answers."""
        return [Route("/p/{token}/{number}", self.answer, methods=["GET", "POST"])]

    async def answer(self, request: Request) -> Response:
        """Show what a change was, or undo it. Raises TryLaterError where the database is busy."""
        form: dict[str, str] = {}
        if request.method == "POST":
            form = await read_form(request, longest=LONGEST_FORM)
        token, number = request.path_params["token"], numbered(request.path_params["number"])
        await self.readers.look()
        page = await self.database.do(lambda store: self._answer(store, token, number, form))
        if page is None:
            return unknown_link(self.pages)
        return secret_page(page)

    def _answer(self, store: Store, token: str, number: int, form: Mapping[str, str]) -> str | None:
        known, now = self.readers.by_link(store, self.signer, token), self.clock()
        if known is None:
            return None
        values: dict[str, object] = {"token": token, "stamp": stamp(self.signer, now, known.whose)}
        was = store.choices.one(known.number, number, now)
        if was is None:
            return self._page("over", **values)
        said, fault = "", None
        if form.get(FIELD) == UNDO:
            try:
                require_fresh(self.signer, form, now, known.whose)
                said = undo(store, self.readers.book(), known, was, now)
            except UsageError as error:
                fault = fault_of(error)
        if not said:
            values |= {"was": was, "effect": effect(known, was), "fault": fault}
            return self._page("question", number=number, **values)
        (made,) = store.choices.of(known.number, now, most=1)
        again = None if was.words.startswith(BACK) else made.id
        effect_of_it = said.removeprefix(BACK)
        return self._page("done", effect=effect_of_it, number=again, **values)

    def _page(self, shown: str, **values: object) -> str:
        return self.pages.page("undo.html", shown=shown, field=FIELD, days=KEPT.days, **values)


def numbered(text: str) -> int:
    """The number of a change that a text names; 0, which none has, where it is none."""
    return int(text) if _NUMBER.fullmatch(text) else 0


def effect(known: Known, was: Choice) -> str:
    """What comes otherwise once all is as it was before a change, in a line; "" where it is so."""
    taken = was.taken
    if taken is not None:
        return "; ".join(_in_words(_taken(known), taken)) if known.signup is None else ""
    if known.signup is None:
        return ""
    earlier = fields_of(replace(known.signup, entry=was.entry))
    return changes(fields_of(known.signup), earlier)


def undo(store: Store, book: Book, known: Known, was: Choice, now: datetime) -> str:
    """Let all be as it was before a change, of which the reader hears in the next digest; returns
    in a line what that changed. Raises UsageError where it can no longer be so.
    """
    said = effect(known, was)
    if not said:
        return ""
    if known.signup is None:
        store.wishes.put_back(known.number, was.taken or (), now, said)
    else:
        fields = fields_of(replace(known.signup, entry=was.entry))
        require_offered(book, listed_in(fields), was.names)
        new = book.sign_up(known.address, fields, was.names)
        said = f"{BACK}{said}"
        store.signups.change(new, now, said)
    log.info("%s: %s", known.address, said)
    return said


def _taken(known: Known) -> frozenset[Taken]:
    return frozenset(Taken(wish.field, wish.value, wish.entry) for wish in known.wishes)


def _in_words(now: frozenset[Taken], then: frozenset[Taken]) -> Iterator[str]:
    """What differs once something else is taken away."""
    for one in sorted(now - then):
        yield words_back(one)
    for one in sorted(then - now):
        words = f"paused until {one.value}" if one.field is Away.PAUSE else ""
        yield words or f"keywords left: {one.entry}"


def words_back(one: Taken | Wish) -> str:
    """What is said where something that was taken away comes again."""
    return f"{BACK}{'the pause' if one.field is Away.PAUSE else one.entry}"
