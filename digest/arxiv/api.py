"""Asking arXiv's query API: page after page, until a window is whole."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import partial
from typing import Any

from digest.arxiv.atom import Feed, OddRow, parse_feed
from digest.arxiv.gate import check_page, check_window, newest_versions, same_index
from digest.arxiv.line import Line, parsed
from digest.errors import ArxivError
from digest.model import Paper, Window

Progress = Callable[[int, int], None]

PAGE_LIMIT = 2_000  # papers in one answer, and
DEPTH_LIMIT = 30_000  # papers of one query in all; more is HTTP 400 (arXiv API user's manual)

ASKED_AGAIN = 50
"""At most so many papers whose rows cannot be read are asked for by id at once."""

# A window ends once this many rows in a row lie beyond its depth: a single one may stand astray.
_ROWS_BEYOND = 3


class ArxivClient(AbstractAsyncContextManager["ArxivClient"]):
    """Fetches windows from arXiv's query API; an async context manager that holds the line.

    `options` are those of the line, unless `line` is given, which other clients use too. `requests`
    counts every request on it.
    """

    def __init__(self, url: str, *, line: Line | None = None, **options: Any) -> None:
        self.line = line or Line(**options)
        self._url = url

    @property
    def requests(self) -> int:
        """How many requests were made."""
        return self.line.requests

    async def __aexit__(self, *_error: object) -> None:
        """Close the connection."""
        await self.line.close()

    async def fetch(
        self,
        query: str,
        *,
        since: datetime,
        page_size: int,
        attempts: int = 4,
        progress: Progress | None = None,
    ) -> Window:
        """Return every match of `query` whose served version is younger than `since`, newest first.

        Pages of `page_size` papers (at most 2,000) are read until the last rows are older than
        `since`, or all matches were served; each page is asked for up to `attempts` times, and a
        window during which the index moved is read again as often. `progress` is told rows read and
        matches in all. Raises ArxivError: an answer that is not whole and sane after all attempts,
        a refusal, or a query that matches too much; its `body` is the last answer, its `requests`
        how many were made. A few rows that cannot be read as papers are asked for again by id, and
        named in the window where that did not help.
        """
        if not 1 <= page_size <= PAGE_LIMIT:
            raise ValueError(f"page_size must be 1 to {PAGE_LIMIT}")
        before = self.requests
        try:
            papers, odd, total, raw = await self._window(
                query, since, page_size, attempts, progress
            )
            papers, left_out = await self._asked_again(papers, odd)
        except ArxivError as error:
            error.requests = self.requests - before
            raise
        return Window(query, papers, total, since, self.requests - before, raw, odd=left_out)

    async def _window(
        self, query: str, since: datetime, page_size: int, attempts: int, progress: Progress | None
    ) -> tuple[tuple[Paper, ...], list[OddRow], int, bytes]:
        """All papers of a window, the rows that are none, arXiv's count of all matches, and the
        first page as it came.
        """
        passes = 1
        collected: list[Paper] = []  # in all passes
        rows: list[Paper] = []  # in this pass, as they were served
        odd: list[OddRow] = []
        start, total, raw = 0, 0, b""
        while True:
            size = min(page_size, DEPTH_LIMIT - start)
            ask = partial(self._ask, query, rows, start, size)
            feed, body = await self.line.patiently(ask, attempts)
            if not same_index(rows, total, feed):
                if passes == attempts:
                    raise ArxivError(
                        f"arXiv's index kept moving while it was read ({passes} times)"
                    )
                passes, rows, start = passes + 1, [], 0
                continue
            raw = raw if rows else body  # the first page of this pass
            rows += feed.papers
            collected += feed.papers
            odd += feed.odd
            start, total = start + feed.served, feed.total
            if progress is not None:
                progress(start, total)
            if start >= total or _beyond(rows, since):
                # What an earlier pass saw may have slipped past the border of a page in this one.
                whole = newest_versions(rows if passes == 1 else rows + collected)
                return whole, odd, total, raw
            if start >= DEPTH_LIMIT:
                raise ArxivError(
                    f"the query is too broad: {DEPTH_LIMIT:,} of {total:,} papers do not reach"
                    f" back to {since:%Y-%m-%d}, and arXiv serves no more",
                    remedy="narrow it, for example with AND cat:cs.LG,"
                    " or split it into several keywords",
                    transient=False,
                )

    async def _ask(
        self, query: str, rows: list[Paper], start: int, size: int
    ) -> tuple[Feed, bytes]:
        """One page, which has to follow the rows before it, and its bytes."""
        response = await self.line.get(
            self._url,
            {
                "search_query": query,
                "start": str(start),
                "max_results": str(size),
                "sortBy": "lastUpdatedDate",
                "sortOrder": "descending",
            },
        )

        def check(feed: Feed) -> None:
            check_page(feed, query=query, start=start, page_size=size)
            check_window(newest_versions([*rows, *feed.papers]))

        return await parsed(response, parse_feed, check), response.body

    async def _asked_again(
        self, papers: tuple[Paper, ...], odd: Iterable[OddRow]
    ) -> tuple[tuple[Paper, ...], tuple[str, ...]]:
        """The papers with those whose rows could not be read, as far as arXiv has them whole by id;
        and what is wrong with the others.
        """
        known = {paper.id for paper in papers}
        odd = [row for row in odd if row.id not in known]
        ids = list(dict.fromkeys(row.id for row in odd if row.id))[:ASKED_AGAIN]
        whole: tuple[Paper, ...] = ()
        if ids:
            # What arXiv says of them is no reason to do without the others.
            with contextlib.suppress(ArxivError):
                whole = await self.by_ids(ids, attempts=1)
        known = {paper.id for paper in whole}
        left_out = (row.why for row in odd if row.id not in known)
        return newest_versions([*papers, *whole]), tuple(dict.fromkeys(left_out))

    async def by_ids(self, ids: Sequence[str], attempts: int = 4) -> tuple[Paper, ...]:
        """Return the papers with these base ids in their latest versions; what the index lacks is
        left out.

        Raises ArxivError; its `requests` are not counted.
        """
        return await self.line.patiently(lambda: self._ask_ids(ids), attempts)

    async def _ask_ids(self, ids: Sequence[str]) -> tuple[Paper, ...]:
        # By hand: httpx would write each comma as %2C, and the address is to stay short.
        response = await self.line.get(
            f"{self._url}?id_list={','.join(ids)}&start=0&max_results={len(ids)}"
        )

        def check(feed: Feed) -> None:
            if foreign := {paper.id for paper in feed.papers} - set(ids):
                raise ArxivError(f"arXiv sent {len(foreign)} papers that were not asked for")
            if feed.served < min(feed.total, len(ids)):
                raise ArxivError(
                    f"arXiv sent {feed.served} of {feed.total} papers that were asked for by id"
                )

        return newest_versions((await parsed(response, parse_feed, check)).papers)


def _beyond(rows: list[Paper], since: datetime) -> bool:
    """Tell whether the last rows all lie beyond the depth that is wanted."""
    last = rows[-_ROWS_BEYOND:]
    return len(last) == _ROWS_BEYOND and all(paper.updated < since for paper in last)
