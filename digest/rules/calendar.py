"""arXiv's calendar: which evenings bring an announcement, when it is served, and why a day brings
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

from digest.errors import ConfigError
from digest.keywords.words import counted
from digest.times import MONTHS, WEEKDAYS

NEW_YORK = ZoneInfo("America/New_York")
SERVED = time(1, 15)
"""New York time of the day after the evening at which the API's index has filled; it is half there
before."""

DEADLINE = time(14)
"""New York time up to which a paper is submitted for the evening's announcement; for Sunday's, up
to Friday's."""

LONGEST_NAME = 30
"""Characters of a holiday's name, so that a phrase with it stays within a line."""

_DAY = timedelta(days=1)
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6


@dataclass(frozen=True, slots=True)
class Holidays:
    """The Sunday-to-Thursday evenings without an announcement, with the holiday's name.

    `years` are those whose list is known; the evenings of any other year count as ordinary ones.
    """

    evenings: Mapping[date, str]
    years: frozenset[int]

    def merged(self, other: Holidays) -> Holidays:
        """Both lists together, as when an operator adds a year; the other's names win."""
        return Holidays({**self.evenings, **other.evenings}, self.years | other.years)


@dataclass(frozen=True, slots=True)
class QuietNight:
    """Why an evening brings no announcement: `code` is a stable word (`weekend`, `holiday`),
    `words` are for people.
    """

    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Announcement:
    """One of arXiv's evening batches: the New York date of its evening, and since when (UTC) the
    API serves it.
    """

    evening: date
    served_at: datetime


_WEEKEND = QuietNight("weekend", "weekend")


def load_holidays(text: str) -> Holidays:
    """Read holidays from JSON: `{"years": {"2026": {"2026-11-26": "Thanksgiving", …}}}`, dates as
    arXiv lists them.

    A date names the evening that is skipped. On a Friday nothing is announced anyway; what is not
    prepared on a Friday holiday is Sunday's announcement, so such a date stands for the Sunday
    after it. (arXiv's help page "Availability of submissions"; it lists that Sunday itself in some
    years, and both ways of writing come to the same.) Raises ConfigError naming the place of a
    mistake.
    """
    try:
        years = json.loads(text)["years"]
        entries = [(year, day, name) for year, days in years.items() for day, name in days.items()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            "the list of holidays cannot be read",
            remedy='write JSON such as {"years": {"2026": {"2026-11-26": "Thanksgiving"}}}',
        ) from error
    evenings = dict(_read_holiday(year, day, name) for year, day, name in entries)
    return Holidays(evenings, frozenset(_read_year(year) for year in years))


def _read_year(year: str) -> int:
    if not (year.isascii() and year.isdigit() and len(year) == 4):
        raise ConfigError(f"holidays: {year!r} is no year")
    return int(year)


def _read_holiday(year: str, day: str, name: object) -> tuple[date, str]:
    try:
        listed = date.fromisoformat(day)
    except ValueError as error:
        raise ConfigError(
            f"holidays of {year}: {day!r} is no date", remedy="write it as 2026-11-26"
        ) from error
    if listed.year != _read_year(year):
        raise ConfigError(f"holidays of {year}: {day} is in another year")
    if listed.weekday() == _SATURDAY:
        raise ConfigError(
            f"holidays of {year}: {day} is a Saturday, when arXiv announces nothing anyway"
        )
    if (
        not isinstance(name, str)
        or not name.isprintable()
        or not 0 < len(name.strip()) <= LONGEST_NAME
    ):
        raise ConfigError(
            f"holidays of {year}: {day} has no usable name",
            remedy=f"give it one of at most {LONGEST_NAME} letters",
        )
    return listed + 2 * _DAY if listed.weekday() == _FRIDAY else listed, name.strip()


@cache
def package_holidays() -> Holidays:
    """The list that comes with the program, read at the first use."""
    return load_holidays(
        resources.files("digest.rules").joinpath("holidays.json").read_text(encoding="utf-8")
    )


_own: list[Holidays] = []


def use_holidays(own: Holidays | None) -> None:
    """Let an operator's list count beside the built-in one in this process; None: no longer."""
    _own[:] = [own] if own else []


def known_holidays() -> Holidays:
    """The built-in list with the operator's, whose names win."""
    return package_holidays().merged(_own[0]) if _own else package_holidays()


def is_year_known(year: int) -> bool:
    """Whether the holidays of a year are known; the evenings of any other year count as ordinary
    ones.
    """
    return year in known_holidays().years


def last_served(now: datetime) -> Announcement:
    """The latest announcement that the API serves at `now`."""
    evening = _evening_before(now)
    while _why_silent(evening):
        evening -= _DAY
    return _announcement(evening)


