"""Explains in which order papers come to a reader who has papers of their own: each score, its
parts, and the papers that it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from digest.model import Paper, Subscriber
from digest.ranking import Near, Score
from digest.run.tastes import Tastes


@dataclass(frozen=True, slots=True)
class Ranking:
    """The scores of papers that come together, by their base ids, the papers of the reader's own
    that are nearest to each, and how many they are; or `why_not`, in words.
    """

    scores: Mapping[str, Score]
    nearest: Mapping[str, Sequence[Near]]
    own: int
    why_not: str

    def values(self, paper: str) -> dict[str, Any]:
        """What is to be said of one of the papers, as plain values."""
        if self.why_not:
            return {"why_not": self.why_not}
        score = self.scores[paper]
        return {
            "place": 1 + sum(other.value > score.value for other in self.scores.values()),
            "of": len(self.scores),
            "own": self.own,
            "score": round(score.value, 3),
            "parts": {name: round(part, 3) for name, part in score.parts.items()},
            "nearest": [
                {
                    "id": near.text.id,
                    "title": near.text.title,
                    "likeness": round(near.likeness, 3),
                }
                for near in self.nearest[paper]
            ],
        }


def explain_ranking(tastes: Tastes, subscriber: Subscriber, papers: Sequence[Paper]) -> Ranking:
    """The ranking of papers that come to a reader together, by what the reader has now."""
    known = tastes.store.digests.reader(subscriber.email)
    number = known.id if known else 0
    taste = tastes.of(number, subscriber)
    if taste is None:
        return Ranking({}, {}, 0, tastes.why_not(number, subscriber))
    ids = [paper.id for paper in papers]
    scores = dict(zip(ids, taste.rank(papers), strict=True))
    nearest = dict(zip(ids, taste.nearest(papers), strict=True))
    return Ranking(scores, nearest, len(taste.texts), "")
