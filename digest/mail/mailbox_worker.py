"""The process in which a mailbox is read: `python -m digest.mail.mailbox_worker`.

It obeys commands from `mailbox_process`, a line of JSON each, and answers each with a line. It
holds no database and decides nothing, so ending it at any moment costs its reading alone.
"""

from __future__ import annotations

import json
import signal
import sys
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

from digest.errors import ConfigError, DigestError
from digest.mail.incoming import read_incoming
from digest.mail.mailbox import Mailbox, MailboxLocation
from digest.mail.parse import LONGEST, glimpse, key_of
from digest.mail.transport import make_tls_context

MEMORY = 512 * 1024 * 1024
"""Bytes of address space for the whole process, where the system bounds that (macOS does not)."""
PARSING = 5.0
"""Seconds of the processor's time to say what one message is, which takes some thousandths of
one."""
SLACK = 5
"""Seconds after the end of its time at which the process ends by itself, in case nobody ends it."""


class Worker:
    """The commands, each a method that takes and returns what JSON can hold."""

    def __init__(self) -> None:
        self._mailbox: Mailbox
        self._raw = b""

    def open(self, place: dict[str, Any], password: str, ca: str | None, seconds: float) -> int:
        """Connect, log in and select the folder, with `seconds` for all that follows; returns
        UIDVALIDITY.
        """
        limit_resources(int(seconds) + SLACK)
        location = MailboxLocation(**place)
        context = make_tls_context(Path(ca) if ca else None, location.tls)
        self._mailbox = Mailbox(location, password, tls_context=context)
        return self._mailbox.validity

    def uids(self, after: int, since: str | None, limit: int) -> list[int]:
        """The numbers of messages beyond `after` that came on the day `since` or later."""
        day = date.fromisoformat(since) if since else None
        return self._mailbox.uids(after=after, since=day, limit=limit)

    def size(self, uid: int) -> int:
        """The size of a message in bytes."""
        return self._mailbox.size(uid)

    def fetch(self, uid: int) -> dict[str, str] | None:
        """Get a message, and tell what it is known by without reading it; None where it is gone."""
        raw = self._mailbox.fetch(uid, LONGEST)
        if raw is None:
            return None
        if isinstance(raw, str):
            return {"refused": raw}
        self._raw = raw
        sender, subject = glimpse(raw)
        return {"key": key_of(raw), "sender": sender, "subject": subject}

    def read(self) -> dict[str, Any]:
        """Say what the message is that was fetched last. One that takes more than PARSING ends the
        process.
        """
        # By the processor's time: a machine that stands still is no fault of the mail's.
        signal.setitimer(signal.ITIMER_PROF, PARSING)
        try:
            return read_incoming(self._raw).to_json()
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def mark_handled(self, uid: int) -> None:
        """Mark a message."""
        self._mailbox.mark_handled(uid)

    def close(self) -> None:
        """Log out."""
        self._mailbox.close()


def limit_resources(seconds: int) -> None:
    """Bound the time and the memory of this process, where the system can."""
    import resource

    signal.alarm(seconds)
    for name, bound in (("RLIMIT_AS", MEMORY), ("RLIMIT_CPU", seconds), ("RLIMIT_CORE", 0)):
        # Where the system knows no such limit, or has set a lower one.
        with suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (bound, bound))


def answer(worker: Worker, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Obey one command. What goes wrong is an answer, too."""
    try:
        return {"answer": getattr(worker, command)(**arguments)}
    except DigestError as error:
        config = isinstance(error, ConfigError)
        return {"error": error.message, "remedy": error.remedy, "config": config}


def serve(commands: BinaryIO, answers: BinaryIO) -> None:
    """Obey commands until they end."""
    worker = Worker()
    for line in commands:
        answers.write(json.dumps(answer(worker, **json.loads(line))).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
