"""The care of a database: backups, and restoring one."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from digest.errors import DigestError, StoreError, UsageError
from digest.store.clock import Clock
from digest.store.copying import copy_whole, move_aside
from digest.store.database import Database
from digest.store.digests import ERA
from digest.store.failures import explained_errors
from digest.store.health import Health, examine
from digest.store.log import head
from digest.store.readers import LAST_READER, next_reader
from digest.store.rows import OPEN_STATES
from digest.store.taking_over import TakenOver, take_over
from digest.times import to_text

NUMBERS_LEFT_OUT = 1_000_000
"""The most numbers that a database may have given since its backup, where it cannot be asked any
more."""


@dataclass(frozen=True, slots=True)
class Restored:
    """`until`: the last run that the backup knows; `aside`: where the database before it is now, if
    there was one.

    `taken`: what was taken over from that one; `dropped`: deliveries that count as mailed.
    """

    until: datetime | None
    aside: Path | None
    taken: TakenOver
    dropped: int


def back_up(path: Path, target: Path) -> Health:
    """Copy the database to a new file, while it may be at work, and look at the copy.

    Raises UsageError where something stands there already, StoreError where the copy is not sound
    or cannot be made.
    """
    if target.exists():
        raise UsageError(f"{target} exists already", remedy="name another file")
    if not target.absolute().parent.is_dir():
        raise UsageError(
            f"there is no folder {target.absolute().parent}", remedy="make it, or name another file"
        )
    with explained_errors(str(target)):
        _copy(path, target)
    try:
        health = examine(target)
        if health.problems:
            raise StoreError(
                f"{path} is damaged ({health.problems[0]})",
                remedy="restore a backup, and keep this file",
            )
    except DigestError:
        target.unlink()
        raise
    return health


def _copy(source: Path, target: Path) -> None:
    try:
        copy_whole(source, target)
    except OSError as error:
        raise StoreError(
            f"{target} cannot be written ({error.strerror})", remedy="name another file"
        ) from error


def last_run_of(path: Path) -> datetime | None:
    """The latest time that a database has seen; None where it has seen none, or cannot be read."""
    with suppress(DigestError), closing(Database.copy_of(path)) as database:
        return Clock(database).latest()
    return None


def examine_backup(backup: Path, path: Path) -> Health:
    """Tell what a backup is that shall take the place of the database at `path`.

    Raises UsageError where there is none, StoreError where it is not sound; nothing is written.
    """
    if not backup.is_file():
        raise UsageError(f"there is no backup {backup}", remedy="'digest db backup' makes one")
    if backup.absolute() == path.absolute():
        raise UsageError(f"{backup} is the database itself", remedy="name the file of a backup")
    try:
        health = examine(backup)
    except StoreError as error:
        raise StoreError(error.message, remedy="name the file of a backup") from error
    if health.problems:
        raise StoreError(
            f"{backup} is damaged ({health.problems[0]})", remedy="take another backup"
        )
    return health


def restore(backup: Path, path: Path, now: datetime, *, mailed: bool) -> Restored:
    """Put a backup in the place of the database, for whoever holds the cycle lock; the old one is
    kept aside.

    `mailed`: what was announced between the backup and the old database's last run (or now, where
    that cannot be read) counts as mailed, and what the backup has on its way was delivered.
    Otherwise all of it is due again. What the old database knows of readers is taken over, where
    it can be read (see taking_over.py). Raises StoreError where the backup is not sound; then
    nothing changed.
    """
    health = examine_backup(backup, path)
    draft = path.with_name(f".{path.name}.restoring")
    try:
        with explained_errors(str(draft)):
            _copy(backup, draft)
        known, had_until = last_run_of(draft), last_run_of(path) or now
        with closing(Database.open(draft)) as database:
            taken = _go_on(database, path, now)
            dropped = _count_as_mailed(database, had_until, now) if mailed else 0
        aside = _swap(draft, path, f"{path.name}.before-restore-{now:%Y%m%d-%H%M%S}")
    finally:
        # Opening the draft may have made its log, and migrating it a copy of the older schema.
        for part in ("", "-wal", "-shm", f".schema-{health.version}"):
            draft.with_name(draft.name + part).unlink(missing_ok=True)
    return Restored(known, aside, taken, dropped)


def _count_as_mailed(database: Database, until: datetime, now: datetime) -> int:
    """Note until when papers count as mailed (see Windows.record), and end what was on its way.

    What the backup had recorded for readers whose next digest came due since then has gone with
    that digest.
    """
    # docs/decisions.md, "A restored backup asks once what counts as mailed"
    with database.transaction():
        database.set_meta("mailed_until", to_text(until))
        database.write(
            """UPDATE subscription SET start = LEAST(:head, COALESCE(until, :head)),
                   position = LEAST(:head, COALESCE(until, :head))
               WHERE start < LEAST(:head, COALESCE(until, :head)) AND subscriber IN (
                   SELECT id FROM subscriber WHERE due_at <= :until AND gone = 0 AND away = 0)""",
            {"head": head(database), "until": until},
        )
        return database.write(
            f"""UPDATE delivery SET state = 'dropped', ended_at = ?, reply = ?
                WHERE state IN {OPEN_STATES}""",
            [now, "counts as mailed since a backup was restored"],
        )


def _go_on(database: Database, path: Path, now: datetime) -> TakenOver:
    """Take over what the old database knows of readers, as far as it can be read."""
    taken = TakenOver()
    with suppress(DigestError):
        if path.exists():
            with closing(Database.copy_of(path)) as old:
                taken = go_on(database, old, now)
            if taken.forgotten:
                database.vacuum()
            return taken
    number_on(database, None, now)
    return taken


def go_on(database: Database, old: Database, now: datetime) -> TakenOver:
    """Let a restored backup go on where an old database ended: with its numbers, and what it knows
    of readers.
    """
    until = Clock(database).latest()
    number_on(database, old, now)
    return take_over(database, old, until, now)


def number_on(database: Database, old: Database | None, now: datetime) -> None:
    """Give nobody a number, and no mail a Message-ID, that the old database gave: its mails are
    out, and their links and bounces bear them. Without that, a million numbers are left out.
    """
    known = _last_numbers(database)
    reader, delivery = (number + NUMBERS_LEFT_OUT for number in known)
    if old is not None:
        reader, delivery = map(max, _last_numbers(old), known)
    with database.transaction():
        database.set_meta(LAST_READER, str(reader))
        database.number_on("delivery", delivery)
        # A slot may be used again, with other papers.
        database.set_meta(ERA, to_text(now))


def _last_numbers(database: Database) -> tuple[int, int]:
    """The highest numbers ever given, to a reader and to a delivery."""
    return next_reader(database) - 1, database.last_number("delivery")


def _swap(draft: Path, path: Path, name: str) -> Path | None:
    """Let the draft take the database's place.

    Into a sound database its pages are copied, in one transaction of SQLite's, so that a daemon
    that has it open goes on with the restored one; a damaged one is replaced.
    """
    if not path.exists():
        move_aside(path, name)
        draft.replace(path)
        return None
    aside = path.with_name(name)
    try:
        with explained_errors(str(path)):
            _copy(path, aside)
        sound = not examine(aside).problems
    except StoreError:
        sound = False
    if sound:
        Database.overwrite(path, draft)
        return aside
    aside.unlink(missing_ok=True)
    aside = move_aside(path, name)
    draft.replace(path)
    return aside
