"""Delivery through the machine's own sendmail program, whatever mail system stands behind it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from pathlib import Path

from digest.mail.message import NO_ADDRESS, Message, is_mailbox, words
from digest.mail.processes import wait_until_gone
from digest.model import Outcome, Receipt

# Exit codes of sysexits.h. EX_UNAVAILABLE is the catch-all that some programs use for a refused
# recipient, others for a mail system that is down: the message is given up, but no address is
# blamed for it.
_PERMANENT = {os.EX_USAGE, os.EX_NOPERM, os.EX_CONFIG}
_RELAY = _PERMANENT | {os.EX_SOFTWARE, os.EX_OSERR, os.EX_OSFILE, os.EX_CANTCREAT, os.EX_IOERR}
_BOUNCE = {os.EX_NOUSER, os.EX_NOHOST}
_FAILED = _BOUNCE | {os.EX_DATAERR, os.EX_UNAVAILABLE}


class SendmailTransport:
    """Starts `program -i -f SENDER -- RECIPIENT` for each message and gives it the message on its
    input.

    `timeout` is in seconds; a program that needs longer is killed, and what it did is unknown.
    """

    width = 1

    def __init__(self, program: Path, *, timeout: float = 300) -> None:
        self._program = program
        self._timeout = timeout

    @property
    def description(self) -> str:
        """The program."""
        return f"sendmail {self._program}"

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        """Run the program once; its exit code decides (sysexits.h), its last words are the
        reply.
        """
        if not os.access(self._program, os.X_OK) or self._program.is_dir():
            return Receipt(
                Outcome.RELAY,
                words(
                    f"there is no program {self._program}: install a mail system that brings it "
                    "(msmtp-mta, postfix), or set DIGEST_MAIL to smtp://…"
                ),
                permanent=True,
            )
        if not is_mailbox(message.recipient):
            return NO_ADDRESS
        before_data()
        try:
            process = await asyncio.create_subprocess_exec(
                self._program,
                "-i",  # a line with a single dot does not end the message
                "-f",
                message.sender,
                "--",  # no address is taken for an option
                message.recipient,
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=PIPE,
                start_new_session=True,  # so that it can be stopped with all its children
            )
        except OSError as error:
            return Receipt(
                Outcome.RELAY,
                words(f"{self._program} cannot be started: {error.strerror}"),
                permanent=True,
            )
        try:
            async with asyncio.timeout(self._timeout):
                _, said = await process.communicate(message.data.replace(b"\r\n", b"\n"))
        except TimeoutError:
            return Receipt(
                Outcome.UNKNOWN, f"{self._program} was stopped after {self._timeout:g} s"
            )
        finally:
            await _stop(process)
        return self._receipt(process.returncode, said.decode("utf-8", "replace"))

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _receipt(self, code: int | None, said: str) -> Receipt:
        if code == os.EX_OK:
            return Receipt(Outcome.SENT, words(said) or "accepted by sendmail")
        if code is None or code < 0:
            return Receipt(
                Outcome.UNKNOWN, words(f"{self._program} was killed by a signal: {said}")
            )
        reply = words(f"{self._program} ended with code {code}" + (f": {said}" if said else ""))
        if code in _RELAY:
            return Receipt(Outcome.RELAY, reply, permanent=code in _PERMANENT)
        if code in _FAILED:
            return Receipt(Outcome.FAILED, reply, bounce=code in _BOUNCE)
        # EX_TEMPFAIL and all codes that sysexits.h does not know: nobody is to blame yet.
        return Receipt(Outcome.DEFERRED, reply)


async def _stop(process: Process) -> None:
    """End a program that still runs, and all that it started, so that no pipe stays open."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await wait_until_gone(process)
