"""The readers whom mistakes in the subscribers file hold back, in `digest status`."""

from __future__ import annotations

from typing import Any

from digest.cli.readers.describe import suppression_json
from digest.model import Roster
from digest.store import Store
from digest.times import text_or_none


def held_back_readers(store: Store, roster: Roster) -> list[dict[str, Any]]:
    """How each of them is, as plain values like those of the others."""
    return [_held_back(store, address, why) for address, why in _whom(store, roster).items()]


def _whom(store: Store, roster: Roster) -> dict[str, str]:
    """Whom mistakes hold back: those that the file names and, where one cannot be told from it,
    those whom the last run missed in it.
    """
    served = {reader.email.casefold() for reader in roster.subscribers}
    found = roster.held_back
    noted = store.mistakes.held_back() if found.pop("", "") else {}
    return {
        address: why for address, why in (noted | found).items() if address.casefold() not in served
    }


def _held_back(store: Store, address: str, why: str) -> dict[str, Any]:
    """How a reader is whom a mistake in the subscribers file holds back: of their wishes nothing is
    certain.
    """
    state = store.subscribers.state(address)
    return {
        "email": address,
        "timezone": "UTC",
        "suppressed": suppression_json(store.suppressions.of(address)),
        "last_digest": text_or_none(state.last_digest_at) if state else None,
        "last_state": state.last_state if state else None,
        "next_digest": None,
        "covers": None,
        "why": f"held back: {why}",
        "receipt": "",
    }
