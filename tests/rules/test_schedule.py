from __future__ import annotations

import time as clock
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import ConfigError
from digest.model import Subscriber, Weekly
from digest.rules.schedule import (
    FOR_EVER,
    Slot,
    SlotState,
    current_slot,
    is_paused,
    latest_slot,
    local_date,
    next_digest,
    next_slot,
    parse_zone,
    pause_in_words,
    scheduled_slot,
)

DAYS = tuple(Weekly)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Beirut",  # changes at midnight
    "Africa/Cairo",  # changes at midnight, on a Friday
    "America/Nuuk",  # leaves out the last hour of a day
    "America/St_Johns",
    "Australia/Lord_Howe",  # changes by half an hour
    "Asia/Kathmandu",
    "Pacific/Apia",
)


def reader(
    zone: str = "UTC", at: time | None = None, days: tuple[Weekly, ...] = DAYS, **more
) -> Subscriber:
    return Subscriber("ada@example.org", (), timezone=zone, at=at, days=days, **more)


def berlin(at: time, days: tuple[Weekly, ...] = DAYS) -> Subscriber:
    return reader("Europe/Berlin", at, days)


WEEKLY_AT_NINE = reader(at=time(9), days=(Weekly.MON,))
PAUSED = reader(at=time(9), paused_until=date(2026, 12, 20))
PAUSED_LONG = reader(paused_until=date(2027, 12, 20))
TOKYO_AT_16 = reader("Asia/Tokyo", time(16))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "at", "now", "latest", "following"),
    [
        ("Europe/Berlin", time(8), "2026-11-23T06:59", "2026-11-22T07:00", "2026-11-23T07:00"),
        ("Europe/Berlin", time(8), "2026-11-23T07:00", "2026-11-23T07:00", "2026-11-24T07:00"),
        ("Europe/Berlin", None, "2026-11-23T06:00", "2026-11-22T23:00", "2026-11-23T23:00"),
        # 02:30 does not exist on 29 March and comes twice on 25 October
        ("Europe/Berlin", time(2, 30), "2026-03-29T12:00", "2026-03-29T01:00", "2026-03-30T00:30"),
        ("Europe/Berlin", time(2, 30), "2026-10-25T00:59", "2026-10-25T00:30", "2026-10-26T01:30"),
        ("Europe/Berlin", time(2, 30), "2026-10-25T01:30", "2026-10-25T00:30", "2026-10-26T01:30"),
        # midnight does not exist
        ("America/Sao_Paulo", None, "2018-11-04T12:00", "2018-11-04T03:00", "2018-11-05T02:00"),
        ("Asia/Beirut", None, "2026-03-29T12:00", "2026-03-28T22:00", "2026-03-29T21:00"),
        ("Africa/Cairo", None, "2026-04-24T12:00", "2026-04-23T22:00", "2026-04-24T21:00"),
        # the hour before midnight comes twice, so does a part of it before a minute past midnight
        (
            "America/Sao_Paulo",
            time(23, 30),
            "2018-02-18T02:40",
            "2018-02-18T01:30",
            "2018-02-19T02:30",
        ),
        ("America/St_Johns", None, "2006-10-29T02:45", "2006-10-29T02:30", "2006-10-30T03:30"),
        # the last hour of Saturday does not exist: its slot is the first moment of Sunday
        ("America/Nuuk", time(23, 30), "2026-03-29T00:59", "2026-03-28T01:30", "2026-03-29T01:00"),
        ("America/Nuuk", time(23, 30), "2026-03-29T01:00", "2026-03-29T01:00", "2026-03-30T00:30"),
        # 30 December 2011 was left out
        ("Pacific/Apia", time(8), "2011-12-30T12:00", "2011-12-29T18:00", "2011-12-30T18:00"),
        ("Pacific/Apia", None, "2011-12-30T12:00", "2011-12-30T10:00", "2011-12-30T10:00:00+01:00"),
    ],
)
def test_slots_follow_the_local_clock(zone, at, now, latest, following):
    subscriber = reader(zone, at)
    assert latest_slot(subscriber, utc(now)) == utc(latest)
    if "+" not in following:
        assert next_slot(subscriber, utc(now)) == utc(following)


