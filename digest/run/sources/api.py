"""The query API as a source: few queries one by one, many combined and told apart on this
machine.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from digest.arxiv.combine import batches, joined, loosened
from digest.errors import ArxivError, DigestError, DoubtfulError
from digest.keywords.grammar import parse
from digest.model import Paper, Query, Window
from digest.rules.plan import ALONE, API, depth, page_size
from digest.run.sources.base import Arxiv, FetchRequest, SourceResult, attribute, counted_once

log = logging.getLogger(__name__)


class ApiSource:
    """Asks for each query as deep as it needs. After the network failed, the others are tried once
    each; where arXiv asks to slow down, nobody asks any more.
    """

    name = API

    def __init__(self, arxiv: Arxiv) -> None:
        self._arxiv = arxiv

    async def windows(
        self, wanted: Sequence[Query], request: FetchRequest
    ) -> AsyncIterator[SourceResult]:
        """Give a window or an error for each query; the others are left out where arXiv asks to
        slow down.
        """
        waiting = _together(wanted, request.now)
        attempts = request.attempts
        while waiting and not request.stop.is_set():
            batch = waiting.pop(0)
            answer = await self._ask(batch, request, attempts)
            if len(batch) > 1 and _is_refused(answer):
                # One of them is refused, or together they are too broad.
                middle = (len(batch) + 1) // 2
                waiting[:0] = [batch[:middle], batch[middle:]]
                continue
            for each in await _told_apart(batch, answer):
                yield each
            if isinstance(answer, ArxivError):
                attempts = 1 if answer.unreachable else attempts
                if answer.throttled:
                    return

    async def _ask(
        self, batch: Sequence[Query], request: FetchRequest, attempts: int
    ) -> Window | ArxivError:
        """One window for all queries of a batch; what goes wrong unforeseen concerns these queries
        alone.
        """
        since = min(depth(query, request.now) for query in batch)
        name = request.name(batch[0]) if len(batch) == 1 else f"{len(batch)} keywords together"

        def progress(rows: int, total: int) -> None:
            request.progress(f"asking arXiv for {name}: {rows} of at most {total} rows")

        request.progress(f"asking arXiv for {name}")
        try:
            return await self._arxiv.fetch(
                joined([query.text for query in batch]),
                since=since,
                page_size=page_size(batch, since, request.now),
                attempts=attempts,
                progress=progress,
            )
        except ArxivError as error:
            return error
        except DigestError:
            raise
        except Exception as error:
            log.exception("while asking arXiv for %s", name)
            return ArxivError(f"an error of the program itself ({type(error).__name__}: {error})")


def _together(wanted: Sequence[Query], now: datetime) -> list[list[Query]]:
    """The queries in batches: alone where they are few, else as many as one address holds, of about
    one depth.
    """
    if len(wanted) <= ALONE:
        return [[query] for query in wanted]
    by_text = {query.text: query for query in wanted}
    by_day: dict[object, list[str]] = {}
    for query in wanted:
        by_day.setdefault(depth(query, now).date(), []).append(query.text)
    return [[by_text[text] for text in batch] for day in by_day.values() for batch in batches(day)]


def _is_refused(answer: Window | ArxivError) -> bool:
    """Whether asking again for the same cannot help."""
    return isinstance(answer, ArxivError) and not (answer.transient or answer.unreachable)


async def _told_apart(batch: Sequence[Query], answer: Window | ArxivError) -> list[SourceResult]:
    """What one answer for several queries is for each of them."""
    if len(batch) == 1:
        return [(batch[0], answer)]
    requests = answer.requests
    if isinstance(answer, Window) and answer.total == 0 and any(q.rows_per_day for q in batch):
        words = f"arXiv counts no match for {len(batch)} keywords together, and had some before"
        answer = ArxivError(words, body=answer.raw)
    results: list[SourceResult] = [(query, answer) for query in batch]
    if isinstance(answer, Window | DoubtfulError):
        shares = await _shares(batch, answer.papers)
        results = [
            (query, _share(answer, query, shares[query.text], first=query is batch[0]))
            for query in batch
        ]
    return counted_once(results, requests)


def _share(
    answer: Window | DoubtfulError, query: Query, papers: tuple[Paper, ...], *, first: bool
) -> Window | DoubtfulError:
    """One query's part of an answer; arXiv's count is of all of them. Whose the odd rows are nobody
    knows: they are named once, with the first.
    """
    if isinstance(answer, Window):
        odd = answer.odd if first else ()
        return replace(answer, query=query.text, papers=papers, total=None, odd=odd)
    error = copy.copy(answer)
    error.papers = papers
    return error


async def _shares(batch: Sequence[Query], papers: Sequence[Paper]) -> dict[str, tuple[Paper, ...]]:
    """Each query's papers. One that no query matches exactly came for somebody: for all that it
    matches loosely.
    """
    nodes = {query.text: parse(query.text) for query in batch}
    shares = await attribute(papers, nodes)
    unmatched = _without(papers, shares)
    if unmatched:
        loose = await attribute(unmatched, {text: loosened(node) for text, node in nodes.items()})
        shares = {text: (*share, *loose[text]) for text, share in shares.items()}
        words = "arXiv sent %s for one of %d keywords, and none matches it"
        for paper in _without(unmatched, loose):
            log.info(words, paper.id, len(batch))
    return shares


def _without(papers: Sequence[Paper], shares: Mapping[str, Sequence[Paper]]) -> list[Paper]:
    """The papers that are in no share."""
    matched = {paper.id for share in shares.values() for paper in share}
    return [paper for paper in papers if paper.id not in matched]
