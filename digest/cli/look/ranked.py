"""How a reader's own papers order what comes, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

from digest.model import Digest, Item
from digest.rendering.fold import wrap
from digest.rendering.texts import readable

if TYPE_CHECKING:
    from digest.explain.ranking import Ranking

INDENT = 12


def ranking_texts(ranking: dict[str, Any] | None) -> Iterator[str]:
    """What `digest why` says of one paper's ranking, of which these are the values."""
    if ranking is None:
        return
    if why_not := ranking.get("why_not"):
        yield f"not by papers of the reader's own: {why_not}"
        return
    place = f"{ranking['place']} of {ranking['of']}"
    yield f"{place} by {ranking['own']} papers of the reader's own: {_sum(ranking)}"
    yield from map(_near, ranking["nearest"])


def order_lines(digest: Digest, ranking: Ranking) -> Iterator[str]:
    """The papers of a digest in their order, each with its score, what that is made of, and the
    reader's paper to which the digest calls it close.
    """
    yield f"{digest.papers} papers, by {ranking.own} papers of the reader's own"
    numbers = count(1)
    for section in digest.sections:
        yield f"\n{section.title} ({len(section.items)})"
        for item in section.items:
            yield from _entry(next(numbers), item, ranking.values(item.paper.id))


def _entry(number: int, item: Item, values: dict[str, Any]) -> Iterator[str]:
    title = readable(item.paper.title) or item.paper.id
    yield wrap(title, INDENT, f"{number:>4}. {_signed(values['score'])}")
    yield wrap(f"{item.paper.id} = {_parts(values)}", INDENT)
    if item.close_to:
        yield wrap(f"close to {_near(values['nearest'][0])}", INDENT)


def _sum(values: dict[str, Any]) -> str:
    return f"{_signed(values['score'])} = {_parts(values)}"


def _parts(values: dict[str, Any]) -> str:
    """The parts of a score: `library +1.60, nearest +0.24`."""
    return ", ".join(f"{name} {_signed(part)}" for name, part in values["parts"].items())


def _signed(score: float) -> str:
    # Without the zero a tiny score would be told as -0.00.
    return f"{round(score, 2) + 0:+.2f}"


def _near(near: dict[str, Any]) -> str:
    """One of the reader's papers: `0.31 Comet tails, part 3 (2401.00003)`."""
    return f"{near['likeness']:.2f} {readable(near['title'])} ({readable(near['id'])})"
