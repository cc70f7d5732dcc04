"""The query API as a source: few queries one by one, many combined and told apart on this
machine.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from digest.arxiv.combine import batches, joined, loosened
from digest.errors import ArxivError, DigestError, DoubtfulError
from digest.keywords.asked import asked_text, listed
from digest.keywords.grammar import Node, parse
from digest.model import Paper, Query, Window
from digest.rules.plan import ALONE, API, always_deep, depth, page_size
from digest.run.sources.base import Arxiv, FetchRequest, SourceResult, attribute, counted_once

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Question:
    """A query, what arXiv is asked for it, how deep, and what that may list (docs/matching.md)."""

    query: Query
    node: Node
    asked: str
    listed: Node
    since: datetime

    @property
    def is_wider(self) -> bool:
        """Whether arXiv may list by its own reading what does not match here."""
        return self.listed != self.node


def _questions(queries: Sequence[Query], now: datetime) -> list[_Question]:
    deep = always_deep(queries)
    return [
        _Question(
            query,
            node := parse(query.text),
            asked_text(query.text),
            listed(node),
            depth(query, now, is_deep=query.id in deep),
        )
        for query in queries
    ]


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
        waiting = _together(_questions(wanted, request.now))
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
        self, batch: Sequence[_Question], request: FetchRequest, attempts: int
    ) -> Window | ArxivError:
        """One window for all queries of a batch; what goes wrong unforeseen concerns these queries
        alone.
        """
        queries = [each.query for each in batch]
        since = min(each.since for each in batch)
        name = request.name(queries[0]) if len(batch) == 1 else f"{len(batch)} keywords together"

        def progress(rows: int, total: int) -> None:
            request.progress(f"asking arXiv for {name}: {rows} of at most {total} rows")

        request.progress(f"asking arXiv for {name}")
        try:
            return await self._arxiv.fetch(
                joined([each.asked for each in batch]),
                since=since,
                page_size=page_size(queries, since, request.now),
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


def _together(wanted: Sequence[_Question]) -> list[list[_Question]]:
    """The questions in batches: alone where they are few, else as many as one address holds, of
    about one depth.
    """
    if len(wanted) <= ALONE:
        return [[question] for question in wanted]
    by_day: dict[object, list[_Question]] = {}
    for question in wanted:
        by_day.setdefault(question.since.date(), []).append(question)
    found = []
    for day in by_day.values():
        left = iter(day)
        found += [[next(left) for _ in batch] for batch in batches(each.asked for each in day)]
    return found


def _is_refused(answer: Window | ArxivError) -> bool:
    """Whether asking again for the same cannot help."""
    return isinstance(answer, ArxivError) and not (answer.transient or answer.unreachable)


async def _told_apart(
    batch: Sequence[_Question], answer: Window | ArxivError
) -> list[SourceResult]:
    """What an answer for one or several queries is for each of them."""
    requests, queries = answer.requests, [each.query for each in batch]
    if len(batch) > 1 and isinstance(answer, Window) and answer.total == 0:
        words = f"arXiv counts no match for {len(batch)} keywords together, and had some before"
        had_some = any(query.rows_per_day for query in queries)
        answer = ArxivError(words, body=answer.raw) if had_some else answer
    if not isinstance(answer, Window | DoubtfulError):
        return counted_once(((query, answer) for query in queries), requests)
    shares = await _shares(batch, answer.papers)
    results = [(each.query, _share(answer, each, shares, batch)) for each in batch]
    return counted_once(results, requests)


def _share(
    answer: Window | DoubtfulError,
    question: _Question,
    shares: _Shares,
    batch: Sequence[_Question],
) -> Window | DoubtfulError:
    """One query's part of an answer; arXiv's count may be of several. Whose the odd rows are nobody
    knows: they are named once, with the first.
    """
    papers, served = shares.own[question.query.text], shares.served[question.query.text]
    if not isinstance(answer, Window):
        error = copy.copy(answer)
        error.papers = papers
        return error
    return replace(
        answer,
        query=question.query.text,
        papers=papers,
        total=answer.total if len(batch) == 1 else None,
        odd=answer.odd if question is batch[0] else (),
        asked=question.asked if question.asked != question.query.text else "",
        served=sum(paper.updated >= answer.since for paper in served),
    )


@dataclass(frozen=True, slots=True)
class _Shares:
    """By each query's text: its papers, and the rows that came for it."""

    own: Mapping[str, tuple[Paper, ...]]
    served: Mapping[str, tuple[Paper, ...]]


async def _shares(batch: Sequence[_Question], papers: tuple[Paper, ...]) -> _Shares:
    """Each query's papers: what matches here. What does not, and was not brought by a wider
    question either, came for somebody: for the one query, else for all that it matches loosely.
    """
    texts = [each.query.text for each in batch]
    if len(batch) == 1 and not batch[0].is_wider:
        everything = {texts[0]: papers}
        return _Shares(everything, everything)
    own = await attribute(papers, {each.query.text: each.node for each in batch})
    wider = {each.query.text: each.listed for each in batch if each.is_wider}
    served = own | await attribute(papers, wider)
    unmatched = _without(_without(papers, own), served)
    if len(batch) == 1:
        loose, served = {texts[0]: unmatched}, {texts[0]: papers}
    else:
        loose = await _loosely(batch, unmatched)
    return _Shares({text: (*own[text], *loose[text]) for text in texts}, served)


async def _loosely(
    batch: Sequence[_Question], papers: tuple[Paper, ...]
) -> dict[str, tuple[Paper, ...]]:
    """The papers that each query matches loosely; what none does is noted in the log."""
    found = await attribute(papers, {each.query.text: loosened(each.node) for each in batch})
    for paper in _without(papers, found):
        log.info("arXiv sent %s for one of %d keywords, and none matches it", paper.id, len(batch))
    return found


def _without(papers: Sequence[Paper], shares: Mapping[str, Sequence[Paper]]) -> tuple[Paper, ...]:
    """The papers that are in no share."""
    matched = {paper.id for share in shares.values() for paper in share}
    return tuple(paper for paper in papers if paper.id not in matched)
