"""SQLite's errors about a file, told with what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from digest.errors import DigestError, StoreError, TryLaterError
from digest.store.rows import RESTORE

_EXPLAINED: tuple[tuple[tuple[str, ...], type[DigestError], str, str], ...] = (
    (
        ("SQLITE_BUSY", "SQLITE_LOCKED"),
        TryLaterError,
        "is locked by another program",
        "try again when that has ended",
    ),
    (
        ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM"),
        StoreError,
        "is not writable",
        "check the rights of the file and its folder",
    ),
    (
        ("SQLITE_FULL", "SQLITE_IOERR"),
        StoreError,
        "could not be written ({})",
        "is the disk full?",
    ),
    (
        ("SQLITE_NOTADB", "SQLITE_CORRUPT"),
        StoreError,
        "is damaged or no SQLite database ({})",
        "restore a backup, and keep this file",
    ),
)
"""By how SQLite's result codes begin (sqlite.org/rescode.html): the error, what is wrong, and what
to do."""


@contextmanager
def explained_errors(name: str) -> Iterator[None]:
    """Turn SQLite's errors about a file into ones that say what to do; others pass."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{name} could not be written ({error.strerror})",
            remedy="is the disk full, or the folder not writable?",
        ) from error
    except sqlite3.DatabaseError as error:
        if str(error).startswith("Could not decode to UTF-8"):
            raise StoreError(f"{name} holds a text that cannot be read", remedy=RESTORE) from error
        code = getattr(error, "sqlite_errorname", "") or ""
        for begins, cls, wrong, remedy in _EXPLAINED:
            if code.startswith(begins):
                raise cls(f"{name} {wrong.format(error)}", remedy=remedy) from error
        raise
