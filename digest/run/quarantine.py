"""Windows that are held back: what makes one so, what lets it go again, and what was news in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from digest.arxiv.gate import newest_versions
from digest.keywords.grammar import parse
from digest.keywords.match import Matcher
from digest.model import Kind, Paper, Query, Window
from digest.rules.diff import HOLD
from digest.rules.plan import OVERLAP
from digest.rules.plausibility import History, agree, doubt
from digest.store import Store

LEAST_FRESH = 20
"""With fewer papers that were never seen nothing is said of them as a whole."""
UNDER_WATCH = timedelta(hours=6)
"""Two windows that agree end a spell that lasts this long at least: arXiv's spells of bad answers
are minutes."""


def history(store: Store, query: Query) -> History | None:
    """What is on record of a query for its next window; None before its first good one."""
    if query.last_good_at is None:
        return None
    since = query.last_good_at - OVERLAP
    if query.judged_since is not None:
        since = max(since, query.judged_since)
    return History(since, store.windows.known_since(query, since), query.total)


def why_doubtful(store: Store, query: Query, window: Window) -> str:
    """Why a whole window in order is not believed, or "". A query's first window is believed: it is
    compared with nothing, and of what it brings a first digest shows the youngest few.
    """
    before = history(store, query)
    if before is None:
        return ""
    return doubt(window.papers, before, total=window.total) or _doubt_of_strangers(
        store, query, window, before
    )


def _doubt_of_strangers(store: Store, query: Query, window: Window, before: History) -> str:
    """Why a window seems to be the answer for another query, or "": most of what it shows for the
    first time does not match by this program's own reading, though most of what is on record does.
    """
    fresh = [p for p in window.papers if p.updated >= before.since and p.id not in before.known]
    strangers = len(fresh) - len(_matching(query, fresh))
    if len(fresh) < LEAST_FRESH or strangers * 2 <= len(fresh):
        return ""
    known = store.windows.papers_since(query.text, before.since)
    if not known or len(_matching(query, known)) * 2 < len(known):
        return ""
    return f"{strangers} of {len(fresh)} papers that it shows for the first time do not match the query"


def is_confirmed(store: Store, query: Query, window: Window, now: datetime) -> bool:
    """Whether a doubtful window in order is believed: the one before it, hours ago in the same
    spell, showed the same.

    So an interface that has changed for good is taken as it is, and no single bad answer is.
    """
    if query.quarantined_since is None or now - query.quarantined_since < UNDER_WATCH:
        return False
    last = store.windows.held.last(query.id, query.quarantined_since)
    if last is None or not agree(last.ids, window.papers):
        return False
    return _is_for(query, window, history(store, query))


def _is_for(query: Query, window: Window, before: History | None) -> bool:
    """Whether a window can be the answer for this query, and not for another one that was given
    twice: most of what was known is there, or most of what is there matches by this program's own
    reading.
    """
    shown = {paper.id for paper in window.papers}
    known = before.known.keys() if before is not None else frozenset[str]()
    if len(known & shown) * 2 > len(known):
        return True
    return len(_matching(query, window.papers)) * 2 >= len(shown)


def news_beside(store: Store, query: Query, papers: tuple[Paper, ...]) -> tuple[Paper, ...]:
    """The papers that held-back windows of a query showed and `papers` lack, as far as they match
    it.

    They match by this program's own reading: what was held back may have been the answer for
    another query.
    """
    shown = {paper.id: paper.version for paper in papers}
    rest = [p for p, _ in store.windows.held.papers(query.id) if shown.get(p.id, 0) < p.version]
    found = _matching(query, rest)
    return tuple(paper for paper in rest if paper.id in found)


def begins_anew(query: Query) -> bool:
    """Whether a person has accepted what was held back, and no window was good since."""
    return (
        query.judged_since is not None
        and query.last_good_at is not None
        and query.judged_since > query.last_good_at
    )


def history_of_another(query: Query, papers: Sequence[Paper]) -> frozenset[str]:
    """The papers that a changed interface brings, and that are no news: they are of days long
    known, and do not match by this program's own reading, as what moderation had held would.
    """
    if query.last_good_at is None:
        return frozenset()
    settled = [paper for paper in papers if paper.updated < query.last_good_at - HOLD]
    return frozenset(paper.id for paper in settled) - _matching(query, settled)


def _matching(query: Query, papers: Sequence[Paper]) -> frozenset[str]:
    if not papers:
        return frozenset()
    with Matcher(papers) as matcher:
        return frozenset(matcher.match(parse(query.text)))


def accept(store: Store, query: Query, now: datetime) -> Counter[Kind]:
    """Believe, because a person says so, what a query's last held-back window showed.

    What only earlier windows of the spell showed counts as far as it matches. Returns what that
    brought.
    """
    last = store.windows.held.last(query.id, query.quarantined_since)
    believed = tuple(
        p
        for p, number in store.windows.held.papers(query.id)
        if last is not None and number == last.id
    )
    papers = newest_versions([*believed, *news_beside(store, query, believed)])
    return store.windows.accept(query, papers, now, old=history_of_another(query, papers))
