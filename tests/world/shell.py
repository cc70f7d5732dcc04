"""`digest` in a home of its own, called as a person would call it."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.cli import main
from digest.model import Subscriber
from digest.subscribers import load_roster


class Shell:
    """Runs `digest` with a subscribers file of its own; `err` is what the last call said on
    stderr."""

    def __init__(self, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.home, self.path, self.capfd = home, home / "subscribers.yaml", capfd
        self.err = ""

    def __call__(self, *args: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main([*args, "--home", str(self.home)])
        out, self.err = self.capfd.readouterr()
        assert ended.value.code == code, self.err or out
        assert "Traceback" not in self.err
        return out

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
