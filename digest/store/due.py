"""The definition of "due": what stands in a reader's logs, or was withdrawn, and no delivery has
carried.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from digest.model import Change, Item, Kind, Revisions
from digest.rules.revision import merged
from digest.store.database import Database
from digest.store.papers import load_papers
from digest.store.subscribers import head

NOT_CARRIED = "('expired', 'failed', 'suppressed')"
"""The states in which a delivery has certainly not carried its papers to the reader."""
NO_END = 2**62


@dataclass(slots=True)
class Row:
    """How the rows of one paper in a reader's logs add up."""

    kind: Kind
    first_seq: int
    last_seq: int
    labels: list[str]
    had: int | None = None


def items_of(database: Database, rows: dict[str, Row]) -> tuple[Item, ...]:
    """The papers in their latest versions, with what the new versions changed since the ones that
    were had.
    """
    papers = load_papers(database, list(rows))
    items = {paper: Item(papers[paper], row.kind, tuple(row.labels)) for paper, row in rows.items()}
    revised = [paper for paper, row in rows.items() if row.kind is Kind.REVISED]
    for step in database.rows(_REVISIONS, [json.dumps(revised)]) if revised else ():
        if step["version"] > (rows[step["paper"]].had or 0):
            item = items[step["paper"]]
            changes = merged(item.changes or (), map(Change, json.loads(step["changed"])))
            items[step["paper"]] = replace(
                item, changes=changes, old_title=item.old_title or step["old_title"]
            )
    return tuple(items.values())


def withdrawn_rows(database: Database, reader: int, folded: tuple[int, ...]) -> dict[str, Row]:
    """The papers that were carried to the reader and withdrawn since, where no delivery has told
    it.

    This is due by the ledger alone, whatever the reader wants of new versions, excludes, or still
    subscribes to: whoever was sent a paper is told that it was taken back.
    """
    if not folded and not database.value(
        "SELECT corrections FROM subscriber WHERE id = ?", [reader]
    ):
        return {}
    rows = database.rows(_WITHDRAWN_ROWS, {"reader": reader, "folded": json.dumps(folded)})
    end = head(database) + 1
    return {
        row["paper"]: Row(Kind.REVISED, end, end, json.loads(row["labels"]), row["had"])
        for row in sorted(rows, key=lambda row: str(row["paper"]))
    }


def due_rows(
    database: Database, reader: int, rewind: int, folded: tuple[int, ...], revisions: Revisions
) -> dict[str, Row]:
    """The definition of "due", row by row: in the log beyond the start, and carried by no
    delivery.
    """
    rows = database.rows(
        _DUE_ROWS,
        {"reader": reader, "rewind": rewind, "no_end": NO_END, "folded": json.dumps(folded)},
    )
    new: dict[str, Row] = {}
    revised: dict[str, Row] = {}
    for row in rows:
        had = row["had"]
        if row["kind"] == Kind.REVISED:
            told = row["accepted"] if revisions is Revisions.PUBLISHED else row["version"]
            if revisions is not Revisions.NONE and (told or 0) > (had or 0):
                _add(revised, row)
        elif had is None:
            _add(new, row)
    for paper, entry in new.items():
        if paper in revised:
            entry.last_seq = max(entry.last_seq, revised.pop(paper).last_seq)
    return dict(sorted({**new, **revised}.items(), key=lambda pair: pair[1].first_seq))


def most_recent(rows: dict[str, Row], limit: int) -> tuple[dict[str, Row], int | None, int]:
    """After an absence: the most recently recorded papers, where the log is to start, and how many
    are let go.
    """
    if len(rows) <= limit:
        return rows, None, 0
    by_age = sorted(rows, key=lambda paper: rows[paper].last_seq)
    let_go = by_age[: len(rows) - limit]
    kept = {paper: row for paper, row in rows.items() if paper not in set(let_go)}
    return kept, rows[let_go[-1]].last_seq, len(let_go)


def _add(rows: dict[str, Row], row: dict[str, Any]) -> None:
    """Add one row of the log to what is known of its paper; as new beats late."""
    entry = rows.setdefault(
        row["paper"], Row(Kind(row["kind"]), row["seq"], row["seq"], [], row["had"])
    )
    entry.last_seq = row["seq"]
    if row["kind"] == Kind.NEW:
        entry.kind = Kind.NEW
    if row["label"] not in entry.labels:
        entry.labels.append(row["label"])


# A delivery that was queued a week before the paper was submitted cannot have carried it: this
# spares looking through a reader's whole past.
_DUE_ROWS = f"""
    SELECT m.paper, m.seq, m.kind, m.version, s.label,
        (SELECT MAX(v.version) FROM revision v WHERE v.paper = m.paper AND v.version <= m.version AND v.accepted)
            AS accepted,
        (SELECT MAX(cp.version) FROM delivery d
             JOIN content_paper cp ON cp.content = d.content AND cp.paper = m.paper
             WHERE d.subscriber = :reader AND d.queued_at >= datetime(p.published, '-7 days')
               AND d.state NOT IN {NOT_CARRIED}
               AND d.id NOT IN (SELECT value FROM json_each(:folded))) AS had
    FROM subscription s
    JOIN seen m ON m.query = s.query AND m.seq > MAX(s.start, MIN(s.position, :rewind))
        AND m.seq <= COALESCE(s.until, :no_end)
    JOIN paper p ON p.id = m.paper
    WHERE s.subscriber = :reader AND m.kind <> 'old'
    ORDER BY m.seq"""

_WITHDRAWN_ROWS = f"""
    SELECT cp.paper, MAX(cp.version) AS had,
        (SELECT json_group_array(DISTINCT s.label) FROM subscription s JOIN seen m ON m.query = s.query
             WHERE s.subscriber = :reader AND m.paper = cp.paper) AS labels
    FROM delivery d
    JOIN content_paper cp ON cp.content = d.content
    JOIN paper p ON p.id = cp.paper
    WHERE d.subscriber = :reader AND p.withdrawn > 0 AND d.state NOT IN {NOT_CARRIED}
        AND d.id NOT IN (SELECT value FROM json_each(:folded))
    GROUP BY cp.paper, p.withdrawn HAVING MAX(cp.version) < p.withdrawn"""

_REVISIONS = """SELECT paper, version, changed, old_title FROM revision
    WHERE paper IN (SELECT value FROM json_each(?)) ORDER BY paper, version"""
