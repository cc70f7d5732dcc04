"""What a reader wants, between the forms of the web and an entry as the subscribers file has it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from zoneinfo import available_timezones

from markupsafe import Markup, escape

from digest.errors import QueryError, UsageError
from digest.keywords.grammar import make_keyword
from digest.model import Abstracts, Order, Revisions, Subscriber, Weekly
from digest.subscribers.book import Book, listed_in
from digest.subscribers.check import fold
from digest.subscribers.fields import FIELDS, Value
from digest.subscribers.problems import excerpt
from digest.subscribers.values import WrongValueError

KEYWORDS = 20
"""Keywords that somebody who signed up may have: arXiv is asked for each of them."""
DAYS = {
    Weekly.MON: "Monday",
    Weekly.TUE: "Tuesday",
    Weekly.WED: "Wednesday",
    Weekly.THU: "Thursday",
    Weekly.FRI: "Friday",
    Weekly.SAT: "Saturday",
    Weekly.SUN: "Sunday",
}
PICKED = "pick:"
"""Begins the name of the field by which a keyword is picked that the operator offers."""
ORDERS = {Order.LIKELIEST: "the likeliest first", Order.NEWEST: "the newest first"}
ABSTRACTS = {
    Abstracts.FULL: "whole",
    Abstracts.SHORT: "their first sentences",
    Abstracts.NONE: "none",
}
REVISIONS = {
    Revisions.NONE: "none",
    Revisions.PUBLISHED: "those that tell of publication",
    Revisions.ALL: "all",
}
FEEDBACK = {"false": "no", "true": "yes"}
ZONES = ("UTC", *sorted(z for z in available_timezones() if "/" in z and z[:4] != "Etc/"))
_ZONE_OPTIONS = "".join(f"<option>{zone}</option>" for zone in ZONES)
SINGLE = ("at", "timezone", "order", "abstracts", "revisions", "feedback", "paused_until")
"""The fields of which a form has one text each."""
_SAID: dict[str, Callable[[Any], str]] = {
    "schedule": lambda days: (
        ", ".join(DAYS[Weekly(day)] for day in days) if isinstance(days, list) else str(days)
    ),
    "at": lambda at: str(at or "as soon as the papers are in"),
    "paused_until": lambda day: str(day or "no day"),
    "order": lambda order: ORDERS[Order(order)],
    "abstracts": lambda some: ABSTRACTS[Abstracts(some)],
    "revisions": lambda some: REVISIONS[Revisions(str(some).lower())],
    "feedback": lambda asked: FEEDBACK[str(asked).lower()],
}
_CALLED = {
    "schedule": "days",
    "at": "time of day",
    "timezone": "time zone",
    "paused_until": "paused until",
    "revisions": "new versions",
    "feedback": "more like this beside each paper",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A mistake in a form: the line with a caret under the character at fault where it is known,
    what is wrong, and what to do.
    """

    words: str
    source: str = ""
    caret: str = ""


def fault_of(error: UsageError | WrongValueError) -> Fault:
    """A mistake for the page."""
    if isinstance(error, QueryError) and error.text.strip():
        source, column = excerpt(error.text, error.position)
        return Fault(str(error), source, f"{' ' * column}^")
    return Fault(str(error))


def zone_options(chosen: str) -> Markup:
    """The options of all time zones. A template would take longer for these hundreds than for all
    else on its page.
    """
    option = f"<option>{escape(chosen)}<"
    # A zone that is not offered, but was chosen in the file, stays so.
    more = "" if not chosen or option in _ZONE_OPTIONS else f"{option}/option>"
    options = more + _ZONE_OPTIONS
    # What is chosen is escaped, and all others are names of zones.
    return Markup(options.replace(option, option.replace(">", " selected>", 1)))  # noqa: S704


