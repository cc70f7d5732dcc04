"""Transactions that are kept together: all at the end, each undone by itself, or none at all."""

from __future__ import annotations

from contextlib import suppress

import pytest

from digest.errors import StoreError
from digest.store.database import Database
from tests.world.databases import SqliteFile


@pytest.fixture
def pair(kind: SqliteFile) -> tuple[Database, Database]:
    """Two connections to one database."""
    return kind.open(), kind.open()


def note(database: Database, key: str, value: str = "") -> None:
    with database.transaction():
        database.set_meta(key, value)
        if value == "wrong":
            raise LookupError


@pytest.mark.sqlite
def test_they_are_kept_at_the_end_but_for_those_that_failed(
    pair: tuple[Database, Database],
) -> None:
    mine, others = pair
    with mine.together():
        note(mine, "one", "1")
        with pytest.raises(LookupError):
            note(mine, "two", "wrong")
        note(mine, "three", "3")
        assert mine.meta("one") == "1"
        assert others.meta("one") is None
    assert [others.meta(key) for key in ("one", "two", "three")] == ["1", None, "3"]
    note(others, "four", "4")
    note(mine, "five", "5")


def test_where_the_whole_fails_none_is_kept(kind: SqliteFile) -> None:
    mine = kind.open()

    def fail() -> None:
        with mine.together():
            note(mine, "one", "1")
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert mine.meta("one") is None
    note(mine, "two", "2")


@pytest.mark.sqlite
def test_what_a_full_disk_undid_is_not_told_as_kept(pair: tuple[Database, Database]) -> None:
    mine, others = pair
    limit = mine.number("PRAGMA page_count") + 1

    def fill_the_disk() -> None:
        with mine.together():
            note(mine, "one", "1")
            # SQLite undoes all that was written in the transaction.
            mine.value(f"PRAGMA max_page_count = {limit}")
            with suppress(StoreError):
                note(mine, "two", "2" * 20_000)
            mine.value("PRAGMA max_page_count = 1000000")
            note(mine, "three", "3")

    with pytest.raises(StoreError, match="undone"):
        fill_the_disk()
    assert [others.meta(key) for key in ("one", "two", "three")] == [None] * 3
    note(mine, "four", "4")
    assert others.meta("four") == "4"
