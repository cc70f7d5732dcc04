"""The database file: what can be wrong with it, each said in one line with the fitting exit
code."""

from __future__ import annotations

import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from digest.errors import DigestError, Exit, StoreError, TryLaterError
from digest.store import database as database_module
from digest.store import open_store, rehearsal_store, schema
from digest.store.bodies import Bodies
from digest.store.database import Database
from digest.store.rows import pack
from tests.world import templates
from tests.world.older import BEFORE
from tests.world.worlds import hashes

pytestmark = pytest.mark.sqlite

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database that is in use, with nobody in it now."""
    path = tmp_path / "digest.db"
    Database.open(path).close()
    return path


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.05)


def refusal(path: Path, *, create: bool = True) -> DigestError:
    """What opening the database is refused with; a message is one line that names the file."""
    with pytest.raises(DigestError) as caught:
        Database.open(path, create=create).close()
    return told(caught.value, path)


def told(error: DigestError, path: Path) -> DigestError:
    assert "\n" not in str(error)
    assert str(path) in error.message
    assert error.remedy
    return error


def schema_of(path: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


def pragma(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA {statement}")
        connection.commit()


@contextmanager
def effective_user(number: int) -> Iterator[None]:
    """Be another user for a while; without root's rights, stay who we are."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(number, number, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def others_folder() -> Iterator[Path]:
    """A folder below /tmp in which somebody without rights may write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


# -- what a database is


def test_a_new_file_is_made_only_where_that_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    assert refusal(path, create=False).exit_code == Exit.CONFIG
    assert not path.exists()
    Database.open(path).close()
    assert path.exists()


def test_every_commit_is_on_the_disk_before_the_work_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Database, "_prepare", templates.PREPARE)
    with closing(Database.open(path)) as database:
        assert database.value("PRAGMA journal_mode") == "wal"
        assert database.value("PRAGMA synchronous") == 2
        assert database.value("PRAGMA foreign_keys") == 1


def test_a_single_write_is_committed_at_once(path: Path) -> None:
    with closing(Database.open(path)) as one, closing(Database.open(path)) as other:
        one.set_meta("key", "value")
        assert other.meta("key") == "value"
        assert one.value("SELECT 1") == 1
        other.set_meta("key", "other")
        assert one.meta("key") == "other"


def test_a_transaction_that_fails_leaves_nothing(path: Path) -> None:
    with closing(Database.open(path)) as database:

        class Kill(BaseException):
            pass

        def killed() -> None:
            with database.transaction():
                database.set_meta("key", "value")
                raise Kill

        with pytest.raises(Kill):
            killed()
        assert database.meta("key") is None
        with database.transaction():
            database.set_meta("key", "again")
        assert database.meta("key") == "again"


def test_two_databases_have_different_names_and_secrets(tmp_path: Path) -> None:
    with (
        closing(Database.open(tmp_path / "a.db")) as one,
        closing(Database.open(tmp_path / "b.db")) as other,
    ):
        for key in ("uuid", "secret"):
            assert one.meta(key) != other.meta(key)
        assert len(one.meta("secret") or "") == 64


# -- migrations

LATER = (
    *schema.MIGRATIONS,
    "CREATE TABLE extra(id INTEGER PRIMARY KEY, note TEXT);"
    " CREATE INDEX extra_note ON extra(note);",
    "ALTER TABLE extra ADD COLUMN more TEXT NOT NULL DEFAULT '';",
)


def test_a_database_migrated_step_by_step_equals_a_fresh_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for steps in range(1, len(LATER) + 1):
        monkeypatch.setattr(database_module, "MIGRATIONS", LATER[:steps])
        Database.open(tmp_path / "old.db").close()
    Database.open(tmp_path / "new.db").close()
    assert schema_of(tmp_path / "old.db") == schema_of(tmp_path / "new.db")
    with closing(Database.open(tmp_path / "old.db")) as database:
        assert database.value("PRAGMA user_version") == len(LATER)


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = schema_of(path)
    broken = (*schema.MIGRATIONS, "CREATE TABLE half(id INTEGER); CREATE TABLE half(id INTEGER);")
    monkeypatch.setattr(database_module, "MIGRATIONS", broken)
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        Database.open(path)
    assert schema_of(path) == before
    monkeypatch.setattr(database_module, "MIGRATIONS", LATER)
    Database.open(path).close()
    assert any(row[1] == "extra" for row in schema_of(path))


def test_a_migration_keeps_what_is_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Database.open(path)) as database:
        uuid = database.meta("uuid")
    monkeypatch.setattr(database_module, "MIGRATIONS", LATER)
    with closing(Database.open(path)) as database:
        assert database.meta("uuid") == uuid


def test_bodies_from_before_values_were_kept_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, body = tmp_path / "old.db", pack((b"before\r\n", b"after\r\n"))
    with monkeypatch.context() as patch:
        patch.setattr(database_module, "MIGRATIONS", schema.MIGRATIONS[:BEFORE])
        Database.open(path).close()
    with closing(sqlite3.connect(path)) as old:
        rows = [(1, "one", body), (2, "pruned 2", b""), (3, "three", body)]
        old.executemany("INSERT INTO content(id, key, subject, pieces) VALUES(?, ?, 's', ?)", rows)
        old.commit()
    with closing(Database.open(path)) as database:
        kept = database.rows("SELECT content, pieces, lasting FROM body ORDER BY content")
        assert kept == [{"content": n, "pieces": body, "lasting": 1} for n in (1, 3)]
        assert database.column("SELECT id FROM content WHERE digest = '' ORDER BY id") == [1, 2, 3]
        assert list(Bodies(database).let_go()) == []


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    pragma(path, "user_version = 99")
    before = hashes(path.parent)
    error = refusal(path)
    assert error.exit_code == Exit.CONFIG
    assert "newer version" in error.message
    assert hashes(path.parent) == before


# -- other people's files


def foreign(path: Path, sql: str = "CREATE TABLE notes(id INTEGER)") -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(sql)
        connection.commit()
    return path


def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = foreign(tmp_path / "notes.db")
    before = hashes(tmp_path)
    error = refusal(path)
    assert error.exit_code == Exit.CONFIG
    assert "another program" in error.message
    assert hashes(tmp_path) == before


@pytest.mark.parametrize(
    "sql", ["CREATE TABLE notes(id INTEGER)", "CREATE TABLE query(id INTEGER)"]
)
def test_the_database_of_another_program_is_not_rehearsed_with(tmp_path: Path, sql: str) -> None:
    path = foreign(tmp_path / "notes.db", sql)
    with pytest.raises(StoreError, match="another program") as caught:
        rehearsal_store(path)
    told(caught.value, path)


@root_only
def test_a_database_that_belongs_to_another_user_is_refused(path: Path) -> None:
    os.chown(path, 12345, 12345)
    error = refusal(path)
    assert error.exit_code == Exit.CONFIG
    assert "user 12345" in error.message
    assert "sudo -u" in error.remedy


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist") as caught:
        Database.open(tmp_path / "nowhere" / "digest.db")
    assert str(tmp_path / "nowhere") in caught.value.message


def test_a_path_through_a_file_is_refused(path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        Database.open(path / "digest.db")
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    assert refusal(tmp_path).exit_code == Exit.CONFIG


# -- a file or folder that cannot be written


@pytest.mark.parametrize("create", [True, False])
def test_a_link_that_leads_nowhere_is_no_new_database(tmp_path: Path, create: bool) -> None:
    """As a new one it would be made there, for everybody to read."""
    path = tmp_path / "digest.db"
    path.symlink_to(tmp_path / "not mounted" / "digest.db")
    assert "is a link to" in refusal(path, create=create).message
    (tmp_path / "not mounted").mkdir()
    assert "is a link to" in refusal(path, create=create).message
    with pytest.raises(StoreError, match="is a link to"):
        rehearsal_store(path)
    assert not (tmp_path / "not mounted" / "digest.db").exists()
    Database.open(path.resolve()).close()
    Database.open(path).close()


def test_links_in_a_circle_are_no_new_database(tmp_path: Path) -> None:
    (tmp_path / "digest.db").symlink_to("other.db")
    (tmp_path / "other.db").symlink_to("digest.db")
    with pytest.raises(StoreError, match="cannot be reached"):
        Database.open(tmp_path / "digest.db")


@pytest.mark.parametrize("writable_folder", [True, False])
def test_a_read_only_file_is_said_to_be_so(others_folder: Path, writable_folder: bool) -> None:
    path = others_folder / "digest.db"
    with effective_user(NOBODY):
        Database.open(path).close()
        path.chmod(0o444)
        others_folder.chmod(0o755 if writable_folder else 0o555)
        with (
            pytest.raises(StoreError, match="not writable") as caught,
            closing(Database.open(path)) as database,
        ):
            database.set_meta("key", "value")
    assert told(caught.value, path).exit_code == Exit.CONFIG


def test_a_read_only_folder_is_said_to_be_so_with_its_owner(others_folder: Path) -> None:
    with effective_user(NOBODY):
        others_folder.chmod(0o555)
        with pytest.raises(StoreError, match="not writable") as caught:
            Database.open(others_folder / "digest.db")
    assert str(others_folder) in caught.value.message
    assert "belongs to" in caught.value.remedy


def test_a_full_disk_is_said_to_be_so_and_nothing_is_half_written(path: Path) -> None:
    with closing(Database.open(path)) as database:
        pages = database.value("PRAGMA page_count")
        database.value(f"PRAGMA max_page_count = {pages + 2}")

        def write_much() -> None:
            with database.transaction():
                for number in range(100):
                    database.set_meta(f"key {number}", "x" * 4000)

        with pytest.raises(StoreError, match="could not be written") as caught:
            write_much()
        assert "disk full" in told(caught.value, path).remedy
        assert database.meta("key 0") is None
        assert database.meta("uuid") is not None


# -- damage


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    path.write_text("subscribers:\n  - email: ada@example.org\n" * 100)
    before = hashes(tmp_path)
    assert refusal(path).exit_code == Exit.CONFIG
    assert "no SQLite database" in refusal(path).message
    assert hashes(tmp_path) == before


@pytest.mark.parametrize("made", ["empty", "without tables"])
def test_an_empty_file_names_its_newest_backup(tmp_path: Path, made: str) -> None:
    path = tmp_path / "digest.db"
    path.touch()
    if made == "without tables":
        pragma(path, "user_version = 0")
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("VACUUM")
    assert "there is none beside it" in refusal(path).remedy
    names = ("digest-20261101-070000.db", "digest.db.schema-3", "digest.db.before-restore-2026")
    for age, name in enumerate(("other-1.db", *names, "digest-notes.db", "digest-empty.db")):
        Database.open(tmp_path / name).close()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / "digest-notes.db").write_text("no database")
    (tmp_path / "digest-empty.db").write_bytes(b"")
    for name in names:
        assert f"restore {tmp_path / name}; or" in refusal(path).remedy
        (tmp_path / name).unlink()
    path.unlink()
    Database.open(path).close()


def test_a_damaged_file_is_said_to_be_so(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with (
        pytest.raises(StoreError, match="damaged") as caught,
        closing(Database.open(path)) as database,
    ):
        database.rows("SELECT * FROM meta")
    assert "backup" in told(caught.value, path).remedy


def test_a_file_that_was_cut_off_is_said_to_be_damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(StoreError, match="damaged"), closing(Database.open(path)) as database:
        database.rows("SELECT * FROM meta")


def test_damage_is_told_in_a_rehearsal_too(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(StoreError, match="no SQLite database") as caught:
        rehearsal_store(path)
    told(caught.value, path)


# -- locked


@contextmanager
def held(path: Path, how: str = "IMMEDIATE") -> Iterator[None]:
    """Another program writes, and takes its time."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"BEGIN {how}")
        yield
        connection.execute("ROLLBACK")


