"""The mail server's rests, the limits, and the groups in which mail leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from digest.errors import ConfigError, Exit
from digest.mail.message import Message
from digest.mail.presets import limit_hint
from digest.model import Channel, Outcome, Receipt, State
from digest.rules.channels import RateLimit, make_terms
from digest.run.daemon import next_work
from digest.setup.settings import load_settings
from digest.store import Store
from digest.store.database import Database
from digest.store.relay import PAUSES, STREAK, RelayState
from digest.system.signals import Stop
from tests.world.worlds import DAY, HOUR, MONDAY, Relay, World, eprint, reader

MINUTE = timedelta(minutes=1)
AWAY = Receipt(Outcome.RELAY, "421 closing")
LOCKED_OUT = Receipt(Outcome.RELAY, "535 5.7.8 wrong password", permanent=True)
SPAM = Receipt(Outcome.FAILED, "554 5.7.1 message refused", policy=True)
SILENT = Receipt(Outcome.UNKNOWN, "after the message: timed out")
LATER = Receipt(Outcome.DEFERRED, "450 4.2.0 greylisted")
SENT = Receipt(Outcome.SENT, "250 ok")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    database = Database.open(tmp_path / "digest.db")
    database.value("PRAGMA synchronous = OFF")
    with Store(database) as store:
        yield store


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "digest.db")
    yield world
    world.close()


def crowd(world: World, number: int) -> list[str]:
    """So many readers, to whom a first digest is due."""
    people = [f"r{n:03}@example.org" for n in range(number)]
    world.readers = [reader(address, "Alpha") for address in people]
    world.arxiv.announce("Alpha", eprint(1))
    return people


# -- rests


def test_rests_grow_from_failure_to_failure_and_end_with_the_first_message_taken(
    store: Store,
) -> None:
    now = MONDAY
    for pause in [*PAUSES, PAUSES[-1]]:
        store.relay.judge(AWAY, now)
        state = store.relay.state()
        assert state.paused_until == now + pause
        assert (state.tripped_since, state.reason) == (MONDAY, "421 closing")
        assert state.is_paused(now + pause - MINUTE)
        assert not state.is_paused(now + pause)
        now += pause
    store.relay.judge(SENT, now)
    assert store.relay.state() == RelayState()


def test_what_fails_during_a_rest_does_not_lengthen_it(store: Store) -> None:
    for minute in range(4):
        store.relay.judge(AWAY, MONDAY + minute * MINUTE)
    assert store.relay.state().failures == 1
    assert store.relay.state().paused_until == MONDAY + PAUSES[0]


def test_a_rest_that_a_wrong_clock_has_set_is_none(store: Store) -> None:
    store.relay.judge(AWAY, MONDAY + 300 * DAY)
    assert not store.relay.state().is_paused(MONDAY)
    assert store.relay.opens_at(MONDAY, ()) == MONDAY


def test_a_rest_that_only_a_person_can_end_is_long_at_once(store: Store) -> None:
    store.relay.judge(LOCKED_OUT, MONDAY)
    state = store.relay.state()
    assert (state.paused_until, state.permanent) == (MONDAY + PAUSES[-1], True)


def test_a_server_that_answers_again_needs_no_rest(store: Store) -> None:
    store.relay.judge(AWAY, MONDAY)
    store.relay.judge(LATER, MONDAY + HOUR)
    assert store.relay.state() == RelayState()


@pytest.mark.parametrize("trouble", [SPAM, SILENT], ids=["refused", "silent"])
def test_refusals_and_silences_in_a_row_are_the_servers_failure(
    store: Store, trouble: Receipt
) -> None:
    for number in range(1, STREAK):
        assert store.relay.judge(trouble, MONDAY) == trouble
        assert not store.relay.state().is_paused(MONDAY), number
    outcome = store.relay.judge(trouble, MONDAY).outcome
    assert outcome == (Outcome.RELAY if trouble is SPAM else Outcome.UNKNOWN)
    assert store.relay.state().is_paused(MONDAY)
    store.relay.judge(LATER, MONDAY + HOUR)
    assert store.relay.state().failures == 1, "that it answers does not mean that it takes messages"
    assert store.relay.judge(SPAM, MONDAY + HOUR).outcome == Outcome.RELAY
    assert store.relay.state().failures == 2
    store.relay.judge(SENT, MONDAY + 3 * HOUR)
    assert store.relay.judge(SPAM, MONDAY + 3 * HOUR) == SPAM


def test_a_message_that_was_taken_ends_the_row(store: Store) -> None:
    for _ in range(20):
        store.relay.judge(SPAM, MONDAY)
        store.relay.judge(SENT, MONDAY)
    assert store.relay.state() == RelayState()


def test_another_server_begins_without_a_rest(store: Store) -> None:
    store.relay.use("smtp://one.example.org:587")
    store.relay.judge(AWAY, MONDAY)
    store.relay.use("smtp://one.example.org:587")
    assert store.relay.state().is_paused(MONDAY)
    store.relay.use("smtp://two.example.org:587")
    assert store.relay.state() == RelayState()


async def test_during_a_rest_nothing_is_tried_unless_a_person_insists(world: World) -> None:
    people = crowd(world, 2)
    world.relay.answers[people[0]] = [LOCKED_OUT, LOCKED_OUT]
    assert (await world.cycle()).exit_code == Exit.CONFIG
    summary = await world.cycle(MONDAY + MINUTE)
    assert len(world.relay.tried) == 1
    assert summary.exit_code == Exit.CONFIG
    assert "535 5.7.8 wrong password" in summary.trouble
    assert f"until {MONDAY + HOUR:%Y-%m-%d %H:%M} UTC" in summary.trouble
    world.relay.answers.clear()
    summary = await world.cycle(MONDAY + 2 * MINUTE, force_mail=True)
    assert (summary.exit_code, summary.trouble, summary.waiting) == (Exit.DONE, "", 0)
    assert world.store.relay.state() == RelayState()


async def test_a_person_who_insists_in_vain_tries_one_message_only(world: World) -> None:
    people = crowd(world, 9)
    for address in people:
        world.relay.answers[address] = [AWAY] * 3
    for minute in range(3):
        await world.cycle(MONDAY + minute * MINUTE, force_mail=True)
    assert len(world.relay.tried) == 3


async def test_a_rest_is_no_trouble_where_nothing_waits(world: World) -> None:
    (ada,) = crowd(world, 1)
    world.relay.answers[ada] = [AWAY]
    await world.cycle()
    world.store.outbox.drop(1, MONDAY)
    summary = await world.cycle(MONDAY + MINUTE)
    assert (summary.trouble, summary.exit_code) == ("", Exit.DONE)


async def test_after_a_rest_one_message_goes_first_and_another_one_each_time(world: World) -> None:
    people = crowd(world, 5)
    for address in people:
        world.relay.answers[address] = [AWAY]
    now = MONDAY
    for number in range(1, 6):
        await world.cycle(now)
        assert len(world.relay.tried) == number
        now = world.store.relay.opens_at(now, ())
    assert len({m.recipient for m in world.relay.tried}) == 5, (
        "one that the server cannot bear blocks no other"
    )
    await world.cycle(now)
    assert len(world.mails()) == 5


async def test_readers_are_not_blamed_for_what_the_server_refuses_to_all(world: World) -> None:
    people = crowd(world, 8)
    for address in people:
        world.relay.answers[address] = [SPAM] * 9
    summary = await world.cycle()
    assert (summary.outcomes[Outcome.FAILED], summary.outcomes[Outcome.RELAY]) == (STREAK - 1, 1)
    for hours in range(1, 20):
        await world.cycle(MONDAY + hours * HOUR)
    states = [e.state for e in world.store.outbox.entries(ended=True)]
    assert states.count(State.FAILED) == STREAK - 1
    assert world.value("SELECT COUNT(*) FROM suppression") == 0
    world.relay.answers.clear()
    for hours in range(20, 30):
        await world.cycle(MONDAY + hours * HOUR)
    assert {m.recipient for m in world.relay.taken} == set(people), (
        "those that failed come with the next digest"
    )


async def test_a_server_that_answers_no_message_gets_three_and_not_all(world: World) -> None:
    people = crowd(world, 30)
    for address in people:
        world.relay.answers[address] = [SILENT]
    summary = await world.cycle()
    assert summary.outcomes == {Outcome.UNKNOWN: STREAK}
    assert summary.paused


async def test_the_daemon_waits_as_long_as_the_rest(world: World) -> None:
    (ada,) = crowd(world, 1)
    world.relay.answers[ada] = [AWAY]
    await world.cycle()
    opens_at = world.store.relay.opens_at(world.now, ())
    assert opens_at == MONDAY + PAUSES[0]
    assert next_work(world.store, world.roster, MONDAY, now=world.now, on=make_terms()) == opens_at


async def test_what_goes_to_a_repository_says_nothing_of_the_mail_server(world: World) -> None:
    crowd(world, 1)
    world.readers.append(reader("github:lab/papers", "Alpha"))

    class Away:
        description, width = "GitHub", 1

        async def send(self, _message: object, _before_data: object) -> Receipt:
            return AWAY

        async def close(self) -> None: ...

    summary = await world.cycle(issues=Away())
    assert summary.outcomes == {Outcome.SENT: 1, Outcome.RELAY: 1}
    assert world.store.relay.state() == RelayState()
    assert world.store.relay.handed_over(world.now) == 1
    assert world.store.relays[Channel.GITHUB].state().paused_until == world.now + PAUSES[0]
    assert summary.trouble == f"issues could not be posted ({AWAY.reply})"
    assert (summary.waiting, summary.exit_code) == (1, Exit.DONE)


# -- groups


class Crowded:
    """A relay that notes how many messages are with it at a time, and how each of them stood in the
    database."""

    description = "a relay"

    def __init__(self, world: World, width: int = 3) -> None:
        self.world, self.width = world, width
        self.now = self.most = self.came = 0
        self.sizes: list[int] = []
        self.silent: set[int] = set()
        self.stuck = asyncio.Event()

    async def send(self, message: object, before_data: object) -> Receipt:
        self.now += 1
        number = self.came
        self.came += 1
        await asyncio.sleep(0)
        before_data()  # type: ignore[operator]
        self.sizes.append(self.now)
        self.most = max(
            self.most,
            int(self.world.value("SELECT COUNT(*) FROM delivery WHERE state = 'in_data'")),
        )
        await asyncio.sleep(0.001)
        if number in self.silent:
            self.stuck.set()
            await asyncio.Event().wait()
        self.now -= 1
        return SENT

    async def close(self) -> None: ...


async def test_one_message_goes_first_and_then_as_many_as_there_are_connections(
    world: World,
) -> None:
    crowd(world, 11)
    relay = Crowded(world)
    summary = await world.cycle(transport=relay)
    assert summary.outcomes == {Outcome.SENT: 11}
    assert relay.sizes[0] == 1
    assert max(relay.sizes) == relay.most == 3


async def test_a_stop_in_the_middle_of_a_group_settles_each_by_how_far_it_came(
    world: World,
) -> None:
    crowd(world, 6)
    relay = Crowded(world)
    relay.silent = {2}
    cycle = asyncio.create_task(world.cycle(transport=relay))
    await asyncio.wait_for(relay.stuck.wait(), 5)
    await asyncio.sleep(0.05)  # the others of the group end meanwhile
    assert world.stop.in_flight
    cycle.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cycle
    states = [e.state for e in world.store.outbox.entries()]
    assert sorted(states) == [State.QUEUED, State.QUEUED, State.UNKNOWN]
    assert world.value("SELECT COUNT(*) FROM delivery WHERE state = 'sent'") == 3
    assert world.store.relay.state() == RelayState(), "a stop is not the server's failure"
    assert not world.stop.in_flight


class Slow(Relay):
    """A relay during whose talk a reader leaves."""

    def __init__(self, world: World, leaves: str) -> None:
        super().__init__()
        self.world, self.leaves = world, leaves

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        if message.recipient == self.leaves:
            number = self.world.store.subscribers.number(self.leaves) or 0
            self.world.store.suppressions.leave_by_one_click(number, self.world.now)
        return await super().send(message, before_data)


async def test_who_leaves_while_the_server_is_talked_to_gets_no_mail(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    people = crowd(world, 4)
    relay = Slow(world, people[2])
    await world.cycle(transport=relay)
    assert sorted(mail.recipient for mail in relay.taken) == [*people[:2], people[3]]
    (left,) = world.store.outbox.entries()
    assert (left.address, left.state) == (people[2], State.DEFERRED)
    assert "the reader has left" in left.reply
    assert "Traceback" not in caplog.text
    await world.cycle(world.now + HOUR, transport=relay)
    assert world.value("SELECT state FROM delivery WHERE id = ?", left.id) == State.SUPPRESSED


async def test_a_lost_database_ends_the_group_and_blames_nobody(world: World) -> None:
    crowd(world, 5)
    relay = Crowded(world)
    store = world.store.outbox
    enter, times = store.enter_data, iter(range(99))

    def fail(outgoing: object) -> None:
        if next(times) == 2:
            raise ConfigError("the disk is full")
        enter(outgoing)  # type: ignore[arg-type]

    store.enter_data = fail  # type: ignore[method-assign, assignment]
    with pytest.raises(ConfigError):
        await world.cycle(transport=relay)
    states = [e.state for e in store.entries()]
    assert states.count(State.QUEUED) == 5 - len(relay.sizes), (
        "what never came to DATA was never sent"
    )
    assert set(states) <= {State.QUEUED, State.UNKNOWN}
    assert world.store.relay.state() == RelayState()


# -- limits


class Sleeper(Stop):
    """A stop whose rests move the clock of a world."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.rested = 0.0

    async def rest(self, seconds: float) -> None:
        self.rested += seconds
        self.world.now += timedelta(seconds=seconds)


