"""A relay that misbehaves: late, in pieces, out of turn, or with the wrong papers; nothing is lost
or believed."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from digest.mail.connection import Account
from digest.mail.server import Server
from digest.mail.smtp import SmtpTransport
from digest.model import Outcome, Receipt
from tests.mail.test_smtp import Moment, delivering, nothing, trusting
from tests.world.smtp_server import Act, make_message, smtp_server

Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(converse: Converse) -> AsyncIterator[int]:
    """A server that says what it likes, byte by byte; gives its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await converse(reader, writer)
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


def to(port: int, **options: float) -> SmtpTransport:
    server = Server("smtp", "127.0.0.1", port, "none")
    return SmtpTransport(Account(server, **({"command_timeout": 2} | options)))  # type: ignore[arg-type]


async def sent_to(converse: Converse, **options: float) -> Receipt:
    """The receipt for one message to a server that converses so."""
    async with raw_server(converse) as port:
        transport = to(port, **options)
        receipt = await transport.send(make_message(), nothing)
        await transport.close()
    return receipt


class Script:
    """Answers each command by its verb, as the bytes stand here, and the message under
    `message`."""

    def __init__(self, **answers: bytes) -> None:
        self.answers = {
            "connect": b"220 mail.example.org\r\n",
            "EHLO": b"250-mail.example.org\r\n250 8BITMIME\r\n",
            "DATA": b"354 go on\r\n",
            "message": b"250 2.0.0 queued\r\n",
        } | answers
        self.pause = 0.0
        self.piece = 1 << 20
        self.messages = 0

    async def say(self, writer: asyncio.StreamWriter, stage: str) -> None:
        answer = self.answers.get(stage, b"250 ok\r\n")
        for begin in range(0, len(answer), self.piece):
            writer.write(answer[begin : begin + self.piece])
            await writer.drain()
            await asyncio.sleep(self.pause)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.say(writer, "connect")
        while line := await reader.readline():
            verb = line.decode().strip().split(" ")[0]
            await self.say(writer, verb)
            if verb == "DATA" and b"354" in self.answers["DATA"]:
                await reader.readuntil(b"\r\n.\r\n")
                self.messages += 1
                await self.say(writer, "message")


# -- late


@pytest.mark.parametrize(("patience", "outcome"), [(0.6, Outcome.SENT), (0.1, Outcome.UNKNOWN)])
async def test_an_answer_that_takes_long_is_waited_for_as_long_as_the_rule_says(
    patience: float, outcome: Outcome
) -> None:
    """A 250 after 40 s where 600 s are the rule, and after a longer time than the rule; a hundredth
    of each."""
    script = Script()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        say = script.say

        async def slow(writer: asyncio.StreamWriter, stage: str) -> None:
            if stage == "message":
                await asyncio.sleep(0.3)
            await say(writer, stage)

        script.say = slow  # type: ignore[method-assign]
        await script(reader, writer)

    receipt = await sent_to(late, data_timeout=patience)
    assert receipt.outcome is outcome
    assert script.messages == 1


async def test_a_dot_that_nobody_answers_leaves_it_open_whether_the_message_came(
    tmp_path: Path,
) -> None:
    moment = Moment()
    async with (
        smtp_server({"message": Act.HANG}) as server,
        delivering(server, data_timeout=0.1) as transport,
    ):
        receipt = await transport.send(make_message(), moment)
    assert (receipt.outcome, moment.times, len(server.messages)) == (Outcome.UNKNOWN, 1, 1)
    assert receipt.reply.startswith("after the message: ")


async def test_a_server_that_reads_slowly_gets_the_whole_message() -> None:
    got = b""

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        script = Script()
        await script.say(writer, "connect")
        for verb in ("EHLO", "MAIL", "RCPT", "DATA"):
            await reader.readline()
            await script.say(writer, verb)
        while not got.endswith(b"\r\n.\r\n"):
            got += await reader.read(100)
            await asyncio.sleep(0.001)
        await script.say(writer, "message")
        await reader.readline()

    message = make_message()
    assert (await sent_to(slowly)).outcome is Outcome.SENT
    assert got[:-3].replace(b"\r\n..", b"\r\n.") == message.data