def test_a_locked_database_is_said_to_be_so_and_to_be_tried_later(path: Path) -> None:
    with closing(Database.open(path)) as database, held(path):
        with pytest.raises(TryLaterError, match="locked") as caught, database.transaction():
            pass
        assert told(caught.value, path).exit_code == Exit.TRY_LATER
        with pytest.raises(TryLaterError, match="locked"):
            database.set_meta("key", "value")
    with closing(Database.open(path)) as database:
        assert database.meta("key") is None


def test_reports_can_read_while_another_program_writes(path: Path) -> None:
    with held(path), open_store(path) as store:
        assert store.runs.latest() is None
        assert store.outbox.entries() == []


def test_a_locked_database_is_not_made_new(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 0")
    with held(path, "EXCLUSIVE"):
        assert refusal(path).exit_code == Exit.TRY_LATER


# -- copies


def test_a_rehearsal_writes_nothing_beside_the_database_either(path: Path) -> None:
    with closing(Database.open(path)) as database:
        database.set_meta("key", "value")
    before = hashes(path.parent)
    with rehearsal_store(path) as store:
        store._database.set_meta("key", "other")
    assert hashes(path.parent) == before
    with closing(Database.open(path)) as database:
        assert database.meta("key") == "value"


def test_a_rehearsal_sees_what_a_writer_has_committed(path: Path) -> None:
    with closing(Database.open(path)) as database:
        database.set_meta("key", "value")
        with rehearsal_store(path) as store:
            assert store._database.meta("key") == "value"


def test_a_rehearsal_without_a_database_makes_none(tmp_path: Path) -> None:
    with rehearsal_store(tmp_path / "digest.db") as store:
        assert store.runs.latest() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "was?.db", "a#b.db"])
def test_odd_file_names_can_be_rehearsed_with(tmp_path: Path, name: str) -> None:
    with closing(Database.open(tmp_path / name)) as database:
        database.set_meta("key", name)
    with rehearsal_store(tmp_path / name) as store:
        assert store._database.meta("key") == name
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_rehearsal_leaves_the_log_of_a_program_at_work_alone(path: Path) -> None:
    with closing(Database.open(path)) as database:
        database.set_meta("key", "value")
        before = {
            name: digest
            for name, digest in hashes(path.parent).items()
            if not name.endswith("-shm")
        }
        assert "digest.db-wal" in before
        with rehearsal_store(path) as store:
            store._database.set_meta("key", "other")
        assert before.items() <= hashes(path.parent).items()


def test_a_new_database_is_for_nobody_elses_eyes(tmp_path: Path) -> None:
    path = tmp_path / "digest.db"
    umask = os.umask(0o022)
    try:
        with closing(Database.open(path)) as database:
            database.set_meta("x", "y")
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(umask)
    assert modes["digest.db"] == 0o600
    assert set(modes.values()) == {0o600}
