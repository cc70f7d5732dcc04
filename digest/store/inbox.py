"""What was read in the inbox: each message is acted upon once, whatever stops the program in
between.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from digest.store.database import Database
from digest.store.suppressions import Effect, Reason, note_bounce, suppress
from digest.times import to_text

KEPT = timedelta(days=366)
"""So long the program remembers that it has acted upon a message."""


class Inbox:
    """The memory of the inbox. `key` is what a message is known by, wherever it lies: a hash of its
    bytes.

    Each verb acts and remembers in one transaction; it returns None where it had been done before.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def place(self, mailbox: str, validity: int) -> int:
        """The last number (UID) that was looked at in a mailbox; 0 where its messages are numbered
        anew.
        """
        number: int | None = self._db.value(
            "SELECT uid FROM inbox_place WHERE mailbox = ? AND validity = ?", [mailbox, validity]
        )
        return number or 0

    def advance(self, mailbox: str, validity: int, uid: int) -> None:
        """Remember up to which number a mailbox was looked at."""
        self._db.write(
            """INSERT INTO inbox_place(mailbox, validity, uid) VALUES(?, ?, ?)
               ON CONFLICT(mailbox) DO UPDATE SET validity = excluded.validity, uid = excluded.uid""",
            [mailbox, validity, uid],
        )

    def handled(self, key: str) -> bool:
        """Whether a message was acted upon before."""
        return bool(self._db.value("SELECT 1 FROM inbox_message WHERE key = ?", [key]))

    def leave(self, key: str, reader: int, words: str, now: datetime) -> bool | None:
        """Suppress a reader who asked for it; false where that was so already."""
        with self._db.transaction():
            return (
                suppress(self._db, reader, Reason.UNSUBSCRIBED, words, now)
                if self._first(key, now)
                else None
            )

    def complain(self, key: str, reader: int, words: str, now: datetime) -> bool | None:
        """Suppress a reader who called the mail spam; false where that was so already."""
        with self._db.transaction():
            return (
                suppress(self._db, reader, Reason.COMPLAINED, words, now)
                if self._first(key, now)
                else None
            )

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

    def pass_over(self, key: str, now: datetime) -> bool | None:
        """Remember a message of ours to which nothing is to be done."""
        with self._db.transaction():
            return self._first(key, now) or None

    def address_of(self, reader: int) -> str | None:
        """A reader's address, by number."""
        address: str | None = self._db.value(
            "SELECT address FROM subscriber WHERE id = ?", [reader]
        )
        return address

    def delivery(self, number: int) -> tuple[int, int] | None:
        """A delivery's number and its reader's, by its own number."""
        row = self._db.row("SELECT id, subscriber FROM delivery WHERE id = ?", [number])
        return (row["id"], row["subscriber"]) if row else None

    def delivery_of(self, message_ids: Iterable[str]) -> tuple[int, int] | None:
        """The number of the delivery that bears one of these Message-IDs, and its reader's."""
        for message_id in message_ids:
            row = self._db.row(
                "SELECT id, subscriber FROM delivery WHERE message_id = ?", [message_id]
            )
            if row is not None:
                return row["id"], row["subscriber"]
        return None

    def _first(self, key: str, now: datetime) -> bool:
        """Remember a message; false where it is remembered already."""
        self._db.write("DELETE FROM inbox_message WHERE at < ?", [to_text(now - KEPT)])
        return bool(
            self._db.write(
                "INSERT OR IGNORE INTO inbox_message(key, at) VALUES(?, ?)", [key, to_text(now)]
            )
        )
