"""`digest status`: what it reads of the database; test_run.py holds what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from digest.store.database import Database
from tests.world.asking import run_main


def rows_read(
    home: Path, keywords: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> int:
    """How many rows `digest status` reads of a database that knows so many keywords."""
    home.mkdir()
    names = [f"Keyword {number}" for number in range(keywords)]
    (home / "subscribers.yaml").write_text(json.dumps({"keywords": names}), encoding="utf-8")
    database = Database.open(home / "digest.db")
    command = ["status", "--json", "--home", str(home), "--now", "2026-11-09T07:00"]
    asked = run_main(command, capsys).json()["keywords"]
    with database.transaction():
        for keyword in asked:
            database.write("INSERT INTO query(text) VALUES(?)", [keyword["query"]])
    database.close()
    number = 0
    read = Database.rows

    def counted(*args: object) -> object:
        nonlocal number
        rows = read(*args)  # type: ignore[arg-type]
        number += len(rows)
        return rows

    with monkeypatch.context() as patch:
        patch.setattr(Database, "rows", counted)
        run_main(command, capsys)
    return number


def test_what_is_read_grows_with_the_keywords_and_not_with_their_square(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ten, twenty, thirty = (
        rows_read(tmp_path / str(number), number, monkeypatch, capsys) for number in (10, 20, 30)
    )
    assert ten > 0
    assert thirty - twenty == twenty - ten
