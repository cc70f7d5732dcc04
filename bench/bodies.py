"""How many bytes a digest takes in the database as its value, and took as its body: for a reader of
each recorded keyword, and one of all of them, over the recorded days.

Run it from the project: python -m bench.bodies [FOLDER] [EVERY], where FOLDER holds the captured
data (../shared/arxiv beside the checkout, if none is named) and EVERY takes each so-manieth day.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median

from digest.keywords.grammar import make_keyword
from digest.mail.body import freeze
from digest.model import Digest, Item, Keyword, Kind, Rule, Subscriber
from digest.rendering.render import Renderer
from digest.rendering.value import encode
from digest.rules.compose import Extras, compose
from digest.store.rows import pack
from tests.world.replay import Day, recorded_days

SHARED = Path(__file__).resolve().parents[2] / "shared" / "arxiv"
MARK = "0123456789abcdef" * 2
LEAST = 5.0
"""A value takes at most a part of its body that is so-manieth."""


def digests(days: Sequence[Day]) -> Iterator[Digest]:
    """The digests of new papers, day after day; of the first day nobody is told."""
    names = sorted({name for day in days for name in day.windows})
    keywords = {name: make_keyword(name, name, Rule.EITHER) for name in names}
    readers = [(keyword,) for keyword in keywords.values()] + [tuple(keywords.values())]
    seen: dict[str, set[str]] = {name: set() for name in names}
    for day in days:
        new = {
            name: [paper for paper in window if paper.id not in seen[name]]
            for name, window in day.windows.items()
        }
        if any(seen.values()):
            for wanted in readers:
                items = [
                    Item(paper, Kind.NEW, (keyword.name,))
                    for keyword in wanted
                    for paper in new.get(keyword.name, ())
                ]
                if items:
                    yield _digest(items, wanted, day)
        for name, papers in new.items():
            seen[name].update(paper.id for paper in papers)


def _digest(items: list[Item], wanted: tuple[Keyword, ...], day: Day) -> Digest:
    reader = Subscriber("ada@example.org", wanted)
    yesterday = day.now - timedelta(days=1)
    extras = Extras(previous=yesterday, contact="papers@example.org")
    return compose(items, reader, now=day.now, extras=extras)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED
    every = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    renderer, sizes, seconds = Renderer(), [], [0.0, 0.0]
    for digest in [*digests(recorded_days(folder / "replay"))][::every]:
        begin = time.perf_counter()
        value = encode(digest)
        middle = time.perf_counter()
        body = pack(freeze(renderer.render(digest, MARK)))
        seconds[0] += middle - begin
        seconds[1] += time.perf_counter() - middle
        sizes.append((digest.papers, len(body), len(value)))
    papers, bodies, values = (sum(column) for column in zip(*sizes, strict=True))
    count, (most, body_most, value_most) = len(sizes), max(sizes)
    value_ms, body_ms = (spent / count * 1000 for spent in seconds)
    lines = (
        f"{count} digests of {papers} papers, {median(s[0] for s in sizes):.0f} at the median",
        f"bodies, compressed: {bodies:,} bytes, {bodies / count:,.0f} a digest",
        f"values: {values:,} bytes, {values / count:,.0f} a digest, {values / papers:.0f} a paper",
        f"a body takes {bodies / values:.1f} times as much",
        f"the largest, of {most} papers: {body_most:,} bytes of body, {value_most:,} of value",
        f"a value is written in {value_ms:.2f} ms, a body in {body_ms:.0f} ms",
    )
    print(*lines, sep="\n")
    assert bodies > LEAST * values


if __name__ == "__main__":
    main()
