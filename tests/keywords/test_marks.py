from __future__ import annotations

import json
import lzma
import re
import sqlite3
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.keywords.categories import in_categories
from digest.keywords.grammar import parse, to_text
from digest.keywords.marks import ABSTRACT, TITLE, author_term, find, names, wanted
from digest.keywords.marks import _folded as folded
from digest.keywords.match import Matcher, searchable, stem
from digest.keywords.tokens import Term
from digest.model import Paper
from tests.world.samples import paper
from tests.world.shared import shared

# Stems


def in_fts5(words: Iterable[str]) -> list[str]:
    """The stem of each word as FTS5 has it; "" for what it does not take for one word."""
    database = sqlite3.connect(":memory:")
    database.execute(
        "CREATE VIRTUAL TABLE t USING fts5(word, tokenize='porter unicode61 remove_diacritics 2')"
    )
    database.execute("CREATE VIRTUAL TABLE v USING fts5vocab(t, 'instance')")
    rows = [searchable(word) for word in words]
    database.executemany("INSERT INTO t(rowid, word) VALUES (?, ?)", enumerate(rows))
    found: dict[int, list[str]] = {}
    for term, row in database.execute("SELECT term, doc FROM v ORDER BY doc, offset"):
        found.setdefault(row, []).append(term)
    database.close()
    return [found[row][0] if len(found.get(row, ())) == 1 else "" for row in range(len(rows))]


@pytest.mark.heavy
def test_all_words_of_real_papers_have_the_stem_that_the_search_gives_them() -> None:
    words: set[str] = set()
    with lzma.open(shared("arxiv/bulk/papers_2026-06.jsonl.xz"), "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            words.update(re.findall(r"[^\W_]+", f"{record['title']} {record['summary']}"))
    ordered = sorted(words)
    wrong = [
        (w, s, stem(folded(w)))
        for w, s in zip(ordered, in_fts5(ordered), strict=True)
        if s != stem(folded(w))
    ]

    assert len(ordered) > 30_000
    assert wrong == []


ENDINGS = (
    "ational tional enci anci izer logi bli alli entli eli ousli ization ation ator alism iveness "
    "fulness ousness aliti iviti biliti icate ative alize iciti ical ful ness al ance ence er ic "
    "able ible ant ement ment ent ion sion tion ou ism ate iti ous ive ize s es ies sses ss ed eed "
    "ing y ly ll e"
).split()
made_up = st.builds(
    lambda start, ends: start + "".join(ends),
    st.text("aeiouybtlszwxcr", max_size=6),
    st.lists(st.sampled_from(ENDINGS), max_size=3),
).filter(bool)


@given(st.lists(made_up, min_size=1, max_size=200))
def test_made_up_words_have_the_stem_that_the_search_gives_them(words: list[str]) -> None:
    assert in_fts5(words) == [stem(word) for word in words]


def test_a_letter_that_people_write_without_its_stroke_is_marked_as_it_is_found() -> None:
    assert find("In Førde", [Term("ti", "forde")], TITLE) == ((3, 8),)
    assert find("In Forde", [Term("ti", "førde")], TITLE) == ((3, 8),)


# What is found


def marked(text: str, query: str, fields: frozenset[str] = TITLE) -> list[str]:
    return [text[start:end] for start, end in find(text, wanted(to_text(parse(query))), fields)]


@pytest.mark.parametrize(
    ("query", "text", "pieces"),
    [
        (
            'ti:"reward model"',
            "Reward Models and a reward-modelling reward",
            ["Reward Models", "reward-modelling"],
        ),
        (
            "ti:hallucination",
            "Hallucinated facts, hallucinating, hallucinogens",
            ["Hallucinated", "hallucinating"],
        ),
        ("ti:hallucinat*", "Hallucinated facts, hallucinogens", ["Hallucinated"]),
        ("abs:reward", "Reward", []),
        ("all:reward", "Reward", ["Reward"]),
        ("cat:cs.LG AND ti:graph", "Graphs of cs.LG", ["Graphs"]),
        ("ti:graph ANDNOT ti:neural", "Neural graphs", ["graphs"]),
        ("ti:bézier OR ti:naive", "Bezier curves, naïve and NAÏVE", ["Bezier", "naïve", "NAÏVE"]),
        (
            "ti:reward AND ti:model",
            "A reward model; the model's reward",
            ["reward model", "model", "reward"],
        ),
        ('ti:"a b"', "a a b, a. b, a.b", ["a b", "a. b"]),
        ("ti:model", "<b>model</b> &amp; MODEL", ["model", "MODEL"]),
        ("ti:奖励", "奖励 模型", ["奖励"]),
        ("ti:e", "e\u0301 and e", ["e\u0301", "e"]),
    ],
)
def test_the_pieces_that_a_query_matches(query: str, text: str, pieces: list[str]) -> None:
    assert marked(text, query) == pieces


def test_what_is_no_query_finds_nothing() -> None:
    assert wanted('"') == ()


words = st.sampled_from(
    "reward rewards Model modeling naïve naive graph-based the é 奖励 x2 pre-training".split()
)
texts = st.lists(words, max_size=8).map(" ".join)
queries = st.builds(
    lambda field, found: f'{field}:"{found}"',
    st.sampled_from(["ti", "abs", "all"]),
    texts.filter(bool),
) | st.builds(
    lambda field, word: f"{field}:{word}*",
    st.sampled_from(["ti", "abs"]),
    st.sampled_from("rew naïv mode gra x 奖".split()),
)


@given(texts, texts, queries)
def test_a_piece_is_found_where_the_search_finds_the_paper(
    title: str, abstract: str, query: str
) -> None:
    here = paper(title=title, abstract=abstract, comment="", authors=(), categories=())
    terms = wanted(to_text(parse(query)))
    with Matcher([here]) as matcher:
        matches = bool(matcher.match(parse(query)))

    assert bool(find(title, terms, TITLE) or find(abstract, terms, ABSTRACT)) == matches


@given(
    st.text(max_size=80),
    st.text(max_size=20).filter(lambda text: any(map(str.isalnum, text)) and '"' not in text),
)
def test_pieces_lie_in_order_within_any_text(text: str, sought: str) -> None:
    spans = find(text, [author_term(sought)], frozenset({"au"}))

    ends = [0, *(place for span in spans for place in span), len(text)]
    assert ends == sorted(ends)
    assert all(start < end for start, end in spans)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Ada Lovelace", {0}),
        ("lovelace ada", {0}),
        ("Lovelace", {0, 2}),
        ("lovelace a", {0, 2}),
        ("Emmy Noether", {1}),
        ("Noether Lovelace", set()),
    ],
)
def test_authors_are_found_as_the_search_finds_them(name: str, found: set[int]) -> None:
    authors = ("Ada Lovelace", "Emmy Nöther Noether", "Augusta Lovelace")
    if name == "Emmy Noether":
        authors = ("Ada Lovelace", "Emmy Noether", "Augusta Lovelace")
    assert names(authors, [author_term(name)]) == found
    here: Paper = paper(authors=authors)
    with Matcher([here]) as matcher:
        assert bool(matcher.match(parse(f'au:"{name}"'))) == bool(found)


