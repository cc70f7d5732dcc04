"""A mail server that refuses: what is the sender's trouble, and what is a reader's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from digest.model import Outcome
from digest.run.cycle import Summary
from tests.mail.test_smtp import delivering
from tests.world.smtp_server import Answer, smtp_server
from tests.world.worlds import DAY, HOUR, MONDAY, World, eprint, reader

MINUTE = timedelta(minutes=1)
HEAVY = pytest.mark.heavy


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "digest.db")
    world.arxiv.announce("Alpha", *(eprint(number) for number in range(1, 4)))
    yield world
    world.close()


def crowd(world: World, number: int) -> list[str]:
    """So many readers, to whom a first digest is due."""
    people = [f"r{n:02}@example.org" for n in range(number)]
    world.readers = [reader(address, "Alpha") for address in people]
    return people


async def refused(world: World, stage: str, answer: Answer, runs: int = 1) -> Summary:
    """Cycles, a quarter of an hour apart, while the server answers so at a stage."""
    async with smtp_server({stage: answer}) as server, delivering(server) as transport:
        for _ in range(runs):
            summary = await world.cycle(transport=transport)
            world.now += 15 * MINUTE
    return summary


def suppressed(world: World) -> list[str]:
    return [one.address for one in world.store.suppressions.all()]


def soft_days(world: World) -> int:
    return int(world.value("SELECT COUNT(*) FROM bounce WHERE blame = 'soft' AND NOT excused"))


async def arrives(world: World, people: list[str]) -> None:
    """Once the server takes mail again, everybody gets every paper, once."""
    async with smtp_server() as server, delivering(server) as transport:
        for day in range(2):
            await world.cycle(world.now + HOUR + day * DAY, transport=transport)
    assert sorted(taken.recipient for taken in server.messages) == people


@pytest.mark.parametrize(
    ("stage", "readers", "answer"),
    [
        ("RCPT", 3, "550 5.1.8 Access denied, bad outbound sender"),
        pytest.param("RCPT", 1, "550 5.1.7 the sender's address is not valid", marks=HEAVY),
        pytest.param(
            "message", 2, "550 5.1.0 refused: SPF of example.org does not allow this", marks=HEAVY
        ),
        ("message", 3, "550 5.7.60 SMTP; Client does not have permissions to send as this sender"),
        pytest.param(
            "RCPT", 2, "554 client host [192.0.2.1] blocked using bl.example.org", marks=HEAVY
        ),
    ],
)
async def test_what_is_refused_to_the_sender_waits_and_blames_no_reader(
    world: World, stage: str, readers: int, answer: str
) -> None:
    people = crowd(world, readers)
    summary = await refused(world, stage, answer, runs=2)
    assert summary.waiting == readers
    assert summary.paused
    assert world.store.relay.state().failures > 0
    assert suppressed(world) == []
    assert world.value("SELECT COUNT(*) FROM bounce") == 0
    await arrives(world, people)


@pytest.mark.parametrize("readers", [1, pytest.param(4, marks=HEAVY)])
async def test_a_policy_that_refuses_all_readers_is_the_servers_trouble_however_few_they_are(
    world: World, readers: int
) -> None:
    people = crowd(world, readers)
    summary = await refused(world, "RCPT", "554 5.7.1 message refused")
    assert summary.outcomes[Outcome.FAILED] == min(readers, 3) - 1
    assert summary.paused
    assert suppressed(world) == []
    await arrives(world, people)


def numbered(words: str) -> Answer:
    """An answer in which address, id and number differ each time."""
    count = iter(range(100))
    return lambda line: words.format(line.partition(":")[2], f"id{next(count)}x")  # type: ignore[return-value]


@HEAVY
async def test_the_same_words_after_the_message_are_the_servers_trouble_too(world: World) -> None:
    people = crowd(world, 4)
    await refused(world, "message", "554 delivery error: dd", runs=9)
    assert world.value("SELECT COUNT(*) FROM delivery WHERE state = 'failed'") == 2
    assert world.store.relay.state().failures > 1
    assert soft_days(world) == 0
    await arrives(world, people)


@pytest.mark.parametrize(
    "words",
    [
        "550 Go elsewhere {0} ({1})",
        pytest.param("550 5.3.2 {0}: system not accepting messages, {1}", marks=HEAVY),
        pytest.param("552 5.2.2 {0} storage full [{1}]", marks=HEAVY),
    ],
)
async def test_the_same_words_to_three_readers_in_a_row_are_the_servers_trouble(
    world: World, words: str
) -> None:
    people = crowd(world, 4)
    await refused(world, "RCPT", numbered(words), runs=9)
    assert world.value("SELECT COUNT(*) FROM delivery WHERE state = 'failed'") == 2
    assert world.store.relay.state().failures > 1
    assert suppressed(world) == []
    assert soft_days(world) == 0
    await arrives(world, people)


@pytest.mark.parametrize(
    "words", ["550 Mail content denied", pytest.param("550 Ip frequency limited", marks=HEAVY)]
)
async def test_a_large_providers_words_without_a_code_blame_nobody(
    world: World, words: str
) -> None:
    people = crowd(world, 3)
    summary = await refused(world, "RCPT", words)
    assert summary.paused
    assert suppressed(world) == []
    assert soft_days(world) == 0
    await arrives(world, people)


@HEAVY
async def test_what_two_readers_were_refused_in_other_words_each_is_theirs(world: World) -> None:
    people = crowd(world, 3)
    said = dict(zip(people, ["full", "no room", "closed today"], strict=True))
    summary = await refused(
        world,
        "RCPT",
        lambda line: "550 " + said[line.partition("<")[2].partition(">")[0]],  # type: ignore[arg-type]
    )
    assert summary.outcomes == {Outcome.FAILED: 3}
    assert soft_days(world) == 3


@HEAVY
async def test_one_reader_who_is_refused_three_days_in_a_row_is_no_trouble_of_the_servers(
    world: World,
) -> None:
    (ada,) = crowd(world, 1)
    for day in range(3):
        world.arxiv.announce("Alpha", eprint(10 + day, MONDAY + day * DAY - HOUR))
        world.now = MONDAY + day * DAY
        summary = await refused(world, "RCPT", "550 not today")
        assert not summary.paused
    assert suppressed(world) == [ada]


@HEAVY
async def test_one_readers_server_that_refuses_the_sender_delays_others_by_minutes(
    world: World,
) -> None:
    people = crowd(world, 6)
    refusing = "550 5.7.1 your IP is blocked using bl.example.net"
    async with (
        smtp_server({"RCPT": lambda line: refusing if people[0] in line else None}) as server,
        delivering(server) as transport,
    ):
        await world.cycle(transport=transport)
        assert len(server.messages) == 0
        await world.cycle(world.now + 5 * MINUTE, transport=transport)
    assert sorted(taken.recipient for taken in server.messages) == people[1:]


async def test_a_mailbox_that_does_not_exist_is_never_the_servers_trouble(world: World) -> None:
    people = crowd(world, 4)
    summary = await refused(world, "RCPT", "550 no such user here")
    assert summary.outcomes == {Outcome.FAILED: 4}
    assert not summary.paused
    assert suppressed(world) == people


@HEAVY
async def test_a_reader_who_would_be_suppressed_by_the_servers_words_is_let_off_with_the_others(
    world: World,
) -> None:
    """The first of the three has two days of such words behind it, which may have been the same
    trouble."""
    people = crowd(world, 1)
    for day in range(2):
        world.arxiv.announce("Alpha", eprint(10 + day, MONDAY + day * DAY - HOUR))
        world.now = MONDAY + day * DAY
        await refused(world, "RCPT", "550 not today")
    people = crowd(world, 3)
    world.arxiv.announce("Alpha", eprint(20, MONDAY + DAY))
    world.now = MONDAY + 2 * DAY
    summary = await refused(world, "RCPT", "550 not today")
    assert summary.paused
    assert suppressed(world) == []
    await arrives(world, people)
