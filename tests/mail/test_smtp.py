from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd import smtp as aiosmtpd

from digest.errors import ConfigError
from digest.mail import connection as connection_module
from digest.mail.connection import Account
from digest.mail.server import Server
from digest.mail.smtp import CONNECTIONS, SmtpTransport
from digest.mail.transport import Transport, open_transport
from digest.model import Outcome
from digest.rules.bounces import Blame, blame_of, fault_of
from tests.world.smtp_server import (
    Act,
    Answer,
    SmtpServer,
    make_certificate,
    make_message,
    smtp_server,
)

PASSWORD = "correct horse & bättery"
LOGIN = ("AUTH PLAIN LOGIN", "SIZE 10485760")
HOME = Path("/srv/digest")


@asynccontextmanager
async def delivering(server: SmtpServer, **options: Any) -> AsyncIterator[SmtpTransport]:
    """A transport to the server, closed at the end."""
    place = Server(
        "smtp",
        options.pop("host", "127.0.0.1"),
        server.port,
        options.pop("tls", "none"),
        options.pop("user", ""),
    )
    connections = options.pop("connections", CONNECTIONS)
    transport = SmtpTransport(Account(place, **({"command_timeout": 5} | options)), connections)
    try:
        yield transport
    finally:
        await transport.close()


