"""Backups while a cycle works, restoring with both answers, pruning, and what a full or damaged
disk does to a run."""

from __future__ import annotations

import errno
import os
import re
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from digest.errors import DigestError, StoreError, UsageError
from digest.model import Outcome, Receipt, Weekly
from digest.rules.calendar import last_served, submitted_by
from digest.store import database as database_module
from digest.store import open_store, schema
from digest.store.database import Database
from digest.store.health import examine
from digest.store.pruning import prune
from digest.store.upkeep import back_up, restore
from digest.system.locks import cycle_lock
from digest.times import to_text
from tests.world.house import DAYS, FRIDAY, SATURDAY, THURSDAY, House, house, refused
from tests.world.replay import Home, subscribers_file
from tests.world.shell import MAILDIR_LINE
from tests.world.standin import Standin
from tests.world.worlds import DAY, HOUR, MONDAY, World, eprint, reader

pytestmark = pytest.mark.sqlite

__all__ = ["house"]
"""Of the two of this name the whole installation is meant, not the store alone."""

ADA = "ada@example.org"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "digest.db")
    world.readers = [reader(ADA, "Alpha")]
    yield world
    world.close()


def replaced(world: World, backup: Path, *, mailed: bool) -> Any:
    """Restore a backup while nobody works, and go on with it."""
    world.close()
    done = restore(backup, world.path, world.now, mailed=mailed)
    world.open_again()
    return done


async def lived(world: World, tmp_path: Path) -> Path:
    """A backup of Tuesday morning; on Wednesday paper 2 was mailed, on Thursday 3. Now it is
    Thursday."""
    world.arxiv.announce("Alpha", eprint(1))
    await world.cycle(MONDAY + DAY)
    back_up(world.path, tmp_path / "backup.db")
    for number in (2, 3):
        world.arxiv.announce("Alpha", eprint(number, MONDAY + (number - 1) * DAY))
        await world.cycle(MONDAY + number * DAY)
    assert world.titles(ADA) == [[1], [2], [3]]
    world.relay.taken.clear()
    return tmp_path / "backup.db"


# -- backups


async def test_a_backup_is_whole_private_and_one_file(world: World, tmp_path: Path) -> None:
    backup = await lived(world, tmp_path)
    assert (backup.stat().st_mode & 0o777) == 0o600
    assert not examine(backup, wholly=True).problems
    assert sorted(p.name for p in tmp_path.iterdir() if "backup" in p.name) == ["backup.db"]
    with pytest.raises(UsageError, match="exists already"):
        back_up(world.path, backup)
    with pytest.raises(UsageError, match="no folder"):
        back_up(world.path, tmp_path / "nowhere" / "backup.db")


async def test_a_backup_in_the_middle_of_a_transaction_has_what_was_committed(
    world: World, tmp_path: Path
) -> None:
    world.arxiv.announce("Alpha", eprint(1))
    await world.cycle()
    with world.database.transaction():
        world.database.set_meta("half", "done")
        health = back_up(world.path, tmp_path / "backup.db")
    assert health.last_run is not None
    with closing(Database.copy_of(tmp_path / "backup.db")) as copy:
        assert copy.meta("half") is None
        assert copy.value("SELECT COUNT(*) FROM delivery") == 1


def test_a_damaged_database_makes_no_backup(tmp_path: Path) -> None:
    path = damaged(tmp_path)
    with pytest.raises(StoreError):
        back_up(path, tmp_path / "backup.db")
    assert not (tmp_path / "backup.db").exists()


def damaged(folder: Path) -> Path:
    """A database with garbage in the middle."""
    path = folder / "digest.db"
    with closing(Database.open(path)) as database:
        for number in range(200):
            database.set_meta(f"key {number}", "x" * 400)
    content = bytearray(path.read_bytes())
    content[8192 : 8192 + 4096 * 20] = b"\xa5" * 4096 * 20
    path.write_bytes(content)
    return path


def test_a_migration_backs_up_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "digest.db"
    with monkeypatch.context() as patch:
        patch.setattr(database_module, "MIGRATIONS", schema.MIGRATIONS[:1])
        with closing(Database.open(path)) as database:
            database.set_meta("key", "value")
    Database.open(path).close()
    kept = tmp_path / "digest.db.schema-1"
    with closing(sqlite3.connect(kept)) as old:
        assert old.execute("PRAGMA user_version").fetchone() == (1,)
        assert old.execute("SELECT value FROM meta WHERE key = 'key'").fetchone() == ("value",)
    Database.open(path).close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["digest.db", "digest.db.schema-1"]


