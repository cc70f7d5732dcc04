"""What the tests of the commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.world.shell import NOW, Shell


@pytest.fixture
def shell(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    """A home of its own, where the commands that change readers take `NOW` for the hour."""
    for module in ("subscribe", "subscribers"):
        monkeypatch.setattr(f"digest.cli.readers.{module}.machine_now", lambda: NOW)
    return Shell(tmp_path, capfd)
