from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import ConfigError
from digest.rules.calendar import (
    Holidays,
    QuietNight,
    announcement_of,
    is_year_known,
    known_holidays,
    last_served,
    load_holidays,
    next_served,
    package_holidays,
    quiet_night,
    served_between,
    submitted_by,
    use_holidays,
    why_nothing,
)
from tests.world.shared import shared

MOMENTS = st.datetimes(datetime(2025, 12, 1), datetime(2027, 2, 1), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.fixture(autouse=True)
def _built_in_list_alone() -> Iterator[None]:
    yield
    use_holidays(None)


@pytest.mark.parametrize(
    ("submitted", "evening"),
    [
        ("2026-11-16T18:59Z", "2026-11-16"),  # Monday, a minute before 14:00 in New York
        ("2026-11-16T19:00Z", "2026-11-17"),
        ("2026-11-19T19:00Z", "2026-11-22"),  # Thursday afternoon: Sunday's
        ("2026-11-20T18:59Z", "2026-11-22"),
        ("2026-11-20T19:00Z", "2026-11-23"),  # Friday afternoon, and the weekend: Monday's
        ("2026-11-22T23:00Z", "2026-11-23"),
        ("2026-11-26T12:00Z", "2026-11-29"),  # Thanksgiving
        ("2026-07-14T17:59Z", "2026-07-14"),  # 13:59 in summer
    ],
)
def test_for_which_announcement_a_paper_comes_in_time(submitted: str, evening: str) -> None:
    assert announcement_of(datetime.fromisoformat(submitted)).evening == date.fromisoformat(evening)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_evenings_of_2026_without_an_announcement_have_names():
    assert dict(package_holidays().evenings) == {
        date(2026, 1, 1): "New Year's Day",
        date(2026, 1, 19): "Martin Luther King Jr. Day",
        date(2026, 6, 21): "Juneteenth",  # the Sunday after Friday the 19th
        date(2026, 7, 5): "Independence Day",
        date(2026, 9, 7): "Labor Day",
        date(2026, 11, 26): "Thanksgiving",
        date(2026, 12, 27): "Christmas",
        date(2026, 12, 29): "year-end break",
        date(2026, 12, 31): "New Year's Eve",
    }
    assert package_holidays().years == {2026}


@pytest.mark.parametrize(
    ("now", "evening"),
    [
        ("2026-11-23T06:14:59", date(2026, 11, 19)),  # Monday, before Sunday's is served
        ("2026-11-23T06:15:00", date(2026, 11, 22)),
        ("2026-07-14T05:14:59", date(2026, 7, 12)),  # in summer an hour earlier in UTC
        ("2026-07-14T05:15:00", date(2026, 7, 13)),
        ("2026-11-29T23:00:00", date(2026, 11, 25)),  # over Thanksgiving and the weekend
        (
            "2026-12-28T20:00:00",
            date(2026, 12, 24),
        ),  # over Christmas, a Friday, and the Sunday after it
    ],
)
def test_the_last_announcement_served(now, evening):
    assert last_served(utc(now)).evening == evening


def test_between_two_moments_stand_what_was_served_after_the_first_up_to_the_second():
    first, last = last_served(utc("2026-11-24T12:00")), last_served(utc("2026-12-01T12:00"))
    between = served_between(first.served_at, last.served_at)
    assert [a.evening.day for a in between] == [24, 25, 29, 30]
    assert served_between(last.served_at, first.served_at) == ()


@given(MOMENTS)
def test_now_lies_between_the_last_announcement_and_the_next(now):
    last, following = last_served(now), next_served(now)
    assert last.served_at <= now < following.served_at
    assert served_between(now, following.served_at) == (following,)
    assert last_served(following.served_at) == following
    assert following.evening.weekday() not in (4, 5)
    # The night is quiet exactly where nothing was served for a day; no change of the clock falls on
    # one that counts.
    assert (quiet_night(now) is None) == (now - last.served_at < timedelta(hours=24))


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        ("2026-11-20T12:00", None),  # Friday: Thursday's
        ("2026-11-21T03:00", None),  # Friday night in New York: Thursday's is still the last
        ("2026-11-21T12:00", "weekend"),
        ("2026-11-22T12:00", "weekend"),
        ("2026-11-23T05:00", "weekend"),
        ("2026-11-23T12:00", None),
        ("2026-11-27T12:00", "holiday: Thanksgiving"),
        ("2026-11-28T12:00", "weekend"),
        ("2026-06-22T12:00", "holiday: Juneteenth"),
        ("2026-12-30T12:00", "holiday: year-end break"),
        ("2027-01-19T12:00", None),  # a Monday evening of a year that is not known
    ],
)
def test_a_quiet_night_has_a_reason(now, reason):
    night = quiet_night(utc(now))
    assert (night.words if night else None) == reason
    assert night is None or night.code == reason.partition(":")[0]


