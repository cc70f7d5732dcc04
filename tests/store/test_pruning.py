"""Pruning while others write: how much is done at once, and files that cannot be shortened in
steps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from digest.errors import StoreError
from digest.store import bodies, database, pruning, runs
from digest.store.database import Database
from digest.store.pruning import prune
from digest.store.turns import REST_SECONDS, in_turns
from tests.world.house import House, house
from tests.world.older import older_database
from tests.world.worlds import DAY, MONDAY

pytestmark = pytest.mark.sqlite

__all__ = ["house"]

DIGESTS, RUNS = 60, 12
LATER = MONDAY + 30 * DAY
MUCH = b"x" * 20_000


def filled(path: Path) -> Path:
    """A database with digests that have gone, whose bodies last, and between them papers that are
    to stay; with runs, and what they brought."""
    with closing(Database.open(path)) as made, made.transaction():
        made.write("INSERT INTO subscriber(id, address, since, due_at) VALUES(1, 'a@b.c', '', '')")
        made.write("INSERT INTO query(id, text) VALUES(1, 'all:x')")
        for number in range(1, RUNS + 1):
            made.write("INSERT INTO run(id, started_at) VALUES(?, ?)", [number, MONDAY])
        for number in range(1, DIGESTS + 1):
            made.write(
                """INSERT INTO paper(id, version, title, abstract, authors, categories, published,
                       updated, comment, journal_ref, doi)
                   VALUES(?, 1, '', ?, '[]', '[]', ?, ?, '', '', '')""",
                [str(number), "y" * 9_000, LATER, LATER],
            )
            made.write(
                "INSERT INTO seen(query, paper, version, kind, run) VALUES(1, ?, 1, 'new', ?)",
                [str(number), 1 + number % RUNS],
            )
            made.write("INSERT INTO content(id, key, subject) VALUES(?, ?, 's')", [number, number])
            made.write("INSERT INTO body VALUES(?, ?, 1)", [number, MUCH])
            made.write(
                """INSERT INTO delivery(subscriber, slot, content, message_id, queued_at, from_seq,
                       state, next_at, ended_at)
                   VALUES(1, ?, ?, ?, ?, 0, 'sent', ?, ?)""",
                [number, number, number, MONDAY, MONDAY, MONDAY],
            )
    return path


def begun_by_an_older_version(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
    return path


@dataclass
class Writer:
    """Somebody who writes whenever a prune rests, and never waits; and what was done between."""

    other: sqlite3.Connection
    counts: list[tuple[int, ...]] = field(default_factory=list)

    def __call__(self, _seconds: float) -> None:
        self.other.execute("INSERT INTO meta VALUES(?, '')", [f"step {len(self.counts)}"])
        self.counts.append(
            tuple(
                self.other.execute(f"SELECT {each}").fetchone()[0]
                for each in (
                    "page_count FROM pragma_page_count",
                    "COUNT(*) FROM body",
                    "COUNT(*) FROM seen WHERE run IS NOT NULL",
                    "COUNT(*) FROM run",
                )
            )
        )

    def longest(self) -> list[int]:
        """The most that became less in one step of pages, bodies, rows of the log, and runs."""
        steps = [
            [was - left for was, left in zip(before, after, strict=True)]
            for before, after in pairwise(self.counts)
        ]
        return [max(each) for each in zip(*steps, strict=True)]


def test_a_prune_goes_in_small_steps_between_which_others_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "FORGOTTEN_AT_ONCE", 7)
    monkeypatch.setattr(database, "FREED_AT_ONCE", 20)
    monkeypatch.setattr(runs, "RUNS_AT_ONCE", 5)
    monkeypatch.setattr(runs, "ROWS_AT_ONCE", 4)
    path = filled(tmp_path / "digest.db")
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        writer = Writer(other)
        done = prune(path, MONDAY + DAY, LATER, writer)
        assert other.execute("PRAGMA freelist_count").fetchone() == (0,)
        assert other.execute("SELECT COUNT(*) FROM paper").fetchone() == (DIGESTS,)
    assert (done.bodies, done.runs, done.empty) == (DIGESTS, RUNS, 0)
    assert done.freed > DIGESTS * len(MUCH)
    assert writer.longest() == [20, 7, 4, 5]


def test_the_longer_the_list_of_empty_pages_the_fewer_are_given_back_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite looks through the list for each of them."""
    monkeypatch.setattr(database, "SEARCHED_AT_ONCE", 3_000)
    path = filled(tmp_path / "digest.db")
    with closing(Database.open(path)) as held:
        held.write("DELETE FROM body")
        free = [held.number("PRAGMA freelist_count")]
        while held.shrink(whole=True):
            free.append(held.number("PRAGMA freelist_count"))
    steps = [before - after for before, after in pairwise(free)]
    assert steps[:-1] == [3_000 // before for before in free[:-2]]
    assert free[-1] == 0


def test_a_large_file_of_an_older_version_is_written_anew_where_nobody_else_has_it_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "SMALL", 0)
    path = begun_by_an_older_version(filled(tmp_path / "digest.db"))
    with closing(Database.open(path)) as other:
        other.number("SELECT COUNT(*) FROM body")
        done = prune(path, MONDAY + DAY, LATER, lambda _: None)
        assert not other.can_shrink()
        other.set_meta("key", "value")
    assert done.freed == 0
    assert done.empty > DIGESTS * len(MUCH)
    again = prune(path, MONDAY + DAY, LATER, lambda _: None)
    assert again.freed > 0.98 * done.empty
    with closing(Database.open(path)) as held:
        assert held.can_shrink()
        assert held.text("PRAGMA journal_mode") == "wal"
        assert held.meta("key") == "value"


