"""Against a real Postfix and a real Dovecot: every digest arrives once, and what comes back is
understood."""

from __future__ import annotations

import asyncio
import re
import smtplib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from itertools import count
from pathlib import Path

import pytest

from digest.errors import ConfigError
from digest.mail.mailbox import read_mailbox
from digest.mail.mailbox_process import open_mailbox
from digest.mail.message import Sender
from digest.mail.transport import open_transport
from digest.model import Outcome
from digest.run.inbox import InboxReader, process_inbox
from digest.setup.mail import make_signer
from tests.world.house import FRIDAY, SUBSCRIBERS, THURSDAY, House
from tests.world.letters import letter
from tests.world.mail_servers import (
    PASSWORD,
    MailServers,
    free_port,
    mail_servers,
    needs_real_servers,
    smtp_sink,
    wait_until,
)
from tests.world.smtp_server import smtp_server
from tests.world.worlds import DAY, HOUR, World, eprint, numbers, reader

pytestmark = pytest.mark.heavy
READERS = [f"reader{number:03d}" for number in range(200)]
GONE = "gone@example.org"


class RealWorld(World):
    """A world whose mail leaves by a real server."""

    port = 0

    def parts(self, **changes: object) -> object:  # type: ignore[override]
        url = f"smtp://127.0.0.1:{self.port}"
        self.transport = open_transport(url, home=self.path.parent, password=None, ca=None)
        sender = Sender(
            "Digest <papers@example.org>",
            signer=make_signer(self.store),
            bounce="bounces@example.org",
        )
        return super().parts(**{"transport": self.transport, "sender": sender, **changes})

    async def cycle(self, *args: object, **changes: object) -> object:  # type: ignore[override]
        summary = await super().cycle(*args, **changes)  # type: ignore[arg-type]
        await self.transport.close()
        return summary

    def states(self) -> Counter[str]:
        return Counter(row["state"] for row in self.database.rows("SELECT state FROM delivery"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RealWorld]:
    world = RealWorld(tmp_path / "digest.db")
    world.arxiv.announce("Reasoning", *(eprint(number) for number in range(1, 4)))
    yield world
    world.store.close()


@pytest.fixture(scope="module")
def servers() -> Iterator[MailServers]:
    with mail_servers([*READERS, "bounces", "ada"]) as running:
        yield running


@pytest.fixture
def empty(servers: MailServers) -> MailServers:
    """The servers with nothing in any mailbox."""
    for message in (servers.folder / "mail").glob("*/*/*"):
        if message.parent.name in ("new", "cur"):
            message.unlink()
    return servers


def arrived(servers: MailServers, users: list[str]) -> bool:
    return all(servers.count(user) for user in users)


async def test_two_hundred_readers_get_their_digest_once(
    empty: MailServers, world: RealWorld
) -> None:
    world.port = empty.smtp_port
    world.readers = [
        reader(f"{user}@example.org", "Reasoning", name=f"Reader {user[-3:]}") for user in READERS
    ]
    summary = await world.cycle()
    assert summary.outcomes[Outcome.SENT] == len(READERS)  # type: ignore[attr-defined]
    await world.cycle()
    await asyncio.to_thread(wait_until, lambda: arrived(empty, READERS))
    for user in READERS:
        [message] = empty.mails(user)
        assert message["To"] == f"Reader {user[-3:]} <{user}@example.org>"
        assert numbers(message) == [1, 2, 3]
        assert message["Delivered-To"] in (None, f"{user}@example.org")
        assert message["Return-Path"].startswith("<bounces+")
        assert message["List-Unsubscribe"].startswith(
            "<mailto:papers@example.org?subject=unsubscribe%20"
        )
        assert "=?" not in message["List-Unsubscribe"]


async def test_postfix_restarted_in_the_middle_loses_nothing(
    empty: MailServers, world: RealWorld
) -> None:
    world.port = empty.smtp_port
    world.readers = [reader(f"{user}@example.org", "Reasoning") for user in READERS]
    working = asyncio.ensure_future(world.cycle())
    while world.states()["sent"] < 40:
        assert not working.done()
        await asyncio.sleep(0.01)
    await asyncio.to_thread(empty.postfix, "stop")
    await working
    assert world.states()["sent"] < len(READERS)
    await world.cycle()
    unknown = world.value("SELECT COUNT(*) FROM delivery WHERE maybe_accepted = 1")
    await asyncio.to_thread(empty.postfix, "start")
    for _ in range(40):
        if world.states()["sent"] == len(READERS):
            break
        world.now += timedelta(minutes=31)
        await world.cycle()
    assert world.states() == {"sent": len(READERS)}
    await asyncio.to_thread(wait_until, lambda: arrived(empty, READERS))
    copies = [empty.mails(user) for user in READERS]
    # Stopped between Dovecot's answer and its own note of it, Postfix delivers again what it was
    # given once.
    given = [{taken(message) for message in messages} for messages in copies]
    assert sum(len(numbers) - 1 for numbers in given) <= unknown
    assert all(len({message["Message-ID"] for message in messages}) == 1 for messages in copies)


def taken(message: EmailMessage) -> str:
    """The number under which Postfix took a message from us."""
    found = re.search(
        r"by mail\.example\.test \(Postfix\) with ESMTP id (\w+)",
        " ".join(message.get_all("Received")),
    )
    assert found is not None, message.get_all("Received")
    return found[1]


def listener(world: World, servers: MailServers, *, tls: bool = True) -> InboxReader:
    """The bounce mailbox, by IMAP with TLS or without."""
    url = (
        f"imaps://bounces@localhost:{servers.imaps_port}"
        if tls
        else f"imap://bounces@127.0.0.1:{servers.imap_port}"
    )
    return InboxReader(
        world.store,
        make_signer(world.store),
        read_mailbox(url),
        PASSWORD,
        servers.certificate,
        lambda: world.now,
    )


async def test_an_unknown_users_bounce_comes_back_and_suppresses(
    empty: MailServers, world: RealWorld
) -> None:
    world.port = empty.smtp_port
    world.readers = [reader(GONE, "Reasoning"), reader("ada@example.org", "Reasoning")]
    await world.cycle()
    assert world.states() == {"sent": 2}
    await asyncio.to_thread(wait_until, lambda: empty.count("bounces"))
    [heard] = (await process_inbox(listener(world, empty), 60)).results
    assert (heard.address, heard.handled) == (GONE, True)
    found = world.store.suppressions.of(GONE)
    assert found is not None
    assert found.reason == "bounced"
    assert "5.1.1" in found.words
    assert world.states() == {"sent": 1, "failed": 1}
    assert (await process_inbox(listener(world, empty), 60)).results == []

    world.arxiv.announce("Reasoning", eprint(4, world.now))
    await world.cycle(world.now + DAY)
    assert world.states() == {"sent": 2, "failed": 1}
    world.store.suppressions.lift(GONE)
    world.arxiv.announce("Reasoning", eprint(5, world.now))
    await world.cycle(world.now + DAY)
    assert (
        world.value(
            "SELECT COUNT(*) FROM content_paper WHERE content = (SELECT MAX(content) FROM delivery"
            " JOIN subscriber r ON r.id = subscriber WHERE r.address = ?)",
            GONE,
        )
        == 5
    )
    await asyncio.to_thread(
        wait_until, lambda: empty.count("bounces") == 2
    )  # and not in the next test


REFUSALS = {
    "gone": ("550 5.1.1 <{0}>: Recipient address rejected: User unknown in relay table", True),
    "words": ("550 sorry, no mailbox here by that name", True),
    "denied": ("550 5.4.1 [{0}]: Recipient address rejected: Access denied", True),
    "closed": ("550 5.2.1 The email account that you tried to reach is disabled", True),
    "full": ("552 5.2.2 mailbox full", False),
    "generic": ("550 5.0.0 Ip frequency limited", False),
    "protocol": ("554 5.5.0 Requested action not taken: mailbox unavailable", False),
    "blocked": ("554 client host [127.0.0.1] blocked using bl.example.org", False),
    "sender": ("550 5.1.8 Access denied, bad outbound sender", False),
    "policy": ("550 5.7.1 <{0}>: user unknown to our friends", False),
    "size": ("552 5.3.4 message too big", False),
    "later": ("550 5.4.7 delivery time expired", False),
}
"""What a remote server says of a reader of this name, and whether that ends the reader's mail."""


async def test_of_postfixs_reports_only_those_that_name_the_address_end_a_readers_mail(
    empty: MailServers, world: RealWorld
) -> None:
    def answer(line: str) -> str:
        address = line.partition("<")[2].partition(">")[0]
        return REFUSALS[address.partition("@")[0]][0].format(address)

    world.port = empty.smtp_port
    world.readers = [reader(f"{name}@remote.example", "Reasoning") for name in REFUSALS]
    async with smtp_server({"RCPT": answer}) as remote:
        with empty.relaying_to(remote.port):
            await world.cycle()
            await asyncio.to_thread(wait_until, lambda: empty.count("bounces") == len(REFUSALS))
    # Two hours from one to the next: they are no surge.
    hours = count(step=2)
    mailbox = replace(listener(world, empty), clock=lambda: world.now + next(hours) * HOUR)
    heard = (await process_inbox(mailbox, 60)).results
    assert all(one.handled for one in heard)
    dead = {f"{name}@remote.example" for name, (_, ends) in REFUSALS.items() if ends}
    assert {one.address for one in world.store.suppressions.all()} == dead
    assert world.states() == {"failed": len(REFUSALS)}


async def test_the_mailbox_keeps_what_is_not_ours_unread(
    empty: MailServers, world: RealWorld
) -> None:
    world.port = empty.smtp_port
    world.readers = [reader("ada@example.org", "Reasoning")]
    await world.cycle()
    await asyncio.to_thread(wait_until, lambda: empty.count("ada"))
    [digest] = empty.mails("ada")
    token = digest["List-Unsubscribe"].partition("%20")[2].strip("<>")
    letters = [
        letter(f"unsubscribe {token}", to="bounces@example.org"),
        letter("Lunch?", to="bounces@example.org"),
    ]
    with smtplib.SMTP("127.0.0.1", empty.smtp_port) as smtp:
        for one in letters:
            smtp.sendmail("ada@example.org", ["bounces@example.org"], one)
    await asyncio.to_thread(wait_until, lambda: empty.count("bounces") == 2)
    heard = (await process_inbox(listener(world, empty, tls=False), 60)).results
    assert sorted(h.handled for h in heard) == [False, True]
    assert [one.address for one in world.store.suppressions.all()] == ["ada@example.org"]
    flags = empty.flags("bounces")
    assert flags["Lunch?"] == () or b"\\Seen" not in flags["Lunch?"]
    assert {b"\\Seen", b"DigestHandled"} <= set(flags[f"unsubscribe {token}"])


async def test_what_is_wrong_with_the_mailbox_is_said(empty: MailServers, world: RealWorld) -> None:
    good = listener(world, empty)
    with pytest.raises(ConfigError, match="refused the login"):
        await process_inbox(replace(good, password="wrong and secret"), 60)
    with pytest.raises(ConfigError, match="certificate that cannot be trusted"):
        await process_inbox(replace(good, ca=None), 60)
    with pytest.raises(Exception, match="could not be read") as failed:
        await process_inbox(replace(good, place=replace(good.place, folder="no such folder")), 60)
    assert "secret" not in str(failed.value)
    async with open_mailbox(good.place, PASSWORD, good.ca, 60) as mailbox:
        assert mailbox.validity


async def test_a_server_that_says_later_and_then_takes_it(world: RealWorld, tmp_path: Path) -> None:
    needs_real_servers()
    world.port = free_port()
    world.readers = [reader(f"{user}@example.org", "Reasoning") for user in READERS[:20]]
    with smtp_sink(world.port, "-r", "RCPT"):
        await world.cycle()
    assert world.states() == {"deferred": 20}
    assert world.value("SELECT COUNT(*) FROM delivery WHERE reply LIKE '450 %'") == 20
    assert world.store.suppressions.all() == []
    with smtp_sink(world.port):
        await world.cycle(world.now + timedelta(minutes=10))
    assert world.states() == {"sent": 20}


def test_the_command_line_goes_the_whole_round(
    empty: MailServers, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "DIGEST_MAIL": f"smtp://127.0.0.1:{empty.smtp_port}",
        "DIGEST_FROM": "Papers <papers@example.org>",
        "DIGEST_BOUNCE": "bounces@example.org",
        "DIGEST_INBOX": f"imaps://bounces@localhost:{empty.imaps_port}",
        "DIGEST_INBOX_PASSWORD": PASSWORD,
        "DIGEST_MAIL_CA": str(empty.certificate),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    house.write(SUBSCRIBERS.replace("lin@", "gone@"))
    assert house("run", now=THURSDAY).code == 0
    wait_until(lambda: empty.count("ada") and empty.count("bounces"))
    told = house("run", now=FRIDAY)
    assert told.code == 0
    assert f"{GONE}  " in (listed := house("subscribers").out)
    assert (
        "(bounced: 550 5.1.1 <gone@example.org> User doesn't exist: gone@example.org"
        in " ".join(listed.split())
    )
    assert house("inbox").out == "Nothing new.\n"
    with smtplib.SMTP("127.0.0.1", empty.smtp_port) as smtp:
        reply = letter(
            "Re: your digest", "unsubscribe", In_Reply_To=empty.mails("ada")[0]["Message-ID"]
        )
        smtp.sendmail("ada@example.org", ["bounces@example.org"], reply)
    wait_until(lambda: empty.count("bounces") == 2)
    assert (
        house("inbox").out
        == "ada@example.org: unsubscribed\n1 message read, 0 left for a person.\n"
    )
    checks = {check["name"]: check["state"] for check in house("doctor", "--json").json()["checks"]}
    assert (checks["inbox"], checks["bounces"]) == ("ok", "ok")
