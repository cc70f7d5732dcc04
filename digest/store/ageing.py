"""What a database lets go of as the years pass, so that it grows by little: in small steps, each a
transaction of its own, once a day.

After KEPT what was sent to whom is a few bytes in the ledger of long ago (store/ledger.py), and the
delivery goes with its Message-ID, subject and body, and the words of servers. The abstract of a
paper that nobody looks at any more goes a year after it came, and what a model said of one a year
after it was said.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from digest.store.bodies import delete
from digest.store.database import Concern, Database
from digest.store.ledger import month_of, note_corrections, packed, pair, row_of, unpacked
from digest.store.pages import Pages
from digest.store.papers import load_papers
from digest.store.rows import NOT_CARRIED_STATES, OPEN_STATES, from_text, loads, stored
from digest.store.runs import KEPT as RUNS_KEPT
from digest.store.runs import delete_some_runs
from digest.store.summaries import drop_summaries
from digest.store.words import note_change
from digest.times import to_text

KEPT = timedelta(days=60)
"""Deliveries are kept so long after they ended, and what runs did for each keyword."""
ABSTRACTS_KEPT = timedelta(days=366)
"""So long after its last version a paper's abstract is kept, and as long as there is a record of
the run that brought it (runs.KEPT)."""
STEP = 500
"""Deliveries, or papers, to a transaction."""
RUNS = 20
"""Runs to a transaction, of which each may have asked for thousands of keywords."""
_PLACE, _BEGINNING = "ageing", '["", 0, null]'
SHARED_COSTS = 22
"""Bytes of a row of `aged`, with its place in the index, beside its papers."""
_READERS_COUNTED = 10

Place = Any
"""Where a part of the work goes on: None at its beginning, else what JSON can hold."""


class Ageing(Concern):
    """The steps by which a database ages."""

    def step(self, now: datetime) -> bool:
        """Do one small step of a day's work; false where it is done."""
        day = to_text(now)[:10]
        part, place = _reached(self._db.meta(_PLACE) or _BEGINNING, day)
        if part == len(_PARTS):
            return self._db.shrink()
        with self._db.transaction():
            place = _PARTS[part](self._db, now, place)
            part += place is None
            self._db.set_meta(_PLACE, json.dumps([day, part, place]))
        return True


@stored
def _reached(text: str, day: str) -> tuple[int, Place]:
    """The part of a day's work that is next, and where it goes on."""
    known, part, place = loads(text)
    if not 0 <= part <= len(_PARTS):
        raise ValueError("there is no such part")
    return (part, place) if known == day else (0, None)


def _age_deliveries(database: Database, now: datetime, place: Place) -> Place:
    """Let the deliveries that ended long ago go, reader after reader."""
    rows = database.rows(_SETTLED, {"reader": place or 0, "line": now - KEPT, "most": STEP})
    _write_ledger(database, [row for row in rows if row["carried"]])
    gone = [row["id"] for row in rows]
    # What did not arrive has told nobody of a silence.
    database.write_many(
        "DELETE FROM silence WHERE subscriber = ? AND delivery = ?",
        [[row["subscriber"], row["id"]] for row in rows if not row["carried"]],
    )
    database.write("DELETE FROM bounce WHERE delivery IN many(?)", [gone])
    database.write("DELETE FROM delivery WHERE id IN many(?)", [gone])
    contents = database.column(
        """SELECT c.id FROM content c WHERE c.id IN many(?)
               AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.content = c.id)""",
        [list({row["content"] for row in rows})],
    )
    delete(database, contents)
    return rows[-1]["subscriber"] if len(rows) == STEP else None


