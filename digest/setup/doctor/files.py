"""The files of an installation: the subscribers file, the database, the disk, and other
installations beside it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from digest.errors import ConfigError, DigestError
from digest.keywords import words
from digest.setup.doctor.check import Cause, Check, fail, ok, skip, warn
from digest.setup.settings import SYSTEM_HOME, Survey

if TYPE_CHECKING:
    from digest.store.health import Health

BEGIN = "begin with 'digest init'"
MEGABYTE = 1_000_000
LITTLE_DISK, NO_DISK = 200 * MEGABYTE, 10 * MEGABYTE
RECENT = timedelta(days=7)
"""An installation that ran in this time still mails."""
LONG_CYCLE = timedelta(hours=2)

counted = partial(words.counted, separator=",")


def check_subscribers(survey: Survey) -> Check:
    """The subscribers file: whether it is there, and what is wrong in it."""
    from digest.setup.subscribers import place_of_subscribers, read_roster
    from digest.subscribers import RosterError

    name, path = "subscribers", survey.settings.subscribers
    if "DIGEST_SUBSCRIBERS" in survey.mistakes:
        return skip(name, "DIGEST_SUBSCRIBERS is wrong")
    if "DIGEST_SECRET" in survey.mistakes and survey.settings.subscribers_yaml:
        return skip(name, "DIGEST_SECRET is wrong")
    if not survey.settings.subscribers_yaml and not path.exists():
        return fail(name, f"there is no subscribers file {path}", BEGIN)
    try:
        roster = read_roster(survey.settings)
    except RosterError as error:
        first = error.problems[0]
        count = len(error.problems)
        more = f"; {count - 1} more" if count > 1 else ""
        found = f"{path.name}:{first.line}:{first.column}: {first.message}{more}"
        return fail(
            name, found, "'digest subscribers check' shows each; until then nobody gets mail"
        )
    readers, keywords = len(roster.subscribers), len({keyword.query for keyword in roster.keywords})
    place = place_of_subscribers(survey.settings)
    if not readers:
        return warn(
            name, f"{place} names no reader", "'digest subscribe EMAIL -k KEYWORD' adds one"
        )
    return ok(
        name, f"{counted(readers, 'reader')}, {counted(keywords, 'query', 'queries')} in {place}"
    )


def check_database(survey: Survey) -> Check:
    """The database: whether it is there, whole, of this version, ours, and writable."""
    from digest.store.health import examine

    name, path = "database", survey.settings.db
    if "DIGEST_DB" in survey.mistakes:
        return skip(name, "DIGEST_DB is wrong")
    try:
        present = path.exists()
    except OSError as error:
        return fail(name, f"{path} cannot be reached ({error.strerror})", "run as its owner")
    if not present:
        if not path.parent.is_dir():
            if not survey.settings.subscribers.exists():
                return skip(name, f"there is no folder {path.parent} yet")
            return fail(name, f"there is no folder {path.parent} for the database", BEGIN)
        return _rights(path.parent) or ok(name, f"none yet: the first run makes {path}")
    trouble = _rights(path)
    if trouble:
        return trouble
    health = examine(path)
    if health.problems:
        return fail(
            name,
            f"{path} is damaged: {health.problems[0]}",
            "restore a backup, and keep this file",
            Cause.CONFIG,
        )
    if health.orphans:
        return fail(
            name,
            f"{path}: {counted(health.orphans, 'reference to a row that is', 'references to rows that are')} not there",
            "restore a backup; somebody changed this file by hand or lost a part of it",
        )
    if health.version > health.known:
        return fail(
            name,
            f"{path} was made by a newer version of digest (schema {health.version}, known {health.known})",
            "install that version again, or restore a backup",
        )
    size = f"{path.stat().st_size / MEGABYTE:.1f} MB"
    if health.version < health.known:
        return ok(name, f"whole, {size}; the next run brings it to schema {health.known}")
    return ok(name, f"whole, schema {health.version}, {size}, {path}")


def _rights(path: Path) -> Check | None:
    """What keeps this user from writing a database, or the folder that it is to be made in."""
    from digest.system.timers.machine import user_name

    owner, me = path.stat().st_uid, os.geteuid()
    if path.is_file() and owner != me:
        account = user_name(owner)
        return fail(
            "database",
            f"{path} belongs to {account}, and this runs as {user_name(me)}",
            f"run as {account}, such as with: sudo -u {account} digest doctor",
        )
    folder = path.parent if path.is_file() else path
    for place, rights in ((path, os.W_OK), (folder, os.W_OK | os.X_OK)):
        if not os.access(place, rights):
            return fail(
                "database",
                f"{place} is not writable for {user_name(me)}",
                "mend its rights, or run as its owner",
            )
    return None


def check_disk(survey: Survey) -> Check:
    """Room beside the database: enough for it to grow, and to be copied."""
    name, path = "disk", survey.settings.db
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    free = shutil.disk_usage(folder).free
    size = path.stat().st_size if path.exists() else 0
    found = f"{free / MEGABYTE:,.0f} MB free for {folder}"
    if free < NO_DISK:
        return fail(
            name, found, "make room: nothing can be recorded, so nothing is mailed", Cause.OTHER
        )
    if free < max(LITTLE_DISK, 2 * size):
        return warn(name, found, "make room: the database grows, and a backup needs as much again")
    return ok(name, found)


def check_cycle(survey: Survey, now: datetime) -> Check:
    """Whether a cycle is at work, or one left its note behind.

    The lock itself is not tried: that could turn away a cycle that begins now.
    """
    name = "cycle"
    note = lock_note(survey.settings.db)
    if note is None:
        return ok(name, "none is at work")
    process, since = note
    age = now - since
    if is_running(process):
        found = f"one is at work: process {process}, for {_duration(age)}"
        if age > LONG_CYCLE:
            return warn(
                name,
                found,
                "look at what it does; it ends by itself when its network answers or times out",
            )
        return ok(name, found)
    return warn(
        name,
        f"process {process} noted {_duration(age)} ago that it works on this database, and is not on this machine:"
        " it was killed, or another machine mails from the same folder",
        "if you run it on two machines, stop one; otherwise the next run finishes what is left",
    )


def lock_note(db: Path) -> tuple[int, datetime] | None:
    """The process that holds the cycle's lock by its own note, and since when."""
    from digest.times import from_text

    try:
        process, _, since = (
            db.with_name(f"{db.name}.lock").read_text(encoding="ascii").strip().partition(" ")
        )
        return int(process), from_text(since)
    except (OSError, ValueError):
        return None


