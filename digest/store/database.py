"""One SQLite file: opened with care, migrated, and its failures told in the program's own words."""

from __future__ import annotations

import os
import secrets
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from digest.errors import DigestError, StoreError, TryLaterError
from digest.store.copying import copy_whole
from digest.store.schema import APPLICATION_ID, MIGRATIONS

Parameters = Sequence[Any] | dict[str, Any]
BUSY_SECONDS = 10.0


class Database:
    """A connection to the database; every write of the store goes through `transaction`."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self.name = name
        self._connection = connection
        # Importing it takes longer than all of the store, which commands import for its types too.
        import sqlite_utils

        self._db = sqlite_utils.Database(connection, execute_plugins=False)
        self._db.execute("PRAGMA foreign_keys = ON")

    @classmethod
    def open(cls, path: Path, *, create: bool = True) -> Database:
        """Open the file, migrating it where it is older. WAL, and synchronous=FULL: a commit is on
        the disk.

        Raises StoreError where it is foreign, damaged, unwritable, newer, or belongs to another
        user; TryLaterError where it stays locked.
        """
        if not create and not path.exists():
            raise StoreError(f"there is no database at {path}", remedy="'digest run' makes one")
        _check_owner(path)
        _make_private(path)
        with in_our_words(str(path)):
            connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
        database = cls(connection, str(path))
        try:
            database._prepare(path)
        except BaseException:
            connection.close()
            raise
        return database

    @classmethod
    def copy_of(cls, path: Path) -> Database:
        """A copy in memory, in which any day can be rehearsed while the file stays as it is.

        Raises StoreError where the file is foreign, damaged or newer.
        """
        memory = sqlite3.connect(":memory:")
        database = cls(memory, f"a copy of {path}")
        try:
            if path.exists():
                with in_our_words(str(path)):
                    _read_into(path, memory)
                database._check_application(str(path))
            database._migrate()
        except BaseException:
            memory.close()
            raise
        return database

    def _prepare(self, path: Path) -> None:
        self._check_application(self.name)
        self._execute("PRAGMA journal_mode = WAL").fetchone()
        self._execute("PRAGMA synchronous = FULL")
        version = self.value("PRAGMA user_version")
        if 0 < version < len(MIGRATIONS):
            with in_our_words(self.name):
                copy_whole(path, path.with_name(f"{path.name}.schema-{version}"))
        self._migrate()

    @classmethod
    def overwrite(cls, path: Path, source: Path) -> None:
        """Replace all that a database holds by another file's, in one transaction that others see
        whole.
        """
        with (
            in_our_words(str(path)),
            closing(sqlite3.connect(source)) as new,
            closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as old,
        ):
            new.backup(old)

    def checkpoint(self) -> None:
        """Bring what the write-ahead log holds into the file itself."""
        self._execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def vacuum(self) -> None:
        """Give the room that rows have left back to the disk."""
        self._execute("VACUUM")
        self.checkpoint()

    def _check_application(self, name: str) -> None:
        """Refuse, before anything is written, what another program keeps in a file called
        `name`.
        """
        with in_our_words(name):
            (application,) = self._db.execute("PRAGMA application_id").fetchone()
            (tables,) = self._db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION_ID:
            raise StoreError(
                f"{name} is a database of another program",
                remedy="name another file with DIGEST_DB",
            )

    def _migrate(self) -> None:
        """Run the steps that the file lacks, each in one transaction with its record."""
        (version,) = self._execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise StoreError(
                f"{self.name} was made by a newer version of digest (schema {version}, known {len(MIGRATIONS)})",
                remedy="install that version again, or restore a backup",
            )
        for number in range(version, len(MIGRATIONS)):
            with self.transaction():
                if self._execute("PRAGMA user_version").fetchone()[0] > number:
                    continue
                for statement in filter(str.strip, MIGRATIONS[number].split(";")):
                    self._execute(statement)
                if number == 0:
                    self._execute("INSERT INTO meta VALUES('uuid', ?)", [str(uuid.uuid4())])
                    self._execute("INSERT INTO meta VALUES('secret', ?)", [secrets.token_hex(32)])
                self._execute(f"PRAGMA application_id = {APPLICATION_ID}")
                self._execute(f"PRAGMA user_version = {number + 1}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One write transaction: BEGIN IMMEDIATE, so that what is read in it still holds when it
        writes.
        """
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                with suppress(sqlite3.Error):
                    self._connection.rollback()
            raise

    def rows(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """Run a statement and return its rows by column name; a writing one commits where none is
        open.
        """
        with in_our_words(self.name):
            return list(self._db.query(sql, parameters))

    def row(self, sql: str, parameters: Parameters = ()) -> dict[str, Any] | None:
        """The first row, or None."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first column of the first row, or None."""
        found = self._execute(sql, parameters).fetchone()
        return found[0] if found else None

    def write(self, sql: str, parameters: Parameters = ()) -> int:
        """Run a writing statement; returns how many rows it changed."""
        return self._execute(sql, parameters).rowcount

    def write_many(self, sql: str, parameters: Sequence[Parameters]) -> None:
        """Run a writing statement once for each set of parameters, inside an open transaction."""
        with in_our_words(self.name):
            self._connection.executemany(sql, parameters)

    def meta(self, key: str) -> str | None:
        """A remembered fact about the database itself."""
        found: str | None = self.value("SELECT value FROM meta WHERE key = ?", [key])
        return found

    def set_meta(self, key: str, value: str) -> None:
        """Remember a fact about the database itself."""
        self.write(
            "INSERT INTO meta VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
            [key, value],
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _execute(self, sql: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        with in_our_words(self.name):
            cursor: sqlite3.Cursor = self._db.execute(sql, parameters)
            return cursor


def _read_into(path: Path, memory: sqlite3.Connection) -> None:
    """Copy the file, and leave nothing beside it.

    A read-only connection would leave the files of the write-ahead log behind where there are none
    (a log that is there belongs to somebody at work, or to a crash, and is left to them).
    """
    mode = "ro" if path.with_name(f"{path.name}-wal").exists() else "rw"
    source = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=BUSY_SECONDS
    )
    try:
        source.backup(memory)
    finally:
        source.close()


def _make_private(path: Path) -> None:
    """Make a missing file so that nobody else can read it: it holds addresses, and the secret of
    signed links.

    SQLite gives the files that it makes beside it the same rights. Where it cannot be made, SQLite
    says why.
    """
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _check_owner(path: Path) -> None:
    """A file of another user's is refused: what we would write beside it would lock its owner
    out.
    """
    if path.is_dir():
        raise StoreError(f"{path} is a folder", remedy="name a file in it with DIGEST_DB")
    try:
        owner = path.stat().st_uid
    except FileNotFoundError:
        folder = path.parent
        if not folder.is_dir():
            raise StoreError(
                f"the folder {folder} does not exist",
                remedy="make it, or name another with DIGEST_HOME",
            ) from None
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StoreError(
                f"the folder {folder} is not writable for {_user(os.geteuid())}",
                remedy=f"it belongs to {_user(folder.stat().st_uid)}: run as that user",
            ) from None
        return
    except OSError as error:
        raise StoreError(f"{path} cannot be reached ({error.strerror})") from error
    if owner != os.geteuid():
        raise StoreError(
            f"{path} belongs to {_user(owner)}, and this runs as {_user(os.geteuid())}",
            remedy=f"run as {_user(owner)}, such as with: sudo -u {_user(owner)} digest …",
        )


def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


@contextmanager
def in_our_words(name: str) -> Iterator[None]:
    """Turn SQLite's errors into ones that say what to do (result codes:
    sqlite.org/rescode.html).
    """
    try:
        yield
    except DigestError:
        raise
    except OSError as error:
        raise StoreError(
            f"{name} could not be written ({error.strerror})",
            remedy="is the disk full, or the folder not writable?",
        ) from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorname", "") or ""
        if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise TryLaterError(
                f"{name} is locked by another program", remedy="try again when that has ended"
            ) from error
        if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            raise StoreError(
                f"{name} is not writable", remedy="check the rights of the file and its folder"
            ) from error
        if code.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
            raise StoreError(
                f"{name} could not be written ({error})", remedy="is the disk full?"
            ) from error
        if code.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            raise StoreError(
                f"{name} is damaged or no SQLite database ({error})",
                remedy="restore a backup, and keep this file",
            ) from error
        raise
