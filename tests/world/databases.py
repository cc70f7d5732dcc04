"""The kinds of database on which the store's tests run. A second one is one class more in KINDS,
and `STORES=sqlite,…` runs the tests on it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from digest.store.database import Database


class Kind(Protocol):
    """One database of its kind, empty at first. `alone`: while one connection writes, no other one
    reads."""

    alone: bool

    def open(self, busy_seconds: float | None = None) -> Database:
        """Connect to it, as the next process does, and make the schema where it is not there.
        `busy_seconds`: how long the connection waits for another one's transaction."""

    def close(self) -> None:
        """Let it go."""


class SqliteFile:
    """A file of SQLite's, as an installation has it."""

    alone = False

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, busy_seconds: float | None = None) -> Database:
        """Connect. No test takes the power away, so nothing waits for the disk."""
        database = Database.open(self.path, busy_seconds=busy_seconds)
        database.value("PRAGMA synchronous = OFF")
        return database

    def close(self) -> None:
        """A folder of a test goes by itself."""


class SqliteMemory:
    """SQLite's own, in the memory of this process, as previews and rehearsals have it; several
    connections see the same."""

    alone = True

    def __init__(self, path: Path) -> None:
        self._name = f"file:{path}?mode=memory&cache=shared"
        self._first = self._connect()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._name, uri=True)

    def open(self, busy_seconds: float | None = None) -> Database:
        """Connect. Nothing waits here: what another one holds is refused at once."""
        database = Database(self._connect(), self._name)
        database._migrate()
        return database

    def close(self) -> None:
        """With its last connection the database is gone."""
        with suppress(sqlite3.Error):
            self._first.close()


KINDS: dict[str, type[SqliteFile | SqliteMemory]] = {"sqlite": SqliteFile, "memory": SqliteMemory}
TRIED = os.environ.get("STORES", "sqlite").split(",")
"""The kinds that are tried by this run of the tests."""
