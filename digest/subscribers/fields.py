"""The fields of a subscriber as one table: what each may hold in the file and as a flag, what it
means in the model, and the words for what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo

from digest.errors import QueryError, UsageError
from digest.model import Abstracts, Attach, Format, Layout, Order, Revisions, Summary, Weekly
from digest.subscribers.addresses import (
    read_apprise,
    read_email,
    read_repository,
    read_secret,
    read_webhook,
)
from digest.subscribers.authors import read_author, read_category
from digest.subscribers.guesses import guess_date, guess_time, nearest, nearest_day, nearest_zone
from digest.subscribers.languages import meant_language, read_language
from digest.subscribers.quoting import quote
from digest.subscribers.values import WrongValueError, fits, split

# The most abstracts a digest may be asked to have: the most papers arXiv gives in one answer.
MAX_PAPERS = 2000
MAX_NAME = 200
# Characters that may stand before each subject, which has 78 in all.
MAX_PREFIX = 30
MAX_LIBRARY_ITEM = 500
SCHEDULES = {
    "daily": tuple(Weekly),
    "weekdays": (Weekly.MON, Weekly.TUE, Weekly.WED, Weekly.THU, Weekly.FRI),
    "weekly": (Weekly.MON,),
}
WEEKENDS = ("weekend", "weekends")
QUIET_DAYS = {"tell": True, "silent": False}
# The formats of a mailed digest; a repository gets an issue.
MAIL_FORMATS = (Format.HTML, Format.TEXT)
# The words for yes and no in a flag.
TRUTH = dict.fromkeys("true yes on 1".split(), True) | dict.fromkeys(
    "false no off 0".split(), False
)

# A field's value as the file shows it; None takes the field out.
Value = str | bool | int | list[str] | None

# How `parse` and `from_flag` of a field refuse a text: a zone that is a folder is an OSError.
WRONG = (ValueError, KeyError, OSError, QueryError)


def _nothing(_text: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a subscriber, and what it may hold.

    `parse` makes the model's value of a text, and raises one of WRONG where it is none, which
    `mistake` says then, and `hint` where nothing is suggested. `meant` is what a flag suggests in
    place of a wrong text, `suggest` what the file does, as YAML (None: the same).

    `one` is what an item is called where the field is a list; it is the item that is read then.
    `cleared`: what the file says of a reader who is to have none where the defaults would give one;
    nothing where there is no none (a schedule), so that the default counts again. `settable`: it
    can be given as a flag, or in a cell of a table.
    `typed`: YAML may take the text for something else (a number, a date). `unquoted`: quotes would
    make it wrong. `optional`: `null` stands for none.

    A flag that is wrong is not `kind`, and `remedy` says what can be written; without a kind it is
    only checked in the file. `from_flag` makes what the file shows of a flag's text, and raises as
    `parse` does.
    """

    parse: Callable[[str], Any] = str
    one: str = ""
    mistake: str = ""
    hint: str = ""
    meant: Callable[[str], str] = _nothing
    suggest: Callable[[str], str] | None = None
    typed: bool = False
    unquoted: bool = False
    optional: bool = False
    cleared: str = ""
    settable: bool = True
    kind: str = ""
    remedy: str = ""
    from_flag: Callable[[str], Value] | None = None

    def read(self, text: str) -> Any:
        """The model's value; raises WrongValueError."""
        try:
            return self.parse(text)
        except WRONG:
            meant = (self.suggest or self.meant)(text)
            message = self.mistake.format(text) + ("" if meant else self.hint)
            raise WrongValueError(message, meant) from None

    def flag(self, text: str) -> Value:
        """What the file shows of a flag's text. Raises one of WRONG."""
        if self.from_flag:
            return self.from_flag(text)
        if self.kind:
            self.parse(text)
        return text


def _matching(pattern: str, text: str) -> re.Match[str]:
    """The text as a match of a whole pattern; raises ValueError."""
    match = re.fullmatch(pattern, text)
    if match is None:
        raise ValueError(text)
    return match


