"""What readers' libraries cost: the CPU time of a run in which every tenth reader is ranked by one,
as a ratio to the same run without.

    python -m bench.libraries [READERS] [DAYS] [FILE]

FILE holds real papers (../shared/arxiv/bulk/papers_2026-06.jsonl.xz beside the checkout, if none is
named). READERS (5,000 if not given) have three of thirty keywords each, in 51 ways; each keyword
brings twenty papers a day. Two databases take turns, day by day; what leaves goes nowhere.
"""

from __future__ import annotations

import asyncio
import json
import lzma
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import combinations
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from digest.mail.message import Message
from digest.mail.nowhere import Nowhere
from digest.model import Paper, Receipt, Window
from digest.store.preferences import LibraryPaper
from tests.world.worlds import DAY, MONDAY, Arxiv, World, reader

FILE = Path(__file__).resolve().parents[2] / "shared/arxiv/bulk/papers_2026-06.jsonl.xz"
KEYWORDS, OF_READER, WAYS = 30, 3, 51
PAPERS = 20
"""New papers of a keyword each day."""
LIBRARY = 100
AIM = 1.5


class Gone(Nowhere):
    """Mail that goes nowhere, and is not kept either."""

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        """Take the message."""
        receipt = await super().send(message, before_data)
        self.messages.clear()
        return receipt


class Answering(Arxiv):
    """Answers with the papers whose comments name a keyword of the query, combined or not."""

    def __init__(self, rows: list[Paper]) -> None:
        super().__init__()
        self.rows = rows

    async def fetch(self, query: str, *, since: datetime, **_options: Any) -> Window:
        """Answer."""
        asked = set(re.findall(r"key\d+", query))
        rows = tuple(paper for paper in self.rows if asked & set(paper.comment.split()))
        return Window(query, rows, len(rows), since, 1)

    async def by_ids(self, _ids: Sequence[str], **_options: int) -> list[Paper]:
        """Know no paper of a library."""
        return []


def read_papers(path: Path) -> list[Paper]:
    """The papers of a file, as if of one day."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Paper(
            row["id"],
            1,
            row["title"],
            row["summary"],
            tuple(row["authors"]),
            tuple(row["categories"]),
            MONDAY,
            MONDAY,
            comment=row["comment"] or "",
        )
        for row in rows
    ]


class Service:
    """A service with some readers, of whom the first have libraries."""

    def __init__(self, folder: Path, readers: int) -> None:
        self.world = World(folder / "digest.db")
        ways = list(combinations(range(KEYWORDS), OF_READER))
        chosen = Random(1).sample(ways, WAYS)
        self.world.readers = [
            reader(f"r{n}@example.org", *(f"key{k}" for k in chosen[n % WAYS]))
            for n in range(readers)
        ]

    def run(self, day: int, papers: list[Paper]) -> float:
        """The CPU seconds of a day's run in which these papers are new."""
        now = MONDAY + day * DAY
        self.world.arxiv = Answering(
            [
                replace(
                    paper,
                    published=now - timedelta(hours=12, seconds=number),
                    updated=now - timedelta(hours=12, seconds=number),
                    comment=f"key{number % KEYWORDS} {paper.comment}",
                )
                for number, paper in enumerate(papers)
            ]
        )
        begin = time.process_time()
        summary = asyncio.run(self.world.cycle(now, transport=Gone()))
        spent = time.process_time() - begin
        assert not papers or sum(summary.outcomes.values()) == len(self.world.readers), summary
        return spent

    def give_libraries(self, papers: list[Paper], every: int) -> None:
        """Give every so-manieth reader some of these papers."""
        pick = Random(2)
        for known in self.world.store.digests.due(MONDAY)[::every]:
            own = [LibraryPaper(p.id, p.title, p.abstract) for p in pick.sample(papers, LIBRARY)]
            self.world.store.preferences.replace_library(known.id, own, MONDAY)


def main() -> None:
    """Print the ratio of each pair of runs, and their median."""
    readers = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    days = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    papers = read_papers(Path(sys.argv[3]) if len(sys.argv) > 3 else FILE)
    Random(0).shuffle(papers)
    daily = KEYWORDS * PAPERS
    own = papers[days * daily :]
    with tempfile.TemporaryDirectory() as folder:
        folders = [Path(folder) / name for name in ("without", "with")]
        for place in folders:
            place.mkdir()
        without, with_ = (Service(place, readers) for place in folders)
        for service in (without, with_):
            service.run(-2, [])
        with_.give_libraries(own, every=10)
        ratios = []
        for day in range(days):
            todays = papers[day * daily : (day + 1) * daily]
            plain, ranked = without.run(day, todays), with_.run(day, todays)
            ratios.append(ranked / plain)
            print(f"without libraries {plain:.1f} s, with {ranked:.1f} s: {ratios[-1]:.2f}")
    print(f"ratio {median(ratios):.2f} (aim: at most {AIM})")


if __name__ == "__main__":
    main()
