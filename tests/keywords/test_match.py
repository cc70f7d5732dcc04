"""Local matching: arXiv's way with words, fields, categories and names; any text is safe; real
windows are met."""

from __future__ import annotations

import json
import lzma
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import ConfigError
from digest.keywords.grammar import And, AndNot, Node, Or, Term, make_keyword, parse
from digest.keywords.match import Matcher
from digest.model import Paper
from tests.world.shared import shared

ATOM = "{http://www.w3.org/2005/Atom}"
DAY = datetime(2025, 3, 19, tzinfo=UTC)


def paper(
    number: str,
    title: str = "",
    abstract: str = "",
    authors: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
    comment: str = "",
) -> Paper:
    return Paper(number, 1, title, abstract, authors, categories, DAY, DAY, comment)


PAPERS = [
    paper(
        "1",
        "Time-series forecasting",
        "We study trajectories.",
        ("Ada B. Lovelace", "Adrian Del Maestro"),
        ("cs.LG", "stat.ML"),
    ),
    replace(
        paper(
            "2",
            "A time series of counts",
            "The trajectory of one agent",
            ("Émile Borel",),
            ("stat.ME",),
        ),
        journal_ref="Annals 12",
    ),
    paper(
        "3",
        "Hallucination in MLLMs",
        "No other topic here",
        ("Grace Hopper",),
        ("cs.CL", "E.1; E.4"),
        "12 pages, accepted",
    ),
    paper("hep-th/9901001", "Strings", "Series of times", ("Maestro Grace",), ("hep-th",)),
]


@pytest.fixture(scope="module")
def matcher() -> Iterator[Matcher]:
    with Matcher(PAPERS) as built:
        yield built


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('"time series"', "1 2"),
        ("time-series", "1 2"),
        ('ti:"TIME SERIES"', "1 2"),
        ("trajectory", "1 2"),
        ("abs:trajectories", "1 2"),
        ("ti:trajectory", ""),
        ("hallucinations", "3"),
        ("hallucinat*", "3"),
        ("trajector*", "1 2"),
        ("mllm", "3"),
        ("co:accepted", "3"),
        ("co:accept*", "3"),
        ("co:accept", ""),
        ("ti:accept", ""),
        ("accepted", "3"),
        ("jr:annals", "2"),
        ("annals", "2"),
    ],
)
def test_words_match_by_stem_and_hyphens_do_not_count(
    matcher: Matcher, query: str, expected: str
) -> None:
    assert matcher.match(parse(query)) == set(expected.split())


def test_a_prefix_is_compared_with_words_as_written_not_with_stems(matcher: Matcher) -> None:
    assert matcher.match(parse("forecasti*")) == {"1"}
    assert matcher.match(parse("forecastings*")) == set()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("au:lovelace", "1"),
        ("au:lovelaces", ""),
        ('au:"ada b lovelace"', "1"),
        ('au:"lovelace ada"', "1"),
        ("au:lovelace_a", "1"),
        ("au:del_maestro", "1"),
        ("au:del_maestro_a", "1"),
        ('au:"lovelace adrian"', ""),
        ('au:"lovelace a adrian"', ""),
        ("au:maestro", "1 hep-th/9901001"),
        ("au:emile", "2"),
        ("au:Borel AND all:hopper", ""),
        ("all:hopper", "3"),
        ("hopp*", "3"),
    ],
)
def test_authors_match_unstemmed_in_either_order_and_never_across_two_names(
    matcher: Matcher, query: str, expected: str
) -> None:
    assert matcher.match(parse(query)) == set(expected.split())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("cat:cs.LG", "1"),
        ("cat:stat.ml", "1"),
        ("cat:cs", ""),
        ("cat:cs.*", "1 3"),
        ("cat:stat.M*", "1 2"),
        ("cat:hep-th", "hep-th/9901001"),
        ("cat:ml", ""),
        ("all:cs.CL", "3"),
    ],
)
def test_categories_match_whole_primary_or_not(matcher: Matcher, query: str, expected: str) -> None:
    assert matcher.match(parse(query)) == set(expected.split())


