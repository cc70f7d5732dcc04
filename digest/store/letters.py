"""Mails with a link that a person asked for on the web: to confirm an address, to reach what is
kept of a reader, to move to a new address.

What becomes of a letter is decided when it leaves, never when it is asked for: so the web's answer
is the same for every address, known or not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from digest.errors import TryLaterError
from digest.model import SignUp
from digest.rules.channels import RateLimit
from digest.store.database import Concern, Database
from digest.store.readers import note_change

CONFIRM = timedelta(hours=48)
"""For how long a link confirms an address, counted from when it was mailed."""
KEY = timedelta(minutes=30)
"""For how long a link leads to what is kept of a reader."""
TRIED = timedelta(days=1)
"""For how long a letter is tried, and how far the limits look back."""
AGAIN = timedelta(minutes=5)
"""The wait before a letter is tried once more."""
KEPT = timedelta(days=30)
"""For how long a letter is kept: by then nobody asks what became of it."""
TO_ONE_ADDRESS = 3
FROM_ONE_PLACE = 20
IN_ALL = 1_000
"""Letters that may be asked for in a day: to one address, from one network, by everybody."""
SHARE = 10
"""Of all mail that may leave, at most one part in so many is letters."""
PER_HOUR = RateLimit(60, timedelta(hours=1))
"""The letters that may leave where mail has no limit."""


class LetterKind(StrEnum):
    """The purpose of a letter: to confirm a sign-up; to open what is kept of a reader; to confirm
    a reader's new address; or none is mailed, and the reader is to be forgotten.
    """

    SIGN_UP = "sign up"
    KEY = "key"
    MOVE = "move"
    FORGET = "forget"


@dataclass(frozen=True, slots=True)
class Asked:
    """A letter to ask for. `place`: the network that asks, shortened; `reader`: who asks, None for
    a stranger; `signup` and the `words` of consent as they were shown, for SIGN_UP.
    """

    kind: LetterKind
    address: str
    place: str
    reader: int | None = None
    signup: SignUp | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as it is kept; `state` is wanted, handed over, used, ended or bounced. Times are
    UTC; `sent_at` is when it was handed over.
    """

    id: int
    kind: LetterKind
    address: str
    reader: int | None
    entry: str
    names: tuple[str, ...]
    words: str
    place: str
    at: datetime
    state: str
    sent_at: datetime | None

    @property
    def signup(self) -> SignUp:
        """The sign-up that it is to confirm."""
        return SignUp(self.address, self.entry, self.names)

    @property
    def secret(self) -> str:
        """What its link is bound to beside its number, which a restored backup may give anew."""
        return f"{self.address} {self.at}"

    def is_open(self, now: datetime) -> bool:
        """Whether its link still does what it is for."""
        lasts = KEY if self.kind is LetterKind.KEY else CONFIRM
        mailed = self.state == "handed over" and self.sent_at is not None
        return mailed and self.sent_at is not None and now - self.sent_at < lasts


_COLUMNS = "id, kind, address, subscriber AS reader, entry, names, words, place, at, state, sent_at"


