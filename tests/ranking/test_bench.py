"""The bench of the ranking, on a small file of its form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from math import isclose, log2
from pathlib import Path
from statistics import fmean

import pytest

from bench.ranking import (
    Data,
    Day,
    Reader,
    Scores,
    by_reader,
    figures,
    main,
    mean_figures,
    mixtures,
    own_score,
    read,
    with_five,
)
from digest.ranking.vectors import terms
from tests.world.shared import shared


def made_up() -> dict[str, object]:
    """A reader of stars, who is offered four days of stars and knots."""
    papers = {f"own{n}": [f"A neutron star {n}", "Of stars.", []] for n in range(6)}
    candidates, positives = {}, []
    for number in range(40):
        name, day = f"new{number:02}", f"2026-01-{5 + 7 * (number // 10):02}"
        topic = "neutron star" if number % 10 == 9 else "knot invariant"
        papers[name] = [f"The {topic} of kind{number}", "", ["math.GT"]]
        candidates[name] = day
        if number % 10 == 9:
            positives.append([name, "2026-03-01"])
    library = [[f"own{n}", "2025-12-01"] for n in range(6)]
    reader = {"name": "stars", "library": library, "candidates": candidates, "positives": positives}
    return {"papers": papers, "readers": [reader]}


def test_the_figures_of_one_list_are_those_by_hand() -> None:
    found = figures([False, True, False, True], [4.0, 3.0, 2.0, 1.0])
    best = 1 + 1 / log2(3)
    assert isclose(found["ndcg10"], (1 / log2(3) + 1 / log2(5)) / best)
    assert found["recall10"] == 1
    assert found["mrr"] == 1 / 2
    assert found["auc"] == 1 / 4


def test_a_reader_of_a_file_finds_what_was_taken_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "readers.json"
    file.write_text(json.dumps(made_up()))
    data = read(file)
    found = by_reader([data.reader(record) for record in data.records], own_score)
    assert found == {"stars": {"ndcg10": 1.0, "recall10": 1.0, "mrr": 1.0, "auc": 1.0}}
    monkeypatch.setattr("sys.argv", ["ranking", str(file), "--json"])
    main()
    assert json.loads(capsys.readouterr().out) == {"readers": found, "mean": found["stars"]}


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Data:
    """The real readers; the terms of a paper are kept while days follow on which it is read."""
    monkeypatch.setattr("digest.ranking.vectors.terms", lru_cache(maxsize=3_000)(terms))
    return read(shared("ranking/readers.json.xz"))


def reached(readers: Iterable[Reader], score: Callable[[Reader, Day], Scores]) -> float:
    return mean_figures(list(by_reader(list(readers), score).values()))["ndcg10"]


@pytest.mark.heavy
def test_real_readers_find_what_they_took_up_as_well_as_ever(data: Data) -> None:
    readers = [data.reader(record) for record in data.records]
    fives = [[with_five(reader, seed) for reader in readers] for seed in range(3)]
    # All that is compared on a day is scored in turn, so that the feed of a day is made once.
    scores = {
        (id(each), id(day)): own_score(each, day)
        for reader, *few in zip(readers, *fives, strict=True)
        for day in reader.days
        for each in (reader, *few)
        if any(day is one for one in each.days)
    }

    def scored(reader: Reader, day: Day) -> Scores:
        return scores[id(reader), id(day)]

    assert reached(readers, scored) >= 0.79
    assert fmean(reached(five, scored) for five in fives) >= 0.67


@pytest.mark.heavy
def test_readers_of_three_interests_find_what_they_took_up_as_well_as_ever(data: Data) -> None:
    assert reached(mixtures(data), own_score) >= 0.75
