"""What installing or removing a timer will do, as a value that is shown first and then carried
out; and what was found to be installed.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from digest.errors import ConfigError
from digest.system.files import PUBLIC, write_whole
from digest.system.timers.job import MARK
from digest.system.timers.machine import Machine

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class File:
    """A file to write; or to remove, where `text` is None."""

    path: Path
    text: str | None

    def carry_out(self) -> None:
        """Write or remove the file, whole or not at all."""
        try:
            if self.text is None:
                self.path.unlink(missing_ok=True)
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, self.text.encode(), mode=PUBLIC)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be written ({error.strerror})") from error

    @property
    def heading(self) -> str:
        """What will be done with it, for people."""
        return f"{'Remove' if self.text is None else 'Write'}: {self.path}"

    @property
    def content(self) -> str:
        """What it will hold."""
        return self.text or ""


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
class TimerPlan:
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


@dataclass(frozen=True, slots=True)
class Installed:
    """Something that calls Digest. `kind` is the name of a kind of timers, or `daemon`; `path` is
    its file, or whose crontab; `active` None: not known. `home` is the folder it works for, where
    that can be read. `made_here`: by `digest timer install`, so that `digest timer remove` takes it
    away.
    """

    kind: str
    path: str
    active: bool | None
    home: Path | None = None
    made_here: bool = False


def applicable(*cases: tuple[object, T]) -> tuple[T, ...]:
    """The values of the cases that apply."""
    return tuple(value for applies, value in cases if applies)


def read(path: Path) -> str | None:
    """What a file holds; None where there is none. Raises ConfigError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from error


def is_marked(text: str | None) -> bool:
    """Whether a file was made here."""
    return text is not None and MARK in text


def shell_words(text: str) -> list[str]:
    """The words of a command as a shell reads them; none where it could not."""
    try:
        return shlex.split(text)
    except ValueError:
        return []


def check_foreign(plan: TimerPlan) -> None:
    """Raise ConfigError where a file that the plan would replace was made by somebody else."""
    for file in plan.files:
        text = read(file.path)
        if text is not None and not is_marked(text):
            raise ConfigError(
                f"{file.path} is there, and was not made by 'digest timer install'",
                remedy="move it away, or keep it and install nothing",
            )


def replacing(old: Path | None, new: Path) -> list[str]:
    """A note where the same manager worked for another home folder until now."""
    return [f"this replaces the timer for {old}"] if old not in (None, new) else []


def carry_out(
    plan: TimerPlan,
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
            step.carry_out()
            continue
        result = machine.call(step.arguments, given=step.given)
        for _again in range(step.retries if result.code else 0):
            sleep(1.0)
            result = machine.call(step.arguments, given=step.given)
            if result.code == 0:
                break
        failed = f"'{' '.join(step.arguments)}' failed ({result.last_line})"
        if result.code and not step.may_fail:
            raise ConfigError(failed, remedy="mend that and repeat the command, which is safe")
        if result.code and step.missing:
            warn(f"{failed}: {step.missing}")
