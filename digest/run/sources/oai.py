"""OAI-PMH as a source: every record that was changed since a day, page after page, matched on this
machine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Protocol

from digest.arxiv.combine import categories_of, set_for
from digest.arxiv.oai import RecordPage
from digest.errors import ArxivError
from digest.keywords.grammar import Node, parse
from digest.model import Paper, Query, Window
from digest.rules.calendar import last_served, submitted_by
from digest.rules.plan import OAI, harvested_since, previous
from digest.run.sources.base import FetchRequest, SourceResult, attribute, counted_once


class Oai(Protocol):
    """Whoever harvests records."""

    @property
    def requests(self) -> int:
        """How many requests were made, whatever was asked."""

    def harvest(
        self, since: date, set_name: str = "", *, attempts: int = ...
    ) -> AsyncIterator[RecordPage]:
        """Yield all records changed on `since` (UTC) or later, page after page."""


class OaiSource:
    """Harvests from the day of the oldest good window on, and gives each query what of that matches
    it.

    All that was announced since then has been changed since then, so such a window leaves no gap;
    it also shows old papers whose records were only touched, which the seen-table knows.
    """

    name = OAI

    def __init__(self, oai: Oai) -> None:
        self._oai = oai

    async def windows(
        self, wanted: Sequence[Query], request: FetchRequest
    ) -> AsyncIterator[SourceResult]:
        """Give a window or an error for each query."""
        if not wanted:
            return
        before, requested = self._oai.requests, min(harvested_since(q, request.now) for q in wanted)
        results: list[SourceResult]
        try:
            shares = await self._harvest(
                requested, {q.text: parse(q.text) for q in wanted}, request
            )
        except ArxivError as error:
            results = [(query, error) for query in wanted]
        else:
            since = datetime.combine(requested, time(), UTC)
            results = [
                (query, Window(query.text, shares[query.text], None, since, 0, source=OAI))
                for query in wanted
            ]
        for result in counted_once(results, self._oai.requests - before):
            yield result

    async def _harvest(
        self, since: date, nodes: Mapping[str, Node], request: FetchRequest
    ) -> dict[str, tuple[Paper, ...]]:
        """What each query matches of the records changed since a day, newest first."""
        announcement = last_served(request.now)
        deadline_before = submitted_by(previous(announcement))
        found: dict[str, dict[str, Paper]] = {text: {} for text in nodes}
        records, is_there = 0, False
        async for page in self._oai.harvest(since, set_for(map(categories_of, nodes.values()))):
            papers = tuple(record.paper for record in page.records)
            for text, share in (await attribute(papers, nodes)).items():
                found[text] |= {paper.id: paper for paper in share}
            is_there |= any(paper.updated > deadline_before for paper in papers)
            records += len(papers)
            total = page.total or records
            request.progress(f"harvesting arXiv's records: {records:,} of {total:,}")
        if not is_there:
            evening = announcement.evening
            raise ArxivError(f"OAI holds nothing yet of the announcement of {evening}")
        return {text: _newest_first(papers.values()) for text, papers in found.items()}


def _newest_first(papers: Iterable[Paper]) -> tuple[Paper, ...]:
    return tuple(sorted(papers, key=lambda paper: paper.updated, reverse=True))
