"""Strangers in random histories, who want to know what keywords would bring them."""

from __future__ import annotations

import random
from datetime import datetime
from typing import TYPE_CHECKING

from digest.errors import ArxivError, UnreachableError
from digest.model import Window

if TYPE_CHECKING:
    from tests.world.model import World


class Strangers:
    """They ask with dice of their own, and arXiv's answers hold what readers wait for: a history
    goes on as it would without them.
    """

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.random, self.on = world, random.Random(seed), True

    def ask(self) -> None:
        """Now and then somebody looks; by a wrong clock nobody does, since the next run would
        compare it.
        """
        if not self.on or self.world.off or self.random.random() < 0.4:
            return
        with self.world.without_faults():
            asked = f"all:stranger{self.random.randrange(9)}"
            self.world.stats["questions"] += self.world.store.previews.ask(asked, self.world.now)

    def answer(self, query: str, since: datetime) -> Window | None:
        """What arXiv says to a question; None where it is none."""
        if not query.startswith("all:stranger"):
            return None
        dice = self.random.random()
        if dice < 0.3:
            raise (ArxivError if dice < 0.2 else UnreachableError)("an answer that was cut off")
        papers = tuple(self.world.papers.values())
        self.world.stats["answers"] += 1
        return Window(query, papers, len(papers), since, 1)