@pytest.mark.parametrize(
    ("now", "previous", "counts", "phrase"),
    [
        (
            "2026-11-21T07:00",
            "2026-11-20T07:00",
            (84, 0),
            "weekend: nothing is announced on Friday and Saturday evenings; next Sunday evening, "
            "served Monday 06:15 UTC",
        ),
        (
            "2026-11-27T07:00",
            "2026-11-26T07:00",
            (84, 0),
            "holiday: Thanksgiving; next Sunday evening, served Monday 06:15 UTC",
        ),
        (
            "2026-06-23T01:00",
            "2026-06-19T07:00",
            (0, 0),
            "holiday: Juneteenth; next Monday evening, served Tuesday 05:15 UTC",
        ),
        (
            "2026-11-24T12:00",
            "2026-11-24T07:00",
            (84, 0),
            "no announcement since the last fetch; next Tuesday evening,"
            " served Wednesday 06:15 UTC",
        ),
        (
            "2026-11-24T07:00",
            "2026-11-23T07:00",
            (84, 0),
            "no match that is new: 84 papers in the window, all seen before",
        ),
        (
            "2026-11-24T07:00",
            "2026-11-23T07:00",
            (1, 0),
            "no match that is new: 1 paper in the window, seen before",
        ),
        ("2026-11-24T07:00", "2026-11-23T07:00", (0, 0), "no match: no paper in the window"),
        (
            "2026-11-24T07:00",
            "2026-11-23T07:00",
            (84, 3),
            "no match that is new: 84 papers in the window, 3 not seen before but too old",
        ),
        ("2026-11-21T07:00", None, (0, 0), "no match: no paper in the window"),
        (
            "2027-01-19T07:00",
            "2027-01-18T07:00",
            (84, 0),
            "no match that is new: 84 papers in the window, all seen before"
            " (2027's holidays are not known)",
        ),
    ],
)
def test_why_nothing_came_is_said_in_a_phrase(now, previous, counts, phrase):
    fetched, first_seen = counts
    previous_good = utc(previous) if previous else None
    said = why_nothing(
        now=utc(now), previous_good=previous_good, fetched=fetched, first_seen=first_seen
    )
    assert said == phrase


@settings(max_examples=300)
@given(
    MOMENTS,
    st.timedeltas(timedelta(0), timedelta(days=60)),
    st.integers(0, 30_000),
    st.integers(0, 30_000),
)
def test_a_phrase_is_short(now, ago, fetched, first_seen):
    said = why_nothing(now=now, previous_good=now - ago, fetched=fetched, first_seen=first_seen)
    assert 0 < len(said) <= 120
    assert "\n" not in said


def test_a_phrase_stays_short_over_a_long_break_and_then_gives_the_date():
    days = {date(2026, 12, 13) + timedelta(days=n): "W" * 30 for n in range(16)}
    use_holidays(Holidays(days, frozenset()))
    now = utc("2026-12-14T07:00")
    said = why_nothing(
        now=now,
        previous_good=now - timedelta(hours=1),
        fetched=0,
        first_seen=0,
    )
    assert said == f"holiday: {'W' * 30}; next Wednesday evening, served Thursday 31 Dec 06:15 UTC"
    saturday = utc("2026-12-19T07:00")
    said = why_nothing(
        now=saturday,
        previous_good=saturday,
        fetched=0,
        first_seen=0,
    )
    assert said.startswith("weekend")
    assert len(said) <= 120


def test_an_operator_may_add_a_year_and_rename_a_day():
    own = load_holidays(
        '{"years": {"2027": {"2027-01-18": "King Day", "2027-01-01": "New Year"}, "2028": {}}}'
    )
    use_holidays(own)
    names = {
        "2027-01-19": "King Day",
        "2027-01-04": "New Year",  # the Sunday after the Friday
        "2026-11-27": "Thanksgiving",
    }
    for day, name in names.items():
        assert quiet_night(utc(f"{day}T12:00")) == QuietNight("holiday", f"holiday: {name}")
    assert known_holidays().years == {2026, 2027, 2028}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"years": []}', "cannot be read"),
        ('{"years": {"2027": 3}}', "cannot be read"),
        ('{"years": {"27": {}}}', "'27' is no year"),
        ('{"years": {"x": {"2027-01-01": "New Year"}}}', "'x' is no year"),
        (
            '{"years": {"2027": {"2027-13-01": "New Year"}}}',
            "holidays of 2027: '2027-13-01' is no date",
        ),
        ('{"years": {"2027": {"2026-01-01": "New Year"}}}', "2026-01-01 is in another year"),
        ('{"years": {"2027": {"2027-01-02": "New Year"}}}', "is a Saturday"),
        ('{"years": {"2027": {"2027-01-03": ""}}}', "no usable name"),
        ('{"years": {"2027": {"2027-01-03": null}}}', "no usable name"),
        ('{"years": {"2027": {"2027-01-03": "a\\nb"}}}', "no usable name"),
        ('{"years": {"2027": {"2027-01-03": "' + "x" * 31 + '"}}}', "no usable name"),
    ],
)
def test_a_mistake_in_a_list_of_holidays_is_named(text, words):
    with pytest.raises(ConfigError, match=words):
        load_holidays(text)


