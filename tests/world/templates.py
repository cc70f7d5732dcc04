"""What most tests need and takes long to make is made once in a process.

New databases are copies of the first: its schema, of a hundred and fifty statements, takes thirty
times as long to make as to copy. Connections over HTTP trust one set of certificates: to read it
takes 40 ms, and each run reads it.
"""

from __future__ import annotations

import atexit
import os
import secrets
import sqlite3
import ssl
import uuid
from functools import cache
from typing import Any

from httpx._transports import default

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


def share_certificates() -> None:
    """Let the HTTP clients of this process have one context, by what the environment trusts."""
    make = default.create_ssl_context

    @cache
    def shared(trusted: tuple[str | None, ...], trust_env: bool) -> ssl.SSLContext:
        return make(verify=True, trust_env=trust_env)

    def context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
        if verify is not True or cert is not None:
            return make(verify=verify, cert=cert, trust_env=trust_env)
        return shared(tuple(map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR"))), trust_env)

    default.create_ssl_context = context


def _keep(database: Database, kind: tuple[object, ...]) -> None:
    # Servers of the tests make databases in threads of their own.
    _made[kind] = sqlite3.connect(":memory:", check_same_thread=False)
    atexit.register(_made[kind].close)
    database._connection.backup(_made[kind])


def _is_new(database: Database) -> bool:
    """Whether it lies in the memory of this process, and nothing stands in it yet."""
    (_, _, file) = database._connection.execute("PRAGMA database_list").fetchone()
    return not file and not database.number("SELECT COUNT(*) FROM sqlite_master")