class Moment:
    """Counts how often the moment before DATA came."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def nothing() -> None:
    """What a test passes that does not care for the moment before DATA."""


async def test_a_message_arrives_byte_for_byte() -> None:
    message = make_message()
    assert b"\r\n.a line" in message.data
    async with smtp_server() as server, delivering(server) as transport:
        receipt = await transport.send(message, nothing)
    assert receipt.outcome is Outcome.SENT
    assert receipt.reply == "250 2.0.0 Queued as 7"
    [taken] = server.messages
    assert taken.data == message.data
    assert (taken.sender, taken.recipient) == ("papers@example.org", "ada@example.org")
    assert f"MAIL FROM:<papers@example.org> SIZE={len(message.data)}" in server.commands


async def test_one_connection_serves_many_messages_and_ends_with_a_goodbye() -> None:
    async with smtp_server() as server, delivering(server) as transport:
        for number in range(20):
            receipt = await transport.send(make_message(unique=str(number)), nothing)
            assert receipt.outcome is Outcome.SENT
        await transport.close()
        await transport.close()
    assert server.connections == 1
    assert server.commands[-1] == "QUIT"
    assert len(server.messages) == 20


@pytest.mark.parametrize("width", [1, 3])
async def test_messages_sent_at_once_share_the_connections(width: int) -> None:
    async with smtp_server() as server, delivering(server, connections=width) as transport:
        messages = [make_message(unique=str(number)) for number in range(8)]
        receipts = await asyncio.gather(*(transport.send(message, nothing) for message in messages))
        assert transport.width == width
    assert [receipt.outcome for receipt in receipts] == [Outcome.SENT] * 8
    assert server.connections == width
    assert server.verbs().count("QUIT") == width
    assert len({taken.data for taken in server.messages}) == 8


async def test_messages_sent_one_after_the_other_need_one_connection() -> None:
    async with smtp_server() as server, delivering(server, connections=3) as transport:
        for number in range(5):
            await transport.send(make_message(unique=str(number)), nothing)
    assert server.connections == 1


@pytest.mark.parametrize("answer", ["421 4.7.0 too many connections", Act.DROP])
async def test_a_server_that_takes_fewer_connections_gets_fewer(answer: Answer) -> None:
    async with (
        smtp_server({"connect": [None, answer, answer]}) as server,
        delivering(server) as transport,
    ):
        await transport.send(make_message(), nothing)
        messages = [make_message(unique=str(number)) for number in range(6)]
        receipts = await asyncio.gather(*(transport.send(message, nothing) for message in messages))
        assert transport.width == 1
    assert {receipt.outcome for receipt in receipts} == {Outcome.SENT}
    assert server.connections == 3
    assert len(server.messages) == 7


async def test_the_only_connection_is_never_given_up() -> None:
    async with (
        smtp_server({"connect": ["421 busy"] * 4}) as server,
        delivering(server) as transport,
    ):
        receipts = [await transport.send(make_message(), nothing) for _ in range(4)]
        assert {receipt.outcome for receipt in receipts} == {Outcome.RELAY}
        assert transport.width == 3
        assert (await transport.send(make_message(), nothing)).outcome is Outcome.SENT


REFUSALS = [
    # stage, answer, outcome, bounce, permanent
    ("connect", "421 busy", Outcome.RELAY, False, False),
    ("connect", "554 5.7.1 go away", Outcome.RELAY, False, True),
    ("EHLO", "502 what", Outcome.RELAY, False, True),
    ("MAIL", "421 4.7.0 slow down", Outcome.RELAY, False, False),
    ("MAIL", "451 4.3.0 later", Outcome.RELAY, False, False),
    ("MAIL", "452 4.3.4 later", Outcome.RELAY, False, False),
    ("MAIL", "550 5.1.8 sender refused", Outcome.RELAY, False, True),
    ("MAIL", "552 5.3.4 too large", Outcome.FAILED, False, False),
    ("MAIL", "554 5.6.0 message not acceptable", Outcome.FAILED, False, False),
    ("RCPT", "421 4.7.0 slow down", Outcome.RELAY, False, False),
    ("RCPT", "450 4.2.0 greylisted", Outcome.DEFERRED, False, False),
    ("RCPT", "550 5.1.1 no such user", Outcome.FAILED, True, False),
    ("RCPT", "550 no such user", Outcome.FAILED, True, False),
    ("RCPT", "554 5.7.1 relay access denied", Outcome.FAILED, False, False),
    ("RCPT", "554 5.7.1. Relaying denied", Outcome.FAILED, False, False),
    ("RCPT", "556 5.4.4 no such domain", Outcome.FAILED, True, False),
    ("RCPT", "552 5.2.2 mailbox full", Outcome.FAILED, True, False),
    ("RCPT", "550 5.1.8 Access denied, bad outbound sender", Outcome.RELAY, False, True),
    ("RCPT", "550 5.1.7 invalid sender address", Outcome.RELAY, False, True),
    ("RCPT", "550 5.1.0 refused by the SPF record of example.org", Outcome.RELAY, False, False),
    ("RCPT", "550 5.7.60 this login may not send as this sender", Outcome.RELAY, False, True),
    ("RCPT", "550 blocked using zen.example.org", Outcome.RELAY, False, False),
    ("RCPT", "550 Ip frequency limited", Outcome.RELAY, False, False),
    ("RCPT", "550 Mail content denied", Outcome.FAILED, False, False),
    ("RCPT", "451 4.1.8 the sender's domain is not found", Outcome.DEFERRED, False, False),
    ("RCPT", "550 5.4.5 daily quota exceeded", Outcome.RELAY, False, False),
    ("RCPT", "554 5.6.0 message not acceptable", Outcome.FAILED, False, False),
    ("RCPT", "530 5.7.0 log in first", Outcome.RELAY, False, True),
    ("RCPT", "not a reply", Outcome.RELAY, False, False),
    ("DATA", "421 4.3.2 closing", Outcome.RELAY, False, False),
    ("DATA", "451 4.3.0 later", Outcome.DEFERRED, False, False),
    ("DATA", "454 4.7.0 throttled", Outcome.RELAY, False, False),
    ("DATA", "554 5.5.1 no valid recipients", Outcome.FAILED, False, False),
    ("DATA", "250 what", Outcome.RELAY, False, False),
    ("message", "421 4.3.2 closing", Outcome.RELAY, False, False),
    ("message", "452 4.3.1 disk full", Outcome.DEFERRED, False, False),
    ("message", "454 Throttling failure", Outcome.RELAY, False, False),
    ("message", "554 5.7.1 spam", Outcome.FAILED, False, False),
    ("message", "550 5.1.1 no such user", Outcome.FAILED, True, False),
    ("message", "554 refused", Outcome.FAILED, False, False),
    (
        "message",
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
        Outcome.RELAY,
        False,
        True,
    ),
    ("message", "552 5.2.2 mailbox full", Outcome.FAILED, True, False),
    ("message", "354 again", Outcome.UNKNOWN, False, False),
    ("message", "garbled", Outcome.UNKNOWN, False, False),
    ("message", "251 will forward", Outcome.SENT, False, False),
]


def test_answers_and_reports_blame_the_address_for_the_same_words() -> None:
    """What is no bounce at RCPT would not end a reader's mail for good when a report says it."""
    refused = [row for row in REFUSALS if row[0] == "RCPT" and row[2] is Outcome.FAILED]
    for _, answer, _, bounce, _ in refused:
        assert bounce == (blame_of(fault_of(answer)) is not Blame.POLICY), answer


