"""Remembers what was read in the inbox: each message is acted upon once, whatever stops the program
in between.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.store.bounces import Effect, note_bounce
from digest.store.database import Concern
from digest.store.preferences import note_like
from digest.store.rows import from_text, loads, stored
from digest.store.suppressions import Reason, address_of, suppress
from digest.times import to_text

KEPT = timedelta(days=366)
"""How long the program remembers that it has acted upon a message."""
TRIES = 2
"""How often the reading of one message may end with the whole program: at the first time it may
have been killed, or the machine have lost its power, whatever it read."""
_UNREAD = "mailbox_unread"


@dataclass(frozen=True, slots=True)
class Unread:
    """Since when (UTC) the mailbox could not be read, and why not the last time."""

    since: datetime
    words: str


class Inbox(Concern):
    """The memory of the inbox. `key` is what a message is known by, wherever it lies: a hash of its
    bytes.

    Each verb acts and remembers in one transaction; it returns None where it had been done before.
    """

    def place(self, mailbox: str, validity: int) -> int:
        """The last number (UID) that was looked at in a mailbox; 0 where its messages were
        renumbered.
        """
        return self._db.number(
            "SELECT uid FROM inbox_place WHERE mailbox = ? AND validity = ?", [mailbox, validity]
        )

    def advance(self, mailbox: str, validity: int, uid: int) -> None:
        """Remember up to which number a mailbox was looked at."""
        self._db.write(
            """INSERT INTO inbox_place(mailbox, validity, uid) VALUES(?, ?, ?)
               ON CONFLICT(mailbox)
               DO UPDATE SET validity = excluded.validity, uid = excluded.uid""",
            [mailbox, validity, uid],
        )

    def note_unread(self, words: str, now: datetime) -> None:
        """Remember why the mailbox could not be read; "": it was read."""
        with self._db.transaction():
            known = self.unread()
            if words:
                # A moment that lies ahead was set by a clock that has been wrong.
                since = min(known.since, now) if known else now
                self._db.set_meta(_UNREAD, json.dumps([to_text(since), words]))
            elif known:
                self._db.set_meta(_UNREAD, "")

    def unread(self) -> Unread | None:
        """The trouble with the mailbox, where its last reading failed."""
        return _unread(self._db.meta(_UNREAD) or "")

    def begin(self, key: str, now: datetime) -> bool:
        """Note that a message is about to be read; false where that was begun TRIES times before
        and never ended.
        """
        with self._db.transaction():
            self._db.note_time(now)
            return any(self._note(key, number, now) for number in range(TRIES))

    def is_begun(self, key: str) -> bool:
        """Whether a note that a message is about to be read has not been taken back."""
        return self.handled(_begun(key, 0))

    def give_up(self, key: str, now: datetime) -> None:
        """Note that a message ended the process that read it, and is not to be read again."""
        with self._db.transaction():
            for number in range(TRIES):
                self._note(key, number, now)

    def end(self, key: str) -> None:
        """Forget those notes: the message was read, or is not to blame that it was not."""
        with self._db.transaction():
            for number in range(TRIES):
                self._db.write("DELETE FROM inbox_message WHERE key = ?", [_begun(key, number)])

    def _note(self, key: str, number: int, now: datetime) -> bool:
        return bool(
            self._db.write(
                "INSERT INTO inbox_message(key, at) VALUES(?, ?) ON CONFLICT DO NOTHING",
                [_begun(key, number), now],
            )
        )

    def handled(self, key: str) -> bool:
        """Whether a message was acted upon before."""
        return bool(self._db.value("SELECT 1 FROM inbox_message WHERE key = ?", [key]))

    def unsubscribe(self, key: str, reader: int, words: str, now: datetime) -> bool | None:
        """Suppress a reader who asked for it; false where that was so already."""
        return self._suppress(key, reader, Reason.UNSUBSCRIBED, words, now)

    def complain(self, key: str, reader: int, words: str, now: datetime) -> bool | None:
        """Suppress a reader who called the mail spam; false where that was so already."""
        return self._suppress(key, reader, Reason.COMPLAINED, words, now)

    def _suppress(
        self, key: str, reader: int, reason: Reason, words: str, now: datetime
    ) -> bool | None:
        with self._db.transaction():
            if not self._first(key, now):
                return None
            return suppress(self._db, reader, reason, words, now)

    def bounce(
        self, key: str, delivery: int, words: str, now: datetime, *, status: str, undelivered: bool
    ) -> Effect | None:
        """Take in that a delivery bounced."""
        with self._db.transaction():
            if not self._first(key, now):
                return None
            return note_bounce(
                self._db, delivery, words, now, status=status, undelivered=undelivered
            )

    def like(self, key: str, reader: int, papers: Iterable[str], now: datetime) -> bool | None:
        """Note that a reader likes papers, by their base ids."""
        with self._db.transaction():
            if not self._first(key, now):
                return None
            for paper in papers:
                note_like(self._db, reader, paper, now)
            return True

    def ignore(self, key: str, now: datetime) -> bool | None:
        """Remember a message of ours to which nothing is to be done."""
        with self._db.transaction():
            return self._first(key, now) or None

    def address_of(self, reader: int) -> str | None:
        """A reader's address, by number."""
        return address_of(self._db, reader)

    def delivery(self, number: int) -> tuple[int, int] | None:
        """A delivery's number and its reader's, by its own number."""
        return self._delivery("id = ?", number)

    def delivery_of(self, message_ids: Iterable[str]) -> tuple[int, int] | None:
        """The number of the delivery that bears one of these Message-IDs, and its reader's."""
        found = (self._delivery("message_id = ?", message_id) for message_id in message_ids)
        return next(filter(None, found), None)

    def _delivery(self, condition: str, value: int | str) -> tuple[int, int] | None:
        row = self._db.row(f"SELECT id, subscriber FROM delivery WHERE {condition}", [value])
        return (row["id"], row["subscriber"]) if row else None

    def _first(self, key: str, now: datetime) -> bool:
        """Remember a message; false where it is remembered already."""
        # docs/decisions.md, "The inbox is remembered twice"
        self._db.note_time(now)
        self._db.write("DELETE FROM inbox_message WHERE at < ?", [now - KEPT])
        return bool(
            self._db.write(
                "INSERT INTO inbox_message(key, at) VALUES(?, ?) ON CONFLICT DO NOTHING", [key, now]
            )
        )


@stored
def _unread(text: str) -> Unread | None:
    if not text:
        return None
    since, words = loads(text)
    return Unread(from_text(since), words)


def _begun(key: str, number: int) -> str:
    """What stands for a message whose reading began and has not ended, beside those acted upon."""
    return f"begun {number} {key}"
