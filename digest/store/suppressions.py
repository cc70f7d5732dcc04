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
    Blame,
    bare_words,
    blame_of,
    fault_of,
    is_surge,
)
from digest.store.database import Concern, Database
from digest.store.digests import rewind
from digest.store.forgotten import forgotten_since, lift_forgotten
from digest.store.readers import count_readers
from digest.store.rows import from_text

UNDO = timedelta(days=1)
"""How long a press of the page's button can be undone, and its last mail is tried."""


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


class Effect(StrEnum):
    """What noting a bounce came to."""

    NOTED = "noted"
    SUPPRESSED = "suppressed"
    SURGE = "surge"
    KNOWN = "known"


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
        with self._db.transaction():
            address = address_of(self._db, reader)
            known = self.of(address) if address else None
            if self.standing(reader, now) is not Standing.LEFT_JUST_NOW:
                suppress(self._db, reader, Reason.UNSUBSCRIBED, "by the button of the page", now)
            if known is None:
                self._db.write(
                    """UPDATE suppression SET farewell = 'wanted', was_away = r.away
                       FROM subscriber r
                       WHERE r.id = ? AND lower(r.address) = lower(suppression.address)""",
                    [reader],
                )
        return address

    def undo(self, reader: int, now: datetime) -> None:
        """Take back that a reader left just now by the page's button: all is as it was before."""
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
            [now - UNDO],
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
        bounced = _bouncing(self._db, now)
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
        # A second reason stands, whatever becomes of a press of the page's button.
        database.write(
            "UPDATE suppression SET farewell = NULL WHERE lower(address) = lower(?)", [address]
        )
        return False
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


def note_bounce(
    database: Database,
    delivery: int,
    words: str,
    now: datetime,
    *,
    status: str = "",
    undelivered: bool = True,
) -> Effect:
    """Take in that a delivery bounced, and suppress its reader where the rules say so; once for
    each delivery.

    Belongs into a transaction. `undelivered`: the report is about the reader's own address, so what
    was taken for sent never arrived, and its papers are due again; a delivery of which a second
    copy may be on its way stays as it is. Where many readers bounce at once nobody is suppressed,
    and those of the last hour are excused.
    """
    blame = blame_of(fault_of(words, status))
    noted = database.write(
        """INSERT INTO bounce(delivery, subscriber, at, blame, words)
           SELECT id, subscriber, ?, ?, ? FROM delivery WHERE id = ? ON CONFLICT DO NOTHING""",
        [now, blame, words, delivery],
    )
    if not noted:
        return Effect.KNOWN
    # docs/decisions.md, "What bounced after it was sent is due again, unless it was forwarded"
    if undelivered:
        failed = database.write(
            """UPDATE delivery SET state = 'failed', reply = ?, ended_at = ?
               WHERE id = ? AND state = 'sent' AND maybe_accepted = 0""",
            [words, now, delivery],
        )
        if failed:
            rewind(database, delivery)
            _rewind_to_first(database, delivery)
    # docs/decisions.md, "In a surge the readers of the last hour are let off"
    if is_surge(_bouncing(database, now), count_readers(database)):
        _excuse(database, now)
        return Effect.SURGE
    reader = database.value("SELECT subscriber FROM delivery WHERE id = ?", [delivery])
    if blame is Blame.HARD or (
        blame is Blame.SOFT and _soft_days(database, reader, now) >= SOFT_DAYS
    ):
        suppress(database, reader, Reason.BOUNCED, words, now)
        return Effect.SUPPRESSED
    return Effect.NOTED


def excuse_words(database: Database, said: str, now: datetime) -> None:
    """Take back what was noted of readers for these bare words, which were the mail server's
    trouble.

    Belongs into a transaction.
    """
    line = now - SOFT_SPAN
    noted = database.rows(
        """SELECT b.delivery, b.subscriber, b.words, r.address
           FROM bounce b JOIN subscriber r ON r.id = b.subscriber
           WHERE b.at > ? AND b.blame = 'soft'""",
        [line],
    )
    for row in noted:
        if bare_words(row["words"], row["address"]) != said:
            continue
        database.write("UPDATE bounce SET excused = 1 WHERE delivery = ?", [row["delivery"]])
        reader = row["subscriber"]
        if _soft_days(database, reader, now) < SOFT_DAYS:
            database.write(
                """DELETE FROM suppression WHERE reason LIKE 'bounced%' AND since > :line
                       AND lower(address) = (
                           SELECT lower(address) FROM subscriber WHERE id = :reader)
                       AND NOT EXISTS (SELECT 1 FROM bounce WHERE subscriber = :reader
                                           AND blame = 'hard' AND excused = 0)""",
                {"line": line, "reader": reader},
            )


def _rewind_to_first(database: Database, delivery: int) -> None:
    """Go back in the reader's logs to the first word of each paper that did not arrive.

    Further than where the digest began: two digests may have carried a paper, as new and as a new
    version, and the log have been read on since the first of them came back, while the second still
    counted.
    """
    database.write(
        """UPDATE subscription SET position = GREATEST(start, LEAST(position, first.seq - 1))
           FROM (SELECT d.subscriber, m.query, MIN(m.seq) AS seq FROM delivery d
                 JOIN content_paper cp ON cp.content = d.content JOIN seen m ON m.paper = cp.paper
                 WHERE d.id = ? GROUP BY d.subscriber, m.query) AS first
           WHERE subscription.subscriber = first.subscriber AND subscription.query = first.query
               AND start IS NOT NULL""",
        [delivery],
    )


def _bouncing(database: Database, now: datetime) -> int:
    return database.number(
        "SELECT COUNT(DISTINCT subscriber) FROM bounce WHERE at > ?", [now - SURGE_SPAN]
    )


def _excuse(database: Database, now: datetime) -> None:
    """Take back what the bounces of the last hour did to readers."""
    line = now - SURGE_SPAN
    database.write(
        """DELETE FROM suppression
           WHERE reason LIKE 'bounced%' AND since > :line AND lower(address) IN (
               SELECT lower(r.address) FROM bounce b JOIN subscriber r ON r.id = b.subscriber
               WHERE b.at > :line)""",
        {"line": line},
    )
    database.write("UPDATE bounce SET excused = 1 WHERE at > ?", [line])


def _soft_days(database: Database, reader: int, now: datetime) -> int:
    """The number of days on which the reader bounced for a time."""
    # docs/decisions.md, "A bounce without a status code is one for a time"
    return database.number(
        """SELECT COUNT(DISTINCT substr(at, 1, 10)) FROM bounce
           WHERE subscriber = ? AND blame = 'soft' AND excused = 0 AND at > ?""",
        [reader, now - SOFT_SPAN],
    )


def _suppression(row: dict[str, Any]) -> Suppression:
    reason, _, words = row["reason"].partition(": ")
    return Suppression(row["address"], reason, words, from_text(row["since"]))
