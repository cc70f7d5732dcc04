"""The receipt of a digest against the log and the ledger: each paper is counted once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from digest.model import Outcome, Paper, Revisions, Tally
from digest.store.digests import DigestPlan
from digest.store.runs import KeywordRecord
from tests.store.house import ADA, MINUTE, House, numbers
from tests.world.worlds import DAY, HOUR, MONDAY, eprint, keyword, reader

LONG_AGO = MONDAY - 400 * DAY


def without_two(papers: list[Paper]) -> set[str]:
    return {paper.id for paper in papers if paper.id.endswith("2")}


def adds_up(plan: DigestPlan) -> Tally:
    """The tally of a plan, whose shares add up."""
    tally = plan.tally
    others = tally.excluded + tally.had + tally.old + plan.skipped
    assert tally.matched == len(plan.items) + others
    return tally


def test_each_paper_of_the_logs_is_counted_under_one_share(settled: House) -> None:
    settled.sync(reader(ADA, "Alpha", "Beta"))
    settled.record("Beta", eprint(1), eprint(9, LONG_AGO, updated=LONG_AGO))
    settled.record("Alpha", eprint(2), eprint(3), eprint(4, LONG_AGO))
    settled.record("Beta", eprint(2), eprint(3))
    plan = settled.plan(exclude=without_two)
    assert numbers(plan) == [3]
    assert adds_up(plan) == Tally(4, excluded=1, had=1, old=1)
    settled.queue(plan=plan)
    settled.settle(Outcome.SENT)
    settled.record("Alpha", eprint(5))
    assert adds_up(settled.plan(exclude=without_two)) == Tally(1), "only what is new since then"


def test_new_versions_count_only_for_who_takes_them(settled: House) -> None:
    settled.record("Alpha", eprint(1, version=2, updated=MONDAY), eprint(2), at=MONDAY + DAY)
    assert adds_up(settled.plan()) == Tally(1)
    assert adds_up(settled.plan(revisions=Revisions.ALL)) == Tally(2)


def test_what_a_return_lets_go_is_counted_and_a_withdrawal_among_it_is_not(settled: House) -> None:
    due = settled.store.digests.reader(ADA)
    assert due is not None
    settled.store.digests.mark_away([due.id])
    taken_back = replace(eprint(1, version=2, updated=MONDAY), comment="This paper is withdrawn")
    settled.record("Alpha", taken_back, at=settled.now + DAY)
    settled.record("Alpha", *(eprint(n, MONDAY + n * MINUTE) for n in range(2, 7)))
    plan = settled.plan(max_papers=3, revisions=Revisions.ALL)
    assert (numbers(plan), plan.skipped) == ([1, 4, 5, 6], 2)
    assert adds_up(plan) == Tally(6)


def test_a_digest_that_takes_the_place_of_another_counts_what_that_one_did(settled: House) -> None:
    settled.record("Alpha", eprint(2), eprint(3))
    settled.queue(exclude=without_two)
    settled.record("Alpha", eprint(4))
    plan = settled.plan(exclude=without_two)
    assert numbers(plan) == [3, 4]
    assert plan.folded
    adds_up(plan)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.SENT])
def test_what_was_refused_counts_again(settled: House, outcome: Outcome) -> None:
    settled.record("Alpha", eprint(3))
    settled.queue()
    settled.settle(outcome)
    settled.record("Alpha", eprint(4))
    assert adds_up(settled.plan()) == Tally(2 if outcome is Outcome.FAILED else 1)


def fetched(house: House, name: str, rows: int, new: int, status: str = "ok") -> None:
    """Note what a run of now got for a keyword."""
    run = house.store.runs.begin(house.now)
    record = KeywordRecord(name, status, fetched=rows, new=new)
    house.store.runs.note_keyword(run, house.query(name).id, record)


def test_rows_are_those_of_good_answers_of_the_runs_since_then(settled: House) -> None:
    settled.sync(reader(ADA, "Alpha", "Beta"))
    queries = [keyword("Alpha").query, keyword("Beta").query]
    fetched(settled, "Alpha", 100, 1)
    before = settled.now
    for rows, status in ((20, "ok"), (3, "failed"), (4, "quarantined"), (30, "ok")):
        settled.now += HOUR
        fetched(settled, "Alpha", rows, 1, status)
        fetched(settled, "Beta", 7 if status == "ok" else 0, 0, status)
    assert settled.store.runs.rows_since(queries, before) == 64
    assert settled.store.runs.rows_since(queries[:1], before) == 50
    assert settled.store.runs.rows_since(queries, settled.now) == 0


@pytest.mark.parametrize(
    ("source", "new", "agreed"), [("feeds", 0, True), ("oai", 0, True), ("feeds", 2, False),
                                  ("api", 0, False)]
)  # fmt: skip
def test_services_agree_where_the_search_was_asked_besides_and_held_no_more(
    settled: House, source: str, new: int, agreed: bool
) -> None:
    before, queries = settled.now, [keyword("Alpha").query]
    settled.now += DAY
    fetched(settled, "Alpha", 100, new)
    settled.database.write("UPDATE query SET deep_at = ?, source = ?", [settled.now, source])
    sources = settled.store.sources
    assert sources.agreed(queries, before) is agreed
    assert not sources.agreed(queries, settled.now), "nothing was compared since then"
    settled.sync(reader(ADA, "Alpha", "Beta"))
    assert not sources.agreed([*queries, keyword("Beta").query], before)
