"""The files of an installation: the subscribers file, the database, the disk, and other
installations on this machine.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from digest.errors import ConfigError, DigestError
from digest.keywords.words import counted
from digest.model import Origin, Roster
from digest.setup.doctor.check import (
    Cause,
    Finding,
    UncheckedError,
    fail,
    first,
    ok,
    skip,
    warn,
)
from digest.setup.settings import Settings, homes_of_this_machine
from digest.setup.subscribers import place_of_subscribers, read_roster
from digest.store import is_there
from digest.store.health import Health, examine
from digest.subscribers import SubscribersFileError
from digest.system.accounts import account_name
from digest.system.locks import is_running, lock_note

BEGIN = "begin with 'digest init'"
MEGABYTE = 1_000_000
LITTLE_DISK, NO_DISK = 200 * MEGABYTE, 10 * MEGABYTE
RECENT = timedelta(days=7)
"""An installation that ran in this time still mails."""
LONG_CYCLE = timedelta(hours=2)


def check_subscribers(settings: Settings) -> Finding:
    """The subscribers file: whether it is there, and what is wrong in it."""
    path = settings.subscribers
    try:
        roster = read_roster(settings)
    except SubscribersFileError as error:
        mistake, *others = error.problems
        more = f"; {len(others)} more" if others else ""
        return fail(
            f"{path.name}:{mistake.line}:{mistake.column}: {mistake.message}{more}",
            "'digest subscribers check' shows each; until then nobody gets mail",
        )
    except ConfigError:
        if settings.subscribers_yaml or path.exists():
            raise
        return fail(f"there is no subscribers file {path}", BEGIN)
    if roster.mistakes:
        more = f"; {len(roster.mistakes) - 1} more" if roster.mistakes[1:] else ""
        return fail(f"{roster.mistakes[0]}{more}", "'digest subscribers check' shows each")
    place = place_of_subscribers(settings)
    if not roster.subscribers:
        return warn(f"{place} names no reader", "'digest subscribe EMAIL -k KEYWORD' adds one")
    return ok(f"{_counts(roster)} in {place}")


def _counts(roster: Roster) -> str:
    readers = counted(len(roster.subscribers), "reader", separator=",")
    signed_up = sum(reader.origin is Origin.WEB for reader in roster.subscribers)
    readers += f" ({signed_up:,} signed up)" if signed_up else ""
    queries = len({keyword.query for keyword in roster.keywords})
    return f"{readers}, {counted(queries, 'query', 'queries', separator=',')}"


def check_database(path: Path, subscribers: Path) -> Finding:
    """The database: whether it is there, whole, of this version, ours, and writable."""
    folder = path.parent
    try:
        present = is_there(path)
    except OSError as error:
        return fail(f"{path} cannot be reached ({error.strerror})", "run as its owner")
    if present:
        return _not_writable(path) or _state_of(path, examine(path))
    if folder.is_dir():
        return _not_writable(folder) or ok(f"none yet: the first run makes {path}")
    # Where nothing is set up at all, the missing subscribers file is the one failure.
    if not subscribers.exists():
        return skip(f"there is no folder {folder} yet")
    return fail(f"there is no folder {folder} for the database", BEGIN)


def _state_of(path: Path, health: Health) -> Finding:
    size = f"{path.stat().st_size / MEGABYTE:.1f} MB"
    lost = counted(
        health.orphans, "reference to a row that is", "references to rows that are", separator=","
    )
    return first(
        (
            health.problems,
            fail(
                f"{path} is damaged: {''.join(health.problems[:1])}",
                "restore a backup, and keep this file",
            ),
        ),
        (
            health.orphans,
            fail(
                f"{path}: {lost} not there",
                "restore a backup; somebody changed this file by hand or lost a part of it",
            ),
        ),
        (
            health.version > health.known,
            fail(
                f"{path} was made by a newer version of digest "
                f"(schema {health.version}, known {health.known})",
                "install that version again, or restore a backup",
            ),
        ),
        (
            health.version < health.known,
            ok(f"whole, {size}; the next run brings it to schema {health.known}"),
        ),
        (True, ok(f"whole, schema {health.version}, {size}, {path}")),
    )


def _not_writable(path: Path) -> Finding | None:
    """What keeps this user from writing a database, or the folder that it is to be made in."""
    owner, me = path.stat().st_uid, os.geteuid()
    # docs/decisions.md: A database belongs to one user.
    if path.is_file() and owner != me:
        account = account_name(owner)
        return fail(
            f"{path} belongs to {account}, and this runs as {account_name(me)}",
            f"run as {account}, such as with: sudo -u {account} digest doctor",
        )
    # SQLite makes files beside the database, so the folder must be writable, too.
    folder = path.parent if path.is_file() else path
    for place, rights in ((path, os.W_OK), (folder, os.W_OK | os.X_OK)):
        if not os.access(place, rights):
            return fail(
                f"{place} is not writable for {account_name(me)}",
                "mend its rights, or run as its owner",
            )
    return None


def check_disk(db: Path) -> Finding:
    """Room beside the database: enough for it to grow, and to be copied."""
    folder = next(parent for parent in db.absolute().parents if parent.is_dir())
    free = shutil.disk_usage(folder).free
    size = db.stat().st_size if db.exists() else 0
    found = f"{free / MEGABYTE:,.0f} MB free for {folder}"
    nothing = "make room: nothing can be recorded, so nothing is mailed"
    little = "make room: the database grows, and a backup needs as much again"
    return first(
        (free < NO_DISK, fail(found, nothing, Cause.OTHER)),
        (free < max(LITTLE_DISK, 2 * size), warn(found, little)),
        (True, ok(found)),
    )


def check_cycle(db: Path, now: datetime) -> Finding:
    """Whether a cycle is at work, or one left its note behind.

    The lock itself is not tried: that could turn away a cycle that begins now.
    """
    note = lock_note(db)
    if note is None:
        return ok("none is at work")
    process, since = note
    age = now - since
    found = f"one is at work: process {process}, for {_duration(age)}"
    return first(
        (
            not is_running(process),
            warn(
                f"process {process} noted {_duration(age)} ago that it works on this database, "
                "and is not on this machine: "
                "it was killed, or another machine mails from the same folder",
                "if you run it on two machines, stop one; "
                "otherwise the next run finishes what is left",
            ),
        ),
        (
            age > LONG_CYCLE,
            warn(
                found,
                "look at what it does; it ends by itself when its network answers or times out",
            ),
        ),
        (True, ok(found)),
    )


def _duration(span: timedelta) -> str:
    minutes = max(0, int(span.total_seconds() // 60))
    for size, noun in ((24 * 60, "day"), (60, "hour")):
        if minutes >= 2 * size:
            return counted(minutes // size, noun, separator=",")
    return counted(minutes, "minute", separator=",")


def candidate_homes(home: Path, folder: Path, more: Iterable[Path | None] = ()) -> list[Path]:
    """Folders in which another installation may be: here, the user's, the system's, those that
    timers name.
    """
    places = (folder, *homes_of_this_machine(), *filter(None, more))
    found = dict.fromkeys(place.absolute() for place in places)
    return [place for place in found if place != home.absolute()]


def check_others(
    db: Path, readers: frozenset[str], homes: Iterable[Path], now: datetime
) -> Finding:
    """Whether a second database, in a folder where one may be, mails the same readers, who are
    named by their casefolded addresses.

    One elsewhere, or on another machine, cannot be found from here.
    """
    ours = examined(db) if db.exists() else Health(0, 0)
    unread = []
    for other in (home / "digest.db" for home in homes):
        try:
            # The same file by another path, such as a link, is no other installation.
            if not other.is_file() or (db.exists() and other.samefile(db)):
                continue
            clash = _clash(examine(other, thoroughly=False), ours, readers, now)
        except (DigestError, OSError):
            unread.append(str(other))
            continue
        if clash:
            return warn(
                f"{other} {clash}",
                "stop one of them ('digest timer status'); move the readers first",
            )
    if unread:
        return ok(f"none found; {', '.join(unread)} cannot be read")
    return ok("none found on this machine that mails these readers")


def examined(db: Path) -> Health:
    """How the installation's own database is, in short; its own check tells more."""
    # Not thoroughly, which reads all of it, and would do so once for each check.
    try:
        return examine(db, thoroughly=False)
    except DigestError as error:
        raise UncheckedError("the database cannot be read") from error


def _clash(other: Health, ours: Health, readers: frozenset[str], now: datetime) -> str:
    """Says how another database that is in use gets in the way of ours; nothing where it does
    not.
    """
    run = other.last_run
    if run is None or now - run.started > RECENT:
        return ""
    when = f"ran {_duration(now - run.started)} ago"
    if ours.uuid and other.uuid == ours.uuid:
        return (
            f"is a copy of this database, and {when}: both mail, each without knowing of the other"
        )
    both = len(other.readers & (readers | ours.readers))
    return f"{when} and has {both:,} of these readers: they get papers twice" if both else ""
