"""Readers' hours over two years of days, where clocks go forward and back: slots, and what real
cycles mail in them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from digest.model import Subscriber, Weekly
from digest.rules.calendar import served_between
from digest.rules.schedule import latest_slot, next_slot
from tests.world.worlds import World, eprint, mail, numbers, reader

DAY, MINUTE, QUARTER = timedelta(days=1), timedelta(minutes=1), timedelta(minutes=15)
WEEK = tuple(Weekly)
SCHEDULES = {
    "daily": WEEK,
    "weekdays": WEEK[:5],
    "weekly": WEEK[:1],
    "two": (Weekly.WED, Weekly.SUN),
}
HOURS = (None, time(2, 30), time(7), time(23, 45))
"""As soon as may be; an hour that some zones leave out and have twice; a usual one; one near the
end of the day."""
YEARS = {
    "Europe/Berlin": 2026,
    "America/New_York": 2026,
    "Asia/Kolkata": 2026,
    "Australia/Lord_Howe": 2026,
    "Pacific/Chatham": 2026,
    "Pacific/Apia": 2011,
}
"""The zones, each with the first of its two years; Apia's leave out 30 December 2011."""


@pytest.mark.parametrize("zone", YEARS)
def test_slots_are_where_a_clock_on_the_wall_first_shows_the_hour(zone: str) -> None:
    """The oracle looks at the clock every quarter of an hour for two years and writes down what it
    shows."""
    first, clock = datetime(YEARS[zone], 1, 1, tzinfo=UTC), ZoneInfo(zone)
    shown: dict[date, list[tuple[time, datetime]]] = defaultdict(list)
    for number in range(2 * 366 * 96):
        local = (first + number * QUARTER).astimezone(clock)
        shown[local.date()].append((local.time(), first + number * QUARTER))
    days = sorted(shown)[2:-2]
    after = {day: shown[later][0][1] for day, later in zip(days, sorted(shown)[3:-1], strict=True)}
    for at in HOURS:
        moments = {
            day: next((moment for seen, moment in shown[day] if seen >= (at or time())), after[day])
            for day in days
        }
        for weekdays in SCHEDULES.values():
            subscriber = reader("ada@example.org", timezone=zone, at=at, days=weekdays)
            wanted = [moments[day] for day in days if WEEK[day.weekday()] in weekdays]
            found = [latest_slot(subscriber, wanted[0])]
            while len(found) < len(wanted):
                found.append(next_slot(subscriber, found[-1]))
            assert found == wanted, (zone, at, weekdays)


def test_the_zones_have_hours_that_do_not_exist_and_hours_that_come_twice() -> None:
    """The years above hold what the test is about, with this machine's data of zones."""
    jumps: Counter[str] = Counter()
    for zone, year in YEARS.items():
        clock = ZoneInfo(zone)
        for number in range(2 * 366 * 24):
            moment = datetime(year, 1, 1, tzinfo=UTC) + number * timedelta(hours=1)
            change = (moment + timedelta(hours=1)).astimezone(
                clock
            ).utcoffset() - moment.astimezone(clock).utcoffset()  # type: ignore[operator]
            jumps[
                zone + (" forward" if change > timedelta() else " back" if change else " steady")
            ] += 1
    for zone in set(YEARS) - {"Asia/Kolkata"}:
        assert jumps[f"{zone} forward"] >= 2
        assert jumps[f"{zone} back"] >= 1
    assert jumps["Asia/Kolkata steady"] == 2 * 366 * 24


def readers_of(zones: list[str]) -> list[Subscriber]:
    """A reader for each zone, schedule and hour."""
    return [
        reader(
            f"{name}.{number}.{zone.rpartition('/')[2]}@example.org",
            "Rust",
            timezone=zone,
            at=at,
            days=days,
        )
        for zone in zones
        for name, days in SCHEDULES.items()
        for number, at in enumerate(HOURS)
    ]


