"""The record of runs."""

from __future__ import annotations

import pytest

from digest.model import Outcome
from digest.store.runs import KeywordRecord
from tests.store.house import ADA, House
from tests.world.worlds import DAY, HOUR, MONDAY, eprint, reader


def test_a_runs_record_tells_all_that_was_noted(house: House) -> None:
    house.sync(reader(ADA, "Alpha"))
    record = KeywordRecord(
        "Alpha", "ok", fetched=9, new=1, revised=2, late=3, requests=4, why="because"
    )
    house.store.runs.note_keyword(house.run, house.query("Alpha").id, record)
    unfinished = house.store.runs.latest()
    assert unfinished is not None
    assert unfinished.finished is None
    outcomes = {
        Outcome.SENT: 1,
        Outcome.DEFERRED: 2,
        Outcome.RELAY: 3,
        Outcome.FAILED: 4,
        Outcome.UNKNOWN: 5,
    }
    house.store.runs.finish(
        house.run, MONDAY + HOUR, composed=7, outcomes=outcomes, trouble="trouble"
    )
    run = house.store.runs.latest()
    assert run is not None
    assert (run.started, run.finished, run.trouble, run.composed) == (
        MONDAY,
        MONDAY + HOUR,
        "trouble",
        7,
    )
    assert {str(k): v for k, v in run.outcomes.items()} == {
        "sent": 1,
        "deferred": 5,
        "failed": 4,
        "unknown": 5,
    }
    assert run.keywords == (record,)
    assert house.store.runs.last_fetch("all:alpha") == (MONDAY, record)


def test_records_of_runs_are_let_go_after_a_year_and_the_log_stays(house: House) -> None:
    house.sync(reader(ADA, "Alpha"))
    house.record("Alpha", eprint(1))
    house.store.runs.note_keyword(house.run, house.query("Alpha").id, KeywordRecord("Alpha", "ok"))
    house.store.runs.begin(MONDAY + 365 * DAY)
    for days, left in ((365, 2), (367, 1)):
        while house.store.ageing.step(MONDAY + days * DAY):
            pass
        assert house.value("SELECT COUNT(*) FROM run") == left
    assert house.value("SELECT COUNT(*) FROM run_keyword") == 0
    assert house.value("SELECT COUNT(*) FROM seen") == 1


@pytest.mark.sqlite
def test_after_a_run_the_database_knows_how_its_rows_are_spread(house: House) -> None:
    house.sync(reader(ADA, "Alpha"))
    house.record("Alpha", *map(eprint, range(1, 40)))

    def finish() -> str:
        outcomes = dict.fromkeys(Outcome, 0)
        house.store.runs.finish(house.run, house.now, composed=0, outcomes=outcomes, trouble="")
        return str(house.value("SELECT stat FROM sqlite_stat1 WHERE idx = 'seen_log'"))

    assert finish() == "39 39 1"
    house.record("Alpha", *map(eprint, range(40, 1000)))
    house.plan(ADA)
    # An estimate, since it looks at a part of them.
    assert int(finish().split()[0]) > 400
