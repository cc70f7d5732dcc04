"""What an IMAP server may answer, and what becomes of it."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.errors import ConfigError, TryLaterError
from digest.mail import mailbox_process, mailbox_worker
from digest.mail.mailbox import Mailbox, read_mailbox
from digest.mail.mailbox_process import open_mailbox
from digest.mail.mailbox_worker import PARSING, Worker
from digest.mail.transport import make_tls_context
from tests.world.hostile_mails import TEXT
from tests.world.imap_server import Answer, ImapServer, imap_server
from tests.world.letters import letter
from tests.world.smtp_server import make_certificate

LIMIT = 100_000
LETTER = letter("unsubscribe")


def look(server: ImapServer) -> tuple[list[int], list[bytes | str | None]]:
    """Read a mailbox here, without a process of its own."""
    mailbox = Mailbox(server.place, "secret")
    try:
        uids = mailbox.uids(after=0, since=None, limit=50)
        found = [mailbox.fetch(uid, LIMIT) for uid in uids]
        for uid in uids:
            mailbox.mark_handled(uid)
    finally:
        mailbox.close()
    return uids, found


def test_a_mailbox_is_read() -> None:
    with imap_server({1: LETTER, 7: b"x" * 2 * LIMIT}) as server:
        assert look(server) == ([1, 7], [LETTER, b"x" * LIMIT])
        assert server.asked.count("STORE") == 2


def test_a_local_mailbox_that_takes_a_login_after_starttls_gets_it_there(tmp_path: Path) -> None:
    """As Proton Mail's bridge does, with a certificate of its own."""
    path, context = make_certificate(tmp_path)
    offers = b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\nTAG OK done\r\n"
    with imap_server({1: LETTER}, tls=context, CAPABILITY=offers) as server:
        place = read_mailbox(server.url)
        for authority in (None, path):
            context = make_tls_context(authority, place.tls)
            Mailbox(place, "secret", tls_context=context).close()
        assert [name for name in server.asked if name in ("STARTTLS", "LOGIN")] == [
            "STARTTLS",
            "LOGIN",
        ] * 2
        with pytest.raises(ConfigError, match="certificate"):
            Mailbox(place, "secret", tls_context=make_tls_context(None))
    with imap_server({1: LETTER}) as server:
        Mailbox(read_mailbox(server.url), "secret").close()
        assert "STARTTLS" not in server.asked


@pytest.mark.parametrize(
    ("said", "answers"),
    [
        ("no lasting numbers", {"SELECT": b"* 1 EXISTS\r\nTAG OK done\r\n"}),
        ("no lasting numbers", {"SELECT": b"* OK [UIDVALIDITY 0] x\r\nTAG OK done\r\n"}),
        (
            "no lasting numbers",
            {"SELECT": b"* OK [UIDVALIDITY 99999999999999999999] x\r\nTAG OK done\r\n"},
        ),
        ("cannot be understood", {"SELECT": b"* OK [UIDVALIDITY x] x\r\nTAG OK done\r\n"}),
        ("cannot be understood", {"SEARCH": b"* SEARCH one two\r\nTAG OK done\r\n"}),
        ("cannot be understood", {"SEARCH": b"* SEARCH " + b"9" * 5_000 + b"\r\nTAG OK done\r\n"}),
        ("cannot be understood", {"FETCH": b"* 1 FETCH (UID 1 BODY[] 5)\r\nTAG OK done\r\n"}),
        ("could not be read", {"FETCH": b"* 1 FETCH (UID 1 BODY[] (a))\r\n* )(\r\nTAG OK\r\n"}),
        ("could not be read", {"SEARCH": b""}),
        ("could not be read", {"GREETING": b"220 mail.example.org ESMTP\r\n"}),
        ("could not be read", {"SEARCH": b"TAG BAD what?\r\n"}),
        ("refused the login (*** is wrong)", {"LOGIN": b"TAG NO secret is wrong\r\n"}),
    ],
)
def test_what_is_no_imap_is_said_in_a_line(said: str, answers: dict[str, Answer]) -> None:
    with imap_server({1: LETTER}, **answers) as server:
        with pytest.raises((TryLaterError, ConfigError)) as failed:
            look(server)
        assert said in str(failed.value)
        assert "\n" not in str(failed.value)
        assert len(str(failed.value)) < 800


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        ([], b"* SEARCH\r\nTAG OK done\r\n"),
        ([], b"TAG OK done\r\n"),
        ([1], b"* SEARCH 1 1 0\r\nTAG OK done\r\n"),
        ([1], b"* SEARCH 1 4294967296\r\nTAG OK done\r\n"),
    ],
)
def test_numbers_that_cannot_be_are_none(found: list[int], answer: bytes) -> None:
    with imap_server({1: LETTER}, SEARCH=answer) as server:
        assert look(server)[0] == found


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        (None, b"TAG OK done\r\n"),
        (None, b"* 1 FETCH (UID 1 BODY[] NIL)\r\nTAG OK done\r\n"),
        (None, b"* 1 FETCH (UID 2 BODY[] {1}\r\nx)\r\nTAG OK done\r\n"),
        ("fetch failed: cannot be converted", b"TAG NO cannot be converted\r\n"),
        ("FETCH command error: BAD [b'error 12']", b"TAG BAD error 12\r\n"),
    ],
)
def test_a_message_that_is_not_sent_is_gone_or_refused(found: str | None, answer: bytes) -> None:
    with imap_server({1: LETTER}, FETCH=answer) as server:
        assert look(server)[1] == [found]


