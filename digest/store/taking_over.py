"""What a restored backup takes over from the database before it: what readers said since, and who
is not to be mailed.

Either may know what the other does not, since a backup may also be younger than a database that was
itself restored. So nothing is dropped for want of a row: of what a reader said the later word
counts, and who left or was forgotten, by either of the two, stays so unless they came back later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from digest.store.database import Database
from digest.store.forgotten import marker, name_of_row
from digest.store.papers import keep_papers, load_papers
from digest.store.personal import erase_reader
from digest.store.readers import REVISION, end_own, next_reader, note_change
from digest.times import to_text

_SAID = {
    "signup": "SELECT subscriber, at FROM signup",
    # The page's presses tell when the last one was taken back, too.
    "wish": "SELECT subscriber, at FROM wish"
    " UNION ALL SELECT subscriber, at FROM choice WHERE entry LIKE '[%'",
    "liked": "SELECT subscriber, at FROM liked",
    "library": "SELECT subscriber, at FROM library",
}
"""What a reader says anew as a whole: by table, and the moments at which they said it."""
_OTHERS = {"signup": "wish", "wish": "signup"}


@dataclass(frozen=True, slots=True)
class TakenOver:
    """How many rows a restored backup lacked: suppressions, sign-ups, readers to be forgotten."""

    suppressions: int = 0
    signups: int = 0
    forgotten: int = 0


def take_over(
    database: Database, old: Database, until: datetime | None, now: datetime
) -> TakenOver:
    """Bring into a restored backup what it lacks of an old database's word on readers; `until`: the
    last moment that the backup knows. The last numbers that the old one gave are known by now (see
    upkeep).
    """
    with database.transaction():
        taken = _Taking(database, old, to_text(until) if until else "", now)
        suppressions = taken.suppressions()
        forgotten = taken.forgotten()
        taken.readers()
        signups = taken.said()
        taken.consents()
        # A daemon that knows the old database's sign-ups must not take these for the same.
        database.set_meta(REVISION, old.meta(REVISION) or "0")
        note_change(database)
    return TakenOver(suppressions, signups, forgotten)


class _Taking:
    """One take-over, in the transaction of `take_over`. `_numbers` has a reader's number in the
    restored backup by that in the old database.
    """

    def __init__(self, database: Database, old: Database, until: str, now: datetime) -> None:
        self._db, self._old, self._until, self._now = database, old, until, now
        # A number is one reader's as long as a database lives, whatever their address.
        self._same = database.meta("uuid") == old.meta("uuid")
        self._numbers: dict[int, int] = {}

    def suppressions(self) -> int:
        """Who must not be mailed by the one must not be by the other."""
        return sum(
            self._db.write(
                """INSERT INTO suppression(address, reason, since)
                   VALUES(:address, :reason, :since) ON CONFLICT DO NOTHING""",
                row,
            )
            for row in self._old.rows("SELECT * FROM suppression")
        )

    def forgotten(self) -> int:
        """Erase those whom either was told to forget and who did not come back to the other later;
        returns how many were erased.
        """
        readers = "SELECT address, since FROM subscriber"
        known = [row for database in (self._old, self._db) for row in database.rows(readers)]
        erased = 0
        for database in (self._old, self._db):
            mark_of = marker(database)
            marks = {row["mark"]: row["at"] for row in database.rows("SELECT * FROM forgotten")}
            for reader in known:
                mark = mark_of(reader["address"])
                if reader["since"] > marks.get(mark, reader["since"]):
                    del marks[mark]
                    self._db.write("DELETE FROM forgotten WHERE mark = ?", [mark])
            self._db.write_many(
                "INSERT INTO forgotten(mark, at) VALUES(?, ?) ON CONFLICT DO NOTHING",
                list(marks.items()),
            )
            for reader in self._db.rows("SELECT * FROM subscriber"):
                names = (reader["address"], name_of_row(reader["id"], reader["since"]))
                if not marks.keys().isdisjoint(map(mark_of, names)):
                    erased += erase_reader(self._db, reader["id"], self._now)["subscriber"]
        return erased

    def readers(self) -> None:
        """Find the old database's readers in the restored backup, let those be gone who have left
        since, and follow who has another address now; who is missing comes in.
        """
        mine = {row["id"]: row for row in self._db.rows("SELECT * FROM subscriber")}
        by_address = {row["address"].casefold(): row["id"] for row in mine.values()}
        for reader in self._old.rows("SELECT * FROM subscriber ORDER BY id"):
            address = reader["address"]
            number = by_address.get(address.casefold(), 0)
            # Two that began as copies of one may have given a number to two readers since.
            if self._same and mine.get(reader["id"], {}).get("since") == reader["since"]:
                number = reader["id"]
            if not number:
                number = self._let_in(reader, taken=reader["id"] in mine or not self._same)
            elif mine[number]["address"].casefold() != address.casefold():
                self._rename(number, address)
            if reader["gone"]:
                self._let_go(reader["id"], number)
            self._numbers[reader["id"]] = number
            # What a reader made worthless stays so.
            self._db.write(
                "UPDATE subscriber SET links = GREATEST(links, ?) WHERE id = ?",
                [reader["links"], number],
            )

    def _let_in(self, reader: dict[str, Any], *, taken: bool) -> int:
        """Add a reader, under the number that links in their mails bear, unless it is `taken`."""
        number = next_reader(self._db) if taken else reader["id"]
        self._db.write(
            """INSERT INTO subscriber(id, address, name, since, due_at, origin, channel, gone)
               VALUES(:number, :address, :name, :since, :since, :origin, :channel, :gone)""",
            reader | {"number": number},
        )
        return int(number)

    def _rename(self, number: int, address: str) -> None:
        """Give a reader the address to which they moved; one who has it goes out of the way."""
        self._db.write(
            """UPDATE subscriber SET address = address || ' (before ' || id || ')', gone = 1
               WHERE lower(address) = lower(?) AND id <> ?""",
            [address, number],
        )
        self._db.write(
            "UPDATE subscriber SET address = :address WHERE id = :number",
            {"address": address, "number": number},
        )

    def _let_go(self, reader: int, number: int) -> None:
        if self._came_back(reader, number):
            return
        self._db.write(
            "UPDATE subscriber SET gone = 1, due_at = ? WHERE id = ?", [self._now, number]
        )
        self._db.write(
            """UPDATE subscription SET until = 0, ended_at = ?
               WHERE subscriber = ? AND until IS NULL""",
            [self._now, number],
        )
        end_own(self._db, number)

    def _came_back(self, reader: int, number: int) -> bool:
        """Whether a reader who had left the old database signed up later, by the backup."""
        left = self._old.text(
            """SELECT GREATEST(COALESCE(MAX(s.ended_at), r.since), r.due_at) FROM subscriber r
               LEFT JOIN subscription s ON s.subscriber = r.id WHERE r.id = ? GROUP BY r.id""",
            [reader],
        )
        at = self._db.text("SELECT at FROM signup WHERE subscriber = ?", [number])
        return at is not None and at > (left or "")

    def said(self) -> int:
        """Take each reader's later word, or the old database's where both know it, since then that
        one lacks only what was ended; returns how many sign-ups the backup lacked.
        """
        signups = 0
        for table, moments in _SAID.items():
            latest = (
                f"SELECT subscriber, MAX(at) AS at FROM ({moments}) AS said GROUP BY subscriber"
            )
            mine = {row["subscriber"]: row["at"] for row in self._db.rows(latest)}
            for row in self._old.rows(latest):
                number = self._numbers[row["subscriber"]]
                said = (table, number, row["at"])
                if (
                    mine.get(number, "") > row["at"]
                    or self._left_by_now(*said)
                    or self._is_overruled(*said)
                ):
                    continue
                signups += table == "signup" and number not in mine
                self._db.write(f"DELETE FROM {table} WHERE subscriber = ?", [number])
                self._copy(table, row["subscriber"], number)
        return signups

    def _left_by_now(self, table: str, number: int, at: str) -> bool:
        """Whether the backup knows already that a reader who had signed up then left."""
        return (
            table == "signup"
            and at <= self._until
            and self._db.number("SELECT gone FROM subscriber WHERE id = ?", [number]) > 0
        )

    def _is_overruled(self, table: str, number: int, at: str) -> bool:
        """Whether a reader said the other of two things that exclude each other later: who signed
        up takes nothing away from the file, and whom the file took over has no sign-up.
        """
        if table not in _OTHERS:
            return False
        said = f"SELECT MAX(at) FROM ({_SAID[_OTHERS[table]]}) AS said WHERE subscriber = ?"
        return (self._db.text(said, [number]) or "") > at

    def _copy(self, table: str, reader: int, number: int) -> None:
        """Copy a reader's rows, and the papers that they name."""
        rows = self._old.rows(f"SELECT * FROM {table} WHERE subscriber = ?", [reader])
        if table == "liked":
            papers = load_papers(self._old, [row["paper"] for row in rows])
            keep_papers(self._db, list(papers.values()))
        for row in rows:
            _insert(self._db, table, row | {"subscriber": number})
        if table in _OTHERS:
            self._db.write(
                f"DELETE FROM {_OTHERS[table]} WHERE subscriber = :number", {"number": number}
            )
        if table == "wish":
            self._db.write("UPDATE subscriber SET origin = 'file' WHERE id = ?", [number])
        if table == "signup":
            self._db.write("UPDATE subscriber SET origin = 'web', gone = 0 WHERE id = ?", [number])
            self._db.write(
                """DELETE FROM suppression WHERE since < ? AND lower(address) = (
                       SELECT lower(address) FROM subscriber WHERE id = ?)""",
                [rows[0]["at"], number],
            )

    def consents(self) -> None:
        """What a reader agreed to, or changed, stays, and what is new comes in: under its number,
        where that is free, since a change's stands in the link by which it is undone.
        """
        for table, others in (("consent", "place"), ("choice", "entry, names")):
            for row in self._old.rows(
                f"SELECT id, subscriber, words, at, {others} FROM {table} ORDER BY id"
            ):
                row |= {"subscriber": self._numbers[row["subscriber"]]}
                if not self._db.value(
                    f"""SELECT 1 FROM {table}
                        WHERE subscriber = :subscriber AND words = :words AND at = :at""",
                    row,
                ):
                    if self._db.value(f"SELECT 1 FROM {table} WHERE id = :id", row):
                        del row["id"]
                    _insert(self._db, table, row)


def _insert(database: Database, table: str, row: dict[str, Any]) -> None:
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    database.write(f"INSERT INTO {table}({names}) VALUES({values})", row)
