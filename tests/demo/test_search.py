"""The demo's search finds as arXiv's published source says, not always as Digest matches."""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice

import pytest

from digest.demo.search import Search
from digest.keywords.asked import asked, is_left_out, unaccented
from digest.keywords.grammar import parse
from digest.keywords.match import Matcher, searchable
from digest.model import Paper
from tests.world.samples import paper
from tests.world.searches import KINDS, Difference, differences, queries
from tests.world.shared import shared

PAPERS = [
    paper(
        id="1",
        title="Hallucinations of multimodal models",
        abstract="To be optimized by Maxwell's equations, in GPT-4.5",
        authors=("Jean-Pierre Serre", "Ada B. Lovelace"),
        comment="12 pages, accepted at ICML",
        categories=("cs.CL", "stat.ML"),
    ),
    paper(
        id="2",
        title="The Schrödinger equation",
        abstract="A theory in mind",
        authors=("Grace Hopper",),
        comment="",
        categories=("quant-ph",),
    ),
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("ti:hallucination", "1"),
        ("ti:hallucinat*", ""),
        ("ti:hallucin*", "1"),
        ("all:hallucinat*", "1"),
        ("ti:multimodal*", ""),
        ("abs:optimiz*", ""),
        ("abs:maxwell", "1"),
        ('abs:"maxwell equation"', "1"),
        ('abs:"theory of mind"', "2"),
        ('ti:"the equation"', "2"),
        ("ti:the", ""),
        ('abs:"to be"', "1"),
        ("abs:4", ""),
        ('abs:"gpt 4.5"', "1"),
        ('abs:"gpt 4"', ""),
        ("ti:schrodinger", ""),
        ("ti:schrödinger", "2"),
        ("all:schrodinger", "2"),
        ("co:accept", ""),
        ("co:accepted", "1"),
        ("co:accept*", "1"),
        ("au:pierre", ""),
        ('au:"serre jean-pierre"', "1"),
        ('au:"serre lovelace"', ""),
        ("au:lovel*", "1"),
        ('all:"ada b lovelace"', "1"),
        ('all:"lovelace ada"', ""),
        ("cat:cs", ""),
        ("cat:cs.*", "1"),
        ("cat:stat.ml", "1"),
        ("all:cs.CL", "1"),
        ("ti:equation ANDNOT abs:theory", ""),
        ("ti:equation OR ti:models", "1 2"),
    ],
)
def test_papers_are_found_as_arxivs_source_says(query: str, found: str) -> None:
    assert Search(PAPERS).find(parse(query)) == set(found.split())


def _real_papers(number: int) -> list[Paper]:
    """Papers of June 2026 (the date is of no account here)."""
    path = shared("arxiv/bulk/papers_2026-06.jsonl.xz")
    day = datetime(2026, 6, 1, tzinfo=UTC)
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        return [
            Paper(
                row["id"], 1, row["title"], row["summary"], tuple(row["authors"]),
                tuple(row["categories"]), day, day, row["comment"] or "",
            )
            for row in map(json.loads, islice(lines, number))
        ]  # fmt: skip


KNOWN = {
    'abs:"being"': "its stem is 'be', a word that arXiv leaves out, and matches here",
}
"""Queries of which arXiv would not list all that matches here, with the reason."""
KNOWN_MORE = {'all:"to 25.8"': "all: takes the dots out of numbers, so that 258 is found"}
"""Queries for which arXiv lists what neither matches here nor is told apart."""


def _told(found: Iterable[Difference]) -> tuple[set[str], set[str]]:
    """The queries with either kind of difference; it prints them for whoever looks."""
    listing = [each for each in found if each.missed or each.unexplained]
    for each in listing:
        print(each.query, "missed", len(each.missed), "unexplained", len(each.unexplained))
    # Nobody can ask arXiv for the words that it leaves out, of which `keywords check` tells.
    missed = {each.query for each in listing if each.missed and not is_left_out(parse(each.query))}
    return missed, {each.query for each in listing if each.unexplained}


@pytest.mark.heavy
def test_300_queries_of_all_kinds_over_real_papers_differ_only_for_known_reasons() -> None:
    papers = _real_papers(4_846)
    made = queries(papers, 300)
    assert {kind for kind, _ in made} == set(KINDS)
    found = differences(papers[:2_400], made)
    missed, unexplained = _told(found)
    assert missed <= KNOWN.keys()
    assert unexplained <= KNOWN_MORE.keys()
    assert sum(each.wider > 0 for each in found) > 30, "the two do read many queries differently"


def test_queries_of_all_kinds_over_some_real_papers_miss_nothing() -> None:
    papers = _real_papers(60)
    missed, unexplained = _told(differences(papers, queries(papers, 48, seed=7)))
    assert not missed | unexplained


@pytest.mark.heavy
def test_names_typed_with_or_without_their_accents_lose_no_real_paper() -> None:
    papers = [p for p in _real_papers(4_846) if not "".join(map(searchable, p.authors)).isascii()]
    accented = {
        name
        for paper in papers
        for name in map(searchable, paper.authors)
        if unaccented(name) != name and re.fullmatch("[A-Za-z .'-]+", unaccented(name))
    }
    surnames = {name.split()[-1] for name in accented}
    texts = [f'au:"{spelt}"' for name in accented | surnames for spelt in (name, unaccented(name))]
    begun = [f"au:{name[:5]}*" for name in surnames if re.fullmatch(r"\w{5,}", name)]
    search = Search(papers)
    with Matcher(papers) as matcher:
        found = 0
        for query in map(parse, [*texts, *begun, *map(unaccented, begun)]):
            here = matcher.match(query)
            assert here <= search.find(asked(query)), query
            found += len(here)
    assert found > len(texts) > 1_000
