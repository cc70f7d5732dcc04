"""The search for those who were sent a paper that is withdrawn now, in small steps.

A hundred thousand readers may have had a paper last week, and ten years of them are twelve million
rows of the ledger of long ago (store/ledger.py): to mark the ones and look through the others in
the transaction that records the withdrawal would lock the database for half a minute. So that only
notes what to look for. Each step writes down together whom it found and where the next one goes on;
what a run leaves that was stopped is the next one's.
"""

from __future__ import annotations

import json

from digest.store.database import Concern, Database
from digest.store.ledger import SLACK, holders, month_of, note_corrections, row_of
from digest.store.rows import loads, stored

ROWS = 10_000
"""Deliveries, or rows of the ledger, to a step."""
_SEARCHES = "withdrawals"
"""Meta key: the papers whose readers are looked for, and the last place that was looked at for
each."""

Place = list[int]
"""A content that has the paper and a delivery of it, since deliveries are looked through first, or
a row of the ledger alone. So what ages meanwhile is found in the ledger."""
_BEGINNING = [0, 0]


class Withdrawals(Concern):
    """The steps of the search, all of which a cycle takes before it composes."""

    def step(self) -> bool:
        """Look through a few deliveries or a little of the ledger for readers who were sent a
        withdrawn paper, and note them; false where there is nothing to look through.
        """
        if not _searches(self._db):
            return False
        with self._db.transaction():
            (paper, place), *others = _searches(self._db)
            look = self._among_deliveries if len(place) == len(_BEGINNING) else self._long_ago
            readers, reached = look(paper, *place)
            self._db.write("UPDATE subscriber SET corrections = 1 WHERE id IN many(?)", [readers])
            _remember(self._db, [(paper, reached), *others] if reached else others)
        return True

    def _among_deliveries(self, paper: str, content: int, last: int) -> tuple[list[int], Place]:
        """Who had the paper by the deliveries that follow, and the next place; [] at the end."""
        rows = self._db.rows(
            _MAILED, {"paper": paper, "content": content, "last": last, "most": ROWS}
        )
        readers = [row["subscriber"] for row in rows]
        if len(rows) == ROWS:
            return readers, [rows[-1]["content"], rows[-1]["id"]]
        published = self._db.moment(
            "SELECT published FROM paper WHERE id = ? AND number IS NOT NULL", [paper]
        )
        return readers, [row_of(month_of(published - SLACK), 0)] if published else []

    def _long_ago(self, paper: str, row: int) -> tuple[list[int], Place]:
        """The same by the rows of the ledger that follow."""
        number = self._db.number("SELECT number FROM paper WHERE id = ?", [paper])
        readers, last = holders(self._db, number, row, ROWS)
        note_corrections(self._db, [(reader, paper) for reader in readers])
        return readers, [] if last is None else [last]


def search(database: Database, paper: str) -> None:
    """Have those looked for who were sent a paper that is withdrawn now; belongs into the
    transaction that keeps its new version. What ages once its deliveries were looked through is
    noted as it does.
    """
    others = [each for each in _searches(database) if each[0] != paper]
    _remember(database, [*others, (paper, _BEGINNING)])


def _searches(database: Database) -> list[tuple[str, Place]]:
    return _read(database.meta(_SEARCHES) or "[]")


@stored
def _read(text: str) -> list[tuple[str, Place]]:
    return [(str(paper), [*map(int, place)]) for paper, *place in loads(text)]


def _remember(database: Database, searches: list[tuple[str, Place]]) -> None:
    database.set_meta(_SEARCHES, json.dumps([[paper, *place] for paper, place in searches]))


_MAILED = """
    SELECT cp.content, d.id, d.subscriber
    FROM content_paper cp JOIN delivery d ON d.content = cp.content
    WHERE cp.paper = :paper AND cp.content >= :content AND (cp.content > :content OR d.id > :last)
    ORDER BY cp.content, d.id LIMIT :most"""
