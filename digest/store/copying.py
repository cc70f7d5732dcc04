"""Whole copies of a database file, also while somebody works with it."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

BUSY_SECONDS = 10.0
"""How long to wait for another program's lock."""
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)
"""What a file system says that has no hard links, such as exFAT or a share of another machine."""


def copy_whole(source: Path, target: Path) -> None:
    """Copy a database into one file of its own, as it is at one moment (see `save_whole`).

    What stood at `target` is replaced.
    """
    with closing(open_to_read(source, BUSY_SECONDS)) as old:
        save_whole(old, target)


def save_whole(source: sqlite3.Connection, target: Path, *, replaces: bool = True) -> None:
    """Write all of a database into one file; the file is there whole or not at all.

    What stands at `target` is replaced, or else left. Nobody else can read the file: the database
    holds the secret of signed links. Raises sqlite3.Error and OSError.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
        with closing(sqlite3.connect(draft)) as new:
            # Nobody waits for each of its steps: it comes to the disk as a whole, below.
            new.execute("PRAGMA synchronous = OFF")
            source.backup(new)
            # The copy needs no write-ahead log beside it.
            new.execute("PRAGMA journal_mode = DELETE").fetchone()
        _sync(draft)
        if replaces:
            draft.replace(target)
        else:
            with suppress(FileExistsError):
                _add_name(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def backups(path: Path) -> list[Path]:
    """The copies that lie beside a database, the youngest last: of `digest db backup`, of a
    migration, or of a restore.
    """
    kinds = (
        (f"{path.stem}-", path.suffix),
        (f"{path.name}.schema-", ""),
        (f"{path.name}.before-", ""),
    )
    found = [
        (copy.stat().st_mtime, copy)
        for copy in path.parent.iterdir()
        for begin, end in kinds
        if copy.name.startswith(begin) and copy.name.endswith(end) and is_database(copy)
    ]
    return [copy for _, copy in sorted(found)]


def is_database(path: Path) -> bool:
    """Whether a file holds tables of SQLite's (sqlite.org/fileformat.html: its first words)."""
    with suppress(OSError), path.open("rb") as stream:
        return stream.read(16) == b"SQLite format 3\0"
    return False


def open_to_read(path: Path, seconds: float) -> sqlite3.Connection:
    """Open a file only to read it, waiting up to `seconds` while it is locked.

    Read-only, SQLite would leave the files of the write-ahead log behind where there are none. A
    log that is there belongs to somebody at work, or to a crash, and is left to them.
    """
    mode = "ro" if path.with_name(f"{path.name}-wal").exists() else "rw"
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=seconds)


def move_aside(path: Path, name: str) -> Path:
    """Keep a database that cannot be read under another name, with the files of its log, which may
    be all that is left of it; `path` itself stays.
    """
    aside = path.with_name(name)
    with suppress(FileNotFoundError):
        _add_name(path, aside)
    for part in ("-wal", "-shm"):
        log = path.with_name(path.name + part)
        if log.exists():
            log.replace(aside.with_name(aside.name + part))
    return aside


def _add_name(path: Path, name: Path) -> None:
    """Give a file a second name, or where the file system has no hard links, a copy; what stands
    there already is left. Raises OSError.
    """
    try:
        os.link(path, name)
    except OSError as error:
        if error.errno not in _NO_LINKS or name.exists():
            raise
        copy = name.with_name(f".{name.name}.copy")
        shutil.copy2(path, copy)
        _sync(copy)
        copy.replace(name)


def _sync(path: Path) -> None:
    """Bring a file to the disk before a name points to it: a power cut would leave an empty one
    there.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