def moments_of(readers: list[Subscriber], first: datetime, last: datetime) -> Iterator[datetime]:
    """When cycles are done: right before and at each slot, and twice after each announcement."""
    found = set()
    for subscriber in readers:
        slot = next_slot(subscriber, first)
        while slot < last:
            found |= {slot - MINUTE, slot}
            slot = next_slot(subscriber, slot)
    for announcement in served_between(first, last):
        found |= {announcement.served_at + QUARTER, announcement.served_at + 6 * QUARTER}
    yield from sorted(found)


async def lived(
    world: World, first: datetime, last: datetime
) -> dict[str, list[tuple[datetime, list[int]]]]:
    """Play a time in which each announcement brings a paper; for each reader the mails, with when
    and what."""
    evenings = iter(served_between(first, last + 30 * DAY))
    coming, number = next(evenings), 0
    had, mails = 0, defaultdict(list)
    for moment in moments_of(world.readers, first, last):
        while coming.served_at <= moment:
            number += 1
            world.arxiv.announce("Rust", eprint(number, coming.served_at - DAY))
            coming = next(evenings)
        world.arxiv.papers["all:rust"] = world.arxiv.papers["all:rust"][
            -40:
        ]  # more than any window is deep
        await world.cycle(moment)
        for taken in world.relay.taken[had:]:
            mails[taken.recipient].append((moment, numbers(mail(taken.data))))
        had = len(world.relay.taken)
    return mails


def judge(subscriber: Subscriber, mails: list[tuple[datetime, list[int]]], last: datetime) -> None:
    """At most one digest a slot, never before the hour of a scheduled day, nothing twice, nothing
    left."""
    clock = ZoneInfo(subscriber.timezone)
    papers = Counter(number for _, found in mails for number in found)
    assert set(papers.values()) == {1}
    newest = max(papers)
    assert set(papers) >= set(range(1, newest + 1))
    slots = [latest_slot(subscriber, moment) for moment, _ in mails]
    assert len(set(slots)) == len(slots), subscriber.email
    for (moment, found), slot in list(zip(mails, slots, strict=True))[1:]:
        assert found, (subscriber.email, moment)
        local, begun = moment.astimezone(clock), slot.astimezone(clock)
        assert WEEK[begun.weekday()] in subscriber.days
        assert moment - slot < timedelta(hours=25)
        if local.date() == begun.date() and subscriber.at is not None:
            assert local.time() >= subscriber.at or local.fold or begun.time() > subscriber.at
    if len(subscriber.days) == 1:
        weeks = [moment.astimezone(clock).date().isocalendar()[:2] for moment, _ in mails[1:]]
        assert len(set(weeks)) == len(weeks)
        assert all(len(found) <= 7 for _, found in mails[1:])
    else:
        assert last - mails[-1][0] < timedelta(days=8)


async def play(path: Path, zones: list[str], first: datetime, days: int) -> None:
    world = World(path / "digest.db")
    try:
        world.readers = readers_of(zones)
        last = first + days * DAY
        mails = await lived(world, first, last)
        for subscriber in world.readers:
            judge(subscriber, mails[subscriber.email], last)
    finally:
        world.close()


@pytest.mark.parametrize(
    ("zones", "first", "days"),
    [
        (["Europe/Berlin", "America/New_York"], datetime(2026, 10, 22, tzinfo=UTC), 6),
        pytest.param(
            ["Australia/Lord_Howe", "Asia/Kolkata"],
            datetime(2026, 9, 30, tzinfo=UTC),
            14,
            marks=pytest.mark.heavy,
        ),
    ],
)
async def test_the_days_around_a_change_of_the_clocks(
    tmp_path: Path, zones: list[str], first: datetime, days: int
) -> None:
    await play(tmp_path, zones, first, days)


@pytest.mark.heavy
@pytest.mark.parametrize("zone", [zone for zone, year in YEARS.items() if year == 2026])
async def test_two_years_of_days(tmp_path: Path, zone: str) -> None:
    await play(tmp_path, [zone], datetime(2026, 1, 2, tzinfo=UTC), 730)
