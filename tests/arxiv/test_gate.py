"""What can be read is not yet believed: whose answer it is, its count and its order."""

from __future__ import annotations

import json
import lzma
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.arxiv.atom import Feed, parse_feed
from digest.arxiv.gate import check_page, check_window, newest_versions, same_index
from digest.demo.papers import World
from digest.errors import ArxivError
from digest.model import Paper
from tests.world.shared import shared

NOW = datetime(2026, 11, 5, 6, 30, tzinfo=UTC)
PAPERS = World(2).papers(60, NOW - timedelta(days=30), NOW)


def page(papers: tuple[Paper, ...] = PAPERS[:10], **changes: object) -> Feed:
    return replace(Feed('all:"a b"', (), 0, 10, 60, papers), **changes)  # type: ignore[arg-type]


def refused(feed: Feed, query: str = 'all:"a b"', start: int = 0, page_size: int = 10) -> str:
    with pytest.raises(ArxivError) as caught:
        check_page(feed, query=query, start=start, page_size=page_size)
    assert caught.value.transient
    return caught.value.message


@pytest.mark.parametrize("query", ['all:"a b"', 'all:"a  b" ', "all:%22a+b%22", "all:%22a%20b%22"])
def test_a_page_of_this_query_is_believed_however_its_title_writes_it(query: str) -> None:
    check_page(page(query=query), query='all:"a b"', start=0, page_size=10)


def test_a_page_of_another_query_is_refused() -> None:
    assert "another query" in refused(page(query='all:"a c"'))


def test_a_page_from_elsewhere_is_refused() -> None:
    assert "row 10" in refused(page(start=10))


def test_no_papers_where_there_are_some_is_refused() -> None:
    assert "no papers" in refused(page(()))
    assert "no papers" in refused(page((), start=50), start=50)


def test_no_papers_at_all_is_believed_of_this_query_only() -> None:
    check_page(page((), total=0), query='all:"a b"', start=0, page_size=10)
    assert "does not say" in refused(page((), total=0, query=None))
    check_page(page(query=None), query='all:"a b"', start=0, page_size=10)


def test_fewer_papers_than_asked_for_are_refused_but_on_the_last_page() -> None:
    assert "9 of 10" in refused(page(PAPERS[:9]))
    check_page(page(PAPERS[50:60], start=50), query='all:"a b"', start=50, page_size=20)
    assert "3 of 5" in refused(page(PAPERS[55:58], start=55), start=55)


def test_more_papers_than_asked_for_or_than_there_are_are_refused() -> None:
    assert "11 papers where 10" in refused(page(PAPERS[:11]))
    assert "10 papers where 4" in refused(page(total=4))


def test_captured_pages_pass_as_answers_to_what_was_asked() -> None:
    folder = shared("arxiv/captures/api")
    for path in folder.glob("arxivpy_q_testing_s*.xml"):
        _, _, _, start, size, _ = path.stem.split("_")
        check_page(
            parse_feed(path.read_bytes()),
            query="all:testing",
            start=int(start[1:]),
            page_size=int(size[1:]),
        )
    for name in ("yanhua_20260423_latest_cs_ai.xml", "yanhua_20260423_latest_cs_lg.xml"):
        check_window(parse_feed((folder / name).read_bytes()).papers)


def test_captured_answers_by_relevance_are_refused_as_unsorted() -> None:
    folder = shared("arxiv/captures/api")
    for path in folder.glob("arxivpy_q_testing_s0_m1*.xml"):
        with pytest.raises(ArxivError, match="did not sort"):
            check_window(parse_feed(path.read_bytes()).papers)


def test_a_sorted_window_passes_and_so_does_one_with_arxivs_strays() -> None:
    check_window(())
    check_window(PAPERS)
    astray = list(PAPERS)
    astray.insert(3, astray.pop(40))
    astray.insert(30, astray.pop(50))
    check_window(astray)


def swapped(count: int, strays: int) -> list[Paper]:
    """So many papers in order, with so many rows out of it: neighbours that changed places."""
    papers = list(PAPERS[:count])
    for place in range(0, 2 * strays, 2):
        papers[place], papers[place + 1] = papers[place + 1], papers[place]
    return papers


@pytest.mark.parametrize(("count", "most"), [(2, 1), (39, 1), (40, 2), (59, 2), (60, 3)])
def test_one_row_in_twenty_may_be_out_of_order_and_at_least_one(count: int, most: int) -> None:
    check_window(swapped(count, most))
    if 2 * (most + 1) <= count:
        with pytest.raises(ArxivError, match=f"{most + 1} of {count} rows out of order"):
            check_window(swapped(count, most + 1))


def test_rows_of_the_same_second_are_in_order() -> None:
    check_window([replace(paper, updated=PAPERS[0].updated) for paper in PAPERS])


@given(st.integers(0, 10_000))
def test_a_shuffled_window_is_refused(seed: int) -> None:
    papers = list(PAPERS)
    Random(seed).shuffle(papers)
    with pytest.raises(ArxivError, match="did not sort") as caught:
        check_window(papers)
    assert caught.value.transient


def test_an_order_by_first_submission_is_refused() -> None:
    papers = [
        replace(paper, updated=paper.updated + timedelta(days=20)) if place % 5 == 4 else paper
        for place, paper in enumerate(PAPERS)
    ]
    with pytest.raises(ArxivError, match="did not sort"):
        check_window(papers)


def rows(name: str) -> list[dict[str, Any]]:
    packed = shared(f"arxiv/replay/{name}").read_bytes()
    return [json.loads(line) for line in lzma.decompress(packed).decode().splitlines()]


def test_real_windows_pass_in_arxivs_order_and_no_longer_when_shuffled() -> None:
    (sample,) = PAPERS[:1]
    by_id = {}
    for row in rows("papers.jsonl.xz"):
        updated = datetime.fromisoformat(row["updated"]).replace(tzinfo=UTC)
        by_id[row["id"]] = replace(sample, id=row["id"], updated=updated)
    windows = 0
    for row in rows("windows.jsonl.xz"):
        papers = [by_id[name] for name in row["ids"] if name in by_id]
        check_window(papers)
        if len(papers) >= 20:
            windows += 1
            with pytest.raises(ArxivError, match="did not sort"):
                check_window(Random(windows).sample(papers, len(papers)))
    assert windows > 800


def test_each_paper_once_in_its_highest_version_where_it_first_stood() -> None:
    second = replace(PAPERS[1], version=2)
    assert newest_versions([*PAPERS[:3], second, PAPERS[0]]) == (PAPERS[0], second, PAPERS[2])
    assert newest_versions([second, PAPERS[1]]) == (second,)


def test_a_page_follows_where_nothing_moved() -> None:
    assert same_index((), 0, page())
    assert same_index(PAPERS[:10], 60, page(PAPERS[10:20]))


def test_a_page_follows_where_rows_slipped_down() -> None:
    assert same_index(PAPERS[:10], 60, page(PAPERS[8:18], total=62))


def test_a_page_does_not_follow_where_rows_may_have_slipped_up() -> None:
    assert not same_index(PAPERS[:10], 60, page(PAPERS[11:21], total=59))
    assert not same_index(PAPERS[:10], 60, page(PAPERS[11:21], total=61))
    assert not same_index(PAPERS[:10], 60, page((*PAPERS[11:20], PAPERS[3])))
