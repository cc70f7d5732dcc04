"""What follows an attempt to hand over a delivery: each outcome, early, late, and after doubt."""

from __future__ import annotations

from datetime import timedelta

import pytest

from digest.model import Outcome, State
from digest.rules.delivery_retry import Attempt, what_follows

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
YOUNG, OLD = timedelta(days=5) - SECOND, timedelta(days=5)
NOW = timedelta(0)


@pytest.mark.parametrize(
    ("outcome", "age", "maybe_accepted", "state", "wait"),
    [
        (Outcome.SENT, YOUNG, False, State.SENT, NOW),
        (Outcome.SENT, OLD, True, State.SENT, NOW),
        (Outcome.DEFERRED, YOUNG, False, State.DEFERRED, 5 * MINUTE),
        (Outcome.DEFERRED, YOUNG, True, State.UNKNOWN, 5 * MINUTE),
        (Outcome.DEFERRED, OLD, False, State.FAILED, NOW),
        (Outcome.DEFERRED, OLD, True, State.DROPPED, NOW),
        (Outcome.UNKNOWN, YOUNG, False, State.UNKNOWN, 30 * MINUTE),
        (Outcome.UNKNOWN, YOUNG, True, State.UNKNOWN, 30 * MINUTE),
        (Outcome.UNKNOWN, OLD, False, State.DROPPED, NOW),
        (Outcome.UNKNOWN, OLD, True, State.DROPPED, NOW),
        # a server that cannot be used says nothing of the message, however old that is
        (Outcome.RELAY, YOUNG, False, State.QUEUED, 2 * SECOND),
        (Outcome.RELAY, OLD, False, State.QUEUED, 2 * SECOND),
        (Outcome.RELAY, OLD, True, State.UNKNOWN, 2 * SECOND),
        (Outcome.FAILED, YOUNG, False, State.FAILED, NOW),
        (Outcome.FAILED, YOUNG, True, State.DROPPED, NOW),
    ],
)
def test_the_state_and_the_wait_after_a_first_attempt(
    outcome: Outcome, age: timedelta, maybe_accepted: bool, state: State, wait: timedelta
) -> None:
    attempt = Attempt(outcome, 1, age, maybe_accepted, is_issue=False)
    assert what_follows(attempt) == (state, wait)


@pytest.mark.parametrize(
    ("number", "minutes"),
    [(1, 5), (2, 15), (3, 30), (4, 60), (5, 120), (6, 240), (7, 240), (99, 240)],
)
def test_the_waits_grow_and_the_last_one_repeats(number: int, minutes: int) -> None:
    deferred = Attempt(Outcome.DEFERRED, number, NOW, maybe_accepted=False, is_issue=False)
    unknown = Attempt(Outcome.UNKNOWN, number, NOW, maybe_accepted=False, is_issue=False)
    assert what_follows(deferred)[1] == minutes * MINUTE
    assert what_follows(unknown)[1] == max(minutes, 30) * MINUTE


@pytest.mark.parametrize("number", [1, 6])
def test_an_issue_that_could_not_be_posted_waits_five_minutes(number: int) -> None:
    attempt = Attempt(Outcome.RELAY, number, NOW, maybe_accepted=False, is_issue=True)
    assert what_follows(attempt) == (State.QUEUED, 5 * MINUTE)
