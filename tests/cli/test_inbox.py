"""Leaving, bouncing and coming back, as the operator meets them on the command line."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from digest.cli.base import Context
from digest.cli.daily import inbox
from digest.errors import DigestError, TryLaterError
from digest.run.inbox import Reading
from digest.system.locks import cycle_lock
from tests.world.house import DAYS, FRIDAY, THURSDAY, House, refused
from tests.world.imap_server import imap_server
from tests.world.letters import letter, postfix_bounce
from tests.world.smtp_server import smtp_server

ADA = "ada@example.org"


def request(house: House, message: EmailMessage) -> Path:
    """The mail by which the reader of a message leaves, saved to a file."""
    to, _, subject = (
        message["List-Unsubscribe"].strip("<>").removeprefix("mailto:").partition("?subject=")
    )
    path = house.home / "request.eml"
    path.write_bytes(letter(subject.replace("%20", " "), to=to))
    return path


def test_a_saved_request_is_acted_upon_shown_and_lifted(house: House) -> None:
    house("run", now=THURSDAY)
    told = house("inbox", str(request(house, house.mails(ADA)[0])))
    assert told.out == f"{ADA}: unsubscribed\n1 message read, 0 left for a person.\n"
    assert "was handled before" in house("inbox", str(house.home / "request.eml")).out

    listed = house("subscribers").out
    assert "  not mailed since " in listed
    assert "(unsubscribed: by mail)" in listed
    assert f"'digest subscribe {ADA}' lifts that" in house("subscribers", "show", ADA).out
    ada, lin = house("subscribers", "--json").json()
    assert (ada["suppressed"]["reason"], ada["suppressed"]["words"]) == ("unsubscribed", "by mail")
    assert lin["suppressed"] is None
    assert (
        house("status", "--json", now=FRIDAY).json()["subscribers"][0]["suppressed"]["reason"]
        == "unsubscribed"
    )

    before = (house.home / "subscribers.yaml").read_text()
    told = house("subscribe", ADA)
    assert f"{ADA} is mailed again: it was not mailed since" in told.out
    assert (house.home / "subscribers.yaml").read_text() == before
    assert house("subscribe", ADA, "--json").json()["subscribers"][0]["lifted"] is None
    assert "not mailed" not in house("subscribers").out


def test_what_proves_nothing_is_left_for_a_person(house: House) -> None:
    house("run", now=THURSDAY)
    (house.home / "one.eml").write_bytes(letter("unsubscribe"))
    (house.home / "stranger.eml").write_bytes(letter("unsubscribe").replace(b"ada@", b"eve@"))
    (house.home / "two.eml").write_bytes(
        postfix_bounce("bounces+1-aaaaaaaaaaaaaaaaaaaa@example.org")
    )
    told = house("inbox", str(house.home / "one.eml"), str(house.home / "two.eml"))
    assert told.out.count("left for a person: ") == 2
    assert f"but its sender {ADA} is a reader: 'digest unsubscribe {ADA}' does it" in told.out
    told_of_stranger = house("inbox", str(house.home / "stranger.eml")).out
    assert "not for whom: 'digest unsubscribe EMAIL' does it by hand" in told_of_stranger
    assert "nobody is suppressed for it" in told.out
    assert told.out.endswith("2 messages read, 2 left for a person.\n")
    assert house("subscribers", "--json").json()[0]["suppressed"] is None


def test_an_inbox_that_is_not_set_or_cannot_be_reached_says_so_and_stops_no_run(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(house("inbox"), 78, "DIGEST_INBOX is not set")
    monkeypatch.setenv("DIGEST_INBOX", "imap://ada@127.0.0.1:1")
    told = house("run", now=THURSDAY)
    assert told.code == 0
    assert "there is no password" in told.err
    monkeypatch.setenv("DIGEST_INBOX_PASSWORD", "a secret of ours")
    refused(house("inbox"), 75, "could not be reached")
    assert len(house.mails()) == 2


async def test_status_says_where_requests_arrive_that_nobody_reads(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with smtp_server() as server:
        monkeypatch.setenv("DIGEST_MAIL", server.url)
        monkeypatch.setenv("DIGEST_FROM", "papers@example.org")
        monkeypatch.setenv("DIGEST_CONTACT", "help@example.org")
        told = house("status", now=THURSDAY)
        place = "Leaving   requests arrive at help@example.org"
        assert f"{place}; act on each with 'digest inbox MAIL.eml'" in told.out
        monkeypatch.setenv("DIGEST_INBOX", "imaps://bounces@example.org")
        assert "Leaving" not in house("status", now=THURSDAY).out


def test_the_operator_hears_of_runs_that_cannot_work(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_OPERATOR", "ops@example.org")
    house("run", now=THURSDAY)
    good = (house.home / "subscribers.yaml").read_text()
    house.write(good + "}\n")
    for _ in range(5):
        assert house("run", now=FRIDAY).code == 78
    house.write(good)
    house("run", now=FRIDAY)
    house("run", now=FRIDAY)
    subjects = [m["Subject"] for m in house.mails("ops@example.org")]
    assert len(subjects) == 2
    assert subjects[0].startswith("Digest: trouble: 3 cycles in a row failed")
    assert subjects[1] == "Digest: all is well again"


@pytest.mark.heavy
def test_status_and_the_operator_tell_of_a_mailbox_that_cannot_be_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_OPERATOR", "ops@example.org")
    monkeypatch.setenv("DIGEST_INBOX_PASSWORD", "a secret of ours")
    with imap_server(LOGIN=b"TAG NO changed\r\n") as server:
        monkeypatch.setenv("DIGEST_INBOX", server.url)
        house("run", now=THURSDAY)
        # A mailbox is out of reach for hours now and then.
        house("run", now=THURSDAY + timedelta(hours=23))
        assert house.mails("ops@example.org") == []
        for hours in (24, 25):
            house("run", now=THURSDAY + timedelta(hours=hours))
        (mail,) = house.mails("ops@example.org")
        assert mail["Subject"].startswith(
            "Digest: trouble: nobody who asks to leave is heard since"
        )
        report = house("status", "--json", now=FRIDAY).json()["mailbox"]
        assert "refused the login (changed)" in report["trouble"]
        assert "FAILED: the mailbox is not read since 2026-" in house("status", now=FRIDAY).out
    with imap_server() as server:
        monkeypatch.setenv("DIGEST_INBOX", server.url)
        house("run", now=THURSDAY + timedelta(hours=26))
    assert house.mails("ops@example.org")[1]["Subject"] == "Digest: all is well again"
    assert house("status", "--json", now=FRIDAY).json()["mailbox"] is None


async def test_the_daemon_reads_the_mailbox_again_and_says_one_trouble_once(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: list[DigestError | RuntimeError | None] = [
        TryLaterError("no network"),
        TryLaterError("no network"),
        RuntimeError("a bug"),
        None,
        TryLaterError("no network"),
    ]
    done = asyncio.Event()

    async def read_inbox(*_args: object) -> Reading:
        if not answers:
            done.set()
            await asyncio.Event().wait()
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return Reading(finished=True)

    monkeypatch.setattr(inbox, "read_inbox", read_inbox)
    monkeypatch.setattr(inbox, "EVERY", timedelta(0))
    monkeypatch.setenv("DIGEST_INBOX", "imaps://ada@example.org")
    context = Context()
    context.flags["DIGEST_HOME"] = str(house.home)
    listening = asyncio.ensure_future(inbox.MailboxWatch(context).keep_reading())
    async with asyncio.timeout(10):
        await done.wait()
    listening.cancel()
    assert capsys.readouterr().err.count("no network") == 2


def test_nobody_is_mailed_whose_request_was_read_and_the_reading_takes_no_lock(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house("run", now=THURSDAY)
    free: list[bool] = []

    def search(line: bytes) -> Iterator[bytes]:
        with cycle_lock(house.home / "digest.db"):
            free.append(True)
        yield b"* SEARCH 1\r\n%s OK done\r\n" % line.split()[0]

    asks = request(house, house.mails(ADA)[0]).read_bytes()
    house.serve(DAYS[1])
    with imap_server({1: asks}, SEARCH=search) as server:
        monkeypatch.setenv("DIGEST_INBOX", server.url)
        monkeypatch.setenv("DIGEST_INBOX_PASSWORD", "a secret of ours")
        assert house("run", now=FRIDAY).code == 0
    assert (len(house.mails(ADA)), len(house.mails("lin@example.org"))) == (1, 2)
    assert free
    assert server.asked.count("STORE") == 1


def test_a_server_that_drips_costs_the_run_its_time_limit_and_no_digest(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "BEFORE_CYCLE", 0.1)
    with imap_server() as server:
        server.answers["GREETING"] = server.drip
        monkeypatch.setenv("DIGEST_INBOX", server.url)
        monkeypatch.setenv("DIGEST_INBOX_PASSWORD", "a secret of ours")
        told = house("run", now=THURSDAY)
    assert told.code == 0
    assert "told nothing of what is in it within 0.1 seconds" in told.err
    assert len(house.mails()) == 2


def test_what_there_was_no_time_for_is_read_after_the_cycle(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailed: list[int] = []

    async def read_inbox(_settings: object, _now: object, seconds: float) -> Reading:
        mailed.append(len(house.mails()))
        return Reading(begun=True, finished=seconds == inbox.WHOLE)

    monkeypatch.setattr(inbox, "read_inbox", read_inbox)
    monkeypatch.setenv("DIGEST_INBOX", "imaps://ada@example.org")
    assert house("run", now=THURSDAY).code == 0
    assert mailed == [0, 2]


@pytest.mark.heavy
@pytest.mark.parametrize("command", ["run", "daemon", "inbox"])
def test_sigterm_ends_a_reading_at_once(house: House, command: str) -> None:
    house("run", now=THURSDAY)
    with imap_server() as server:
        server.answers["SEARCH"] = server.hang
        environment = {**os.environ, "DIGEST_HOME": str(house.home), "DIGEST_INBOX": server.url}
        process = subprocess.Popen(
            [sys.executable, "-m", "digest", command],
            env=environment | {"DIGEST_INBOX_PASSWORD": "a secret of ours"},
            stderr=subprocess.PIPE,
            text=True,
        )
        while "SEARCH" not in server.asked:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=25)
    assert process.returncode == (0 if command == "daemon" else 75)
    assert "Traceback" not in said


def test_the_heartbeat_beats_after_good_cycles_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    async def beat(url: str) -> bool:
        calls.append(url)
        return True

    monkeypatch.setattr("digest.run.heartbeat.beat", beat)
    monkeypatch.setenv("DIGEST_HEARTBEAT_URL", "https://watchdog.example/secret")
    house("run", now=THURSDAY)
    assert calls == ["https://watchdog.example/secret"]
    monkeypatch.setenv("DIGEST_MAIL", "smtp://127.0.0.1:1")
    monkeypatch.setenv("DIGEST_FROM", "papers@example.org")
    house.serve(DAYS[1])
    told = house("run", now=FRIDAY)
    assert "could not be handed over" in told.err
    assert len(calls) == 1
