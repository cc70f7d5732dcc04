"""What readers changed by themselves, told to them in their next digest: a page of choices is
reached by links in mails, and mails are forwarded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.model import SignUp
from digest.store.database import Concern, Database
from digest.store.rows import NOT_CARRIED_STATES

KEPT = timedelta(days=60)
"""For how long a change is kept, and can be undone."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A change in words, when it was made (UTC), and the `entry` with its `names` before it; "" for
    a reader of the file.
    """

    id: int
    words: str
    entry: str
    names: tuple[str, ...]
    at: datetime


class Choices(Concern):
    """The changes of readers, the latest first."""

    def of(self, reader: int, now: datetime, most: int = 10) -> list[Choice]:
        """The last changes of one reader."""
        return self._db.all(
            Choice,
            """SELECT id, words, entry, names, at FROM choice
               WHERE subscriber = ? AND at > ? ORDER BY id DESC LIMIT ?""",
            [reader, now - KEPT, most],
        )


def note_choice(
    database: Database, reader: int, words: str, before: SignUp | None, now: datetime
) -> None:
    """Note a change, with the entry that it replaced; belongs into its transaction. Old ones go
    once a digest that told of them was sent: until then its next attempt tells of them, too.
    """
    database.write(
        """DELETE FROM choice WHERE subscriber = ? AND at <= ? AND delivery IS NOT NULL
               AND NOT EXISTS (
                   SELECT 1 FROM delivery d WHERE d.id = choice.delivery AND d.state <> 'sent')""",
        [reader, now - KEPT],
    )
    database.write(
        "INSERT INTO choice(subscriber, words, entry, names, at) VALUES(?, ?, ?, ?, ?)",
        [
            reader,
            words,
            before.entry if before else "",
            json.dumps(before.names if before else ()),
            now,
        ],
    )


def tell(database: Database, reader: int, delivery: int) -> None:
    """Let a digest that is queued tell of the reader's changes of which none has told that reached
    them, nor may; belongs into its transaction. It tells of these for good: one Message-ID never
    carries two bodies.
    """
    database.write(
        f"""UPDATE choice SET delivery = :delivery
            WHERE subscriber = :reader AND (delivery IS NULL OR EXISTS (
                SELECT 1 FROM delivery d
                WHERE d.id = choice.delivery AND d.state IN {NOT_CARRIED_STATES}))""",
        {"reader": reader, "delivery": delivery},
    )


def told_in(database: Database, delivery: int) -> tuple[str, ...]:
    """The changes that a digest tells of."""
    return tuple(
        database.column(
            """SELECT c.words FROM delivery d
               JOIN choice c ON c.subscriber = d.subscriber AND c.delivery = d.id
               WHERE d.id = ? ORDER BY c.id""",
            [delivery],
        )
    )
