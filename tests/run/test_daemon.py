"""The daemon: when it works, what it survives, and how it stops; with an injected clock, and as a
process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from digest.demo.papers import World as Papers
from digest.errors import ClockError, ConfigError, TryLaterError
from digest.model import Outcome, Receipt, Roster, State
from digest.rules.calendar import next_served, served_between
from digest.rules.channels import make_terms
from digest.run.cycle import Summary, run_cycle
from digest.run.daemon import BUSY_WAIT, LOOK_AGAIN, Daemon, next_work
from digest.setup.mail import make_transport
from digest.setup.parts import machine_now, open_parts
from digest.setup.settings import load_settings
from digest.setup.subscribers import read_roster
from digest.store import open_store
from digest.store.relay import PAUSES
from digest.system.signals import Stop, run_stoppable
from digest.system.systemd import Notifier
from tests.world.replay import Home, smtp_beside, subscribers_file
from tests.world.smtp_server import Act, smtp_server
from tests.world.standin import Standin
from tests.world.worlds import DAY, HOUR, MONDAY, World, bad_answer, eprint, reader

MINUTE = timedelta(minutes=1)
SERVED = next_served(MONDAY).served_at
"""Tuesday's 06:15 UTC: when Monday evening's announcement can be asked for."""
FRIDAY = MONDAY + 4 * DAY


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "digest.db")
    yield world
    world.close()


def coming(world: World, *, hold: bool = False) -> datetime:
    """What next_work says after a cycle that began and ended now."""
    terms = make_terms(hold_unknown=hold)
    return next_work(world.store, world.roster, world.now, now=world.now, on=terms)


async def test_the_next_announcement_is_waited_for(world):
    world.readers = [reader("ada@example.org", "A", at=clock_time(7))]
    await world.cycle(MONDAY)
    assert coming(world) == SERVED


async def test_a_readers_hour_is_waited_for(world):
    world.readers = [
        reader("ada@example.org", "A", at=clock_time(9)),
        reader("lin@example.org", "A", at=clock_time(5), timezone="America/New_York"),
    ]
    await world.cycle(MONDAY)
    assert coming(world) == MONDAY.replace(hour=9)
    await world.cycle(MONDAY.replace(hour=9))
    assert coming(world) == MONDAY.replace(hour=10)


async def test_a_readers_hour_is_waited_for_after_a_slot_that_stayed_empty(world):
    world.readers = [reader("ada@example.org", "A", at=clock_time(9))]
    world.arxiv.announce("A", eprint(1))
    await world.cycle(MONDAY.replace(hour=9))
    await world.cycle(SERVED + 2 * HOUR + 45 * MINUTE)
    assert world.now.hour == 9, "nothing new on Tuesday: the slot stays open"
    world.arxiv.announce("A", eprint(2))
    await world.cycle(SERVED + DAY)
    assert len(world.mails()) == 1, "Wednesday's papers wait for Wednesday's hour"
    assert coming(world) == (SERVED + DAY).replace(hour=9, minute=0)


async def test_a_readers_hour_that_fell_into_a_cycle_is_not_slept_over(world):
    world.readers = [reader("ada@example.org", "A", at=clock_time(9))]
    began = MONDAY.replace(hour=8, minute=59)
    await world.cycle(began)
    world.now = began + 2 * MINUTE
    assert next_work(world.store, world.roster, began, now=world.now, on=make_terms()) <= world.now


async def test_a_failed_query_is_asked_again_at_its_stored_time(world):
    world.readers = [reader("ada@example.org", "A")]
    world.arxiv.fail("A", bad_answer())
    await world.cycle(MONDAY)
    assert coming(world) == MONDAY + 15 * MINUTE


async def test_what_is_waited_for_is_said(world, caplog):
    caplog.set_level("INFO", logger="digest.run.daemon")
    world.readers = [reader("ada@example.org", "A")]
    world.arxiv.fail("A", bad_answer())
    await simulate(world, MONDAY, 0.02)
    first, last = [m for m in caplog.messages if m.startswith("next work")]
    assert first == (
        "next work at 2026-11-09 07:15 UTC; arXiv is asked again from 2026-11-09 07:15 UTC on, for"
        " A; 1 first digest waits for its answer"
    )
    assert "asked again" not in last


async def test_a_query_is_asked_again_after_a_day_without_an_announcement(world):
    world.readers = [reader("ada@example.org", "A", at=clock_time(7))]
    await world.cycle(FRIDAY)
    assert coming(world) == FRIDAY + DAY
    await world.cycle(FRIDAY + DAY)
    assert len(world.arxiv.asked) == 2


async def test_refused_mail_is_tried_again_at_its_stored_time(world):
    world.readers = [reader("ada@example.org", "A")]
    world.relay.answers["ada@example.org"] = [Receipt(Outcome.DEFERRED, "450 later")]
    await world.cycle(MONDAY)
    assert 4.5 * MINUTE <= coming(world) - MONDAY <= 5.5 * MINUTE


async def test_after_the_relay_failed_mail_waits_for_its_pause(world):
    world.readers = [reader("ada@example.org", "A")]
    world.relay.answers["ada@example.org"] = [Receipt(Outcome.RELAY, "421 closing")]
    await world.cycle(MONDAY)
    assert coming(world) == MONDAY + PAUSES[0]


@pytest.mark.parametrize(("hold", "wait"), [(False, 30 * MINUTE), (True, SERVED - MONDAY)])
async def test_maybe_delivered_mail_is_waited_for_unless_it_is_held(world, hold, wait):
    world.hold = hold
    world.readers = [reader("ada@example.org", "A", at=clock_time(7))]
    world.relay.answers["ada@example.org"] = [Receipt(Outcome.UNKNOWN, "timed out")]
    await world.cycle(MONDAY)
    assert coming(world, hold=hold) == MONDAY + wait


async def test_a_paused_readers_return_is_waited_for(world):
    world.readers = [
        reader(
            "ada@example.org",
            "A",
            at=clock_time(7),
            paused_until=date(2026, 11, 10),
            timezone="Asia/Kolkata",
        )
    ]
    await world.cycle(MONDAY)
    assert coming(world) == MONDAY.replace(hour=18, minute=30)


async def test_a_quiet_day_is_told_once_the_wait_for_an_answer_is_over(world):
    world.readers = [reader("ada@example.org", "A", at=clock_time(7), quiet_days=True)]
    await world.cycle(MONDAY)
    world.arxiv.fail("A", *[bad_answer() for _ in range(20)])
    world.now = SERVED
    while world.now < SERVED + 12 * HOUR and len(world.mails()) < 2:
        await world.cycle()
        world.now = coming(world)
    assert "Why nothing came" in world.mails()[1].get_body(("plain",)).get_content()
    assert world.mails()[1]["Date"].datetime == SERVED.replace(hour=13, minute=0)


@dataclass
class Simulation:
    """A daemon whose sleep moves the clock, and who is stopped when the time is over."""

    world: World
    until: datetime
    takes: timedelta = timedelta()
    cycles: list[datetime] = field(default_factory=list)
    rests: list[float] = field(default_factory=list)
    loads: int = 0
    file: Roster | ConfigError | None = None
    stamp: int = 0
    busy: int = 0
    events: dict[datetime, Callable[[], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.daemon = Daemon(
            store=self.world.store,
            load=self.load,
            stamp=lambda: self.stamp,
            work=self.work,
            clock=lambda: self.world.now,
            notifier=Notifier(),
            stop=self.world.stop,
            wake=asyncio.Event(),
            rest=self.rest,
        )

    def load(self) -> Roster:
        self.loads += 1
        if isinstance(self.file, ConfigError):
            raise self.file
        return self.file or self.world.roster

    async def work(self, roster: Roster) -> Summary:
        if self.busy:
            self.busy -= 1
            raise TryLaterError("another cycle is at work")
        self.cycles.append(self.world.now)
        summary = await run_cycle(self.world.parts(roster=roster))
        self.world.now += self.takes
        return summary

    async def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        after = self.world.now + timedelta(seconds=seconds)
        moment = min((m for m in self.events if m <= after), default=None)
        if moment is not None:
            self.events.pop(moment)()
        # A sleep ends early only where the daemon is woken.
        self.world.now = (
            max(moment, self.world.now) if moment and self.daemon.wake.is_set() else after
        )
        if self.world.now >= self.until:
            self.world.stop.set()

    async def run(self) -> None:
        await self.daemon.serve()


async def simulate(world: World, start: datetime, days: float, **options: object) -> Simulation:
    world.now = start
    simulation = Simulation(world, start + days * DAY, **options)  # type: ignore[arg-type]
    await simulation.run()
    return simulation


READERS = [
    reader("ada@example.org", "A", at=clock_time(8), timezone="Europe/Berlin"),
    reader("lin@example.org", "A", at=clock_time(8, 30), timezone="America/New_York"),
    reader("ravi@example.org", "A", at=clock_time(12), timezone="Asia/Kolkata"),
]


def announcements(
    world: World, start: datetime, end: datetime
) -> dict[datetime, Callable[[], None]]:
    """A paper with each announcement, in the index a minute before it is asked for."""

    def announce(number: int, served_at: datetime) -> Callable[[], None]:
        return lambda: world.arxiv.announce("A", eprint(number, served_at - 12 * HOUR))

    served = served_between(start, end)
    return {
        each.served_at - MINUTE: announce(n, each.served_at) for n, each in enumerate(served, 1)
    }


async def test_over_days_it_works_when_something_is_due_and_only_then(world):
    world.readers = READERS
    days = 10
    events = announcements(world, MONDAY, MONDAY + days * DAY)
    simulation = await simulate(world, MONDAY, days, events=events, takes=timedelta(seconds=20))
    per_day = Counter(moment.date() for moment in simulation.cycles)
    assert max(per_day.values()) <= 6, "an announcement or a day without one, three hours, no more"
    assert len(simulation.rests) <= days * (DAY / LOOK_AGAIN) + 2 * len(simulation.cycles)
    assert all(seconds >= 1 for seconds in simulation.rests)
    for subscriber in READERS:
        zone = ZoneInfo(subscriber.timezone)
        mails = world.mails(subscriber.email)
        numbers = [n for titles in world.titles(subscriber.email) for n in titles]
        assert numbers == list(range(1, len(numbers) + 1)), "each paper once"
        assert len(numbers) >= 7
        on_weekdays = [m["Date"].datetime.astimezone(zone) for m in mails][1:]
        assert {moment.strftime("%H:%M") for moment in on_weekdays} == {f"{subscriber.at:%H:%M}"}
        assert len({moment.date() for moment in on_weekdays}) == len(on_weekdays)


async def test_a_relay_that_stays_away_is_tried_more_and_more_rarely(world):
    world.readers = [reader("ada@example.org", "A", at=clock_time(7))]
    world.relay.answers["ada@example.org"] = [Receipt(Outcome.RELAY, "connection refused")] * 6
    simulation = await simulate(world, MONDAY, 0.3)
    gaps = [
        later - earlier
        for earlier, later in zip(simulation.cycles, simulation.cycles[1:], strict=False)
    ]
    assert 5 * MINUTE <= gaps[0] <= 5.5 * MINUTE
    assert gaps[1:] == [15 * MINUTE, 30 * MINUTE, HOUR, HOUR, HOUR]
    assert len(world.mails("ada@example.org")) == 1


async def test_the_pause_goes_on_growing_where_a_cycle_in_between_had_no_mail_to_try(world):
    world.readers = [reader("ada@example.org", "A", at=clock_time(7))]
    world.relay.answers["ada@example.org"] = [Receipt(Outcome.RELAY, "connection refused")] * 3
    simulation = Simulation(world, MONDAY + 2 * HOUR)
    simulation.events = {MONDAY + minutes * MINUTE: simulation.daemon.hang_up for minutes in (1, 7)}
    await simulation.run()
    tried = [
        later - earlier
        for earlier, later in zip(simulation.cycles, simulation.cycles[1:], strict=False)
    ]
    assert len(world.relay.tried) == 4
    assert tried[-1] == 30 * MINUTE


async def test_a_changed_file_is_taken_over_at_the_next_look(world):
    world.readers = [reader("ada@example.org", "A")]
    simulation = Simulation(world, MONDAY + 6 * HOUR)
    added = reader("lin@example.org", "A")

    def change() -> None:
        simulation.file = Roster((*world.roster.subscribers, added), world.roster.keywords)
        simulation.stamp += 1

    simulation.events = {MONDAY + HOUR: change}
    await simulation.run()
    (welcome,) = world.mails("lin@example.org")
    assert MONDAY + HOUR <= welcome["Date"].datetime <= MONDAY + HOUR + LOOK_AGAIN
    assert simulation.loads == 2


@pytest.mark.parametrize(
    "broken",
    [ConfigError("subscribers.yaml:3:1: this is no list"), Roster((), ())],
    ids=["wrong", "names-nobody"],
)
async def test_while_the_file_is_broken_the_last_good_one_goes_on(world, broken, caplog):
    world.readers = [reader("ada@example.org", "A", at=clock_time(7))]
    simulation = Simulation(world, MONDAY + DAY + HOUR)

    def break_it() -> None:
        simulation.file = broken
        simulation.stamp += 1
        world.arxiv.announce("A", eprint(1))

    simulation.events = {MONDAY + HOUR: break_it}
    await simulation.run()
    assert world.titles("ada@example.org") == [[], [1]]
    assert "not taken over" in caplog.text


async def test_a_hangup_reads_the_file_again_at_once(world):
    world.readers = [reader("ada@example.org", "A", at=clock_time(7))]
    simulation = Simulation(world, MONDAY + 6 * HOUR)
    simulation.events = {MONDAY + HOUR: simulation.daemon.hang_up}
    await simulation.run()
    assert simulation.loads == 2
    assert simulation.cycles == [MONDAY, MONDAY + HOUR]


async def test_a_change_right_after_the_start_is_seen(world):
    world.readers = [reader("ada@example.org", "A")]
    simulation = Simulation(world, MONDAY + HOUR)
    load = simulation.daemon.load

    def load_and_change() -> Roster:
        try:
            return load()
        finally:
            if simulation.loads == 1:
                simulation.stamp += 1

    simulation.daemon.load = load_and_change
    await simulation.run()
    assert simulation.loads == 2


async def test_while_another_cycle_works_it_waits_and_then_goes_on(world):
    world.readers = [reader("ada@example.org", "A", at=clock_time(7))]
    simulation = await simulate(world, MONDAY, 0.2, busy=3)
    assert simulation.cycles == [MONDAY + 3 * BUSY_WAIT]
    assert len(world.mails()) == 1


async def test_after_its_clock_was_set_back_it_works_at_the_next_look(world):
    world.readers = [reader("ada@example.org", "A", at=clock_time(7))]
    world.now, off = MONDAY, [3 * HOUR]
    simulation = Simulation(world, MONDAY + HOUR)
    simulation.daemon.clock = lambda: world.now + off[0]
    simulation.events = {MONDAY + 20 * MINUTE: lambda: off.__setitem__(0, timedelta())}
    await simulation.run()
    assert simulation.cycles == [MONDAY, MONDAY + 2 * LOOK_AGAIN]


async def test_while_the_clock_is_wrong_it_looks_again_every_quarter_of_an_hour(world):
    world.readers = [reader("ada@example.org", "A", at=clock_time(7))]
    world.now = MONDAY
    simulation = Simulation(world, MONDAY + HOUR)
    wrong = [ClockError("3 hours ahead")] * 2

    async def work(roster: Roster) -> Summary:
        if wrong:
            raise wrong.pop()
        return await simulation.work(roster)

    simulation.daemon.work = work
    await simulation.run()
    assert simulation.cycles == [MONDAY + 2 * LOOK_AGAIN]


async def test_a_stop_that_was_asked_for_early_is_obeyed(world):
    world.readers = [reader("ada@example.org", "A")]
    world.stop.set()
    simulation = await simulate(world, MONDAY, 1)
    assert simulation.cycles == []


def fresh_papers(number: int, seed: int = 5) -> tuple:
    """Papers of the last days by the machine's clock."""
    return Papers(seed).papers(3 * number, machine_now() - 5 * DAY, machine_now() - DAY)


