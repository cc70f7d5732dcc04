"""A mailbox that is read in a process of its own, within bounds of time and memory.

Mails are written and servers run by strangers: whatever they make a reading cost, it costs that
process, which can be ended at any moment, and never the program's own time.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from digest.errors import ConfigError, TryLaterError
from digest.mail.mailbox import MailboxLocation
from digest.mail.processes import wait_until_gone
from digest.mail.received import Incoming

PATIENCE = 20.0
"""Seconds to wait until it is said what one message is: that takes some thousandths of one, but a
machine may stand still. What a mail itself may cost, the process counts (`mailbox_worker`)."""
GOODBYE = 2.0
"""Seconds to log out."""
LONGEST_ANSWER = 4 * 1024 * 1024
"""Bytes of an answer of the process's."""

_PASSED_ON = ("PATH", "HOME", "TZ", "TMPDIR", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PASSED_ON_KINDS = ("PYTHON", "LC_", "LD_", "DYLD_", "OPENSSL_")


class _EndedError(TryLaterError):
    """The process has ended before it answered."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A message that was fetched and not yet read: the `key` it is known by, and for people its
    sender and subject as they stand there. Where the server will not send it, it has no key, and
    `refused` has the server's words; `huge` says that it is too large to be asked for.
    """

    key: str = ""
    sender: str = ""
    subject: str = ""
    refused: str = ""
    huge: str = ""


class MailboxProcess:
    """An open mailbox. `validity` is UIDVALIDITY; `ended`: the process is gone, and all that can be
    done is to open another.

    Every call but `read` raises ConfigError where it can only fail, TryLaterError where that may
    pass.
    """

    validity: int
    ended = False

    def __init__(self, process: Process, name: str) -> None:
        self._process, self._name = process, name

    async def open(
        self, place: MailboxLocation, password: str, ca: Path | None, seconds: float
    ) -> None:
        """Connect, log in and select the folder, with `seconds` for all that follows."""
        self.validity = await self._call(
            "open",
            place=asdict(place),
            password=password,
            ca=str(ca) if ca else None,
            seconds=seconds,
        )

    async def uids(self, *, after: int, since: date | None, limit: int) -> list[int]:
        """The numbers (UIDs) of messages beyond `after`, in their order; none that came before the
        day `since`.
        """
        day = since.isoformat() if since else None
        found: list[int] = await self._call("uids", after=after, since=day, limit=limit)
        return found

    async def size(self, uid: int) -> int:
        """The size of a message in bytes, as the server says; 0 where it does not."""
        size: int = await self._call("size", uid=uid)
        return size

    async def fetch(self, uid: int) -> Fetched | None:
        """Get a message, which stays as unread as it was; None where it is gone."""
        found = await self._call("fetch", uid=uid)
        return Fetched(**found) if found else None

    async def read(self) -> Incoming | None:
        """What the message is that was fetched last; None where saying that costs too much, and
        then the process has ended.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                return Incoming.from_json(await self._call("read"))
        except (TimeoutError, _EndedError):
            self.ended = True
            return None

    async def mark_handled(self, uid: int) -> None:
        """Mark a message read, since nobody needs to read it, and as handled by us."""
        await self._call("mark_handled", uid=uid)

    async def close(self) -> None:
        """Log out, where that is soon done. Never fails."""
        if self.ended:
            return
        with suppress(TimeoutError, TryLaterError):
            async with asyncio.timeout(GOODBYE):
                await self._call("close")

    async def _call(self, command: str, **arguments: Any) -> Any:
        """Give one command and wait for its answer."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps({"command": command, "arguments": arguments}).encode() + b"\n")
            await stdin.drain()
            found = json.loads(await stdout.readline())
        except (OSError, ValueError):  # a closed pipe, its end, or an answer without end
            raise _EndedError(
                f"the mailbox {self._name} could not be read: the process that reads it broke off",
                remedy="did the server send something huge?",
            ) from None
        if "error" in found:
            failure = ConfigError if found["config"] else TryLaterError
            raise failure(found["error"], remedy=found["remedy"])
        return found["answer"]


def too_slow(place: MailboxLocation, seconds: float) -> TryLaterError:
    """The error where a mailbox tells nothing in all the time that it is given."""
    return TryLaterError(
        f"the mailbox {place.name} told nothing of what is in it within {seconds:g} seconds",
        remedy="is the server overloaded?",
    )


@asynccontextmanager
async def open_mailbox(
    place: MailboxLocation, password: str, ca: Path | None, seconds: float
) -> AsyncIterator[MailboxProcess]:
    """Open a mailbox in a process of its own, which lives no longer than this context, and little
    longer than `seconds` in any case. Raises what the calls raise, and TryLaterError where opening
    it takes all that time.

    The password goes to it by its input: no list of processes shows that.
    """
    process = await _start(place)
    try:
        mailbox = MailboxProcess(process, place.name)
        try:
            async with asyncio.timeout(seconds):
                await mailbox.open(place, password, ca, seconds)
        except TimeoutError:
            raise too_slow(place, seconds) from None
        yield mailbox
        await mailbox.close()
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await wait_until_gone(process)


async def _start(place: MailboxLocation) -> Process:
    """Start the process, with no more of the environment than is named here."""
    # docs/decisions.md, “The mailbox is read in a process of its own”.
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # no module is imported from the current folder
            "-m",
            "digest.mail.mailbox_worker",
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=_environment(),
            # Ctrl-C is for the program, which ends this process in its own time.
            start_new_session=True,
            limit=LONGEST_ANSWER,
        )
    except OSError as error:
        raise TryLaterError(
            f"the mailbox {place.name} could not be read: no process can be started for it"
            f" ({error.strerror})",
            remedy="are there too many processes or open files?",
        ) from None


def _environment() -> dict[str, str]:
    """What the process is told of ours, and the folders in which this program finds its modules:
    some it knows from its own beginning alone, as in a clone, or where a packager wrote them into
    the command.
    """
    passed_on = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.startswith(_PASSED_ON_KINDS)
    }
    folders = (folder for folder in sys.path if Path(folder).is_absolute())
    return passed_on | {"PYTHONPATH": os.pathsep.join(folders)}
