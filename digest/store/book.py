"""What readers say themselves: the entries of those who signed up, and what readers of the
subscribers file took away.

A reader with a row in `signup` has the origin `web` and is not gone; the row goes when the reader
leaves, and when the file takes them over (`Subscribers.sync`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from digest.errors import ConfigError
from digest.model import Away, Keyword, SignUp, Wish
from digest.store.copying import BUSY_SECONDS, open_to_read
from digest.store.database import Concern, Database, is_there
from digest.store.failures import explained_errors
from digest.store.naming import MARK
from digest.store.readers import REVISION, count_readers, end_wish, next_reader, note_change
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
                self._db.write(
                    "UPDATE subscriber SET origin = 'web', gone = 0 WHERE id = ?", [reader]
                )
            self._db.write(
                """INSERT INTO signup(subscriber, entry, names, at) VALUES(?, ?, ?, ?)
                   ON CONFLICT(subscriber) DO UPDATE
                   SET entry = excluded.entry, names = excluded.names, at = excluded.at""",
                [reader, signup.entry, json.dumps(signup.names), now],
            )
            lift(self._db, signup.email)
            note_change(self._db)
        return int(reader)

    def change(self, signup: SignUp, now: datetime) -> bool:
        """Give somebody who signed up another entry; false where they have left meanwhile, or the
        file has taken them over.
        """
        with self._db.transaction():
            self._db.note_time(now)
            changed = self._db.write(
                """UPDATE signup SET entry = ?, names = ?, at = ?
                   WHERE subscriber = (
                       SELECT id FROM subscriber WHERE lower(address) = lower(?))""",
                [signup.entry, json.dumps(signup.names), now, signup.email],
            )
            note_change(self._db)
        return changed > 0


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

    def pause(self, reader: int, until: date, entry: str, now: datetime) -> bool:
        """Let no digest come to a reader before a day, in place of an earlier such wish; `entry` is
        the day that the file has ("": none). False where the file does not name the reader.
        """
        return self._set(reader, Away.PAUSE, until.isoformat(), entry, now)

    def leave(self, reader: int, keyword: Keyword, now: datetime) -> bool:
        """Let a keyword bring nothing more to a reader. False where the file does not name the
        reader. Who leaves the last one leaves altogether, which is a suppression.
        """
        return self._set(reader, Away.KEYWORD, keyword.query, keyword.name, now)

    def end(self, wishes: Iterable[Wish]) -> None:
        """End these wishes: what they took away comes again."""
        with self._db.transaction():
            for wish in wishes:
                end_wish(self._db, wish)
            note_change(self._db)

    def _set(self, reader: int, field: Away, value: str, entry: str, now: datetime) -> bool:
        with self._db.transaction():
            if not self._db.value(
                "SELECT 1 FROM subscriber WHERE id = ? AND origin = 'file' AND gone = 0", [reader]
            ):
                return False
            self._db.note_time(now)
            if field is Away.PAUSE:
                self._db.write(
                    "DELETE FROM wish WHERE subscriber = ? AND field = ?", [reader, field]
                )
            self._db.write(
                """INSERT INTO wish(subscriber, field, value, entry, at) VALUES(?, ?, ?, ?, ?)
                   ON CONFLICT(subscriber, field, value)
                   DO UPDATE SET entry = excluded.entry, at = excluded.at""",
                [reader, field, value, entry, now],
            )
            note_change(self._db)
        return True
