"""The ledger of long ago: which papers a reader was sent in which month, where the deliveries that
tell it day by day are gone (store/ageing.py). It is kept for good: by it nothing comes twice, and
no withdrawal is missed.

Its form: a paper is one number of 32 bits, its own (`paper.number`) times 256 plus the version, and
so many of them, little-endian, are the `papers` of a row, as the numbers of `aged` are its
`contents`. A month is the years since the year 0 times 12, plus the months since January; what a
reader was sent in one is the row of `carried` whose id is the month times 2³² plus the reader's
number, so that a month's rows lie side by side, and no index is needed for a reader's.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from digest.store.database import Database
from digest.store.rows import stored

HIGHEST = 255
"""A version above this counts as this; arXiv's highest are below."""
SLACK = timedelta(days=7)
"""A delivery that was queued this long before a paper was submitted cannot have carried it."""
ROWS_AT_ONCE = 10_000
_READERS = 1 << 32

Named = TypeVar("Named")


def packed(numbers: Iterable[int]) -> bytes:
    """Numbers of 32 bits as they are stored, in their order."""
    ordered = sorted(set(numbers))
    return struct.pack(f"<{len(ordered)}I", *ordered)


@stored
def unpacked(held: bytes) -> tuple[int, ...]:
    """The numbers that `packed` wrote."""
    if len(held) % 4:
        raise ValueError("these are no numbers of four bytes")
    return struct.unpack(f"<{len(held) // 4}I", held)


def pair(number: int, version: int) -> int:
    """A paper by its number, and a version of it, as one number."""
    return number * 256 + min(version, HIGHEST)


def month_of(moment: datetime) -> int:
    """A moment's month, as the ledger counts them."""
    return moment.year * 12 + moment.month - 1