@pytest.mark.parametrize(("stage", "answer", "outcome", "bounce", "permanent"), REFUSALS)
async def test_the_stage_and_the_answer_decide(
    stage: str, answer: str, outcome: Outcome, bounce: bool, permanent: bool
) -> None:
    moment = Moment()
    async with smtp_server({stage: answer}) as server, delivering(server) as transport:
        receipt = await transport.send(make_message(), moment)
    assert (receipt.outcome, receipt.bounce, receipt.permanent) == (outcome, bounce, permanent)
    assert moment.times == (stage in ("DATA", "message"))
    if answer[0].isdigit():
        assert receipt.reply == answer


@pytest.mark.parametrize("act", [Act.DROP, Act.HANG])
@pytest.mark.parametrize("stage", ["connect", "EHLO", "MAIL", "RCPT", "DATA", "message"])
async def test_only_what_comes_after_354_may_have_been_accepted(stage: str, act: Act) -> None:
    moment = Moment()
    async with (
        smtp_server({stage: act}) as server,
        delivering(server, command_timeout=0.2, data_timeout=0.3) as transport,
    ):
        receipt = await transport.send(make_message(), moment)
    assert receipt.outcome is (Outcome.UNKNOWN if stage == "message" else Outcome.RELAY)
    assert not receipt.permanent
    assert receipt.reply
    assert moment.times == (stage in ("DATA", "message"))
    assert len(server.messages) == (stage == "message")


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "message"])
@pytest.mark.parametrize("trouble", ["450 4.2.0 later", Act.DROP, Act.HANG])
async def test_after_any_trouble_the_next_message_gets_a_new_connection(
    stage: str, trouble: Answer
) -> None:
    async with (
        smtp_server({stage: [trouble]}) as server,
        delivering(server, command_timeout=0.2, data_timeout=0.2) as transport,
    ):
        first = await transport.send(make_message(unique="1"), nothing)
        second = await transport.send(make_message(unique="2"), nothing)
    assert first.outcome is not Outcome.SENT
    assert second.outcome is Outcome.SENT
    assert server.connections == 2


async def test_a_refused_message_is_left_with_a_goodbye_that_nobody_waits_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_module, "GOODBYE_TIMEOUT", 0.05)
    script = {"RCPT": ["550 5.1.1 no such user"], "QUIT": Act.HANG}
    async with smtp_server(script) as server, delivering(server) as transport:
        receipt = await transport.send(make_message(), nothing)
        assert receipt.outcome is Outcome.FAILED
        assert (await transport.send(make_message(), nothing)).outcome is Outcome.SENT
        assert server.verbs().count("RSET") == 0
        assert server.verbs().count("QUIT") == 1
        await transport.close()


@pytest.mark.parametrize("answer", [Act.DROP, "421 4.7.0 too many messages for one session"])
async def test_an_old_connection_that_has_gone_is_made_anew_for_the_same_message(
    answer: Answer,
) -> None:
    async with smtp_server({"MAIL": [None, answer]}) as server, delivering(server) as transport:
        for number in range(3):
            receipt = await transport.send(make_message(unique=str(number)), nothing)
            assert receipt.outcome is Outcome.SENT
    assert server.connections == 2
    assert len(server.messages) == 3


