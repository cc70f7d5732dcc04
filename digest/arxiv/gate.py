"""Whether what can be read may be believed: whose answer it is, that nothing is missing, its order, its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from urllib.parse import unquote_plus

from digest.arxiv.atom import Feed
from digest.errors import ArxivError, DoubtfulError
from digest.model import Paper

# Of 79,051 neighbouring rows in 963 real windows 13 were out of order, at most two in one window of 80.
_STRAYS_PER_HUNDRED = 5

_SETTLED = timedelta(days=5)
"""What was submitted this long before the newest paper on record was announced with it or before (arXiv's
help, "Submission schedule"); the few that moderation held are the exception."""
_EDGE = timedelta(days=1)
"""The last day that a window shows is not all in it."""

_LEAST_TOTAL, _LEAST_ROWS, _LEAST_SHOWN, _LEAST_SETTLED = 5, 3, 5, 8
"""With fewer than this there is nothing to compare with."""


@dataclass(frozen=True, slots=True)
class History:
    """What is on record of one query, for its next window to be compared with.

    `since` is how far back is compared; `known` has the papers that the query's log holds with the date of
    their last version, from there on; `total` is how many matches arXiv counted last, None where it was not
    asked for this query alone.
    """

    since: datetime
    known: Mapping[str, datetime]
    total: int | None = None


def check_page(feed: Feed, *, query: str, start: int, page_size: int) -> None:
    """Raise ArxivError (transient) where the feed is not the whole answer to this page of this query.

    `start` and `page_size` are what was asked for. A title that repeats no query at all is borne with
    where papers came, and not where the answer is that there are none.
    """
    if feed.query is None:
        if not feed.papers:
            raise ArxivError("arXiv's answer is empty and does not say which query it answers")
    elif _plain(feed.query) != _plain(query):
        raise ArxivError(f"arXiv answered another query: {feed.query[:120]}")
    if feed.start != start:
        raise ArxivError(f"arXiv answered from row {feed.start} where row {start} was asked for")
    served = len(feed.papers)
    expected = min(page_size, max(0, feed.total - start))
    if served == 0 and expected:
        raise ArxivError(f"arXiv sent no papers from row {start} and says that there are {feed.total}")
    if served < expected:
        raise ArxivError(f"arXiv sent {served} of {expected} papers from row {start}")
    if served > expected:
        raise ArxivError(f"arXiv sent {served} papers where {expected} were to come")


def check_window(papers: Sequence[Paper]) -> None:
    """Raise DoubtfulError where papers, as served, are not ordered by `updated`, newest first.

    One row in twenty may stand astray, at least one: arXiv's own order has strays. A spell in which
    sorting is ignored puts about half of the rows out of order, an order by `published` every revision.
    """
    strays = sum(after.updated > before.updated for before, after in pairwise(papers))
    if strays > max(1, len(papers) * _STRAYS_PER_HUNDRED // 100):
        words = f"arXiv did not sort its answer by date: {strays} of {len(papers)} rows out of order"
        raise DoubtfulError(words, tuple(papers), ordered=False)


def doubt(papers: Sequence[Paper], history: History, *, total: int | None = None) -> str:
    """Say why a window does not fit what came before it; "" where it does, or where there is no history.

    Papers do not leave arXiv's index, so what was there must be there still. `papers` are the rows, in any
    order; `total` is arXiv's count of all matches, where it was asked for this query alone. A window fails
    where (figures from 963 real windows of 321 days, 17 of them parts of an answer)

    - arXiv counts less than a quarter of the matches that it counted before;
    - fewer rows than a quarter of the known papers came (whole windows: 0.5 at least; parts: 0.01 to 0.18);
    - of the known papers that lie within the dates of its rows, less than half are there (whole windows, and
      parts too: 0.93 at least; answers for another keyword: hardly any);
    - of eight or more rows as old as most of what is known, more than two in three were never seen (whole
      windows: 0.12 at most; an answer for a wider query, or one in which sorting is ignored: nearly all).

    Rows that are new since the last good window are not counted against it, however many: after weeks off,
    they are most of it.
    """
    if total is not None and history.total is not None and history.total >= _LEAST_TOTAL and total * 4 < history.total:
        return f"arXiv counts {_matches(total)}, and counted {history.total:,} before"
    known = {name: at for name, at in history.known.items() if at >= history.since}
    rows = [paper for paper in papers if paper.updated >= history.since]
    if len(known) >= _LEAST_ROWS and len(rows) * 4 < len(known):
        return f"{_rows(len(rows))} came, where {len(known)} papers are known of the same days"
    first = max(history.since, min((paper.updated for paper in papers), default=history.since) + _EDGE)
    expected = [name for name, at in known.items() if at >= first]
    missing = set(expected) - {paper.id for paper in papers}
    if len(expected) >= _LEAST_SHOWN and len(missing) * 2 > len(expected):
        return f"{len(missing)} of {len(expected)} papers that were there are gone"
    if known:
        begin, end = min(known.values()), max(known.values()) - _SETTLED
        settled = [paper for paper in rows if begin <= paper.updated < end]
        strange = sum(paper.id not in known for paper in settled)
        if len(settled) >= _LEAST_SETTLED and strange * 3 > len(settled) * 2:
            return f"{strange} of its {len(settled)} rows of days long known were never there before"
    return ""


def agree(earlier: Sequence[str], papers: Sequence[Paper]) -> bool:
    """Whether a window shows what an earlier one did, given by its ids: three in four of the smaller one's rows."""
    one, other = set(earlier), {paper.id for paper in papers}
    least = min(len(one), len(other))
    return least > 0 and len(one & other) * 4 >= least * 3


def _matches(number: int) -> str:
    return "no match" if number == 0 else "1 match" if number == 1 else f"{number:,} matches"


def _rows(number: int) -> str:
    return "no row" if number == 0 else "1 row" if number == 1 else f"{number} rows"


def same_index(seen: Sequence[Paper], total: int, feed: Feed) -> bool:
    """Tell whether a page follows the rows `seen` before it without a gap.

    The index can move between two pages. Rows that slip down come twice, which is harmless; rows that
    slip up past the page's border would be missed. So where the total has changed, or a paper comes
    again, the last row seen has to stand on the new page too: then nothing lies between.
    """
    if not seen:
        return True
    known = {paper.id for paper in seen}
    page = {paper.id for paper in feed.papers}
    return (feed.total == total and not known & page) or seen[-1].id in page


def newest_versions(papers: Sequence[Paper]) -> tuple[Paper, ...]:
    """Each paper once, in its highest version, in the order of first appearance."""
    kept: dict[str, Paper] = {}
    for paper in papers:
        if paper.id not in kept or paper.version > kept[paper.id].version:
            kept[paper.id] = paper
    return tuple(kept.values())


def _plain(query: str) -> str:
    return " ".join(unquote_plus(query).split())
