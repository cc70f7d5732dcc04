"""An arXiv for tests that announces evening by evening, on all its services or on some, and a world
under it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from digest.arxiv.api import ArxivClient
from digest.arxiv.feeds_and_oai import FeedClient, OaiClient
from digest.model import Paper
from digest.rules.calendar import Announcement, last_served, submitted_by
from digest.rules.plan import AUTO, feed_day
from digest.run.cycle import Summary
from digest.run.fetch import Sources
from tests.world.standin import Request, ScriptedAnswer, Standin
from tests.world.worlds import DAY, World, eprint, reader

MONDAY = datetime(2026, 11, 9, 7, 0, tzinfo=UTC)
TUESDAY, SATURDAY = MONDAY + DAY, MONDAY + 5 * DAY
ADA = "ada@example.org"


class Sky:
    """An arXiv that announces evening by evening, on all its services or on some."""

    def __init__(self, standin: Standin) -> None:
        self.standin = standin
        self.papers: dict[str, Paper] = {}

    def announce(
        self,
        now: datetime,
        *papers: Paper,
        index: bool = True,
        feeds: bool = True,
        oai: bool = True,
    ) -> Announcement:
        """Announce papers with the announcement that is served at `now`."""
        announcement = last_served(now)
        day = feed_day(announcement)
        new = [paper for paper in papers if paper.version == 1]
        replaced = [paper for paper in papers if paper.version > 1]
        if feeds:
            self.standin.announcing.announce(day, new, replaced)
        if oai:
            self.standin.announcing.change(day, *papers)
        if index:
            self.papers |= {paper.id: paper for paper in papers}
            self.standin.serve(self.papers.values())
        return announcement

    def asked(self, service: str = "") -> list[Request]:
        """The requests so far, to one service or to all."""
        return [asked for asked in self.standin.requests if service in asked.path]

    def forget(self) -> None:
        """Count requests anew."""
        self.standin.requests.clear()

    def down(self, *services: str) -> None:
        """Let some services be out of order, and the others work."""
        self.standin.on_request = lambda asked: (
            ScriptedAnswer(503, b"") if any(service in asked.path for service in services) else None
        )


class SourcesWorld(World):
    """A world whose arXiv is the stand-in."""

    def __init__(self, path: Path, sky: Sky, client: ArxivClient) -> None:
        super().__init__(path)
        self.sky = sky
        self.now = MONDAY
        self.sources = Sources(
            client,
            FeedClient(client.line, sky.standin.feeds_url),
            OaiClient(client.line, sky.standin.oai_url),
        )

    async def cycle(  # type: ignore[override]
        self, at: datetime | None = None, source: str = AUTO, **changes: Any
    ) -> Summary:
        """One cycle; `source` is asked first."""
        sources = replace(self.sources, choice=source)
        return await super().cycle(at, **{"sources": sources, **changes})


@asynccontextmanager
async def under(sky: Sky, path: Path) -> AsyncIterator[SourcesWorld]:
    """A world under a sky, in which Ada reads of robots and graphs, and nobody waits."""

    async def no_sleep(_seconds: float) -> None:
        return None

    async with ArxivClient(sky.standin.url, delay=0, sleep=no_sleep) as client:
        world = SourcesWorld(path, sky, client)
        world.readers = [reader(ADA, "robot", "graph")]
        yield world
        world.close()


@asynccontextmanager
async def sources_world(path: Path) -> AsyncIterator[SourcesWorld]:
    """A world under a sky of its own, with a stand-in of arXiv that ends with it."""
    with Standin() as standin:
        async with under(Sky(standin), path) as world:
            yield world


def about(number: int, word: str, at: datetime, **changes: Any) -> Paper:
    """A paper with a word in its abstract, submitted before the announcement that is served at
    `at`."""
    submitted = submitted_by(last_served(at)) - timedelta(hours=3)
    return eprint(number, submitted, abstract=f"On a {word}, and more.", **changes)


async def settled(world: SourcesWorld, source: str, first: int = 1) -> None:
    """A first run on Monday with a paper, after which Ada has had her welcome."""
    world.sky.announce(MONDAY, about(first, "robot", MONDAY))
    await world.cycle(MONDAY, source=source)
    assert world.titles(ADA) == [[first]]
    world.relay.taken.clear()
    world.sky.forget()


def whys(summary: Summary) -> str:
    return " | ".join(record.why for record in summary.keywords)
