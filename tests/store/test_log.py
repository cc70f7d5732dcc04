"""The log's end: what a position may move over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Protocol

import pytest

from digest.errors import TryLaterError
from digest.model import Outcome, State
from digest.store.log import LOOKED_AT, Entry, append, head, versions_since
from tests.store.house import ADA, House
from tests.world.databases import Kind
from tests.world.worlds import DAY, HOUR, MONDAY, eprint, reader


class Writer(Protocol):
    """A connection to a log. What another one holds back is told by TryLaterError."""

    def begin(self) -> None: ...

    def append(self) -> None:
        """Write a row whose number the log gives."""

    def commit(self) -> None: ...

    def numbers(self) -> list[int]:
        """The numbers that this connection sees, where nothing is open on it."""

    def end(self) -> int:
        """Up to where this connection would let a position move."""


def nothing_joins_before_the_end(first: Writer, second: Writer, third: Writer) -> None:
    """However two writers meet: what a third one sees up to the end of the log is all that
    there will ever be."""
    for late in (True, False):
        first.begin()
        if not late:
            first.append()
        try:
            second.begin()
            second.append()
            if late:
                first.append()
            second.commit()
        except TryLaterError:
            if late:
                first.append()
        end, seen = third.end(), third.numbers()
        try:
            first.commit()
        except TryLaterError:
            continue
        assert [number for number in third.numbers() if number <= end] == seen


class InDatabase:
    """The store's own log."""

    def __init__(self, kind: Kind) -> None:
        self.database = kind.open(busy_seconds=0.01)

    def begin(self) -> None:
        self.transaction = self.database.transaction()
        self.transaction.__enter__()

    def append(self) -> None:
        append(self.database, [Entry(1, "2611.00001", head(self.database) + 1, "new")])

    def commit(self) -> None:
        self.transaction.__exit__(None, None, None)

    def numbers(self) -> list[int]:
        return self.database.column("SELECT seq FROM seen ORDER BY seq")

    def end(self) -> int:
        return head(self.database)


class Shared:
    """A log in which many write at a time, as in other databases; `ordered`: as the store numbers
    its rows, else each row has its number before its transaction is committed."""

    def __init__(self, log: list[int], given: list[int], *, ordered: bool) -> None:
        self.log, self.given, self.ordered = log, given, ordered
        self.mine: list[int] = []

    def begin(self) -> None:
        self.mine = []

    def append(self) -> None:
        number = self.end() + 1 if self.ordered else len(self.given) + 1
        self.given.append(number)
        self.mine.append(number)

    def commit(self) -> None:
        if set(self.mine) & set(self.log):
            raise TryLaterError("the number is another row's", remedy="begin again")
        self.log.extend(self.mine)

    def numbers(self) -> list[int]:
        return sorted(self.log)

    def end(self) -> int:
        return max([*self.log, *self.mine], default=0)


@pytest.fixture
def writers(house: House) -> Iterator[tuple[Writer, Writer, Writer]]:
    if house.kind.alone:
        pytest.skip("nobody sees the log while somebody writes to it")
    house.database.write("INSERT INTO query(text) VALUES('all:a')")
    house.record_paper(eprint(1))
    one, two, three = (InDatabase(house.kind) for _ in range(3))
    with closing(one.database), closing(two.database), closing(three.database):
        yield one, two, three


def test_no_number_joins_the_log_before_its_end(writers: tuple[Writer, Writer, Writer]) -> None:
    nothing_joins_before_the_end(*writers)
    assert writers[2].numbers() == [1, 2]


def test_so_it_is_where_many_write_at_a_time() -> None:
    log: list[int] = []
    one, two, three = (Shared(log, [], ordered=True) for _ in range(3))
    nothing_joins_before_the_end(one, two, three)
    assert log == [1, 2]


def test_a_log_whose_numbers_are_committed_out_of_order_is_noticed() -> None:
    log, given = list[int](), list[int]()
    one, two, three = (Shared(log, given, ordered=False) for _ in range(3))
    with pytest.raises(AssertionError):
        nothing_joins_before_the_end(one, two, three)


def test_numbers_go_on_where_the_log_ends(house: House) -> None:
    house.sync(reader(ADA, "Alpha", "Beta"))
    house.record("Alpha", eprint(1), eprint(2))
    assert house.database.column("SELECT seq FROM seen ORDER BY seq") == [1, 2]
    assert head(house.database) == 2
    house.record("Beta", eprint(1))
    assert head(house.database) == 3


def test_what_comes_between_a_plan_and_its_digest_is_due_to_the_next(settled: House) -> None:
    """The cycle lock keeps others from writing meanwhile, and the store does not rely on it."""
    settled.record("Alpha", eprint(2))
    plan = settled.plan(ADA)
    settled.record("Alpha", eprint(3))
    assert settled.queue(ADA, plan=plan)
    assert settled.settle(Outcome.SENT) == State.SENT
    settled.now += HOUR
    assert settled.due(ADA) == [3]


@pytest.mark.parametrize(("young", "batches"), [(3, 1), (30, 2), (200, 4)])
def test_of_a_long_log_only_the_last_days_are_looked_at(
    house: House, monkeypatch: pytest.MonkeyPatch, young: int, batches: int
) -> None:
    later = MONDAY + 30 * DAY
    house.sync(reader(ADA, "Alpha"))
    house.record("Alpha", *map(eprint, range(300)))
    house.run = house.store.runs.begin(later)
    papers = [eprint(1_000 + number, later - DAY) for number in range(young)]
    house.record("Alpha", *papers, at=later)
    read: list[int] = []

    def spied(*asked: Any) -> Any:
        found = rows(*asked)
        read.append(len(found))
        return found

    query, rows = house.query("Alpha").id, house.database.rows
    monkeypatch.setattr(house.database, "rows", spied)
    known = versions_since(house.database, query, later - 8 * DAY)
    assert known == {paper.id: later - DAY for paper in papers}
    assert read == [*LOOKED_AT[:batches]]


@pytest.mark.parametrize("rows", [1, 30], ids=["all of the log is read", "its last days are read"])
def test_a_version_that_only_another_query_brought_is_none_of_a_query(
    house: House, rows: int
) -> None:
    later = MONDAY + 30 * DAY
    house.sync(reader(ADA, "Alpha", "Beta"))
    house.record("Alpha", *map(eprint, range(rows)))
    house.run = house.store.runs.begin(later)
    house.record("Beta", eprint(0, later - DAY, version=2), at=later)
    since = later - 8 * DAY
    assert versions_since(house.database, house.query("Alpha").id, since) == {}
    assert [*versions_since(house.database, house.query("Beta").id, since)] == [eprint(0).id]
