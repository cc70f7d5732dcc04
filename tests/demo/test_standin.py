"""The stand-in answers as arXiv does, and its invented papers show what the tour is to show."""

from __future__ import annotations

import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import httpx
import pytest

from digest.arxiv.atom import Feed, parse_feed
from digest.demo.papers import KEYWORDS, World, newest_first, three_days
from digest.errors import ArxivError
from digest.keywords.grammar import make_keyword
from tests.world.shared import shared
from tests.world.standin import ScriptedAnswer, Standin

NOW = datetime(2026, 11, 5, 6, 30, tzinfo=UTC)
PAPERS = World(5).papers(40, NOW - timedelta(days=30), NOW)


@pytest.fixture
def arxiv() -> Iterator[Standin]:
    with Standin(PAPERS) as standin:
        yield standin


def get(arxiv: Standin, **params: object) -> httpx.Response:
    return httpx.get(f"{arxiv.url}?{urlencode(params)}", trust_env=False)


def ask(arxiv: Standin, **params: object) -> Feed:
    response = get(arxiv, **params)
    assert response.status_code == 200
    return parse_feed(response.content)


def test_a_search_is_answered_ten_at_a_time_with_all_counts(arxiv: Standin) -> None:
    answer = ask(arxiv, search_query='ti:"reward model"')
    assert answer.query == 'ti:"reward model"'
    assert (answer.start, answer.items_per_page, len(answer.papers)) == (0, 10, 10)
    assert answer.total == sum("Reward Model" in paper.title for paper in PAPERS)
    rest = ask(arxiv, search_query='ti:"reward model"', start=10, max_results=100)
    assert len(rest.papers) == answer.total - 10


@pytest.mark.parametrize("order", ["descending", "ascending"])
@pytest.mark.parametrize(
    ("sort", "field"), [("lastUpdatedDate", "updated"), ("submittedDate", "published")]
)
def test_answers_are_sorted_as_asked(arxiv: Standin, sort: str, field: str, order: str) -> None:
    arxiv.serve(sorted(PAPERS, key=lambda paper: paper.title))
    answer = ask(arxiv, search_query="cat:cs.LG", max_results=100, sortBy=sort, sortOrder=order)
    moments = [getattr(paper, field) for paper in answer.papers]
    assert len(moments) > 10
    assert moments == sorted(moments, reverse=order == "descending")


def test_ids_are_found_and_unknown_ones_dropped_in_silence(arxiv: Standin) -> None:
    wanted = f"{PAPERS[3].id},{PAPERS[1].id}v1,{PAPERS[2].id}v9,0000.0000"
    answer = ask(arxiv, id_list=wanted)
    assert {paper.id for paper in answer.papers} == {PAPERS[1].id, PAPERS[3].id}
    assert answer.total == 2
    assert answer.id_list == tuple(wanted.split(","))
    assert ask(arxiv).total == 0


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"id_list": "abc"}, "incorrect id format for abc"),
        ({"search_query": "nonsense:x"}, "Invalid query"),
        ({"search_query": "(ti:x"}, "Invalid query"),
        ({"search_query": "ti:x", "max_results": 2001}, "max_results"),
        ({"search_query": "ti:x", "max_results": "many"}, "max_results"),
        ({"search_query": "ti:x", "start": 30001}, "start"),
        ({"search_query": "ti:x", "start": -1}, "start"),
        ({"search_query": "ti:x", "sortBy": "title"}, "sortBy"),
        ({"search_query": "ti:x", "sortOrder": "up"}, "sortOrder"),
    ],
)
def test_what_arxiv_refuses_is_refused_with_an_error_feed(
    arxiv: Standin, params: dict[str, object], words: str
) -> None:
    response = get(arxiv, **params)
    assert response.status_code == 400
    with pytest.raises(ArxivError, match=words) as caught:
        parse_feed(response.content)
    assert not caught.value.transient


