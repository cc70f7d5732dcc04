"""What the logs hold, for those who read back: by day, by keyword, by paper. It only reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from digest.model import Kind, Paper
from digest.store.bodies import Kept, kept_content
from digest.store.database import Concern
from digest.store.log import head
from digest.store.papers import load_papers
from digest.store.rows import NOT_CARRIED_STATES

SHOWN = "m.kind <> 'revised' AND m.listed = 0"
"""Which rows of the log (m) stand in the archive: each paper where it came, and not again with its
new versions; and none that by our own reading does not match."""
NEAR = 20
"""The last papers of some logs are looked for among so many times as many rows of the log."""
_ROW = """SELECT m.seq, q.text AS query, m.paper, m.kind, r.started_at AS at
    FROM seen m JOIN query q ON q.id = m.query LEFT JOIN run r ON r.id = m.run"""


@dataclass(frozen=True, slots=True)
class ArchivedPaper:
    """A paper as a query brought it. `at` is when, in UTC; None where nobody knows any more."""

    seq: int
    query: str
    paper: str
    kind: Kind
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Mailed:
    """A paper as a digest carried it; `revised`: as a new version."""

    paper: str
    revised: bool


class Archive(Concern):
    """The logs of some queries, as strangers may see them."""

    def head(self) -> int:
        """The log's end: another number once papers have come."""
        return head(self._db)

    def changes(self) -> int:
        """Another number where somebody else has written anything meanwhile."""
        return self._db.changes()

    def papers(self, ids: Sequence[str]) -> dict[str, Paper]:
        """Papers by their base ids, each in the highest version ever served."""
        return load_papers(self._db, list(ids))

    def last_day(self, queries: Sequence[str], before: date | None = None) -> date | None:
        """The last day (UTC) on which one of the queries brought a paper, before another one."""
        rows = self._rows_of(before) if before else []
        if before and not rows:
            return None
        return self._day_of(_LAST, queries, min(rows, default=head(self._db) + 1))

    def first_day(self, queries: Sequence[str]) -> date | None:
        """The first day of which it is known that one of the queries brought a paper."""
        return self._day_of(_NEXT, queries, 0)

    def next_day(self, queries: Sequence[str], after: date) -> date | None:
        """The first day on which one of the queries brought a paper, after another one."""
        rows = self._rows_of(after)
        return self._day_of(_NEXT, queries, max(rows)) if rows else None

    def _day_of(self, sql: str, queries: Sequence[str], seq: int) -> date | None:
        found = self._db.value(sql, {"queries": list(queries), "seq": seq})
        at = self._db.moment(
            "SELECT r.started_at FROM seen m JOIN run r ON r.id = m.run WHERE m.seq = ?", [found]
        )
        return at.date() if at else None

    def _rows_of(self, day: date) -> list[int]:
        """The first and the last row of the log that a day brought; none where it brought none."""
        row = self._db.row(
            "SELECT MIN(seq) AS first, MAX(seq) AS last FROM seen WHERE run IN many(?)",
            [self._runs_of(day)],
        )
        return [row["first"], row["last"]] if row and row["first"] else []

    def _runs_of(self, day: date) -> list[int]:
        begin = datetime.combine(day, time(), UTC)
        return self._db.column(
            "SELECT id FROM run WHERE started_at >= ? AND started_at < ?",
            [begin, begin + timedelta(days=1)],
        )

    def day(self, day: date, queries: Sequence[str]) -> list[str]:
        """The papers that the queries brought on a day, by their ids, as they came. Of days that
        are longer ago than a year nobody knows what they brought.
        """
        return self._db.column(
            # The plus keeps SQLite from reading all that the queries ever brought.
            f"""SELECT m.paper, MIN(m.seq) AS first FROM seen m JOIN query q ON q.id = +m.query
                WHERE m.run IN many(:runs) AND q.text IN many(:queries) AND {SHOWN}
                GROUP BY m.paper ORDER BY first""",
            {"runs": self._runs_of(day), "queries": list(queries)},
        )

    def on_day(
        self, day: date, papers: Sequence[str], queries: Sequence[str]
    ) -> list[ArchivedPaper]:
        """How some papers came on a day, by some queries."""
        return self._db.all(
            ArchivedPaper,
            f"""{_ROW} WHERE m.paper IN many(:papers) AND m.run IN many(:runs)
                    AND q.text IN many(:queries) AND {SHOWN}
                ORDER BY m.seq""",
            {"papers": list(papers), "runs": self._runs_of(day), "queries": list(queries)},
        )

    def of_papers(self, papers: Sequence[str], queries: Sequence[str]) -> list[ArchivedPaper]:
        """How some papers came first by each of some queries, in the order in which they did."""
        return self._db.all(
            ArchivedPaper,
            # The plus keeps SQLite from reading all that the queries ever brought.
            f"""{_ROW.replace("= m.query", "= +m.query")}
                WHERE m.paper IN many(?) AND q.text IN many(?) AND {SHOWN} ORDER BY m.seq""",
            [list(papers), list(queries)],
        )

    def count(self, query: str) -> int:
        """How many papers stand in a query's log."""
        return self._db.number(
            f"""SELECT COUNT(*) FROM query q JOIN seen m ON m.query = q.id
                WHERE q.text = ? AND {SHOWN}""",
            [query],
        )

    def newest(self, query: str, most: int, skipped: int = 0) -> list[ArchivedPaper]:
        """The papers that came last into a query's log, the last first, but for the first
        `skipped` of them.
        """
        return self._db.all(ArchivedPaper, _PAGE.format("DESC"), [query, most, skipped])

    def oldest(self, query: str, most: int, skipped: int = 0) -> list[ArchivedPaper]:
        """The papers that came first into a query's log, but for the first `skipped` of them; the
        last of these first, as by `newest`, which takes long to reach them in a long log.
        """
        return self._db.all(ArchivedPaper, _PAGE.format("ASC"), [query, most, skipped])

    def newest_of(self, queries: Sequence[str], most: int) -> list[ArchivedPaper]:
        """The papers that came last into any of some logs, the last first."""
        wanted = {"queries": list(queries), "most": most, "before": most - 1}
        # As a rule they stand near the log's end; else each log's own end is looked at.
        near = head(self._db) - NEAR * most
        found = self._db.all(ArchivedPaper, _NEAR_END, wanted | {"near": near})
        return (
            found if len(found) == most or near <= 0 else self._db.all(ArchivedPaper, _ENDS, wanted)
        )

    def of_paper(self, paper: str, queries: Sequence[str]) -> list[ArchivedPaper]:
        """How a paper, in its versions, came by some queries."""
        return self._db.all(
            ArchivedPaper,
            f"""{_ROW} WHERE m.paper = ? AND q.text IN many(?) AND m.listed = 0 ORDER BY m.seq""",
            [paper, list(queries)],
        )

    def content(self, number: int) -> Kept | None:
        """The digest that a content is; None where its value is no longer kept."""
        return kept_content(self._db, number)

    def mailed(self, reader: int, most: int) -> list[Mailed]:
        """The papers that a reader's last digests carried, or may yet, the last first."""
        return self._db.all(
            Mailed,
            f"""SELECT cp.paper, cp.revised FROM delivery d
                JOIN content_paper cp ON cp.content = d.content
                WHERE d.subscriber = ? AND d.state NOT IN {NOT_CARRIED_STATES}
                ORDER BY d.queued_at DESC, cp.paper DESC LIMIT ?""",
            [reader, most],
        )


