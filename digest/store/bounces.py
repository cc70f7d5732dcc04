"""What came back: each bounce once, what it makes due again, and whom it suppresses."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

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
from digest.store.database import Database
from digest.store.digests import rewind
from digest.store.readers import count_readers
from digest.store.suppressions import Reason, bouncing, suppress


class Effect(StrEnum):
    """What noting a bounce came to."""

    NOTED = "noted"
    SUPPRESSED = "suppressed"
    SURGE = "surge"
    KNOWN = "known"


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
    if is_surge(bouncing(database, now), count_readers(database)):
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
