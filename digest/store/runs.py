"""The record that each run leaves: what was asked, what came, and why nothing did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from digest.model import Outcome
from digest.store.clock import LATEST_NOW
from digest.store.database import Concern, Database
from digest.store.rows import columns_of, from_text, moment_or_none, value_of
from digest.times import to_text

KEPT = timedelta(days=366)
"""Run records are kept for a year."""
RUNS_AT_ONCE, ROWS_AT_ONCE = 20, 5_000
"""So many are deleted in one transaction, once the log's rows no longer name them: so many rows in
one."""


@dataclass(frozen=True, slots=True)
class KeywordRecord:
    """What one run did for one keyword. `status`: ok, failed, quarantined or skipped; `first`:
    there was no answer for it before, so that what came is noted as seen, and more than a first
    digest shows.
    """

    keyword: str
    status: str
    fetched: int = 0
    new: int = 0
    revised: int = 0
    late: int = 0
    requests: int = 0
    why: str = ""
    first: bool = False


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. Times are UTC; `finished` None: it was interrupted. `trouble`: what stopped mail or
    all fetches.
    """

    started: datetime
    finished: datetime | None
    trouble: str
    composed: int
    outcomes: Mapping[Outcome, int]
    keywords: tuple[KeywordRecord, ...] = ()


class Runs(Concern):
    """The records of runs."""

    def begin(self, now: datetime) -> int:
        """Open a record."""
        with self._db.transaction():
            self._db.set_meta(LATEST_NOW, to_text(now))
            return self._db.number("INSERT INTO run(started_at) VALUES(?) RETURNING id", [now])

    def note_keyword(self, run: int, query: int, record: KeywordRecord) -> None:
        """Write what a run did for one keyword."""
        self._db.write(
            """INSERT INTO run_keyword(run, query, keyword, status, fetched, new, revised, late,
                   requests, why)
               VALUES(:run, :query, :keyword, :status, :fetched, :new, :revised, :late,
                   :requests, :why)
               ON CONFLICT(run, query) DO UPDATE SET keyword = excluded.keyword,
                   status = excluded.status, fetched = excluded.fetched, new = excluded.new,
                   revised = excluded.revised, late = excluded.late,
                   requests = excluded.requests, why = excluded.why""",
            columns_of(record) | {"run": run, "query": query},
        )

    def explain_silence(self, run: int, why: str) -> None:
        """Give every keyword that a run asked for in vain another reason."""
        self._db.write(
            """UPDATE run_keyword SET why = ?
               WHERE run = ? AND status = 'ok' AND new = 0 AND late = 0""",
            [why, run],
        )

    def finish(
        self,
        run: int,
        now: datetime,
        *,
        composed: int,
        outcomes: Mapping[Outcome, int],
        trouble: str,
    ) -> None:
        """Close a record, and let the database look how it has grown."""
        numbers = {outcome.value: outcomes.get(outcome, 0) for outcome in Outcome}
        numbers["deferred"] += numbers.pop("relay")
        self._db.write(
            """UPDATE run SET finished_at = :now, trouble = :trouble, composed = :composed,
                   sent = :sent, deferred = :deferred, failed = :failed,
                   unknown = :unknown
               WHERE id = :run""",
            {"run": run, "now": now, "composed": composed, "trouble": trouble, **numbers},
        )
        self._db.tidy()

    def latest(self) -> RunRecord | None:
        """The last run."""
        row = self._db.row("SELECT * FROM run ORDER BY id DESC LIMIT 1")
        return record_of(self._db, row) if row else None

    def rows_since(self, queries: Iterable[str], moment: datetime) -> int:
        """How many rows arXiv's good answers to these queries held, in the runs that began after a
        moment.
        """
        return self._db.number(
            """SELECT COALESCE(SUM(k.fetched), 0) FROM query q
               JOIN run_keyword k ON k.query = q.id AND k.run > COALESCE(
                   (SELECT id FROM run WHERE started_at <= ? ORDER BY id DESC LIMIT 1), 0)
               WHERE q.text IN many(?) AND k.status = 'ok'""",
            [moment, list(queries)],
        )

    def last_fetch(self, query: str) -> tuple[datetime, KeywordRecord] | None:
        """The last run that asked arXiv for a query, and what it brought."""
        row = self._db.row(
            """SELECT k.*, r.started_at FROM run_keyword k
               JOIN run r ON r.id = k.run JOIN query q ON q.id = k.query
               WHERE q.text = ? AND k.status <> 'skipped' ORDER BY k.run DESC LIMIT 1""",
            [query],
        )
        return (from_text(row["started_at"]), value_of(KeywordRecord, row)) if row else None


def record_of(database: Database, row: dict[str, Any]) -> RunRecord:
    """The record of the run in a row of the table `run`, with what it did for each keyword."""
    keywords = database.all(
        KeywordRecord, "SELECT * FROM run_keyword WHERE run = ? ORDER BY query", [row["id"]]
    )
    return value_of(
        RunRecord,
        row,
        started=from_text(row["started_at"]),
        finished=moment_or_none(row["finished_at"]),
        outcomes={outcome: row[outcome] for outcome in Outcome if outcome in row},
        keywords=tuple(keywords),
    )


def delete_runs(database: Database, before: datetime) -> Iterator[None]:
    """Delete the records of runs that began before a moment; the log stays. Yields after each small
    transaction.
    """
    more = True
    while more:
        with database.transaction():
            more = delete_some_runs(database, before)
        yield


def delete_some_runs(database: Database, before: datetime) -> bool:
    """Do one step of that; false where it was the last. Belongs into a transaction."""
    runs = database.column(
        "SELECT id FROM run WHERE started_at < ? ORDER BY id LIMIT ?", [before, RUNS_AT_ONCE]
    )
    unnamed = database.write(
        """UPDATE seen SET run = NULL WHERE seq IN (
               SELECT seq FROM seen WHERE run IN many(?) LIMIT ?)""",
        [runs, ROWS_AT_ONCE],
    )
    if unnamed == ROWS_AT_ONCE:
        return True
    database.write("DELETE FROM run_keyword WHERE run IN many(?)", [runs])
    database.write("DELETE FROM run WHERE id IN many(?)", [runs])
    database.write("DELETE FROM mistake WHERE until < ?", [before])
    return len(runs) == RUNS_AT_ONCE
