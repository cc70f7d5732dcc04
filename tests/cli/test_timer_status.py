"""`digest timer status`, and what other commands ask of timers: what is there, and an offer."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import digest.cli.daily.timer as cli_timer
from digest.cli.base import Context
from digest.errors import ConfigError
from digest.system.timers.job import SHIPPED, STATE
from digest.system.timers.machine import Machine
from digest.system.timers.units import (
    daemon_service,
)
from tests.world.timers import Place

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
