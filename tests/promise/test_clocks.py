"""Real processes whose clock is set wrong by libfaketime: a run in ten years, a daemon that steps
back.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.demo.papers import KEYWORDS
from digest.demo.papers import World as Papers
from digest.errors import Exit
from tests.world.standin import Standin

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
YEARS = timedelta(days=3650)
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(FAKETIME is None, reason="libfaketime is needed"),
]


class Machine:
    """A machine whose clock the tests set, by a file that libfaketime reads at each look."""

    def __init__(self, home: Path, arxiv: Standin) -> None:
        self.home, self.arxiv, self.offset = home, arxiv, home / "offset"
        readers = f"subscribers: [{{email: ada@example.org, keywords: [{KEYWORDS[0]}]}}]\n"
        (home / "subscribers.yaml").write_text(readers, encoding="utf-8")
        self.set(timedelta())

    def set(self, ahead: timedelta) -> None:
        self.offset.write_text(f"{ahead.total_seconds():+.0f}\n", encoding="utf-8")

    def start(self, *command: str) -> subprocess.Popen[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("DIGEST_")}
        return subprocess.Popen(
            [sys.executable, "-m", "digest", *command, "--home", str(self.home)],
            env=clean
            | {
                "DIGEST_ARXIV_API": self.arxiv.url,
                "DIGEST_ARXIV_DELAY": "0",
                "LD_PRELOAD": str(FAKETIME),
                "FAKETIME_TIMESTAMP_FILE": str(self.offset),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            },
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self, *command: str) -> tuple[int, str]:
        process = self.start(*command)
        _, told = process.communicate(timeout=120)
        return process.returncode, told

    def value(self, sql: str) -> str:
        with closing(sqlite3.connect(self.home / "digest.db")) as connection:
            return str(connection.execute(sql).fetchone()[0])

    def wait_for(self, sql: str) -> None:
        """Until this is so; a process needs its time."""
        for _ in range(600):
            with suppress(sqlite3.Error):  # its tables may not be made yet
                if (self.home / "digest.db").exists() and self.value(sql) not in ("0", "None"):
                    return
            time.sleep(0.1)
        raise AssertionError(f"never so: {sql}")


def test_a_run_in_ten_years_leaves_nothing_behind(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    papers = Papers(7).papers(60, now - timedelta(days=6), now - timedelta(days=1))
    with Standin(papers) as arxiv:
        machine = Machine(tmp_path, arxiv)
        assert machine("run")[0] == Exit.DONE
        machine.set(YEARS)
        code, told = machine("run")
        assert (code, "3650 days ahead of arXiv's" in told) == (Exit.TRY_LATER, True)
        assert machine("doctor")[0] == Exit.GIVEN_UP
        arxiv.clock = lambda: None
        assert machine("run")[0] == Exit.DONE
        assert machine.value("SELECT MAX(last_good_at) FROM query") > "2030"
        newer = Papers(8).papers(20, now - timedelta(days=1), now - timedelta(hours=1))
        arxiv.serve([*papers, *newer])
        machine.set(YEARS + timedelta(days=1))
        assert machine("run")[0] == Exit.DONE
        assert int(machine.value("SELECT COUNT(*) FROM seen WHERE kind = 'old'")) > 0
        machine.set(timedelta())
        assert machine("run")[0] == Exit.TRY_LATER, "nobody confirms it"
        arxiv.clock = lambda: datetime.now(UTC)
        code, told = machine("run")
        assert (code, "taken for old then can come now" in told) == (Exit.DONE, True)
        assert machine.value("SELECT COUNT(*) FROM seen WHERE kind = 'old'") == "0"
        assert machine.value("SELECT MAX(last_good_at) FROM query") < f"{now + timedelta(1):%F}"


def test_a_daemon_whose_clock_steps_back_lives_and_puts_right(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with Standin(Papers(7).papers(60, now - timedelta(days=6), now)) as arxiv:
        arxiv.clock = lambda: None
        machine = Machine(tmp_path, arxiv)
        machine.set(timedelta(hours=3))
        daemon = machine.start("daemon", "-v")
        try:
            machine.wait_for("SELECT MAX(finished_at) FROM run")
            machine.set(timedelta())
            arxiv.clock = lambda: datetime.now(UTC)
            daemon.send_signal(signal.SIGHUP)
            machine.wait_for("SELECT COUNT(*) FROM run WHERE id = 2 AND finished_at IS NOT NULL")
            daemon.send_signal(signal.SIGTERM)
            _, told = daemon.communicate(timeout=60)
        finally:
            daemon.kill()
        assert daemon.returncode == 0
        assert "a clock had run ahead" in told
