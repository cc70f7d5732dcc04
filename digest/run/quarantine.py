"""Windows that are held back: each is judged against what is on record, and what was news in it
comes once the keyword is believed again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from digest.arxiv.gate import newest_versions
from digest.keywords.grammar import parse
from digest.keywords.match import Matcher
from digest.model import Kind, Paper, Query, Window
from digest.rules.plausibility import (
    Baseline,
    compared_since,
    doubt,
    doubt_of_unmatched,
    is_confirmed,
    listed_besides,
    may_answer,
    no_news,
)
from digest.store import Store


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a window is doubtful, or ""; and whether it is believed in spite of that, since the one
    before it showed the same.
    """

    why: str = ""
    confirmed: bool = False


def judge(store: Store, query: Query, window: Window, now: datetime) -> Doubt:
    """Compare a whole window in order with what is on record of its query."""
    since = compared_since(query)
    if since is None:
        return Doubt()
    known = store.windows.known_since(query, since)
    why = _why_doubtful(store, query, window, since, known)
    if why and _is_sifted(window):
        # Before it was sifted, arXiv's own reading may have brought what does not match here.
        recorded = store.windows.matches_on_record(query)
        foreign = {paper.id for paper in recorded} - matching_ids(query, recorded)
        known = {paper: at for paper, at in known.items() if paper not in foreign}
        why = _why_doubtful(store, query, window, since, known)
    if not why:
        return Doubt()
    matching = partial(matching_ids, query)
    last = store.windows.held.last(query.id, query.quarantined_since)
    confirmed = (
        last is not None
        and is_confirmed(query, last.ids, window.papers, now)
        and may_answer(window.papers, known, matching)
    )
    return Doubt(why, confirmed)


def _why_doubtful(
    store: Store, query: Query, window: Window, since: datetime, known: Mapping[str, datetime]
) -> str:
    """Why a window does not fit what is known of its query from `since` on; "" where it does."""
    same = query.asked == window.asked
    strangers = {paper.id for paper in store.windows.first_seen(query, window.papers)}
    older = {paper.id for paper in window.papers} - strangers
    baseline = Baseline(since, known, query.total if same else None, same, older)
    return doubt(window.papers, baseline, total=window.total) or doubt_of_unmatched(
        window.papers,
        baseline,
        partial(matching_ids, query),
        recorded=lambda: store.windows.papers_since(query.text, since),
    )


def _is_sifted(window: Window) -> bool:
    """Whether rows of the answer were left out, since they do not match by this program's own
    reading.
    """
    rows = sum(paper.updated >= window.since for paper in window.papers)
    return window.served is not None and window.served > rows


def only_listed(store: Store, query: Query, papers: Sequence[Paper]) -> frozenset[str]:
    """The papers that arXiv's search lists for a query for the first time, and that do not match
    it, where this program's reading can judge that.
    """
    # docs/decisions.md, “What arXiv lists besides stands apart”.
    fresh = store.windows.first_seen(query, papers)
    return listed_besides(
        fresh, partial(matching_ids, query), lambda: store.windows.matches_on_record(query)
    )


def held_news(store: Store, query: Query, papers: Sequence[Paper]) -> tuple[Paper, ...]:
    """The papers that held-back windows of a query showed and `papers` lack, as far as they match
    it.

    They match by this program's own reading: what was held back may have been the answer for
    another query.
    """
    # docs/decisions.md, “What was news in a held-back window”.
    shown = {paper.id: paper.version for paper in papers}
    rest = [p for p, _ in store.windows.held.papers(query.id) if shown.get(p.id, 0) < p.version]
    found = matching_ids(query, rest)
    return tuple(paper for paper in rest if paper.id in found)


def accept(store: Store, query: Query, now: datetime) -> Counter[Kind]:
    """Believe, because a person says so, what a query's last held-back window showed.

    What only earlier windows of the spell showed counts as far as it matches. Returns what that
    brought.
    """
    last = store.windows.held.last(query.id, query.quarantined_since)
    believed = tuple(
        paper
        for paper, number in store.windows.held.papers(query.id)
        if last is not None and number == last.id
    )
    # docs/decisions.md, “Accepting moves no baseline”.
    papers = newest_versions([*believed, *held_news(store, query, believed)])
    return store.windows.accept(
        query, papers, now, old=no_news(query, papers, partial(matching_ids, query))
    )


def matching_ids(query: Query, papers: Sequence[Paper]) -> frozenset[str]:
    """The ids of the papers that match a query by this program's own reading."""
    if not papers:
        return frozenset()
    with Matcher(papers) as matcher:
        return frozenset(matcher.match(parse(query.text)))
