"""Who wants what, as the database remembers it: readers, their subscriptions, and where those
start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from digest.errors import ConfigError
from digest.model import Keyword, Origin, Roster, Subscriber
from digest.rules.schedule import next_slot
from digest.store.database import Concern, Database
from digest.store.forgotten import without_forgotten
from digest.store.log import head
from digest.store.mistakes import HELD_BACK, note_mistakes
from digest.store.readers import count_readers, end_own, end_wish, next_reader, rename
from digest.store.rows import NOT_CARRIED_STATES, moment_or_none, value_of
from digest.times import to_text

RETURN = timedelta(days=7)
"""A keyword that is back within this time goes on where it stopped."""
FRESH = timedelta(hours=36)
"""A good window of at most this age is enough to start a new subscription at once."""
FIRST_PAPERS = 20
FIRST_SPAN = timedelta(days=7)
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


class Subscribers(Concern):
    """The readers and their subscriptions."""

    def known(self) -> int:
        """How many readers of the subscribers file the database knows who have not left."""
        return count_readers(self._db, of_file=True)

    def sync(self, roster: Roster, now: datetime) -> bool:
        """Make the database follow the roster; false where it already did.

        A removed keyword is due no longer; an edited one (same name, other query) still brings what
        was recorded before; a new one is placed after the next good window, or at once after a
        recent one. Who is held back by a mistake in the file keeps everything as it is, and who was
        forgotten is passed over. Whom the file names is the file's reader from then on, who had
        signed up too; who signed up leaves by a word of their own alone, whatever the roster lacks.
        Raises ConfigError where the file names nobody though the database knows readers of the
        file.
        """
        if not roster.names_readers and self.known():
            raise ConfigError(
                f"the subscribers file names nobody, and the database knows {self.known()} of them",
                remedy="nobody is removed for that; if they all left, run 'digest unsubscribe' with"
                " their addresses",
            )
        # Most runs find the file as it was, and with thousands of readers comparing takes seconds.
        fingerprint = hashlib.sha256(repr(roster).encode()).hexdigest()
        if self._db.meta("roster") == fingerprint:
            return False
        with self._db.transaction():
            roster = without_forgotten(self._db, roster)
            queries = self._query_numbers(roster)
            self._reset_unwanted(list(queries.values()), now)
            others = self._sync_readers(roster, queries, now)
            for wish in roster.ended_wishes:
                end_wish(self._db, wish)
            note_mistakes(self._db, roster, now)
            self._leave(self._left(others), now)
            self._start_new(now)
            self._db.set_meta("roster", fingerprint)
        return True

    def _sync_readers(self, roster: Roster, queries: dict[str, int], now: datetime) -> list[int]:
        """Insert or update the readers of the roster; returns the numbers of all others."""
        others = {
            row["address"].casefold(): row
            for row in self._db.rows(
                """SELECT s.*, u.subscriber IS NOT NULL AS signed_up
                   FROM subscriber s LEFT JOIN signup u ON u.subscriber = s.id"""
            )
        }
        for subscriber in roster.subscribers:
            known = others.pop(subscriber.email.casefold(), None)
            signed_up = known is not None and known["signed_up"]
            # Who signed up may have left, or have become the file's, since the roster was read.
            if subscriber.origin is Origin.FILE or signed_up:
                self._sync_reader(subscriber, known, queries, now)
            if subscriber.origin is Origin.FILE and known is not None and signed_up:
                end_own(self._db, known["id"])
        return [row["id"] for row in others.values()]

    def _left(self, missing: list[int]) -> list[int]:
        """Of the readers whom the roster does not serve, those whom the file let go."""
        return self._db.column(
            f"""SELECT s.id FROM subscriber s
                WHERE s.id IN many(?) AND s.gone = 0 AND s.origin = 'file'
                    AND NOT {HELD_BACK.format("s.id")}""",
            [missing],
        )

    def _query_numbers(self, roster: Roster) -> dict[str, int]:
        """The number of each query that somebody wants, by its text; new ones are added."""
        wanted = {k.query for s in roster.subscribers for k in s.keywords}
        texts = sorted(wanted | {k.query for k in roster.keywords})
        self._db.write_many(
            "INSERT INTO query(text) VALUES(?) ON CONFLICT DO NOTHING", [[text] for text in texts]
        )
        rows = self._db.rows(
            "SELECT id, text FROM query WHERE text IN many(?)",
            [texts],
        )
        return {row["text"]: row["id"] for row in rows}

    def _reset_unwanted(self, queries: list[int], now: datetime) -> None:
        """Let those queries that nobody wanted for a week or more be asked like new ones; their
        logs stay.

        What was announced meanwhile is due to nobody, and after months it would be more than arXiv
        serves.
        """
        # docs/decisions.md, "A keyword that comes back after a week or more begins anew"
        unwanted = self._db.column(
            """UPDATE query
               SET last_good_at = NULL, next_fetch_at = NULL, failures = 0, trouble = '',
                   total = NULL, quarantined_since = NULL, judged_since = NULL,
                   covered_since = NULL, deep_at = NULL
               WHERE id IN many(:queries) AND last_good_at < :line
                   AND NOT EXISTS (
                       SELECT 1 FROM subscription s
                       WHERE s.query = query.id AND (s.until IS NULL OR s.ended_at >= :line))
               RETURNING id""",
            {"queries": queries, "line": now - RETURN},
        )
        self._db.write_many("DELETE FROM held WHERE query = ?", [[query] for query in unwanted])

    def _sync_reader(
        self,
        subscriber: Subscriber,
        known: dict[str, Any] | None,
        queries: dict[str, int],
        now: datetime,
    ) -> None:
        """Insert or update one reader."""
        reader = known["id"] if known else next_reader(self._db)
        if known is None:
            self._db.write(
                """INSERT INTO subscriber(id, address, channel, name, since, due_at)
                   VALUES(?, ?, ?, ?, ?, ?)""",
                [reader, subscriber.email, subscriber.channel, subscriber.name, now, now],
            )
        else:
            slot = moment_or_none(known["slot"])
            self._db.write(
                """UPDATE subscriber
                   SET address = ?, channel = ?, name = ?, due_at = ?, gone = 0, origin = ?
                   WHERE id = ?""",
                [
                    subscriber.email,
                    subscriber.channel,
                    subscriber.name,
                    next_slot(subscriber, slot) if slot else now,
                    subscriber.origin,
                    reader,
                ],
            )
        self._sync_subscriptions(reader, subscriber.keywords, queries, now)

    def _sync_subscriptions(
        self, reader: int, keywords: Sequence[Keyword], queries: dict[str, int], now: datetime
    ) -> None:
        # Of two names for one query the first one is the label.
        wanted = {queries[k.query]: k.name for k in reversed(keywords)}
        names = {k.name.casefold() for k in keywords}
        end = head(self._db)
        rows = self._db.rows("SELECT * FROM subscription WHERE subscriber = ?", [reader])
        for row in rows:
            if row["until"] is not None:
                continue
            if wanted.get(row["query"]) == row["label"]:
                del wanted[row["query"]]
            elif row["query"] not in wanted:
                # A name with another query than before: what was recorded for the old one is due.
                until = end if row["label"].casefold() in names else 0
                self._db.write(
                    """UPDATE subscription
                       SET until = ?, ended_at = ? WHERE subscriber = ? AND query = ?""",
                    [until, now, reader, row["query"]],
                )
        self._db.write_many(
            """INSERT INTO subscription(subscriber, query, label) VALUES(:reader, :query, :label)
               ON CONFLICT(subscriber, query) DO UPDATE SET label = :label,
                   start = CASE WHEN subscription.ended_at < :line THEN NULL
                                ELSE subscription.start END,
                   position = CASE WHEN subscription.ended_at < :line THEN NULL
                                   ELSE subscription.position END,
                   until = NULL, ended_at = NULL""",
            [
                {"reader": reader, "query": query, "label": label, "line": now - RETURN}
                for query, label in wanted.items()
            ],
        )

    def _start_new(self, now: datetime) -> None:
        """Start at once the subscriptions to queries that were answered lately."""
        fresh = self._db.column(
            """SELECT DISTINCT s.query FROM subscription s JOIN query q ON q.id = s.query
               WHERE s.start IS NULL AND s.until IS NULL AND q.last_good_at > ?
               ORDER BY s.query""",
            [now - FRESH],
        )
        for query in fresh:
            start_subscriptions(self._db, query, now)

    def _leave(self, readers: list[int], now: datetime) -> None:
        for reader in readers:
            # Who left has no slot to be due at: it says when they left.
            self._db.write("UPDATE subscriber SET gone = 1, due_at = ? WHERE id = ?", [now, reader])
            self._db.write(
                """UPDATE subscription SET until = 0, ended_at = ?
                   WHERE subscriber = ? AND until IS NULL""",
                [now, reader],
            )
            end_own(self._db, reader)

    def remove(self, address: str, now: datetime) -> bool:
        """Remove a reader who was taken out of the subscribers file, or who had signed up; false
        where none is known.

        The next run looks at the whole file again, whatever it saw last: the reader may be back by
        then.
        """
        with self._db.transaction():
            reader = self._db.value(
                "SELECT id FROM subscriber WHERE lower(address) = lower(?) AND gone = 0", [address]
            )
            if reader is None:
                return False
            self._db.note_time(now)
            self._leave([reader], now)
            self._db.set_meta("roster", "")
        return True

    def move(self, old: str, new: str) -> bool:
        """Give a reader another address and keep the history; false where the old one is unknown.

        A row that the new address has from earlier is renamed out of the way: its history stays in
        the ledger, under an address that no mail reaches.
        """
        with self._db.transaction():
            reader = self._db.value(
                "SELECT id FROM subscriber WHERE lower(address) = lower(?)", [old]
            )
            if reader is None:
                return False
            rename(self._db, reader, new)
        return True

    def number(self, address: str) -> int | None:
        """A reader's number, by which links and addresses in mails name them; None where none with
        this address is there.
        """
        known = "SELECT id FROM subscriber WHERE lower(address) = lower(?) AND gone = 0"
        return self._db.number(known, [address]) or None

    def state(self, address: str) -> SubscriberState | None:
        """What is remembered of one reader, or None."""
        row = self._db.row(
            f"""SELECT s.id, s.address, s.since, s.due_at, s.slot,
                   COALESCE(d.queued_at, s.digest_at) AS last_digest_at,
                   CASE WHEN d.id IS NULL AND s.digest_at IS NOT NULL THEN 'sent'
                        ELSE d.state END AS last_state,
                   COALESCE((SELECT reason FROM suppression x
                       WHERE lower(x.address) = lower(s.address)), '') AS suppressed,
                   COALESCE((SELECT CASE state WHEN 'failed' THEN reply END FROM delivery
                       WHERE subscriber = s.id AND state <> 'expired' AND again IS NULL
                           AND queued_at >= COALESCE(s.digest_at, '')
                       ORDER BY queued_at DESC, id DESC LIMIT 1), '') AS refused
                FROM subscriber s
                LEFT JOIN delivery d ON d.id = (
                    SELECT id FROM delivery
                    WHERE subscriber = s.id AND state NOT IN {NOT_CARRIED_STATES}
                        AND again IS NULL AND queued_at >= COALESCE(s.digest_at, '')
                    ORDER BY queued_at DESC, id DESC LIMIT 1)
                WHERE lower(s.address) = lower(?) AND s.gone = 0""",
            [address],
        )
        if row is None:
            return None
        return value_of(SubscriberState, row, unplaced=unplaced_labels(self._db, row["id"]))

    def awaiting_first(self) -> int:
        """How many readers had no digest yet and have a keyword that waits for arXiv's answer."""
        return self._db.number(
            """SELECT COUNT(DISTINCT s.subscriber)
               FROM subscription s JOIN subscriber r ON r.id = s.subscriber
               WHERE s.start IS NULL AND s.until IS NULL AND r.gone = 0
                   AND r.digest_at IS NULL
                   AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.subscriber = r.id)"""
        )


