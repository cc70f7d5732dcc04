"""Letting go of what a database no longer needs, and giving the room back, while others use it.

All of it goes in small steps, between which others write. A file that an older version began cannot
be shortened in steps until it was written anew, for which nobody else may have it open.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from digest.store.ageing import Ageing
from digest.store.bodies import forget
from digest.store.database import Database
from digest.store.runs import delete_runs
from digest.store.turns import in_turns

SMALL = 10_000
"""A file with no more pages in use than these (40 MB) is written anew in a moment."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much was deleted: bodies of old digests, deliveries that the ledger of long ago took in,
    records of runs, kept answers of arXiv's, abstracts; and bytes of the file. `empty`: bytes in it
    that could not be given back, since an older version began it and others have it open.
    """

    bodies: int
    deliveries: int
    runs: int
    windows: int
    abstracts: int
    freed: int
    empty: int


def prune(
    path: Path, before: datetime, now: datetime, sleep: Callable[[float], None] = time.sleep
) -> Pruned:
    """Delete what ended before a moment: bodies of digests, records of runs, kept answers; do what
    is left of the ageing by `now`; then give back the room. `sleep` is for the rests between steps.

    The seen-table and what was mailed to whom stay whole. For whoever holds the cycle lock.
    """
    with closing(Database.open(path, create=False)) as database:
        database.checkpoint()
        size, held = path.stat().st_size, _held(database)
        for rest in in_turns(_steps(database, before, now)):
            sleep(rest)
        if not database.can_shrink() and (_is_small(database) or database.is_alone()):
            database.vacuum()
        database.checkpoint()
        left = _held(database)
        empty = database.number("PRAGMA freelist_count") * database.number("PRAGMA page_size")
    bodies, deliveries, runs, windows, abstracts = (a - b for a, b in zip(held, left, strict=True))
    freed = max(size - path.stat().st_size, 0)
    return Pruned(bodies, deliveries, runs, windows, abstracts, freed, empty)


def _steps(database: Database, before: datetime, now: datetime) -> Iterator[object]:
    """Do all that goes in steps, and yield after each."""
    ageing = Ageing(database)
    yield from iter(lambda: ageing.step(now), False)
    yield from forget(database, before)
    yield from delete_runs(database, before)
    # Of which there are a few hundred at most (store/held.py).
    database.write("DELETE FROM answer WHERE at < ?", [before])
    yield from iter(lambda: database.shrink(whole=True), False)


def _is_small(database: Database) -> bool:
    """Whether a file is written anew in a moment."""
    free = database.number("PRAGMA freelist_count")
    return database.number("PRAGMA page_count") - free <= SMALL


def _held(database: Database) -> tuple[int, ...]:
    """How many texts of digests, deliveries, runs, kept answers and abstracts there are."""
    return (
        database.number("SELECT COUNT(*) FROM content WHERE digest <> ''")
        + database.number("SELECT COUNT(*) FROM body WHERE lasting = 1"),
        database.number("SELECT COUNT(*) FROM delivery"),
        database.number("SELECT COUNT(*) FROM run"),
        database.number("SELECT COUNT(*) FROM answer"),
        database.number("SELECT COUNT(*) FROM paper WHERE abstract <> ''"),
    )
