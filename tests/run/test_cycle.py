"""The cycle as a whole: each invariant, with real parts around an arXiv and a relay whose answers
are set."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from digest.errors import ConfigError, Exit, ThrottledError, UnreachableError
from digest.model import Digest, Outcome, Query, Receipt, Revisions, State, Subscriber, Weekly
from digest.rules.calendar import quiet_night
from digest.rules.plan import DEEP, FIRST_PAGE, OVERLAP, depth, is_due, page_size
from digest.run import compose as composing
from digest.run.fetch import why_not_due
from digest.times import to_text
from tests.world.worlds import (
    DAY,
    HOUR,
    MONDAY,
    World,
    bad_answer,
    days,
    eprint,
    keyword,
    numbers,
    reader,
    text,
)

ADA, BOB = "ada@example.org", "bob@example.org"
MINUTE = timedelta(minutes=1)
REFUSED = Receipt(Outcome.FAILED, "550 no such user", bounce=True)
LATER = Receipt(Outcome.DEFERRED, "450 later")
NO_ANSWER = Receipt(Outcome.UNKNOWN, "no answer")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "digest.db")
    yield world
    world.close()


def undated(subject: str) -> str:
    """A subject without the day at its end."""
    return re.sub(r" \(\d+ \w{3}\)$", "", subject)


async def settle_in(world: World, *readers: Subscriber) -> None:
    """Let these readers have their first digest: paper 1, on Monday."""
    world.readers = list(readers)
    for name in {k.name for r in readers for k in r.keywords}:
        world.arxiv.announce(name, eprint(1))
    await world.cycle(MONDAY)
    world.relay.taken.clear()
    world.relay.tried.clear()
    world.arxiv.asked.clear()


# -- the promise: each paper once


async def test_a_paper_reaches_each_reader_once(world: World) -> None:
    world.readers = [reader(ADA, "Alpha"), reader(BOB, "Alpha", "Beta")]
    world.arxiv.announce("Alpha", eprint(1), eprint(2))
    world.arxiv.announce("Beta", eprint(2), eprint(3))
    summary = await world.cycle()
    assert (summary.composed, summary.outcomes[Outcome.SENT], summary.exit_code) == (
        2,
        2,
        Exit.DONE,
    )
    assert [sorted(n) for n in world.titles(ADA)] == [[1, 2]]
    assert [sorted(n) for n in world.titles(BOB)] == [[1, 2, 3]]
    for moment in days(MONDAY, 4):
        await world.cycle(moment)
    assert len(world.relay.taken) == 2


async def test_a_paper_of_two_keywords_comes_with_both_names(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha", "Beta"))
    for name in ("Alpha", "Beta"):
        world.arxiv.announce(name, eprint(2, MONDAY))
    await world.cycle(MONDAY + DAY)
    (message,) = world.mails(ADA)
    assert numbers(message) == [2]
    assert "Alpha, Beta" in text(message)


async def test_a_keyword_added_or_edited_later_repeats_no_paper(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha"))
    world.readers = [reader(ADA, "Alpha", "Beta")]
    world.arxiv.announce("Beta", eprint(1), eprint(2))
    await world.cycle(MONDAY + DAY)
    world.readers = [Subscriber(ADA, (keyword("Alpha", "all:gamma"), keyword("Beta")))]
    world.arxiv.announce("Gamma", eprint(1), eprint(2), eprint(3))
    await world.cycle(MONDAY + 2 * DAY)
    assert world.titles(ADA) == [[2], [3]]


@pytest.mark.parametrize("papers", [2, 3])
async def test_after_a_pause_the_most_recent_max_papers_come_and_the_others_are_counted(
    world: World, papers: int
) -> None:
    ada = reader(ADA, "Alpha", max_papers=2)
    await settle_in(world, ada)
    world.readers = [replace(ada, paused_until=(MONDAY + 2 * DAY).date())]
    world.arxiv.announce("Alpha", *(eprint(n, MONDAY) for n in range(2, 2 + papers)))
    await world.cycle(MONDAY + DAY)
    assert world.mails(ADA) == []
    await world.cycle(MONDAY + 2 * DAY)
    (message,) = world.mails(ADA)
    assert len(numbers(message)) == 2
    assert ("1 older paper" in text(message)) is (papers == 3), text(message)


async def test_two_names_with_one_query_are_asked_for_once(world: World) -> None:
    world.readers = [
        Subscriber(ADA, (keyword("One", "all:alpha"),)),
        Subscriber(BOB, (keyword("Two", "all:alpha"),)),
    ]
    world.arxiv.announce("Alpha", eprint(1))
    summary = await world.cycle()
    assert [query for query, _ in world.arxiv.asked] == ["all:alpha"]
    assert [k.keyword for k in summary.keywords] == ["One"]
    assert world.titles(ADA) == world.titles(BOB) == [[1]]


async def test_revisions_come_in_a_section_of_their_own_and_only_where_asked_for(
    world: World,
) -> None:
    await settle_in(world, reader(ADA, "Alpha", revisions=Revisions.ALL), reader(BOB, "Alpha"))
    world.arxiv.announce("Alpha", eprint(1, version=2, updated=MONDAY))
    summary = await world.cycle(MONDAY + DAY)
    assert [(k.new, k.revised) for k in summary.keywords] == [(0, 1)]
    assert "New versions" in text(world.mails(ADA)[0])
    assert world.mails(BOB) == []


async def test_a_paper_of_long_ago_that_the_window_reaches_is_never_mailed(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha"))
    world.arxiv.announce("Alpha", eprint(2, MONDAY - 46 * DAY), eprint(3, MONDAY - 40 * DAY))
    summary = await world.cycle(MONDAY + DAY)
    assert world.titles(ADA) == [[3]]
    assert [(k.new, k.late) for k in summary.keywords] == [(0, 1)]


async def test_a_papers_date_never_keeps_it_from_its_reader(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha"))
    world.arxiv.announce(
        "Alpha", eprint(2, MONDAY - 22 * DAY), eprint(3, MONDAY - 2 * DAY), eprint(4, MONDAY + HOUR)
    )
    await world.cycle(MONDAY + DAY)
    assert sorted(world.titles(ADA)[0]) == [2, 3, 4]


# -- bad answers


async def test_a_bad_answer_is_never_taken_for_nothing(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha"))
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    world.arxiv.fail("Alpha", bad_answer("half a feed"))
    summary = await world.cycle(MONDAY + DAY)
    assert summary.exit_code == Exit.GIVEN_UP
    assert [(k.status, k.why) for k in summary.keywords] == [("failed", "half a feed")]
    assert world.value("SELECT COUNT(*) FROM seen") == 1
    assert world.value("SELECT verdict FROM answer") == "half a feed"
    assert world.mails(ADA) == []
    await world.cycle(MONDAY + DAY + HOUR)
    assert world.titles(ADA) == [[2]]


async def test_a_failed_query_is_asked_again_later_and_later(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha"))
    moment = MONDAY + DAY
    waits = []
    for _ in range(8):
        world.arxiv.fail("Alpha", bad_answer())
        assert (await world.cycle(moment)).exit_code == Exit.GIVEN_UP
        asked = len(world.arxiv.asked)
        (query,) = world.store.windows.queries(["all:alpha"])
        assert query.next_fetch_at is not None
        waits.append(query.next_fetch_at - moment)
        summary = await world.cycle(query.next_fetch_at - MINUTE)
        assert len(world.arxiv.asked) == asked
        assert summary.exit_code == Exit.DONE
        assert "asked again at" in summary.keywords[0].why
        moment = query.next_fetch_at
    assert waits == sorted(waits)
    assert waits[0] == 15 * MINUTE
    assert waits[-1] == waits[-2] == 6 * HOUR


async def test_arxivs_wish_to_be_left_alone_is_granted(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha"))
    for error, wait in (
        (bad_answer("slow down", cls=ThrottledError), HOUR),
        (bad_answer("slow down", cls=ThrottledError, retry_after=5 * HOUR), 5 * HOUR),
    ):
        world.arxiv.fail("Alpha", error)
        world.now += DAY
        await world.cycle()
        (query,) = world.store.windows.queries(["all:alpha"])
        assert query.next_fetch_at == world.now + wait


async def test_one_keywords_failure_stops_no_other(world: World) -> None:
    world.readers = [reader(ADA, "Alpha", "Beta")]
    world.arxiv.announce("Beta", eprint(2))
    world.arxiv.fail("Alpha", bad_answer())
    summary = await world.cycle()
    assert [k.status for k in summary.keywords] == ["failed", "ok"]
    assert summary.exit_code == Exit.GIVEN_UP
    assert world.titles(ADA) == [[2]]


async def test_a_mistake_of_the_program_in_one_answer_stops_no_other(world: World) -> None:
    world.readers = [reader(ADA, "Alpha", "Beta")]
    world.arxiv.announce("Beta", eprint(2))
    world.arxiv.fail("Alpha", ZeroDivisionError("oops"))  # type: ignore[arg-type]
    summary = await world.cycle()
    assert [k.status for k in summary.keywords] == ["failed", "ok"]
    assert world.titles(ADA) == [[2]]


async def test_without_a_network_the_run_is_to_be_repeated_and_asks_little(world: World) -> None:
    world.readers = [reader(ADA, "Alpha", "Beta", "Gamma")]
    for name in ("Alpha", "Beta", "Gamma"):
        world.arxiv.fail(name, bad_answer("no route", cls=UnreachableError))
    summary = await world.cycle()
    assert summary.exit_code == Exit.TRY_LATER
    assert summary.trouble.startswith("arXiv could not be reached")
    assert all("no route" in record.why for record in summary.keywords)
    assert [options.get("attempts", 4) for _, options in world.arxiv.asked] == [4, 1, 1]
    run = world.store.runs.latest()
    assert run is not None
    assert run.trouble == summary.trouble


async def test_an_answer_that_came_makes_the_others_failures_their_own(world: World) -> None:
    world.readers = [reader(ADA, "Alpha", "Beta")]
    world.arxiv.announce("Alpha", eprint(1))
    world.arxiv.fail("Beta", bad_answer("no route", cls=UnreachableError))
    assert (await world.cycle()).exit_code == Exit.GIVEN_UP


# -- when a query is due, and how it is asked


def query(last_good: datetime | None, **changes: object) -> Query:
    fields = {"next_fetch_at": None, "failures": 0, "trouble": "", "rows_per_day": 10.0} | changes
    return Query(id=1, text="all:alpha", last_good_at=last_good, **fields)  # type: ignore[arg-type]


SERVED = datetime(2026, 11, 10, 6, 15, tzinfo=UTC)
"""Monday evening's announcement, at 01:15 in New York on Tuesday."""


