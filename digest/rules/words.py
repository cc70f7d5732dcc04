"""What people are shown in place of the stable words of states, outcomes and statuses."""

from __future__ import annotations

from digest.model import Outcome, State

_WORDS = {
    State.LEASED: "being sent",
    State.IN_DATA: "being handed over",
    State.UNKNOWN: "maybe delivered",
    Outcome.RELAY: "left in the outbox",
    "quarantined": "held back",
}


def in_words(state: str) -> str:
    """What people are shown for a state, an outcome, or a status: the stable word, or a plainer."""
    return _WORDS.get(state, str(state))