# -- in pieces, and out of turn


@pytest.mark.parametrize("piece", [1, 3, 7])
async def test_answers_that_come_in_pieces_are_put_together(piece: int) -> None:
    script = Script(RCPT=b"250-first\r\n250-second\r\n250 third\r\n")
    script.piece, script.pause = piece, 0.0005
    assert (await sent_to(script)).outcome is Outcome.SENT


async def test_a_refusal_in_pieces_is_one() -> None:
    script = Script(RCPT=b"550-5.1.1 no\r\n550 5.1.1 such user\r\n")
    script.piece, script.pause = 2, 0.0005
    receipt = await sent_to(script)
    assert (receipt.outcome, receipt.bounce) == (Outcome.FAILED, True)
    assert receipt.reply == "550 5.1.1 no 5.1.1 such user"


async def test_an_answer_before_the_message_is_not_taken_for_one_to_it() -> None:
    """A false "accepted" would lose the digest: here the server means to refuse it."""
    script = Script(
        DATA=b"354 go on\r\n250 2.0.0 queued already\r\n", message=b"554 5.6.0 not this\r\n"
    )
    receipt = await sent_to(script)
    assert receipt.outcome is Outcome.RELAY
    assert receipt.reply.endswith("answered before it was asked")


@pytest.mark.parametrize("stage", ["connect", "EHLO", "MAIL", "RCPT"])
@pytest.mark.parametrize(
    "garbage", [b"250 ok\r\n", b"550 5.1.1 no such user\r\n", b"\x00\xff\x1b[2J\r\n"]
)
async def test_answers_out_of_turn_never_make_a_message_sent_that_was_not_taken(
    stage: str, garbage: bytes
) -> None:
    script = Script()
    script.answers[stage] = script.answers.get(stage, b"250 ok\r\n") + garbage
    receipt = await sent_to(script)
    assert receipt.outcome is not Outcome.SENT or script.messages == 1
    assert receipt.outcome is not Outcome.UNKNOWN or script.messages == 1


