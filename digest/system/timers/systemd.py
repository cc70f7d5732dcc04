"""systemd: a timer and a service, of the system's manager or of the user's own."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from digest.errors import ConfigError
from digest.system.timers.job import ACCOUNT, MARK, STATE, Job
from digest.system.timers.machine import QUICK, CommandResult, Machine, owner
from digest.system.timers.plan import (
    Call,
    File,
    Installed,
    TimerPlan,
    applicable,
    is_marked,
    read,
    replacing,
    shell_words,
)
from digest.system.timers.units import (
    DAEMON,
    SERVICE,
    SYSUSERS,
    TIMER,
    TIMER_UNIT,
    WEB,
    system_service,
    user_service,
    web_service,
)

_NEVER = ("", "n/a", "0")
"""The values by which systemd says that there is no such moment."""


def home_of_unit(text: str | None) -> Path | None:
    """The home folder that a service names."""
    for line in (text or "").splitlines():
        setting, _, value = line.partition("=")
        words = shell_words(value) if setting == "Environment" else []
        for name, _, home in (word.partition("=") for word in words):
            if name == "DIGEST_HOME":
                return Path(home.replace("%S", "/var/lib").replace("%%", "%"))
    return None


@dataclass(frozen=True, slots=True)
class Systemd:
    """One of systemd's managers."""

    of_system: bool

    @property
    def name(self) -> str:
        """What it is called."""
        return "systemd" if self.of_system else "systemd --user"

    def folder(self, machine: Machine) -> Path:
        """Where its administrator's or its user's units lie (systemd.unit(5))."""
        if self.of_system:
            return machine.root / "etc/systemd/system"
        return machine.config / "systemd" / "user"

    def systemctl(self, *arguments: str) -> tuple[str, ...]:
        """A call of systemctl for this manager."""
        return ("systemctl", *(() if self.of_system else ("--user",)), *arguments)

    def ask(self, machine: Machine, *arguments: str) -> CommandResult:
        """Ask this manager a question."""
        return machine.call(self.systemctl(*arguments), seconds=QUICK)

    def plan_for_system(self, machine: Machine, job: Job) -> TimerPlan:
        """Let an account run the service: the owner of the home folder, or one that is made."""
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
        is_made = job.home == STATE
        job = replace(job, account=ACCOUNT if is_made else owner(job.home))
        _check_reachable(job)
        enabled = self.ask(machine, "is-enabled", DAEMON).out.strip()
        # For good, until the next start, or by a link to a file that lies elsewhere.
        if enabled in ("enabled", "enabled-runtime", "linked"):
            raise ConfigError(
                f"{DAEMON} is enabled, which does the timer's work and excludes it",
                remedy=f"keep it, or first call: systemctl disable --now {DAEMON}",
            )
        return self._plan(
            machine,
            job,
            f"systemd will call 'digest run --wait' every 15 minutes as the account {job.account}",
            before=applicable(
                (is_made, File(_account(machine), _marked(SYSUSERS))),
                (is_made, Call(("systemd-sysusers",))),
            ),
            notes=applicable(
                (
                    job.near_people,
                    f"{next(iter(job.near_people), '')} lies among people's folders, "
                    "which therefore stay readable to the service; "
                    "a program in /opt and a home folder in /srv or /var/lib "
                    "would be better protected",
                ),
                (
                    job.sendmail,
                    "mail leaves through sendmail, "
                    "for which most of systemd's protection must be left out",
                ),
            ),
        )

    def plan_for_user(self, machine: Machine, job: Job, *, linger: bool) -> TimerPlan:
        """Let the user's own manager run the service, after logout only where it lingers
        (loginctl(1)).
        """
        stays = linger or machine.lingers
        begins = linger and not machine.lingers
        enable = Call(
            ("loginctl", "enable-linger"),
            may_fail=True,
            missing="the timer stops when you log out; "
            f"an administrator can mend that: loginctl enable-linger {machine.user}",
        )
        plan = self._plan(
            machine,
            job,
            "your systemd will call 'digest run --wait' every 15 minutes",
            # Lingering first: it starts the user's manager where no session has.
            before=applicable((begins, enable)),
            notes=applicable((not stays, "without lingering the timer stops when you log out")),
        )
        after_logout = applicable(
            (stays, ", also while you are logged out"), (begins, " (lingering)")
        )
        return replace(plan, summary="".join((plan.summary, *after_logout)))

    def _plan(
        self,
        machine: Machine,
        job: Job,
        summary: str,
        *,
        before: Sequence[File | Call],
        notes: Sequence[str],
    ) -> TimerPlan:
        units = self.folder(machine)
        service = system_service(job) if self.of_system else user_service(job)
        web = web_service(job, of_system=self.of_system)
        moved = replacing(home_of_unit(read(units / SERVICE)), job.home)
        steps = (
            *before,
            File(units / SERVICE, _marked(service)),
            File(units / TIMER, _marked(TIMER_UNIT)),
            *applicable((job.web, File(units / WEB, _marked(web)))),
            # A user's manager that was only just started may not listen yet.
            Call(self.systemctl("daemon-reload"), retries=0 if self.of_system else 3),
            Call(self.systemctl("enable", "--now", TIMER)),
            *applicable((job.web, Call(self.systemctl("enable", "--now", WEB)))),
        )
        notes = [*moved, *notes] if self.of_system else [*notes, *moved]
        return TimerPlan(self.name, f"{summary}, for {job.home}", steps, tuple(notes))

    def plan_removal(self, machine: Machine) -> TimerPlan | None:
        """End the timer and remove the units, as far as they were made here."""
        places = [self.folder(machine) / name for name in (TIMER, SERVICE, WEB)]
        if self.of_system:
            places.append(_account(machine))
        ours = [path for path in places if is_marked(read(path))]
        if not ours:
            return None
        units = [path.name for path in ours if path.name in (TIMER, WEB)]
        disable, reload = (
            Call(
                self.systemctl(*words),
                may_fail=True,
                missing="the timer may still run until the next restart",
            )
            for words in (("disable", "--now", *(units or [TIMER])), ("daemon-reload",))
        )
        steps: tuple[File | Call, ...] = (
            *applicable((machine.systemd, disable)),
            *(File(path, None) for path in ours),
            *applicable((machine.systemd, reload)),
        )
        notes = applicable(
            (
                _account(machine) in ours,
                f"the account digest, which owns {STATE}, stays: "
                "'userdel digest' when you need it no more",
            ),
            (
                machine.lingers and not self.of_system,
                f"lingering stays on for {machine.user}: "
                "'loginctl disable-linger' if nothing else needs it",
            ),
        )
        return TimerPlan(self.name, f"take away the timer of {self.name}", steps, notes)

    def find(self, machine: Machine) -> Iterator[Installed]:
        """The timer; and the daemon, where it is at work."""
        folders = [self.folder(machine)]
        if self.of_system:
            root = machine.root
            folders += [root / "usr/lib/systemd/system", root / "lib/systemd/system"]
        for name, kind, runs in ((TIMER, self.name, SERVICE), (DAEMON, "daemon", DAEMON)):
            folder = next((each for each in folders if read(each / name) is not None), None)
            if folder is None:
                continue
            active = self._is_active(machine, name)
            # The daemon is shipped beside the timer, and need not be chosen.
            if name == TIMER or active:
                home = home_of_unit(read(folder / runs))
                made_here = is_marked(read(folder / name))
                yield Installed(kind, str(folder / name), active, home, made_here)

    def _is_active(self, machine: Machine, unit: str) -> bool | None:
        """Whether a unit is active; None where the manager cannot be asked."""
        if not machine.systemd:
            return False
        state = self.ask(machine, "is-active", unit).out.strip()
        return state in ("active", "activating", "reloading") if state else None

    def details(self, machine: Machine) -> list[str]:
        """The manager's own words on the last and the next run."""
        if not machine.systemd:
            return []
        timer = self._show(
            machine, TIMER, "UnitFileState", "LastTriggerUSec", "NextElapseUSecRealtime"
        )
        service = self._show(
            machine, SERVICE, "ActiveState", "Result", "ExecMainStatus", "ExecMainExitTimestamp"
        )
        state = timer["UnitFileState"]
        lines = [f"after a restart: {'on' if state == 'enabled' else state}"] if state else []
        # The service knows its runs since the machine started; the timer remembers more.
        last = "none yet" if timer["LastTriggerUSec"] in _NEVER else timer["LastTriggerUSec"]
        if ended := service["ExecMainExitTimestamp"]:
            code, result = service["ExecMainStatus"] or "?", service["Result"] or "?"
            last = f"{ended}, exit code {code} ({result})"
        if service["ActiveState"] in ("active", "activating"):
            last = "at work now"
        following = timer["NextElapseUSecRealtime"]
        return [
            *lines,
            f"last run: {last}",
            f"next run: {'none' if following in _NEVER else following}",
        ]

    def _show(self, machine: Machine, unit: str, *names: str) -> dict[str, str]:
        """These properties of a unit, "" where they are not told."""
        shown = self.ask(machine, "show", unit, f"--property={','.join(names)}").out
        found = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        return {name: found.get(name, "") for name in names}


def _marked(text: str) -> str:
    return f"# {MARK}\n{text}"


def _account(machine: Machine) -> Path:
    """What makes the account (sysusers.d(5))."""
    return machine.root / "etc/sysusers.d/digest.conf"


def _check_reachable(job: Job) -> None:
    """Raise ConfigError where the account cannot come to the program, as with one installed below
    /root.
    """
    import pwd  # which Windows lacks, where only the refusal to work is needed

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
    # By the mode alone, as os.access would tell what root may, who calls this.
    status = path.stat()
    shift = 6 if status.st_uid == uid else 3 if status.st_gid == gid else 0
    return bool(status.st_mode >> shift & (0o1 if stat.S_ISDIR(status.st_mode) else 0o4))
