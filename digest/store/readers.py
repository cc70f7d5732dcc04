"""The rows of readers: their numbers, how many there are, and what they said themselves, as all who
write them share it.
"""

from __future__ import annotations

from digest.model import Wish
from digest.store.database import Database

LAST_READER = "readers_until"
"""Meta key: the highest reader number that a restored backup lacks."""
REVISION = "book"
"""Meta key: a number that grows with each change of what readers said themselves."""


HAS_LEFT = """(r.gone = 1 OR EXISTS (
    SELECT 1 FROM suppression x WHERE lower(x.address) = lower(r.address)))"""
"""Whether a reader (r) is not to be mailed."""


def next_reader(database: Database) -> int:
    """The number for one more reader, which no mail ever bore in its links and addresses; belongs
    into the transaction that gives it.
    """
    highest = database.number("SELECT MAX(id) FROM subscriber")
    return max(highest, int(database.meta(LAST_READER) or 0)) + 1


def count_readers(database: Database, *, of_file: bool = False) -> int:
    """How many readers there are who have not left; `of_file`: those of the subscribers file."""
    condition = "gone = 0 AND origin = 'file'" if of_file else "gone = 0"
    return database.number(f"SELECT COUNT(*) FROM subscriber WHERE {condition}")


def end_own(database: Database, reader: int) -> None:
    """Let go of what a reader said themselves; belongs into the transaction that lets them leave,
    or makes them the file's.
    """
    for table in ("signup", "wish"):
        database.write(f"DELETE FROM {table} WHERE subscriber = :reader", {"reader": reader})
    note_change(database)


def rename(database: Database, reader: int, new: str) -> None:
    """Give a reader another address; belongs into a transaction. A row that has it from earlier is
    renamed out of the way (see Subscribers.move).
    """
    old = database.text("SELECT address FROM subscriber WHERE id = ?", [reader])
    other = database.value(
        "SELECT id FROM subscriber WHERE lower(address) = lower(?) AND id <> ?", [new, reader]
    )
    if other is not None:
        database.write(
            """UPDATE subscriber
               SET address = address || ' (before ' || id || ')', gone = 1 WHERE id = ?""",
            [other],
        )
        end_own(database, other)
    database.write("UPDATE subscriber SET address = ? WHERE id = ?", [new, reader])
    # What a reader wants goes along; a bounce is the old address's.
    database.write(
        """UPDATE suppression SET address = :new
           WHERE lower(address) = lower(:old) AND reason NOT LIKE 'bounced%'
               AND NOT EXISTS (
                   SELECT 1 FROM suppression x WHERE lower(x.address) = lower(:new))""",
        {"new": new, "old": old},
    )
    note_change(database)


def is_of_file(database: Database, reader: int) -> bool:
    """Whether the subscribers file speaks for a reader, who is there."""
    return bool(
        database.value(
            "SELECT 1 FROM subscriber WHERE id = ? AND origin = 'file' AND gone = 0", [reader]
        )
    )


def end_wish(database: Database, wish: Wish) -> None:
    """End one wish, unless it was made anew since; belongs into a transaction."""
    database.write(
        """DELETE FROM wish WHERE field = ? AND value = ? AND at = ?
               AND subscriber = (SELECT id FROM subscriber WHERE lower(address) = lower(?))""",
        [wish.field, wish.value, wish.since, wish.email],
    )
    note_change(database)


def note_change(database: Database) -> None:
    """Note that what readers say themselves is no longer what it was when the roster was last
    followed.
    """
    database.set_meta(REVISION, str(int(database.meta(REVISION) or 0) + 1))
    database.set_meta("roster", "")
