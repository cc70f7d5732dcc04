"""Values that were damaged where they lie: a person is told so in words, whatever is asked."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from digest.errors import StoreError
from digest.store.rows import from_text, loads, moment_or_none, stored, unpack
from tests.world.house import DAYS, FRIDAY, SATURDAY, THURSDAY, House, house, out_of_order

pytestmark = pytest.mark.sqlite

__all__ = ["house"]
"""Of the two of this name the whole installation is meant, not the store alone."""

STORE = Path(__file__).resolve().parent.parent.parent / "digest" / "store"
COMMANDS = (
    "run",
    "status",
    "why ada@example.org",
    "keywords windows",
    "db check",
)
WAYS: dict[str, Callable[[bytes, int], bytes]] = {
    "a flipped bit": lambda value, at: value[:at] + bytes([value[at] ^ 4]) + value[at + 1 :],
    "no UTF-8": lambda value, at: value[:at] + b"\xff" + value[at + 1 :],
    "something else": lambda _value, _at: b"{junk",
}


@pytest.fixture
def lived(house: House) -> House:
    """Two days of digests, and an hour in which arXiv failed."""
    assert house("run", now=THURSDAY).code == 0
    house.serve(DAYS[1])
    assert house("run", now=FRIDAY).code == 0
    house.arxiv.on_query = out_of_order
    house("run", "--fetch", now=FRIDAY + timedelta(hours=3))
    house.arxiv.on_query = None
    shutil.copy(house.home / "digest.db", house.home / "whole.db")
    return house


def columns(path: Path) -> Iterator[tuple[str, str]]:
    """All columns that hold texts or bytes."""
    with closing(sqlite3.connect(path)) as database:
        named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        for (table,) in database.execute(named).fetchall():
            for _, name, kind, *_ in database.execute(f"PRAGMA table_info({table})").fetchall():
                if kind in ("TEXT", "BLOB"):
                    yield table, name


def damage(house: House, table: str, column: str, way: str) -> int:
    """Damage up to five values of a column in a fresh copy; returns how many there were."""
    target = house.home / "digest.db"
    for part in ("", "-wal", "-shm"):
        target.with_name(target.name + part).unlink(missing_ok=True)
    shutil.copy(house.home / "whole.db", target)
    with closing(sqlite3.connect(target)) as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        values = database.execute(
            f"SELECT DISTINCT {column}, typeof({column}) FROM {table} WHERE length({column}) > 0"
        ).fetchall()
        for number, (value, kind) in enumerate(values[:5]):
            raw = value.encode() if isinstance(value, str) else bytes(value)
            changed = WAYS[way](raw, (7 * number) % len(raw))
            kind = "TEXT" if kind == "text" else "BLOB"
            database.execute(
                f"UPDATE OR IGNORE {table} SET {column} = CAST(? AS {kind}) WHERE {column} = ?",
                [changed, value],
            )
        database.commit()
    return len(values)


def ends_in_words(house: House, command: str) -> None:
    told = house(*command.split(), now=SATURDAY if command == "run" else None)
    assert told.code in (0, 1, 2, 75, 78)
    assert "Traceback" not in told.err
    assert "an error of the program itself" not in told.err, told.err


def test_a_value_that_cannot_be_read_says_what_to_do(lived: House) -> None:
    for table, column, command in (
        ("query", "last_good_at", "run"),
        ("paper", "authors", "run"),
        ("answer", "raw", "keywords windows"),
        ("run", "started_at", "db check"),
    ):
        for way in ("no UTF-8", "something else"):
            assert damage(lived, table, column, way)
            ends_in_words(lived, command)


@pytest.mark.heavy
@pytest.mark.parametrize("way", WAYS)
def test_whatever_value_is_damaged_every_command_ends_in_words(lived: House, way: str) -> None:
    damaged = 0
    for table, column in columns(lived.home / "whole.db"):
        for command in COMMANDS:
            there = damage(lived, table, column, way)
            if there:
                damaged += 1
                ends_in_words(lived, command)
    assert damaged > 120


def test_a_reader_says_what_it_could_not_read() -> None:
    for read, value in (
        (from_text, "2026-11-3!"),
        (from_text, None),
        (moment_or_none, "x"),
        (loads, "{"),
        (unpack, b"x"),
        (stored(dict), "x"),
    ):
        with pytest.raises(StoreError, match="cannot be read") as caught:
            read(value)  # type: ignore[operator]
        assert "restore a backup" in caught.value.remedy


def test_the_store_reads_what_it_holds_in_no_other_way() -> None:
    others = re.compile(
        r"\bjson\.loads\(|\bzlib\.decompress\("
        r"|from digest\.times import .*(from_text|moment_or_none)"
    )
    modules = [path for path in STORE.glob("*.py") if path.name != "rows.py"]
    assert [path.name for path in modules if others.search(path.read_text())] == []
