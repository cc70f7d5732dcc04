"""What it costs to ask each day for 38 days, and how many late papers come on their day by it.

Run it from the project: python -m bench.held [FOLDER], where FOLDER holds the recorded windows
(../shared/arxiv/replay beside the checkout, if none is named). The recording holds about 100 rows
of each answer, so a question that reaches deeper costs no more here than all of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from bench.matching import SHARED
from digest.demo.feeds import feed
from digest.model import Paper, Query
from digest.rules.diff import MODERATION_HOLD
from digest.rules.plan import always_deep, depth, page_size
from tests.world.replay import Day, recorded_days

PARTIAL = 60
"""A recorded answer with fewer rows is a part of one, which would be held back."""


@dataclass
class Cost:
    """What one way of asking came to; `waited` has the days that each late paper waited."""

    requests: int = 0
    rows: int = 0
    size: int = 0
    waited: tuple[int, ...] = ()

    def __str__(self) -> str:
        same_day = sum(days == 0 for days in self.waited)
        longest = max(self.waited, default=0)
        return (
            f"{self.requests:>9,}{self.rows:>10,}{self.size / 1e6:>9.1f}"
            f"{same_day:>9} of {len(self.waited)}{longest:>9}"
        )


def played(days: Sequence[Day], is_deep: Callable[[Query], bool]) -> Cost:
    """Ask for each keyword on each recorded day, as deep as the rules say."""
    cost = Cost()
    for name in days[0].windows:
        windows = [(day.now, day.windows[name]) for day in days if name in day.windows]
        windows = [(now, rows) for now, rows in windows if len(rows) >= PARTIAL]
        _play(windows, is_deep, cost)
    return cost


def _play(
    windows: Sequence[tuple[datetime, tuple[Paper, ...]]],
    is_deep: Callable[[Query], bool],
    cost: Cost,
) -> None:
    query = Query(1, "all:x", None, None, 0, "", None)
    got: set[str] = set()
    shown: dict[str, datetime] = {}
    for now, rows in windows:
        since = depth(query, now, is_deep=is_deep(query))
        first = query.last_good_at is None
        pages = range(0, len(rows), page_size([query], since, now))
        asked: list[Paper] = []
        for start in pages:
            part = rows[start : start + pages.step]
            asked += part
            cost.requests += 1
            cost.size += len(
                feed(part, query="all:x", start=start, max_results=pages.step, total=len(rows))
            )
            if len(asked) >= 3 and all(paper.updated < since for paper in asked[-3:]):
                break
        cost.rows += len(asked)
        for paper in rows:
            is_late = not first and paper.version == 1
            if paper.id not in shown and is_late:
                is_late = paper.published < (query.last_good_at or now) - MODERATION_HOLD
                is_late = is_late and paper.updated > now - timedelta(days=38)
                shown[paper.id] = now if is_late else datetime.max.replace(tzinfo=now.tzinfo)
            shown.setdefault(paper.id, datetime.max.replace(tzinfo=now.tzinfo))
        for paper in asked:
            if paper.id not in got and shown[paper.id] <= now:
                cost.waited = (*cost.waited, (now - shown[paper.id]).days)
            got.add(paper.id)
        days = max((now - since) / timedelta(days=1), 1.0)
        query = replace(
            query,
            last_good_at=now,
            rows_per_day=sum(paper.updated >= since for paper in asked) / days,
            deep_at=now if since <= now - timedelta(days=30) else query.deep_at,
        )


def main() -> None:
    """Print the table."""
    days = recorded_days(Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED / "replay")
    print(f"{len(days)} recorded days, {len(days[0].windows)} keywords")
    print(f"{'':<34}{'requests':>9}{'rows':>10}{'MB':>9}{'on their day':>15}{'longest':>9}")
    ways: dict[str, Callable[[Query], bool]] = {
        "8 days, 38 on quiet nights": lambda _query: False,
        "38 days up to 300 rows a keyword": lambda query: query.id in always_deep([query]),
        "38 days always": lambda _query: True,
    }
    for words, is_deep in ways.items():
        print(f"{words:<34}{played(days, is_deep)}")


if __name__ == "__main__":
    main()
