"""Figures of the whole, for a program that watches: small sums, none of which names a reader."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from digest.store.database import Concern
from digest.store.rows import OPEN_STATES
from digest.store.runs import RunRecord, Runs

OUTCOMES = ("sent", "deferred", "failed", "unknown")


@dataclass(frozen=True, slots=True)
class Figures:
    """What stands in the database. Times are UTC.

    `runs` have begun in all; `outcomes` are those of mails in the runs that are remembered (a
    year); `fetches` counts what the last one that fetched did for keywords, by source and status;
    `outbox` is what is on its way, by state, and `oldest` since when; `readers` are counted by who
    says what they want.
    """

    runs: int
    last: RunRecord | None
    outcomes: dict[str, int]
    fetches: dict[tuple[str, str], int]
    keywords: int
    failing: int
    quarantined: int
    papers: int
    outbox: dict[str, int]
    oldest: datetime | None
    readers: dict[str, int]
    suppressed: int


class Watched(Concern):
    """The figures. It only reads."""

    def figures(self) -> Figures:
        """All figures, as they are now."""
        outcomes = self._db.row(
            f"SELECT {', '.join(f'SUM({name}) AS {name}' for name in OUTCOMES)} FROM run"
        )
        queries = self._db.row(
            """SELECT COUNT(*) AS keywords,
                   COUNT(CASE WHEN failures > 0 THEN 1 END) AS failing,
                   COUNT(quarantined_since) AS quarantined FROM query"""
        )
        return Figures(
            runs=self._db.number("SELECT MAX(id) FROM run"),
            last=Runs(self._db).latest(),
            outcomes={name: int(value or 0) for name, value in (outcomes or {}).items()},
            fetches={
                (row["source"], row["status"]): row["number"] for row in self._db.rows(_FETCHES)
            },
            **{name: int(value) for name, value in (queries or {}).items()},
            papers=self._db.number("SELECT COUNT(*) FROM paper"),
            outbox=self._counted(
                f"""SELECT state AS name, COUNT(*) AS number FROM delivery
                    WHERE state IN {OPEN_STATES} GROUP BY state"""
            ),
            oldest=self._db.moment(
                f"SELECT MIN(queued_at) FROM delivery WHERE state IN {OPEN_STATES}"
            ),
            readers=self._counted(
                """SELECT origin AS name, COUNT(*) AS number FROM subscriber
                   WHERE gone = 0 GROUP BY origin"""
            ),
            suppressed=self._db.number("SELECT COUNT(*) FROM suppression"),
        )

    def _counted(self, sql: str) -> dict[str, Any]:
        return {row["name"]: row["number"] for row in self._db.rows(sql)}


_FETCHES = """
    SELECT q.source, k.status, COUNT(*) AS number
    FROM run_keyword k JOIN query q ON q.id = k.query
    WHERE k.run = (SELECT MAX(run) FROM run_keyword)
    GROUP BY q.source, k.status"""
