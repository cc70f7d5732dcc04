"""Why a paper came or did not: each rule's word, from both sides of its boundary."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from digest.keywords.grammar import parse
from digest.keywords.tokens import Term
from digest.model import Kind, Revisions, State
from digest.rules.verdict import (
    LedgerEntry,
    LogRow,
    PaperName,
    Part,
    Wishes,
    delivery_words,
    judge_row,
    row_words,
    why_not_matched,
)
from tests.world.worlds import DAY, HOUR, MONDAY, eprint

SECOND = timedelta(seconds=1)
BERLIN = "Europe/Berlin"
ROW = LogRow("alpha", 5, 1, Kind.NEW, MONDAY, MONDAY - DAY)
REVISED = replace(ROW, version=3, kind=Kind.REVISED)
PART = Part("alpha", "Alpha", 4, None, None, None)
WISHES = Wishes(Revisions.ALL, 50)


def judged(
    row: LogRow = ROW, part: Part | None = PART, *, skipped: bool = False, **wishes: Any
) -> str:
    return judge_row(row, part, replace(WISHES, **wishes), "UTC", skipped=skipped).code


@pytest.mark.parametrize(
    ("kind", "had", "code"),
    [
        (Kind.REVISED, None, "due"),
        (Kind.REVISED, 2, "due"),
        (Kind.REVISED, 3, "had"),
        (Kind.REVISED, 4, "had"),
        # what came as new once is not new a second time, whatever its version
        (Kind.NEW, 2, "had"),
        (Kind.LATE, 2, "had"),
        (Kind.OLD, 3, "too_old"),
    ],
)
def test_what_a_digest_carried_is_not_due_again(kind: Kind, had: int | None, code: str) -> None:
    assert judged(replace(REVISED, kind=kind), had_version=had) == code


@pytest.mark.parametrize(
    ("had", "withdrawn", "code"),
    [
        (1, 3, "due"),
        (1, 2, "due"),
        # withdrawn with a later version than this row's, or with the one that was mailed
        (1, 4, "revision_not_wanted"),
        (2, 2, "revision_not_wanted"),
        (1, 0, "revision_not_wanted"),
        (None, 3, "revision_not_wanted"),
    ],
)
def test_the_withdrawal_of_a_mailed_paper_is_due_whatever_the_reader_wants(
    had: int | None, withdrawn: int, code: str
) -> None:
    wishes: dict[str, Any] = {
        "had_version": had,
        "withdrawn": withdrawn,
        "revisions": Revisions.NONE,
    }
    assert judged(REVISED, **wishes) == code


@pytest.mark.parametrize(
    ("recorded_at", "previous_good_at", "words"),
    [
        (MONDAY, MONDAY - DAY, "it was too old to be mailed when it was first seen"),
        (None, MONDAY - DAY, "it was history when it was first seen"),
        (MONDAY, None, "it was history when it was first seen"),
    ],
)
def test_what_was_too_old_is_told_from_what_a_page_or_a_first_window_showed(
    recorded_at: datetime | None, previous_good_at: datetime | None, words: str
) -> None:
    row = LogRow("alpha", 5, 1, Kind.OLD, recorded_at, previous_good_at)
    verdict = judge_row(row, PART, WISHES, "UTC", skipped=False)
    assert verdict.code == "too_old"
    assert verdict.text.startswith(words)


@pytest.mark.parametrize(
    ("start", "until", "skipped", "code"),
    [
        (4, None, False, "due"),
        (5, None, False, "before_start"),
        (5, None, True, "let_go"),
        (4, None, True, "due"),
        (4, 5, False, "due"),
        (3, 4, False, "keyword_edited"),
        (None, None, False, "not_placed"),
        (4, 0, False, "keyword_removed"),
        (None, 0, False, "keyword_removed"),
    ],
)
def test_a_row_is_due_within_the_readers_part_of_the_log(
    start: int | None, until: int | None, skipped: bool, code: str
) -> None:
    part = replace(PART, start=start, until=until)
    assert judged(part=part, skipped=skipped) == code


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (replace(PART, until=0, ended_at=MONDAY), "taken away on Mon 2026-11-09 08:00"),
        (replace(PART, until=0), "the keyword was taken away"),
        (replace(PART, until=4, ended_at=MONDAY), "another query on Mon 2026-11-09 08:00, before"),
        (replace(PART, until=4), "another query, before"),
        (
            replace(PART, start=5, begins_after=MONDAY),
            "log, which begins after Mon 2026-11-09 08:00 (a new",
        ),
        (replace(PART, start=5), "log (a new keyword"),
    ],
)
def test_a_part_of_the_log_is_told_with_its_moments_where_they_are_known(
    part: Part, words: str
) -> None:
    verdict = judge_row(ROW, part, WISHES, BERLIN, skipped=False)
    assert f"{words} " in f"{verdict.text} "


def test_a_paper_is_named_with_its_version_where_one_was_named() -> None:
    assert str(PaperName("2503.14895")) == "2503.14895"
    assert str(PaperName("2503.14895", 2)) == "2503.14895v2"


def test_without_a_part_of_the_log_nothing_is_due_yet() -> None:
    assert judged(part=None) == "not_placed"


@pytest.mark.parametrize(
    ("accepted", "had", "code"),
    [
        ({3}, 2, "due"),
        ({2}, 1, "due"),
        ({1}, None, "due"),
        ({2}, 2, "revision_not_wanted"),
        ({4}, 2, "revision_not_wanted"),
        ((), None, "revision_not_wanted"),
    ],
)
def test_an_acceptance_counts_from_the_version_after_the_mailed_one_up_to_this_one(
    accepted: set[int], had: int | None, code: str
) -> None:
    wishes: dict[str, Any] = {"accepted": frozenset(accepted), "had_version": had}
    assert judged(REVISED, revisions=Revisions.PUBLISHED, **wishes) == code


def test_only_revisions_are_a_matter_of_wishes_and_an_exclusion_is_for_all() -> None:
    assert judged(ROW, revisions=Revisions.NONE) == "due"
    assert judged(ROW, revisions=Revisions.PUBLISHED) == "due"
    assert judged(REVISED, revisions=Revisions.NONE) == "revision_not_wanted"
    assert judged(ROW, unwanted="it is excluded by cat:cs.RO") == "excluded"
    assert judged(REVISED, unwanted="it is excluded by cat:cs.RO") == "excluded"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        # Sunday evening's announcement alone lies between the two windows
        (ROW, "v1 recorded Mon 2026-11-09 08:00 as new, announced Sun 2026-11-08"),
        (
            replace(ROW, recorded_at=MONDAY + DAY),
            "v1 recorded Tue 2026-11-10 08:00 as new, announced Sun 2026-11-08 to Mon 2026-11-09",
        ),
        (
            replace(ROW, previous_good_at=MONDAY - HOUR / 4),
            "v1 recorded Mon 2026-11-09 08:00 as new",
        ),
        (replace(ROW, previous_good_at=None), "v1 recorded Mon 2026-11-09 08:00 as new"),
        (replace(ROW, recorded_at=None), "v1 recorded more than a year ago as new"),
    ],
)
def test_a_row_is_told_with_the_announcements_between_two_windows(row: LogRow, words: str) -> None:
    assert row_words(row, eprint(1), BERLIN) == words


@pytest.mark.parametrize(
    ("recorded_at", "previous_good_at", "line"),
    [
        (MONDAY, MONDAY - DAY, MONDAY - 46 * DAY),
        (MONDAY, None, MONDAY - 45 * DAY),
    ],
)
def test_an_old_row_is_told_with_the_line_behind_which_it_lies(
    recorded_at: datetime | None, previous_good_at: datetime | None, line: datetime
) -> None:
    row = LogRow("alpha", 5, 1, Kind.OLD, recorded_at, previous_good_at)
    behind = row_words(row, eprint(1, line - SECOND), BERLIN)
    assert f"; the line was {line:%Y-%m-%d}, 45 days before" in behind
    at_the_line = row_words(row, eprint(1, line), BERLIN)
    assert f" as too old to be mailed (last updated {line:%Y-%m-%d})" in at_the_line


def test_an_old_row_without_a_time_came_from_a_page_or_long_ago() -> None:
    row = LogRow("alpha", 5, 1, Kind.OLD, None, None)
    words = row_words(row, eprint(1, datetime(2026, 9, 1, tzinfo=UTC)), BERLIN)
    assert words == (
        "v1 recorded from a page, or more than a year ago as too old to be mailed"
        " (last updated 2026-09-01)"
    )


ENTRY = LedgerEntry(
    1, MONDAY, MONDAY, 0, "Papers", 3, State.QUEUED, 0, MONDAY + HOUR, MONDAY + 2 * HOUR, ""
)
FIRST, NEXT, END = "Mon 2026-11-09 08:00", "Mon 2026-11-09 09:00", "Mon 2026-11-09 10:00"


@pytest.mark.parametrize(
    ("state", "attempts", "words"),
    [
        (State.QUEUED, 0, f"waits in the outbox since {FIRST}, next try from {NEXT} on"),
        (State.SENT, 0, f"sent {END}"),
        (State.SENT, 1, f"sent {END}, attempt 1"),
        (State.SENT, 2, f"sent {END}, attempt 2"),
        (State.DEFERRED, 2, f"deferred, attempt 2, next try at {NEXT}"),
        (State.FAILED, 1, f"refused for good {END}, attempt 1; its papers are due again"),
        (State.UNKNOWN, 1, f"maybe delivered, attempt 1, next try at {NEXT}"),
        (State.DROPPED, 1, f"dropped {END}; its papers count as had"),
    ],
)
def test_how_far_a_delivery_came_is_told_in_words(state: State, attempts: int, words: str) -> None:
    entry = replace(ENTRY, state=state, attempts=attempts)
    assert delivery_words(entry, BERLIN) == words
    assert delivery_words(replace(entry, reply="250 ok"), BERLIN) == f"{words}: 250 ok"


def test_a_delivery_that_has_not_ended_is_told_without_an_end() -> None:
    assert delivery_words(replace(ENTRY, ended_at=None, state=State.LEASED), BERLIN) == (
        "is being sent"
    )


def test_a_delivery_that_is_held_waits_for_a_person() -> None:
    held = replace(ENTRY, state=State.UNKNOWN, attempts=1)
    assert delivery_words(held, BERLIN, hold_unknown=True) == (
        "maybe delivered, attempt 1, waits for you: 'digest outbox list'"
    )


@pytest.mark.parametrize(
    ("query", "failed"),
    [
        ("ti:a", []),
        ("ti:b", ["ti:b"]),
        ("ti:a AND ti:b", ["ti:b"]),
        ("ti:c AND ti:b", ["ti:c", "ti:b"]),
        ("ti:a OR ti:b", []),
        ("ti:b OR ti:a", []),
        ("ti:b OR ti:c", ["ti:b", "ti:c"]),
        # what stands after ANDNOT is named where it is there, and only where the rest holds
        ("ti:a ANDNOT ti:b", []),
        ("ti:a ANDNOT ti:d", ["ti:d"]),
        ("ti:b ANDNOT ti:d", ["ti:b"]),
        ("ti:a ANDNOT (ti:b OR ti:d)", ["ti:d"]),
        ("ti:a ANDNOT (ti:d AND ti:a)", ["ti:d", "ti:a"]),
        ("ti:a ANDNOT (ti:d ANDNOT ti:b)", ["ti:d"]),
        ("ti:a ANDNOT (ti:d ANDNOT (ti:a AND ti:b))", ["ti:d"]),
    ],
)
def test_the_terms_that_keep_a_paper_from_matching_are_named(query: str, failed: list[str]) -> None:
    def holds(term: Term) -> bool:
        return term.text in {"a", "d"}

    assert [one.term for one in why_not_matched(parse(query), holds)] == failed


def test_a_missing_term_is_named_with_its_place() -> None:
    missing = why_not_matched(parse("ti:b OR all:b"), lambda _: False)
    assert [one.words for one in missing] == [
        "b is not in the title",
        "b is nowhere in title, abstract, comment, journal reference, authors and categories",
    ]
    (present,) = why_not_matched(parse("ti:a ANDNOT ti:b"), lambda _: True)
    assert present.words == "b is in the title, after ANDNOT"