# What is skipped is skipped in the index, and not read.
_PAGE = f"""{_ROW} WHERE m.seq IN (
        SELECT m.seq FROM query o JOIN seen m ON m.query = o.id
        WHERE o.text = ? AND {SHOWN} ORDER BY m.seq {{}} LIMIT ? OFFSET ?)
    ORDER BY m.seq DESC"""
_NEAR_END = f"""{_ROW.replace("= m.query", "= +m.query")}
    WHERE m.seq > :near AND q.text IN many(:queries) AND {SHOWN}
    ORDER BY m.seq DESC LIMIT :most"""
_ENDS = f"""{_ROW} WHERE m.seq IN (
        SELECT s.seq FROM query o JOIN seen s ON s.query = o.id
        WHERE o.text IN many(:queries) AND s.seq >= COALESCE((
            SELECT m.seq FROM seen m WHERE m.query = o.id AND {SHOWN}
            ORDER BY m.seq DESC LIMIT 1 OFFSET :before), 0))
    AND {SHOWN} ORDER BY m.seq DESC LIMIT :most"""
_NEIGHBOUR = """
    SELECT {0}((SELECT m.seq FROM seen m WHERE m.query = q.id AND m.seq {1} :seq AND {2}
                AND m.run IS NOT NULL ORDER BY m.seq {3} LIMIT 1))
    FROM query q WHERE q.text IN many(:queries)"""
_LAST = _NEIGHBOUR.format("MAX", "<", SHOWN, "DESC")
_NEXT = _NEIGHBOUR.format("MIN", ">", SHOWN, "ASC")
