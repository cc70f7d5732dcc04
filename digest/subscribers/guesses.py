"""Guesses at what was meant: the nearest name, address, zone, day, time or date."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path
from zoneinfo import available_timezones

from digest.errors import ConfigError
from digest.times import WEEKDAYS

# Slips between two domains with one local part that may be one address: as far as from .org to
# .net.
NEAR_DOMAIN = 3
# Abbreviations that mean one place's time; none that several share (IST, CST, BST).
ZONES = {
    **dict.fromkeys(("pst", "pdt", "pt"), "America/Los_Angeles"),
    **dict.fromkeys(("mdt", "mt"), "America/Denver"),
    **dict.fromkeys(("cdt", "ct"), "America/Chicago"),
    **dict.fromkeys(("edt", "et"), "America/New_York"),
    **dict.fromkeys(("cest", "mez", "mesz"), "CET"),
    "eest": "EET",
    **dict.fromkeys(("aest", "aedt"), "Australia/Sydney"),
    **dict.fromkeys(("nzst", "nzdt"), "Pacific/Auckland"),
    "jst": "Asia/Tokyo",
    "kst": "Asia/Seoul",
    "hkt": "Asia/Hong_Kong",
    "sgt": "Asia/Singapore",
    "pkt": "Asia/Karachi",
    "msk": "Europe/Moscow",
    "z": "UTC",
}
# Cities that zones are often called by, though the zone has the name of another one.
CITIES = {
    **dict.fromkeys(("beijing", "peking", "shenzhen", "guangzhou", "hangzhou"), "Asia/Shanghai"),
    **dict.fromkeys(("mumbai", "delhi", "new_delhi", "bangalore", "bengaluru"), "Asia/Kolkata"),
    **dict.fromkeys(("san_francisco", "seattle", "california"), "America/Los_Angeles"),
    **dict.fromkeys(("boston", "washington", "princeton", "pittsburgh"), "America/New_York"),
    **dict.fromkeys(("munich", "hamburg", "frankfurt", "cologne"), "Europe/Berlin"),
    **dict.fromkeys(("geneva", "lausanne", "basel"), "Europe/Zurich"),
    "barcelona": "Europe/Madrid",
    **dict.fromkeys(("milan", "turin"), "Europe/Rome"),
    **dict.fromkeys(("montreal", "ottawa"), "America/Toronto"),
    **dict.fromkeys(("kyoto", "osaka"), "Asia/Tokyo"),
    **dict.fromkeys(("cambridge", "oxford", "edinburgh"), "Europe/London"),
}
# Zones of offsets that are no whole hours, where one place has it all the year.
PARTS_OF_HOURS = {
    "+3:30": "Asia/Tehran",
    "+4:30": "Asia/Kabul",
    "+5:30": "Asia/Kolkata",
    "+5:45": "Asia/Kathmandu",
    "+6:30": "Asia/Yangon",
    "+9:30": "Australia/Darwin",
}
# What fields are called elsewhere, by what they are called here.
FIELD_NAMES = {
    **dict.fromkeys(("time", "hour", "when"), "at"),
    **dict.fromkeys(("tz", "zone"), "timezone"),
    **dict.fromkeys(("mail", "address", "e_mail"), "email"),
    **dict.fromkeys(("days", "frequency", "interval"), "schedule"),
    **dict.fromkeys(("pause", "paused", "until"), "paused_until"),
    **dict.fromkeys(("queries", "topics"), "keywords"),
    **dict.fromkeys(("readers", "users", "people"), "subscribers"),
    **dict.fromkeys(("never", "not", "without"), "exclude"),
    **dict.fromkeys(("limit", "papers"), "max_papers"),
}
DAYS = tuple(map(str.lower, WEEKDAYS))


def nearest(text: str, known: Iterable[str]) -> str:
    """The name that was probably meant, or nothing: one that is only spelt a little like it, begins
    otherwise or has other digits (`weekends` and `weekdays`, `unpublished` and `published`, `GPT-4`
    and `GPT-5`) means something else.
    """
    folded, by_folded = text.casefold(), {name.casefold(): name for name in known}
    for near in difflib.get_close_matches(folded, by_folded, n=1):
        is_alike = slips(folded, near) <= 2 or near.startswith(folded) or folded.startswith(near)
        is_same = near[0] == folded[0] and re.findall(r"\d", near) == re.findall(r"\d", folded)
        return by_folded[near] if is_alike and is_same else ""
    return ""


def nearest_field(text: str, known: Iterable[str]) -> str:
    """The field that was probably meant, or nothing: by what it is called elsewhere, or by a slip.
    A name that only begins like another (`time`, `timezone`) means something of its own.
    """
    name, fields = re.sub(r"[\s-]+", "_", text.strip().casefold()), set(known)
    if (meant := FIELD_NAMES.get(name, "")) in fields:
        return meant
    near = nearest(name, fields)
    is_slip = len(name) > 3 and slips(name, near) <= _allowed_slips(name)
    return near if near and (is_slip or (len(name) > 4 and near.startswith(name))) else ""


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
    """The zone that was probably meant: by its offset, by its city alone, or by a slip; or nothing,
    where what is spelt alike would be another time.
    """
    zones = _zones()
    wanted = re.sub(r"\s+", "_", text.strip()).casefold()
    if offset := re.fullmatch(r"(?:etc/)?(?:utc|gmt)?_?([+-])0?(\d{1,2})(?::?(\d\d))?", wanted):
        return _zone_of_offset(offset[1], int(offset[2]), offset[3] or "00", zones)
    if wanted in ZONES:
        return ZONES[wanted]
    return _zone_of_place(wanted, zones)


def _zone_of_place(wanted: str, zones: list[str]) -> str:
    """The zone of a city, or of a name with a slip in it."""
    city = wanted.rpartition("/")[2]
    by_city = (zone for zone in zones if zone.rpartition("/")[2].casefold() == wanted)
    if found := next(by_city, "") or CITIES.get(city, ""):
        return found
    # Abbreviations and old short names are one letter apart from others that mean another time.
    if len(city) < 5 or re.search(r"\d", wanted):
        return ""
    names = {zone.rpartition("/")[2].casefold(): zone for zone in reversed(zones)}
    names |= {zone.casefold(): zone for zone in zones}
    return next((zone for name, zone in names.items() if _is_slip(wanted, name)), "")


@cache
def _zones() -> list[str]:
    """All zones by name; to find them takes a look into many files."""
    return sorted(available_timezones())


def _zone_of_offset(sign: str, hours: int, minutes: str, zones: list[str]) -> str:
    """The zone of an offset from UTC; in the names of `Etc` the sign is turned round."""
    if minutes != "00":
        return PARTS_OF_HOURS.get(f"{sign}{hours}:{minutes}", "")
    turned = f"Etc/GMT{'-' if sign == '+' else '+'}{hours}" if hours else "Etc/UTC"
    return turned if turned in zones else ""


def _is_slip(text: str, other: str) -> bool:
    allowed = _allowed_slips(text)
    return text[0] == other[0] and abs(len(text) - len(other)) <= allowed >= slips(text, other)


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
    """`2026-12-1`, `2026/12/01`, `1.12.2026`, `12/25/2026`; a time of day behind it is left out.
    Where two numbers with a slash may each be the month, nobody knows which is.
    """
    try:
        first, month, last = (int(part) for part in re.findall(r"\d+", text)[:3])
        year, day = (first, last) if first > 31 else (last, first)
        if "/" in text and first <= 31:
            month, day = sorted((day, month))
        is_clear = year > 99 and ("/" not in text or first > 31 or day > 12 or day == month)
        return date(year, month, day).isoformat() if is_clear else ""
    except (ValueError, OverflowError):
        return ""
