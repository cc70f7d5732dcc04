"""OAI-PMH as a source: every record that was changed since a day, page after page, matched on this
machine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, time
from typing import Protocol

from digest.arxiv.combine import categories_of, set_for
from digest.arxiv.oai import RecordPage
from digest.errors import ArxivError
from digest.keywords.grammar import parse
from digest.model import Paper, Query, Window
from digest.rules.calendar import last_served, submitted_by
from digest.rules.plan import OAI, harvested_since, previous
from digest.run.sources.base import FetchRequest, SourceResult, attribute, for_all


class Oai(Protocol):
    """Whoever harvests records."""

    @property
    def requests(self) -> int:
        """How many requests were made, whatever was asked."""
        ...

    def harvest(
        self, since: date, set_name: str = "", *, attempts: int = ...
    ) -> AsyncIterator[RecordPage]:
        """Yield all records changed on `since` (UTC) or later, page after page."""
        ...


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
        before = self._oai.requests
        since = min(harvested_since(query, request.now) for query in wanted)
        nodes = {query.text: parse(query.text) for query in wanted}
        found: dict[str, dict[str, Paper]] = {text: {} for text in nodes}
        announcement = last_served(request.now)
        line, is_there, records = submitted_by(previous(announcement)), False, 0
        try:
            async for page in self._oai.harvest(since, set_for(map(categories_of, nodes.values()))):
                papers = tuple(record.paper for record in page.records)
                for text, share in (await attribute(papers, nodes)).items():
                    found[text] |= {paper.id: paper for paper in share}
                is_there = is_there or any(paper.updated > line for paper in papers)
                records += len(papers)
                request.progress(
                    f"harvesting arXiv's records: {records:,} of {page.total or records:,}"
                )
            if not is_there:
                raise ArxivError(
                    f"OAI holds nothing yet of the announcement of {announcement.evening}"
                )
        except ArxivError as error:
            error.requests = self._oai.requests - before
            for answer in for_all(wanted, error):
                yield answer
            return
        requests = self._oai.requests - before
        reached = datetime.combine(since, time(), UTC)
        for query in wanted:
            rows = tuple(
                sorted(found[query.text].values(), key=lambda paper: paper.updated, reverse=True)
            )
            yield query, Window(query.text, rows, None, reached, requests, source=OAI)
            requests = 0
