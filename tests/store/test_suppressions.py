"""Who is not mailed any more, and what becomes of what was on its way to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from digest.mail.message import Message
from digest.mail.reader_tokens import Purpose
from digest.model import Outcome, Receipt
from digest.rules.bounces import SURGE_READERS, bare_words
from digest.run.daemon import Daemon
from digest.setup.mail import make_signer
from digest.store.bounces import Effect, excuse_words
from digest.store.suppressions import Suppression
from digest.system.systemd import Notifier
from tests.world.databases import Kind
from tests.world.worlds import DAY, HOUR, World, eprint, reader

ADA, LIN = "ada@example.org", "lin@example.org"
GONE = Receipt(Outcome.FAILED, "550 5.1.1 no such user", bounce=True)


@pytest.fixture
def world(tmp_path: Path, kind: Kind) -> Iterator[World]:
    world = World(tmp_path / "digest.db", kind)
    world.readers = [reader(ADA, "Reasoning"), reader(LIN, "Reasoning")]
    world.arxiv.announce("Reasoning", *(eprint(number) for number in range(1, 4)))
    yield world
    world.store.close()


def titles(messages: list[Message], address: str = ADA) -> set[str]:
    """The papers that a reader was mailed."""
    text = b"".join(m.data for m in messages if m.recipient == address).decode()
    return {f"Title {number}" for number in range(1, 20) if f"Title {number}\r\n" in text}


def held(world: World, address: str = ADA) -> Suppression:
    found = world.store.suppressions.of(address)
    assert found is not None
    return found


def number_of(world: World, address: str = ADA) -> int:
    number: int = world.database.value("SELECT id FROM subscriber WHERE address = ?", [address])
    return number


def delivery_of(world: World, address: str = ADA) -> int:
    number: int = world.database.value(
        "SELECT MAX(d.id) FROM delivery d JOIN subscriber r ON r.id = d.subscriber"
        " WHERE r.address = ?",
        [address],
    )
    return number


def bounce(
    world: World, words: str, address: str = ADA, *, undelivered: bool = True
) -> Effect | None:
    delivery = delivery_of(world, address)
    return world.store.inbox.bounce(
        f"{delivery} {words} {world.now}",
        delivery,
        words,
        world.now,
        status="",
        undelivered=undelivered,
    )


async def next_day(world: World, paper: int) -> None:
    world.now += DAY
    world.arxiv.announce("Reasoning", eprint(paper, world.now - DAY))
    await world.cycle()


async def test_who_leaves_gets_nothing_more_even_of_what_was_queued(world: World) -> None:
    world.relay.answers[ADA] = [Receipt(Outcome.DEFERRED, "450 later")]
    await world.cycle()
    assert world.store.suppressions.unsubscribe(number_of(world), "by mail", world.now) == ADA
    await next_day(world, 4)
    assert titles(world.relay.taken) == set()
    assert (
        world.database.value("SELECT state FROM delivery WHERE id = ?", [delivery_of(world)])
        == "suppressed"
    )
    assert titles(world.relay.taken, LIN) == {f"Title {n}" for n in range(1, 5)}
    assert held(world) == Suppression(ADA, "unsubscribed", "by mail", world.now - DAY)


async def test_leaving_twice_changes_nothing_and_nobody_leaves_for_a_stranger(world: World) -> None:
    await world.cycle()
    world.store.suppressions.unsubscribe(number_of(world), "by mail", world.now)
    first = held(world)
    world.store.suppressions.unsubscribe(number_of(world), "by link", world.now + HOUR)
    assert held(world) == first
    assert world.store.suppressions.unsubscribe(999, "by mail", world.now) is None
    assert len(world.store.suppressions.all()) == 1


async def test_on_return_the_most_recent_papers_come_once(world: World) -> None:
    await world.cycle()
    world.store.suppressions.unsubscribe(number_of(world), "by mail", world.now)
    await next_day(world, 4)
    await next_day(world, 5)
    assert world.store.suppressions.lift(ADA) is not None
    assert world.store.suppressions.lift(ADA) is None
    await next_day(world, 6)
    assert titles(world.relay.taken) == {f"Title {n}" for n in range(1, 7)}
    assert len([m for m in world.relay.taken if m.recipient == ADA]) == 2


async def test_an_address_that_the_server_refuses_for_good_is_suppressed_and_its_papers_stay_due(
    world: World,
) -> None:
    world.relay.answers[ADA] = [GONE]
    await world.cycle()
    assert held(world).why == "bounced: 550 5.1.1 no such user"
    await next_day(world, 4)
    assert titles(world.relay.taken) == set()
    world.store.suppressions.lift(ADA)
    await next_day(world, 5)
    assert titles(world.relay.taken) == {f"Title {n}" for n in range(1, 6)}


@pytest.mark.parametrize("words", ["554 5.7.1 blocked", "552 5.3.4 too big", "550 5.4.4 no route"])
async def test_what_is_not_the_addresses_fault_suppresses_nobody(world: World, words: str) -> None:
    await world.cycle()
    assert bounce(world, words) is Effect.NOTED
    assert world.store.suppressions.all() == []


async def test_what_bounced_later_is_due_again(world: World) -> None:
    await world.cycle()
    assert titles(world.relay.taken) == {"Title 1", "Title 2", "Title 3"}
    world.relay.taken.clear()
    assert bounce(world, "smtp; 452 4.2.2 mailbox full") is Effect.NOTED
    await next_day(world, 4)
    assert titles(world.relay.taken) == {f"Title {n}" for n in range(1, 5)}


async def test_a_bounce_from_further_on_brings_nothing_again(world: World) -> None:
    await world.cycle()
    world.relay.taken.clear()
    bounce(world, "552 4.2.2 the second mailbox is full", undelivered=False)
    await next_day(world, 4)
    assert titles(world.relay.taken) == {"Title 4"}


async def test_of_two_copies_a_bounce_of_one_does_not_make_the_papers_due(world: World) -> None:
    world.relay.answers[ADA] = [Receipt(Outcome.UNKNOWN, "timed out")]
    await world.cycle()
    world.now += HOUR
    await world.cycle()
    world.relay.taken.clear()
    bounce(world, "452 4.2.2 full")
    await next_day(world, 4)
    assert titles(world.relay.taken) == {"Title 4"}


async def test_the_same_bounce_counts_once(world: World) -> None:
    await world.cycle()
    assert bounce(world, "550 5.1.1 gone") is Effect.SUPPRESSED
    assert bounce(world, "550 5.1.1 gone") is None
    world.store.suppressions.lift(ADA)
    world.now += HOUR
    assert bounce(world, "550 5.1.1 gone, another report of it") is Effect.KNOWN
    assert world.store.suppressions.all() == []


async def test_full_on_three_days_is_full_for_good(world: World) -> None:
    await world.cycle()
    for paper, effect in ((4, Effect.NOTED), (5, Effect.NOTED), (6, Effect.SUPPRESSED)):
        assert bounce(world, "452 4.2.2 full") is effect
        await next_day(world, paper)
    assert held(world).reason == "bounced"
    world.store.suppressions.lift(ADA)
    await next_day(world, 7)
    assert bounce(world, "452 4.2.2 full") is Effect.NOTED, "old bounces are forgiven"


async def test_bounces_that_lie_forty_days_apart_do_not_add_up(world: World) -> None:
    await world.cycle()
    for paper in (4, 5, 6, 7):
        world.now += 40 * DAY
        assert bounce(world, "452 4.2.2 full") is Effect.NOTED
        await next_day(world, paper)


async def test_who_was_suppressed_by_words_that_were_the_servers_is_mailed_again(
    world: World,
) -> None:
    await world.cycle()
    for paper, words in ((4, "550 not today 17"), (5, "550 not today 18"), (6, "452 4.2.2 full")):
        effect = bounce(world, words)
        await next_day(world, paper)
    assert effect is Effect.SUPPRESSED
    bounce(world, "550 5.1.1 gone", LIN)
    excuse_words(world.database, bare_words("550 not today <x@example.org>"), world.now)
    assert [one.address for one in world.store.suppressions.all()] == [LIN]
    excuse_words(world.database, bare_words("550 5.1.1 gone"), world.now)
    assert [one.address for one in world.store.suppressions.all()] == [LIN]


@pytest.mark.parametrize(
    ("since_first", "effect"),
    [
        (30 * DAY - timedelta(seconds=1), Effect.SUPPRESSED),
        (30 * DAY, Effect.NOTED),
    ],
)
async def test_three_days_of_bounces_count_within_thirty_days(
    world: World, since_first: timedelta, effect: Effect
) -> None:
    await world.cycle()
    first = world.now
    for paper in (4, 5):
        assert bounce(world, "452 4.2.2 full") is Effect.NOTED
        await next_day(world, paper)
    world.now = first + since_first
    assert bounce(world, "452 4.2.2 full") is effect


async def test_many_at_once_stop_the_sending_and_not_the_readers(world: World) -> None:
    many = [f"reader{number}@example.org" for number in range(40)]
    world.readers += [reader(address, "Reasoning") for address in many]
    await world.cycle()
    effects = [bounce(world, "550 5.1.1 gone", address) for address in many[: SURGE_READERS + 1]]
    assert effects == [Effect.SUPPRESSED] * (SURGE_READERS - 1) + [Effect.SURGE] * 2
    assert world.store.suppressions.all() == []
    surge = world.store.suppressions.surge(world.now)
    assert surge is not None
    assert "bounced within an hour" in surge.words
    assert surge.until == world.now + HOUR

    world.relay.taken.clear()
    world.arxiv.announce("Reasoning", eprint(4, world.now - HOUR))
    world.now += HOUR / 2
    summary = await world.cycle(fetch_all=True)
    assert world.relay.tried != []
    assert world.relay.taken == []
    assert "nobody is suppressed" in summary.trouble

    world.now += timedelta(hours=30)
    summary = await world.cycle()
    assert not summary.trouble
    assert titles(world.relay.taken, many[0]) == {f"Title {n}" for n in range(1, 5)}
    assert titles(world.relay.taken, many[20]) == {"Title 4"}


async def test_a_surge_in_the_middle_stops_what_is_left(world: World) -> None:
    many = [f"reader{number:02d}@example.org" for number in range(40)]
    world.readers = [reader(address, "Reasoning") for address in many]
    for address in many:
        world.relay.answers[address] = [GONE]
    summary = await world.cycle()
    assert SURGE_READERS <= len(world.relay.tried) < 2 * SURGE_READERS
    assert world.store.suppressions.all() == []
    assert "nobody is suppressed" in summary.trouble

    # The daemon sleeps until it is over, and does not ask again and again.
    daemon = Daemon(
        store=world.store,
        load=lambda: world.roster,
        stamp=int,
        work=world.cycle,  # type: ignore[arg-type]
        clock=lambda: world.now,
        notifier=Notifier(""),
        stop=world.stop,
        wake=asyncio.Event(),
        rest=asyncio.sleep,
    )
    started, world.now = world.now, world.now + HOUR / 60
    surge = world.store.suppressions.surge(world.now)
    assert surge is not None
    assert daemon._next_work(world.roster, started) >= surge.until


async def test_what_readers_want_outweighs_what_their_address_does(world: World) -> None:
    await world.cycle()
    bounce(world, "550 5.1.1 gone")
    world.store.inbox.unsubscribe("key", number_of(world), "by mail", world.now + HOUR)
    assert held(world).reason == "unsubscribed"
    world.store.inbox.complain("other", number_of(world), "abuse", world.now + 2 * HOUR)
    assert held(world).reason == "unsubscribed"


async def test_a_reader_who_moves_has_left_under_the_new_address_too(world: World) -> None:
    await world.cycle()
    world.store.suppressions.unsubscribe(number_of(world), "by mail", world.now)
    bounce(world, "550 5.1.1 gone", LIN)
    world.store.subscribers.move(ADA, "ada@example.net")
    world.store.subscribers.move(LIN, "lin@example.net")
    assert [one.address for one in world.store.suppressions.all()] == ["ada@example.net", LIN]


async def test_a_token_is_bound_to_its_reader_and_database(world: World, tmp_path: Path) -> None:
    await world.cycle()
    signer = make_signer(world.store)
    token = signer.token(Purpose.LEAVE, number_of(world))
    other = World(tmp_path / "other.db")
    assert make_signer(other.store).number(Purpose.LEAVE, token) is None
    assert make_signer(world.store, "an operator's own secret").number(Purpose.LEAVE, token) is None
    assert make_signer(world.store).number(Purpose.LEAVE, token) == number_of(world)
    other.store.close()
