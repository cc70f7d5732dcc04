"""Papers as vectors of their words, weighed by what is rare in the feed (TF-IDF).

A paper's terms are its words and the pairs of neighbouring words; the title counts three times.
A term that stands n times in it weighs (1 + ln n) times its inverse document frequency in the feed,
and each vector has length one (Manning, Raghavan, Schütze: Introduction to Information Retrieval,
2008, chapter 6). A plural counts as its singular (the S-stemmer of Harman: How effective is
suffixing?, 1991). Terms that the feed lacks count for the length alone: nothing can be close by
them to a paper that was fetched.
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
_OWNED = 8_000
"""So many papers of readers' are kept, in some thirty megabytes."""

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
    words = list(map(_singular, _WORD.findall(text.lower())))
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
class Vector:
    """A paper's weights by the numbers of its terms in the feed, and its product with the mean of
    the feed.
    """

    numbers: Sequence[int]
    weights: Sequence[float]
    usual: float = 0.0

    def along(self, whole: Sequence[float]) -> float:
        """The scalar product with a vector that has a weight for each term of the feed; the same
        whatever the order of the terms.
        """
        return fsum(map(mul, self.weights, map(whole.__getitem__, self.numbers)))


@dataclass(frozen=True, eq=False)
class Feed:
    """What the papers that were fetched lately have in common: the `numbers` of their terms, how
    rare each is, which are `common` to a tenth of the papers, and the papers' mean vector. Behind
    the rarity of all terms stands that of one that the feed lacks.

    The vectors of candidates are kept with it, since readers of one day are sent the same papers: a
    day costs the day's papers once. Of what readers have, papers that several of them have are as
    common.
    """

    numbers: Mapping[str, int]
    rarity: Sequence[float]
    common: frozenset[int]
    mean: Sequence[float] = ()
    _candidates: dict[tuple[str, str], Vector] = field(default_factory=dict, repr=False)
    _owned: dict[tuple[str, str], Vector] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, papers: Sequence[Paper]) -> Feed:
        """The feed of these papers, such as the last 1,000 that were fetched, in any order."""
        counts = [terms(paper.title, paper.abstract) for paper in papers]
        frequency = Counter(term for count in counts for term in count)
        rarest = log(len(papers) + 1) + 1
        # Of a few papers nothing can be said to be common.
        least = _COMMON_SHARE * max(len(papers), 100)
        feed = cls(
            {term: number for number, term in enumerate(frequency)},
            [*(rarest - log(found + 1) for found in frequency.values()), rarest],
            frozenset(n for n, found in enumerate(frequency.values()) if found > least),
        )
        vectors = [feed._vector(count) for count in counts]
        return replace(feed, mean=feed.sum(vectors, [1 / len(papers) for _ in papers]))

    def sum(self, vectors: Sequence[Vector], shares: Sequence[float]) -> list[float]:
        """The sum of vectors, each with its share: a weight for each term of the feed."""
        sums = [0.0] * len(self.numbers)
        for vector, share in zip(vectors, shares, strict=True):
            for number, weight in zip(vector.numbers, vector.weights, strict=True):
                sums[number] += share * weight
        return sums

    def paper(self, title: str, abstract: str) -> Vector:
        """A paper that a reader has, and others may have, too."""
        found = self._owned.get((title, abstract)) or self._vector(terms(title, abstract))
        if len(self._owned) < _OWNED:
            self._owned[title, abstract] = found
        return found

    def candidate(self, paper: Paper) -> Vector:
        """A paper that many readers may be sent."""
        text = (paper.title, paper.abstract)
        if text not in self._candidates:
            self._candidates[text] = self._vector(terms(*text))
        return self._candidates[text]

    def _vector(self, counts: Mapping[str, int]) -> Vector:
        known, rarity = self.numbers.get, self.rarity
        numbers = [known(term, -1) for term in counts]
        weights = [
            rarity[number] if times == 1 else rarity[number] * (1 + log(times))
            for number, times in zip(numbers, counts.values(), strict=True)
        ]
        length = hypot(*weights)
        vector = Vector(
            array("I", [number for number in numbers if number >= 0]),
            array("d", [w / length for n, w in zip(numbers, weights, strict=True) if n >= 0]),
        )
        return replace(vector, usual=vector.along(self.mean)) if self.mean else vector
