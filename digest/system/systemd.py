"""Messages to systemd: ready, reloading, stopping, still alive (the protocol of sd_notify(3)); else
silent.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

from digest.errors import one_line

_PATIENCE = 1.0
"""Seconds that a message may wait for the service manager to read earlier ones."""


@dataclass(frozen=True, slots=True)
class Notifier:
    """A way to the service manager; without an `address` each message goes nowhere.

    `address` is a socket's path, or `@name` for an abstract one. `watchdog_seconds` is the time
    after which the manager ends a service that was silent (None: it does not watch); half of it is
    a good interval.
    """

    address: str = ""
    watchdog_seconds: float | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, pid: int | None = None) -> Notifier:
        """The way that the service manager named in NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.

        A watchdog that is meant for another process than `pid` (this one), or that cannot be read,
        is none.
        """
        address = environ.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return cls()
        own = str(os.getpid() if pid is None else pid)
        is_ours = environ.get("WATCHDOG_PID", own) == own
        found = re.fullmatch("[0-9]+", environ.get("WATCHDOG_USEC", "")) if is_ours else None
        microseconds = int(found[0]) if found else 0
        return cls(address, microseconds / 1_000_000 if microseconds else None)

    def ready(self, status: str = "") -> bool:
        """The start, or a reload, is over."""
        return self._send("READY=1", status)

    def status(self, text: str) -> bool:
        """What the service is doing, in one line for people who ask systemctl."""
        return self._send("", text)

    def alive(self) -> bool:
        """Keep the watchdog quiet."""
        return self._send("WATCHDOG=1")

    def stopping(self, status: str = "") -> bool:
        """The end has begun."""
        return self._send("STOPPING=1", status)

    def reloading(self, status: str = "") -> bool:
        """The settings are read anew; `ready` must follow. The time is CLOCK_MONOTONIC's."""
        return self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}", status)

    def _send(self, state: str, status: str = "") -> bool:
        """Send one message, and say whether it went out; a manager that is not there stops no
        work.
        """
        if not self.address:
            return False
        lines = [state] if state else []
        if status:
            # A line break would begin another assignment.
            lines.append("STATUS=" + one_line(status))
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.settimeout(_PATIENCE)
                channel.sendto("\n".join(lines).encode(), address)
        except OSError:
            return False
        return True
