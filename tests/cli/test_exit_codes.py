"""What goes wrong is said in a line, with the exit code that fits."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from digest.cli import main
from digest.system.locks import cycle_lock
from tests.world.house import DAYS, FRIDAY, SUBSCRIBERS, THURSDAY, House, failing_for, refused
from tests.world.worlds import hashes


@pytest.mark.parametrize("command", ["run", "preview", "status"])
def test_without_a_subscribers_file_it_says_what_to_do(house: House, command: str) -> None:
    (house.home / "subscribers.yaml").unlink()
    refused(house(command), 78, "no subscribers file", "digest subscribe")
    assert list(house.home.iterdir()) == []


def test_a_file_that_cannot_be_read_mails_nobody_and_loses_nothing(house: House) -> None:
    house("run", now=THURSDAY)
    before = hashes(house.home)
    house.serve(DAYS[1])
    house.write(SUBSCRIBERS + "  - email: nobody@example.org\n   keywords: [x]\n")
    told = house("run", now=FRIDAY)
    assert told.code == 78
    assert "subscribers.yaml:10:" in told.err
    assert told.out == ""
    after = hashes(house.home)
    assert {k: v for k, v in after.items() if k != "subscribers.yaml"} == {
        k: v for k, v in before.items() if k != "subscribers.yaml"
    }
    house.write(SUBSCRIBERS)
    house("run", now=FRIDAY + timedelta(hours=3))
    assert len(house.mails("ada@")) == 2


def test_an_empty_file_removes_nobody(house: House) -> None:
    house("run", now=THURSDAY)
    house.write("subscribers: []\n")
    told = house("run", now=FRIDAY)
    refused(told, 78, "names nobody", "nobody is removed")
    house.write(SUBSCRIBERS)
    house.serve(DAYS[1])
    assert house("run", now=FRIDAY + timedelta(hours=3)).code == 0
    assert len(house.mails("ada@")) == len(house.mails("lin@")) == 2


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["rnu"], "digest run"),
        (["run", "--frob"], "--frob"),
        (["run", "extra"], "extra"),
        (["outbox", "frob"], "frob"),
        (["outbox", "drop", "x"], "x"),
        (["outbox", "retry"], "--all"),
        (["outbox", "retry", "1", "--all"], "--all"),
    ],
)
def test_a_mistyped_command_is_a_matter_of_usage(house: House, args: list[str], words: str) -> None:
    refused(house(*args), 2, words)


def test_a_group_without_a_command_lists(house: House) -> None:
    assert house("outbox").out == "The outbox is empty.\n"


def test_without_a_command_the_help_is_shown_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert err.startswith("Usage: digest")
    assert len((out + err).splitlines()) > 5


def test_one_keyword_that_failed_is_told_and_stops_no_other(house: House) -> None:
    house.arxiv.on_query = failing_for("hallucination")
    told = house("run", now=THURSDAY)
    assert told.code == 1
    assert re.search(r"^Hallucination: failed \(.*503.*\)$", told.out, re.MULTILINE)
    assert re.search(r"^Time Series: \d+ new(, noted as seen.*)?$", told.out, re.MULTILINE)
    assert len(house.mails("lin@")) == 1
    told = house("run", now=THURSDAY + timedelta(minutes=5))
    assert told.code == 0
    house.arxiv.on_query = None
    assert house("run", now=THURSDAY + timedelta(hours=1)).code == 0


def test_without_a_network_the_run_is_to_be_repeated(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_ARXIV_API", "http://127.0.0.1:9/api/query")
    told = house("run", now=THURSDAY)
    assert told.code == 75
    assert "could not be reached" in told.complaints[-1]
    assert len(told.complaints) == 2


def test_a_cycle_at_work_is_not_disturbed(house: House) -> None:
    with cycle_lock(house.home / "digest.db"):
        refused(house("run", now=THURSDAY), 75, "another cycle is at work")
    assert house.arxiv.requests == []


def test_a_locked_database_is_to_be_tried_later(house: House) -> None:
    house("run", now=THURSDAY)
    with closing(sqlite3.connect(house.home / "digest.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused(house("run", now=FRIDAY), 75, "locked")
        assert house("status", now=FRIDAY).code == 0


@pytest.mark.parametrize(
    "command",
    [["run"], ["run", "--dry-run"], ["preview", "ada@example.org"], ["status"], ["outbox", "list"]],
)
def test_what_is_no_database_is_refused_by_every_command(house: House, command: list[str]) -> None:
    (house.home / "digest.db").write_text("no database at all\n" * 100)
    refused(house(*command), 78, "digest.db", "no SQLite database")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DIGEST_ON_UNKNOWN", "maybe", "retry or hold"),
        ("DIGEST_ARXIV_DELAY", "soon", "seconds"),
        ("DIGEST_MAIL", "smpt://localhost", "did you mean smtp"),
        ("DIGEST_MAIL", "smtp://ada:secret@mail.example.org", "DIGEST_MAIL_PASSWORD"),
        ("DIGEST_MAIL", "smtp://ada@mail.example.org", "no password"),
        ("DIGEST_DB", "nowhere/digest.db", "nowhere"),
    ],
)
def test_a_wrong_setting_is_named_and_no_secret_with_it(
    house: House, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv("DIGEST_FROM", "papers@example.org")
    monkeypatch.setenv(name, value)
    told = house("run", now=THURSDAY)
    refused(told, 78, words)
    assert "secret" not in told.err
    assert house.arxiv.requests == []


def test_an_unknown_setting_is_warned_about_with_the_nearest(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_MIAL", "sendmail:")
    told = house("status", now=THURSDAY)
    assert told.code == 0
    assert told.complaints == [
        "digest: DIGEST_MIAL (did you mean DIGEST_MAIL?) is set, and no such setting exists"
    ]


def test_a_flag_beats_the_environment(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_DB", "environment.db")
    house("run", "--db", "flag.db", now=THURSDAY)
    assert (house.home / "flag.db").exists()
    assert not (house.home / "environment.db").exists()
    house("--db", "before.db", "run", now=THURSDAY)
    assert (house.home / "before.db").exists()


def test_a_mail_folder_that_cannot_be_written_keeps_the_mail(house: House) -> None:
    (house.home / "mail").write_text("in the way")
    told = house("run", now=THURSDAY)
    assert told.code == 78
    assert "mail could not be handed over" in told.complaints[-1]
    assert "left in the outbox" in told.out
    (house.home / "mail").unlink()
    told = house("run", now=THURSDAY + timedelta(hours=3))
    assert told.code == 0
    assert len(house.mails()) == 2
