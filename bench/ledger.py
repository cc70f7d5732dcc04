"""How big a database gets: what a paper carried to a reader takes in the ledger of long ago, what
years of it come to, and how long a withdrawal takes that is told to all who had the paper.

Run it from the project: python -m bench.ledger [READERS]. It takes about a minute for 400 readers.

Deliveries are written as the outbox leaves them, for some months, and age by the store's own steps;
SQLite then tells the bytes of each table, with its indexes and the room left in its pages. Years,
and more readers, are reckoned from that: each month and each reader adds the same. The withdrawal
is measured on the rows of 100,000 readers, which are copies of those few.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from digest.model import Paper
from digest.store import Store
from digest.store.ageing import ABSTRACTS_KEPT, KEPT
from digest.store.database import Database
from digest.store.due import withdrawn_papers
from digest.store.papers import write_paper
from digest.store.withdrawals import Withdrawals, search

START, DAY = datetime(2026, 1, 5, tzinfo=UTC), timedelta(days=1)
DAYS = 120
PAPERS = 10
"""Papers in each digest, of which there is one each weekday."""
GROUP = 100
"""Readers who have the same digest, where any have."""
VALUE = 700
"""Bytes of a digest's value with so many papers."""
MANY = 100_000
KINDS = (
    # readers, papers recorded a day, queries that each is recorded for
    (1_000, 300, 2),
    (MANY, 1_800, 3),
)
LEDGER = ("carried", "aged", "correction")


@dataclass(frozen=True)
class Sizes:
    """Bytes: of a reader's paper in the ledger of long ago; of a delivery, a content and a row of
    the log; of a paper, with and without abstract.
    """

    pair: float
    delivery: float
    content: float
    log: float
    paper: float
    bare: float


