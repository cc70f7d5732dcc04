"""By the timer alone: `digest run` every quarter of an hour keeps readers' hours, announcements and
retries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from digest.demo.papers import World, newest_first
from digest.demo.words import TOPICS
from digest.model import Paper
from digest.rules.calendar import served_between
from digest.run.cycle import Parts, run_cycle
from digest.setup.mail import make_transport
from digest.setup.parts import open_parts
from digest.setup.settings import load_settings
from digest.setup.subscribers import read_roster
from digest.store import open_store
from tests.world.replay import Home, Mail, read_mail, smtp_beside
from tests.world.smtp_server import Script, smtp_server
from tests.world.standin import Standin

TICK = timedelta(minutes=15)
DAY = timedelta(days=1)

READERS = {
    "ada@example.org": (time(7), "Europe/Berlin"),
    "lin@example.org": (time(8, 30), "America/New_York"),
    "ravi@example.org": (time(12), "Asia/Kolkata"),
}
SUBSCRIBERS = "subscribers:\n" + "".join(
    f"  - {{email: {address}, keywords: [Time Series], at: '{at:%H:%M}', timezone: {zone}}}\n"
    for address, (at, zone) in READERS.items()
)


@dataclass(frozen=True)
class Index:
    """What arXiv's index holds, announcement by announcement: two new papers with each."""

    served: Sequence[tuple[datetime, Sequence[Paper]]]

    @classmethod
    def of(cls, start: datetime, end: datetime) -> Index:
        world = World(3)
        return cls(
            [
                (
                    each.served_at,
                    [
                        world.paper(each.served_at - (12 + n) * timedelta(hours=1), TOPICS[2])
                        for n in (1, 2)
                    ],
                )
                for each in served_between(start - 10 * DAY, end)
            ]
        )

    def at(self, now: datetime) -> tuple[Paper, ...]:
        return newest_first(
            [paper for served_at, papers in self.served if served_at <= now for paper in papers]
        )

    def announced(self, after: datetime, until: datetime) -> bool:
        return any(after < served_at <= until for served_at, _ in self.served)


