"""The other texts: a launchd agent for macOS, and a line between marks in a crontab."""

from __future__ import annotations

import plistlib
import re
import shlex
from pathlib import Path

from digest.errors import ConfigError
from digest.system.timers.job import MARK, Job

LABEL = "local.arxiv-digest"
QUARTERS = (0, 15, 30, 45)
LOG = "last-run.log"
"""In the home folder, what the last run said, where cron would otherwise mail it, or launchd lose
it."""

BEGIN = f"# digest timer: begin. {MARK}"
END = "# digest timer: end"


def plist(job: Job) -> bytes:
    """A launchd agent (launchd.plist(5)): once when it is loaded, then at each quarter of an hour.

    StartCalendarInterval, since unlike StartInterval it makes up for what the machine slept
    through.
    """
    text = plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": list(job.arguments),
            "WorkingDirectory": str(job.home),
            "EnvironmentVariables": {"DIGEST_HOME": str(job.home)},
            "RunAtLoad": True,
            "StartCalendarInterval": [{"Minute": minute} for minute in QUARTERS],
            "ProcessType": "Background",
            "StandardOutPath": str(job.home / LOG),
            "StandardErrorPath": str(job.home / LOG),
        },
        sort_keys=False,
    )
    return text.replace(b"<dict>", f"<!-- {MARK} -->\n<dict>".encode(), 1)


def cron_line(job: Job) -> str:
    """A crontab's line (crontab(5)), in which % would end the command. Raises ConfigError for a
    line break.
    """
    home = shlex.quote(str(job.home))
    command = (
        f"DIGEST_HOME={home} {shlex.join(job.arguments)} >{shlex.quote(str(job.home / LOG))} 2>&1"
    )
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


_BLOCK = re.compile(
    r"^# digest timer: begin.*\n(?:(?!# digest timer: ).*\n)*# digest timer: end\n?", re.MULTILINE
)
_BY_HAND = re.compile(r"^\s*[^#\s].*\bdigest\b.*\s(run|daemon)\b")


def calling_lines(crontab: str) -> list[str]:
    """The lines of a crontab that call `digest run`, whoever wrote them."""
    return [line for line in crontab.splitlines() if _BY_HAND.search(line)]


def home_of_line(line: str) -> Path | None:
    """The home folder that a crontab's line names, by DIGEST_HOME, --home or a leading cd."""
    try:
        words = shlex.split(line.replace("\\%", "%"))
    except ValueError:
        return None
    for before, word in zip(["", *words], words, strict=False):
        name, _, value = word.partition("=")
        if value and name in ("DIGEST_HOME", "--home"):
            return Path(value)
        if before in ("cd", "--home") and word.startswith("/"):
            return Path(word)
    return None


def home_of_unit(text: str) -> Path | None:
    """The home folder that a systemd unit names."""
    for line in text.splitlines():
        if line.startswith("Environment="):
            try:
                words = shlex.split(line.removeprefix("Environment="))
            except ValueError:
                continue
            for word in words:
                if word.startswith("DIGEST_HOME="):
                    value = (
                        word.removeprefix("DIGEST_HOME=")
                        .replace("%S", "/var/lib")
                        .replace("%%", "%")
                    )
                    return Path(value)
    return None


def home_of_plist(data: bytes) -> Path | None:
    """The home folder that a launchd agent names."""
    try:
        home = plistlib.loads(data)["EnvironmentVariables"]["DIGEST_HOME"]
    except (plistlib.InvalidFileException, ValueError, KeyError, TypeError):
        return None
    except Exception:  # expat's own error, which plistlib lets through
        return None
    return Path(home)
