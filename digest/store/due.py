"""The definition of "due": what stands in a reader's logs, or was withdrawn, and no delivery has
carried.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from digest.model import Change, Item, Kind, Revisions
from digest.rules.revision import merged
from digest.store.database import Database
from digest.store.ledger import versions_had
from digest.store.papers import load_papers
from digest.store.rows import NOT_CARRIED_STATES, from_text, loads, stored

NO_END = 2**62
WITHIN = "m.seq > {} AND m.seq <= COALESCE(s.until, :no_end)"
"""Whether a row of the log (m) stands in a subscription's (s) part of it, behind the place that is
filled in: `s.start`, or where scanning may begin. NULL where the subscription is not placed."""
NEEDED = """
    CASE WHEN m.kind = 'old' THEN NULL
         WHEN m.kind <> 'revised' THEN 0
         WHEN :revisions = 'true' THEN m.version
         WHEN :revisions = 'published' THEN (
             SELECT MAX(v.version) FROM revision v
             WHERE v.paper = m.paper AND v.version <= m.version AND v.accepted = 1) END"""
"""The version that a reader must have had for a row of the log (m) to be no news: 0 any, NULL none
at all, since such rows are never due. An acceptance counts for the later versions, too."""


@dataclass(frozen=True, slots=True)
class LookedThrough:
    """What stood in the part of a reader's logs that no digest has accounted for: the papers that
    are `due`, and besides them the base ids of those that the reader `had` and of the `old` ones.

    New versions that the reader takes none of are no part of it.
    """

    due: dict[str, DuePaper]
    had: frozenset[str]
    old: frozenset[str]


@dataclass(slots=True)
class DuePaper:
    """How the rows of one paper in a reader's logs add up."""

    kind: Kind
    first_seq: int
    last_seq: int
    labels: list[str]
    had: int | None = None
    listed: bool = False


def items_of(database: Database, due: dict[str, DuePaper]) -> tuple[Item, ...]:
    """The papers in their latest versions, with what the new versions changed since the ones that
    were had, where all of it is known.
    """
    papers = load_papers(database, list(due))
    items = {
        paper: Item(papers[paper], row.kind, tuple(row.labels), listed=row.listed)
        for paper, row in due.items()
    }
    revised = [paper for paper, row in due.items() if row.kind is Kind.REVISED]
    steps: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for step in database.rows(_REVISIONS, [revised]) if revised else ():
        if step["version"] > (due[step["paper"]].had or 0):
            steps[step["paper"]].append(step)
    return tuple(_with_changes(item, steps.get(paper, [])) for paper, item in items.items())


def _with_changes(item: Item, steps: list[dict[str, Any]]) -> Item:
    """A paper with what these of its versions changed, the oldest first; nothing is told where one
    of them is not known.
    """
    known = [loads(step["changed"]) for step in steps]
    if not known or None in known:
        return item
    old_title = next((step["old_title"] for step in steps if step["old_title"]), "")
    return replace(
        item, changes=merged(*(map(stored(Change), each) for each in known)), old_title=old_title
    )


def withdrawn_papers(
    database: Database, reader: int, folded: Sequence[int], end: int
) -> dict[str, DuePaper]:
    """The papers that were carried to the reader and withdrawn since, where no delivery has
    reported it. `end` is the log's.

    This is due by the ledger alone, whatever the reader wants of new versions, excludes, or still
    subscribes to: whoever was sent a paper learns that it was taken back.
    """
    # Asking the ledger for every reader in every run would take too long, so readers are marked.
    if not folded and not database.value(
        "SELECT corrections FROM subscriber WHERE id = ?", [reader]
    ):
        return {}
    rows = database.rows(_WITHDRAWN, {"reader": reader, "folded": list(folded)})
    _remember(database, reader, rows)
    # A withdrawal stands in no log that the reader must have, so it is due behind all of them.
    due = {
        row["paper"]: DuePaper(Kind.REVISED, end + 1, end + 1, [], row["had"])
        for row in rows
        if 0 < row["had"] < row["withdrawn"]
    }
    for row in database.rows(_LABELS, {"reader": reader, "papers": list(due)}) if due else ():
        due[row["paper"]].labels.append(row["label"])
    return due


