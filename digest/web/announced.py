"""What was announced in the last days, as far as it is kept whole, for previews."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from digest.arxiv.combine import expanded
from digest.keywords.categories import CATEGORIES
from digest.keywords.words import listed
from digest.model import Paper
from digest.rules.calendar import served_between
from digest.rules.plan import feed_day
from digest.store import Store


def whole(store: Store, since: datetime, now: datetime) -> frozenset[str]:
    """The categories of which each announcement since then is kept, the newest apart where it has
    not been read yet.
    """
    days = [feed_day(each) for each in served_between(since, now)]
    held: dict[date, frozenset[str]] = defaultdict(frozenset)
    for day, feed in store.previews.kept(days[0]) if days else ():
        held[day] |= expanded(feed.split("+"))
    if days and days[-1] not in held:
        days.pop()
    return frozenset.intersection(*(held[day] for day in days)) if days else frozenset()


def papers(store: Store, since: datetime, most: int) -> Iterator[Paper]:
    """The papers that are kept of these announcements, the newest first, each once."""
    seen: set[str] = set()
    first = since.date() - timedelta(days=1)  # New York's date may be the one before
    for day, feed in store.previews.kept(first):
        for paper in store.previews.papers(day, feed):
            if paper.id not in seen and len(seen) < most:
                seen.add(paper.id)
                yield paper


def where(categories: frozenset[str]) -> str:
    """In which categories was read, for people; "" for all."""
    return "" if categories >= CATEGORIES else f" in {listed(sorted(categories))}"
