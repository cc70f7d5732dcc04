"""What the statements of the store that are asked most cost in a large database, and what they cost
as they were before and without the indexes of them.

Run it from the project: python -m bench.statements [PAPERS] (300,000 if none is named, each in the
logs of five queries). The two ways are timed in turn, in processor time; a yardstick of 100 papers
that are looked up by their ids says how fast the machine was meanwhile.
"""

from __future__ import annotations

import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digest.store.database import Database
from digest.store.digests import FOLDABLE
from digest.store.due import _DUE, NO_END
from digest.store.log import versions_since
from digest.times import from_text, to_text

QUERIES, READERS, KEYWORDS, DIGESTS, PAPERS_EACH, LOGS = 3_000, 20_000, 3, 30, 10, 5
INDEXES = ("delivery_foldable", "subscription_query", "seen_listed")
ROUNDS = 15
DAY_ONE = 9_000
"""The day of the first paper, by Julian's count less 2,451,545."""


@dataclass(frozen=True)
class Case:
    """A statement as it is, and as it was."""

    name: str
    now: str | Callable[[Database], object]
    before: str
    parameters: dict[str, Any]


def moment(day: float) -> str:
    """A moment that many days after 2000-01-01."""
    whole = time.gmtime(946_684_800 + day * 86_400)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", whole)


