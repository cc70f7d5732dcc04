"""The search of the archive: by words, in the keyword language, and by a paper's id."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import replace
from typing import Any

import html5lib
import httpx
import pytest

from digest.setup.settings import survey_settings
from digest.store.search import Search as Index
from digest.web.database_thread import DatabaseThread
from digest.web.pages import Pages
from digest.web.public import Public, PublicFile
from digest.web.search import Search
from tests.web.archive_world import FILE, PUBLIC, RL, SECRET, VISION, Room, papers
from tests.world.worlds import DAY

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may be busy."""
    monkeypatch.setattr("digest.web.search.PATIENCE", 60)


def titles(page: str) -> list[int]:
    """The numbers of the papers on a page, in their order."""
    return [int(found) for found in re.findall(r'<a id="2611\.(\d+)"', page)]


async def search(room: Room, text: str, path: str = "/search.html", **asked: str) -> httpx.Response:
    return await room.client.get(path, params={"q": text} | asked)


async def found(room: Room, text: str, **asked: str) -> list[int]:
    answer = await search(room, text, **asked)
    assert answer.status_code == 200, answer.text
    return titles(answer.text)


async def older(room: Room, page: str) -> httpx.Response | None:
    link = re.search(r'rel="next" href="\./([^"]*)"', page)
    return await room.get(f"/{link[1].replace('&amp;', '&')}") if link else None


async def test_papers_are_found_by_their_words_and_the_words_are_marked(room: Room) -> None:
    page = (await search(room, "ti:title AND 101")).text
    assert titles(page) == [101]
    assert "<em>Title 101</em>" in page or "<em>Title</em> <em>101</em>" in page
    assert '<a class="b" href="./keyword/vision.html">vision</a>' in page
    assert 'value="ti:title AND 101"' in page
    assert set(await found(room, "ti:10*")) == {10, 100, 101}
    assert set(await found(room, "titles ANDNOT (ti:1* OR ti:2*)")) == {*range(3, 10), 30}
    html5lib.HTMLParser(strict=True).parse(page)


async def test_results_are_paged_and_each_stands_on_one_page(room: Room) -> None:
    answer: httpx.Response | None = await search(room, "title")
    seen: list[int] = []
    pages = 0
    while answer:
        seen += titles(answer.text)
        assert answer.headers["x-robots-tag"] == "noindex"
        answer, pages = await older(room, answer.text), pages + 1
    assert sorted(seen) == [*range(1, 31), 100, 101, 200, 201, 202]
    assert pages == 4
    # Those that came last stand first.
    assert set(seen[:3]) == {200, 201, 202}
    assert set(seen[3:5]) == {100, 101}


async def test_whether_a_paper_came_is_asked_by_its_id(room: Room) -> None:
    for text in ("2611.00100", "arXiv:2611.00100v2", "https://arxiv.org/abs/2611.00100"):
        answer = await search(room, text)
        assert answer.status_code == 303
        assert answer.headers["location"] == "paper/2611.00100.html"
    other = await room.client.get("/search.html?q=2611.00500", follow_redirects=True)
    unknown = await room.client.get("/search.html?q=2611.00777", follow_redirects=True)
    assert other.status_code == unknown.status_code == 404
    assert other.text.replace("00500", "00777") == unknown.text
    assert "None of the keywords that are public here" in other.text
    assert "arXiv last answered for all of them on Tuesday 10 November 2026" in other.text
    assert 'href="/index.html"' in other.text
    old = await room.client.get("/search.html?q=2005.00001", follow_redirects=True)
    assert "Its id is of May 2020" in old.text
    assert "came on Monday 9 November 2026" in old.text


async def test_a_mistake_is_shown_under_its_character(room: Room) -> None:
    answer = await search(room, 'ti:reward AND (abs:model OR "x')
    assert answer.status_code == 400
    assert re.search(r"<pre[^>]*>ti:reward AND \(abs:model OR &#34;x\n {28}\^</pre>", answer.text)
    assert "the quote is not closed" in answer.text
    assert 'value="ti:reward AND (abs:model OR &#34;x"' in answer.text
    empty = await room.page("/search.html")
    assert "cat:cs.LG" in empty
    for page in (answer.text, empty):
        html5lib.HTMLParser(strict=True).parse(page)
    assert (await search(room, "x" * 5000)).status_code == 400


async def test_what_is_not_public_is_not_searched(own_room: Room) -> None:
    room = own_room
    assert await found(room, "secret") == await found(room, "nowhere") == []
    # By whatever else it is looked for, not even its place can be told.
    one = await search(room, "secret", before="2611.00500")
    assert titles(one.text) == []
    assert (await search(room, "secret")).text.replace("secret", "nowher") == (
        await search(room, "nowher")
    ).text
    room.write(FILE + "public: [secret plan]\n")
    assert set(await found(room, "secret")) == {500, 501, 502}
    assert await found(room, "title") == []
    room.write(FILE)
    assert (await search(room, "secret")).status_code == 404
    room.write(PUBLIC)
    assert await found(room, "secret") == []
    assert len(await found(room, "title")) == 10


