"""The composition root: every channel has what carries its digests."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.mail.nowhere import Nowhere
from digest.model import Channel, Roster
from digest.setup.parts import make_mailer
from digest.setup.settings import Settings
from digest.store import rehearsal_store


@pytest.mark.parametrize("rehearsed", [False, True])
def test_every_channel_has_a_carrier(tmp_path: Path, rehearsed: bool) -> None:
    settings = Settings(home=tmp_path, db=tmp_path / "digest.db", subscribers=tmp_path / "s.yaml")
    with rehearsal_store(settings.db) as store:
        mailer = make_mailer(settings, store, Roster((), ()), Nowhere(), rehearsed=rehearsed)
    assert set(mailer.carriers) == set(Channel)
    transports = {carrier.transport for carrier in mailer.carriers.values()}
    assert len(transports) == (1 if rehearsed else len(Channel)), "a rehearsal posts nothing"
