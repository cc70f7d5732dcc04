"""The session that every step of a run works with: store, clock, stop signal, progress."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from digest.store import Store
from digest.store.turns import in_turns
from digest.system.signals import Stop


def silent(_text: str) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The database, the time (`clock` gives now in UTC), the wish to stop, and where to say what
    goes on.
    """

    store: Store
    clock: Callable[[], datetime]
    stop: Stop = field(default_factory=Stop)
    progress: Callable[[str], None] = silent

    async def take(self, steps: Iterable[object], seconds: float = math.inf) -> None:
        """Take steps of work on the database, with rests for others between them, until all are
        done, `seconds` are over, or a stop is asked for.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        for rest in in_turns(steps):
            await self.stop.rest(rest)
            if self.stop.is_set() or loop.time() >= end:
                return
