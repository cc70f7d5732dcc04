"""What a window brings into the log, once, whole, and in the highest version."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from digest.errors import ArxivError
from digest.model import (
    Kind,
    Revisions,
)
from digest.store.database import Database
from digest.store.held import RAW_BYTES, RAW_KEPT
from digest.times import to_text
from tests.store.house import ADA, House, Kill
from tests.world.worlds import DAY, HOUR, MONDAY, eprint, keyword, reader


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
            if sql.startswith(("INSERT", "UPDATE", "DELETE")):
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
        before, ArxivError("cut off", body=b"<feed>half"), MONDAY + DAY, MONDAY + DAY + HOUR
    )
    after = house.query("Alpha")
    assert (after.failures, after.trouble, after.next_fetch_at) == (
        1,
        "cut off",
        MONDAY + DAY + HOUR,
    )
    assert (after.last_good_at, after.rows_per_day) == (before.last_good_at, before.rows_per_day)
    assert house.value("SELECT COUNT(*) FROM seen") == 1
    assert zlib.decompress(house.value("SELECT raw FROM answer")) == b"<feed>half"
    assert house.value("SELECT verdict FROM answer") == "cut off"


def test_bad_answers_are_kept_within_bounds(house: House) -> None:
    assert RAW_KEPT < 10
    house.sync(reader(ADA, "Alpha", "Beta"))
    house.store.windows.record_failure(house.query("Beta"), ArxivError("other"), MONDAY, MONDAY)
    for number in range(RAW_KEPT + 3):
        raw = str(number).encode() * (RAW_BYTES + 10)
        house.store.windows.record_failure(
            house.query("Alpha"), ArxivError(f"failure {number}", body=raw), MONDAY, MONDAY
        )
    kept = house.database.rows("SELECT verdict, raw FROM answer ORDER BY id")
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
    house.store.windows.record_failure(
        house.query("Alpha"), ArxivError("cut off"), MONDAY, MONDAY + HOUR
    )
    house.record("Alpha", eprint(1), at=MONDAY + HOUR)
    query = house.query("Alpha")
    assert (query.failures, query.trouble, query.next_fetch_at) == (0, "", None)
    assert query.last_good_at == MONDAY + HOUR


def test_old_papers_are_recorded_and_never_due(settled: House) -> None:
    assert settled.record("Alpha", eprint(2, MONDAY - 80 * DAY)) == {Kind.OLD: 1}
    assert settled.due(revisions=Revisions.ALL) == []
