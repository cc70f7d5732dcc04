"""Works with the database in a thread of its own: one that is locked keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

from digest.errors import TryLaterError
from digest.store import Store, open_store

SECONDS = 2.0
"""How long a page waits for the database."""
TOGETHER = 0.05
"""Seconds for which what waits is taken into one transaction; nobody else can write meanwhile."""

T = TypeVar("T")


class Asked(Generic[T]):
    """What is asked of the database, and what came of it."""

    def __init__(self, work: Callable[[Store], T]) -> None:
        self._work = work
        self.answer: Future[T] = Future()
        self.error: Exception | None = None

    def do(self, store: Store) -> None:
        """Do it; nobody hears of it yet."""
        try:
            self._value = self._work(store)
        except Exception as error:
            self.error = error

    def tell(self) -> None:
        """Let whoever asked hear of it."""
        if self.error:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self._value)


class DatabaseThread:
    """A thread with a connection of its own. What takes longer than `seconds` is given up. What
    waits is done together, by one commit: each has its answer once that is on the disk.
    """

    def __init__(self, path: Path, seconds: float = SECONDS) -> None:
        self._path, self._seconds = path, seconds
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._waiting: deque[Asked[Any]] = deque()
        self._opened: Store | None = None

    async def do(self, work: Callable[[Store], T]) -> T:
        """What `work` makes of the store. Raises TryLaterError where that takes too long, and what
        the store does.
        """
        asked = Asked(work)
        self._waiting.append(asked)
        self._thread.submit(self._work)
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.wrap_future(asked.answer)
        except TimeoutError as error:
            raise TryLaterError("the database gave no answer in time") from error

    def _work(self) -> None:
        """Do what waits, in the order in which it came; each is answered once it is kept."""
        asked = self._next()
        done = [asked] if asked else []
        try:
            with self._store().together():
                end = time.monotonic() + TOGETHER
                while asked:
                    asked.do(self._store())
                    asked = self._next() if time.monotonic() < end else None
                    done += [asked] if asked else []
        except Exception as error:
            for asked in done:
                asked.error = error
        for asked in done:
            asked.tell()

    def _next(self) -> Asked[Any] | None:
        """What has waited for longest, but for what was given up."""
        while self._waiting:
            asked = self._waiting.popleft()
            if asked.answer.set_running_or_notify_cancel():
                return asked
        return None

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
