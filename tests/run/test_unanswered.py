"""Keywords that arXiv has not answered: what comes next, and what a first digest may say."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest

from digest.explain.inquiry import Inquiry, coming
from digest.model import Roster, Weekly
from digest.rules.calendar import served_between
from digest.run.fetch import unanswered
from tests.world.asking import AskedWorld, asked_world
from tests.world.house import FRIDAY as HOUSE_FRIDAY
from tests.world.house import THURSDAY, House, failing_for
from tests.world.worlds import DAY, HOUR, MONDAY, bad_answer, eprint, reader, text

ADA = "ada@example.org"
FRIDAY = MONDAY + 4 * DAY
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[AskedWorld]:
    with asked_world(tmp_path, capsys) as world:
        yield world


async def known(world: AskedWorld, *names: str, until: datetime = FRIDAY - DAY) -> None:
    """Ada with these keywords, each answered on every day up to this one."""
    world.readers = world.readers or [reader(ADA, *names)]
    for name in names:
        world.arxiv.announce(name, eprint(1))
    for days in range((until - MONDAY).days + 1):
        await world.cycle(MONDAY + days * DAY)


def status(world: AskedWorld) -> tuple[str, str]:
    """When the next digest comes: as JSON has it, and in words."""
    told = world.ask("status", "--json", "--now", world.now.isoformat()).json()
    lines = world.ask("status", "--now", world.now.isoformat()).out.splitlines()
    return told["subscribers"][0]["next_digest"], next(line for line in lines if ADA in line)


# --- what comes next ---


async def test_after_a_failed_fetch_the_next_digest_comes_with_the_retry(world: AskedWorld) -> None:
    await known(world, "Alpha")
    world.arxiv.announce("Alpha", *(eprint(n, FRIDAY - DAY) for n in range(2, 7)))
    world.arxiv.fail("Alpha", bad_answer("arXiv answered 503"))
    summary = await world.cycle(FRIDAY)
    again = FRIDAY + 15 * MINUTE
    assert (summary.unanswered, summary.asked_again) == (("Alpha",), again)
    assert summary.awaited == "arXiv is asked again from 2026-11-13 07:15 UTC on, for Alpha"
    at, line = status(world)
    assert at == "2026-11-13T07:15:00Z"
    assert "next Fri 2026-11-13 07:15 UTC, with the announcement of 2026-11-12" in line
    following = world.why(ADA)["next"]
    assert "Fri 2026-11-13 07:15, with the announcement of Thu 2026-11-12" in following
    assert "arXiv is asked for Alpha from Fri 2026-11-13 07:15 on" in following
    summary = await world.cycle(FRIDAY + 2 * HOUR)
    assert (summary.awaited, summary.composed) == ("", 1)
    assert world.titles(ADA)[-1] == [2, 3, 4, 5, 6]
    assert status(world)[0] == "2026-11-16T06:15:00Z"
    assert "is asked for" not in world.why(ADA)["next"]


async def test_what_was_served_and_not_asked_for_comes_with_the_next_run(world: AskedWorld) -> None:
    await known(world, "Alpha")
    world.now = FRIDAY + HOUR
    assert status(world)[0] == "2026-11-13T08:00:00Z"
    assert "next with the next run, with the announcement of 2026-11-12" in status(world)[1]
    assert "can come with the next run" in world.why(ADA)["next"]


async def test_a_pause_that_arxiv_wants_is_waited_for(world: AskedWorld) -> None:
    from digest.errors import ThrottledError

    await known(world, "Alpha", "Beta")
    world.arxiv.fail("Alpha", bad_answer("Rate exceeded.", ThrottledError))
    summary = await world.cycle(FRIDAY)
    assert summary.asked_again == FRIDAY + HOUR
    assert summary.unanswered == ("Alpha", "Beta")
    assert status(world)[0] == "2026-11-13T08:00:00Z"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"at": time(9)}, "2026-11-13T09:00:00Z"),  # the retry comes before the reader's hour
        ({"at": time(8), "timezone": "Europe/Berlin"}, "2026-11-13T07:15:00Z"),
        ({"days": (Weekly.MON,)}, "2026-11-16T00:00:00Z"),
        ({"paused_until": (FRIDAY + DAY).date()}, "2026-11-14T00:00:00Z"),
    ],
)
async def test_a_retry_keeps_the_readers_schedule(
    world: AskedWorld, options: dict[str, object], expected: str
) -> None:
    world.readers = [reader(ADA, "Alpha", **options)]
    await known(world, "Alpha")
    world.arxiv.fail("Alpha", bad_answer())
    await world.cycle(FRIDAY)
    assert status(world)[0] == expected


async def test_a_digest_of_today_leaves_what_is_missing_to_tomorrow(world: AskedWorld) -> None:
    await known(world, "Alpha", "Beta")
    world.arxiv.announce("Alpha", eprint(2, FRIDAY - DAY))
    world.arxiv.fail("Beta", bad_answer())
    await world.cycle(FRIDAY)
    assert world.titles(ADA)[-1] == [2]
    assert "The next may come on Saturday 14 November" in text(world.mails(ADA)[-1])
    assert status(world)[0] == "2026-11-14T00:00:00Z"


async def follow(world: AskedWorld, random: random.Random, days: int) -> int:
    """Play some days on which arXiv fails now and then, and hold against each digest what was said
    to come next right before; returns how often an answer was awaited then.
    """
    schedule = random.choice([tuple(Weekly), (Weekly.TUE, Weekly.FRI), (Weekly.MON,)])
    at = random.choice([None, time(7), time(9, 30), time(23)])
    zone = random.choice(["UTC", "Asia/Tokyo", "America/Los_Angeles"])
    ada = reader(ADA, "Alpha", "Beta", days=schedule, at=at, timezone=zone)
    world.readers, number, retries = [ada], 2, 0
    world.arxiv.announce("Alpha", eprint(1))
    await world.cycle(MONDAY - 5 * DAY)
    end = world.now + days * DAY
    while world.now < end:
        before = world.now
        next_at, _ = coming(Inquiry(world.store, before, ADA, ada, None), ada)
        retries += unanswered(world.store, ada.keywords, before) is not None
        world.now += random.choice([15, 60, 240]) * MINUTE
        for served in served_between(before, world.now):
            for name in ("Alpha", "Beta"):
                if random.random() < 0.8:
                    world.arxiv.announce(name, eprint(number, served.served_at - 12 * HOUR))
                    number += 1
        for name in ("Alpha", "Beta"):
            if random.random() < 0.5 and not world.arxiv.failures[f"all:{name.lower()}"]:
                world.arxiv.fail(name, bad_answer())
        summary = await world.cycle()
        assert next_at <= world.now or not summary.composed, (before, next_at)
    return retries


async def test_no_digest_comes_before_the_moment_that_was_told(world: AskedWorld) -> None:
    assert await follow(world, random.Random(1), days=3) >= 3


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(2, 14))
async def test_no_digest_comes_before_the_moment_that_was_told_in_many_weeks(
    world: AskedWorld, seed: int
) -> None:
    await follow(world, random.Random(seed), days=12)


def test_a_run_says_what_arxiv_is_asked_for_again(house: House) -> None:
    house("run", now=THURSDAY)
    house.arxiv.on_query = failing_for("hallucination")
    told = house("run", now=HOUSE_FRIDAY)
    assert "arXiv is asked again from 2026-11-06 06:45 UTC on, for Hallucination." in told.out
    house.arxiv.on_query = None
    told = house("run", "--json", now=HOUSE_FRIDAY + MINUTE).json()
    assert (told["unanswered"], told["next_fetch"]) == (["Hallucination"], "2026-11-06T06:45:00Z")
    told = json.loads(house("run", "--json", now=HOUSE_FRIDAY + HOUR).out)
    assert (told["unanswered"], told["next_fetch"]) == ([], None)


async def test_a_keyword_that_no_run_has_met_is_asked_for_by_the_next_one(
    world: AskedWorld,
) -> None:
    await known(world, "Alpha", until=FRIDAY)
    world.readers = [reader(ADA, "Alpha", "Beta")]
    world.arxiv.announce("Beta", eprint(5, FRIDAY - DAY))
    world.write_file()
    world.now = FRIDAY + 5 * HOUR
    assert status(world)[0] == "2026-11-13T12:00:00Z"
    assert "asked for Beta with the next run" in world.why(ADA)["next"]
    await world.cycle()
    assert world.titles(ADA) == [[1], [5]]


@pytest.mark.heavy
def test_every_command_says_the_same_moment(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """`send`, `subscribers show` and an edit go by the machine's clock."""
    for module in ("digest.cli.readers.subscribers", "digest.cli.readers.changes"):
        monkeypatch.setattr(f"{module}.machine_now", lambda: HOUSE_FRIDAY)
    house("run", now=THURSDAY)
    house.arxiv.on_query = failing_for("eward")
    ada = "ada@example.org"
    told = house("send", ada, now=HOUSE_FRIDAY)
    assert "The next digest comes Fri 06 Nov 06:45 (UTC)" in told.out
    told = house("subscribers", "show", ada, "--json").json()
    assert told["next_digest"]["at"] == "2026-11-06T06:45:00Z"
    told = house("subscribers", "set", ada, "max_papers=9", "--json").json()
    assert told["subscribers"][0]["next_digest"]["at"] == "2026-11-06T06:45:00Z"


