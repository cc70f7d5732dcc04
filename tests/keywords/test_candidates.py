"""The index for many papers finds each paper that a query matches, whatever stands in either."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable

import pytest

from digest.errors import QueryError
from digest.keywords.candidates import ANY, COLUMNS, TOKENIZER, asked, columns_of
from digest.keywords.grammar import And, AndNot, Node, Or, Term, parse
from digest.keywords.match import Matcher
from digest.model import Paper
from tests.keywords.test_match import DAY

TITLES = """Operators operating operational relate relational happy happiness Happily skies sky
dying using d'Alembert's alpha_s 4.5 1,000 Erd\\H{o}s Schr\\"odinger naïve time-series U(1) SU(2)
don't possibilities probable x² α-decay Łukasz the of and generalizations being β_{ij} Kähler ½
µ-law""".split()
NAMES = [
    "Ada B. Lovelace",
    "Émile Borel",
    "Tullio Levi-Civita",
    "J.-P. Serre",
    "Łukasz O'Hara",
    "Li",
]
PLACES = ["cs.LG", "cs.CL", "math.AG", "hep-th", "stat.ME", "E.1; E.4", "cond-mat.str-el"]
FIELDS = ("ti", "au", "abs", "co", "jr", "cat", "all")


def some_papers(chance: random.Random, count: int) -> list[Paper]:
    def text(most: int) -> str:
        return " ".join(chance.choices([*TITLES, *NAMES], k=chance.randint(0, most)))

    return [
        Paper(
            str(number), 1, text(5), text(12), tuple(chance.sample(NAMES, 2)),
            tuple(chance.sample(PLACES, 2)), DAY, DAY, text(3), text(2),
        )
        for number in range(count)
    ]  # fmt: skip


def some_query(chance: random.Random, depth: int = 3) -> Node:
    if depth and chance.random() < 0.5:
        kind = chance.choice([And, Or, AndNot])
        return kind(some_query(chance, depth - 1), some_query(chance, depth - 1))
    words = [word for text in (*TITLES, *NAMES, *PLACES) for word in text.split()]
    word = chance.choice(words)
    field = chance.choice(FIELDS)
    ending = chance.choice(["", "", "*"])
    if ending:
        word = word[: chance.randint(1, len(word))]
    elif chance.random() < 0.3 and field != "cat":
        word = f'"{word} {chance.choice(words)}"'
    try:
        found = parse(f"{field}:{word}{ending}")
    except QueryError:
        return some_query(chance, depth)
    assert isinstance(found, Term)
    return found


def in_index(papers: Iterable[Paper]) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    names = ", ".join(COLUMNS)
    database.execute(
        f"CREATE VIRTUAL TABLE words USING fts5({names}, content='', tokenize='{TOKENIZER}')"
    )
    database.executemany(
        f"INSERT INTO words(rowid, {names}) VALUES(?{', ?' * len(COLUMNS)})",
        [(int(paper.id), *columns_of(paper)) for paper in papers],
    )
    return database


@pytest.mark.parametrize("seed", range(3))
def test_each_paper_that_matches_is_found_and_few_others(seed: int) -> None:
    chance = random.Random(seed)
    papers = some_papers(chance, 40)
    index, found, matched = in_index(papers), 0, 0
    with Matcher(papers) as matcher:
        for _ in range(150):
            node = some_query(chance)
            wanted, words = matcher.match(node), asked(node)
            if words == ANY:
                continue
            rows = index.execute("SELECT rowid FROM words WHERE words MATCH ?", [words])
            candidates = {str(row) for (row,) in rows}
            assert candidates >= wanted, node
            found, matched = found + len(candidates), matched + len(wanted)
    assert matched > 300
    assert found < 1.4 * matched


def test_a_query_may_be_as_long_as_it_likes() -> None:
    index = in_index([])
    for text in (
        " OR ".join(f"a{n}" for n in range(150)),
        "(" * 19 + "a" + " OR b AND c)" * 9 + " OR d)" * 10,
    ):
        index.execute("SELECT rowid FROM words WHERE words MATCH ?", [asked(parse(text))])