HANG = 120.0
"""Seconds after which a test gives up on a process that hangs; no test says how quick it is."""


@dataclass
class Process:
    """`python -m digest daemon`, and what it tells its service manager."""

    popen: subprocess.Popen[str]
    manager: socket.socket
    told: list[str] = field(default_factory=list)

    def wait_for(self, word: str, seconds: float = HANG) -> str:
        """The first message from here on that begins with or holds the word."""
        deadline = time.monotonic() + seconds
        while True:
            self.manager.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                message = self.manager.recv(4096).decode()
            except TimeoutError:
                self.popen.kill()
                raise AssertionError(
                    f"{word} was never told; {self.told}; {self.popen.communicate()[1]}"
                ) from None
            self.told.append(message)
            if word in message:
                return message

    def end(self, seconds: float = HANG) -> str:
        """Wait for the end; returns what stood on stderr."""
        _, errors = self.popen.communicate(timeout=seconds)
        self.manager.settimeout(0.01)
        with contextlib.suppress(TimeoutError):
            while True:
                self.told.append(self.manager.recv(4096).decode())
        return errors


@contextmanager
def daemon_process(home: Home) -> Iterator[Process]:
    """The daemon as systemd would start it, ended at the latest with the block."""
    address = str(home.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        environment = os.environ | {
            "DIGEST_HOME": str(home.folder),
            "NOTIFY_SOCKET": address,
            "WATCHDOG_USEC": "200000",
        }
        popen = subprocess.Popen(
            [sys.executable, "-m", "digest", "daemon"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield Process(popen, manager)
        finally:
            popen.kill()
            popen.communicate()


def states(home: Home) -> Counter[State]:
    with open_store(home.folder / "digest.db", create=False) as store:
        return store.outbox.counts()


class Dot:
    """The answer to a message's last dot: it comes when the test says so."""

    def __init__(self) -> None:
        self.reached, self.release = threading.Event(), threading.Event()

    def __call__(self, _line: str) -> None:
        self.reached.set()
        self.release.wait(20)


def test_the_process_tells_its_manager_serves_reloads_and_stops(tmp_path):
    with Standin(fresh_papers(4)) as standin:
        home = Home.make(tmp_path, standin, subscribers_file({"ada@example.org": ["Time Series"]}))
        with daemon_process(home) as process:
            process.wait_for("READY=1")
            process.wait_for("STATUS=at work")
            process.wait_for("STATUS=next work at")
            process.wait_for("WATCHDOG=1")
            process.wait_for("WATCHDOG=1")
            assert len(home.mails()) == 1
            readers = {"ada@example.org": ["Time Series"], "lin@example.org": ["Time Series"]}
            (home.folder / "subscribers.yaml").write_text(subscribers_file(readers))
            process.popen.send_signal(signal.SIGHUP)
            assert "MONOTONIC_USEC=" in process.wait_for("RELOADING=1")
            process.wait_for("READY=1")
            process.wait_for("STATUS=next work at")
            assert sorted(mail.recipient for mail in home.mails()) == sorted(readers)
            (home.folder / "subscribers.yaml").write_text("subscribers: nobody\n")
            process.popen.send_signal(signal.SIGHUP)
            process.wait_for("READY=1")
            process.wait_for("STATUS=next work at")
            process.popen.send_signal(signal.SIGTERM)
            errors = process.end()
    assert process.popen.returncode == 0
    assert "STOPPING=1" in process.told
    assert "the subscribers file is not taken over: subscribers.yaml:1" in errors
    assert len(home.mails()) == 2


def test_a_stop_lets_the_message_in_flight_finish(tmp_path):
    dot = Dot()
    readers = {f"reader{number}@example.org": ["Time Series"] for number in range(3)}
    with Standin(fresh_papers(4)) as standin, smtp_beside({"message": dot}) as server:
        home = Home.make(tmp_path, standin, subscribers_file(readers), server.url)
        with daemon_process(home) as process:
            assert dot.reached.wait(HANG)
            other = home.digest("run")
            assert other.code == 75
            assert "another cycle is at work" in other.err
            process.popen.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            assert process.popen.poll() is None, "the message is not done yet"
            dot.release.set()
            process.end()
        assert process.popen.returncode == 0
        assert len(server.messages) == 1
        assert states(home) == {State.SENT: 1, State.QUEUED: 2}
        assert home.digest("run").code == 0
        assert sorted(taken.recipient for taken in server.messages) == sorted(readers)


def test_a_second_signal_ends_it_at_once_and_the_mail_is_maybe_delivered(tmp_path):
    dot = Dot()
    with Standin(fresh_papers(4)) as standin, smtp_beside({"message": dot}) as server:
        home = Home.make(
            tmp_path, standin, subscribers_file({"ada@example.org": ["Time Series"]}), server.url
        )
        with daemon_process(home) as process:
            assert dot.reached.wait(HANG)
            process.popen.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            process.popen.send_signal(signal.SIGTERM)
            process.end()
        assert process.popen.returncode == -signal.SIGTERM
        assert states(home) == {State.IN_DATA: 1}
        dot.release.set()
        assert home.digest("run").code == 0
        assert states(home) == {State.UNKNOWN: 1}
        assert len(server.messages) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_after_the_grace_a_message_without_an_answer_is_maybe_delivered(tmp_path, number):
    reached = asyncio.Event()

    def never(_line: str) -> Act:
        reached.set()
        return Act.HANG

    home = Home(tmp_path)
    with Standin(fresh_papers(4)) as standin:
        async with smtp_server({"message": never}) as server:
            Home.make(
                tmp_path,
                standin,
                subscribers_file({"ada@example.org": ["Time Series"]}),
                server.url,
            )
            settings = load_settings({"DIGEST_HOME": str(tmp_path)}, environ={})
            with open_store(settings.db) as store:
                transport = make_transport(settings)
                async with open_parts(
                    settings, store, read_roster(settings), transport, clock=machine_now
                ) as parts:
                    running = asyncio.ensure_future(
                        run_stoppable(run_cycle(parts), parts.stop, grace=0.3)
                    )
                    await asyncio.wait_for(reached.wait(), HANG)
                    os.kill(os.getpid(), number)
                    await parts.stop.wait()
                    assert not running.done(), "the message has its grace"
                    assert await asyncio.wait_for(running, HANG) is None
                (entry,) = store.outbox.entries()
    assert entry.state == State.UNKNOWN
    assert entry.reply == "stopped while the mail was being handed over"
    assert states(home) == {State.UNKNOWN: 1}


async def test_a_stop_while_arxiv_is_silent_waits_for_nobody():
    begun, never = asyncio.Event(), asyncio.Event()

    async def ask() -> None:
        begun.set()
        await never.wait()

    waiting = asyncio.ensure_future(run_stoppable(ask(), Stop()))
    await asyncio.wait_for(begun.wait(), HANG)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(waiting, HANG) is None


async def test_work_that_ends_by_itself_gives_its_result_and_its_error():
    async def fail() -> None:
        raise ConfigError("wrong")

    assert await run_stoppable(asyncio.sleep(0, "done"), Stop()) == "done"
    with pytest.raises(ConfigError):
        await run_stoppable(fail(), Stop())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_without_a_subscribers_file_it_does_not_start(tmp_path):
    with Standin() as standin:
        home = Home.make(tmp_path, standin, "subscribers:\n")
        (tmp_path / "subscribers.yaml").unlink()
        with daemon_process(home) as process:
            errors = process.end()
    assert process.popen.returncode == 78
    assert "there is no subscribers file" in errors
    assert not any("READY=1" in message for message in process.told)


@pytest.mark.heavy
def test_a_stop_ends_a_token_command_that_hangs(tmp_path):
    reached = tmp_path / "reached"
    token = tmp_path / "token"
    token.write_text(f"#!/bin/sh\ntouch '{reached}'\nexec sleep 1000\n")
    token.chmod(0o755)
    with Standin(fresh_papers(4)) as standin, smtp_beside({}) as server:
        server.extensions = ("AUTH XOAUTH2",)
        url = server.url.replace("//", "//ada@")
        home = Home.make(tmp_path, standin, subscribers_file({"ada@example.org": [TOPIC]}), url)
        with (tmp_path / ".env").open("a") as settings:
            settings.write(f"DIGEST_MAIL_TOKEN_COMMAND='{token}'\n")
        with working(home, "run") as popen:
            wait_until(reached.exists, popen)
            assert ended_by_a_stop(popen)
        assert not server.messages
        assert states(home) == {State.QUEUED: 1}


@pytest.mark.heavy
def test_a_stop_ends_a_mail_to_the_operator_that_hangs(tmp_path):
    reached, recipients = threading.Event(), []

    def accept(_line: str) -> Act | None:
        if "operator" not in recipients[-1]:
            return None
        reached.set()
        return Act.HANG

    script = {"RCPT": recipients.append, "message": accept}
    file = subscribers_file({"ada@example.org": [TOPIC]})
    file += "  - {email: lin@example.org, keywords: [Time Series], timezone: Atlantis}\n"
    with Standin(fresh_papers(4)) as standin, smtp_beside(script) as server:
        home = Home.make(tmp_path, standin, file, server.url)
        with (tmp_path / ".env").open("a") as settings:
            settings.write("DIGEST_OPERATOR=operator@example.org\n")
        with working(home, "daemon") as popen:
            wait_until(reached.is_set, popen)
            assert ended_by_a_stop(popen)
        assert states(home) == {State.SENT: 1}


TOPIC = "Time Series"
STOPPED_WITHIN = 15
"""Seconds in which a stop ends whatever hangs."""


@contextmanager
def working(home: Home, command: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, ended at the latest with the block."""
    popen = subprocess.Popen(
        [sys.executable, "-m", "digest", command, "--home", str(home.folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield popen
    finally:
        popen.kill()
        popen.communicate()


def wait_until(is_so: Callable[[], bool], popen: subprocess.Popen[str]) -> None:
    for _ in range(int(HANG) * 20):
        if is_so():
            return
        assert popen.poll() is None, popen.communicate()
        time.sleep(0.05)
    raise AssertionError("it was never reached")


def ended_by_a_stop(popen: subprocess.Popen[str]) -> bool:
    """Ask for a stop, and wait for the end as long as it may take."""
    popen.send_signal(signal.SIGTERM)
    popen.communicate(timeout=STOPPED_WITHIN)
    return popen.returncode in (0, 75)


@pytest.mark.parametrize("previews", [False, True])
async def test_a_question_for_a_preview_wakes_the_daemon_where_strangers_may_sign_up(
    world: World, previews: bool
) -> None:
    world.readers = [reader("ada@example.org", "A", at=clock_time(7))]
    simulation = Simulation(world, MONDAY + 3 * HOUR)
    simulation.daemon.previews = previews
    simulation.events[MONDAY + HOUR] = lambda: world.store.previews.ask("all:new", MONDAY + HOUR)
    await simulation.run()
    assert (len(simulation.cycles) > 1) == previews
