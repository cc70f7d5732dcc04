"""What each field of a subscriber may hold: from the text in the file to the value in the model."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, time
from enum import StrEnum
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from digest.errors import QueryError, one_line
from digest.keywords.grammar import parse
from digest.keywords.tokens import Term
from digest.model import REPOSITORY, Abstracts, Format, Order, Revisions, Weekly
from digest.subscribers.document import Node, Scalar, Sequence
from digest.subscribers.quoting import quote, yaml_type
from digest.subscribers.report import Report, nearest, slips

MAX_PAPERS = 2000
"""The most abstracts a digest may be asked to have: the most papers arXiv gives in one answer."""
SCHEDULES = {
    "daily": tuple(Weekly),
    "weekdays": (Weekly.MON, Weekly.TUE, Weekly.WED, Weekly.THU, Weekly.FRI),
    "weekly": (Weekly.MON,),
}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
QUIET_DAYS = {"tell": True, "silent": False}
MAX_AUTHOR = 100
MAX_PREFIX = 30
"""Characters that may stand before each subject, which has 78 in all."""
_BAD: Any = object()
"""Stands for a value in which a mistake was found, where None is a value of its own."""


def read_email(report: Report, node: Node) -> str | None:
    """A mail address, in the form in which it is stored: the domain in lower case, Unicode
    composed.
    """
    text = report.text(node, "email")
    if text is None:
        return None
    try:
        return normal_email(text)
    except ValueError as error:
        found = re.search(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", text)
        suggestion = found[0] if found and found[0] != text else ""
        report.add(
            node, f"{text!r} is no mail address: {_lower_first(str(error).rstrip('.'))}", suggestion
        )
        return None


def normal_email(text: str) -> str:
    """The stored form of a mail address; raises ValueError. Reserved domains pass but `localhost`
    alone is local.
    """
    from email_validator import validate_email

    local, _, domain = text.rpartition("@")
    if domain.lower() == "localhost":
        checked = validate_email(
            f"{local}@localhost.test", check_deliverability=False, test_environment=True
        )
        return checked.normalized.removesuffix(".test")
    return validate_email(text, check_deliverability=False, test_environment=True).normalized


def read_repository(report: Report, node: Node) -> str | None:
    """A GitHub repository, in the form of an address: `github:OWNER/REPO`."""
    text = report.text(node, "github")
    if text is None:
        return None
    try:
        return normal_address(REPOSITORY + text)
    except ValueError as error:
        found = _REPOSITORY_IN_TEXT.search(text)
        suggestion = f"{found['owner']}/{found['name']}" if found else ""
        report.add(node, f"{text!r}: {error}", suggestion if suggestion != text else "")
        return None


_REPOSITORY = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}"
)
_REPOSITORY_IN_TEXT = re.compile(
    r"(?:https?://github\.com/|git@github\.com:|github:)(?P<owner>[A-Za-z0-9-]+)/(?P<name>[A-Za-z0-9._-]+?)(?:\.git)?/?$"
)


def normal_address(text: str) -> str:
    """The stored form of what the digests of a reader go to: a mail address, or
    `github:OWNER/REPO`.

    Raises ValueError.
    """
    if not text.lower().startswith(REPOSITORY):
        return normal_email(text)
    repository = text[len(REPOSITORY) :].strip()
    if not _REPOSITORY.fullmatch(repository):
        raise ValueError("a GitHub repository is written OWNER/REPO")
    return REPOSITORY + repository


def _name(report: Report, node: Node) -> Any:
    text = report.text(node, "name")
    if text is None:
        return _BAD
    name = text.strip()
    if not is_name(name):
        report.add(node, "a name is one line of at most 200 printable characters")
        return _BAD
    return name


def is_name(text: str) -> bool:
    """Whether this can stand beside an address."""
    return text.isprintable() and len(text) <= 200


def _subject_prefix(report: Report, node: Node) -> Any:
    if isinstance(node, Sequence):
        written = report.document.text[node.start : node.end]
        report.add(node, "a subject_prefix in brackets needs quotes", quote(written))
        return _BAD
    text = report.text(node, "subject_prefix")
    if text is None:
        return _BAD
    prefix = text.strip()
    if not prefix.isprintable() or len(prefix) > MAX_PREFIX:
        report.add(
            node, f"a subject_prefix is one line of at most {MAX_PREFIX} printable characters"
        )
        return _BAD
    return prefix


def _authors(report: Report, node: Node) -> Any:
    return _list(report, node, "authors", _author)


def _author(report: Report, node: Node, text: str) -> str | None:
    name = one_line(text)
    if (
        name.isprintable()
        and len(name) <= MAX_AUTHOR
        and any(character.isalpha() for character in name)
    ):
        return name
    report.add(node, f"{text!r} is no author's name: write one as arXiv does, such as Ada Lovelace")
    return None


def _categories(report: Report, node: Node) -> Any:
    return _list(report, node, "categories", _category)


def _category(report: Report, node: Node, text: str) -> str | None:
    try:
        term = parse(f"cat:{text}")
    except QueryError:
        term = None
    if isinstance(term, Term) and not term.phrase:
        return f"{term.text}{'*' if term.prefix else ''}"
    report.add(node, f"{text!r} is no category: write one such as cs.LG, or cs.* for all of cs")
    return None


def _list(
    report: Report, node: Node, what: str, read: Callable[[Report, Node, str], str | None]
) -> Any:
    items = report.items(node, what)
    texts = [(item, report.text(item, f"one of {what}")) for item in items]
    values = [
        value
        for item, text in texts
        if text is not None and (value := read(report, item, text)) is not None
    ]
    return tuple(dict.fromkeys(values)) if len(values) == len(items) else _BAD


def _schedule(report: Report, node: Node) -> Any:
    if isinstance(node, Scalar):
        text = report.text(node, "schedule")
        if text is None:
            return _BAD
        if text not in SCHEDULES:
            day = nearest_day(text)
            suggestion = nearest(text, SCHEDULES) or (f"[{day}]" if day else "")
            report.add(
                node,
                f"{text!r} is no schedule: daily, weekdays, weekly, or a list of days",
                suggestion,
            )
            return _BAD
        return SCHEDULES[text]
    days = []
    items = report.items(node, "schedule")
    for item in items:
        text = report.text(item, "a day")
        if text in list(Weekly):
            days.append(Weekly(text))
        elif text is not None:
            report.add(
                item, f"{text!r} is no day: mon, tue, wed, thu, fri, sat, sun", nearest_day(text)
            )
    if isinstance(node, Sequence) and not items:
        report.add(
            node, "the list of days is empty: nothing would ever come; to pause, set paused_until"
        )
    return tuple(day for day in Weekly if day in days) if days and len(days) == len(items) else _BAD


def nearest_day(text: str) -> str:
    """The day that was probably meant (`Monday`, `tues`), or nothing."""
    word = text.strip().lower().removesuffix("s")
    near = [
        day for day in _DAYS if len(word) >= 3 and (day.startswith(word) or slips(word, day) == 1)
    ]
    return near[0][:3] if len(near) == 1 else ""


def _at(report: Report, node: Node) -> Any:
    text = _raw(report, node, "at")
    if text is None or _is_nothing(node):
        return None if text is not None else _BAD
    if moment := read_time(text):
        return moment
    near = guess_time(text)
    report.add(
        node, f"{text!r} is no time of day: write hours and minutes in quotes", near and f'"{near}"'
    )
    return _BAD


def read_time(text: str) -> time | None:
    """A time of day as the file writes it, or None."""
    match = re.fullmatch(r"(\d?\d):(\d\d)", text)
    return (
        time(int(match[1]), int(match[2]))
        if match and int(match[1]) < 24 and int(match[2]) < 60
        else None
    )


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


@lru_cache(maxsize=1024)
def is_zone(text: str) -> bool:
    """Whether this is the name of a time zone, as written."""
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        return False
    return True


def nearest_zone(text: str) -> str:
    """The zone that was probably meant: by its city alone, or by a slip; or nothing."""
    zones = sorted(available_timezones())
    wanted = re.sub(r"\s+", "_", text.strip()).casefold()
    by_city = [zone for zone in zones if zone.rpartition("/")[2].casefold() == wanted]
    return by_city[0] if by_city else nearest(wanted, zones)


def _timezone(report: Report, node: Node) -> Any:
    text = report.text(node, "timezone")
    if text is None:
        return _BAD
    if is_zone(text):
        return text
    near = nearest_zone(text)
    report.add(
        node, f"{text!r} is no time zone{'' if near else ': write one such as Europe/Berlin'}", near
    )
    return _BAD


def _revisions(report: Report, node: Node) -> Any:
    text = _raw(report, node, "revisions")
    if (
        text in list(Revisions)
        and isinstance(node, Scalar)
        and (node.plain or text == Revisions.PUBLISHED)
    ):
        return Revisions(text)
    if text is not None:
        known = {
            "yes": "true",
            "on": "true",
            "true": "true",
            "no": "false",
            "off": "false",
            "false": "false",
        }
        guess = known.get(text.lower()) or nearest(text, list(Revisions))
        report.add(node, "revisions is true, false or published, without quotes", guess)
    return _BAD


def _max_papers(report: Report, node: Node) -> Any:
    text = _raw(report, node, "max_papers")
    if text is None:
        return _BAD
    if (
        re.fullmatch(r"[0-9]{1,4}", text)
        and 1 <= int(text) <= MAX_PAPERS
        and isinstance(node, Scalar)
        and node.plain
    ):
        return int(text)
    digits = text.strip().lstrip("-+")
    suggestion = (
        str(int(digits))
        if re.fullmatch(r"[0-9]{1,4}", digits) and 1 <= int(digits) <= MAX_PAPERS
        else ""
    )
    report.add(node, f"max_papers is a whole number from 1 to {MAX_PAPERS}", suggestion)
    return _BAD


def _choice(field: str, choices: dict[str, Any]) -> Callable[[Report, Node], Any]:
    def read(report: Report, node: Node) -> Any:
        text = _raw(report, node, field)
        if text is None:
            return _BAD
        if text not in choices:
            by_truth = {str(value).lower(): name for name, value in choices.items()}
            suggestion = by_truth.get(text.lower()) or nearest(text, choices)
            report.add(node, f"{field} is {' or '.join(choices)}, and not {text!r}", suggestion)
            return _BAD
        return choices[text]

    return read


def _paused_until(report: Report, node: Node) -> Any:
    text = _raw(report, node, "paused_until")
    if text is None or _is_nothing(node):
        return None if text is not None else _BAD
    if day := read_date(text):
        return day
    report.add(node, f"{text!r} is no date: write year-month-day", guess_date(text))
    return _BAD


def read_date(text: str) -> date | None:
    """A day as the file writes it, or None."""
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        return None


def guess_date(text: str) -> str:
    """`2026-12-1`, `2026/12/01`, `1.12.2026`; a time of day behind it is left out."""
    parts = [int(part) for part in re.findall(r"\d+", text)[:3]]
    if len(parts) == 3:
        year, month, day = parts if parts[0] > 31 else reversed(parts)
        try:
            return date(year, month, day).isoformat()
        except ValueError:
            return ""
    return ""


def _raw(report: Report, node: Node, what: str) -> str | None:
    """The characters of a single value, whatever YAML takes them for."""
    if isinstance(node, Scalar):
        return node.value
    report.text(node, what)
    return None


def _is_nothing(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain and yaml_type(node.value) == "nothing"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _by_value(kind: type[StrEnum]) -> dict[str, Any]:
    return {member.value: member for member in kind}


_READERS: dict[str, Callable[[Report, Node], Any]] = {
    "name": _name,
    "schedule": _schedule,
    "at": _at,
    "timezone": _timezone,
    "revisions": _revisions,
    "max_papers": _max_papers,
    "quiet_days": _choice("quiet_days", QUIET_DAYS),
    "order": _choice("order", _by_value(Order)),
    "paused_until": _paused_until,
    "abstracts": _choice("abstracts", _by_value(Abstracts)),
    "format": _choice("format", {form.value: form for form in (Format.HTML, Format.TEXT)}),
    "authors": _authors,
    "categories": _categories,
    "subject_prefix": _subject_prefix,
}
ADDRESSES = ("email", "github")
"""Of these fields a subscriber has one."""
FIELDS = (*ADDRESSES, "keywords", "exclude", *_READERS)
"""All fields of a subscriber."""


def read_options(report: Report, fields: dict[str, Node]) -> dict[str, Any]:
    """Read every field but address, keywords and excluded queries, under the names of
    model.Subscriber.
    """
    values = {}
    for name, read in _READERS.items():
        if name in fields and (value := read(report, fields[name])) is not _BAD:
            values["days" if name == "schedule" else name] = value
    return values
