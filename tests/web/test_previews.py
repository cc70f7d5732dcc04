"""What people are shown of keywords that are not theirs yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.keywords.categories import CATEGORIES
from digest.rules.calendar import served_between
from digest.rules.plan import feed_day
from digest.run.fetch import Sources
from digest.store.previews import ASKED_A_DAY, KEPT
from digest.web.questions import FROM_ONE_PLACE
from tests.world.web_side import WebSide, web_side
from tests.world.worlds import DAY, HOUR, eprint

SHELF = "+".join(sorted(CATEGORIES))


@pytest.fixture
async def side(tmp_path: Path) -> Iterator[WebSide]:  # type: ignore[misc]
    with web_side(tmp_path) as side:
        side.arxiv.announce("Reasoning", eprint(1, side.now - HOUR, title="On reasoning"))
        await run(side)
        yield side


async def run(side: WebSide) -> None:
    sources = Sources(side.arxiv, previews=True)
    await side.cycle(side.now + HOUR, sender=side.sender, sources=sources)


async def shown(side: WebSide, *keywords: str, client: str = "198.51.100.7") -> str:
    """What the page says of some keywords."""
    form = {"keywords": "\n".join(keywords), "button": "show"}
    answer = await side.ask("/signup", form, client)
    assert answer.status_code == 200
    found = re.search(r'<ul class="counts">.*?</ul>', answer.text, re.DOTALL)
    return " ".join(re.sub("<[^>]*>", " ", found[0]).split()) if found else ""


async def test_arxiv_is_asked_for_what_no_reader_has_and_the_page_says_when(side: WebSide) -> None:
    side.arxiv.announce("Quantum", eprint(7, side.now - DAY, title="Of a quantum"))
    said = await shown(side, "all:quantum")
    assert "all:quantum : no paper so far" in said
    assert "arXiv is not asked yet: the next run does that, so look again after" in said
    await run(side)
    side.now += HOUR
    said = await shown(side, "all:quantum")
    assert "all:quantum : 1 paper By arXiv&#39;s own answer of" in said
    assert "Of a quantum" in said
    assert side.value("SELECT COUNT(*) FROM query WHERE text = 'all:quantum'") == 0
    assert (await side.ask("/search.html?q=quantum")).text.count("Of a quantum") == 0
    kept = side.database.rows("SELECT * FROM question")
    assert "198.51.100" not in str(kept), "nothing tells who asked"


async def test_the_page_does_not_tell_which_keywords_readers_have(side: WebSide) -> None:
    known, unknown = await shown(side, "ti:reasoning"), await shown(side, "ti:else")
    assert "at least 1 paper " in known
    assert "On reasoning" in known, "it is on record"
    told = [said.partition("arXiv")[2].partition(" UTC.")[0] for said in (known, unknown)]
    assert told[0] == told[1] != ""


async def test_few_questions_come_from_one_network_and_say_so(side: WebSide) -> None:
    for number in range(FROM_ONE_PLACE):
        await shown(side, f"all:word{number}")
    assert "arXiv is asked no more for previews today" in await shown(side, "all:more")
    assert "not asked yet" in await shown(side, "all:word0")
    assert "not asked yet" in await shown(side, "all:more", client="203.0.113.9")
    assert "not asked yet" not in await shown(side, "all:again")
    side.now += DAY
    assert "not asked yet" in await shown(side, "all:again")


async def test_with_announcements_kept_whole_all_are_counted_and_nothing_is_asked(
    side: WebSide,
) -> None:
    days = [feed_day(each) for each in served_between(side.now - KEPT, side.now)]
    for number, day in enumerate(days, 20):
        papers = [eprint(number, side.now - 2 * DAY, title=f"Quantum {number}"), eprint(50)]
        side.store.previews.keep(day, {SHELF: papers})
    side.now += HOUR
    said = await shown(side, "ti:quantum")
    assert f"ti:quantum : {len(days)} papers Of {len(days) + 1} papers announced" in said
    assert side.value("SELECT COUNT(*) FROM question") == 0
    side.store.previews.keep(days[1], {SHELF: []})
    side.database.write("DELETE FROM announced WHERE day = ?", [days[1]])
    side.now += HOUR
    said = await shown(side, "ti:quantum")
    assert f"at least {len(days) - 1} papers" in said
    assert "arXiv is not asked yet" in said


async def test_feeds_of_some_categories_tell_of_keywords_in_these_alone(side: WebSide) -> None:
    for each in served_between(side.now - KEPT, side.now):
        side.store.previews.keep(feed_day(each), {"cs.LG": [eprint(20)], "cs.CL": []})
    side.now += HOUR
    said = await shown(side, "cat:cs.LG", "cat:cs.RO")
    assert "papers announced in cs.CL and cs.LG." in said.partition("cat:cs.RO")[0]
    assert "not asked yet" in said.partition("cat:cs.RO")[2]


@pytest.mark.heavy
async def test_keywords_without_end_from_everywhere_are_all_answered_and_few_are_kept(
    side: WebSide,
) -> None:
    for number in range(300):
        client = f"10.{number // 250}.{number % 250}.1"
        said = await shown(side, *(f"all:word{number}x{each}" for each in range(20)), client=client)
        assert said.count("Of the papers on record here") == 20
    assert side.value("SELECT COUNT(*) FROM question") == ASKED_A_DAY
    side.arxiv.announce("Reasoning", eprint(2, side.now))
    side.now += 22 * HOUR
    before = len(side.arxiv.asked)
    await run(side)
    asked = [query for query, _ in side.arxiv.asked[before:]]
    assert asked.index("all:reasoning") < min(map(asked.index, filter(_is_question, asked)))
    assert len(list(filter(_is_question, asked))) == ASKED_A_DAY
    assert side.titles("ada@example.org")[-1] == [2]


def _is_question(asked: str) -> bool:
    return asked.startswith("all:word")
