"""`digest timer`: it shows what it will do before it does it, and takes away only what it made."""

from __future__ import annotations

import io
import os
import plistlib
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import digest.cli.daily.timer as cli_timer
from digest.errors import ConfigError
from digest.system.accounts import account_name
from digest.system.timers.job import MARK, SHIPPED, STATE
from digest.system.timers.kinds import plan_install
from digest.system.timers.launchd import LABEL
from digest.system.timers.machine import Machine
from digest.system.timers.units import (
    TIMER_UNIT,
    shipped,
)
from tests.world.timers import Place, verify

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


def test_a_service_for_the_web_is_set_up_and_removed_with_the_timer(place: Place) -> None:
    shown = place("install", "--user", "--web", "--print")
    assert "digest-web.service" in shown.out
    assert place("install", "--user", "--web", "--yes").code == 0
    unit = place.user_units / "digest-web.service"
    assert f"Environment=DIGEST_HOME={place.home}" in unit.read_text()
    verify(unit, "--user")
    assert place.calls[-1] == "systemctl --user enable --now digest-web.service"
    # Whoever brings the timer up to date without naming it keeps it.
    place("install", "--user", "--yes")
    assert unit.exists()
    place.forget()
    place("remove", "--user", "--yes")
    assert not unit.exists()
    assert "systemctl --user disable --now digest.timer digest-web.service" in place.calls


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
