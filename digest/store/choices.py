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
    """Note a change, with the entry that it replaced; belongs into its transaction."""
    database.write("DELETE FROM choice WHERE subscriber = ? AND at <= ?", [reader, now - KEPT])
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


def told_in(database: Database, delivery: int) -> tuple[str, ...]:
    """The changes that a digest tells of: those since the one before it that reached its reader;
    one of the same second is rather told twice than never.
    """
    return tuple(
        database.column(
            f"""SELECT c.words FROM delivery d JOIN choice c ON c.subscriber = d.subscriber
                WHERE d.id = :delivery AND d.again IS NULL AND c.at <= d.queued_at
                    AND c.at >= COALESCE((
                        SELECT MAX(e.queued_at) FROM delivery e
                        WHERE e.subscriber = d.subscriber AND e.id < d.id AND e.again IS NULL
                            AND e.state NOT IN {NOT_CARRIED_STATES}), '')
                ORDER BY c.id""",
            {"delivery": delivery},
        )
    )
