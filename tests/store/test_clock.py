"""The time of a database: it never goes back, but where a clock that had run ahead is put right."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from digest.errors import ClockError, Exit
from digest.model import Kind, Outcome, Receipt, SignUp, Window
from digest.rules.alarm import KnownTrouble, Trouble
from digest.rules.diff import GUARD
from digest.store import Store
from digest.store.clock import _STAMPS, LEAP, SKEW
from digest.times import to_text
from tests.store.house import ADA, BOB, MINUTE, House
from tests.world.worlds import DAY, HOUR, MONDAY, eprint, keyword, reader

AHEAD = MONDAY + 3650 * DAY


def test_an_earlier_time_is_refused_and_named_and_passes_by_itself(house: House) -> None:
    with pytest.raises(ClockError, match="already seen 2026-11-09T07:00:00Z") as caught:
        house.store.clock.check(MONDAY - HOUR)
    assert caught.value.exit_code == Exit.TRY_LATER
    assert "digest db clock" in caught.value.remedy


def test_a_clock_set_back_by_minutes_does_no_harm(house: House) -> None:
    assert house.store.clock.check(MONDAY - 20 * MINUTE) == MONDAY
    assert house.store.clock.check(MONDAY + MINUTE) == MONDAY + MINUTE


def test_a_leap_is_doubtful_and_a_step_is_not(house: House) -> None:
    doubtful = house.store.clock.is_doubtful
    assert [doubtful(MONDAY + step) for step in (-SKEW, -SKEW + MINUTE, LEAP, LEAP + MINUTE)] == [
        True,
        False,
        False,
        True,
    ]


def test_a_bounce_that_a_wrong_clock_dated_is_found_without_a_run(house: House) -> None:
    house.sync(reader(ADA, "Alpha"))
    house.record("Alpha", eprint(1))
    number = house.queue()
    assert house.settle(Outcome.SENT) == "sent"
    house.store.inbox.bounce("key", number, "4.2.2", AHEAD, status="4.2.2", undelivered=True)
    assert house.store.clock.is_doubtful(MONDAY + HOUR)
    house.store.clock.put_right(MONDAY + HOUR)
    assert not house.store.clock.is_doubtful(MONDAY + HOUR)
    assert house.value("SELECT at FROM bounce") == to_text(MONDAY)


COMMANDS: dict[str, Callable[[Store], object]] = {
    "repeat": lambda store: store.outbox.again(1, AHEAD, "example.org"),
    "remove": lambda store: store.subscribers.remove(ADA, AHEAD),
    "suppress": lambda store: store.suppressions.unsubscribe(1, "by hand", AHEAD),
    "forget": lambda store: store.personal.forget(ADA, AHEAD),
    "read a mail": lambda store: store.inbox.ignore("key", AHEAD),
    "begin a mail": lambda store: store.inbox.begin("key", AHEAD),
    "sign up": lambda store: store.signups.sign_up(SignUp(BOB, "{}"), AHEAD),
    "agree": lambda store: store.preferences.agree(1, "I agree.", AHEAD),
    "like": lambda store: store.preferences.like(1, eprint(1).id, AHEAD),
    "pause": lambda store: store.wishes.pause(1, AHEAD.date(), "", AHEAD),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_stamped_under_a_wrong_clock_is_found_without_a_run(
    settled: House, command: str
) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    COMMANDS[command](settled.store)
    now = settled.now + HOUR
    assert settled.store.clock.is_doubtful(now)
    # A rehearsal of an earlier day knows of runs alone.
    assert settled.store.clock.check(now) == now
    settled.store.clock.put_right(now)
    assert not settled.store.clock.is_doubtful(now)
    # What a command says of the time makes no wrong clock believed.
    COMMANDS["remove"](settled.store)
    COMMANDS["read a mail"](settled.store)
    assert settled.store.clock.is_doubtful(AHEAD)


def test_a_repeat_that_a_wrong_clock_dated_leaves_once_that_is_known(settled: House) -> None:
    settled.store.outbox.again(1, AHEAD, "example.org")
    now = settled.now + HOUR
    assert settled.store.clock.is_stamped_ahead_of(now)
    settled.store.clock.put_right(now)
    settled.now = now + DAY
    assert settled.claim() is not None


@pytest.mark.sqlite
def test_every_moment_that_the_program_stamps_is_put_right(house: House) -> None:
    """Whatever column is added: a time that lies ahead stays in none of them."""
    house.store.relay.use("relay")
    house.sync(reader(ADA, "Alpha"), reader("bob@example.org", "Beta"))
    house.run = house.store.runs.begin(AHEAD)
    house.record("Alpha", eprint(1), at=AHEAD)
    house.queue()
    house.settle(Outcome.DEFERRED)
    house.queue("bob@example.org")
    house.settle(Outcome.UNKNOWN)
    house.store.relay.take(1, AHEAD, ())
    house.store.relay.judge(Receipt(Outcome.RELAY, "421"), AHEAD)
    house.store.windows.slow_down(AHEAD, None)
    house.suppress()
    house.sync(reader("carl@example.org", "Gamma"))
    house.store.alarms.remember({Trouble.MAIL: KnownTrouble(AHEAD, "mail rests")})
    house.store.runs.finish(house.run, AHEAD, composed=1, outcomes={}, trouble="")
    house.store.clock.put_right(MONDAY + HOUR)
    rows = [
        f"{table}.{column}: {value}"
        for (table,) in house.database._db.conn.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall()
        for row in house.database.rows(f"SELECT * FROM {table}")
        for column, value in row.items()
        if isinstance(value, str) and re.search('(^|")2036-', value)
    ]
    assert rows == []


@pytest.mark.sqlite
def test_each_column_of_a_moment_is_among_those_that_are_put_right(house: House) -> None:
    """A new one has to be thought of: in `_STAMPS`, or in a statement of its own."""
    apart = {
        ("bounce", "at"),
        ("delivery", "next_at"),
        ("delivery", "queued_at"),
        ("feed", "at"),
        ("query", "covered_since"),
        ("query", "deep_at"),
        ("query", "imported_until"),  # the date of a page, which somebody else stamped
        ("query", "last_good_at"),
        ("relay", "paused_until"),
    }
    columns = house.database.rows(
        "SELECT t.name AS tab, c.name AS col FROM sqlite_master t, pragma_table_info(t.name) c"
        " WHERE t.type = 'table' AND c.type = 'TEXT'"
    )
    moments = {
        (row["tab"], row["col"])
        for row in columns
        if re.search("(^|_)(at|since|until)$", row["col"])
    }
    assert moments == {*_STAMPS, *apart}


def test_a_window_under_a_wrong_clock_is_no_proof_of_what_lies_behind_it(house: House) -> None:
    """Its depth was reckoned from a day that has not come, so papers may be missing behind it."""
    house.sync(reader(ADA, "Alpha"))
    house.record("Alpha", eprint(1, MONDAY - DAY))
    for number, after in ((2, 2), (3, 30)):
        house.run = house.store.runs.begin(AHEAD + after * DAY)
        house.record("Alpha", eprint(number, MONDAY + after * DAY), at=AHEAD + after * DAY)
    assert house.value("SELECT group_concat(kind) FROM seen") == "new,new,old"
    done = house.store.clock.put_right(MONDAY + 31 * DAY)
    assert (done.seen, done.keywords, done.papers) == (AHEAD + 30 * DAY, 1, 1)
    assert house.query("Alpha").last_good_at == MONDAY - DAY
    assert house.value("SELECT group_concat(kind) FROM seen") == "new,new,new"
    assert house.due() == [1, 2, 3]


def test_a_database_that_began_under_a_wrong_clock_goes_on_from_its_oldest_row(
    house: House,
) -> None:
    house.sync(reader(ADA, "Alpha"))
    house.run = house.store.runs.begin(AHEAD)
    papers = tuple(eprint(n, MONDAY - n * DAY) for n in range(1, 5))
    window = Window(keyword("Alpha").query, papers, 900, AHEAD - 38 * DAY, 1)
    house.store.windows.record(house.query("Alpha"), window, AHEAD, house.run)
    house.store.clock.put_right(MONDAY)
    query = house.query("Alpha")
    assert (query.last_good_at, query.covered_since) == (MONDAY - 4 * DAY, MONDAY - 4 * DAY)
    assert query.deep_at is None or query.deep_at < MONDAY - 4 * DAY


@pytest.mark.parametrize(
    ("ahead", "good"),
    [(MONDAY + 80 * DAY, MONDAY), (AHEAD, MONDAY + 24 * DAY - GUARD)],
    ids=["the last run is known", "its record has gone"],
)
def test_who_reads_a_query_without_papers_has_all_that_was_announced_since(
    house: House, ahead: datetime, good: datetime
) -> None:
    """They were promised so by an empty answer, and what moderation held is no history to them."""
    house.sync(reader(ADA, "Alpha"))
    house.run = house.store.runs.begin(ahead)
    house.record("Alpha", at=ahead)
    while house.store.ageing.step(ahead):
        pass
    later = MONDAY + 24 * DAY
    house.store.clock.put_right(later)
    assert house.query("Alpha").last_good_at == good
    house.run = house.store.runs.begin(later)
    house.record("Alpha", eprint(1, MONDAY - 34 * DAY), at=later)
    assert house.due() == [1]


def test_what_was_first_seen_in_a_later_version_was_no_new_version(house: House) -> None:
    house.sync(reader(ADA, "Alpha"))
    house.record("Alpha", eprint(1, MONDAY - DAY))
    house.run = house.store.runs.begin(MONDAY + 60 * DAY)
    house.record("Alpha", eprint(1, MONDAY - DAY), at=MONDAY + 60 * DAY)
    second = replace(
        eprint(2, MONDAY - 3 * DAY), version=2, updated=MONDAY + 16 * DAY, published=MONDAY
    )
    house.record("Alpha", second, at=MONDAY + 60 * DAY)
    assert house.value("SELECT kind FROM seen ORDER BY seq DESC") == Kind.REVISED
    house.store.clock.put_right(MONDAY + 17 * DAY)
    assert house.due() == [1, 2]


def test_a_slot_that_was_used_before_its_time_can_be_used_in_its_time(house: House) -> None:
    house.sync(reader(ADA, "Alpha"))
    house.run = house.store.runs.begin(AHEAD)
    house.record("Alpha", eprint(1, MONDAY), at=MONDAY)
    house.queue(at=AHEAD)
    house.settle(Outcome.SENT)
    house.store.clock.put_right(MONDAY + HOUR)
    slot = house.value("SELECT slot FROM subscriber")
    assert slot == house.value("SELECT slot FROM delivery") == "2026-11-09T08:00:00.900001Z"
    house.record("Alpha", eprint(2, MONDAY + DAY), at=MONDAY + 2 * DAY)
    house.queue(at=AHEAD)
    assert house.value("SELECT COUNT(DISTINCT message_id) FROM delivery") == 2
    assert house.due() == []


def test_a_clock_that_is_behind_mails_nothing_twice(house: House) -> None:
    """What a reader had is looked for in the days since the paper was submitted."""
    behind = MONDAY - 300 * DAY
    house.sync(reader(ADA, "Alpha"), at=behind)
    house.record("Alpha", eprint(1, MONDAY))
    house.queue()
    house.settle(Outcome.SENT)
    assert house.due() == []
    assert house.value("SELECT queued_at FROM delivery") == to_text(MONDAY)


def test_what_a_program_before_queued_under_a_clock_that_was_behind_is_dated_once(
    house: House,
) -> None:
    """It took the moment of the clock, ten months before the papers."""
    behind = MONDAY - 300 * DAY
    house.sync(reader(ADA, "Alpha"), at=behind)
    house.record("Alpha", eprint(1, MONDAY))
    house.queue()
    house.settle(Outcome.SENT)
    house.database.write("UPDATE delivery SET queued_at = ?", [behind])
    house.database.write("UPDATE subscription SET position = start")
    assert house.due() != [], "mailed, and not found"
    house.store.clock.date_deliveries()
    assert house.due() == []
    assert house.value("SELECT queued_at FROM delivery") == to_text(MONDAY)
    house.database.write("UPDATE delivery SET queued_at = ?", [behind])
    house.store.clock.date_deliveries()
    assert house.value("SELECT queued_at FROM delivery") == to_text(behind)


@pytest.mark.sqlite
def test_a_database_is_used_in_earnest_where_it_ran_and_a_copy_is_not(house: House) -> None:
    clock, path = house.store.clock, house.path
    assert not clock.is_in_earnest(path)
    clock.note_in_earnest(path)
    assert clock.is_in_earnest(path)
    assert not clock.is_in_earnest(path.with_name("copy.db"))
