"""Which source is asked for which query, how deep and when: each rule from both sides of its
boundary.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from digest.model import Query
from digest.rules import plan
from digest.rules.calendar import last_served, quiet_night
from digest.rules.plan import (
    API,
    AUTO,
    FEEDS,
    OAI,
    always_deep,
    at_once,
    depth,
    harvested_since,
    in_the_feeds,
    is_compared,
    is_due,
    only_todays_is_missing,
    order,
    page_size,
    previous,
    reaches,
)
from tests.world.worlds import DAY, HOUR

SECOND = timedelta(seconds=1)
TUESDAY = datetime(2026, 11, 10, 6, 15, tzinfo=UTC)
"""Monday evening's announcement is served, at 01:15 in New York."""
FRIDAY = TUESDAY + 3 * DAY
"""Thursday evening's announcement, the last before the weekend, is served."""
SATURDAY = FRIDAY + DAY
"""On Friday evening nothing was announced."""


def query(good: datetime | None, number: int = 1, **changes: Any) -> Query:
    fields = {"next_fetch_at": None, "failures": 0, "trouble": "", "rows_per_day": 10.0} | changes
    return Query(id=number, text="all:alpha", last_good_at=good, **fields)


@pytest.mark.parametrize(
    ("choice", "queries", "sources"),
    [
        (AUTO, 60, (API, FEEDS, OAI)),
        (AUTO, 61, (FEEDS, API, OAI)),
        (API, 61, (API, FEEDS, OAI)),
        (FEEDS, 1, (FEEDS, API, OAI)),
        (OAI, 1, (OAI, API, FEEDS)),
    ],
)
def test_the_chosen_source_is_tried_first_and_the_others_stand_in(
    choice: str, queries: int, sources: tuple[str, ...]
) -> None:
    assert order(choice, queries) == sources
    assert order(choice, queries, {API, OAI}) == tuple(s for s in sources if s != FEEDS)


@pytest.mark.parametrize(
    ("good", "first", "due"),
    [
        (SATURDAY - DAY, API, True),
        (SATURDAY - DAY + SECOND, API, False),
        # a day alone is no reason to read the feeds again
        (SATURDAY - DAY, FEEDS, False),
        (FRIDAY - SECOND, FEEDS, True),
    ],
)
def test_after_a_day_only_the_api_is_asked_again(good: datetime, first: str, due: bool) -> None:
    assert is_due(query(good, deep_at=SATURDAY), SATURDAY, first) is due


@pytest.mark.parametrize(
    ("now", "good", "deep_at", "compared"),
    [
        (SATURDAY, FRIDAY, SATURDAY - 6 * DAY, True),
        (SATURDAY, FRIDAY, SATURDAY - 6 * DAY + SECOND, False),
        # on other nights only once it is overdue
        (FRIDAY, FRIDAY, FRIDAY - 9 * DAY, True),
        (FRIDAY, FRIDAY, FRIDAY - 9 * DAY + SECOND, False),
        # never yet
        (FRIDAY, FRIDAY, None, True),
        # the source's own announcement comes first
        (FRIDAY, FRIDAY - SECOND, None, False),
        (FRIDAY, None, None, False),
    ],
)
def test_what_another_source_serves_is_compared_with_the_api_once_a_week(
    now: datetime, good: datetime | None, deep_at: datetime | None, compared: bool
) -> None:
    assert is_compared(query(good, deep_at=deep_at), now) is compared
    if good is not None and good >= last_served(now).served_at:
        assert is_due(query(good, deep_at=deep_at), now, FEEDS) is compared


def test_at_most_400_queries_are_compared_at_once_and_the_longest_uncompared_come_first() -> None:
    new = query(FRIDAY, 1, deep_at=None)
    recent = [query(FRIDAY, n, deep_at=SATURDAY - 7 * DAY) for n in range(2, 401)]
    old = query(FRIDAY, 401, deep_at=SATURDAY - 20 * DAY)
    behind = query(FRIDAY - DAY, 402)
    due = [*recent, behind, old, new]
    assert at_once(due, SATURDAY, FEEDS) == [*recent[:-1], behind, old, new]
    assert at_once(due[1:], SATURDAY, FEEDS) == due[1:]
    assert at_once(due, SATURDAY, API) == due


def test_at_most_a_hundred_new_queries_of_sign_ups_are_asked_in_a_cycle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def named(good: datetime | None, number: int, failures: int = 0) -> Query:
        return replace(query(good, number, failures=failures), text=f"all:word{number}")

    monkeypatch.setattr(plan, "NEW_AT_ONCE", 2)
    known, failed, of_file = named(FRIDAY, 1), named(None, 2, 1), named(None, 3)
    new = [named(None, number) for number in (4, 5, 6)]
    brought = {each.text for each in (known, failed, *new)}
    due = [known, failed, of_file, *new]
    assert plan.put_off(due, brought) == [new[2], failed]
    assert plan.put_off([known, failed, of_file, new[2]], brought) == []


@pytest.mark.parametrize(
    ("changes", "deep"),
    [
        ({"deep_at": FRIDAY - 6 * DAY + SECOND}, False),
        ({"deep_at": FRIDAY - 6 * DAY}, True),
        ({"deep_at": FRIDAY - DAY, "quarantined_since": FRIDAY - HOUR}, True),
        ({"deep_at": None}, True),
    ],
)
def test_a_window_is_deep_while_a_query_is_held_back_and_once_that_is_overdue(
    changes: dict[str, Any], deep: bool
) -> None:
    assert quiet_night(FRIDAY) is None
    asked = query(FRIDAY - DAY, **changes)
    before = asked.deep_at or FRIDAY
    assert depth(asked, FRIDAY) == (before - 38 * DAY if deep else FRIDAY - 9 * DAY)