@pytest.mark.parametrize(
    ("last_good", "now", "due"),
    [
        (SERVED + 4 * DAY, SERVED + 5 * DAY, True),
        (None, SERVED, True),
        (SERVED - HOUR, SERVED - MINUTE, False),
        (SERVED - HOUR, SERVED, True),
        (SERVED, SERVED + MINUTE, False),
        (SERVED + MINUTE, SERVED + 23 * HOUR, False),
        (SERVED + 4 * DAY, SERVED + 5 * DAY - MINUTE, False),  # Saturday to Sunday
        (SERVED + 4 * DAY, SERVED + 5 * DAY + MINUTE, True),
    ],
)
def test_a_query_is_due_after_an_announcement_or_a_day(
    last_good: datetime | None, now: datetime, due: bool
) -> None:
    assert is_due(query(last_good), now) is due


@pytest.mark.parametrize(("minutes", "due"), [(-1, False), (0, True)])
def test_after_a_failure_the_stored_wait_comes_first(minutes: int, due: bool) -> None:
    failed = query(SERVED - 3 * DAY, next_fetch_at=SERVED, failures=1, trouble="cut off")
    now = SERVED + minutes * MINUTE
    assert is_due(failed, now) is due
    assert "asked again at 2026-11-10 06:15 UTC: cut off" in why_not_due(failed, now)


