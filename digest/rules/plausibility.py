"""Whether a window fits what is on record of its query: what makes one doubtful, and which two
agree.

The figures are from 963 real windows of 321 days, 17 of them parts of an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from digest.keywords.words import counted
from digest.model import Paper, Query
from digest.rules.diff import MODERATION_HOLD
from digest.rules.plan import OVERLAP

Matching: TypeAlias = Callable[[Sequence[Paper]], Collection[str]]
"""The ids of those papers that a query matches by this program's own reading."""

UNDER_WATCH = timedelta(hours=6)
"""Two windows that agree end a spell that lasts this long at least: arXiv's spells of bad answers
are minutes."""

AGREES = 98
"""Per cent of a query's record that match here where this program's reading can judge its rows."""
_LEAST_RECORD = 20

_EDGE = timedelta(days=1)
"""The last day that a window shows is not all in it."""

# With fewer than this there is nothing to compare with.
_LEAST_TOTAL, _LEAST_ROWS, _LEAST_SHOWN, _LEAST_OLD, _LEAST_FRESH = 5, 3, 5, 8, 20
_SMALL_RECORD = 60


@dataclass(frozen=True, slots=True)
class Baseline:
    """The record of one query, with which its next window is compared.

    `since` is how far back is compared (UTC); `known` has the papers whose last version stands in
    the query's log, with its date, from there on; `total` is how many matches arXiv counted last,
    None where it was not asked for this query alone. `same_question`: the window answers what the
    ones before it did; a wider question brings rows that were never seen. `older` are further
    papers of the log: a version of theirs may be in the window that is not the last.
    """

    since: datetime
    known: Mapping[str, datetime]
    total: int | None = None
    same_question: bool = True
    older: Collection[str] = ()


def compared_since(query: Query) -> datetime | None:
    """How far back a query's next window is compared; None before the first good one, which is
    believed: of what it brings a first digest shows the youngest few.
    """
    # docs/decisions.md, “A query's first window is believed”.
    if query.last_good_at is None:
        return None
    since = query.last_good_at - OVERLAP
    return since if query.judged_since is None else max(since, query.judged_since)


def doubt(papers: Sequence[Paper], baseline: Baseline, *, total: int | None = None) -> str:
    """Say why a window does not fit what came before it; "" where it does, or where there is
    nothing to compare with.

    Papers do not leave arXiv's index, so what was there must be there still. `papers` are the rows,
    in any order; `total` is arXiv's count of all matches, where it was asked for this query alone.
    Rows that are new since the last good window are not counted against it, however many: after
    weeks off, they are most of it.
    """
    return (
        _fewer_matches(total, baseline.total)
        or _fewer_rows(papers, baseline)
        or _papers_gone(papers, baseline)
        or _unknown_rows(papers, baseline)
    )


def _fewer_matches(total: int | None, before: int | None) -> str:
    """ArXiv counts less than a quarter of the matches that it counted before."""
    if total is None or before is None or before < _LEAST_TOTAL or total * 4 >= before:
        return ""
    matches = counted(total, "match", "matches", separator=",") if total else "no match"
    return f"arXiv counts {matches}, and counted {before:,} before"


def _fewer_rows(papers: Sequence[Paper], baseline: Baseline) -> str:
    """Fewer rows than half of up to 60 known papers (whole windows: 0.67 at least), or a quarter of
    more, of which recorded windows do not hold all (0.3; parts of an answer: 0.01 to 0.18).
    """
    known = sum(at >= baseline.since for at in baseline.known.values())
    came = sum(paper.updated >= baseline.since for paper in papers)
    share = 2 if known <= _SMALL_RECORD else 4
    if known < _LEAST_ROWS or came * share >= known:
        return ""
    rows = counted(came, "row") if came else "no row"
    return f"{rows} came, where {known} papers are known of the same days"


def _papers_gone(papers: Sequence[Paper], baseline: Baseline) -> str:
    """Of the known papers within the dates of the rows, less than half are there (whole windows,
    and parts too: 0.93 at least; answers for another keyword: hardly any).
    """
    oldest = min((paper.updated for paper in papers), default=baseline.since)
    # A window may end in the middle of a day, whose other papers are not gone.
    first = max(baseline.since, oldest + _EDGE)
    expected = {name for name, at in baseline.known.items() if at >= first}
    missing = expected - {paper.id for paper in papers}
    if len(expected) < _LEAST_SHOWN or len(missing) * 2 <= len(expected):
        return ""
    return f"{len(missing)} of {len(expected)} papers that were there are gone"


