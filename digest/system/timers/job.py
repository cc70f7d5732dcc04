"""The job of a timer: what it calls, whose it is, and which paths it needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STATE = Path("/var/lib/digest")
"""The home folder of a system-wide installation; systemd makes it (StateDirectory)."""
ACCOUNT = "digest"
"""The account that owns it, made by systemd-sysusers."""
MARK = "Made by 'digest timer install'; 'digest timer remove' takes it away."
"""Stands in every file that was made here; no other file is changed or removed."""
LOG = "last-run.log"
"""In the home folder, what the last run said, where cron would otherwise mail it, or launchd lose
it."""

_NEAR_PEOPLE = tuple(Path(p) for p in ("/home", "/root", "/run/user"))
# PrivateTmp= hides both.
_TEMPORARY = tuple(Path(p) for p in ("/tmp", "/var/tmp"))  # noqa: S108


@dataclass(frozen=True, slots=True)
class Job:
    """One `digest run` as a service manager is to call it.

    `command` is the program with its first arguments; `account` runs it where a system's manager
    calls; `writes` are folders beside the home folder that a run writes to, `reads` what else it
    must be able to see; `sendmail`: mail leaves through a program that needs its set-group-ID bit;
    `web`: a service beside it answers on the web.
    """

    command: tuple[str, ...]
    home: Path
    account: str = ACCOUNT
    writes: tuple[Path, ...] = ()
    reads: tuple[Path, ...] = ()
    sendmail: bool = False
    web: bool = False

    @property
    def arguments(self) -> tuple[str, ...]:
        """The whole command line of one cycle."""
        return (*self.command, "run", "--wait")

    @property
    def near_people(self) -> tuple[Path, ...]:
        """What a run needs below /home, /root or /run/user, the folders that ProtectHome=
        closes.
        """
        return self._below(_NEAR_PEOPLE)

    @property
    def temporary(self) -> tuple[Path, ...]:
        """What a run needs below /tmp or /var/tmp, which PrivateTmp= replaces."""
        return self._below(_TEMPORARY)

    def _below(self, folders: tuple[Path, ...]) -> tuple[Path, ...]:
        needed = (Path(self.command[0]), self.home, *self.writes, *self.reads)
        found = dict.fromkeys(
            p for p in needed if any(p.is_relative_to(folder) for folder in folders)
        )
        return tuple(
            p for p in found if not any(p != other and p.is_relative_to(other) for other in found)
        )


SHIPPED = Job(("/usr/local/bin/digest",), STATE)
"""The installation that the units in the folder systemd/ are for."""
