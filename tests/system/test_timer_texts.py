"""The texts of timers are valid, say what a run needs, and are read back as they were written."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from digest.errors import ConfigError
from digest.system.timers.cron import cron_line, home_of_line, with_line, without_line
from digest.system.timers.job import MARK, SHIPPED, STATE, Job
from digest.system.timers.launchd import LABEL, home_of_plist, plist
from digest.system.timers.systemd import home_of_unit
from digest.system.timers.units import (
    TIMER_UNIT,
    daemon_service,
    quoted,
    shipped,
    system_service,
    user_service,
    web_service,
)
from tests.world.timers import ODD, UNITS, verify


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
        ("web", partial(web_service, of_system=True), ()),
        ("my web", partial(web_service, of_system=False), ("--user",)),
    ):
        (tmp_path / folder).mkdir()
        unit = (
            tmp_path
            / folder
            / {"daemon": "digest-daemon.service", "web": "digest-web.service"}.get(
                folder, "digest.service"
            )
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


def test_paths_are_read_back_from_what_is_written(tmp_path: Path) -> None:
    home = Path("/srv/" + ODD)
    job = Job(("/opt/digest/bin/digest",), home)
    assert home_of_unit(system_service(job)) == home
    assert home_of_unit(user_service(job)) == home
    assert home_of_unit(system_service(SHIPPED)) == STATE
    assert home_of_line(cron_line(job)) == home
    agent = tmp_path / "agent.plist"
    agent.write_text(plist(job))
    assert home_of_plist(agent) == home
    agent.write_bytes(plistlib.dumps(plistlib.loads(agent.read_bytes()), fmt=plistlib.FMT_BINARY))
    assert home_of_plist(agent) == home
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
        "StartInterval": 900,
        "ProcessType": "Background",
        "StandardOutPath": str(job.home / "last-run.log"),
        "StandardErrorPath": str(job.home / "last-run.log"),
    }


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


FALL_BACK = [("Europe/Berlin", date(2026, 10, 25)), ("America/New_York", date(2026, 11, 1))]
"""Zones, and the days on which an hour comes twice there."""


def longest_wait(fired: Iterable[datetime]) -> timedelta:
    moments = sorted(fired)
    return max(after - before for before, after in pairwise(moments))


def calendar_calls(zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[datetime]:
    """As launchd, and systemd in a zone's own time: the next quarter on the wall after now, of two
    the first (mktime(3) with the flag of summer time left open)."""
    now = begin
    while now < end:
        wall = now.astimezone(zone).replace(tzinfo=None, fold=0)
        wall = wall.replace(minute=wall.minute // 15 * 15) + timedelta(minutes=15)
        following = wall.replace(tzinfo=zone).astimezone(UTC)
        while following <= now:  # the first of two is over: the next quarter that is not
            wall += timedelta(minutes=15)
            following = wall.replace(tzinfo=zone).astimezone(UTC)
        now = following
        yield now


@pytest.mark.parametrize(("zone", "day"), FALL_BACK)
def test_launchd_calls_each_quarter_through_the_hour_that_comes_twice(
    zone: str, day: date, tmp_path: Path
) -> None:
    agent = plistlib.loads(plist(Job(("/opt/digest/bin/digest",), tmp_path)).encode())
    begin = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    end = begin + timedelta(hours=12)
    by_calendar = list(calendar_calls(ZoneInfo(zone), begin, end))
    assert [each["Minute"] for each in agent["StartCalendarInterval"]] == [0, 15, 30, 45]
    assert longest_wait(by_calendar) == timedelta(minutes=75)
    every = timedelta(seconds=agent["StartInterval"])
    by_interval = [begin + every * number for number in range(1 + (end - begin) // every)]
    assert longest_wait([*by_calendar, *by_interval]) <= timedelta(minutes=15)


@pytest.mark.parametrize(("zone", "day"), FALL_BACK)
def test_cron_calls_each_quarter_through_the_hour_that_comes_twice(
    zone: str, day: date, tmp_path: Path
) -> None:
    """Each minute cron looks at the wall; when the clock has gone back by less than three hours, it
    calls only the lines whose minutes or hours begin with a star (cron(8))."""
    minutes, hours, *_ = cron_line(Job(("/opt/digest/bin/digest",), tmp_path)).split()
    assert (minutes, hours) == ("*/15", "*")
    begin = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    walls = (begin + timedelta(minutes=number) for number in range(12 * 60))
    called = [at for at in walls if at.astimezone(ZoneInfo(zone)).minute % 15 == 0]
    assert longest_wait(called) == timedelta(minutes=15)
