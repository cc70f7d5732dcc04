"""A database that is only looked at, by programs that must never write to it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from digest.errors import StoreError
from digest.store.copying import BUSY_SECONDS, open_to_read
from digest.store.database import Database
from digest.store.failures import explained_errors
from digest.store.files import is_there


def database_to_look_at(path: Path) -> Database:
    """Open the file for reading alone: SQLite itself refuses to write by this connection.

    Raises StoreError where it is missing, foreign, damaged, newer, or older than this program;
    TryLaterError where it stays locked.
    """
    if not is_there(path):
        raise StoreError(f"there is no database at {path}", remedy="'digest run' makes one")
    with explained_errors(str(path)):
        connection = open_to_read(path, BUSY_SECONDS)
        connection.execute("PRAGMA query_only = ON")
    with ExitStack() as stack:
        stack.callback(connection.close)
        database = Database(connection, str(path))
        database.check_application()
        if database.lacks_steps():
            raise StoreError(
                f"{path} was made by an older version of digest",
                remedy="'digest run' brings it up to date",
            )
        stack.pop_all()
    return database
