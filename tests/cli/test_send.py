"""`digest send`: what is due to one reader goes now, in a slot of its own, and never twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time, timedelta
from pathlib import Path

import pytest

from digest.errors import UnreachableError
from digest.model import Outcome, Receipt, State, Weekly
from tests.world.house import DAYS, FRIDAY, THURSDAY, House
from tests.world.worlds import DAY, HOUR, MONDAY, World, bad_answer, eprint, reader

ADA = "ada@example.org"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "digest.db")
    world.readers = [reader(ADA, "Rust"), reader("lin@example.org", "Rust")]
    world.arxiv.announce("Rust", eprint(1))
    yield world
    world.close()


async def send(world: World, address: str = ADA, **changes) -> int:
    """`digest send` at the world's time; how many digests were composed."""
    only = next(r for r in world.readers if r.email == address)
    return (await world.cycle(only=only, **changes)).composed


async def test_only_the_named_reader_is_mailed(world: World) -> None:
    assert await send(world) == 1
    assert (world.titles(ADA), world.titles("lin@example.org")) == ([[1]], [])
    assert await send(world) == 0
    await world.cycle()
    assert (world.titles(ADA), world.titles("lin@example.org")) == ([[1]], [[1]])


async def test_the_scheduled_slot_stays_free_and_brings_what_is_new_by_then(world: World) -> None:
    world.readers = [reader(ADA, "Rust", at=time(12))]
    await world.cycle(MONDAY + 5 * HOUR)
    world.arxiv.announce("Rust", eprint(2))
    world.now = MONDAY + DAY
    assert await send(world) == 1
    world.arxiv.announce("Rust", eprint(3))
    await world.cycle(MONDAY + DAY + timedelta(hours=5), fetch_all=True)
    assert world.titles(ADA) == [[1], [2], [3]]
    # And the day after, at the hour and not before.
    world.arxiv.announce("Rust", eprint(4))
    await world.cycle(MONDAY + 2 * DAY)
    assert len(world.titles(ADA)) == 3
    await world.cycle(MONDAY + 2 * DAY + timedelta(hours=5))
    assert world.titles(ADA)[3:] == [[4]]


async def test_a_welcome_that_was_sent_early_is_the_one_of_the_schedule(world: World) -> None:
    world.readers = [reader(ADA, "Rust", days=(Weekly.MON,))]
    world.now = MONDAY + DAY
    assert await send(world) == 1
    world.arxiv.announce("Rust", eprint(2))
    for number in range(2, 7):
        await world.cycle(MONDAY + number * DAY)
    assert world.titles(ADA) == [[1]]
    await world.cycle(MONDAY + 7 * DAY)
    assert world.titles(ADA) == [[1], [2]]


@pytest.mark.parametrize("seconds", [0, 1])
async def test_a_send_at_the_very_moment_of_a_slot_takes_another(
    world: World, seconds: int
) -> None:
    world.readers = [reader(ADA, "Rust", at=time(7))]
    await world.cycle(MONDAY)
    for number in (2, 3):  # twice within one second
        world.arxiv.announce("Rust", eprint(number))
        world.now = MONDAY + DAY + timedelta(seconds=seconds)
        assert await send(world, fetch_all=True) == 1
    world.arxiv.announce("Rust", eprint(4))
    await world.cycle(MONDAY + DAY + timedelta(seconds=seconds), fetch_all=True)
    assert world.titles(ADA) == [[1], [2], [3], [4]]
    assert len({m["Message-ID"] for m in world.mails(ADA)}) == 4


async def test_what_waits_is_not_sent_beside_but_replaced_where_something_newer_is_due(
    world: World,
) -> None:
    world.readers = world.readers[:1]
    world.relay.answers[ADA] = [Receipt(Outcome.DEFERRED, "450 later")]
    assert await send(world) == 1
    assert await send(world) == 0
    world.now += timedelta(minutes=1)
    world.arxiv.announce("Rust", eprint(2))
    assert await send(world, fetch_all=True) == 1
    assert [sorted(titles) for titles in world.titles(ADA)] == [[1, 2]]
    assert world.store.outbox.counts() == {State.EXPIRED: 1, State.SENT: 1}


async def test_a_paused_reader_gets_nothing_and_keeps_what_is_due(world: World) -> None:
    world.readers = [reader(ADA, "Rust", paused_until=(MONDAY + 3 * DAY).date())]
    assert await send(world) == 0
    await world.cycle(MONDAY + 3 * DAY)
    assert world.titles(ADA) == [[1]]


async def test_without_an_answer_of_arxivs_no_welcome_is_sent(world: World) -> None:
    world.arxiv.fail("Rust", *[bad_answer(cls=UnreachableError) for _ in range(9)])
    assert await send(world) == 0
    world.arxiv.failures.clear()
    world.now += timedelta(hours=2)
    assert await send(world) == 1


async def test_an_empty_send_of_a_known_reader_makes_no_mail(world: World) -> None:
    await send(world)
    for number in range(1, 5):
        world.now = MONDAY + number * DAY
        assert await send(world) == 0
    assert len(world.mails(ADA)) == 1


# -- as a command


def test_the_command_says_what_it_did_and_why_there_is_nothing(house: House) -> None:
    told = house("send", ADA, now=THURSDAY)
    assert told.code == 0
    assert told.out.startswith(f"{ADA}: ")
    assert "written to" in told.out
    assert len(house.mails()) == 1
    told = house("send", ADA, now=THURSDAY)
    assert told.out.startswith(
        f"Nothing was sent to {ADA}: no new paper since the last digest. The next digest comes"
    )
    assert len(house.mails()) == 1
    house.serve(DAYS[1])
    shown = house("send", ADA, "--json", now=FRIDAY).json()
    assert shown["email"] == ADA
    assert [d["state"] for d in shown["digests"]] == ["sent"]
    assert shown["why"] == ""
    # The other reader is as before: the whole first digest is still to come.
    house("run", now=FRIDAY)
    assert len(house.mails("lin@example.org")) == 1
    assert len(house.mails(ADA)) == 2


def test_the_command_names_what_keeps_mail_away(house: House) -> None:
    house("run", now=THURSDAY)
    house("subscribe", ADA, "--paused-until", "2099-01-01")
    told = house("send", ADA, now=FRIDAY)
    assert (told.code, len(house.mails(ADA))) == (0, 1)
    assert (
        "paused until 2099-01-01: 'digest subscribers resume ada@example.org' ends that" in told.out
    )
    house.write_row(
        "INSERT INTO suppression(address, reason, since)"
        " VALUES('lin@example.org', 'bounced', '2026-11-01T00:00:00Z')"
    )
    shown = house("send", "lin@example.org", "--json", now=FRIDAY).json()
    assert (shown["digests"], shown["why"]) == ([], "mail to this address is suppressed: bounced")


def test_an_unknown_reader_and_an_arxiv_that_is_away_have_their_exit_codes(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = house("send", "adda@example.org", now=THURSDAY)
    assert told.code == 78
    assert "did you mean ada@example.org?" in told.err
    monkeypatch.setenv("DIGEST_ARXIV_API", "http://127.0.0.1:9/api/query")
    told = house("send", ADA, now=THURSDAY)
    assert told.code == 75
    assert "arXiv has not yet answered for" in told.out
