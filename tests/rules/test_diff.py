"""What of a window is new, late, revised or too old: the seen-table decides, and one date."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import Kind, Paper
from digest.rules.diff import GUARD, MODERATION_HOLD, Seen, diff
from tests.world.worlds import DAY, MONDAY, eprint

PREVIOUS = MONDAY - DAY
SECOND = timedelta(seconds=1)


def kind(
    paper: Paper, previous: datetime | None = PREVIOUS, known: dict[str, int] | None = None
) -> Kind | None:
    rows = diff([paper], known or {}, previous, MONDAY)
    assert len(rows) <= 1
    return rows[0].kind if rows else None


def v2(submitted: datetime, updated: datetime, version: int = 2) -> Paper:
    return eprint(1, submitted, updated=updated, version=version)


def test_a_paper_that_was_never_seen_is_new() -> None:
    assert kind(eprint(1, MONDAY - 2 * DAY)) is Kind.NEW


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_paper_that_was_seen_in_this_or_a_later_version_is_nothing(version: int) -> None:
    assert kind(v2(MONDAY - DAY, MONDAY, version), known={"2611.00001": 3}) is None


def test_a_later_version_of_a_paper_that_was_seen_is_a_revision() -> None:
    assert kind(v2(MONDAY - 9 * DAY, MONDAY, 4), known={"2611.00001": 2}) is Kind.REVISED


@pytest.mark.parametrize("years", [0, 1, 20])
def test_a_revision_is_one_however_old_the_paper_is(years: int) -> None:
    submitted = MONDAY - years * 365 * DAY
    assert kind(v2(submitted, submitted), known={"2611.00001": 1}) is Kind.REVISED


def test_a_paper_that_was_held_for_weeks_is_late_and_not_lost() -> None:
    assert timedelta(days=5) == MODERATION_HOLD
    assert kind(eprint(1, PREVIOUS - MODERATION_HOLD)) is Kind.NEW
    assert kind(eprint(1, PREVIOUS - MODERATION_HOLD - SECOND)) is Kind.LATE
    assert kind(eprint(1, MONDAY - 34 * DAY)) is Kind.LATE
    assert kind(eprint(1, PREVIOUS - GUARD)) is Kind.LATE


def test_what_was_last_touched_45_days_before_the_previous_good_window_is_old() -> None:
    assert timedelta(days=45) == GUARD
    assert kind(eprint(1, PREVIOUS - GUARD - SECOND)) is Kind.OLD
    assert kind(v2(PREVIOUS - 400 * DAY, PREVIOUS - GUARD - SECOND)) is Kind.OLD


def test_the_guard_counts_from_the_previous_good_window_not_from_now() -> None:
    after_a_long_break = MONDAY - 60 * DAY
    assert kind(eprint(1, MONDAY - 61 * DAY), after_a_long_break) is Kind.NEW
    assert kind(eprint(1, MONDAY - 100 * DAY), after_a_long_break) is Kind.LATE
    assert kind(eprint(1, MONDAY - 106 * DAY), after_a_long_break) is Kind.OLD


def test_in_the_first_window_the_guard_counts_from_now_and_nothing_is_late() -> None:
    assert kind(eprint(1, MONDAY - 30 * DAY), None) is Kind.NEW
    assert kind(eprint(1, MONDAY - GUARD), None) is Kind.NEW
    assert kind(eprint(1, MONDAY - GUARD - SECOND), None) is Kind.OLD


@pytest.mark.parametrize("days", [30, 60])
def test_what_lies_beyond_the_days_ever_covered_was_there_before_anybody_asked(days: int) -> None:
    """The guard is the later one of the two lines: 45 days, or as far as windows have reached."""
    covered = PREVIOUS - days * DAY
    line = max(covered, PREVIOUS - GUARD)
    for updated, expected in ((line, Kind.LATE), (line - SECOND, Kind.OLD)):
        (row,) = diff([eprint(1, updated)], {}, PREVIOUS, MONDAY, covered)
        assert row.kind is expected


def test_in_the_first_window_nothing_was_covered_yet() -> None:
    (row,) = diff([eprint(1, MONDAY - 30 * DAY)], {}, None, MONDAY, MONDAY - 10 * DAY)
    assert row.kind is Kind.NEW


@pytest.mark.parametrize(("seconds", "expected"), [(0, Kind.OLD), (1, Kind.NEW)])
def test_what_was_submitted_before_a_moment_counts_as_mailed_where_a_person_said_so(
    seconds: int, expected: Kind
) -> None:
    until = MONDAY - 2 * DAY
    paper = eprint(1, until + seconds * SECOND)
    (row,) = diff([paper], {}, PREVIOUS, MONDAY, had_until=until)
    assert row.kind is expected
    assert diff([paper], {paper.id: 1}, PREVIOUS, MONDAY, had_until=until) == ()


def test_a_clock_that_was_set_back_does_not_make_fresh_papers_old() -> None:
    assert kind(eprint(1, MONDAY - 40 * DAY), MONDAY + 30 * DAY) is not Kind.OLD


def test_a_second_version_seen_first_is_new_only_if_the_paper_is_young() -> None:
    line = PREVIOUS - GUARD
    assert kind(v2(line, MONDAY)) is Kind.NEW
    assert kind(v2(line - SECOND, MONDAY)) is Kind.REVISED
    assert kind(v2(MONDAY - 3 * DAY, MONDAY, 5)) is Kind.NEW


def test_rows_come_in_the_order_of_the_served_versions() -> None:
    papers = [eprint(n, MONDAY - n * DAY) for n in (1, 3, 2)] + [eprint(9, MONDAY - 2 * DAY)]
    assert [row.paper.id[-1] for row in diff(papers, {}, PREVIOUS, MONDAY)] == ["3", "2", "9", "1"]


moments = st.datetimes(MONDAY.replace(tzinfo=None) - 500 * DAY, MONDAY.replace(tzinfo=None)).map(
    lambda moment: moment.replace(tzinfo=MONDAY.tzinfo)
)


@st.composite
def windows(draw: st.DrawFn) -> list[Paper]:
    numbers = draw(st.lists(st.integers(1, 30), unique=True))
    papers = []
    for number in numbers:
        submitted, updated = sorted((draw(moments), draw(moments)))
        papers.append(eprint(number, submitted, updated=updated, version=draw(st.integers(1, 4))))
    return papers


known_papers = st.dictionaries(st.integers(1, 30).map("2611.{:05d}".format), st.integers(1, 4))


@given(windows(), known_papers, st.none() | moments)
def test_exactly_what_the_log_lacks_is_told(
    papers: list[Paper], known: dict[str, int], previous: datetime
) -> None:
    rows = diff(papers, known, previous, MONDAY)
    assert {r.paper for r in rows} == {p for p in papers if p.version > known.get(p.id, 0)}
    assert len({r.paper.id for r in rows}) == len(rows)
    for row in rows:
        assert (row.kind is Kind.REVISED) or row.paper.id not in known


@given(windows(), known_papers, st.none() | moments)
def test_the_order_of_the_window_does_not_matter(
    papers: list[Paper], known: dict[str, int], previous: datetime
) -> None:
    assert diff(papers, known, previous, MONDAY) == diff(papers[::-1], known, previous, MONDAY)


@given(windows(), known_papers, st.none() | moments)
def test_a_window_seen_again_brings_nothing(
    papers: list[Paper], known: dict[str, int], previous: datetime
) -> None:
    rows: tuple[Seen, ...] = diff(papers, known, previous, MONDAY)
    after = known | {row.paper.id: row.paper.version for row in rows}
    assert diff(papers, after, MONDAY, MONDAY + DAY) == ()
