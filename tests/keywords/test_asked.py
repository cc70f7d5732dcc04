"""What arXiv is asked for: at least what matches here, by arXiv's own reading."""

from __future__ import annotations

from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.arxiv.combine import batches
from digest.demo.api import Index
from digest.demo.search import Search
from digest.keywords.asked import (
    DEEPEST,
    LONGEST,
    LONGEST_ALONE,
    asked,
    asked_text,
    cut,
    is_left_out,
    listed,
)
from digest.keywords.categories import CATEGORIES
from digest.keywords.category_names import WORDS
from digest.keywords.grammar import parse, to_text
from digest.keywords.lint import warnings
from digest.keywords.match import Matcher, stem
from tests.world.samples import paper


@pytest.mark.parametrize(
    ("prefix", "shorter"),
    [
        ("hallucinat", "hallucin"),
        ("optimiz", "optim"),
        ("multimodal", "multimod"),
        ("entangle", "entangl"),
        ("segmentat", "segment"),
        ("interpretab", "interpret"),
        ("generaliz", "gener"),
        ("robot", "robot"),
        ("train", "train"),
        ("quantiz", "quantiz"),
        ("study", "stud"),
        ("ab", "ab"),
    ],
)
def test_a_prefix_is_cut_to_where_the_stems_of_its_words_agree(prefix: str, shorter: str) -> None:
    assert cut(prefix) == (shorter, ())


def test_a_stem_of_fewer_than_three_letters_is_asked_for_as_a_word() -> None:
    assert cut("gas") == ("gas", ("gas",))
    assert asked_text("ti:gas*") == "(ti:gas* OR ti:gas)"


@pytest.mark.parametrize(
    ("query", "wider"),
    [
        ("abs:hallucinat*", "abs:hallucin*"),
        ("ti:model*", "ti:mode*"),
        ("ti:schrod*", "(ti:schrod* OR ti:schröd*)"),
        ("ti:erdos", "(ti:erdos OR ti:erdős OR ti:erdös)"),
        ("hallucinat*", "all:hallucin*"),
        ("co:accept*", "co:accept*"),
        ('ti:"Maxwell\'s equations"', 'ti:"maxwell equations"'),
        ('abs:"GPT-4.5"', 'abs:"gpt 4.5"'),
        ('abs:"SU(2)"', 'abs:"su 2"'),
        ("ti:schrodinger", "(ti:schrodinger OR ti:schrödinger)"),
        ("abs:Rényi", "(abs:rényi OR abs:renyi)"),
        ("abs:weiß", "(abs:weiß OR abs:weiss)"),
        ("au:lovelace_a", "au:lovelace"),
        ("au:müll*", "au:mull*"),
        ('au:"Lovelace, Ada"', '(au:"lovelace ada" OR au:"lovelace-ada")'),
        ("au:levi-civita", '(au:"levi civita" OR au:"levi-civita")'),
        (
            'all:"ada lovelace"',
            '(all:"ada lovelace" OR au:"ada lovelace" OR au:"ada-lovelace")',
        ),
        ("ti:it AND abs:robot", "abs:robot"),
        ("ti:it OR abs:robot", "(ti:it OR abs:robot)"),
        ('abs:"to be"', 'abs:"to be"'),
        ("ti:model ANDNOT abs:robot*", "ti:model"),
        ("ti:model ANDNOT (abs:arm OR all:robot)", "(ti:model ANDNOT abs:arm)"),
        ("ti:model ANDNOT (abs:arm AND all:robot)", "ti:model"),
        ('ti:model ANDNOT abs:"state of the art"', "ti:model"),
        ("cat:cs.* ANDNOT cat:cs.CV", "(cat:cs.* ANDNOT cat:cs.CV)"),
        ('ti:"time series" AND cat:cs.LG', '(ti:"time series" AND cat:cs.LG)'),
    ],
)
def test_arxiv_is_asked_for_at_least_what_matches_here(query: str, wider: str) -> None:
    assert asked_text(to_text(parse(query))) == wider


def test_a_query_as_deep_as_can_be_is_asked_for_in_full() -> None:
    deep = "ti:gas*"
    for number in range(20):
        deep = f"({deep} {'OR' if number % 2 else 'AND'} abs:x{number})"
    wider = asked_text(to_text(parse(deep)))
    assert "(ti:gas* OR ti:gas)" in wider
    assert to_text(parse(wider, deepest=DEEPEST)) == wider
    assert batches([wider]) == [(wider,)]
    status, _ = Index().answer({"search_query": wider})
    assert status == 200


