"""Databases as the version before the schema's last step left them, written without that version:
its tables, and rows in its form, in every state that they can be in."""

from __future__ import annotations

import itertools
import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from digest.store.schema import APPLICATION_ID, MIGRATIONS
from digest.times import to_text

BEFORE = 10
"""The steps that such a database has taken."""
START = datetime(2026, 9, 1, 6, tzinfo=UTC)
NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)
STATES = "sent queued leased in_data deferred failed unknown expired suppressed dropped".split()
OPEN = ("queued", "leased", "in_data", "deferred", "unknown")
KINDS = ("new", "late", "revised", "old", "new", "revised", "new")


@dataclass(frozen=True)
class Size:
    """How much such a database holds; `seen` at most, and bytes in the `body` of each content."""

    readers: int = 42
    queries: int = 7
    papers: int = 90
    seen: int = 500
    contents: int = 60
    deliveries: int = 630
    body: int = 0


def older_database(path: Path, size: Size | None = None) -> Path:
    """Make one, with a log beside it that is not yet written into the file."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        for step in MIGRATIONS[:BEFORE]:
            database.executescript(step)
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {BEFORE}")
        with database:
            for table, rows in _tables(size or Size()).items():
                _fill(database, table, rows)
    return path


def _fill(database: sqlite3.Connection, table: str, rows: Iterator[dict[str, Any]]) -> None:
    first = next(rows)
    names, marks = ", ".join(first), ", ".join("?" * len(first))
    database.executemany(
        f'INSERT INTO "{table}"({names}) VALUES({marks})',
        (tuple(row.values()) for row in itertools.chain([first], rows)),
    )


def _tables(size: Size) -> dict[str, Iterator[dict[str, Any]]]:
    """The rows of each table, none of which is empty."""
    return {
        "meta": iter([{"key": key, "value": f"a {key}"} for key in ("uuid", "secret", "roster")]),
        "run": ({"id": n + 1, "started_at": _at(n), "sent": n} for n in range(60)),
        "paper": map(_paper, range(size.papers)),
        "revision": _revisions(size),
        "query": map(_query, range(size.queries)),
        "run_keyword": (
            {"run": 1 + n % 60, "query": 1 + n % size.queries, "keyword": f"K{n}", "status": "ok"}
            | dict.fromkeys(("fetched", "new", "revised", "late", "requests"), n)
            | {"why": "came"}
            for n in range(min(60, size.queries))
        ),
        "seen": _seen(size),
        "window": (
            {"query": 1 + n % size.queries, "at": _at(n), "verdict": "few rows", "raw": b"<feed/>"}
            | {"held": n % 2, "fetched": n, "ids": '["2609.00001"]'}
            for n in range(9)
        ),
        "held": (
            {"query": 1, "paper": f"2611.9{n:04}", "window": 1 + n, "data": "{}"} for n in range(9)
        ),
        "subscriber": map(_subscriber, range(size.readers)),
        "subscription": _subscriptions(size),
        "content": (_content(n, size.body) for n in range(size.contents)),
        "content_paper": _content_papers(size),
        "delivery": _deliveries(size),
        "suppression": (
            {"address": _address(n).upper(), "reason": "bounced" if n % 2 else "unsubscribed"}
            | {"since": _at(n), "farewell": (None, "wanted", "handed over")[n // 6 % 3]}
            | {"was_away": n % 2}
            for n in range(0, size.readers, 6)
        ),
        "silence": (
            {"subscriber": 1 + n, "query": 1 + n % size.queries, "delivery": 1 + n}
            for n in range(5)
        ),
        "bounce": (
            {"delivery": 1 + n, "subscriber": 1 + n % size.readers, "at": _at(n)}
            | {"blame": ("hard", "soft", "policy")[n % 3], "words": "no", "excused": n // 3 % 2}
            for n in range(12)
        ),
        "inbox_message": ({"key": f"m{n}", "at": _at(n)} for n in range(3)),
        "inbox_place": iter([{"mailbox": "INBOX at mail", "validity": 7, "uid": 5}]),
        "relay": iter(
            [
                {"name": "mail", "place": "smtp://mail", "failures": 2, "streak": 1}
                | {"tripped_since": _at(1), "paused_until": _at(2), "reason": "421 closing"}
                | {"permanent": 0, "refusal": "550 no", "refused": 3}
            ]
        ),
        "handover": ({"at": _at(80 - n // 2), "number": n} for n in range(6)),
        "feed": iter([{"name": "cs", "day": "2026-11-23", "etag": '"x"', "at": _at(80)}]),
        "lack": iter([{"source": "feeds", "paper": "2611.00001", "at": _at(80)}]),
        "mistake": (
            {"subscriber": 1 + n, "since": _at(n), "until": None if n % 3 else _at(n + 1)}
            | {"words": "line 3: no such zone"}
            for n in range(0, size.readers, 8)
        ),
    }


def _at(days: float) -> str:
    return to_text(START + timedelta(days=days))


def _address(number: int) -> str:
    # Both are an address whatever the case of its letters.
    return f"github:Group/Papers{number}" if number % 7 == 5 else f"Reader{number}@example.org"


def _paper_id(number: int) -> str:
    return f"26{9 + number // 99_999:02}.{number % 99_999:05}"


def _paper(number: int) -> dict[str, Any]:
    day = number % 40 - 45  # no delivery is older than what it carries
    return {
        "id": _paper_id(number),
        "version": 1 + number % 3,
        "title": f"On {number}",
        "abstract": f"What {number} is, and why. " * 30,
        "authors": '["A. Person"]',
        "categories": '["cs.LG"]',
        "published": _at(day),
        "updated": _at(day + number % 3),
        "comment": "",
        "journal_ref": "",
        "doi": "",
        "approximate": number % 2,
        "withdrawn": 1 + number % 3 if number % 11 == 0 else 0,
    }


def _revisions(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(size.papers):
        for version in range(2, 2 + number % 3):
            yield {
                "paper": _paper_id(number),
                "version": version,
                "changed": '["abstract"]',
                "accepted": number % 2,
                "old_title": "Before" if version == 2 else "",
            }


def _query(number: int) -> dict[str, Any]:
    return {
        "id": number + 1,
        "text": f'(all:"word {number}")',
        "last_good_at": _at(83.5),
        "next_fetch_at": _at(84) if number % 3 else None,
        "failures": number % 3,
        "rows_per_day": 1.5,
        "quarantined_since": _at(83) if number % 5 == 4 else None,
        "total": 900 + number,
        "watched": 86_400 * 80,
        "matched": 86_400 * 40,
        "source": "api",
        "asked": "all:word",
        "asked_per_day": 2.5,
    }


def _seen(size: Size) -> Iterator[dict[str, Any]]:
    """Each query's log holds every paper, if at all, by one row for each of its versions."""
    row = 0
    for number, query in itertools.product(range(size.papers), range(size.queries)):
        for version in range(1, 2 + number % 3 if (number + query) % 2 else 2):
            kind = KINDS[(number + query) % len(KINDS)] if version == 1 else "revised"
            yield {
                "query": query + 1,
                "paper": _paper_id(number),
                "version": version,
                "kind": kind,
                "run": 1 + row % 60,
                "listed": row % 9 == 0,
            }
            row += 1
            if row >= size.seen:
                return


