"""The numbers of readers and deliveries, which mails bear in their links and addresses: none is
given twice.
"""

from __future__ import annotations

from digest.store.database import Database

_READERS = "readers_until"


def last_numbers(database: Database) -> tuple[int, int]:
    """The highest numbers ever given, to a reader and to a delivery."""
    deliveries = database.number("SELECT seq FROM sqlite_sequence WHERE name = 'delivery'")
    return next_reader(database) - 1, deliveries


def next_reader(database: Database) -> int:
    """The number for one more reader; belongs into the transaction that gives it."""
    highest = database.number("SELECT MAX(id) FROM subscriber")
    return max(highest, int(database.meta(_READERS) or 0)) + 1


def leave_numbers_out(database: Database, reader: int, delivery: int) -> None:
    """Give only numbers beyond these from now on."""
    with database.transaction():
        known_reader, known_delivery = last_numbers(database)
        database.set_meta(_READERS, str(max(reader, known_reader)))
        database.write("DELETE FROM sqlite_sequence WHERE name = 'delivery'")
        database.write(
            "INSERT INTO sqlite_sequence(name, seq) VALUES('delivery', ?)",
            [max(delivery, known_delivery)],
        )
