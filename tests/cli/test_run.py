"""run, preview, status, outbox and demo as a person meets them: words, files, JSON and exit
codes."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from digest import __version__
from digest.cli import main
from digest.demo.papers import KEYWORDS, Day, three_days
from digest.demo.standin import Answer, Standin
from digest.store import database as database_module
from digest.system.locks import cycle_lock
from tests.world.smtp_server import smtp_server
from tests.world.worlds import hashes, mail

DAYS = three_days(date(2026, 11, 1))
THURSDAY, FRIDAY, SATURDAY = (day.now for day in DAYS)
SUBSCRIBERS = f"""\
subscribers:
  - email: ada@example.org
    name: Ada
    keywords: [{KEYWORDS[0]}, {KEYWORDS[1]}]
  - email: lin@example.org
    keywords: [{KEYWORDS[2]}]
    at: "07:30"
    timezone: Europe/Berlin
"""
MAILDIR_LINE = "nobody's inbox"


@dataclass
class Told:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        """The lines on stderr, without the one that says where mail goes."""
        return [line for line in self.err.splitlines() if MAILDIR_LINE not in line]

    def json(self) -> Any:
        return json.loads(self.out)


class House:
    """An installation in a folder of its own, with a small arXiv beside it."""

    def __init__(self, home: Path, arxiv: Standin, capture: pytest.CaptureFixture[str]) -> None:
        self.home, self.arxiv, self._capture = home, arxiv, capture
        self.write(SUBSCRIBERS)
        self.serve(DAYS[0])

    def write(self, text: str) -> None:
        (self.home / "subscribers.yaml").write_text(text, encoding="utf-8")

    def serve(self, day: Day) -> None:
        self.arxiv.serve(day.papers)
        self.arxiv.requests.clear()

    def __call__(self, *args: str, now: datetime | None = None) -> Told:
        """Run one command as a person would type it, in this process."""
        arguments = [*args, "--home", str(self.home)]
        if now is not None:
            arguments += ["--now", now.isoformat()]
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = self._capture.readouterr()
        assert "Traceback" not in err
        return Told(int(ended.value.code or 0), out, err)

    def mails(self, address: str = "") -> list[EmailMessage]:
        folder = self.home / "mail" / "new"
        paths = (
            sorted(folder.iterdir(), key=lambda p: p.stat().st_mtime_ns) if folder.is_dir() else []
        )
        found = [mail(path.read_bytes()) for path in paths]
        return [m for m in found if address in m["To"]]

    def value(self, sql: str) -> Any:
        with closing(sqlite3.connect(self.home / "digest.db")) as connection:
            return connection.execute(sql).fetchone()[0]

    def write_row(self, sql: str) -> None:
        with closing(sqlite3.connect(self.home / "digest.db")) as connection:
            connection.execute(sql)
            connection.commit()


@pytest.fixture
def house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[House]:
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.05)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with Standin() as arxiv:
        monkeypatch.setenv("DIGEST_ARXIV_API", arxiv.url)
        monkeypatch.setenv("DIGEST_ARXIV_DELAY", "0")
        monkeypatch.chdir(tmp_path)
        yield House(tmp_path, arxiv, capsys)
    root.handlers[:] = handlers
    root.setLevel(level)


def out_of_order(_params: dict[str, str]) -> Answer:
    return Answer(503, b"")


def failing_for(word: str) -> Callable[[dict[str, str]], Answer | None]:
    return lambda params: Answer(503, b"") if word in params["search_query"] else None


# -- run
# ----------------------------------------------------------------------------------------------


def test_a_first_run_mails_a_welcome_and_says_what_it_did(house: House) -> None:
    told = house("run", now=THURSDAY)
    assert told.code == 0
    assert re.search(rf"^{KEYWORDS[0]}: \d+ new(, noted as seen.*)?$", told.out, re.MULTILINE)
    assert told.out.endswith("Digests: 2 sent.\n")
    assert [m["Subject"][:24] for m in house.mails()] == ["Your arXiv digest starts"] * 2
    assert told.err.count(MAILDIR_LINE) == 1
    assert told.complaints == [f"digest: a new database was made: {house.home / 'digest.db'}"]


def test_repeating_a_run_does_nothing(house: House) -> None:
    house("run", now=THURSDAY)
    asked = len(house.arxiv.requests)
    for minutes in (0, 15):
        told = house("run", now=THURSDAY + timedelta(minutes=minutes))
        assert (told.code, told.complaints) == (0, [])
        assert "No keyword was due: no announcement since the last fetch" in told.out
        assert told.out.endswith("No digest was due.\n")
    assert len(house.mails()) == 2
    assert len(house.arxiv.requests) == asked


def test_a_run_with_nothing_due_uses_no_network(house: House) -> None:
    house("run", now=THURSDAY)
    house.arxiv.requests.clear()
    house("run", now=THURSDAY + timedelta(hours=3))
    assert house.arxiv.requests == []
    house("run", "--fetch", now=THURSDAY + timedelta(hours=4))
    assert len(house.arxiv.requests) == 3


def test_three_days_bring_new_late_and_nothing(house: House) -> None:
    house("run", now=THURSDAY)
    house.serve(DAYS[1])
    told = house("run", now=FRIDAY)
    assert re.search(rf"^{KEYWORDS[0]}: \d+ new, 1 of them announced late", told.out, re.MULTILINE)
    house("run", now=FRIDAY + timedelta(hours=3))
    ada, lin = house.mails("ada@"), house.mails("lin@")
    assert (len(ada), len(lin)) == (2, 2)
    house.serve(DAYS[2])
    told = house("run", now=SATURDAY)
    assert "weekend" in told.out
    assert "No digest was due." in told.out
    assert len(house.mails()) == 4


def test_the_json_of_a_run_has_the_shape_of_the_design(house: House) -> None:
    told = house("run", "--json", now=THURSDAY)
    assert told.code == 0
    assert MAILDIR_LINE not in told.err
    record = told.json()
    assert list(record) == ["started", "finished", "keywords", "digests"]
    assert record["started"] == record["finished"] == THURSDAY.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [k["keyword"] for k in record["keywords"]] == list(KEYWORDS)
    for k in record["keywords"]:
        assert list(k) == [
            "keyword",
            "status",
            "fetched",
            "new",
            "revised",
            "late",
            "requests",
            "why",
        ]
        assert (k["status"], k["requests"], k["why"]) == ("ok", 1, "")
        assert k["fetched"] == k["new"] > 0
    assert record["digests"] == {"composed": 2, "sent": 2, "deferred": 0, "failed": 0, "unknown": 0}
    again = house("run", "--json", now=THURSDAY).json()
    assert {k["status"] for k in again["keywords"]} == {"skipped"}
    assert all(k["why"] for k in again["keywords"])


def test_a_date_alone_stands_for_its_midnight_in_utc(house: House) -> None:
    told = house("run", "--json", "--now", "2026-11-05")
    assert told.json()["started"] == "2026-11-05T00:00:00Z"


@pytest.mark.parametrize(
    "now", ["tomorrow", "2026-13-01", "0001-01-01", "9999-12-31", "0001-01-01T00:00+14:00", ""]
)
def test_a_time_that_is_none_is_a_matter_of_usage(house: House, now: str) -> None:
    told = house("run", "--now", now)
    assert told.code == 2
    assert len(told.complaints) == 1
    assert "--now" in told.complaints[0]
    assert not (house.home / "digest.db").exists()


def test_an_earlier_time_is_refused_naming_a_way_to_rehearse(house: House) -> None:
    house("run", now=FRIDAY)
    for command in ("run", "preview"):
        told = house(command, *(["ada@example.org"] if command == "preview" else []), now=THURSDAY)
        assert told.code == 78
        (line,) = told.complaints
        assert "already seen" in line
        assert "--db" in line


def test_a_time_years_ahead_is_refused_where_the_database_is_used_in_earnest(house: House) -> None:
    house("run", now=FRIDAY)
    far = FRIDAY + timedelta(days=4000)
    refused(house("run", now=far), 2, "more than a year ahead", "--dry-run")
    assert house("run", "--dry-run", now=far).code == 0
    assert house("run", now=FRIDAY + timedelta(hours=1)).code == 0


def test_a_clock_set_back_by_minutes_does_not_stop_a_run(house: House) -> None:
    house("run", now=FRIDAY)
    told = house("run", "--json", now=FRIDAY - timedelta(minutes=5))
    assert (told.code, told.complaints) == (0, [])
    assert told.json()["started"] == FRIDAY.strftime("%Y-%m-%dT%H:%M:%SZ")


# -- exit codes
# ---------------------------------------------------------------------------------------


def refused(told: Told, code: int, *words: str) -> None:
    """One line on stderr with these words, nothing on stdout, and the code."""
    assert (told.code, told.out) == (code, "")
    assert len(told.complaints) == 1
    assert told.complaints[0].startswith("digest: ")
    for word in words:
        assert word in told.complaints[0]


@pytest.mark.parametrize("command", ["run", "preview", "status"])
def test_without_a_subscribers_file_it_says_what_to_do(house: House, command: str) -> None:
    (house.home / "subscribers.yaml").unlink()
    refused(house(command), 78, "no subscribers file", "digest subscribe")
    assert list(house.home.iterdir()) == []


def test_a_broken_file_mails_nobody_and_loses_nothing(house: House) -> None:
    house("run", now=THURSDAY)
    before = hashes(house.home)
    house.serve(DAYS[1])
    house.write(SUBSCRIBERS + "  - email: nobody\n    keywrds: [x]\n")
    told = house("run", now=FRIDAY)
    assert told.code == 78
    assert "keywrds" in told.err
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


# -- rehearsing
# ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [False, True])
def test_a_dry_run_writes_nothing_at_all_and_sends_nothing(house: House, known: bool) -> None:
    if known:
        house("run", now=THURSDAY)
        house.serve(DAYS[1])
    before = hashes(house.home)
    told = house("run", "--dry-run", now=FRIDAY)
    assert told.code == 0
    assert len(house.arxiv.requests) == 3
    assert "Would be mailed to ada@example.org" in told.out
    assert "would be sent" in told.out
    assert hashes(house.home) == before
    told = house("run", "--dry-run", "--json", now=FRIDAY)
    assert told.json()["digests"]["composed"] >= 1
    assert hashes(house.home) == before


def test_what_a_dry_run_showed_is_what_the_run_does(house: House) -> None:
    house("run", now=THURSDAY)
    house.serve(DAYS[1])
    shown = house("run", "--dry-run", "--json", now=FRIDAY).json()
    assert house("run", "--json", now=FRIDAY).json() == shown


def test_a_preview_shows_the_next_digest_and_writes_nothing(house: House) -> None:
    house("run", now=THURSDAY)
    house.serve(DAYS[1])
    before = hashes(house.home)
    told = house("preview", "ada@example.org", now=FRIDAY)
    assert (told.code, told.complaints) == (0, [])
    subject = told.out.splitlines()[0].removeprefix("Subject: ")
    html = house("preview", "ada@example.org", "--html", now=FRIDAY)
    assert html.out.startswith("<!DOCTYPE html>")
    assert hashes(house.home) == before
    house("run", now=FRIDAY)
    assert house.mails("ada@")[-1]["Subject"] == subject


def test_a_preview_of_one_who_has_everything_says_so(house: House) -> None:
    house("run", now=THURSDAY)
    told = house("preview", "ADA@example.org", now=THURSDAY)
    assert told.out == "Nothing is due to ada@example.org: 'digest status' tells why.\n"


def test_a_preview_before_the_first_run_shows_the_welcome(house: House) -> None:
    told = house("preview", "lin@example.org", now=THURSDAY)
    assert told.out.startswith("Subject: Your arXiv digest starts")
    assert {path.name for path in house.home.iterdir()} == {
        "subscribers.yaml",
        "digest.db.arxiv.lock",
    }


def test_a_preview_is_for_somebody(house: House) -> None:
    refused(house("preview", now=THURSDAY), 78, "2 subscribers", "digest preview ada@example.org")
    refused(house("preview", "adda@example.org", now=THURSDAY), 78, "did you mean ada@example.org?")
    house.write("subscribers: []\nkeywords: [x]\n")
    refused(house("preview", now=THURSDAY), 78, "names no subscriber")


def test_a_preview_needs_no_name_where_there_is_one_reader(house: House) -> None:
    house.write(f"subscribers:\n  - email: ada@example.org\n    keywords: [{KEYWORDS[0]}]\n")
    assert house("preview", now=THURSDAY).out.startswith("Subject: Your arXiv digest starts")


# -- status
# -------------------------------------------------------------------------------------------


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
        "INSERT INTO suppression VALUES('ada@example.org', 'bounced: 550 no such user', '2026-11-05T07:00:00Z')"
    )
    house.write(SUBSCRIBERS + "    paused_until: 2026-12-01\n")
    told = house("status", now=FRIDAY)
    assert "suppressed: bounced: 550 no such user" in told.out
    assert "paused until 2026-12-01" in told.out


# -- outbox
# -------------------------------------------------------------------------------------------


@pytest.fixture
def stuck(house: House) -> House:
    """Two deliveries wait: one for good, one that may have been delivered."""
    (house.home / "mail").write_text("in the way")
    house("run", now=THURSDAY)
    (house.home / "mail").unlink()
    house.write_row(
        "UPDATE delivery SET state = 'unknown', maybe_accepted = 1, reply = 'no answer' WHERE id = 2"
    )
    return house


def test_an_empty_outbox_says_so(house: House) -> None:
    assert house("outbox", "list").out == "The outbox is empty.\n"
    assert house("outbox", "list", "--json").json() == []
    refused(house("outbox", "retry", "--all"), 2, "empty")
    refused(house("outbox", "drop", "1"), 2, "empty")
    assert not (house.home / "digest.db").exists()


def test_the_outbox_lists_what_waits_and_why(stuck: House) -> None:
    told = stuck("outbox", "list")
    assert "1  ada@example.org  queued  Your arXiv digest starts" in told.out
    assert "2  lin@example.org  maybe delivered  " in told.out
    assert "cannot be written" in told.out
    assert "leaves with the next run" in told.out
    entries = stuck("outbox", "list", "--json").json()
    assert [list(entry) for entry in entries] == [
        ["id", "email", "subject", "papers", "state", "attempt", "queued", "next", "reply"]
    ] * 2
    assert [entry["state"] for entry in entries] == ["queued", "unknown"]
    assert "1 maybe delivered" in stuck("status", now=THURSDAY).out


def test_retrying_all_leaves_out_what_may_have_been_delivered(stuck: House) -> None:
    told = stuck("outbox", "retry", "--all")
    assert told.out.splitlines() == [
        "Maybe delivered, and sent again only where you name them: 2",
        "Delivery 1 to ada@example.org leaves with the next run.",
    ]
    stuck("run", "--on-unknown", "hold", now=THURSDAY + timedelta(minutes=1))
    stuck("run", "--on-unknown", "hold", now=THURSDAY + timedelta(minutes=10))
    assert [m["To"] for m in stuck.mails()] == ["Ada <ada@example.org>"]
    assert "Delivery 2" in stuck("outbox", "retry", "2").out
    stuck("run", "--on-unknown", "hold", now=THURSDAY + timedelta(minutes=20))
    assert len(stuck.mails("lin@")) == 1


def test_what_is_dropped_does_not_come_again(stuck: House) -> None:
    told = stuck("outbox", "drop", "1")
    assert re.fullmatch(
        r"Delivery 1 to ada@example.org was dropped: \d+ papers will not be mailed\.\n", told.out
    )
    refused(stuck("outbox", "drop", "1"), 2, "dropped")
    refused(stuck("outbox", "retry", "99"), 2, "no delivery 99")
    stuck("run", now=THURSDAY + timedelta(hours=3))
    assert stuck.mails("ada@") == []
    assert "dropped" not in stuck("outbox", "list").out
    assert "dropped" in stuck("outbox", "list", "--all").out


def test_the_mail_servers_rest_is_told_and_ended_by_a_person(house: House) -> None:
    (house.home / "mail").write_text("in the way")
    house("run", now=THURSDAY)
    (house.home / "mail").unlink()
    status = house("status", "--json", now=THURSDAY).json()
    assert status["relay"]["paused_until"] == f"{THURSDAY + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    assert "cannot be written" in status["relay"]["reason"]
    told = house("run", "--wait", now=THURSDAY + timedelta(minutes=15))
    assert (told.code, house.mails()) == (78, [])
    assert "mail waits until" in told.complaints[-1]
    assert house("status", now=THURSDAY).out.count("cannot be written") == 1
    house("outbox", "retry", "--all")
    assert house("run", "--wait", now=THURSDAY + timedelta(minutes=16)).code == 0
    assert len(house.mails()) == 2
    assert (
        house("status", "--json", now=THURSDAY + timedelta(minutes=16)).json()["relay"]["failures"]
        == 0
    )


def test_what_a_limit_keeps_back_is_told(house: House) -> None:
    told = house("run", "--mail-rate", "1/day", now=THURSDAY)
    assert told.code == 0
    tomorrow = f"{THURSDAY + timedelta(days=1):%Y-%m-%d %H:%M} UTC"
    assert f"DIGEST_MAIL_RATE lets the next one leave at {tomorrow}." in told.out
    assert (
        f"lets the next message leave at {tomorrow}"
        in house("status", "--mail-rate", "1/day", now=THURSDAY).out
    )
    house("run", "--mail-rate", "1/day", now=THURSDAY + timedelta(hours=23))
    assert len(house.mails()) == 1
    house("run", "--mail-rate", "1/day", now=THURSDAY + timedelta(hours=25))
    assert len(house.mails()) == 2


def test_a_delivery_is_shown_with_its_papers_and_as_the_message_that_left(house: House) -> None:
    house("run", now=THURSDAY)
    told = house("outbox", "show", "1")
    assert told.out.startswith(
        "Delivery 1 to ada@example.org: sent\nSubject     Your arXiv digest starts"
    )
    shown = house("outbox", "show", "1", "--json").json()
    assert (shown["state"], shown["papers"], shown["again"]) == ("sent", len(shown["titles"]), None)
    assert all(paper["title"] in told.out for paper in shown["titles"])
    (left,) = [
        path for path in (house.home / "mail" / "new").iterdir() if b"To: Ada" in path.read_bytes()
    ]
    assert "is in message.eml" in house("outbox", "show", "1", "--eml", "message.eml").out
    assert Path("message.eml").read_bytes().replace(b"\r\n", b"\n") == left.read_bytes().replace(
        b"\r\n", b"\n"
    )
    assert (
        mail(house("outbox", "show", "1", "--eml", "-").out.encode())["Message-ID"]
        == shown["message_id"]
    )
    refused(house("outbox", "show", "99"), 2, "no delivery 99")
    refused(house("outbox", "show", "1", "--eml", "none/message.eml"), 78, "none/message.eml")


# -- resend
# -------------------------------------------------------------------------------------------


def test_a_digest_goes_again_marked_so_and_changes_nothing_that_is_due(house: House) -> None:
    house("run", now=THURSDAY)
    hour = timedelta(hours=1)
    before = house("status", "--json", now=THURSDAY + hour).json()["subscribers"]
    told = house("resend", "ada@example.org", now=THURSDAY + hour)
    assert told.code == 0
    assert "“Again: Your arXiv digest starts" in told.out
    first, again = house.mails("ada@")
    assert again["Subject"] == f"Again: {first['Subject']}"
    assert again["Message-ID"] != first["Message-ID"]
    assert again.get_body().get_content() == first.get_body().get_content()  # type: ignore[union-attr]
    assert house("status", "--json", now=THURSDAY + hour).json()["subscribers"] == before
    house.serve(DAYS[1])
    house("run", now=FRIDAY)
    _, _, friday = house.mails("ada@")
    titles = house("outbox", "show", "1", "--json").json()["titles"]
    assert not any(paper["title"] in str(friday.get_body(("plain",))) for paper in titles)
    house("resend", "ada@example.org", "--date", f"{THURSDAY:%Y-%m-%d}", now=FRIDAY + hour)
    assert len({m["Message-ID"] for m in house.mails("ada@")}) == 4


def test_a_digest_that_goes_again_is_folded_into_no_other(house: House) -> None:
    house("run", now=THURSDAY)
    (house.home / "mail").rename(house.home / "away")
    (house.home / "mail").write_text("in the way")
    told = house("resend", "ada@example.org", now=THURSDAY + timedelta(hours=1))
    assert "waits in the outbox as delivery 3" in told.out
    (house.home / "mail").unlink()
    house.serve(DAYS[1])
    house("run", now=FRIDAY)
    assert ["Again" in m["Subject"] for m in house.mails("ada@")].count(True) == 1
    assert house.value("SELECT state FROM delivery WHERE id = 3") == "sent"


def test_only_what_has_gone_can_go_again(stuck: House) -> None:
    refused(stuck("resend", "ada@example.org", now=THURSDAY), 2, "still on its way")
    refused(
        stuck("resend", "ada@example.org", "--date", "2026-10-01", now=THURSDAY),
        2,
        "no digest went to",
    )
    refused(stuck("resend", "ada@example.org", "--date", "soon", now=THURSDAY), 2, "no date")
    refused(stuck("resend", "bob@example.org", now=THURSDAY), 78, "bob@example.org")
    stuck("run", now=THURSDAY + timedelta(hours=1))
    stuck.write_row(
        "INSERT INTO suppression VALUES('ada@example.org', 'bounced', '2026-11-05T07:00:00Z')"
    )
    refused(stuck("resend", "ada@example.org", now=THURSDAY + timedelta(hours=1)), 2, "suppressed")


def test_while_a_cycle_works_what_goes_again_waits_for_it(house: House) -> None:
    house("run", now=THURSDAY)
    with cycle_lock(house.home / "digest.db"):
        told = house("resend", "ada@example.org", now=THURSDAY + timedelta(hours=1))
    assert (told.code, len(house.mails("ada@"))) == (0, 1)
    assert "waits in the outbox" in told.out
    house("run", now=THURSDAY + timedelta(hours=2))
    assert len(house.mails("ada@")) == 2


# -- the whole program
# --------------------------------------------------------------------------------


def program(
    *args: str, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """The program in a process of its own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("DIGEST_")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "digest", *args],
        cwd=cwd,
        env=clean
        | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent.parent)}
        | (env or {}),
        capture_output=True,
        timeout=60,
    )