def begin_of(month: int) -> datetime:
    """A moment that lies on the first day of a month of the ledger's, whatever the zone."""
    return datetime(month // 12, month % 12 + 1, 1, 11, tzinfo=UTC)


def row_of(month: int, reader: int) -> int:
    """The id of the row of `carried` that says what a reader was sent in a month."""
    return month * _READERS + reader


def versions_had(
    database: Database, reader: int, published: Mapping[int, datetime]
) -> dict[int, int]:
    """The highest version in which a reader was sent each of these papers long ago, by the papers'
    numbers; those that they were not sent are left out. `published`: when they were submitted.
    """
    if not published:
        return {}
    had: dict[int, int] = {}
    # No digest is older than what it carries, so this spares looking through a reader's whole past.
    begin = month_of(min(published.values()) - SLACK)
    for held in _packed_months(database, reader, begin).values():
        for papers in held:
            for number in published:
                for version in _versions(papers, number):
                    had[number] = max(version, had.get(number, 0))
    return had


def versions_sent(database: Database, reader: int, paper: str) -> list[tuple[datetime, int]]:
    """The months in which a reader was sent a paper long ago (see begin_of), and in which versions;
    the oldest first.
    """
    number = database.value("SELECT number FROM paper WHERE id = ?", [paper])
    if number is None:
        return []
    return [
        (begin_of(month), each % 256)
        for month, pairs in _months(database, reader, 0).items()
        for each in sorted(pairs)
        if each // 256 == number
    ]


def papers_by_month(database: Database, reader: int) -> dict[datetime, list[tuple[str, int]]]:
    """All that a reader was sent long ago, by month (see begin_of): the papers' ids and versions,
    each month's in the order in which they came into the ledger.
    """
    months = _months(database, reader, 0)
    ids = _ids(database, {each // 256 for pairs in months.values() for each in pairs})
    return {
        begin_of(month): [(_named(ids, each // 256), each % 256) for each in sorted(pairs)]
        for month, pairs in months.items()
    }


def first_sent(database: Database, reader: int | None) -> dict[str, datetime]:
    """For each paper that a reader, or anybody, was sent long ago: the month when it was first (see
    begin_of).
    """
    months: Iterable[tuple[int, Iterable[int]]] = (
        _everybody(database) if reader is None else _months(database, reader, 0).items()
    )
    first: dict[int, int] = {}
    for month, pairs in months:
        for each in pairs:
            first.setdefault(each // 256, month)
    ids = _ids(database, first)
    return {_named(ids, number): begin_of(month) for number, month in first.items()}


def _everybody(database: Database) -> Iterator[tuple[int, set[int]]]:
    """What anybody was sent in each month, as pairs; the oldest first, a month in several parts."""
    for month, rows in _rows_by_month(database, 0):
        contents = {each for row in rows for each in unpacked(row["contents"])}
        held = (*_contents(database, contents).values(), *(row["papers"] for row in rows))
        yield month, set().union(*map(unpacked, held))


def holders(database: Database, number: int, place: int, most: int) -> tuple[list[int], int | None]:
    """Of those whose rows come next behind a place, the readers who were sent a paper, by its
    number; and the last row that was looked at, None where no more follow.
    """
    rows = database.rows(
        "SELECT id, contents, papers FROM carried WHERE id > ? ORDER BY id LIMIT ?", [place, most]
    )
    had = [unpacked(row["contents"]) for row in rows]
    shared = _contents(database, set().union(*had))
    holding = {content for content, papers in shared.items() if _versions(papers, number)}
    readers = [
        row["id"] % _READERS
        for row, contents in zip(rows, had, strict=True)
        if not holding.isdisjoint(contents) or _versions(row["papers"], number)
    ]
    return readers, rows[-1]["id"] if len(rows) == most else None


def note_corrections(database: Database, had: Iterable[tuple[int, str]]) -> None:
    """Note that these readers were sent these papers long ago, before they were withdrawn."""
    database.write_many(
        """INSERT INTO correction(subscriber, paper) VALUES(?, ?)
           ON CONFLICT(subscriber, paper) DO NOTHING""",
        [list(each) for each in had],
    )


def forget(database: Database, reader: int) -> int:
    """Erase what a reader was sent long ago; returns in how many months that was."""
    rows = [row_of(month, reader) for month in range(*_span(database))]
    return database.write("DELETE FROM carried WHERE id IN many(?)", [rows])


@stored
def _versions(papers: bytes, number: int) -> list[int]:
    """The versions in which packed papers hold one."""
    # A glance at the bytes first: a great many are looked at for one paper.
    if number.to_bytes(3, "little") not in papers:
        return []
    return [each % 256 for each in unpacked(papers) if each // 256 == number]


def _span(database: Database) -> tuple[int, int]:
    """The ledger's first month, and the one behind its last."""
    first = database.number("SELECT MIN(id) FROM carried") // _READERS
    last = database.number("SELECT MAX(id) FROM carried") // _READERS
    return first, last + 1


def _months(database: Database, reader: int, begin: int) -> dict[int, set[int]]:
    """What a reader was sent in each month from one on, as pairs; the oldest first."""
    months = _packed_months(database, reader, begin)
    return {month: set().union(*map(unpacked, held)) for month, held in months.items()}


def _packed_months(database: Database, reader: int, begin: int) -> dict[int, list[bytes]]:
    """The same, as packed papers."""
    first, end = _span(database)
    rows = database.rows(
        "SELECT id, contents, papers FROM carried WHERE id IN many(?) ORDER BY id",
        [[row_of(month, reader) for month in range(max(first, begin), end)]],
    )
    held = {row["id"] // _READERS: unpacked(row["contents"]) for row in rows}
    shared = _contents(database, {each for contents in held.values() for each in contents})
    return {
        month: [row["papers"], *(_named(shared, each) for each in contents)]
        for row, (month, contents) in zip(rows, held.items(), strict=True)
    }


def _contents(database: Database, numbers: Collection[int]) -> dict[int, bytes]:
    """The packed papers of digests that several readers had."""
    if not numbers:
        return {}
    rows = database.rows("SELECT id, papers FROM aged WHERE id IN many(?)", [list(numbers)])
    return {row["id"]: row["papers"] for row in rows}


def _rows_by_month(database: Database, begin: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """All readers' rows from a month on, by month, not too many at once."""
    first, end = _span(database)
    for month in range(max(first, begin), end):
        last = row_of(month, 0)
        while rows := database.rows(
            """SELECT id, contents, papers FROM carried WHERE id > ? AND id < ?
               ORDER BY id LIMIT ?""",
            [last, row_of(month + 1, 0), ROWS_AT_ONCE],
        ):
            yield month, rows
            last = rows[-1]["id"]


@stored
def _named(names: Mapping[int, Named], number: int) -> Named:
    """What a number stands for."""
    return names[number]


def _ids(database: Database, numbers: Iterable[int]) -> dict[int, str]:
    """The papers' ids, by their numbers."""
    rows = database.rows("SELECT number, id FROM paper WHERE number IN many(?)", [list(numbers)])
    return {row["number"]: row["id"] for row in rows}
