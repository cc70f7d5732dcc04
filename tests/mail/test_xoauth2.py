"""Logging in with an access token: the command that brings it, and XOAUTH2 against a server in the
process."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from digest.errors import ConfigError
from digest.mail.oauth import LONGEST_TOKEN, TokenError, fetch_token, read_command
from digest.mail.presets import hint_for
from digest.mail.transport import Transport, open_transport
from digest.model import Outcome, Receipt
from tests.world.smtp_server import SmtpServer, make_message, smtp_server

USER = "ada@example.org"
TOKEN = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"
OFFERED = ("AUTH PLAIN LOGIN XOAUTH2", "SIZE 10485760")
HOME = Path("/srv/digest")
CHALLENGE = base64.b64encode(json.dumps({"status": "401", "schemes": "bearer"}).encode()).decode()


def printing(text: str) -> str:
    """A command line that prints a text."""
    return f"{sys.executable} -c \"print('{text}')\""


def transport_to(server: SmtpServer, command: str, password: str | None = None) -> Transport:
    url = f"smtp://{USER}@127.0.0.1:{server.port}"
    return open_transport(url, home=HOME, password=password, ca=None, token_command=command)


async def send(server: SmtpServer, command: str, times: int = 1) -> list[Receipt]:
    transport = transport_to(server, command)
    try:
        return [
            await transport.send(make_message(unique=str(n)), lambda: None) for n in range(times)
        ]
    finally:
        await transport.close()


async def test_the_token_is_sent_in_the_published_form_once_per_connection(tmp_path: Path) -> None:
    count = tmp_path / "count"
    code = f"open('{count}', 'a').write('x'); print('{TOKEN}'); print('second line')"
    command = f'{sys.executable} -c "{code}"'
    async with smtp_server(extensions=OFFERED) as server:
        receipts = await send(server, command, times=3)
    assert [r.outcome for r in receipts] == [Outcome.SENT] * 3
    assert count.read_text() == "x"
    [auth] = [line for line in server.commands if line.startswith("AUTH")]
    assert base64.b64decode(auth.removeprefix("AUTH XOAUTH2 ")) == (
        b"user=ada@example.org\x01auth=Bearer " + TOKEN.encode() + b"\x01\x01"
    )


async def test_the_token_comes_before_a_password() -> None:
    async with smtp_server(extensions=OFFERED) as server:
        transport = transport_to(server, printing(TOKEN), password="secret")
        assert (await transport.send(make_message(), lambda: None)).outcome is Outcome.SENT
        await transport.close()
    assert [line.split(" ")[1] for line in server.commands if line.startswith("AUTH")] == [
        "XOAUTH2"
    ]


async def test_an_error_challenge_is_answered_with_an_empty_line_and_not_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The server says what is wrong as a challenge; only the answer to an empty line is the
    refusal."""
    lines: list[bytes] = []
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers = [b"250-mail.example.org\r\n250 AUTH XOAUTH2", f"334 {CHALLENGE}".encode()]
        answers.append(f"535 5.7.8 Bad token {TOKEN}".encode())
        writer.write(b"220 mail.example.org\r\n")
        for answer in answers:
            lines.append(await reader.readline())
            writer.write(answer + b"\r\n")
        await reader.read()
        writer.close()
        over.set()

    caplog.set_level(logging.DEBUG)
    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    url = f"smtp://{USER}@127.0.0.1:{port}"
    transport = open_transport(
        url, home=HOME, password=None, ca=None, token_command=printing(TOKEN)
    )
    first = await transport.send(make_message(), lambda: None)
    again = await transport.send(make_message(), lambda: None)
    await transport.close()
    await over.wait()
    await asyncio.sleep(0)
    listener.close()
    assert first == again == Receipt(Outcome.RELAY, "535 5.7.8 Bad token ***", permanent=True)
    assert [line[:12] for line in lines] == [lines[0][:12], b"AUTH XOAUTH2", b"\r\n"]
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("extensions", [("AUTH PLAIN LOGIN",), ("SIZE 1000000",)])
async def test_a_server_without_xoauth2_gets_no_token(extensions: Sequence[str]) -> None:
    async with smtp_server(extensions=extensions) as server:
        [receipt] = await send(server, printing(TOKEN))
    assert receipt.outcome is Outcome.RELAY
    assert receipt.permanent
    assert "offers no login with a token (XOAUTH2)" in receipt.reply
    assert "AUTH" not in server.verbs()