def posted(
    form: Mapping[str, str],
    before: Mapping[str, Value],
    was_shown: Mapping[str, Any] | None = None,
) -> dict[str, Value]:
    """The entry that a form asks for, in place of one `before`; what the form does not show stays,
    and so does what `was_shown` in it and that entry leaves to the defaults. Raises UsageError with
    the first mistake that is not a keyword's.
    """
    was_shown = was_shown or {}
    keywords = texts_of(form)
    if not keywords:
        raise UsageError("there is no keyword", remedy="write one on a line")
    if len(keywords) > KEYWORDS:
        raise UsageError(f"these are {len(keywords)} keywords, and {KEYWORDS} are the most")
    fields = dict(before) | {"keywords": keywords}
    days = [day.value for day in Weekly if f"day_{day}" in form]
    if "schedule" in before or set(days) != was_shown.get("days"):
        fields["schedule"] = "daily" if len(days) in (0, len(Weekly)) else list(days)
    for name in SINGLE:
        text = form.get(name, "").strip()
        if name not in form or (name not in before and text == was_shown.get(name)):
            continue
        if not text:
            # What the file's defaults say of it is not meant either.
            _clear(fields, name)
            continue
        try:
            FIELDS[name].read(text)
        except WrongValueError as error:
            raise UsageError(str(error)) from error
        fields[name] = {"true": True, "false": False}.get(text, text)
    return fields


def is_offered(book: Book, text: str, names: Collection[str] = ()) -> bool:
    """Whether somebody on the web may write a keyword and mean by it what the subscribers file
    means: where it is no name there, is public, was theirs before (`names`), or says no more than
    its words. All else is the operator's and the other readers'.
    """
    if text in names:
        return True
    if text.startswith("+"):
        group = book.checked.groups.get(fold(text[1:]), ())
        return bool(group) and _public(book).issuperset(keyword.query for keyword in group)
    named = book.checked.names.get(fold(text))
    if named is None or named.query in _public(book):
        return True
    with suppress(QueryError):
        return make_keyword(text).query == named.query
    return False


def _public(book: Book) -> set[str]:
    return {keyword.query for keyword in book.roster.public}


def not_offered(text: str) -> str:
    """What is said of a name that is not offered; of a group the same as where there is none."""
    if text.startswith("+"):
        return f"there is no group {text[1:].strip()!r} here"
    return f"{text!r} has a meaning of its own here that is not public"


def require_offered(book: Book, texts: Iterable[str], names: Collection[str] = ()) -> None:
    """Raises UsageError for the first keyword that is not offered."""
    for text in texts:
        if not is_offered(book, text, names):
            raise UsageError(not_offered(text), remedy="write a query, such as all:reasoning")


def texts_of(form: Mapping[str, str]) -> list[str]:
    """The keywords of a form, those that were picked before those that were written."""
    picked = [name.removeprefix(PICKED) for name in form if name.startswith(PICKED)]
    written = [" ".join(line.split()) for line in form.get("keywords", "").splitlines()]
    return list(dict.fromkeys(text for text in [*picked, *written] if text))


def _clear(fields: dict[str, Value], name: str) -> None:
    if FIELDS[name].optional:
        fields[name] = None
    else:
        fields.pop(name, None)


def shown(reader: Subscriber | None, fields: Mapping[str, Value]) -> dict[str, Any]:
    """What a form begins with: as it comes to a reader, with the keywords as they were written."""
    base = reader or Subscriber("", ())
    return {
        "keywords": "\n".join(listed_in(fields)),
        "days": {str(day) for day in base.days},
        "at": f"{base.at:%H:%M}" if base.at else "",
        "timezone": base.timezone,
        "order": base.order,
        "abstracts": base.abstracts,
        "revisions": base.revisions,
        "feedback": str(base.feedback).lower(),
        "paused_until": base.paused_until.isoformat() if base.paused_until else "",
    }


def as_posted(form: Mapping[str, str]) -> dict[str, Any]:
    """A form as it was filled, to be shown with its mistakes."""
    return {name: form.get(name, "") for name in ("keywords", *SINGLE)} | {
        "days": {str(day) for day in Weekly if f"day_{day}" in form}
    }


def changes(before: Mapping[str, Value], after: Mapping[str, Value]) -> str:
    """What another entry changes, in a line; "" where it changes nothing."""
    return "; ".join(_changes(before, after))


def _changes(before: Mapping[str, Value], after: Mapping[str, Value]) -> Iterator[str]:
    had, has = listed_in(before), listed_in(after)
    if new := [text for text in has if text not in had]:
        yield f"keywords added: {', '.join(new)}"
    if gone := [text for text in had if text not in has]:
        yield f"keywords left: {', '.join(gone)}"
    for name in dict.fromkeys([*before, *after]):
        if name == "keywords" or before.get(name) == after.get(name):
            continue
        said = _SAID.get(name, str)(after[name]) if name in after else "as the service has it"
        yield f"{_CALLED.get(name, name)}: {said}"
