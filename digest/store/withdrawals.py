"""The search for those who were sent a paper long ago that is withdrawn now, in small steps.

Ten years of 100,000 readers are twelve million rows of the ledger of long ago (store/ledger.py): to
look through them in the transaction that records the withdrawal would lock the database for half a
minute. So that only notes what to look for. Each step writes down together whom it found and where
the next one goes on; what a run leaves that was stopped is the next one's.
"""

from __future__ import annotations

import json

from digest.store.database import Concern, Database
from digest.store.ledger import SLACK, holders, month_of, note_corrections, row_of
from digest.store.rows import from_text, loads, stored

ROWS = 10_000
"""Rows of the ledger to a step."""
_SEARCHES = "withdrawals"
"""Meta key: the papers whose readers are looked for, and the last row that was looked at for
each."""


class Withdrawals(Concern):
    """The steps of the search, all of which a cycle takes before it composes."""

    def step(self) -> bool:
        """Look through a little of the ledger for readers who were sent a withdrawn paper, and note
        them; false where there is nothing to look through.
        """
        if not _searches(self._db):
            return False
        with self._db.transaction():
            (paper, place), *others = _searches(self._db)
            number = self._db.number("SELECT number FROM paper WHERE id = ?", [paper])
            readers, last = holders(self._db, number, place, ROWS)
            note_corrections(self._db, [(reader, paper) for reader in readers])
            self._db.write("UPDATE subscriber SET corrections = 1 WHERE id IN many(?)", [readers])
            _remember(self._db, others if last is None else [(paper, last), *others])
        return True


def search(database: Database, paper: str) -> None:
    """Have those looked for who were sent a paper long ago that is withdrawn now; belongs into the
    transaction that keeps its new version. What ages from then on is noted as it does.
    """
    row = database.row("SELECT published FROM paper WHERE id = ? AND number IS NOT NULL", [paper])
    if row is not None:
        first = row_of(month_of(from_text(row["published"]) - SLACK), 0)
        others = [each for each in _searches(database) if each[0] != paper]
        _remember(database, [*others, (paper, first)])


def _searches(database: Database) -> list[tuple[str, int]]:
    return _read(database.meta(_SEARCHES) or "[]")


@stored
def _read(text: str) -> list[tuple[str, int]]:
    return [(str(paper), int(place)) for paper, place in loads(text)]


def _remember(database: Database, searches: list[tuple[str, int]]) -> None:
    database.set_meta(_SEARCHES, json.dumps(searches))
