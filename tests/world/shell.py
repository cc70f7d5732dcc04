"""`digest` in a home of its own, called as a person would call it."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from digest.cli import main
from digest.model import Subscriber
from digest.subscribers import load_roster

MAILDIR_LINE = "nobody's inbox"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""A Monday at noon."""


@dataclass
class Told:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        """The lines on stderr, without the one that says where mail goes."""
        return [line for line in self.err.splitlines() if MAILDIR_LINE not in line]

    def json(self) -> Any:
        """What it said as JSON."""
        return json.loads(self.out)


def run_main(arguments: list[str], capture: pytest.CaptureFixture[str]) -> Told:
    """Run the command line in this process."""
    capture.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capture.readouterr()
    assert "Traceback" not in err
    end_where_stopped(err)
    return Told(int(ended.value.code or 0), out, err)


def end_where_stopped(err: str) -> None:
    """End the tests where a command that ran in this process took the signal that was meant for
    them, as `timeout` sends it; else a test would fail for it, and the tests go on.
    """
    if "digest: stopped: the next" in err:
        pytest.exit("a signal asked for a stop", returncode=128 + signal.SIGTERM)


class Shell:
    """Runs `digest` with a subscribers file of its own; `err` is what the last call said on
    stderr."""

    def __init__(self, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.home, self.path, self.capfd = home, home / "subscribers.yaml", capfd
        self.err = ""

    def __call__(self, *args: str, code: int = 0) -> str:
        told = run_main([*args, "--home", str(self.home)], self.capfd)
        self.err = told.err
        assert told.code == code, told.err or told.out
        return told.out

    @property
    def text(self) -> str:
        """What the subscribers file says."""
        return self.path.read_text(encoding="utf-8")

    def reader(self, email: str) -> Subscriber:
        """One reader of the file."""
        readers = load_roster(self.path).subscribers
        return next(reader for reader in readers if reader.email == email)

    def csv(self, text: str | bytes, name: str = "people.csv") -> str:
        """Write a table of people; returns its path."""
        path = self.home / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)
