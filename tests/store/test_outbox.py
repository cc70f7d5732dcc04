"""The outbox: what is claimed, recorded, recovered, retried and given up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from digest.model import (
    Channel,
    Outcome,
    Receipt,
    State,
)
from digest.rules.channels import Terms
from digest.rules.delivery_retry import GIVE_UP, RELAY_WAIT, RETRIES, UNKNOWN_WAIT
from digest.store.bodies import Content
from digest.store.choices import note_choice
from digest.store.digests import Queued
from digest.store.rows import pack
from tests.store.house import ADA, BOB, MINUTE, PIECES, House
from tests.world.worlds import DAY, HOUR, MONDAY, eprint, reader

PAGE = "github:ada/papers"


def test_a_delivery_is_in_data_on_the_disk_before_data(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    outgoing = settled.claim()
    assert outgoing is not None
    assert settled.state(delivery) == "leased"
    settled.store.outbox.enter_data(outgoing)
    assert settled.state(delivery) == "in_data"


def test_a_stopped_cycle_leaves_leased_ones_unsent_and_those_in_data_unknown(
    settled: House,
) -> None:
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    settled.record("Alpha", eprint(2))
    first, second = settled.queue(ADA), settled.queue(BOB)
    one, _other = settled.claim(), settled.claim()
    assert one is not None
    settled.store.outbox.enter_data(one)
    assert settled.store.outbox.recover(settled.now) == 1
    assert (settled.state(first), settled.state(second)) == ("unknown", "queued")
    again = settled.claim()
    assert again is not None
    assert (again.id, again.attempt) == (second, 1)
    assert settled.claim() is None


def test_who_leaves_before_data_is_mailed_no_more_and_loses_nothing_by_coming_back(
    settled: House,
) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    outgoing = settled.claim()
    assert outgoing is not None
    settled.store.suppressions.leave_by_one_click(outgoing.reader, settled.now)
    with pytest.raises(LookupError, match="has left"):
        settled.store.outbox.enter_data(outgoing)
    assert settled.ended(outgoing, Receipt(Outcome.DEFERRED, "has left")) == State.DEFERRED
    assert settled.claim(settled.now + HOUR) is None
    assert settled.state(delivery) == "suppressed"
    settled.store.suppressions.lift(ADA)
    assert settled.due() == [2]


def test_whoever_lost_the_claim_writes_nothing(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    lost = settled.claim()
    assert lost is not None
    settled.store.outbox.recover(settled.now)
    with pytest.raises(LookupError):
        settled.store.outbox.enter_data(lost)
    assert settled.ended(lost, Receipt(Outcome.SENT)) is None
    assert settled.state(delivery) == "queued"


def test_a_stopped_repeat_of_what_may_have_been_accepted_stays_maybe_delivered(
    settled: House,
) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    assert settled.settle(Outcome.UNKNOWN) == State.UNKNOWN
    assert settled.claim(settled.now + HOUR) is not None
    assert settled.state(delivery) == "leased"
    assert settled.store.outbox.recover(settled.now) == 0
    assert settled.state(delivery) == "unknown"
    assert settled.claim(hold=True) is None


def test_what_was_stopped_in_data_counts_as_perhaps_delivered_whatever_follows(
    settled: House,
) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    outgoing = settled.claim()
    assert outgoing is not None
    settled.store.outbox.enter_data(outgoing)
    assert settled.store.outbox.recover(settled.now) == 1
    assert settled.claim(settled.now + HOUR) is not None
    assert settled.store.outbox.recover(settled.now) == 0
    assert settled.state(delivery) == "unknown"
    assert settled.settle(Outcome.RELAY, settled.now + HOUR) == State.UNKNOWN
    assert settled.settle(Outcome.FAILED, settled.now + HOUR) == State.DROPPED
    assert settled.state(delivery) == "dropped"
    assert settled.due() == []


def test_the_claim_of_an_earlier_attempt_is_lost(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    earlier = settled.claim()
    assert earlier is not None
    assert settled.ended(earlier, Receipt(Outcome.DEFERRED)) == State.DEFERRED
    assert settled.claim(settled.now + HOUR) is not None
    with pytest.raises(LookupError):
        settled.store.outbox.enter_data(earlier)
    assert settled.state(delivery) == "leased"
    assert settled.ended(earlier, Receipt(Outcome.SENT)) is None


def test_issues_wait_by_themselves_where_github_could_not_be_used(house: House) -> None:
    house.sync(reader(PAGE, "Alpha"))
    house.record("Alpha", eprint(1))
    delivery = house.queue(PAGE)
    (outgoing,) = house.store.outbox.claim(house.now, Channel.GITHUB, Terms())
    receipt = Receipt(Outcome.RELAY, "502 bad gateway")
    assert house.ended(outgoing, receipt) == State.QUEUED
    entry = house.store.outbox.entry(delivery)
    assert (entry.next_at, entry.attempt) == (house.now + RELAY_WAIT, 0)
    assert house.store.relays[Channel.GITHUB].state().is_paused(house.now)
    assert house.store.relay.state().failures == 0, "the mail server is not blamed"
    assert house.store.relay.handed_over(house.now) == 0, "an issue is no mail"


def test_another_process_cannot_settle_a_claim(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    outgoing = settled.claim()
    assert outgoing is not None
    settled.store.outbox._owner = "another:1"
    with pytest.raises(LookupError):
        settled.store.outbox.enter_data(outgoing)
    assert settled.ended(outgoing, Receipt(Outcome.FAILED)) is None


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_refused_mail_waits_longer_each_time(settled: House, jitter: float) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    for wait in [*RETRIES, RETRIES[-1]]:
        outgoing = settled.claim()
        assert outgoing is not None
        settled.ended(outgoing, Receipt(Outcome.DEFERRED), jitter)
        (entry,) = settled.store.outbox.entries()
        waited = entry.next_at - settled.now
        assert abs(waited - wait * (0.9 + 0.2 * jitter)) <= timedelta(seconds=1)
        assert settled.claim(entry.next_at - timedelta(seconds=2)) is None
        settled.now = entry.next_at


def test_a_relay_that_is_away_counts_no_attempt(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    for _ in range(3):
        assert settled.settle(Outcome.RELAY) == State.QUEUED
        (entry,) = settled.store.outbox.entries()
        assert entry.attempt == 0
        settled.now = entry.next_at


@pytest.mark.sqlite
def test_the_outbox_is_worked_through_without_reading_the_ledger_of_all_years(
    settled: House,
) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    outbox, asked = settled.store.outbox, []
    settled.database._connection.set_trace_callback(asked.append)
    outbox.recover(settled.now)
    outbox.next_at(Channel.MAIL, Terms())
    assert outbox.claim(settled.now, Channel.MAIL, Terms())
    outbox.entries()
    outbox.waiting()
    settled.database._connection.set_trace_callback(None)
    looked = [sql for sql in asked if "delivery" in sql]
    steps = [
        row["detail"]
        for sql in looked
        for row in settled.database.rows(f"EXPLAIN QUERY PLAN {sql}")
    ]
    assert len(looked) >= 6
    assert {"SCAN delivery", "SCAN d"}.isdisjoint(steps), steps
    assert sum("_open" in step for step in steps) >= 6
    assert "SEARCH d USING INDEX delivery_open (next_at<?)" in steps, "the next ones to leave"


def test_refusals_are_final_after_days(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    assert timedelta(days=5) == GIVE_UP
    assert settled.settle(Outcome.DEFERRED, settled.now + GIVE_UP - HOUR) == State.DEFERRED
    assert settled.settle(Outcome.DEFERRED, settled.now + 2 * HOUR) == State.FAILED


def test_an_unknown_delivery_is_tried_again_after_30_minutes_under_the_same_message_id(
    settled: House,
) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    first = settled.claim()
    assert first is not None
    settled.store.outbox.enter_data(first)
    settled.ended(first, Receipt(Outcome.UNKNOWN), 0.0)
    assert timedelta(minutes=30) == UNKNOWN_WAIT
    assert settled.claim(settled.now + 29 * MINUTE) is None
    again = settled.claim(settled.now + 5 * MINUTE)
    assert again is not None
    assert (again.message_id, again.date, again.pieces) == (
        first.message_id,
        first.date,
        first.pieces,
    )


def test_mail_that_is_never_answered_for_goes_out_ever_more_rarely_and_not_for_ever(
    settled: House,
) -> None:
    settled.record("Alpha", eprint(2))
    delivery, begun, copies = settled.queue(), settled.now, 0
    while (at := settled.store.outbox.next_at(Channel.MAIL, Terms())) is not None:
        settled.settle(Outcome.UNKNOWN, at)
        copies += 1
        assert copies < 50
    assert GIVE_UP <= settled.now - begun <= GIVE_UP + RETRIES[-1]
    assert copies >= len(RETRIES)
    assert settled.state(delivery) == "dropped"
    assert settled.due() == [], "what may have been accepted is not due again"


def test_under_hold_an_unknown_delivery_is_never_tried_again_unless_a_person_says_so(
    settled: House,
) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    settled.settle(Outcome.UNKNOWN)
    assert settled.claim(settled.now + 30 * DAY, hold=True) is None
    assert settled.store.outbox.next_at(Channel.MAIL, Terms(hold_unknown=True)) is None
    settled.store.outbox.retry(delivery, settled.now)
    assert settled.claim(hold=True) is not None


@pytest.mark.parametrize("outcome", [Outcome.DEFERRED, Outcome.RELAY])
def test_what_may_have_been_accepted_stays_so_whatever_follows(
    settled: House, outcome: Outcome
) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    settled.settle(Outcome.UNKNOWN)
    assert settled.settle(outcome, settled.now + HOUR) == State.UNKNOWN
    assert settled.settle(Outcome.FAILED, settled.now + HOUR) == State.DROPPED
    assert settled.due() == []
    assert settled.state(delivery) == "dropped"


def test_only_what_will_not_arrive_makes_a_readers_logs_be_read_again(settled: House) -> None:
    position, digests = "SELECT position FROM subscription", settled.store.digests
    settled.record("Alpha", eprint(2))
    settled.queue()
    had, due = settled.value(position), digests.reader(ADA)
    assert due is not None
    for outcome in (Outcome.DEFERRED, Outcome.UNKNOWN, Outcome.SENT):
        settled.settle(outcome, settled.now + HOUR)
        assert settled.value(position) == had
        assert not digests.has_news(due.id)
    settled.record("Alpha", eprint(3))
    settled.queue()
    settled.settle(Outcome.FAILED)
    assert settled.value(position) == had
    assert digests.has_news(due.id)


def test_equal_digests_are_stored_once(settled: House) -> None:
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    settled.record("Alpha", eprint(2))
    content = Content("one key", "subject", "{}", pack(PIECES))
    for address in (ADA, BOB):
        plan = settled.plan(address)
        settled.store.digests.queue(
            [Queued(plan, settled.now, content)],
            settled.now,
            "example.org",
            lambda _r: settled.now,
        )
    assert settled.value("SELECT COUNT(*) FROM content WHERE key = 'one key'") == 1
    assert settled.store.bodies.stored("one key") == content
    one, other = settled.claim(), settled.claim()
    assert one is not None
    assert other is not None
    assert one.pieces == other.pieces == PIECES
    assert one.message_id != other.message_id


def test_what_was_due_first_leaves_first(settled: House) -> None:
    readers = [f"r{number}@example.org" for number in range(4)]
    settled.sync(*(reader(address, "Alpha") for address in readers))
    settled.record("Alpha", eprint(2))
    first, *others = [settled.queue(address) for address in readers]
    later = settled.claim()
    assert later is not None
    settled.ended(later, Receipt(Outcome.DEFERRED))
    settled.now += HOUR
    claimed = settled.store.outbox.claim(settled.now, Channel.MAIL, Terms(), most=9)
    assert [outgoing.id for outgoing in claimed] == [*others, first]


def test_a_delivery_has_ended_when_it_is_on_its_way_no_more(settled: House) -> None:
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    settled.record("Alpha", eprint(2))
    sent, stopped = settled.queue(ADA), settled.queue(BOB)
    outbox = settled.store.outbox
    assert settled.settle(Outcome.DEFERRED) == State.DEFERRED
    assert outbox.entry(sent).ended_at is None
    settled.suppress(BOB)
    assert settled.settle(Outcome.SENT, settled.now + HOUR) == State.SENT
    assert outbox.entry(sent).ended_at == settled.now
    assert (outbox.entry(stopped).state, outbox.entry(stopped).ended_at) == (
        State.SUPPRESSED,
        settled.now,
    )


def test_a_refusal_for_a_time_is_no_bounce_until_it_is_final(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    outgoing = settled.claim()
    assert outgoing is not None
    receipt = Receipt(Outcome.DEFERRED, "452 4.2.2 full", bounce=True)
    settled.ended(outgoing, receipt)
    assert settled.value("SELECT COUNT(*) FROM bounce") == 0
    outgoing = settled.claim(settled.now + GIVE_UP)
    assert outgoing is not None
    assert settled.ended(outgoing, receipt) == State.FAILED
    assert settled.value("SELECT COUNT(*) FROM bounce") == 1


def test_a_mail_that_the_server_could_not_take_lets_another_one_go_first(settled: House) -> None:
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    settled.record("Alpha", eprint(2))
    first, second = settled.queue(ADA), settled.queue(BOB)
    outgoing = settled.claim()
    assert outgoing is not None
    assert outgoing.id == first
    settled.ended(outgoing, Receipt(Outcome.RELAY))
    other = settled.claim(settled.now + HOUR)
    assert other is not None
    assert other.id == second


def test_what_may_have_been_accepted_at_the_last_attempt_is_not_due_again(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    assert settled.settle(Outcome.UNKNOWN, settled.now + GIVE_UP) == State.DROPPED
    assert settled.due() == []


def test_a_digest_tells_of_the_same_changes_at_each_attempt(settled: House) -> None:
    """Though a clock that is behind dates a change before it, or the digest before it fails."""
    note_choice(settled.database, 1, "paused", (), settled.now)
    for number in (2, 3):
        settled.record("Alpha", eprint(number))
        settled.queue(at=settled.now + DAY)
        if number == 2:
            waiting = settled.claim()
            assert waiting is not None
            assert [one.words for one in waiting.told] == ["paused"]
            settled.store.outbox.enter_data(waiting)
    note_choice(settled.database, 1, "resumed", (), MONDAY)
    settled.ended(waiting, Receipt(Outcome.FAILED, "550"))
    other = settled.claim()
    assert other is not None
    assert other.told == ()
    settled.record("Alpha", eprint(4))
    settled.ended(other, Receipt(Outcome.SENT, "250"))
    settled.queue(at=settled.now + DAY)
    last = settled.claim()
    assert last is not None
    assert [one.words for one in last.told] == ["paused", "resumed"]


def test_a_link_to_undo_a_change_that_is_no_longer_kept_undoes_no_later_one(
    settled: House,
) -> None:
    note_choice(settled.database, 1, "paused", (), settled.now)
    settled.record("Alpha", eprint(2))
    settled.queue(at=settled.now + DAY)
    settled.settle(Outcome.SENT)
    told = settled.value("SELECT id FROM choice")
    note_choice(settled.database, 1, "resumed", (), settled.now + 61 * DAY)
    assert settled.database.column("SELECT words FROM choice") == ["resumed"]
    assert settled.value("SELECT id FROM choice") > told


def test_a_change_that_was_dated_long_ago_is_told_until_its_digest_was_sent(
    settled: House,
) -> None:
    note_choice(settled.database, 1, "paused", (), settled.now - 365 * DAY)
    note_choice(settled.database, 1, "resumed", (), settled.now)
    settled.record("Alpha", eprint(2))
    settled.queue(at=settled.now + DAY)
    first = settled.claim()
    assert first is not None
    assert [one.words for one in first.told] == ["paused", "resumed"]
    settled.ended(first, Receipt(Outcome.DEFERRED, "451"))
    note_choice(settled.database, 1, "other days", (), settled.now)
    again = settled.claim(settled.now + DAY)
    assert again is not None
    assert again.told == first.told
    settled.ended(again, Receipt(Outcome.SENT, "250"))
    note_choice(settled.database, 1, "another hour", (), settled.now)
    assert "paused" not in settled.database.column("SELECT words FROM choice")