async def test_an_idle_connection_is_not_trusted() -> None:
    async with smtp_server() as server, delivering(server, idle_timeout=-1) as transport:
        for number in range(2):
            assert (
                await transport.send(make_message(unique=str(number)), nothing)
            ).outcome is Outcome.SENT
    assert server.connections == 2


async def test_a_server_that_is_not_there_is_the_relays_trouble() -> None:
    async with smtp_server() as server:
        pass
    async with delivering(server) as transport:
        receipt = await transport.send(make_message(), nothing)
    assert receipt.outcome is Outcome.RELAY
    assert not receipt.permanent
    assert f"127.0.0.1:{server.port}" in receipt.reply


async def test_a_message_larger_than_the_server_takes_is_not_sent() -> None:
    async with smtp_server(extensions=["SIZE 500"]) as server, delivering(server) as transport:
        receipt = await transport.send(make_message(), nothing)
    assert receipt.outcome is Outcome.FAILED
    assert not receipt.bounce
    assert "500" in receipt.reply
    assert "MAIL" not in server.verbs()


@pytest.mark.parametrize("extensions", [["SIZE 0"], ["SIZE"], ["HELP"]])
async def test_a_server_that_names_no_size_takes_any(extensions: list[str]) -> None:
    async with smtp_server(extensions=extensions) as server, delivering(server) as transport:
        assert (await transport.send(make_message(), nothing)).outcome is Outcome.SENT


async def test_an_address_beyond_ascii_goes_where_it_is_understood() -> None:
    message = make_message(address="адa@example.org")
    async with smtp_server() as server, delivering(server) as transport:
        assert (await transport.send(message, nothing)).outcome is Outcome.SENT
    [taken] = server.messages
    assert taken.recipient == "адa@example.org"
    assert any(
        command.startswith("MAIL") and command.endswith(" SMTPUTF8") for command in server.commands
    )


async def test_an_address_beyond_ascii_is_not_sent_where_it_is_not_understood() -> None:
    async with smtp_server(extensions=["SIZE 0"]) as server, delivering(server) as transport:
        receipt = await transport.send(make_message(address="адa@example.org"), nothing)
    assert receipt.outcome is Outcome.FAILED
    assert "SMTPUTF8" in receipt.reply
    assert "MAIL" not in server.verbs()


@pytest.mark.parametrize(
    "address", ["ada@exam>ple.org> SIZE=1", "ada@two words.example.org", "", "ada", "ada@"]
)
async def test_what_is_no_address_is_not_repaired_into_one(address: str) -> None:
    async with smtp_server() as server, delivering(server) as transport:
        receipt = await transport.send(make_message(address=address), nothing)
    assert (receipt.outcome, receipt.bounce) == (Outcome.FAILED, True)
    assert server.commands == []


@pytest.mark.parametrize(
    "local", ["a b", "a> SIZE=1 <", "a,b", 'a"b', "a(b)", "a@b", "a..b", ":a;"]
)
async def test_an_odd_local_part_reaches_the_server_quoted(local: str) -> None:
    message = make_message(address=f"{local}@example.org")
    async with smtp_server() as server, delivering(server) as transport:
        assert (await transport.send(message, nothing)).outcome is Outcome.SENT
    quoted = local.replace('"', '\\"')
    assert f'RCPT TO:<"{quoted}"@example.org>' in server.commands


async def test_an_error_at_the_moment_before_data_sends_nothing() -> None:
    def fail() -> None:
        raise RuntimeError("the database is gone")

    async with smtp_server() as server, delivering(server) as transport:
        with pytest.raises(RuntimeError, match="database"):
            await transport.send(make_message(), fail)
        assert (await transport.send(make_message(), nothing)).outcome is Outcome.SENT
    assert server.verbs().count("DATA") == 1
    assert server.connections == 2


