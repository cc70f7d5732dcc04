"""A database of the version before the schema's last steps, in all its states: these lose nothing
of it and make nothing due that was not, and may be stopped anywhere."""

from __future__ import annotations

import shutil
import sqlite3
import zlib
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from digest.model import Channel, Revisions, State
from digest.rules.channels import Terms
from digest.store import Store
from digest.store import database as database_module
from digest.store.database import Database
from digest.store.schema import MIGRATIONS
from digest.times import from_text
from tests.store.house import House
from tests.world.databases import SqliteFile
from tests.world.older import BEFORE, NOW, older_database

pytestmark = pytest.mark.sqlite

TABLES = {"window": "answer"}
COLUMNS = {("held", "window"): "answer"}
"""What has another name since."""
GONE = frozenset({("content", "pieces")})
"""Columns that are no more: a body has a table of its own."""

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return older_database(tmp_path_factory.mktemp("older") / "digest.db")


@pytest.fixture
def older(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path / "digest.db"))


def dump(path: Path) -> Rows:
    """All rows of all tables, in an order of their own."""
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        found = {
            name: [dict(row) for row in database.execute(f'SELECT * FROM "{name}"')]
            for (name,) in tables
            if not name.startswith("sqlite_")
        }
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def test_nothing_that_stood_there_is_lost(older: Path) -> None:
    before = dump(older)
    assert all(before[table] for table in before)
    Database.open(older).close()
    after = dump(older)
    for table, rows in before.items():
        names = {
            column: COLUMNS.get((table, column), column)
            for column in rows[0]
            if (table, column) not in GONE
        }
        kept = [
            {old: row[new] for old, new in names.items()} for row in after[TABLES.get(table, table)]
        ]
        expected = [{old: row[old] for old in names} for row in rows]
        assert sorted(kept, key=repr) == sorted(expected, key=repr), table
    bodies = {row["id"]: row["pieces"] for row in before["content"] if row["pieces"]}
    assert {row["content"]: row["pieces"] for row in after["body"]} == bodies
    with closing(sqlite3.connect(older)) as database:
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("version", range(BEFORE + 1, len(MIGRATIONS)))
def test_a_database_that_has_taken_some_of_the_steps_loses_nothing_by_the_others(
    older: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(database_module, "MIGRATIONS", MIGRATIONS[:version])
        Database.open(older).close()
    with closing(sqlite3.connect(older)) as database, database:
        database.execute(
            """INSERT INTO consent(id, subscriber, words, at)
               VALUES(1, 1, 'I agree', '2026-11-01T06:00:00Z')"""
        )
        database.execute(
            "INSERT INTO suppression VALUES('gone@example.org', 'link',"
            " '2026-11-01T06:00:00Z', 'wanted', 1)"
        )
    before = dump(older)
    Database.open(older).close()
    after = dump(older)
    for table, rows in before.items():
        kept = [{name: row[name] for name in rows[0]} for row in after[table]] if rows else []
        assert sorted(kept, key=repr) == rows, table
    with closing(sqlite3.connect(older)) as database:
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    assert older.with_name(f"{older.name}.schema-{version}").exists()


def test_numbers_are_not_given_again(older: Path) -> None:
    """Marks in mails, and positions in the log, may name rows that are gone."""
    with closing(sqlite3.connect(older)) as database:
        database.execute("UPDATE sqlite_sequence SET seq = 5000")
        database.commit()
    Database.open(older).close()
    with closing(sqlite3.connect(older)) as database:
        assert dict(database.execute("SELECT name, seq FROM sqlite_sequence")).items() >= (
            dict.fromkeys(("run", "seen", "delivery"), 5000).items()
        )


def test_the_file_is_kept_as_it_was(older: Path) -> None:
    before = dump(older)
    Database.open(older).close()
    kept = older.with_name(f"{older.name}.schema-{BEFORE}")
    assert dump(kept) == before
    with closing(sqlite3.connect(kept)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (BEFORE,)


# -- what is due


def was_due(older: Path, revisions: Revisions) -> dict[str, dict[str, str]]:
    """What a digest would have held for each reader, by the definition in the words of the version
    before."""
    due: dict[str, dict[str, str]] = {}
    with closing(sqlite3.connect(older)) as database:
        for reader, address in database.execute(_READERS).fetchall():
            open_ = database.execute(_REPLACED, [reader]).fetchall()
            wanted = {
                "reader": reader,
                "revisions": revisions.value,
                "folding": bool(open_),
                "rewind": min((seq for _, seq in open_), default=1 << 62),
            }
            papers: dict[str, str] = {}
            for paper, kind in database.execute(_DUE, wanted):
                papers[paper] = min(
                    papers.get(paper, kind), kind, key="new late revised".split().index
                )
            withdrawn = dict(database.execute(_WITHDRAWN, wanted))
            carried = {paper for (paper,) in database.execute(_CARRIED, wanted)}
            # Where a new digest would hold nothing newer, the ones that wait stay as they are.
            due[address] = {} if papers.keys() | withdrawn <= carried else withdrawn | papers
    return due


_READERS = "SELECT id, address FROM subscriber WHERE NOT gone"

_FOLDED = """
    d.subscriber = :reader AND d.state IN ('queued', 'deferred') AND d.maybe_accepted = 0
    AND d.again IS NULL"""

_REPLACED = f"SELECT id, from_seq FROM delivery d WHERE {_FOLDED}"

_CARRIED = f"""
    SELECT cp.paper FROM delivery d JOIN content_paper cp ON cp.content = d.content
    WHERE {_FOLDED}"""

_HAD = f"""
    SELECT MAX(cp.version) FROM delivery d
    JOIN content_paper cp ON cp.content = d.content AND cp.paper = p.id
    WHERE d.subscriber = :reader AND d.state NOT IN ('expired', 'failed', 'suppressed')
        AND NOT ({_FOLDED})"""

_DUE = f"""
    SELECT paper, kind FROM (
        SELECT m.paper, m.seq, m.kind,
            ({_HAD} AND d.queued_at >= datetime(p.published, '-7 days')) AS had,
            CASE WHEN m.kind <> 'revised' THEN 0
                 WHEN :revisions = 'true' THEN m.version
                 WHEN :revisions = 'published' THEN (
                     SELECT MAX(v.version) FROM revision v WHERE v.paper = m.paper
                         AND v.version <= m.version AND v.accepted) END AS needed
        FROM subscription s
        JOIN seen m ON m.query = s.query AND m.seq > MAX(s.start, MIN(s.position, :rewind))
            AND m.seq <= COALESCE(s.until, 1 << 62)
        JOIN paper p ON p.id = m.paper
        WHERE s.subscriber = :reader AND m.kind <> 'old')
    WHERE needed IS NOT NULL AND (had IS NULL OR had < needed) ORDER BY seq"""

_WITHDRAWN = f"""
    SELECT id, 'revised' FROM (
        SELECT p.id, p.withdrawn, ({_HAD}) AS had FROM paper p
        WHERE p.withdrawn > 0
            AND (:folding OR (SELECT corrections FROM subscriber WHERE id = :reader)))
    WHERE had < withdrawn"""


@pytest.mark.parametrize("revisions", Revisions)
def test_what_is_due_is_what_was_due(older: Path, revisions: Revisions) -> None:
    before = was_due(older, revisions)
    assert sum(map(len, before.values())) > 300
    house = House(SqliteFile(older))
    for address, papers in before.items():
        plan = house.plan(address, revisions=revisions, max_papers=10_000)
        assert {item.paper.id: item.kind.value for item in plan.items} == papers, address
    house.store.close()


@pytest.mark.heavy
@pytest.mark.parametrize("revisions", Revisions)
def test_what_is_due_stays_so_while_the_old_ledger_ages(older: Path, revisions: Revisions) -> None:
    before = was_due(older, revisions)
    house = House(SqliteFile(older))
    deliveries = house.database.number("SELECT COUNT(*) FROM delivery")
    while house.store.ageing.step(NOW):
        pass
    assert house.database.number("SELECT COUNT(*) FROM delivery") < deliveries
    for address, papers in before.items():
        plan = house.plan(address, revisions=revisions, max_papers=10_000)
        assert {item.paper.id: item.kind.value for item in plan.items} == papers, address
    house.store.close()


# -- what waits in the outbox


def test_each_message_is_made_of_the_same_bytes(older: Path) -> None:
    before = dump(older)
    contents = {row["id"]: row for row in before["content"]}
    readers = {row["id"]: row for row in before["subscriber"]}
    with closing(Database.open(older)) as database:
        outbox = Store(database).outbox
        for row in before["delivery"]:
            content = contents[row["content"]]
            if not content["pieces"]:
                continue
            found = outbox.message(row["id"])
            again = "" if row["again"] is None else "Again: "
            assert found.subject == again + content["subject"]
            assert found.pieces == tuple(zlib.decompress(content["pieces"]).split(b"\0"))
            assert (found.message_id, found.date) == (
                row["message_id"],
                from_text(row["queued_at"]),
            )
            reader = readers[row["subscriber"]]
            assert (found.address, found.name) == (reader["address"], reader["name"])


def leaving(before: Rows, channel: Channel, *, hold: bool, now: datetime) -> dict[int, str]:
    """How each delivery of a channel that may leave is taken, by the rules of the version
    before."""
    suppressed = {row["address"].lower() for row in before["suppression"]}
    held_back = {row["subscriber"] for row in before["mistake"] if row["until"] is None}
    readers = {row["id"]: row for row in before["subscriber"]}
    states = {"queued", "deferred"} | (set() if hold else {"unknown"})
    found = {}
    for row in before["delivery"]:
        reader = readers[row["subscriber"]]
        is_issue = reader["address"].startswith("github:")
        if (
            row["state"] in states
            and from_text(row["next_at"]) <= now
            and is_issue is (channel is Channel.GITHUB)
            and reader["id"] not in held_back
        ):
            stopped = reader["gone"] or reader["address"].lower() in suppressed
            ends = State.DROPPED if row["maybe_accepted"] else State.SUPPRESSED
            found[row["id"]] = ends if stopped else State.LEASED
    return found


@pytest.mark.parametrize("channel", [Channel.MAIL, Channel.GITHUB])
@pytest.mark.parametrize("hold", [False, True])
def test_what_may_leave_is_what_might_leave(older: Path, channel: Channel, hold: bool) -> None:
    with closing(sqlite3.connect(older)) as database, database:
        database.execute("UPDATE content SET pieces = ? WHERE pieces = x''", [zlib.compress(b"")])
    before = dump(older)
    now = NOW + timedelta(hours=1)
    expected = leaving(before, channel, hold=hold, now=now)
    assert set(expected.values()) == {State.LEASED, State.DROPPED, State.SUPPRESSED}
    with closing(Database.open(older)) as database:
        outbox = Store(database).outbox
        claimed: list[int] = []
        while some := outbox.claim(now, channel, Terms(hold_unknown=hold), most=100):
            claimed += [outgoing.id for outgoing in some]
        assert set(claimed) == {one for one, taken in expected.items() if taken is State.LEASED}
        states = {row["id"]: row["state"] for row in database.rows("SELECT * FROM delivery")}
    for row in before["delivery"]:
        assert states[row["id"]] == expected.get(row["id"], row["state"])


# -- stopped


def stopped_everywhere(older: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What lies on the disk before each statement of the step, as after a kill there."""
    places: list[Path] = []
    execute = Database._execute

    def noted(database: Database, sql: str, parameters: Any = ()) -> Any:
        if database._connection.in_transaction:
            place = folder / f"{len(places)}"
            place.mkdir()
            for file in older.parent.glob(f"{older.name}*"):
                shutil.copy(file, place)
            places.append(place / older.name)
        return execute(database, sql, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "_execute", noted)
        Database.open(older).close()
    return places


@pytest.mark.heavy
def test_it_may_be_stopped_at_every_statement(
    older: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = dump(older)
    places = stopped_everywhere(older, tmp_path, monkeypatch)
    done = dump(older)
    assert len(places) > 40
    for place in places:
        with closing(sqlite3.connect(place)) as database:
            assert database.execute("PRAGMA user_version").fetchone() == (BEFORE,)
        assert dump(place) == begun
        Database.open(place).close()
        assert dump(place) == done
        assert dump(place.with_name(f"{place.name}.schema-{BEFORE}")) == begun