class Letters(Concern):
    """The letters that were asked for, and their limits."""

    def ask(self, asked: Asked, now: datetime) -> None:
        """Ask for a letter; silently for none where the address has had as many as it may. Raises
        TryLaterError where the network, or everybody together, has.
        """
        with self._db.transaction():
            self._db.write(
                "DELETE FROM letter WHERE at < ? AND NOT (kind = 'forget' AND state = 'wanted')",
                [now - KEPT],
            )
            since = now - TRIED
            if self._asked(since, asked.place) >= FROM_ONE_PLACE or self._asked(since) >= IN_ALL:
                raise TryLaterError(
                    "too many mails were asked for from there", remedy="try again tomorrow"
                )
            to_address = self._db.number(
                "SELECT COUNT(*) FROM letter WHERE lower(address) = lower(?) AND at > ?",
                [asked.address, since],
            )
            self._db.note_time(now)
            # What is one too many is noted as well: so both answers take the same time.
            too_many = to_address >= TO_ONE_ADDRESS and asked.kind is not LetterKind.FORGET
            self._db.write(
                """INSERT INTO letter(subscriber, kind, address, entry, names, words, place, at,
                       next_at, state)
                   VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                [
                    asked.reader,
                    asked.kind,
                    asked.address,
                    asked.signup.entry if asked.signup else "",
                    json.dumps(asked.signup.names if asked.signup else ()),
                    asked.words,
                    asked.place,
                    now,
                    now,
                    "ended" if too_many else "wanted",
                ],
            )

    def _asked(self, since: datetime, place: str = "") -> int:
        """How many letters were asked for, from one network or by everybody."""
        if place:
            return self._db.number(
                "SELECT COUNT(*) FROM letter WHERE place = ? AND at > ?", [place, since]
            )
        return self._db.number("SELECT COUNT(*) FROM letter WHERE at > ?", [since])

    def wanted(self, now: datetime) -> list[Letter]:
        """The letters that are to leave now, by their limits or not, the oldest first; who is to be
        forgotten is, however late.
        """
        return self._db.all(
            Letter,
            f"""SELECT {_COLUMNS} FROM letter
                WHERE state = 'wanted' AND next_at <= ? AND (at > ? OR kind = 'forget')
                ORDER BY id""",
            [now, now - TRIED],
        )

    def has_room(self, now: datetime, limits: Sequence[RateLimit]) -> bool:
        """Whether one more letter may leave beside all other mail, whose limits these are."""
        own = [RateLimit(max(one.number // SHARE, 1), one.period) for one in limits] or [PER_HOUR]
        return all(
            self._db.number("SELECT COUNT(*) FROM letter WHERE sent_at > ?", [now - one.period])
            < one.number
            for one in own
        )

    def of(self, number: int) -> Letter | None:
        """One letter."""
        return self._db.first(Letter, f"SELECT {_COLUMNS} FROM letter WHERE id = ?", [number])

    def enter_data(self, letter: Letter, now: datetime) -> None:
        """Commit that from now on a letter may be accepted, and is not sent again. Raises
        LookupError where it is no longer wanted.
        """
        if not self._db.write(
            """UPDATE letter SET state = 'handed over', sent_at = ?
               WHERE id = ? AND state = 'wanted'""",
            [now, letter.id],
        ):
            raise LookupError(f"letter {letter.id} is no longer wanted")

    def end(self, letter: Letter) -> None:
        """Let a letter be mailed no more."""
        self._db.write("UPDATE letter SET state = 'ended' WHERE id = ?", [letter.id])

    def sent(self) -> list[Letter]:
        """The letters that were mailed and are still kept."""
        return self._db.all(
            Letter, f"SELECT {_COLUMNS} FROM letter WHERE sent_at IS NOT NULL ORDER BY id"
        )

    def note_bounce(self, letter: Letter) -> None:
        """Note that a letter came back: as long as it is kept, none goes to its address."""
        self._db.write("UPDATE letter SET state = 'bounced' WHERE id = ?", [letter.id])

    def has_bounced(self, address: str) -> bool:
        """Whether a letter to this address came back."""
        return bool(
            self._db.value(
                "SELECT 1 FROM letter WHERE lower(address) = lower(?) AND state = 'bounced'",
                [address],
            )
        )

    def retry(self, letter: Letter, now: datetime) -> None:
        """Try a letter once more later, which was not accepted."""
        self._db.write(
            """UPDATE letter SET state = 'wanted', sent_at = NULL, next_at = ?
               WHERE id = ? AND state = 'handed over'""",
            [now + AGAIN, letter.id],
        )

    def renew_links(self, letter: Letter) -> None:
        """Make all links of a reader's worthless that were mailed before a letter, which goes on:
        those to choices, the feed, beside papers, and of all other letters that were asked for.
        """
        reader = letter.reader
        with self._db.transaction():
            self._db.write(
                """UPDATE letter SET state = 'ended' WHERE subscriber = ? AND id <> ?
                       AND kind IN ('key', 'move') AND state IN ('wanted', 'handed over')""",
                [reader, letter.id],
            )
            self._db.write("UPDATE subscriber SET links = links + 1 WHERE id = ?", [reader])
            note_change(self._db)

    def links(self, reader: int) -> int:
        """How often a reader made all older links worthless."""
        return self._db.number("SELECT links FROM subscriber WHERE id = ?", [reader])


def use(database: Database, letter: Letter) -> bool:
    """Note that a link did what it was for; false where it has done so already. Belongs into the
    transaction of that.
    """
    return bool(
        database.write(
            "UPDATE letter SET state = 'used' WHERE id = ? AND state = 'handed over'", [letter.id]
        )
    )
