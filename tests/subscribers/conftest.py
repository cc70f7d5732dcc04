from __future__ import annotations

from pathlib import Path

import pytest

from tests.subscribers.files import TEXT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "subscribers.yaml"
    file.write_text(TEXT)
    return file
