"""When digests are due: the slots of a reader's schedule in their own time zone, as moments in
UTC.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum, auto
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from digest.errors import ConfigError
from digest.model import Subscriber, Weekly
from digest.rules import calendar

SLOT_STAYS_OPEN = timedelta(hours=24)
"""How long a slot without a digest stays open: since a cycle first found it empty (`current_slot`),
or, in a forecast, since it began (`scheduled_slot`)."""

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_MIDNIGHT = time()
_NEVER = datetime.min.replace(tzinfo=UTC)
_WEEKDAY = {day: number for number, day in enumerate(Weekly)}
_FARTHEST = 22
"""Days to search for a scheduled day: a weekly one, also where the calendar of a zone left one
out."""
_REHEARSAL = timedelta(days=15)
"""How far back `next_digest` plays out a schedule: two weekly slots and two weekends."""
FOR_EVER = date.max
"""A pause until this day has no end of its own."""
_LAST_RESUME = date(9999, 12, 1)
"""A pause "for ever" (9999-12-31) still needs a next day in Python's calendar."""


@lru_cache(maxsize=1024)
def parse_zone(name: str) -> ZoneInfo:
    """The time zone of this IANA name; raises ConfigError, with the nearest name there is."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(f"{name!r} is no time zone", remedy=_guess_zone(name)) from error


def local_date(moment: datetime, zone: str | ZoneInfo) -> date:
    """The date on the calendar of a zone at this moment."""
    return moment.astimezone(parse_zone(zone) if isinstance(zone, str) else zone).date()


def latest_slot(subscriber: Subscriber, now: datetime) -> datetime:
    """The latest scheduled local time that is not after `now`, as a moment in UTC."""
    # Where the clock goes back over midnight, tomorrow's slot may have come before the hour is
    # repeated.
    newest = local_date(now, subscriber.timezone) + _DAY
    days = (newest - back * _DAY for back in range(_FARTHEST))
    return _first_slot(subscriber, days, lambda slot: slot <= now)


def next_slot(subscriber: Subscriber, after: datetime) -> datetime:
    """The first scheduled local time later than `after`, as a moment in UTC."""
    first = local_date(after, subscriber.timezone)
    days = (first + ahead * _DAY for ahead in range(_FARTHEST))
    return _first_slot(subscriber, days, lambda slot: slot > after)


def _first_slot(
    subscriber: Subscriber, days: Iterable[date], fits: Callable[[datetime], bool]
) -> datetime:
    zone, at = parse_zone(subscriber.timezone), subscriber.at or _MIDNIGHT
    weekdays = _weekdays(subscriber.days)
    for day in days:
        slot = _slot_of(day, at, zone) if day.weekday() in weekdays else None
        if slot is not None and fits(slot):
            return slot
    raise ConfigError(f"{subscriber.email} has no day on which a digest may come")


def gives_way(subscriber: Subscriber, slot: datetime, now: datetime) -> bool:
    """Whether an earlier slot, still empty, leaves what is due at `now` to the slot that comes
    later today.

    Without this rule Sunday's empty slot would let Monday's papers out before Monday's `at`, and so
    on every day after.
    """
    zone = parse_zone(subscriber.timezone)
    return (
        local_date(now, zone)
        == local_date(next_slot(subscriber, now), zone)
        != local_date(slot, zone)
    )


class SlotState(Enum):
    """The states of the slot that a reader's clock has reached.

    `USED`: a digest went in it; `DEFERRED`: it leaves what is due to a later slot of today's;
    `EXPIRED`: it stayed empty for SLOT_STAYS_OPEN; `OPEN`: a digest may go now.
    """

    USED = auto()
    DEFERRED = auto()
    EXPIRED = auto()
    OPEN = auto()


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot of one reader's: its moment in UTC, its state, and whether it was found empty."""

    at: datetime
    state: SlotState
    found_empty: bool


def current_slot(
    subscriber: Subscriber, now: datetime, *, used: datetime | None, found_empty_at: datetime | None
) -> Slot:
    """The slot that a reader's clock has reached, and whether a digest may go in it.

    `used` is the slot of the reader's last digest, None before the first one;
    `found_empty_at`: when a slot was last found empty, from when on it stays open for 24 hours.
    """
    at = latest_slot(subscriber, now)
    found_empty = found_empty_at if found_empty_at is not None and found_empty_at >= at else None
    if used is not None and at <= used:
        state = SlotState.USED
    # docs/decisions.md, “An empty slot ends when the reader's next scheduled day begins”.
    elif gives_way(subscriber, at, now):
        state = SlotState.DEFERRED
    # The slot of a reader who never had a digest stays open until the first one goes, which always
    # does.
    elif found_empty is not None and used is not None and now - found_empty >= SLOT_STAYS_OPEN:
        state = SlotState.EXPIRED
    else:
        state = SlotState.OPEN
    return Slot(at, state, found_empty=found_empty is not None)


def scheduled_slot(subscriber: Subscriber, now: datetime) -> datetime | None:
    """The slot in which a digest may go at `now` by the schedule alone, unless one went in it
    already; None: the next one is waited for.

    A slot stays open for 24 hours, so that what is late still comes, but not into the next
    scheduled day. The hours count from the slot itself: a forecast knows of no cycle that found it
    empty, as `current_slot` does.
    """
    slot = latest_slot(subscriber, now)
    is_over = now - slot >= SLOT_STAYS_OPEN or gives_way(subscriber, slot, now)
    return None if is_over else slot


