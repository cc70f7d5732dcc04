"""How arXiv's services did: what each feed held last, and what one service lacked that another
had.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from digest.model import Paper
from digest.store.database import Concern
from digest.store.papers import load_papers
from digest.store.rows import columns_of

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


class Sources(Concern):
    """The feeds and the comparison of services."""

    def feeds(self) -> dict[str, FeedState]:
        """All feeds that were ever asked for, by name."""
        feeds = self._db.all(FeedState, "SELECT * FROM feed ORDER BY name")
        return {feed.name: feed for feed in feeds}

    def keep_feeds(self, states: Iterable[FeedState], now: datetime) -> None:
        """Write how some feeds were."""
        with self._db.transaction():
            self._db.write_many(
                """INSERT INTO feed(name, day, etag, keys, proven, trouble, at)
                   VALUES(:name, :day, :etag, :keys, :proven, :trouble, :at)
                   ON CONFLICT(name) DO UPDATE SET day = excluded.day, etag = excluded.etag,
                       keys = excluded.keys, proven = excluded.proven,
                       trouble = excluded.trouble, at = excluded.at""",
                [
                    columns_of(state) | {"keys": json.dumps(sorted(state.keys)), "at": now}
                    for state in states
                ],
            )

    def papers(self, ids: list[str]) -> dict[str, Paper]:
        """The papers with these base ids that are on record."""
        return load_papers(self._db, ids)

    def approximate(self, since: datetime) -> list[str]:
        """The base ids of papers since then of which only the announcement is known."""
        return self._db.column(
            """SELECT id FROM paper WHERE approximate = 1 AND updated >= ?
               ORDER BY updated, id LIMIT ?""",
            [since, CHUNK],
        )

    def note_lack(self, source: str, papers: Iterable[str], now: datetime) -> None:
        """Write that a service lacked papers, by base id, that another one had."""
        with self._db.transaction():
            self._db.write_many(
                "INSERT INTO lack(source, paper, at) VALUES(?, ?, ?) ON CONFLICT DO NOTHING",
                [[source, paper, now] for paper in papers],
            )

    def note_brought(self, source: str, query: int, run: int, now: datetime) -> None:
        """Write that a service lacked what a run's window from another one brought for a query that
        was complete.
        """
        self._db.write(
            """INSERT INTO lack(source, paper, at) SELECT ?, paper, ? FROM seen
               WHERE query = ? AND run = ? AND kind IN ('new', 'late')
               ON CONFLICT DO NOTHING""",
            [source, now, query, run],
        )

    def agreed(self, queries: Collection[str], since: datetime) -> bool:
        """Whether each of these queries has another source than the API, which was asked as well
        since then, as far back as it is for a comparison, and held nothing more.
        """
        compared = self._db.column(
            """SELECT k.new + k.late FROM query q
               JOIN run_keyword k ON k.query = q.id AND k.status = 'ok' AND k.run =
                   (SELECT id FROM run WHERE started_at <= q.deep_at ORDER BY id DESC LIMIT 1)
               WHERE q.text IN many(?) AND q.source IN ('feeds', 'oai') AND q.deep_at > ?""",
            [list(queries), since],
        )
        return 0 < len(compared) == len(queries) and not any(compared)

    def lacks(self, since: datetime) -> dict[str, list[str]]:
        """By service, the base ids of the papers that it was found to lack since then, newest
        first.
        """
        found: dict[str, list[str]] = {}
        for row in self._db.rows(
            "SELECT source, paper FROM lack WHERE at >= ? ORDER BY at DESC, paper", [since]
        ):
            found.setdefault(row["source"], []).append(row["paper"])
        return found
