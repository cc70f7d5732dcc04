"""The machine as far as timers concern it: its service manager, its folders, and calls of its
programs.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from digest.errors import ConfigError
from digest.system.accounts import account_home, account_name

SYSTEMD_RUNS = Path("/run/systemd/system")
"""There while systemd is the machine's first process (sd_booted(3))."""
QUICK = 5.0
"""Seconds that a service manager may take to answer a question."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a program ended, and what it said. Code 127: there is no such program; 124: it did not
    end in time.
    """

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """Its last words, for people."""
        lines = (self.err or self.out).strip().splitlines()
        return lines[-1].strip() if lines else f"exit code {self.code}"


@dataclass(frozen=True, slots=True)
class Machine:
    """Where things are for the user who runs this; `root` is / but in tests."""

    system: str
    systemd: bool
    uid: int
    user: str
    home: Path
    config: Path
    variables: Mapping[str, str]
    root: Path = Path("/")

    @classmethod
    def this(cls, environ: Mapping[str, str]) -> Self:
        """Look around. Raises ConfigError on Windows itself, where Digest cannot work."""
        system = platform.system().lower()
        if system == "windows":
            raise ConfigError(
                "Digest cannot run on Windows itself, "
                "which has no flock and no colon in file names (Maildir)",
                remedy="use WSL, where all of it works (docs/windows.md)",
            )
        home = Path(environ.get("HOME") or account_home(os.geteuid()))
        config = environ.get("XDG_CONFIG_HOME", "")
        uid = os.geteuid()
        return cls(
            system=system,
            systemd=system == "linux" and SYSTEMD_RUNS.is_dir(),
            uid=uid,
            user=account_name(uid),
            home=home,
            config=Path(config) if config.startswith("/") else home / ".config",
            # Programs speak untranslated, and find the way to the user's manager, which a session
            # by `su` or a cron job lacks.
            variables={"XDG_RUNTIME_DIR": f"/run/user/{uid}", **environ, "LC_ALL": "C"},
        )

    @property
    def lingers(self) -> bool:
        """Whether the user's own manager goes on after logout (loginctl(1), enable-linger)."""
        return (self.root / "var/lib/systemd/linger" / self.user).exists()

    def has(self, program: str) -> bool:
        """Whether a program is there to be called."""
        return shutil.which(program, path=self.variables.get("PATH")) is not None

    def call(
        self, arguments: Sequence[str], *, given: str | None = None, seconds: float = 60.0
    ) -> CommandResult:
        """Call a program and wait for it; never fails."""
        try:
            done = subprocess.run(
                arguments,
                input=given,
                stdin=subprocess.DEVNULL if given is None else None,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
                timeout=seconds,
                env=dict(self.variables),
            )
        # The codes are those of a shell and of timeout(1).
        except FileNotFoundError:
            return CommandResult(127, "", f"there is no program {arguments[0]}")
        except subprocess.TimeoutExpired:
            return CommandResult(124, "", f"{arguments[0]} did not answer in {seconds:.0f} s")
        except OSError as error:
            return CommandResult(126, "", f"{arguments[0]} cannot be called ({error.strerror})")
        return CommandResult(done.returncode, done.stdout, done.stderr)

    def crontab(self) -> str:
        """The user's crontab, empty where there is none, or no cron. Raises ConfigError where it
        cannot be read.
        """
        if not self.has("crontab"):
            return ""
        result = self.call(("crontab", "-l"))
        if result.code == 0:
            return result.out
        said = result.err.lower()
        # Every cron has its own words for "nothing yet", and the same exit code for a refusal.
        if result.code == 1 and ("no crontab" in said or "no such file" in said):
            return ""
        raise ConfigError(f"the crontab of {self.user} cannot be read ({result.last_line})")


def owner(folder: Path) -> str:
    """The account that a folder belongs to. Raises ConfigError where there is no such folder."""
    try:
        return account_name(folder.stat().st_uid)
    except OSError as error:
        raise ConfigError(
            f"there is no folder {folder} ({error.strerror})", remedy="make it with digest init"
        ) from error
