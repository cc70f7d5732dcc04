"""The taste of a reader: what the papers that they have are about, and the feed is not.

A candidate's score is, over the candidates of the day and in their standard deviations,

    vector . (weighted mean of the library - mean of the feed)

where a paper of the library weighs 1 / sqrt(d), and d is its own

    vector . (mean of the library - mean of the feed),

at least what it adds to that itself, 1 / size of the library. This is Rocchio's formula (1971) with
the feed as what is not wanted: without taking it away, what all papers of a field have in common
ranks them. The weights let an interest of few papers stand beside one of many, in whose mean it
would vanish: with the root, one that has a hundredth of another's papers counts a tenth as much.
How this and the constants were chosen: docs/decisions.md.

The likeness of two papers is the product of their vectors, without the terms that a tenth of the
feed has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import nlargest
from math import fsum, sqrt

from digest.model import Paper
from digest.ranking.vectors import Feed, Vector

ENOUGH = 5
"""From so many papers on a taste is better than the order by keywords."""
CLOSE = 0.12
"""From this likeness on a paper is called close to another: of the 50 real pairs of titles that
were looked at, six of seven were about one subject from here on, two of three at 0.1."""
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class LibraryText:
    """A paper that a reader has. `id`: what it is known by; without an abstract its title does."""

    id: str
    title: str
    abstract: str = ""
    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Near:
    """A paper that the reader has, and how like it a candidate is, from 0 to 1."""

    text: LibraryText
    likeness: float


@dataclass(frozen=True, slots=True)
class Score:
    """How likely a paper is wanted: `value` is the sum of `parts`, which say by what."""

    value: float
    parts: Mapping[str, float]


@dataclass(frozen=True)
class Taste:
    """A reader's papers, seen against a feed."""

    texts: tuple[LibraryText, ...]
    feed: Feed

    @classmethod
    def of(cls, library: Sequence[LibraryText], feed: Feed) -> Taste | None:
        """The taste of who has these papers; None where they are fewer than `ENOUGH`."""
        return cls(tuple(library), feed) if len(library) >= ENOUGH else None

    @cached_property
    def _papers(self) -> Sequence[Vector]:
        return [self.feed.paper(text.title, text.abstract) for text in self.texts]

    @cached_property
    def _wanted(self) -> Sequence[float]:
        """The weighted mean of the library."""
        size = len(self._papers)
        mean = self.feed.sum(self._papers, [1 / size] * size)
        weights = [
            1 / sqrt(max(paper.along(mean) - paper.usual, 1 / size)) for paper in self._papers
        ]
        whole = fsum(weights)
        return self.feed.sum(self._papers, [weight / whole for weight in weights])

    def rank(self, candidates: Sequence[Paper]) -> list[Score]:
        """The scores of these papers, in the order given; each depends on which papers they are,
        not on their order.
        """
        known = [self.feed.candidate(paper) for paper in candidates]
        wanted = [vector.along(self._wanted) for vector in known]
        usual = [vector.usual for vector in known]
        values = [want - often for want, often in zip(wanted, usual, strict=True)]
        deviation = _deviation(values)
        if not deviation:
            return [Score(0.0, {"library": 0.0, "feed": 0.0}) for _ in candidates]
        library, feed = _mean(wanted), _mean(usual)
        parts = [
            ((want - library) / deviation, (feed - often) / deviation)
            for want, often in zip(wanted, usual, strict=True)
        ]
        return [Score(plus + minus, {"library": plus, "feed": minus}) for plus, minus in parts]

    def nearest(self, candidates: Sequence[Paper]) -> list[tuple[Near, ...]]:
        """For each of these papers, in the order given, at most three of the reader's, the most
        alike first.
        """
        # Looked up by term, so that a pair of papers costs what the two have in common.
        having: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
        for place, paper in enumerate(candidates):
            vector = self.feed.candidate(paper)
            for number, weight in zip(vector.numbers, vector.weights, strict=True):
                if number not in self.feed.common:
                    having[number].append((place, weight))
        columns = []
        for own in self._papers:
            column = [0.0] * len(candidates)
            for number, weight in zip(own.numbers, own.weights, strict=True):
                for place, other in having.get(number, ()):
                    column[place] += weight * other
            columns.append(column)
        return [
            tuple(
                Near(self.texts[n], row[n])
                for n in nlargest(_SHOWN, range(len(row)), key=row.__getitem__)
                if row[n]
            )
            for row in zip(*columns, strict=True)
        ]


def _mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values)


def _deviation(values: Sequence[float]) -> float:
    """The standard deviation; 0 where all are one."""
    if not values:
        return 0.0
    middle = _mean(values)
    deviation = sqrt(fsum((value - middle) ** 2 for value in values) / len(values))
    # What differs by the rounding of sums alone does not differ.
    return deviation if deviation > 1e-12 else 0.0
