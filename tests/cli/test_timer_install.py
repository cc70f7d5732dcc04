"""`digest timer`: what it writes is valid, it shows before it does, and takes away only what it
made."""

from __future__ import annotations

import io
import json
import os
import plistlib
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import digest.cli.daily.timer as cli_timer
from digest.cli import main
from digest.cli.base import Context
from digest.errors import ConfigError
from digest.system.accounts import account_name
from digest.system.timers.cron import cron_line, home_of_line, with_line, without_line
from digest.system.timers.job import MARK, SHIPPED, STATE, Job
from digest.system.timers.kinds import plan_install
from digest.system.timers.launchd import LABEL, home_of_plist, plist
from digest.system.timers.machine import Machine
from digest.system.timers.systemd import home_of_unit
from digest.system.timers.units import (
    TIMER_UNIT,
    daemon_service,
    quoted,
    shipped,
    system_service,
    user_service,
)

UNITS = Path(__file__).resolve().parent.parent.parent / "systemd"
ODD = "a b%c $d 'e\" ü"
"""A folder's name that each format quotes in its own way."""

RECORDING = """\
#!/bin/sh
PATH=/usr/bin:/bin
echo "$(basename "$0") $*" >> "$RECORDS/calls"
answers="$RECORDS/answers/$(basename "$0")"
case "$(basename "$0") $*" in
"crontab -l") [ -s "$RECORDS/crontab" ] && exec cat "$RECORDS/crontab"
  echo "no crontab for ada" >&2; exit 1;;
"crontab -") exec cat > "$RECORDS/crontab";;
"crontab -r") exec rm "$RECORDS/crontab";;
esac
[ -x "$answers" ] && exec "$answers" "$@"
exit 0
"""


@dataclass
class Told:
    code: int
    out: str
    err: str


