"""Who wants what, as the database remembers it: readers, their subscriptions, and where those
start.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from digest.errors import ConfigError
from digest.model import Keyword, Roster, Subscriber
from digest.rules.schedule import next_slot
from digest.store.database import Database
from digest.store.numbers import next_reader
from digest.times import from_text, moment_or_none, to_text

RETURN = timedelta(days=7)
"""A keyword that is back within this time goes on where it stopped."""
FRESH = timedelta(hours=36)
"""So young a good window is enough to place a new subscription at once."""
FIRST_PAPERS = 20
FIRST_DAYS = timedelta(days=7)
FIRST_AT_LEAST = 5
"""A first digest shows the last 20 recorded papers of the last 7 days, and at least 5 where there
are."""


@dataclass(frozen=True, slots=True)
class SubscriberState:
    """What the database remembers of one reader. Times are UTC.

    `suppressed` is the reason, if any; `slot` is the last one that is
    over; `refused` the server's words where the last delivery failed for good.
    """

    address: str
    since: datetime
    due_at: datetime
    slot: datetime | None
    last_digest_at: datetime | None
    last_state: str | None
    suppressed: str
    refused: str
    unplaced: tuple[str, ...]


class Subscribers:
    """The readers and their subscriptions."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def known(self) -> int:
        """How many readers the database knows who have not left."""
        count: int = self._db.value("SELECT COUNT(*) FROM subscriber WHERE gone = 0")
        return count

    def sync(self, roster: Roster, now: datetime) -> bool:
        """Make the database follow the subscribers file; false where it already did.

        A removed keyword is due no longer; an edited one (same name, other query) still brings what
        was recorded before; a new one is placed after the next good window, or at once after a
        recent one. Raises ConfigError where the file names nobody though the database knows
        readers.
        """
        if not roster.subscribers and self.known():
            raise ConfigError(
                f"the subscribers file names nobody, and the database knows {self.known()} of them",
                remedy="nobody is removed for that; if they all left, run 'digest unsubscribe' with their addresses",
            )
        print_ = hashlib.sha256(repr(roster).encode()).hexdigest()
        if self._db.meta("roster") == print_:
            return False
        with self._db.transaction():
            wanted = {k.query for k in roster.keywords}
            wanted.update(k.query for s in roster.subscribers for k in s.keywords)
            self._db.write_many(
                "INSERT OR IGNORE INTO query(text) VALUES(?)", [[text] for text in sorted(wanted)]
            )
            queries = {
                row["text"]: row["id"] for row in self._db.rows("SELECT id, text FROM query")
            }
            self._begin_anew([queries[text] for text in wanted], now)
            readers = {
                r["address"].casefold(): r for r in self._db.rows("SELECT * FROM subscriber")
            }
            fresh: set[int] = set()
            for subscriber in roster.subscribers:
                self._sync_reader(
                    subscriber, readers.get(subscriber.email.casefold()), queries, fresh, now
                )
            present = {s.email.casefold() for s in roster.subscribers}
            self._leave(
                [r["id"] for a, r in readers.items() if a not in present and not r["gone"]], now
            )
            recent = to_text(now - FRESH)
            for query in sorted(fresh):
                if self._db.value(
                    "SELECT 1 FROM query WHERE id = ? AND last_good_at > ?", [query, recent]
                ):
                    place(self._db, query, now)
            self._db.set_meta("roster", print_)
        return True

    def _begin_anew(self, queries: list[int], now: datetime) -> None:
        """Let those queries that nobody wanted for a week or more be asked like new ones; their
        logs stay.

        What was announced meanwhile is due to nobody, and after months it would be more than arXiv
        serves.
        """
        line = to_text(now - RETURN)
        unwanted = [
            row["id"]
            for row in self._db.rows(
                "SELECT id FROM query WHERE id IN (SELECT value FROM json_each(?)) AND last_good_at < ? AND NOT EXISTS"
                " (SELECT 1 FROM subscription s WHERE s.query = query.id AND (s.until IS NULL OR s.ended_at >= ?))",
                [json.dumps(queries), line, line],
            )
        ]
        for query in unwanted:
            self._db.write(
                "UPDATE query SET last_good_at = NULL, next_fetch_at = NULL, failures = 0, trouble = '', total = NULL,"
                " quarantined_since = NULL, judged_since = NULL, covered_since = NULL, deep_at = NULL WHERE id = ?",
                [query],
            )
            self._db.write("DELETE FROM held WHERE query = ?", [query])

    def _sync_reader(
        self,
        subscriber: Subscriber,
        row: dict[str, Any] | None,
        queries: dict[str, int],
        fresh: set[int],
        now: datetime,
    ) -> None:
        """Insert or update one reader; queries that now want placing are added to `fresh`."""
        if row is None:
            reader: int = self._db.value(
                "INSERT INTO subscriber(id, address, name, since, due_at) VALUES(?, ?, ?, ?, ?) RETURNING id",
                [
                    next_reader(self._db),
                    subscriber.email,
                    subscriber.name,
                    to_text(now),
                    to_text(now),
                ],
            )
        else:
            reader = row["id"]
            due_at = now if row["slot"] is None else next_slot(subscriber, from_text(row["slot"]))
            self._db.write(
                "UPDATE subscriber SET address = ?, name = ?, due_at = ?, gone = 0 WHERE id = ?",
                [subscriber.email, subscriber.name, to_text(due_at), reader],
            )
        wanted: dict[int, str] = {}
        for keyword in subscriber.keywords:
            wanted.setdefault(queries[keyword.query], keyword.name)
        self._sync_subscriptions(reader, wanted, subscriber.keywords, fresh, now)

    def _sync_subscriptions(
        self,
        reader: int,
        wanted: dict[int, str],
        keywords: Iterable[Keyword],
        fresh: set[int],
        now: datetime,
    ) -> None:
        held = {
            row["query"]: row
            for row in self._db.rows("SELECT * FROM subscription WHERE subscriber = ?", [reader])
        }
        names = {k.name.casefold() for k in keywords}
        head = self._head()
        for query, row in held.items():
            if query not in wanted and row["until"] is None:
                edited = row["label"].casefold() in names
                self._db.write(
                    "UPDATE subscription SET until = ?, ended_at = ? WHERE subscriber = ? AND query = ?",
                    [head if edited else 0, to_text(now), reader, query],
                )
        for query, label in wanted.items():
            row = held.get(query, {})
            if not row:
                self._db.write(
                    "INSERT INTO subscription(subscriber, query, label) VALUES(?, ?, ?)",
                    [reader, query, label],
                )
                fresh.add(query)
            elif row["until"] is not None and from_text(row["ended_at"]) < now - RETURN:
                self._db.write(
                    "UPDATE subscription SET label = ?, start = NULL, position = NULL, until = NULL, ended_at = NULL"
                    " WHERE subscriber = ? AND query = ?",
                    [label, reader, query],
                )
                fresh.add(query)
            elif row["until"] is not None or row["label"] != label:
                if row["start"] is None:
                    fresh.add(query)
                self._db.write(
                    "UPDATE subscription SET label = ?, until = NULL, ended_at = NULL"
                    " WHERE subscriber = ? AND query = ?",
                    [label, reader, query],
                )

    def _leave(self, readers: list[int], now: datetime) -> None:
        for reader in readers:
            self._db.write("UPDATE subscriber SET gone = 1 WHERE id = ?", [reader])
            self._db.write(
                "UPDATE subscription SET until = 0, ended_at = ? WHERE subscriber = ? AND until IS NULL",
                [to_text(now), reader],
            )

    def _head(self) -> int:
        """The last number of the log."""
        return head(self._db)

    def remove(self, address: str, now: datetime) -> bool:
        """Let a reader go who was taken out of the subscribers file; false where none is known.

        The next run looks at the whole file again, whatever it saw last: the reader may be back by
        then.
        """
        with self._db.transaction():
            reader = self._db.value(
                "SELECT id FROM subscriber WHERE address = ? AND gone = 0", [address]
            )
            if reader is None:
                return False
            self._leave([reader], now)
            self._db.set_meta("roster", "")
        return True

    def move(self, old: str, new: str) -> bool:
        """Give a reader another address and keep the history; false where the old one is unknown.

        A row that the new address has from earlier is renamed out of the way: its history stays in
        the ledger, under an address that no mail reaches.
        """
        with self._db.transaction():
            reader = self._db.value("SELECT id FROM subscriber WHERE address = ?", [old])
            if reader is None:
                return False
            other = self._db.value(
                "SELECT id FROM subscriber WHERE address = ? AND id <> ?", [new, reader]
            )
            if other is not None:
                self._db.write(
                    "UPDATE subscriber SET address = address || ' (before ' || id || ')', gone = 1 WHERE id = ?",
                    [other],
                )
            self._db.write("UPDATE subscriber SET address = ? WHERE id = ?", [new, reader])
            # What a reader wants goes along; a bounce is the old address's.
            self._db.write(
                "UPDATE OR IGNORE suppression SET address = ? WHERE address = ? AND reason NOT LIKE 'bounced%'",
                [new, old],
            )
            self._db.set_meta("roster", "")
        return True

    def state(self, address: str) -> SubscriberState | None:
        """What is remembered of one reader, or None."""
        row = self._db.row(
            """SELECT s.*, d.queued_at, d.state,
                   (SELECT reason FROM suppression x WHERE x.address = s.address) AS suppressed,
                   (SELECT CASE state WHEN 'failed' THEN reply END FROM delivery
                       WHERE subscriber = s.id AND state <> 'expired' AND again IS NULL
                       ORDER BY id DESC LIMIT 1) AS refused
               FROM subscriber s
               LEFT JOIN delivery d ON d.id = (SELECT id FROM delivery WHERE subscriber = s.id
                   AND state NOT IN ('expired', 'failed', 'suppressed') AND again IS NULL
                   ORDER BY queued_at DESC, id DESC LIMIT 1)
               WHERE s.address = ? AND s.gone = 0""",
            [address],
        )
        if row is None:
            return None
        unplaced = self._db.rows(
            "SELECT label FROM subscription WHERE subscriber = ? AND start IS NULL AND until IS NULL",
            [row["id"]],
        )
        return SubscriberState(
            address=row["address"],
            since=from_text(row["since"]),
            due_at=from_text(row["due_at"]),
            slot=moment_or_none(row["slot"]),
            last_digest_at=moment_or_none(row["queued_at"]),
            last_state=row["state"],
            suppressed=row["suppressed"] or "",
            refused=row["refused"] or "",
            unplaced=tuple(r["label"] for r in unplaced),
        )