def main() -> None:
    """Measure, and print."""
    readers = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    found = {}
    for words, group in (("each digest shared by a hundred", GROUP), ("each digest its own", 1)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "digest.db"
            with Store(Database.open(path)) as store:
                found[group] = measure(store._database, store, readers, group)
                print(f"{words}: {found[group].pair:.2f} bytes a reader's paper")
                if group == GROUP:
                    withdrawal(store._database, readers)
    for group, sizes in found.items():
        print(f"\n{'shared by 100' if group > 1 else 'each alone'}: GB after a year, after ten")
        for many, papers, queries in KINDS:
            years = [total(sizes, many, papers, queries, group, years) for years in (1, 10)]
            print(f"{many:>9,} readers  {years[0]:8.2f} {years[1]:8.2f}")


def measure(database: Database, store: Store, readers: int, group: int) -> Sizes:
    """Let some months pass, and read the sizes of what they leave."""
    database.value("PRAGMA synchronous = OFF")
    with database.transaction():
        for number in range(1, readers + 1):
            database.write(
                "INSERT INTO subscriber(id, address, since, due_at) VALUES(?, ?, ?, ?)",
                [number, f"r{number}@example.org", START, START],
            )
        database.write("INSERT INTO query(id, text) VALUES(1, 'all:x')")
    papers = 0
    for day in range(DAYS):
        now = START + day * DAY
        if now.weekday() < 5:
            papers += live(database, now, papers, readers, group)
    rows, held = database.number("SELECT COUNT(*) FROM delivery"), sizes_of(database)
    contents = database.number("SELECT COUNT(*) FROM content")
    per_content = (held["content"] + held["content_paper"]) / contents
    cpu, now = time.process_time(), START + DAYS * DAY + KEPT
    while store.ageing.step(now):
        pass
    cpu = time.process_time() - cpu
    print(f"{rows:,} deliveries aged: {cpu / rows * 1e6:.0f} µs of CPU each")
    assert not database.number("SELECT COUNT(*) FROM delivery")
    database.vacuum()
    after = sizes_of(database)
    ledger = sum(after[name] for name in LEDGER)
    with database.transaction():
        database.write("UPDATE paper SET abstract = ''")
    database.vacuum()
    bare = sizes_of(database)["paper"]
    return Sizes(
        pair=ledger / (rows * PAPERS),
        delivery=held["delivery"] / rows,
        content=per_content,
        log=after["seen"] / papers,
        paper=after["paper"] / papers,
        bare=bare / papers,
    )


def live(database: Database, now: datetime, first: int, readers: int, group: int) -> int:
    """A day's papers and digests; returns how many papers."""
    groups = -(-readers // group)
    fresh = PAPERS * max(groups // 4, 1)
    with database.transaction():
        for number in range(first, first + fresh):
            write_paper(database, eprint(number, now))
            database.write(
                "INSERT INTO seen(seq, query, paper, version, kind) VALUES(?, 1, ?, 1, 'new')",
                [number + 1, name(number)],
            )
        for part in range(groups):
            content = database.number(
                "INSERT INTO content(key, subject, digest) VALUES(?, ?, ?) RETURNING id",
                [f"{now} {part}", "12 new papers of this day", "x" * VALUE],
            )
            database.write_many(
                "INSERT INTO content_paper(content, paper, version, revised) VALUES(?, ?, 1, 0)",
                [[content, name(first + (part * 7 + n) % fresh)] for n in range(PAPERS)],
            )
            database.write_many(_DELIVERY, list(deliveries(now, part, group, readers, content)))
    return fresh


def deliveries(
    now: datetime, part: int, group: int, readers: int, content: int
) -> Iterator[list[object]]:
    """The rows of those who have a digest."""
    for reader in range(part * group + 1, min((part + 1) * group, readers) + 1):
        message = f"<{reader:032x}@example.org {now:%Y%m%d}>"
        yield [reader, now, content, message, now, now, now, "250 2.0.0 Ok: queued as 4F2A11C2"]


def name(number: int) -> str:
    """A paper's id."""
    return f"26{1 + number // 99_000:02}.{number % 99_000:05}"


def eprint(number: int, now: datetime) -> Paper:
    """A paper with an abstract of the usual length, 1,300 characters."""
    return Paper(
        name(number), 1, "A title of the usual length for a paper of our time " * 2, "word " * 260,
        ("Ada Example", "Bob Example", "Carl Example", "Dora Example"), ("cs.LG", "stat.ML"),
        now, now, "12 pages, 5 figures",
    )  # fmt: skip


def sizes_of(database: Database) -> dict[str, int]:
    """The bytes of each table with its indexes."""
    rows = database.rows(
        "SELECT m.tbl_name AS name, SUM(s.pgsize) AS size FROM dbstat s"
        " JOIN sqlite_master m ON m.name = s.name GROUP BY m.tbl_name"
    )
    return {row["name"]: row["size"] for row in rows}


def withdrawal(database: Database, readers: int) -> None:
    """The time that it takes to find who had a paper, among the rows of many readers."""
    with database.transaction():
        for copy in range(1, MANY // readers):
            database.write(
                "INSERT INTO carried(id, contents, papers) SELECT id + ?, contents, papers"
                " FROM carried WHERE id % 4294967296 <= ?",
                [copy * readers, readers],
            )
    rows = database.number("SELECT COUNT(*) FROM carried")
    # The readers themselves are those few: who is found else has no row to be marked in.
    database.value("PRAGMA foreign_keys = OFF")
    with database.transaction():
        database.write("UPDATE paper SET withdrawn = 2 WHERE id = ?", [name(0)])
        search(database, name(0))
    steps = list(steps_of(Withdrawals(database)))
    spent, months = sum(steps), rows / MANY
    marked = database.number("SELECT COUNT(*) FROM correction")
    print(
        f"a withdrawal among {rows:,} rows of {MANY:,} readers, in {months:.0f} months:"
        f" {spent:.1f} s of CPU in {len(steps)} steps, the longest of {max(steps):.2f} s;"
        f" {marked:,} readers had it; of a paper ten years old about {spent / months * 120:.0f} s"
    )
    begun = time.process_time()
    for reader in range(1, readers + 1):
        assert withdrawn_papers(database, reader, (), 0)
    each = (time.process_time() - begun) / readers * 1e3
    print(
        f"each who had it then has a plan that takes {each:.1f} ms more; of a paper ten years old"
        f" about {each / months * 120:.0f} ms"
    )


def steps_of(withdrawals: Withdrawals) -> Iterator[float]:
    """The seconds of CPU that each step of the search takes, until none is left."""
    begun = time.process_time()
    while withdrawals.step():
        yield time.process_time() - begun
        begun = time.process_time()


def total(sizes: Sizes, readers: int, papers: int, queries: int, group: int, years: int) -> float:
    """GB of a database after some years."""
    weekdays = 5 / 7
    young = readers * KEPT.days * weekdays * (sizes.delivery + sizes.content / group)
    ledger = readers * (years * 365 - KEPT.days) * weekdays * PAPERS * sizes.pair
    log = years * 365 * papers * (queries * sizes.log + sizes.bare)
    abstracts = papers * ABSTRACTS_KEPT.days * (sizes.paper - sizes.bare)
    return (young + ledger + log + abstracts) / 1e9


_DELIVERY = (
    "INSERT INTO delivery(subscriber, slot, content, message_id, queued_at, from_seq, state,"
    " next_at, ended_at, reply) VALUES(?, ?, ?, ?, ?, 0, 'sent', ?, ?, ?)"
)

if __name__ == "__main__":
    main()