def shape(body: bytes) -> list[tuple[str, tuple[tuple[str, ...], ...]]]:
    """The distinct kinds of children of feed and entry, in order: name and attributes' names."""
    root = ElementTree.fromstring(body)
    entry = root.find("{http://www.w3.org/2005/Atom}entry")
    assert entry is not None
    return [
        (part.tag, tuple(dict.fromkeys((child.tag, *child.attrib) for child in part)))
        for part in (root, entry)
    ]


def test_the_shape_is_that_of_real_answers(arxiv: Standin) -> None:
    folder = shared("arxiv/captures/api")
    paper = next(paper for paper in PAPERS if paper.comment and not paper.doi)
    arxiv.serve([paper])
    ours = shape(get(arxiv, id_list=paper.id).content)
    (plain,) = folder.glob("arxivpy_id_1707.08567_*.xml")
    assert ours == shape(plain.read_bytes())
    (refusal,) = folder.glob("arxivpy_id_abc_*.xml")
    assert shape(get(arxiv, id_list="abc").content) == shape(refusal.read_bytes())


def test_named_windows_are_served_as_they_are(arxiv: Standin) -> None:
    odd = (PAPERS[7], PAPERS[1], PAPERS[30])
    arxiv.serve_windows({"all:x  AND all:y": odd})
    answer = ask(arxiv, search_query="all:x AND  all:y", sortBy="lastUpdatedDate")
    assert answer.papers == odd
    assert ask(arxiv, search_query="cat:cs.CL").total > 3
    arxiv.serve(PAPERS)
    assert ask(arxiv, search_query="all:x AND all:y").total == 0


def test_scripted_answers_come_once_each_and_in_order(arxiv: Standin) -> None:
    arxiv.script(
        ScriptedAnswer(429, b"Rate exceeded.", {"retry-after": "7"}), ScriptedAnswer(delay=0.05)
    )
    first = get(arxiv, search_query="cat:cs.CL")
    assert (first.status_code, first.content, first.headers["Retry-After"]) == (
        429,
        b"Rate exceeded.",
        "7",
    )
    assert ask(arxiv, search_query="cat:cs.CL").total > 0
    slow = arxiv.requests[1]
    assert slow.ended is not None
    assert slow.ended - slow.arrived >= 0.05


def test_an_answer_can_depend_on_the_query(arxiv: Standin) -> None:
    arxiv.on_query = lambda params: (
        ScriptedAnswer(503, b"") if "CL" in params["search_query"] else None
    )
    assert get(arxiv, search_query="cat:cs.CL").status_code == 503
    assert get(arxiv, search_query="cat:cs.LG").status_code == 200


def test_requests_are_remembered(arxiv: Standin) -> None:
    before = time.monotonic()
    ask(arxiv, search_query='ti:"a & b"', start=0)
    (asked,) = arxiv.requests
    assert asked.params == {"search_query": 'ti:"a & b"', "start": "0"}
    assert asked.headers["host"].startswith("127.0.0.1:")
    assert before <= asked.arrived <= (asked.ended or 0) <= time.monotonic()


def test_another_path_is_not_found(arxiv: Standin) -> None:
    assert httpx.get(arxiv.url + "/other", trust_env=False).status_code == 404


def test_closing_does_not_wait_for_open_connections_or_silences() -> None:
    threads = threading.active_count()
    with httpx.Client(trust_env=False) as idle, Standin(PAPERS) as arxiv:
        idle.get(arxiv.url)
        arxiv.script(ScriptedAnswer(delay=3600))
        failures: list[httpx.HTTPError] = []

        def wait() -> None:
            try:
                get(arxiv)
            except httpx.HTTPError as error:
                failures.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        while len(arxiv.requests) < 2:
            time.sleep(0.005)
    waiting.join(timeout=60)
    assert len(failures) == 1
    assert threading.active_count() == threads


def test_thousands_of_papers_and_hundreds_of_requests_are_quick() -> None:
    papers = World(6).papers(2000, NOW - timedelta(days=30), NOW)
    with Standin(papers) as arxiv, httpx.Client(trust_env=False) as client:
        began = time.process_time()
        for _ in range(300):
            client.get(arxiv.url, params={"search_query": "cat:cs.LG", "max_results": "100"})
        assert time.process_time() - began < 5


