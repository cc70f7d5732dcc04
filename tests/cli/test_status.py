"""`digest status`: what it says, and how much of the database it reads for that."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from digest.demo.papers import KEYWORDS
from digest.store.database import Database
from tests.world.house import DAYS, FRIDAY, SATURDAY, SUBSCRIBERS, THURSDAY, House, failing_for
from tests.world.shell import MAILDIR_LINE, run_main


def test_status_before_the_first_run(house: House) -> None:
    told = house("status", now=THURSDAY)
    assert told.code == 0
    assert "none yet: 'digest run' does one" in told.out
    assert f"{KEYWORDS[0]}: no answer yet" in told.out
    assert "the first digest comes with the next run" in told.out
    assert told.err.count(MAILDIR_LINE) == 1
    assert not (house.home / "digest.db").exists()


def test_status_tells_the_last_run_and_the_next_digest_in_the_readers_zone(house: House) -> None:
    house("run", now=THURSDAY)
    told = house("status", now=THURSDAY)
    assert "2 digests composed, 2 sent" in told.out
    (lin,) = [line for line in told.out.splitlines() if "lin@example.org" in line]
    assert re.search(r"last digest Thu 2026-11-05 07:30 Europe/Berlin \(sent\)", lin)
    assert re.search(
        r"next Fri 2026-11-06 07:30 Europe/Berlin, with the announcement of 2026-11-05", lin
    )
    report = house("status", "--json", now=THURSDAY).json()
    assert report["run"]["sent"] == 2
    assert [k["keyword"] for k in report["keywords"]] == list(KEYWORDS)
    assert [s["email"] for s in report["subscribers"]] == ["ada@example.org", "lin@example.org"]
    assert report["subscribers"][1]["next_digest"] == "2026-11-06T06:30:00Z"
    assert report["outbox"] == {}


def test_status_repeats_the_receipt_of_the_last_digest(house: House) -> None:
    house("run", now=THURSDAY)
    house.serve(DAYS[1])
    house("run", now=FRIDAY)
    (*_, reader) = house("status", "--json", now=FRIDAY).json()["subscribers"]
    assert re.match(r"Receipt: arXiv sent \d+ rows since Thursday 5 Nov.*\.$", reader["receipt"])
    told = house("status", now=FRIDAY)
    assert f"    {reader['receipt']}" in told.out.splitlines()
    last = house.mails(reader["email"])[-1].get_body(("plain",))
    assert last is not None
    assert reader["receipt"] in " ".join(last.get_content().split())


def test_status_does_not_promise_a_first_digest_before_its_hour(house: House) -> None:
    house.write(SUBSCRIBERS.replace("07:30", "09:00"))
    for _ in range(2):
        (lin,) = [
            line
            for line in house("status", now=THURSDAY).out.splitlines()
            if "lin@example.org" in line
        ]
        assert "next run" not in lin
        assert "next Thu 2026-11-05 09:00 Europe/Berlin" in lin
        house("run", now=THURSDAY)
    house("run", now=THURSDAY + timedelta(hours=2))
    assert len(house.mails("lin@")) == 1


def test_status_tells_why_nothing_came(house: House) -> None:
    house.arxiv.on_query = failing_for("hallucination")
    house("run", now=THURSDAY)
    told = house("status", now=THURSDAY)
    assert "503" in told.out
    report = house("status", "--json", now=THURSDAY).json()
    (failed,) = [k for k in report["keywords"] if k["keyword"] == "Hallucination"]
    assert (failed["failures"], failed["last_good"]) == (1, None)
    assert failed["next_fetch"] == (THURSDAY + timedelta(minutes=15)).strftime("%Y-%m-%dT%H:%M:%SZ")
    house.arxiv.on_query = None
    house("run", now=SATURDAY)
    house("run", now=SATURDAY + timedelta(days=1))
    assert "weekend" in house("status", now=SATURDAY + timedelta(days=1)).out


def test_status_tells_who_is_paused_or_suppressed(house: House) -> None:
    house("run", now=THURSDAY)
    house.write_row(
        "INSERT INTO suppression(address, reason, since) VALUES"
        "('ada@example.org', 'bounced: 550 no such user', '2026-11-05T07:00:00Z')"
    )
    house.write(SUBSCRIBERS + "    paused_until: 2026-12-01\n")
    told = house("status", now=FRIDAY)
    assert "suppressed: bounced: 550 no such user" in told.out
    assert "paused until 2026-12-01" in told.out


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
