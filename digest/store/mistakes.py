"""The readers whom mistakes in the subscribers file hold back: until the file is mended nothing of
theirs changes, and nothing is mailed to them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from digest.model import Keyword, Roster, Rule
from digest.store.database import Concern, Database

HELD_BACK = "EXISTS (SELECT 1 FROM mistake e WHERE e.subscriber = {} AND e.until IS NULL)"
"""Whether a mistake in the subscribers file holds back the reader of this number, in SQL."""


class Mistakes(Concern):
    """What held back whom, and since when; rows stay when the mistake is mended."""

    def held_back(self) -> dict[str, str]:
        """The readers whom a mistake in the file held back when it was last read, by address, with
        the words of the mistake.
        """
        rows = self._db.rows(
            """SELECT r.address, e.words FROM mistake e JOIN subscriber r ON r.id = e.subscriber
               WHERE e.until IS NULL ORDER BY r.id"""
        )
        return {row["address"]: row["words"] for row in rows}

    def completed(self, roster: Roster) -> Roster:
        """The roster with the keywords of readers whom a mistake in the file holds back, as it had
        them before: what they bring meanwhile is due once it is mended.
        """
        rows = self._db.rows(
            """SELECT q.text, s.label FROM subscription s JOIN query q ON q.id = s.query
                WHERE s.until IS NULL AND s.subscriber IN (
                    SELECT e.subscriber FROM mistake e WHERE e.until IS NULL)
                GROUP BY q.id, q.text, s.label ORDER BY q.id, s.label"""
        )
        known = {keyword.query for keyword in roster.keywords}
        more = {row["text"]: Keyword(row["label"], row["text"], Rule.QUERY) for row in rows}
        added = (keyword for query, keyword in more.items() if query not in known)
        return replace(roster, keywords=(*roster.keywords, *added))

    def of(self, reader: int, since: datetime, until: datetime) -> list[str]:
        """The mistakes in the subscribers file that held a reader back at some time in between."""
        return self._db.column(
            """SELECT words FROM mistake
               WHERE subscriber = ? AND since < ? AND COALESCE(until, ?) >= ? ORDER BY id""",
            [reader, until, until, since],
        )


def note_mistakes(database: Database, roster: Roster, now: datetime) -> None:
    """Note whom mistakes hold back from now on, and whom no longer.

    Belongs into the transaction that follows the file.
    """
    held = {address.casefold(): words for address, words in roster.held_back.items()}
    anybody = {"file": held.get("", "")}
    served = {reader.email.casefold() for reader in roster.subscribers}
    noted = {
        row["subscriber"]: row["id"]
        for row in database.rows("SELECT id, subscriber FROM mistake WHERE until IS NULL")
    }
    over = set(noted.values())
    for row in database.rows("SELECT id, address, origin FROM subscriber WHERE gone = 0"):
        address = row["address"].casefold()
        # Where it cannot be told who is held back, it may be anybody whom the file lacks.
        words = held.get(address) or ("" if address in served else anybody.get(row["origin"], ""))
        if words and row["id"] in noted:
            over.discard(noted[row["id"]])
            database.write("UPDATE mistake SET words = ? WHERE id = ?", [words, noted[row["id"]]])
        elif words:
            database.write(
                "INSERT INTO mistake(subscriber, since, words) VALUES(?, ?, ?)",
                [row["id"], now, words],
            )
    database.write(
        "UPDATE mistake SET until = ? WHERE id IN many(?)",
        [now, sorted(over)],
    )
