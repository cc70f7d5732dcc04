"""Delivery into a Maildir: one file a message, found again by its Message-ID, never overwritten."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from digest.mail.message import Message, words
from digest.model import Outcome, Receipt

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)


class MaildirTransport:
    """Writes messages into `path/new`, as any mail reader expects them (maildir(5)).

    The name of a file is a hash of its Message-ID: a second attempt of a delivery finds the first
    one's file, read or not, and writes no copy. The folder and its three parts are made where they
    are absent.
    """

    width = 1

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._folders = [_Folder(self._path / "new"), _Folder(self._path / "cur")]

    @property
    def description(self) -> str:
        """The folder."""
        return f"Maildir {self._path}"

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        """Write one message. Trouble with the folder is a RELAY receipt: no message is at fault for
        it.

        From `before_data` on nothing is awaited, so no cancellation comes in between.
        """
        await asyncio.sleep(0)
        return self._deliver(message, before_data)

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _deliver(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        name = f"{hashlib.sha256(message.message_id.encode()).hexdigest()[:40]}.digest"
        try:
            self._make_folders()
            if any(folder.holds(name) for folder in self._folders):
                return Receipt(Outcome.SENT, "it was in the folder already", folder=True)
            draft = self._write(name, message.data)
        except OSError as error:
            return self._refused(error)
        try:
            before_data()
            try:
                added = self._folders[0].add(draft, name)
            except OSError as error:
                return self._refused(error)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
        if not added:
            return Receipt(Outcome.SENT, "it was in the folder already", folder=True)
        try:
            _synchronize(self._folders[0].path)
        except OSError as error:
            # The file is there, but a power failure may take it away again.
            return Receipt(Outcome.UNKNOWN, words(f"{self._path}: {error.strerror}"))
        return Receipt(Outcome.SENT, f"written to {self._path}", folder=True)

    def _refused(self, error: OSError) -> Receipt:
        reply = words(f"{self._path} cannot be written: {error.strerror or error}")
        return Receipt(Outcome.RELAY, reply, permanent=True)

    def _make_folders(self) -> None:
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("tmp", "new", "cur"):
            (self._path / name).mkdir(mode=0o700, exist_ok=True)

    def _write(self, name: str, data: bytes) -> Path:
        """Write a file into tmp, all the way to the disk; a reader of the Maildir does not look
        there.
        """
        draft = self._path / "tmp" / f"{name}.{os.getpid()}.{secrets.token_hex(4)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                # In files, lines end as the machine's do.
                file.write(data.replace(b"\r\n", b"\n"))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
        return draft


class _Folder:
    """What stands in `new` or `cur`, read again only when somebody else changed it.

    A hundred thousand messages would otherwise cost as many listings, each longer than the last.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._changed = -1
        self._names: set[str] = set()

    def holds(self, name: str) -> bool:
        """Whether a message of that name is here, with or without flags after a colon."""
        changed = self.path.stat().st_mtime_ns
        if changed != self._changed:
            self._names = {entry.name.partition(":")[0] for entry in self.path.iterdir()}
            self._changed = changed
        return name in self._names or (self.path / name).exists()

    def add(self, draft: Path, name: str) -> bool:
        """Move a draft in under its final name; false where that is taken, and then nothing is
        touched.
        """
        unchanged = self.path.stat().st_mtime_ns == self._changed
        try:
            # Unlike a rename, a link never takes the place of a file that is there.
            os.link(draft, self.path / name)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS or (self.path / name).exists():
                raise
            draft.rename(self.path / name)
        self._names.add(name)
        # Where somebody else came in between, the next look reads the folder again.
        if unchanged:
            self._changed = self.path.stat().st_mtime_ns
        return True


def _synchronize(folder: Path) -> None:
    """Bring a folder's own entries to the disk; without it a new name may be lost with the
    power.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
