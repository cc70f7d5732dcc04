"""Whether a window fits what is on record of its query: what makes one doubtful, and which two
agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.keywords.words import counted
from digest.model import Paper

_SETTLED = timedelta(days=5)
"""What was submitted this long before the newest paper on record was announced with it or before
(arXiv's help, "Submission schedule"); the few that moderation held are the exception."""


_EDGE = timedelta(days=1)
"""The last day that a window shows is not all in it."""


_LEAST_TOTAL, _LEAST_ROWS, _LEAST_SHOWN, _LEAST_SETTLED = 5, 3, 5, 8
"""With fewer than this there is nothing to compare with."""


@dataclass(frozen=True, slots=True)
class History:
    """What is on record of one query, for its next window to be compared with.

    `since` is how far back is compared; `known` has the papers that the query's log holds with the
    date of their last version, from there on; `total` is how many matches arXiv counted last, None
    where it was not asked for this query alone.
    """

    since: datetime
    known: Mapping[str, datetime]
    total: int | None = None


def doubt(papers: Sequence[Paper], history: History, *, total: int | None = None) -> str:
    """Say why a window does not fit what came before it; "" where it does, or where there is no
    history.

    Papers do not leave arXiv's index, so what was there must be there still. `papers` are the rows,
    in any order; `total` is arXiv's count of all matches, where it was asked for this query alone.
    A window fails where (figures from 963 real windows of 321 days, 17 of them parts of an answer)

    - arXiv counts less than a quarter of the matches that it counted before;
    - fewer rows than a quarter of the known papers came (whole windows: 0.5 at least; parts: 0.01
      to 0.18);
    - of the known papers that lie within the dates of its rows, less than half are there (whole
      windows, and parts too: 0.93 at least; answers for another keyword: hardly any);
    - of eight or more rows as old as most of what is known, more than two in three were never seen
      (whole windows: 0.12 at most; an answer for a wider query, or one in which sorting is ignored:
      nearly all).

    Rows that are new since the last good window are not counted against it, however many: after
    weeks off, they are most of it.
    """
    if (
        total is not None
        and history.total is not None
        and history.total >= _LEAST_TOTAL
        and total * 4 < history.total
    ):
        matches = counted(total, "match", "matches", separator=",") if total else "no match"
        return f"arXiv counts {matches}, and counted {history.total:,} before"
    known = {name: at for name, at in history.known.items() if at >= history.since}
    rows = [paper for paper in papers if paper.updated >= history.since]
    if len(known) >= _LEAST_ROWS and len(rows) * 4 < len(known):
        came = counted(len(rows), "row") if rows else "no row"
        return f"{came} came, where {len(known)} papers are known of the same days"
    first = max(
        history.since, min((paper.updated for paper in papers), default=history.since) + _EDGE
    )
    expected = [name for name, at in known.items() if at >= first]
    missing = set(expected) - {paper.id for paper in papers}
    if len(expected) >= _LEAST_SHOWN and len(missing) * 2 > len(expected):
        return f"{len(missing)} of {len(expected)} papers that were there are gone"
    if known:
        begin, end = min(known.values()), max(known.values()) - _SETTLED
        settled = [paper for paper in rows if begin <= paper.updated < end]
        strange = sum(paper.id not in known for paper in settled)
        if len(settled) >= _LEAST_SETTLED and strange * 3 > len(settled) * 2:
            return (
                f"{strange} of its {len(settled)} rows of days long known were never there before"
            )
    return ""


def agree(earlier: Sequence[str], papers: Sequence[Paper]) -> bool:
    """Whether a window shows what an earlier one did, given by its ids: three in four of the
    smaller one's rows.
    """
    one, other = set(earlier), {paper.id for paper in papers}
    least = min(len(one), len(other))
    return least > 0 and len(one & other) * 4 >= least * 3