def _subscriber(number: int) -> dict[str, Any]:
    return {
        "id": number + 1,
        "address": _address(number),
        "name": f"Reader {number}",
        "since": _at(number % 50),
        "due_at": _at(84),
        "slot": _at(83),
        "opened_at": _at(83.5) if number % 4 else None,
        "away": number % 9 == 1,
        "gone": number % 10 == 9,
        "corrections": number % 2,
    }


def _subscriptions(size: Size) -> Iterator[dict[str, Any]]:
    """Placed, not placed, ended with a rest to come, and removed."""
    for number in range(size.readers):
        for query in {number % size.queries, number // 2 % size.queries}:
            part = (number * 37 + query) % 100 * size.seen // 100
            start, until, ended = (
                *((part, None, None), (None, None, None)),
                *((part // 2, part, _at(80)), (part, 0, _at(70)), (part // 3, None, None)),
            )[(number + query) % 5]
            yield {
                "subscriber": number + 1,
                "query": query + 1,
                "label": f"Word {query}",
                "start": start,
                "position": None if start is None else start + part % 7,
                "until": until,
                "ended_at": ended,
                "watched": 86_400,
            }


def _content(number: int, body: int) -> dict[str, Any]:
    """A body; none is kept of every fifth, as of those that were pruned."""
    rest = os.urandom(body).replace(b"\0", b"0")  # packing makes that no shorter
    pieces = (f"text {number}\r\n".encode() * 40, b"between\r\n" * 40, b"after\r\n" + rest)
    return {
        "id": number + 1,
        "key": f"key {number}",
        "subject": f"{number} papers",
        "pieces": b"" if number % 5 == 4 else zlib.compress(b"\0".join(pieces)),
    }


def _content_papers(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(size.contents):
        for paper in {number * 3 % size.papers, (number * 7 + 1) % size.papers}:
            yield {
                "content": number + 1,
                "paper": _paper_id(paper),
                "version": 1 + (paper + number) % (1 + paper % 3),
                "revised": number % 2,
            }


def _deliveries(size: Size) -> Iterator[dict[str, Any]]:
    """In every state, a few days old or at the very end; the eleventh of a reader's is a repeat."""
    for number in range(size.deliveries):
        reader, turn = number % size.readers, number // size.readers
        state = STATES[(turn + reader) % len(STATES)]
        queued = START + timedelta(days=turn * 83 * size.readers // size.deliveries, hours=2)
        yield {
            "id": number + 1,
            "subscriber": reader + 1,
            "slot": f"{to_text(queued)}/{turn}",
            "content": 1 + (number * 5 + turn) % size.contents,
            "message_id": f"<{number}@example.org>",
            "queued_at": to_text(queued),
            "from_seq": turn * 3,
            "state": state,
            "attempt": number % 4,
            "next_at": to_text(NOW + timedelta(hours=6 if number % 8 == 7 else -6)),
            "owner": "a process" if state in ("leased", "in_data") else None,
            "maybe_accepted": state == "unknown" or number % 5 == 1,
            "ended_at": None if state in OPEN else to_text(queued + timedelta(hours=1)),
            "reply": "250 ok" if state == "sent" else "",
            "folder": number % 13 == 0,
            "again": 1 + reader if turn == 10 else None,
        }