class Place:
    """A machine of its own in a folder: service managers that only record how they are called."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.root, self.records, self.bin = folder / "root", folder / "records", folder / "bin"
        self.person, self.home = folder / "person", folder / "person" / "digest"
        self._patch, self._capture = monkeypatch, capture
        for path in (self.root, self.records / "answers", self.bin, self.home):
            path.mkdir(parents=True)
        (self.home / "subscribers.yaml").write_text("subscribers: []\n")
        for name in ("systemctl", "loginctl", "systemd-sysusers", "launchctl", "crontab"):
            self.program(self.bin / name, RECORDING)
        for name, value in (
            ("PATH", self.bin),
            ("HOME", self.person),
            ("XDG_CONFIG_HOME", self.person / "config"),
            ("RECORDS", self.records),
            ("DIGEST_HOME", self.home),
        ):
            monkeypatch.setenv(name, str(value))
        self.machine(system="linux", systemd=True)

    def machine(self, **changes: Any) -> None:
        """Let this be the machine; user 1000 unless said otherwise, who owns what the tests' user
        owns."""

        def this() -> Machine:
            found = Machine.this(os.environ)
            return replace(found, root=self.root, **{"uid": 1000, **changes})

        self._patch.setattr(cli_timer, "_machine", this)

    def program(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def answers(self, program: str, text: str) -> None:
        """Let a program say this (a shell script)."""
        self.program(self.records / "answers" / program, f"#!/bin/sh\n{text}\n")

    def __call__(self, *arguments: str) -> Told:
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["timer", *arguments])
        out, err = self._capture.readouterr()
        assert "Traceback" not in err
        return Told(int(ended.value.code or 0), out, err)

    @property
    def calls(self) -> list[str]:
        path = self.records / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        asking = ("is-active", "is-enabled", "show", "crontab -l", "launchctl print")
        return [line for line in lines if not any(word in line for word in asking)]

    def forget(self) -> None:
        (self.records / "calls").unlink(missing_ok=True)

    @property
    def crontab(self) -> str:
        path = self.records / "crontab"
        return path.read_text() if path.exists() else ""

    @property
    def user_units(self) -> Path:
        return self.person / "config/systemd/user"

    @property
    def system_units(self) -> Path:
        return self.root / "etc/systemd/system"

    def everything(self) -> dict[str, bytes]:
        return {
            str(p.relative_to(top)): p.read_bytes()
            for top in (self.person, self.root)
            for p in top.rglob("*")
            if p.is_file()
        }


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Place:
    return Place(tmp_path, monkeypatch, capsys)


def verify(path: Path, *options: str) -> None:
    """What `systemd-analyze verify` says about a unit of ours: nothing."""
    program = shutil.which("systemd-analyze", path="/usr/bin:/bin")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    with tempfile.TemporaryDirectory() as elsewhere:
        environment = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": elsewhere, "HOME": elsewhere}
        command = [program, *options, "verify", "--man=no", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert [line for line in (done.stdout + done.stderr).splitlines() if "digest" in line] == []
    assert done.returncode == 0


# The texts


def test_the_shipped_units_are_those_that_would_be_installed() -> None:
    """One source; after a change of it: for name, text in shipped().items(): write it to
    systemd/."""
    assert {
        path.name: path.read_text(encoding="utf-8")
        for path in UNITS.iterdir()
        if path.suffix != ".py"
    } == shipped()


def jobs(folder: Path) -> dict[str, Job]:
    """Installations of all sorts, with a program that exists."""
    program = folder / "bin" / ODD.replace("'", "").replace('"', "") / "digest"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    odd = folder / ODD
    odd.mkdir()
    plain = (str(Path(sys.executable)), "-m", "digest")
    return {
        "the system's": Job(plain, STATE),
        "odd": Job((str(program),), odd, "root"),
        "near people": Job(
            plain, Path("/home/ada/digest"), "root", reads=(Path("/home/ada/.venv"),)
        ),
        "spread": Job(
            plain, Path("/srv/digest"), "root", writes=(Path("/data/db"), Path("/data/my mail"))
        ),
        "sendmail": Job(plain, Path("/srv/digest"), "root", sendmail=True),
    }


@pytest.mark.parametrize("name", ["the system's", "odd", "near people", "spread", "sendmail"])
def test_systemd_accepts_each_variant_without_a_word(name: str, tmp_path: Path) -> None:
    job = jobs(tmp_path)[name]
    for folder, maker, options in (
        ("system", system_service, ()),
        ("daemon", daemon_service, ()),
        ("user", user_service, ("--user",)),
    ):
        (tmp_path / folder).mkdir()
        unit = (
            tmp_path
            / folder
            / ("digest-daemon.service" if folder == "daemon" else "digest.service")
        )
        unit.write_text(maker(job))
        (tmp_path / folder / "digest.timer").write_text(TIMER_UNIT)
        verify(unit, *options)
        if folder != "daemon":
            verify(tmp_path / folder / "digest.timer", *options)


def settings_of(unit: str) -> dict[str, str]:
    return dict(
        line.split("=", 1) for line in unit.splitlines() if "=" in line and not line.startswith("#")
    )


def test_walls_are_lowered_for_what_a_run_needs_and_no_further() -> None:
    full = settings_of(system_service(SHIPPED))
    assert full["ProtectHome"] == "true"
    assert full["PrivateTmp"] == "true"
    assert full["StateDirectory"] == "digest"
    assert "ReadWritePaths" not in full

    near = settings_of(
        system_service(Job(("/home/ada/.venv/bin/digest",), Path("/srv/digest"), "ada"))
    )
    assert near["ProtectHome"] == "read-only"
    assert near["ReadWritePaths"] == "/srv/digest"
    assert {k: v for k, v in near.items() if full.get(k) != v}.keys() == {
        "ProtectHome",
        "ReadWritePaths",
        "User",
        "WorkingDirectory",
        "Environment",
        "ExecStart",
    }
    temporary = settings_of(
        system_service(Job(("/opt/digest/bin/digest",), Path("/tmp/digest"), "ada"))
    )
    assert "PrivateTmp" not in temporary
    assert temporary["ProtectHome"] == "true"


def test_sendmail_keeps_the_bits_that_it_needs() -> None:
    """Each of these would imply NoNewPrivileges for a service with User= (systemd.exec(5))."""
    implying = (
        "SystemCallFilter SystemCallArchitectures RestrictAddressFamilies RestrictNamespaces"
        " PrivateDevices ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectClock"
        " MemoryDenyWriteExecute RestrictRealtime RestrictSUIDSGID DynamicUser LockPersonality"
        " ProtectHostname NoNewPrivileges"
    ).split()
    job = Job(("/opt/digest/bin/digest",), Path("/srv/digest"), "ada", sendmail=True)
    for maker in (system_service, user_service):
        found = settings_of(maker(job))
        assert not set(implying) & set(found)
        assert not {"PrivateUsers", "CapabilityBoundingSet", "ReadWritePaths"} & set(found)
    assert settings_of(system_service(job))["ProtectSystem"] == "full"


def test_paths_are_read_back_from_what_is_written() -> None:
    home = Path("/srv/" + ODD)
    job = Job(("/opt/digest/bin/digest",), home)
    assert home_of_unit(system_service(job)) == home
    assert home_of_unit(user_service(job)) == home
    assert home_of_unit(system_service(SHIPPED)) == STATE
    assert home_of_line(cron_line(job)) == home
    assert home_of_plist(plist(job)) == home
    assert quoted("/plain/path") == "/plain/path"


def test_a_launchd_agent_runs_at_load_and_each_quarter_of_an_hour(tmp_path: Path) -> None:
    job = Job(("/opt/digest/bin/digest",), tmp_path / ODD)
    data = plist(job).encode()
    assert MARK.encode() in data
    agent = plistlib.loads(data)
    assert agent == {
        "Label": LABEL,
        "ProgramArguments": ["/opt/digest/bin/digest", "run", "--wait"],
        "WorkingDirectory": str(job.home),
        "EnvironmentVariables": {"DIGEST_HOME": str(job.home)},
        "RunAtLoad": True,
        "StartCalendarInterval": [{"Minute": minute} for minute in (0, 15, 30, 45)],
        "ProcessType": "Background",
        "StandardOutPath": str(job.home / "last-run.log"),
        "StandardErrorPath": str(job.home / "last-run.log"),
    }
    xmllint = shutil.which("xmllint")
    if xmllint:
        subprocess.run([xmllint, "--noout", "--nonet", "-"], input=data, check=True)


def test_a_crontab_line_does_what_it_says(tmp_path: Path) -> None:
    """Called as cron does: five fields, then a command for /bin/sh in which a bare % would end
    it."""
    home = tmp_path / ODD
    home.mkdir()
    program = tmp_path / "my digest"
    program.write_text('#!/bin/sh\necho "$DIGEST_HOME|$*"\n')
    program.chmod(0o755)
    line = cron_line(Job((str(program),), home))
    *when, command = line.split(" ", 5)
    assert when == ["*/15", "*", "*", "*", "*"]
    assert "%" not in command.replace("\\%", "")
    subprocess.run(["/bin/sh", "-c", command.replace("\\%", "%")], check=True, env={})
    assert (home / "last-run.log").read_text() == f"{home}|run --wait\n"


def test_cron_accepts_the_line(tmp_path: Path) -> None:
    crontab = shutil.which("crontab")
    text = with_line("MAILTO=ada\n", cron_line(Job(("/opt/digest/bin/digest",), tmp_path / ODD)))
    (tmp_path / "crontab").write_text(text)
    usage = (
        subprocess.run([crontab, "-h"], capture_output=True, text=True, check=False)
        if crontab
        else None
    )
    if not crontab or usage is None or "dry run" not in usage.stdout + usage.stderr:
        pytest.skip("no crontab that can check a file")
    check = [crontab, "-n", str(tmp_path / "crontab")]
    assert subprocess.run(check, capture_output=True, check=False).returncode == 0
    (tmp_path / "crontab").write_text(text.replace("*/15", "*/q"))
    assert subprocess.run(check, capture_output=True, check=False).returncode != 0


def test_a_line_break_in_a_path_is_refused() -> None:
    with pytest.raises(ConfigError):
        cron_line(Job(("/opt/digest/bin/digest",), Path("/srv/a\nb")))


@pytest.mark.parametrize(
    "before", ["", "MAILTO=ada\n", "# no line break at the end\n5 4 * * * true", "\n\n# x\n"]
)
def test_all_else_in_a_crontab_is_kept(before: str) -> None:
    first = with_line(before, "*/15 * * * * one")
    assert first.startswith(before)
    second = with_line(first + "0 0 * * * after\n", "*/15 * * * * two")
    assert "one" not in second
    assert second.count("digest timer: begin") == 1
    left = without_line(second)
    assert (
        left == before + ("" if before.endswith("\n") or not before else "\n") + "0 0 * * * after\n"
    )


# systemd, for a user


def test_a_users_timer_is_shown_installed_and_removed(place: Place) -> None:
    shown = place("install", "--user", "--print")
    assert shown.code == 0
    assert place.calls == []
    assert not place.user_units.exists()

    done = place("install", "--user", "--yes")
    assert done.code == 0, done.err
    assert done.out.startswith(shown.out)
    service = place.user_units / "digest.service"
    assert MARK in service.read_text()
    assert f"Environment=DIGEST_HOME={place.home}" in service.read_text()
    for text in (service.read_text(), (place.user_units / "digest.timer").read_text()):
        assert all(line.strip() in shown.out for line in text.splitlines())
    enabled = ["systemctl --user daemon-reload", "systemctl --user enable --now digest.timer"]
    assert place.calls == ["loginctl enable-linger", *enabled]
    assert all(call in shown.out for call in place.calls)
    verify(service, "--user")
    verify(place.user_units / "digest.timer", "--user")

    before = place.everything()
    place.forget()
    assert place("install", "--user", "--yes").code == 0
    assert place.everything() == before

    place.forget()
    removed = place("remove", "--user", "--yes")
    assert removed.code == 0
    assert place.calls == [
        "systemctl --user disable --now digest.timer",
        "systemctl --user daemon-reload",
    ]
    assert list(place.user_units.iterdir()) == []
    assert str(place.home) in removed.out
    assert "stay" in removed.out
    assert (place.home / "subscribers.yaml").exists()
    place.forget()
    assert "nothing to remove" in place("remove", "--user", "--yes").out
    assert place.calls == []


def test_the_program_is_this_installations_own(place: Place) -> None:
    place("install", "--user", "--yes")
    text = (place.user_units / "digest.service").read_text()
    line = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    program, *rest = shlex.split(line.removeprefix("ExecStart="))
    assert Path(program).is_absolute()
    assert rest[-2:] == ["run", "--wait"]
    said = subprocess.run(
        [program, *rest[:-2], "--version"], capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith("digest ")


def test_without_a_terminal_it_shows_and_does_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    told = place("install", "--user")
    assert told.code == 2
    assert "Write: " in told.out
    assert "--yes" in told.err
    assert place.calls == []
    place("install", "--user", "--yes")
    assert place("remove", "--user").code == 2
    assert (place.user_units / "digest.timer").exists()


@pytest.mark.parametrize(("answer", "made"), [(True, True), (False, False)])
def test_on_a_terminal_it_asks(
    place: Place, monkeypatch: pytest.MonkeyPatch, answer: bool, made: bool
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda *_a, **_k: answer)
    assert place("install", "--user").code == 0
    assert (place.user_units / "digest.timer").exists() is made


def test_lingering_is_left_out_where_it_is_on_or_not_wanted(place: Place) -> None:
    assert "stops when you log out" in place("install", "--user", "--yes", "--no-linger").out
    assert not any("linger" in call for call in place.calls)
    lingering = place.root / "var/lib/systemd/linger" / account_name(os.geteuid())
    lingering.parent.mkdir(parents=True)
    lingering.touch()
    place("install", "--user", "--yes")
    assert not any("linger" in call for call in place.calls)
    assert "disable-linger" in place("remove", "--user", "--print").out


def test_refused_lingering_is_told_and_stops_nothing(place: Place) -> None:
    place.answers("loginctl", 'echo "Could not enable linger: Access denied" >&2; exit 1')
    told = place("install", "--user", "--yes")
    assert told.code == 0
    assert "Access denied" in told.err
    assert "log out" in told.err
    assert (place.user_units / "digest.timer").exists()


def test_a_manager_that_refuses_is_one_line(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "digest.system.timers.plan.carry_out.__kwdefaults__", {"sleep": lambda _seconds: None}
    )
    place.answers("systemctl", 'echo "Failed to connect to bus: No medium found" >&2; exit 1')
    told = place("install", "--user", "--yes")
    assert told.code == 78
    assert "No medium found" in told.err
    assert len(told.err.splitlines()) == 1


def test_files_of_others_are_neither_replaced_nor_removed(place: Place) -> None:
    place.user_units.mkdir(parents=True)
    mine = place.user_units / "digest.service"
    mine.write_text("[Service]\nExecStart=/bin/true\n")
    told = place("install", "--user", "--yes")
    assert told.code == 78
    assert str(mine) in told.err
    assert place.calls == []
    (place.user_units / "digest.timer").write_text(TIMER_UNIT)
    assert "nothing to remove" in place("remove", "--user", "--yes").out
    assert len(list(place.user_units.iterdir())) == 2


def test_settings_of_this_shell_alone_are_told(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_CONTACT", "ada@example.org")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    told = place("install", "--user", "--print").out
    assert "DIGEST_CONTACT" in told
    assert str(place.home / ".env") in told
    assert "HTTPS_PROXY" in told
    (place.home / ".env").write_text("DIGEST_CONTACT=ada@example.org\n")
    assert "DIGEST_CONTACT" not in place("install", "--user", "--print").out


def test_a_missing_home_or_somebody_elses_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (
        "there is no folder"
        in place("install", "--user", "--yes", "--home", str(place.home / "no")).err
    )
    monkeypatch.setattr("digest.system.timers.kinds.owner", lambda _folder: "lin")
    told = place("install", "--user", "--yes")
    assert told.code == 78
    assert "belongs to lin" in told.err


# systemd, for the system


def test_the_systems_timer_runs_as_the_owner_of_the_home(place: Place) -> None:
    place.machine(system="linux", systemd=True, uid=0)
    assert place("install", "--yes").code == 0
    service = (place.system_units / "digest.service").read_text()
    assert f"User={account_name(place.home.stat().st_uid)}" in service
    assert f"ReadWritePaths={place.home}" in service
    assert place.calls == ["systemctl daemon-reload", "systemctl enable --now digest.timer"]
    verify(place.system_units / "digest.service")
    place.forget()
    assert place("remove", "--yes").code == 0
    assert place.calls == ["systemctl disable --now digest.timer", "systemctl daemon-reload"]
    assert [p for p in place.root.rglob("*") if p.is_file()] == []


def test_the_home_of_the_system_belongs_to_an_account_that_is_made(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.machine(system="linux", systemd=True, uid=0)
    monkeypatch.setattr(
        cli_timer, "make_job", lambda settings: replace(SHIPPED, home=settings.home)
    )
    told = place("install", "--system", "--yes", "--home", str(STATE))
    assert told.code == 0, told.err
    assert place.calls[0] == "systemd-sysusers "
    assert (place.root / "etc/sysusers.d/digest.conf").read_text().splitlines()[1:] == shipped()[
        "digest.sysusers"
    ].splitlines()
    installed = (place.system_units / "digest.service").read_text()
    assert installed == f"# {MARK}\n" + shipped()["digest.service"]
    removed = place("remove", "--system", "--yes").out
    assert "the account digest" in removed
    assert not (place.root / "etc/sysusers.d/digest.conf").exists()


def test_the_system_needs_root_and_systemd(place: Place) -> None:
    told = place("install", "--system", "--yes")
    assert told.code == 78
    assert "sudo" in told.err
    place.machine(system="linux", systemd=False, uid=0)
    assert "needs systemd" in place("install", "--system", "--yes").err


def test_an_enabled_daemon_is_not_pushed_aside(place: Place) -> None:
    place.machine(system="linux", systemd=True, uid=0)
    place.answers("systemctl", 'case "$*" in "is-enabled "*) echo enabled;; esac')
    told = place("install", "--system", "--yes")
    assert told.code == 78
    assert "digest-daemon.service is enabled" in told.err
    assert place.calls == []


def test_a_program_that_the_account_cannot_reach_is_told_before_anything_is_done(
    place: Place, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    program = closed / "digest"
    place.program(program, "#!/bin/sh\n")
    machine = replace(Machine.this(os.environ), uid=0, systemd=True, root=place.root)
    with pytest.raises(ConfigError, match="is closed to it"):
        plan_install(machine, replace(SHIPPED, command=(str(program),)), system=True)


# cron and launchd


def test_without_systemd_a_crontab_gets_a_line_and_loses_only_that(place: Place) -> None:
    place.machine(system="linux", systemd=False)
    before = "MAILTO=ada\n5 4 * * * backup 100\\%\n"
    (place.records / "crontab").write_text(before)
    assert place("install", "--print").code == 0
    assert place.crontab == before
    assert place("install", "--yes").code == 0
    once = place.crontab
    assert once.startswith(before)
    assert f"DIGEST_HOME={place.home}" in once
    assert place("install", "--yes").code == 0
    assert place.crontab == once
    assert place("remove", "--yes").code == 0
    assert place.crontab == before
    assert place.calls == ["crontab -"] * 3


def test_a_crontab_that_held_nothing_else_is_removed(place: Place) -> None:
    place.machine(system="linux", systemd=False)
    place("install", "--yes")
    place("remove", "--yes")
    assert place.calls == ["crontab -", "crontab -r"]
    assert place.crontab == ""


def test_a_crontab_that_cannot_be_read_is_not_replaced(place: Place) -> None:
    place.machine(system="linux", systemd=False)
    place.program(
        place.bin / "crontab",
        '#!/bin/sh\necho "You (ada) are not allowed to use this program" >&2\nexit 1\n',
    )
    told = place("install", "--yes")
    assert told.code == 78
    assert "not allowed" in told.err


def test_a_line_by_hand_is_told_and_left_alone(place: Place) -> None:
    place.machine(system="linux", systemd=False)
    line = "*/15 * * * * cd /home/ada/digest && digest run"
    (place.records / "crontab").write_text(line + "\n")
    assert line in place("install", "--yes").out.split("Note: ", 1)[1]
    assert "Still there: cron" in place("remove", "--yes").out
    assert place.crontab == line + "\n"


def test_with_nothing_that_calls_it_one_line_says_so(place: Place) -> None:
    place.machine(system="linux", systemd=False)
    (place.bin / "crontab").unlink()
    told = place("install", "--yes")
    assert told.code == 78
    assert "digest daemon" in told.err
    shown = place("install", "--print")
    assert shown.code == 0
    assert "*/15 * * * *" in shown.out


def test_on_macos_an_agent_is_loaded_and_unloaded(place: Place) -> None:
    place.machine(system="darwin", systemd=False, uid=501)
    place.answers("launchctl", 'case "$1" in bootout) exit 3;; print) exit 0;; esac')
    assert place("install", "--yes").code == 0
    agent = place.person / f"Library/LaunchAgents/{LABEL}.plist"
    assert plistlib.loads(agent.read_bytes())["EnvironmentVariables"] == {
        "DIGEST_HOME": str(place.home)
    }
    assert place.calls == [
        f"launchctl bootout gui/501/{LABEL}",
        f"launchctl enable gui/501/{LABEL}",
        f"launchctl bootstrap gui/501 {agent}",
    ]
    assert "launchd: active" in place("status").out
    place.forget()
    assert place("remove", "--yes").code == 0
    assert place.calls == [f"launchctl bootout gui/501/{LABEL}"]
    assert not agent.exists()


def test_macos_closes_some_folders_to_background_programs(place: Place) -> None:
    place.machine(system="darwin", systemd=False)
    home = place.person / "Documents" / "digest"
    home.mkdir(parents=True)
    assert "move" in place("install", "--print", "--home", str(home)).out


# What is installed


SHOW = """\
case "$*" in
*is-active*) echo active;;
*"show digest.timer"*) echo UnitFileState=enabled
  echo "LastTriggerUSec=Mon 2026-11-23 07:15:31 UTC"
  echo "NextElapseUSecRealtime=Mon 2026-11-23 07:30:31 UTC";;
