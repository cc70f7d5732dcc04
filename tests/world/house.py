"""An installation in a folder of its own, with a small arXiv beside it, and its command line."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from digest.demo.papers import KEYWORDS, Day, three_days
from digest.store import database as database_module
from tests.world.shell import Told, run_main
from tests.world.standin import ScriptedAnswer, Standin
from tests.world.worlds import mail

DAYS = three_days(date(2026, 11, 1))
THURSDAY, FRIDAY, SATURDAY = (day.now for day in DAYS)
SUBSCRIBERS = f"""\
subscribers:
  - email: ada@example.org
    name: Ada
    keywords: [{KEYWORDS[0]}, {KEYWORDS[1]}]
  - email: lin@example.org
    keywords: [{KEYWORDS[2]}]
    at: "07:30"
    timezone: Europe/Berlin
"""


class House:
    """An installation in a folder of its own, with a small arXiv beside it."""

    def __init__(self, home: Path, arxiv: Standin, capture: pytest.CaptureFixture[str]) -> None:
        self.home, self.arxiv, self._capture = home, arxiv, capture
        self.write(SUBSCRIBERS)
        self.serve(DAYS[0])

    def write(self, text: str) -> None:
        (self.home / "subscribers.yaml").write_text(text, encoding="utf-8")

    def serve(self, day: Day) -> None:
        self.arxiv.serve(day.papers)
        self.arxiv.requests.clear()

    def __call__(self, *args: str, now: datetime | None = None) -> Told:
        """Run one command as a person would type it, in this process."""
        arguments = [*args, "--home", str(self.home)]
        if now is not None:
            arguments += ["--now", now.isoformat()]
        return run_main(arguments, self._capture)

    def mails(self, address: str = "") -> list[EmailMessage]:
        folder = self.home / "mail" / "new"
        paths = (
            sorted(folder.iterdir(), key=lambda p: p.stat().st_mtime_ns) if folder.is_dir() else []
        )
        found = [mail(path.read_bytes()) for path in paths]
        return [m for m in found if address in m["To"]]

    def value(self, sql: str) -> Any:
        with closing(sqlite3.connect(self.home / "digest.db")) as connection:
            return connection.execute(sql).fetchone()[0]

    def write_row(self, sql: str) -> None:
        with closing(sqlite3.connect(self.home / "digest.db")) as connection:
            connection.execute(sql)
            connection.commit()


@pytest.fixture
def house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[House]:
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.05)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with Standin() as arxiv:
        monkeypatch.setenv("DIGEST_ARXIV_API", arxiv.url)
        monkeypatch.setenv("DIGEST_ARXIV_DELAY", "0")
        monkeypatch.chdir(tmp_path)
        yield House(tmp_path, arxiv, capsys)
    root.handlers[:] = handlers
    root.setLevel(level)


def out_of_order(_params: dict[str, str]) -> ScriptedAnswer:
    return ScriptedAnswer(503, b"")


def failing_for(word: str) -> Callable[[dict[str, str]], ScriptedAnswer | None]:
    return lambda params: ScriptedAnswer(503, b"") if word in params["search_query"] else None


def refused(told: Told, code: int, *words: str) -> None:
    """One line on stderr with these words, nothing on stdout, and the code."""
    assert (told.code, told.out) == (code, "")
    assert len(told.complaints) == 1
    assert told.complaints[0].startswith("digest: ")
    for word in words:
        assert word in told.complaints[0]


def program(
    *args: str, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """The program in a process of its own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("DIGEST_")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "digest", *args],
        cwd=cwd,
        env=clean
        | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent.parent)}
        | (env or {}),
        capture_output=True,
        timeout=60,
    )