# --- the first digest ---


async def test_a_first_digest_waits_for_arxivs_answer_and_says_so(world: AskedWorld) -> None:
    world.readers = [reader(ADA, "Alpha"), reader("lin@example.org", "Beta")]
    world.arxiv.announce("Alpha", eprint(1))
    world.arxiv.fail("Alpha", *[bad_answer() for _ in range(99)])
    summary = await world.cycle(MONDAY)
    assert [m["To"] for m in world.mails()] == ["lin@example.org"]
    assert summary.awaited == (
        "arXiv is asked again from 2026-11-09 07:15 UTC on, for Alpha;"
        " 1 first digest waits for its answer"
    )
    await world.cycle(MONDAY + 23 * HOUR)
    assert not world.mails(ADA)
    await world.cycle(MONDAY + 24 * HOUR)
    (welcome,) = world.mails(ADA)
    for part in (text(welcome), welcome.get_body(("html",)).get_content()):
        assert "arXiv has not answered for Alpha yet: what matches comes once it has." in part
        assert "matches;" not in part
    assert "waits" not in (await world.cycle(MONDAY + 25 * HOUR)).awaited
    world.arxiv.failures.clear()
    await world.cycle(MONDAY + 2 * DAY)
    assert world.titles(ADA) == [[], [1]]
    assert "has not answered" not in text(world.mails(ADA)[-1])


