"""Keywords that match nothing for long, and who was notified: each reader once for each of
them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from digest.store.database import Database
from digest.store.rows import NOT_CARRIED_STATES

SILENCE = timedelta(days=30)
"""After so much time in which good windows brought no new paper a reader is notified."""


def is_silent(database: Database, reader: int) -> bool:
    """Whether the reader is still to be notified of a query that matches nothing."""
    return bool(database.value(f"SELECT EXISTS ({_SILENT})", _parameters(reader, ())))


def silent_queries(database: Database, reader: int, folded: tuple[int, ...] = ()) -> dict[str, int]:
    """The queries that the reader is still to be notified of, with the whole days for which each
    was silent.

    What a delivery reported counts as long as it may have arrived, as with its papers; `folded` are
    deliveries that a new digest is to replace.
    """
    rows = database.rows(_SILENT, _parameters(reader, folded))
    return {row["text"]: row["days"] for row in rows}


def note_silences(database: Database, reader: int, delivery: int, queries: Iterable[str]) -> None:
    """Write that a delivery reports these; belongs into the transaction that queues it."""
    database.write_many(
        """INSERT INTO silence(subscriber, query, delivery)
           SELECT ?, id, ? FROM query WHERE text = ?
           ON CONFLICT(subscriber, query) DO UPDATE SET delivery = excluded.delivery""",
        [[reader, delivery, text] for text in queries],
    )


def _parameters(reader: int, folded: tuple[int, ...]) -> dict[str, object]:
    return {
        "reader": reader,
        "least": SILENCE // timedelta(seconds=1),
        "folded": list(folded),
    }


# docs/decisions.md, "A silent keyword is told of once, in the next digest or after a month without
# mail". What is counted is time that good windows cover, in seconds: an outage is no silence.
_SILENT = f"""
    SELECT q.text, (q.watched - GREATEST(q.matched, s.watched)) / 86400 AS days
    FROM subscription s JOIN query q ON q.id = s.query
    WHERE s.subscriber = :reader AND s.start IS NOT NULL AND s.until IS NULL
        AND q.watched - GREATEST(q.matched, s.watched) >= :least
        AND NOT EXISTS (
            SELECT 1 FROM silence t LEFT JOIN delivery d ON d.id = t.delivery
            WHERE t.subscriber = :reader AND t.query = s.query
                AND (d.id IS NULL OR d.state NOT IN {NOT_CARRIED_STATES})
                AND t.delivery NOT IN many(:folded))"""
