"""What calls Digest on this machine already, and how to take away what was made here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from digest.errors import ConfigError
from digest.system.timers.job import STATE
from digest.system.timers.machine import Machine, systemctl
from digest.system.timers.plan import (
    CRON,
    DAEMON,
    LAUNCHD,
    SYSTEMD,
    USER_SYSTEMD,
    Call,
    File,
    Plan,
    marked,
    read,
)
from digest.system.timers.texts import (
    LABEL,
    calling_lines,
    home_of_line,
    home_of_plist,
    home_of_unit,
    without_line,
)
from digest.system.timers.units import DAEMON as DAEMON_UNIT
from digest.system.timers.units import SERVICE, TIMER

QUICK = 5.0
"""Seconds that a service manager may take to answer a question."""


@dataclass(frozen=True, slots=True)
class Installed:
    """Something that calls Digest. `kind`: `systemd --user`, `systemd`, `launchd`, `cron` or
    `daemon`; `path` is its file, or whose crontab; `active` None: not known. `home` is the folder
    it works for, where that can be read. `made_here`: by `digest timer install`, so that `digest
    timer remove` takes it away.
    """

    kind: str
    path: str
    active: bool | None
    home: Path | None = None
    made_here: bool = False


def find_installed(machine: Machine) -> list[Installed]:
    """Everything that calls Digest for this user or for the system. Never fails."""
    found: list[Installed] = []
    for look in (_units, _agent, _crontabs):
        with suppress(ConfigError, OSError, ValueError):
            found += look(machine)
    return found


def _units(machine: Machine) -> Iterator[Installed]:
    shipped = (machine.root / "usr/lib/systemd/system", machine.root / "lib/systemd/system")
    places = [(SYSTEMD, folder, False) for folder in (machine.system_units, *shipped)]
    places.append((USER_SYSTEMD, machine.user_units, True))
    seen = set()
    for kind, folder, user in places:
        for name, its_kind in ((TIMER, kind), (DAEMON_UNIT, DAEMON)):
            path = folder / name
            if (user, name) in seen or (data := read(path)) is None:
                continue
            seen.add((user, name))
            service = data if name == DAEMON_UNIT else read(folder / SERVICE) or b""
            active = _active(machine, name, user=user)
            if name == DAEMON_UNIT and not active:
                continue  # shipped beside the timer, and not chosen
            home = home_of_unit(service.decode(errors="replace"))
            yield Installed(its_kind, str(path), active, home, marked(data))


def _active(machine: Machine, unit: str, *, user: bool) -> bool | None:
    """Whether a unit is active; None where its manager cannot be asked."""
    if not machine.systemd:
        return False
    answer = machine.systemctl("is-active", unit, user=user, seconds=QUICK)
    state = answer.out.strip()
    return None if not state else state in ("active", "activating", "reloading")


def _agent(machine: Machine) -> Iterator[Installed]:
    path = machine.agents / f"{LABEL}.plist"
    data = read(path)
    if data is None:
        return
    active = None
    if machine.system == "darwin":
        active = (
            machine.call(["launchctl", "print", f"gui/{machine.uid}/{LABEL}"], seconds=QUICK).code
            == 0
        )
    yield Installed(LAUNCHD, str(path), active, home_of_plist(data), marked(data))


def _crontabs(machine: Machine) -> Iterator[Installed]:
    if machine.has("crontab"):
        crontab = machine.crontab()
        ours = set(calling_lines(crontab)) - set(calling_lines(without_line(crontab)))
        for line in calling_lines(crontab):
            yield Installed(
                CRON, f"the crontab of {machine.user}", None, home_of_line(line), line in ours
            )
    for path in (machine.root / "etc/crontab", *sorted((machine.root / "etc/cron.d").glob("*"))):
        with suppress(ConfigError):
            for line in calling_lines((read(path) or b"").decode(errors="replace")):
                yield Installed(CRON, str(path), None, home_of_line(line))


def details(machine: Machine, item: Installed) -> list[str]:
    """What the service manager says of a timer's last and next run, a line each."""
    if item.kind in (SYSTEMD, USER_SYSTEMD) and machine.systemd:
        return _unit_details(machine, user=item.kind == USER_SYSTEMD)
    if item.kind == LAUNCHD and item.active:
        said = machine.call(["launchctl", "print", f"gui/{machine.uid}/{LABEL}"], seconds=QUICK).out
        lines = [line.strip() for line in said.splitlines()]
        return [
            line for line in lines if line.startswith(("state =", "runs =", "last exit code ="))
        ]
    return []


