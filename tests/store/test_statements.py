"""How the statements of the store are looked at (tests/world/statements.py)."""

from __future__ import annotations

import pytest

from tests.world.statements import foreign_words, reads_too_much

pytestmark = pytest.mark.sqlite


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT OR IGNORE INTO query(text) VALUES(?)",
        "UPDATE OR REPLACE query SET text = ?",
        "SELECT id FROM query WHERE id IN (SELECT value FROM json_each(?))",
        "SELECT json_group_array(text) FROM query",
        "SELECT data ->> 'updated' FROM held",
        "SELECT MAX(start, MIN(position, ?)) FROM subscription",
        "SELECT MIN(COALESCE(until, start), ?) FROM subscription",
        "SELECT rowid FROM query",
        "SELECT seq FROM sqlite_sequence WHERE name = 'query'",
        "SELECT id FROM subscriber WHERE address = ? COLLATE NOCASE",
        "SELECT id FROM query WHERE last_good_at > datetime(?, '-7 days')",
        "UPDATE body SET pieces = x''",
        "SELECT id FROM subscriber r WHERE NOT r.gone",
        "SELECT id FROM subscriber WHERE gone",
        "SELECT d.id FROM delivery d WHERE d.state = 'sent' OR d.maybe_accepted",
        "SELECT COUNT(*) FROM (SELECT id FROM query LIMIT ?) WHERE id > 1",
    ],
)
def test_what_only_sqlite_reads_is_told(sql: str) -> None:
    assert foreign_words(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT MAX(COALESCE(until, start)), MIN(start) FROM subscription WHERE label <> 'x, y(z'",
        "SELECT GREATEST(start, LEAST(position, ?)) FROM subscription WHERE until IS NOT NULL",
        "SELECT id FROM subscriber WHERE gone = 0 AND NOT EXISTS (SELECT 1 FROM wish)",
        "INSERT INTO query(text) VALUES('NOT gone, x''y') ON CONFLICT DO NOTHING",
        "SELECT COUNT(*) FROM (SELECT id FROM query LIMIT ?) AS q JOIN many(?) n ON n.value = q.id",
    ],
)
def test_what_both_read_is_let_be(sql: str) -> None:
    assert foreign_words(sql) == ""


@pytest.mark.parametrize(
    ("sql", "wrong"),
    [
        ("SELECT seq FROM seen m WHERE m.query = ? AND m.seq > ?", ""),
        ("SELECT seq FROM seen m WHERE m.kind = 'new'", "SCAN m (seen)"),
        ("SELECT COUNT(*) FROM delivery", "SCAN delivery"),
        (
            "SELECT id FROM delivery WHERE state IN ('queued', 'deferred') AND maybe_accepted = 0",
            "",
        ),
        ("SELECT id FROM delivery WHERE subscriber = ? ORDER BY slot DESC LIMIT 1", ""),
        ("SELECT id FROM delivery WHERE subscriber = ? ORDER BY reply LIMIT 1", "USE TEMP B-TREE"),
    ],
)
def test_what_reads_a_big_table_as_a_whole_is_told(sql: str, wrong: str) -> None:
    told = reads_too_much(sql)
    assert told.startswith(wrong)
    assert bool(told) is bool(wrong)
