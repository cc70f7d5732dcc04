"""How a database file is, looked at without changing it: for `digest doctor`, which may meet any
file.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from digest.errors import StoreError, one_line
from digest.store.database import Database
from digest.store.runs import RunRecord, Runs
from digest.store.schema import APPLICATION_ID, MIGRATIONS

BUSY_SECONDS = 3.0
PROBLEMS = 5
"""How many of a file's problems are named."""


@dataclass(frozen=True, slots=True)
class Health:
    """`problems`: what SQLite finds wrong. `orphans`: references to rows that are not there.
    `known`: the schema of this program. `uuid` is the database's own, `readers` are its
    subscribers' addresses, casefolded. The last three are empty where the schema is another.
    """

    version: int
    known: int
    problems: tuple[str, ...]
    orphans: int
    uuid: str = ""
    readers: frozenset[str] = frozenset()
    last_run: RunRecord | None = None


def examine(path: Path, *, thoroughly: bool = True, wholly: bool = False) -> Health:
    """Read a database that exists; `thoroughly`: with SQLite's own checks, which read all of it;
    `wholly`: with that of the indexes against their tables, too, which takes several times as long.

    Nothing is migrated or written. Raises StoreError where it is foreign, another user's,
    unreadable or too damaged to be read, TryLaterError where it stays locked.
    """
    try:
        owner = path.stat().st_uid
    except OSError as error:
        raise StoreError(f"{path} cannot be reached ({error.strerror})") from error
    # What SQLite makes beside a file it reads would lock the owner out; for root it gives that to
    # the owner.
    if os.geteuid() not in (0, owner):
        raise StoreError(f"{path} belongs to another user", remedy="run as its owner")
    # Read-only, SQLite would leave the files of the write-ahead log behind where there are none.
    mode = "ro" if path.with_name(f"{path.name}-wal").exists() else "rw"
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=BUSY_SECONDS
        )
    except sqlite3.Error as error:
        raise StoreError(
            f"{path} cannot be opened ({error})", remedy="check the rights of the file"
        ) from error
    try:
        return _examine(
            Database(connection, str(path)),
            thoroughly,
            "integrity_check" if wholly else "quick_check",
        )
    finally:
        connection.close()


def _examine(database: Database, thoroughly: bool, check: str) -> Health:
    version = int(database.value("PRAGMA user_version"))
    if database.value("PRAGMA application_id") != APPLICATION_ID:
        tables = database.value("SELECT COUNT(*) FROM sqlite_master")
        if tables or not thoroughly:
            raise StoreError(
                f"{database.name} is a database of another program",
                remedy="name another file with DIGEST_DB",
            )
        return Health(version, len(MIGRATIONS), (), 0)
    problems: tuple[str, ...] = ()
    orphans = 0
    if thoroughly:
        found = [
            str(text)
            for row in database.rows(f"PRAGMA {check}({PROBLEMS})")
            for text in row.values()
        ]
        problems = tuple(one_line(text) for text in found if text != "ok")
        orphans = (
            0 if problems else int(database.value("SELECT COUNT(*) FROM pragma_foreign_key_check"))
        )
    if version != len(MIGRATIONS):
        return Health(version, len(MIGRATIONS), problems, orphans)
    readers = database.rows("SELECT address FROM subscriber WHERE gone = 0")
    return Health(
        version,
        len(MIGRATIONS),
        problems,
        orphans,
        uuid=database.meta("uuid") or "",
        readers=frozenset(str(row["address"]).casefold() for row in readers),
        last_run=Runs(database).latest(),
    )
