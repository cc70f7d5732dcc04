"""A database whose process is killed at any of its statements, for what is done in steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from digest.store import Store
from digest.store.database import Database, Parameters


class Stopped(BaseException):
    """The process was killed here."""


class Fragile(Database):
    """A database whose process is killed at one of its statements."""

    left = -1

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Stopped

    def rows(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        self._count()
        return super().rows(sql, parameters)

    def write_many(self, sql: str, parameters: Any) -> None:
        self._count()
        super().write_many(sql, parameters)

    def _execute(self, sql: str, parameters: Parameters = ()) -> Any:
        self._count()
        return super()._execute(sql, parameters)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            yield
            self._count()


def stopped_at_each_statement(path: Path, step: Callable[[Store], bool]) -> int:
    """Take the steps in a database that nobody else has open until none is left, killed at each
    statement once and going on after it: what it then holds is always the same. Returns how often
    it was killed.
    """
    whole, stopped = path.read_bytes(), 0
    wanted: list[str] | None = None
    for at in (0, *range(1, 300)):
        path.write_bytes(whole)
        database = Fragile.open(path)
        store = Store(database)
        database.left = at
        try:
            while step(store):
                pass
        except Stopped:
            stopped += 1
        database.left = -1
        while step(store):
            pass
        held = [str(database.rows(f"SELECT * FROM {table} ORDER BY 1")) for table in _STEPPED]
        wanted = wanted or held
        assert held == wanted
        store.close()
        if at > stopped:
            break
    return stopped


_STEPPED = ("carried", "aged", "correction", "paper", "delivery", "subscriber", "meta")
"""The tables in which steps are taken."""
