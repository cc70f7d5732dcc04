"""How many papers a keyword would have brought: from the database, or from one request to arXiv and
a count here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from digest.errors import ArxivError, ConfigError
from digest.keywords.asked import asked_text
from digest.keywords.grammar import make_keyword, parse
from digest.keywords.match import Matcher
from digest.model import Paper, Rule, Window
from digest.setup.settings import Settings
from digest.store import Store

SPAN = timedelta(days=30)
PAPERS = 500
"""Papers of the one page that is asked for: enough for 16 a day over the whole span, and served in
a moment."""
FRESH = timedelta(hours=36)
"""The oldest answer whose rows in the database are counted in place of a new request."""
PLAIN = (Rule.EITHER, Rule.BOTH, Rule.TITLE)
"""The rules of a plain keyword, the widest first."""


@dataclass(frozen=True, slots=True)
class Recent:
    """The papers that a keyword would have brought by each rule since `start`, newest first;
    `source` says who knew, `rows_per_day` how many rows arXiv serves for what it is asked (None:
    not known).
    """

    source: str
    start: datetime
    now: datetime
    papers: dict[Rule, tuple[Paper, ...]]
    rows_per_day: float | None = None

    @property
    def days(self) -> float:
        """The days that were counted, at least one."""
        return max((self.now - self.start) / timedelta(days=1), 1.0)

    def per_day(self, rule: Rule) -> float:
        """Papers a day by one rule."""
        return len(self.papers[rule]) / self.days

    def last(self, days: int, rule: Rule) -> int | None:
        """How many came in the last days; None where fewer days were counted."""
        begin = self.now - timedelta(days=days)
        if begin < self.start:
            return None
        return sum(paper.published >= begin for paper in self.papers[rule])


class PaperCounter:
    """Asks arXiv, at its pace, and no more once it could not be asked; `trouble` then says why."""

    def __init__(self, settings: Settings, trouble: str = "") -> None:
        self._settings, self.trouble = settings, trouble

    def recent(
        self, text: str, rule: Rule | None, now: datetime, store: Store | None = None
    ) -> Recent | None:
        """Count by every rule that the keyword can have: from the database where that has a fresh
        answer for the widest of them, else with one request; where arXiv cannot be asked, by what
        the database knows of the keyword itself. None where nobody knows. Raises QueryError.
        """
        keyword = make_keyword("keyword", text, rule)
        rules = (Rule.QUERY,) if keyword.rule is Rule.QUERY else PLAIN
        queries = {rule: make_keyword("keyword", text, rule).query for rule in rules}
        # By the widest rule: its papers hold those of the others, which are counted here.
        known = _known(store, queries[rules[0]], now)
        if known is None and not self.trouble:
            try:
                window = asyncio.run(self._fetch(queries[rules[0]], now))
            except (ArxivError, ConfigError) as error:
                self.trouble = error.message
            else:
                return _of_window(window, now, queries)
        if known is None:
            queries = {keyword.rule: keyword.query}
            known = _known(store, keyword.query, now)
        if known is None or store is None:
            return None
        rate = store.windows.queries([queries[next(iter(queries))]])[0].asked_per_day
        found = _count("the database", known, now - SPAN, now, queries)
        return replace(found, rows_per_day=rate)

    async def _fetch(self, query: str, now: datetime) -> Window:
        """One page of the newest: what lies before now need not be reached, so that one is
        enough.
        """
        from digest.arxiv.line import Timeouts
        from digest.setup.arxiv import make_arxiv

        # A person waits for it: one attempt, and soon given up.
        async with make_arxiv(
            self._settings, timeouts=Timeouts(connect=10, read=30, whole=60)
        ) as arxiv:
            return await arxiv.fetch(asked_text(query), since=now, page_size=PAPERS, attempts=1)


def _of_window(window: Window, now: datetime, queries: dict[Rule, str]) -> Recent:
    """Count what one answer of arXiv's holds, and its rows, of which not all need match."""
    found = _count("arXiv", window.papers, _start(window, now), now, queries)
    rows = sum(paper.updated >= found.start for paper in window.papers)
    return replace(found, rows_per_day=rows / found.days)


def _known(store: Store | None, query: str, now: datetime) -> tuple[Paper, ...] | None:
    """A query's papers of the last days where the database has a fresh answer; a first one reaches
    back far enough.
    """
    if store is None:
        return None
    good = [found.last_good_at for found in store.windows.queries([query])]
    if not good or good[0] is None or good[0] < now - FRESH:
        return None
    return tuple(store.windows.papers_since(query, now - SPAN))


def _count(
    source: str, papers: tuple[Paper, ...], start: datetime, now: datetime, queries: dict[Rule, str]
) -> Recent:
    """Match the new ones of the papers by each rule."""
    new = sorted(
        (p for p in papers if start <= p.published <= now),
        key=lambda p: (p.published, p.id),
        reverse=True,
    )
    with Matcher(new) as matcher:
        matching = {rule: matcher.match(parse(query)) for rule, query in queries.items()}
    by_rule = {rule: tuple(p for p in new if p.id in ids) for rule, ids in matching.items()}
    return Recent(source, start, now, by_rule)


def _start(window: Window, now: datetime) -> datetime:
    """From when on the window holds every new paper: for a month, or as far back as its page
    reaches.
    """
    start = now - SPAN
    # The page is sorted by the last change: what is older than its last row may be missing.
    if window.total is None or len(window.papers) < window.total:
        start = max(start, min(paper.updated for paper in window.papers))
    return min(start, now)


def rate_words(per_day: float) -> str:
    """A rate for people, over a span that brings at least one paper."""
    if per_day >= 1:
        return f"about {per_day:.{0 if per_day >= 10 else 1}f} a day"
    if per_day * 7 >= 1:
        return f"about {per_day * 7:.1f} a week"
    return f"about {per_day * 30:.0f} a month" if per_day else "none"
