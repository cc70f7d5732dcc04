"""Answers that were not believed: kept for inspection, and with them the papers that only they
showed.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from digest.model import Paper
from digest.store.database import Database
from digest.times import from_text, to_text

RAW_BYTES = 1_000_000
RAW_KEPT = 5
RAW_KEPT_IN_ALL = 500
"""Of each query's bad answers the newest few are kept, each up to this many bytes, and so many of
all queries."""
PAPERS_KEPT = 2_000
IDS_KEPT = 500
"""Bounds, for each query, on the papers that are kept of held-back windows, and on the ids of one
such window."""


@dataclass(frozen=True, slots=True)
class BadWindow:
    """An answer that was not believed. `held`: it was whole and is held back, with `fetched` rows;
    `size` is what is kept of it, in bytes.
    """

    id: int
    query: str
    at: datetime
    why: str
    held: bool
    fetched: int | None
    size: int


@dataclass(frozen=True, slots=True)
class LastHeld:
    """The last held-back window of a spell; `ids` are its papers, none where they were out of
    order.
    """

    id: int
    ids: tuple[str, ...]


class Held:
    """The answers and papers that are kept. Its writing verbs belong into the transaction of their
    caller.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def keep(
        self,
        query: int,
        now: datetime,
        why: str,
        raw: bytes,
        *,
        held: bool = False,
        fetched: int | None = None,
        ids: Sequence[str] = (),
    ) -> int:
        """Keep an answer, let old ones go, and return its number."""
        number: int = self._db.value(
            "INSERT INTO window(query, at, verdict, raw, held, fetched, ids) VALUES(?, ?, ?, ?, ?, ?, ?) RETURNING id",
            [
                query,
                to_text(now),
                why,
                zlib.compress(raw[:RAW_BYTES]),
                held,
                fetched,
                json.dumps(list(ids[:IDS_KEPT])),
            ],
        )
        self._db.write(
            "DELETE FROM window WHERE query = :query AND id NOT IN"
            " (SELECT id FROM window WHERE query = :query ORDER BY id DESC LIMIT :kept)",
            {"query": query, "kept": RAW_KEPT},
        )
        self._db.write(
            "DELETE FROM window WHERE id <= (SELECT id FROM window ORDER BY id DESC LIMIT 1 OFFSET ?)",
            [RAW_KEPT_IN_ALL],
        )
        return number

    def keep_papers(self, query: int, window: int, papers: Sequence[Paper]) -> None:
        """Keep papers of a held-back window, each in its highest version; where they are too many,
        the youngest.
        """
        before = {paper.id: paper for paper, _ in self.papers(query)}
        newer = [p for p in papers if p.id not in before or p.version >= before[p.id].version]
        self._db.write_many(
            "INSERT OR REPLACE INTO held VALUES(?, ?, ?, ?)",
            [[query, p.id, window, _paper_text(p)] for p in newer],
        )
        self._db.write(
            "DELETE FROM held WHERE query = :query AND paper NOT IN (SELECT paper FROM held WHERE query = :query"
            " ORDER BY json_extract(data, '$.updated') DESC LIMIT :kept)",
            {"query": query, "kept": PAPERS_KEPT},
        )

    def papers(self, query: int) -> list[tuple[Paper, int]]:
        """What is kept of a query's held-back windows, each with the number of the last window that
        showed it.
        """
        rows = self._db.rows(
            "SELECT data, window FROM held WHERE query = ? ORDER BY paper", [query]
        )
        return [(_paper(row["data"]), row["window"]) for row in rows]

    def last(self, query: int, since: datetime | None) -> LastHeld | None:
        """The last window of a query that was held back, in a spell that began at `since`."""
        row = self._db.row(
            "SELECT id, ids FROM window WHERE query = ? AND held AND at >= ? ORDER BY id DESC LIMIT 1",
            [query, to_text(since) if since else "9999"],
        )
        return LastHeld(row["id"], tuple(json.loads(row["ids"]))) if row else None

    def forget(self, query: int) -> None:
        """The spell is over: the papers are let go, the answers stay for inspection."""
        self._db.write("DELETE FROM held WHERE query = ?", [query])

    def windows(self) -> list[BadWindow]:
        """The answers that are kept, the newest first."""
        rows = self._db.rows(
            "SELECT w.id, q.text, w.at, w.verdict, w.held, w.fetched, w.raw FROM window w"
            " JOIN query q ON q.id = w.query ORDER BY w.id DESC"
        )
        return [
            BadWindow(
                id=row["id"],
                query=row["text"],
                at=from_text(row["at"]),
                why=row["verdict"],
                held=bool(row["held"]),
                fetched=row["fetched"],
                size=len(zlib.decompress(row["raw"])),
            )
            for row in rows
        ]

    def raw(self, number: int) -> bytes | None:
        """The bytes that are kept of an answer."""
        packed = self._db.value("SELECT raw FROM window WHERE id = ?", [number])
        return None if packed is None else zlib.decompress(packed)


def _paper_text(paper: Paper) -> str:
    values = asdict(paper) | {
        "published": to_text(paper.published),
        "updated": to_text(paper.updated),
    }
    return json.dumps(values, ensure_ascii=False)


def _paper(text: str) -> Paper:
    values: dict[str, Any] = json.loads(text)
    return Paper(
        **values
        | {
            "authors": tuple(values["authors"]),
            "categories": tuple(values["categories"]),
            "published": from_text(values["published"]),
            "updated": from_text(values["updated"]),
        }
    )
