"""A reader's fields as a command line gives them: checked, and refused in its own terms rather than in YAML's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from digest.errors import UsageError
from digest.model import Weekly
from digest.roster.fields import (
    MAX_PAPERS,
    SCHEDULES,
    guess_date,
    guess_time,
    is_zone,
    nearest_day,
    nearest_zone,
    read_date,
    read_time,
)
from digest.roster.report import nearest

if TYPE_CHECKING:
    from digest.roster.edit import Value

NOTHING = ("", "none")
"""What takes a field away again, given to its flag."""


def read_flag(name: str, given: str) -> Value:
    """The value of a field whose flag was given this text. Raises UsageError saying what can be written there."""
    text = given.strip()
    if text in NOTHING and (name, text) != ("abstracts", "none"):
        return None
    return _READERS[name](given, text) if name in _READERS else text


def _at(given: str, text: str) -> Value:
    if read_time(text):
        return text
    raise _refused("--at", given, "a time of day", guess_time(text), "write hours and minutes, such as 07:00")


def _schedule(given: str, text: str) -> Value:
    if text in SCHEDULES:
        return text
    days = [day.strip().lower() for day in text.split(",") if day.strip()]
    if days and all(day in list(Weekly) for day in days):
        return days
    near = nearest(text, SCHEDULES)
    if not near:
        guesses = [day if day in list(Weekly) else nearest_day(day) for day in days]
        near = ",".join(guesses) if all(guesses) else ""
    raise _refused("--schedule", given, "a schedule", near, "write daily, weekdays, weekly, or days such as mon,thu")


def _timezone(given: str, text: str) -> Value:
    if is_zone(text):
        return text
    raise _refused("--timezone", given, "a time zone", nearest_zone(text), "write one such as Europe/Berlin")


def _revisions(_given: str, text: str) -> Value:
    return {"true": True, "false": False}.get(text, text)


def _max_papers(given: str, text: str) -> Value:
    if text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MAX_PAPERS:
        return int(text)
    raise _refused("--max-papers", given, "a number of papers", "", f"write a whole number from 1 to {MAX_PAPERS}")


def _paused_until(given: str, text: str) -> Value:
    if read_date(text):
        return text
    raise _refused("--paused-until", given, "a date", guess_date(text), "write year-month-day, such as 2026-12-01")


def _refused(flag: str, given: str, kind: str, near: str, remedy: str) -> UsageError:
    return UsageError(f"{flag} {given!r} is not {kind}", remedy=f"did you mean {near}?" if near else remedy)


_READERS: dict[str, Callable[[str, str], Value]] = {
    "at": _at,
    "schedule": _schedule,
    "timezone": _timezone,
    "revisions": _revisions,
    "max_papers": _max_papers,
    "paused_until": _paused_until,
}
