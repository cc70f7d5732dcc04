"""Plans for installing a timer, by what the machine has: systemd, launchd, or cron."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

from digest.errors import ConfigError
from digest.system.timers.job import ACCOUNT, MARK, STATE, Job
from digest.system.timers.machine import Machine, systemctl, user_name
from digest.system.timers.plan import (
    CRON,
    LAUNCHD,
    SYSTEMD,
    USER_SYSTEMD,
    Call,
    File,
    Plan,
    check_foreign,
    marked,
    read,
)
from digest.system.timers.texts import (
    LABEL,
    calling_lines,
    cron_line,
    home_of_plist,
    home_of_unit,
    plist,
    with_line,
    without_line,
)
from digest.system.timers.units import (
    DAEMON,
    SERVICE,
    SYSUSERS,
    TIMER,
    TIMER_UNIT,
    system_service,
    user_service,
)


def plan_install(
    machine: Machine, job: Job, *, system: bool, linger: bool = True, only_print: bool = False
) -> Plan:
    """What installing takes. Raises ConfigError where it cannot be done, before anything is
    changed.

    `only_print`: nothing will be; then a crontab's line is shown also where no cron is.
    """
    if any(character in str(path) for path in (job.home, *job.command) for character in "\n\r"):
        raise ConfigError(
            "a path holds a line break, which no service manager can read",
            remedy="rename the folder",
        )
    if system:
        plan = _system_plan(machine, job)
    else:
        _check_own(machine, job)
        if machine.systemd and machine.has("systemctl"):
            plan = _user_plan(machine, job, linger=linger)
        elif machine.system == "darwin":
            plan = _launchd_plan(machine, job)
        else:
            plan = _cron_plan(machine, job, only_print=only_print)
    check_foreign(plan)
    return plan


def _system_plan(machine: Machine, job: Job) -> Plan:
    if not machine.systemd:
        raise ConfigError(
            "--system needs systemd, which does not run here",
            remedy=f"as the account that owns {job.home}, call: digest timer install --user",
        )
    if machine.uid != 0:
        raise ConfigError(
            "--system writes to /etc, which only root may",
            remedy="call it with sudo, or use --user",
        )
    made = job.home == STATE
    job = replace(job, account=ACCOUNT if made else owner(job.home))
    _check_reachable(job)
    units = machine.system_units
    daemon = machine.systemctl("is-enabled", DAEMON, user=False, seconds=10)
    if daemon.out.strip() in ("enabled", "enabled-runtime", "linked"):
        raise ConfigError(
            f"{DAEMON} is enabled, which does the timer's work and excludes it",
            remedy=f"keep it, or first call: systemctl disable --now {DAEMON}",
        )
    account: list[File | Call] = []
    if made:
        account = [
            File(machine.root / "etc/sysusers.d/digest.conf", _marked(SYSUSERS)),
            Call(("systemd-sysusers",)),
        ]
    service = File(units / SERVICE, _marked(system_service(job)))
    steps = (
        *account,
        service,
        File(units / TIMER, _marked(TIMER_UNIT)),
        Call(systemctl("daemon-reload", user=False)),
        Call(systemctl("enable", "--now", TIMER, user=False)),
    )
    notes = [*_moved(service.path, job)]
    if job.near_people:
        notes.append(
            f"{job.near_people[0]} lies among people's folders, which therefore stay readable to the service; "
            "a program in /opt and a home folder in /srv or /var/lib would be better protected"
        )
    if job.sendmail:
        notes.append(
            "mail leaves through sendmail, for which most of systemd's protection must be left out"
        )
    summary = f"systemd will call 'digest run --wait' every 15 minutes as the account {job.account}, for {job.home}"
    return Plan(SYSTEMD, summary, steps, tuple(notes))


def _user_plan(machine: Machine, job: Job, *, linger: bool) -> Plan:
    units = machine.user_units
    # Lingering first: it starts the user's manager where no session has.
    lingering: list[File | Call] = []
    summary = f"your systemd will call 'digest run --wait' every 15 minutes, for {job.home}"
    notes = []
    stops = f"the timer stops when you log out; an administrator can mend that: loginctl enable-linger {machine.user}"
    if machine.lingers:
        summary += ", also while you are logged out"
    elif linger:
        summary += ", also while you are logged out (lingering)"
        lingering = [Call(("loginctl", "enable-linger"), may_fail=True, missing=stops)]
    else:
        notes.append("without lingering the timer stops when you log out")
    service = File(units / SERVICE, _marked(user_service(job)))
    steps = (
        *lingering,
        service,
        File(units / TIMER, _marked(TIMER_UNIT)),
        Call(systemctl("daemon-reload", user=True), retries=3),
        Call(systemctl("enable", "--now", TIMER, user=True)),
    )
    return Plan(USER_SYSTEMD, summary, steps, (*notes, *_moved(service.path, job)))


def _launchd_plan(machine: Machine, job: Job) -> Plan:
    path = machine.agents / f"{LABEL}.plist"
    domain = f"gui/{machine.uid}"
    notes = []
    closed = [machine.home / name for name in ("Desktop", "Documents", "Downloads")]
    if found := [folder for folder in closed if job.home.is_relative_to(folder)]:
        notes.append(
            f"macOS keeps background programs out of {found[0]}: move {job.home} to another folder"
        )
    data = read(path)
    if marked(data) and data is not None and (old := home_of_plist(data)) not in (None, job.home):
        notes.append(f"this replaces the timer for {old}")
    steps = (
        File(path, plist(job)),
        Call(("launchctl", "bootout", f"{domain}/{LABEL}"), may_fail=True),
        Call(("launchctl", "enable", f"{domain}/{LABEL}"), may_fail=True),
        # bootout returns before the old agent is gone; until then bootstrap is refused.
        Call(("launchctl", "bootstrap", domain, str(path)), retries=5),
    )
    summary = f"launchd will call 'digest run --wait' every 15 minutes while you are logged in, for {job.home}"
    return Plan(LAUNCHD, summary, steps, tuple(notes))


def _cron_plan(machine: Machine, job: Job, *, only_print: bool) -> Plan:
    missing = not machine.has("crontab")
    nobody = "neither systemd, launchd nor cron is here to call Digest"
    if missing and not only_print:
        remedy = "let 'digest daemon' run, or anything call 'digest run --wait' every 15 minutes"
        raise ConfigError(nobody, remedy=remedy)
    crontab = "" if missing else machine.crontab()
    changed = with_line(crontab, cron_line(job))
    by_hand = calling_lines(without_line(crontab))
    notes = [
        f"your crontab calls Digest already, and keeps this line until you take it out: {line}"
        for line in by_hand
    ]
    if missing:
        notes.append(nobody)
    summary = f"cron will call 'digest run --wait' every 15 minutes, for {job.home}"
    return Plan(CRON, summary, (Call(("crontab", "-"), given=changed),), tuple(notes))


def _marked(text: str) -> bytes:
    return f"# {MARK}\n{text}".encode()


def _moved(path: Path, job: Job) -> list[str]:
    """A note where the same manager worked for another home folder until now."""
    data = read(path)
    old = home_of_unit(data.decode(errors="replace")) if data else None
    return [f"this replaces the timer for {old}"] if old not in (None, job.home) else []


def owner(folder: Path) -> str:
    """The account that a folder belongs to. Raises ConfigError where there is no such folder."""
    try:
        return user_name(folder.stat().st_uid)
    except OSError as error:
        raise ConfigError(
            f"there is no folder {folder} ({error.strerror})", remedy="make it with digest init"
        ) from error


def _check_own(machine: Machine, job: Job) -> None:
    """Raise ConfigError where the home folder is somebody else's: Digest itself would refuse to
    work there.
    """
    account = owner(job.home)
    if account != machine.user:
        as_root = (
            "--system, which runs as its owner, or " if machine.uid == 0 and machine.systemd else ""
        )
        raise ConfigError(
            f"{job.home} belongs to {account}, and a timer of {machine.user}'s could not work there",
            remedy=f"use {as_root}call this as {account}",
        )


def _check_reachable(job: Job) -> None:
    """Raise ConfigError where the account cannot come to the program, as with one installed below
    /root.
    """
    import pwd

    if job.account in ("root", "0"):
        return
    try:
        entry = pwd.getpwnam(job.account)
        who = entry.pw_uid, entry.pw_gid
    except KeyError:
        who = -1, -1  # an account that is yet to be made owns nothing
    for path in (Path(job.command[0]), *job.reads):
        try:
            closed = [p for p in reversed((path, *path.parents)) if not _may_use(p, *who)]
        except OSError:
            continue
        if closed:
            raise ConfigError(
                f"the account {job.account} cannot use {path}: {closed[0]} is closed to it",
                remedy="install Digest where all may read it: python3 -m venv /opt/digest",
            )


def _may_use(path: Path, uid: int, gid: int) -> bool:
    """Whether the account may go into a folder, or read a file."""
    status = path.stat()
    shift = 6 if status.st_uid == uid else 3 if status.st_gid == gid else 0
    return bool(status.st_mode >> shift & (0o1 if stat.S_ISDIR(status.st_mode) else 0o4))
