"""The store's meaning, verb by verb: what is recorded, placed, due, folded, claimed and settled."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from digest.errors import ConfigError, Exit, UsageError
from digest.model import (
    Kind,
    Outcome,
    Outgoing,
    Paper,
    Query,
    Receipt,
    Revisions,
    Roster,
    State,
    Subscriber,
    Window,
)
from digest.store import Store
from digest.store.database import Database
from digest.store.digests import Plan, Queued
from digest.store.held import RAW_BYTES, RAW_KEPT
from digest.store.outbox import GIVE_UP, RETRIES, UNKNOWN_WAIT
from digest.store.runs import KeywordRecord
from digest.times import to_text
from tests.world.worlds import DAY, HOUR, MONDAY, eprint, keyword, reader

ADA, BOB = "ada@example.org", "bob@example.org"
PIECES = (b"before\r\n", b"between\r\n", b"after\r\n")
MINUTE = timedelta(minutes=1)


class Kill(BaseException):
    """The process was killed here."""


class House:
    """A store, and short words for what tests do with it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = Database.open(path)
        self.database.value(
            "PRAGMA synchronous = OFF"
        )  # no test takes the power away, and this is quicker
        self.store = Store(self.database)
        self.now = MONDAY
        self.run = self.store.runs.begin(self.now)
        self.roster = Roster((), ())

    def sync(self, *readers: Subscriber, at: datetime | None = None) -> bool:
        self.now = at or self.now
        keywords = {k.query: k for r in readers for k in r.keywords}
        self.roster = Roster(readers, tuple(keywords.values()))
        return self.store.subscribers.sync(self.roster, self.now)

    def query(self, name: str) -> Query:
        (query,) = self.store.windows.queries([keyword(name).query])
        return query

    def record(self, name: str, *papers: Paper, at: datetime | None = None) -> Any:
        self.now = at or self.now
        window = Window(keyword(name).query, papers, len(papers), self.now - 8 * DAY, 1)
        return self.store.windows.record(self.query(name), window, self.now, self.run)

    def plan(self, address: str = ADA, **options: Any) -> Plan:
        due = self.store.digests.reader(address)
        assert due is not None
        return self.store.digests.plan(
            due, **{"revisions": Revisions.NONE, "max_papers": 50} | options
        )

    def due(self, address: str = ADA, **options: Any) -> list[int]:
        return numbers(self.plan(address, **options))

    def queue(
        self,
        address: str = ADA,
        at: datetime | None = None,
        plan: Plan | None = None,
        **options: Any,
    ) -> int:
        """Queue what is due; returns the delivery's number, 0 where nothing was queued."""
        self.now = at or self.now
        plan = plan or self.plan(address, **options)
        queued = Queued(plan, self.now, f"{address} {self.now} {numbers(plan)}", "subject", PIECES)
        count = self.store.digests.queue(
            [queued], self.now, "example.org", lambda _reader: self.now + DAY
        )
        return int(self.value("SELECT MAX(id) FROM delivery")) if count else 0

    def claim(self, at: datetime | None = None, *, hold: bool = False) -> Outgoing | None:
        self.now = at or self.now
        return next(iter(self.store.outbox.claim(self.now, hold_unknown=hold)), None)

    def settle(
        self, outcome: Outcome, at: datetime | None = None, *, hold: bool = False
    ) -> State | None:
        """Claim the next delivery and let its attempt end so."""
        outgoing = self.claim(at, hold=hold)
        assert outgoing is not None
        if outcome in (Outcome.SENT, Outcome.UNKNOWN):
            self.store.outbox.enter_data(outgoing)
        return self.ended(outgoing, Receipt(outcome, f"the server said {outcome}"))

    def ended(self, outgoing: Outgoing, receipt: Receipt, jitter: float = 0.5) -> State | None:
        """Let the attempt of a claimed delivery end so."""
        ((state, _),) = self.store.outbox.settle([(outgoing, receipt)], self.now, lambda: jitter)
        return state

    def state(self, delivery: int) -> str:
        return str(self.value("SELECT state FROM delivery WHERE id = ?", delivery))

    def suppress(self, address: str = ADA) -> None:
        self.database.write(
            "INSERT INTO suppression VALUES(?, 'bounced', ?)", [address, to_text(self.now)]
        )

    def value(self, sql: str, *parameters: Any) -> Any:
        """A look by another connection: what is not committed is not seen."""
        other = Database.open(self.path)
        try:
            return other.value(sql, parameters)
        finally:
            other.close()


def numbers(plan: Plan) -> list[int]:
    return [int(item.paper.id[-5:]) for item in plan.items]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "digest.db")
    yield house
    house.store.close()


@pytest.fixture
def settled(house: House) -> House:
    """Ada wants Alpha and has had paper 1; what comes now is new to her."""
    house.sync(reader(ADA, "Alpha"))
    house.record("Alpha", eprint(1))
    house.queue()
    assert house.settle(Outcome.SENT) == State.SENT
    house.now += HOUR
    return house


