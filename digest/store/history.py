"""Answers people who ask what happened: papers in the logs, digests in the ledger, runs. It only
reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from digest.model import Channel, Kind, Paper, Revisions
from digest.rules.verdict import LedgerEntry, LogRow, Part
from digest.store.database import Concern
from digest.store.due import NEEDED, NO_END, WITHIN
from digest.store.ledger import papers_by_month, versions_had, versions_sent
from digest.store.outbox import SUBJECT
from digest.store.papers import load_papers
from digest.store.rows import NOT_CARRIED_STATES, from_text, value_of
from digest.store.runs import KeywordRecord, RunRecord, record_of


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader as the database remembers them, also after leaving. Times are UTC.

    `left_at` is None for who has not left; `suppressed_at` for who may be mailed.
    """

    id: int
    address: str
    channel: Channel
    since: datetime
    left_at: datetime | None
    suppression: str
    suppressed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Fetch:
    """The result of one run for one query; `at` is when the run started (UTC)."""

    at: datetime
    query: str
    record: KeywordRecord


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row that came into one of a reader's logs. `delivery` carried it to the reader, if any
    did; 0: one that is no longer kept.
    """

    query: str
    label: str
    paper: str
    kind: Kind
    counts: bool
    delivery: int | None


@dataclass(frozen=True, slots=True)
class Run:
    """A run with its number, and how many runs in which nothing happened came right before it."""

    id: int
    record: RunRecord
    idle_before: int


@dataclass(frozen=True, slots=True)
class Carried:
    """A paper as a digest carried it: the version, and whether as a new version."""

    id: str
    version: int
    title: str
    revised: bool


@dataclass(frozen=True, slots=True)
class Milestones:
    """The versions of a paper that told of its publication, and the one that withdrew it (0: it
    stands).
    """

    accepted: frozenset[int]
    withdrawn: int


class History(Concern):
    """The reading side of the store."""

    def reader(self, address: str) -> Reader | None:
        """One reader, also one who left."""
        return self._db.first(
            Reader,
            """SELECT r.id, r.address, r.channel, r.since, COALESCE(x.reason, '') AS suppression,
                   x.since AS suppressed_at,
                   CASE WHEN r.gone = 1 THEN COALESCE(
                       (SELECT MAX(ended_at) FROM subscription s WHERE s.subscriber = r.id),
                       r.since) END AS left_at
               FROM subscriber r LEFT JOIN suppression x ON lower(x.address) = lower(r.address)
               WHERE lower(r.address) = lower(?)""",
            [address],
        )

    def addresses(self) -> list[str]:
        """Every address that the database has ever known."""
        return self._db.column("SELECT address FROM subscriber ORDER BY id")

    def paper(self, base: str) -> Paper | None:
        """A paper in the highest version ever served."""
        return load_papers(self._db, [base]).get(base)

    def milestones(self, base: str) -> Milestones:
        """What the versions of a paper said of it, as far as they were seen."""
        accepted = self._db.column(
            "SELECT version FROM revision WHERE paper = ? AND accepted = 1", [base]
        )
        withdrawn = self._db.number("SELECT withdrawn FROM paper WHERE id = ?", [base])
        return Milestones(frozenset(accepted), withdrawn)

    def log(self, base: str) -> list[LogRow]:
        """A paper's rows in the logs of all queries, in their order."""
        return self._db.all(
            LogRow,
            """SELECT m.seq, m.version, m.kind, m.listed, q.text AS query,
                   r.started_at AS recorded_at,
                   (SELECT MAX(b.started_at) FROM run_keyword k JOIN run b ON b.id = k.run
                    WHERE k.query = m.query AND k.run < m.run AND k.status = 'ok')
                       AS previous_good_at
               FROM seen m JOIN query q ON q.id = m.query LEFT JOIN run r ON r.id = m.run
               WHERE m.paper = ? ORDER BY m.seq""",
            [base],
        )

    def parts(self, reader: int) -> list[Part]:
        """A reader's parts of the logs, the ended ones included."""
        return self._db.all(
            Part,
            """SELECT q.text AS query, s.label, s.start, s.until, s.ended_at,
                   (SELECT r.started_at FROM run r WHERE r.id =
                       (SELECT m.run FROM seen m WHERE m.query = s.query AND m.seq <= s.start
                        ORDER BY m.seq DESC LIMIT 1)) AS begins_after
               FROM subscription s JOIN query q ON q.id = s.query
               WHERE s.subscriber = ? ORDER BY s.query""",
            [reader],
        )

    def first_good(self, query: str) -> datetime | None:
        """When arXiv first answered for a query, as far back as the records of runs go."""
        return self._db.moment(
            """SELECT MIN(at) FROM (
                   SELECT MIN(r.started_at) AS at FROM query q
                   JOIN run_keyword k ON k.query = q.id JOIN run r ON r.id = k.run
                   WHERE q.text = :query AND k.status = 'ok'
                   UNION ALL
                   SELECT MIN(r.started_at) FROM query q
                   JOIN seen m ON m.query = q.id JOIN run r ON r.id = m.run
                   WHERE q.text = :query) AS good""",
            {"query": query},
        )

    def was_skipped(self, reader: int, row: LogRow, start: int) -> bool:
        """Whether a return from an absence moved the reader's part of a log past this row.

        By the ledger: a digest that begins exactly where the log now starts, queued after the row
        was recorded, and before that an older one with a paper of this query's log.
        """
        if row.recorded_at is None:
            return False
        return bool(
            self._db.value(
                """SELECT EXISTS (
                       SELECT 1 FROM delivery WHERE subscriber = :reader AND from_seq = :start
                           AND queued_at > :recorded)
                   AND EXISTS (
                       SELECT 1 FROM delivery d
                       JOIN content_paper cp ON cp.content = d.content
                       JOIN seen m ON m.paper = cp.paper AND m.seq < :seq
                       JOIN query q ON q.id = m.query
                       WHERE d.subscriber = :reader AND q.text = :query
                           AND d.queued_at < :recorded)""",
                {
                    "reader": reader,
                    "start": start,
                    "recorded": row.recorded_at,
                    "seq": row.seq,
                    "query": row.query,
                },
            )
        )

    def carriers(self, reader: int, base: str) -> list[tuple[LedgerEntry, Carried]]:
        """The reader's deliveries with a paper, whatever became of them, oldest first."""
        rows = self._db.rows(
            f"""SELECT {_DELIVERY}, cp.version AS carried_version, cp.revised
                FROM {_DELIVERIES}
                JOIN content_paper cp ON cp.content = d.content AND cp.paper = :paper
                WHERE d.subscriber = :reader ORDER BY d.id""",
            {"reader": reader, "paper": base},
        )
        return [
            (
                value_of(LedgerEntry, row),
                Carried(base, row["carried_version"], "", bool(row["revised"])),
            )
            for row in rows
        ]

    def sent_long_ago(self, reader: int, base: str) -> list[tuple[datetime, int]]:
        """The months in which a reader was sent a paper by deliveries that are no longer kept, each
        by its first day, and the versions; the oldest first.
        """
        return versions_sent(self._db, reader, base)

    def months(self, reader: int) -> dict[datetime, list[tuple[str, int]]]:
        """What a reader was sent by deliveries that are no longer kept, by month: the papers' ids
        and versions.
        """
        return papers_by_month(self._db, reader)

    def deliveries(
        self,
        reader: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = NO_END,
    ) -> list[LedgerEntry]:
        """A reader's digests, newest first; with `since` and `until` those that were on their way
        in that time.
        """
        return self._db.all(
            LedgerEntry,
            f"""SELECT {_DELIVERY} FROM {_DELIVERIES} WHERE d.subscriber = :reader
                    AND COALESCE(d.ended_at, '9999') >= COALESCE(:since, '')
                    AND d.queued_at < COALESCE(:until, '~')
                ORDER BY d.queued_at DESC, d.id DESC LIMIT :limit""",
            {"reader": reader, "since": since, "until": until, "limit": limit},
        )

    def contents(self, delivery: int) -> list[Carried]:
        """The papers that a digest carries; a title is that of the highest version ever served."""
        return self._db.all(
            Carried,
            """SELECT p.id, cp.version, p.title, cp.revised FROM delivery d
               JOIN content_paper cp ON cp.content = d.content JOIN paper p ON p.id = cp.paper
               WHERE d.id = ? ORDER BY cp.revised, p.published DESC, p.id""",
            [delivery],
        )

    def fetches(self, queries: Iterable[str], since: datetime, until: datetime) -> list[Fetch]:
        """What the runs between two moments did for these queries, oldest first."""
        rows = self._db.rows(
            """SELECT k.*, r.started_at AS at, q.text FROM run r
               JOIN run_keyword k ON k.run = r.id JOIN query q ON q.id = k.query
               WHERE r.started_at >= ? AND r.started_at < ?
                   AND q.text IN many(?)
               ORDER BY r.id, q.id""",
            [since, until, list(queries)],
        )
        return [
            value_of(Fetch, row | {"query": row["text"]}, record=value_of(KeywordRecord, row))
            for row in rows
        ]

    def last_fetch_at(self, queries: Iterable[str]) -> datetime | None:
        """When a run last asked for any of these queries."""
        return self._db.moment(
            """SELECT MAX(r.started_at) FROM run_keyword k
               JOIN run r ON r.id = k.run JOIN query q ON q.id = k.query
               WHERE q.text IN many(?)""",
            [list(queries)],
        )

    def recorded(
        self, reader: int, since: datetime, until: datetime, *, revisions: Revisions
    ) -> list[Recorded]:
        """What came into the reader's parts of the logs between two moments, and which digest
        carried it.

        `counts`: the row is one that can be due (beyond the start, not too old, a revision where
        wanted).
        """
        rows = self._db.rows(
            f"""SELECT query, label, paper, kind, number, published, needed,
                    needed IS NOT NULL AND within AS counts,
                    (SELECT MAX(d.id) FROM delivery d
                     JOIN content_paper cp ON cp.content = d.content
                     WHERE d.subscriber = :reader AND d.state NOT IN {NOT_CARRIED_STATES}
                         AND cp.paper = log.paper AND cp.version >= needed) AS delivery
                FROM (SELECT m.seq, q.text AS query, s.label, m.paper, m.kind,
                          p.number, p.published, {NEEDED} AS needed,
                          {WITHIN.format("s.start")} AS within
                      FROM subscription s
                      JOIN query q ON q.id = s.query
                      JOIN seen m ON m.query = s.query
                      JOIN paper p ON p.id = m.paper
                      WHERE s.subscriber = :reader AND m.run IN (
                          SELECT id FROM run WHERE started_at >= :since AND started_at < :until)
                     ) AS log
                ORDER BY seq""",
            {
                "reader": reader,
                "since": since,
                "until": until,
                "revisions": revisions,
                "no_end": NO_END,
            },
        )
        open_ = [row for row in rows if row["delivery"] is None and row["counts"]]
        published = {row["number"]: from_text(row["published"]) for row in open_ if row["number"]}
        had = versions_had(self._db, reader, published)
        for row in open_:
            if had.get(row["number"], -1) >= row["needed"]:
                row["delivery"] = 0
        return [value_of(Recorded, row) for row in rows]

    def runs(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = NO_END,
        idle: bool = False,
    ) -> list[Run]:
        """The runs, newest first; those in which nothing happened only with `idle`, else only
        counted.
        """
        rows = self._db.rows(
            f"""SELECT r.*, CASE WHEN :idle = 1 THEN 0 ELSE (
                    SELECT COUNT(*) FROM run i WHERE i.id < r.id AND i.id > COALESCE(
                        (SELECT e.id FROM run e WHERE e.id < r.id AND {_EVENTFUL.format("e")}
                         ORDER BY e.id DESC LIMIT 1), 0)) END AS idle_before
                FROM run r
                WHERE (:idle = 1 OR {_EVENTFUL.format("r")})
                    AND r.started_at >= COALESCE(:since, '')
                    AND r.started_at < COALESCE(:until, '9999')
                ORDER BY r.id DESC LIMIT :limit""",
            {"idle": idle, "limit": limit, "since": since, "until": until},
        )
        return [Run(row["id"], record_of(self._db, row), row["idle_before"]) for row in rows]


_EVENTFUL = """({0}.composed + {0}.sent + {0}.deferred + {0}.failed + {0}.unknown > 0
    OR {0}.trouble <> '' OR {0}.finished_at IS NULL
    OR EXISTS (SELECT 1 FROM run_keyword k WHERE k.run = {0}.id))"""
_DELIVERY = f"""
    d.id, d.slot, d.queued_at, d.from_seq, d.state, d.attempt AS attempts, d.next_at, d.ended_at,
    d.reply, {SUBJECT} AS subject,
    (SELECT COUNT(*) FROM content_paper n WHERE n.content = d.content) AS papers"""
_DELIVERIES = "delivery d JOIN content c ON c.id = d.content"
