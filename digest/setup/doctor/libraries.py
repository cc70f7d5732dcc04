"""Readers' libraries: whether they can be read, and whether they are good for anything."""

from __future__ import annotations

from contextlib import closing

from digest.keywords.words import counted
from digest.libraries.zotero import is_zotero
from digest.run.libraries import fields_of
from digest.setup.doctor.check import Finding, ok, skip, warn
from digest.setup.parts import existing_store, places_of
from digest.setup.settings import Settings
from digest.setup.subscribers import roster_or_empty

SHOWN = 3


def has_libraries(settings: Settings) -> bool:
    """Whether any reader's entry names a library."""
    return any(map(fields_of, roster_or_empty(settings).subscribers))


def zotero_items(settings: Settings) -> list[str]:
    """The libraries at Zotero that readers' entries name, each once."""
    readers = roster_or_empty(settings).subscribers
    return list(dict.fromkeys(filter(is_zotero, (i for r in readers for i in fields_of(r)))))


def check_zotero(settings: Settings) -> Finding:
    """Whether readers' libraries at Zotero can be read; the first few are tried."""
    from digest.libraries import LibraryError
    from digest.libraries.zotero import place_of
    from digest.run.zotero import require_zotero

    items, access = zotero_items(settings), places_of(settings).zotero
    for item in items[:SHOWN]:
        try:
            require_zotero(item)
            from digest.libraries.zotero_api import ZoteroClient

            with closing(ZoteroClient(place_of(item), access, lambda: False)) as client:
                client.listing(0)
        except LibraryError as error:
            # Where the readers come from a secret, strangers may read what is said.
            what = "one of them" if settings.subscribers_yaml else f"{item}: {error.message}"
            return warn(f"not readable: {what}", error.remedy)
    tried = counted(len(items[:SHOWN]), "library", "libraries")
    return ok(f"{tried} at {access.api} can be read")


def check_libraries(settings: Settings) -> Finding:
    """What is wrong with readers' libraries, as far as it shows without reading them."""
    from digest.explain.libraries import doubtful_libraries

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
