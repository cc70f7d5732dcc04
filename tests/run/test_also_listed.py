"""Papers that arXiv's search lists and that do not match by Digest's reading: told apart where that
reading agrees with the keyword's record, and never dropped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from digest.keywords.asked import asked_text
from digest.keywords.grammar import make_keyword
from digest.model import Abstracts, Paper
from digest.rules.compose import ALSO_LISTED
from tests.world.asking import run_main
from tests.world.skies import ADA, MONDAY, Sky, SourcesWorld, about, under
from tests.world.standin import Standin
from tests.world.worlds import DAY, eprint, reader, text

KEYWORD = make_keyword("graph kernels")
OTHER = make_keyword("abs:kernel*")


class Loose(SourcesWorld):
    """A world whose arXiv takes the phrase for words anywhere from some day on."""

    rows: list[Paper]

    def begin(self, record: int, *, unmatched: int = 0) -> None:
        """So many papers are on record, of which some do not match."""
        self.readers = [replace(reader(ADA), keywords=(KEYWORD,))]
        words = ["kernels of a graph"] * unmatched + ["graph kernel"] * (record - unmatched)
        self.rows = [
            eprint(500 + n, MONDAY - DAY * 2 - n * DAY / 4, abstract=f"On a {each}.")
            for n, each in enumerate(words)
        ]

    async def day(self, now: datetime, *papers: Paper) -> list[str]:
        """A morning on which these papers are new; the text of the mail."""
        self.relay.taken.clear()
        self.rows = sorted([*papers, *self.rows], key=lambda paper: paper.updated, reverse=True)
        self.sky.standin.serve_windows({asked_text(KEYWORD.query): self.rows})
        await self.cycle(now, source="api")
        return [text(mail) for mail in self.mails(ADA)]


@asynccontextmanager
async def loose(path: Path, record: int, *, unmatched: int = 0) -> AsyncIterator[Loose]:
    with Standin() as standin:
        async with under(Sky(standin), path) as world:
            world.__class__ = Loose
            assert isinstance(world, Loose)
            world.begin(record, unmatched=unmatched)
            await world.day(MONDAY)
            yield world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Loose]:
    async with loose(tmp_path / "digest.db", 40) as made:
        yield made


async def test_what_only_arxiv_lists_stands_as_a_title_line_under_a_heading_of_its_own(
    world: Loose,
) -> None:
    tuesday = MONDAY + DAY
    (mail,) = await world.day(
        tuesday,
        about(1, "graph kernel", tuesday),
        about(2, "kernel for the nodes of a graph", tuesday),
    )
    own, _, besides = mail.partition(f"{ALSO_LISTED} (1 paper)")
    assert "On a graph kernel, and more." in own
    assert "2611.00001" in own
    assert "2611.00002" not in own
    assert "2611.00002" in besides
    assert "kernel for the nodes" not in besides, "a title line has no abstract"
    assert "By this program's own reading these do not match." in besides
    message = world.mails(ADA)[0]
    assert "1 new paper, 1 paper also listed" in message["Subject"]
    html = message.get_body(("html",))
    assert html is not None
    own, _, besides = html.get_content().partition("search also lists")
    assert "kernel for the nodes" not in besides
    assert "2611.00002" in besides
    assert "2611.00002" not in own
    assert await world.day(tuesday + DAY) == [], "once"


@pytest.mark.heavy
async def test_three_weeks_of_ignored_quotes_lose_nothing_and_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with loose(tmp_path / "digest.db", 40) as world:
        for n in range(1, 22):
            now = MONDAY + n * DAY
            mails = await world.day(
                now,
                about(3 * n, "graph kernel", now),
                about(3 * n + 1, "kernel for a graph", now),
                about(3 * n + 2, "kernel, and a graph", now),
            )
            for mail in mails:
                own, _, besides = mail.partition(ALSO_LISTED)
                assert own.count("On a graph kernel") >= 1
                assert "On a kernel" not in mail
                assert besides.count("https://arxiv.org/abs/") >= 2
        listed = world.value("SELECT COUNT(*) FROM seen WHERE listed")
        carried = world.value("SELECT COUNT(DISTINCT paper) FROM content_paper")
        assert (listed, carried) == (
            42,
            world.value("SELECT COUNT(*) FROM seen WHERE run > 1") + 20,
        )
    (tmp_path / "subscribers.yaml").write_text(
        f"subscribers: [{{email: {ADA}, keywords: [graph kernels]}}]\n", encoding="utf-8"
    )
    options = ["--home", str(tmp_path), "--now", now.isoformat()]
    told = run_main(["status", *options], capsys)
    assert "arXiv's search also lists 42 papers since Tue 2026-11-10" in told.out
    told = run_main(["status", "--json", *options], capsys)
    assert told.json()["keywords"][0]["also_listed"] == {
        "papers": 42,
        "since": "2026-11-10T07:00:00Z",
    }
    why = run_main(["why", ADA, "2611.00004", *options], capsys)
    assert f"under “{ALSO_LISTED}”: by this program's own reading it does not match" in why.out


@pytest.mark.parametrize(("record", "unmatched"), [(19, 0), (40, 2)])
async def test_a_query_that_this_reading_cannot_judge_is_left_out(
    tmp_path: Path, record: int, unmatched: int
) -> None:
    async with loose(tmp_path / "digest.db", record, unmatched=unmatched) as world:
        tuesday = MONDAY + DAY
        (mail,) = await world.day(tuesday, about(2, "kernel for a graph", tuesday))
        assert ALSO_LISTED not in mail
        assert "On a kernel for a graph" in mail


async def test_a_paper_that_another_keyword_matches_stands_under_that_one(world: Loose) -> None:
    world.readers = [replace(reader(ADA), keywords=(KEYWORD, OTHER), abstracts=Abstracts.NONE)]
    world.sky.standin.serve(())
    tuesday = MONDAY + DAY
    both = about(2, "kernel for a graph", tuesday)
    world.rows.append(both)
    windows = {asked_text(KEYWORD.query): world.rows, asked_text(OTHER.query): world.rows}
    for now in (tuesday, tuesday + DAY):
        world.relay.taken.clear()
        late = about(3, "kernel for a graph", now)
        rows = sorted([late, *world.rows], key=lambda paper: paper.updated, reverse=True)
        world.sky.standin.serve_windows(dict.fromkeys(windows, rows))
        await world.cycle(now, source="api")
    assert all(ALSO_LISTED not in text(mail) for mail in world.mails(ADA))
    assert world.value("SELECT COUNT(*) FROM seen WHERE listed") > 0
