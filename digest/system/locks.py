"""Locks between processes: one cycle and one question to arXiv at a time on a database, one edit on
a file.

A lock is an flock(2) on a file next to the guarded one, with `.lock` added to its name. The kernel
releases it when its holder ends, however that ends, so the file itself means nothing and is never
deleted (deleting it would let two processes hold "the" lock, on two files of one name). The holder
writes its process id and the time into the file, for the message to whoever is turned away.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import math
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from digest.errors import ConfigError, DigestError, StoreError, TryLaterError, UnreachableError
from digest.system.accounts import account_name
from digest.times import from_text, to_text

POLL = 0.05
"""Seconds between two tries while somebody waits for a lock."""
LONGEST_TURN = 600.0
"""Seconds after which a turn at asking arXiv is no longer waited for; a request takes three minutes
at most."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def cycle_lock(path: Path, *, clock: Callable[[], datetime] = _utc_now) -> Iterator[None]:
    """Hold the only cycle on the database at `path`; the lock is the file `path` + `.lock`.

    Raises TryLaterError at once where another process holds it, and StoreError where the lock file
    cannot be used, naming its owner and the user who runs this. `clock` tells what the holder notes
    for others.
    """

    def give_up() -> None:
        raise TryLaterError(
            f"another cycle is at work on {path} ({_holder(path)})",
            remedy="wait until it is done; the next run finishes what is left",
        )

    with _locked(path, StoreError, give_up, clock):
        yield


@contextmanager
def file_lock(
    path: Path,
    timeout: float,
    *,
    sleep: Callable[[float], object] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
    clock: Callable[[], datetime] = _utc_now,
) -> Iterator[None]:
    """Hold the only edit of the file at `path`, waiting up to `timeout` seconds; the lock is `path`
    + `.lock`.

    Raises TryLaterError where another process holds it all that time, and ConfigError where the
    lock file cannot be used, naming its owner and the user who runs this.
    """
    deadline = monotonic() + timeout

    def wait() -> None:
        left = deadline - monotonic()
        if left <= 0:
            raise TryLaterError(
                f"{path} is being edited by another process ({_holder(path)})",
                remedy="try again when it is done",
            )
        sleep(min(POLL, left))

    with _locked(path, ConfigError, wait, clock):
        yield


