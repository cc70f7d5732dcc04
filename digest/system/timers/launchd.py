"""launchd: an agent of the user's, on macOS (launchd.plist(5))."""

from __future__ import annotations

import plistlib
from collections.abc import Iterator
from pathlib import Path

from digest.system.timers.job import LOG, MARK, Job
from digest.system.timers.machine import QUICK, CommandResult, Machine
from digest.system.timers.plan import (
    Call,
    File,
    Installed,
    TimerPlan,
    is_marked,
    read,
    replacing,
)

LABEL = "local.arxiv-digest"
QUARTERS = (0, 15, 30, 45)
SECONDS = 900
_CLOSED = ("Desktop", "Documents", "Downloads")


def plist(job: Job) -> str:
    """The agent: once when it is loaded, then at each quarter of an hour.

    StartCalendarInterval makes up for what the machine slept through, and keeps still through the
    hour that comes twice in autumn, since it reckons by the clock on the wall (launchd.plist(5));
    StartInterval does neither. A run with nothing due is over in a blink.
    """
    data = plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": list(job.arguments),
            "WorkingDirectory": str(job.home),
            "EnvironmentVariables": {"DIGEST_HOME": str(job.home)},
            "RunAtLoad": True,
            "StartCalendarInterval": [{"Minute": minute} for minute in QUARTERS],
            "StartInterval": SECONDS,
            "ProcessType": "Background",
            "StandardOutPath": str(job.home / LOG),
            "StandardErrorPath": str(job.home / LOG),
        },
        sort_keys=False,
    )
    return data.decode().replace("<dict>", f"<!-- {MARK} -->\n<dict>", 1)


def home_of_plist(path: Path) -> Path | None:
    """The home folder that an agent names; its file may be XML, or binary (plutil -convert)."""
    try:
        agent = plistlib.loads(path.read_bytes())
        return Path(agent["EnvironmentVariables"]["DIGEST_HOME"])
    except Exception:  # a dozen of them: expat's own error is one that plistlib lets through
        return None


class Launchd:
    """An agent in the user's Library."""

    name = "launchd"
    of_system = False

    def plan(self, machine: Machine, job: Job) -> TimerPlan:
        """Write the agent and load it."""
        path = _agent(machine)
        domain, service = f"gui/{machine.uid}", _service(machine)
        closed = [machine.home / name for name in _CLOSED]
        notes = [
            f"macOS keeps background programs out of {folder}: move {job.home} to another folder"
            for folder in closed
            if job.home.is_relative_to(folder)
        ]
        steps = (
            File(path, plist(job)),
            Call(("launchctl", "bootout", service), may_fail=True),
            # A service that somebody disabled would stay so, whatever is loaded.
            Call(("launchctl", "enable", service), may_fail=True),
            # bootout returns before the old agent is gone; until then bootstrap is refused.
            Call(("launchctl", "bootstrap", domain, str(path)), retries=5),
        )
        return TimerPlan(
            self.name,
            "launchd will call 'digest run --wait' every 15 minutes while you are logged in, "
            f"for {job.home}",
            steps,
            (*notes, *replacing(home_of_plist(path), job.home)),
        )

    def plan_removal(self, machine: Machine) -> TimerPlan | None:
        """Unload the agent and remove its file."""
        path = _agent(machine)
        if not is_marked(read(path)):
            return None
        stop = Call(("launchctl", "bootout", _service(machine)), may_fail=True)
        return TimerPlan(self.name, "take away the timer of launchd", (stop, File(path, None)))

    def find(self, machine: Machine) -> Iterator[Installed]:
        """The agent, where there is one."""
        path = _agent(machine)
        text = read(path)
        if text is not None:
            active = _printed(machine).code == 0 if machine.system == "darwin" else None
            yield Installed(self.name, str(path), active, home_of_plist(path), is_marked(text))

    def details(self, machine: Machine) -> list[str]:
        """What launchctl says of the agent."""
        shown = ("state =", "runs =", "last exit code =")
        lines = (line.strip() for line in _printed(machine).out.splitlines())
        return [line for line in lines if line.startswith(shown)]


def _agent(machine: Machine) -> Path:
    return machine.home / "Library" / "LaunchAgents" / f"{LABEL}.plist"


def _service(machine: Machine) -> str:
    return f"gui/{machine.uid}/{LABEL}"


def _printed(machine: Machine) -> CommandResult:
    return machine.call(("launchctl", "print", _service(machine)), seconds=QUICK)
