"""A reader's fields as a flag or a cell of a table gives them: checked, and refused in its terms
rather than YAML's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from digest.errors import UsageError
from digest.model import Abstracts, Format, Order, Revisions, Weekly
from digest.subscribers.fields import (
    MAX_PAPERS,
    QUIET_DAYS,
    SCHEDULES,
    guess_date,
    guess_time,
    is_name,
    is_zone,
    nearest_day,
    nearest_zone,
    read_date,
    read_time,
)
from digest.subscribers.report import nearest

if TYPE_CHECKING:
    from digest.subscribers.edit import Value

NOTHING = ("", "none")
"""What takes a field away again, given to its flag."""
TRUTH = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def read_flag(name: str, given: str, called: str = "") -> Value:
    """The value of a field that was given as this text; None: the field is taken away.

    Raises UsageError saying what can be written there; `called` is what the field goes by, else its
    flag.
    """
    text = given.strip()
    if text in NOTHING and (name, text) != ("abstracts", "none"):
        return None
    called = called or f"--{name.replace('_', '-')}"
    return _READERS[name](called, given, text) if name in _READERS else text


def split(text: str) -> list[str]:
    """The members of a list in one text: between commas, semicolons or line breaks, but not inside
    quotes.
    """
    parts = re.findall(r'(?:"[^"]*(?:"|$)|[^",;\n])+', text)
    return [part.strip() for part in parts if part.strip()]


def _at(called: str, given: str, text: str) -> Value:
    if read_time(text):
        return text
    raise _refused(
        called, given, "a time of day", guess_time(text), "write hours and minutes, such as 07:00"
    )


def _schedule(called: str, given: str, text: str) -> Value:
    if text in SCHEDULES:
        return text
    days = [day.strip().lower() for day in re.split("[,;]", text) if day.strip()]
    if days and all(day in list(Weekly) for day in days):
        return days
    near = nearest(text, SCHEDULES)
    if not near:
        guesses = [day if day in list(Weekly) else nearest_day(day) for day in days]
        near = ",".join(guesses) if all(guesses) else ""
    raise _refused(
        called, given, "a schedule", near, "write daily, weekdays, weekly, or days such as mon,thu"
    )


def _timezone(called: str, given: str, text: str) -> Value:
    if is_zone(text):
        return text
    raise _refused(
        called, given, "a time zone", nearest_zone(text), "write one such as Europe/Berlin"
    )


def _max_papers(called: str, given: str, text: str) -> Value:
    if text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MAX_PAPERS:
        return int(text)
    raise _refused(
        called, given, "a number of papers", "", f"write a whole number from 1 to {MAX_PAPERS}"
    )


def _paused_until(called: str, given: str, text: str) -> Value:
    if read_date(text):
        return text
    raise _refused(
        called, given, "a date", guess_date(text), "write year-month-day, such as 2026-12-01"
    )


def _name(called: str, given: str, text: str) -> Value:
    if is_name(text):
        return text
    raise _refused(
        called, given, "a name", "", "it is one line of at most 200 printable characters"
    )


def _revisions(called: str, given: str, text: str) -> Value:
    if text.lower() in TRUTH:
        return TRUTH[text.lower()]
    if text.lower() == Revisions.PUBLISHED:
        return text.lower()
    near = nearest(text, list(Revisions))
    raise _refused(
        called,
        given,
        "an answer",
        near,
        "write true, false, or published for the published ones alone",
    )


def _choice(kind: str, choices: Iterable[str]) -> Callable[[str, str, str], Value]:
    known = tuple(choices)

    def read(called: str, given: str, text: str) -> Value:
        if text.lower() in known:
            return text.lower()
        raise _refused(called, given, kind, nearest(text, known), f"write {' or '.join(known)}")

    return read


def _list(_called: str, _given: str, text: str) -> Value:
    return split(text)


def _as_it_is(_called: str, _given: str, text: str) -> Value:
    return text


def _refused(called: str, given: str, kind: str, near: str, remedy: str) -> UsageError:
    return UsageError(
        f"{called} {given!r} is not {kind}", remedy=f"did you mean {near}?" if near else remedy
    )


_READERS: dict[str, Callable[[str, str, str], Value]] = {
    "name": _name,
    "at": _at,
    "schedule": _schedule,
    "timezone": _timezone,
    "revisions": _revisions,
    "max_papers": _max_papers,
    "exclude": _list,
    "quiet_days": _choice("an answer", QUIET_DAYS),
    "order": _choice("an order", (order.value for order in Order)),
    "paused_until": _paused_until,
    "abstracts": _choice("an amount", Abstracts),
    "format": _choice("a format", (Format.HTML, Format.TEXT)),
    "authors": _list,
    "categories": _list,
    "subject_prefix": _as_it_is,
}
SETTABLE = tuple(_READERS)
"""The fields that can be given so."""
