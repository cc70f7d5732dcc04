"""The taste of a reader: what the papers that they have are about, and the feed is not.

A candidate's score is, over the candidates of the day and in their standard deviations,

    z(vector . (mean of the library - mean of the feed))
        + NEAREST * (1 - 5 / size of the library)
            * z(mean of the five greatest likenesses to single library papers)

where the likeness of two papers is the product of their vectors, without the terms that a tenth of
the feed has. The first part is Rocchio's (1971) with the feed as what is not wanted: without taking
it away, what all papers of a field have in common ranks them. The second finds papers for who has
several interests, of which the mean is none; of a library of five it would only bring back what all
have in common, so it counts for nothing there. How the constants were chosen: docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from math import fsum, sqrt

from digest.model import Paper
from digest.ranking.vectors import Feed, Vector, product

ENOUGH = 5
"""From so many papers on a taste is better than the order by keywords."""
CLOSE = 0.12
"""From this likeness on a paper is called close to another: of the 50 real pairs of titles that
were looked at, six of seven were about one subject from here on, two of three at 0.1."""
NEAREST = 0.25
"""The share of the nearest papers in a score, for a large library: better than 0.5 whichever of
seven readers was left out; without them a mixture of three libraries is ranked 0.01 worse."""
_NEIGHBOURS = 5
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
    """How likely a paper is wanted: `value` is the sum of `parts`, which say by what; `nearest` are
    at most three papers of the reader, the most alike first.
    """

    value: float
    parts: Mapping[str, float]
    nearest: tuple[Near, ...]


@dataclass(frozen=True)
class Taste:
    """A reader's papers, seen against a feed."""

    texts: tuple[LibraryText, ...]
    feed: Feed

    @classmethod
    def of(cls, library: Sequence[LibraryText], feed: Feed) -> Taste | None:
        """The taste of who has these papers; None where they are fewer than `ENOUGH`."""
        return cls(tuple(library), feed) if len(library) >= ENOUGH else None

    def rank(self, candidates: Sequence[Paper]) -> list[Score]:
        """The scores of these papers, in the order given; each depends on which papers they are,
        not on their order.
        """
        known = [self.feed.candidate(paper) for paper in candidates]
        rows, besides = self._likenesses([vector for vector, _ in known])
        numbers = range(len(self.texts))
        weight = NEAREST * (1 - min(1, _NEIGHBOURS / len(numbers)))
        nearest = [nlargest(_NEIGHBOURS, numbers, key=row.__getitem__) for row in rows]
        # The likeness to a mean is the mean of the likenesses.
        wanted = _standard(
            [
                (fsum(row) + more) / len(numbers) - usual
                for row, more, (_, usual) in zip(rows, besides, known, strict=True)
            ]
        )
        close = _standard(
            [
                fsum(row[number] for number in five) / len(five)
                for row, five in zip(rows, nearest, strict=True)
            ]
        )
        return [
            Score(
                want + weight * likeness,
                {"library": want, "nearest": weight * likeness},
                tuple(Near(self.texts[n], row[n]) for n in five[:_SHOWN] if row[n]),
            )
            for want, likeness, row, five in zip(wanted, close, rows, nearest, strict=True)
        ]

    def _likenesses(self, vectors: Sequence[Vector]) -> tuple[list[tuple[float, ...]], list[float]]:
        """For each candidate its likeness to each paper of the library, without the common terms;
        and what these add to all of them.
        """
        sums = dict.fromkeys(self.feed.common, 0.0)
        # Looked up by term, so that a pair of papers costs what the two have in common.
        having: dict[str, list[tuple[int, float]]] = {}
        for number, vector in enumerate(vectors):
            for term, weight in vector.items():
                if term not in sums:
                    having.setdefault(term, []).append((number, weight))
        columns = []
        for text in self.texts:
            column = [0.0] * len(vectors)
            for term, weight in self.feed.weights(text.title, text.abstract):
                if term in having:
                    for candidate, other in having[term]:
                        column[candidate] += weight * other
                elif term in sums:
                    sums[term] += weight
            columns.append(column)
        return list(zip(*columns, strict=True)), [product(vector, sums) for vector in vectors]


def _standard(values: Sequence[float]) -> list[float]:
    """The values in standard deviations from their mean; zeros where all are one."""
    if not values:
        return []
    middle = fsum(values) / len(values)
    deviation = sqrt(fsum((x - middle) ** 2 for x in values) / len(values))
    # What differs by the rounding of sums alone does not differ.
    return [(x - middle) / deviation if deviation > 1e-12 else 0.0 for x in values]