def look_through(
    database: Database, reader: int, rewind: int, folded: Sequence[int], revisions: Revisions
) -> LookedThrough:
    """The definition of "due", row by row: in the log beyond the start, and carried by no
    delivery; in the order in which the papers came into the reader's logs.

    A paper that is due as new and as a new version comes once, as new.
    """
    rows = database.rows(
        _DUE,
        {
            "reader": reader,
            "rewind": rewind,
            "no_end": NO_END,
            "folded": list(folded),
            "revisions": revisions,
        },
    )
    _remember(database, reader, rows)
    due: dict[str, DuePaper] = {}
    had: set[str] = set()
    old: set[str] = set()
    for row in rows:
        if row["needed"] is None:
            old.add(row["paper"])
        elif row["had"] is None or row["had"] < row["needed"]:
            _add(due, row)
        else:
            had.add(row["paper"])
    return LookedThrough(due, frozenset(had - due.keys()), frozenset(old - due.keys() - had))


def most_recent(due: dict[str, DuePaper], limit: int) -> tuple[dict[str, DuePaper], int | None]:
    """After an absence: the most recently recorded papers, and where the log is to start."""
    if len(due) <= limit:
        return due, None
    by_age = sorted(due, key=lambda paper: due[paper].last_seq)
    skipped = by_age[: len(due) - limit]
    kept = {paper: row for paper, row in due.items() if paper not in set(skipped)}
    return kept, due[skipped[-1]].last_seq


def _remember(database: Database, reader: int, rows: list[dict[str, Any]]) -> None:
    """Put into rows of papers what the reader had of them long ago, where that is a later version
    than the deliveries tell. Papers that no ledger of long ago holds have no number.
    """
    published = {
        row["number"]: from_text(row["published"]) for row in rows if row["number"] is not None
    }
    had = versions_had(database, reader, published)
    for row in rows:
        if row["number"] in had:
            row["had"] = max(row["had"] or 0, had[row["number"]])


def _add(due: dict[str, DuePaper], row: dict[str, Any]) -> None:
    """Add one row of the log to what is known of its paper: new beats late, and late revised; a
    keyword that it matches beats all for which arXiv only lists it.
    """
    kind, listed = stored(Kind)(row["kind"]), bool(row["listed"])
    first = DuePaper(kind, row["seq"], row["seq"], [], row["had"], listed)
    paper = due.setdefault(row["paper"], first)
    paper.last_seq = row["seq"]
    paper.kind = min(paper.kind, kind, key=list(Kind).index)
    if paper.listed and not listed:
        paper.listed, paper.labels = False, []
    if listed is paper.listed and row["label"] not in paper.labels:
        paper.labels.append(row["label"])


# A delivery that was queued a week before the paper was submitted cannot have carried it: this
# spares looking through a reader's whole past. MATERIALIZED: SQLite would otherwise ask the ledger
# anew for each mention of `had`.
_DUE = f"""
    WITH log AS MATERIALIZED (
        SELECT m.paper, m.seq, m.kind, m.listed, s.label, p.number, p.published,
            {NEEDED} AS needed,
            (SELECT MAX(cp.version) FROM delivery d
             JOIN content_paper cp ON cp.content = d.content AND cp.paper = m.paper
             WHERE d.subscriber = :reader AND d.queued_at >= days_before(p.published, 7)
                 AND d.state NOT IN {NOT_CARRIED_STATES}
                 AND d.id NOT IN many(:folded)) AS had
        FROM subscription s
        JOIN seen m ON m.query = s.query
            AND {WITHIN.format("GREATEST(s.start, LEAST(s.position, :rewind))")}
        JOIN paper p ON p.id = m.paper
        WHERE s.subscriber = :reader AND s.start IS NOT NULL)
    SELECT * FROM log WHERE needed IS NOT NULL OR kind = 'old' ORDER BY seq"""

_WITHDRAWN = f"""
    SELECT p.id AS paper, p.number, p.published, p.withdrawn, MAX(h.version) AS had
    FROM (SELECT cp.paper, cp.version FROM delivery d
          JOIN content_paper cp ON cp.content = d.content
          WHERE d.subscriber = :reader AND d.state NOT IN {NOT_CARRIED_STATES}
              AND d.id NOT IN many(:folded)
          UNION ALL
          SELECT paper, 0 FROM correction WHERE subscriber = :reader) AS h
    JOIN paper p ON p.id = h.paper
    WHERE p.withdrawn > 0
    GROUP BY p.id, p.number, p.published, p.withdrawn ORDER BY p.id"""

# The names of the reader's keywords that ever brought these papers.
_LABELS = """
    SELECT m.paper, s.label FROM subscription s JOIN seen m ON m.query = s.query
    WHERE s.subscriber = :reader AND m.paper IN many(:papers)
    GROUP BY m.paper, s.label ORDER BY m.paper, MIN(s.query)"""

_REVISIONS = """
    SELECT paper, version, changed, old_title FROM revision
    WHERE paper IN many(?) ORDER BY paper, version"""
