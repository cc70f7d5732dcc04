"""One cycle and one edit at a time, across real processes."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest.errors import ConfigError, StoreError, TryLaterError
from digest.system.locks import cycle_lock, file_lock

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
HOLDER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from digest.system.locks import {lock}
with {lock}({arguments}, clock=lambda: datetime(2026, 11, 23, 7, tzinfo=UTC)):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def another_process(lock: str, arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A real process that holds the lock until it reads a line."""
    code = HOLDER.format(lock=lock, arguments=arguments)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "digest.db"


def test_a_second_cycle_is_turned_away_and_told_by_whom_and_since_when(db):
    with another_process("cycle_lock", f"Path({str(db)!r})") as process:
        with pytest.raises(TryLaterError) as caught, cycle_lock(db):
            pass
        assert f"(process {process.pid}, since 2026-11-23T07:00:00Z)" in caught.value.message
        assert str(db) in caught.value.message
        assert caught.value.exit_code == 75
        process.communicate("\n", timeout=10)
        assert process.returncode == 0
    with cycle_lock(db):
        pass


def test_the_lock_of_a_killed_process_is_free(db):
    with another_process("cycle_lock", f"Path({str(db)!r})") as process:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        with cycle_lock(db, clock=lambda: NOW):
            note = (db.parent / "digest.db.lock").read_text()
            assert note == f"{os.getpid()} 2026-11-23T07:00:00Z\n"


def test_the_lock_file_stays_and_no_longer_names_anybody(db):
    with cycle_lock(db):
        inode = (db.parent / "digest.db.lock").stat().st_ino
    lock = db.parent / "digest.db.lock"
    assert lock.stat().st_ino == inode
    assert lock.read_bytes() == b""
    assert not db.exists()


def test_the_lock_is_let_go_after_an_error(db):
    with pytest.raises(ZeroDivisionError), cycle_lock(db):
        raise ZeroDivisionError
    with cycle_lock(db):
        pass


def test_a_cycle_does_not_run_twice_in_one_process_either(db):
    with (
        cycle_lock(db),
        pytest.raises(TryLaterError, match=f"process {os.getpid()}"),
        cycle_lock(db),
    ):
        pass


@pytest.mark.parametrize("note", [b"", b"\xff\xfe", b"12", b"x y", b"12 yesterday", b"9" * 5000])
def test_a_note_that_cannot_be_read_changes_nothing(db, note):
    lock = db.parent / "digest.db.lock"
    with cycle_lock(db):
        lock.write_bytes(note)
        with pytest.raises(TryLaterError, match="process unknown"), cycle_lock(db):
            pass


def test_a_child_does_not_keep_the_lock(db):
    with cycle_lock(db):
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False
        )
    try:
        with cycle_lock(db):
            pass
    finally:
        child.communicate(b"\n", timeout=10)


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with (
        pytest.raises(StoreError, match=r"there is no folder .*nowhere"),
        cycle_lock(tmp_path / "nowhere/digest.db"),
    ):
        pass


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_a_lock_that_is_no_plain_file_is_refused(tmp_path, kind):
    lock = tmp_path / "digest.db.lock"
    if kind == "folder":
        lock.mkdir()
    else:
        (tmp_path / "elsewhere").touch()
        lock.symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(StoreError, match=r"digest\.db\.lock cannot be opened"),
        cycle_lock(tmp_path / "digest.db"),
    ):
        pass


@pytest.mark.parametrize("before", [None, 0o644, 0o666])
def test_a_lock_is_for_its_owner_alone(tmp_path, before):
    """Another user who can read the file could hold the lock, and no cycle would ever begin."""
    lock = tmp_path / "digest.db.lock"
    if before is not None:
        lock.touch()
        lock.chmod(before)
    old = os.umask(0)
    try:
        with cycle_lock(tmp_path / "digest.db"):
            assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    finally:
        os.umask(old)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root works in everybody's folders")
def test_a_lock_that_root_makes_is_the_folder_owners():
    with unwritable_folder() as folder:
        os.seteuid(0)
        os.chown(folder, 65534, 65534)
        with cycle_lock(folder / "digest.db"):
            assert (folder / "digest.db.lock").stat().st_uid == 65534


@contextmanager
def unwritable_folder() -> Iterator[Path]:
    """A folder in which this user may not write; root becomes nobody for the time."""
    folder = Path(tempfile.mkdtemp(prefix="digest-"))
    folder.chmod(0o555)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(65534)
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_an_unwritable_folder_is_an_error_that_names_its_owner_and_you():
    with unwritable_folder() as folder:
        with (
            pytest.raises(StoreError, match=r"belongs to .*, you are ") as caught,
            cycle_lock(folder / "digest.db"),
        ):
            pass
        assert str(folder) in caught.value.message
        if os.getuid() == 0:
            assert f"{folder} belongs to root, you are nobody" in caught.value.message
        assert caught.value.exit_code == 78
        with (
            pytest.raises(ConfigError, match="belongs to"),
            file_lock(folder / "subscribers.yaml", 0),
        ):
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file that belongs to another")
def test_a_lock_file_of_another_user_is_an_error_that_names_them():
    with unwritable_folder() as folder:
        os.seteuid(0)
        (folder / "digest.db.lock").touch(0o600)
        os.seteuid(65534)
        with (
            pytest.raises(StoreError, match=r"digest\.db\.lock belongs to root"),
            cycle_lock(folder / "digest.db"),
        ):
            pass


def test_an_edit_waits_for_the_one_before(tmp_path):
    path = tmp_path / "subscribers.yaml"
    with another_process("file_lock", f"Path({str(path)!r}), 1") as process:
        waited: list[float] = []

        def sleep(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 3:
                process.communicate("\n", timeout=10)

        with file_lock(path, 10, sleep=sleep, monotonic=lambda: 0.0):
            assert len(waited) == 3


def test_an_edit_gives_up_after_its_time_and_says_who_is_at_work(tmp_path):
    path = tmp_path / "subscribers.yaml"
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    with (
        another_process("file_lock", f"Path({str(path)!r}), 1") as process,
        pytest.raises(TryLaterError) as caught,
        file_lock(path, 0.12, sleep=sleep, monotonic=lambda: now),
    ):
        pass
    assert (
        f"{path} is being edited by another process (process {process.pid}, since 2026"
        in caught.value.message
    )
    assert now == pytest.approx(0.12)
