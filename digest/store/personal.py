"""All that the database knows of one reader: shown whole, or erased."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from typing import Any

from digest.store.bodies import delete as delete_contents
from digest.store.database import Concern, Database
from digest.store.forgotten import name_of_row, note_forgotten
from digest.store.ledger import forget as forget_long_ago
from digest.store.ledger import papers_by_month
from digest.store.naming import WORDS_OF_SERVERS
from digest.store.readers import LAST_READER, next_reader, note_change

OF_READER = (
    "bounce",
    "silence",
    "delivery",
    "subscription",
    "mistake",
    "signup",
    "wish",
    "consent",
    "choice",
    "letter",
    "liked",
    "library",
    "correction",
)
"""The tables whose rows belong to one reader, by the column `subscriber`, in an order in which they
can be emptied. The ledger of long ago has rows without that column (see ledger.py)."""

_QUERY = "SELECT q.text AS query_text, t.* FROM {table} t JOIN query q ON q.id = t.query"
_SHOWN = {
    "subscription": _QUERY,
    "silence": _QUERY,
    "delivery": "SELECT c.subject, t.* FROM {table} t JOIN content c ON c.id = t.content",
}
"""How the rows are shown that say little without those that they name."""


class Personal(Concern):
    """What is known of a person, for whoever asks for it, or wants to be forgotten."""

    def known(self, address: str) -> dict[str, list[dict[str, Any]]]:
        """Every row about a reader, by table, also after they left; empty for who is not known."""
        readers = self._numbers(address)
        found = {"subscriber": self._db.rows(_READERS, [readers])}
        for table in reversed(OF_READER):
            rows = _SHOWN.get(table, "SELECT t.* FROM {table} t").format(table=table)
            found[table] = self._db.rows(f"{rows} WHERE t.subscriber IN many(?)", [readers])
        found["carried"] = [
            {"subscriber": reader, "month": f"{month:%Y-%m}", "papers": _names(held)}
            for reader in readers
            for month, held in papers_by_month(self._db, reader).items()
        ]
        for delivery in found["delivery"]:
            delivery["papers"] = self._papers(delivery["content"])
        found["suppression"] = self._db.rows(
            "SELECT * FROM suppression WHERE lower(address) = lower(?)", [address]
        )
        return found if any(found.values()) else {}

    def _papers(self, content: int) -> list[str]:
        """The papers of a digest, each in the version that it had there."""
        rows = self._db.rows(
            "SELECT paper, version FROM content_paper WHERE content = ? ORDER BY paper", [content]
        )
        return _names([(row["paper"], row["version"]) for row in rows])

    def forget(self, address: str, now: datetime) -> Counter[str]:
        """Erase in one transaction all that is known of a reader, but for a keyed hash by which the
        address is mailed no more; returns how many rows of each table went.

        What was on its way to them is not sent. For whoever holds the cycle lock; `clear_traces`
        is to follow.
        """
        erased: Counter[str] = Counter()
        with self._db.transaction():
            for reader in self._numbers(address):
                erased += erase_reader(self._db, reader, now)
            erased["suppression"] = self._db.write(
                "DELETE FROM suppression WHERE lower(address) = lower(?)", [address]
            )
            erased["letter"] += self._db.write(
                "DELETE FROM letter WHERE lower(address) = lower(?)", [address]
            )
            self._conceal(address)
            note_forgotten(self._db, address, now)
            self._db.note_time(now)
            note_change(self._db)
        return erased

    def clear_traces(self) -> None:
        """Write the file anew, so that nothing which was erased is left in its free pages."""
        self._db.vacuum()

    def _numbers(self, address: str) -> list[int]:
        """The reader with this address, and those who had it before (see Subscribers.move)."""
        return self._db.column(
            """SELECT id FROM subscriber
               WHERE lower(address) = lower(:address)
                   OR lower(address) LIKE lower(:before) ESCAPE '!'
               ORDER BY id""",
            {"address": address, "before": f"{_as_pattern(address)} (before %)"},
        )

    def _conceal(self, address: str) -> None:
        """Take an address out of what servers said where it did not concern this reader alone."""
        pattern = f"%{_as_pattern(address)}%"
        for table, key, column, _, _ in WORDS_OF_SERVERS:
            rows = self._db.rows(
                f"""SELECT {key} AS key, {column} AS words FROM {table}
                    WHERE lower({column}) LIKE lower(?) ESCAPE '!'""",
                [pattern],
            )
            self._db.write_many(
                f"UPDATE {table} SET {column} = ? WHERE {key} = ?",
                [[_without(row["words"], address), row["key"]] for row in rows],
            )


def erase_reader(database: Database, reader: int, now: datetime) -> Counter[str]:
    """Erase the rows of one reader, and the digests that nobody else had; returns how many went of
    each table. Belongs into a transaction.
    """
    since = database.text("SELECT since FROM subscriber WHERE id = ?", [reader])
    note_forgotten(database, name_of_row(reader, since or ""), now)
    # Nobody else is ever given the number, which links and addresses in mails bear.
    database.set_meta(LAST_READER, str(next_reader(database) - 1))
    contents = database.column(
        "SELECT DISTINCT content FROM delivery WHERE subscriber = ?", [reader]
    )
    erased = Counter(
        {
            table: database.write(f"DELETE FROM {table} WHERE subscriber = ?", [reader])
            for table in OF_READER
        }
    )
    alone = database.column(
        """SELECT id FROM content WHERE id IN many(?)
               AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.content = content.id)""",
        [contents],
    )
    delete_contents(database, alone)
    database.write("UPDATE relay SET refused = 0 WHERE refused = ?", [reader])
    erased["carried"] = forget_long_ago(database, reader)
    erased["subscriber"] = database.write("DELETE FROM subscriber WHERE id = ?", [reader])
    return erased


def _names(papers: list[tuple[str, int]]) -> list[str]:
    """Papers by their ids, each with its version."""
    return [f"{paper}v{version}" for paper, version in papers]


def _as_pattern(text: str) -> str:
    """A text for LIKE, to be escaped by '!'."""
    return "".join(f"!{letter}" if letter in "!%_" else letter for letter in text)


def _without(words: str, address: str) -> str:
    """What a server said, without an address, and without its first part where that stands
    alone.
    """
    local = re.escape(address.rpartition("@")[0] or address)
    words = re.sub(re.escape(address), "…", words, flags=re.IGNORECASE)
    return re.sub(rf"(?<!\w){local}(?!\w)", "…", words, flags=re.IGNORECASE)


_READERS = "SELECT * FROM subscriber WHERE id IN many(?) ORDER BY id"
