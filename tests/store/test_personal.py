"""All that is known of a reader: named whole, and erased without a trace but for a keyed hash."""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from digest.model import Outcome, Receipt
from digest.store.ledger import month_of, packed, pair, row_of
from digest.store.personal import OF_READER
from tests.world.worlds import DAY, HOUR, MONDAY, World, eprint, reader

pytestmark = pytest.mark.sqlite

ADA, LIN = "Ada.L@example.org", "lin@example.org"
NAME = "Ada Q. Lovelace"


@pytest.fixture
async def world(tmp_path: Path) -> World:
    """Ada and Lin read Alpha, and Ada alone Beta; one mail to Ada bounced, and one waits."""
    world = World(tmp_path / "digest.db")
    world.readers = [reader(ADA, "Alpha", "Beta", name=NAME), reader(LIN, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    await world.cycle(MONDAY)
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    world.arxiv.announce("Beta", eprint(3, MONDAY))
    world.relay.answers[ADA] = [Receipt(Outcome.DEFERRED, f"450 4.2.2 <{ADA.lower()}> full")]
    world.relay.answers[LIN] = [
        Receipt(Outcome.FAILED, f"550 5.1.1 {ADA} sends it on to {LIN}, who is unknown")
    ]
    await world.cycle(MONDAY + DAY)
    return world


def fill(world: World, number: int) -> None:
    """A row in each table that belongs to a reader, by the schema."""
    for table, columns in _tables(world).items():
        if world.value(f"SELECT COUNT(*) FROM {table} WHERE subscriber = {number}"):
            continue
        values = {name: _value(world, table, name, kind, number) for name, kind in columns.items()}
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        world.database.write(f"INSERT INTO {table}({names}) VALUES({marks})", list(values.values()))
    world.database.write("UPDATE paper SET number = 1 WHERE id = ?", [eprint(1).id])
    world.database.write(
        "INSERT INTO carried(id, contents, papers) VALUES(?, x'', ?)",
        [row_of(month_of(MONDAY), number), packed([pair(1, 3)])],
    )


def _tables(world: World) -> dict[str, dict[str, str]]:
    """The tables with a column `subscriber`, with the columns that need a value and their types."""
    tables = world.database.column("SELECT name FROM sqlite_master WHERE type = 'table'")
    found = {}
    for table in tables:
        columns = world.database.rows(f"PRAGMA table_info({table})")
        if any(column["name"] == "subscriber" for column in columns):
            found[table] = {
                column["name"]: column["type"]
                for column in columns
                if column["name"] == "subscriber"
                or (column["notnull"] and column["dflt_value"] is None)
            }
    return found


def _value(world: World, table: str, name: str, kind: str, number: int) -> Any:
    if name == "subscriber":
        return number
    for key in world.database.rows(f"PRAGMA foreign_key_list({table})"):
        if key["from"] == name:
            return world.value(f"SELECT MAX({key['to'] or 'id'}) FROM {key['table']}")
    if name in ("blame", "field", "state") or (table, name) == ("letter", "kind"):
        return {"blame": "soft", "field": "keyword", "kind": "key", "state": "ended"}[name]
    return {"INTEGER": 1, "BLOB": b"x"}.get(kind, f"words on {ADA} in {table}")


def traces(path: Path) -> list[str]:
    """The files in which an address or the name is found, wherever in them, bodies too."""
    files = [path, *path.parent.glob(f"{path.name}-*")]
    found = {file.name: file.read_bytes() for file in files}
    with closing(sqlite3.connect(path)) as database:
        bodies = database.execute("SELECT pieces FROM body")
        found["bodies"] = b"".join(zlib.decompress(pieces) for (pieces,) in bodies)
    words = [text.lower().encode() for text in (ADA, NAME, ADA.partition("@")[0])]
    return [name for name, held in found.items() for word in words if word in held.lower()]


async def test_all_that_is_known_of_a_reader_is_named(world: World) -> None:
    fill(world, 1)
    known = world.store.personal.known(ADA.upper())
    tables = _tables(world)
    assert set(OF_READER) == tables.keys(), "each table of a reader's is shown, and erased"
    assert {"subscriber", *tables} <= known.keys()
    assert all(known[table] for table in tables)
    assert {row["query_text"] for row in known["subscription"]} == {
        "(all:alpha)",
        "(all:beta)",
    } or (len(known["subscription"]) == 2)
    assert sorted(paper for row in known["delivery"] for paper in row["papers"])[0].endswith("v1")
    assert world.store.personal.known("nobody@example.org") == {}


async def test_nothing_is_left_of_who_is_forgotten(world: World) -> None:
    fill(world, 1)
    world.store.suppressions.unsubscribe(1, f"by {ADA}", MONDAY)
    world.database.write("UPDATE run SET trouble = ?", [f"550 {ADA.upper()} and Ada.L, no"])
    world.database.set_meta("failed_cycle_error", f"mail to {ADA} failed")
    world.database.write(
        "INSERT INTO subscriber(id, address, name, since, due_at, gone) VALUES(9, ?, ?, ?, ?, 1)",
        [f"{ADA} (before 9)", NAME, MONDAY, MONDAY],
    )
    assert traces(world.path)
    shared = world.database.column(
        "SELECT DISTINCT content FROM delivery WHERE subscriber = 2 ORDER BY content"
    )
    erased = world.store.personal.forget(ADA, MONDAY + DAY)
    world.store.personal.clear_traces()
    assert traces(world.path) == []
    assert erased["subscriber"] == 2
    assert all(erased[table] for table in (*OF_READER, "carried"))
    assert world.value("SELECT trouble FROM run LIMIT 1") == "550 … and …, no"
    assert world.value("SELECT reply FROM delivery WHERE state = 'failed'") == (
        f"550 5.1.1 … sends it on to {LIN}, who is unknown"
    )
    assert world.database.column("SELECT id FROM content ORDER BY id") == shared, (
        "what Lin had, too, stays"
    )
    assert world.database.rows("PRAGMA foreign_key_check") == []


async def test_the_forgotten_are_not_mailed_where_a_list_names_them_again(world: World) -> None:
    world.store.personal.forget(ADA, MONDAY + DAY)
    world.relay.taken.clear()
    world.readers = [reader(ADA.lower(), "Alpha", name=NAME), reader(LIN, "Alpha")]
    world.arxiv.announce("Alpha", eprint(4, MONDAY + DAY))
    await world.cycle(MONDAY + 2 * DAY)
    assert [mail["To"] for mail in world.mails()] == [LIN]
    assert world.store.personal.known(ADA) == {}
    found = world.store.suppressions.of(ADA)
    assert found is not None
    assert (found.why, found.since) == ("forgotten", MONDAY + DAY)


async def test_who_subscribes_anew_is_a_new_reader(world: World) -> None:
    last = world.value("SELECT MAX(id) FROM subscriber")
    world.store.personal.forget(LIN, MONDAY + DAY)
    await world.cycle(MONDAY + DAY + HOUR)
    assert world.store.suppressions.lift(LIN.upper()) is not None
    assert world.store.suppressions.lift(LIN) is None
    world.relay.taken.clear()
    await world.cycle(MONDAY + DAY + 2 * HOUR)
    assert [mail["To"] for mail in world.mails() if mail["To"] == LIN] == [LIN]
    assert sorted(paper for papers in world.titles(LIN) for paper in papers) == [1, 2], (
        "all comes again, as to a new reader"
    )
    assert world.value(f"SELECT id FROM subscriber WHERE address = '{LIN}'") > last, (
        "no mail ever bore the number"
    )


async def test_a_bounce_or_a_link_of_the_forgotten_finds_nobody(world: World) -> None:
    delivery = world.value("SELECT MIN(id) FROM delivery")
    world.store.personal.forget(ADA, MONDAY + DAY)
    assert world.store.suppressions.unsubscribe(1, "by the link", MONDAY + DAY) is None
    world.store.inbox.bounce(
        "key", delivery, "550 5.1.1 gone", MONDAY + DAY, status="", undelivered=True
    )
    assert world.store.suppressions.all() == []
    assert world.value("SELECT COUNT(*) FROM bounce WHERE subscriber = 1") == 0
