"""Readers who are known by a name, through whole cycles against programs on loopback: each paper
once, whatever breaks, and no token in the database."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from digest.mail.apprise import AppriseTransport
from digest.mail.targets import Target, Targets
from digest.mail.webhook import WebhookTransport
from digest.model import Outcome, State
from digest.rules.delivery_retry import UNKNOWN_WAIT
from tests.world.http_server import Answer, HttpServer, http_server
from tests.world.worlds import DAY, HOUR, MONDAY, World, eprint, reader

LAB = "webhook:Lab chat"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TUESDAY = MONDAY + DAY
MINUTE = timedelta(minutes=1)


class Program:
    """A world with one webhook as a reader, and one reader of mail beside it."""

    def __init__(self, path: Path, server: HttpServer) -> None:
        self.world, self.server = World(path), server
        url = f"{server.url}/T0KEN"
        named: dict[str, Any] = {"name": "Lab chat", "target": url, "secret": SECRET}
        self.world.readers = [reader(LAB, "Alpha", **named), reader("ada@example.org", "Alpha")]
        self.way = WebhookTransport(
            Targets({LAB.casefold(): Target(url, SECRET)}, {}),
            private=True,
            clock=lambda: self.world.now,
        )

    async def cycle(self, at: datetime, **changes: Any) -> dict[Outcome, int]:
        """One cycle; returns what came of the deliveries."""
        return dict((await self.world.cycle(at, webhooks=self.way, **changes)).outcomes)

    def taken(self) -> list[list[int]]:
        """The papers in each message, by the number of the paper."""
        bodies = [json.loads(request.body)["data"] for request in self.server.requests]
        return [
            [int(paper["id"][-5:]) for section in body["sections"] for paper in section["papers"]]
            for body in bodies
        ]


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Program]:
    async with http_server() as server:
        yield Program(tmp_path / "digest.db", server)


async def test_a_program_gets_what_a_mail_gets_and_when(program: Program) -> None:
    world = program.world
    world.arxiv.announce("Alpha", eprint(1), eprint(2))
    assert await program.cycle(MONDAY) == {Outcome.SENT: 2}
    assert await program.cycle(MONDAY + HOUR) == {}
    world.arxiv.announce("Alpha", eprint(3, TUESDAY - DAY))
    assert await program.cycle(TUESDAY) == {Outcome.SENT: 2}
    assert program.taken() == world.titles("ada@example.org")
    assert json.loads(program.server.requests[0].body)["data"]["welcome"] is True


@pytest.mark.heavy
async def test_even_a_day_without_papers_is_the_same(program: Program) -> None:
    world = program.world
    world.readers = [
        reader(each.email, "Alpha", quiet_days=True, name=each.name) for each in world.readers
    ]
    for day in range(4):
        assert await program.cycle(MONDAY + day * DAY + 12 * HOUR) == {Outcome.SENT: 2}
    assert len(program.server.requests) == len(world.mails("ada@example.org")) == 4
    assert all(json.loads(r.body)["data"]["quiet"] for r in program.server.requests[1:])


async def test_a_refusal_for_a_time_waits_as_long_as_it_asks_and_holds_up_no_mail(
    program: Program,
) -> None:
    program.world.arxiv.announce("Alpha", eprint(1))
    program.server.script = [Answer(429, {"Retry-After": "3600"}), Answer(503)]
    assert await program.cycle(MONDAY) == {Outcome.DEFERRED: 1, Outcome.SENT: 1}
    assert await program.cycle(MONDAY + 59 * MINUTE) == {}
    assert await program.cycle(MONDAY + 61 * MINUTE) == {Outcome.DEFERRED: 1}
    assert await program.cycle(MONDAY + 90 * MINUTE) == {Outcome.SENT: 1}
    ids = {request.headers["webhook-id"] for request in program.server.requests}
    assert len(ids) == 1
    assert program.taken() == [[1]] * 3


async def test_a_refusal_for_good_is_told_and_its_papers_come_with_the_next_digest(
    program: Program,
) -> None:
    world = program.world
    world.arxiv.announce("Alpha", eprint(1))
    program.server.script = [Answer(410)]
    summary = await world.cycle(MONDAY, webhooks=program.way)
    assert list(summary.given_up) == [
        "webhook:Lab chat: 410 Gone: look whether URL and secret are still right"
    ]
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    await program.cycle(TUESDAY)
    assert program.taken() == [[1], [2, 1]]


async def test_a_connection_that_breaks_after_the_message_leaves_it_maybe_delivered(
    program: Program,
) -> None:
    program.world.arxiv.announce("Alpha", eprint(1))
    program.server.script = [Answer(then="reset")]
    assert await program.cycle(MONDAY) == {Outcome.UNKNOWN: 1, Outcome.SENT: 1}
    assert await program.cycle(MONDAY + UNKNOWN_WAIT + MINUTE) == {Outcome.SENT: 1}
    first, second = program.server.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


async def test_where_unknown_is_held_a_person_decides(program: Program) -> None:
    world = program.world
    world.hold = True
    world.arxiv.announce("Alpha", eprint(1))
    program.server.script = [Answer(then="reset")]
    await program.cycle(MONDAY)
    assert await program.cycle(TUESDAY) == {}
    assert world.store.outbox.counts()[State.UNKNOWN] == 1
    assert len(program.server.requests) == 1


async def test_a_new_url_keeps_the_history_and_none_is_in_the_database(program: Program) -> None:
    world = program.world
    world.arxiv.announce("Alpha", eprint(1))
    await program.cycle(MONDAY)
    lab = world.readers[0]
    world.readers[0] = reader(LAB, "Alpha", name=lab.name, target="$OTHER", secret="$KEY")
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    assert await program.cycle(TUESDAY) == {Outcome.SENT: 2}
    assert program.taken() == [[1], [2]]
    world.close()
    kept = b"".join(path.read_bytes() for path in world.path.parent.glob("digest.db*"))
    assert b"Lab chat" in kept
    assert b"T0KEN" not in kept
    assert SECRET.encode() not in kept


CHAT = "apprise:Lab chat"


@pytest.mark.heavy
@pytest.mark.parametrize("broken", [Answer(503), Answer(then="reset"), Answer(429), None])
async def test_a_chat_gets_what_a_mail_gets_each_once_or_maybe(
    tmp_path: Path, broken: Answer | None
) -> None:
    async with http_server(*filter(None, [broken])) as server:
        server.usual = Answer(body=b'{"id": "1"}')
        world = World(tmp_path / "digest.db")
        target = Target(f"ntfy://tk_T0KEN@127.0.0.1:{server.port}/papers?auth=token")
        named: dict[str, Any] = {"name": "Lab chat", "target": target.url}
        world.readers = [reader(CHAT, "Alpha", **named), reader("ada@example.org", "Alpha")]
        way = AppriseTransport(Targets({CHAT.casefold(): target}, {}))
        world.arxiv.announce("Alpha", eprint(1), eprint(2))
        await world.cycle(MONDAY, chats=way)
        await world.cycle(MONDAY + HOUR, chats=way)
        world.arxiv.announce("Alpha", eprint(3, TUESDAY - DAY))
        await world.cycle(TUESDAY, chats=way)
        texts = [json.loads(request.body)["message"] for request in server.requests]
    got = [[int(n) for n in re.findall(r"abs/2611\.([0-9]{5})v", text)] for text in texts]
    mailed = world.titles("ada@example.org")
    assert got == ([mailed[0], *mailed] if broken else mailed)
    assert world.store.outbox.counts() == {State.SENT: 4}
    world.close()
    kept = b"".join(path.read_bytes() for path in world.path.parent.glob("digest.db*"))
    assert b"T0KEN" not in kept
