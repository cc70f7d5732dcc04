"""Real runs are killed at any moment, and no digest is lost or comes twice (the whole: python -m
tests.kills)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.kills import Trial, check, quick_folder


@pytest.mark.parametrize(
    "hold",
    [pytest.param(False, id="retry", marks=pytest.mark.heavy), pytest.param(True, id="hold")],
)
def test_a_killed_run_loses_nothing_and_repeats_only_what_it_said_it_might(hold: bool) -> None:
    with tempfile.TemporaryDirectory(dir=quick_folder()) as folder:
        report = Trial(Path(folder), 7, hold=hold).live(3)
    check(report, hold=hold)
    assert report.kills == 3
    assert report.accepted >= 2


@pytest.mark.heavy
@pytest.mark.parametrize(("hold", "kills"), [(False, 350), (True, 150)], ids=["retry", "hold"])
def test_five_hundred_killed_runs_lose_nothing(hold: bool, kills: int) -> None:
    with tempfile.TemporaryDirectory(dir=quick_folder()) as folder:
        report = Trial(Path(folder), 1, hold=hold).live(kills)
    check(report, hold=hold)
    assert report.kills == kills
    assert report.unknown > kills / 20, "many kills must hit the moment in which nobody can know"