@pytest.mark.parametrize("stage", ["connect", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    "garbage",
    [
        b"\r\n",
        b"\x00" * 50 + b"\r\n",
        b"9" * 40_000 + b"\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"25",
    ],
)
async def test_garbage_for_an_answer_is_the_relays_trouble(stage: str, garbage: bytes) -> None:
    receipt = await sent_to(Script(**{stage: garbage}), command_timeout=0.2)
    assert receipt.outcome is Outcome.RELAY
    assert receipt.reply
    assert len(receipt.reply) <= 500
    assert receipt.reply.isprintable()


@pytest.mark.parametrize("garbage", [b"\r\n", b"\x00\r\n", b"9" * 40_000 + b"\r\n", b"2"])
async def test_garbage_after_the_message_leaves_it_open(garbage: bytes) -> None:
    assert (await sent_to(Script(message=garbage), data_timeout=0.2)).outcome is Outcome.UNKNOWN


async def test_a_421_in_the_middle_costs_one_message_nothing() -> None:
    script = {
        "RCPT": [None, "421 4.3.2 too much for one session"],
        "MAIL": [None, None, None, "421 4.3.2 again"],
    }
    async with smtp_server(script) as server, delivering(server) as transport:
        outcomes = [
            (await transport.send(make_message(unique=str(n)), nothing)).outcome for n in range(5)
        ]
    assert outcomes == [Outcome.SENT, Outcome.RELAY, Outcome.SENT, Outcome.SENT, Outcome.SENT]
    assert len({taken.data for taken in server.messages}) == 4


# -- what a server says of itself


async def test_a_server_that_takes_less_than_it_said_refuses_the_message_and_blames_nobody() -> (
    None
):
    script = {"message": "552 5.3.4 message too big"}
    async with (
        smtp_server(script, extensions=["SIZE 10485760"]) as server,
        delivering(server) as transport,
    ):
        receipt = await transport.send(make_message(), nothing)
    assert (receipt.outcome, receipt.bounce, receipt.policy) == (Outcome.FAILED, False, False)


@pytest.mark.parametrize(
    "size", ["SIZE -1", "SIZE 12x", "SIZE 99999999999999999999999999", "SIZE ٣"]
)
async def test_a_size_that_cannot_be_is_no_limit(size: str) -> None:
    async with smtp_server(extensions=[size]) as server, delivering(server) as transport:
        assert (await transport.send(make_message(), nothing)).outcome is Outcome.SENT


async def test_a_message_that_is_too_large_is_told_with_both_sizes() -> None:
    message = make_message()
    async with smtp_server(extensions=["SIZE 100"]) as server, delivering(server) as transport:
        receipt = await transport.send(message, nothing)
    assert receipt.reply == f"the message has {len(message.data)} bytes, and {server.url} takes 100"


REFUSED_AS_POLICY = [
    ("RCPT", "554 5.7.1 relay access denied", True),
    ("message", "550 5.7.26 unauthenticated mail", True),
    ("DATA", "554 5.7.0 not from you", True),
    ("message", "554 5.6.0 cannot read it", False),
    ("RCPT", "550 5.1.1 no such user", False),
]


@pytest.mark.parametrize(("stage", "answer", "policy"), REFUSED_AS_POLICY)
async def test_a_refusal_as_a_matter_of_policy_is_told_from_others(
    stage: str, answer: str, policy: bool
) -> None:
    async with smtp_server({stage: answer}) as server, delivering(server) as transport:
        receipt = await transport.send(make_message(), nothing)
    assert (receipt.outcome, receipt.policy) == (Outcome.FAILED, policy)
    assert not (receipt.policy and receipt.bounce)


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "message"])
async def test_a_days_quota_that_is_used_up_gives_the_server_a_rest(stage: str) -> None:
    script = {stage: "550 5.4.5 Daily user sending limit exceeded"}
    async with smtp_server(script) as server, delivering(server) as transport:
        receipt = await transport.send(make_message(), nothing)
    assert (receipt.outcome, receipt.bounce, receipt.permanent) == (Outcome.RELAY, False, False)


# -- certificates


def expired_certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate of a year ago, and the server's context with it."""
    key, certificate = folder / "key.pem", folder / "expired.pem"
    (folder / "index.txt").write_text("")
    (folder / "serial").write_text("01\n")
    (folder / "ca.cnf").write_text(
        f"[ca]\ndefault_ca=d\n[d]\ndatabase={folder}/index.txt\nserial={folder}/serial\nnew_certs_dir={folder}\n"
        "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n[e]\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n"
        "basicConstraints=CA:true\n"
    )
    make = (
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test "
        f"-keyout {key}"
        f" -out {folder}/request.pem"
    )
    sign = (
        f"openssl ca -batch -selfsign -config {folder}/ca.cnf -extensions e -keyfile {key} -in "
        f"{folder}/request.pem"
        f" -out {certificate} -startdate 20240101000000Z -enddate 20240201000000Z"
    )
    for command in (make, sign):
        subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


@pytest.mark.parametrize("tls", ["starttls", "always"])
async def test_an_expired_certificate_is_refused_before_the_login(tmp_path: Path, tls: str) -> None:
    path, context = expired_certificate(tmp_path)
    async with (
        smtp_server(
            extensions=["STARTTLS", "AUTH PLAIN"], tls=context, tls_from_start=tls == "always"
        ) as server,
        delivering(
            server, tls=tls, user="ada", password="horse", tls_context=trusting(path)
        ) as transport,
    ):
        receipt = await transport.send(make_message(), nothing)
    assert (receipt.outcome, receipt.permanent) == (Outcome.RELAY, True)
    assert "expired" in receipt.reply
    assert "AUTH" not in server.verbs()