def is_paused(subscriber: Subscriber, now: datetime) -> bool:
    """Whether the reader's pause lasts at `now`: it ends as `paused_until` begins in their zone."""
    return subscriber.paused_until is not None and now < resumes_at(
        subscriber.paused_until, subscriber.timezone
    )


def pause_in_words(day: date) -> str:
    """A pause until this local day, for people; the last day of the calendar stands for no day at
    all.
    """
    return "paused" if day == FOR_EVER else f"paused until {day}"


def resumes_at(day: date, zone: str) -> datetime:
    """The moment, in UTC, at which a pause until this local day ends."""
    return _first_moment(min(day, _LAST_RESUME), _MIDNIGHT, parse_zone(zone))


def next_digest(
    subscriber: Subscriber,
    now: datetime,
    *,
    taken: datetime | None = None,
    awaited: datetime | None = None,
    found_empty_at: datetime | None = None,
) -> tuple[datetime, date]:
    """When the reader's next digest can come (UTC, later than `now`), and the evening of the last
    announcement in it.

    `taken` is the slot in which the reader's last digest went; no second one goes in it. `awaited`:
    when something may be due beyond what is taken for granted, as arXiv is asked again for what it
    has not answered; `now` where it is due already, or the next run asks. `found_empty_at`: when a
    slot was last found empty, which counts for that.

    Taken for granted: each announcement has papers for them, and what was served by `now` went out
    when it could. The last two weeks are played out to tell which slots are used up; this takes
    half a millisecond, so ask once for all readers with one schedule.
    """
    if awaited is not None:
        # No slot up to the last one that was used is open, however far ahead that lies.
        moment = max(awaited, _end_of_pause(subscriber, now), taken or _NEVER)
        return _first_open(subscriber, moment, taken, found_empty_at)
    return _first_rehearsed(subscriber, now, taken or _NEVER)


def _first_rehearsed(
    subscriber: Subscriber, now: datetime, taken: datetime
) -> tuple[datetime, date]:
    """The first moment after `now` at which an announcement finds a slot that is not used up, where
    each brought papers and they went at once; and its evening.
    """
    moment = max(_end_of_pause(subscriber, now), taken) - _REHEARSAL
    used, waiting = _NEVER, False
    while True:
        served = calendar.next_served(moment)
        moment = min(served.served_at, next_slot(subscriber, moment))
        waiting = waiting or moment == served.served_at
        slot = scheduled_slot(subscriber, moment)
        if not waiting or slot is None or slot <= used or is_paused(subscriber, moment):
            continue
        if moment <= now:
            used, waiting = slot, False
        elif slot > taken:
            return moment, calendar.last_served(moment).evening


def _first_open(
    subscriber: Subscriber,
    moment: datetime,
    taken: datetime | None,
    found_empty_at: datetime | None,
) -> tuple[datetime, date]:
    """The first moment from this one on at which a slot is open, and the evening of the
    announcement before it.
    """
    while True:
        slot = current_slot(subscriber, moment, used=taken, found_empty_at=found_empty_at)
        if slot.state is SlotState.OPEN:
            return moment, calendar.last_served(moment).evening
        moment = next_slot(subscriber, moment)


def _end_of_pause(subscriber: Subscriber, now: datetime) -> datetime:
    """The moment from which the reader gets mail again: now, where no pause lasts."""
    if subscriber.paused_until is None:
        return now
    return max(now, resumes_at(subscriber.paused_until, subscriber.timezone))


@lru_cache(maxsize=256)
def _weekdays(days: tuple[Weekly, ...]) -> frozenset[int]:
    return frozenset(_WEEKDAY[day] for day in days)


def _slot_of(day: date, at: time, zone: ZoneInfo) -> datetime | None:
    """The slot of a local day; None where the zone left out the whole day (Pacific/Apia,
    2011-12-30).
    """
    moment = _first_moment(day, at, zone)
    if moment.astimezone(zone).date() == day or (moment - _SECOND).astimezone(zone).date() == day:
        return moment
    return None


def _first_moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The first moment at which a clock in the zone shows this local time or a later one.

    An hour that comes twice counts when it comes first; in place of one that is left out stands the
    moment at which the clock goes forward (the two readings of a local time are PEP 495's).
    """
    first = datetime.combine(day, at, zone).astimezone(UTC)
    second = datetime.combine(day, at.replace(fold=1), zone).astimezone(UTC)
    if second >= first:
        return first
    # Left out: read with the offset after the change it lies before the change, and the other way
    # round.
    low, high = second, first
    before = low.astimezone(zone).utcoffset()
    while high - low > _SECOND:
        middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def _guess_zone(name: str) -> str:
    """The zone that a person may have meant: the same letters, the city alone, or the most similar
    name.
    """
    known = {zone.casefold(): zone for zone in sorted(available_timezones())}
    wanted = name.strip().replace(" ", "_").casefold()
    cities = [zone for folded, zone in known.items() if folded.rpartition("/")[2] == wanted]
    near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.75)
    found = known.get(wanted) or next(iter(cities), None) or (known[near[0]] if near else None)
    return f"did you mean {found}?" if found else "write an IANA name such as Europe/Berlin"
