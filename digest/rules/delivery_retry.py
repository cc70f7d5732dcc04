"""Decides what follows an attempt to hand over a delivery: its next state, and the wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from digest.model import Outcome, State

RETRIES = tuple(timedelta(minutes=m) for m in (5, 15, 30, 60, 120, 240))
"""The wait after each refused attempt; the last one repeats."""
GIVE_UP = timedelta(days=5)
"""A relay's refusals, or its silence, are taken as final after this time (RFC 5321 section 4.5.4.1:
4-5 days)."""
UNKNOWN_WAIT = timedelta(minutes=30)
"""The least time before a delivery that may have been accepted is tried again."""
RELAY_WAIT = timedelta(seconds=2)
"""The least time before a delivery that the server could not take is tried again, whatever the
server's own rest."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that ended: its number, from 1; the age of the delivery; whether an earlier
    attempt may have been accepted; whether it was an issue that was to be posted.
    """

    outcome: Outcome
    number: int
    age: timedelta
    maybe_accepted: bool
    is_issue: bool


def what_follows(attempt: Attempt) -> tuple[State, timedelta]:
    """The state of the delivery after an attempt, and the wait before the next one.

    What may have been accepted earlier is never again treated as certainly unsent.
    """
    retry = RETRIES[min(attempt.number, len(RETRIES)) - 1]
    maybe, young = attempt.maybe_accepted, attempt.age < GIVE_UP
    match attempt.outcome:
        case Outcome.SENT:
            return State.SENT, timedelta()
        case Outcome.UNKNOWN if young:
            # Each attempt may be one more copy in the reader's mailbox.
            return State.UNKNOWN, max(retry, UNKNOWN_WAIT)
        case Outcome.RELAY:
            # Another delivery's turn comes first (docs/decisions.md, "A relay that failed leaves
            # the delivery's turn to another one"); no server's rest would hold an issue.
            wait = RETRIES[0] if attempt.is_issue else RELAY_WAIT
            return (State.UNKNOWN if maybe else State.QUEUED), wait
        case Outcome.DEFERRED if young:
            return (State.UNKNOWN if maybe else State.DEFERRED), retry
    lost = maybe or attempt.outcome is Outcome.UNKNOWN
    return (State.DROPPED if lost else State.FAILED), timedelta()


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `number` messages in any stretch of time of the length `period`."""

    number: int
    period: timedelta
