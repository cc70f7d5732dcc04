"""The score of papers by what a reader has."""

from __future__ import annotations

from dataclasses import replace
from math import isclose, log, sqrt
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model import Paper
from digest.ranking import CLOSE, ENOUGH, Feed, LibraryText, Taste
from digest.ranking.vectors import terms
from tests.world.samples import paper

TOPICS = (
    "gaussian splatting",
    "reward model",
    "neutron star",
    "knot invariant",
    "spin glass",
    "gene drive",
    "tax reform",
    "sea ice",
    "bird song",
    "heat pump",
    "river delta",
    "protein fold",
)


def about(number: int, topic: str) -> Paper:
    """A paper about a topic, and about nothing else that another one is about."""
    text = f"The {topic} of kind{number} is measured by method{number}."
    return replace(paper(1), id=f"2611.{number:05}", title=f"{topic} {number}", abstract=text)


FEED = Feed.of([about(number, TOPICS[number % len(TOPICS)]) for number in range(160)])


def library(topic: str, number: int = ENOUGH, start: int = 500) -> list[LibraryText]:
    made = [about(start + n, topic) for n in range(number)]
    return [LibraryText(p.id, p.title, p.abstract) for p in made]


def taste_of(papers: list[LibraryText]) -> Taste:
    taste = Taste.of(papers, FEED)
    assert taste
    return taste


def test_terms_are_words_and_pairs_and_those_of_the_title_count_thrice() -> None:
    assert terms("Galaxies", "The galaxy of stars. It uses bright 3D masks, don't it?") == {
        "galaxy": 4,
        "star": 1,
        "bright": 1,
        "bright 3d": 1,
        "3d": 1,
        "3d mask": 1,
        "mask": 1,
        "mask don't": 1,
        "don't": 1,
    }


@pytest.mark.parametrize(
    ("word", "singular"),
    [("galaxies", "galaxy"), ("models", "model"), ("glass", "glass"), ("analysis", "analysis")],
)
def test_a_plural_counts_as_its_singular(word: str, singular: str) -> None:
    assert terms(word, "") == terms(singular, "")


def test_a_vector_weighs_what_is_often_in_it_and_rare_in_the_feed() -> None:
    feed = Feed.of([replace(paper(1), title="", abstract=text) for text in ("x b", "b", "b c")])
    rare, known, every = log(4) + 1, log(4 / 2) + 1, log(4 / 4) + 1
    # Of "b b, d, c" the feed lacks d and all pairs, which count for the length.
    found = feed.paper("", "b b, d, c")
    often = (1 + log(2)) * every
    length = sqrt(often**2 + known**2 + 4 * rare**2)
    weights = dict(zip(found.numbers, found.weights, strict=True))
    assert weights.keys() == {feed.numbers["b"], feed.numbers["c"]}
    assert isclose(weights[feed.numbers["b"]], often / length)
    assert isclose(weights[feed.numbers["c"]], known / length)
    assert feed.common == frozenset()
    common = {term for term, number in FEED.numbers.items() if number in FEED.common}
    assert common.isdisjoint(("method", "kind"))
    assert "measured" in common


def test_what_the_reader_has_more_of_comes_first_and_says_why() -> None:
    candidates = [about(900 + n, topic) for n, topic in enumerate(TOPICS)]
    taste = taste_of(library("neutron star"))
    scores, nearest = taste.rank(candidates), taste.nearest(candidates)
    best = max(scores, key=lambda score: score.value)
    assert best is scores[2]
    assert isclose(best.value, sum(best.parts.values()))
    assert [near.text.title[:12] for near in nearest[2]] == ["neutron star"] * 3
    likenesses = [near.likeness for near in nearest.pop(2)]
    assert likenesses == sorted(likenesses, reverse=True)
    assert likenesses[0] > CLOSE
    assert all(near.likeness < CLOSE for others in nearest for near in others)


@pytest.mark.parametrize("few", [8, 2])
def test_each_of_two_interests_comes_before_what_is_none(few: int) -> None:
    candidates = [about(900 + n, topic) for n, topic in enumerate(TOPICS)]
    own = [*library("neutron star", few), *library("reward model", 60, start=600)]
    values = [score.value for score in taste_of(own).rank(candidates)]
    assert min(values[1:3]) > max(values[:1] + values[3:])


def test_fewer_than_five_papers_are_no_taste() -> None:
    assert Taste.of(library("neutron star", ENOUGH - 1), FEED) is None


def test_a_title_alone_is_enough_and_nothing_else_is_needed() -> None:
    own = [LibraryText(text.id, text.title) for text in library("neutron star")]
    empty = [LibraryText("", "")] * ENOUGH
    candidates = [about(900, "neutron star"), about(901, "knot invariant")]
    star, knot = taste_of(own).rank(candidates)
    assert star.value > knot.value
    for taste in (taste_of(empty), Taste.of(own, Feed.of([]))):
        assert taste
        assert taste.rank([]) == taste.nearest([]) == []
        assert taste_of(empty).nearest(candidates) == [(), ()]
        assert len(taste.rank(candidates)) == 2


def test_papers_that_are_alike_in_all_are_equally_likely() -> None:
    scores = taste_of(library("neutron star")).rank([about(900, "neutron star")] * 3)
    assert [score.value for score in scores] == [0.0] * 3


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=80)), max_size=12), st.randoms())
def test_any_texts_have_scores_whatever_their_order(
    texts: list[tuple[str, str]], random: Random
) -> None:
    candidates = [
        replace(paper(1), id=str(number), title=title, abstract=abstract)
        for number, (title, abstract) in enumerate(texts)
    ]
    taste = Taste.of(
        [*library("neutron star", 3), *(LibraryText(c.id, c.title, c.abstract) for c in candidates)]
        * 2,
        Feed.of(candidates),
    )
    assert taste
    found = zip(taste.rank(candidates), taste.nearest(candidates), strict=True)
    known = dict(zip(texts, found, strict=True))
    random.shuffle(candidates)
    again = zip(taste.rank(candidates), taste.nearest(candidates), strict=True)
    for candidate, score in zip(candidates, again, strict=True):
        assert score == known[candidate.title, candidate.abstract]
