"""Who must not be mailed, since when and why: readers who left, complained, or whose address is
gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from digest.model import Standing
from digest.rules.bounces import (
    SOFT_DAYS,
    SOFT_SPAN,
    SURGE_SPAN,
    is_surge,
)
from digest.store.database import Concern, Database
from digest.store.forgotten import forgotten_since, lift_forgotten
from digest.store.readers import count_readers
from digest.store.rows import from_text

UNDO = timedelta(days=7)
"""How long leaving by the link can be undone."""
FAREWELL = timedelta(days=1)
"""How long the last mail to who left by the page's button is tried."""


class Reason(StrEnum):
    """Why an address is suppressed; what the reader wants outweighs what the address does."""

    UNSUBSCRIBED = "unsubscribed"
    COMPLAINED = "complained"
    BOUNCED = "bounced"


FORGOTTEN = "forgotten"
"""The reason told of an address of which the database keeps a keyed hash alone."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address that must not be mailed. `words`: by what way the reader left, or what the server
    said.
    """

    address: str
    reason: str
    words: str
    since: datetime

    @property
    def why(self) -> str:
        """Reason and words in one line."""
        return f"{self.reason}: {self.words}" if self.words else self.reason


@dataclass(frozen=True, slots=True)
class Farewell:
    """Who left by the page's button, and is still to hear it; `since` is when (UTC)."""

    address: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Surge:
    """Many readers bounced at once: in words, and until when (UTC) nothing is sent."""

    words: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """A reader whose mail was refused as a matter of policy or content on several `days`, since
    then (UTC), and got none meanwhile; in the server's words.
    """

    address: str
    since: datetime
    days: int
    words: str


class Suppressions(Concern):
    """The list of those who must not be mailed."""

    def all(self) -> list[Suppression]:
        """Every suppressed address, the latest last."""
        return [
            _suppression(row)
            for row in self._db.rows("SELECT * FROM suppression ORDER BY since, address")
        ]

    def of(self, address: str) -> Suppression | None:
        """The suppression of one address, or None."""
        row = self._db.row("SELECT * FROM suppression WHERE lower(address) = lower(?)", [address])
        return _suppression(row) if row else self.forgotten([address]).get(address)

    def forgotten(self, addresses: Iterable[str]) -> dict[str, Suppression]:
        """Those of the addresses whose readers were forgotten; the list of all cannot name them."""
        found = forgotten_since(self._db, addresses)
        return {one: Suppression(one, FORGOTTEN, "", since) for one, since in found.items()}

    def unsubscribe(self, reader: int, words: str, now: datetime) -> str | None:
        """Suppress a reader who asked for it, by number; doing it again changes nothing.

        Returns the reader's address, or None where there is no such reader.
        """
        with self._db.transaction():
            suppress(self._db, reader, Reason.UNSUBSCRIBED, words, now)
            return address_of(self._db, reader)

    def leave_by_button(self, reader: int, now: datetime) -> str | None:
        """Suppress a reader who pressed the button of the web's page, by number: it can be undone,
        and a last mail follows; not so where the reader had left, or bounced, before.

        Returns the reader's address, or None where there is no such reader.
        """
        return self._leave(reader, "by the button of the page", "wanted", now)

    def leave_by_one_click(self, reader: int, now: datetime) -> str | None:
        """Suppress a reader whose mail program said so (RFC 8058), by number, as
        `leave_by_button` does, but without a last mail: no scanner presses that.
        """
        return self._leave(reader, "by the link in a mail", "none", now)

    def _leave(self, reader: int, words: str, farewell: str, now: datetime) -> str | None:
        with self._db.transaction():
            address = address_of(self._db, reader)
            known = self.of(address) if address else None
            if self.standing(reader, now) is not Standing.LEFT_JUST_NOW:
                suppress(self._db, reader, Reason.UNSUBSCRIBED, words, now)
            elif farewell == "none":
                self._db.write(
                    """UPDATE suppression SET farewell = 'none'
                       WHERE farewell = 'wanted' AND lower(address) = lower(?)""",
                    [address],
                )
            if known is None:
                self._db.write(
                    """UPDATE suppression SET farewell = ?, was_away = r.away
                       FROM subscriber r
                       WHERE r.id = ? AND lower(r.address) = lower(suppression.address)""",
                    [farewell, reader],
                )
        return address

    def undo(self, reader: int, now: datetime) -> None:
        """Take back that a reader left just now by the link: all is as it was before."""
        with self._db.transaction():
            if self.standing(reader, now) is Standing.LEFT_JUST_NOW:
                # docs/decisions.md, "What a scanner's press undoes, and what it does not"
                self._db.write(
                    """UPDATE subscriber SET away = x.was_away FROM suppression x
                       WHERE subscriber.id = ? AND lower(x.address) = lower(subscriber.address)""",
                    [reader],
                )
                self._db.write(
                    "DELETE FROM suppression WHERE lower(address) = lower(?)",
                    [address_of(self._db, reader)],
                )

    def standing(self, reader: int, now: datetime) -> Standing | None:
        """How a reader stands, by number; None where there is no such reader."""
        row = self._db.row(
            """SELECT COALESCE(x.reason, '') AS reason,
                   x.farewell IS NOT NULL AND x.since > ? AS just_now
               FROM subscriber r LEFT JOIN suppression x ON lower(x.address) = lower(r.address)
               WHERE r.id = ?""",
            [now - UNDO, reader],
        )
        if row is None:
            return None
        if row["reason"].partition(":")[0] not in (Reason.UNSUBSCRIBED, Reason.COMPLAINED):
            return Standing.READS
        return Standing.LEFT_JUST_NOW if row["just_now"] else Standing.LEFT

    def farewells(self, now: datetime) -> list[Farewell]:
        """Who is still to hear that they left by the page's button."""
        return self._db.all(
            Farewell,
            """SELECT address, since FROM suppression
               WHERE farewell = 'wanted' AND since > ? ORDER BY since""",
            [now - FAREWELL],
        )

    def said_farewells(self) -> list[Farewell]:
        """Who was mailed that they left by the page's button."""
        return self._db.all(
            Farewell, "SELECT address, since FROM suppression WHERE farewell = 'handed over'"
        )

    def enter_data(self, farewell: Farewell) -> None:
        """Commit that from now on a last mail may be accepted, and is not sent again. Raises
        LookupError where it is no longer wanted.
        """
        if not self._note(farewell, "handed over", only="wanted"):
            raise LookupError(f"{farewell.address} is not to hear of it any more")

    def settle(self, farewell: Farewell, *, again: bool) -> None:
        """Write down that a last mail has ended, or is to be tried again."""
        self._note(farewell, "wanted" if again else "handed over")

    def _note(self, farewell: Farewell, state: str, only: str = "%") -> int:
        return self._db.write(
            """UPDATE suppression SET farewell = ?
               WHERE farewell LIKE ? AND lower(address) = lower(?) AND since = ?""",
            [state, only, farewell.address, farewell.since],
        )

    def lift(self, address: str) -> Suppression | None:
        """Let an address be mailed again, its old bounces forgiven; returns what was lifted."""
        with self._db.transaction():
            found = self.of(address)
            lift(self._db, address)
        return found

    def refused(self, now: datetime) -> list[Refused]:
        """Readers whom nothing reaches for a reason that is not theirs, on SOFT_DAYS days and more:
        their papers are due again each day.
        """
        return self._db.all(
            Refused,
            """SELECT r.address, MIN(b.at) AS since, COUNT(DISTINCT substr(b.at, 1, 10)) AS days,
                   MAX(b.words) AS words
               FROM bounce b JOIN subscriber r ON r.id = b.subscriber
               WHERE b.at > ? AND b.blame = 'policy' AND b.excused = 0 AND r.gone = 0
                   AND NOT EXISTS (
                       SELECT 1 FROM delivery d WHERE d.subscriber = b.subscriber
                           AND d.state = 'sent' AND d.queued_at > b.at)
               GROUP BY r.id, r.address HAVING COUNT(DISTINCT substr(b.at, 1, 10)) >= ?
               ORDER BY r.id""",
            [now - SOFT_SPAN, SOFT_DAYS],
        )

    def surge(self, now: datetime) -> Surge | None:
        """Why the sending is to rest, and until when, while many readers bounced within the last
        hour.
        """
        bounced = bouncing(self._db, now)
        readers = count_readers(self._db) if bounced else 0
        latest = self._db.moment("SELECT MAX(at) FROM bounce")
        if latest is None or not is_surge(bounced, readers):
            return None
        return Surge(
            f"{bounced} of {readers} readers bounced within an hour, so the sending rests and"
            " nobody is suppressed",
            latest + SURGE_SPAN,
        )


