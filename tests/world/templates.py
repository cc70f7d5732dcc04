"""What most tests need and takes long to make is made once in a process.

New databases are copies of the first: its schema, of a hundred and fifty statements, takes thirty
times as long to make as to copy. Connections over HTTP trust one set of certificates: to read it
takes 40 ms, and each run reads it. Nobody waits for the disk, and an entry of arXiv's is read once.
"""

from __future__ import annotations

import atexit
import os
import re
import secrets
import sqlite3
import ssl
import uuid
from functools import cache
from pathlib import Path
from typing import Any

from httpx._transports import default

from digest.arxiv import atom
from digest.store import database as database_module
from digest.store.database import Database

_made: dict[tuple[object, ...], sqlite3.Connection] = {}
"""By the steps that made them, and whether they are of the kind that can be shortened."""

PREPARE = Database._prepare
"""How the program itself prepares a file, for who looks at that."""

ENTRIES = atom._entries
"""How the program itself reads the entries of an answer."""
_ENTRY = re.compile(rb"<entry>.*?</entry>", re.S)
_MOST_ENTRIES = 4_000
_entries: dict[bytes, dict[str, Any]] = {}
"""The entries that were read last, each by its bytes and the namespaces of its feed."""


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


def wait_for_no_disk() -> None:
    """Let what this process writes be on its way to the disk: no test ends with the machine."""

    def prepared(database: Database, path: Path) -> None:
        database._execute("PRAGMA synchronous = OFF")
        PREPARE(database, path)
        database._execute("PRAGMA synchronous = OFF")

    Database._prepare = prepared  # type: ignore[method-assign]
    os.fsync = lambda _: None  # type: ignore[assignment]


def read_entries_once() -> None:
    """Let this process read each entry of arXiv's API once: feedparser takes up to a millisecond
    for one, a seventh of all that the tests do, and most stand in many answers.
    """
    atom._entries = remembered_entries


def remembered_entries(body: bytes) -> list[dict[str, Any]]:
    """What the program reads in an answer; what is no plain row of entries, it reads itself."""
    pieces = _ENTRY.findall(body)
    start = body.find(b"<entry>")
    if not pieces or b"<!" in body or _ENTRY.sub(b"", body[start:]).strip() != b"</feed>":
        return ENTRIES(body)
    feed = body[: body.find(b">", body.find(b"<feed"))]
    read = {piece: _entries[feed + piece] for piece in pieces if feed + piece in _entries}
    fresh = [piece for piece in dict.fromkeys(pieces) if piece not in read]
    if fresh:
        found = ENTRIES(body[:start] + b"".join(fresh) + b"</feed>")
        if len(found) != len(fresh):
            return ENTRIES(body)
        read |= zip(fresh, found, strict=True)
        if len(_entries) > _MOST_ENTRIES:
            _entries.clear()
        _entries.update((feed + piece, read[piece]) for piece in fresh)
    return [read[piece] for piece in pieces]


def _keep(database: Database, kind: tuple[object, ...]) -> None:
    # Servers of the tests make databases in threads of their own.
    _made[kind] = sqlite3.connect(":memory:", check_same_thread=False)
    atexit.register(_made[kind].close)
    database._connection.backup(_made[kind])


def _is_new(database: Database) -> bool:
    """Whether it lies in the memory of this process, and nothing stands in it yet."""
    (_, _, file) = database._connection.execute("PRAGMA database_list").fetchone()
    return not file and not database.number("SELECT COUNT(*) FROM sqlite_master")
