"""The names of readers in the database: their addresses, or pseudonyms."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from digest.store.alarms import ERROR, MEMORY
from digest.store.bodies import HAS_ENDED
from digest.store.database import Concern
from digest.store.rows import loads, pack, unpack

MARK = "names"
DROP_BODIES = f"DELETE FROM body WHERE {HAS_ENDED}"
"""Deletes the bodies that nobody waits for, also those that cannot be rendered again."""

_ADDRESS = "(SELECT r.address FROM subscriber r WHERE r.id = t.subscriber)"
WORDS_OF_SERVERS = (
    ("delivery", "id", "reply", _ADDRESS, "t.reply <> ''"),
    ("bounce", "delivery", "words", _ADDRESS, "t.words <> ''"),
    ("mistake", "id", "words", _ADDRESS, "t.words <> ''"),
    ("run", "id", "trouble", "''", "t.trouble LIKE '%@%'"),
    ("relay", "name", "reason", "''", "t.reason LIKE '%@%'"),
    ("suppression", "address", "reason", "t.address", "t.reason LIKE '%@%'"),
    ("meta", "key", "value", "''", f"t.key IN ('{ERROR}', '{MEMORY}')"),
)
"""The columns that keep words of servers, which repeat addresses: table, key, column, the address
that may be among the words, and the rows to look at."""


OWN = ("liked", "library")
"""The tables of what readers have: who sees them may know whose they are."""


@dataclass(frozen=True, slots=True)
class Disguise:
    """What makes a database fit for strangers' eyes. `name_of` makes the pseudonym of an address;
    `conceal` takes one address (or none), and all that looks like one, out of what a server said;
    `plain` takes the contact out of a body that waits; `impersonal` takes what a reader has out of
    a digest's value, and `body_of` renders the digest of a delivery again, packed (see rows.pack).
    """

    name_of: Callable[[str], str]
    conceal: Callable[[str, str], str]
    plain: Callable[[bytes], bytes]
    impersonal: Callable[[str], str]
    body_of: Callable[[int], bytes]


class Naming(Concern):
    """Renames readers. Their history goes on: by it nobody gets a paper twice, whatever they are
    called.
    """

    @property
    def mark(self) -> str:
        """Names the key by which the pseudonyms were made; empty where readers go by their
        addresses.
        """
        return self._db.meta(MARK) or ""

    def drop_bodies(self) -> None:
        """Delete the bodies of digests that have ended, so that no trace of them is in the file."""
        # SQLite would otherwise leave the deleted text in free pages of the file.
        self._db.value("PRAGMA secure_delete = ON")
        self._db.write(DROP_BODIES)

    def hide(self, mark: str, disguise: Disguise) -> None:
        """Give every reader a pseudonym, and leave no address in the file, and nothing of what
        readers have, not even in what was deleted.

        The contact goes from the bodies that wait and the values of digests. The secret that signs
        links goes, since in this mode the operator's is used. The mark is set last: an interrupted
        change is made again.
        """
        with self._db.transaction():
            self._conceal_words(disguise.conceal)
            self._rename_all(disguise.name_of, disguise.conceal)
            for table in OWN:
                self._db.write(f"DELETE FROM {table}")
            self._db.write("UPDATE subscriber SET name = ''")
            # Its names hold the login; which messages were handled is remembered elsewhere.
            self._db.write("DELETE FROM inbox_place")
            self._db.write(DROP_BODIES)
            self._forget_own(disguise)
            for row in self._db.rows("SELECT content, pieces FROM body"):
                pieces = pack(tuple(map(disguise.plain, unpack(row["pieces"]))))
                self._db.write(
                    "UPDATE body SET pieces = ? WHERE content = ?", [pieces, row["content"]]
                )
            self._forget_contact()
            self._db.set_meta("secret", "")
            self._db.set_meta("roster", "")
        # docs/decisions.md, "A database that forgets addresses renames its readers"
        self._db.vacuum()
        self._db.set_meta(MARK, mark)

    def _forget_own(self, disguise: Disguise) -> None:
        """Take out of digests which papers of a reader's own others are close to; those that wait
        are rendered anew.
        """
        for row in self._db.rows("SELECT id, digest FROM content WHERE digest <> ''"):
            value = disguise.impersonal(row["digest"])
            if value == row["digest"]:
                continue
            self._db.write("UPDATE content SET digest = ? WHERE id = ?", [value, row["id"]])
            waiting = self._db.value(
                """SELECT MIN(d.id) FROM delivery d JOIN body b ON b.content = d.content
                   WHERE d.content = ?""",
                [row["id"]],
            )
            if waiting is not None:
                self._db.write(
                    "UPDATE body SET pieces = ? WHERE content = ?",
                    [disguise.body_of(waiting), row["id"]],
                )

    def _forget_contact(self) -> None:
        for row in self._db.rows("SELECT id, digest FROM content WHERE digest <> ''"):
            named = loads(row["digest"])
            if named.pop("contact", ""):
                digest = json.dumps(named, separators=(",", ":"))
                self._db.write("UPDATE content SET digest = ? WHERE id = ?", [digest, row["id"]])

    def show(self, addresses: Mapping[str, str]) -> None:
        """Let the readers with these names go by their addresses again; others keep the names."""
        with self._db.transaction():
            self._rename_all(addresses.get, lambda reason, _address: reason)
            self._db.set_meta("roster", "")
            self._db.set_meta(MARK, "")

    def _conceal_words(self, conceal: Callable[[str, str], str]) -> None:
        for table, key, column, address, condition in WORDS_OF_SERVERS:
            rows = self._db.rows(
                f"""SELECT t.{key} AS key, t.{column} AS words, {address} AS address
                    FROM {table} t WHERE {condition}"""
            )
            self._db.write_many(
                f"UPDATE {table} SET {column} = ? WHERE {key} = ?",
                [[conceal(row["words"], row["address"]), row["key"]] for row in rows],
            )

    def _rename_all(
        self, name_of: Callable[[str], str | None], reason_of: Callable[[str, str], str]
    ) -> None:
        """Rename those for whom there is a name, on the list of suppressions too: where the other
        spelling stands there already, that one holds on.
        """
        for row in self._db.rows("SELECT * FROM suppression"):
            name = name_of(row["address"])
            if name and name != row["address"]:
                self._db.write(
                    """UPDATE suppression SET address = :name, reason = :reason
                       WHERE address = :old AND NOT EXISTS (
                           SELECT 1 FROM suppression x
                           WHERE lower(x.address) = lower(:name) AND x.address <> :old)""",
                    {
                        "name": name,
                        "reason": reason_of(row["reason"], row["address"]),
                        "old": row["address"],
                    },
                )
                self._db.write("DELETE FROM suppression WHERE address = ?", [row["address"]])
        for row in self._db.rows("SELECT id, address FROM subscriber"):
            if name := name_of(row["address"]):
                self._rename(row["id"], name)

    def _rename(self, reader: int, name: str) -> None:
        """Give a reader another name; one who has it already goes on under it, and this one is only
        remembered.
        """
        if self._db.value(
            "SELECT 1 FROM subscriber WHERE lower(address) = lower(?) AND id <> ?", [name, reader]
        ):
            self._db.write("UPDATE subscriber SET gone = 1 WHERE id = ?", [reader])
            name = f"{name} (before {reader})"
        self._db.write("UPDATE subscriber SET address = ? WHERE id = ?", [name, reader])
