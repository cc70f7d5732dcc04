"""A window against the seen-table: what in it is new, late, revised, or too old to be mailed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.model import Kind, Paper

GUARD = timedelta(days=45)
"""No date decides what is new but this one: what was last touched this long before the query's
previous good window cannot have been held back by moderation (the longest hold on record is weeks),
so it is history that the window happens to reach."""

MODERATION_HOLD = timedelta(days=5)
"""A paper is announced one to four days after its submission, weekends and holidays counted
(arXiv's help, "Submission schedule"); one that is seen for the first time and was submitted longer
than this before the previous good window was held, and comes late."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A row for the seen-table."""

    paper: Paper
    kind: Kind


def diff(
    papers: Iterable[Paper],
    known: Mapping[str, int],
    previous: datetime | None,
    now: datetime,
    covered: datetime | None = None,
    had_until: datetime | None = None,
) -> tuple[Seen, ...]:
    """Decide what each paper of a good window is, oldest served version first.

    `known` has the highest version that the query's log holds of each base id; `previous` is when
    the query's previous good window was fetched; `covered` is how far back its windows have
    reached, where that was not all: what lies beyond was there before anybody asked. What the log
    already holds is left out. What was submitted before `had_until` counts as mailed: a person said
    so.
    """
    # A clock that was set back must not make fresh papers old.
    line = min(now, previous or now) - GUARD
    # docs/decisions.md, “What lies deeper than the first window reached is history”.
    if previous is not None and covered is not None:
        line = max(line, covered)
    rows = []
    for paper in sorted(papers, key=lambda p: (p.updated, p.id)):
        known_version = known.get(paper.id, 0)
        if paper.version <= known_version:
            continue
        if had_until is not None and paper.updated <= had_until:
            kind = Kind.OLD
        else:
            kind = Kind.REVISED if known_version else _first_seen(paper, line, previous)
        rows.append(Seen(paper, kind))
    return tuple(rows)


def _first_seen(paper: Paper, line: datetime, previous: datetime | None) -> Kind:
    if paper.updated < line:
        return Kind.OLD
    if paper.version > 1 and paper.published < line:
        return Kind.REVISED
    # docs/decisions.md, “Late: submitted more than five days before …”.
    if paper.version == 1 and previous is not None and paper.published < previous - MODERATION_HOLD:
        return Kind.LATE
    return Kind.NEW
