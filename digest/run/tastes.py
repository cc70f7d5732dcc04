"""What readers have themselves, as the order of their digests: one place where library and likes
become a taste.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from digest.model import Channel, CloseTo, Order, Paper, Subscriber
from digest.ranking import CLOSE, ENOUGH, Feed, LibraryText, Near, Taste
from digest.rules.compose import Rank
from digest.rules.verdict import read_paper_name
from digest.store import Store
from digest.store.preferences import LibraryPaper

FEED = 1_000
"""From so many of the papers that were fetched last is learnt what is common."""


@dataclass(frozen=True)
class Tastes:
    """The tastes of readers, for one cycle; what they are measured by is learnt once, when the
    first of them is asked for.
    """

    store: Store
    held: Mapping[int, Sequence[LibraryPaper]] = field(default_factory=dict)
    """The libraries that the database does not keep, by readers' numbers."""

    @cached_property
    def feed(self) -> Feed:
        """What the papers that were fetched last have in common."""
        return Feed.of(self.store.digests.latest_papers(FEED))

    @cached_property
    def _readers(self) -> frozenset[int]:
        """Who has anything: most readers have nothing, and cost no question each."""
        return frozenset([*self.store.preferences.readers(), *self.held])

    def texts(self, reader: int) -> list[LibraryText]:
        """All that a reader has: the library, and what they like. A paper that is in both counts
        once, by its arXiv id.
        """
        preferences = self.store.preferences
        texts = {
            _key(own.id): LibraryText(own.id, own.title, own.abstract)
            for own in self.held.get(reader) or preferences.papers_of_library(reader)
        }
        for paper in preferences.liked_papers(reader):
            known = texts.get(paper.id)
            # Of an old paper the abstract is no longer kept here, and may be in the library.
            if known is None or len(paper.abstract) > len(known.abstract):
                texts[paper.id] = LibraryText(paper.id, paper.title, paper.abstract, paper.authors)
        return list(texts.values())

    def of(self, reader: int, subscriber: Subscriber) -> Taste | None:
        """The taste by which a reader's digests are ranked; None where they are not."""
        if subscriber.order is not Order.LIKELIEST or reader not in self._readers:
            return None
        texts = self.texts(reader)
        return Taste.of(texts, self.feed) if len(texts) >= ENOUGH else None

    def why_not(self, reader: int, subscriber: Subscriber) -> str:
        """Why a reader's digests are not ranked, in words; "" where they are."""
        if subscriber.order is not Order.LIKELIEST:
            return f"the order is {subscriber.order}"
        held = len(self.texts(reader))
        if not held and subscriber.items_of_library:
            return "nothing of the reader's library is known yet; 'digest run' reads it"
        if not held:
            return "the reader has no library and likes no paper"
        if held < ENOUGH:
            return f"the reader has {held} of the {ENOUGH} papers that it takes, library and likes"
        return ""


def ranks(
    taste: Taste, papers: Sequence[Paper], subscriber: Subscriber, *, named: bool = True
) -> dict[str, Rank]:
    """The ranks of papers, by base id; `named`: with the papers of the reader's that others are
    close to. Many watch a repository or read a chat: nobody's papers are named there.
    """
    scores = {
        paper.id: score.value for paper, score in zip(papers, taste.rank(papers), strict=True)
    }
    high: list[Paper] = []
    if named and subscriber.channel is Channel.MAIL:
        high = [paper for paper in papers if scores[paper.id] > 0]
    close = {
        paper.id: close_to(nearest)
        for paper, nearest in zip(high, taste.nearest(high), strict=True)
    }
    return {paper: Rank(score, close.get(paper)) for paper, score in scores.items()}


def close_to(nearest: Sequence[Near]) -> CloseTo | None:
    """The paper of the reader's for which another one stands high, if there is one."""
    if not nearest or nearest[0].likeness < CLOSE:
        return None
    return CloseTo(nearest[0].text.title, nearest[0].text.id)


def _key(own: str) -> str:
    """What tells a paper from others: the base id where it is one of arXiv's."""
    name = read_paper_name(own)
    return name.id if name else own