PER_MINUTE, PER_DAY = RateLimit(4, MINUTE), RateLimit(10, DAY)


async def test_a_limit_by_the_minute_is_waited_for_and_one_by_the_day_is_not(world: World) -> None:
    crowd(world, 25)
    world.stop = Sleeper(world)
    summary = await world.cycle(limits=(PER_MINUTE, PER_DAY))
    assert (summary.outcomes[Outcome.SENT], summary.waiting, summary.exit_code) == (
        10,
        15,
        Exit.DONE,
    )
    assert world.stop.rested == 120
    assert summary.room_at == MONDAY + DAY
    assert summary.trouble == ""
    summary = await world.cycle(MONDAY + 12 * HOUR, limits=(PER_MINUTE, PER_DAY))
    assert summary.outcomes[Outcome.SENT] == 0
    await world.cycle(MONDAY + DAY + 3 * MINUTE, limits=(PER_MINUTE, PER_DAY))
    assert len(world.mails()) == 20


async def test_no_stretch_of_a_limits_length_sees_more(world: World) -> None:
    crowd(world, 24)
    moments: list[datetime] = []
    send = world.relay.send

    async def noted(message: object, before_data: object) -> Receipt:
        moments.append(world.now)
        return await send(message, before_data)  # type: ignore[arg-type]

    world.relay.send = noted  # type: ignore[method-assign, assignment]
    for quarter in range(120):
        await world.cycle(
            MONDAY + quarter * 15 * MINUTE, limits=(RateLimit(3, HOUR), RateLimit(10, DAY))
        )
    for first in moments:
        assert sum(first <= moment < first + HOUR for moment in moments) <= 3
        assert sum(first <= moment < first + DAY for moment in moments) <= 10
    assert len(moments) >= 15


