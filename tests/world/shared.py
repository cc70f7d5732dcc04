"""The one way by which tests reach real captured data, which lies beside the project and not in
it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent.parent / "shared"

readers: set[str] = set()
"""The tests that read captured data in this run."""


def shared(name: str) -> Path:
    """Return the path of a captured file or folder; where there is no such data at all, skip.

    Data that is missing from a folder which exists is an error, never a skip.
    """
    if not ROOT.is_dir():
        pytest.skip("the captured arXiv data is not beside this checkout")
    path = ROOT / name
    assert path.exists(), f"{name} is missing from the captured data"
    readers.add(os.environ.get("PYTEST_CURRENT_TEST", "collection").split(" ")[0])
    return path