def unplaced_labels(database: Database, reader: int) -> tuple[str, ...]:
    """The names of the reader's keywords that arXiv has not answered since the reader has them."""
    return tuple(
        database.column(
            """SELECT label FROM subscription
               WHERE subscriber = ? AND start IS NULL AND until IS NULL ORDER BY query""",
            [reader],
        )
    )


def start_subscriptions(
    database: Database, query: int, now: datetime, *, start: int | None = None
) -> None:
    """Give every unplaced subscription of a query its start: the one named, or a little before the
    end of the log.

    Belongs into the transaction that made the query's log current.
    """
    if start is None:
        start = _before_the_end(database, query, now)
    database.write(
        """UPDATE subscription
           SET start = :start, position = :start,
               watched = (SELECT watched FROM query WHERE id = :query)
           WHERE query = :query AND start IS NULL AND until IS NULL""",
        {"start": start, "query": query},
    )


def _before_the_end(database: Database, query: int, now: datetime) -> int:
    """The place in the log behind which stands what a first digest shows."""
    rows = database.rows(
        """SELECT m.seq, p.published FROM seen m JOIN paper p ON p.id = m.paper
           WHERE m.query = ? AND m.kind IN ('new', 'late') ORDER BY m.seq DESC LIMIT ?""",
        [query, FIRST_PAPERS],
    )
    line = to_text(now - FIRST_SPAN)
    young = max(
        (number for number, row in enumerate(rows, 1) if row["published"] >= line), default=0
    )
    shown = max(young, min(FIRST_AT_LEAST, len(rows)))
    start: int = rows[shown - 1]["seq"] - 1 if shown else head(database)
    return start
