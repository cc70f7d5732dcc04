"""Under which names the database knows its readers: their addresses, or names that tell nobody who
they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from digest.store.alarms import ERROR, MEMORY
from digest.store.database import Concern
from digest.store.rows import OPEN_STATES, pack, unpack

MARK = "names"
DROP_BODIES = f"""
    UPDATE content SET pieces = x'', key = 'dropped ' || id
    WHERE pieces <> x'' AND NOT EXISTS (
        SELECT 1 FROM delivery d WHERE d.content = content.id AND d.state IN {OPEN_STATES})"""
"""Empties the bodies that nobody waits for; the key goes too, since an equal digest must not find
an empty body."""

_SAID_OF_READERS = (("delivery", "id", "reply"), ("bounce", "delivery", "words"))
_SAID = (("run", "id", "trouble"), ("relay", "name", "reason"))


class Naming(Concern):
    """Renames readers. Their history goes on: by it nobody gets a paper twice, whatever they are
    called.
    """

    @property
    def mark(self) -> str:
        """What tells with which key readers are named; empty where they are known by their
        addresses.
        """
        return self._db.meta(MARK) or ""

    def forget_bodies(self) -> None:
        """Let go of the bodies of digests that are on no way any more, so that no trace of them is
        in the file.
        """
        self._db.value("PRAGMA secure_delete = ON")
        self._db.write(DROP_BODIES)

    def hide(
        self,
        mark: str,
        name_of: Callable[[str], str],
        conceal: Callable[[str, str], str],
        plain: Callable[[bytes], bytes],
    ) -> None:
        """Let every reader go by another name, and leave no address in the file, not even in what
        was deleted.

        `name_of` makes the name of an address; `conceal` takes one address (or none), and all that
        looks like one, out of what a server said; `plain` takes the contact out of the bodies that
        wait. The secret that signs links goes, since in this mode the operator's is used. The mark
        is set last: an interrupted change is made again.
        """
        with self._db.transaction():
            self._conceal_what_was_said(conceal)
            for row in self._db.rows("SELECT * FROM suppression"):
                self._db.write("DELETE FROM suppression WHERE address = ?", [row["address"]])
                reason = conceal(row["reason"], row["address"])
                self._suppress(name_of(row["address"]), reason, row["since"])
            for row in self._db.rows("SELECT id, address FROM subscriber"):
                self._rename(row["id"], name_of(row["address"]))
            self._db.write("UPDATE subscriber SET name = ''")
            self._db.write(
                "DELETE FROM inbox_place"
            )  # its names hold the login; what was handled is remembered
            self._db.write(DROP_BODIES)
            for row in self._db.rows("SELECT id, pieces FROM content WHERE pieces <> x''"):
                pieces = pack(tuple(plain(piece) for piece in unpack(row["pieces"])))
                self._db.write("UPDATE content SET pieces = ? WHERE id = ?", [pieces, row["id"]])
            self._db.set_meta("secret", "")
            self._db.set_meta("roster", "")
        self._db.vacuum()
        self._db.set_meta(MARK, mark)

    def show(self, addresses: Mapping[str, str]) -> None:
        """Let the readers with these names go by their addresses again; others keep the names."""
        with self._db.transaction():
            for row in self._db.rows("SELECT * FROM suppression"):
                if row["address"] in addresses:
                    self._db.write("DELETE FROM suppression WHERE address = ?", [row["address"]])
                    self._suppress(addresses[row["address"]], row["reason"], row["since"])
            for row in self._db.rows("SELECT id, address FROM subscriber"):
                if row["address"] in addresses:
                    self._rename(row["id"], addresses[row["address"]])
            self._db.set_meta("roster", "")
            self._db.set_meta(MARK, "")

    def _conceal_what_was_said(self, conceal: Callable[[str, str], str]) -> None:
        """Servers repeat addresses: in replies, in bounces, and in what became of a run."""
        for table, key, column in _SAID_OF_READERS:
            rows = self._db.rows(
                f"SELECT t.{key} AS key, t.{column} AS said, r.address FROM {table} t"
                f" JOIN subscriber r ON r.id = t.subscriber WHERE t.{column} <> ''"
            )
            self._write_said(
                table,
                key,
                column,
                [(row["key"], conceal(row["said"], row["address"])) for row in rows],
            )
        for table, key, column in _SAID:
            rows = self._db.rows(
                f"SELECT {key} AS key, {column} AS said FROM {table} WHERE {column} LIKE '%@%'"
            )
            self._write_said(
                table, key, column, [(row["key"], conceal(row["said"], "")) for row in rows]
            )
        for key in (ERROR, MEMORY):
            self._db.write(
                "UPDATE meta SET value = ? WHERE key = ?",
                [conceal(self._db.meta(key) or "", ""), key],
            )

    def _write_said(
        self, table: str, key: str, column: str, said: list[tuple[int | str, str]]
    ) -> None:
        self._db.write_many(
            f"UPDATE {table} SET {column} = ? WHERE {key} = ?", [[text, row] for row, text in said]
        )

    def _suppress(self, address: str, reason: str, since: str) -> None:
        """Put an address on the list; where its other spelling stands there, that one holds on."""
        self._db.write(
            "INSERT OR IGNORE INTO suppression(address, reason, since) VALUES(?, ?, ?)",
            [address, reason, since],
        )

    def _rename(self, reader: int, name: str) -> None:
        """Give a reader another name; one who has it already goes on under it, and this one is only
        remembered.
        """
        if self._db.value("SELECT 1 FROM subscriber WHERE address = ? AND id <> ?", [name, reader]):
            self._db.write("UPDATE subscriber SET gone = 1 WHERE id = ?", [reader])
            name = f"{name} (before {reader})"
        self._db.write("UPDATE subscriber SET address = ? WHERE id = ?", [name, reader])
