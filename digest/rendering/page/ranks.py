"""Papers from the rows of a page: when each was submitted is told by its rank, since the page does
not say.

Under a keyword the newest submission stands first, and a row shows the day of the version that it
links. So a first version was submitted on the day shown; a later one on a day between those of the
first versions above and below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

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
            if row.id not in best or (row.version or 1) > (best[row.id].version or 1):
                best[row.id] = row
    papers = {}
    before: datetime | None = None
    for base, day in _ranked(sections, best, updated):
        row = best[base]
        published = datetime.combine(day, _DAY_ENDS)
        if before is not None and before <= published:
            published = max(before - timedelta(seconds=1), datetime.combine(day, time(0), UTC))
        before = published
        first = (row.version or 1) == 1
        papers[base] = Paper(
            id=base,
            version=row.version or 1,
            title=row.title,
            abstract=row.abstract,
            authors=(),
            categories=(),
            published=published,
            updated=published
            if first
            else max(published, datetime.combine(row.date or updated, _DAY_ENDS)),
            comment=row.comment,
        )
    return papers


@dataclass(slots=True)
class _Chain:
    """One section's ids that are still to be ranked, the next one last, and the day that was
    reached.
    """

    ids: list[str]
    day: date = field(default=date.max)


def _ranked(
    sections: Sequence[PageSection], best: dict[str, PageRow], updated: date
) -> list[tuple[str, date]]:
    """Put all papers into one order that is every section's, with the day on which each was
    submitted.

    Where sections contradict each other, the younger paper goes first.
    """
    chains = [
        _Chain(list(dict.fromkeys(row.id for row in reversed(section.rows))))
        for section in sections
    ]
    member: dict[str, list[_Chain]] = {}
    for chain in chains:
        for base in chain.ids:
            member.setdefault(base, []).append(chain)
    done: set[str] = set()
    order: list[tuple[str, date]] = []

    def day_of(base: str) -> date:
        shown = best[base].date or updated
        return (
            shown
            if (best[base].version or 1) == 1
            else min([shown, *(chain.day for chain in member[base])])
        )

    while True:
        for chain in chains:
            while chain.ids and chain.ids[-1] in done:
                chain.ids.pop()
        heads = dict.fromkeys(chain.ids[-1] for chain in chains if chain.ids)
        if not heads:
            return order
        ready = [
            base for base in heads if all(not c.ids or c.ids[-1] == base for c in member[base])
        ]
        chosen = max(ready or heads, key=day_of)
        day = day_of(chosen)
        for chain in member[chosen]:
            chain.day = min(chain.day, day)
        done.add(chosen)
        order.append((chosen, day))