def test_a_window_reaches_behind_the_deep_one_before_even_without_a_good_one() -> None:
    held = query(None, deep_at=FRIDAY - DAY)
    assert depth(held, FRIDAY) == FRIDAY - 39 * DAY


@pytest.mark.parametrize(
    ("rates", "deep"),
    [
        ([None, 0.0, 1.0], {1, 2}),  # a first window is deep anyway
        ([300 / 38, 301 / 38], {0}),
        ([100 / 38] * 50, set(range(50))),
        ([100 / 38] * 51, set(range(50))),
        ([5.0] * 40, set(range(26))),
        ([7.0] * 18 + [1.0] * 20, {*range(15), *range(18, 38)}),
    ],
)
def test_what_costs_few_rows_is_asked_for_deep_every_day(
    rates: list[float | None], deep: set[int]
) -> None:
    queries = [query(FRIDAY, n, rows_per_day=rate) for n, rate in enumerate(rates)]
    assert always_deep(queries) == deep


def test_a_wider_question_counts_with_its_own_rows() -> None:
    assert always_deep([query(FRIDAY, 1, rows_per_day=1.0, asked_per_day=8.0)]) == set()
    wide = query(FRIDAY, 1, rows_per_day=1.0, asked_per_day=40.0)
    assert page_size([wide], FRIDAY - 10 * DAY, FRIDAY) == 500


def test_a_deep_window_of_every_day_reaches_38_days_back_or_further() -> None:
    asked = query(FRIDAY - DAY, deep_at=FRIDAY - DAY)
    assert depth(asked, FRIDAY, is_deep=True) == FRIDAY - 38 * DAY
    assert depth(query(FRIDAY - 40 * DAY), FRIDAY, is_deep=True) == FRIDAY - 48 * DAY


@pytest.mark.parametrize(
    ("rates", "rows"),
    [
        ([None], 500),
        ([None, 1.0], 2000),
        ([None, None], 2000),
        # ten days and a fifth more: 12 rows for each one a day, in steps of 50
        ([0.0] * 50, 50),
        ([4.0], 50),
        ([4.25], 100),
        ([4.0, 4.0], 100),
        ([160.0], 1950),
        ([166.0], 2000),
        ([1000.0], 2000),
    ],
)
def test_a_page_grows_with_the_rows_that_are_expected(rates: list[float | None], rows: int) -> None:
    queries = [query(FRIDAY, n, rows_per_day=rate) for n, rate in enumerate(rates)]
    assert page_size(queries, FRIDAY - 10 * DAY, FRIDAY) == rows


def test_the_feeds_hold_an_announcement_on_the_day_after_its_evening() -> None:
    thursdays = last_served(FRIDAY)
    midnight = datetime(2026, 11, 14, 5, tzinfo=UTC)
    assert in_the_feeds(FRIDAY) == thursdays
    assert in_the_feeds(midnight - SECOND) == thursdays
    assert in_the_feeds(midnight) is None
    # After midnight the index still has the announcement before, which the feeds hold no longer.
    assert in_the_feeds(FRIDAY - SECOND) is None


def test_the_announcement_before_one_is_that_of_the_evening_before() -> None:
    assert previous(last_served(FRIDAY)).evening == date(2026, 11, 11)


@pytest.mark.parametrize(
    ("good", "now", "missing"),
    [
        (FRIDAY - SECOND, FRIDAY, True),
        (FRIDAY - DAY, FRIDAY, True),
        # two are missing, of which the feeds hold one; or none is
        (FRIDAY - DAY - SECOND, FRIDAY, False),
        (FRIDAY, FRIDAY + HOUR, False),
        (None, FRIDAY, False),
        (FRIDAY - SECOND, SATURDAY, False),
    ],
)
def test_the_feeds_serve_a_query_that_lacks_what_they_hold_and_no_more(
    good: datetime | None, now: datetime, missing: bool
) -> None:
    assert only_todays_is_missing(query(good), now) is missing
    assert reaches(FEEDS, query(good), now) is missing


def test_a_harvest_begins_a_day_before_the_last_good_window_or_a_week_ago() -> None:
    assert harvested_since(query(FRIDAY), FRIDAY + 5 * DAY) == date(2026, 11, 12)
    assert harvested_since(query(None), FRIDAY) == date(2026, 11, 5)


@pytest.mark.parametrize(("days", "near"), [(30, True), (31, False)])
def test_a_harvest_is_no_longer_than_a_month(days: int, near: bool) -> None:
    asked = query(FRIDAY - days * DAY)
    assert reaches(OAI, asked, FRIDAY) is near
    assert reaches(API, asked, FRIDAY)


def test_what_is_only_to_be_compared_is_for_the_api_alone() -> None:
    compared = query(FRIDAY, deep_at=None)
    assert not reaches(OAI, compared, SATURDAY, FEEDS)
    assert reaches(OAI, compared, SATURDAY, API)
    assert reaches(API, compared, SATURDAY, FEEDS)
    assert reaches(OAI, query(FRIDAY, deep_at=SATURDAY), SATURDAY, FEEDS)
