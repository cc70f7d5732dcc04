"""The record that each run leaves: what was asked, what came, and why nothing did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from digest.errors import ConfigError
from digest.model import Outcome
from digest.store.database import Database
from digest.times import from_text, moment_or_none, to_text

KEPT = timedelta(days=366)
"""Run records are kept for a year."""
SKEW = timedelta(hours=1)
"""A clock that was set back by less than this is not worth stopping for."""


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


class Runs:
    """The records of runs, and the database's sense of time."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def check_time(self, now: datetime) -> datetime:
        """The time to work with: a database's time never goes back. Raises ConfigError where it
        would.
        """
        text = self._db.meta("latest_now")
        if text is None or from_text(text) <= now:
            return now
        latest = from_text(text)
        if latest - now < SKEW:
            return latest
        raise ConfigError(
            f"{self._db.name} has already seen {text}, which is later than {to_text(now)}",
            remedy="set the clock right; to rehearse an earlier day, name a copy of an earlier database with --db",
        )

    def is_beyond(self, now: datetime) -> bool:
        """Whether the database has already seen a later time: it is one to rehearse on."""
        text = self._db.meta("latest_now")
        return text is not None and from_text(text) > now

    def begin(self, now: datetime) -> int:
        """Open a record; old ones are let go."""
        with self._db.transaction():
            self._db.set_meta("latest_now", to_text(now))
            old = [to_text(now - KEPT)]
            aged = "SELECT id FROM run WHERE started_at < ?"
            self._db.write(f"DELETE FROM run_keyword WHERE run IN ({aged})", old)
            self._db.write(f"UPDATE seen SET run = NULL WHERE run IN ({aged})", old)
            self._db.write("DELETE FROM run WHERE started_at < ?", old)
            number: int = self._db.value(
                "INSERT INTO run(started_at) VALUES(?) RETURNING id", [to_text(now)]
            )
        return number

    def note_keyword(self, run: int, query: int, record: KeywordRecord) -> None:
        """Write what a run did for one keyword."""
        self._db.write(
            "INSERT OR REPLACE INTO run_keyword VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                run,
                query,
                record.keyword,
                record.status,
                record.fetched,
                record.new,
                record.revised,
                record.late,
                record.requests,
                record.why,
            ],
        )

    def explain_silence(self, run: int, why: str) -> None:
        """Give every keyword that a run asked for in vain another reason."""
        self._db.write(
            "UPDATE run_keyword SET why = ? WHERE run = ? AND status = 'ok' AND new = 0 AND late = 0",
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
        """Close a record."""
        self._db.write(
            "UPDATE run SET finished_at = ?, trouble = ?, composed = ?, sent = ?, deferred = ?, failed = ?, unknown = ?"
            " WHERE id = ?",
            [
                to_text(now),
                trouble,
                composed,
                outcomes.get(Outcome.SENT, 0),
                outcomes.get(Outcome.DEFERRED, 0) + outcomes.get(Outcome.RELAY, 0),
                outcomes.get(Outcome.FAILED, 0),
                outcomes.get(Outcome.UNKNOWN, 0),
                run,
            ],
        )

    def latest(self) -> RunRecord | None:
        """The last run."""
        row = self._db.row("SELECT * FROM run ORDER BY id DESC LIMIT 1")
        if row is None:
            return None
        keywords = self._db.rows(
            "SELECT * FROM run_keyword WHERE run = ? ORDER BY query", [row["id"]]
        )
        return RunRecord(
            started=from_text(row["started_at"]),
            finished=moment_or_none(row["finished_at"]),
            trouble=row["trouble"],
            composed=row["composed"],
            outcomes={outcome: row[outcome] for outcome in Outcome if outcome in row},
            keywords=tuple(_keyword(k) for k in keywords),
        )

    def last_fetch(self, query: str) -> tuple[datetime, KeywordRecord] | None:
        """The last run that asked arXiv for a query, and what it brought."""
        row = self._db.row(
            """SELECT k.*, r.started_at FROM run_keyword k JOIN run r ON r.id = k.run
               JOIN query q ON q.id = k.query WHERE q.text = ? AND k.status <> 'skipped' ORDER BY k.run DESC LIMIT 1""",
            [query],
        )
        return (from_text(row["started_at"]), _keyword(row)) if row else None


def _keyword(row: dict[str, Any]) -> KeywordRecord:
    return KeywordRecord(
        keyword=row["keyword"],
        status=row["status"],
        fetched=row["fetched"],
        new=row["new"],
        revised=row["revised"],
        late=row["late"],
        requests=row["requests"],
        why=row["why"],
    )
