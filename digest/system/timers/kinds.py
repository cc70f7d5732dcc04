"""The kinds of timers: which one is installed here, what is installed already, and how it is taken
away again.
"""

from __future__ import annotations

from contextlib import suppress

from digest.errors import ConfigError
from digest.system.timers.cron import Cron
from digest.system.timers.job import Job
from digest.system.timers.launchd import Launchd
from digest.system.timers.machine import Machine, owner
from digest.system.timers.plan import Installed, TimerPlan, check_foreign
from digest.system.timers.systemd import Systemd

Kind = Systemd | Launchd | Cron
"""Each finds what calls Digest in its way, tells its last and next run, and plans how it is set up
and taken away."""
SYSTEM, USER, LAUNCHD, CRON = Systemd(of_system=True), Systemd(of_system=False), Launchd(), Cron()
KINDS: tuple[Kind, ...] = (SYSTEM, USER, LAUNCHD, CRON)


def plan_install(
    machine: Machine, job: Job, *, system: bool, linger: bool = True, only_print: bool = False
) -> TimerPlan:
    """What installing takes. Raises ConfigError where it cannot be done, before anything is
    changed.

    `only_print`: nothing will be; then a crontab's line is shown also where no cron is.
    """
    if any(character in str(path) for path in (job.home, *job.command) for character in "\n\r"):
        raise ConfigError(
            "a path holds a line break, which no service manager can read",
            remedy="rename the folder",
        )
    if job.web and not machine.systemd:
        raise ConfigError(
            "--web needs systemd, which does not run here",
            remedy="let 'digest serve' run, or 'digest daemon --listen ADDRESS:PORT'",
        )
    if not system:
        _check_own(machine, job)
    if system:
        plan = SYSTEM.plan_for_system(machine, job)
    elif machine.systemd and machine.has("systemctl"):
        plan = USER.plan_for_user(machine, job, linger=linger)
    elif machine.system == "darwin":
        plan = LAUNCHD.plan(machine, job)
    else:
        plan = CRON.plan(machine, job, only_print=only_print)
    check_foreign(plan)
    return plan


def _check_own(machine: Machine, job: Job) -> None:
    """Raise ConfigError where the home folder is somebody else's: Digest itself would refuse to
    work there.
    """
    account = owner(job.home)
    if account != machine.user:
        as_root = machine.uid == 0 and machine.systemd
        other = "--system, which runs as its owner, or " if as_root else ""
        raise ConfigError(
            f"{job.home} belongs to {account}, "
            f"and a timer of {machine.user}'s could not work there",
            remedy=f"use {other}call this as {account}",
        )


def find_installed(machine: Machine) -> list[Installed]:
    """Everything that calls Digest for this user or for the system. Never fails."""
    found: list[Installed] = []
    for kind in KINDS:
        with suppress(ConfigError, OSError, ValueError):
            found += kind.find(machine)
    return found


def details(machine: Machine, item: Installed) -> list[str]:
    """What the service manager says of a timer's last and next run, a line each."""
    kind = next((kind for kind in KINDS if kind.name == item.kind), None)
    return kind.details(machine) if kind else []


def plans_to_remove(machine: Machine, *, system: bool) -> list[TimerPlan]:
    """What takes away all that was made here, for the system or for the user. Empty: nothing
    was.
    """
    plans = [kind.plan_removal(machine) for kind in KINDS if kind.of_system == system]
    return [plan for plan in plans if plan is not None]
