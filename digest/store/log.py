"""The log of what each query brought, `seen`: how its rows are numbered, and where it ends.

A position may move only over rows that are committed and that no earlier number can still join.
So a row's number is the end of the log plus one, read in the transaction that writes the row: who
gives a number has seen all below it committed, and of two writers that give the same one the key of
the table lets only the first commit. (In SQLite the second one waits before it reads: transactions
begin as writing ones.) A sequence of a database's own would not do: it gives a number before what
bears the one below it is committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from digest.store.database import Database
from digest.store.rows import columns_of, from_text
from digest.times import to_text

LOOKED_AT = (20, 40, 80, 160, 300, 500, 900)
"""So many of the newest rows of a query's log are read at a time for what is known of the last
days: of most queries the first few tell all of it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the log that is to be written. `listed`: arXiv's search lists a paper that does not
    match here.
    """

    query: int
    paper: str
    version: int
    kind: str
    run: int | None = None
    listed: bool = False


def head(database: Database) -> int:
    """The log's end, 0 for an empty one: up to here it stays as it is, and whoever has read that
    far, or begins behind it, misses nothing.

    Whoever moves a position to the end asks before reading the rows, not afterwards.
    """
    return database.number("SELECT MAX(seq) FROM seen")


def append(database: Database, entries: Sequence[Entry]) -> None:
    """Write rows at the log's end, in their order; belongs into a transaction."""
    database.write_many(
        """INSERT INTO seen(seq, query, paper, version, kind, run, listed)
           VALUES(:seq, :query, :paper, :version, :kind, :run, :listed)""",
        [
            columns_of(entry) | {"seq": number}
            for number, entry in enumerate(entries, head(database) + 1)
        ],
    )


def known_versions(database: Database, query: int, papers: list[str]) -> dict[str, int]:
    """The highest version of each of these papers that stands in a query's log."""
    rows = database.rows(
        """SELECT paper, MAX(version) AS version FROM seen
           WHERE query = ? AND paper IN many(?) GROUP BY paper""",
        [query, papers],
    )
    return {row["paper"]: row["version"] for row in rows}


def versions_since(database: Database, query: int, since: datetime) -> dict[str, datetime]:
    """The papers whose last version stands in a query's log and is younger than that, with its
    date.

    A row that was written before then tells of an older version; so does what stands before it.
    """
    found: dict[str, datetime] = {}
    line, last = to_text(since), head(database) + 1
    for most in LOOKED_AT:
        rows = database.rows(
            """SELECT m.seq, m.paper, m.version = p.version AS last, p.updated, r.started_at
               FROM seen m JOIN paper p ON p.id = m.paper LEFT JOIN run r ON r.id = m.run
               WHERE m.query = ? AND m.seq < ? ORDER BY m.seq DESC LIMIT ?""",
            [query, last, most],
        )
        young = (row for row in rows if row["last"] and row["updated"] >= line)
        found |= {row["paper"]: from_text(row["updated"]) for row in young}
        if len(rows) < most or (rows[-1]["started_at"] or "9") < line:
            break
        last = rows[-1]["seq"]
    return found
