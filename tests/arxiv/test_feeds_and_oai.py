"""Feeds and OAI through real HTTP: ETags, full and stale feeds, lists page by page, and the pace
over all services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from digest.arxiv.api import ArxivClient
from digest.arxiv.feeds import FullFeedError, StaleFeedError
from digest.arxiv.feeds_and_oai import FeedClient, OaiClient
from digest.arxiv.line import Line
from digest.arxiv.oai import TokenExpiredError
from digest.demo.papers import World
from digest.errors import ArxivError
from tests.world.standin import ScriptedAnswer, Standin

NOW = datetime(2026, 11, 6, 6, 30, tzinfo=UTC)
TODAY, TOMORROW = date(2026, 11, 6), date(2026, 11, 9)
PAPERS = World(21).papers(30, NOW - timedelta(days=3), NOW)
LATER = World(22).papers(30, NOW, NOW + timedelta(days=3))


class Slept(list[float]):
    """Remembers every wait, and waits for none."""

    now = 0.0

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        self.now += seconds


@pytest.fixture
def arxiv() -> Iterator[Standin]:
    with Standin(PAPERS) as standin:
        standin.announcing.announce(TODAY, PAPERS)
        yield standin


@pytest.fixture
def slept() -> Slept:
    return Slept()


@pytest.fixture
async def line(slept: Slept) -> AsyncIterator[Line]:
    async with Line(delay=3, sleep=slept, monotonic=lambda: slept.now, jitter=lambda: 0) as made:
        yield made


@pytest.fixture
def feeds(arxiv: Standin, line: Line) -> FeedClient:
    return FeedClient(line, arxiv.feeds_url)


@pytest.fixture
def oai(arxiv: Standin, line: Line) -> OaiClient:
    return OaiClient(line, arxiv.oai_url)


async def harvested(oai: OaiClient, since: date = TODAY, name: str = "") -> list[str]:
    return [record.paper.id async for page in oai.harvest(since, name) for record in page.records]


async def test_a_feed_and_its_tag(arxiv: Standin, feeds: FeedClient) -> None:
    served = await feeds.fetch(["cs.LG"], TODAY)
    assert {paper.id for paper in served.feed.papers} == {
        p.id for p in PAPERS if "cs.LG" in p.categories
    }
    assert len(served.etag) == 64
    assert arxiv.requests[0].path == "/atom/cs.LG"
    assert "if-none-match" not in arxiv.requests[0].headers


async def test_archives_and_categories_on_one_feed(arxiv: Standin, feeds: FeedClient) -> None:
    served = await feeds.fetch(["cs.LG", "stat"], TODAY)
    assert served.feed.names == {"cs.lg", "stat"}
    served = await feeds.fetch(["cs"], TODAY)
    assert {paper.id for paper in served.feed.papers} == {p.id for p in PAPERS}


async def test_an_unchanged_feed_is_stale_without_a_body(arxiv: Standin, feeds: FeedClient) -> None:
    served = await feeds.fetch(["cs"], TODAY)
    with pytest.raises(StaleFeedError, match="before 2026-11-09's"):
        await feeds.fetch(["cs"], TOMORROW, etag=served.etag, before=served.feed.keys)
    assert arxiv.requests[1].headers["if-none-match"] == served.etag
    assert len(arxiv.requests) == 2
    arxiv.announcing.announce(TOMORROW, LATER)
    again = await feeds.fetch(["cs"], TOMORROW, etag=served.etag, before=served.feed.keys)
    assert {paper.id for paper in again.feed.papers} == {p.id for p in LATER}


async def test_a_stale_feed_of_a_fresh_date_is_noticed(arxiv: Standin, feeds: FeedClient) -> None:
    served = await feeds.fetch(["cs"], TODAY)
    arxiv.announcing.announce(TOMORROW, PAPERS)
    with pytest.raises(StaleFeedError):
        await feeds.fetch(["cs"], TOMORROW, etag=served.etag, before=served.feed.keys)


async def test_a_full_feed_is_not_asked_for_again(
    arxiv: Standin, feeds: FeedClient, slept: Slept
) -> None:
    many = [*World(1).papers(1990, NOW - timedelta(days=9), NOW), *PAPERS]
    arxiv.announcing.announce(TODAY, many)
    with pytest.raises(FullFeedError):
        await feeds.fetch(["cs"], TODAY)
    assert len(arxiv.requests) == 1


async def test_an_unknown_category_is_a_refusal_in_arxivs_words(
    arxiv: Standin, feeds: FeedClient
) -> None:
    with pytest.raises(ArxivError, match="Bad archive 'nonsense'") as caught:
        await feeds.fetch(["nonsense"], TODAY)
    assert not caught.value.transient
    assert len(arxiv.requests) == 1


async def test_half_a_feed_is_asked_for_again(arxiv: Standin, feeds: FeedClient) -> None:
    arxiv.script(
        ScriptedAnswer(cut_after=3000),
        ScriptedAnswer(503, b"", {"retry-after": "40"}),
        ScriptedAnswer(body=b"Rate exceeded."),
    )
    with pytest.raises(ArxivError, match="slow down") as caught:
        await feeds.fetch(["cs"], TODAY)
    assert caught.value.throttled
    assert len((await feeds.fetch(["cs"], TODAY)).feed.papers) == len(PAPERS)


async def test_all_pages_of_a_list_come(arxiv: Standin, oai: OaiClient) -> None:
    arxiv.announcing.page = 8
    assert sorted(await harvested(oai)) == sorted(p.id for p in PAPERS)
    assert len(arxiv.requests) == 4
    first, second = arxiv.requests[0].params, arxiv.requests[1].params
    assert first == {"verb": "ListRecords", "metadataPrefix": "arXivRaw", "from": "2026-11-06"}
    assert set(second) == {"verb", "resumptionToken"}


async def test_a_set_and_an_empty_day(arxiv: Standin, oai: OaiClient) -> None:
    assert sorted(await harvested(oai, name="stat")) == sorted(
        p.id for p in PAPERS if any(c.startswith("stat.") for c in p.categories)
    )
    assert await harvested(oai, since=TOMORROW) == []


async def test_a_token_that_ended_begins_the_list_anew_once(arxiv: Standin, oai: OaiClient) -> None:
    arxiv.announcing.page = 8
    over = b'<error code="badResumptionToken">expired</error></OAI-PMH>'
    body = b'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">' + over
    ended = iter([True])
    arxiv.on_request = lambda asked: (
        ScriptedAnswer(body=body)
        if "resumptionToken" in asked.params and next(ended, False)
        else None
    )
    assert set(await harvested(oai)) == {p.id for p in PAPERS}
    arxiv.on_request = lambda asked: (
        ScriptedAnswer(body=body) if "resumptionToken" in asked.params else None
    )
    with pytest.raises(TokenExpiredError):
        await harvested(oai)


async def test_arxivs_wish_to_wait_is_granted(arxiv: Standin, oai: OaiClient, slept: Slept) -> None:
    arxiv.script(ScriptedAnswer(503, b"", {"retry-after": "90"}))
    assert len(await harvested(oai)) == len(PAPERS)
    assert 90 in slept


async def test_three_seconds_lie_between_requests_over_all_services(
    arxiv: Standin, line: Line, feeds: FeedClient, oai: OaiClient, slept: Slept
) -> None:
    async with ArxivClient(arxiv.url, line=line) as api:
        await feeds.fetch(["cs"], TODAY)
        await harvested(oai)
        papers = await api.by_ids([p.id for p in PAPERS])
    assert len(papers) == len(PAPERS)
    assert slept == [3, 3]
    assert len({asked.port for asked in arxiv.requests}) == 1


async def test_ids_that_the_index_lacks_are_left_out(arxiv: Standin, line: Line) -> None:
    async with ArxivClient(arxiv.url, line=line) as api:
        assert await api.by_ids([PAPERS[0].id, "2611.99999"]) == (PAPERS[0],)
        arxiv.script(ScriptedAnswer(body=b""), ScriptedAnswer(429, b"Rate exceeded."))
        with pytest.raises(ArxivError, match="slow down"):
            await api.by_ids([PAPERS[0].id], attempts=2)
    assert arxiv.requests[0].params["id_list"] == f"{PAPERS[0].id},2611.99999"
