"""The units in systemd/, as systemd itself reads them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parent.parent / "systemd"
SERVICES = ("digest.service", "digest-daemon.service")
PROGRAM = "/usr/local/bin/digest"


def lines(name: str) -> list[str]:
    """The settings of a unit, without comments."""
    return [
        line
        for line in (UNITS / name).read_text().splitlines()
        if line and not line.startswith("#")
    ]


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as installed here: with the path of a program that exists."""
    program = Path(sys.executable).parent / "digest"
    if not program.exists():
        program = Path(sys.executable)
    for unit in UNITS.iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace(PROGRAM, str(program)))
    return tmp_path


@pytest.mark.parametrize("name", [*SERVICES, "digest.timer", "digest-web.service"])
def test_systemd_accepts_the_unit_without_a_word(installed, name):
    result = analyze("verify", "--man=no", str(installed / name))
    own = [line for line in (result.stdout + result.stderr).splitlines() if "digest" in line]
    assert own == []
    assert result.returncode == 0


@pytest.mark.parametrize("name", [*SERVICES, "digest-web.service"])
def test_the_service_is_little_exposed(installed, name):
    result = analyze(
        "security", "--offline=true", "--threshold=25", "--no-pager", str(installed / name)
    )
    assert result.returncode == 0, result.stdout + result.stderr
    level = re.search(r"exposure level for \S+: ([0-9.]+)", result.stdout)
    assert level is not None
    assert float(level[1]) <= 2.5


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Berlin", "2026-10-24 23:50"),  # 02:00 to 03:00 comes twice
        ("America/New_York", "2026-11-01 04:50"),
        ("Australia/Lord_Howe", "2026-04-04 13:50"),  # half an hour of it comes twice
        ("America/New_York", "2026-03-08 05:50"),  # an hour is left out
    ],
)
def test_the_timer_fires_every_quarter_of_an_hour(monkeypatch, zone, start):
    monkeypatch.setenv("TZ", zone)
    [expression] = [
        line.removeprefix("OnCalendar=") for line in lines("digest.timer") if "OnCalendar=" in line
    ]
    said = analyze("calendar", "--iterations=13", f"--base-time={start}:00 UTC", expression).stdout
    fired = re.findall(r"\(in UTC\): \S+ (\S+ \S+) UTC", said)
    first = datetime.fromisoformat(f"{start}:00") + timedelta(minutes=10)
    assert fired == [str(first + n * timedelta(minutes=15)) for n in range(13)]


def test_both_services_stand_behind_the_same_walls():
    def walls(name: str) -> list[str]:
        settings = lines(name)
        return [
            line
            for line in settings[settings.index("User=digest") :]
            if line[0] != "[" and "WantedBy" not in line
        ]

    assert walls("digest.service") == walls("digest-daemon.service")
    assert walls("digest.service") == walls("digest-web.service")
    assert len(walls("digest.service")) > 30


@pytest.mark.parametrize("name", SERVICES)
def test_the_password_is_optional_and_comes_under_the_name_that_the_settings_read(name):
    from digest.setup.settings import CREDENTIAL

    assert f"LoadCredential={CREDENTIAL}:/etc/digest/{CREDENTIAL}" in lines(name)
    assert f"SetCredential={CREDENTIAL}:\\n" in lines(name)
    assert "EnvironmentFile=-/etc/digest/environment" in lines(name)


def test_a_default_credential_reads_as_no_password(tmp_path):
    from digest.setup.settings import CREDENTIAL, load_settings

    (tmp_path / CREDENTIAL).write_text("\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "DIGEST_HOME": str(tmp_path)}
    assert load_settings({}, environ, tmp_path).mail_password == ""


def test_exit_codes_mean_to_systemd_what_they_mean_to_the_program():
    from digest.errors import Exit

    assert f"SuccessExitStatus={int(Exit.TRY_LATER)}" in lines("digest.service")
    assert f"RestartPreventExitStatus={int(Exit.USAGE)} {int(Exit.CONFIG)}" in lines(
        "digest-daemon.service"
    )


def test_the_services_begin_once_the_time_is_known():
    for name in SERVICES:
        assert "After=network-online.target time-sync.target" in lines(name)


def test_timer_and_daemon_exclude_each_other():
    assert "Conflicts=digest.timer" in lines("digest-daemon.service")


def test_the_services_run_as_the_account_that_is_made_for_them():
    assert lines("digest.sysusers")[0].split()[:2] == ["u", "digest"]
    assert all("User=digest" in lines(name) for name in SERVICES)


def test_the_analysis_knows_every_wall(installed):
    """A setting that systemd would ignore, as an old version does with one it does not know, is no
    wall."""
    said = analyze(
        "security", "--offline=true", "--json=short", str(installed / "digest.service")
    ).stdout
    open_doors = {row["json_field"] for row in json.loads(said) if row["set"] is False}
    needed = {
        "PrivateNetwork",
        "RestrictAddressFamilies_AF_INET_INET6",
        "RestrictAddressFamilies_AF_UNIX",
    }
    minor = {"IPAddressDeny", "RootDirectoryOrRootImage", "PrivateMounts", "DeviceAllow", "UMask"}
    assert open_doors <= needed | minor
