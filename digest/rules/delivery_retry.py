"""What an attempt to hand over a delivery does to it, as a table: its next state, and the wait."""

from __future__ import annotations

from collections.abc import Mapping
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
class Effect:
    """What an attempt that ended in one way does to its delivery.

    `state` is what follows; `in_doubt`, where this attempt or an earlier one may have been
    accepted: such a delivery is never again treated as certainly unsent. `waits`: the least time
    before the next attempt, by the number of this one; the last one repeats, and none means that
    there is no next one. `ends`: after GIVE_UP it is as where it failed. `counts`: it was one of
    the delivery's attempts. `spread`: the wait may be somewhat shorter or longer, so that those who
    were refused together do not come back together.
    """

    state: State
    in_doubt: State
    waits: tuple[timedelta, ...] = ()
    ends: bool = False
    counts: bool = True
    spread: bool = True

    def wait(self, number: int, rest: timedelta | None = None, factor: float = 1.0) -> timedelta:
        """The least time before the next attempt, after the one of this number, from 1; longer or
        shorter by the factor where it is spread. A `rest` that was asked for is the least, but for
        one of the whole server, which keeps it itself.
        """
        wait = self.waits[min(number, len(self.waits)) - 1] if self.waits else timedelta()
        wait *= factor if self.spread else 1
        return max(wait, rest) if rest and self.counts else wait


EFFECTS: Mapping[Outcome, Effect] = {
    Outcome.SENT: Effect(State.SENT, State.SENT),
    Outcome.DEFERRED: Effect(State.DEFERRED, State.UNKNOWN, RETRIES, ends=True),
    # Each attempt may be one more copy in the reader's mailbox, so the wait is never shortened.
    Outcome.UNKNOWN: Effect(
        State.UNKNOWN,
        State.UNKNOWN,
        tuple(max(wait, UNKNOWN_WAIT) for wait in RETRIES),
        ends=True,
        spread=False,
    ),
    # Another delivery's turn comes first (docs/decisions.md, "A relay that failed leaves the
    # delivery's turn to another one"); the channel's own rest keeps all of them back.
    Outcome.RELAY: Effect(State.QUEUED, State.UNKNOWN, (RELAY_WAIT,), counts=False),
    Outcome.FAILED: Effect(State.FAILED, State.DROPPED),
}
"""The effect of each outcome, the same on every channel."""


def effect_of(outcome: Outcome, age: timedelta) -> Effect:
    """The effect of an attempt that ended so, for a delivery of this age."""
    effect = EFFECTS[outcome]
    return EFFECTS[Outcome.FAILED] if effect.ends and age >= GIVE_UP else effect