async def test_a_rehearsed_clock_stands_still_and_nobody_waits_for_it(world: World) -> None:
    crowd(world, 9)
    rests: list[float] = []

    class Standing(Stop):
        async def rest(self, seconds: float) -> None:
            rests.append(seconds)

    world.stop = Standing()
    summary = await world.cycle(limits=(PER_MINUTE,))
    assert summary.outcomes[Outcome.SENT] == 4
    assert len([rest for rest in rests if rest]) == 1


async def test_a_stop_ends_the_waiting_for_a_limit(world: World) -> None:
    crowd(world, 9)
    waiting = asyncio.Event()

    def progress(text: str) -> None:
        if "DIGEST_MAIL_RATE" in text:
            waiting.set()

    cycle = asyncio.create_task(world.cycle(limits=(PER_MINUTE,), progress=progress))
    await asyncio.wait_for(waiting.wait(), 5)
    world.stop.set()
    summary = await asyncio.wait_for(cycle, 5)
    assert summary.outcomes[Outcome.SENT] == 4


def test_two_processes_share_a_limit(tmp_path: Path, world: World) -> None:
    limits = (RateLimit(5, MINUTE),)
    world.store.relay.take(3, MONDAY, limits)
    with Store(Database.open(world.path)) as other:
        assert other.relay.room(MONDAY, limits, 9) == 2
        other.relay.take(2, MONDAY + timedelta(seconds=30), limits)
    assert world.store.relay.room(MONDAY + timedelta(seconds=59), limits, 9) == 0
    assert world.store.relay.room_at(MONDAY + timedelta(seconds=59), limits) == MONDAY + MINUTE
    assert world.store.relay.room(MONDAY + MINUTE, limits, 9) == 3


