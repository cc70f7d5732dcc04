"""What arXiv said: queries and their health, good windows as rows of the log, bad ones kept for inspection."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.calendar import last_served, submitted_by
from digest.diff import Seen, diff
from digest.model import Kind, Paper, Window
from digest.store.database import Database
from digest.store.subscribers import place
from digest.times import from_text, to_text

RAW_BYTES = 1_000_000
RAW_KEPT = 5
"""Of each query's bad answers the newest few are kept, each up to this many bytes."""

PAPER_COLUMNS = "id version title abstract authors categories published updated comment journal_ref doi".split()


@dataclass(frozen=True, slots=True)
class Query:
    """A query that somebody wants, and its health. Times are UTC; `rows_per_day` None: never fetched."""

    id: int
    text: str
    last_good_at: datetime | None
    next_fetch_at: datetime | None
    failures: int
    trouble: str
    rows_per_day: float | None


class Windows:
    """The queries, and what each fetch of them brought."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def queries(self, texts: list[str]) -> list[Query]:
        """The named queries in the given order, each once; ones that the database lacks are left out."""
        found = {row["text"]: row for row in self._db.rows("SELECT * FROM query")}
        return [
            Query(
                id=row["id"],
                text=row["text"],
                last_good_at=from_text(row["last_good_at"]) if row["last_good_at"] else None,
                next_fetch_at=from_text(row["next_fetch_at"]) if row["next_fetch_at"] else None,
                failures=row["failures"],
                trouble=row["trouble"],
                rows_per_day=row["rows_per_day"],
            )
            for row in (found[text] for text in dict.fromkeys(texts) if text in found)
        ]

    def record(self, query: Query, window: Window, now: datetime, run: int) -> Counter[Kind]:
        """Write one good window in one transaction: papers, log, health; returns how many rows of each kind."""
        days = max((now - window.since) / timedelta(days=1), 1.0)
        with self._db.transaction():
            known = self._known(query.id, [p.id for p in window.papers])
            rows = diff(window.papers, known, query.last_good_at, now, self._had_until(query))
            self._keep_papers(window.papers)
            self._db.write_many(
                "INSERT INTO seen(query, paper, version, kind, run) VALUES(?, ?, ?, ?, ?)",
                [[query.id, row.paper.id, row.paper.version, row.kind, run] for row in rows],
            )
            self._db.write(
                "UPDATE query SET last_good_at = ?, next_fetch_at = NULL, failures = 0, trouble = '',"
                " rows_per_day = ? WHERE id = ?",
                [to_text(now), sum(p.updated >= window.since for p in window.papers) / days, query.id],
            )
            place(self._db, query.id, now)
        return _count(rows)

    def record_failure(self, query: Query, why: str, raw: bytes, now: datetime, next_fetch_at: datetime) -> None:
        """Write that a fetch failed: nothing of it is diffed; the answer is kept, bounded, and the wait stored."""
        with self._db.transaction():
            self._db.write(
                "UPDATE query SET failures = failures + 1, trouble = ?, next_fetch_at = ? WHERE id = ?",
                [why, to_text(next_fetch_at), query.id],
            )
            self._db.write(
                "INSERT INTO window(query, at, verdict, raw) VALUES(?, ?, ?, ?)",
                [query.id, to_text(now), why, zlib.compress(raw[:RAW_BYTES])],
            )
            self._db.write(
                "DELETE FROM window WHERE query = :query AND id NOT IN"
                " (SELECT id FROM window WHERE query = :query ORDER BY id DESC LIMIT :kept)",
                {"query": query.id, "kept": RAW_KEPT},
            )

    def _had_until(self, query: Query) -> datetime | None:
        """After a restored backup, of whose lack a person said that it was mailed: what was submitted by then.

        Only for the query's first window since, which brings what the backup lacks.
        """
        text = self._db.meta("mailed_until")
        if text is None or query.last_good_at is None or query.last_good_at >= from_text(text):
            return None
        return submitted_by(last_served(from_text(text)))

    def _known(self, query: int, ids: list[str]) -> dict[str, int]:
        """The highest version of each paper in a query's log."""
        rows = self._db.rows(
            """SELECT m.paper, MAX(m.version) AS version FROM seen m
               WHERE m.query = ? AND m.paper IN (SELECT value FROM json_each(?)) GROUP BY m.paper""",
            [query, json.dumps(ids)],
        )
        return {row["paper"]: row["version"] for row in rows}

    def _keep_papers(self, papers: tuple[Paper, ...]) -> None:
        """Keep each paper in the highest version ever served, and note what a new version changed."""
        held = load_papers(self._db, [p.id for p in papers])
        for paper in papers:
            before = held.get(paper.id)
            if before is not None and before.version >= paper.version:
                continue
            self._db.write(_UPSERT_PAPER, _paper_row(paper))
            if before is not None:
                changed = [
                    name
                    for name in ("title", "abstract", "authors", "comment", "journal_ref")
                    if getattr(before, name) != getattr(paper, name)
                ]
                self._db.write(
                    "INSERT OR IGNORE INTO revision VALUES(?, ?, ?)",
                    [paper.id, paper.version, json.dumps(changed)],
                )


_UPSERT_PAPER = (
    f"INSERT INTO paper({', '.join(PAPER_COLUMNS)}) VALUES({', '.join('?' * len(PAPER_COLUMNS))})"
    " ON CONFLICT(id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in PAPER_COLUMNS if name not in ("id", "published"))
)


def load_papers(database: Database, ids: list[str]) -> dict[str, Paper]:
    """Papers by base id, each in the highest version ever served."""
    rows = database.rows(
        f"SELECT {', '.join(PAPER_COLUMNS)} FROM paper WHERE id IN (SELECT value FROM json_each(?))",
        [json.dumps(ids)],
    )
    return {
        row["id"]: Paper(
            **{
                **row,
                "authors": tuple(json.loads(row["authors"])),
                "categories": tuple(json.loads(row["categories"])),
                "published": from_text(row["published"]),
                "updated": from_text(row["updated"]),
            }
        )
        for row in rows
    }


def _paper_row(paper: Paper) -> list[str | int]:
    return [
        paper.id,
        paper.version,
        paper.title,
        paper.abstract,
        json.dumps(paper.authors, ensure_ascii=False),
        json.dumps(paper.categories),
        to_text(paper.published),
        to_text(paper.updated),
        paper.comment,
        paper.journal_ref,
        paper.doi,
    ]


def _count(rows: tuple[Seen, ...]) -> Counter[Kind]:
    return Counter(row.kind for row in rows)
