"""Readers' libraries: whether they can be read, and whether they are good for anything."""

from __future__ import annotations

from digest.keywords.words import counted
from digest.run.libraries import fields_of
from digest.setup.doctor.check import Finding, ok, skip, warn
from digest.setup.parts import existing_store
from digest.setup.settings import Settings
from digest.setup.subscribers import roster_or_empty

SHOWN = 3


def has_libraries(settings: Settings) -> bool:
    """Whether any reader's entry names a library."""
    return any(map(fields_of, roster_or_empty(settings).subscribers))


def check_libraries(settings: Settings) -> Finding:
    """What is wrong with readers' libraries, as far as it shows without reading them."""
    from digest.explain.library import doubtful_libraries

    roster = roster_or_empty(settings)
    owners = sum(bool(fields_of(reader)) for reader in roster.subscribers)
    with existing_store(settings) as store:
        if store is None:
            return skip("no run has read any yet")
        doubts = list(doubtful_libraries(store, roster, settings.home))
    if doubts:
        more = f"; {len(doubts) - SHOWN} more" if doubts[SHOWN:] else ""
        return warn(
            "; ".join(doubts[:SHOWN]) + more, "'digest library check EMAIL' tells more of each"
        )
    return ok(f"{counted(owners, 'reader')} with a library")