def test_a_clock_that_was_set_back_does_not_lock_mail_in(store: Store) -> None:
    limits = (RateLimit(5, MINUTE),)
    store.relay.take(5, MONDAY + 30 * DAY, limits)
    assert store.relay.room(MONDAY, limits, 9) == 0
    assert store.relay.room_at(MONDAY, limits) == MONDAY + MINUTE
    assert store.relay.room(MONDAY + MINUTE, limits, 9) == 5


async def test_a_server_that_is_away_uses_nothing_up(world: World) -> None:
    (ada,) = crowd(world, 1)
    world.relay.answers[ada] = [AWAY] * 3
    limits = (RateLimit(1, DAY),)
    for hours in (0, 1, 2):
        await world.cycle(MONDAY + hours * HOUR, limits=limits)
    assert world.store.relay.handed_over(world.now) == 0
    await world.cycle(MONDAY + 4 * HOUR, limits=limits)
    assert len(world.mails()) == 1


def test_old_counts_are_let_go(store: Store) -> None:
    for day in range(5):
        store.relay.take(1, MONDAY + day * DAY, ())
    assert store._database.value("SELECT COUNT(*) FROM handover") == 1


def settings(value: str) -> tuple[RateLimit, ...]:
    return load_settings(
        {"DIGEST_MAIL_RATE": value, "DIGEST_HOME": "/srv/digest"}, environ={}
    ).mail_rate


