"""What readers changed by themselves, told to them in their next digest: a page of choices is
reached by links in mails, and mails are forwarded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from digest.model import Away, SignUp, Told, Wish
from digest.store.database import Concern, Database
from digest.store.rows import NOT_CARRIED_STATES, loads, stored

KEPT = timedelta(days=60)
"""For how long a change is kept, and can be undone."""


class Taken(NamedTuple):
    """What a reader of the file took away, as in a Wish."""

    field: Away
    value: str
    entry: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A change in words, when it was made (UTC), and what was before it: the `entry` of somebody
    who signed up, with its `names`, or `taken`, what a reader of the file had taken away.
    """

    id: int
    words: str
    entry: str
    names: tuple[str, ...]
    at: datetime

    @property
    def taken(self) -> frozenset[Taken] | None:
        """See above; None where somebody had signed up."""
        before = _before(self.entry)
        return frozenset(map(_taken, before)) if isinstance(before, list) else None


@stored
def _before(entry: str) -> Any:
    return loads(entry)


@stored
def _taken(row: Any) -> Taken:
    field, value, entry = row
    return Taken(Away(field), str(value), str(entry))


class Choices(Concern):
    """The changes of readers, the latest first."""

    def one(self, reader: int, number: int, now: datetime) -> Choice | None:
        """One change of a reader's, by its number; None where it is no longer kept."""
        return self._db.first(
            Choice,
            """SELECT id, words, entry, names, at FROM choice
               WHERE subscriber = ? AND id = ? AND at > ? AND entry <> ''""",
            [reader, number, now - KEPT],
        )

    def of(self, reader: int, now: datetime, most: int = 10) -> list[Choice]:
        """The last changes of one reader."""
        return self._db.all(
            Choice,
            """SELECT id, words, entry, names, at FROM choice
               WHERE subscriber = ? AND at > ? ORDER BY id DESC LIMIT ?""",
            [reader, now - KEPT, most],
        )


def note_choice(
    database: Database, reader: int, words: str, before: SignUp | Iterable[Wish], now: datetime
) -> None:
    """Note a change, with the entry or the wishes `before` it; belongs into its transaction. Old go
    once a digest that told of them was sent: until then its next attempt tells of them, too.
    """
    if isinstance(before, SignUp):
        entry, names = before.entry, before.names
    else:
        taken = [[wish.field, wish.value, wish.entry] for wish in before]
        entry, names = json.dumps(taken, ensure_ascii=False), ()
    database.write(
        "INSERT INTO choice(subscriber, words, entry, names, at) VALUES(?, ?, ?, ?, ?)",
        [reader, words, entry, json.dumps(names), now],
    )
    # Afterwards, lest the new one has the number of one that was the last.
    database.write(
        """DELETE FROM choice WHERE subscriber = ? AND at <= ? AND delivery IS NOT NULL
               AND NOT EXISTS (
                   SELECT 1 FROM delivery d WHERE d.id = choice.delivery AND d.state <> 'sent')""",
        [reader, now - KEPT],
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


def told_in(database: Database, delivery: int) -> tuple[Told, ...]:
    """The changes that a digest tells of."""
    return tuple(
        database.all(
            Told,
            """SELECT c.id AS number, c.words FROM delivery d
               JOIN choice c ON c.subscriber = d.subscriber AND c.delivery = d.id
               WHERE d.id = ? ORDER BY c.id""",
            [delivery],
        )
    )