async def test_a_welcome_with_papers_names_the_keyword_that_is_missing(world: AskedWorld) -> None:
    world.readers = [reader(ADA, "Alpha", "Beta", "Gamma")]
    world.arxiv.announce("Alpha", eprint(1))
    world.arxiv.fail("Beta", bad_answer())
    world.arxiv.fail("Gamma", bad_answer())
    await world.cycle(MONDAY)
    (welcome,) = world.mails(ADA)
    assert "has not answered for Beta and Gamma yet" in text(welcome)
    assert "To begin with, these came in the last days." in text(welcome)


async def test_one_keyword_that_matched_nothing_says_nothing_of_another(world: AskedWorld) -> None:
    world.readers = [reader(ADA, "Alpha", "Beta")]
    world.arxiv.fail("Beta", *[bad_answer() for _ in range(99)])
    for hours in (0, 24):
        await world.cycle(MONDAY + hours * HOUR)
    (welcome,) = world.mails(ADA)
    assert "has not answered for Beta yet" in text(welcome)
    assert "Nothing" not in text(welcome)


async def test_equal_readers_share_a_welcome_only_where_both_have_the_same_answers(
    world: AskedWorld,
) -> None:
    world.readers = [reader(ADA, "Alpha", "Beta")]
    world.arxiv.fail("Beta", *[bad_answer() for _ in range(99)])
    await world.cycle(MONDAY)
    world.readers = [reader("lin@example.org", "Alpha"), *world.readers]
    await world.cycle(MONDAY + DAY)
    assert "Nothing of the last days matches" in text(world.mails("lin@example.org")[0])
    assert "Nothing of the last days matches" not in text(world.mails(ADA)[0])


async def test_no_preview_says_that_nothing_matches_before_arxiv_has_answered(
    world: AskedWorld,
) -> None:
    from digest.run.compose import compose_now

    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.fail("Alpha", bad_answer())
    await world.cycle(MONDAY)
    digest = compose_now(world.parts().composer, world.readers[0], world.now)
    assert digest is not None
    assert digest.unanswered == ("Alpha",)


async def test_the_first_issue_names_the_keyword_that_is_missing(world: AskedWorld) -> None:
    from digest.rendering.issue import render_issues
    from digest.run.compose import compose_now

    world.readers = [reader("github:ada/papers", "Alpha", "Beta")]
    world.arxiv.announce("Alpha", eprint(1))
    world.arxiv.fail("Beta", bad_answer())
    await world.cycle(MONDAY, roster=Roster((), world.roster.keywords))
    world.store.subscribers.sync(world.roster, world.now)
    digest = compose_now(world.parts().composer, world.readers[0], world.now)
    assert digest is not None
    assert "arXiv has not answered for Beta yet" in render_issues(digest).bodies[0]