def test_a_migration_without_room_for_its_backup_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "digest.db"
    with monkeypatch.context() as patch:
        patch.setattr(database_module, "MIGRATIONS", schema.MIGRATIONS[:1])
        Database.open(path).close()

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(database_module, "copy_whole", full)
    with pytest.raises(StoreError, match="No space left"):
        Database.open(path)
    with closing(sqlite3.connect(path)) as untouched:
        assert untouched.execute("PRAGMA user_version").fetchone() == (1,)


# -- restoring


async def test_what_came_since_the_backup_is_mailed_where_it_does_not_count_as_mailed(
    world: World, tmp_path: Path
) -> None:
    backup = await lived(world, tmp_path)
    replaced(world, backup, mailed=False)
    await world.cycle(MONDAY + 3 * DAY + HOUR, fetch_all=True)
    assert [sorted(numbers) for numbers in world.titles(ADA)] == [[2, 3]]


async def test_what_came_since_the_backup_does_not_come_again_where_it_counts_as_mailed(
    world: World, tmp_path: Path
) -> None:
    backup = await lived(world, tmp_path)
    done = replaced(world, backup, mailed=True)
    assert done.until == MONDAY + DAY
    await world.cycle(MONDAY + 3 * DAY + HOUR, fetch_all=True)
    assert world.titles(ADA) == []
    world.arxiv.announce(
        "Alpha", eprint(4, MONDAY + 3 * DAY + 12 * HOUR), eprint(2, MONDAY + DAY, version=2)
    )
    await world.cycle(MONDAY + 4 * DAY)
    assert world.titles(ADA) == [[4]], "what is announced later comes"
    world.arxiv.announce("Alpha", eprint(5, MONDAY + DAY))
    await world.cycle(MONDAY + 5 * DAY)
    await world.cycle(MONDAY + 8 * DAY)
    assert world.titles(ADA) == [[4], [5]], "and so does what was held back, whatever its date"


@pytest.mark.parametrize("mailed", [True, False])
async def test_what_the_backup_has_on_its_way_is_settled_by_the_answer(
    world: World, tmp_path: Path, mailed: bool
) -> None:
    world.relay.answers[ADA] = [Receipt(Outcome.DEFERRED, "450 later")]
    world.arxiv.announce("Alpha", eprint(1))
    await world.cycle(MONDAY + DAY)
    back_up(world.path, tmp_path / "backup.db")
    await world.cycle(MONDAY + DAY + HOUR)
    assert world.titles(ADA) == [[1]]
    done = replaced(world, tmp_path / "backup.db", mailed=mailed)
    await world.cycle(MONDAY + DAY + 2 * HOUR)
    assert done.dropped == mailed
    assert len(world.mails()) == (1 if mailed else 2)
    assert len({m["Message-ID"] for m in world.mails()}) == 1


@pytest.mark.parametrize("lost", [3 * DAY, 7 * DAY], ids=["before her day", "after it"])
async def test_what_the_backup_held_for_a_weekly_reader_counts_as_mailed_where_her_day_has_passed(
    world: World, tmp_path: Path, lost: timedelta
) -> None:
    world.readers = [reader(ADA, "Alpha", days=(Weekly.MON,))]
    world.arxiv.announce("Alpha", eprint(1))
    await world.cycle(MONDAY)
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    await world.cycle(MONDAY + DAY)
    back_up(world.path, tmp_path / "backup.db")
    await world.cycle(MONDAY + lost)
    replaced(world, tmp_path / "backup.db", mailed=True)
    await world.cycle(MONDAY + 7 * DAY + HOUR)
    await world.cycle(MONDAY + 14 * DAY)
    assert [paper for papers in world.titles(ADA) for paper in papers] == [1, 2]


async def test_suppressions_since_the_backup_hold_on(world: World, tmp_path: Path) -> None:
    backup = await lived(world, tmp_path)
    world.database.write(
        "INSERT INTO suppression(address, reason, since) VALUES(?, 'left', '2026-11-11')", [ADA]
    )
    assert replaced(world, backup, mailed=False).taken.suppressions == 1
    await world.cycle(MONDAY + 4 * DAY)
    assert world.mails() == []


