"""How long a digest of 50 and of 500 papers takes to render, as a ratio to encoding its body for
the mail once.

Run it as: python bench/rendering.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import replace
from datetime import timedelta

from digest.demo.papers import World
from digest.demo.samples import NOW, READER
from digest.mail.body import freeze
from digest.model import Digest, Item, Kind
from digest.rendering.render import HTML_BYTES, Renderer
from digest.rules.compose import Extras, compose

BOUND = {50: 10.0, 500: 80.0}
"""At most so many times what encoding takes."""


def digest(number: int) -> Digest:
    """A digest of papers with abstracts of usual length (about 1,200 characters), all of them
    wanted."""
    papers = [
        replace(paper, abstract=" ".join([paper.abstract] * 3)[:1200])
        for paper in World(1).papers(number, NOW - timedelta(days=1), NOW)
    ]
    items = [
        Item(paper, Kind.NEW, (READER.keywords[place % 3].name,))
        for place, paper in enumerate(papers)
    ]
    reader = replace(READER, max_papers=number)
    return compose(items, reader, now=NOW, extras=Extras(previous=NOW - timedelta(days=1)))


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    renderer = Renderer()
    for number, bound in BOUND.items():
        wanted = digest(number)
        renderer.render(wanted, "markedlineofthereader")
        pairs = []
        for _ in range(rounds):
            begin = time.perf_counter()
            made = renderer.render(wanted, "markedlineofthereader")
            middle = time.perf_counter()
            freeze(made)
            pairs.append((middle - begin, time.perf_counter() - middle))
        ratio = statistics.median(a / b for a, b in pairs)
        own, other = (statistics.median(times) * 1000 for times in zip(*pairs, strict=True))
        size = len(made.html.encode())
        assert size <= HTML_BYTES
        print(
            f"{number} papers: rendered in {own:.0f} ms, {size / 1000:.0f} kB of HTML; "
            f"encoded in {other:.0f} ms, ratio {ratio:.1f} (aim: at most {bound:.0f})"
        )


if __name__ == "__main__":
    main()
