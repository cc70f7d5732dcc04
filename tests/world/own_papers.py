"""What readers have in the randomized world: libraries and likes come and go, and change the order
of digests alone. The oracle knows nothing of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import TYPE_CHECKING

from digest.model import Paper
from digest.rendering.value import decode
from digest.store.digests import Queued
from digest.store.preferences import LibraryPaper

if TYPE_CHECKING:
    from tests.world.model import World

SUBJECTS = ("walrus tusks", "comet tails", "yeast in bread", "comet dust")
"""What the papers of the world are about, in turn."""


class OwnPapers:
    """The libraries and likes of a world's readers."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.some = self.random.random() < 0.6

    def change(self) -> None:
        """Let some readers have others, or none any more."""
        papers = list(self.world.papers.values())
        if self.some and papers:
            self._change(papers)

    def _change(self, papers: list[Paper]) -> None:
        world, r = self.world, self.random
        preferences = world.store.preferences
        for number in world.database.column("SELECT id FROM subscriber WHERE gone = 0 ORDER BY id"):
            luck = r.random()
            if luck < 0.1:
                chosen = r.sample(papers, min(r.choice([0, 4, 6, 9]), len(papers)))
                library = [LibraryPaper(paper.id, paper.title, "") for paper in chosen]
                preferences.replace_library(number, library, world.clock())
            elif luck < 0.2:
                paper = r.choice(papers).id
                if preferences.like(number, paper, world.clock()):
                    world.likes.note(number, paper)

    def judge(self, batch: Iterable[Queued]) -> None:
        """Nothing that was due is missing in what a digest says, and nothing is told twice."""
        for queued in batch:
            due = {item.paper.id: item.paper for item in queued.plan.items}
            digest = decode(queued.content.digest, due)
            told = [item.paper.id for section in digest.sections for item in section.items]
            if sorted(told) != sorted(due):
                raise self.world.broken(f"due were {sorted(due)}, and told {told}")
            self.world.stats["ranked"] += digest.ranked
