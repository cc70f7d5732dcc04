"""Guesses at what was meant: the nearest name, address, zone, day, time or date."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from zoneinfo import available_timezones

from digest.errors import ConfigError
from digest.times import WEEKDAYS

# Slips between two domains with one local part that may be one address: as far as from .org to
# .net.
NEAR_DOMAIN = 3
DAYS = tuple(map(str.lower, WEEKDAYS))


def nearest(text: str, known: Iterable[str]) -> str:
    """The name that was probably meant, or nothing."""
    by_folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(text.casefold(), by_folded, n=1)
    return by_folded[near[0]] if near else ""


def probably_meant(text: str, known: Iterable[str]) -> str:
    """The name of which a text is so probably a misspelling that it should not stand for itself; or
    nothing.

    Keywords that are one letter apart may well be two keywords (GPT-4 and GPT-5, LLM and MLLM). So
    this only speaks where words are long, begin alike, and hold no digits.
    """
    folded = text.casefold()
    allowed = _allowed_slips(folded)
    if len(folded) < 5 or re.search(r"\d", folded):
        return ""
    for name in known:
        other = name.casefold()
        alike = other[:1] == folded[0] and abs(len(other) - len(folded)) <= allowed
        if alike and not re.search(r"\d", other) and slips(folded, other) <= allowed:
            return name
    return ""


def _allowed_slips(text: str) -> int:
    return 1 if len(text) < 9 else 2


def slips(one: str, other: str) -> int:
    """How many letters were mistyped, left out, added, or exchanged with their neighbour, at the
    least (the distance of Damerau and Levenshtein).
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, char in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            least = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (char != wanted))
            if older and j > 1 and char == other[j - 2] and one[i - 2] == wanted:
                least = min(least, older[j - 2] + 1)
            row.append(least)
    return row[-1]


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
    found: list[tuple[int, str]] = []
    for candidate in known if local else ():
        other, _, other_domain = candidate.casefold().rpartition("@")
        if other_domain == domain:
            one, two, allowed = local, other, _allowed_slips(local)
        elif other == local:
            one, two, allowed = domain, other_domain, NEAR_DOMAIN
        else:
            continue
        shorter, longer = sorted((len(one), len(two)))
        plausible = longer - shorter <= allowed < shorter - 1
        if plausible and (distance := slips(one, two)) <= allowed:
            found.append((distance, candidate))
    return min(found, default=(0, ""))[1]


def nearest_zone(text: str) -> str:
    """The zone that was probably meant: by its city alone, or by a slip; or nothing."""
    zones = sorted(available_timezones())
    wanted = re.sub(r"\s+", "_", text.strip()).casefold()
    by_city = (zone for zone in zones if zone.rpartition("/")[2].casefold() == wanted)
    return next(by_city, "") or nearest(wanted, zones)


def nearest_day(text: str) -> str:
    """The day that was probably meant (`Monday`, `tues`), as the file writes it, or nothing."""
    word = text.strip().lower().removesuffix("s")
    near = [day for day in DAYS if day.startswith(word) or slips(word, day) == 1]
    return near[0][:3] if len(word) >= 3 and len(near) == 1 else ""


def guess_time(text: str) -> str:
    """`7`, `7am`, `7.30`, `07:00:00`, and 420, which is what some programs make of 7:00."""
    match = re.fullmatch(r"(\d?\d)(?:[:.h](\d\d)?(?::\d\d)?)?\s*([ap]m)?", text.strip().lower())
    if match:
        hour, minute = int(match[1]), int(match[2] or 0)
        hour = hour % 12 + 12 * (match[3] == "pm") if match[3] else hour
    elif text.isdecimal() and len(text) <= 4:
        hour, minute = divmod(int(text), 60)
    else:
        return ""
    return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else ""


def guess_date(text: str) -> str:
    """`2026-12-1`, `2026/12/01`, `1.12.2026`; a time of day behind it is left out."""
    try:
        first, month, last = (int(part) for part in re.findall(r"\d+", text)[:3])
        year, day = (first, last) if first > 31 else (last, first)
        return date(year, month, day).isoformat()
    except (ValueError, OverflowError):
        return ""
