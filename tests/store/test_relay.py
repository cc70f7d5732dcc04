"""The mail server's rests and the count of what left, by the store alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from digest.model import Outcome, Receipt
from digest.rules.channels import RateLimit
from digest.store.relay import PAUSES, STREAK, RelayState
from tests.store.house import House
from tests.world.worlds import DAY, HOUR, MONDAY

MINUTE = timedelta(minutes=1)
AWAY = Receipt(Outcome.RELAY, "421 closing")
SPAM = Receipt(Outcome.FAILED, "554 5.7.1 message refused", policy=True)


def test_a_server_rests_for_5_15_30_and_60_minutes_and_from_3_refusals_in_a_row_on() -> None:
    assert [pause / MINUTE for pause in PAUSES] == [5, 15, 30, 60]
    assert STREAK == 3


def test_the_message_that_tries_a_server_after_its_rest_is_not_blamed_for_a_refusal_by_policy(
    house: House,
) -> None:
    relay = house.store.relay
    relay.judge(AWAY, MONDAY)
    after = MONDAY + PAUSES[0]
    assert relay.judge(SPAM, after) == Receipt(Outcome.RELAY, SPAM.reply)
    assert relay.state().failures == 2
    assert relay.state().paused_until == after + PAUSES[1]


def test_a_rest_that_a_person_ends_is_over_and_what_was_known_of_the_server_stays(
    house: House,
) -> None:
    relay = house.store.relay
    assert not relay.end_pause(MONDAY)
    relay.judge(AWAY, MONDAY)
    assert relay.end_pause(MONDAY)
    assert relay.opens_at(MONDAY, ()) == MONDAY
    assert (relay.state().failures, relay.state().reason) == (1, AWAY.reply)
    assert not relay.end_pause(MONDAY)


def test_what_the_server_could_not_take_gives_back_the_token_that_was_taken_last(
    house: House,
) -> None:
    relay = house.store.relay
    relay.take(2, MONDAY, ())
    relay.take(1, MONDAY + HOUR, ())
    relay.judge(AWAY, MONDAY + HOUR)
    assert relay.handed_over(MONDAY + HOUR) == 2
    assert relay.handed_over(MONDAY + HOUR, HOUR) == 0
    relay.judge(AWAY, MONDAY + HOUR)
    assert relay.handed_over(MONDAY + HOUR) == 1
    assert relay.handed_over(MONDAY + HOUR, HOUR) == 0


@pytest.mark.parametrize(("used", "room"), [(0, 3), (3, 2), (5, 0), (7, 0)])
def test_the_room_under_limits_is_the_least_of_them_and_never_below_none(
    house: House, used: int, room: int
) -> None:
    relay = house.store.relay
    limits = (RateLimit(5, HOUR), RateLimit(100, DAY))
    relay.take(used, MONDAY, limits)
    assert relay.room(MONDAY, limits, 3) == room
    later = MONDAY if room else MONDAY + HOUR
    assert relay.room_at(MONDAY, limits) == later
    assert relay.room(MONDAY + HOUR, limits, 9) == 5


def test_counts_are_kept_as_long_as_the_longest_limit_looks_back(house: House) -> None:
    relay, limits = house.store.relay, (RateLimit(3, 2 * DAY),)
    relay.take(2, MONDAY, limits)
    relay.take(1, MONDAY + DAY + HOUR, limits)
    assert relay.room(MONDAY + DAY + HOUR, limits, 9) == 0
    assert relay.room_at(MONDAY + DAY + HOUR, limits) == MONDAY + 2 * DAY


def refused(words: str) -> Receipt:
    return Receipt(Outcome.FAILED, words, bounce=True)


def test_words_that_name_the_mailbox_are_never_the_servers_trouble(house: House) -> None:
    relay = house.store.relay
    for reader in range(1, 20):
        receipt = refused(f"550 no such user {reader}")
        assert relay.judge(receipt, MONDAY, reader) == receipt
    assert relay.state() == RelayState()


def test_a_row_of_the_same_words_is_broken_by_other_words_and_by_a_message_that_is_taken(
    house: House,
) -> None:
    relay = house.store.relay
    for breaker in (refused("550 full"), Receipt(Outcome.SENT, "250 ok")):
        for reader in (1, 2):
            assert relay.judge(refused("550 not today"), MONDAY, reader).outcome is Outcome.FAILED
        relay.judge(breaker, MONDAY, 3)
    assert relay.state() == RelayState()
    outcomes = [
        relay.judge(refused(f"550 not today {n}"), MONDAY, reader).outcome
        for n, reader in enumerate((1, 1, 2, 2, 1))
    ]
    assert outcomes == [Outcome.FAILED] * 4 + [Outcome.RELAY]


def test_after_a_rest_the_same_words_are_the_servers_and_others_the_messages(house: House) -> None:
    relay = house.store.relay
    for reader in (1, 2, 3):
        relay.judge(refused("550 not today"), MONDAY, reader)
    after = MONDAY + PAUSES[0]
    assert relay.judge(refused("550 not today"), after, 3).outcome is Outcome.RELAY
    assert relay.state().paused_until == after + PAUSES[1]
    after += PAUSES[1]
    assert relay.judge(refused("550 full"), after, 4).outcome is Outcome.FAILED
    relay.judge(Receipt(Outcome.SENT, "250 ok"), after, 5)
    assert relay.state() == RelayState()
