"""The links in the letters that people asked for: a GET shows what a link is for, and a POST does
it, since programs that look for viruses follow links.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest.errors import ConfigError, TryLaterError, UsageError
from digest.mail.reader_tokens import Purpose, Signer, claimed_number
from digest.setup.settings import Settings
from digest.store import Store
from digest.store.letters import Asked, Letter, LetterKind
from digest.subscribers.addresses import normal_email
from digest.web.answers import HEADERS, secret_page, unknown_link
from digest.web.database_thread import DatabaseThread
from digest.web.forms import read_form
from digest.web.gateway import place_of
from digest.web.pages import Pages
from digest.web.readers import Readers

log = logging.getLogger(__name__)

LONGEST_FORM = 2_000
KEYWORDS_A_DAY = 500
"""Keywords that a day's sign-ups may bring together: arXiv is asked for each."""
DAY = timedelta(days=1)
RENEWED = (
    "All links in older mails are worthless from now on, but those to leave and to read a digest in"
    " a browser, and your feed has another address."
)


@dataclass(frozen=True, slots=True)
class Letters:
    """Answers the links in letters."""

    settings: Settings
    pages: Pages
    database: DatabaseThread
    signer: Signer
    clock: Callable[[], datetime]
    readers: Readers

    @property
    def routes(self) -> list[Route]:
        """Where it answers."""
        return [Route("/c/{token}", self.answer, methods=["GET", "POST"])]

    async def answer(self, request: Request) -> Response:
        """Show what a link is for, or do it. Raises TryLaterError where the database is busy."""
        form: dict[str, str] | None = None
        if request.method == "POST":
            form = await read_form(request, longest=LONGEST_FORM)
        token, place = request.path_params["token"], place_of(request)
        # Only what is kept of a reader needs the file, and says itself where it is wrong.
        with suppress(ConfigError):
            await self.readers.look()
        return await self.database.do(lambda store: self._answer(store, token, form, place))

    def _answer(
        self, store: Store, token: str, form: dict[str, str] | None, place: str
    ) -> Response:
        number = claimed_number(token)
        letter = store.letters.of(number) if number is not None else None
        if letter is None or not self.signer.is_genuine(Purpose.LETTER, token, letter.secret):
            return unknown_link(self.pages, "letter.html")
        if not letter.is_open(self.clock()):
            return secret_page(self._page("over", letter), 410)
        if letter.kind is LetterKind.KEY:
            return self._key(store, letter, form or {}, place)
        if form is None:
            return secret_page(self._page("question", letter))
        done = self._confirm if letter.kind is LetterKind.SIGN_UP else self._move
        return secret_page(done(store, letter))

    def _page(self, shown: str, letter: Letter, **values: object) -> str:
        return self.pages.page("letter.html", shown=shown, kind=letter.kind, **values)

    def _confirm(self, store: Store, letter: Letter) -> str:
        now = self.clock()
        wanted = len(json.loads(letter.entry).get("keywords", ()))
        if store.signups.brought(now - DAY) + wanted > KEYWORDS_A_DAY:
            raise TryLaterError(
                "as many keywords came with today's sign-ups as may", remedy="try again tomorrow"
            )
        number = store.signups.confirm(letter, now)
        if number is None:
            return self._page("over", letter)
        log.info("%s: signed up", letter.address)
        return self._page("done", letter, choices=self._choices(store, number))

    def _move(self, store: Store, letter: Letter) -> str:
        if not store.signups.move(letter, self.clock()):
            return self._page("over", letter)
        log.info("a reader moved to %s", letter.address)
        return self._page("done", letter, choices=self._choices(store, letter.reader or 0))

    def _choices(self, store: Store, number: int) -> str:
        """The address of a reader's choices, on this side."""
        prefix = urlsplit(self.settings.base_url).path
        return f"{prefix}/p/{self._own(store, Purpose.CHOICES, number)}"

    def _own(self, store: Store, purpose: Purpose, number: int) -> str:
        return self.signer.own(purpose, number, store.letters.links(number))

    def _key(self, store: Store, letter: Letter, form: Mapping[str, str], place: str) -> Response:
        """What is kept of a reader: shown, erased, put under another address."""
        known = self.readers.of(store, letter.reader or 0)
        if known is None:
            return secret_page(self._page("over", letter), 410)
        said, fault, now, base = "", "", self.clock(), self.settings.base_url
        match form.get("button", ""):
            case "data":
                data = store.personal.known(known.address)
                return Response(
                    json.dumps(data, indent=2, ensure_ascii=False, default=_as_json),
                    media_type="application/json",
                    headers=HEADERS
                    | {"Content-Disposition": 'attachment; filename="digest-data.json"'},
                )
            case "forget" if "meant" in form:
                words = "to be forgotten"
                store.suppressions.unsubscribe(known.number, words, now)
                store.letters.ask(Asked(LetterKind.FORGET, known.address, place, known.number), now)
                store.letters.end(letter)
                return secret_page(self._page("forgotten", letter))
            case "move" if known.signup is not None:
                try:
                    new = normal_email(form.get("address", "").strip())
                except ValueError:
                    fault = str(UsageError("that is no mail address"))
                else:
                    store.letters.ask(Asked(LetterKind.MOVE, new, place, known.number), now)
                    said = "If the new address can get digests, a mail with a link is on its way."
            case "renew":
                store.letters.renew_links(letter)
                said = RENEWED
        page = self._page(
            "key",
            letter,
            said=said,
            fault=fault,
            own=known.signup is not None,
            address=known.address,
            choices=self._choices(store, known.number),
            feed=f"{base}/reader/{self._own(store, Purpose.FEED, known.number)}.atom",
        )
        return secret_page(page)


def _as_json(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