@pytest.mark.parametrize(("stage", "times"), [("RCPT", 0), ("message", 1)])
async def test_a_cancelled_message_takes_its_connection_with_it(stage: str, times: int) -> None:
    moment, reached = Moment(), asyncio.Event()

    def hang(_: str) -> Answer:
        if reached.is_set():
            return None
        reached.set()
        return Act.HANG

    async with smtp_server({stage: hang}) as server, delivering(server) as transport:
        task = asyncio.create_task(transport.send(make_message(), moment))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert moment.times == times
        assert (await transport.send(make_message(), nothing)).outcome is Outcome.SENT
    assert server.connections == 2


async def test_what_servers_say_becomes_one_bounded_clean_line() -> None:
    said = "550-5.1.1 no\x1b[2J such\r\n550 5.1.1 user " + "x" * 2000
    async with smtp_server({"RCPT": said}) as server, delivering(server) as transport:
        receipt = await transport.send(make_message(), nothing)
    assert receipt.reply.startswith("550 5.1.1 no [2J such 5.1.1 user xxx")
    assert len(receipt.reply) == 500


# Logging in


async def test_a_login_comes_before_the_first_message_once() -> None:
    async with (
        smtp_server(extensions=LOGIN) as server,
        delivering(server, user="ada@example.org", password=PASSWORD) as transport,
    ):
        for number in range(2):
            assert (
                await transport.send(make_message(unique=str(number)), nothing)
            ).outcome is Outcome.SENT
    [login] = [command for command in server.commands if command.startswith("AUTH")]
    assert base64.b64decode(login.split(" ")[2]).decode() == f"\0ada@example.org\0{PASSWORD}"


async def test_a_refused_login_is_tried_once_in_the_life_of_a_transport() -> None:
    script = {"AUTH": "535 5.7.8 wrong"}
    async with (
        smtp_server(script, extensions=LOGIN) as server,
        delivering(server, user="ada", password=PASSWORD) as transport,
    ):
        receipts = [await transport.send(make_message(), nothing) for _ in range(3)]
    assert {receipt.outcome for receipt in receipts} == {Outcome.RELAY}
    assert all(receipt.permanent and receipt.reply == "535 5.7.8 wrong" for receipt in receipts)
    assert server.connections == server.verbs().count("AUTH") == 1


@pytest.mark.parametrize("answer", ["454 4.7.0 temporary failure", "421 busy", Act.DROP])
async def test_a_login_that_failed_for_a_time_is_tried_again(answer: Answer) -> None:
    async with (
        smtp_server({"AUTH": [answer]}, extensions=LOGIN) as server,
        delivering(server, user="ada", password=PASSWORD) as transport,
    ):
        first = await transport.send(make_message(), nothing)
        second = await transport.send(make_message(), nothing)
    assert (first.outcome, first.permanent) == (Outcome.RELAY, False)
    assert second.outcome is Outcome.SENT


async def test_a_server_without_password_logins_is_said_so() -> None:
    async with (
        smtp_server(extensions=["AUTH XOAUTH2"]) as server,
        delivering(server, user="ada", password=PASSWORD) as transport,
    ):
        receipt = await transport.send(make_message(), nothing)
    assert (receipt.outcome, receipt.permanent) == (Outcome.RELAY, True)
    assert "xoauth2" in receipt.reply


async def test_the_password_appears_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    encoded = base64.b64encode(f"\0ada\0{PASSWORD}".encode()).decode()
    script = {"AUTH": f"535 5.7.8 {PASSWORD} is wrong, and so is {encoded}"}
    async with (
        smtp_server(script, extensions=LOGIN) as server,
        delivering(server, user="ada", password=PASSWORD) as transport,
    ):
        receipt = await transport.send(make_message(), nothing)
        shown = f"{transport!r} {transport.description} {receipt!r} {caplog.text}"
    assert receipt.reply == "535 5.7.8 *** is wrong, and so is ***"
    for secret in (PASSWORD, encoded, base64.b64encode(PASSWORD.encode()).decode()):
        assert secret not in shown


# Encryption


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def trusting(path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=path)