async def test_what_comes_and_changes_is_found_at_once(own_room: Room) -> None:
    room, at = own_room, own_room.now + DAY
    assert await found(room, "walrus") == []
    changed = replace(papers(1, 1, at, "Walrus")[0], version=2, updated=at)
    room.record(at, RL, changed, *papers(300, 1, at, "A walrus"))
    assert set(await found(room, "walrus")) == {300, 1}
    assert await found(room, "ti:title AND ti:1") == []
    # Even where a log that strangers do not see brought the new version.
    newer = replace(changed, version=3, updated=at + DAY, title="Narwhal 1")
    room.record(at + DAY, SECRET, newer)
    assert await found(room, "walrus") == [300]
    assert await found(room, "narwhal") == [1]


async def test_all_of_the_words_are_offered_where_a_phrase_stands_nowhere(room: Room) -> None:
    page = (await search(room, "101 title")).text
    assert "No paper with" in page
    following = await older(room, page)
    assert following
    assert titles(following.text) == [101]


async def test_what_was_found_can_be_taken_along(room: Room) -> None:
    bib = await search(room, "101", "/search.bib")
    assert bib.headers["content-type"].startswith("application/x-bibtex")
    assert bib.text.count("@") == 1
    assert 'href="./search.bib?q=101"' in (await search(room, "101")).text


async def test_who_asks_before_all_is_in_the_index_is_asked_to_wait(
    own_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.web.search.PATIENCE", 0)
    monkeypatch.setattr("digest.web.search.PAUSE", 60)
    monkeypatch.setattr("digest.store.search.STEP", 20)
    pages = []
    while not pages or "so far" not in pages[-1]:
        answer = await search(own_room, "title")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        assert "being made ready" in answer.text
        pages.append(answer.text)
        await asyncio.sleep(0.01)
    # 20 rows of the logs of 36.
    assert "so far 55 % of what came here is in its index" in pages[-1]
    (work,) = (one for one in asyncio.all_tasks() if "_bring_up" in repr(one))
    work.cancel()
    await asyncio.wait([work])
    monkeypatch.undo()
    monkeypatch.setattr("digest.web.search.PATIENCE", 60)
    assert len(await found(own_room, "title")) == 10


async def test_the_index_is_made_though_nobody_searches(own_room: Room) -> None:
    pages, path = Pages(), own_room.home / "digest.db"
    settings = survey_settings({"DIGEST_HOME": str(own_room.home)}, {}, own_room.home).settings
    with contextlib.closing(DatabaseThread(path, 60)) as database:
        following = asyncio.create_task(Search(pages, database).follow(PublicFile(settings)))
        for _ in range(3000):
            await asyncio.sleep(0.01)
            if own_room.store.search.is_ready([RL.query, VISION.query]):
                break
        else:
            raise AssertionError("it is not made")
        following.cancel()


async def test_a_search_that_takes_too_long_is_given_up(
    own_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(await found(own_room, "title")) == 10
    monkeypatch.setattr("digest.store.search.LONGEST", -1)
    answer = await search(own_room, "title OR paper OR walrus*")
    assert answer.status_code == 503
    assert "rarer word" in answer.text


async def test_whatever_looks_for_much_and_finds_nothing_looks_at_some(
    own_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = own_room
    monkeypatch.setattr("digest.web.finding.EXAMINED", 12)
    asked: list[int] = []
    original = Index.candidates

    def noted(self: Index, words: str, below: int | None, most: int) -> object:
        asked.append(most)
        return original(self, words, below, most)

    monkeypatch.setattr(Index, "candidates", noted)
    answer = await search(room, "title ANDNOT (ti:title OR abs:title)")
    assert titles(answer.text) == []
    assert "Look further back" in answer.text
    assert sum(asked) <= 2 * 12 + 1
    seen, more = [], await older(room, answer.text)
    while more:
        seen += titles(more.text)
        more = await older(room, more.text)
    assert seen == []


async def test_searches_at_once_are_answered_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one wakes up, another has the index looked at anew."""
    monkeypatch.undo()
    side = Search(None, _Database())  # type: ignore[arg-type]

    async def wait(task: asyncio.Task[bool], **_: Any) -> tuple[set[asyncio.Task[bool]], set[Any]]:
        await task
        side.keep_up(Public())
        return {task}, set()

    monkeypatch.setattr("digest.web.search.asyncio.wait", lambda given, **how: wait(*given, **how))
    assert await side._is_ready(Public())


class _Database:
    async def do(self, _work: object) -> bool:
        await asyncio.sleep(0)
        return False