@pytest.mark.parametrize("readable", [True, False])
async def test_numbers_that_mails_have_carried_are_given_to_nobody_else(
    world: World, tmp_path: Path, readable: bool
) -> None:
    backup = await lived(world, tmp_path)
    world.readers.append(reader("bob@example.org", "Alpha"))
    await world.cycle(world.now + HOUR)
    bob = world.value("SELECT id FROM subscriber WHERE address = 'bob@example.org'")
    last = world.value("SELECT MAX(id) FROM delivery")
    if not readable:
        world.close()
        world.path.write_bytes(b"no database any more" * 400)
    replaced(world, backup, mailed=False)
    world.readers[1] = reader("lin@example.org", "Alpha")
    await world.cycle(world.now + 2 * HOUR)
    assert world.value("SELECT id FROM subscriber WHERE address = 'lin@example.org'") > bob, (
        "Bob's link is not Lin's"
    )
    assert (
        world.value(
            "SELECT COUNT(*) FROM delivery WHERE queued_at >= ? AND id <= ?",
            to_text(world.now),
            last,
        )
        == 0
    )


async def test_the_database_before_is_kept_and_can_be_restored_in_turn(
    world: World, tmp_path: Path
) -> None:
    backup = await lived(world, tmp_path)
    done = replaced(world, backup, mailed=False)
    assert world.value("SELECT COUNT(*) FROM delivery") == 1
    world.now += MINUTE
    replaced(world, done.aside, mailed=False)
    assert world.value("SELECT COUNT(*) FROM delivery") == 3
    await world.cycle(MONDAY + 4 * DAY)
    assert world.mails() == []


async def test_a_program_that_has_the_database_open_goes_on_with_the_restored_one(
    world: World, tmp_path: Path
) -> None:
    backup = await lived(world, tmp_path)
    restore(backup, world.path, world.now, mailed=False)
    assert world.database.value("SELECT COUNT(*) FROM delivery") == 1
    await world.cycle(MONDAY + 3 * DAY + HOUR, fetch_all=True)
    assert [sorted(numbers) for numbers in world.titles(ADA)] == [[2, 3]]


def test_a_damaged_database_is_replaced_and_kept(tmp_path: Path) -> None:
    Database.open(tmp_path / "other.db").close()
    back_up(tmp_path / "other.db", tmp_path / "backup.db")
    path = damaged(tmp_path)
    content = path.read_bytes()
    done = restore(tmp_path / "backup.db", path, MONDAY, mailed=True)
    assert done.aside is not None
    assert done.aside.read_bytes() == content
    assert not examine(path).problems
    assert not [p.name for p in tmp_path.iterdir() if "restoring" in p.name]


@pytest.mark.parametrize("lost", ["empty", "no tables", "gone but for its log"])
def test_a_database_that_lost_all_it_held_is_no_new_one(house: House, lost: str) -> None:
    """As a new one it would mail all first digests again."""
    path = house.home / "digest.db"
    assert house("run", now=THURSDAY).code == 0
    assert house("db", "backup", now=THURSDAY).code == 0
    (backup,) = house.home.glob("digest-2*.db")
    mails = len(list((house.home / "mail" / "new").iterdir()))
    path.unlink()
    if lost == "empty":
        path.touch()
    elif lost == "no tables":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("VACUUM")
    else:
        path.with_name("digest.db-wal").write_bytes(b"what a crash has left")
    rest = "digest.db-wal" if lost.startswith("gone") else "digest.db"
    commands = ["run", "status"]
    if lost == "empty":
        commands += ["preview ada@example.org", "send ada@example.org", "db check", "run --dry-run"]
    for command in commands:
        told = house(*command.split())
        refused(told, 78, f"digest db restore {backup};", f"all first digests, remove {rest}")
    told = house("db", "restore", str(backup), "--mailed", now=FRIDAY)
    assert told.code == 0, told.err
    assert house("run", now=FRIDAY).code == 0
    assert len(list((house.home / "mail" / "new").iterdir())) == mails
    assert not path.with_name("digest.db-wal").exists()