@pytest.mark.parametrize("name", ["x", "x" * 30, f" {'x' * 30} "])
def test_a_holidays_name_has_up_to_30_letters_without_the_blanks_around_it(name: str) -> None:
    listed = load_holidays(json.dumps({"years": {"2027": {"2027-01-03": name}}}))
    assert listed.evenings == {date(2027, 1, 3): name.strip()}


@pytest.mark.parametrize("year", ["12345", "١٢٣٤", "202x"])
def test_a_year_has_four_digits(year: str) -> None:
    with pytest.raises(ConfigError, match="is no year"):
        load_holidays(json.dumps({"years": {year: {}}}))


def test_a_name_of_blanks_is_no_name() -> None:
    with pytest.raises(ConfigError, match="no usable name"):
        load_holidays('{"years": {"2027": {"2027-01-03": "  "}}}')


@pytest.mark.parametrize(
    ("evening", "deadline"),
    [
        (date(2026, 11, 22), "2026-11-20T19:00"),  # Sunday's: on Friday
        (date(2026, 11, 23), "2026-11-23T19:00"),
        (date(2026, 7, 13), "2026-07-13T18:00"),  # in summer
    ],
)
def test_until_when_the_papers_of_an_announcement_were_submitted(
    evening: date, deadline: str
) -> None:
    announcement = next_served(datetime(evening.year, evening.month, evening.day, 22, tzinfo=UTC))
    assert announcement.evening == evening
    assert submitted_by(announcement) == utc(deadline)
    assert announcement_of(utc(deadline) - timedelta(seconds=1)) == announcement


def test_a_next_announcement_more_than_six_days_ahead_is_told_with_its_date() -> None:
    # From the Sunday of the 13th to Thursday of the 17th all evenings are holidays.
    days = {date(2026, 12, 13) + timedelta(days=n): "break" for n in range(5)}
    use_holidays(Holidays(days, frozenset()))
    served = utc("2026-12-21T06:15")

    def said(now: datetime) -> str:
        return why_nothing(now=now, previous_good=now, fetched=0, first_seen=0)

    assert said(served - timedelta(days=6)).endswith("next Sunday evening, served Monday 06:15 UTC")
    assert said(served - timedelta(days=6, seconds=1)).endswith(
        "next Sunday evening, served Monday 21 Dec 06:15 UTC"
    )


def test_the_year_of_the_latest_announcement_is_doubted_first() -> None:
    assert is_year_known(2026)
    assert not is_year_known(2027)
    said = why_nothing(
        now=utc("2028-01-05T12:00"),
        previous_good=utc("2027-12-29T12:00"),
        fetched=0,
        first_seen=0,
    )
    assert said == "no match: no paper in the window (2028's holidays are not known)"
    over_new_year = why_nothing(
        now=utc("2027-01-05T12:00"),
        previous_good=utc("2026-12-20T12:00"),
        fetched=2,
        first_seen=0,
    )
    assert over_new_year.endswith("all seen before (2027's holidays are not known)")


def test_the_rules_agree_with_what_the_feeds_of_2025_held():
    """The feed of a day holds what was announced on the evening before, and is empty where nothing
    was."""
    listed = load_holidays(
        '{"years": {"2025": {"2025-01-01": "New Year", "2025-01-20": "King",'
        '"2025-06-19": "Juneteenth",'
        '"2025-07-04": "Independence", "2025-09-01": "Labor"}}}'
    )
    use_holidays(listed)
    path = shared("arxiv/captures/rss/toseic_rss_state_timeline.csv")
    new_york = ZoneInfo("America/New_York")
    surprises = set()
    compared = 0
    with path.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            moment = datetime.fromisoformat(row["committed_utc"]).astimezone(new_york)
            if moment.year == 2025 and moment.hour >= 2:
                compared += 1
                if (quiet_night(moment) is not None) != (int(row["items"]) == 0):
                    surprises.add((moment.date(), row["items"]))
    assert compared > 250
    # No evening that we count on was empty; on four quiet ones arXiv put a few papers into the feed
    # after all.
    assert surprises == {
        (date(2025, 1, 21), "5"),
        (date(2025, 3, 1), "4"),
        (date(2025, 3, 29), "17"),
        (date(2025, 5, 31), "17"),
    }
