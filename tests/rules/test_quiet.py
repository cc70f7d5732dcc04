"""Why nothing new came: each rule from both sides of its boundary."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from digest.model import Query, Subscriber, Window
from digest.rules.calendar import last_served
from digest.rules.quiet import QUIET_WAIT, STALE, why_no_news, why_quiet, why_stale
from tests.world.worlds import DAY, HOUR, MONDAY, eprint

SERVED = last_served(MONDAY).served_at
SECOND = timedelta(seconds=1)
TUESDAY = MONDAY + DAY
DEADLINE_BEFORE = datetime(2026, 11, 6, 19, tzinfo=UTC)
"""Friday 14:00 in New York, the deadline of Sunday's announcement."""
ADA = Subscriber("ada@example.org", (), at=time(8))
SLOT = TUESDAY + HOUR


def query(good: datetime | None, rate: float | None = 5.0, trouble: str = "") -> Query:
    return Query(1, "(all:a)", good, None, 0, trouble, rate)


@pytest.mark.parametrize(
    ("good", "rate", "age", "stale"),
    [
        (SERVED - SECOND, 3.0, 5 * DAY + SECOND, True),
        (SERVED - SECOND, 3.0, 5 * DAY, False),
        (SERVED - SECOND, 2.9, 9 * DAY, False),
        (SERVED - SECOND, None, 9 * DAY, False),
        (SERVED, 3.0, 9 * DAY, False),
        (None, 3.0, 9 * DAY, False),
    ],
)
def test_one_busy_query_tells_that_the_index_stands_still(
    good: datetime | None, rate: float | None, age: timedelta, stale: bool
) -> None:
    window = Window("(all:a)", (eprint(1, SERVED - age),), 1, SERVED - 40 * DAY, 1)
    assert why_no_news(query(good, rate), window, 0, MONDAY).startswith(STALE) is stale


def test_the_newest_row_of_a_window_tells() -> None:
    rows = (eprint(1, SERVED - DAY), eprint(2, SERVED - 9 * DAY))
    window = Window("(all:a)", rows, 2, SERVED - 40 * DAY, 1)
    assert why_no_news(query(SERVED - SECOND), window, 0, MONDAY).startswith("no match")


def test_an_empty_window_is_no_sign_of_a_standing_index() -> None:
    window = Window("(all:a)", (), 0, SERVED - 40 * DAY, 1)
    assert why_no_news(query(SERVED - DAY), window, 0, MONDAY).startswith("no match")


@pytest.mark.parametrize(
    ("newest", "rate", "stale"),
    [
        (DEADLINE_BEFORE - SECOND, 8.0, True),
        (DEADLINE_BEFORE - SECOND, 2.0, False),
        (DEADLINE_BEFORE, 800.0, False),
        # four days before the deadline of the latest announcement: eight rows are expected
        (DEADLINE_BEFORE - DAY, 2.0, True),
        (DEADLINE_BEFORE - DAY, 1.999, False),
        (None, 800.0, False),
    ],
)
def test_all_queries_together_tell_that_the_index_stands_still(
    newest: datetime | None, rate: float, stale: bool
) -> None:
    why = why_stale(newest, rate, TUESDAY)
    assert why.startswith(STALE) is stale
    if newest and stale:
        assert f"{newest:%Y-%m-%d}" in why


def quiet(
    now: datetime,
    queries: list[Query],
    *reasons: str,
    at: time | None = time(8),
    previous: datetime | None = None,
) -> str:
    reader = Subscriber("ada@example.org", (), at=at)
    return why_quiet(reader, SLOT, now, queries=queries, reasons=reasons, previous_digest=previous)


def test_the_note_waits_for_arxivs_answers_and_no_longer() -> None:
    served = last_served(TUESDAY).served_at
    assert quiet(SLOT + QUIET_WAIT - SECOND, [query(served - SECOND)]) == ""
    late = SLOT + QUIET_WAIT
    assert quiet(late, [query(served - SECOND)]).startswith("arXiv could not be asked")
    assert quiet(late, [query(None, trouble="HTTP 503")]) == "HTTP 503"
    assert quiet(SLOT, [query(served)]).startswith("no match")


def test_a_reason_of_the_last_fetch_counts_where_the_index_stands_still() -> None:
    good = [query(TUESDAY)]
    assert quiet(SLOT, good, "no match", f"{STALE}: so") == f"{STALE}: so"
    assert quiet(SLOT, good, "no match").startswith("no match in arXiv's last announcement")


def test_without_an_hour_the_note_waits_for_the_announcement_of_the_same_day() -> None:
    before = datetime(2026, 11, 10, 5, tzinfo=UTC)
    reader = Subscriber("ada@example.org", ())
    midnight = before.replace(hour=0)
    wait = why_quiet(
        reader, midnight, before, queries=[query(before)], reasons=(), previous_digest=None
    )
    assert wait == ""
    after = before + 2 * HOUR
    told = why_quiet(
        reader, midnight, after, queries=[query(after)], reasons=(), previous_digest=None
    )
    assert told.startswith("no match")


def test_what_was_told_before_is_not_told_again_on_a_quiet_night() -> None:
    saturday = datetime(2026, 11, 14, 9, tzinfo=UTC)
    previous = last_served(saturday).served_at
    slot = saturday - HOUR
    why = why_quiet(
        ADA, slot, saturday, queries=[query(saturday)], reasons=(), previous_digest=previous
    )
    assert why == "weekend"
    earlier = previous - SECOND
    why = why_quiet(
        ADA, slot, saturday, queries=[query(saturday)], reasons=(), previous_digest=earlier
    )
    assert why.startswith("no match")


def test_the_night_that_was_quiet_is_the_one_before_the_end_of_the_readers_day() -> None:
    """In Los Angeles Friday ends after the hour at which Friday evening's would be served."""
    reader = Subscriber("ada@example.org", (), at=time(8), timezone="America/Los_Angeles")
    slot = datetime(2026, 11, 13, 16, tzinfo=UTC)
    good = [query(slot)]
    why = why_quiet(
        reader, slot, slot + HOUR, queries=good, reasons=(), previous_digest=slot - HOUR
    )
    assert why == "weekend"


@pytest.mark.parametrize(("minutes", "waits"), [(15, False), (16, True)])
def test_a_slot_waits_six_hours_for_the_announcement_of_its_day(minutes: int, waits: bool) -> None:
    assert timedelta(hours=6) == QUIET_WAIT
    slot = datetime(2026, 11, 10, 0, minutes, tzinfo=UTC)
    reader = Subscriber("ada@example.org", (), at=slot.time())
    good = [query(slot)]
    why = why_quiet(reader, slot, slot + HOUR, queries=good, reasons=(), previous_digest=None)
    assert (why == "") is waits
