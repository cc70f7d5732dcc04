"""The outbox as people see and change it: shown, retried, dropped, and sent once more."""

from __future__ import annotations

import pytest

from digest.errors import UsageError
from digest.model import (
    Channel,
    Outcome,
    Receipt,
    State,
)
from digest.rules.channels import Terms
from digest.store.ageing import KEPT
from tests.store.house import ADA, BOB, PIECES, House
from tests.world.worlds import DAY, eprint, reader


def test_a_dropped_delivery_counts_as_had(settled: House) -> None:
    settled.record("Alpha", eprint(2), eprint(3))
    entry = settled.store.outbox.drop(settled.queue(), settled.now)
    assert entry.papers == 2
    assert settled.due() == []
    assert settled.claim() is None


def test_only_what_waits_can_be_retried_or_dropped(settled: House) -> None:
    outbox = settled.store.outbox
    for verb in (outbox.retry, outbox.drop):
        with pytest.raises(UsageError, match="is sent"):
            verb(1, settled.now)
        with pytest.raises(UsageError, match="no delivery 99"):
            verb(99, settled.now)


def test_retrying_never_makes_a_delivery_wait_longer(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    entry = settled.store.outbox.retry(delivery, settled.now + 300 * DAY)
    assert entry.next_at == settled.now


def test_a_deferred_delivery_that_is_retried_is_deferred_still_and_may_leave_at_once(
    settled: House,
) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    assert settled.settle(Outcome.DEFERRED) == State.DEFERRED
    assert settled.claim() is None
    entry = settled.store.outbox.retry(delivery, settled.now)
    assert (entry.state, entry.next_at) == (State.DEFERRED, settled.now)
    assert settled.claim() is not None


def test_only_a_digest_that_has_gone_is_repeated(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    with pytest.raises(UsageError, match="is still on its way"):
        settled.store.outbox.again(delivery, settled.now, "example.org")
    assert settled.settle(Outcome.FAILED) == State.FAILED
    with pytest.raises(UsageError, match=r"has not gone \(failed\)"):
        settled.store.outbox.again(delivery, settled.now, "example.org")
    assert settled.claim() is None


def test_a_digest_is_repeated_to_nobody_who_left_or_is_suppressed_nor_without_its_body(
    settled: House,
) -> None:
    outbox = settled.store.outbox
    settled.sync(reader(BOB, "Alpha"))
    with pytest.raises(UsageError, match=f"{ADA} is no subscriber any more"):
        outbox.again(1, settled.now, "example.org")
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    settled.suppress(ADA)
    with pytest.raises(UsageError, match=rf"mail to {ADA} is suppressed \(bounced\)"):
        outbox.again(1, settled.now, "example.org")
    settled.database.write("DELETE FROM suppression")
    settled.database.write("DELETE FROM body")
    with pytest.raises(UsageError, match="the body of delivery 1 is no longer kept"):
        outbox.again(1, settled.now, "example.org")
    with pytest.raises(UsageError, match="there is no delivery 99"):
        outbox.again(99, settled.now, "example.org")
    assert outbox.waiting().total() == 0


def test_the_outbox_shows_what_is_open_and_if_asked_what_failed_or_was_dropped(
    settled: House,
) -> None:
    readers = [f"r{number}@example.org" for number in range(4)]
    settled.sync(*(reader(address, "Alpha") for address in readers))
    settled.record("Alpha", eprint(2))
    failed, dropped, deferred, queued = [settled.queue(address) for address in readers]
    outbox = settled.store.outbox
    assert settled.settle(Outcome.FAILED) == State.FAILED
    outbox.drop(dropped, settled.now)
    assert settled.settle(Outcome.DEFERRED) == State.DEFERRED
    assert [row.id for row in outbox.entries()] == [deferred, queued]
    assert [row.id for row in outbox.entries(ended=True)] == [failed, dropped, deferred, queued]
    assert outbox.waiting() == {Channel.MAIL: 2}
    assert outbox.next_at(Channel.MAIL, Terms()) == outbox.entry(queued).next_at
    assert outbox.entry(queued).next_at < outbox.entry(deferred).next_at


def test_a_message_is_asked_for_by_the_number_of_a_delivery_with_a_body(settled: House) -> None:
    outbox = settled.store.outbox
    assert outbox.message(1).pieces == PIECES
    with pytest.raises(UsageError, match="there is no delivery 99"):
        outbox.message(99)
    settled.database.write("DELETE FROM body")
    with pytest.raises(UsageError, match="the body of delivery 1 is no longer kept"):
        outbox.message(1)


def test_what_is_being_sent_can_neither_be_retried_nor_dropped(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    delivery, outbox = settled.queue(), settled.store.outbox
    outgoing = settled.claim()
    assert outgoing is not None
    for state in ("leased", "in_data"):
        for verb in (outbox.retry, outbox.drop):
            with pytest.raises(UsageError, match=f"is {state}, and no longer waits"):
                verb(delivery, settled.now)
        if state == "leased":
            outbox.enter_data(outgoing)
    assert settled.ended(outgoing, Receipt(Outcome.SENT)) == State.SENT


def test_a_repeat_of_a_repeat_names_the_digest_that_carries_the_papers(settled: House) -> None:
    outbox = settled.store.outbox
    settled.suppress(BOB)
    numbers = []
    for _ in range(3):
        row = outbox.again(numbers[-1] if numbers else 1, settled.now, "example.org")
        assert (row.again, row.subject) == (1, "Again: subject")
        assert settled.settle(Outcome.SENT) == State.SENT
        numbers.append(row.id)
    slots = settled.database.column("SELECT slot FROM delivery WHERE again > 0")
    assert len(set(slots)) == 3
    assert settled.due() == []


def test_a_repeat_has_a_moment_of_its_own_however_many_have_aged(settled: House) -> None:
    """A clock that was set back comes by the same second twice."""

    def repeat() -> tuple[str, str]:
        number = settled.store.outbox.again(1, settled.now, "example.org").id
        row = settled.database.row("SELECT slot, message_id FROM delivery WHERE id = ?", [number])
        assert row is not None
        settled.settle(Outcome.SENT)
        return row["slot"], row["message_id"]

    first = repeat()
    settled.now += DAY
    made = [repeat(), repeat()]
    while settled.store.ageing.step(settled.now + KEPT):
        pass
    assert settled.value("SELECT COUNT(*) FROM delivery WHERE again > 0") == 2
    made.append(repeat())
    slots, message_ids = zip(first, *made, strict=True)
    assert len(set(slots)) == len(set(message_ids)) == 4
