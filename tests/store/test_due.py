"""What is due to a reader, which digest carries it, and what becomes due again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from digest.model import (
    Change,
    Kind,
    Outcome,
    Paper,
    Revisions,
    State,
)
from digest.store.database import Database
from digest.times import to_text
from tests.store.house import ADA, BOB, MINUTE, House, Kill, numbers
from tests.world.worlds import DAY, HOUR, MONDAY, eprint, reader

# -- due


def test_a_paper_of_several_keywords_is_due_once_with_all_names(house: House) -> None:
    house.sync(reader(ADA, "Alpha", "Beta", "Gamma"))
    for name in ("Beta", "Alpha"):
        house.record(name, eprint(1))
    (item,) = house.plan().items
    assert sorted(item.keywords) == ["Alpha", "Beta"]


def test_a_paper_that_came_by_one_keyword_does_not_come_by_another(settled: House) -> None:
    settled.sync(reader(ADA, "Alpha", "Beta"))
    settled.record("Beta", eprint(1), eprint(2))
    assert settled.due() == [2]


def test_what_another_reader_asked_for_is_not_due(settled: House) -> None:
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Beta"))
    settled.record("Beta", eprint(2))
    settled.record("Alpha", eprint(3))
    assert settled.due(ADA) == [3]
    assert settled.due(BOB) == [2]


def test_a_revision_comes_only_where_asked_for_and_each_version_once(settled: House) -> None:
    settled.record("Alpha", eprint(1, version=2, updated=MONDAY), at=MONDAY + DAY)
    assert settled.due() == []
    (item,) = settled.plan(revisions=Revisions.ALL).items
    assert (item.kind, item.paper.version) == (Kind.REVISED, 2)
    settled.queue(revisions=Revisions.ALL)
    assert settled.settle(Outcome.SENT) == State.SENT
    settled.sync(reader(ADA, "Alpha", "Beta"))
    settled.record("Beta", eprint(1, version=2, updated=MONDAY))
    assert settled.due(revisions=Revisions.ALL) == []
    settled.record("Alpha", eprint(1, version=3, updated=MONDAY + DAY), at=MONDAY + 2 * DAY)
    assert settled.due(revisions=Revisions.ALL) == [1]


def test_a_revision_says_what_changed_since_the_version_that_was_had(settled: House) -> None:
    second = eprint(1, version=2, updated=MONDAY, title="Better")
    settled.record("Alpha", second, at=MONDAY + DAY)
    settled.queue(revisions=Revisions.ALL)
    assert settled.settle(Outcome.SENT) == State.SENT
    third = replace(second, version=3, updated=MONDAY + DAY, abstract="Other")
    settled.record("Alpha", third, at=MONDAY + 2 * DAY)
    (item,) = settled.plan(revisions=Revisions.ALL).items
    assert (item.changes, item.old_title) == ((Change.ABSTRACT,), "")


def test_a_revision_of_what_was_never_had_says_what_changed_as_well(house: House) -> None:
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Beta"))
    old = eprint(2, MONDAY - 300 * DAY)
    house.record("Alpha", eprint(1))
    house.record("Beta", old)
    house.queue()
    assert house.settle(Outcome.SENT) == State.SENT
    house.record("Alpha", replace(old, version=2, updated=MONDAY, abstract="Other"))
    (item,) = house.plan(revisions=Revisions.ALL).items
    assert (item.kind, item.changes) == (Kind.REVISED, (Change.ABSTRACT,))


def test_a_paper_that_was_revised_before_it_was_mailed_comes_once_as_new(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.record("Alpha", eprint(2, version=2, updated=MONDAY), at=MONDAY + DAY)
    (item,) = settled.plan(revisions=Revisions.ALL).items
    assert (item.kind, item.paper.version, item.changes) == (Kind.NEW, 2, None)
    settled.queue(revisions=Revisions.ALL)
    settled.settle(Outcome.SENT)
    assert settled.due(revisions=Revisions.ALL) == []


def test_a_version_that_came_by_one_keyword_is_no_news_by_another(settled: House) -> None:
    settled.sync(reader(ADA, "Alpha", "Beta"))
    for name in ("Alpha", "Beta"):
        settled.record(name, eprint(2))
    second = eprint(2, version=2, updated=MONDAY)
    settled.record("Alpha", second)
    settled.queue(revisions=Revisions.ALL)
    assert settled.settle(Outcome.SENT) == State.SENT
    assert settled.record("Beta", second) == {Kind.REVISED: 1}
    assert settled.due(revisions=Revisions.ALL) == []


def test_what_is_new_by_one_keyword_and_late_by_another_is_new(settled: House) -> None:
    settled.sync(reader(ADA, "Alpha", "Beta"))
    settled.record("Alpha", eprint(2, MONDAY - 20 * DAY))
    assert [item.kind for item in settled.plan().items] == [Kind.LATE]
    settled.record("Beta", eprint(2, MONDAY - 20 * DAY), eprint(3))
    assert {item.kind for item in settled.plan().items} == {Kind.NEW}


def revised_and_first_seen(house: House) -> None:
    """Ada never had paper 2: Beta logged it before she came, and a day after her first digest its
    second version comes as revised under Beta, and as seen for the first time under Alpha.
    """
    both = ("Beta", "Alpha")
    house.sync(reader(BOB, *both))
    first = eprint(2, MONDAY - DAY)
    house.record("Beta", first, *(eprint(n, MONDAY - n * MINUTE) for n in range(10, 35)))
    house.record("Alpha", eprint(3))
    house.sync(reader(ADA, *both), reader(BOB, *both))
    house.queue(at=MONDAY + HOUR)
    assert house.settle(Outcome.SENT) == State.SENT
    second = replace(first, version=2, updated=MONDAY + HOUR)
    house.record("Beta", second, at=MONDAY + DAY)
    house.record("Alpha", second)


def test_what_is_revised_by_one_keyword_and_first_seen_by_another_comes_with_both_names(
    house: House,
) -> None:
    revised_and_first_seen(house)
    (item,) = house.plan(revisions=Revisions.ALL).items
    assert (item.kind, sorted(item.keywords)) == (Kind.NEW, ["Alpha", "Beta"])


def test_what_failed_as_new_is_due_as_revised_once_the_other_keyword_is_gone(house: House) -> None:
    revised_and_first_seen(house)
    house.queue(revisions=Revisions.ALL)
    assert house.settle(Outcome.FAILED) == State.FAILED
    house.sync(reader(ADA, "Beta"), reader(BOB, "Beta", "Alpha"))
    (item,) = house.plan(revisions=Revisions.ALL).items
    assert (item.kind, item.keywords) == (Kind.REVISED, ("Beta",))


def test_what_is_excluded_is_not_due_and_does_not_return(settled: House) -> None:
    settled.record("Alpha", eprint(2), eprint(3))

    def exclude(papers: list[Paper]) -> set[str]:
        return {p.id for p in papers if p.id.endswith("2")}

    assert settled.due(exclude=exclude) == [3]
    settled.queue(exclude=exclude)
    assert settled.due() == []


# -- folding


def test_a_waiting_digest_is_folded_only_when_something_newer_is_due(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    first = settled.queue()
    settled.settle(Outcome.DEFERRED)
    assert settled.plan().waiting
    assert settled.due() == []
    settled.record("Alpha", eprint(3), at=settled.now + DAY)
    assert settled.due() == [2, 3]
    second = settled.queue()
    assert (settled.state(first), settled.state(second)) == ("expired", "queued")
    settled.settle(Outcome.SENT)
    assert settled.claim() is None
    assert settled.due() == []


def test_folding_never_goes_behind_the_start(house: House) -> None:
    house.sync(reader(BOB, "Alpha", "Beta"))
    house.record("Alpha", eprint(50))
    house.record("Beta", *(eprint(n, MONDAY - 20 * DAY + n * MINUTE) for n in range(1, 11)))
    house.sync(reader(ADA, "Alpha", "Beta"), reader(BOB, "Alpha", "Beta"))
    house.queue()
    house.record("Beta", eprint(11), at=MONDAY + DAY)
    assert house.due() == [50, 6, 7, 8, 9, 10, 11]
    house.queue()
    assert house.settle(Outcome.FAILED) == State.FAILED
    assert house.due() == [50, 6, 7, 8, 9, 10, 11]


def test_what_may_have_been_accepted_is_never_folded(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    maybe = settled.queue()
    assert settled.settle(Outcome.UNKNOWN) == State.UNKNOWN
    settled.store.outbox.retry(maybe, settled.now)
    assert settled.state(maybe) == "deferred"
    settled.record("Alpha", eprint(3), at=settled.now + DAY)
    assert settled.due() == [3]
    settled.queue()
    assert settled.state(maybe) == "deferred"


def test_a_digest_whose_predecessor_has_moved_meanwhile_is_left_for_the_next_cycle(
    settled: House,
) -> None:
    settled.record("Alpha", eprint(2))
    first = settled.queue()
    settled.record("Alpha", eprint(3), at=settled.now + DAY)
    plan = settled.plan()
    settled.store.outbox.drop(first, settled.now)
    assert settled.queue(plan=plan) == 0
    assert settled.state(first) == "dropped"
    assert settled.due() == [3]


def test_queueing_is_one_transaction(settled: House, monkeypatch: pytest.MonkeyPatch) -> None:
    settled.record("Alpha", eprint(2))
    first = settled.queue()
    settled.record("Alpha", eprint(3), at=settled.now + DAY)
    plan, write = settled.plan(), Database.write
    before = (
        settled.value("SELECT position FROM subscription"),
        settled.value("SELECT COUNT(*) FROM content"),
    )

    def killed(self: Database, sql: str, parameters: Any = ()) -> int:
        if "SET away = 0" in sql:
            raise Kill
        return write(self, sql, parameters)

    monkeypatch.setattr(Database, "write", killed)
    with pytest.raises(Kill):
        settled.queue(plan=plan)
    monkeypatch.undo()
    assert settled.state(first) == "queued"
    assert settled.value("SELECT COUNT(*) FROM delivery") == 2
    assert (
        settled.value("SELECT position FROM subscription"),
        settled.value("SELECT COUNT(*) FROM content"),
    ) == before
    assert settled.due() == [2, 3]


@pytest.mark.parametrize("outcome", [Outcome.FAILED])
def test_what_failed_for_good_is_due_again(settled: House, outcome: Outcome) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    assert settled.settle(outcome) == State.FAILED
    assert settled.due() == [2]
    assert not settled.plan().waiting


def test_a_withdrawal_in_a_digest_that_still_waits_is_told_with_the_next(settled: House) -> None:
    comment = "This paper has been withdrawn by the authors"
    settled.record("Alpha", eprint(1, version=2, updated=MONDAY, comment=comment))
    assert [item.keywords for item in settled.plan().items] == [("Alpha",)]
    settled.queue()
    assert settled.settle(Outcome.DEFERRED) == State.DEFERRED
    settled.record("Alpha", eprint(2), at=settled.now + DAY)
    assert sorted(settled.due()) == [1, 2]
    settled.queue()
    assert settled.settle(Outcome.SENT) == State.SENT
    assert settled.due() == []
    settled.record("Alpha", eprint(3), at=settled.now + DAY)
    settled.queue()
    assert settled.settle(Outcome.DEFERRED) == State.DEFERRED
    settled.record("Alpha", eprint(4), at=settled.now + DAY)
    assert settled.due() == [3, 4], "what was told is not told again"


def test_a_withdrawal_says_what_changed_since_the_last_version_that_was_had(settled: House) -> None:
    second = eprint(1, version=2, updated=MONDAY, title="Better")
    settled.record("Alpha", second, at=MONDAY + DAY)
    settled.queue(revisions=Revisions.ALL)
    assert settled.settle(Outcome.SENT) == State.SENT
    comment = "This paper has been withdrawn by the authors"
    third = replace(second, version=3, updated=MONDAY + DAY, comment=comment)
    settled.record("Alpha", third, at=MONDAY + 2 * DAY)
    (item,) = settled.plan().items
    assert item.changes is not None
    assert Change.WITHDRAWN in item.changes
    assert (Change.TITLE in item.changes, item.old_title) == (False, "")


# -- absence


def test_a_return_brings_the_most_recent_papers_and_counts_the_others(settled: House) -> None:
    due = settled.store.digests.reader(ADA)
    assert due is not None
    settled.store.digests.mark_away([due.id])
    settled.record(
        "Alpha", *(eprint(n, MONDAY + n * MINUTE) for n in range(2, 12)), at=settled.now + 5 * DAY
    )
    plan = settled.plan(max_papers=3)
    assert (numbers(plan), plan.skipped) == ([9, 10, 11], 7)
    delivery = settled.queue(plan=plan)
    settled.settle(Outcome.FAILED)
    assert settled.state(delivery) == "failed"
    assert settled.due() == [9, 10, 11]
    settled.record("Alpha", eprint(12, MONDAY + DAY), at=settled.now + DAY)
    plan = settled.plan(max_papers=3)
    assert (numbers(plan), plan.skipped) == ([9, 10, 11, 12], 0)


def test_after_a_return_a_paper_is_as_recent_as_the_last_keyword_that_found_it(
    settled: House,
) -> None:
    settled.sync(reader(ADA, "Alpha", "Beta"))
    settled.record("Beta", eprint(1))
    due = settled.store.digests.reader(ADA)
    assert due is not None
    settled.store.digests.mark_away([due.id])
    settled.record("Alpha", *(eprint(n, MONDAY + n * MINUTE) for n in range(2, 7)))
    settled.record("Beta", eprint(2, MONDAY + 2 * MINUTE))
    plan = settled.plan(max_papers=3)
    assert (numbers(plan), plan.skipped) == ([2, 5, 6], 2)
    settled.queue(plan=plan)
    assert settled.settle(Outcome.SENT) == State.SENT
    assert settled.due() == []


def test_a_return_to_exactly_as_many_papers_as_fit_brings_them_all(settled: House) -> None:
    due = settled.store.digests.reader(ADA)
    assert due is not None
    settled.store.digests.mark_away([due.id])
    settled.record("Alpha", eprint(2), eprint(3), eprint(4))
    plan = settled.plan(max_papers=3)
    assert (numbers(plan), plan.skipped, plan.cut) == ([2, 3, 4], 0, None)


def test_readers_are_due_in_the_order_of_their_joining(house: House) -> None:
    house.sync(*(reader(f"r{n}@example.org", "Alpha") for n in range(4)))
    for number in range(4):
        at = to_text(MONDAY - number * HOUR)
        house.database.write("UPDATE subscriber SET due_at = ? WHERE id = ?", [at, number + 1])
    assert [due.id for due in house.store.digests.due(MONDAY)] == [1, 2, 3, 4]


def test_suppressed_mail_is_not_sent_and_becomes_due_again(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    settled.suppress("ADA@example.org")
    assert settled.claim() is None
    assert settled.state(delivery) == "suppressed"
    assert settled.due() == [2]


def test_mail_to_a_reader_who_left_is_not_sent(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    settled.sync(reader(BOB, "Alpha"))
    assert settled.claim() is None
    assert settled.state(delivery) == "suppressed"


def test_what_may_have_been_accepted_ends_dropped_when_the_reader_leaves(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    settled.settle(Outcome.UNKNOWN)
    settled.suppress()
    assert settled.claim(settled.now + HOUR) is None
    assert settled.state(delivery) == "dropped"
    assert settled.due() == []