def test_a_world_is_the_same_for_the_same_seed() -> None:
    assert World(9).papers(30, NOW - timedelta(days=30), NOW) == World(9).papers(
        30, NOW - timedelta(days=30), NOW
    )
    assert World(9).papers(30, NOW - timedelta(days=30), NOW) != World(8).papers(
        30, NOW - timedelta(days=30), NOW
    )


def test_no_two_papers_of_a_world_share_an_id_or_a_title() -> None:
    papers = World(3).papers(80, NOW - timedelta(days=30), NOW)
    assert len({paper.id for paper in papers}) == len({paper.title for paper in papers}) == 80
    for paper in papers:
        assert len(set(paper.authors)) == len(paper.authors) > 0
        assert len(set(paper.categories)) == len(paper.categories) > 0
        assert NOW - timedelta(days=30) <= paper.published < NOW


def test_ids_rise_with_the_time_of_submission() -> None:
    papers = World(3).papers(80, NOW - timedelta(days=30), NOW)
    assert sorted(papers, key=lambda paper: paper.published) == sorted(
        papers, key=lambda paper: paper.id
    )


@pytest.mark.parametrize(
    "start", [date(2026, 11, 1), date(2026, 11, 5), date(2026, 11, 23), date(2026, 6, 15)]
)
def test_the_three_days_are_thursday_friday_and_saturday_of_an_ordinary_week(start: date) -> None:
    days = three_days(start)
    local = [day.now.astimezone(ZoneInfo("America/New_York")) for day in days]
    assert [moment.strftime("%a %H:%M") for moment in local] == [
        "Thu 01:30",
        "Fri 01:30",
        "Sat 01:30",
    ]
    assert local[0].date() >= start
    assert all(day.now.tzinfo is UTC for day in days)


def test_a_week_with_a_holiday_is_passed_over() -> None:
    assert three_days(date(2026, 11, 23))[0].now.date() == date(2026, 12, 3)


def test_the_three_days_show_a_batch_a_late_paper_a_revision_and_nothing() -> None:
    first, second, third = three_days(date(2026, 11, 1))
    before = {paper.id: paper for paper in first.papers}
    after = {paper.id: paper for paper in second.papers}
    assert len(before) == 36
    assert all(paper.published < first.now for paper in first.papers)
    assert all(paper.updated < second.now for paper in second.papers)
    new = [paper for paper in second.papers if paper.id not in before]
    assert len(new) == 8
    assert [paper.id for paper in new if paper.published < first.now - timedelta(days=10)] == [
        paper.id for paper in new if paper.updated < first.now - timedelta(hours=12)
    ]
    (late,) = (paper for paper in new if paper.published < first.now - timedelta(days=10))
    assert "Reward Model" in late.title
    revised = [paper for paper in second.papers if paper.id in before and paper != before[paper.id]]
    assert [(paper.version, before[paper.id].version) for paper in revised] == [(2, 1)]
    assert set(before) <= set(after)
    assert third.papers == second.papers
    assert newest_first(second.papers) == second.papers


def test_each_keyword_of_the_tour_brings_papers_and_some_papers_match_two() -> None:
    first, second, _ = three_days(date(2026, 11, 1))
    queries = [make_keyword(name).query for name in KEYWORDS]
    with Standin(first.papers) as arxiv:
        found = [
            {p.id for p in ask(arxiv, search_query=query, max_results=100).papers}
            for query in queries
        ]
        assert all(10 <= len(ids) <= 20 for ids in found)
        assert sum(map(len, found)) > len(set().union(*found)) == len(first.papers)
        arxiv.serve(second.papers)
        again = [
            {p.id for p in ask(arxiv, search_query=query, max_results=100).papers}
            for query in queries
        ]
        assert all(len(after - before) >= 2 for before, after in zip(found, again, strict=True))
