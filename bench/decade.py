"""A database after years of mail, made whole and asked: how big it is, whether a paper of long ago
comes twice, and whether a withdrawal reaches all who had it.

Run it from the project: python -m bench.decade READERS YEARS [FILE]. The file goes afterwards,
unless one is named.

Simulated: the rows are written in bulk, as the store's own steps leave them. Each group of a
hundred readers has one digest of ten papers each weekday; what is older than 60 days stands in the
ledger of long ago, and the abstracts are those of the last year. Real: all that is asked, which is
what the store composes by; what was sent to whom is known by arithmetic.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from pathlib import Path

from bench.ledger import LEDGER, PAPERS, VALUE, eprint, sizes_of, steps_of
from digest.model import Paper, Revisions
from digest.store import Store
from digest.store.ageing import ABSTRACTS_KEPT, KEPT
from digest.store.database import Database
from digest.store.ledger import month_of, packed, pair, row_of
from digest.store.log import Entry, append
from digest.store.papers import keep_papers, load_papers

END, DAY = datetime(2026, 11, 2, 7, tzinfo=UTC), timedelta(days=1)
GROUP = 100
SAMPLE = 10
"""Readers for whom digests are planned."""
ASKED = 1_000
"""Papers of all years that come once more to them."""
STEP = 7
"""How far the papers of two groups lie apart."""


@dataclass(frozen=True)
class Decade:
    """Years of mail: who had which paper on which day, by arithmetic."""

    readers: int
    years: int

    @property
    def fresh(self) -> int:
        """Papers of a weekday: 1,800 a day for many readers, 300 for few."""
        return 2_520 if self.readers > 50_000 else 420

    @property
    def queries(self) -> int:
        """The logs in which each paper stands."""
        return 3 if self.readers > 50_000 else 2

    @property
    def groups(self) -> int:
        return self.readers // GROUP

    @cached_property
    def days(self) -> list[datetime]:
        """The weekdays, the oldest first."""
        every = (END - n * DAY for n in range(self.years * 365, 0, -1))
        return [day for day in every if day.weekday() < 5]

    @cached_property
    def aged(self) -> int:
        """How many of the days are in the ledger of long ago."""
        return sum(day < END - KEPT for day in self.days)

    def papers(self, day: int, group: int) -> list[int]:
        """The numbers of the papers that a group had on a day."""
        return [1 + day * self.fresh + (group * STEP + n) % self.fresh for n in range(PAPERS)]

    def had(self, reader: int, number: int) -> bool:
        """Whether a reader was sent a paper."""
        day = (number - 1) // self.fresh
        return number in self.papers(day, (reader - 1) // GROUP)

    def content(self, day: int, group: int) -> int:
        """The number of a day's digest of a group, among those in the ledger or those that are not
        yet."""
        return 1 + (day if day < self.aged else day - self.aged) * self.groups + group


def paper_of(number: int) -> str:
    """A paper's id."""
    return f"{number:09}"