def is_running(process: int) -> bool:
    """Whether there is such a process on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # it is there, and not ours
    return True


def _duration(span: timedelta) -> str:
    minutes = max(0, int(span.total_seconds() // 60))
    if minutes < 120:
        return counted(minutes, "minute")
    return (
        counted(minutes // 60, "hour")
        if minutes < 2 * 24 * 60
        else counted(minutes // (24 * 60), "day")
    )


def candidate_homes(survey: Survey, folder: Path, more: Iterable[Path | None] = ()) -> list[Path]:
    """Folders in which another installation may be: here, the user's, the system's, those that
    timers name.
    """
    import platformdirs

    own = survey.settings.home.absolute()
    places = [
        folder,
        Path(platformdirs.user_data_dir("digest", appauthor=False)),
        SYSTEM_HOME,
        *filter(None, more),
    ]
    return [place for place in dict.fromkeys(place.absolute() for place in places) if place != own]


def check_others(survey: Survey, homes: Iterable[Path], now: datetime) -> Check:
    """Whether a second database, in a folder where one may be, mails the same readers.

    One elsewhere, or on another machine, cannot be found from here.
    """
    from digest.store.health import examine

    name, db = "other installs", survey.settings.db
    ours = None
    if db.exists():
        try:
            ours = examine(db, thoroughly=False)
        except DigestError:
            return skip(name, "the database cannot be read")
    readers = _readers_of_file(survey) | (ours.readers if ours else frozenset())
    unread = []
    for home in homes:
        other = home / "digest.db"
        try:
            if not other.is_file() or (db.exists() and other.samefile(db)):
                continue
            health = examine(other, thoroughly=False)
        except (DigestError, OSError):
            unread.append(str(other))
            continue
        clash = _clash(health, readers, ours, now)
        if clash:
            return warn(
                name,
                f"{other} {clash}",
                "stop one of them ('digest timer status'); move the readers first",
            )
    if unread:
        return ok(name, f"none found; {', '.join(unread)} cannot be read")
    return ok(name, "none found on this machine that mails these readers")


def _readers_of_file(survey: Survey) -> frozenset[str]:
    from digest.setup.subscribers import read_roster

    try:
        roster = read_roster(survey.settings)
    except ConfigError:
        return frozenset()
    return frozenset(subscriber.email.casefold() for subscriber in roster.subscribers)


def _clash(health: Health, readers: frozenset[str], ours: Health | None, now: datetime) -> str:
    """In which way another database that is in use gets in the way of ours; nothing where it does
    not.
    """
    run = health.last_run
    if run is None or now - run.started > RECENT:
        return ""
    when = f"ran {_duration(now - run.started)} ago"
    if ours is not None and ours.uuid and health.uuid == ours.uuid:
        return (
            f"is a copy of this database, and {when}: both mail, each without knowing of the other"
        )
    both = len(health.readers & readers)
    return (
        f"{when} and has {counted(both, 'of these readers', 'of these readers')}: they get papers twice"
        if both
        else ""
    )