async def test_a_server_that_takes_only_tokens_is_explained() -> None:
    async with smtp_server(extensions=("AUTH XOAUTH2",)) as server:
        url = f"smtp://{USER}@127.0.0.1:{server.port}"
        transport = open_transport(url, home=HOME, password="secret", ca=None)
        receipt = await transport.send(make_message(), lambda: None)
        await transport.close()
    assert "offers no login with a password (offered: xoauth2)" in receipt.reply
    assert "DIGEST_MAIL_TOKEN_COMMAND" in hint_for(url, receipt.reply)


@pytest.mark.parametrize(
    ("code", "says", "permanent"),
    [
        (
            "import sys; print('secret'); print('secret', file=sys.stderr); sys.exit(3)",
            "failed with exit code 3",
            False,
        ),
        ("print()", "printed nothing on its first line", False),
        ("pass", "printed nothing on its first line", False),
        ("print('two secret words')", "is no token", True),
        ("print('secret' * 10_000)", "is no token", True),
        (r"print('a\x01auth=Bearer secret')", "is no token", True),
        ("print('sécret')", "is no token", True),
    ],
)
async def test_a_command_that_brings_no_token_is_one_clear_line(
    code: str, says: str, permanent: bool
) -> None:
    async with smtp_server(extensions=OFFERED) as server:
        [receipt] = await send(server, f'{sys.executable} -c "{code}"')
    name = Path(sys.executable).name
    assert receipt.outcome is Outcome.RELAY
    assert receipt.permanent is permanent
    assert "token command" in receipt.reply
    assert name in receipt.reply
    assert says in receipt.reply
    assert "cret" not in receipt.reply
    assert "AUTH" not in server.verbs()
    assert "by hand" in hint_for("smtp://smtp.gmail.com:587", receipt.reply)


async def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(TokenError, match="the token command nosuch cannot be run") as caught:
        await fetch_token(("/nowhere/nosuch", "--secret"))
    assert caught.value.permanent
    assert "--secret" not in str(caught.value)


async def test_a_command_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pid)!r}, 'w').write(str(child.pid))\n"
        "print('a-token', flush=True)\n"
        "time.sleep(60)\n"
    )
    with pytest.raises(TokenError, match="took more than 1 seconds"):
        await fetch_token((sys.executable, "-c", code), timeout=1)
    child = Path(f"/proc/{pid.read_text()}/stat")
    for _ in range(100):
        if not child.exists() or child.read_text().split()[2] == "Z":
            break
        await asyncio.sleep(0.02)
    else:
        pytest.fail("the child is still alive")


async def test_a_command_that_prints_without_end_needs_no_memory() -> None:
    code = "import os\nprint('a-token', flush=True)\nfor _ in range(200): os.write(1, b'x' * 65536)"
    assert await fetch_token((sys.executable, "-c", code)) == "a-token"


async def test_the_command_is_no_shells_affair_and_reads_no_input() -> None:
    assert read_command("pass show 'my token' \"$HOME\" ; rm") == (
        "pass",
        "show",
        "my token",
        "$HOME",
        ";",
        "rm",
    )
    code = "import sys; print(sys.argv[1] + str(len(sys.stdin.read())))"
    assert await fetch_token(read_command(f"{sys.executable} -c '{code}' $PATH|x")) == "$PATH|x0"


@pytest.mark.parametrize("text", ["pass 'show", "   ", "pass\0show"])
def test_a_command_line_that_cannot_be_read_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ConfigError, match="DIGEST_MAIL_TOKEN_COMMAND") as caught:
        open_transport(
            "smtp://ada@mail.example.org", home=HOME, password=None, ca=None, token_command=text
        )
    assert "show" not in str(caught.value)


def test_a_token_needs_a_user() -> None:
    with pytest.raises(ConfigError, match="names no user"):
        open_transport(
            "smtp://mail.example.org", home=HOME, password=None, ca=None, token_command="pass token"
        )


def test_the_longest_token_fits_into_one_line_of_auth() -> None:
    plain = b"user=" + b"u" * 254 + b"\x01auth=Bearer " + b"t" * LONGEST_TOKEN + b"\x01\x01"
    assert len(b"AUTH XOAUTH2 " + base64.b64encode(plain) + b"\r\n") <= 12288


async def test_a_cancelled_command_is_ended_too() -> None:
    task = asyncio.ensure_future(fetch_token((sys.executable, "-c", "import time; time.sleep(60)")))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
