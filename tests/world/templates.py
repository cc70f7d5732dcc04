"""New databases in the tests are copies of one that was made once: its schema, of a hundred and
fifty statements, takes thirty times as long to make as to copy, and half of the tests need one.
"""

from __future__ import annotations

import atexit
import secrets
import sqlite3
import uuid

from digest.store import database as database_module
from digest.store.database import Database

_made: dict[tuple[object, ...], sqlite3.Connection] = {}
"""By the steps that made them, and whether they are of the kind that can be shortened."""


def copy_new_databases() -> None:
    """Let this process make the schema once, and copy it from then on."""
    migrate = Database._migrate

    def copied(database: Database) -> None:
        if not _is_new(database):
            return migrate(database)
        kind = (database.number("PRAGMA auto_vacuum"), *database_module.MIGRATIONS)
        if kind not in _made:
            migrate(database)
            _keep(database, kind)
            return None
        _made[kind].backup(database._connection)
        with database.transaction():
            database.set_meta("uuid", str(uuid.uuid4()))
            database.set_meta("secret", secrets.token_hex(32))
        return None

    Database._migrate = copied  # type: ignore[method-assign]


def _keep(database: Database, kind: tuple[object, ...]) -> None:
    # Servers of the tests make databases in threads of their own.
    _made[kind] = sqlite3.connect(":memory:", check_same_thread=False)
    atexit.register(_made[kind].close)
    database._connection.backup(_made[kind])


def _is_new(database: Database) -> bool:
    """Whether it lies in the memory of this process, and nothing stands in it yet."""
    (_, _, file) = database._connection.execute("PRAGMA database_list").fetchone()
    return not file and not database.number("SELECT COUNT(*) FROM sqlite_master")
