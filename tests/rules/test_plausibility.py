"""The gate's comparison with a query's history, held against 15 recorded months and against answers
that are wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from digest.demo.papers import World, newest_first
from digest.model import Paper, Query
from digest.rules.diff import MODERATION_HOLD
from digest.rules.plan import OVERLAP
from digest.rules.plausibility import (
    UNDER_WATCH,
    Baseline,
    agree,
    compared_since,
    doubt,
    doubt_of_unmatched,
    is_baseline_reset,
    is_confirmed,
    may_answer,
    no_news,
)
from tests.world.replay import Day, recorded_days
from tests.world.shared import shared

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 5, 6, 30, tzinfo=UTC)
PART = 20
"""Rows: what the recorder took for an answer on its bad days has fewer, a whole window has 70 and
more."""


@cache
def days() -> list[Day]:
    return recorded_days(shared("arxiv/replay"))


class Books:
    """What the store would hold of one query: the log of the windows that were believed."""

    def __init__(self) -> None:
        self.log: dict[str, datetime] = {}
        self.good_at: datetime | None = None
        self.total: int | None = None

    def doubt(self, papers: Sequence[Paper], *, counted: bool = True) -> str:
        if self.good_at is None:
            return ""
        since = self.good_at - OVERLAP
        known = {name: at for name, at in self.log.items() if at >= since}
        return doubt(
            papers, Baseline(since, known, self.total), total=len(papers) if counted else None
        )

    def record(self, papers: Sequence[Paper], now: datetime) -> None:
        self.log |= {
            paper.id: max(paper.updated, self.log.get(paper.id, paper.updated)) for paper in papers
        }
        self.good_at, self.total = now, len(papers)


def judged(
    keep: Callable[[int], bool] = lambda _number: True,
    answer: Callable[[Day, str], Sequence[Paper]] | None = None,
    *,
    counted: bool = True,
) -> Iterator[tuple[Day, str, int, str]]:
    """Every window of the days that are kept, with its rows and the doubt; `answer` is judged in
    its place."""
    books: dict[str, Books] = {}
    for number, day in enumerate(days()):
        if not keep(number):
            continue
        for keyword, papers in day.windows.items():
            own = books.setdefault(keyword, Books())
            rows = papers if answer is None else answer(day, keyword)
            if own.good_at is not None:
                yield day, keyword, len(rows), own.doubt(rows, counted=counted)
            if not own.doubt(papers, counted=counted):
                own.record(papers, day.now)


def test_of_all_recorded_days_only_parts_of_answers_are_held_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    windows = list(judged())
    held = [(day.now, keyword, rows, why) for day, keyword, rows, why in windows if why]
    with capsys.disabled():
        print(
            f"\n{len(held)} of {3 * len(days())} recorded windows are held back,"
            " all of them parts of answers:"
        )
        for at, keyword, rows, why in held:
            print(f"  {at:%Y-%m-%d}  {keyword:22} {rows:3} rows  {why}")
    assert len(held) == 17
    assert all(rows < PART for _, _, rows, _ in held)
    assert all(why for _, _, rows, why in windows if rows < 9)


def test_without_arxivs_count_the_rows_tell_of_the_parts_too() -> None:
    """A keyword's share of a combined answer has no count of its own."""
    windows = list(judged(counted=False))
    held = [rows for _, _, rows, why in windows if why]
    assert len(held) >= 15
    assert max(held) < PART
    assert all(why for _, _, rows, why in windows if rows < 9)