def address_of(database: Database, reader: int) -> str | None:
    """A reader's address, by number."""
    return database.text("SELECT address FROM subscriber WHERE id = ?", [reader])


def suppress(database: Database, reader: int, reason: Reason, words: str, now: datetime) -> bool:
    """Put a reader's address on the list; false where it stands there for a reason of at least this
    weight.

    Belongs into the transaction of what gave the reason. What is queued for the reader ends with
    the next cycle.
    """
    weights = {reason.value: weight for weight, reason in enumerate(reversed(Reason))}
    address = address_of(database, reader)
    if address is None:
        return False
    known = database.value(
        "SELECT reason FROM suppression WHERE lower(address) = lower(?)", [address]
    )
    if known is not None and weights.get(known.partition(":")[0], len(weights)) >= weights[reason]:
        # A second reason stands, whatever becomes of what was done with the link.
        database.write(
            "UPDATE suppression SET farewell = NULL WHERE lower(address) = lower(?)", [address]
        )
        return False
    database.note_time(now)
    database.write(
        """INSERT INTO suppression(address, reason, since) VALUES(?, ?, ?)
           ON CONFLICT(lower(address))
           DO UPDATE SET reason = excluded.reason, since = excluded.since""",
        [address, f"{reason}: {words}" if words else reason.value, now],
    )
    return True


def lift(database: Database, address: str) -> None:
    """Take an address off the list, its old bounces forgiven; belongs into a transaction."""
    lift_forgotten(database, address)
    if database.write("DELETE FROM suppression WHERE lower(address) = lower(?)", [address]):
        database.write(
            """UPDATE bounce SET excused = 1 WHERE subscriber = (
                   SELECT id FROM subscriber WHERE lower(address) = lower(?))""",
            [address],
        )


def bouncing(database: Database, now: datetime) -> int:
    """How many readers bounced within the last hour."""
    return database.number(
        "SELECT COUNT(DISTINCT subscriber) FROM bounce WHERE at > ?", [now - SURGE_SPAN]
    )


def _suppression(row: dict[str, Any]) -> Suppression:
    reason, _, words = row["reason"].partition(": ")
    return Suppression(row["address"], reason, words, from_text(row["since"]))