def test_a_weekly_slot_on_a_day_that_was_left_out_is_no_slot():
    friday = reader("Pacific/Apia", time(8), (Weekly.FRI,))
    before = next_slot(friday, utc("2011-12-20T00:00"))
    after = next_slot(friday, before)
    assert local_date(before, "Pacific/Apia") == date(2011, 12, 23)
    assert local_date(after, "Pacific/Apia") == date(2012, 1, 6)
    assert latest_slot(friday, after - timedelta(seconds=1)) == before


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.one_of(st.none(), st.times().map(lambda t: t.replace(second=0, microsecond=0, fold=0))),
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.sampled_from([2006, 2010, 2023, 2026]),
)
def test_each_scheduled_local_day_of_two_years_has_one_slot(zone, at, days, year):
    subscriber = reader(zone, at, tuple(sorted(days)))
    first, last = utc(f"{year}-01-01"), utc(f"{year + 2}-01-01")
    slots = [next_slot(subscriber, first)]
    while slots[-1] < last:
        slots.append(next_slot(subscriber, slots[-1]))
    assert all(earlier < later for earlier, later in pairwise(slots))
    info = ZoneInfo(zone)
    found = []
    for slot in slots:
        local, just_before = slot.astimezone(info), (slot - timedelta(seconds=1)).astimezone(info)
        wanted = (at or time()).replace(tzinfo=None)
        if local.time() == wanted:
            assert local.fold == 0
            found.append(local.date())
        else:  # left out: the clock goes forward over the wanted time at this very moment
            day = local.date() if local.time() > wanted else just_before.date()
            missed = datetime.combine(day, wanted)
            assert just_before.replace(tzinfo=None) < missed < local.replace(tzinfo=None)
            found.append(day)
    assert found[0] <= local_date(first, info) + timedelta(days=8)
    skipped = {date(2011, 12, 30)} if zone == "Pacific/Apia" else set()
    span = [found[0] + timedelta(days=n) for n in range((found[-1] - found[0]).days + 1)]
    numbers = {DAYS.index(day) for day in days}
    assert found == [day for day in span if day.weekday() in numbers and day not in skipped]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.one_of(st.none(), st.times().map(lambda t: t.replace(fold=0))),
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.datetimes(datetime(2005, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_now_lies_between_the_latest_slot_and_the_next(zone, at, days, now):
    subscriber = reader(zone, at, tuple(sorted(days)))
    latest, following = latest_slot(subscriber, now), next_slot(subscriber, now)
    assert latest <= now < following
    assert next_slot(subscriber, latest) == following
    assert latest_slot(subscriber, following) == following


def test_a_slot_stays_open_for_a_day_but_not_into_the_next_scheduled_day():
    daily = berlin(time(8))
    monday = utc("2026-11-23T07:00")
    assert scheduled_slot(daily, monday) == monday
    assert scheduled_slot(daily, utc("2026-11-23T22:59")) == monday
    assert scheduled_slot(daily, utc("2026-11-23T23:00")) is None
    assert scheduled_slot(daily, utc("2026-11-24T06:59")) is None
    weekly = berlin(time(8), (Weekly.MON,))
    assert scheduled_slot(weekly, utc("2026-11-24T06:59")) == monday
    assert scheduled_slot(weekly, utc("2026-11-24T07:00")) is None
    whole_day = reader("Europe/Berlin")
    assert scheduled_slot(whole_day, utc("2026-11-23T22:59")) == utc("2026-11-22T23:00")
    assert scheduled_slot(whole_day, utc("2026-11-23T23:00")) == utc("2026-11-23T23:00")


WEEKLY = reader(at=time(8), days=(Weekly.MON,))
SLOT = utc("2026-11-23T08:00")


@pytest.mark.parametrize(
    ("now", "used", "found_empty_at", "state", "found_empty"),
    [
        ("2026-11-23T08:00", None, None, SlotState.OPEN, False),
        ("2026-11-23T08:00", "2026-11-16T08:00", None, SlotState.OPEN, False),
        ("2026-11-23T08:00", "2026-11-23T08:00", None, SlotState.USED, False),
        ("2026-11-23T08:00", "2026-11-23T08:00:01", None, SlotState.USED, False),
        # found empty in this slot, or in one before it
        ("2026-11-23T09:00", "2026-11-16T08:00", "2026-11-23T08:00", SlotState.OPEN, True),
        ("2026-11-23T09:00", "2026-11-16T08:00", "2026-11-23T07:59", SlotState.OPEN, False),
        # a day after it was found empty it is over; the first digest's waits on
        ("2026-11-24T08:14", "2026-11-16T08:00", "2026-11-23T08:15", SlotState.OPEN, True),
        ("2026-11-24T08:15", "2026-11-16T08:00", "2026-11-23T08:15", SlotState.EXPIRED, True),
        ("2026-11-28T08:15", None, "2026-11-23T08:15", SlotState.OPEN, True),
        ("2026-11-28T08:15", "2026-11-16T08:00", None, SlotState.OPEN, False),
        # later today comes another one
        ("2026-11-30T07:59", "2026-11-16T08:00", "2026-11-23T08:15", SlotState.DEFERRED, True),
    ],
)
def test_what_becomes_of_the_slot_that_the_clock_has_reached(
    now: str, used: str | None, found_empty_at: str | None, state: SlotState, found_empty: bool
) -> None:
    slot = current_slot(
        WEEKLY,
        utc(now),
        used=utc(used) if used else None,
        found_empty_at=utc(found_empty_at) if found_empty_at else None,
    )
    assert slot == Slot(SLOT, state, found_empty)


def test_a_pause_ends_as_its_date_begins_in_the_readers_zone():
    away = reader("America/Los_Angeles", paused_until=date(2026, 12, 1))
    assert is_paused(away, utc("2026-12-01T07:59"))
    assert not is_paused(away, utc("2026-12-01T08:00"))
    assert not is_paused(reader(), utc("2026-12-01"))
    assert is_paused(reader(paused_until=date.max), utc("2026-12-01"))


@pytest.mark.parametrize(
    ("subscriber", "now", "at", "evening"),
    [
        # announced on Monday evening, served on Tuesday 06:15 UTC
        (reader(), "2026-11-23T12:00", "2026-11-24T06:15", date(2026, 11, 23)),
        (reader(at=time(2)), "2026-11-23T12:00", "2026-11-24T06:15", date(2026, 11, 23)),
        (reader(at=time(9)), "2026-11-23T12:00", "2026-11-24T09:00", date(2026, 11, 23)),
        (reader(at=time(9)), "2026-11-24T07:00", "2026-11-24T09:00", date(2026, 11, 23)),
        (berlin(time(8)), "2026-11-23T12:00", "2026-11-24T07:00", date(2026, 11, 23)),
        (berlin(time(7)), "2026-11-23T12:00", "2026-11-24T06:15", date(2026, 11, 23)),
        # in Tokyo an announcement is served at 15:15, later than the hour that the reader asked for
        (reader("Asia/Tokyo", time(8)), "2026-11-23T12:00", "2026-11-24T06:15", date(2026, 11, 23)),
        # over Thanksgiving and the weekend
        (berlin(time(8)), "2026-11-26T12:00", "2026-11-30T07:00", date(2026, 11, 29)),
        # a weekly reader gets at Monday's midnight what came from Tuesday to Friday; with an hour
        # also Sunday's
        (reader(days=(Weekly.MON,)), "2026-11-24T12:00", "2026-11-30T00:00", date(2026, 11, 25)),
        (reader(days=(Weekly.MON,)), "2026-11-30T03:00", "2026-12-07T00:00", date(2026, 12, 3)),
        (WEEKLY_AT_NINE, "2026-11-24T12:00", "2026-11-30T09:00", date(2026, 11, 29)),
        # a weekend has nothing but what Friday left
        (reader(at=time(4)), "2026-11-20T12:00", "2026-11-23T06:15", date(2026, 11, 22)),
        (TOKYO_AT_16, "2026-11-20T06:30", "2026-11-20T07:00", date(2026, 11, 19)),
        # after a pause
        (PAUSED, "2026-11-23", "2026-12-20T09:00", date(2026, 12, 17)),
        (PAUSED_LONG, "2026-11-23T12:00", "2027-12-20T00:00", date(2027, 12, 16)),
    ],
)  # fmt: skip
def test_the_next_digest_and_the_announcement_it_covers(subscriber, now, at, evening):
    assert next_digest(subscriber, utc(now)) == (utc(at), evening)


@pytest.mark.parametrize("awaited", [None, utc("2026-11-23T12:00")])
def test_a_slot_used_in_a_far_future_is_not_walked_to_day_by_day(awaited):
    """As a damaged date, or a clock that was ahead, leaves it; day by day this took minutes."""
    taken = utc("6026-11-23T09:00")
    ada = reader(at=time(9))
    moment, _ = next_digest(ada, utc("2026-11-23T12:00"), taken=taken, awaited=awaited)
    assert taken < moment < taken + timedelta(days=5)


def test_a_pause_for_ever_is_no_mistake():
    moment, _ = next_digest(
        reader("Pacific/Kiritimati", days=(Weekly.WED,), paused_until=date.max), utc("2026-11-23")
    )
    assert moment.year == 9999


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.one_of(st.none(), st.times().map(lambda t: t.replace(fold=0))),
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.datetimes(datetime(2026, 1, 20), datetime(2026, 12, 20), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_the_next_digest_comes_in_an_open_slot_and_never_before_the_readers_hour(
    zone, at, days, now
):
    subscriber = reader(zone, at, tuple(sorted(days)))
    moment, evening = next_digest(subscriber, now)
    assert moment > now
    slot = scheduled_slot(subscriber, moment)
    assert slot is not None
    assert evening < local_date(moment, "America/New_York")
    local = moment.astimezone(ZoneInfo(zone))
    if at is not None and len(days) == 7 and local_date(slot, zone) == local.date():
        assert moment >= datetime.combine(local.date(), at, ZoneInfo(zone)).astimezone(
            UTC
        ) - timedelta(hours=1)


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("Europe/Brelin", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
        ("../etc/passwd", "IANA"),
        ("", "IANA"),
        ("Middle-earth", "IANA"),
    ],
)
def test_an_unknown_zone_is_refused_with_the_nearest_name(name, guess):
    with pytest.raises(ConfigError, match="is no time zone") as caught:
        parse_zone(name)
    assert guess in caught.value.remedy


def test_a_reader_without_days_is_refused_and_not_searched_for_ever():
    for function in (latest_slot, next_slot):
        with pytest.raises(ConfigError, match=r"ada@example\.org"):
            function(reader(days=()), utc("2026-11-23"))


def test_a_hundred_thousand_readers_cost_seconds_of_cpu():
    readers = [reader(zone, time(hour)) for zone in ZONES for hour in range(24)]
    now = utc("2026-11-23T12:00")
    fastest = []
    for _ in range(5):
        start = clock.process_time()
        for subscriber in readers:
            latest_slot(subscriber, now)
            next_slot(subscriber, now)
        fastest.append((clock.process_time() - start) / len(readers) / 2)
    assert (
        min(fastest) < 100e-6
    )  # about 6 µs on a quiet machine; the bound leaves room for a busy one


def test_the_next_digest_does_not_go_in_a_slot_that_is_taken():
    """Berlin at 07:00: the announcement comes at 07:15, into the same slot, unless a first digest
    took it."""
    ada = berlin(time(7))
    seven = datetime(2026, 11, 24, 6, tzinfo=UTC)
    assert next_digest(ada, seven)[0] == seven + timedelta(minutes=15)
    assert next_digest(ada, seven, taken=seven) == (
        seven + timedelta(days=1),
        date(2026, 11, 23),
    )


def test_a_pause_without_an_end_is_told_without_a_day() -> None:
    assert pause_in_words(FOR_EVER) == "paused"
    assert pause_in_words(date(2026, 12, 1)) == "paused until 2026-12-01"
