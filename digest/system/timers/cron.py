"""cron: a line between marks in the user's crontab (crontab(5))."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from digest.errors import ConfigError
from digest.system.timers.job import LOG, MARK, Job
from digest.system.timers.machine import Machine
from digest.system.timers.plan import Call, Installed, TimerPlan, applicable, read, shell_words

BEGIN = f"# digest timer: begin. {MARK}"
END = "# digest timer: end"
# The lookahead keeps a block whose end was lost from reaching to the end of another one.
_BLOCK = re.compile(
    r"^# digest timer: begin.*\n(?:(?!# digest timer: ).*\n)*# digest timer: end\n?", re.MULTILINE
)
_CALLS_DIGEST = re.compile(r"^\s*[^#\s].*\bdigest\b.*\s(run|daemon)\b")


def cron_line(job: Job) -> str:
    """A crontab's line, in which % would end the command. Raises ConfigError for a line break.

    Both its minutes and its hours begin with a star: in the hour that comes twice in autumn cron
    calls only such lines again (cron(8), "Local time changes").
    """
    home, log = shlex.quote(str(job.home)), shlex.quote(str(job.home / LOG))
    command = f"DIGEST_HOME={home} {shlex.join(job.arguments)} >{log} 2>&1"
    if "\n" in command or "\r" in command:
        raise ConfigError(
            f"{job.home!s:.60} holds a line break, which no crontab can", remedy="rename the folder"
        )
    return "*/15 * * * * " + command.replace("%", "\\%")


def with_line(crontab: str, line: str) -> str:
    """A crontab with the line between its marks, in the old one's place or at the end; all else is
    kept.
    """
    block = f"{BEGIN}\n{line}\n{END}\n"
    if _BLOCK.search(crontab):
        return _BLOCK.sub(lambda _found: block, crontab, count=1)
    return crontab + ("" if not crontab or crontab.endswith("\n") else "\n") + block


def without_line(crontab: str) -> str:
    """A crontab without the line and its marks."""
    return _BLOCK.sub("", crontab)


def calling_lines(crontab: str) -> list[str]:
    """The lines of a crontab that call `digest run`, whoever wrote them."""
    return [line for line in crontab.splitlines() if _CALLS_DIGEST.search(line)]


def home_of_line(line: str) -> Path | None:
    """The home folder that a crontab's line names, by DIGEST_HOME, --home or a leading cd."""
    words = shell_words(line.replace("\\%", "%"))
    for before, word in zip(["", *words], words, strict=False):
        name, _, value = word.partition("=")
        if value and name in ("DIGEST_HOME", "--home"):
            return Path(value)
        if before in ("cd", "--home") and word.startswith("/"):
            return Path(word)
    return None


class Cron:
    """The user's crontab; that of the system, and those in cron.d, are only looked at."""

    name = "cron"
    of_system = False

    def plan(self, machine: Machine, job: Job, *, only_print: bool) -> TimerPlan:
        """Add the line. `only_print`: it is shown also where no cron is."""
        missing = not machine.has("crontab")
        nobody = "neither systemd, launchd nor cron is here to call Digest"
        if missing and not only_print:
            raise ConfigError(
                nobody,
                remedy="let 'digest daemon' run, "
                "or anything call 'digest run --wait' every 15 minutes",
            )
        crontab = machine.crontab()
        by_hand = [
            f"your crontab calls Digest already, and keeps this line until you take it out: {line}"
            for line in calling_lines(without_line(crontab))
        ]
        return TimerPlan(
            self.name,
            f"cron will call 'digest run --wait' every 15 minutes, for {job.home}",
            (Call(("crontab", "-"), given=with_line(crontab, cron_line(job))),),
            (*by_hand, *applicable((missing, nobody))),
        )

    def plan_removal(self, machine: Machine) -> TimerPlan | None:
        """Take the line out; a crontab that held nothing else is removed."""
        crontab = machine.crontab()
        rest = without_line(crontab)
        if rest == crontab:
            return None
        put = Call(("crontab", "-"), given=rest) if rest.strip() else Call(("crontab", "-r"))
        return TimerPlan(self.name, "take the line out of your crontab", (put,))

    def find(self, machine: Machine) -> Iterator[Installed]:
        """Every line that calls Digest, whoever wrote it."""
        crontab, place = machine.crontab(), f"the crontab of {machine.user}"
        by_hand = calling_lines(without_line(crontab))
        for line in calling_lines(crontab):
            yield Installed(self.name, place, None, home_of_line(line), line not in by_hand)
        etc = machine.root / "etc"
        for path in (etc / "crontab", *sorted((etc / "cron.d").glob("*"))):
            with suppress(ConfigError):
                for line in calling_lines(read(path) or ""):
                    yield Installed(self.name, str(path), None, home_of_line(line))

    def details(self, _machine: Machine) -> list[str]:
        """Nothing: cron tells nobody what it did."""
        return []