def test_a_small_file_of_an_older_version_is_written_anew_whoever_has_it_open(
    tmp_path: Path,
) -> None:
    path = begun_by_an_older_version(filled(tmp_path / "digest.db"))
    with closing(Database.open(path)) as other:
        other.number("SELECT COUNT(*) FROM body")
        assert prune(path, MONDAY + DAY, LATER, lambda _: None).freed > DIGESTS * len(MUCH)


def test_a_migration_leaves_a_file_without_empty_room_that_can_be_shortened(tmp_path: Path) -> None:
    with closing(Database.open(older_database(tmp_path / "digest.db"))) as held:
        assert held.can_shrink()
        assert held.number("PRAGMA freelist_count") == 0


def test_a_migration_is_done_where_the_disk_has_no_room_for_a_file_that_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_database: Database) -> None:
        raise StoreError("could not be written", remedy="is the disk full?")

    monkeypatch.setattr(Database, "vacuum", full)
    with closing(Database.open(older_database(tmp_path / "digest.db"))) as held:
        assert not held.can_shrink()
        assert held.number("SELECT COUNT(*) FROM delivery") > 100


def test_work_takes_turns_by_time() -> None:
    now = [0.0]

    def steps() -> Iterator[None]:
        for seconds in (0.05, 0.06, 0.05, 0.06, 2.0, 0.01):
            now[0] += seconds
            yield

    rests = list[float]()
    for rest in in_turns(steps(), lambda: now[0]):
        rests.append(rest)
        now[0] += 10 * rest  # a rest counts as no work, however long it was
    assert rests == pytest.approx([0, REST_SECONDS, 0, REST_SECONDS, 2.0, 0])
    # SQLite asks again for a lock after a tenth of a second at most.
    assert REST_SECONDS > 0.1


def test_the_command_says_what_to_do_about_room_that_it_could_not_give_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "SMALL", 0)
    path = begun_by_an_older_version(filled(house.home / "digest.db"))
    with closing(Database.open(path)) as other:
        other.number("SELECT COUNT(*) FROM body")
        told = house("db", "prune", "--days", "1", now=LATER)
    assert told.code == 0, told.err
    assert "are empty, for new rows: an older version began the file" in told.out
    assert max(map(len, told.out.splitlines())) <= 100
    assert "empty" not in house("db", "prune", "--days", "1", now=LATER + timedelta(hours=1)).out
