"""What would leave a gap in the log, or repeat it: each rule of asking by a sequence that nothing
but it saves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from digest.model import Window
from digest.rules.calendar import last_served
from digest.rules.plan import feed_day
from digest.run.fetch import Sources
from tests.world.skies import (
    ADA,
    MONDAY,
    SATURDAY,
    TUESDAY,
    SourcesWorld,
    about,
    settled,
    sources_world,
    whys,
)
from tests.world.worlds import DAY, HOUR, Arxiv, World, eprint, keyword, reader

WEDNESDAY = TUESDAY + DAY


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SourcesWorld]:
    async with sources_world(tmp_path / "digest.db") as made:
        yield made


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    """A world in which only the API is there, and answers at once."""
    made = World(tmp_path / "small.db")
    made.readers = [reader(ADA, "robot")]
    yield made
    made.close()


# -- the feeds hold one announcement


async def test_a_keyword_that_comes_back_after_a_day_is_not_served_by_feeds_of_one_announcement(
    world: SourcesWorld,
) -> None:
    await settled(world, "feeds")
    both = world.readers
    world.readers = [reader(ADA, "robot")]
    world.sky.announce(TUESDAY, about(2, "robot", TUESDAY), about(3, "graph", TUESDAY))
    await world.cycle(TUESDAY, source="feeds")
    world.readers = both
    world.sky.announce(WEDNESDAY, about(4, "robot", WEDNESDAY), about(5, "graph", WEDNESDAY))
    world.sky.forget()
    await world.cycle(WEDNESDAY, source="feeds")
    assert [sorted(titles) for titles in world.titles(ADA)] == [[2], [3, 4, 5]]
    searches = [
        asked.params["search_query"]
        for asked in world.sky.asked("/api")
        if "search_query" in asked.params
    ]
    assert searches == ["all:graph"]


async def test_a_feed_of_a_day_that_was_not_read_proves_nothing(world: SourcesWorld) -> None:
    """The feed of two days ago differs from yesterday's, which is served once more under today's
    date."""
    await settled(world, "feeds")
    world.sky.announce(TUESDAY, about(2, "robot", TUESDAY))
    await world.cycle(TUESDAY, source="api")
    world.sky.announce(WEDNESDAY, about(3, "robot", WEDNESDAY), feeds=False)
    world.sky.standin.announcing.announce(
        feed_day(last_served(WEDNESDAY)), [about(2, "robot", TUESDAY)]
    )
    await world.cycle(WEDNESDAY, source="feeds")
    assert world.titles(ADA) == [[2], [3]]


async def test_a_large_feed_that_is_empty_is_not_believed_although_another_one_holds_papers(
    world: SourcesWorld,
) -> None:
    world.readers = [
        replace(
            reader(ADA),
            keywords=tuple(keyword(name, f"cat:{name}") for name in ("cs.AI", "math.OC")),
        )
    ]
    await world.cycle(MONDAY, source="feeds")
    many = [eprint(100 + n, TUESDAY - DAY, categories=("cs.AI",)) for n in range(30)]
    world.sky.announce(TUESDAY, *many, about(2, "plan", TUESDAY, categories=("math.OC",)))
    await world.cycle(TUESDAY, source="feeds")
    world.relay.taken.clear()
    lacked = about(3, "robot", WEDNESDAY, categories=("cs.AI",))
    world.sky.announce(
        WEDNESDAY, lacked, about(4, "plan", WEDNESDAY, categories=("math.OC",)), feeds=False
    )
    world.sky.standin.announcing.announce(
        feed_day(last_served(WEDNESDAY)), [about(4, "plan", WEDNESDAY, categories=("math.OC",))]
    )
    summary = await world.cycle(WEDNESDAY, source="feeds")
    assert sorted(world.titles(ADA)[0]) == [3, 4]
    assert "empty" in whys(summary)


async def test_a_paper_that_an_imported_page_showed_comes_with_its_authors(
    world: SourcesWorld,
) -> None:
    """The page names none, and is a day ahead of this database."""
    await settled(world, "feeds")
    paper = about(2, "robot", TUESDAY)
    world.store.pages.import_page(
        {paper.id: replace(paper, authors=())}, {"all:graph": [paper.id]}, TUESDAY, "https"
    )
    world.sky.announce(TUESDAY, paper)
    await world.cycle(TUESDAY, source="feeds")
    assert world.titles(ADA) == [[2]]
    assert world.store.sources.papers([paper.id]) == {paper.id: paper}


# -- OAI


async def test_records_that_were_only_touched_since_do_not_make_oai_fresh(
    world: SourcesWorld,
) -> None:
    await settled(world, "oai")
    touched = about(1, "robot", MONDAY)
    world.sky.announce(TUESDAY, about(2, "robot", TUESDAY), feeds=False, oai=False)
    world.sky.standin.announcing.change(last_served(TUESDAY).evening, touched)
    summary = await world.cycle(TUESDAY, source="oai")
    assert "holds nothing yet" in whys(summary)
    assert world.titles(ADA) == [[2]]


async def test_a_paper_held_while_oai_gave_a_keyword_its_first_week_is_not_taken_for_history(
    world: SourcesWorld,
) -> None:
    await settled(world, "oai")
    world.sky.announce(TUESDAY, about(2, "robot", TUESDAY))
    await world.cycle(TUESDAY, source="oai")
    await world.cycle(SATURDAY, source="oai")
    moment = MONDAY + 7 * DAY
    world.sky.announce(moment, about(3, "robot", moment), about(4, "robot", moment - 20 * DAY))
    await world.cycle(moment, source="oai")
    assert sorted(world.titles(ADA)[-1]) == [3, 4]


# -- comparing


async def test_whose_machine_is_off_at_weekends_is_compared_with_the_api_all_the_same(
    world: SourcesWorld,
) -> None:
    await settled(world, "feeds")
    lacked = about(3, "robot", TUESDAY)
    world.sky.papers |= {lacked.id: lacked}
    for day in range(1, 17):
        moment = MONDAY + day * DAY
        if moment.weekday() >= 5:
            continue
        world.sky.announce(moment, about(10 + day, "robot", moment))
        await world.cycle(moment, source="feeds")
        await world.cycle(moment + HOUR, source="feeds")
    assert 3 in [number for titles in world.titles(ADA) for number in titles]
    assert world.store.sources.lacks(MONDAY)["feeds"] == [lacked.id]


async def test_who_reads_oai_is_compared_with_the_api_and_harvests_nothing_again(
    world: SourcesWorld,
) -> None:
    await settled(world, "oai")
    asked = []
    for moment in (
        MONDAY + HOUR,
        MONDAY + 2 * HOUR,
        SATURDAY,
        SATURDAY + HOUR,
        SATURDAY + 2 * HOUR,
    ):
        if moment == SATURDAY:
            world.sky.announce(moment, about(2, "robot", moment))
            await world.cycle(moment, source="oai")
        world.sky.forget()
        await world.cycle(moment, source="oai")
        asked.append((len(world.sky.asked("/api")), len(world.sky.asked("/oai"))))
    assert asked == [(2, 0), *[(0, 0)] * 4]


async def test_nobody_harvests_while_the_api_cannot_be_compared_with(world: SourcesWorld) -> None:
    await settled(world, "feeds")
    for day in range(1, 5):
        moment = MONDAY + day * DAY
        world.sky.announce(moment, about(1 + day, "robot", moment))
        await world.cycle(moment, source="feeds")
    world.sky.down("/api")
    sunday = SATURDAY + DAY
    world.sky.forget()
    for quarters in range(8):
        summary = await world.cycle(sunday + quarters * HOUR / 4, source="feeds")
        assert quarters or {record.status for record in summary.keywords} == {"failed"}
    assert world.sky.asked("/oai") == []
    assert len(world.titles(ADA)) == 4


# -- time


class Slow(Arxiv):
    """An API that takes its time: an announcement is served while the question is still open."""

    world: World
    takes = timedelta()

    async def fetch(self, query: str, **options: Any) -> Window:
        window = await super().fetch(query, **options)
        self.world.now += self.takes
        return window


async def test_an_answer_is_as_old_as_its_question(small: World) -> None:
    """What is served while arXiv is asked is not in the answer, so it is asked for again."""
    slow = small.arxiv = Slow()
    slow.world = small
    await small.cycle(MONDAY)
    served = last_served(TUESDAY).served_at
    slow.takes = 20 * timedelta(minutes=1)
    await small.cycle(served - 10 * timedelta(minutes=1), fetch_all=True)
    assert small.now > served
    slow.takes = timedelta()
    slow.announce("robot", eprint(2, TUESDAY - DAY))
    await small.cycle(TUESDAY)
    assert small.titles(ADA)[-1] == [2]


# -- keywords that come and go


async def test_a_keyword_that_nobody_wanted_for_a_year_begins_anew(small: World) -> None:
    small.arxiv.announce("robot", eprint(1, MONDAY - DAY))
    small.readers.append(reader("bob@example.org", "graph"))
    await small.cycle(MONDAY)
    small.readers[0] = reader(ADA, "graph")
    await small.cycle(TUESDAY)
    later = MONDAY + 364 * DAY
    small.arxiv.announce("robot", eprint(2, later - 100 * DAY), eprint(3, later - DAY))
    small.readers[0] = reader(ADA, "robot")
    small.relay.taken.clear()
    await small.cycle(later)
    (depth,) = [options["since"] for query, options in small.arxiv.asked if query == "all:robot"][
        1:
    ]
    assert depth > later - 40 * DAY
    assert 3 in small.titles(ADA)[-1]


async def test_a_keyword_that_is_wanted_all_the_time_does_not_begin_anew_for_another_reader(
    small: World,
) -> None:
    await small.cycle(MONDAY)
    small.readers.append(reader("bob@example.org", "robot"))
    small.arxiv.announce("robot", *(eprint(n, MONDAY + 10 * n * DAY) for n in range(1, 9)))
    await small.cycle(MONDAY + 90 * DAY)
    assert sorted(small.titles(ADA)[-1]) == list(range(1, 9))


# -- many keywords in one request


async def test_no_match_at_all_for_many_keywords_that_had_some_is_not_believed(
    world: SourcesWorld,
) -> None:
    names = [f"word{number}" for number in range(40)]
    world.readers = [reader(ADA, *names)]
    world.sky.announce(
        MONDAY, *(eprint(n, MONDAY - DAY, abstract=f"On word{n}.") for n in range(1, 40, 7))
    )
    await world.cycle(MONDAY)
    world.relay.taken.clear()
    held = world.sky.papers
    world.sky.papers = {}
    world.sky.standin.serve([])
    summary = await world.cycle(TUESDAY, sources=Sources(world.sources.arxiv))
    assert {record.status for record in summary.keywords} == {"failed"}
    world.sky.papers = held
    world.sky.announce(TUESDAY, eprint(50, TUESDAY - DAY, abstract="On word3."))
    await world.cycle(TUESDAY + HOUR, sources=Sources(world.sources.arxiv))
    assert world.titles(ADA) == [[50]]
