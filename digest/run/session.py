"""The session that every step of a run works with: store, clock, stop signal, progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from digest.store import Store
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