def _printable(longest: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        stripped = text.strip()
        if not stripped.isprintable() or len(stripped) > longest:
            raise ValueError(text)
        return stripped

    return read


def _time(text: str) -> time:
    match = _matching(r"(\d?\d):(\d\d)", text)
    return time(int(match[1]), int(match[2]))


def _date(text: str) -> date:
    return date.fromisoformat(_matching(r"\d{4}-\d\d-\d\d", text)[0])


def _zone(text: str) -> str:
    return ZoneInfo(text).key


def _number(text: str) -> int:
    number = int(_matching(r"[0-9]{1,4}", text)[0])
    if not 1 <= number <= MAX_PAPERS:
        raise ValueError(text)
    return number


def _digits(text: str) -> str:
    digits = text.strip("\"' -+")
    return str(int(digits)) if fits(_number, digits) else ""


def _papers(name: str, **options: Any) -> Field:
    """A field that holds a number of papers."""
    return Field(
        _number,
        mistake=f"{name} is a whole number from 1 to {MAX_PAPERS}",
        suggest=_digits,
        typed=True,
        unquoted=True,
        kind="a number of papers",
        remedy=f"write a whole number from 1 to {MAX_PAPERS}",
        from_flag=_number,
        **options,
    )


def _days(text: str) -> list[str]:
    return [day.strip().lower() for day in re.split("[,;]", text) if day.strip()]


def _meant_schedule(text: str) -> str:
    meant = [day if day in list(Weekly) else nearest_day(day) for day in _days(text)]
    if text.lower() in WEEKENDS:
        return "sat,sun"
    return nearest(text, SCHEDULES) or (",".join(meant) if all(meant) else "")


def _suggested_schedule(text: str) -> str:
    meant = _meant_schedule(text)
    return f"[{meant}]" if meant and meant not in SCHEDULES else meant


def _schedule_flag(text: str) -> Value:
    return text if text in SCHEDULES else [Weekly(day).value for day in _days(text) or [""]]


def _categories(name: str) -> Field:
    """A field that lists categories."""
    return Field(
        read_category,
        one=f"one of {name}",
        cleared="[]",
        mistake="{!r} is no category: write one such as cs.LG, or cs.* for all of cs",
        from_flag=split,
    )


def _choice(name: str, kind: str, choices: Mapping[str, Any], *, cleared: str = "") -> Field:
    """A field that holds one of a few words, or what the model makes of one, such as `true`."""
    by_value = {str(value).lower(): word for word, value in choices.items()}

    same = {word: word for word in choices}
    words = " or ".join(choices)
    return Field(
        choices.__getitem__,
        mistake=f"{name} is {words}, and not {{!r}}",
        meant=lambda text: by_value.get(text.lower(), "") or nearest(text, choices),
        typed=True,
        cleared=cleared,
        kind=kind,
        remedy=f"write {words}",
        from_flag=lambda text: same[text.lower()],
    )


_REVISIONS = {revisions.value: revisions for revisions in Revisions}


def _revisions_flag(text: str) -> Value:
    return TRUTH[text.lower()] if text.lower() in TRUTH else _REVISIONS[text.lower()].value


def _meant_revisions(text: str) -> str:
    return _meant_truth(text) or nearest(text, _REVISIONS)


_TRUE_OR_FALSE = {"true": True, "false": False}


def _meant_truth(text: str) -> str:
    truth = TRUTH.get(text.strip("\"'").lower())
    return "" if truth is None else str(truth).lower()


# All fields of a subscriber, in the order in which a new entry shows them. What keywords and
# excluded queries mean depends on the rest of the file: `check` reads those.
FIELDS = {
    "email": Field(read_email, settable=False),
    "github": Field(read_repository, settable=False),
    "webhook": Field(read_webhook, settable=False),
    "apprise": Field(read_apprise, settable=False),
    "keywords": Field(one="a keyword", settable=False),
    "exclude": Field(one="a query", cleared="[]", from_flag=split),
    "within": _categories("within"),
    "name": Field(
        _printable(MAX_NAME),
        mistake=f"a name is one line of at most {MAX_NAME} printable characters",
        cleared='""',
        kind="a name",
        remedy=f"it is one line of at most {MAX_NAME} printable characters",
    ),
    "schedule": Field(
        SCHEDULES.__getitem__,
        mistake="{!r} is no schedule: daily, weekdays, weekly, or a list of days",
        meant=_meant_schedule,
        suggest=_suggested_schedule,
        kind="a schedule",
        remedy="write daily, weekdays, weekly, or days such as mon,thu",
        from_flag=_schedule_flag,
    ),
    "at": Field(
        _time,
        mistake="{!r} is no time of day: write hours and minutes in quotes",
        meant=guess_time,
        suggest=lambda text: quote(meant) if (meant := guess_time(text)) else "",
        typed=True,
        optional=True,
        cleared="null",
        kind="a time of day",
        remedy="write hours and minutes, such as 07:00",
    ),
    "timezone": Field(
        _zone,
        mistake="{!r} is no time zone",
        hint=": write one such as Europe/Berlin",
        meant=nearest_zone,
        kind="a time zone",
        remedy="write one such as Europe/Berlin",
    ),
    "revisions": Field(
        {**_REVISIONS, quote(Revisions.PUBLISHED): Revisions.PUBLISHED}.__getitem__,
        mistake="revisions is true, false or published, without quotes",
        meant=_meant_revisions,
        typed=True,
        unquoted=True,
        kind="an answer",
        remedy="write true, false, or published for the published ones alone",
        from_flag=_revisions_flag,
    ),
    "max_papers": _papers("max_papers"),
    "quiet_days": _choice("quiet_days", "an answer", QUIET_DAYS),
    "order": _choice("order", "an order", {order.value: order for order in Order}),
    "paused_until": Field(
        _date,
        mistake="{!r} is no date: write year-month-day",
        meant=guess_date,
        typed=True,
        optional=True,
        cleared="null",
        kind="a date",
        remedy="write year-month-day, such as 2026-12-01",
    ),
    "abstracts": _choice("abstracts", "an amount", {length.value: length for length in Abstracts}),
    "layout": _choice("layout", "a layout", {layout.value: layout for layout in Layout}),
    "top": _papers("top", optional=True, cleared="null"),
    "format": _choice("format", "a format", {form.value: form for form in MAIL_FORMATS}),
    "authors": Field(
        read_author,
        one="one of authors",
        cleared="[]",
        mistake="{!r} is no author's name: write one as arXiv does, such as Ada Lovelace",
        from_flag=split,
    ),
    "categories": _categories("categories"),
    "subject_prefix": Field(
        _printable(MAX_PREFIX),
        mistake=f"a subject_prefix is one line of at most {MAX_PREFIX} printable characters",
        cleared='""',
    ),
    "feedback": Field(
        _TRUE_OR_FALSE.__getitem__,
        mistake="feedback is true or false, without quotes",
        meant=_meant_truth,
        typed=True,
        unquoted=True,
        kind="an answer",
        remedy="write true or false",
        from_flag=lambda text: TRUTH[text.lower()],
    ),
    "attach": _choice(
        "attach", "a kind of file", {kind.value: kind for kind in Attach}, cleared='"none"'
    ),
    "summary": _choice(
        "summary", "a kind of summary", {kind.value: kind for kind in Summary}, cleared='"none"'
    ),
    "language": Field(
        read_language,
        mistake="{!r} is no language: write a tag such as de, pt-BR or zh-Hans",
        meant=meant_language,
        typed=True,
        cleared="en",
        kind="a language",
        remedy="write a tag such as de, pt-BR or zh-Hans",
    ),
    "library": Field(
        _printable(MAX_LIBRARY_ITEM),
        one="one of library",
        mistake="a library is a file, an arXiv id or a Zotero library, of at most"
        f" {MAX_LIBRARY_ITEM} characters",
        cleared="[]",
        settable=False,
    ),
    "secret": Field(read_secret, settable=False),
}
# Of these fields a subscriber has one.
ADDRESSES = ("email", "github", "webhook", "apprise")
# The fields that most people set: messages that list the settable ones begin with these.
_FIRST = ("name", "at", "schedule", "timezone", "revisions", "max_papers", "exclude", "within")
# The fields that can be given as a flag or in a cell of a table.
SETTABLE = tuple(
    dict.fromkeys((*_FIRST, *(name for name, field in FIELDS.items() if field.settable)))
)
# The values of a flag that take its field away again.
NOTHING = ("", "none")


def read_flag(name: str, given: str, called: str = "") -> Value:
    """The value of a field that was given as this text; None: the field is taken away.

    Raises UsageError saying what can be written there; `called` is what the field goes by, else its
    flag.
    """
    text, field = given.strip(), FIELDS[name]
    if text in NOTHING and (name, text) != ("abstracts", "none"):
        return None
    try:
        return field.flag(text)
    except WRONG:
        meant = field.meant(text)
        raise UsageError(
            f"{called or '--' + name.replace('_', '-')} {given!r} is not {field.kind}",
            remedy=f"did you mean {meant}?" if meant else field.remedy,
        ) from None