def _write_ledger(database: Database, rows: list[dict[str, Any]]) -> None:
    """Write what deliveries carried into the ledger of long ago, and for each reader when the last
    of their digests was queued.
    """
    papers = _papers(database, list({row["content"] for row in rows}))
    shared = _shared(database, rows, papers)
    contents: dict[int, set[int]] = defaultdict(set)
    alone: dict[int, set[int]] = defaultdict(set)
    for row in rows:
        of = row_of(month_of(from_text(row["queued_at"])), row["subscriber"])
        if row["content"] in shared:
            contents[of].add(shared[row["content"]])
        elif row["content"] in papers:
            alone[of] |= {pair(p["number"], p["version"]) for p in papers[row["content"]]}
    held = database.rows(
        "SELECT id, contents, papers FROM carried WHERE id IN many(?)",
        [list(contents.keys() | alone.keys())],
    )
    for row in held:
        contents[row["id"]].update(unpacked(row["contents"]))
        alone[row["id"]].update(unpacked(row["papers"]))
    database.write_many(
        """INSERT INTO carried(id, contents, papers) VALUES(?, ?, ?)
           ON CONFLICT(id) DO UPDATE SET contents = excluded.contents, papers = excluded.papers""",
        [
            [of, packed(contents[of]), packed(alone[of])]
            for of in sorted(contents.keys() | alone.keys())
        ],
    )
    _note_withdrawn(database, rows, papers)
    database.write_many(
        """UPDATE subscriber SET digest_at = GREATEST(COALESCE(digest_at, ''), ?) WHERE id = ?""",
        [[row["queued_at"], row["subscriber"]] for row in rows if row["again"] is None],
    )


def _papers(database: Database, contents: list[int]) -> dict[int, list[dict[str, Any]]]:
    """The papers of digests, each with a number; those that have none yet are given one."""
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    nameless: dict[str, int] = {}
    highest = database.number("SELECT MAX(number) FROM paper")
    for row in database.rows(_PAPERS, [contents]):
        if row["number"] is None:
            row["number"] = nameless.setdefault(row["paper"], highest + len(nameless) + 1)
        found[row["content"]].append(row)
    database.write_many(
        "UPDATE paper SET number = ? WHERE id = ?",
        [[number, paper] for paper, number in nameless.items()],
    )
    return found


def _shared(
    database: Database, rows: list[dict[str, Any]], papers: dict[int, list[dict[str, Any]]]
) -> dict[int, int]:
    """The numbers in `aged` of those digests that take less room there than with each reader."""
    shared = {row["content"]: row["aged"] for row in rows if row["aged"] is not None}
    for row in rows:
        content, count = row["content"], len(papers.get(row["content"], ()))
        if content in shared or not count:
            continue
        readers = database.number(_HAD_BY, [content, _READERS_COUNTED])
        if 4 * count * readers <= 4 * readers + 4 * count + SHARED_COSTS:
            continue
        shared[content] = database.number(
            "INSERT INTO aged(month, papers) VALUES(?, ?) RETURNING id",
            [
                month_of(from_text(row["queued_at"])),
                packed(pair(each["number"], each["version"]) for each in papers[content]),
            ],
        )
        database.write("UPDATE content SET aged = ? WHERE id = ?", [shared[content], content])
    return shared


def _note_withdrawn(
    database: Database, rows: list[dict[str, Any]], papers: dict[int, list[dict[str, Any]]]
) -> None:
    """Note who has had what is withdrawn, as the deliveries that say so are about to go; no longer
    of those whom one of these told of it.
    """
    concerned = [
        (row["subscriber"], paper)
        for row in rows
        for paper in papers.get(row["content"], ())
        if paper["withdrawn"]
    ]
    told = [[r, p["paper"]] for r, p in concerned if p["version"] >= p["withdrawn"]]
    note_corrections(
        database, [(r, p["paper"]) for r, p in concerned if p["version"] < p["withdrawn"]]
    )
    database.write_many("DELETE FROM correction WHERE subscriber = ? AND paper = ?", told)


def _drop_records(database: Database, now: datetime, _place: Place) -> Place:
    """Let go of what runs did for each keyword, and of their troubles; their dates are kept, since
    the log's rows are dated by them.
    """
    runs = database.column(_RUNS, [now - KEPT, RUNS])
    database.write("DELETE FROM run_keyword WHERE run IN many(?)", [runs])
    database.write("UPDATE run SET trouble = '' WHERE id IN many(?)", [runs])
    return runs[-1] if len(runs) == RUNS else None