async def test_starttls_protects_login_and_message(
    certificate: tuple[Path, ssl.SSLContext],
) -> None:
    extensions = ("STARTTLS", *LOGIN)
    async with (
        smtp_server(extensions=extensions, tls=certificate[1]) as server,
        delivering(
            server, tls="starttls", user="ada", password="x", tls_context=trusting(certificate[0])
        ) as transport,
    ):
        assert (await transport.send(make_message(), nothing)).outcome is Outcome.SENT
    assert server.verbs()[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]


async def test_tls_from_the_start_protects_everything(
    certificate: tuple[Path, ssl.SSLContext],
) -> None:
    async with (
        smtp_server(tls=certificate[1], tls_from_start=True) as server,
        delivering(server, tls="always", tls_context=trusting(certificate[0])) as transport,
    ):
        assert (await transport.send(make_message(), nothing)).outcome is Outcome.SENT
    assert len(server.messages) == 1


ONLY_AFTER_STARTTLS = {
    "EHLO": ["250-localhost\r\n250 STARTTLS", "250-localhost\r\n250 AUTH PLAIN LOGIN"]
}
"""What Proton Mail's bridge says, which listens on the loopback with a certificate of its own."""


async def test_a_local_server_that_takes_a_login_after_starttls_gets_it_there(
    certificate: tuple[Path, ssl.SSLContext],
) -> None:
    async with smtp_server(ONLY_AFTER_STARTTLS, tls=certificate[1]) as server:
        transport = opened(f"smtp://ada@127.0.0.1:{server.port}", "x")
        assert (await transport.send(make_message(), nothing)).outcome is Outcome.SENT
        await transport.close()
    assert server.verbs()[:5] == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL"]


