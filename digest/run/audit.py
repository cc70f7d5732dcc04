"""arXiv's own record of a time, harvested from its OAI service: the papers that match keywords,
whatever the search listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.arxiv.combine import categories_of, set_for
from digest.keywords.grammar import parse
from digest.model import Paper
from digest.rules.calendar import announcement_of
from digest.run.sources.base import attribute
from digest.run.sources.oai import Oai


@dataclass(frozen=True, slots=True)
class Harvest:
    """What arXiv's record holds: by each query's text the papers that match it by this program's
    own reading, and how many `records` were looked at.
    """

    matches: Mapping[str, Mapping[str, Paper]]
    records: int


async def harvest(
    oai: Oai,
    queries: Iterable[str],
    since: datetime,
    now: datetime,
    progress: Callable[[str], None],
) -> Harvest:
    """Look once through all records that were changed since then, page after page, for the papers
    that were announced between the two moments, as their dates tell; what was held longer than its
    submission tells is counted by its submission.

    Only what matches is kept in memory. Raises ArxivError where a page does not come.
    """
    nodes = {text: parse(text) for text in queries}
    found: dict[str, dict[str, Paper]] = {text: {} for text in nodes}
    records = 0
    # What was announced just after midnight may bear the day before.
    first = (since - timedelta(days=1)).date()
    async for page in oai.harvest(first, set_for(map(categories_of, nodes.values()))):
        papers = [record.paper for record in page.records]
        announced = [paper for paper in papers if _is_announced(paper, since, now)]
        for text, share in (await attribute(announced, nodes)).items():
            found[text] |= {paper.id: paper for paper in share}
        records += len(papers)
        progress(f"harvesting arXiv's records: {records:,} of {page.total or records:,}")
    return Harvest(found, records)


def _is_announced(paper: Paper, since: datetime, now: datetime) -> bool:
    return since < announcement_of(paper.published).served_at <= now
