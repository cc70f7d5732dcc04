"""How arXiv's services did: what each feed held last, and what one service lacked that another
had.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from digest.model import Paper
from digest.store.database import Database
from digest.store.papers import load_papers
from digest.times import from_text, to_text

CHUNK = 500


@dataclass(frozen=True, slots=True)
class FeedState:
    """A feed, by the categories it is asked for. `day` is New York's date of the last announcement
    that it held whole, `keys` what that was, by id and version, `etag` its entity tag; `proven`: it
    was seen to differ from the one of the announcement before. `trouble` is what was wrong when it
    was asked for last, at `at` (UTC).
    """

    name: str
    day: date | None = None
    etag: str = ""
    keys: frozenset[str] = frozenset()
    proven: bool = False
    trouble: str = ""
    at: datetime | None = None


class Sources:
    """The feeds and the comparison of services."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def feeds(self) -> dict[str, FeedState]:
        """All feeds that were ever asked for, by name."""
        return {
            row["name"]: FeedState(
                name=row["name"],
                day=date.fromisoformat(row["day"]) if row["day"] else None,
                etag=row["etag"],
                keys=frozenset(json.loads(row["keys"])),
                proven=bool(row["proven"]),
                trouble=row["trouble"],
                at=from_text(row["at"]),
            )
            for row in self._db.rows("SELECT * FROM feed ORDER BY name")
        }

    def keep_feeds(self, states: Iterable[FeedState], now: datetime) -> None:
        """Write how some feeds were."""
        with self._db.transaction():
            self._db.write_many(
                "INSERT OR REPLACE INTO feed(name, day, etag, keys, proven, trouble, at) VALUES(?, ?, ?, ?, ?, ?, ?)",
                [
                    [
                        state.name,
                        state.day.isoformat() if state.day else None,
                        state.etag,
                        json.dumps(sorted(state.keys)),
                        state.proven,
                        state.trouble,
                        to_text(now),
                    ]
                    for state in states
                ],
            )

    def papers(self, ids: list[str]) -> dict[str, Paper]:
        """The papers with these base ids that are on record."""
        found: dict[str, Paper] = {}
        for start in range(0, len(ids), CHUNK):
            found |= load_papers(self._db, ids[start : start + CHUNK])
        return found

    def approximate(self, since: datetime) -> list[str]:
        """The base ids of papers since then of which only the announcement is known."""
        rows = self._db.rows(
            "SELECT id FROM paper WHERE approximate AND updated >= ? ORDER BY id LIMIT ?",
            [to_text(since), CHUNK],
        )
        return [row["id"] for row in rows]

    def note_lack(self, source: str, papers: Iterable[str], now: datetime) -> None:
        """Write that a service lacked papers, by base id, that another one had."""
        with self._db.transaction():
            self._db.write_many(
                "INSERT OR IGNORE INTO lack(source, paper, at) VALUES(?, ?, ?)",
                [[source, paper, to_text(now)] for paper in papers],
            )

    def note_brought(self, source: str, query: int, run: int, now: datetime) -> None:
        """Write that a service lacked what a run's window from another one brought for a query that
        was complete.
        """
        self._db.write(
            "INSERT OR IGNORE INTO lack(source, paper, at) SELECT ?, paper, ? FROM seen"
            " WHERE query = ? AND run = ? AND kind IN ('new', 'late')",
            [source, to_text(now), query, run],
        )

    def lacks(self, since: datetime) -> dict[str, list[str]]:
        """By service, the base ids of the papers that it was found to lack since then, newest
        first.
        """
        found: dict[str, list[str]] = {}
        for row in self._db.rows(
            "SELECT source, paper FROM lack WHERE at >= ? ORDER BY at DESC, paper", [to_text(since)]
        ):
            found.setdefault(row["source"], []).append(row["paper"])
        return found