@pytest.mark.parametrize(
    ("title", "query"),
    [
        (r"Schr\"odinger operators", "schrodinger"),
        (r"Schr{\"o}dinger operators", "schrödinger"),
        (r"Schr\"{o}dinger operators", '"Schrödinger operator"'),
        (r"On a problem of Erd\H{o}s", "Erdős"),
        (r"On a problem of Erd\H os", "erdos"),
        (r"R\'enyi entropy", "renyi"),
        (r"na\"ive, na\"{\i}ve", '"naive naive"'),
        (r"Ho\v{r}ava gravity", "horava"),
        (r"Poincar\'e and Poincar\'{e}", '"poincaré and poincare"'),
        (r"M\o ller scattering", "moller"),
        (r"M{\o}ller scattering", "moller"),
        (r"M\o{}ller scattering", "moller"),
        ("Møller scattering", "moller"),
        ("Moller scattering", "Møller"),
        (r"Wei\ss\ theory", "weiß"),
        (r"$p$-adic $L$-functions", '"p-adic L-functions"'),
        (r"J/$\psi$ production", '"J/psi"'),
        (r"$C^*$-algebras", '"C algebra"'),
        (r"$\Lambda$CDM", '"lambda cdm"'),
        (r"$\varepsilon$-nets \vec and \cup", "varepsilon"),
        (r"$\hbar \otimes \lambda \iota \jmath$", "otimes AND lambda"),
    ],
)
def test_tex_is_read_as_arxiv_reads_it(title: str, query: str) -> None:
    with Matcher([paper("1", title)]) as one:
        assert one.match(parse(query)) == {"1"}


def test_operators_are_set_operations(matcher: Matcher) -> None:
    assert matcher.match(parse('"time series" AND cat:cs.LG')) == {"1"}
    assert matcher.match(parse("cat:cs.LG OR cat:hep-th")) == {"1", "hep-th/9901001"}
    assert matcher.match(parse('"time series" ANDNOT cat:cs.LG')) == {"2"}
    assert matcher.match(parse("mllm ANDNOT mllm OR strings")) == {"hep-th/9901001"}


def test_an_answer_is_the_callers_own(matcher: Matcher) -> None:
    matcher.match(parse("mllm")).clear()
    assert matcher.match(parse("mllm")) == {"3"}


def test_no_papers_no_matches() -> None:
    with Matcher([]) as empty:
        assert empty.match(parse("a OR cat:cs.*")) == set()


@pytest.mark.parametrize("text", ["", " ", "-", '"', "()", "\0", "…", "^", "*"])
@pytest.mark.parametrize("prefix", [False, True])
def test_a_term_without_a_word_matches_nothing(matcher: Matcher, text: str, prefix: bool) -> None:
    for field in ("ti", "au", "abs", "co", "jr"):
        assert matcher.match(Term(field, text, phrase=not prefix, prefix=prefix)) == set()


terms = st.builds(
    Term,
    st.sampled_from(["ti", "au", "abs", "co", "jr", "cat", "all"]),
    st.one_of(st.text(max_size=20), st.text(alphabet="\"'*(){}:^-+ANDORNEAR, \0", max_size=20)),
    st.booleans(),
    st.booleans(),
)
nodes = st.recursive(
    terms,
    lambda inner: (
        st.builds(And, inner, inner) | st.builds(Or, inner, inner) | st.builds(AndNot, inner, inner)
    ),
)


@given(nodes)
def test_no_text_can_break_out_of_its_phrase(matcher: Matcher, node: Node) -> None:
    assert matcher.match(node) <= {each.id for each in PAPERS}


@given(st.text(), st.text())
def test_any_paper_can_be_indexed(title: str, name: str) -> None:
    with Matcher([paper("1", title + " zebra", authors=(name,))]) as one:
        assert one.match(parse("ti:zebras OR abs:x")) <= {"1"}


