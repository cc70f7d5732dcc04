"""Papers as vectors of their words, weighed by what is rare in the feed (TF-IDF).

A paper's terms are its words and the pairs of neighbouring words; the title counts three times.
A term that stands n times in it weighs (1 + ln n) times its inverse document frequency in the feed,
and each vector has length one (Manning, Raghavan, Schütze: Introduction to Information Retrieval,
2008, chapter 6). A plural counts as its singular (the S-stemmer of Harman: How effective is
suffixing?, 1991).
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from math import fsum, hypot, log
from operator import mul

from digest.model import Paper

TITLE_WEIGHT = 3
_COMMON_SHARE = 0.1
_OWNED = 5_000
"""So many papers of readers' are kept, in some thirty megabytes."""

Vector = Mapping[str, float]
"""Weights by term; what is not in it weighs nothing."""

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_FUNCTION_WORDS = frozenset(
    """a about above after again all also although always am among an and any are as at be because
    been before being between both but by can could did do does doing down during each either et al
    few for from further had has have having he her here him his how however i if in into is it its
    itself just less many may me might more moreover most much must my near no nor not now of off on
    once one only or other our out over own per rather s same she should since so some such t than
    that the their them then there these they this those through thus to too two under until up upon
    us use used using very via was we were what when where whether which while who whom why will
    with within without would you your""".split()
)
"""Words that tell nothing of what a paper is about; no pair reaches across one."""


def terms(title: str, abstract: str) -> Counter[str]:
    """How often each term stands in a paper's text."""
    return Counter(_terms(abstract) + TITLE_WEIGHT * _terms(title))


def _terms(text: str) -> list[str]:
    words = [_singular(word) for word in _WORD.findall(text.lower())]
    pairs = [f"{one} {other}" for one, other in pairwise(words) if one and other]
    return [word for word in words if word] + pairs


@lru_cache(maxsize=65_536)
def _singular(word: str) -> str:
    """A word in the singular; "" for a function word."""
    singular = word
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        singular = f"{word[:-3]}y" if len(word) > 4 and word.endswith("ies") else word[:-1]
    return "" if _FUNCTION_WORDS.intersection((word, singular)) else singular


@dataclass(frozen=True, slots=True)
class Weighed:
    """A paper's vector, term by term, and its product with the mean of the feed."""

    terms: Sequence[str]
    weights: Sequence[float]
    usual: float


@dataclass(frozen=True, eq=False)
class Feed:
    """What the papers that were fetched lately have in common: how rare each term is, which are
    `common` to a tenth of them, and their mean vector.

    The vectors of candidates are kept with it, since readers of one day are sent the same papers: a
    day costs the day's papers once. Of what readers have, papers that several of them have are as
    common; as texts and arrays, of which each takes a tenth of a vector's memory.
    """

    rarity: Mapping[str, float]
    rarest: float
    common: frozenset[str]
    mean: Vector = field(default_factory=dict)
    _candidates: dict[tuple[str, str], tuple[Vector, float]] = field(
        default_factory=dict, repr=False
    )
    _owned: dict[tuple[str, str], tuple[str, array[float], float]] = field(
        default_factory=dict, repr=False
    )

    @classmethod
    def of(cls, papers: Sequence[Paper]) -> Feed:
        """The feed of these papers, such as the last 1,000 that were fetched, in any order."""
        counts = [terms(paper.title, paper.abstract) for paper in papers]
        frequency = Counter(term for count in counts for term in count)
        rarest = log(len(papers) + 1) + 1
        rarity = {term: rarest - log(found + 1) for term, found in frequency.items()}
        # Of a few papers nothing can be said to be common.
        least = _COMMON_SHARE * max(len(papers), 100)
        common = {term for term, found in frequency.items() if found > least}
        feed = cls(rarity, rarest, frozenset(common))
        return replace(feed, mean=mean([feed._weighed(count) for count in counts]))

    def vector(self, title: str, abstract: str) -> Vector:
        """The vector of a paper's text, of length one; empty where it has no term."""
        return self._weighed(terms(title, abstract))

    def paper(self, title: str, abstract: str) -> Weighed:
        """A paper that a reader has, and others may have, too."""
        text = (title, abstract)
        if packed := self._owned.get(text):
            terms, weights, usual = packed
            return Weighed(terms.split("\n") if terms else [], weights, usual)
        vector = self.vector(title, abstract)
        weights, usual = array("d", vector.values()), product(vector, self.mean)
        if len(self._owned) < _OWNED:
            self._owned[text] = "\n".join(vector), weights, usual
        return Weighed(list(vector), weights, usual)

    def candidate(self, paper: Paper) -> tuple[Vector, float]:
        """The vector of a paper that many readers may be sent, and its product with the mean."""
        text = (paper.title, paper.abstract)
        if text not in self._candidates:
            vector = self.vector(*text)
            self._candidates[text] = (vector, product(vector, self.mean))
        return self._candidates[text]

    def _weighed(self, counts: Mapping[str, int]) -> Vector:
        known, rarest = self.rarity.get, self.rarest
        weights = [
            known(term, rarest) if times == 1 else known(term, rarest) * (1 + log(times))
            for term, times in counts.items()
        ]
        length = hypot(*weights)
        return dict(zip(counts, [weight / length for weight in weights], strict=True))


def mean(vectors: Sequence[Vector]) -> Vector:
    """The mean of vectors."""
    sums: dict[str, float] = {}
    for vector in vectors:
        for term, weight in vector.items():
            sums[term] = sums.get(term, 0.0) + weight
    return {term: weight / len(vectors) for term, weight in sums.items()}


def product(one: Vector, other: Vector) -> float:
    """The scalar product of two vectors; the same whatever the order of their terms."""
    both = one.keys() & other.keys()
    return fsum(map(mul, map(one.__getitem__, both), map(other.__getitem__, both)))
