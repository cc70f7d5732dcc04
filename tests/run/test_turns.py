"""The long work of a run leaves the database to others between its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from digest.store import ageing, bodies, turns, withdrawals
from digest.store.ageing import KEPT
from digest.store.database import Database
from digest.system.signals import Stop
from tests.world.worlds import DAY, MONDAY, World, eprint, reader

pytestmark = pytest.mark.sqlite
READERS = 4


class Others(Stop):
    """Somebody who writes whenever the run rests, and never waits; and what was left between."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.other = Database.open(path, busy_seconds=0)
        self.left: list[tuple[int, ...]] = []
        self.rests: list[float] = []
        self.heard: Callable[[], None] = lambda: None

    async def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.other.set_meta("somebody", "writes")
        counted = ("body", "subscriber WHERE corrections = 0", "delivery")
        self.left.append(
            tuple(self.other.number(f"SELECT COUNT(*) FROM {each}") for each in counted)
        )
        self.heard()

    def seen(self, place: int) -> set[int]:
        """How many bodies, readers who are not marked, or deliveries were ever left."""
        return {each[place] for each in self.left}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world whose readers have digests of their own, and in which all work goes in small steps
    and takes long."""
    monkeypatch.setattr(bodies, "STEP", 2)
    monkeypatch.setattr(withdrawals, "ROWS", 2)
    monkeypatch.setattr(ageing, "STEP", 2)
    monkeypatch.setattr(turns, "WORK_SECONDS", 0)
    world = World(tmp_path / "digest.db")
    world.readers = [
        reader(f"r{n}@example.org", "Alpha", max_papers=n) for n in range(1, READERS + 1)
    ]
    world.arxiv.announce("Alpha", eprint(1))
    world.stop = others = Others(world.path)
    yield world
    others.other.close()
    world.close()


def others_in(world: World) -> Others:
    assert isinstance(world.stop, Others)
    world.stop.left.clear()
    world.stop.rests.clear()
    return world.stop


async def test_whoever_else_writes_has_a_turn_between_all_steps_of_a_run(world: World) -> None:
    others = others_in(world)
    await world.cycle(MONDAY)
    assert others.seen(0) >= {2, 0}
    others = others_in(world)
    gone = eprint(1, version=2, updated=MONDAY + DAY, comment="This paper has been withdrawn")
    world.arxiv.announce("Alpha", gone)
    await world.cycle(MONDAY + DAY)
    assert others.seen(1) >= {2, 0}
    assert len(world.mails()) == 2 * READERS
    others = others_in(world)
    await world.cycle(MONDAY + KEPT + 2 * DAY)
    assert others.seen(2) >= {*range(0, 2 * READERS, 2)}
    assert others.rests.count(turns.REST_SECONDS) == len(others.rests)


async def test_a_stop_that_is_asked_for_in_a_rest_ends_the_work(world: World) -> None:
    await world.cycle(MONDAY)
    others = others_in(world)
    others.heard = others.set
    await world.cycle(MONDAY + KEPT + DAY)
    assert others.left[-1][2] == READERS - 2
    assert len(others.left) == 1
