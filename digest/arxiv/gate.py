"""Whether an answer that can be read may be believed: whose it is, that nothing is missing, its
order.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from urllib.parse import unquote_plus

from digest.arxiv.atom import Feed
from digest.errors import ArxivError, DoubtfulError, one_line
from digest.model import Paper

_UNSORTED_PER_HUNDRED = 5
"""Of 79,051 neighbouring rows in 963 real windows 13 were out of order, at most two of 80."""


def check_page(feed: Feed, *, query: str, start: int, page_size: int) -> None:
    """Raise ArxivError (transient) where the feed is not the whole answer to this page of this
    query.

    `start` and `page_size` are what was asked for. A title that repeats no query at all is borne
    with where papers came, and not where the answer is that there are none.
    """
    if feed.query is None:
        if not feed.papers:
            raise ArxivError("arXiv's answer is empty and does not say which query it answers")
    elif _plain(feed.query) != _plain(query):
        raise ArxivError(f"arXiv answered another query: {feed.query[:120]}")
    if feed.start != start:
        raise ArxivError(f"arXiv answered from row {feed.start} where row {start} was asked for")
    served = feed.served
    expected = min(page_size, max(0, feed.total - start))
    if served == 0 and expected:
        raise ArxivError(
            f"arXiv sent no papers from row {start} and says that there are {feed.total}"
        )
    if served < expected:
        raise ArxivError(f"arXiv sent {served} of {expected} papers from row {start}")
    if served > expected:
        raise ArxivError(f"arXiv sent {served} papers where {expected} were to come")


def check_window(papers: Sequence[Paper]) -> None:
    """Raise DoubtfulError where papers, as served, are not ordered by `updated`, newest first.

    One row in twenty may be out of order, at least one: arXiv's own order is not perfect. While
    sorting is ignored about half of the rows are out of order; sorted by `published`, every
    revision is.
    """
    unsorted = sum(after.updated > before.updated for before, after in pairwise(papers))
    if unsorted > max(1, len(papers) * _UNSORTED_PER_HUNDRED // 100):
        raise DoubtfulError(
            f"arXiv did not sort its answer by date: {unsorted} of {len(papers)} rows out of order",
            tuple(papers),
            ordered=False,
        )


def same_index(seen: Sequence[Paper], total: int, feed: Feed) -> bool:
    """Tell whether a page follows the rows `seen` before it without a gap.

    The index can move between two pages. Rows that slip down come twice, which is harmless; rows
    that slip up past the page's border would be missed. So where the total has changed, or a paper
    comes again, the last row seen has to stand on the new page too: then nothing lies between.
    """
    if not seen:
        return True
    # By id and not by version: a revision that comes meanwhile moves its paper to the top.
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
    return one_line(unquote_plus(query))
