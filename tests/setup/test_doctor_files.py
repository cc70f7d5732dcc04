"""What the doctor says of files, of other installations and of the machine."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from digest.setup.doctor import files, machine
from digest.setup.doctor.check import Cause, Level
from digest.system.timers.plan import Installed
from tests.setup.doctor import (
    NOW,
    SUBSCRIBERS,
    find,
    make_database,
    survey,
)


def test_the_subscribers_file_is_missing_wrong_empty_or_right(tmp_path: Path) -> None:
    path = tmp_path / "subscribers.yaml"
    missing = find(survey(tmp_path), "subscribers")
    assert (missing.level, missing.remedy) == (Level.FAIL, "begin with 'digest init'")
    path.write_text("subscribers:\n  - email: ada\n    keywrods: [x]\n")
    wrong = find(survey(tmp_path), "subscribers")
    assert wrong.level is Level.FAIL
    assert "subscribers.yaml:2:" in wrong.found
    assert "more" in wrong.found
    path.write_text("keywords: [hallucination]\n")
    assert find(survey(tmp_path), "subscribers").level is Level.WARN
    path.write_text(SUBSCRIBERS)
    right = find(survey(tmp_path), "subscribers")
    assert (right.level, right.found.startswith("1 reader, 1 query")) == (Level.OK, True)


def change(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(sql)


def test_a_database_that_is_whole_is_told_with_its_size_and_left_as_it_is(tmp_path: Path) -> None:
    path = make_database(tmp_path)
    before = sorted(p.name for p in tmp_path.iterdir())
    check = find(survey(tmp_path), "database")
    assert check.level is Level.OK
    assert re.search(r"schema \d+, 0\.\d MB", check.found)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    assert path.exists()


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    path.write_bytes(data)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "damaged": (damage, "damaged"),
    "no database": (
        lambda path: path.write_bytes(b"not a database at all" * 400),
        "damaged or no SQLite",
    ),
    "another program's": (
        lambda path: change(path, "PRAGMA application_id = 7"),
        "another program",
    ),
    "newer": (lambda path: change(path, "PRAGMA user_version = 99"), "newer version"),
    "orphans": (
        lambda path: change(
            path, "INSERT INTO subscription(subscriber, query, label) VALUES(1, 99, 'x')"
        ),
        "1 reference to a row that is not there",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_database_that_is_not_well_fails_with_what_to_do(tmp_path: Path, kind: str) -> None:
    breaks, words = BROKEN[kind]
    breaks(make_database(tmp_path))
    check = find(survey(tmp_path), "database")
    assert (check.level, check.cause) == (Level.FAIL, Cause.CONFIG)
    assert words in check.found
    assert check.remedy


def test_without_a_database_the_first_run_makes_it_where_it_can(tmp_path: Path) -> None:
    assert find(survey(tmp_path), "database").level is Level.OK
    # Where nothing is there at all, the missing subscribers file is the one failure that is told.
    assert find(survey(tmp_path / "nowhere"), "database").level is Level.SKIP
    (tmp_path / "subscribers.yaml").write_text("subscribers: []\n")
    lost = find(survey(tmp_path, DIGEST_DB="nowhere/digest.db"), "database")
    assert (lost.level, lost.remedy) == (Level.FAIL, "begin with 'digest init'")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_database_of_another_user_names_both(tmp_path: Path) -> None:
    path = make_database(tmp_path)
    os.chown(path, 12345, -1)
    check = find(survey(tmp_path), "database")
    assert check.level is Level.FAIL
    assert "12345" in check.found
    assert "sudo -u" in check.remedy


def test_a_database_of_another_user_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_database(tmp_path, last=NOW)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 12345)
    assert find(survey(tmp_path), "database").level is Level.FAIL
    assert find(survey(tmp_path), "last run", NOW).level is Level.SKIP


def test_a_disk_that_is_nearly_full_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find(survey(tmp_path), "disk").level in (Level.OK, Level.WARN)
    monkeypatch.setattr(files, "LITTLE_DISK", 10**18)
    assert find(survey(tmp_path / "not" / "yet"), "disk").level is Level.WARN
    monkeypatch.setattr(files, "NO_DISK", 10**18)
    assert find(survey(tmp_path), "disk").level is Level.FAIL


def test_a_cycle_at_work_is_told_and_one_of_nobody_here_is_a_warning(tmp_path: Path) -> None:
    lock = tmp_path / "digest.db.lock"
    assert find(survey(tmp_path), "cycle").level is Level.OK
    lock.write_text(f"{os.getpid()} 2026-11-23T11:58:00Z\n")
    at_work = find(survey(tmp_path), "cycle")
    assert (at_work.level, f"process {os.getpid()}, for 2 minutes" in at_work.found) == (
        Level.OK,
        True,
    )
    lock.write_text(f"{os.getpid()} 2026-11-23T01:00:00Z\n")
    assert find(survey(tmp_path), "cycle").level is Level.WARN
    lock.write_text(
        "4194999 2026-11-23T11:00:00Z\n"
    )  # beyond the largest process id that Linux gives
    elsewhere = find(survey(tmp_path), "cycle")
    assert (elsewhere.level, "another machine" in elsewhere.found) == (Level.WARN, True)
    lock.write_text("\n")
    assert find(survey(tmp_path), "cycle").found == "none is at work"


def test_another_installation_that_mails_the_same_readers_is_found(tmp_path: Path) -> None:
    ours, other = tmp_path / "ours", tmp_path / "other"
    ours.mkdir()
    other.mkdir()
    make_database(ours, last=NOW)
    homes = [tmp_path / "nowhere", ours, other]
    assert files.check_others(ours / "digest.db", frozenset(), homes, NOW).level is Level.OK
    make_database(other, last=NOW - timedelta(days=1))
    clash = files.check_others(ours / "digest.db", frozenset(), homes, NOW)
    assert clash.level is Level.WARN
    assert "ran 24 hours ago and has 1 of these readers" in clash.found
    assert (
        files.check_others(ours / "digest.db", frozenset(), homes, NOW + timedelta(days=9)).level
        is Level.OK
    )
    (other / "digest.db").write_bytes((ours / "digest.db").read_bytes())
    assert (
        "is a copy of this database"
        in files.check_others(ours / "digest.db", frozenset(), homes, NOW).found
    )
    (other / "digest.db").write_bytes(b"x" * 5000)
    assert "cannot be read" in files.check_others(ours / "digest.db", frozenset(), homes, NOW).found


def test_the_last_run_is_recent_old_interrupted_or_in_trouble(tmp_path: Path) -> None:
    home = survey(tmp_path)
    assert find(home, "last run", NOW).level is Level.SKIP
    path = make_database(tmp_path)
    assert "none yet" in find(home, "last run", NOW).found
    path.unlink()
    make_database(tmp_path, last=NOW - timedelta(hours=25))
    assert find(home, "last run", NOW).level is Level.OK
    assert find(home, "last run", NOW + timedelta(hours=2)).level is Level.WARN
    make_database(tmp_path, last=NOW - timedelta(hours=3), finished=False)
    assert "interrupted" in find(home, "last run", NOW).found
    make_database(tmp_path, last=NOW, trouble="535 no such login")
    assert "535 no such login" in find(home, "last run", NOW).found


def test_a_timer_is_there_for_this_folder_or_not(tmp_path: Path) -> None:
    def state(*found: Installed) -> tuple[Level, str]:
        check = machine.check_caller(tmp_path, found)
        return check.level, check.found

    timer = Installed("systemd", "/etc/systemd/system/digest.timer", True, tmp_path)
    assert state(timer)[0] is Level.OK
    assert state()[0] is Level.WARN
    assert state(Installed("systemd", "x.timer", False, tmp_path)) == (
        Level.WARN,
        "x.timer is installed, and not active",
    )
    assert "not known" in state(Installed("cron", "the crontab of ada", None, tmp_path))[1]
    elsewhere = state(Installed("cron", "the crontab of ada", None, Path("/srv/other")))
    assert elsewhere[0] is Level.WARN
    assert "/srv/other" in elsewhere[1]
    assert "one is enough" in state(timer, Installed("daemon", "y.service", True))[1]


def test_the_list_of_holidays_ends_some_day(tmp_path: Path) -> None:
    assert machine.check_holidays(date(2026, 6, 1), tmp_path).level is Level.OK
    ending = machine.check_holidays(date(2026, 11, 23), tmp_path)
    assert (ending.level, "38 days more" in ending.found) == (Level.WARN, True)
    assert "2031 are not known" in machine.check_holidays(date(2031, 1, 1), tmp_path).found


def test_the_home_folders_own_holidays_count(tmp_path: Path) -> None:
    own = tmp_path / "holidays.json"
    own.write_text('{"years": {"2027": {"2027-01-18": "King Day"}}}')
    assert machine.check_holidays(date(2026, 11, 23), tmp_path).found == "known to the end of 2027"
    own.write_text('{"years": {"2027": {"2027-01-32": "King Day"}}}')
    broken = machine.check_holidays(date(2026, 6, 1), tmp_path)
    assert (broken.level, "2027-01-32" in broken.found) == (Level.FAIL, True)
    own.unlink()
    assert machine.check_holidays(date(2026, 6, 1), tmp_path).level is Level.OK


def test_zone_data_is_there_and_its_age_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.check_zones(NOW).level is Level.OK
    monkeypatch.setattr(machine, "_zones_version", lambda: "2019c")
    assert machine.check_zones(NOW).level is Level.WARN