def next_served(now: datetime) -> Announcement:
    """The first announcement that will be served after `now`."""
    return next(_announcements_after(now))


def submitted_by(announcement: Announcement) -> datetime:
    """The deadline (UTC) for the papers of an announcement: 14:00 in New York, on Friday
    for Sunday's.

    arXiv's help, "Submission schedule".
    """
    return _deadline(announcement.evening)


def served_between(after: datetime, until: datetime) -> tuple[Announcement, ...]:
    """The announcements that came to be served later than `after` and not later than `until`,
    oldest first.
    """
    found = []
    for announcement in _announcements_after(after):
        if announcement.served_at > until:
            break
        found.append(announcement)
    return tuple(found)


def announcement_of(submitted: datetime) -> Announcement:
    """The announcement for which a paper comes in time that is submitted at this moment, unless it
    is held.

    (arXiv's help page "Availability of submissions": until 14:00 New York time for the same
    evening, Thursday's from then on and Friday's for Sunday.)
    """
    evening = submitted.astimezone(NEW_YORK).date()
    # A holiday's papers wait for the next evening, as those after the deadline do.
    while _why_silent(evening) or _deadline(evening) <= submitted:
        evening += _DAY
    return _announcement(evening)


def quiet_night(now: datetime) -> QuietNight | None:
    """Why there was no announcement on the evening before `now`; None where there was one.

    The evening before is the last one whose announcement would be served by now: from 01:15 New
    York time on, yesterday's.
    """
    return _why_silent(_evening_before(now))


def why_nothing(
    *,
    now: datetime,
    previous_good: datetime | None,
    fetched: int,
    first_seen: int,
) -> str:
    """Say to people in one short phrase (at most 120 characters, times in UTC) why a good window
    brought nothing new.

    `previous_good` is when the query's window before this one was fetched; `fetched` counts the
    papers in this one, `first_seen` those of them that had not been seen but are too old to be
    mailed.
    """
    if previous_good is not None:
        served = served_between(previous_good, now)
        if not served:
            return _why_no_announcement(now)
        doubt = next(filter(None, (doubt_about(a.evening) for a in reversed(served))), "")
    else:
        doubt = ""
    if fetched == 0:
        return f"no match: no paper in the window{doubt}"
    papers = counted(fetched, "paper")
    seen = f"{'all ' if fetched > 1 else ''}seen before"
    if first_seen:
        seen = f"{first_seen} not seen before but too old"
    return f"no match that is new: {papers} in the window, {seen}{doubt}"


def doubt_about(evening: date) -> str:
    """What is to be added where an evening counts as an ordinary one because its year's holidays
    are not known.
    """
    return "" if is_year_known(evening.year) else f" ({evening.year}'s holidays are not known)"


def _why_no_announcement(now: datetime) -> str:
    night = quiet_night(now)
    reason = night.words if night else "no announcement since the last fetch"
    if night == _WEEKEND:
        reason += ": nothing is announced on Friday and Saturday evenings"
    coming = next_served(now)
    moment = coming.served_at
    # After a long break the weekday alone would be read as that of this week.
    day = f" {moment.day} {MONTHS[moment.month - 1][:3]}" if moment - now > 6 * _DAY else ""
    served = f"served {WEEKDAYS[moment.weekday()]}{day} {moment:%H:%M} UTC"
    return f"{reason}; next {WEEKDAYS[coming.evening.weekday()]} evening, {served}"


def _why_silent(evening: date) -> QuietNight | None:
    """Why there is no announcement on an evening; None where there is one."""
    if evening.weekday() in (_FRIDAY, _SATURDAY):
        return _WEEKEND
    name = known_holidays().evenings.get(evening)
    return QuietNight("holiday", f"holiday: {name}") if name else None


def _served_at(evening: date) -> datetime:
    return datetime.combine(evening + _DAY, SERVED, NEW_YORK).astimezone(UTC)


def _deadline(evening: date) -> datetime:
    return datetime.combine(
        evening - 2 * _DAY if evening.weekday() == _SUNDAY else evening, DEADLINE, NEW_YORK
    ).astimezone(UTC)


def _announcement(evening: date) -> Announcement:
    return Announcement(evening, _served_at(evening))


def _evening_before(now: datetime) -> date:
    """The last evening whose announcement, had there been one, would be served at `now`."""
    evening = now.astimezone(NEW_YORK).date() - _DAY
    return evening if _served_at(evening) <= now else evening - _DAY


def _announcements_after(moment: datetime) -> Iterator[Announcement]:
    evening = _evening_before(moment)
    while True:
        evening += _DAY
        if not _why_silent(evening):
            yield _announcement(evening)