def test_a_window_reaches_8_days_back_and_deeper_on_the_first_and_on_quiet_nights() -> None:
    assert (OVERLAP, DEEP) == (8 * DAY, 38 * DAY)
    sunday = SERVED - 2 * DAY
    assert depth(query(SERVED - DAY, deep_at=sunday), SERVED) == SERVED - 9 * DAY
    assert depth(query(None), SERVED) == SERVED - 38 * DAY
    saturday = SERVED + 4 * DAY
    assert depth(query(saturday - DAY, deep_at=sunday), saturday) == sunday - 38 * DAY
    assert depth(query(SERVED - 50 * DAY, deep_at=SERVED - DAY), SERVED) == SERVED - 58 * DAY


def test_a_deep_window_that_fell_out_is_made_up_for_at_once() -> None:
    """What was announced since the deep window before may stand weeks below what the last good one
    reached."""
    sunday = SERVED - 16 * DAY
    assert depth(query(SERVED - 14 * DAY, deep_at=sunday), SERVED) == sunday - 38 * DAY
    assert depth(query(SERVED - DAY, deep_at=None), SERVED) == SERVED - 38 * DAY


def test_a_page_holds_what_is_expected_within_arxivs_bounds() -> None:
    since = SERVED - 10 * DAY
    assert page_size([query(None, rows_per_day=None)], since, SERVED) == FIRST_PAGE
    assert page_size([query(since, rows_per_day=0.1)], since, SERVED) == 50
    assert page_size([query(since, rows_per_day=20.0)], since, SERVED) == 250
    assert page_size([query(since, rows_per_day=900.0)], since, SERVED) == 2000


async def test_nothing_due_asks_nobody_and_writes_down_why(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha"))
    summary = await world.cycle(MONDAY + HOUR)
    assert world.arxiv.asked == []
    assert [(k.status, k.requests) for k in summary.keywords] == [("skipped", 0)]
    assert "no announcement since the last fetch" in summary.keywords[0].why
    assert summary.exit_code == Exit.DONE


async def test_a_forced_fetch_asks_for_what_is_not_due(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha"))
    await world.cycle(MONDAY + HOUR, fetch_all=True)
    assert len(world.arxiv.asked) == 1


async def test_a_keyword_without_readers_is_fetched_and_recorded_for_the_page(world: World) -> None:
    world.keywords = [keyword("Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    summary = await world.cycle()
    assert [(k.keyword, k.new) for k in summary.keywords] == [("Alpha", 1)]
    assert summary.composed == 0


# -- why nothing came


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (datetime(2026, 11, 14, 7, tzinfo=UTC), "weekend"),
        (datetime(2026, 11, 27, 7, tzinfo=UTC), "holiday: Thanksgiving"),
        (datetime(2026, 11, 11, 7, tzinfo=UTC), "no match"),
    ],
)
async def test_each_runs_record_says_why_nothing_came(
    world: World, now: datetime, why: str
) -> None:
    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1, now - 3 * DAY))
    await world.cycle(now - DAY)
    await world.cycle(now)
    run = world.store.runs.latest()
    assert run is not None
    (record,) = run.keywords
    assert (record.status, record.new) == ("ok", 0)
    assert record.why.startswith(why)
    assert run.finished is not None


