"""What all tests share: an environment without this machine's settings."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting, proxy or service manager of the machine's reaches a test."""
    for name in list(os.environ):
        if name.startswith("DIGEST_") or name.lower().endswith("_proxy") or name in ("NOTIFY_SOCKET", "SSL_CERT_FILE"):
            monkeypatch.delenv(name)