def captured(name: str) -> list[Paper]:
    """The papers of one captured answer of the query API."""
    found = []
    for entry in ElementTree.parse(shared("arxiv/captures/api") / name).iter(f"{ATOM}entry"):
        text = {part: entry.findtext(f"{ATOM}{part}", "") for part in ("id", "title", "summary")}
        authors = tuple(
            author.findtext(f"{ATOM}name", "") for author in entry.iter(f"{ATOM}author")
        )
        categories = tuple(category.get("term", "") for category in entry.iter(f"{ATOM}category"))
        comment = entry.findtext("{http://arxiv.org/schemas/atom}comment", "")
        found.append(
            paper(text["id"], text["title"], text["summary"], authors, categories, comment)
        )
    return found


@pytest.mark.parametrize(
    ("name", "query", "count"),
    [
        ("arxivpy_q_testing_s0_m100_cfe7536492ca.xml", "all:testing", 100),
        ("yanhua_20260423_latest_cs_ai.xml", "cat:cs.AI", 50),
        ("millennium_20260625_arxiv_fresh_feed.xml", "cat:math.NT OR cat:math.AG", 5),
        ("yanhua_20260403_agent_raw.xml", "all:LLM OR all:Agent", 10),
        ("yanhua_20260324_agents_raw.xml", 'all:"LLM Agents"', 5),
        ("yanhua_20260423_rsi_strict.xml", 'all:"recursive self-improvement"', 5),
        ("arxivpy_2016_search_query_au_del_maestro.xml", "au:del_maestro", 10),
    ],
)
def test_all_of_a_captured_answer_matches_its_query(name: str, query: str, count: int) -> None:
    papers = captured(name)
    with Matcher(papers) as matcher:
        assert len(matcher.match(parse(query))) == len(papers) == count


def test_an_unquoted_hyphen_asks_arxiv_for_more_than_the_phrase() -> None:
    """Why a hyphenated word is sent quoted: here arXiv answered with papers that have one of its
    parts."""
    papers = captured("yanhua_20260423_rsi_arxiv.xml")
    with Matcher(papers) as matcher:
        assert (
            len(matcher.match(parse("all:recursive OR all:self-improvement"))) < len(papers) == 10
        )
        assert len(matcher.match(parse("recursive OR self OR improvement"))) == 10


def test_half_a_surrogate_pair_breaks_nothing(matcher: Matcher) -> None:
    assert matcher.match(Term("ti", "\ud800")) == set()
    with Matcher([paper("1", "\ud800 zebra")]) as one:
        assert one.match(parse("zebra")) == {"1"}


@pytest.fixture(scope="module")
def replay() -> Iterator[tuple[Matcher, dict[str, set[str]]]]:
    papers, windows = {}, defaultdict(set)
    with lzma.open(shared("arxiv/replay/papers.jsonl.xz"), "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            papers[row["id"]] = paper(
                row["id"], row["title"], row["abstract"], comment=row.get("comment") or ""
            )
    with lzma.open(shared("arxiv/replay/windows.jsonl.xz"), "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            windows[row["keyword"]].update(row["ids"])
    with Matcher(papers.values()) as matcher:
        yield matcher, windows


def test_a_sqlite_without_full_text_search_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Without(sqlite3.Connection):
        def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
            return super().execute(statement.replace("fts5(", "fts_that_is_missing("), *parameters)

    connect = partial(sqlite3.connect, factory=Without)
    monkeypatch.setattr("digest.keywords.match.sqlite3.connect", connect)
    with pytest.raises(ConfigError, match=r"cannot search texts .*: use a Python whose SQLite has"):
        Matcher([]).match(parse("zebra"))


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["Time Series", "Graph Neural Networks", "Trajectory"])
def test_a_plain_keywords_rule_meets_arxivs_own_answers(
    replay: tuple[Matcher, dict[str, set[str]]], name: str
) -> None:
    matcher, windows = replay
    found, window = matcher.match(parse(make_keyword(name).query)), windows[name]
    assert len(window) > 1000
    assert len(found & window) / len(window) >= 0.99
    assert len(found - window) / len(found) <= 0.01


@pytest.mark.heavy
def test_spellings_that_arxiv_takes_for_one_are_one(
    replay: tuple[Matcher, dict[str, set[str]]],
) -> None:
    matcher, _ = replay
    assert matcher.match(parse("time-series")) == matcher.match(parse('"time series"')) != set()
    assert matcher.match(parse("trajectory")) == matcher.match(parse("trajectories")) != set()