@pytest.mark.parametrize(
    ("size", "answer"),
    [(len(LETTER), None), (0, b"TAG OK done\r\n"), (0, b"TAG NO no\r\n")],
    ids=["told", "left out", "refused"],  # the letter's own size differs from process to process
)
def test_the_size_of_a_message_is_told_before_it_is_fetched(
    size: int, answer: bytes | None
) -> None:
    with imap_server({1: LETTER}, **({"FETCH": answer} if answer else {})) as server:
        mailbox = Mailbox(server.place, "secret")
        assert mailbox.size(1) == size
        mailbox.close()


def test_a_mailbox_that_may_only_be_looked_at_is_read() -> None:
    with imap_server({1: LETTER}, STORE=b"TAG NO read-only\r\n") as server:
        assert look(server)[1] == [LETTER]


async def test_the_process_is_given_the_password_by_its_input_and_ends_with_its_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIGEST_INBOX_PASSWORD", "a secret of ours")
    seen: dict[str, bytes] = {}

    def search(line: bytes) -> Iterator[bytes]:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        for child in children:
            for name in ("cmdline", "environ", "limits"):
                seen[name] = Path(f"/proc/{child}/{name}").read_bytes()
        yield b"* SEARCH 1\r\n%s OK done\r\n" % line.split()[0]

    with imap_server({1: LETTER}, SEARCH=search) as server:
        async with open_mailbox(server.place, "a secret of ours", None, 60) as mailbox:
            assert await mailbox.uids(after=0, since=None, limit=5) == [1]
            fetched = await mailbox.fetch(1)
            assert fetched is not None
            assert fetched.subject == "unsubscribe"
            incoming = await mailbox.read()
            assert incoming is not None
            assert incoming.sender == "Ada <ada@example.org>"
        assert server.asked[-1] == "LOGOUT"
    if seen:  # where the system shows it
        assert b"mailbox_worker" in seen["cmdline"]
        assert b"secret" not in seen["cmdline"] + seen["environ"]
        assert b"Max address space         536870912" in seen["limits"]


async def test_a_process_that_dies_or_lasts_too_long_costs_one_mail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with imap_server({1: LETTER}) as server:
        async with open_mailbox(server.place, "secret", None, 60) as mailbox:
            monkeypatch.setattr(mailbox_process, "PATIENCE", 0.0)
            await mailbox.fetch(1)
            assert await mailbox.read() is None
            assert mailbox.ended
    assert "LOGOUT" not in server.asked