class Filling:
    """Writes the rows of all years, a kind at a time."""

    def __init__(self, database: Database, decade: Decade) -> None:
        self.database, self.decade = database, decade

    def fill(self) -> None:
        """Write all, and say what takes how long."""
        for setting in (
            "foreign_keys = OFF", "journal_mode = OFF", "synchronous = OFF",
            "cache_size = -2000000",
        ):  # fmt: skip
            self.database.value(f"PRAGMA {setting}")
        made = "FROM sqlite_master WHERE type = 'index' AND sql <> ''"
        indexes = self.database.column(f"SELECT sql {made}")
        for name in self.database.column(f"SELECT name {made}"):
            self.database.write(f"DROP INDEX {name}")
        for part in (
            self._readers, self._papers, self._logs, self._ledger_contents, self._ledger,
            self._deliveries,
        ):  # fmt: skip
            timed(f"written: {part.__name__.strip('_').replace('_', ' ')}", self._in_one(part))
        # Made of rows that are there, an index is sorted once.
        timed("written: indexes", lambda: [*map(self.database.write, indexes)])
        timed("read for the indexes", self.database.tidy)

    def _in_one(self, part: Callable[[], None]) -> Callable[[], None]:
        def write() -> None:
            with self.database.transaction():
                part()

        return write

    def _write(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        left = iter(rows)
        while some := list(islice(left, 100_000)):
            self.database.write_many(sql, some)

    def _readers(self) -> None:
        self._write(
            "INSERT INTO subscriber(id, address, since, due_at, digest_at) VALUES(?, ?, ?, ?, ?)",
            [
                [n, f"r{n}@example.org", self.decade.days[0], END, END - KEPT]
                for n in range(1, self.decade.readers + 1)
            ],
        )
        self._write(
            "INSERT INTO query(id, text) VALUES(?, ?)", [[n, f"all:{n}"] for n in range(1, 3_001)]
        )

    def _papers(self) -> None:
        sample = eprint(0, END)
        for at, day in enumerate(self.decade.days):
            self.database.write(
                f"""INSERT INTO paper(id, version, title, abstract, authors, categories, published,
                        updated, comment, journal_ref, doi, number)
                    WITH {_NUMBERS} SELECT {_ID}, 1, :title, :abstract, :authors,
                        '["cs.LG", "stat.ML"]', :day, :day, :comment, '', '', x FROM n""",
                self._of_day(at)
                | {
                    "day": day,
                    "title": sample.title,
                    "abstract": sample.abstract if day > END - ABSTRACTS_KEPT else "",
                    "authors": json.dumps(sample.authors),
                    "comment": sample.comment,
                },
            )

    def _logs(self) -> None:
        for at in range(len(self.decade.days)):
            self.database.write(
                f"""INSERT INTO seen(seq, query, paper, version, kind)
                    WITH {_NUMBERS}, q(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM q
                        WHERE k + 1 < :queries)
                    SELECT x * :queries + k, 1 + (x * 7 + k * 1000) % 3000, {_ID}, 1, 'new'
                    FROM n, q ORDER BY x, k""",
                self._of_day(at) | {"queries": self.decade.queries},
            )

    def _of_day(self, at: int) -> dict[str, object]:
        return {"first": 1 + at * self.decade.fresh, "last": (at + 1) * self.decade.fresh}

    def _ledger_contents(self) -> None:
        decade = self.decade
        self._write(
            "INSERT INTO aged(id, month, papers) VALUES(?, ?, ?)",
            (
                [
                    decade.content(day, group),
                    month_of(decade.days[day]),
                    packed(pair(number, 1) for number in decade.papers(day, group)),
                ]
                for day in range(decade.aged)
                for group in range(decade.groups)
            ),
        )

    def _ledger(self) -> None:
        months: dict[int, list[int]] = {}
        for day in range(self.decade.aged):
            months.setdefault(month_of(self.decade.days[day]), []).append(day)
        for month, days in months.items():
            for group in range(self.decade.groups):
                contents = packed(self.decade.content(day, group) for day in days)
                self.database.write(
                    f"""INSERT INTO carried(id, contents, papers)
                        WITH {_NUMBERS} SELECT :month + x, :contents, :nothing FROM n""",
                    _of_group(group)
                    | {"month": row_of(month, 0), "contents": contents, "nothing": b""},
                )

    def _deliveries(self) -> None:
        decade, young = self.decade, range(self.decade.aged, len(self.decade.days))
        parts = [(day, group) for day in young for group in range(decade.groups)]
        self._write(
            "INSERT INTO content(id, key, subject, digest) VALUES(?, ?, ?, ?)",
            (
                [decade.content(*part), str(part), "12 new papers of this day", "x" * VALUE]
                for part in parts
            ),
        )
        self._write(
            "INSERT INTO content_paper(content, paper, version, revised) VALUES(?, ?, 1, 0)",
            (
                [decade.content(*part), paper_of(number)]
                for part in parts
                for number in decade.papers(*part)
            ),
        )
        for day, group in parts:
            self.database.write(
                f"""INSERT INTO delivery(subscriber, slot, content, message_id, queued_at, from_seq,
                        state, next_at, ended_at, reply)
                    WITH {_NUMBERS} SELECT x, :now, :content, printf('<%032x@example.org %d>', x,
                        :day), :now, 0, 'sent', :now, :now, '250 2.0.0 Ok: queued as 4F2A11C2'
                    FROM n""",
                _of_group(group)
                | {
                    "now": self.decade.days[day],
                    "content": self.decade.content(day, group),
                    "day": day,
                },
            )


_NUMBERS = "RECURSIVE n(x) AS (SELECT :first UNION ALL SELECT x + 1 FROM n WHERE x < :last)"
_ID = "printf('%09d', x)"


def _of_group(group: int) -> dict[str, object]:
    return {"first": 1 + group * GROUP, "last": (group + 1) * GROUP}


def timed(what: str, work: Callable[[], object]) -> None:
    """Do something, and say how long the processor took."""
    begun = time.process_time()
    work()
    print(f"{what}: {time.process_time() - begun:.0f} s of CPU", flush=True)


def say_sizes(database: Database, decade: Decade) -> None:
    """Print the size of the whole, and of a reader's paper in the ledger of long ago."""
    sizes = sizes_of(database)
    pairs = decade.readers * decade.aged * PAPERS
    ledger = sum(sizes[name] for name in LEDGER)
    print(
        f"{decade.readers:,} readers, {decade.years} years: {sum(sizes.values()) / 1e9:.2f} GB;"
        f" {pairs:,} papers to readers in the ledger of long ago, {ledger / pairs:.2f} bytes each"
    )
    parts = sorted(sizes.items(), key=lambda each: -each[1])[:7]
    print("of it GB: " + ", ".join(f"{name} {size / 1e9:.2f}" for name, size in parts))


def sample_of(decade: Decade) -> range:
    """Some of the readers, of all groups."""
    return range(1, decade.readers + 1, decade.readers // SAMPLE)


def ask_for_twice(store: Store, decade: Decade) -> None:
    """Let papers of all years come once more by another keyword, and see to whom they are due."""
    database, last = store._database, decade.fresh * len(decade.days)
    sample, few = sample_of(decade), range(1, last, last // ASKED)
    numbers = sorted({*few, *(n for day in range(0, len(decade.days), len(decade.days) // 30)
                              for reader in sample
                              for n in decade.papers(day, (reader - 1) // GROUP))})  # fmt: skip
    end = database.number("SELECT MAX(seq) FROM seen")
    with database.transaction():
        database.write("INSERT INTO query(id, text) VALUES(9999, 'all:again')")
        append(database, [Entry(9999, paper_of(n), 1, "new") for n in numbers])
        database.write_many(
            "INSERT INTO subscription(subscriber, query, label, start, position)"
            " VALUES(?, 9999, 'again', ?, ?)",
            [[reader, end, end] for reader in sample],
        )
    begun, wrong, had = time.process_time(), 0, 0
    for reader in sample:
        due = due_to(store, reader)
        for number in numbers:
            before = decade.had(reader, number)
            had += before
            wrong += (paper_of(number) in due) is before
    spent = (time.process_time() - begun) / len(sample)
    print(
        f"{len(numbers):,} papers of {decade.years} years come once more to {len(sample)} readers:"
        f" {had:,} times one that was sent, {wrong} of all answers wrong;"
        f" {spent:.2f} s of CPU a plan"
    )
    database.write("DELETE FROM subscription WHERE query = 9999")
    assert not wrong


def due_to(store: Store, reader: int) -> dict[str, int]:
    """The papers that a digest of a reader's would hold now, with their versions."""
    found = store.digests.reader(f"r{reader}@example.org")
    assert found is not None
    plan = store.digests.plan(found, revisions=Revisions.NONE, max_papers=1_000_000)
    return {item.paper.id: item.paper.version for item in plan.items}


def ask_for_withdrawals(store: Store, decade: Decade) -> None:
    """Let a paper of the first days, one of half the time and one of last week be withdrawn, and
    see who is told."""
    for day in (3, len(decade.days) // 2, len(decade.days) - 4):
        number = decade.papers(day, decade.groups // 2)[0]
        database, (paper,) = (
            store._database,
            load_papers(store._database, [paper_of(number)]).values(),
        )
        begun = time.process_time()
        with database.transaction():
            keep_papers(database, [withdrawn(paper)])
        noted = time.process_time() - begun
        steps = list(steps_of(store.withdrawals)) or [0.0]
        groups = [g for g in range(decade.groups) if number in decade.papers(day, g)]
        told = set(database.column("SELECT id FROM subscriber WHERE corrections = 1"))
        holders = {1 + g * GROUP + n for g in groups for n in range(GROUP)}
        some = [*sorted(holders)[:: max(len(holders) // SAMPLE, 1)], *sample_of(decade)]
        wrong = sum((due_to(store, r).get(paper.id) == 2) is not (r in holders) for r in some)
        print(
            f"a paper of {decade.days[day]:%Y-%m-%d} is withdrawn: noted in {noted:.2f} s of CPU;"
            f" {len(steps):,} steps, {sum(steps):.1f} s in all, the longest {max(steps):.2f} s;"
            f" {len(told & holders):,} of {len(holders):,} who had it are marked;"
            f" {wrong} of {len(some)} plans wrong"
        )
        assert told >= holders
        assert not wrong


def withdrawn(paper: Paper) -> Paper:
    """Its next version, which takes it back."""
    return replace(paper, version=2, updated=END, comment="This paper has been withdrawn")


def main(readers: int, years: int, path: Path) -> None:
    """Make the database, and ask."""
    decade = Decade(readers, years)
    with Store(Database.open(path)) as store:
        database = store._database
        if not database.number("SELECT MAX(id) FROM subscriber"):
            Filling(database, decade).fill()
    # Opened anew, it has the settings of every other database.
    with Store(Database.open(path)) as store:
        say_sizes(store._database, decade)
        ask_for_twice(store, decade)
        ask_for_withdrawals(store, decade)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        file = sys.argv[3] if len(sys.argv) > 3 else f"{folder}/digest.db"
        main(int(sys.argv[1]), int(sys.argv[2]), Path(file))
