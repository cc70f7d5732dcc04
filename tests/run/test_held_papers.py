"""What moderation held stands deep in arXiv's list, at its old date, and comes on its day."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from digest.model import Paper
from tests.world.skies import ADA, MONDAY, TUESDAY, SourcesWorld, sources_world
from tests.world.worlds import DAY, eprint, reader


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SourcesWorld]:
    async with sources_world(tmp_path / "digest.db") as made:
        yield made


def robots(number: int) -> list[Paper]:
    """So many papers of the last 36 days."""
    return [
        eprint(1000 + n, MONDAY - DAY - n * 36 * DAY / number, abstract="On a robot.")
        for n in range(number)
    ]


@pytest.mark.parametrize(
    ("rows", "comes", "keywords"), [(60, [[1]], 22), (290, [[1]], 1), (400, [], 1)]
)
async def test_a_held_paper_comes_on_its_day_where_that_costs_at_most_300_rows(
    world: SourcesWorld, rows: int, comes: list[list[int]], keywords: int
) -> None:
    world.readers = [reader(ADA, "robot", *(f"word{n}" for n in range(1, keywords)))]
    world.sky.announce(MONDAY, *robots(rows))
    await world.cycle(MONDAY, source="api")
    world.relay.taken.clear()
    world.sky.announce(TUESDAY, eprint(1, TUESDAY - 20 * DAY, abstract="A robot, held."))
    world.sky.forget()
    (robot, *_) = (await world.cycle(TUESDAY, source="api")).keywords
    assert (world.titles(ADA), robot.status) == (comes, "ok")
    assert robot.late == len(comes)
    assert len(world.sky.asked("/api")) <= 2
