"""The SQL of the store: words that SQLite and PostgreSQL both read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from digest.store.database import Database
from tests.world.databases import Kind

HUNDRED_THOUSAND = 100_000


@pytest.fixture
def database(kind: Kind) -> Iterator[Database]:
    database = kind.open()
    yield database
    database.close()


@pytest.mark.parametrize(
    "values",
    [
        [],
        [7],
        [1, 2, 3],
        list(range(HUNDRED_THOUSAND)),
        ["2611.00001"],
        ["1", "it's", 'a "b"', "a,b", "]", "", "Gödel ∀", "a\nb", ":reader ?"],
        [f"2611.{number:05}" for number in range(HUNDRED_THOUSAND)],
    ],
    ids=["none", "one", "few", "many", "text", "texts", "many texts"],
)
def test_a_list_is_one_parameter(database: Database, values: list[Any]) -> None:
    """Texts stay texts and numbers numbers; SQLite's limit of 32,766 parameters is none of ours."""
    assert database.column("SELECT value FROM many(?)", [values]) == values
    named = database.value("SELECT COUNT(*) FROM many(:all) a", {"all": values})
    assert named == len(values)
    first = values[0] if values else 0
    assert database.number("SELECT ? IN many(?)", [first, values]) == bool(values)
    assert database.number("SELECT ? NOT IN many(?)", [first, values]) == (not values)


def test_a_list_that_is_null_has_no_values(database: Database) -> None:
    assert database.column("SELECT value FROM many(:none)", {"none": None}) == []


def test_a_list_is_a_parameter_of_every_kind_of_statement(database: Database) -> None:
    texts = ["all:a", "all:b", "all:c"]
    database.write("INSERT INTO query(text) SELECT value FROM many(?)", [texts])
    assert database.write("UPDATE query SET failures = 1 WHERE text IN many(?)", [texts[1:]]) == 2
    with database.transaction():
        database.write_many(
            "DELETE FROM query WHERE failures = ? AND text IN many(?)", [[1, texts], [0, []]]
        )
    assert database.column("SELECT text FROM query") == ["all:a"]


def test_the_least_and_the_greatest_of_a_row(database: Database) -> None:
    assert database.row("SELECT LEAST(3, 1, 2) AS a, GREATEST(1, LEAST(?, 5)) AS b", [9]) == {
        "a": 1,
        "b": 5,
    }


def test_some_days_before_a_moment(database: Database) -> None:
    moment = database.value("SELECT days_before(?, 7)", ["2026-03-05T23:59:58Z"])
    assert moment == "2026-02-26T23:59:58Z"
