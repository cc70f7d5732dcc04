"""The bench of the ranking, on a small file of its form."""

from __future__ import annotations

import json
from math import isclose, log2
from pathlib import Path
from statistics import fmean

import pytest

from bench.ranking import (
    Reader,
    by_reader,
    figures,
    main,
    mean_figures,
    mixtures,
    own_score,
    read,
    with_five,
)
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


@pytest.mark.heavy
def test_real_readers_find_what_they_took_up_as_well_as_ever() -> None:
    data = read(shared("ranking/readers.json.xz"))
    readers = [data.reader(record) for record in data.records]

    def reached(some: list[Reader]) -> float:
        return mean_figures(list(by_reader(some, own_score).values()))["ndcg10"]

    assert reached(readers) >= 0.79
    assert reached(mixtures(data)) >= 0.75, "three interests in one library"
    five = (reached([with_five(reader, seed) for reader in readers]) for seed in range(3))
    assert fmean(five) >= 0.67
