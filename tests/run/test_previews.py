"""What is kept and asked for previews: announcements whole, and questions behind all else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from digest.errors import ThrottledError, UnreachableError
from digest.keywords.categories import CATEGORIES
from digest.model import Window
from digest.run import previews
from digest.run.fetch import Sources
from digest.store.previews import ASKED_A_DAY, KEPT, Question
from digest.web import announced
from tests.world.skies import ADA, MONDAY, TUESDAY, SourcesWorld, about, settled, sources_world
from tests.world.standin import ScriptedAnswer
from tests.world.worlds import DAY, HOUR, Arxiv, World, bad_answer, eprint, reader

NEWS = "all:quantum"


@pytest.fixture
async def sky(tmp_path: Path) -> AsyncIterator[SourcesWorld]:
    async with sources_world(tmp_path / "digest.db") as made:
        made.sources = replace(made.sources, previews=True)
        yield made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "digest.db")
    made.readers = [reader(ADA, "Alpha")]
    yield made
    made.close()


class Slow(Arxiv):
    """Never answers one query."""

    async def fetch(self, query: str, **options: Any) -> Window:
        if query == NEWS:
            await asyncio.Event().wait()
        return await super().fetch(query, **options)


async def run(world: World, **changes: Any) -> None:
    """A cycle an hour later where strangers may sign up."""
    sources = Sources(changes.pop("arxiv", world.arxiv), previews=True)
    await world.cycle(world.now + HOUR, sources=sources, **changes)


def question(world: World, query: str = NEWS) -> Question:
    found = world.store.previews.question(query)
    assert found is not None
    return found


def kept(world: World) -> set[str]:
    """The papers that are kept of announcements."""
    return {paper.id for paper in announced.papers(world.store, world.now - KEPT, 100)}


# -- announcements


async def test_announcements_are_kept_whole_and_concern_no_reader(sky: SourcesWorld) -> None:
    await settled(sky, "feeds")
    other = about(4, "nothing", TUESDAY)
    revised = about(5, "robot", TUESDAY, version=2, published=MONDAY - 90 * DAY)
    sky.sky.announce(TUESDAY, about(2, "robot", TUESDAY), other, revised)
    await sky.cycle(TUESDAY, source="feeds")
    assert kept(sky) == {"2611.00002", "2611.00004"}
    (found,) = (
        paper
        for paper in announced.papers(sky.store, sky.now - KEPT, 100)
        if paper.id == "2611.00004"
    )
    assert (found.title, found.abstract) == (other.title, other.abstract)
    assert sky.value("SELECT COUNT(*) FROM paper WHERE id = '2611.00004'") == 0
    assert sky.titles(ADA) == [[2]]


async def test_nothing_is_kept_where_nobody_can_sign_up(sky: SourcesWorld) -> None:
    sky.sources = replace(sky.sources, previews=False)
    await settled(sky, "feeds")
    sky.sky.announce(TUESDAY, about(2, "robot", TUESDAY))
    await sky.cycle(TUESDAY, source="feeds")
    assert kept(sky) == set()


@pytest.mark.heavy
async def test_a_week_that_was_read_day_by_day_is_whole_and_one_with_a_gap_is_not(
    sky: SourcesWorld,
) -> None:
    await settled(sky, "feeds")
    for number, day in enumerate((1, 2, 3, 4, 7, 8, 9, 10), 2):
        if day == 9:
            assert announced.whole(sky.store, sky.now - KEPT, sky.now) == CATEGORIES
            continue
        sky.sky.announce(MONDAY + day * DAY, about(number, "robot", MONDAY + day * DAY))
        await sky.cycle(MONDAY + day * DAY, source="feeds")
    assert announced.whole(sky.store, sky.now - KEPT, sky.now) == frozenset()


async def test_announcements_go_after_a_week_feed_by_feed(sky: SourcesWorld) -> None:
    await settled(sky, "feeds")
    sky.sky.announce(TUESDAY, about(2, "robot", TUESDAY))
    await sky.cycle(TUESDAY, source="feeds")
    feeds = sky.value("SELECT COUNT(*) FROM announced")
    assert not sky.store.previews.let_go(TUESDAY + KEPT)
    let_go = [sky.store.previews.let_go(TUESDAY + KEPT + 2 * DAY) for _ in range(feeds + 1)]
    assert let_go == [True] * feeds + [False]
    assert sky.value("SELECT COUNT(*) FROM announced") == 0 < feeds


# -- questions


async def test_a_question_is_asked_once_behind_all_that_readers_wait_for(world: World) -> None:
    world.arxiv.announce("Alpha", eprint(1))
    old = eprint(3, MONDAY - 8 * DAY)
    world.arxiv.announce("Quantum", eprint(2, title="Of a quantum"), old)
    mailed_before: list[int] = []

    class Watched(Arxiv):
        async def fetch(self, query: str, **options: Any) -> Window:
            mailed_before.append(len(world.relay.taken))
            return await super().fetch(query, **options)

    arxiv = Watched(world.arxiv.papers, asked=world.arxiv.asked)
    assert world.store.previews.ask(NEWS, world.now)
    await run(world, arxiv=arxiv)
    await run(world, arxiv=arxiv)
    assert [query for query, _ in arxiv.asked] == ["all:alpha", NEWS]
    assert mailed_before == [0, 1]
    assert (question(world).papers, question(world).titles) == (1, ("Of a quantum",))
    assert world.titles(ADA) == [[1]]
    assert world.store.windows.queries([NEWS]) == []
    assert world.value("SELECT COUNT(*) FROM paper") == 1


async def test_an_answer_is_kept_for_a_week_and_who_signs_up_gets_all(world: World) -> None:
    world.arxiv.announce("Quantum", eprint(2))
    world.store.previews.ask(NEWS, world.now)
    await run(world)
    world.readers.append(reader("eve@example.org", "Quantum"))
    await run(world)
    assert world.titles("eve@example.org") == [[2]]
    world.now += KEPT + DAY
    await run(world)
    assert world.store.previews.question(NEWS) is None


async def test_where_arxiv_cannot_be_asked_questions_wait(world: World) -> None:
    world.store.previews.ask(NEWS, world.now)
    world.store.previews.ask("all:later", world.now + timedelta(seconds=1))
    world.arxiv.fail("Quantum", bad_answer(cls=UnreachableError), bad_answer(cls=ThrottledError))
    await run(world)
    await run(world)
    pause = world.store.windows.pause()
    assert pause is not None
    assert pause.until == world.now + HOUR
    assert world.store.previews.wanted(world.now) == []
    asked = len(world.arxiv.asked)
    world.now -= HOUR / 2
    await run(world)
    assert len(world.arxiv.asked) == asked, "arXiv wants a pause"
    await run(world)
    assert question(world).answered_at == world.now
    assert question(world, "all:later").answered_at == world.now


@pytest.mark.parametrize("error", [bad_answer(), RuntimeError("unforeseen")])
async def test_what_fails_is_asked_once_and_stops_no_other(world: World, error: Any) -> None:
    world.store.previews.ask(NEWS, world.now)
    world.store.previews.ask("all:later", world.now + timedelta(seconds=1))
    world.arxiv.fail("Quantum", error)
    await run(world)
    assert question(world).failed
    assert question(world, "all:later").answered_at == world.now
    await run(world)
    assert [query for query, _ in world.arxiv.asked].count(NEWS) == 1
    latest = world.store.runs.latest()
    assert latest is not None
    assert latest.finished == world.now


async def test_an_answer_that_does_not_come_is_waited_for_only_so_long(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "ONE_SECONDS", 0.01)
    world.store.previews.ask(NEWS, world.now)
    await run(world, arxiv=Slow(world.arxiv.papers))
    assert question(world).failed
    assert previews.BEGIN_SECONDS + 25 < 60


@pytest.mark.heavy
async def test_questions_without_end_fill_nothing_and_hold_up_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.store.together():
        taken = [world.store.previews.ask(f"all:word{n}", world.now) for n in range(10_000)]
    assert sum(taken) == ASKED_A_DAY
    assert world.value("SELECT COUNT(*) FROM question") == ASKED_A_DAY
    monkeypatch.setattr(previews, "BEGIN_SECONDS", 0.0)
    world.arxiv.announce("Alpha", eprint(1))
    await run(world)
    assert [query for query, _ in world.arxiv.asked] == ["all:alpha"], "no time is left"
    assert world.titles(ADA) == [[1]]
    for day in range(1, 20):
        for number in range(60):
            world.store.previews.ask(f"all:day{day}word{number}", world.now + day * DAY)
    assert world.value("SELECT COUNT(*) FROM question") <= 2 * ASKED_A_DAY


@pytest.mark.heavy
async def test_a_question_goes_by_the_line_of_all_else_and_a_broken_off_one_harms_nothing(
    sky: SourcesWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await settled(sky, "api")
    sky.sky.announce(MONDAY, about(7, "quantum", MONDAY), about(8, "robot", MONDAY))
    sky.store.previews.ask(NEWS, sky.now)
    monkeypatch.setattr(previews, "ONE_SECONDS", 0.3)
    sky.sky.standin.on_query = lambda asked: (
        ScriptedAnswer(delay=5.0) if "quantum" in asked["search_query"] else None
    )
    await sky.cycle(MONDAY + HOUR, source="api")
    assert question(sky).failed
    sky.sky.standin.on_query = None
    monkeypatch.setattr(previews, "ONE_SECONDS", 25.0)
    sky.store.previews.ask("abs:quantum", sky.now)
    await sky.cycle(TUESDAY, source="api")
    assert question(sky, "abs:quantum").papers == 1
    assert sky.titles(ADA) == [[8]]
    asked = sky.sky.asked("/api")
    assert "abs:quantum" in asked[-1].params["search_query"]
    for one, after in pairwise(asked):
        assert one.ended is None or one.ended <= after.arrived, "two at once"