def test_papers_that_arxiv_lists_by_their_categorys_name_are_told_from_what_nobody_asked() -> None:
    papers = [
        paper(id="1", title="Robotics", abstract="-", categories=("cs.LG",)),
        paper(id="2", title="An arm", abstract="-", categories=("math.CO", "cs.RO")),
        paper(id="3", title="An arm", abstract="-", categories=("cs.LG",)),
    ]
    node = parse("all:robotics")
    assert Search(papers).find(asked(node)) == {"1", "2"}
    with Matcher(papers) as matcher:
        assert matcher.match(node) == {"1"}
        assert matcher.match(listed(node)) == {"1", "2"}


def test_every_category_has_its_names() -> None:
    assert WORDS.keys() == CATEGORIES


@pytest.mark.parametrize("topics", [15, 45])
def test_a_question_stays_short_enough_for_an_address(topics: int) -> None:
    query = " OR ".join(f'all:"large language model topic{n}"' for n in range(topics))
    text = to_text(parse(f"({query} OR ti:gas*)"))
    wider = asked_text(text)
    assert len(quote_plus(wider)) <= LONGEST
    assert "ti:gas)" in wider


def test_accents_are_asked_for_in_full_as_far_as_web_servers_take_the_address() -> None:
    query = " OR ".join(f'ti:"schrodinger {number}"' for number in range(80))
    wider = asked_text(to_text(parse(query)))
    assert LONGEST < len(quote_plus(wider)) <= LONGEST_ALONE
    assert 'ti:"schrödinger 79"' in wider


def test_what_is_too_long_without_names_is_asked_for_as_it_stands() -> None:
    query = " OR ".join(f'ti:"schrodinger poincare erdos {number}"' for number in range(40))
    assert asked_text(to_text(parse(query))) == to_text(parse(query))


def test_words_that_arxiv_leaves_out_cannot_be_asked_for_and_the_reader_hears_of_it() -> None:
    assert is_left_out(parse("ti:it"))
    assert not is_left_out(parse("ti:it AND abs:robot"))
    assert any("leaves out 'it'" in words for words in warnings("it"))
    assert not any("leaves out" in words for words in warnings("theory of mind"))


THEORIES = [
    paper(id="1", title="A theory of mind", abstract="No more"),
    paper(id="2", title="A theory in mind", abstract="No more"),
    paper(id="3", title="A theory, and a mind", abstract="No more"),
]


def test_what_a_phrase_with_left_out_words_brings_besides_is_told_from_what_nobody_asked() -> None:
    node = parse('ti:"theory of mind"')
    assert Search(THEORIES).find(asked(node)) == {"1", "2"}
    with Matcher(THEORIES) as matcher:
        assert matcher.match(node) == {"1"}
        assert matcher.match(listed(node)) == {"1", "2", "3"}


words = st.sampled_from(
    "hallucinations optimized Schrödinger's naïve 4.5 the of mind x_i O'Brien's learning.However "
    "models studies gas $\\alpha_s$-decay Jean-Pierre U.S. time-series".split()
)
texts = st.lists(words, max_size=6).map(" ".join)
leaves = st.builds(
    lambda field, found: f'{field}:"{found}"',
    st.sampled_from(["ti", "abs", "au", "all"]),
    st.lists(words, min_size=1, max_size=3).map(" ".join).map(lambda s: s.replace("\\", "")),
).filter(lambda query: "$" not in query) | st.builds(
    lambda field, word, size: f"{field}:{word[:size]}*",
    st.sampled_from(["ti", "abs"]),
    st.sampled_from("hallucinations optimized models studies learning gaseous".split()),
    st.integers(3, 9),
)
queries = st.lists(leaves, min_size=1, max_size=3).flatmap(
    lambda found: st.sampled_from([" AND ", " OR ", " ANDNOT "]).map(lambda by: by.join(found))
)


@settings(max_examples=40)
@given(texts, texts, texts, queries)
def test_arxiv_lists_all_that_matches_here(
    title: str, abstract: str, name: str, query: str
) -> None:
    papers = [paper(id="1", title=title, abstract=abstract, authors=(name or "A",), comment="")]
    node = parse(query)
    if not is_left_out(node):
        with Matcher(papers) as matcher:
            assert matcher.match(node) <= Search(papers).find(asked(node))


@settings(max_examples=20)
@given(st.sampled_from("using reading learning vary varies studies gases".split()), st.data())
def test_the_stem_of_a_word_begins_as_its_prefixes_are_cut(word: str, data: st.DataObject) -> None:
    begin, besides = cut(word[: data.draw(st.integers(3, len(word)))])
    assert stem(word).startswith(begin) or stem(word) in map(stem, besides)