def head(database: Database) -> int:
    """The last number that the log has given; 0 for an empty log."""
    number: int = database.value(
        "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'seen'), 0)"
    )
    return number


def place(database: Database, query: int, now: datetime, *, start: int | None = None) -> None:
    """Give every unplaced subscription of a query its start: the one named, or a little before the
    end of the log.

    Belongs into the transaction that made the query's log current.
    """
    if start is None:
        start = _before_the_end(database, query, now)
    database.write(
        "UPDATE subscription SET start = :start, position = :start,"
        " watched = (SELECT watched FROM query WHERE id = :query)"
        " WHERE query = :query AND start IS NULL AND until IS NULL",
        {"start": start, "query": query},
    )


def _before_the_end(database: Database, query: int, now: datetime) -> int:
    """The place in the log behind which stands what a first digest shows."""
    rows = database.rows(
        """SELECT m.seq, p.published FROM seen m JOIN paper p ON p.id = m.paper
           WHERE m.query = ? AND m.kind IN ('new', 'late') ORDER BY m.seq DESC LIMIT ?""",
        [query, FIRST_PAPERS],
    )
    line = to_text(now - FIRST_DAYS)
    young = max(
        (number for number, row in enumerate(rows, 1) if row["published"] >= line), default=0
    )
    shown = max(young, min(FIRST_AT_LEAST, len(rows)))
    start: int = rows[shown - 1]["seq"] - 1 if shown else head(database)
    return start
