"""The store that the tests of this room share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.model import (
    Outcome,
    State,
)
from tests.store.house import ADA, House
from tests.world.worlds import HOUR, eprint, reader


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "digest.db")
    yield house
    house.store.close()


@pytest.fixture
def settled(house: House) -> House:
    """Ada wants Alpha and has had paper 1; what comes now is new to her."""
    house.sync(reader(ADA, "Alpha"))
    house.record("Alpha", eprint(1))
    house.queue()
    assert house.settle(Outcome.SENT) == State.SENT
    house.now += HOUR
    return house