def test_the_version_is_told(tmp_path: Path) -> None:
    done = program("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout.decode(), done.stderr) == (
        0,
        f"digest {__version__}\n",
        b"",
    )


def test_the_demo_goes_the_whole_way(tmp_path: Path) -> None:
    done = program("demo", "tour", "--now", "2026-11-20", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    out = done.stdout.decode()
    assert [line[:5] for line in out.splitlines() if line.startswith("Day ")] == [
        "Day 1",
        "Day 2",
        "Day 3",
    ]
    assert "announced late" in out
    assert "weekend" in out
    assert len(list((tmp_path / "tour" / "mail" / "new").iterdir())) == 4
    assert (
        (tmp_path / "tour" / "preview.html")
        .read_text(encoding="utf-8")
        .startswith("<!DOCTYPE html>")
    )
    again = program("demo", "tour", cwd=tmp_path)
    assert again.returncode == 2
    assert b"is not empty" in again.stderr


def test_a_previewed_message_is_one_that_could_be_mailed(house: House) -> None:
    env = {"DIGEST_ARXIV_API": house.arxiv.url, "DIGEST_ARXIV_DELAY": "0"}
    done = program(
        "preview",
        "ada@example.org",
        "--eml",
        "--now",
        THURSDAY.isoformat(),
        cwd=house.home,
        env=env,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    message = mail(done.stdout)
    assert message["To"] == "Ada <ada@example.org>"
    assert message["Date"].datetime.astimezone(UTC) == THURSDAY
    assert message.get_body(("html",)) is not None


async def test_the_password_is_never_shown(house: House) -> None:
    secret = "tr0ub4dor&3"
    async with smtp_server(extensions=("8BITMIME", "AUTH PLAIN LOGIN")) as server:
        env = {
            "DIGEST_ARXIV_API": house.arxiv.url,
            "DIGEST_ARXIV_DELAY": "0",
            "DIGEST_MAIL": f"smtp://ada@127.0.0.1:{server.port}",
            "DIGEST_MAIL_PASSWORD": secret,
            "DIGEST_FROM": "papers@example.org",
        }
        args = ("run", "-vv", "--log-json", "--now", THURSDAY.isoformat())
        done = await asyncio.to_thread(program, *args, cwd=house.home, env=env)
        assert done.returncode == 0, done.stderr
        assert len(server.messages) == 2
        assert any(command.startswith("AUTH") for command in server.commands)
        server.script = {"AUTH": f"535 5.7.8 {secret} is wrong"}
        house.serve(DAYS[1])
        args = ("run", "-vv", "--log-json", "--now", (FRIDAY + timedelta(hours=4)).isoformat())
        failed = await asyncio.to_thread(program, *args, cwd=house.home, env=env)
        assert failed.returncode == 78
    encoded = [command.split()[-1] for command in server.commands if command.startswith("AUTH")]
    for said in (done.stdout, done.stderr, failed.stdout, failed.stderr):
        assert secret.encode() not in said
        assert not [word for word in encoded if word.encode() in said]
    lines = [json.loads(line) for line in done.stderr.decode().splitlines() if line.startswith("{")]
    assert {"time", "level", "logger", "message"} <= set(lines[0])
    assert any(line["logger"] == "digest.run.deliver" for line in lines)
    for path in house.home.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes()
