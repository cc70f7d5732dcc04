"""The readers as the web knows them: by their numbers, with what the subscribers file or they
themselves say.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace

from digest.errors import DigestError, TryLaterError
from digest.mail.reader_tokens import Purpose, Signer, claimed_number
from digest.model import Origin, Roster, SignUp, Subscriber, Wish
from digest.setup.settings import Settings
from digest.setup.subscribers import read_roster
from digest.store import Store
from digest.subscribers.book import Book, with_wishes
from digest.subscribers.load import follow_file
from digest.system.files import file_stamp
from digest.web.database_thread import SECONDS


@dataclass(frozen=True, slots=True)
class Known:
    """A reader: `now` is what comes to them, `whole` the same without what they took away (None
    where a mistake holds them back); `signup` is there for who signed up.
    """

    number: int
    address: str
    now: Subscriber | None
    whole: Subscriber | None
    signup: SignUp | None
    wishes: tuple[Wish, ...]

    @property
    def whose(self) -> str:
        """Whose the stamp is of a form that is shown to this reader."""
        return f"reader {self.number}"

    @property
    def queries(self) -> tuple[str, ...]:
        """The queries whose papers come to this reader."""
        return tuple(keyword.query for keyword in self.now.keywords) if self.now else ()

    @property
    def masked(self) -> str:
        """The address as whoever holds a forwarded mail may see it."""
        local, at, domain = self.address.rpartition("@")
        return f"{local[:1]}…@{domain}" if at else ""


class Readers:
    """Reads the subscribers file again when it has changed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stamp: object = object()
        self._book: Book | None = None
        self._served: dict[str, Subscriber] = {}
        self._reading: asyncio.Future[Book] | None = None

    async def begin(self) -> None:
        """Begin to read the file before anybody asks; who asks hears what is wrong with it."""
        with suppress(DigestError):
            await self.look()

    async def look(self) -> None:
        """Read the file where it has changed, beside the database's thread: a large one takes
        seconds, and nobody who leaves waits for it. Raises TryLaterError where it is not read in
        time, ConfigError where it cannot be followed.
        """
        changed = self._book is None or file_stamp(self._settings.subscribers) != self._stamp
        if self._reading is None and changed:
            self._reading = asyncio.get_running_loop().run_in_executor(None, self.book)
        if (reading := self._reading) is not None:
            await asyncio.wait([reading], timeout=SECONDS)
            if not reading.done():
                raise TryLaterError("the subscribers file is being read")
            self._reading = None
            reading.result()

    def book(self) -> Book:
        """What the subscribers file says. Raises ConfigError where it cannot be followed."""
        path = self._settings.subscribers
        stamp = file_stamp(path)
        if self._book is None or stamp != self._stamp:
            book = follow_file(path, may_be_missing=True)
            # The database's thread may look meanwhile: the book comes once it can be looked into.
            self._served = {reader.email.casefold(): reader for reader in book.roster.subscribers}
            self._book, self._stamp = book, stamp
        return self._book

    def by_link(self, store: Store, signer: Signer, token: str) -> Known | None:
        """The reader whose link to their choices has a token; None where it no longer counts."""
        number = claimed_number(token)
        if number is None:
            return None
        links = store.letters.links(number)
        is_theirs = signer.is_own(Purpose.CHOICES, token, links)
        return self.of(store, number) if is_theirs else None

    def of(self, store: Store, number: int) -> Known | None:
        """One reader by number; None where neither the file nor themselves say anything of them."""
        address = store.inbox.address_of(number)
        if address is None:
            return None
        signup, wishes = store.signups.of(address), tuple(store.wishes.of(number))
        roster = self._roster(address, signup)
        whole = _named(roster, address)
        if whole is not None and whole.origin is Origin.FILE:
            signup = None
        if whole is None and signup is None and not roster.why_held_back(address):
            return None
        now = _named(with_wishes(roster, wishes), address)
        return Known(number, address, now, whole, signup, wishes)

    def _roster(self, address: str, signup: SignUp | None) -> Roster:
        """A roster that holds one reader, if anybody serves them."""
        if self._settings.subscribers_yaml:
            return read_roster(self._settings)
        book, served = self.book(), self._served.get(address.casefold())
        alone = replace(book.roster, subscribers=(served,) if served else (), keywords=())
        return replace(book, roster=alone).with_sign_ups([signup] if signup else [])


def _named(roster: Roster, address: str) -> Subscriber | None:
    folded = address.casefold()
    return next((one for one in roster.subscribers if one.email.casefold() == folded), None)
