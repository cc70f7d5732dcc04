from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from digest.mail.sendmail import SendmailTransport
from digest.mail.transport import open_transport
from digest.model import Outcome
from tests.world.smtp_server import make_message


def nothing() -> None:
    """What a test passes that does not care for the moment before delivery."""


def program(folder: Path, body: str) -> Path:
    """A sendmail that does what the given Python lines say."""
    path = folder / "sendmail"
    path.write_text(f"#!{sys.executable} -IS\nimport os, sys, time\n{body}\n")
    path.chmod(0o755)
    return path


async def test_the_message_goes_in_with_its_envelope_and_unix_line_ends(tmp_path: Path) -> None:
    body = f"open({str(tmp_path / 'in')!r}, 'wb').write(sys.stdin.buffer.read())\n"
    body += f"open({str(tmp_path / 'arguments')!r}, 'w').write(chr(10).join(sys.argv[1:]))"
    message = make_message(address="-odd@example.org")
    receipt = await SendmailTransport(program(tmp_path, body)).send(message, nothing)
    assert receipt.outcome is Outcome.SENT
    assert (tmp_path / "in").read_bytes() == message.data.replace(b"\r\n", b"\n")
    arguments = (tmp_path / "arguments").read_text().split("\n")
    assert arguments == ["-i", "-f", "papers@example.org", "--", "-odd@example.org"]


@pytest.mark.parametrize(
    ("code", "outcome", "bounce", "permanent"),
    [
        (os.EX_OK, Outcome.SENT, False, False),
        (os.EX_USAGE, Outcome.RELAY, False, True),
        (os.EX_DATAERR, Outcome.FAILED, False, False),
        (os.EX_NOUSER, Outcome.FAILED, True, False),
        (os.EX_NOHOST, Outcome.FAILED, True, False),
        (os.EX_UNAVAILABLE, Outcome.FAILED, False, False),
        (os.EX_OSERR, Outcome.RELAY, False, False),
        (os.EX_TEMPFAIL, Outcome.DEFERRED, False, False),
        (os.EX_NOPERM, Outcome.RELAY, False, True),
        (os.EX_CONFIG, Outcome.RELAY, False, True),
        (1, Outcome.DEFERRED, False, False),
    ],
)
async def test_the_exit_code_decides(
    tmp_path: Path, code: int, outcome: Outcome, bounce: bool, permanent: bool
) -> None:
    sendmail = program(
        tmp_path, f"sys.stdin.read()\nsys.stderr.write('no\\nway')\nsys.exit({code})"
    )
    receipt = await SendmailTransport(sendmail).send(make_message(), nothing)
    assert (receipt.outcome, receipt.bounce, receipt.permanent) == (outcome, bounce, permanent)
    assert "no way" in receipt.reply


async def test_a_program_that_does_not_read_its_input_is_judged_all_the_same(
    tmp_path: Path,
) -> None:
    receipt = await SendmailTransport(program(tmp_path, "sys.exit(67)")).send(
        make_message(), nothing
    )
    assert receipt.outcome is Outcome.FAILED


async def test_a_program_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    sendmail = program(
        tmp_path,
        f"os.fork()\nopen({str(pids)!r}, 'a').write(f'{{os.getpid()}} ')\ntime.sleep(3600)",
    )
    receipt = await SendmailTransport(sendmail, timeout=2).send(make_message(), nothing)
    assert receipt.outcome is Outcome.UNKNOWN
    wait_for_the_end_of(pids.read_text().split())


def wait_for_the_end_of(pids: list[str]) -> None:
    """Wait until none of the processes runs: a killed one may take a moment to end."""
    while any(map(is_running, pids)):
        time.sleep(0.01)


def is_running(pid: str) -> bool:
    """Whether a process lives, and is no mere entry that waits for its parent to ask."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


async def test_a_program_that_is_killed_leaves_it_open_what_was_done(tmp_path: Path) -> None:
    receipt = await SendmailTransport(program(tmp_path, "os.kill(os.getpid(), 9)")).send(
        make_message(), nothing
    )
    assert receipt.outcome is Outcome.UNKNOWN


async def test_a_cancelled_program_is_killed(tmp_path: Path) -> None:
    sendmail = program(
        tmp_path, f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    )
    os.mkfifo(tmp_path / "pid")
    task = asyncio.create_task(SendmailTransport(sendmail).send(make_message(), nothing))
    pid = int(await asyncio.to_thread((tmp_path / "pid").read_text))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_missing_program_is_said_with_what_to_do(tmp_path: Path) -> None:
    called: list[int] = []
    receipt = await SendmailTransport(tmp_path / "none").send(
        make_message(), lambda: called.append(1)
    )
    assert receipt.outcome is Outcome.RELAY
    assert receipt.permanent
    assert "install" in receipt.reply
    assert called == []


async def test_an_error_before_the_moment_starts_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        raise RuntimeError("the database is gone")

    sendmail = program(tmp_path, f"open({str(tmp_path / 'started')!r}, 'w')")
    with pytest.raises(RuntimeError, match="database"):
        await SendmailTransport(sendmail).send(make_message(), fail)
    assert not (tmp_path / "started").exists()


async def test_a_file_that_is_no_program_is_the_relays_trouble(tmp_path: Path) -> None:
    path = tmp_path / "sendmail"
    path.write_bytes(b"\x7fELF nonsense")
    path.chmod(0o755)
    receipt = await SendmailTransport(path).send(make_message(), nothing)
    assert receipt.outcome is Outcome.RELAY
    assert receipt.permanent


async def test_what_is_no_address_is_given_to_no_program(tmp_path: Path) -> None:
    message = make_message(address="ada@two words.example.org")
    receipt = await SendmailTransport(program(tmp_path, "sys.exit(0)")).send(message, nothing)
    assert (receipt.outcome, receipt.bounce) == (Outcome.FAILED, True)


async def test_a_path_can_be_given(tmp_path: Path) -> None:
    named = open_transport("sendmail:bin/msmtp", home=tmp_path, password=None, ca=None)
    usual = open_transport("sendmail:", home=tmp_path, password=None, ca=None)
    assert named.description == f"sendmail {tmp_path}/bin/msmtp"
    assert usual.description == "sendmail /usr/sbin/sendmail"
    await named.close()
