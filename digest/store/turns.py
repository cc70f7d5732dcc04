"""Turns at a database's lock, for which SQLite has no queue: whoever waits asks for it again every
tenth of a second (sqliteDefaultBusyCallback in its main.c), and misses shorter moments.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

WORK_SECONDS, REST_SECONDS = 0.1, 0.15
"""How long is worked in steps until there is a rest, and how long that is at least: as long as the
work was, since on a busy machine others miss short moments."""


def in_turns(
    steps: Iterable[object], clock: Callable[[], float] = time.monotonic
) -> Iterator[float]:
    """Take steps of work, and yield after each for how many seconds, 0 mostly, the database is to
    be left to others before the next.
    """
    began = clock()
    for _ in steps:
        worked = clock() - began
        if worked < WORK_SECONDS:
            yield 0.0
        else:
            yield max(worked, REST_SECONDS)
            began = clock()
