"""A repository as a reader, through whole cycles against a GitHub on loopback: each paper in
exactly one issue."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from digest.cli.look.outbox import openings, what_follows
from digest.errors import Exit
from digest.mail.github import GithubTransport
from digest.model import Channel, Outcome, Receipt
from digest.rules.channels import RateLimit, make_terms
from digest.rules.delivery_retry import UNKNOWN_WAIT
from digest.run.daemon import next_work
from digest.setup.parts import holds_unknown
from digest.setup.settings import Settings
from tests.world.github_server import TOKEN, Break, GithubServer, Refuse, github
from tests.world.worlds import DAY, HOUR, MONDAY, World, eprint, reader

PAGE = "github:ada/papers"
TUESDAY, WEDNESDAY = MONDAY + DAY, MONDAY + 2 * DAY


class Repository:
    """A world with one repository as a reader."""

    def __init__(self, path: Path, server: GithubServer) -> None:
        self.world, self.server = World(path), server
        self.world.readers = [reader(PAGE, "Alpha")]
        self.way = GithubTransport(TOKEN, api=server.url, clock=lambda: self.world.now)

    async def cycle(self, at: datetime, **changes: object) -> dict[Outcome, int]:
        """One cycle; returns what came of the deliveries."""
        return dict((await self.world.cycle(at, issues=self.way, **changes)).outcomes)

    def listed(self) -> list[list[str]]:
        """The papers in each issue."""
        kept = self.server.issues["ada/papers"]
        return [re.findall(r"arxiv\.org/abs/(\S+?)v\d", issue["body"]) for issue in kept]


@pytest.fixture
async def repository(tmp_path: Path) -> AsyncIterator[Repository]:
    async with github() as server:
        repository = Repository(tmp_path / "digest.db", server)
        yield repository
        await repository.way.close()


async def test_each_day_brings_one_issue_with_what_no_earlier_one_listed(
    repository: Repository,
) -> None:
    world = repository.world
    world.arxiv.announce("Alpha", eprint(1), eprint(2))
    assert await repository.cycle(MONDAY) == {Outcome.SENT: 1}
    assert await repository.cycle(MONDAY + HOUR) == {}
    world.arxiv.announce("Alpha", eprint(3, TUESDAY - DAY))
    assert await repository.cycle(TUESDAY) == {Outcome.SENT: 1}
    assert repository.listed() == [["2611.00001", "2611.00002"], ["2611.00003"]]
    assert [issue["title"] for issue in repository.server.issues["ada/papers"]] == [
        "Latest Papers - November 9, 2026",
        "Latest Papers - November 10, 2026",
    ]
    assert world.relay.tried == []


async def test_a_day_with_nothing_new_brings_no_issue_and_neither_does_a_welcome(
    repository: Repository,
) -> None:
    world = repository.world
    world.readers = [reader(PAGE, "Alpha", quiet_days=True)]
    for day in range(3):
        assert await repository.cycle(MONDAY + day * DAY + 8 * HOUR) == {}
    world.arxiv.announce("Alpha", eprint(1, WEDNESDAY))
    assert await repository.cycle(WEDNESDAY + DAY) == {Outcome.SENT: 1}
    assert repository.listed() == [["2611.00001"]]


@pytest.mark.parametrize("hold", [False, True])
async def test_what_was_posted_and_never_heard_of_is_found_again_whatever_the_policy(
    repository: Repository, hold: bool
) -> None:
    world = repository.world
    world.hold = hold
    world.arxiv.announce("Alpha", eprint(1))
    repository.server.next["POST"] = [Break(after=True)]
    assert await repository.cycle(MONDAY) == {Outcome.UNKNOWN: 1}
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    assert await repository.cycle(MONDAY + HOUR) == {Outcome.SENT: 1}
    assert await repository.cycle(TUESDAY) == {Outcome.SENT: 1}
    assert repository.listed() == [["2611.00001"], ["2611.00002"]]


async def test_a_crash_while_an_issue_is_posted_posts_it_once(repository: Repository) -> None:
    world = repository.world
    world.arxiv.announce("Alpha", eprint(1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.store.bodies, "let_go", lambda: ())
        await repository.cycle(MONDAY)
    # As a process that was killed right after GitHub took the issue leaves it: with the body.
    world.database.write("UPDATE delivery SET state = 'in_data', owner = 'gone', ended_at = NULL")
    assert await repository.cycle(MONDAY + timedelta(minutes=1)) == {}
    assert await repository.cycle(MONDAY + HOUR) == {Outcome.SENT: 1}
    assert repository.listed() == [["2611.00001"]]


async def test_a_refusal_is_told_and_the_papers_come_with_the_next_issue(
    repository: Repository,
) -> None:
    world = repository.world
    world.arxiv.announce("Alpha", eprint(1))
    repository.server.next["POST"] = [Refuse(410, "Issues are disabled")]
    summary = await world.cycle(MONDAY, issues=repository.way)
    [line] = summary.given_up
    assert line.startswith(
        "github:ada/papers: 410 Issues are disabled: issues are switched off: enable them"
    )
    assert summary.exit_code == 1
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    await repository.cycle(TUESDAY)
    assert repository.listed() == [["2611.00002", "2611.00001"]]


async def test_mail_goes_on_while_github_is_away_and_the_other_way_round(
    repository: Repository,
) -> None:
    world = repository.world
    world.readers.append(reader("lin@example.org", "Alpha"))
    world.arxiv.announce("Alpha", eprint(1))
    repository.server.next["GET"] = [Break(after=False)]
    assert await repository.cycle(MONDAY) == {Outcome.SENT: 1, Outcome.DEFERRED: 1}
    assert await repository.cycle(MONDAY + HOUR) == {Outcome.SENT: 1}
    assert len(world.relay.taken) == 1
    assert repository.listed() == [["2611.00001"]]


@pytest.mark.parametrize("hold", [False, True])
async def test_an_issue_waits_for_its_own_time_and_not_for_the_mail_servers(
    repository: Repository, hold: bool
) -> None:
    world = repository.world
    world.hold = hold
    world.readers.append(reader("ada@example.org", "Alpha"))
    world.arxiv.announce("Alpha", eprint(1))
    repository.server.next["POST"] = [Break(after=True)]
    limits = (RateLimit(1, DAY),)
    summary = await world.cycle(MONDAY, issues=repository.way, limits=limits)
    assert (dict(summary.outcomes), summary.room_at) == (
        {Outcome.SENT: 1, Outcome.UNKNOWN: 1},
        None,
    )
    on = make_terms(limits, hold_unknown=hold)
    again = next_work(world.store, world.roster, MONDAY, now=MONDAY, on=on)
    assert again == MONDAY + UNKNOWN_WAIT
    (entry,) = world.store.outbox.entries()
    here = Path()
    settings = Settings(home=here, db=here, subscribers=here, hold_unknown=hold)
    assert not holds_unknown(settings, Channel.GITHUB), "an issue can be looked for: nobody decides"
    told = what_follows(entry, openings(world.store, on, MONDAY), on)
    assert "2029" not in told, "nor does it wait for the mail server"
    repository.server.next["GET"] = [Refuse(502, "Server Error")]
    summary = await world.cycle(again, issues=repository.way, limits=limits)
    assert (dict(summary.outcomes), summary.room_at) == ({Outcome.DEFERRED: 1}, None)


LAB = "github:lab/papers"


async def test_a_rest_that_github_asks_for_keeps_all_issues_back_and_no_mail(
    repository: Repository,
) -> None:
    world = repository.world
    repository.server.repositories.add("lab/papers")
    world.readers += [reader(LAB, "Alpha"), reader("lin@example.org", "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    repository.server.next["POST"] = [Refuse(403, "slow", {"Retry-After": "1800"})]
    summary = await world.cycle(MONDAY, issues=repository.way)
    assert summary.outcomes == {Outcome.SENT: 1, Outcome.RELAY: 1}
    assert summary.trouble == (
        "issues could not be posted (403 GitHub asks to wait 1800 seconds: slow)"
    )
    assert (summary.waiting, summary.exit_code) == (2, Exit.DONE)
    half = MONDAY + timedelta(minutes=30)
    on = make_terms()
    assert next_work(world.store, world.roster, MONDAY, now=MONDAY, on=on) == half
    asked = len(repository.server.requests)
    summary = await world.cycle(half - timedelta(minutes=1), issues=repository.way)
    assert len(repository.server.requests) == asked, "GitHub is left alone"
    assert "issues wait until 2026-11-09 07:30 UTC" in summary.trouble
    assert await repository.cycle(half) == {Outcome.SENT: 2}
    assert repository.listed() == [["2611.00001"]]


async def test_a_mail_server_that_rests_keeps_no_issue_back(repository: Repository) -> None:
    world = repository.world
    world.readers.append(reader("lin@example.org", "Alpha"))
    world.arxiv.announce("Alpha", eprint(1))
    away = Receipt(Outcome.RELAY, "535 5.7.8 wrong password", permanent=True)
    world.relay.answers["lin@example.org"] = [away]
    await repository.cycle(MONDAY)
    assert len(repository.listed()) == 1
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    summary = await world.cycle(MONDAY + timedelta(minutes=1), issues=repository.way)
    assert summary.exit_code == Exit.CONFIG
    assert summary.paused.keys() == {Channel.MAIL}


async def test_a_new_token_makes_no_other_reader_of_a_repository(repository: Repository) -> None:
    """Who a reader is, is a name within the channel; what opens the door is none of it."""
    world = repository.world
    world.arxiv.announce("Alpha", eprint(1))
    await repository.cycle(MONDAY)
    expired = GithubTransport("expired", api=repository.server.url, clock=lambda: world.now)
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    summary = await world.cycle(TUESDAY, issues=expired)
    await expired.close()
    assert (summary.exit_code, summary.given_up) == (Exit.CONFIG, ()), "it waits for a new token"
    world.arxiv.announce("Alpha", eprint(3, TUESDAY))
    await repository.cycle(WEDNESDAY, force_mail=True)
    assert repository.listed() == [["2611.00001"], ["2611.00002"], ["2611.00003"]]
    assert world.value("SELECT COUNT(*) FROM subscriber") == 1