# -- what a window brought
# ----------------------------------------------------------------------------


def test_a_window_is_recorded_whole_or_not_at_all(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.sync(reader(ADA, "Alpha"))
    tables = (
        "paper",
        "seen",
        "revision",
        "query WHERE last_good_at IS NOT NULL",
        "subscription WHERE start >= 0",
    )
    writes = 0

    def until(limit: int) -> None:
        nonlocal writes
        writes = 0
        execute, many = Database._execute, Database.write_many

        def count(sql: str) -> None:
            nonlocal writes
            if not sql.startswith(("SELECT", "PRAGMA", "BEGIN")):
                writes += 1
                if writes > limit:
                    raise Kill

        def executing(self: Database, sql: str, parameters: Any = ()) -> Any:
            count(sql)
            return execute(self, sql, parameters)

        def writing_many(self: Database, sql: str, parameters: Any) -> None:
            count(sql)
            many(self, sql, parameters)

        monkeypatch.setattr(Database, "_execute", executing)
        monkeypatch.setattr(Database, "write_many", writing_many)

    killed = 0
    while True:
        until(killed)
        try:
            house.record("Alpha", eprint(1), eprint(2))
            monkeypatch.undo()
            break
        except Kill:
            monkeypatch.undo()
            killed += 1
        assert [house.value(f"SELECT COUNT(*) FROM {table}") for table in tables] == [0] * 5
    assert killed >= 5
    assert [house.value(f"SELECT COUNT(*) FROM {table}") for table in tables] == [2, 2, 0, 1, 1]


def test_a_window_seen_twice_is_recorded_once(house: House) -> None:
    house.sync(reader(ADA, "Alpha"))
    assert house.record("Alpha", eprint(1), eprint(2)) == {Kind.NEW: 2}
    assert house.record("Alpha", eprint(1), eprint(2), at=MONDAY + DAY) == {}
    assert house.value("SELECT COUNT(*) FROM seen") == 2


def test_a_papers_version_is_never_lowered(house: House) -> None:
    house.sync(reader(ADA, "Alpha", "Beta"))
    house.record("Alpha", eprint(1, version=3, title="Third", updated=MONDAY))
    house.record("Beta", eprint(1, version=2, title="Second"))
    assert house.value("SELECT title FROM paper") == "Third"
    assert house.value("SELECT COUNT(*) FROM seen") == 2
    (item,) = house.plan().items
    assert item.paper.version == 3


def test_what_a_new_version_changed_is_noted(house: House) -> None:
    house.sync(reader(ADA, "Alpha"))
    house.record("Alpha", eprint(1))
    house.record("Alpha", eprint(1, version=2, title="Other", comment="8 pages", updated=MONDAY))
    assert house.value("SELECT changed FROM revision") == '["title", "comment"]'
    assert house.value("SELECT published FROM paper") == to_text(MONDAY - DAY)


def test_a_paper_comes_back_as_it_went_in(settled: House) -> None:
    paper = eprint(
        7,
        authors=("Ada Example", "Grace Śample"),
        categories=("cs.LG", "stat.ML"),
        comment="8 pages",
        journal_ref="J. Ex. 1",
        doi="10.5555/7",
    )
    settled.record("Alpha", paper)
    assert [item.paper for item in settled.plan().items] == [paper]


def test_a_bad_answer_is_kept_and_nothing_else_changes(house: House) -> None:
    house.sync(reader(ADA, "Alpha"))
    house.record("Alpha", eprint(1))
    before = house.query("Alpha")
    house.store.windows.record_failure(
        before, "cut off", b"<feed>half", MONDAY + DAY, MONDAY + DAY + HOUR
    )
    after = house.query("Alpha")
    assert (after.failures, after.trouble, after.next_fetch_at) == (
        1,
        "cut off",
        MONDAY + DAY + HOUR,
    )
    assert (after.last_good_at, after.rows_per_day) == (before.last_good_at, before.rows_per_day)
    assert house.value("SELECT COUNT(*) FROM seen") == 1
    assert zlib.decompress(house.value("SELECT raw FROM window")) == b"<feed>half"
    assert house.value("SELECT verdict FROM window") == "cut off"


def test_bad_answers_are_kept_within_bounds(house: House) -> None:
    assert RAW_KEPT < 10
    house.sync(reader(ADA, "Alpha", "Beta"))
    house.store.windows.record_failure(house.query("Beta"), "other", b"", MONDAY, MONDAY)
    for number in range(RAW_KEPT + 3):
        raw = str(number).encode() * (RAW_BYTES + 10)
        house.store.windows.record_failure(
            house.query("Alpha"), f"failure {number}", raw, MONDAY, MONDAY
        )
    kept = house.database.rows("SELECT verdict, raw FROM window ORDER BY id")
    assert [row["verdict"] for row in kept] == ["other"] + [
        f"failure {n}" for n in range(3, RAW_KEPT + 3)
    ]
    assert {len(zlib.decompress(row["raw"])) for row in kept[1:]} == {RAW_BYTES}


def test_of_many_queries_only_the_named_ones_are_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.sync(reader(ADA, "Alpha", "Beta", "Gamma"))
    read: list[int] = []
    rows = Database.rows

    def counted(*args: Any) -> Any:
        found = rows(*args)
        read.append(len(found))
        return found

    monkeypatch.setattr(Database, "rows", counted)
    named = [keyword(name).query for name in ("Beta", "Unknown", "Alpha", "Beta")]
    assert [query.text for query in house.store.windows.queries(named)] == [named[0], named[2]]
    assert read == [2]


def test_a_good_answer_ends_the_trouble(house: House) -> None:
    house.sync(reader(ADA, "Alpha"))
    house.store.windows.record_failure(house.query("Alpha"), "cut off", b"", MONDAY, MONDAY + HOUR)
    house.record("Alpha", eprint(1), at=MONDAY + HOUR)
    query = house.query("Alpha")
    assert (query.failures, query.trouble, query.next_fetch_at) == (0, "", None)
    assert query.last_good_at == MONDAY + HOUR


def test_old_papers_are_recorded_and_never_due(settled: House) -> None:
    assert settled.record("Alpha", eprint(2, MONDAY - 80 * DAY)) == {Kind.OLD: 1}
    assert settled.due(revisions=Revisions.ALL) == []


# -- due
# ----------------------------------------------------------------------------------------------


def test_a_paper_of_several_keywords_is_due_once_with_all_names(house: House) -> None:
    house.sync(reader(ADA, "Alpha", "Beta", "Gamma"))
    for name in ("Beta", "Alpha"):
        house.record(name, eprint(1))
    (item,) = house.plan().items
    assert sorted(item.keywords) == ["Alpha", "Beta"]


def test_a_paper_that_came_by_one_keyword_does_not_come_by_another(settled: House) -> None:
    settled.sync(reader(ADA, "Alpha", "Beta"))
    settled.record("Beta", eprint(1), eprint(2))
    assert settled.due() == [2]


def test_a_revision_comes_only_where_asked_for_and_each_version_once(settled: House) -> None:
    settled.record("Alpha", eprint(1, version=2, updated=MONDAY), at=MONDAY + DAY)
    assert settled.due() == []
    (item,) = settled.plan(revisions=Revisions.ALL).items
    assert (item.kind, item.paper.version) == (Kind.REVISED, 2)
    settled.queue(revisions=Revisions.ALL)
    assert settled.settle(Outcome.SENT) == State.SENT
    settled.sync(reader(ADA, "Alpha", "Beta"))
    settled.record("Beta", eprint(1, version=2, updated=MONDAY))
    assert settled.due(revisions=Revisions.ALL) == []
    settled.record("Alpha", eprint(1, version=3, updated=MONDAY + DAY), at=MONDAY + 2 * DAY)
    assert settled.due(revisions=Revisions.ALL) == [1]


def test_a_paper_that_was_revised_before_it_was_mailed_comes_once_as_new(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.record("Alpha", eprint(2, version=2, updated=MONDAY), at=MONDAY + DAY)
    (item,) = settled.plan(revisions=Revisions.ALL).items
    assert (item.kind, item.paper.version) == (Kind.NEW, 2)
    settled.queue(revisions=Revisions.ALL)
    settled.settle(Outcome.SENT)
    assert settled.due(revisions=Revisions.ALL) == []


def test_a_version_that_came_by_one_keyword_is_no_news_by_another(settled: House) -> None:
    settled.sync(reader(ADA, "Alpha", "Beta"))
    for name in ("Alpha", "Beta"):
        settled.record(name, eprint(2))
    second = eprint(2, version=2, updated=MONDAY)
    settled.record("Alpha", second)
    settled.queue(revisions=Revisions.ALL)
    assert settled.settle(Outcome.SENT) == State.SENT
    assert settled.record("Beta", second) == {Kind.REVISED: 1}
    assert settled.due(revisions=Revisions.ALL) == []


def test_what_is_new_by_one_keyword_and_late_by_another_is_new(settled: House) -> None:
    settled.sync(reader(ADA, "Alpha", "Beta"))
    settled.record("Alpha", eprint(2, MONDAY - 20 * DAY))
    assert [item.kind for item in settled.plan().items] == [Kind.LATE]
    settled.record("Beta", eprint(2, MONDAY - 20 * DAY), eprint(3))
    assert {item.kind for item in settled.plan().items} == {Kind.NEW}


def test_what_is_excluded_is_not_due_and_does_not_return(settled: House) -> None:
    settled.record("Alpha", eprint(2), eprint(3))

    def exclude(papers: list[Paper]) -> set[str]:
        return {p.id for p in papers if p.id.endswith("2")}

    assert settled.due(exclude=exclude) == [3]
    settled.queue(exclude=exclude)
    assert settled.due() == []


# -- placement
# ----------------------------------------------------------------------------------------


def test_a_new_subscription_starts_with_the_last_20_of_the_last_7_days(house: House) -> None:
    house.sync(reader(BOB, "Alpha"))
    house.record("Alpha", *(eprint(n, MONDAY - 7 * DAY + n * HOUR) for n in range(1, 31)))
    house.sync(reader(BOB, "Alpha"), reader(ADA, "Alpha"))
    assert house.due() == list(range(11, 31))


def test_older_papers_than_7_days_are_not_among_the_first(house: House) -> None:
    house.sync(reader(ADA, "Alpha"))
    old = [eprint(n, MONDAY - 7 * DAY - (20 - n) * HOUR) for n in range(1, 11)]
    house.record("Alpha", *old, *(eprint(n, MONDAY - 7 * DAY + n * HOUR) for n in range(11, 18)))
    assert house.due() == list(range(11, 18))


@pytest.mark.parametrize(
    ("young", "recorded", "shown"), [(0, 12, 5), (2, 12, 5), (6, 12, 6), (0, 3, 3), (0, 0, 0)]
)
def test_at_least_5_are_among_the_first_where_there_are(
    house: House, young: int, recorded: int, shown: int
) -> None:
    house.sync(reader(ADA, "Alpha"))
    papers = [
        eprint(n, MONDAY - (1 if n > recorded - young else 20) * DAY - (30 - n) * MINUTE)
        for n in range(1, recorded + 1)
    ]
    house.record("Alpha", *papers)
    assert house.due() == list(range(recorded - shown + 1, recorded + 1))


def test_revisions_and_old_papers_do_not_count_as_first_ones(house: House) -> None:
    house.sync(reader(BOB, "Alpha"))
    house.record("Alpha", *(eprint(n, MONDAY - 3 * DAY + n * MINUTE) for n in range(1, 21)))
    house.record(
        "Alpha",
        *(eprint(n, MONDAY - 3 * DAY, version=2, updated=MONDAY - HOUR) for n in range(1, 6)),
        *(eprint(n, MONDAY - 100 * DAY) for n in range(31, 36)),
        at=MONDAY + HOUR,
    )
    house.sync(reader(BOB, "Alpha"), reader(ADA, "Alpha"))
    assert house.due() == list(range(1, 21))


@pytest.mark.parametrize(("hours", "at_once"), [(35, True), (37, False)])
def test_a_subscription_is_placed_at_once_only_after_a_recent_window(
    house: House, hours: int, at_once: bool
) -> None:
    house.sync(reader(BOB, "Alpha"))
    house.record("Alpha", eprint(1))
    house.sync(reader(BOB, "Alpha"), reader(ADA, "Alpha"), at=MONDAY + hours * HOUR)
    assert house.due() == ([1] if at_once else [])
    assert house.plan().unplaced == (0 if at_once else 1)
    house.record("Alpha", eprint(1), eprint(2, MONDAY + DAY), at=MONDAY + (hours + 1) * HOUR)
    assert house.due() == [1, 2]


def test_placing_a_reader_does_not_move_others(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    settled.record("Alpha", eprint(3))
    assert settled.due(BOB) == [1, 2, 3]
    settled.settle(Outcome.SENT)
    assert settled.due(ADA) == [3]


# -- the subscribers file changes
# -----------------------------------------------------------------------


def test_syncing_an_unchanged_file_writes_nothing(house: House) -> None:
    assert house.sync(reader(ADA, "Alpha"))
    assert not house.sync(reader(ADA, "Alpha"), at=MONDAY + DAY)


def test_an_edited_keyword_still_brings_what_was_recorded_before(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    edited = Subscriber(ADA, (keyword("Alpha", "all:beta"),))
    settled.sync(edited)
    assert settled.due() == [2]
    settled.sync(edited, reader(BOB, "Alpha"))
    settled.record("Alpha", eprint(3))
    assert settled.due() == [2]
    settled.record("Beta", eprint(2), eprint(4))
    assert settled.due() == [2, 4]
    settled.queue()
    settled.settle(Outcome.SENT)
    assert settled.due() == []


def test_a_name_that_differs_only_by_case_is_an_edit(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.sync(Subscriber(ADA, (keyword("ALPHA", "all:beta"),)))
    assert settled.due() == [2]


def test_a_removed_keyword_is_due_no_more_at_once(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.sync(reader(ADA, "Beta"))
    assert settled.due() == []


@pytest.mark.parametrize(("days", "due"), [(6, [2, 3]), (8, [4, 5, 6, 7, 8])])
def test_a_keyword_back_within_7_days_goes_on_and_later_starts_anew(
    settled: House, days: int, due: list[int]
) -> None:
    settled.record("Alpha", eprint(2))
    settled.sync(reader(ADA, "Beta"), reader(BOB, "Alpha"))
    settled.record("Alpha", eprint(3))
    if days > 7:
        settled.record("Alpha", *(eprint(n, settled.now - 8 * DAY) for n in range(4, 9)))
    back = settled.now + days * DAY
    settled.record("Alpha", at=back - HOUR)
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"), at=back)
    assert settled.due() == due


def test_what_the_reader_had_does_not_come_again_after_a_long_absence(settled: House) -> None:
    settled.sync(reader(ADA, "Beta"), reader(BOB, "Alpha"))
    settled.record("Alpha", eprint(2), at=settled.now + 10 * DAY)
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    assert settled.due() == [2]


def test_a_reader_who_left_and_came_back_does_not_get_papers_again(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.sync(reader(BOB, "Alpha"))
    assert settled.store.digests.reader(ADA) is None
    assert settled.store.subscribers.known() == 1
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"), at=settled.now + DAY)
    assert settled.due() == [2]


def test_a_keyword_that_was_never_answered_and_is_back_is_placed_at_once_after_a_recent_window(
    house: House,
) -> None:
    house.sync(reader(ADA, "Alpha", "Beta"), reader(BOB, "Beta"))
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Beta"))
    house.record("Beta", eprint(1))
    house.sync(reader(ADA, "Alpha", "Beta"), reader(BOB, "Beta"), at=MONDAY + HOUR)
    assert house.due() == [1]


def test_two_names_with_one_query_are_one_subscription(house: House) -> None:
    house.sync(Subscriber(ADA, (keyword("One", "all:alpha"), keyword("Two", "all:alpha"))))
    house.record("Alpha", eprint(1))
    (item,) = house.plan().items
    assert item.keywords == ("One",)
    assert house.value("SELECT COUNT(*) FROM query") == 1


def test_a_renamed_keyword_is_only_a_label(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.sync(Subscriber(ADA, (keyword("Other name", "all:alpha"),)))
    (item,) = settled.plan().items
    assert (item.paper.id, item.keywords) == ("2611.00002", ("Other name",))


def test_an_empty_file_removes_nobody_and_is_a_matter_of_configuration(settled: House) -> None:
    with pytest.raises(ConfigError, match="names nobody") as caught:
        settled.sync()
    assert caught.value.exit_code == Exit.CONFIG
    assert settled.store.subscribers.known() == 1
    assert settled.store.digests.reader(ADA) is not None


def test_an_empty_file_is_right_where_nobody_is_known(house: House) -> None:
    house.sync()
    assert house.store.subscribers.known() == 0


def test_whoever_was_let_go_and_subscribes_again_in_the_same_words_is_known_again(
    house: House,
) -> None:
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    assert house.store.subscribers.remove(ADA, MONDAY)
    assert not house.store.subscribers.remove(ADA, MONDAY)
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    assert house.store.digests.reader(ADA) is not None


def test_a_reader_who_moved_keeps_the_history(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    assert settled.store.subscribers.move(ADA, "ada@example.net")
    settled.sync(reader("ada@example.net", "Alpha"))
    assert settled.due("ada@example.net") == [2]
    assert settled.store.digests.reader(ADA) is None
    assert not settled.store.subscribers.move(ADA, "ada@example.com")


def test_a_reader_who_moved_to_an_address_with_a_history_keeps_the_own_one(settled: House) -> None:
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    settled.record("Alpha", eprint(2))
    settled.queue(BOB)
    settled.settle(Outcome.SENT)
    settled.sync(reader(ADA, "Alpha"))
    assert settled.store.subscribers.move(ADA, BOB)
    settled.sync(reader(BOB, "Alpha"))
    assert settled.due(BOB) == [2]
    assert settled.value("SELECT COUNT(*) FROM subscriber WHERE gone = 0") == 1


def test_an_addresss_case_does_not_make_another_reader(settled: House) -> None:
    settled.sync(reader("ADA@example.org", "Alpha"))
    assert settled.store.subscribers.known() == 1
    assert settled.value("SELECT address FROM subscriber") == "ADA@example.org"
    assert settled.due("ada@EXAMPLE.org") == []


def test_a_slots_day_does_not_begin_anew_when_somebody_else_edits_the_file(house: House) -> None:
    house.sync(reader(ADA, "Alpha"))
    due = house.store.digests.reader(ADA)
    assert due is not None
    house.store.digests.open_slots([due.id], MONDAY)
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"), at=MONDAY + HOUR)
    due = house.store.digests.reader(ADA)
    assert due is not None
    assert due.opened_at == MONDAY


# -- folding
# ------------------------------------------------------------------------------------------


def test_a_waiting_digest_is_folded_only_when_something_newer_is_due(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    first = settled.queue()
    settled.settle(Outcome.DEFERRED)
    assert settled.plan().waiting
    assert settled.due() == []
    settled.record("Alpha", eprint(3), at=settled.now + DAY)
    assert settled.due() == [2, 3]
    second = settled.queue()
    assert (settled.state(first), settled.state(second)) == ("expired", "queued")
    settled.settle(Outcome.SENT)
    assert settled.claim() is None
    assert settled.due() == []


def test_folding_never_goes_behind_the_start(house: House) -> None:
    house.sync(reader(BOB, "Alpha", "Beta"))
    house.record("Alpha", eprint(50))
    house.record("Beta", *(eprint(n, MONDAY - 20 * DAY + n * MINUTE) for n in range(1, 11)))
    house.sync(reader(ADA, "Alpha", "Beta"), reader(BOB, "Alpha", "Beta"))
    house.queue()
    house.record("Beta", eprint(11), at=MONDAY + DAY)
    assert house.due() == [50, 6, 7, 8, 9, 10, 11]
    house.queue()
    assert house.settle(Outcome.FAILED) == State.FAILED
    assert house.due() == [50, 6, 7, 8, 9, 10, 11]


def test_what_may_have_been_accepted_is_never_folded(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    maybe = settled.queue()
    assert settled.settle(Outcome.UNKNOWN) == State.UNKNOWN
    settled.store.outbox.retry(maybe, settled.now)
    assert settled.state(maybe) == "deferred"
    settled.record("Alpha", eprint(3), at=settled.now + DAY)
    assert settled.due() == [3]
    settled.queue()
    assert settled.state(maybe) == "deferred"


def test_a_digest_whose_predecessor_has_moved_meanwhile_is_left_for_the_next_cycle(
    settled: House,
) -> None:
    settled.record("Alpha", eprint(2))
    first = settled.queue()
    settled.record("Alpha", eprint(3), at=settled.now + DAY)
    plan = settled.plan()
    settled.store.outbox.drop(first, settled.now)
    assert settled.queue(plan=plan) == 0
    assert settled.state(first) == "dropped"
    assert settled.due() == [3]


def test_queueing_is_one_transaction(settled: House, monkeypatch: pytest.MonkeyPatch) -> None:
    settled.record("Alpha", eprint(2))
    first = settled.queue()
    settled.record("Alpha", eprint(3), at=settled.now + DAY)
    plan, write = settled.plan(), Database.write
    before = (
        settled.value("SELECT position FROM subscription"),
        settled.value("SELECT COUNT(*) FROM content"),
    )

    def killed(self: Database, sql: str, parameters: Any = ()) -> int:
        if "SET away = 0" in sql:
            raise Kill
        return write(self, sql, parameters)

    monkeypatch.setattr(Database, "write", killed)
    with pytest.raises(Kill):
        settled.queue(plan=plan)
    monkeypatch.undo()
    assert settled.state(first) == "queued"
    assert settled.value("SELECT COUNT(*) FROM delivery") == 2
    assert (
        settled.value("SELECT position FROM subscription"),
        settled.value("SELECT COUNT(*) FROM content"),
    ) == before
    assert settled.due() == [2, 3]


@pytest.mark.parametrize("outcome", [Outcome.FAILED])
def test_what_failed_for_good_is_due_again(settled: House, outcome: Outcome) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    assert settled.settle(outcome) == State.FAILED
    assert settled.due() == [2]
    assert not settled.plan().waiting


# -- absence
# ------------------------------------------------------------------------------------------


def test_a_return_brings_the_most_recent_papers_and_counts_the_others(settled: House) -> None:
    due = settled.store.digests.reader(ADA)
    assert due is not None
    settled.store.digests.mark_away([due.id])
    settled.record(
        "Alpha", *(eprint(n, MONDAY + n * MINUTE) for n in range(2, 12)), at=settled.now + 5 * DAY
    )
    plan = settled.plan(max_papers=3)
    assert (numbers(plan), plan.skipped) == ([9, 10, 11], 7)
    delivery = settled.queue(plan=plan)
    settled.settle(Outcome.FAILED)
    assert settled.state(delivery) == "failed"
    assert settled.due() == [9, 10, 11]
    settled.record("Alpha", eprint(12, MONDAY + DAY), at=settled.now + DAY)
    plan = settled.plan(max_papers=3)
    assert (numbers(plan), plan.skipped) == ([9, 10, 11, 12], 0)


def test_suppressed_mail_is_not_sent_and_becomes_due_again(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    settled.suppress("ADA@example.org")
    assert settled.claim() is None
    assert settled.state(delivery) == "suppressed"
    assert settled.due() == [2]


def test_mail_to_a_reader_who_left_is_not_sent(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    settled.sync(reader(BOB, "Alpha"))
    assert settled.claim() is None
    assert settled.state(delivery) == "suppressed"


def test_what_may_have_been_accepted_ends_dropped_when_the_reader_leaves(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    settled.settle(Outcome.UNKNOWN)
    settled.suppress()
    assert settled.claim(settled.now + HOUR) is None
    assert settled.state(delivery) == "dropped"
    assert settled.due() == []


# -- the outbox
# ---------------------------------------------------------------------------------------


def test_a_delivery_is_in_data_on_the_disk_before_data(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    outgoing = settled.claim()
    assert outgoing is not None
    assert settled.state(delivery) == "leased"
    settled.store.outbox.enter_data(outgoing)
    assert settled.state(delivery) == "in_data"


def test_a_stopped_cycle_leaves_leased_ones_unsent_and_those_in_data_unknown(
    settled: House,
) -> None:
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    settled.record("Alpha", eprint(2))
    first, second = settled.queue(ADA), settled.queue(BOB)
    one, _other = settled.claim(), settled.claim()
    assert one is not None
    settled.store.outbox.enter_data(one)
    assert settled.store.outbox.recover(settled.now) == 1
    assert (settled.state(first), settled.state(second)) == ("unknown", "queued")
    again = settled.claim()
    assert again is not None
    assert (again.id, again.attempt) == (second, 1)
    assert settled.claim() is None


def test_whoever_lost_the_claim_writes_nothing(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    lost = settled.claim()
    assert lost is not None
    settled.store.outbox.recover(settled.now)
    with pytest.raises(LookupError):
        settled.store.outbox.enter_data(lost)
    assert settled.ended(lost, Receipt(Outcome.SENT)) is None
    assert settled.state(delivery) == "queued"


def test_another_process_cannot_settle_a_claim(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    outgoing = settled.claim()
    assert outgoing is not None
    settled.store.outbox._owner = "another:1"
    with pytest.raises(LookupError):
        settled.store.outbox.enter_data(outgoing)
    assert settled.ended(outgoing, Receipt(Outcome.FAILED)) is None


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_refused_mail_waits_longer_each_time(settled: House, jitter: float) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    for wait in [*RETRIES, RETRIES[-1]]:
        outgoing = settled.claim()
        assert outgoing is not None
        settled.ended(outgoing, Receipt(Outcome.DEFERRED), jitter)
        (entry,) = settled.store.outbox.entries()
        waited = entry.next_at - settled.now
        assert abs(waited - wait * (0.9 + 0.2 * jitter)) <= timedelta(seconds=1)
        assert settled.claim(entry.next_at - timedelta(seconds=2)) is None
        settled.now = entry.next_at


def test_a_relay_that_is_away_counts_no_attempt(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    for _ in range(3):
        assert settled.settle(Outcome.RELAY) == State.QUEUED
        (entry,) = settled.store.outbox.entries()
        assert entry.attempt == 0
        settled.now = entry.next_at


def test_the_outbox_is_worked_through_without_reading_the_ledger_of_all_years(
    settled: House,
) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    outbox, asked = settled.store.outbox, []
    settled.database._connection.set_trace_callback(asked.append)
    outbox.recover(settled.now)
    outbox.next_at(hold_unknown=False)
    assert outbox.claim(settled.now, hold_unknown=False)
    outbox.entries()
    outbox.waiting()
    settled.database._connection.set_trace_callback(None)
    looked = [sql for sql in asked if "delivery" in sql]
    steps = [
        row["detail"]
        for sql in looked
        for row in settled.database.rows(f"EXPLAIN QUERY PLAN {sql}")
    ]
    assert len(looked) >= 6
    assert {"SCAN delivery", "SCAN d"}.isdisjoint(steps), steps
    assert sum("delivery_open" in step for step in steps) >= 6


def test_refusals_are_final_after_days(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    assert timedelta(days=5) == GIVE_UP
    assert settled.settle(Outcome.DEFERRED, settled.now + GIVE_UP - HOUR) == State.DEFERRED
    assert settled.settle(Outcome.DEFERRED, settled.now + 2 * HOUR) == State.FAILED


def test_an_unknown_delivery_is_tried_again_after_30_minutes_under_the_same_message_id(
    settled: House,
) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    first = settled.claim()
    assert first is not None
    settled.store.outbox.enter_data(first)
    settled.ended(first, Receipt(Outcome.UNKNOWN), 0.0)
    assert timedelta(minutes=30) == UNKNOWN_WAIT
    assert settled.claim(settled.now + 29 * MINUTE) is None
    again = settled.claim(settled.now + 5 * MINUTE)
    assert again is not None
    assert (again.message_id, again.date, again.pieces) == (
        first.message_id,
        first.date,
        first.pieces,
    )


def test_mail_that_is_never_answered_for_goes_out_ever_more_rarely_and_not_for_ever(
    settled: House,
) -> None:
    settled.record("Alpha", eprint(2))
    delivery, begun, copies = settled.queue(), settled.now, 0
    while (at := settled.store.outbox.next_at(hold_unknown=False)) is not None:
        settled.settle(Outcome.UNKNOWN, at)
        copies += 1
        assert copies < 50
    assert GIVE_UP <= settled.now - begun <= GIVE_UP + RETRIES[-1]
    assert copies >= len(RETRIES)
    assert settled.state(delivery) == "dropped"
    assert settled.due() == [], "what may have been accepted is not due again"


def test_under_hold_an_unknown_delivery_is_never_tried_again_unless_a_person_says_so(
    settled: House,
) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    settled.settle(Outcome.UNKNOWN)
    assert settled.claim(settled.now + 30 * DAY, hold=True) is None
    assert settled.store.outbox.next_at(hold_unknown=True) is None
    settled.store.outbox.retry(delivery, settled.now)
    assert settled.claim(hold=True) is not None


@pytest.mark.parametrize("outcome", [Outcome.DEFERRED, Outcome.RELAY])
def test_what_may_have_been_accepted_stays_so_whatever_follows(
    settled: House, outcome: Outcome
) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    settled.settle(Outcome.UNKNOWN)
    assert settled.settle(outcome, settled.now + HOUR) == State.UNKNOWN
    assert settled.settle(Outcome.FAILED, settled.now + HOUR) == State.DROPPED
    assert settled.due() == []
    assert settled.state(delivery) == "dropped"


def test_a_dropped_delivery_counts_as_had(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    entry = settled.store.outbox.drop(settled.queue(), settled.now)
    assert entry.papers == 1
    assert settled.due() == []
    assert settled.claim() is None


def test_only_what_waits_can_be_retried_or_dropped(settled: House) -> None:
    outbox = settled.store.outbox
    for verb in (outbox.retry, outbox.drop):
        with pytest.raises(UsageError, match="is sent"):
            verb(1, settled.now)
        with pytest.raises(UsageError, match="no delivery 99"):
            verb(99, settled.now)


def test_retrying_never_makes_a_delivery_wait_longer(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    delivery = settled.queue()
    entry = settled.store.outbox.retry(delivery, settled.now + 300 * DAY)
    assert entry.next_at == settled.now


def test_equal_digests_are_stored_once(settled: House) -> None:
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    settled.record("Alpha", eprint(2))
    for address in (ADA, BOB):
        plan = settled.plan(address)
        settled.store.digests.queue(
            [Queued(plan, settled.now, "one key", "subject", PIECES)],
            settled.now,
            "example.org",
            lambda _r: settled.now,
        )
    assert settled.value("SELECT COUNT(*) FROM content WHERE key = 'one key'") == 1
    assert settled.store.digests.stored("one key") == ("subject", PIECES)
    one, other = settled.claim(), settled.claim()
    assert one is not None
    assert other is not None
    assert one.pieces == other.pieces == PIECES
    assert one.message_id != other.message_id


# -- runs and the database's time
# ---------------------------------------------------------------------


def test_an_earlier_time_is_refused_and_named(house: House) -> None:
    with pytest.raises(ConfigError, match="already seen 2026-11-09T07:00:00Z") as caught:
        house.store.runs.check_time(MONDAY - HOUR)
    assert caught.value.exit_code == Exit.CONFIG
    assert "--db" in caught.value.remedy


def test_a_clock_set_back_by_minutes_does_no_harm(house: House) -> None:
    assert house.store.runs.check_time(MONDAY - 20 * MINUTE) == MONDAY
    assert house.store.runs.check_time(MONDAY + MINUTE) == MONDAY + MINUTE


def test_a_runs_record_tells_all_that_was_noted(house: House) -> None:
    house.sync(reader(ADA, "Alpha"))
    record = KeywordRecord(
        "Alpha", "ok", fetched=9, new=1, revised=2, late=3, requests=4, why="because"
    )
    house.store.runs.note_keyword(house.run, house.query("Alpha").id, record)
    unfinished = house.store.runs.latest()
    assert unfinished is not None
    assert unfinished.finished is None
    outcomes = {
        Outcome.SENT: 1,
        Outcome.DEFERRED: 2,
        Outcome.RELAY: 3,
        Outcome.FAILED: 4,
        Outcome.UNKNOWN: 5,
    }
    house.store.runs.finish(
        house.run, MONDAY + HOUR, composed=7, outcomes=outcomes, trouble="trouble"
    )
    run = house.store.runs.latest()
    assert run is not None
    assert (run.started, run.finished, run.trouble, run.composed) == (
        MONDAY,
        MONDAY + HOUR,
        "trouble",
        7,
    )
    assert {str(k): v for k, v in run.outcomes.items()} == {
        "sent": 1,
        "deferred": 5,
        "failed": 4,
        "unknown": 5,
    }
    assert run.keywords == (record,)
    assert house.store.runs.last_fetch("all:alpha") == (MONDAY, record)


def test_records_of_runs_are_let_go_after_a_year_and_the_log_stays(house: House) -> None:
    house.sync(reader(ADA, "Alpha"))
    house.record("Alpha", eprint(1))
    house.store.runs.note_keyword(house.run, house.query("Alpha").id, KeywordRecord("Alpha", "ok"))
    house.store.runs.begin(MONDAY + 365 * DAY)
    assert house.value("SELECT COUNT(*) FROM run") == 2
    house.store.runs.begin(MONDAY + 367 * DAY)
    assert house.value("SELECT COUNT(*) FROM run") == 2
    assert house.value("SELECT COUNT(*) FROM run_keyword") == 0
    assert house.value("SELECT COUNT(*) FROM seen") == 1