async def test_papers_that_are_too_old_are_not_said_to_have_been_seen(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha"))
    world.arxiv.announce("Alpha", eprint(2, MONDAY - 90 * DAY))
    summary = await world.cycle(MONDAY + DAY)
    assert (
        summary.keywords[0].why
        == "no match that is new: 2 papers in the window, 1 not seen before but too old"
    )


async def test_an_index_that_stands_still_is_told_from_a_quiet_day(world: World) -> None:
    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.announce("Alpha", *(eprint(n, MONDAY - 6 * n * HOUR) for n in range(1, 160)))
    for moment in days(MONDAY, 8):
        summary = await world.cycle(moment)
    assert summary.keywords[0].why.startswith("stale index")


async def test_a_failed_fetch_stands_in_the_runs_record(world: World) -> None:
    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.fail("Alpha", bad_answer("half a feed"))
    await world.cycle()
    run = world.store.runs.latest()
    assert run is not None
    assert [(k.status, k.why) for k in run.keywords] == [("failed", "half a feed")]


# -- delivery


async def test_a_refused_recipient_stops_no_other(world: World) -> None:
    world.relay.answers[ADA] = [REFUSED]
    world.readers = [reader(ADA, "Alpha"), reader(BOB, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    summary = await world.cycle()
    assert [m.recipient for m in world.relay.tried] == [ADA, BOB]
    assert world.titles(BOB) == [[1]]
    assert summary.exit_code == Exit.GIVEN_UP
    assert summary.given_up == (f"{ADA}: 550 no such user",)
    assert (summary.outcomes[Outcome.FAILED], summary.outcomes[Outcome.SENT]) == (1, 1)


@pytest.mark.parametrize("before", [True, False])
async def test_a_message_that_breaks_the_program_stops_no_other(world: World, before: bool) -> None:
    world.relay.before = before
    world.relay.answers[ADA] = [ZeroDivisionError("oops")]
    world.readers = [reader(ADA, "Alpha"), reader(BOB, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    await world.cycle()
    assert world.titles(BOB) == [[1]] or before
    (entry,) = [e for e in world.store.outbox.entries() if e.address == ADA]
    assert entry.state == (State.DEFERRED if before else State.UNKNOWN)
    assert "ZeroDivisionError" in entry.reply


async def test_a_refused_login_leaves_all_mail_in_the_outbox(world: World) -> None:
    world.relay.answers[ADA] = [Receipt(Outcome.RELAY, "535 wrong password", permanent=True)]
    world.readers = [reader(ADA, "Alpha"), reader(BOB, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    summary = await world.cycle()
    assert summary.exit_code == Exit.CONFIG
    assert "535 wrong password" in summary.trouble
    assert len(world.relay.tried) == 1
    await world.cycle(MONDAY + HOUR)
    assert world.titles(ADA) == world.titles(BOB) == [[1]]


async def test_deferred_mail_is_tried_again_and_the_run_was_none_the_worse(world: World) -> None:
    world.relay.answers[ADA] = [LATER, LATER]
    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    assert (await world.cycle()).exit_code == Exit.DONE
    await world.cycle(MONDAY + 2 * MINUTE)
    assert len(world.relay.tried) == 1
    await world.cycle(MONDAY + 15 * MINUTE)
    await world.cycle(MONDAY + HOUR)
    assert world.titles(ADA) == [[1]]
    assert len({m.message_id for m in world.relay.tried}) == 1


async def test_maybe_delivered_mail_is_never_sent_again_under_hold(world: World) -> None:
    world.hold = True
    world.relay.answers[ADA] = [NO_ANSWER]
    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    summary = await world.cycle()
    assert (summary.outcomes[Outcome.UNKNOWN], summary.exit_code) == (1, Exit.DONE)
    for moment in days(MONDAY + DAY, 10):
        await world.cycle(moment)
    assert len(world.relay.tried) == 1
    assert [e.state for e in world.store.outbox.entries()] == [State.UNKNOWN]


async def test_maybe_delivered_mail_is_sent_again_after_half_an_hour_under_retry(
    world: World,
) -> None:
    world.relay.answers[ADA] = [NO_ANSWER]
    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    await world.cycle()
    await world.cycle(MONDAY + 29 * MINUTE)
    assert len(world.relay.tried) == 1
    await world.cycle(MONDAY + 30 * MINUTE)
    first, second = world.relay.tried
    assert first.data == second.data
    assert first.message_id == second.message_id


async def test_maybe_delivered_mail_does_not_keep_newer_papers_waiting(world: World) -> None:
    world.hold = True
    await settle_in(world, reader(ADA, "Alpha"))
    world.relay.answers[ADA] = [NO_ANSWER]
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    await world.cycle(MONDAY + DAY)
    world.arxiv.announce("Alpha", eprint(3, MONDAY + DAY))
    await world.cycle(MONDAY + 2 * DAY)
    assert world.titles(ADA) == [[3]]


async def test_a_refused_digest_is_folded_into_the_next(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha"))
    world.relay.answers[ADA] = [LATER] * 20
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    await world.cycle(MONDAY + DAY)
    world.arxiv.announce("Alpha", eprint(3, MONDAY + DAY))
    await world.cycle(MONDAY + 2 * DAY)
    world.relay.answers[ADA].clear()
    await world.cycle(MONDAY + 2 * DAY + HOUR)
    assert [sorted(n) for n in world.titles(ADA)] == [[2, 3]]


async def test_a_cancelled_handover_counts_as_maybe_delivered(world: World) -> None:
    world.relay.answers[ADA] = [asyncio.CancelledError()]
    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    with pytest.raises(asyncio.CancelledError):
        await world.cycle()
    assert [e.state for e in world.store.outbox.entries()] == [State.UNKNOWN]


async def test_a_stop_that_came_early_is_obeyed(world: World) -> None:
    world.readers = [reader(ADA, "Alpha")]
    world.stop.set()
    summary = await world.cycle()
    assert world.arxiv.asked == []
    assert summary.composed == 0


# -- interrupted cycles


class Kill(BaseException):
    """The process was killed here."""


async def test_a_cycle_killed_while_mailing_is_finished_by_the_next(world: World) -> None:
    world.relay.answers[ADA] = [Kill()]
    world.relay.before = True
    world.readers = [reader(ADA, "Alpha"), reader(BOB, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    with pytest.raises(Kill):
        await world.cycle()
    world.close()
    world.open_again()
    world.relay.before = False
    await world.cycle(MONDAY + MINUTE)
    assert world.titles(ADA) == world.titles(BOB) == [[1]]


async def test_a_cycle_killed_in_data_leaves_it_maybe_delivered(world: World) -> None:
    world.relay.answers[ADA] = [Kill()]
    world.readers = [reader(ADA, "Alpha"), reader(BOB, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    with pytest.raises(Kill):
        await world.cycle()
    world.close()
    world.open_again()
    await world.cycle(MONDAY + MINUTE)
    assert [(e.address, e.state) for e in world.store.outbox.entries()] == [(ADA, State.UNKNOWN)]
    assert world.titles(BOB) == [[1]]
    await world.cycle(MONDAY + 31 * MINUTE)
    assert world.titles(ADA) == [[1]]
    assert len({m.message_id for m in world.relay.tried if m.recipient == ADA}) == 1


async def test_what_was_fetched_before_a_kill_is_mailed_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))

    def killed(*_args: object) -> None:
        raise Kill

    monkeypatch.setattr(world.store.runs, "note_keyword", killed)
    with pytest.raises(Kill):
        await world.cycle()
    world.close()
    world.open_again()
    await world.cycle(MONDAY + MINUTE)
    assert world.titles(ADA) == [[1]]


# -- slots


def berlin(address: str, **options: object) -> Subscriber:
    return reader(address, "Alpha", timezone="Europe/Berlin", **options)


async def test_at_means_not_before(world: World) -> None:
    await settle_in(world, berlin(ADA, at=time(8)))
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    tuesday = MONDAY + DAY
    await world.cycle(tuesday.replace(hour=6, minute=20))
    assert world.mails(ADA) == []
    await world.cycle(tuesday.replace(hour=6, minute=59))
    assert world.mails(ADA) == []
    await world.cycle(tuesday.replace(hour=7, minute=0))
    assert world.titles(ADA) == [[2]]


async def test_sundays_empty_slot_does_not_let_mondays_papers_out_before_the_hour(
    world: World,
) -> None:
    await settle_in(world, berlin(ADA, at=time(8)))
    sunday = MONDAY + 6 * DAY
    await world.cycle(sunday.replace(hour=7))
    world.arxiv.announce("Alpha", eprint(2, sunday - 2 * DAY))
    await world.cycle((sunday + DAY).replace(hour=6, minute=30))
    assert world.mails(ADA) == []
    await world.cycle((sunday + DAY).replace(hour=7, minute=0))
    assert world.titles(ADA) == [[2]]


async def test_an_empty_slot_stays_open_for_24_hours(world: World) -> None:
    weekly = (Weekly.TUE,)
    await settle_in(
        world, berlin(ADA, at=time(8), days=weekly), berlin(BOB, at=time(8), days=weekly)
    )
    tuesday = (MONDAY + DAY).replace(hour=7)
    await world.cycle(tuesday)
    assert world.relay.taken == []
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    await world.cycle(tuesday + 23 * HOUR + 59 * MINUTE, fetch_all=True)
    assert world.titles(ADA) == [[2]]


async def test_after_24_hours_an_empty_slot_is_over(world: World) -> None:
    await settle_in(world, berlin(ADA, at=time(8), days=(Weekly.TUE,)))
    tuesday = (MONDAY + DAY).replace(hour=7)
    await world.cycle(tuesday)
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    for hours in (24, 30, 6 * 24):
        await world.cycle(tuesday + hours * HOUR, fetch_all=True)
    assert world.mails(ADA) == []
    await world.cycle(tuesday + 7 * DAY)
    assert world.titles(ADA) == [[2]]


async def test_an_empty_slot_is_over_in_time_though_others_edit_the_file(world: World) -> None:
    await settle_in(world, berlin(ADA, at=time(8), days=(Weekly.TUE,)))
    tuesday = (MONDAY + DAY).replace(hour=7)
    await world.cycle(tuesday)
    world.readers.append(reader(BOB, "Beta"))
    await world.cycle(tuesday + 12 * HOUR)
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    await world.cycle(tuesday + 25 * HOUR)
    assert world.mails(ADA) == []


async def test_at_most_one_digest_comes_in_a_slot(world: World) -> None:
    await settle_in(world, berlin(ADA, at=time(8)))
    for number in range(2, 6):
        world.arxiv.announce("Alpha", eprint(number, MONDAY))
        await world.cycle(MONDAY + DAY + number * HOUR, fetch_all=True)
    assert world.titles(ADA) == [[2]]
    await world.cycle(MONDAY + 2 * DAY)
    assert sorted(world.titles(ADA)[1]) == [3, 4, 5]


async def test_without_an_hour_papers_come_as_soon_as_they_are_in(world: World) -> None:
    await settle_in(world, berlin(ADA))
    tuesday = (MONDAY + DAY).replace(hour=0)
    await world.cycle(tuesday)
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    await world.cycle(tuesday.replace(hour=6, minute=15))
    assert world.titles(ADA) == [[2]]


async def test_a_digests_dates_are_the_readers_own(world: World) -> None:
    world.readers = [
        reader(ADA, "Alpha", timezone="Pacific/Auckland"),
        reader(BOB, "Alpha", timezone="America/New_York"),
    ]
    world.arxiv.announce("Alpha", eprint(1, MONDAY - 4 * HOUR))
    await world.cycle(datetime(2026, 11, 10, 2, 0, tzinfo=UTC))
    assert "Tuesday 10 November" in text(world.mails(ADA)[0])
    assert "Monday 9 November" in text(world.mails(BOB)[0])
    assert "(Pacific/Auckland)" in text(world.mails(ADA)[0])
    assert world.value("SELECT queued_at FROM delivery LIMIT 1") == "2026-11-10T02:00:00Z"


# -- the first digest


async def test_the_first_digest_comes_even_without_papers(world: World) -> None:
    world.readers = [reader(ADA, "Alpha")]
    await world.cycle()
    (message,) = world.mails(ADA)
    assert "starts" in message["Subject"]
    for moment in days(MONDAY + DAY, 3):
        await world.cycle(moment)
    assert len(world.relay.taken) == 1


async def test_the_first_digest_waits_a_day_for_keywords_that_were_not_answered(
    world: World,
) -> None:
    world.readers = [reader(ADA, "Alpha", "Beta")]
    for _ in range(40):
        world.arxiv.fail("Beta", bad_answer())
    await world.cycle()
    await world.cycle(MONDAY + 23 * HOUR)
    assert world.mails(ADA) == []
    await world.cycle(MONDAY + 24 * HOUR)
    assert len(world.mails(ADA)) == 1


async def test_the_first_digest_of_a_weekly_reader_is_not_put_off_by_a_long_silence_of_arxivs(
    world: World,
) -> None:
    world.readers = [berlin(ADA, days=(Weekly.MON,))]
    for _ in range(400):
        world.arxiv.fail("Alpha", bad_answer())
    moment = MONDAY
    while moment <= MONDAY + 24 * HOUR + 20 * MINUTE:
        await world.cycle(moment + 7 * MINUTE)
        moment += 15 * MINUTE
    assert len(world.mails(ADA)) == 1


async def test_a_first_digest_that_still_waits_is_not_made_again(world: World) -> None:
    world.readers = [reader(ADA, "Alpha", exclude=("cat:cs.RO",))]
    world.relay.answers[ADA] = [LATER] * 9
    assert (await world.cycle()).composed == 1
    world.arxiv.announce("Alpha", eprint(2, MONDAY, categories=("cs.RO",)))
    assert (await world.cycle(MONDAY + DAY)).composed == 0
    world.arxiv.announce("Alpha", eprint(3, MONDAY + DAY))
    assert (await world.cycle(MONDAY + 2 * DAY)).composed == 1
    await world.cycle(MONDAY + 3 * DAY)
    world.relay.answers[ADA].clear()
    await world.cycle(MONDAY + 3 * DAY + 5 * HOUR)
    (message,) = world.mails(ADA)
    assert numbers(message) == [3]
    assert "starts" in message["Subject"]


async def test_only_papers_within_the_wanted_categories_come_and_withdrawals_all_the_same(
    world: World,
) -> None:
    """Switched on and off: what was let go with a digest does not come back, and nothing twice."""
    tuesday = MONDAY + DAY
    world.readers = [reader(ADA, "Alpha")]
    first = eprint(1, MONDAY - DAY, categories=("math.CO",))
    world.arxiv.announce("Alpha", first)
    await world.cycle()
    world.readers = [reader(ADA, "Alpha", within=("cs.*",))]
    let_go = eprint(2, MONDAY, categories=("math.CO",))
    crossed = eprint(3, MONDAY, categories=("math.CO", "cs.DM"))
    withdrawn = replace(
        first, version=2, updated=MONDAY, comment="This paper has been withdrawn by the authors"
    )
    world.arxiv.announce("Alpha", let_go, crossed, withdrawn)
    await world.cycle(tuesday)
    world.arxiv.announce("Alpha", eprint(4, tuesday, categories=("math.CO",)))
    await world.cycle(tuesday + DAY)
    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.announce("Alpha", eprint(5, tuesday + DAY))
    await world.cycle(tuesday + 2 * DAY)
    assert [sorted(numbers) for numbers in world.titles(ADA)] == [[1], [1, 3], [4, 5]]


async def test_papers_that_come_for_one_keyword_do_not_wait_for_the_others(world: World) -> None:
    world.readers = [reader(ADA, "Alpha", "Beta")]
    world.arxiv.announce("Alpha", eprint(1))
    world.arxiv.fail("Beta", bad_answer())
    await world.cycle()
    assert world.titles(ADA) == [[1]]


# -- absence


async def test_a_return_from_a_pause_brings_the_most_recent_papers_and_says_how_many_are_let_go(
    world: World,
) -> None:
    paused = reader(ADA, "Alpha", max_papers=2, paused_until=date(2026, 11, 13))
    await settle_in(world, reader(ADA, "Alpha", max_papers=2))
    world.readers = [paused]
    for number, moment in enumerate(days(MONDAY + DAY, 3), 2):
        world.arxiv.announce("Alpha", eprint(number, moment - DAY))
        await world.cycle(moment)
    world.arxiv.announce("Alpha", eprint(5, MONDAY + 3 * DAY))
    assert world.mails(ADA) == []
    await world.cycle(MONDAY + 4 * DAY)
    (message,) = world.mails(ADA)
    assert sorted(numbers(message)) == [4, 5]
    assert "2 older papers were let go" in " ".join(text(message).split())
    world.arxiv.announce("Alpha", eprint(6, MONDAY + 6 * DAY))
    await world.cycle(MONDAY + 7 * DAY)
    assert world.titles(ADA)[1:] == [[6]]


async def test_suppression_beats_the_file(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    world.database.write(
        "INSERT INTO suppression(address, reason, since) VALUES('Ada@Example.org', 'bounced', ?)",
        [to_text(MONDAY)],
    )
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    assert (await world.cycle(MONDAY + DAY)).composed == 1
    assert [m.recipient for m in world.relay.tried] == [BOB]
    world.database.write("DELETE FROM suppression")
    await world.cycle(MONDAY + 2 * DAY)
    assert world.titles(ADA) == [[2]]


async def test_a_file_that_names_nobody_removes_nobody(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha"))
    world.readers = []
    with pytest.raises(ConfigError) as caught:
        await world.cycle(MONDAY + DAY)
    assert caught.value.exit_code == Exit.CONFIG
    left = world.store.runs.latest()
    assert left is not None
    assert left.finished is not None
    assert "names nobody" in left.trouble
    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    await world.cycle(MONDAY + DAY + HOUR)
    assert world.titles(ADA) == [[2]]


# -- quiet days


def quiet(address: str, **options: object) -> Subscriber:
    return berlin(address, quiet_days=True, **options)


async def test_a_reader_who_wants_to_know_is_told_why_nothing_came(world: World) -> None:
    await settle_in(world, quiet(ADA, at=time(8)), berlin(BOB, at=time(8)))
    for moment in days((MONDAY + DAY).replace(hour=7), 6):
        await world.cycle(moment)
    subjects = [undated(m["Subject"]) for m in world.mails(ADA)]
    assert len(subjects) == 6
    assert all(s.startswith("No new papers: no match") for s in subjects[:4])
    assert [undated(s) for s in subjects[4:]] == ["No new papers: weekend"] * 2
    assert world.mails(BOB) == []


async def test_a_holiday_is_told_by_its_name(world: World) -> None:
    thanksgiving = datetime(2026, 11, 26, 7, tzinfo=UTC)
    world.readers = [quiet(ADA, at=time(8))]
    for moment in days(thanksgiving - DAY, 3):
        await world.cycle(moment)
    assert undated(world.mails(ADA)[-1]["Subject"]) == "No new papers: holiday: Thanksgiving"


async def test_a_note_that_nothing_came_does_not_take_the_place_of_the_days_papers(
    world: World,
) -> None:
    await settle_in(world, quiet(ADA))
    tuesday = (MONDAY + DAY).replace(hour=6, minute=30)
    for moment in (tuesday - 7 * HOUR, tuesday - 4 * HOUR):
        await world.cycle(moment)
    assert world.mails(ADA) == []
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    await world.cycle(tuesday)
    assert world.titles(ADA) == [[2]]


async def test_whoever_set_no_hour_is_told_once_the_days_answer_is_in(world: World) -> None:
    await settle_in(world, quiet(ADA))
    moment = MONDAY + HOUR
    subjects = []
    while moment < MONDAY + 7 * DAY:
        await world.cycle(moment)
        subjects += [(moment, undated(m["Subject"])) for m in world.mails(ADA)]
        world.relay.taken.clear()
        moment += HOUR
    assert [undated(s) for _, s in subjects][:4] == [
        "No new papers: no match in arXiv's last announcement"
    ] * 4
    assert [undated(s) for _, s in subjects][4:6] == ["No new papers: weekend"] * 2
    assert [m.astimezone(UTC).hour >= 6 for m, _ in subjects[:4]] == [True] * 4


async def test_a_note_waits_for_an_answer_that_is_late(world: World) -> None:
    await settle_in(world, quiet(ADA, at=time(8)))
    tuesday = (MONDAY + DAY).replace(hour=7)
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    world.arxiv.fail("Alpha", bad_answer("half a feed"))
    await world.cycle(tuesday)
    assert world.mails(ADA) == []
    await world.cycle(tuesday + HOUR)
    assert world.titles(ADA) == [[2]]


async def test_there_is_no_note_while_a_digest_still_waits(world: World) -> None:
    await settle_in(world, quiet(ADA, at=time(8)))
    world.relay.answers[ADA] = [LATER] * 9
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    assert (await world.cycle((MONDAY + DAY).replace(hour=7))).composed == 1
    assert (await world.cycle((MONDAY + 2 * DAY).replace(hour=7))).composed == 0


async def test_a_note_says_that_arxiv_could_not_be_asked(world: World) -> None:
    await settle_in(world, quiet(ADA, at=time(8)))
    tuesday = (MONDAY + DAY).replace(hour=7)
    world.arxiv.fail("Alpha", *(bad_answer("half a feed") for _ in range(40)))
    for hours in range(8):
        await world.cycle(tuesday + hours * HOUR)
    assert [undated(m["Subject"]) for m in world.mails(ADA)] == ["No new papers: half a feed"]


# -- a whole year's shape


async def test_each_paper_of_three_weeks_comes_once_and_on_its_day(world: World) -> None:
    world.readers = [reader(ADA, "Alpha"), berlin(BOB, at=time(9), days=(Weekly.WED,))]
    for number, moment in enumerate(days(MONDAY, 21), 1):
        if not quiet_night(moment):
            world.arxiv.announce("Alpha", eprint(number, moment - DAY))
        for hour in (7, 8, 19):
            await world.cycle(moment.replace(hour=hour))
    came = [n for batch in world.titles(ADA) for n in batch]
    weekly = [n for batch in world.titles(BOB) for n in batch]
    announced = sorted(int(p.id[-5:]) for p in world.arxiv.papers["all:alpha"])
    assert came == announced
    assert sorted(weekly) == [n for n in announced if n <= 17]
    assert len(world.titles(BOB)) == 4


async def test_what_is_the_same_for_many_readers_is_composed_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = [f"reader{number}@example.org" for number in range(9)]
    world.readers = [reader(address, "Alpha", name=address) for address in crowd]
    world.readers.append(reader("one@example.org", "Alpha", timezone="Asia/Tokyo"))
    world.arxiv.announce("Alpha", eprint(1))
    composed: list[Subscriber] = []

    def compose(items: Any, subscriber: Subscriber, **how: Any) -> Digest:
        composed.append(subscriber)
        return real(items, subscriber, **how)

    real = composing.compose
    monkeypatch.setattr(composing, "compose", compose)
    assert (await world.cycle(MONDAY)).composed == 10
    assert len(composed) == 2
    assert [world.titles(subscriber.email) for subscriber in world.readers] == [[[1]]] * 10