@pytest.mark.parametrize("off", [3, 8, 31])
def test_after_days_off_only_parts_of_answers_are_held_back(off: int) -> None:
    for shift in range(0, off, max(1, off // 4)):
        for day, keyword, rows, why in judged(lambda number, shift=shift: number % off == shift):  # type: ignore[misc]
            assert not why or rows < PART, (day.now, keyword, rows, why)


def test_the_answer_for_another_keyword_is_held_back() -> None:
    names = list(days()[0].windows)

    def other(day: Day, keyword: str) -> Sequence[Paper]:
        return day.windows.get(names[names.index(keyword) - 1], ())

    found = Counter(bool(why) for _, _, rows, why in judged(answer=other) if rows >= PART)
    assert found[False] <= found[True] // 100, found


def test_the_newest_row_alone_is_held_back() -> None:
    found = Counter(
        bool(why) for _, _, _, why in judged(answer=lambda day, keyword: day.windows[keyword][:1])
    )
    assert found[False] == 0


def test_papers_of_years_ago_are_held_back() -> None:
    def aged(day: Day, keyword: str) -> Sequence[Paper]:
        return [
            replace(
                p,
                id=f"old-{p.id}",
                updated=p.updated - 900 * DAY,
                published=p.published - 900 * DAY,
            )
            for p in day.windows[keyword]
        ]

    found = Counter(bool(why) for _, _, _, why in judged(answer=aged))
    assert found[False] == 0


PAPERS = World(5).papers(200, NOW - 40 * DAY, NOW)
"""Five a day."""
SINCE = NOW - OVERLAP
HISTORY = Baseline(SINCE, {p.id: p.updated for p in PAPERS if p.updated >= SINCE}, 500)


def later(days_off: int, per_day: int = 5) -> tuple[Paper, ...]:
    """The same papers, and those of so many days more."""
    end = NOW + days_off * DAY
    return newest_first([*PAPERS, *World(6).papers(days_off * per_day, NOW, end)])


@pytest.mark.parametrize("days_off", [1, 7, 40, 400])
def test_any_number_of_days_off_fits(days_off: int) -> None:
    assert doubt(later(days_off), HISTORY, total=500 + 5 * days_off) == ""


def test_a_share_of_a_combined_answer_is_judged_without_a_total() -> None:
    window = [paper for paper in later(1) if paper.updated >= SINCE]
    assert doubt(window, replace(HISTORY, total=None)) == ""
    assert "where" in doubt(window[:5], replace(HISTORY, total=None))


def test_far_fewer_matches_than_before_are_doubted() -> None:
    assert doubt(PAPERS, HISTORY, total=125) == ""
    assert doubt(PAPERS, HISTORY, total=124) == "arXiv counts 124 matches, and counted 500 before"
    assert doubt((), Baseline(SINCE, {}, 4), total=0) == ""


def test_far_fewer_rows_than_papers_known_are_doubted() -> None:
    known = len(HISTORY.known)
    assert doubt(PAPERS[: known // 4 + 1], HISTORY, total=500) == ""
    assert doubt(PAPERS[: known // 4 - 1], HISTORY, total=500) == (
        f"{known // 4 - 1} rows came, where {known} papers are known of the same days"
    )
    assert doubt((), Baseline(SINCE, dict(list(HISTORY.known.items())[:2])), total=None) == ""


def test_known_papers_that_are_gone_are_doubted() -> None:
    known = sorted(HISTORY.known)
    gone = set(known[: len(known) // 2 - 3])
    assert doubt([p for p in PAPERS if p.id not in gone], HISTORY, total=500) == ""
    gone = set(known[: len(known) * 3 // 5 + 1])
    assert "that were there are gone" in doubt(
        [p for p in PAPERS if p.id not in gone], HISTORY, total=500
    )


def test_a_revision_is_not_gone() -> None:
    revised = [replace(p, version=2, updated=NOW + DAY) for p in PAPERS]
    assert doubt(newest_first(revised), HISTORY, total=500) == ""


def test_rows_of_days_long_known_that_nobody_saw_are_doubted() -> None:
    strangers = World(7).papers(600, NOW - 40 * DAY, NOW)
    assert "were never there before" in doubt(
        newest_first([*PAPERS, *strangers]), HISTORY, total=900
    )
    few = World(7).papers(40, NOW - 40 * DAY, NOW)
    assert doubt(newest_first([*PAPERS, *few]), HISTORY, total=540) == "", (
        "some were held by moderation"
    )
    behind = replace(HISTORY, older={paper.id for paper in strangers})
    assert doubt(newest_first([*PAPERS, *strangers]), behind, total=900) == "", (
        "another query has seen later versions of them already"
    )


def test_an_index_that_stood_still_and_goes_on_fits() -> None:
    """The newest paper known is a week old: what comes then may be as old."""
    still = Baseline(
        SINCE, {p.id: p.updated for p in PAPERS if SINCE <= p.updated < NOW - 7 * DAY}, 500
    )
    assert doubt(later(1), still, total=505) == ""


def test_windows_agree_where_three_in_four_of_the_smaller_ones_rows_are_in_both() -> None:
    ids = [paper.id for paper in PAPERS]
    assert agree(ids, PAPERS)
    assert agree(ids, PAPERS[:1])
    assert agree([*ids[:75], *map(str, range(25))], PAPERS[:100])
    assert not agree([*ids[:74], *map(str, range(26))], PAPERS[:100])
    assert not agree([], PAPERS)
    assert not agree(ids, ())


# Each boundary from both sides


def rows_at(*days_back: float, prefix: str = "2611.1") -> list[Paper]:
    """Papers whose versions are so many days old."""
    return [
        replace(PAPERS[0], id=f"{prefix}{n:04d}", published=NOW - d * DAY, updated=NOW - d * DAY)
        for n, d in enumerate(days_back)
    ]


def baseline(papers: Sequence[Paper], total: int | None = None) -> Baseline:
    return Baseline(SINCE, {p.id: p.updated for p in papers}, total)


@pytest.mark.parametrize(
    ("before", "total", "doubted"),
    [(4, 0, False), (5, 1, True), (5, 2, False), (8, 1, True), (8, 2, False), (None, 0, False)],
)
def test_a_quarter_of_the_matches_and_five_of_them_are_the_least(
    before: int | None, total: int, doubted: bool
) -> None:
    assert bool(doubt((), Baseline(SINCE, {}, before), total=total)) is doubted
    assert doubt((), Baseline(SINCE, {}, before)) == ""


@pytest.mark.parametrize(
    ("known", "came", "doubted"),
    [
        *((2, 0, False), (3, 0, True), (3, 1, True), (3, 2, False), (8, 3, True), (8, 4, False)),
        *((60, 29, True), (60, 30, False), (61, 15, True), (61, 16, False)),
    ],
)
def test_half_of_a_few_known_papers_and_a_quarter_of_many_are_the_least(
    known: int, came: int, doubted: bool
) -> None:
    there = rows_at(*[1.5] * known)
    assert ("came, where" in doubt(there[:came], baseline(there))) is doubted


def test_what_lies_outside_the_compared_days_does_not_count() -> None:
    edge, outside = OVERLAP / DAY, OVERLAP / DAY + 1e-3
    known = rows_at(*[1.5] * 4)
    assert "1 row came" in doubt([known[0], *rows_at(*[outside] * 9, prefix="9")], baseline(known))
    assert "came" not in doubt([known[0], *rows_at(edge, prefix="9")], baseline(known))
    assert doubt((), baseline(rows_at(*[outside] * 9))) == ""
    assert "no row came" in doubt((), baseline(rows_at(*[edge] * 9)))


@pytest.mark.parametrize(
    ("known", "there", "doubted"), [(4, 1, False), (5, 2, True), (6, 3, False), (7, 3, True)]
)
def test_half_of_the_known_papers_and_five_of_them_are_the_least(
    known: int, there: int, doubted: bool
) -> None:
    papers = rows_at(*[1.5] * known)
    window = [*papers[:there], *rows_at(*[0.5] * known, 6, prefix="9")]
    assert ("are gone" in doubt(window, baseline(papers))) is doubted


@pytest.mark.parametrize(("days_back", "doubted"), [(4.0, True), (4.001, False)])
def test_the_last_day_that_a_window_shows_need_not_be_all_there(
    days_back: float, doubted: bool
) -> None:
    known = rows_at(*[days_back] * 5)
    window = rows_at(*[1.5] * 5, 5.0, prefix="9")
    assert ("are gone" in doubt(window, baseline(known))) is doubted


@pytest.mark.parametrize(
    ("settled", "strange", "doubted"), [(7, 7, False), (8, 5, False), (8, 6, True), (9, 6, False)]
)
def test_two_in_three_rows_of_days_long_known_and_eight_of_them_are_the_least(
    settled: int, strange: int, doubted: bool
) -> None:
    known = rows_at(0.5, *[7.5] * (settled - strange), 7.9)
    window = [*known[:-1], *rows_at(*[7.0] * strange, prefix="9")]
    assert ("never there before" in doubt(window, baseline(known))) is doubted


@pytest.mark.parametrize(
    ("days_back", "doubted"), [(6.0, False), (6.001, True), (7.9, True), (7.901, False)]
)
def test_days_are_long_known_from_the_oldest_known_to_five_days_before_the_newest(
    days_back: float, doubted: bool
) -> None:
    known = rows_at(1.0, 7.9)
    window = [*known, *rows_at(*[days_back] * 8, prefix="9")]
    assert ("never there before" in doubt(window, baseline(known))) is doubted


@pytest.mark.parametrize(("common", "agreed"), [(2, False), (3, True)])
def test_windows_of_four_rows_agree_in_three(common: int, agreed: bool) -> None:
    papers = rows_at(*range(4))
    earlier = [paper.id for paper in papers[:common]] + ["x"] * 1 + [f"y{n}" for n in range(9)]
    assert agree(earlier, papers) is agreed


# Whether a window is the answer for its query, and what a reset baseline lets in


def asked_at(good: datetime | None = NOW, **values: Any) -> Query:
    return Query(1, "(all:a)", good, None, 0, "", 5.0, **values)


def matching(*ids: str) -> Callable[[Sequence[Paper]], set[str]]:
    return lambda papers: {paper.id for paper in papers if paper.id in ids}


def numbered(count: int, prefix: str = "2611.1") -> list[Paper]:
    return rows_at(*[1.5] * count, prefix=prefix)


def test_a_window_is_compared_from_eight_days_before_the_last_good_one() -> None:
    assert compared_since(asked_at(None)) is None
    assert compared_since(asked_at()) == NOW - OVERLAP
    later, earlier = NOW - DAY, NOW - OVERLAP - DAY
    assert compared_since(asked_at(judged_since=later)) == later
    assert compared_since(asked_at(judged_since=earlier)) == NOW - OVERLAP


@pytest.mark.parametrize(
    ("fresh", "matched", "doubted"),
    [(19, 0, False), (20, 9, True), (20, 10, False), (21, 10, True), (21, 11, False)],
)
def test_half_of_twenty_fresh_papers_must_match(fresh: int, matched: int, doubted: bool) -> None:
    papers, known = numbered(fresh), numbered(4, "9")
    ids = [paper.id for paper in (*papers[:matched], *known)]
    why = doubt_of_unmatched([*papers, *known], baseline(known), matching(*ids), lambda: known)
    assert ("do not match the query" in why) is doubted
    if doubted:
        assert why.startswith(f"{fresh - matched} of {fresh} papers")


def test_only_papers_of_the_compared_days_that_nobody_knew_are_fresh() -> None:
    known, early = numbered(30), rows_at(*[OVERLAP / DAY + 1] * 30, prefix="9")
    assert doubt_of_unmatched([*known, *early], baseline(known), matching(), lambda: known) == ""


@pytest.mark.parametrize(
    ("known", "matched", "doubted"), [(0, 0, False), (4, 1, False), (4, 2, True)]
)
def test_where_the_records_do_not_match_either_nothing_is_proved(
    known: int, matched: int, doubted: bool
) -> None:
    recorded = numbered(known, "9")
    match = matching(*[paper.id for paper in recorded[:matched]])
    why = doubt_of_unmatched(numbered(20), baseline(recorded), match, lambda: recorded)
    assert bool(why) is doubted


@pytest.mark.parametrize(
    ("begun", "same", "confirmed"),
    [
        (None, True, False),
        (UNDER_WATCH - timedelta(seconds=1), True, False),
        (UNDER_WATCH, True, True),
        (UNDER_WATCH, False, False),
    ],
)
def test_a_spell_of_six_hours_and_two_windows_that_agree_confirm(
    begun: timedelta | None, same: bool, confirmed: bool
) -> None:
    assert timedelta(hours=6) == UNDER_WATCH
    query = asked_at(quarantined_since=None if begun is None else NOW - begun)
    papers = numbered(4)
    earlier = [paper.id for paper in papers] if same else ["another"]
    assert is_confirmed(query, earlier, papers, NOW) is confirmed


@pytest.mark.parametrize(
    ("known", "there", "matched", "may"),
    [(4, 3, 0, True), (4, 2, 0, False), (4, 0, 2, True), (4, 0, 1, False), (0, 0, 2, True)],
)
def test_most_of_the_known_or_half_of_the_rows_tell_whose_answer_it_is(
    known: int, there: int, matched: int, may: bool
) -> None:
    papers = numbered(4)
    ids = [paper.id for paper in papers]
    known_ids = ids[:there] + [f"gone{n}" for n in range(known - there)]
    assert may_answer(papers, known_ids, matching(*ids[:matched])) is may


def test_a_persons_word_resets_the_baseline_until_a_window_is_good() -> None:
    assert not is_baseline_reset(asked_at())
    assert not is_baseline_reset(asked_at(None, judged_since=NOW))
    assert not is_baseline_reset(asked_at(judged_since=NOW))
    assert is_baseline_reset(asked_at(judged_since=NOW + timedelta(seconds=1)))


def test_old_papers_that_do_not_match_are_no_news() -> None:
    border = MODERATION_HOLD / DAY
    young, old, held = rows_at(border, border + 0.001, border + 0.001)
    papers = [young, old, held]
    assert no_news(asked_at(), papers, matching(held.id)) == {old.id}
    assert no_news(asked_at(None), papers, matching()) == frozenset()
