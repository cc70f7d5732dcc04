"""A reader by address: the error where there is none, with the address that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from digest.errors import ConfigError
from digest.subscribers.report import slips

NEAR_DOMAIN = 3
"""Slips between two domains with one local part that may be one address: as far as from .org to
.net."""


def unknown_reader(path: Path | str, address: str, known: Iterable[str]) -> ConfigError:
    """What to raise where the subscribers file, whose readers are `known`, lacks this one."""
    near = nearest_address(address, known)
    remedy = f"did you mean {near}?" if near else "'digest subscribers' lists who is in it"
    return ConfigError(f"{path} names no subscriber {address}", remedy=remedy)


def nearest_address(address: str, known: Iterable[str]) -> str:
    """The address of which this is probably a slip, or nothing: of one domain, or with one local
    part.
    """
    local, _, domain = address.strip().casefold().rpartition("@")
    if not local:
        return ""
    found: list[tuple[int, str]] = []
    for candidate in known:
        other, _, other_domain = candidate.casefold().rpartition("@")
        if other_domain == domain:
            one, two, allowed = local, other, 1 if len(local) < 9 else 2
        elif other == local:
            one, two, allowed = domain, other_domain, NEAR_DOMAIN
        else:
            continue
        if abs(len(one) - len(two)) <= allowed < min(len(one), len(two)) - 1:
            distance = slips(one, two)
            if distance <= allowed:
                found.append((distance, candidate))
    return min(found, default=(0, ""))[1]
