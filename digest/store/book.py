"""What readers say themselves: the entries of those who signed up, and what readers of the
subscribers file took away.

A reader with a row in `signup` has the origin `web` and is not gone; the row goes when the reader
leaves, and when the file takes them over (`Subscribers.sync`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from digest.errors import ConfigError
from digest.model import Away, Keyword, SignUp, Wish
from digest.store.choices import Taken, note_choice
from digest.store.copying import BUSY_SECONDS, open_to_read
from digest.store.database import Concern, Database
from digest.store.failures import explained_errors
from digest.store.files import is_there
from digest.store.letters import Letter, use
from digest.store.naming import MARK
from digest.store.readers import (
    REVISION,
    count_readers,
    end_wish,
    is_of_file,
    next_reader,
    note_change,
    rename,
)
from digest.store.rows import loads
from digest.store.schema import MIGRATIONS
from digest.store.suppressions import lift


@dataclass(frozen=True, slots=True)
class Own:
    """What readers said themselves, and how many readers the database knows from the file."""

    signups: tuple[SignUp, ...] = ()
    wishes: tuple[Wish, ...] = ()
    of_file: int = 0


def read_own(path: Path) -> Own:
    """What readers said themselves, by a database's file, in which nothing is written or migrated;
    nothing where there is none yet. Raises StoreError where it cannot be read.
    """
    if not is_there(path):
        return Own()
    with explained_errors(str(path)), closing(open_to_read(path, BUSY_SECONDS)) as connection:
        database = Database(connection, str(path))
        database.check_application()
        # Who is to follow the file migrates the database; before that nobody can have signed up.
        if database.number("PRAGMA user_version") != len(MIGRATIONS):
            return Own()
        return Own(
            tuple(SignUps(database).all()),
            tuple(Wishes(database).all()),
            count_readers(database, of_file=True),
        )


class SignUps(Concern):
    """Those who signed up. `SignUp` values are checked by who makes them."""

    def all(self) -> list[SignUp]:
        """Everybody who signed up and has not left, in the order in which they are known."""
        return self._db.all(
            SignUp,
            """SELECT r.address AS email, u.entry, u.names
               FROM signup u JOIN subscriber r ON r.id = u.subscriber ORDER BY r.id""",
        )

    def of(self, address: str) -> SignUp | None:
        """The sign-up of one address, or None."""
        return self._db.first(
            SignUp,
            """SELECT r.address AS email, u.entry, u.names
               FROM signup u JOIN subscriber r ON r.id = u.subscriber
               WHERE lower(r.address) = lower(?)""",
            [address],
        )

    def revision(self) -> int:
        """A number that is another one after each change of a sign-up or a wish."""
        return int(self._db.meta(REVISION) or 0)

    def sign_up(self, signup: SignUp, now: datetime) -> int | None:
        """Take in a sign-up that its address has confirmed: whatever kept mail from it is
        forgiven, and what went to it before does not come again. Returns the reader's number, or
        None where the subscribers file names that reader.

        Raises ConfigError where the database is to hold no addresses: mail could not reach one.
        """
        with self._db.transaction():
            return self._take_in(signup, now)

    def confirm(self, letter: Letter, now: datetime) -> int | None:
        """Take in the sign-up of a letter whose link was followed, once, with what was agreed to.
        Whom the subscribers file names meanwhile is mailed again, as it says. Returns the reader's
        number, or None where the letter has done what it was for.
        """
        with self._db.transaction():
            if not use(self._db, letter):
                return None
            reader = self._take_in(letter.signup, now)
            if reader is None:
                lift(self._db, letter.address)
            else:
                self._db.write(
                    "INSERT INTO consent(subscriber, words, at, place) VALUES(?, ?, ?, ?)",
                    [reader, letter.words, now, letter.place],
                )
            return self._db.number(
                "SELECT id FROM subscriber WHERE lower(address) = lower(?)", [letter.address]
            )

    def move(self, letter: Letter, now: datetime) -> bool:
        """Give somebody who signed up the new address of a letter whose link was followed; false
        where it has done what it was for, or they have left meanwhile.
        """
        with self._db.transaction():
            signed_up = self._db.value("SELECT 1 FROM signup WHERE subscriber = ?", [letter.reader])
            if not signed_up or not use(self._db, letter):
                return False
            self._db.note_time(now)
            rename(self._db, letter.reader or 0, letter.address)
        return True

    def _take_in(self, signup: SignUp, now: datetime) -> int | None:
        if self._db.meta(MARK):
            raise ConfigError(
                "nobody can sign up while the subscribers come from a secret:"
                " the database keeps no addresses then",
                remedy="keep the readers in a file (DIGEST_SUBSCRIBERS)",
            )
        self._db.note_time(now)
        known = self._db.row(
            "SELECT id, origin, gone FROM subscriber WHERE lower(address) = lower(?)",
            [signup.email],
        )
        if known is None:
            reader = next_reader(self._db)
            self._db.write(
                """INSERT INTO subscriber(id, address, name, since, due_at, origin)
                   VALUES(?, ?, '', ?, ?, 'web')""",
                [reader, signup.email, now, now],
            )
        elif known["origin"] == "file" and not known["gone"]:
            return None
        else:
            reader = known["id"]
            self._db.write("UPDATE subscriber SET origin = 'web', gone = 0 WHERE id = ?", [reader])
        self._db.write(
            """INSERT INTO signup(subscriber, entry, names, at) VALUES(?, ?, ?, ?)
               ON CONFLICT(subscriber) DO UPDATE
               SET entry = excluded.entry, names = excluded.names, at = excluded.at""",
            [reader, signup.entry, json.dumps(signup.names), now],
        )
        lift(self._db, signup.email)
        note_change(self._db)
        return int(reader)

    def change(self, signup: SignUp, now: datetime, words: str = "") -> bool:
        """Give somebody who signed up another entry; false where they have left meanwhile, or the
        file has taken them over. With `words` the reader hears in the next digest what changed.
        """
        with self._db.transaction():
            before = self.of(signup.email)
            if before is None:
                return False
            self._db.note_time(now)
            reader = self._db.number(
                "SELECT id FROM subscriber WHERE lower(address) = lower(?)", [signup.email]
            )
            self._db.write(
                "UPDATE signup SET entry = ?, names = ?, at = ? WHERE subscriber = ?",
                [signup.entry, json.dumps(signup.names), now, reader],
            )
            if words:
                note_choice(self._db, reader, words, before, now)
            note_change(self._db)
        return True

    def brought(self, since: datetime) -> int:
        """How many keywords came with the sign-ups since then."""
        entries = self._db.column("SELECT entry FROM signup WHERE at > ?", [since])
        return sum(len(loads(entry).get("keywords", ())) for entry in entries)


class Wishes(Concern):
    """What readers of the subscribers file took away; nobody else has wishes."""

    def all(self) -> list[Wish]:
        """Every wish, in the order of the readers."""
        return self._db.all(
            Wish,
            """SELECT r.address AS email, w.field, w.value, w.entry, w.at AS since
               FROM wish w JOIN subscriber r ON r.id = w.subscriber
               ORDER BY r.id, w.field, w.value""",
        )

    def of(self, reader: int) -> list[Wish]:
        """The wishes of one reader."""
        return self._db.all(
            Wish,
            """SELECT r.address AS email, w.field, w.value, w.entry, w.at AS since
               FROM wish w JOIN subscriber r ON r.id = w.subscriber
               WHERE w.subscriber = ? ORDER BY w.field, w.value""",
            [reader],
        )

    def pause(self, reader: int, until: date, entry: str, now: datetime, words: str = "") -> bool:
        """Let no digest come to a reader before a day, in place of an earlier such wish; `entry` is
        the day that the file has ("": none). False where the file does not name the reader. With
        `words` the reader hears of it in the next digest.
        """
        return self._set(reader, Taken(Away.PAUSE, until.isoformat(), entry), now, words)

    def leave(self, reader: int, keyword: Keyword, now: datetime, words: str = "") -> bool:
        """Let a keyword bring nothing more to a reader. False where the file does not name the
        reader. Who leaves the last one leaves altogether, which is a suppression.
        """
        return self._set(reader, Taken(Away.KEYWORD, keyword.query, keyword.name), now, words)

    def end(self, wishes: Iterable[Wish]) -> None:
        """End these wishes: what they took away comes again."""
        with self._db.transaction():
            for wish in wishes:
                end_wish(self._db, wish)
            note_change(self._db)

    def take_back(self, reader: int, wish: Wish, now: datetime, words: str) -> None:
        """End one wish of a reader's, who hears of it in the next digest."""
        with self._db.transaction():
            self._db.note_time(now)
            note_choice(self._db, reader, words, self.of(reader), now)
            end_wish(self._db, wish)

    def put_back(self, reader: int, taken: Collection[Taken], now: datetime, words: str) -> bool:
        """Put these in the place of all that a reader took away, who hears of it in the next
        digest. False where the file does not name the reader.
        """
        with self._db.transaction():
            if not is_of_file(self._db, reader):
                return False
            self._db.note_time(now)
            before = self.of(reader)
            note_choice(self._db, reader, words, before, now)
            for wish in before:
                if Taken(wish.field, wish.value, wish.entry) not in taken:
                    end_wish(self._db, wish)
            for one in taken:
                self._write(reader, one, now)
            note_change(self._db)
        return True

    def _set(self, reader: int, taken: Taken, now: datetime, words: str) -> bool:
        with self._db.transaction():
            if not is_of_file(self._db, reader):
                return False
            self._db.note_time(now)
            before = self.of(reader)
            if taken.field is Away.PAUSE:
                self._db.write(
                    "DELETE FROM wish WHERE subscriber = ? AND field = ?", [reader, taken.field]
                )
            self._write(reader, taken, now)
            if words:
                note_choice(self._db, reader, words, before, now)
            note_change(self._db)
        return True

    def _write(self, reader: int, taken: Taken, now: datetime) -> None:
        self._db.write(
            """INSERT INTO wish(subscriber, field, value, entry, at) VALUES(?, ?, ?, ?, ?)
               ON CONFLICT(subscriber, field, value)
               DO UPDATE SET entry = excluded.entry, at = excluded.at""",
            [reader, *taken, now],
        )
