"""What a timer is to call, by the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.errors import ConfigError
from digest.setup.settings import load_settings
from digest.setup.timer import make_job


def test_a_maildir_elsewhere_is_written_to(tmp_path: Path) -> None:
    settings = load_settings({}, {"DIGEST_MAIL": "maildir:/srv/mail/x"}, tmp_path)
    assert Path("/srv/mail") in make_job(settings).writes
    inside = load_settings({"DIGEST_HOME": str(tmp_path)}, {"DIGEST_MAIL": "maildir:x"}, tmp_path)
    assert make_job(inside).writes == ()


def test_a_maildir_of_nobody_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    settings = load_settings({}, {"DIGEST_MAIL": "maildir:~nobody-has-this/x"}, tmp_path)
    with pytest.raises(ConfigError, match="DIGEST_MAIL names the home folder"):
        make_job(settings)
