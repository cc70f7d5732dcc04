"""Whom the database was told to forget: it keeps a keyed hash of the address, and mails it nothing
until the reader subscribes anew.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from digest.model import Roster
from digest.store.database import Database
from digest.store.readers import note_change
from digest.store.rows import from_text


def marker(database: Database) -> Callable[[str], str]:
    """What makes the mark of an address, in whatever case it is written: with the database's own
    secret, without which nobody can try addresses.

    Where readers go by pseudonyms there is no secret, and need be none: these are keyed hashes.
    """
    key = f"forgotten {database.meta('secret') or ''}".encode()
    return lambda address: hmac.new(
        key, address.strip().casefold().encode(), hashlib.sha256
    ).hexdigest()


def forgotten_since(database: Database, addresses: Iterable[str]) -> dict[str, datetime]:
    """Those of the addresses that were forgotten, and since when (UTC)."""
    if not database.value("SELECT 1 FROM forgotten LIMIT 1"):
        return {}
    mark_of = marker(database)
    marks = {address: mark_of(address) for address in addresses}
    rows = database.rows(
        "SELECT mark, at FROM forgotten WHERE mark IN many(?)", [sorted(marks.values())]
    )
    since = {row["mark"]: from_text(row["at"]) for row in rows}
    return {address: since[mark] for address, mark in marks.items() if mark in since}


def without_forgotten(database: Database, roster: Roster) -> Roster:
    """The roster without those who were forgotten: where an old list brings them back, nothing of
    them is taken in.
    """
    gone = forgotten_since(database, (reader.email for reader in roster.subscribers))
    if not gone:
        return roster
    served = (reader for reader in roster.subscribers if reader.email not in gone)
    return replace(roster, subscribers=tuple(served))


def name_of_row(reader: int, since: str) -> str:
    """What stands for one reader's row in all copies of a database, whatever the address: by its
    mark a restored copy knows that the row was erased, also where the address has come back.
    """
    return f"{reader} since {since}"


def note_forgotten(database: Database, address: str, now: datetime) -> None:
    """Mail this address no more, or where it is the name of a row, let no copy bring that back;
    belongs into the transaction that erases the reader.
    """
    database.write(
        "INSERT INTO forgotten(mark, at) VALUES(?, ?) ON CONFLICT(mark) DO NOTHING",
        [marker(database)(address), now],
    )


def lift_forgotten(database: Database, address: str) -> None:
    """Let an address that was forgotten be mailed again, since its reader subscribed anew; belongs
    into a transaction.
    """
    if database.write("DELETE FROM forgotten WHERE mark = ?", [marker(database)(address)]):
        # The next run looks at all readers again: this one may stand in the file already.
        note_change(database)
