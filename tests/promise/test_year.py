"""Weeks of the year that `bench/year.py` plays: outages, stale and unsorted spells, holds,
revisions, cross-lists."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.year import tables, wrong_receipts


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Failures are what is played."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("seed", "fails"), [(1, False), (2, True)], ids=["two weeks off", "failures and held back"]
)
def test_in_weeks_of_all_that_goes_wrong_nothing_is_lost_repeated_or_denied(
    tmp_path: Path, seed: int, fails: bool
) -> None:
    outcomes, program, scripts = tables(35, seed, tmp_path)
    print("\n".join(map(str, (*program, *scripts))))
    weather = outcomes.world.weather
    assert all((weather.outages, weather.off, weather.stale, weather.unsorted))
    assert (outcomes.failed > 0) is fails
    assert len(program) == 7
    for line in program:
        assert line.due > 25
        assert (line.got, line.repeated, line.foreign, line.false_nothing) == (line.due, 0, 0, 0), (
            line
        )
    assert outcomes.false_records == []
    assert wrong_receipts(outcomes) == []
    newest, watermark = scripts
    assert newest.got < newest.due
    assert newest.repeated > newest.due
    assert watermark.got < watermark.due
