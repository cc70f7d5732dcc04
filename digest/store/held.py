"""Answers that were not believed: kept for inspection, and with them the papers that only they
showed.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from digest.errors import ArxivError, DoubtfulError
from digest.model import Paper
from digest.store.database import Concern
from digest.store.rows import columns_of, decompress, from_text, loads, stored, value_of
from digest.times import to_text

RAW_BYTES = 1_000_000
RAW_KEPT = 5
RAW_KEPT_IN_ALL = 500
"""Of each query's bad answers the newest few are kept, each up to this many bytes, and at most
this many of all queries."""
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


class Held(Concern):
    """The answers and papers that are kept. Its writing verbs belong into the transaction of their
    caller.
    """

    def keep(self, query: int, error: ArxivError, now: datetime) -> int:
        """Keep the answer that an error is about, delete old ones, and return its number."""
        fetched, ids = None, list[str]()
        if isinstance(error, DoubtfulError):
            fetched, ids = len(error.papers), [p.id for p in error.papers if error.ordered]
        number = self._db.number(
            """INSERT INTO answer(query, at, verdict, raw, held, fetched, ids)
               VALUES(?, ?, ?, ?, ?, ?, ?) RETURNING id""",
            [
                query,
                now,
                str(error),
                zlib.compress(error.body[:RAW_BYTES]),
                fetched is not None,
                fetched,
                json.dumps(ids[:IDS_KEPT]),
            ],
        )
        # By the newest numbers, so that a clock that goes back deletes nothing too early.
        self._db.write(
            """DELETE FROM answer WHERE query = :query AND id NOT IN (
                   SELECT id FROM answer WHERE query = :query ORDER BY id DESC LIMIT :kept)""",
            {"query": query, "kept": RAW_KEPT},
        )
        self._db.write(
            """DELETE FROM answer WHERE id <= (
                   SELECT id FROM answer ORDER BY id DESC LIMIT 1 OFFSET ?)""",
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
            """INSERT INTO held(query, paper, answer, data) VALUES(?, ?, ?, ?)
               ON CONFLICT(query, paper)
               DO UPDATE SET answer = excluded.answer, data = excluded.data""",
            [[query, p.id, window, _paper_text(p)] for p in newer],
        )
        kept = sorted((paper for paper, _ in self.papers(query)), key=attrgetter("updated"))
        self._db.write_many(
            "DELETE FROM held WHERE query = ? AND paper = ?",
            [[query, paper.id] for paper in kept[:-PAPERS_KEPT]],
        )

    def papers(self, query: int) -> list[tuple[Paper, int]]:
        """What is kept of a query's held-back windows, each with the number of the last window that
        showed it.
        """
        rows = self._db.rows(
            "SELECT data, answer FROM held WHERE query = ? ORDER BY paper", [query]
        )
        return [(_paper(row["data"]), row["answer"]) for row in rows]

    def last(self, query: int, since: datetime | None) -> LastHeld | None:
        """The last window of a query that was held back, in a spell that began at `since`."""
        return self._db.first(
            LastHeld,
            """SELECT id, ids FROM answer WHERE query = ? AND held = 1 AND at >= ?
               ORDER BY id DESC LIMIT 1""",
            [query, since],
        )

    def forget(self, query: int) -> None:
        """Delete the papers, as the spell is over; the answers stay for inspection."""
        self._db.write("DELETE FROM held WHERE query = ?", [query])

    def windows(self) -> list[BadWindow]:
        """The answers that are kept, the newest first."""
        rows = self._db.rows(
            """SELECT w.id, q.text AS query, w.at, w.verdict AS why, w.held, w.fetched, w.raw
               FROM answer w JOIN query q ON q.id = w.query ORDER BY w.id DESC"""
        )
        return [value_of(BadWindow, row, size=len(decompress(row["raw"]))) for row in rows]

    def showing(self, query: int, paper: str) -> list[BadWindow]:
        """The kept answers for a query that name a paper, by its base id, the newest first."""
        rows = self._db.rows(
            """SELECT w.id, q.text AS query, w.at, w.verdict AS why, w.held, w.fetched, w.raw, w.ids
               FROM answer w JOIN query q ON q.id = w.query WHERE q.id = ? ORDER BY w.id DESC""",
            [query],
        )
        named = re.compile(rb"abs/" + re.escape(paper.encode()) + rb"(?:v\d+)?(?!\d)")
        found = []
        for row in rows:
            raw = decompress(row["raw"])
            if paper in loads(row.pop("ids")) or named.search(raw):
                found.append(value_of(BadWindow, row, size=len(raw)))
        return found

    def raw(self, number: int) -> bytes | None:
        """The bytes that are kept of an answer."""
        packed = self._db.value("SELECT raw FROM answer WHERE id = ?", [number])
        return None if packed is None else decompress(packed)


def _paper_text(paper: Paper) -> str:
    return json.dumps(columns_of(paper), default=to_text, ensure_ascii=False)


@stored
def _paper(text: str) -> Paper:
    values: dict[str, Any] = loads(text)
    return Paper(
        **values
        | {
            "authors": tuple(values["authors"]),
            "categories": tuple(values["categories"]),
            "published": from_text(values["published"]),
            "updated": from_text(values["updated"]),
        }
    )
