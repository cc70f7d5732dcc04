"""SQLite's errors about a file, told with what to do."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager

from digest.errors import DamagedError, DigestError, StoreError, TryLaterError
from digest.store.rows import RESTORE

_EXPLAINED: tuple[tuple[tuple[str, ...], type[DigestError], str, str], ...] = (
    (
        ("SQLITE_BUSY", "SQLITE_LOCKED"),
        TryLaterError,
        "is locked by another program",
        "try again when that has ended",
    ),
    (
        ("SQLITE_INTERRUPT",),
        TryLaterError,
        "was asked for more than it can look through in time",
        "ask for less",
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
        DamagedError,
        "is damaged or no SQLite database ({})",
        "restore a backup, and keep this file",
    ),
)
"""By how SQLite's result codes begin (sqlite.org/rescode.html): the error, what is wrong, and what
to do."""


def explained_errors(name: str) -> AbstractContextManager[None]:
    """Turn SQLite's errors about a file into ones that say what to do; others pass."""
    return _Explained(name)


class _Explained:
    """A class, since every statement passes through it: a generator takes five times as long."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise StoreError(
                f"{self._name} could not be written ({error.strerror})",
                remedy="is the disk full, or the folder not writable?",
            ) from error
        if isinstance(error, sqlite3.DatabaseError) and (known := _known(error, self._name)):
            raise known from error


def _known(error: sqlite3.DatabaseError, name: str) -> DigestError | None:
    """What an error of SQLite's says, where it is one of those above."""
    if str(error).startswith("Could not decode to UTF-8"):
        return StoreError(f"{name} holds a text that cannot be read", remedy=RESTORE)
    code = getattr(error, "sqlite_errorname", "") or ""
    for begins, cls, wrong, remedy in _EXPLAINED:
        if code.startswith(begins):
            return cls(f"{name} {wrong.format(error)}", remedy=remedy)
    return None


def belongs_to_another_program(name: str) -> StoreError:
    """The error where a file is no database of this program."""
    return StoreError(
        f"{name} is a database of another program", remedy="name another file with DIGEST_DB"
    )