def test_categories_are_named_whole_or_by_their_archive() -> None:
    assert in_categories(("cs.LG", "stat.ML"), ["STAT.ml"])
    assert in_categories(("cs.LG",), ["cs.*"])
    assert not in_categories(("cs.LG",), ["cs"])
    assert not in_categories((), ["cs.*"])


people = st.sampled_from(
    "Jean-Pierre Serre|Ada B. Lovelace|Tullio Levi-Civita|J.-P. Serre|Conor O'Brien|Levi Civita"
    "|Søren Kähler|Adrian Del Maestro".split("|")
)
wishes = st.builds(
    lambda field, name: f'{field}:"{name}"',
    st.sampled_from(["au", "all"]),
    people
    | st.sampled_from(
        "Pierre|Jean|Jean-Pierre|Serre Jean-Pierre|Serre Jean Pierre|Civita|levi_civita|Serre J"
        "|obrien|O'Brien|Kahler|serre_j".split("|")
    ),
) | st.sampled_from(["au:jean*", "au:pier*", "au:lev*", "all:civ*"])


@given(people, wishes)
@example("Jean-Pierre Serre", "au:pierre")
@example("Tullio Levi-Civita", "au:levi_civita")
def test_a_name_is_marked_where_the_search_finds_it(name: str, wish: str) -> None:
    here = paper(title="x", abstract="y", comment="", authors=("Nobody", name), categories=())
    with Matcher([here]) as matcher:
        found = bool(matcher.match(parse(wish)))
    assert names(["Nobody", name], wanted(to_text(parse(wish)))) == ({1} if found else set())
