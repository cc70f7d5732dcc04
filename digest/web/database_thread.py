"""Works with the database in a thread of its own: one that is locked keeps nobody else waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from digest.errors import TryLaterError
from digest.store import Store, open_store

SECONDS = 2.0
"""How long a page waits for the database."""

T = TypeVar("T")


class DatabaseThread:
    """A thread with a connection of its own. What takes longer than `seconds` is given up."""

    def __init__(self, path: Path, seconds: float = SECONDS) -> None:
        self._path, self._seconds = path, seconds
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._opened: Store | None = None

    async def do(self, work: Callable[[Store], T]) -> T:
        """What `work` makes of the store. Raises TryLaterError where that takes too long, and what
        the store does.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._seconds):
                return await loop.run_in_executor(self._thread, lambda: work(self._store()))
        except TimeoutError as error:
            raise TryLaterError("the database gave no answer in time") from error

    def _store(self) -> Store:
        # SQLite's connections belong to the thread that opened them.
        if self._opened is None:
            self._opened = open_store(self._path, create=False, busy_seconds=self._seconds)
        return self._opened

    def close(self) -> None:
        """End the thread, and the work that waits for it."""
        if self._opened is not None:
            self._thread.submit(self._opened.close)
        self._thread.shutdown()
