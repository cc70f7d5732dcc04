"""One SQLite file: opened with care, migrated, and its failures explained."""

from __future__ import annotations

import secrets
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from digest.errors import DigestError, StoreError, TryLaterError
from digest.store.copying import BUSY_SECONDS, copy_whole, open_to_read, save_whole
from digest.store.dialect import for_sqlite
from digest.store.failures import belongs_to_another_program, explained_errors
from digest.store.files import check_owner, how_to_restore, is_there
from digest.store.rows import moment_or_none, value_of
from digest.store.schema import APPLICATION_ID, MIGRATIONS
from digest.store.together import Transactions
from digest.times import to_text

SPARE = 8
"""A file keeps this part of its pages for new rows where they are empty …"""
FREED_AT_ONCE, SEARCHED_AT_ONCE = 1_000, 15_000_000
"""… and is shortened by at most so many pages at once, for each of which SQLite may look through
the list of all that are empty: at most so many in all, about 0.03 s."""
STAMPED_UNTIL = "stamped_until"
"""Meta key: the latest time by which something was stamped without a run."""

T = TypeVar("T")
Parameters = Sequence[Any] | dict[str, Any]


class Database:
    """A connection to the database; every write of the store goes through `transaction`.

    Statements are in words that SQLite and PostgreSQL both read; `many(:ids)` stands for the values
    of a list that is a parameter (see dialect.py).
    """

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self.name = name
        # SQLite's own way: a statement outside a transaction is one by itself.
        connection.isolation_level = None
        self._connection = connection
        self._transactions = Transactions(connection, self._execute)
        # Importing it takes longer than all of the store, which commands import for its types too.
        import sqlite_utils

        self._db = sqlite_utils.Database(connection, execute_plugins=False)
        self._db.execute("PRAGMA foreign_keys = ON")

    @classmethod
    def open(
        cls, path: Path, *, create: bool = True, busy_seconds: float | None = None
    ) -> Database:
        """Open the file, migrating it where it is older. WAL, and synchronous=FULL: a commit is on
        the disk. `busy_seconds`: how long it waits for another program's lock, else BUSY_SECONDS.

        Raises StoreError where it is foreign, damaged, unwritable, newer, or belongs to another
        user; TryLaterError where it stays locked.
        """
        check_owner(path)
        if not is_there(path):
            if not create:
                raise StoreError(f"there is no database at {path}", remedy="'digest run' makes one")
            cls._begin(path)
        with explained_errors(str(path)):
            connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS if busy_seconds is None else busy_seconds
            )
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
        database = cls(memory, str(path))
        try:
            if is_there(path):
                with (
                    explained_errors(str(path)),
                    closing(open_to_read(path, BUSY_SECONDS)) as source,
                ):
                    source.backup(memory)
                database.check_application()
            database.name = f"a copy of {path}"
            database._migrate()
        except BaseException:
            memory.close()
            raise
        return database

    @classmethod
    def _begin(cls, path: Path) -> None:
        """Make a new file, whole from its first moment on: an empty one always comes of an
        accident.
        """
        with closing(sqlite3.connect(":memory:")) as memory, explained_errors(str(path)):
            # Must come before the first table (sqlite.org/pragma.html#pragma_auto_vacuum).
            memory.execute("PRAGMA auto_vacuum = INCREMENTAL")
            cls(memory, str(path))._migrate()
            save_whole(memory, path, replaces=False)

    def _prepare(self, path: Path) -> None:
        self.check_application()
        # "In data" must be on the disk before the DATA command; in WAL, NORMAL would not flush it.
        self._execute("PRAGMA journal_mode = WAL").fetchone()
        self._execute("PRAGMA synchronous = FULL")
        # A step cannot be undone, so the file is kept as it was before.
        version = self.number("PRAGMA user_version")
        is_older = 0 < version < len(MIGRATIONS)
        if is_older:
            with explained_errors(self.name):
                copy_whole(path, path.with_name(f"{path.name}.schema-{version}"))
        self._migrate()
        if is_older and not self.can_shrink():
            # The file was locked till now, and what the steps moved has left as much room. Where
            # the disk has none for that, a prune can do it.
            with suppress(DigestError):
                self.vacuum()

    @classmethod
    def overwrite(cls, path: Path, source: Path) -> None:
        """Replace all that a database holds by another file's, in one transaction that others see
        whole.
        """
        with (
            explained_errors(str(path)),
            closing(sqlite3.connect(source)) as new,
            closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as old,
        ):
            new.backup(old)

    def checkpoint(self) -> None:
        """Bring what the write-ahead log holds into the file itself."""
        self._execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def tidy(self) -> None:
        """Bring up to date, where it has changed much, what the database knows of how its rows are
        spread; by that it chooses among its indexes. Takes milliseconds.
        """
        self._execute("PRAGMA analysis_limit = 400").fetchone()
        measured = self.value("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'")
        self._execute("PRAGMA optimize" if measured else "ANALYZE").fetchall()

    def vacuum(self) -> None:
        """Give all the room that rows have left back to the disk; from then on `shrink` can. Nobody
        else can write while it copies what is left.
        """
        self._execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._execute("VACUUM")
        self.checkpoint()

    def can_shrink(self) -> bool:
        """Whether `shrink` can: not where an older version began the file, before a `vacuum`."""
        return self.number("PRAGMA auto_vacuum") > 0

    def shrink(self, *, whole: bool = False) -> bool:
        """Give a little of the room that rows have left back to the disk, where that is more than
        what new rows will soon take, or where there is any and the `whole` is to go; false where it
        is not. Belongs outside a transaction.
        """
        free, pages = self.number("PRAGMA freelist_count"), self.number("PRAGMA page_count")
        if free <= (0 if whole else max(pages // SPARE, FREED_AT_ONCE)) or not self.can_shrink():
            return False
        some = min(FREED_AT_ONCE, SEARCHED_AT_ONCE // free)
        # As a script it is run to its end, else it frees a single page.
        with explained_errors(self.name):
            self._connection.executescript(f"PRAGMA incremental_vacuum({max(some, 1)})")
        return True

    def is_alone(self) -> bool:
        """Whether nobody else has the file open."""
        waits = self.number("PRAGMA busy_timeout")
        self._execute("PRAGMA busy_timeout = 0")
        try:
            # WAL is for several, and is left by one (sqlite.org/wal.html).
            self._execute("PRAGMA journal_mode = DELETE").fetchone()
            self._execute("PRAGMA journal_mode = WAL").fetchone()
        except TryLaterError:
            return False
        finally:
            self._execute(f"PRAGMA busy_timeout = {waits}")
        return True

    def check_application(self) -> None:
        """Refuse, before anything is written, a file that another program keeps, and an empty one:
        as a new one it would mail all first digests again.
        """
        if self.number("PRAGMA application_id") == APPLICATION_ID:
            return
        if self.number("SELECT COUNT(*) FROM sqlite_master"):
            raise belongs_to_another_program(self.name)
        path = Path(self.name)
        raise StoreError(f"{path} is empty", remedy=how_to_restore(path, path))

    def lacks_steps(self) -> bool:
        """Whether the file is older than this program. Raises StoreError where it is newer."""
        version = self.number("PRAGMA user_version")
        if version > len(MIGRATIONS):
            raise StoreError(
                f"{self.name} was made by a newer version of digest"
                f" (schema {version}, known {len(MIGRATIONS)})",
                remedy="install that version again, or restore a backup",
            )
        return version < len(MIGRATIONS)

    def _migrate(self) -> None:
        """Run the steps that the file lacks, all in one transaction with their record."""
        if not self.lacks_steps():
            return
        with self.transaction():
            # Another process may have taken them while we waited for the transaction.
            version = self.number("PRAGMA user_version")
            for step in MIGRATIONS[version:]:
                for statement in filter(str.strip, step.split(";")):
                    self._execute(statement)
            if version == 0:
                self._execute("INSERT INTO meta VALUES('uuid', ?)", [str(uuid.uuid4())])
                self._execute("INSERT INTO meta VALUES('secret', ?)", [secrets.token_hex(32)])
            self._execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    def transaction(self) -> AbstractContextManager[None]:
        """One write transaction: BEGIN IMMEDIATE, so that what is read in it still holds when it
        writes.
        """
        return self._transactions.one()

    def together(self) -> AbstractContextManager[None]:
        """Keep all transactions in here by one commit at its end (see together.py)."""
        return self._transactions.together()

    @contextmanager
    def bounded(self, seconds: float) -> Iterator[None]:
        """Give up what is asked in here after so many seconds of processor time: TryLaterError."""
        end = time.thread_time() + seconds
        # An index of words reads its pages by statements of their own, of a few operations each.
        self._connection.set_progress_handler(lambda: time.thread_time() > end, 100)
        try:
            yield
        finally:
            self._connection.set_progress_handler(None, 0)

    def rows(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """Run a statement and return its rows by column name; a writing one commits where none is
        open.
        """
        with explained_errors(self.name):
            # sqlite_utils' own query() opens a savepoint first, which takes as long as asking.
            found = self._db.execute(for_sqlite(sql), parameters)
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found]

    def row(self, sql: str, parameters: Parameters = ()) -> dict[str, Any] | None:
        """The first row, or None."""
        return next(iter(self.rows(sql, parameters)), None)

    def all(self, cls: Callable[..., T], sql: str, parameters: Parameters = ()) -> list[T]:
        """The rows as dataclasses (see rows.value_of)."""
        return [value_of(cls, row) for row in self.rows(sql, parameters)]

    def first(self, cls: Callable[..., T], sql: str, parameters: Parameters = ()) -> T | None:
        """The first row as a dataclass (see rows.value_of), or None."""
        return next(iter(self.all(cls, sql, parameters)), None)

    def column(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        """The first column of all rows."""
        return [next(iter(row.values())) for row in self.rows(sql, parameters)]

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first column of the first row, or None."""
        with explained_errors(self.name):
            found = self._db.execute(for_sqlite(sql), parameters).fetchone()
        return found[0] if found else None

    def number(self, sql: str, parameters: Parameters = ()) -> int:
        """The first column of the first row as a number; 0 where there is none."""
        return int(self.value(sql, parameters) or 0)

    def moment(self, sql: str, parameters: Parameters = ()) -> datetime | None:
        """The first column of the first row as a moment, or None."""
        return moment_or_none(self.value(sql, parameters))

    def text(self, sql: str, parameters: Parameters = ()) -> str | None:
        """The first column of the first row as text, or None."""
        found: str | None = self.value(sql, parameters)
        return found

    def write(self, sql: str, parameters: Parameters = ()) -> int:
        """Run a writing statement; returns how many rows it changed."""
        return self._execute(sql, parameters).rowcount

    def write_many(self, sql: str, parameters: Sequence[Parameters]) -> None:
        """Run a writing statement once for each set of parameters, inside an open transaction."""
        with explained_errors(self.name):
            self._connection.executemany(for_sqlite(sql), parameters)

    def last_number(self, table: str) -> int:
        """The last number that the database gave to a row of a table, be the row there or not."""
        return self.number("SELECT seq FROM sqlite_sequence WHERE name = ?", [table])

    def number_on(self, table: str, last: int) -> None:
        """Let the database number a table's rows as if it had given this number last."""
        self.write("DELETE FROM sqlite_sequence WHERE name = ?", [table])
        self.write("INSERT INTO sqlite_sequence(name, seq) VALUES(?, ?)", [table, last])

    def changes(self) -> int:
        """Another number than before where somebody else has written meanwhile."""
        return self.number("PRAGMA data_version")

    def meta(self, key: str) -> str | None:
        """A remembered fact about the database itself."""
        return self.text("SELECT value FROM meta WHERE key = ?", [key])

    def set_meta(self, key: str, value: str) -> None:
        """Remember a fact about the database itself."""
        self.write(
            "INSERT INTO meta VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
            [key, value],
        )

    def note_time(self, now: datetime) -> None:
        """Remember a time by which a command stamps something: where the machine's clock is ahead,
        the next run under the right time finds it by that, and puts right what was stamped.
        """
        if (self.meta(STAMPED_UNTIL) or "") < to_text(now):
            self.set_meta(STAMPED_UNTIL, to_text(now))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _execute(self, sql: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        with explained_errors(self.name):
            cursor: sqlite3.Cursor = self._db.execute(for_sqlite(sql), parameters)
            return cursor


class Concern:
    """A part of the store that knows the SQL of one concern."""

    def __init__(self, database: Database) -> None:
        self._db = database