def ticks(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += TICK


def expected_hours(
    index: Index, start: datetime, end: datetime, at: time, zone: str
) -> list[datetime]:
    """When a reader's mails come: at the first tick with news, from the hour on, once in a local
    day.

    The welcome counts as news of the first tick.
    """
    hours: list[datetime] = []
    news = True
    for now in ticks(start, end):
        local = now.astimezone(ZoneInfo(zone))
        news = news or index.announced(now - TICK, now)
        if (
            news
            and local.time() >= at
            and (not hours or hours[-1].astimezone(ZoneInfo(zone)).date() != local.date())
        ):
            hours.append(now)
            news = False
    return hours


@asynccontextmanager
async def installation(
    folder: Path, standin: Standin, mail: str = "maildir:mail"
) -> AsyncIterator[Parts]:
    """The parts of a cycle as the command line puts them together, kept open for many cycles."""
    Home.make(folder, standin, SUBSCRIBERS, mail)
    settings = load_settings({"DIGEST_HOME": str(folder)}, environ={})
    with open_store(settings.db) as store:
        async with open_parts(
            settings,
            store,
            read_roster(settings),
            make_transport(settings),
            clock=lambda: START,
        ) as parts:
            yield parts


START = datetime(2026, 6, 8, tzinfo=UTC)
"""A Monday."""


async def let_it_run(
    parts: Parts, standin: Standin, index: Index, start: datetime, end: datetime
) -> None:
    """A cycle at each tick, on the papers that the index holds then."""
    for now in ticks(start, end):
        if now == start or index.announced(now - TICK, now):
            standin.serve(index.at(now))
        await run_cycle(replace(parts, clock=lambda now=now: now))


def by_reader(mails: Sequence[Mail]) -> dict[str, list[Mail]]:
    found: dict[str, list[Mail]] = defaultdict(list)
    for mail in mails:
        found[mail.recipient].append(mail)
    return found


def check_hours(
    index: Index, start: datetime, end: datetime, mails: Mapping[str, Sequence[Mail]]
) -> None:
    """Every mail on its hour, none before it, at most one a local day, and each announced paper
    once."""
    for address, (at, zone) in READERS.items():
        times = [mail.on for mail in mails[address]]
        assert times == expected_hours(index, start, end, at, zone), address
        local = [moment.astimezone(ZoneInfo(zone)) for moment in times]
        assert all(moment.time() >= at for moment in local)
        assert len({moment.date() for moment in local}) == len(local)
        got = [name for mail in mails[address] for name in mail.ids]
        announced = {
            p.id
            for served_at, papers in index.served
            if start < served_at <= times[-1]
            for p in papers
        }
        assert len(set(got)) == len(got)
        assert announced <= set(got)


@pytest.mark.parametrize(
    ("start", "days"),
    [
        pytest.param(START, 7, id="a-week-in-summer", marks=pytest.mark.heavy),
        pytest.param(datetime(2026, 3, 6, tzinfo=UTC), 4, id="the-clock-goes-forward-in-New-York"),
        pytest.param(datetime(2026, 10, 23, tzinfo=UTC), 4, id="the-clock-goes-back-in-Berlin"),
    ],
)
async def test_each_reader_is_served_on_the_hour_in_their_own_zone(tmp_path, start, days):
    end = start + days * DAY
    index = Index.of(start, end)
    with Standin() as standin:
        async with installation(tmp_path, standin) as parts:
            await let_it_run(parts, standin, index, start, end)
        requests = len(standin.requests)
    mails = by_reader(Home(tmp_path).mails())
    check_hours(index, start, end, mails)
    assert sum(map(len, mails.values())) >= 3 * (days - 2)
    assert requests <= days + 2, (
        "arXiv is asked once after each announcement, and once a day without one"
    )


def test_a_day_through_the_command_line(tmp_path):
    start, end = START + DAY, START + 2 * DAY
    index = Index.of(start, end)
    codes = set()
    with Standin() as standin:
        home = Home.make(tmp_path, standin, SUBSCRIBERS)
        for now in ticks(start, end):
            standin.serve(index.at(now))
            codes.add(home.digest("run", "--now", now.isoformat()).code)
        assert len(standin.requests) == 2
    assert codes == {0}
    check_hours(index, start, end, by_reader(home.mails()))


def refusing(address: str, times: int) -> tuple[Script, list[int]]:
    """A script that refuses one recipient so many times, and what counts how often it was tried."""
    tried: list[int] = []

    def answer(line: str) -> str | None:
        if address not in line:
            return None
        tried.append(1)
        return "450 4.2.1 Try again later" if len(tried) <= times else None

    return {"RCPT": answer}, tried


async def test_a_refused_delivery_is_tried_again_on_time_and_arrives_once(tmp_path):
    refusals = 4
    script, tried = refusing("ravi@example.org", refusals)
    start = START + timedelta(hours=4)  # midnight in New York
    end = start + timedelta(hours=10)
    index = Index.of(start, end)
    attempts: list[datetime] = []
    with Standin() as standin:
        async with (
            smtp_server(script) as server,
            installation(tmp_path, standin, server.url) as parts,
        ):
            for now in ticks(start, end):
                standin.serve(index.at(now))
                before = len(tried)
                await run_cycle(replace(parts, clock=lambda now=now: now))
                attempts += [now] * (len(tried) - before)
            mails = by_reader([read_mail(taken.data) for taken in server.messages])
    assert attempts[0] == START + timedelta(hours=6, minutes=30)  # 12:00 in India
    assert len(attempts) == refusals + 1
    for wait, earlier, later in zip((5, 15, 30, 60), attempts, attempts[1:], strict=False):
        shortest, longest = (factor * timedelta(minutes=wait) for factor in (0.9, 1.1))
        assert shortest <= later - earlier < longest + TICK, (
            f"{later - earlier} where {wait} minutes were due"
        )
    assert {address: len(each) for address, each in mails.items()} == dict.fromkeys(READERS, 1)


def test_the_command_line_delivers_over_smtp_and_retries(tmp_path):
    script, tried = refusing("lin@example.org", 1)
    start = START + timedelta(hours=12, minutes=15)  # 08:15 in New York
    index = Index.of(start, start + DAY)
    outputs = []
    with Standin(index.at(start)) as standin, smtp_beside(script) as server:
        home = Home.make(tmp_path, standin, SUBSCRIBERS, server.url)
        for now in ticks(start, start + timedelta(hours=1)):
            result = home.digest("run", "--now", now.isoformat())
            assert result.code == 0, result.err
            outputs.append(
                next(
                    x
                    for x in reversed(result.out.splitlines())
                    if "igest" in x and "outbox" not in x
                )
            )
        recipients = [taken.recipient for taken in server.messages]
    assert outputs == [
        "Digests: 2 sent.",
        "Digests: 1 deferred.",
        "Digests: 1 sent.",
        "No digest was due.",
    ]
    assert sorted(recipients) == sorted(READERS)
    assert len(tried) == 2