*"show digest.service"*) echo ActiveState=inactive; echo Result=success; echo ExecMainStatus=75
  [ -e "$RECORDS/ran" ] && echo "ExecMainExitTimestamp=Mon 2026-11-23 07:15:33 UTC";;
esac
"""


def test_status_tells_last_and_next_run_in_the_managers_words(place: Place) -> None:
    assert "Nothing calls Digest here" in place("status").out
    place("install", "--user", "--yes")
    place.answers("systemctl", SHOW)
    told = place("status").out
    assert "systemd --user: active" in told
    assert f"home folder: {place.home}" in told
    assert "last run: Mon 2026-11-23 07:15:31 UTC\n" in told
    assert "next run: Mon 2026-11-23 07:30:31 UTC" in told
    (place.records / "ran").touch()
    assert "last run: Mon 2026-11-23 07:15:33 UTC, exit code 75 (success)" in place("status").out
    [entry] = json.loads(place("status", "--json").out)
    assert entry["kind"] == "systemd --user"
    assert entry["active"] is True
    assert entry["home"] == str(place.home)


def test_installed_finds_all_kinds_whoever_made_them(place: Place) -> None:
    place.system_units.mkdir(parents=True)
    (place.system_units / "digest-daemon.service").write_text(daemon_service(SHIPPED))
    (place.root / "etc/cron.d").mkdir()
    (place.root / "etc/cron.d/digest").write_text(
        "# digest run\n*/15 * * * * ada digest --home /srv/d run\n"
    )
    place("install", "--user", "--yes")
    place.answers("systemctl", SHOW)
    found = {(item.kind, item.active, item.home, item.made_here) for item in cli_timer.installed()}
    assert found == {
        ("daemon", True, STATE, False),
        ("systemd --user", True, place.home, True),
        ("cron", None, Path("/srv/d"), False),
    }


def test_installed_never_fails(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.program(place.bin / "crontab", "#!/bin/sh\nexit 7\n")
    place.user_units.parent.mkdir(parents=True)
    place.user_units.write_text("a file where a folder should be")
    assert cli_timer.installed() == []

    def refuse() -> Machine:
        raise ConfigError("not here")

    monkeypatch.setattr(cli_timer, "_machine", refuse)
    assert cli_timer.installed() == []


# What others use


def offered(place: Place, *, assume_yes: bool) -> bool:
    context = Context()
    context.flags["DIGEST_HOME"] = str(place.home)
    return cli_timer.offer_install(context, assume_yes=assume_yes)


def test_an_offer_says_in_two_lines_what_it_is(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert offered(place, assume_yes=False) is False
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "every 15 minutes" in lines[0]
    assert "digest.timer" in lines[1]
    assert "digest timer install --yes" in lines[2]
    assert place.calls == []
    assert offered(place, assume_yes=True) is True
    assert (place.user_units / "digest.timer").exists()


def test_an_offer_that_cannot_be_raises_nothing(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.machine(system="linux", systemd=False)
    (place.bin / "crontab").unlink()
    assert offered(place, assume_yes=True) is False
    assert "no timer was set up" in capsys.readouterr().err


WINDOWS = """\
import sys, platform
for name in ("fcntl", "pwd", "grp", "resource", "termios"):
    sys.modules[name] = None
platform.system = lambda: "Windows"
from digest.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("arguments", [["install"], ["status"], ["remove"]])
def test_windows_itself_is_told_in_one_line(arguments: list[str], tmp_path: Path) -> None:
    """Also without the modules that only POSIX systems have."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", WINDOWS, *words], capture_output=True, text=True, check=False
        )

    told = run("timer", *arguments)
    assert told.returncode == 78
    assert "WSL" in told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert run("--version").returncode == 0


def test_each_subcommand_has_help(place: Place) -> None:
    says: Callable[[str], str] = lambda name: place(name, "--help").out  # noqa: E731
    assert "--system" in says("install")
    assert "last and next run" in says("status")
    assert "--print" in says("remove")