def test_a_first_run_that_is_killed_leaves_no_half_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_where: object) -> None:
        raise Killed

    monkeypatch.setattr("digest.store.copying.os.link", killed)
    with pytest.raises(Killed):
        Database.open(tmp_path / "digest.db")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    Database.open(tmp_path / "digest.db").close()


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """As exFAT, FAT, and shares of other machines are."""

    def refuse(*_where: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("digest.store.copying.os.link", refuse)
    path = tmp_path / "digest.db"
    with closing(Database.open(path)) as database:
        database.set_meta("key", "value")
    assert [file.name for file in tmp_path.iterdir()] == ["digest.db"]
    back_up(path, tmp_path / "good.db")
    path.write_bytes(b"damaged" * 1000)
    restore(tmp_path / "good.db", path, MONDAY, mailed=True)
    with closing(Database.open(path)) as database:
        assert database.meta("key") == "value"
    (aside,) = tmp_path.glob("digest.db.before-*")
    assert aside.read_bytes() == b"damaged" * 1000


def test_what_is_no_backup_is_not_restored(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    with closing(Database.open(path)) as database:
        database.set_meta("key", "value")
    (tmp_path / "text.db").write_text("no database" * 1000)
    with closing(sqlite3.connect(tmp_path / "foreign.db")) as foreign:
        foreign.execute("CREATE TABLE notes(id INTEGER)")
        foreign.commit()
    (tmp_path / "newer.db").write_bytes(path.read_bytes())
    with closing(sqlite3.connect(tmp_path / "newer.db")) as newer:
        newer.execute("PRAGMA user_version = 99")
    for name in ("text.db", "foreign.db", "newer.db", "none.db", "digest.db"):
        with pytest.raises(DigestError) as caught:
            restore(tmp_path / name, path, MONDAY, mailed=True)
        assert caught.value.remedy, name
    with closing(Database.open(path)) as database:
        assert database.meta("key") == "value"
    assert not [p.name for p in tmp_path.iterdir() if "restor" in p.name]


def test_a_backup_of_an_older_version_is_migrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(database_module, "MIGRATIONS", schema.MIGRATIONS[:1])
        Database.open(tmp_path / "old.db").close()
    done = restore(tmp_path / "old.db", tmp_path / "digest.db", MONDAY, mailed=True)
    assert (done.aside, done.until) == (None, None)
    assert examine(tmp_path / "digest.db").version == len(schema.MIGRATIONS)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["digest.db", "old.db"]


@pytest.mark.parametrize(
    ("now", "deadline"),
    [
        (
            "2026-11-11T12:00+00:00",
            "2026-11-10T19:00+00:00",
        ),  # Wednesday noon: Tuesday evening's, until Tuesday
        (
            "2026-11-09T12:00+00:00",
            "2026-11-06T19:00+00:00",
        ),  # Monday noon: Sunday evening's, until Friday
        ("2026-11-08T12:00+00:00", "2026-11-05T19:00+00:00"),  # Sunday noon: Thursday evening's
        ("2026-07-15T12:00+00:00", "2026-07-14T18:00+00:00"),  # in summer
    ],
)
def test_an_announcement_tells_until_when_its_papers_were_submitted(
    now: str, deadline: str
) -> None:
    assert submitted_by(last_served(datetime.fromisoformat(now))) == datetime.fromisoformat(
        deadline
    )


# -- pruning


async def test_a_prune_frees_room_and_nothing_comes_again(world: World) -> None:
    world.arxiv.announce(
        "Alpha", *(eprint(n, abstract=os.urandom(2000).hex()) for n in range(1, 40))
    )
    await world.cycle(MONDAY + DAY)
    for day in range(2, 20):
        world.arxiv.announce("Alpha", eprint(100 + day, MONDAY + (day - 1) * DAY))
        await world.cycle(MONDAY + day * DAY)
    tables = ("seen", "content_paper", "delivery", "paper", "content")
    before = [world.value(f"SELECT COUNT(*) FROM {table}") for table in tables]
    sent = len(world.mails())
    done = prune(world.path, MONDAY + 15 * DAY, world.now)
    assert done.bodies > 5
    assert done.runs >= 10
    assert done.freed > 20_000
    assert [world.value(f"SELECT COUNT(*) FROM {table}") for table in tables] == before
    assert prune(world.path, MONDAY + 15 * DAY, world.now).bodies == 0
    await world.cycle(MONDAY + 20 * DAY, fetch_all=True)
    assert len(world.mails()) == sent
    with pytest.raises(UsageError, match="no longer kept"):
        world.store.outbox.message(1)
    with pytest.raises(UsageError, match="no longer kept"):
        world.store.outbox.again(1, world.now, "example.org")


async def test_what_is_on_its_way_keeps_its_body(world: World) -> None:
    world.relay.answers[ADA] = [Receipt(Outcome.UNKNOWN, "no answer")]
    world.arxiv.announce("Alpha", eprint(1))
    world.hold = True
    await world.cycle()
    assert prune(world.path, MONDAY + 99 * DAY, world.now).bodies == 0
    world.store.outbox.retry(1, world.now)
    await world.cycle(MONDAY + HOUR)
    assert world.titles(ADA) == [[1]]


# -- the commands


def test_backup_restore_check_and_prune_by_their_commands(house: House) -> None:
    refused(house("db", "check"), 78, "no database")
    house("run", now=THURSDAY)
    told = house("db", "backup", "copy.db")
    assert told.out.startswith("Backup    copy.db, ")
    assert f"until {THURSDAY:%Y-%m-%d %H:%M} UTC" in told.out
    refused(house("db", "backup", "copy.db"), 2, "exists already")
    assert "Backup    " in house("db", "backup", now=THURSDAY).out
    assert (house.home / f"digest-{THURSDAY:%Y%m%d-%H%M%S}.db").exists()
    assert " is sound: " in house("db", "check").out
    assert house("db", "check", "--json").json()["problems"] == []
    house.serve(DAYS[1])
    house("run", now=FRIDAY)
    refused(
        house("db", "restore", "copy.db", now=FRIDAY),
        2,
        "--mailed or --not-mailed",
        f"{FRIDAY:%Y-%m-%d %H:%M}",
    )
    (house.home / "notes.txt").write_text("no database\n" * 200)
    refused(
        house("db", "restore", "notes.txt", now=FRIDAY),
        78,
        "no SQLite database",
        "name the file of a backup",
    )
    had = len(house.mails())
    told = house("db", "restore", "copy.db", "--mailed", now=FRIDAY)
    assert "Since     counts as mailed" in told.out
    assert "before-restore" in told.out
    house("run", now=FRIDAY + timedelta(hours=1))
    assert len(house.mails()) == had
    house.serve(DAYS[2])
    house("run", now=SATURDAY)
    assert "Let go of 0 mail texts" in house("db", "prune", now=SATURDAY).out
    assert re.match(
        r"Let go of [1-9] mail texts",
        house("db", "prune", "--days", "1", now=SATURDAY + 9 * DAY).out,
    )
    with cycle_lock(house.home / "digest.db"):
        refused(house("db", "prune"), 75, "another cycle")
        refused(house("db", "restore", "copy.db", "--mailed"), 75, "another cycle")
    assert house("run", now=SATURDAY + 9 * DAY).code == 0


def test_a_damaged_database_is_told_by_check_with_what_to_do(house: House) -> None:
    damaged(house.home)
    told = house("db", "check")
    assert told.code == 78
    assert "damaged" in told.out + told.err
    told = house("run", now=THURSDAY)
    assert told.code == 78
    (line,) = told.complaints
    assert "damaged" in line
    assert "restore a backup" in line
    assert house.mails() == []


# -- disks


def limited(
    arguments: list[str], environ: dict[str, str], bytes_: int | None
) -> subprocess.CompletedProcess[str]:
    """A run in a process that may write files no larger than so."""

    def limit() -> None:
        if bytes_ is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_))

    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "digest", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=limit,
    )


def test_a_disk_that_is_full_stops_a_run_with_one_line_and_the_next_one_finishes_it(
    tmp_path: Path,
) -> None:
    with Standin(DAYS[0].papers) as standin:
        home = Home.make(
            tmp_path,
            standin,
            subscribers_file({ADA: ["Reward Model"], "lin@example.org": ["Time Series"]}),
        )
        open_store(tmp_path / "digest.db").close()
        room = (tmp_path / "digest.db").stat().st_size + 8_000
        arguments = ["run", "--home", str(tmp_path), "--now", THURSDAY.isoformat()]
        stopped = limited(arguments, dict(os.environ), room)
        assert stopped.returncode == 78, stopped.stderr
        (line,) = [each for each in stopped.stderr.splitlines() if MAILDIR_LINE not in each]
        assert "could not be written" in line
        assert "is the disk full?" in line
        assert not examine(tmp_path / "digest.db", wholly=True).problems
        assert limited(arguments, dict(os.environ), None).returncode == 0
    assert sorted(mail.recipient for mail in home.mails()) == [ADA, "lin@example.org"]