@contextmanager
def _locked(
    path: Path,
    failure: type[DigestError],
    wait: Callable[[], None],
    clock: Callable[[], datetime],
) -> Iterator[None]:
    """Hold the lock on `path`, and note in its file who does and since when. While another process
    holds it, `wait` is called, which raises when it is time to give up.
    """
    lock = _lock_path(path)
    try:
        descriptor = _open(lock, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise _unusable(lock, error, failure) from error
    try:
        try:
            while not _lock(descriptor):
                wait()
        except OSError as error:
            raise failure(
                f"{lock} cannot be locked ({error.strerror})",
                remedy="put the home folder on a file system with locks, such as a local disk",
            ) from error
        _write(descriptor, f"{os.getpid()} {to_text(clock())}\n".encode())
        try:
            yield
        finally:
            _write(descriptor, b"")
            # Closing alone would leave the lock with a child that has been started and not yet
            # closed its copy.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


class ArxivTurns:
    """Turns at asking arXiv for all processes on the database at `path`: one request at a time,
    with pauses.

    The lock is the file `path` + `.arxiv.lock`, in which stands when the last request ended, so
    that the next program keeps the pause, too. That is the machine's wall clock, which may be
    wrong; so a pause is never waited for longer than it is by the monotonic clock. Where the file
    cannot even be read, there is nobody to take turns with: asking goes on without.

    docs/decisions.md: Turns at asking arXiv are taken for each request.
    """

    def __init__(
        self,
        path: Path,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._path = path.with_name(f"{path.name}.arxiv.lock")
        self._sleep = sleep
        self._monotonic = monotonic
        self._wall = wall

    @asynccontextmanager
    async def __call__(self, delay: float) -> AsyncIterator[None]:
        """Hold the turn, which begins `delay` seconds after the last one's end at the earliest.

        Raises UnreachableError where another process keeps it for ten minutes.
        """
        descriptor = self._open()
        if descriptor is None:
            yield
            return
        try:
            await self._take(descriptor, delay)
            try:
                yield
            finally:
                # Another user's file cannot be written: its lock holds, and the pause is our own.
                with suppress(OSError):
                    os.pwrite(descriptor, f"{self._wall():017.3f}\n".encode(), 0)
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)

    def _open(self) -> int | None:
        for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
            with suppress(OSError):
                return _open(self._path, flags)
        return None

    async def _take(self, descriptor: int, delay: float) -> None:
        """Get the lock when the pause is over; while it lasts, others may have the lock, so that
        all wait alike.
        """
        began = since = self._monotonic()
        noted: bytes | None = None
        while True:
            wait = POLL
            if self._is_taken(descriptor):
                note = os.pread(descriptor, 100, 0)
                if note != noted:
                    noted, since = note, self._monotonic()
                # By the wall clock that the last program noted, or by our own since then: whichever
                # is over first, so that a clock that was set holds nobody up.
                wait = min(
                    self._ended(note) + delay - self._wall(), since + delay - self._monotonic()
                )
                if wait <= 0:
                    return
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            if self._monotonic() - began > LONGEST_TURN:
                raise UnreachableError("another process keeps asking arXiv", transient=False)
            await self._sleep(wait)

    @staticmethod
    def _is_taken(descriptor: int) -> bool:
        try:
            return _lock(descriptor)
        except OSError:  # no locks on this file system; the cycle's own lock says so
            return True

    @staticmethod
    def _ended(note: bytes) -> float:
        """When the last request ended by this note, in seconds; long ago where it tells nothing."""
        try:
            moment = float(note)
        except ValueError:
            return 0.0
        return moment if math.isfinite(moment) else 0.0


def _open(lock: Path, flags: int) -> int:
    """Open a lock's file, which is for its owner alone: whoever can read it can hold the lock."""
    # O_NOFOLLOW: in a folder that others can write to, a link could lead to any file.
    descriptor = os.open(lock, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with suppress(OSError):
        if os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
        # What root does in somebody's folder must not lock them out.
        if os.geteuid() == 0:
            folder = lock.parent.stat()
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
    return descriptor


def _lock(descriptor: int) -> bool:
    """Take the lock unless somebody has it. Raises OSError where the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _write(descriptor: int, note: bytes) -> None:
    """Replace the note; it only informs, so a full disk is no reason to do without the lock."""
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, note, 0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise


def lock_note(path: Path) -> tuple[int, datetime] | None:
    """What the holder of the lock on `path` noted: its process id, and since when; None where there
    is no such note. The note may outlive the lock.
    """
    try:
        # A note is shorter than this, and the file may hold anything.
        with _lock_path(path).open(encoding="ascii") as stream:
            process, _, since = stream.read(100).strip().partition(" ")
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


def _holder(path: Path) -> str:
    note = lock_note(path)
    return f"process {note[0]}, since {to_text(note[1])}" if note else "process unknown"


def _unusable(lock: Path, error: OSError, failure: type[DigestError]) -> DigestError:
    """Say why the lock file cannot be opened, and to whom what is in the way belongs."""
    if isinstance(error, FileNotFoundError):
        return failure(
            f"there is no folder {lock.parent}", remedy="make it, or name another home folder"
        )
    if not isinstance(error, PermissionError):
        return failure(f"{lock} cannot be opened ({error.strerror})")
    me = _user_name(os.geteuid())
    for place in (lock, lock.parent):
        with suppress(OSError):
            owner = _user_name(place.stat().st_uid)
            return failure(
                f"{lock} cannot be written: {place} belongs to {owner}, you are {me}",
                remedy="run as its owner, or give the folder to yourself",
            )
    return failure(
        f"{lock} cannot be written: {lock.parent} is closed, you are {me}",
        remedy="run as the folder's owner",
    )


def _user_name(uid: int) -> str:
    return account_name(uid, f"user {uid}")
