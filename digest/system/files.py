"""A file replaced as a whole: readers see the old one or the new one, also after a power cut."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from digest.errors import ConfigError

PRIVATE, PUBLIC = 0o640, 0o644
"""Modes of new files: one that holds people's addresses is not for everybody's eyes."""


def replace_file(path: Path, data: bytes, *, mode: int = PRIVATE) -> None:
    """Put `data` in the place of the file at `path` as `write_whole` does. Raises ConfigError."""
    try:
        write_whole(path, data, mode=mode)
    except OSError as error:
        denied = isinstance(error, PermissionError)
        raise ConfigError(
            f"{path} cannot be written ({error.strerror}); nothing was changed",
            remedy="run as the owner of the file and its folder" if denied else "",
        ) from error


def write_whole(path: Path, data: bytes, *, mode: int) -> None:
    """Put `data` in the place of the file at `path`, which is no symbolic link; mode and owner
    stay.

    `mode` is that of a new file. The new file is written beside the old one and synced before it
    takes its name. Raises OSError and leaves the old file where this cannot be done.
    """
    try:
        old = path.stat()
    except FileNotFoundError:
        old = None
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "wb") as stream:  # noqa: PTH123 - an open descriptor
            stream.write(data)
            stream.flush()
            # Before it takes the name, so that nobody can read it in between.
            os.fchmod(descriptor, old.st_mode & 0o7777 if old else mode)
            # Root may edit somebody's file, which stays theirs.
            if old and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, old.st_uid, old.st_gid)
            os.fsync(descriptor)
        Path(name).replace(path)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise
    # The new name is made durable, too. Some file systems cannot sync a folder, and the file is in
    # place already.
    with suppress(OSError):
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_private(path: Path, data: bytes) -> None:
    """Write a file that nobody else may read, also where it was there before. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as stream:  # noqa: PTH123 - an open descriptor
        # Not a device, such as /dev/stderr.
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, 0o600)
        stream.write(data)


def file_stamp(path: Path) -> object:
    """What changes when a file does; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    # Editors put a new file in the old one's place: its number tells that in any case.
    return status.st_mtime_ns, status.st_size, status.st_ino
