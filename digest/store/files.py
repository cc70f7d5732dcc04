"""The file of a database: whether it is there, whose it is, and what to do where it is gone."""

from __future__ import annotations

import os
from pathlib import Path

from digest.errors import StoreError
from digest.store.copying import backups


def is_there(path: Path) -> bool:
    """Whether there is a database, or none yet. Raises StoreError where there was one: for a link
    that leads nowhere, and for a log without its database.
    """
    if path.exists():
        return True
    if path.is_symlink():
        raise StoreError(
            f"{path} is a link to {path.readlink()}, which is not there",
            remedy="is a disk not mounted? Remove the link to begin anew",
        )
    log = path.with_name(f"{path.name}-wal")
    if log.exists():
        raise StoreError(
            f"{path} is gone, and its log {log.name} is there", remedy=how_to_restore(path, log)
        )
    return False


def how_to_restore(path: Path, rest: Path) -> str:
    """What to do where a database has lost what it held, and `rest` is left of it."""
    found = backups(path)
    restore = (
        f"restore the newest backup: digest db restore {found[-1]}"
        if found
        else "restore a backup ('digest db restore'; there is none beside it)"
    )
    return f"{restore}; or, to begin anew with all first digests, remove {rest.name}"


def check_owner(path: Path) -> None:
    """A file of another user's is refused: what we would write beside it would lock its owner
    out.
    """
    if path.is_dir():
        raise StoreError(f"{path} is a folder", remedy="name a file in it with DIGEST_DB")
    try:
        owner = path.stat().st_uid
    except FileNotFoundError:
        folder = path.parent
        if not folder.is_dir():
            raise StoreError(
                f"the folder {folder} does not exist",
                remedy="make it, or name another with DIGEST_HOME",
            ) from None
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StoreError(
                f"the folder {folder} is not writable for {_user(os.geteuid())}",
                remedy=f"it belongs to {_user(folder.stat().st_uid)}: run as that user",
            ) from None
        return
    except OSError as error:
        raise StoreError(f"{path} cannot be reached ({error.strerror})") from error
    if owner != os.geteuid():
        raise StoreError(
            f"{path} belongs to {_user(owner)}, and this runs as {_user(os.geteuid())}",
            remedy=f"run as {_user(owner)}, such as with: sudo -u {_user(owner)} digest …",
        )


def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
