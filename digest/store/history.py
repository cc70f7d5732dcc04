"""What happened, for people who ask: papers in the logs, digests in the ledger, runs. It only
reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from digest.model import Kind, Outcome, Paper, Revisions, State
from digest.rules.verdict import Delivery, LogRow, Part
from digest.store.database import Database
from digest.store.due import NOT_CARRIED
from digest.store.outbox import SUBJECT
from digest.store.papers import load_papers
from digest.store.runs import KeywordRecord, RunRecord
from digest.times import from_text, moment_or_none, text_or_none, to_text


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader as the database remembers them, also after leaving. Times are UTC.

    `left_at` is None for who has not left; `suppressed_at` for who may be mailed.
    """

    id: int
    address: str
    since: datetime
    left_at: datetime | None
    suppression: str
    suppressed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Fetch:
    """What one run did for one query; `at` is when the run started (UTC)."""

    at: datetime
    query: str
    record: KeywordRecord


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row that came into one of a reader's logs. `delivery` carried it to the reader, if any
    did.
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
class Told:
    """Which of a paper's versions told of acceptance, and with which it was withdrawn (0: it
    stands).
    """

    accepted: frozenset[int]
    withdrawn: int


class History:
    """The reading side of the store."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def reader(self, address: str) -> Reader | None:
        """One reader, also one who left."""
        row = self._db.row(
            """SELECT r.id, r.address, r.since, r.gone, x.reason, x.since AS suppressed_at,
                   (SELECT MAX(ended_at) FROM subscription s WHERE s.subscriber = r.id) AS ended_at
               FROM subscriber r LEFT JOIN suppression x ON x.address = r.address WHERE r.address = ?""",
            [address],
        )
        if row is None:
            return None
        return Reader(
            id=row["id"],
            address=row["address"],
            since=from_text(row["since"]),
            left_at=from_text(row["ended_at"] or row["since"]) if row["gone"] else None,
            suppression=row["reason"] or "",
            suppressed_at=moment_or_none(row["suppressed_at"]),
        )

    def addresses(self) -> list[str]:
        """Every address that the database has ever known."""
        return [
            row["address"] for row in self._db.rows("SELECT address FROM subscriber ORDER BY id")
        ]

    def paper(self, base: str) -> Paper | None:
        """A paper in the highest version ever served."""
        return load_papers(self._db, [base]).get(base)

    def told_by_versions(self, base: str) -> Told:
        """What the versions of a paper told, as far as they were seen."""
        rows = self._db.rows("SELECT version FROM revision WHERE paper = ? AND accepted", [base])
        withdrawn = self._db.value("SELECT withdrawn FROM paper WHERE id = ?", [base])
        return Told(frozenset(row["version"] for row in rows), withdrawn or 0)

    def log(self, base: str) -> list[LogRow]:
        """A paper's rows in the logs of all queries, in their order."""
        rows = self._db.rows(
            """SELECT m.seq, m.version, m.kind, q.text, r.started_at,
                   (SELECT MAX(b.started_at) FROM run_keyword k JOIN run b ON b.id = k.run
                    WHERE k.query = m.query AND k.run < m.run AND k.status = 'ok') AS previous
               FROM seen m JOIN query q ON q.id = m.query LEFT JOIN run r ON r.id = m.run
               WHERE m.paper = ? ORDER BY m.seq""",
            [base],
        )
        return [
            LogRow(
                query=row["text"],
                seq=row["seq"],
                version=row["version"],
                kind=Kind(row["kind"]),
                recorded_at=moment_or_none(row["started_at"]),
                previous_good_at=moment_or_none(row["previous"]),
            )
            for row in rows
        ]

    def parts(self, reader: int) -> list[Part]:
        """A reader's parts of the logs, the ended ones included."""
        rows = self._db.rows(
            """SELECT q.text, s.label, s.start, s.until, s.ended_at,
                   (SELECT r.started_at FROM run r WHERE r.id =
                       (SELECT m.run FROM seen m WHERE m.query = s.query AND m.seq <= s.start
                        ORDER BY m.seq DESC LIMIT 1)) AS begins_after
               FROM subscription s JOIN query q ON q.id = s.query WHERE s.subscriber = ? ORDER BY q.id""",
            [reader],
        )
        return [
            Part(
                query=row["text"],
                label=row["label"],
                start=row["start"],
                until=row["until"],
                ended_at=moment_or_none(row["ended_at"]),
                begins_after=moment_or_none(row["begins_after"]),
            )
            for row in rows
        ]

    def first_good(self, query: str) -> datetime | None:
        """When arXiv first answered for a query, as far back as the records of runs go."""
        return moment_or_none(
            self._db.value(
                """SELECT MIN(r.started_at) FROM run_keyword k JOIN run r ON r.id = k.run
                   JOIN query q ON q.id = k.query WHERE q.text = ? AND k.status = 'ok'""",
                [query],
            )
        )

    def was_let_go(self, reader: int, row: LogRow, start: int) -> bool:
        """Whether a return from an absence moved the reader's part of a log past this row.

        Told by the ledger: a digest that begins exactly where the log now starts, queued after the
        row was recorded, and before that an older one with a paper of this query's log.
        """
        if row.recorded_at is None:
            return False
        return bool(
            self._db.value(
                """SELECT EXISTS (SELECT 1 FROM delivery WHERE subscriber = :reader AND from_seq = :start
                           AND queued_at > :recorded)
                   AND EXISTS (SELECT 1 FROM delivery d JOIN content_paper cp ON cp.content = d.content
                           JOIN seen m ON m.paper = cp.paper AND m.seq < :seq JOIN query q ON q.id = m.query
                           WHERE d.subscriber = :reader AND q.text = :query AND d.queued_at < :recorded)""",
                {
                    "reader": reader,
                    "start": start,
                    "recorded": to_text(row.recorded_at),
                    "seq": row.seq,
                    "query": row.query,
                },
            )
        )

    def carriers(self, reader: int, base: str) -> list[tuple[Delivery, Carried]]:
        """The reader's deliveries with a paper, whatever became of them, oldest first."""
        rows = self._db.rows(
            f"""SELECT {_DELIVERY}, cp.version AS v, cp.revised AS as_revision FROM {_DELIVERIES}
                JOIN content_paper cp ON cp.content = d.content AND cp.paper = :paper
                WHERE d.subscriber = :reader ORDER BY d.id""",
            {"reader": reader, "paper": base},
        )
        return [
            (_delivery(row), Carried(base, row["v"], "", bool(row["as_revision"]))) for row in rows
        ]

    def deliveries(
        self,
        reader: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = -1,
    ) -> list[Delivery]:
        """A reader's digests, newest first; with `since` and `until` those that were on their way
        in that time.
        """
        return [
            _delivery(row)
            for row in self._db.rows(
                f"""SELECT {_DELIVERY} FROM {_DELIVERIES} WHERE d.subscriber = :reader
                    AND (:since IS NULL OR COALESCE(d.ended_at, '9') >= :since)
                    AND (:until IS NULL OR d.queued_at < :until) ORDER BY d.queued_at DESC, d.id DESC LIMIT :limit""",
                {
                    "reader": reader,
                    "since": text_or_none(since),
                    "until": text_or_none(until),
                    "limit": limit,
                },
            )
        ]

    def contents(self, delivery: int) -> list[Carried]:
        """The papers that a digest carries; a title is that of the highest version ever served."""
        rows = self._db.rows(
            """SELECT cp.paper, cp.version, cp.revised, p.title FROM delivery d
               JOIN content_paper cp ON cp.content = d.content JOIN paper p ON p.id = cp.paper
               WHERE d.id = ? ORDER BY cp.revised, p.published DESC, p.id""",
            [delivery],
        )
        return [
            Carried(row["paper"], row["version"], row["title"], bool(row["revised"]))
            for row in rows
        ]

    def fetches(self, queries: Iterable[str], since: datetime, until: datetime) -> list[Fetch]:
        """What the runs between two moments did for these queries, oldest first."""
        rows = self._db.rows(
            """SELECT k.*, r.started_at, q.text FROM run r JOIN run_keyword k ON k.run = r.id
               JOIN query q ON q.id = k.query WHERE r.started_at >= ? AND r.started_at < ?
               AND q.text IN (SELECT value FROM json_each(?)) ORDER BY r.id, q.id""",
            [to_text(since), to_text(until), json.dumps(list(queries))],
        )
        return [Fetch(from_text(row["started_at"]), row["text"], _keyword(row)) for row in rows]

    def last_fetch_at(self, queries: Iterable[str]) -> datetime | None:
        """When a run last asked for any of these queries."""
        return moment_or_none(
            self._db.value(
                """SELECT MAX(r.started_at) FROM run_keyword k JOIN run r ON r.id = k.run JOIN query q ON q.id = k.query
                   WHERE q.text IN (SELECT value FROM json_each(?))""",
                [json.dumps(list(queries))],
            )
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
            f"""SELECT q.text, s.label, m.paper, m.kind, m.kind <> 'old' AND (m.kind <> 'revised' OR :revisions = 'true'
                        OR (:revisions = 'published' AND EXISTS (SELECT 1 FROM revision v
                            WHERE v.paper = m.paper AND v.version = m.version AND v.accepted)))
                    AND s.start IS NOT NULL AND m.seq > s.start AND (s.until IS NULL OR m.seq <= s.until) AS counts,
                   (SELECT MAX(d.id) FROM delivery d JOIN content_paper cp ON cp.content = d.content
                    AND cp.paper = m.paper AND (m.kind <> 'revised' OR cp.version >= m.version)
                    WHERE d.subscriber = :reader AND d.state NOT IN {NOT_CARRIED}) AS delivery
               FROM subscription s JOIN query q ON q.id = s.query JOIN seen m ON m.query = s.query
               WHERE s.subscriber = :reader
                   AND m.run IN (SELECT id FROM run WHERE started_at >= :since AND started_at < :until)
               ORDER BY m.seq""",
            {
                "reader": reader,
                "since": to_text(since),
                "until": to_text(until),
                "revisions": revisions,
            },
        )
        return [
            Recorded(
                row["text"],
                row["label"],
                row["paper"],
                Kind(row["kind"]),
                bool(row["counts"]),
                row["delivery"],
            )
            for row in rows
        ]

    def runs(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = -1,
        idle: bool = False,
    ) -> list[Run]:
        """The runs, newest first; those in which nothing happened only with `idle`, else only
        counted.
        """
        rows = self._db.rows(
            f"""SELECT r.*, (SELECT COUNT(*) FROM run i WHERE i.id < r.id AND i.id >
                        COALESCE((SELECT e.id FROM run e WHERE e.id < r.id AND {_EVENTFUL.format("e")}
                                  ORDER BY e.id DESC LIMIT 1), 0)
                    ) AS idle_before
                FROM run r WHERE (:idle OR {_EVENTFUL.format("r")}) AND r.started_at >= :since AND r.started_at < :until
                ORDER BY r.id DESC LIMIT :limit""",
            {
                "idle": idle,
                "limit": limit,
                "since": to_text(since) if since else "",
                "until": to_text(until) if until else "9999",
            },
        )
        return [self._run(row, 0 if idle else row["idle_before"]) for row in rows]

    def _run(self, row: dict[str, Any], idle_before: int) -> Run:
        keywords = self._db.rows(
            "SELECT * FROM run_keyword WHERE run = ? ORDER BY query", [row["id"]]
        )
        record = RunRecord(
            started=from_text(row["started_at"]),
            finished=moment_or_none(row["finished_at"]),
            trouble=row["trouble"],
            composed=row["composed"],
            outcomes={outcome: row[outcome] for outcome in Outcome if outcome in row},
            keywords=tuple(_keyword(k) for k in keywords),
        )
        return Run(row["id"], record, idle_before)