def fill(database: Database, papers: int) -> None:
    """Three years of papers, and the digests of the last month."""
    chance = random.Random(1)
    days = [DAY_ONE + 1_000 * number / papers for number in range(papers)]
    ids = [f"{number:09}" for number in range(papers)]

    def write(sql: str, rows: Iterable[Sequence[Any]]) -> None:
        database.write_many(sql, list(rows))

    with database.transaction():
        write("INSERT INTO run(started_at) VALUES(?)", ([moment(DAY_ONE + d)] for d in range(1000)))
        write(
            "INSERT INTO query(text, last_good_at) VALUES(?, ?)",
            ([f"all:{number}", moment(DAY_ONE + 1_000)] for number in range(QUERIES)),
        )
        write(
            "INSERT INTO paper(id, version, title, abstract, authors, categories, published,"
            " updated, comment, journal_ref, doi) VALUES(?, 1, ?, ?, '[]', '[]', ?, ?, '', '', '')",
            (
                [i, "A title " * 8, "words " * 40, moment(d), moment(d)]
                for i, d in zip(ids, days, strict=True)
            ),
        )
        write(
            "INSERT INTO seen(query, paper, version, kind, run, listed)"
            " VALUES(?, ?, 1, 'new', ?, ?)",
            (
                [query, paper, 1 + at * 1_000 // papers, chance.random() < 0.001]
                for at, paper in enumerate(ids)
                for query in {1 + int(QUERIES * chance.random() ** 3) for _ in range(LOGS)}
            ),
        )
        end = database.number("SELECT MAX(seq) FROM seen")
        write(
            "INSERT INTO subscriber(address, since, due_at) VALUES(?, '', '')",
            ([f"Reader{number}@example.org"] for number in range(READERS)),
        )
        write(
            "INSERT INTO subscription(subscriber, query, label, start, position)"
            " VALUES(?, ?, 'x', 0, ?)",
            (
                [reader, query, end - end // 500]
                for reader in range(1, READERS + 1)
                for query in chance.sample(range(1, QUERIES + 1), KEYWORDS)
            ),
        )
        contents = READERS // 10 * DIGESTS
        write(
            "INSERT INTO content(key, subject) VALUES(?, 'x')", ([str(n)] for n in range(contents))
        )
        write(
            "INSERT INTO content_paper(content, paper, version, revised) VALUES(?, ?, 1, 0)",
            (
                [content, paper]
                for content in range(1, contents + 1)
                for paper in chance.sample(ids[-papers // 20 :], PAPERS_EACH)
            ),
        )
        write(
            "INSERT INTO delivery(subscriber, slot, content, message_id, queued_at, from_seq,"
            " state, next_at) VALUES(?, ?, ?, ?, ?, 0, 'sent', ?)",
            (
                [reader, at, 1 + (reader % 1_000) * DIGESTS + day, f"{reader} {day}", at, at]
                for day, at in ((day, moment(DAY_ONE + 970 + day)) for day in range(DIGESTS))
                for reader in range(1, READERS + 1)
            ),
        )
    database.tidy()


def cases() -> list[Case]:
    """What is timed."""
    lately = from_text(moment(DAY_ONE + 992))
    texts = [f"all:{number}" for number in range(0, 60, 3)]
    old_due = _DUE.replace("GREATEST(", "MAX(").replace("LEAST(", "MIN(")
    old_due = old_due.replace("days_before(p.published, 7)", "datetime(p.published, '-7 days')")
    open_deliveries = f"SELECT id, from_seq FROM delivery WHERE subscriber = :reader AND {FOLDABLE}"
    of_query = "SELECT COUNT(*) FROM subscription WHERE query = :query AND start IS NOT NULL"
    listed = """SELECT q.text, COUNT(DISTINCT m.paper) FROM seen m JOIN query q ON q.id = m.query
        JOIN run r ON r.id = m.run WHERE r.started_at >= :since AND m.listed = 1 GROUP BY q.id"""
    return [
        Case(
            "a query's papers of the last days",
            lambda database: versions_since(database, 60, lately),
            """SELECT p.id, p.updated FROM (SELECT DISTINCT paper FROM (
                SELECT paper FROM seen WHERE query = :query ORDER BY seq DESC LIMIT 2000)) m
                JOIN paper p ON p.id = m.paper WHERE p.updated >= :since""",
            {"query": 60, "since": to_text(lately)},
        ),
        Case("a reader's open deliveries", open_deliveries, open_deliveries, {"reader": 77}),
        Case(
            "twenty queries by their texts",
            "SELECT * FROM query WHERE text IN many(:texts)",
            "SELECT q.* FROM many(:texts) named JOIN query q ON q.text = named.value",
            {"texts": texts},
        ),
        Case("a query's subscriptions", of_query, of_query, {"query": 77}),
        Case("what is only listed", listed, listed, {"since": moment(DAY_ONE + 970)}),
        Case(
            "what is due to a reader",
            _DUE,
            old_due,
            {"reader": 77, "rewind": NO_END, "no_end": NO_END, "folded": [], "revisions": "false"},
        ),
        Case(
            "a reader by the address",
            "SELECT id FROM subscriber WHERE lower(address) = lower(:address)",
            "SELECT id FROM subscriber WHERE lower(address) = lower(:address)",
            {"address": "READER77@example.org"},
        ),
        Case(
            "the log's end",
            "SELECT MAX(seq) FROM seen",
            "SELECT seq FROM sqlite_sequence WHERE name = 'seen'",
            {},
        ),
    ]


def took(
    database: Database, ask: str | Callable[[Database], object], parameters: dict[str, Any]
) -> float:
    """Milliseconds of the processor."""
    before = time.process_time()
    if isinstance(ask, str):
        database.rows(ask, parameters)
    else:
        ask(database)
    return (time.process_time() - before) * 1_000


def main(papers: int = 300_000) -> None:
    """Build the database and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        path, old = Path(folder) / "new.db", Path(folder) / "old.db"
        database = Database.open(path)
        fill(database, papers)
        rows = database.number("SELECT COUNT(*) FROM seen")
        database.checkpoint()
        shutil.copy(path, old)
        former = Database.open(old)
        for index in INDEXES:
            former.write(f"DROP INDEX {index}")
        yardstick = [f"{number:09}" for number in range(0, papers, papers // 100)]
        print(f"{papers:,} papers, {rows:,} rows in the logs, {READERS:,} readers")
        print(f"{'milliseconds':<36}{'before':>10}{'now':>10}{'now, in yardsticks':>20}")
        for case in cases():
            ways: list[tuple[float, float, float]] = [
                (
                    took(former, case.before, case.parameters),
                    took(database, case.now, case.parameters),
                    took(database, "SELECT * FROM paper WHERE id IN many(:i)", {"i": yardstick}),
                )
                for _ in range(ROUNDS)
            ]
            before, now, yard = (statistics.median(way) for way in zip(*ways, strict=True))
            print(f"{case.name:<36}{before:>10.3f}{now:>10.3f}{now / yard:>20.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