def _drop_runs(database: Database, now: datetime, _place: Place) -> Place:
    """Let go of the records of old runs, which no row of the log names any more then."""
    return delete_some_runs(database, now - RUNS_KEPT) or None


def _drop_abstracts(database: Database, now: datetime, place: Place) -> Place:
    """Let the abstracts of old papers go, but those that a reader keeps or a page shows."""
    updated, last = place or ("", "")
    rows = database.rows(
        _ABSTRACTS,
        {"line": now - ABSTRACTS_KEPT, "updated": updated, "last": last, "most": STEP},
    )
    going = [row["id"] for row in rows if not row["wanted"]]
    shown = Pages(database).shown() if going else frozenset()
    old = [paper for paper in going if paper not in shown]
    note_change(database, load_papers(database, old).values())
    database.write("UPDATE paper SET abstract = '' WHERE id IN many(?)", [old])
    return [rows[-1]["updated"], rows[-1]["id"]] if len(rows) == STEP else None


def _drop_summaries(database: Database, now: datetime, place: Place) -> Place:
    """Let old summaries go."""
    gone = drop_summaries(database, now - ABSTRACTS_KEPT, STEP)
    return (place or 0) + gone if gone == STEP else None


_PARTS: tuple[Callable[[Database, datetime, Place], Place], ...] = (
    _age_deliveries,
    _drop_records,
    _drop_runs,
    _drop_abstracts,
    _drop_summaries,
)
"""A day's work. Each does one step from a place on, in an open transaction, and says where the next
one goes on, None where nothing is left."""

# A bounce counts for a while after it came, and a repeat names the digest that it repeats.
_SETTLED = f"""
    SELECT d.id, d.subscriber, d.content, d.queued_at, d.again, c.aged,
        d.state NOT IN {NOT_CARRIED_STATES} AS carried
    FROM subscriber r
    JOIN delivery d ON d.subscriber = r.id AND d.queued_at < :line
    JOIN content c ON c.id = d.content
    WHERE r.id >= :reader AND d.state NOT IN {OPEN_STATES}
        AND COALESCE(d.ended_at, d.queued_at) < :line
        AND NOT EXISTS (SELECT 1 FROM bounce b WHERE b.delivery = d.id AND b.at >= :line)
        AND NOT EXISTS (SELECT 1 FROM delivery o WHERE o.again = d.id)
    ORDER BY r.id, d.queued_at LIMIT :most"""

_PAPERS = """
    SELECT cp.content, cp.paper, cp.version, p.number, p.withdrawn
    FROM content_paper cp JOIN paper p ON p.id = cp.paper WHERE cp.content IN many(?)"""

_RUNS = """
    SELECT r.id FROM run r WHERE r.started_at < ? AND (
        r.trouble <> '' OR EXISTS (SELECT 1 FROM run_keyword k WHERE k.run = r.id))
    ORDER BY r.id LIMIT ?"""

# Of a digest that a hundred thousand readers had it is enough to know that several did.
_HAD_BY = f"""
    SELECT COUNT(*) FROM (
        SELECT DISTINCT subscriber FROM delivery
        WHERE content = ? AND state NOT IN {NOT_CARRIED_STATES} LIMIT ?) AS had"""

# All that are old are looked at, lest one step goes through many that stay.
_ABSTRACTS = """
    SELECT p.id, p.updated,
        EXISTS (SELECT 1 FROM seen m WHERE m.paper = p.id AND m.run IS NOT NULL)
        OR EXISTS (SELECT 1 FROM liked l WHERE l.paper = p.id)
        OR EXISTS (SELECT 1 FROM library y WHERE y.id = p.id) AS wanted
    FROM paper p
    WHERE p.abstract <> '' AND p.updated < :line AND (p.updated, p.id) > (:updated, :last)
    ORDER BY p.updated, p.id LIMIT :most"""