async def test_a_local_server_proves_itself_where_its_authority_is_named(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other, _ = make_certificate(tmp_path / "other")
    _, context = make_certificate(tmp_path)
    async with smtp_server(ONLY_AFTER_STARTTLS, tls=context) as server:
        url = f"smtp://ada@127.0.0.1:{server.port}"
        transport = open_transport(url, home=HOME, password="x", ca=other)
        receipt = await transport.send(make_message(), nothing)
    assert (receipt.outcome, receipt.permanent) == (Outcome.RELAY, True)
    assert "certificate verify failed" in receipt.reply
    assert "AUTH" not in server.verbs()


@pytest.mark.parametrize(("options", "encrypted"), [("", True), ("?tls=none", False)])
async def test_a_local_server_that_refuses_starttls_gets_no_password_but_by_wish(
    options: str, encrypted: bool
) -> None:
    script = {"STARTTLS": "454 4.7.0 TLS not available"}
    async with smtp_server(script, extensions=["STARTTLS", *LOGIN]) as server:
        transport = opened(f"smtp://ada@localhost:{server.port}{options}", "x")
        await transport.send(make_message(), nothing)
        await transport.close()
    assert ("STARTTLS" in server.verbs(), "AUTH" in server.verbs()) == (encrypted, not encrypted)


async def test_a_local_server_without_starttls_gets_the_login_all_the_same() -> None:
    async with smtp_server(extensions=LOGIN) as server:
        transport = opened(f"smtp://ada@localhost:{server.port}", "x")
        assert (await transport.send(make_message(), nothing)).outcome is Outcome.SENT
        await transport.close()
    assert server.verbs()[:3] == ["EHLO", "AUTH", "MAIL"]


async def test_without_starttls_nothing_is_sent() -> None:
    async with (
        smtp_server(extensions=LOGIN) as server,
        delivering(
            server,
            tls="starttls",
            user="ada",
            password="x",
            tls_context=ssl.create_default_context(),
        ) as transport,
    ):
        receipt = await transport.send(make_message(), nothing)
    assert (receipt.outcome, receipt.permanent) == (Outcome.RELAY, True)
    assert "STARTTLS" in receipt.reply
    assert server.verbs() == ["EHLO"]


@pytest.mark.parametrize("answer", ["454 4.7.0 TLS not available", "501 no", Act.DROP])
async def test_a_refused_starttls_never_falls_back_to_plain_text(
    certificate: tuple[Path, ssl.SSLContext], answer: Answer
) -> None:
    async with (
        smtp_server({"STARTTLS": answer}, extensions=["STARTTLS", *LOGIN]) as server,
        delivering(
            server, tls="starttls", user="ada", password="x", tls_context=trusting(certificate[0])
        ) as transport,
    ):
        receipt = await transport.send(make_message(), nothing)
    assert receipt.outcome is Outcome.RELAY
    assert server.verbs() == ["EHLO", "STARTTLS"]


@pytest.mark.parametrize("tls", ["starttls", "always"])
@pytest.mark.parametrize("wrong", ["authority", "name"])
async def test_a_certificate_that_does_not_prove_the_server_is_refused(
    tmp_path: Path, tls: str, wrong: str
) -> None:
    names = "DNS:elsewhere.example.org" if wrong == "name" else "DNS:localhost,IP:127.0.0.1"
    path, context = make_certificate(tmp_path, names)
    trusted = trusting(path) if wrong == "name" else ssl.create_default_context()
    extensions = ["STARTTLS", *LOGIN]
    async with (
        smtp_server(extensions=extensions, tls=context, tls_from_start=tls == "always") as server,
        delivering(server, tls=tls, user="ada", password="x", tls_context=trusted) as transport,
    ):
        receipt = await transport.send(make_message(), nothing)
    assert (receipt.outcome, receipt.permanent) == (Outcome.RELAY, True)
    assert "certificate verify failed" in receipt.reply
    assert "AUTH" not in server.verbs()


async def test_a_whole_transport_by_its_setting_against_another_implementation(
    certificate: tuple[Path, ssl.SSLContext],
) -> None:
    taken: list[tuple[str, Sequence[str], bytes]] = []

    class Handler:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            taken.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
            return "250 2.0.0 Ok"

    def authenticate(*arguments: Any) -> aiosmtpd.AuthResult:
        data = arguments[-1]
        assert isinstance(data, aiosmtpd.LoginPassword)
        right = data.login == b"me@example.org" and data.password == PASSWORD.encode()
        return aiosmtpd.AuthResult(success=right, handled=False)

    def protocol() -> aiosmtpd.SMTP:
        return aiosmtpd.SMTP(
            Handler(),
            hostname="localhost",
            tls_context=certificate[1],
            require_starttls=True,
            auth_required=True,
            authenticator=authenticate,
            enable_SMTPUTF8=True,
        )

    listener = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    url = f"smtp://me@example.org@localhost:{port}?tls=starttls"
    transport = open_transport(url, home=HOME, password=PASSWORD, ca=certificate[0])
    wrong = open_transport(url, home=HOME, password="wrong", ca=certificate[0])
    try:
        message = make_message(address="адa@example.org")
        assert (await transport.send(message, nothing)).outcome is Outcome.SENT
        assert taken == [("papers@example.org", ["адa@example.org"], message.data)]
        refused = await wrong.send(message, nothing)
        assert (refused.outcome, refused.permanent) == (Outcome.RELAY, True)
        assert refused.reply.startswith("535 ")
    finally:
        await transport.close()
        await wrong.close()
        listener.close()
        await listener.wait_closed()
        await asyncio.sleep(0.01)


# The setting


def opened(url: str, password: str | None = "x") -> Transport:
    return open_transport(url, home=HOME, password=password, ca=None)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://relay.example.org", Server("smtp", "relay.example.org", 587, "starttls")),
        ("SMTP://relay.example.org:25/", Server("smtp", "relay.example.org", 25, "starttls")),
        (
            "smtps://me@gmail.com@smtp.gmail.com",
            Server("smtps", "smtp.gmail.com", 465, "always", "me@gmail.com"),
        ),
        (
            "smtp://a%40b%3Ac@relay.example.org",
            Server("smtp", "relay.example.org", 587, "starttls", "a@b:c"),
        ),
        ("smtp://relay.example.org:25?tls=none", Server("smtp", "relay.example.org", 25, "none")),
        ("smtp://me@localhost:1025", Server("smtp", "localhost", 1025, "offered", "me")),
        ("smtp://127.0.0.9:1025", Server("smtp", "127.0.0.9", 1025, "none")),
        ("smtp://[::1]:1025", Server("smtp", "::1", 1025, "none")),
        ("smtp://[2001:db8::7]", Server("smtp", "2001:db8::7", 587, "starttls")),
        ("smtp://me@localhost:1025?tls=none", Server("smtp", "localhost", 1025, "none", "me")),
        ("smtp://localhost?tls=starttls", Server("smtp", "localhost", 587, "starttls")),
        ("smtps://localhost", Server("smtps", "localhost", 465, "always")),
        ("smtp://mail_server:25?tls=none", Server("smtp", "mail_server", 25, "none")),
    ],
)
def test_a_setting_names_a_server(url: str, server: Server) -> None:
    transport = opened(url)
    assert isinstance(transport, SmtpTransport)
    assert transport._account.server == server
    assert transport.description == server.url
    assert (transport._account.tls_context is None) == (server.tls == "none")


