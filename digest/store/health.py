"""The condition of a database file, looked at without changing it: for `digest doctor`, which may
meet any file.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from digest.errors import StoreError, one_line
from digest.store.copying import open_to_read
from digest.store.database import Database
from digest.store.runs import RunRecord, Runs
from digest.store.schema import MIGRATIONS

BUSY_SECONDS = 3.0
PROBLEMS = 5
"""At most this many of a file's problems are named."""


@dataclass(frozen=True, slots=True)
class Health:
    """`problems`: what SQLite finds wrong. `orphans`: references to rows that are not there.
    `known`: the schema of this program. `uuid` is the database's own, `readers` are its
    subscribers' addresses, casefolded. The last three are empty where the schema is another.
    """

    version: int
    known: int
    problems: tuple[str, ...] = ()
    orphans: int = 0
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
    try:
        connection = open_to_read(path, BUSY_SECONDS)
    except sqlite3.Error as error:
        raise StoreError(
            f"{path} cannot be opened ({error})", remedy="check the rights of the file"
        ) from error
    with closing(connection):
        database = Database(connection, str(path))
        database.check_application()
        health = Health(database.number("PRAGMA user_version"), len(MIGRATIONS))
        if thoroughly:
            check = "integrity_check" if wholly else "quick_check"
            health = replace(health, **_problems(database, check))
        return health if health.version != health.known else replace(health, **_facts(database))


def _problems(database: Database, check: str) -> dict[str, Any]:
    """What SQLite finds wrong, and else the references that lead nowhere."""
    found = database.rows(f"PRAGMA {check}({PROBLEMS})")
    problems = tuple(one_line(str(text)) for row in found for text in row.values() if text != "ok")
    if problems:
        return {"problems": problems}
    return {"orphans": database.number("SELECT COUNT(*) FROM pragma_foreign_key_check")}


def _facts(database: Database) -> dict[str, Any]:
    """What only a database of this schema can be asked."""
    readers = database.column("SELECT address FROM subscriber WHERE gone = 0")
    return {
        "uuid": database.meta("uuid") or "",
        "readers": frozenset(address.casefold() for address in readers),
        "last_run": Runs(database).latest(),
    }
