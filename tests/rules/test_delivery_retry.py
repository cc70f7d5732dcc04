"""What an attempt does to its delivery: the table of outcomes, row by row, early, late, and after
doubt."""

from __future__ import annotations

from datetime import timedelta

import pytest

from digest.model import Outcome, State
from digest.rules.delivery_retry import EFFECTS, GIVE_UP, effect_of

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
YOUNG, OLD = GIVE_UP - SECOND, GIVE_UP
NOW = timedelta(0)


@pytest.mark.parametrize(
    ("outcome", "age", "state", "in_doubt", "wait"),
    [
        (Outcome.SENT, YOUNG, State.SENT, State.SENT, NOW),
        (Outcome.SENT, OLD, State.SENT, State.SENT, NOW),
        (Outcome.DEFERRED, YOUNG, State.DEFERRED, State.UNKNOWN, 5 * MINUTE),
        (Outcome.DEFERRED, OLD, State.FAILED, State.DROPPED, NOW),
        (Outcome.UNKNOWN, YOUNG, State.UNKNOWN, State.UNKNOWN, 30 * MINUTE),
        (Outcome.UNKNOWN, OLD, State.FAILED, State.DROPPED, NOW),
        # a server that cannot be used says nothing of the message, however old that is
        (Outcome.RELAY, YOUNG, State.QUEUED, State.UNKNOWN, 2 * SECOND),
        (Outcome.RELAY, OLD, State.QUEUED, State.UNKNOWN, 2 * SECOND),
        (Outcome.FAILED, YOUNG, State.FAILED, State.DROPPED, NOW),
        (Outcome.FAILED, OLD, State.FAILED, State.DROPPED, NOW),
    ],
)
def test_the_states_and_the_wait_after_a_first_attempt(
    outcome: Outcome, age: timedelta, state: State, in_doubt: State, wait: timedelta
) -> None:
    effect = effect_of(outcome, age)
    assert (effect.state, effect.in_doubt, effect.wait(1)) == (state, in_doubt, wait)


@pytest.mark.parametrize(
    ("number", "minutes"),
    [(1, 5), (2, 15), (3, 30), (4, 60), (5, 120), (6, 240), (7, 240), (99, 240)],
)
def test_the_waits_grow_and_the_last_one_repeats(number: int, minutes: int) -> None:
    assert EFFECTS[Outcome.DEFERRED].wait(number) == minutes * MINUTE
    assert EFFECTS[Outcome.UNKNOWN].wait(number) == max(minutes, 30) * MINUTE
    assert EFFECTS[Outcome.RELAY].wait(number) == 2 * SECOND


def test_the_table_has_a_row_for_every_outcome() -> None:
    assert set(EFFECTS) == set(Outcome)
    assert {outcome for outcome, effect in EFFECTS.items() if not effect.counts} == {Outcome.RELAY}
    # What may come twice is never tried sooner than the table says.
    assert {outcome for outcome, effect in EFFECTS.items() if not effect.spread} == {
        Outcome.UNKNOWN
    }
