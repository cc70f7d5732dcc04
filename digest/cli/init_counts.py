"""How many papers a day a keyword would bring, from one request to arXiv and a count on this machine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.errors import ArxivError, ConfigError
from digest.model import Rule, Window
from digest.settings import Settings

SPAN = timedelta(days=30)
PAPERS = 500
"""Papers of the one page that is asked for: enough for 16 a day over the whole span, and served in a moment."""
PLAIN = (Rule.EITHER, Rule.BOTH, Rule.TITLE)
"""The rules of a plain keyword, the widest first."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Papers a day by each rule, over the last `days`."""

    days: float
    per_day: dict[Rule, float]


class Counter:
    """Asks arXiv, at its pace, and no more once it could not be asked; `trouble` then says why."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.trouble = ""

    def count(self, text: str, now: datetime) -> Counts | None:
        """Count by every rule that the keyword can have; None where arXiv cannot be asked. Raises QueryError."""
        from digest.match import Matcher
        from digest.query import make_keyword, parse

        rules = (Rule.QUERY,) if make_keyword(text).rule is Rule.QUERY else PLAIN
        queries = {rule: make_keyword(text, None, rule).query for rule in rules}
        if self.trouble:
            return None
        try:
            window = asyncio.run(self._fetch(queries[rules[0]], now))
        except (ArxivError, ConfigError) as error:
            self.trouble = error.message
            return None
        start = _start(window, now)
        days = max((now - start) / timedelta(days=1), 1.0)
        with Matcher(paper for paper in window.papers if paper.published >= start) as matcher:
            found = {rule: len(matcher.match(parse(query))) for rule, query in queries.items()}
        return Counts(days, {rule: number / days for rule, number in found.items()})

    async def _fetch(self, query: str, now: datetime) -> Window:
        """One page of the newest: what lies before now need not be reached, so that one is enough."""
        from digest.arxiv.client import Timeouts
        from digest.asking import make_arxiv

        async with make_arxiv(self._settings, timeouts=Timeouts(connect=10, read=30, whole=60)) as arxiv:
            return await arxiv.fetch(query, since=now, page_size=PAPERS, attempts=1)


def _start(window: Window, now: datetime) -> datetime:
    """From when on the window holds every new paper: for a month, or as far back as its page reaches."""
    start = now - SPAN
    if len(window.papers) < window.total:
        start = max(start, min(paper.updated for paper in window.papers))
    return min(start, now)


def in_words(per_day: float) -> str:
    """A rate for people."""
    if per_day == 0:
        return "none"
    if per_day >= 1:
        return f"about {per_day:.0f} a day" if per_day >= 10 else f"about {per_day:.1f} a day"
    return f"about {per_day * 7:.1f} a week" if per_day * 7 >= 1 else f"about {per_day * 30:.0f} a month"