def test_descriptions_name_no_login() -> None:
    assert opened("smtp://me@relay.example.org").description == "smtp://relay.example.org:587"
    assert opened("smtp://me@[2001:db8::7]").description == "smtp://[2001:db8::7]:587"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "does not begin with"),
        ("mail", "does not begin with"),
        ("smtp.example.org:587", "does not begin with"),
        ("stmp://relay.example.org", "did you mean smtp:"),
        ("mailder:mail", "did you mean maildir:"),
        ("https://relay.example.org", "no way of sending"),
        ("smtp:relay.example.org", "two slashes"),
        ("maildir:", "no folder"),
        ("smtp://", "no host"),
        ("smtp://me@", "no host"),
        ("smtp://relay..example.org", "no host"),
        ("smtp://re lay.example.org", "no host"),
        ("smtp://relay.example.org:0", "port"),
        ("smtp://relay.example.org:65536", "port"),
        ("smtp://relay.example.org:smtp", "port"),
        ("smtp://[::g]", "IPv6"),
        ("smtp://[::1", "host"),
        ("smtp://2001:db8::7:25", "port"),
        ("smtp://relay.example.org?tls=maybe", "option"),
        ("smtp://relay.example.org?ssl=1", "option"),
        ("smtps://relay.example.org?tls=none", "from the start"),
        ("smtp://me@relay.example.org?tls=none", "unprotected"),
        ("smtp://me@10.0.0.1?tls=none", "unprotected"),
        ("smtp://me@localhost.example.org?tls=none", "unprotected"),
        ("smtp://a%0D%0Ab@relay.example.org", "control"),
        ("smtp://me:secret@relay.example.org", "DIGEST_MAIL_PASSWORD"),
        ("smtp://me:sec@ret@relay.example.org", "DIGEST_MAIL_PASSWORD"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_without_repeating_it(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        opened(url)
    assert "secret" not in str(caught.value)
    assert "ret@" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "smtp://me:secret@relay.example.org",
        "smtp://me:secret",
        "smtp://me:@secret",
        "secret",
        "stmp://me:secret@relay.example.org",
        "smtpsecret",
    ],
)
def test_an_error_never_holds_a_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        opened(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("password", [None, ""])
def test_a_user_without_a_password_is_refused(password: str | None) -> None:
    with pytest.raises(ConfigError, match="DIGEST_MAIL_PASSWORD"):
        opened("smtp://me@relay.example.org", password)


def test_a_private_authority_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("none.pem", "empty.pem"):
        with pytest.raises(ConfigError, match="DIGEST_MAIL_CA"):
            open_transport(
                "smtps://relay.example.org", home=HOME, password=None, ca=tmp_path / name
            )


def test_folders_are_anchored_at_home() -> None:
    assert opened("maildir:mail").description == "Maildir /srv/digest/mail"
    assert opened("maildir:///var/mail/digest").description == "Maildir /var/mail/digest"
    assert opened("maildir:/var/mail/digest").description == "Maildir /var/mail/digest"
