"""Many queries in few requests: joined within a length, taken apart again, and the feeds and sets
they need."""

from __future__ import annotations

from itertools import chain
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.arxiv.combine import (
    FEEDS_ALONE,
    SHELVES,
    batches,
    categories_of,
    expanded,
    feeds_for,
    halves,
    id_batches,
    joined,
    loosened,
    oai_set,
    set_for,
)
from digest.keywords.asked import LONGEST
from digest.keywords.categories import CATEGORIES
from digest.keywords.grammar import make_keyword, parse, to_text
from digest.keywords.match import Matcher
from digest.model import Paper
from tests.world.samples import paper as sample


def query(text: str) -> str:
    return make_keyword(text).query


def paper(number: int, **fields: object) -> Paper:
    return sample(id=f"2611.{number:05d}", **fields)  # type: ignore[arg-type]


WORDS = (
    "reward model",
    "hallucination",
    "ti:graph AND cat:cs.LG",
    'all:"time series" ANDNOT cat:cs.CV',
    "robot OR arm",
)


def test_one_query_stays_as_it_is() -> None:
    assert joined([query("reward model")]) == query("reward model")


def test_joined_queries_match_what_any_of_them_matches() -> None:
    papers = [
        paper(1, title="A reward model", categories=("cs.CL",)),
        paper(2, title="On hallucination", abstract="A hallucination."),
        paper(3, title="Graphs", categories=("cs.LG",)),
        paper(4, abstract="A time series of images", categories=("cs.CV",)),
        paper(5, abstract="The arms of a robot"),
        paper(6, title="Nothing"),
    ]
    queries = [query(words) for words in WORDS]
    with Matcher(papers) as matcher:
        apart = set(chain.from_iterable(matcher.match(parse(each)) for each in queries))
        together = matcher.match(parse(joined(queries)))
    assert together == apart == {papers[n].id for n in (0, 1, 2, 4)}


def test_a_joined_query_is_canonical_and_has_no_needless_parentheses() -> None:
    whole = joined([query("reward model"), query("hallucination")])
    assert (
        whole
        == '(ti:"reward model" OR abs:"reward model" OR (ti:hallucination AND abs:hallucination))'
    )
    assert to_text(parse(whole)) == whole


def test_a_batch_is_measured_with_its_parentheses() -> None:
    two = [query("graph"), query("reward model")]
    longest = len(quote_plus(joined(two)))
    assert batches(two, longest) == [tuple(two)]
    assert batches(two, longest - 1) == [(two[0],), (two[1],)]


@given(
    st.lists(st.sampled_from(WORDS).map(query), min_size=1, max_size=120), st.integers(200, LONGEST)
)
def test_batches_hold_all_queries_in_order_and_within_the_length(
    queries: list[str], longest: int
) -> None:
    made = batches(queries, longest)
    assert list(chain.from_iterable(made)) == queries
    assert all(len(batch) == 1 or len(quote_plus(joined(batch))) <= longest for batch in made)


def test_a_thousand_keywords_need_few_requests() -> None:
    queries = [query(f"neural model {number}") for number in range(1000)]
    assert len(batches(queries)) <= 25


def test_ids_are_asked_for_in_long_lists() -> None:
    ids = [f"2611.{number:05d}" for number in range(600)]
    made = id_batches(ids)
    assert list(chain.from_iterable(made)) == ids
    assert len(made) == 3


@pytest.mark.parametrize(
    ("text", "categories"),
    [
        ("reward model", None),
        ("cat:cs.LG", {"cs.LG"}),
        ("cat:cs.LG OR cat:stat.ML", {"cs.LG", "stat.ML"}),
        ("cat:cs.LG OR robot", None),
        ("robot AND cat:cs.RO", {"cs.RO"}),
        ("(cat:cs.LG OR cat:cs.AI) AND cat:stat.ML", {"stat.ML"}),
        ("cat:cs.LG ANDNOT cat:cs.AI", {"cs.LG"}),
        ("robot ANDNOT cat:cs.RO", None),
        ("cat:econ.*", {"econ.EM", "econ.GN", "econ.TH"}),
        ("cat:xyz.AB", None),
    ],
)
def test_the_categories_that_every_match_has(text: str, categories: set[str] | None) -> None:
    assert categories_of(parse(query(text))) == categories


def test_a_few_categories_have_a_feed_each_and_all_of_arxiv_has_ten() -> None:
    some = frozenset({"cs.LG", "cs.AI"})
    assert feeds_for([some, frozenset({"stat.ML"})]) == (("cs.AI",), ("cs.LG",), ("stat.ML",))
    assert feeds_for([some, None]) == SHELVES
    assert len(SHELVES) == 10
    assert sorted(chain.from_iterable(map(expanded, SHELVES))) == sorted(CATEGORIES)
    many = frozenset(sorted(c for c in CATEGORIES if c.startswith("math"))[: FEEDS_ALONE + 1])
    assert feeds_for([many]) == (("math", "math-ph", "nlin"),)


@pytest.mark.parametrize("names", SHELVES)
def test_a_feed_that_is_too_long_is_divided_down_to_single_categories(
    names: tuple[str, ...],
) -> None:
    waiting, single = [names], []
    while waiting:
        one = waiting.pop()
        parts = halves(one)
        waiting += parts
        single += [] if parts else [one[0]]
    assert sorted(single) == sorted(expanded(names))


def test_the_set_to_harvest() -> None:
    assert set_for([frozenset({"cs.LG"}), frozenset({"cs.AI", "cs.CL"})]) == "cs"
    assert set_for([frozenset({"hep-th"})]) == "physics:hep-th"
    assert set_for([frozenset({"cs.LG"}), frozenset({"stat.ML"})]) == ""
    assert set_for([frozenset({"cs.LG"}), None]) == ""
    assert (oai_set("cs"), oai_set("physics")) == ("cs", "physics:physics")


@given(st.sampled_from((*WORDS, 'au:"del maestro" AND ti:spin', "co:accepted", "graph*")))
def test_a_loosened_query_matches_all_that_the_query_does(text: str) -> None:
    papers = [
        paper(1, title="Models of rewards, and a reward model", abstract="hallucination"),
        paper(2, title="Hallucinations", abstract="hallucinated graphs", categories=("cs.LG",)),
        paper(
            3,
            title="Spin",
            authors=("Adrian Del Maestro",),
            comment="accepted at a time series workshop",
        ),
        paper(4, abstract="The robot and its arms"),
    ]
    with Matcher(papers) as matcher:
        node = parse(query(text))
        assert matcher.match(node) <= matcher.match(loosened(node))


def test_a_loosened_phrase_matches_its_words_anywhere() -> None:
    papers = [
        paper(1, title="Rewarding", abstract="large models"),
        paper(2, title="Reward", abstract="nothing else"),
    ]
    with Matcher(papers) as matcher:
        assert matcher.match(loosened(parse(query("reward model")))) == {papers[0].id}
