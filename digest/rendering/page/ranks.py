"""Papers from the rows of a page: when each was submitted is told by its rank, since the page does
not say.

Under a keyword the newest submission stands first, and a row shows the day of the version that it
links. So a first version was submitted on the day shown; a later one on a day between those of the
first versions above and below it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Self

from digest.model import Paper
from digest.rendering.page.read import PageRow, PageSection

_DAY_ENDS = time(23, 59, 59, tzinfo=UTC)


def papers_of(sections: Sequence[PageSection], updated: date) -> dict[str, Paper]:
    """Make papers of all rows, by id, so that sorting by `published` gives each section's order
    again.

    `updated` is the day of a row that shows none. Of a paper that stands there in several versions
    the highest is taken. Authors and categories are not on a page, and stay empty.
    """
    best: dict[str, PageRow] = {}
    for section in sections:
        for row in section.rows:
            best[row.id] = max(best.get(row.id, row), row, key=_version)
    papers = {}
    before = datetime.max.replace(tzinfo=UTC)
    for base, day in _ranked(sections, best, updated).items():
        row = best[base]
        published = datetime.combine(day, _DAY_ENDS)
        # A second apart on one day, so that sorting by the time gives this order again.
        if before <= published:
            published = max(before - timedelta(seconds=1), datetime.combine(day, time(0), UTC))
        before = published
        revised = datetime.combine(row.date or updated, _DAY_ENDS)
        papers[base] = Paper(
            id=base,
            version=_version(row),
            title=row.title,
            abstract=row.abstract,
            authors=(),
            categories=(),
            published=published,
            updated=published if _version(row) == 1 else max(published, revised),
            comment=row.comment,
        )
    return papers


def _version(row: PageRow) -> int:
    return row.version or 1


@dataclass(slots=True)
class _Chain:
    """One section's ids that are still to be ranked, the next one last, and the day that was
    reached.
    """

    ids: dict[str, None]
    day: date = field(default=date.max)

    @classmethod
    def of(cls, section: PageSection) -> Self:
        return cls(dict.fromkeys(row.id for row in reversed(section.rows)))

    @property
    def head(self) -> str:
        return next(reversed(self.ids))


def _ranked(
    sections: Sequence[PageSection], best: dict[str, PageRow], updated: date
) -> dict[str, date]:
    """Put all papers into one order that is every section's, with the day on which each was
    submitted.

    Where sections contradict each other, the younger paper goes first.
    """
    chains = [_Chain.of(section) for section in sections]
    member: defaultdict[str, list[_Chain]] = defaultdict(list)
    for chain in chains:
        for base in chain.ids:
            member[base].append(chain)
    order: dict[str, date] = {}
    while chains := [chain for chain in chains if chain.ids]:
        heads = {
            chain.head: _submitted(best[chain.head], member[chain.head], updated)
            for chain in chains
        }
        ready = [base for base in heads if {chain.head for chain in member[base]} == {base}]
        chosen = max(ready or heads, key=heads.__getitem__)
        order[chosen] = heads[chosen]
        for chain in member[chosen]:
            chain.day = min(chain.day, heads[chosen])
            del chain.ids[chosen]
    return order


def _submitted(row: PageRow, chains: Sequence[_Chain], updated: date) -> date:
    """The day on which the next paper of some chains was submitted, at the latest."""
    shown = row.date or updated
    if _version(row) == 1:
        return shown
    return min([shown, *(chain.day for chain in chains)])
