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
from tests.world.databases import KINDS, TRIED, Kind
from tests.world.worlds import HOUR, eprint, reader


@pytest.fixture(params=TRIED)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    """An empty database of each kind that is tried."""
    if request.param != "sqlite" and request.node.get_closest_marker("sqlite"):
        pytest.skip("this is about what a SQLite file has of its own")
    kind = KINDS[request.param](tmp_path / "digest.db")
    yield kind
    kind.close()


@pytest.fixture
def house(kind: Kind) -> Iterator[House]:
    house = House(kind)
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
