"""Signing up: a form with a preview of what would come, and a mail that confirms the address.

The answer is the same for every address, in words, status and time: what becomes of it is decided
when the mail leaves (run/letters).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import resources
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from digest.errors import UsageError
from digest.mail.reader_tokens import Signer
from digest.setup.settings import Settings
from digest.store import Store
from digest.store.letters import Asked, LetterKind
from digest.subscribers.addresses import normal_email
from digest.web.answers import SAFE, secret_page
from digest.web.choices import LONGEST_FORM, WORDS
from digest.web.counts import Counts, Viewer
from digest.web.database_thread import DatabaseThread
from digest.web.forms import read_form, require_fresh, stamp
from digest.web.gateway import place_of
from digest.web.pages import Pages
from digest.web.readers import Readers
from digest.web.wanted import (
    PICKED,
    Fault,
    as_posted,
    fault_of,
    posted,
    require_offered,
    shown,
    texts_of,
)

log = logging.getLogger(__name__)

CONSENT = (
    "Mail me new arXiv papers for these keywords. I can change what comes, and leave, by a link in"
    " each mail."
)
"""The words that a sign-up agrees to, as the page shows them."""
HONEYPOT = "website"
"""A field that no person sees, and programs fill."""
SCRIPT = (resources.files("digest.templates") / "web" / "zone.js").read_text("utf-8")
SCRIPT_NAME = f"static/{hashlib.sha256(SCRIPT.encode()).hexdigest()[:16]}.js"
"""Offers the browser's time zone; all works without it."""
POLICY = "Content-Security-Policy"


@dataclass(frozen=True, slots=True)
class SigningUp:
    """The page on which strangers sign up."""

    settings: Settings
    pages: Pages
    database: DatabaseThread
    signer: Signer
    clock: Callable[[], datetime]
    readers: Readers
    counts: Counts = field(default_factory=Counts)

    @property
    def routes(self) -> list[Route]:
        """Where it answers, if the operator lets strangers sign up."""
        if not self.settings.signup:
            return []
        return [
            Route("/signup", self.answer, methods=["GET", "POST"]),
            Route(f"/{SCRIPT_NAME}", _script),
        ]

    async def answer(self, request: Request) -> Response:
        """Show the form, what its keywords would bring, or that a mail is on its way. Raises
        TryLaterError where the database is busy, or too many mails were asked for.
        """
        form: dict[str, str] = {}
        if request.method == "POST":
            form = await read_form(request, longest=LONGEST_FORM)
        place = place_of(request)
        await self.readers.look()
        answer = secret_page(await self.database.do(lambda store: self._answer(store, form, place)))
        answer.headers["Content-Security-Policy"] = f"{SAFE[POLICY]}; script-src 'self'"
        return answer

    def _answer(self, store: Store, form: Mapping[str, str], place: str) -> str:
        if form.get("button") != "sign up":
            return self._page(store, form, place)
        try:
            self._sign_up(store, form, place)
        except UsageError as error:
            return self._page(store, form, place, fault_of(error))
        return self.pages.page("signed-up.html")

    def _sign_up(self, store: Store, form: Mapping[str, str], place: str) -> None:
        """Ask for the mail that confirms an address."""
        now = self.clock()
        require_fresh(self.signer, form, now)
        if "agreed" not in form:
            raise UsageError("the box below is not ticked", remedy="tick it, if you agree")
        try:
            address = normal_email(form.get("address", "").strip())
        except ValueError as error:
            words = str(error).rstrip(".")
            raise UsageError("that is no mail address", remedy=words) from error
        book = self.readers.book()
        require_offered(book, texts_of(form))
        signup = book.sign_up(address, posted(form, {}), ())
        if form.get(HONEYPOT):
            log.info("a program signed up")
            return
        store.letters.ask(
            Asked(LetterKind.SIGN_UP, signup.email, place, signup=signup, words=CONSENT), now
        )

    def _page(
        self, store: Store, form: Mapping[str, str], place: str, fault: Fault | None = None
    ) -> str:
        now = self.clock()
        filled: dict[str, Any] = as_posted(form) if form else shown(None, {})
        texts = texts_of(form)[:50]
        book = self.readers.book()
        return self.pages.page(
            "signup.html",
            form=filled,
            address=form.get("address", ""),
            agreed="agreed" in form,
            counts=self.counts.of(store, book, texts, Viewer(place=place), now),
            offered=[keyword.name for keyword in book.roster.public],
            picked=PICKED,
            texts=texts,
            fault=fault,
            consent=CONSENT,
            honeypot=HONEYPOT,
            script="" if form else SCRIPT_NAME,
            stamp=stamp(self.signer, now),
            **WORDS,
        )


async def _script(_request: Request) -> Response:
    kept = {"Cache-Control": "public, max-age=31536000, immutable"}
    return PlainTextResponse(SCRIPT, media_type="text/javascript", headers=SAFE | kept)
