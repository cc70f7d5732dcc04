"""A language model in the random histories: it says of papers what it likes, or nothing, and none
of that changes what comes."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from digest.model import Digest, Item, Roster, Subscriber, Summary
from digest.run import cycle
from digest.run.session import Session
from digest.run.summaries import manner_of, wants

if TYPE_CHECKING:
    from tests.world.model import World

MODEL = "model"
SAID, _SAID = "said in ", re.compile(rb"said in (de|en)")
"""Begins what a rendered digest says of a paper; the reader's language follows."""


class Models:
    """What a model says in one history; by a `name` of "" none is asked."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.random, self.name = world, random.Random(seed), MODEL

    def wish(self, address: str) -> dict[str, Any]:
        """What a reader wants of it: one nothing, the others it in one of two languages."""
        if address[:2] == "r2":
            return {}
        return {"summary": Summary.TLDR, "language": "de" if address[:2] == "r0" else "en"}

    def wishes(self, roster: Roster) -> Roster:
        """The readers with what they want of it."""
        wishing = (replace(one, **self.wish(one.email)) for one in roster.subscribers)
        return replace(roster, subscribers=tuple(wishing))

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Let it speak in the step of a cycle that is for it."""
        summarize = cycle.summarize

        async def speak(
            session: Session,
            _writer: object,
            readers: Iterable[Subscriber],
            only: Subscriber | None = None,
        ) -> None:
            if self.name:
                with self.world.without_faults():
                    self._speak(session, list(readers) if only is None else [only])

        cycle.summarize = speak  # type: ignore[assignment]
        try:
            yield
        finally:
            cycle.summarize = summarize

    def _speak(self, session: Session, readers: list[Subscriber]) -> None:
        summaries, now = session.store.summaries, session.clock()
        for reader in filter(wants, readers):
            manner = manner_of(reader, MODEL)
            for paper, attempts in summaries.want([reader.email.lower()], manner, now):
                luck = self.random.random()
                if luck < 0.5:
                    text = f"{SAID}{reader.language}: {self.random.choice('abc')}"
                    summaries.keep(paper, manner, text, now)
                elif luck < 0.7:
                    summaries.refuse(paper, manner, "a lie", now, attempts=min(attempts, 1))
                self.world.stats["asked of a model"] += 1

    def text(self, digest: Digest) -> str:
        """What a rendered digest says by it."""
        return "".join(f"{item.summary}\n" for item in _items(digest) if item.summary)

    def received(self, address: str, data: bytes) -> None:
        """A reader has a mail: who wants nothing reads nothing, others their own language."""
        said, wish = set(_SAID.findall(data)), self.wish(address)
        if said - {wish.get("language", "").encode()}:
            raise self.world.broken(f"{address} reads what a model says for others")
        self.world.stats["mails with a model's words"] += bool(said)


def _items(digest: Digest) -> Iterator[Item]:
    for section in digest.sections:
        yield from section.items
