"""What installing or removing a timer will do, as a value that is shown first and then carried
out.
"""

from __future__ import annotations

import os
import shlex
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from digest.errors import ConfigError
from digest.system.timers.job import MARK
from digest.system.timers.machine import Machine

SYSTEMD, USER_SYSTEMD, LAUNCHD, CRON, DAEMON = (
    "systemd",
    "systemd --user",
    "launchd",
    "cron",
    "daemon",
)
"""The kinds of timers, and the daemon, which needs none."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to write; or to remove, where `text` is None."""

    path: Path
    text: bytes | None

    @property
    def heading(self) -> str:
        """What will be done with it, for people."""
        return f"{'Remove' if self.text is None else 'Write'}: {self.path}"

    @property
    def content(self) -> str:
        """What it will hold."""
        return (self.text or b"").decode()


@dataclass(frozen=True, slots=True)
class Call:
    """A program to call. `given` is its input. What `may_fail` is reported and stops nothing,
    `retries` times one second apart; where `missing` is empty a failure is passed over in silence.
    """

    arguments: tuple[str, ...]
    given: str | None = None
    may_fail: bool = False
    missing: str = ""
    retries: int = 0

    @property
    def heading(self) -> str:
        """What will be called, for people."""
        return f"Call: {shlex.join(self.arguments)}"

    @property
    def content(self) -> str:
        """What it is given to read."""
        return self.given or ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in their order; `summary` says them in a line, `notes` what a person should know
    besides.
    """

    kind: str
    summary: str
    steps: tuple[File | Call, ...]
    notes: tuple[str, ...] = ()

    def lines(self, notes: Iterable[str] = ()) -> Iterator[str]:
        """All that will be done, for people: files with what they will hold, and calls; then
        `notes` and the plan's own.
        """
        yield f"{self.summary[0].upper()}{self.summary[1:]}."
        for step in self.steps:
            yield from ("", step.heading)
            yield from (f"    {line}".rstrip() for line in step.content.splitlines())
        yield ""
        yield from (f"Note: {note}." for note in (*notes, *self.notes))

    @property
    def files(self) -> list[File]:
        """The files among the steps."""
        return [step for step in self.steps if isinstance(step, File)]


def read(path: Path) -> bytes | None:
    """What a file holds; None where there is none. Raises ConfigError where it cannot be read."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from error


def marked(data: bytes | None) -> bool:
    """Whether a file was made here."""
    return data is not None and MARK.encode() in data


def check_foreign(plan: Plan) -> None:
    """Raise ConfigError where a file that the plan would replace was made by somebody else."""
    for file in plan.files:
        data = read(file.path)
        if data is not None and not marked(data):
            raise ConfigError(
                f"{file.path} is there, and was not made by 'digest timer install'",
                remedy="move it away, or keep it and install nothing",
            )


def carry_out(
    plan: Plan,
    machine: Machine,
    warn: Callable[[str], None],
    *,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Do what the plan says. Raises ConfigError at the first step that fails; doing it again is
    safe.
    """
    for step in plan.steps:
        if isinstance(step, File):
            _write(step)
            continue
        answer = machine.call(step.arguments, given=step.given)
        for _again in range(step.retries):
            if answer.code == 0:
                break
            sleep(1.0)
            answer = machine.call(step.arguments, given=step.given)
        if answer.code == 0:
            continue
        failed = f"'{' '.join(step.arguments)}' failed ({answer.last_line})"
        if not step.may_fail:
            raise ConfigError(failed, remedy="mend that and repeat the command, which is safe")
        if step.missing:
            warn(f"{failed}: {step.missing}")


def _write(file: File) -> None:
    """Write or remove one file, whole or not at all."""
    try:
        if file.text is None:
            file.path.unlink(missing_ok=True)
            return
        file.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=file.path.parent, prefix=f".{file.path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(file.text)
            Path(name).chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IROTH)
            Path(name).replace(file.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"{file.path} cannot be written ({error.strerror})") from error