def _unknown_rows(papers: Sequence[Paper], baseline: Baseline) -> str:
    """Of eight or more rows of days long known, more than two in three were never seen (whole
    windows: 0.12 at most; an answer for a wider query, or one in which sorting is ignored: nearly
    all). What was submitted MODERATION_HOLD before the newest known paper was announced with it or
    before.
    """
    dates = [at for at in baseline.known.values() if at >= baseline.since]
    if not dates or not baseline.same_question:
        return ""
    begin, end = min(dates), max(dates) - MODERATION_HOLD
    old = [paper for paper in papers if begin <= paper.updated < end]
    unknown = len({paper.id for paper in old} - baseline.known.keys() - {*baseline.older})
    if len(old) < _LEAST_OLD or unknown * 3 <= len(old) * 2:
        return ""
    return f"{unknown} of its {len(old)} rows of days long known were never there before"


def doubt_of_unmatched(
    papers: Sequence[Paper],
    baseline: Baseline,
    matching: Matching,
    recorded: Callable[[], Sequence[Paper]],
) -> str:
    """Say why a window seems to be the answer for another query, or "": most of what it shows for
    the first time does not match, though most of what is `recorded` does.
    """
    fresh = [p for p in papers if p.updated >= baseline.since and p.id not in baseline.known]
    unmatched = len(fresh) - len(matching(fresh))
    if len(fresh) < _LEAST_FRESH or unmatched * 2 <= len(fresh):
        return ""
    # Where arXiv's search and this program's reading differ for the query, that proves nothing.
    known = recorded()
    if not known or len(matching(known)) * 2 < len(known):
        return ""
    return (
        f"{unmatched} of {len(fresh)} papers that it shows for the first time"
        " do not match the query"
    )


def listed_besides(
    fresh: Sequence[Paper], matching: Matching, record: Callable[[], Sequence[Paper]]
) -> frozenset[str]:
    """Of the papers that a window shows for the first time, those that do not match by this
    program's own reading, where that agrees with nearly all of the query's `record`.

    For three weeks of 2025 arXiv's search took phrases for words anywhere: two to four rows a day.
    """
    unmatched = frozenset(paper.id for paper in fresh).difference(matching(fresh))
    if not unmatched:
        return unmatched
    known = record()
    if len(known) < _LEAST_RECORD or len(matching(known)) * 100 < AGREES * len(known):
        return frozenset()
    return unmatched


def is_confirmed(
    query: Query, earlier: Sequence[str], papers: Sequence[Paper], now: datetime
) -> bool:
    """Whether the held-back window before a doubtful one, given by its ids, showed the same, in a
    spell that lasts for hours.

    So an interface that has changed for good is taken as it is, and no single bad answer is.
    """
    begun = query.quarantined_since
    return begun is not None and now - begun >= UNDER_WATCH and agree(earlier, papers)


def agree(earlier: Sequence[str], papers: Sequence[Paper]) -> bool:
    """Whether a window shows what an earlier one did, given by its ids: three in four of the
    smaller one's rows.
    """
    one, other = set(earlier), {paper.id for paper in papers}
    least = min(len(one), len(other))
    return least > 0 and len(one & other) * 4 >= least * 3


def may_answer(papers: Sequence[Paper], known: Collection[str], matching: Matching) -> bool:
    """Whether a window can be the answer for a query, and not for another one that was given twice:
    most of what was known is there, or most of what is there matches.
    """
    shown = {paper.id for paper in papers}
    if len(shown.intersection(known)) * 2 > len(known):
        return True
    return len(matching(papers)) * 2 >= len(shown)


def is_baseline_reset(query: Query) -> bool:
    """Whether a person has accepted what was held back, and no window was good since."""
    return (
        query.judged_since is not None
        and query.last_good_at is not None
        and query.judged_since > query.last_good_at
    )


def no_news(query: Query, papers: Sequence[Paper], matching: Matching) -> frozenset[str]:
    """The papers that a changed interface brings, and that are no news: they are of days long
    known, and do not match, as what moderation had held would.
    """
    if query.last_good_at is None:
        return frozenset()
    old = [paper for paper in papers if paper.updated < query.last_good_at - MODERATION_HOLD]
    return frozenset(paper.id for paper in old).difference(matching(old))