async def test_the_process_finds_the_program_wherever_it_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a clone (`python -m digest`), and where a packager wrote the folders into the command."""
    bare = tmp_path / "python"
    # -S: only what it is told of.
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with imap_server({1: LETTER}) as server:
        async with open_mailbox(server.place, "secret", None, 60) as mailbox:
            assert await mailbox.uids(after=0, since=None, limit=5) == [1]


def test_a_mail_may_cost_so_much_of_the_processors_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def spin(_raw: bytes) -> None:
        while True:
            pass

    def end(_number: int, _frame: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(mailbox_worker, "read_incoming", spin)
    monkeypatch.setattr(mailbox_worker, "PARSING", 0.01)
    before = signal.signal(signal.SIGPROF, end)  # which ends the process where nobody takes it
    try:
        with pytest.raises(TimeoutError):
            Worker().read()
    finally:
        signal.signal(signal.SIGPROF, before)
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0


@pytest.mark.heavy
async def test_a_machine_that_stands_still_is_no_fault_of_the_mails() -> None:
    with imap_server({1: LETTER}) as server:
        async with open_mailbox(server.place, "secret", None, 60) as mailbox:
            await mailbox.fetch(1)
            process = mailbox._process
            process.send_signal(signal.SIGSTOP)
            reading = asyncio.ensure_future(mailbox.read())
            done, _ = await asyncio.wait({reading}, timeout=PARSING + 0.5)
            assert not done
            process.send_signal(signal.SIGCONT)
            assert await reading is not None


async def look_within(server: ImapServer, seconds: float) -> None:
    """Read a mailbox in a process that is given so much time."""
    async with asyncio.timeout(2 * seconds), open_mailbox(server.place, "x", None, seconds) as box:
        await box.uids(after=0, since=None, limit=5)
        await box.fetch(1)


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["GREETING", "LOGIN", "SELECT", "SEARCH", "FETCH"])
async def test_a_server_that_drips_or_hangs_costs_the_time_limit(name: str) -> None:
    for way in ("drip", "hang"):
        with imap_server({1: LETTER}) as server:
            server.answers[name] = getattr(server, way)
            with pytest.raises((TimeoutError, TryLaterError)):
                await look_within(server, 1.0)


@pytest.mark.heavy
@pytest.mark.parametrize("size", [4_000_000_000, 10**30, 300_000_000])
async def test_a_literal_of_gigabytes_costs_the_reading(size: int) -> None:
    def send(_line: bytes) -> Iterator[bytes]:
        yield b"* 1 FETCH (UID 1 BODY[] {%d}\r\n" % size
        yield from itertools.repeat(b"x" * 1_000_000, 600)

    for name in ("FETCH", "SEARCH", "GREETING"):
        with imap_server({1: LETTER}) as server:
            server.answers[name] = send
            with pytest.raises((TryLaterError, TimeoutError)):
                await look_within(server, 10)


async def test_a_process_that_cannot_be_started_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with imap_server() as server, pytest.raises(TryLaterError, match="no process can be started"):
        async with open_mailbox(server.place, "x", None, 60):
            pass


async def test_a_stop_ends_the_process_at_once() -> None:
    with imap_server({1: TEXT}) as server:
        server.answers["SEARCH"] = server.hang
        async with open_mailbox(server.place, "x", None, 60) as mailbox:
            asking = asyncio.ensure_future(mailbox.uids(after=0, since=None, limit=5))
            await asyncio.sleep(0)
            asking.cancel()
            pid = mailbox._process.pid
            mailbox.ended = True
        with pytest.raises(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


async def test_a_time_limit_that_ends_while_the_process_is_ended_leaves_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[asyncio.subprocess.Process] = []
    send_signal = asyncio.subprocess.Process.send_signal

    def at_the_end(process: asyncio.subprocess.Process, number: int) -> None:
        send_signal(process, number)
        ended.append(process)
        reading.cancel()

    monkeypatch.setattr(asyncio.subprocess.Process, "send_signal", at_the_end)
    with imap_server({}) as server:
        reading = asyncio.create_task(look_within(server, 30))
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert [process.returncode for process in ended] == [-signal.SIGKILL]
