"""Cycles against the stand-in's API, feeds and OAI through real HTTP: few requests, no gap, nothing
lost or doubled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from digest.keywords.grammar import make_keyword
from digest.model import Paper
from digest.rules.calendar import last_served, served_between
from digest.rules.plan import feed_day
from digest.run.fetch import Sources
from digest.times import to_text
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
from tests.world.standin import ScriptedAnswer
from tests.world.worlds import DAY, HOUR, eprint, keyword, reader

CATEGORIES = "cs.AI cs.CL cs.CV cs.LG cs.RO eess.AS math.OC physics.optics q-bio.NC stat.ML".split()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SourcesWorld]:
    async with sources_world(tmp_path / "digest.db") as made:
        yield made


# -- feeds


async def test_the_feeds_bring_what_was_announced_with_dates_and_comments_from_the_api(
    world: SourcesWorld,
) -> None:
    await settled(world, "feeds")
    late = about(3, "robot", TUESDAY - 20 * DAY, comment="Held for weeks")
    world.sky.announce(TUESDAY, about(2, "robot", TUESDAY), late, about(4, "nothing", TUESDAY))
    summary = await world.cycle(TUESDAY, source="feeds")
    assert sorted(world.titles(ADA)[0]) == [2, 3]
    assert [(k.new, k.late, k.status) for k in summary.keywords] == [(1, 1, "ok"), (0, 0, "ok")]
    assert world.value("SELECT comment FROM paper WHERE id = '2611.00003'") == "Held for weeks"
    assert len(world.sky.asked("/api")) == 1
    assert sum(k.requests for k in summary.keywords) == len(world.sky.asked())


async def test_a_feed_is_read_once_a_day(world: SourcesWorld) -> None:
    await settled(world, "feeds")
    world.sky.announce(TUESDAY, about(2, "robot", TUESDAY))
    await world.cycle(TUESDAY, source="feeds")
    world.sky.forget()
    summary = await world.cycle(TUESDAY + 5 * HOUR, source="feeds")
    assert world.sky.asked() == []
    assert all(k.status == "skipped" for k in summary.keywords)


@pytest.mark.parametrize("fresh_date", [False, True])
async def test_a_stale_feed_is_noticed_and_the_api_stands_in(
    world: SourcesWorld, fresh_date: bool
) -> None:
    await settled(world, "feeds")
    world.sky.announce(TUESDAY, about(2, "robot", TUESDAY))
    await world.cycle(TUESDAY, source="feeds")
    wednesday = TUESDAY + DAY
    world.sky.announce(wednesday, about(3, "robot", wednesday), feeds=False)
    if fresh_date:
        world.sky.standin.announcing.announce(
            feed_day(last_served(wednesday)), [about(2, "robot", TUESDAY)]
        )
    summary = await world.cycle(wednesday, source="feeds")
    assert world.titles(ADA) == [[2], [3]]
    assert [k.status for k in summary.keywords] == ["ok", "ok"]
    troubles = [state.trouble for state in world.store.sources.feeds().values()]
    assert any("stale" in trouble or "not of" in trouble for trouble in troubles)
    assert len(world.sky.asked("/atom/cs.AI")) == 2


async def test_papers_that_the_index_does_not_have_yet_come_all_the_same_and_are_completed_later(
    world: SourcesWorld,
) -> None:
    await settled(world, "feeds")
    paper = about(2, "robot", TUESDAY, comment="12 pages")
    world.sky.announce(TUESDAY, paper, index=False)
    await world.cycle(TUESDAY, source="feeds")
    assert world.titles(ADA) == [[2]]
    assert world.value("SELECT approximate FROM paper WHERE id = ?", paper.id) == 1
    assert world.store.sources.lacks(MONDAY) == {"api": [paper.id]}
    wednesday = TUESDAY + DAY
    world.sky.announce(wednesday, about(3, "robot", wednesday), paper, feeds=False)
    world.sky.standin.announcing.announce(
        feed_day(last_served(wednesday)), [about(3, "robot", wednesday)]
    )
    await world.cycle(wednesday, source="feeds")
    assert world.titles(ADA) == [[2], [3]]
    held = world.store.sources.papers([paper.id])[paper.id]
    assert held == paper


async def test_a_withdrawal_that_only_the_comment_tells_is_noted_when_the_api_tells_it(
    world: SourcesWorld,
) -> None:
    await settled(world, "feeds")
    gone = about(
        1,
        "robot",
        MONDAY,
        version=2,
        updated=TUESDAY - 20 * HOUR,
        comment="This paper has been withdrawn",
    )
    world.sky.announce(TUESDAY, gone, about(2, "robot", TUESDAY), index=False)
    await world.cycle(TUESDAY, source="feeds")
    assert world.value("SELECT version, withdrawn FROM paper WHERE id = ?", gone.id) == 2
    wednesday = TUESDAY + DAY
    world.sky.announce(wednesday, gone, about(2, "robot", TUESDAY), feeds=False)
    world.sky.announce(wednesday, about(3, "robot", wednesday))
    await world.cycle(wednesday, source="feeds")
    assert world.value("SELECT withdrawn FROM paper WHERE id = ?", gone.id) == 2
    assert "withdrawn" in world.value("SELECT changed FROM revision WHERE paper = ?", gone.id)
    assert world.value("SELECT published FROM paper WHERE id = ?", gone.id) == to_text(
        gone.published
    )


async def test_while_the_api_is_away_the_feeds_still_bring_papers(world: SourcesWorld) -> None:
    await settled(world, "feeds")
    world.sky.announce(TUESDAY, about(2, "robot", TUESDAY))
    world.sky.down("/api")
    summary = await world.cycle(TUESDAY, source="feeds")
    assert world.titles(ADA) == [[2]]
    assert [k.status for k in summary.keywords] == ["ok", "ok"]


async def test_empty_feeds_after_an_announcement_are_not_believed(world: SourcesWorld) -> None:
    await settled(world, "feeds")
    world.sky.announce(TUESDAY, about(2, "robot", TUESDAY))
    world.sky.standin.announcing.announce(feed_day(last_served(TUESDAY)))
    summary = await world.cycle(TUESDAY, source="feeds")
    assert world.titles(ADA) == [[2]]
    assert all(k.status == "ok" for k in summary.keywords)


async def test_a_full_feed_is_read_in_halves(
    world: SourcesWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.arxiv.feeds.LIMIT", 20)
    monkeypatch.setattr("tests.world.announcements.LIMIT", 20)
    await settled(world, "feeds")
    many = [
        eprint(100 + n, TUESDAY - DAY, version=2, categories=("cs.AI" if n % 2 else "cs.CL",))
        for n in range(30)
    ]
    world.sky.announce(TUESDAY, about(2, "robot", TUESDAY, categories=("cs.CL",)), *many)
    await world.cycle(TUESDAY, source="feeds")
    assert world.titles(ADA) == [[2]]
    assert [asked.path for asked in world.sky.asked("/atom")][:3] == [
        "/atom/cs.AI+cs.CL",
        "/atom/cs.AI",
        "/atom/cs.CL",
    ]


async def test_words_in_comments_are_found_although_feeds_have_none(world: SourcesWorld) -> None:
    world.readers = [replace(reader(ADA), keywords=(keyword("accepted", "co:accepted"),))]
    await world.cycle(MONDAY, source="feeds")
    world.relay.taken.clear()
    paper = about(2, "thing", TUESDAY, comment="Accepted at a workshop")
    world.sky.announce(TUESDAY, paper, about(3, "thing", TUESDAY))
    await world.cycle(TUESDAY, source="feeds")
    assert world.titles(ADA) == [[2]]
    assert world.sky.asked("/atom")


# -- the number of requests


@pytest.mark.heavy
async def test_a_thousand_keywords_over_ten_categories_need_at_most_25_requests_a_day(
    world: SourcesWorld,
) -> None:
    words = [f"word{number}" for number in range(1000)]
    wanted = tuple(
        keyword(w, make_keyword(w, f'(ti:"{w}" OR abs:"{w}") AND cat:{CATEGORIES[n % 10]}').query)
        for n, w in enumerate(words)
    )
    world.readers = [replace(reader(ADA), keywords=wanted)]
    world.sky.announce(
        MONDAY, eprint(1, MONDAY - DAY, abstract="On word7.", categories=("eess.AS",))
    )
    first = await world.cycle(MONDAY)
    assert all(k.status == "ok" for k in first.keywords)
    assert len(world.sky.asked()) <= 50
    world.sky.forget()
    world.sky.announce(
        TUESDAY,
        *(
            eprint(
                100 + n,
                TUESDAY - DAY,
                abstract=f"On word{n}.",
                categories=(CATEGORIES[n % 10], "cs.LG"),
            )
            for n in range(900)
        ),
    )
    summary = await world.cycle(TUESDAY)
    requests = len(world.sky.asked())
    assert sum(k.new for k in summary.keywords) == 900
    assert requests <= 25
    assert requests == sum(k.requests for k in summary.keywords)
    assert len(world.sky.asked("/atom")) == 10


async def test_keywords_for_all_of_arxiv_need_ten_feeds(world: SourcesWorld) -> None:
    await settled(world, "feeds")
    world.sky.announce(TUESDAY, about(2, "robot", TUESDAY, categories=("astro-ph.CO",)))
    await world.cycle(TUESDAY, source="feeds")
    assert len(world.sky.asked("/atom")) == 10
    assert world.titles(ADA) == [[2]]


async def test_many_keywords_are_asked_of_the_api_together(world: SourcesWorld) -> None:
    names = [f"word{number}" for number in range(50)]
    world.readers = [reader(ADA, *names)]
    world.sky.announce(
        MONDAY, *(eprint(n, MONDAY - DAY, abstract=f"On word{n}.") for n in range(1, 50, 7))
    )
    summary = await world.cycle(MONDAY)
    assert [k.fetched for k in summary.keywords] == [int(n % 7 == 1) for n in range(50)]
    assert len(world.sky.asked()) == 1
    assert sum(k.requests for k in summary.keywords) == 1


async def test_a_row_that_is_no_paper_withholds_none_of_many_keywords_and_is_named_once(
    world: SourcesWorld,
) -> None:
    names = [f"word{number}" for number in range(50)]
    world.readers = [reader(ADA, *names)]
    papers = [eprint(n, MONDAY - DAY, abstract=f"On word{n}.") for n in range(1, 50, 7)]
    odd = replace(papers[3], authors=())
    world.sky.announce(MONDAY, *(odd if p is papers[3] else p for p in papers))
    summary = await world.cycle(MONDAY)
    assert sum(k.new for k in summary.keywords) == 6
    named = [k.why for k in summary.keywords if "asked for again" in k.why]
    assert [f"{odd.id} has no author" in why for why in named] == [True]
    world.sky.announce(TUESDAY, papers[3])
    await world.cycle(TUESDAY)
    assert world.titles(ADA)[-1] == [22]


async def test_few_keywords_are_asked_one_by_one(world: SourcesWorld) -> None:
    await settled(world, "auto")
    await world.cycle(TUESDAY)
    assert len(world.sky.asked()) == 2
    assert len(world.sky.asked("/api")) == 2


@pytest.mark.parametrize(("keywords", "requests"), [(20, 20), (21, 1)])
async def test_up_to_twenty_keywords_are_asked_one_by_one(
    world: SourcesWorld, keywords: int, requests: int
) -> None:
    world.readers = [reader(ADA, *(f"word{number}" for number in range(keywords)))]
    world.sky.announce(MONDAY)
    await world.cycle(MONDAY)
    assert len(world.sky.asked("/api")) == requests


async def test_a_query_that_arxiv_refuses_spoils_no_other_in_its_batch(world: SourcesWorld) -> None:
    names = [f"word{number}" for number in range(40)]
    world.readers = [reader(ADA, *names)]
    world.sky.announce(MONDAY, eprint(1, MONDAY - DAY, abstract="On word3."))
    refused = ScriptedAnswer(400, b"<html>bad query</html>")
    world.sky.standin.on_query = lambda params: (
        refused if "word17" in params["search_query"] else None
    )
    summary = await world.cycle(MONDAY, sources=Sources(world.sources.arxiv))
    failed = [k.keyword for k in summary.keywords if k.status != "ok"]
    assert failed == ["word17"]
    assert sum(k.new for k in summary.keywords) == 1


async def test_an_answer_for_many_keywords_that_is_out_of_order_holds_them_back_and_ends_no_cycle(
    world: SourcesWorld,
) -> None:
    names = [f"word{number}" for number in range(40)]
    world.readers = [reader(ADA, *names)]
    await world.cycle(MONDAY)
    (asked,) = world.sky.asked()
    papers = [eprint(n, MONDAY + n * HOUR, abstract=f"On word{n}.") for n in range(1, 9)]
    world.sky.standin.serve_windows({asked.params["search_query"]: papers})
    summary = await world.cycle(TUESDAY, sources=Sources(world.sources.arxiv))
    assert {k.status for k in summary.keywords} == {"quarantined"}
    assert sum(k.requests for k in summary.keywords) > 0


async def test_a_paper_that_only_arxivs_reading_matches_is_not_lost(world: SourcesWorld) -> None:
    names = [f"word{number}" for number in range(40)]
    wanted = (*reader(ADA, *names).keywords, keyword("odd", 'ti:"time series"'))
    world.readers = [replace(reader(ADA), keywords=wanted)]
    astray = eprint(5, MONDAY - DAY, title="Series in time")
    await world.cycle(MONDAY)
    world.relay.taken.clear()
    (asked,) = world.sky.asked()
    world.sky.standin.serve_windows({asked.params["search_query"]: [astray]})
    await world.cycle(TUESDAY)
    assert world.titles(ADA) == [[5]]


# -- standing in, and switching


@pytest.mark.parametrize(
    ("source", "away", "served_by"),
    [
        ("api", ("/api",), "from the announcement feeds"),
        ("api", ("/api", "/atom"), "from OAI"),
        ("oai", ("/oai",), ""),
        ("feeds", ("/atom",), ""),
        ("feeds", ("/atom", "/api"), "from OAI"),
    ],
)
async def test_a_source_that_fails_is_replaced(
    world: SourcesWorld, source: str, away: tuple[str, ...], served_by: str
) -> None:
    await settled(world, source)
    world.sky.announce(TUESDAY, about(2, "robot", TUESDAY))
    world.sky.down(*away)
    summary = await world.cycle(TUESDAY, source=source)
    assert world.titles(ADA) == [[2]]
    assert [k.status for k in summary.keywords] == ["ok", "ok"]
    assert served_by in summary.keywords[0].why
    (query,) = world.store.windows.queries(["all:robot"])
    assert (query.failures, query.next_fetch_at) == (0, None)


async def test_when_all_fail_each_ones_reason_is_told_and_the_failure_counts_once(
    world: SourcesWorld,
) -> None:
    await settled(world, "api")
    world.sky.announce(TUESDAY, about(2, "robot", TUESDAY))
    world.sky.down("/")
    summary = await world.cycle(TUESDAY, source="api")
    assert summary.keywords[0].status == "failed"
    assert "the announcement feeds:" in summary.keywords[0].why
    assert "OAI:" in summary.keywords[0].why
    (query,) = world.store.windows.queries(["all:robot"])
    assert query.failures == 1
    world.sky.standin.on_request = None
    await world.cycle(TUESDAY + HOUR, source="api")
    assert world.titles(ADA) == [[2]]


async def test_switching_sources_every_day_loses_and_doubles_nothing(world: SourcesWorld) -> None:
    await settled(world, "api")
    number, moment = 2, MONDAY
    for source in ("feeds", "oai", "api", "oai", "feeds", "api", "feeds"):
        moment += DAY
        while not served_between(moment - DAY, moment):
            moment += DAY
        world.sky.announce(moment, about(number, "robot", moment))
        await world.cycle(moment, source=source)
        assert world.titles(ADA)[-1] == [number], source
        number += 1
    assert world.titles(ADA) == [[n] for n in range(2, number)]


async def test_arxivs_wish_for_a_pause_leaves_the_feeds(world: SourcesWorld) -> None:
    await settled(world, "api")
    world.sky.announce(TUESDAY, about(2, "robot", TUESDAY))
    throttled = ScriptedAnswer(429, b"Rate exceeded.", {"retry-after": "7200"})
    world.sky.standin.on_query = lambda _params: throttled
    summary = await world.cycle(TUESDAY, source="api")
    assert world.titles(ADA) == [[2]]
    assert len(world.sky.asked("/api")) == 1
    assert "slow down" in whys(summary)


async def test_feeds_that_nothing_proves_to_be_new_are_not_enough_where_the_api_can_be_asked(
    world: SourcesWorld,
) -> None:
    await settled(world, "api")
    yesterday = about(2, "robot", TUESDAY)
    world.sky.announce(TUESDAY, yesterday)
    await world.cycle(TUESDAY, source="api")
    wednesday = TUESDAY + DAY
    world.sky.announce(wednesday, about(3, "robot", wednesday), feeds=False)
    world.sky.standin.announcing.announce(feed_day(last_served(wednesday)), [yesterday])
    await world.cycle(wednesday, source="feeds")
    assert world.titles(ADA) == [[2], [3]]


async def test_stand_in_feeds_that_only_repeat_what_is_known_are_not_believed(
    world: SourcesWorld,
) -> None:
    await settled(world, "api")
    yesterday = about(2, "robot", TUESDAY)
    world.sky.announce(TUESDAY, yesterday)
    await world.cycle(TUESDAY, source="api")
    wednesday = TUESDAY + DAY
    world.sky.announce(wednesday, about(3, "robot", wednesday), feeds=False, oai=False)
    world.sky.standin.announcing.announce(feed_day(last_served(wednesday)), [yesterday])
    world.sky.standin.announcing.change(last_served(TUESDAY).evening, yesterday)
    world.sky.down("/api")
    summary = await world.cycle(wednesday, source="api")
    assert [k.status for k in summary.keywords] == ["failed", "failed"]
    assert "nothing proves" in whys(summary)
    world.sky.down()
    await world.cycle(wednesday + HOUR, source="api")
    assert world.titles(ADA) == [[2], [3]]


async def test_oai_that_does_not_hold_the_announcement_yet_is_not_believed(
    world: SourcesWorld,
) -> None:
    await settled(world, "oai")
    world.sky.announce(TUESDAY, about(2, "robot", TUESDAY), feeds=False, oai=False)
    await world.cycle(TUESDAY, source="oai")
    assert world.titles(ADA) == [[2]]
    assert world.sky.asked("/oai")
    assert world.sky.asked("/api")


# -- catching up


@pytest.mark.parametrize("source", ["api", "feeds", "oai"])
async def test_days_off_are_caught_up_in_one_digest(world: SourcesWorld, source: str) -> None:
    await settled(world, source)
    moment, expected = MONDAY, []
    for number in range(2, 12):
        moment += DAY
        if served_between(moment - DAY, moment):
            world.sky.announce(moment, about(number, "robot", moment))
            expected.append(number)
    await world.cycle(moment, source=source)
    assert len(world.mails(ADA)) == 1
    assert sorted(world.titles(ADA)[0]) == expected
    assert len(expected) > 6


async def test_oai_catches_up_where_the_api_is_away(world: SourcesWorld) -> None:
    await settled(world, "api")
    world.sky.standin.announcing.page = 3
    for number in range(2, 5):
        moment = MONDAY + (number - 1) * DAY
        world.sky.announce(
            moment, about(number, "robot", moment), about(number + 50, "thing", moment)
        )
    world.sky.down("/api")
    summary = await world.cycle(MONDAY + 3 * DAY, source="api")
    assert sorted(world.titles(ADA)[0]) == [2, 3, 4]
    assert "from OAI" in whys(summary)
    assert world.sky.asked("/atom") == []


# -- comparing


async def test_once_a_week_the_api_brings_what_the_feeds_lacked(world: SourcesWorld) -> None:
    await settled(world, "feeds")
    world.sky.announce(TUESDAY, about(2, "robot", TUESDAY))
    await world.cycle(TUESDAY, source="feeds")
    lacked = about(3, "robot", TUESDAY)
    world.sky.papers |= {lacked.id: lacked}
    for day in range(2, 5):
        moment = MONDAY + day * DAY
        world.sky.announce(moment, about(10 + day, "robot", moment))
        await world.cycle(moment, source="feeds")
    assert [3] not in world.titles(ADA)
    saturday = SATURDAY + 7 * DAY
    for day in range(7, 12):
        moment = MONDAY + day * DAY
        world.sky.announce(moment, about(20 + day, "robot", moment))
        await world.cycle(moment, source="feeds")
    await world.cycle(saturday, source="feeds")
    assert world.titles(ADA)[-1] == [3]
    assert world.store.sources.lacks(MONDAY)["feeds"] == [lacked.id]


async def test_on_quiet_nights_the_api_is_asked_once_a_week(world: SourcesWorld) -> None:
    await settled(world, "feeds")
    for day in range(1, 14):
        moment = MONDAY + day * DAY
        if served_between(moment - DAY, moment):
            world.sky.announce(moment, about(day + 1, "robot", moment))
        world.sky.forget()
        await world.cycle(moment, source="feeds")
        searches = [asked for asked in world.sky.asked("/api") if "search_query" in asked.params]
        assert len(searches) == (2 if day in (6, 12) else 0), day


# -- by chance


async def _weeks_of_trouble(world: SourcesWorld, seed: int) -> None:
    """Five weeks in which services break, feeds go stale, and the program is off for days: whenever
    a query has a good window, all that was announced for it until then was mailed, and all once.
    Where feeds only stand in, it can take until the chosen source's next good window.
    """
    random = Random(seed)
    source = ("api", "feeds", "oai")[seed % 3]
    await settled(world, "auto")
    sky, number, moment = world.sky, 1, MONDAY
    expected: dict[str, set[int]] = {"robot": set(), "graph": set()}
    before: list[Paper] = [about(1, "robot", MONDAY)]
    for _ in range(35):
        moment += DAY
        if served_between(moment - DAY, moment):
            papers = []
            for _ in range(random.randint(0, 3)):
                number += 1
                word, held = random.choice(("robot", "graph")), random.choice((0, 0, 3)) * DAY
                papers.append(
                    about(number, word, moment - held, categories=(random.choice(CATEGORIES),))
                )
                expected[word].add(number)
            stale = random.random()
            sky.announce(moment, *papers, feeds=stale > 0.3)
            if stale < 0.15:
                sky.standin.announcing.announce(feed_day(last_served(moment)), before)
            before = papers if stale > 0.3 else before
        if random.random() < 0.2:
            continue
        for hours in (0, 1, 5):
            sky.down(*(service for service in ("/api", "/atom", "/oai") if random.random() < 0.3))
            await world.cycle(moment + timedelta(hours=hours), source=source)
        mailed = [n for titles in world.titles(ADA) for n in titles]
        assert len(mailed) == len(set(mailed)), f"seed {seed}, {moment:%a %d}: twice"
        for query in world.store.windows.queries(["all:robot", "all:graph"]):
            sure = query.source != "feeds" or source == "feeds"
            if (
                sure
                and query.last_good_at is not None
                and query.last_good_at >= last_served(moment).served_at
            ):
                missing = expected[query.text.removeprefix("all:")] - set(mailed)
                assert not missing, f"seed {seed}, {moment:%a %d}, {source}: {missing} not mailed"
    assert number > 20


async def test_weeks_of_trouble(world: SourcesWorld) -> None:
    await _weeks_of_trouble(world, seed=1)


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(100, 130))
async def test_many_weeks_of_trouble(world: SourcesWorld, seed: int) -> None:
    await _weeks_of_trouble(world, seed)


async def test_held_papers_and_a_lagging_index_come_in_the_end(world: SourcesWorld) -> None:
    await settled(world, "feeds")
    number = 1
    for day in range(1, 27):
        moment = MONDAY + day * DAY
        if served_between(moment - DAY, moment):
            number += 1
            lags, lacks = day % 4 == 0, day % 5 == 0
            held = about(number, "robot", moment - (day % 3) * 10 * DAY)
            world.sky.announce(moment, held, index=not lags, feeds=not lacks)
            if lags:
                world.sky.papers[held.id] = held
        await world.cycle(moment, source=("feeds", "api")[day % 2])
    mailed = [n for titles in world.titles(ADA) for n in titles]
    assert sorted(mailed) == list(range(2, number + 1))