@pytest.mark.parametrize(
    ("value", "limits"),
    [
        ("", ()),
        ("20/min, 450/day", (RateLimit(20, MINUTE), RateLimit(450, DAY))),
        ("20 / minute; 450/d", (RateLimit(20, MINUTE), RateLimit(450, DAY))),
        ("2/s", (RateLimit(2, timedelta(seconds=1)),)),
        ("100/Hour", (RateLimit(100, HOUR),)),
    ],
)
def test_a_rate_is_read(value: str, limits: tuple[RateLimit, ...]) -> None:
    assert settings(value) == limits


@pytest.mark.parametrize(
    "value", ["20", "0/min", "20/fortnight", "-1/day", "twenty/min", "20/min 3", "1.5/s"]
)
def test_a_rate_that_cannot_be_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="DIGEST_MAIL_RATE") as caught:
        settings(value)
    assert "20/min, 450/day" in caught.value.remedy


def test_a_providers_limit_is_suggested_where_it_comes_near() -> None:
    gmail = "smtp://me@gmail.com@smtp.gmail.com:587"
    assert "DIGEST_MAIL_RATE=450/day" in limit_hint(gmail, 450, ())
    assert "DIGEST_MAIL_RATE=450/day" in limit_hint(
        gmail, 450, (RateLimit(20, MINUTE), RateLimit(900, DAY))
    )
    assert limit_hint(gmail, 5000, (RateLimit(450, DAY),)) == ""
    assert limit_hint(gmail, 50, ()) == ""
    assert limit_hint("smtp://relay.example.org:587", 10**6, ()) == ""