def _unit_details(machine: Machine, *, user: bool) -> list[str]:
    timer = _properties(
        machine, TIMER, "UnitFileState", "LastTriggerUSec", "NextElapseUSecRealtime", user=user
    )
    names = ("ActiveState", "Result", "ExecMainStatus", "ExecMainExitTimestamp")
    service = _properties(machine, SERVICE, *names, user=user)
    lines = []
    if timer.get("UnitFileState"):
        lines.append(
            f"after a restart: {'on' if timer['UnitFileState'] == 'enabled' else timer['UnitFileState']}"
        )
    if service.get("ActiveState") in ("active", "activating"):
        lines.append("last run: at work now")
    elif ended := service.get("ExecMainExitTimestamp"):
        lines.append(
            f"last run: {ended}, exit code {service.get('ExecMainStatus', '?')} ({service.get('Result', '?')})"
        )
    else:  # since the machine started; the timer remembers more
        last = timer.get("LastTriggerUSec", "")
        lines.append(f"last run: {last if last not in ('', 'n/a', '0') else 'none yet'}")
    following = timer.get("NextElapseUSecRealtime", "")
    lines.append(
        f"next run: {following}" if following not in ("", "n/a", "0") else "next run: none"
    )
    return lines


def _properties(machine: Machine, unit: str, *names: str, user: bool) -> dict[str, str]:
    answer = machine.systemctl(
        "show", unit, f"--property={','.join(names)}", user=user, seconds=QUICK
    )
    return dict(line.split("=", 1) for line in answer.out.splitlines() if "=" in line)


def plans_to_remove(machine: Machine, *, system: bool) -> list[Plan]:
    """What takes away all that was made here, for the system or for the user. Empty: nothing
    was.
    """
    if system:
        return _without_units(machine, SYSTEMD, machine.system_units, user=False)
    makers: tuple[Callable[[], list[Plan]], ...] = (
        lambda: _without_units(machine, USER_SYSTEMD, machine.user_units, user=True),
        lambda: _without_agent(machine),
        lambda: _without_line(machine),
    )
    return [plan for make in makers for plan in make()]


def _without_units(machine: Machine, kind: str, folder: Path, *, user: bool) -> list[Plan]:
    ours = [folder / name for name in (TIMER, SERVICE) if marked(read(folder / name))]
    account = machine.root / "etc/sysusers.d/digest.conf"
    notes = []
    if not user and marked(read(account)):
        ours.append(account)
        notes.append(
            f"the account digest, which owns {STATE}, stays: 'userdel digest' when you need it no more"
        )
    if not ours:
        return []
    if user and machine.lingers:
        notes.append(
            f"lingering stays on for {machine.user}: 'loginctl disable-linger' if nothing else needs it"
        )
    before: list[Call] = []
    after: list[Call] = []
    if machine.systemd:
        off = "the timer may still run until the next restart"
        before = [Call(systemctl("disable", "--now", TIMER, user=user), may_fail=True, missing=off)]
        after = [Call(systemctl("daemon-reload", user=user), may_fail=True, missing=off)]
    files = [File(path, None) for path in ours]
    return [Plan(kind, f"take away the timer of {kind}", (*before, *files, *after), tuple(notes))]


def _without_agent(machine: Machine) -> list[Plan]:
    path = machine.agents / f"{LABEL}.plist"
    if not marked(read(path)):
        return []
    stop = Call(("launchctl", "bootout", f"gui/{machine.uid}/{LABEL}"), may_fail=True)
    return [Plan(LAUNCHD, "take away the timer of launchd", (stop, File(path, None)))]


def _without_line(machine: Machine) -> list[Plan]:
    if not machine.has("crontab"):
        return []
    crontab = machine.crontab()
    rest = without_line(crontab)
    if rest == crontab:
        return []
    put = Call(("crontab", "-"), given=rest) if rest.strip() else Call(("crontab", "-r"))
    return [Plan(CRON, "take the line out of your crontab", (put,))]