_EVENTFUL = """({0}.composed OR {0}.sent OR {0}.deferred OR {0}.failed OR {0}.unknown OR {0}.trouble <> ''
    OR {0}.finished_at IS NULL OR EXISTS (SELECT 1 FROM run_keyword k WHERE k.run = {0}.id))"""

_RECORDED = ("keyword", "status", "fetched", "new", "revised", "late", "requests", "why")
_DELIVERY = f"""d.id, d.slot, d.queued_at, d.from_seq, d.state, d.attempt, d.next_at, d.ended_at, d.reply,
    {SUBJECT} AS subject,
    (SELECT COUNT(*) FROM content_paper n WHERE n.content = d.content) AS papers"""
_DELIVERIES = "delivery d JOIN content c ON c.id = d.content"


def _delivery(row: dict[str, Any]) -> Delivery:
    return Delivery(
        id=row["id"],
        slot=from_text(row["slot"]),
        queued_at=from_text(row["queued_at"]),
        from_seq=row["from_seq"],
        subject=row["subject"],
        papers=row["papers"],
        state=State(row["state"]),
        attempts=row["attempt"],
        next_at=from_text(row["next_at"]),
        ended_at=moment_or_none(row["ended_at"]),
        reply=row["reply"],
    )


def _keyword(row: dict[str, Any]) -> KeywordRecord:
    return KeywordRecord(**{name: row[name] for name in _RECORDED})
