"""The statements that the store runs in the tests: whether PostgreSQL reads them as SQLite does,
and whether SQLite finds what they ask for by an index.

Each statement is looked at once, when all tests are over; the run fails where one is found wanting.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

from digest.store import database as database_module
from digest.store.database import Database
from digest.store.dialect import for_sqlite

ROOT = Path(database_module.__file__).parent.parent
_BETWEEN = {database_module.__file__, contextlib.__file__}
_CRASHING = (str(Path(__file__).parent / "model.py"), {"rows", "value", "write_many", "_execute"})
"""The functions that the random histories put between the program and its connection."""
_INDEX = "store/words.py"
"""The module that a second database brings itself."""
_CONNECTION = re.compile(
    r"sqlite_(sequence|master)|^\s*(PRAGMA|BEGIN|COMMIT|SAVEPOINT|RELEASE|VACUUM|ANALYZE)"
)
"""The SQL of database.py and together.py, which a second database brings itself."""
_ran: dict[str, str] = {}
"""The statements of the program that ran, each with the module that said it first."""

FLAGS = (
    "failed|gone|away|was_away|corrections|maybe_accepted|folder|excused|held|approximate|accepted|listed"
    "|revised|proven|permanent"
)
WORDS = {
    r"\b(INSERT|UPDATE) OR\b|\bREPLACE INTO\b": "say ON CONFLICT",
    r"\bjson_\w+\(|->": "bring lists in by many(), and gather rows in Python",
    r"\bsqlite_\w+|\browid\b|\bPRAGMA\b": "is SQLite's own",
    r"\bCOLLATE\b|\bGLOB\b": "compare lower(…)",
    r"\b(strf|uni|date|time|julian)\w*\(": "bring the moment in, or say days_before()",
    r"\b(printf|format|total|group_concat|ifnull|iif|instr|hex|typeof)\(": "is SQLite's own",
    r"\bx'": "bring bytes in as a parameter",
    r"\bLIMIT -": "is no limit in PostgreSQL",
    rf"\b(WHERE|AND|OR|NOT|WHEN) \(?(\w+\.)?({FLAGS})\b(?! ?(=|<|>|IN|IS|\.|\())": (
        "a flag is a number: compare it with 0 or 1"
    ),
}
"""What only SQLite reads, or reads otherwise, and what to do instead."""


def foreign_words(sql: str) -> str:
    """What PostgreSQL would not read as SQLite does in a statement; "" where there is nothing."""
    plain = re.sub(r"'(?:[^']|'')*'", lambda text: "'" if text[0] == "''" else "''", sql)
    plain = " ".join(re.sub(r"\b([xX])''", r"\1'", plain).split())
    for pattern, instead in WORDS.items():
        if found := re.search(pattern, plain, re.IGNORECASE):
            return f"{found[0].strip()}: {instead}"
    for opened in re.finditer(r"\b(MAX|MIN)\(", plain):
        if "," in _top_level(_inside(plain, opened.end())):
            return f"{opened[0]}a, b): say GREATEST or LEAST"
    for opened in re.finditer(r"\b(FROM|JOIN) \((?=SELECT|VALUES)", plain):
        after = plain[opened.end() + len(_inside(plain, opened.end())) + 1 :]
        if re.match(r" ?(WHERE|JOIN|ON|ORDER|GROUP|LIMIT|LEFT|\)|$)", after):
            return "a table that is a SELECT has a name in PostgreSQL"
    return ""


def _inside(text: str, start: int) -> str:
    """What stands between a parenthesis that was opened before `start` and its other half."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return text[start:place]
    return text[start:]


def _top_level(text: str) -> str:
    """A text without what stands in parentheses."""
    while (shorter := re.sub(r"\([^()]*\)", "", text)) != text:
        text = shorter
    return text


ROWS = {
    "paper": 300_000,
    "revision": 60_000,
    "seen": 1_500_000,
    "run": 35_000,
    "run_keyword": 1_000_000,
    "subscriber": 100_000,
    "subscription": 300_000,
    "content": 2_000_000,
    "content_paper": 20_000_000,
    "delivery": 10_000_000,
    "query": 3_000,
    "bounce": 50_000,
    "mistake": 1_000,
    "silence": 10_000,
    "suppression": 5_000,
    "liked": 500_000,
    "library": 500_000,
    "consent": 100_000,
    "signup": 100_000,
    "wish": 10_000,
    "forgotten": 1_000,
    "lack": 10_000,
    "answer": 500,
    "held": 2_000,
    "handover": 10_000,
    "inbox_message": 50_000,
    "aged": 500_000,
    "carried": 1_000_000,
    "correction": 1_000,
    "findable": 300_000,
    "searched": 300,
    "summary": 300_000,
    "announced": 80,
    "question": 400,
}
"""A service of some years: how many rows each table has."""
DISTINCT = {
    "query": 3_000,
    "paper": 300_000,
    "subscriber": 100_000,
    "content": 2_000_000,
    "run": 35_000,
    "month": 120,
    "kind": 4,
    "state": 10,
}
"""How many different values the columns have of which they have few; others have one a row."""
BIG = frozenset(table for table, rows in ROWS.items() if rows >= 250_000)
"""The tables that no statement is to read as a whole."""
LARGE_PARTS = frozenset({"paper_abstract", "seen_shown"})
"""The indexes of some rows of a table that hold many; the others hold the few that are asked
for."""
ALLOWED = {
    "store/clock.py": "all that a wrong clock stamped is put right, once",
    "store/exports.py": "'export' writes all there is",
    "store/naming.py": "all names are changed, once",
    "store/personal.py": "what servers said of who is forgotten is looked for in all they said",
    "store/taking_over.py": "'db restore' compares all that readers said",
    "store/upkeep.py": "'db restore' goes through the whole database",
    "store/pruning.py": "'db prune' goes through the whole database",
    "DELETE FROM findable": "the index of words is begun anew, once in years",
    "UPDATE content SET digest = ''": "'db prune' goes through all digests",
    "SELECT COUNT(*) FROM paper": "figures for who watches count the papers, in an index",
    "FROM delivery GROUP BY state": "'status' counts the ledger, in one pass",
    "'deferred', 'failed', 'unknown', 'dropped') ORDER BY +d.id": "'outbox list --all'",
}
"""Which statements may read a big table as a whole: a module's, or by a part of them; and why."""


@cache
def _service(measured: str = "") -> sqlite3.Connection:
    """A database without rows that SQLite takes for a service's; `measured`: how much of it was,
    "all", the "lasting" rows, where those on their way had gone when it was, or nothing."""
    connection: sqlite3.Connection = Database.copy_of(Path("none.db"))._connection
    if not measured:
        return connection
    connection.execute("ANALYZE")
    connection.execute("DELETE FROM sqlite_stat1")
    for table, rows in ROWS.items():
        for _, name, _, _, partial in connection.execute(f"PRAGMA index_list({table})").fetchall():
            columns = connection.execute(f"PRAGMA index_xinfo({name})").fetchall()
            small = partial and name not in LARGE_PARTS
            if small and measured == "lasting":
                continue
            held = 1_000 if small else rows
            left, told = float(held), [str(held)]
            for column in (row[2] for row in columns if row[5]):
                left = max(left / DISTINCT.get(column, held), 1)
                told.append(f"{left:.0f}")
            connection.execute(
                "INSERT INTO sqlite_stat1 VALUES(?, ?, ?)", [table, name, " ".join(told)]
            )
    connection.commit()
    connection.execute("ANALYZE sqlite_schema")
    return connection


def reads_too_much(sql: str) -> str:
    """Which big table SQLite would read as a whole, or sort, for a statement; "" for none."""
    for measured in ("all", "lasting", ""):
        plan = _service(measured).execute(
            f"EXPLAIN QUERY PLAN {for_sqlite(sql)}",
            [None] * sql.count("?") or defaultdict[str, Any](lambda: None),
        )
        steps = [row[3] for row in plan.fetchall()]
        for step in steps:
            word, _, rest = step.partition(" ")
            table = _named(sql, rest.partition(" ")[0])
            if word == "SCAN" and table in BIG and not _by_small_index(rest):
                return f"{step} ({table})"
            # What is sorted for the sake of its first rows may be long.
            if step == "USE TEMP B-TREE FOR ORDER BY" and "LIMIT" in sql and _names_big(sql):
                return step
    return ""


def _names_big(sql: str) -> bool:
    """Whether a statement reads a big table at all."""
    return re.search(rf"\b(FROM|JOIN)\s+({'|'.join(sorted(BIG))})\b", sql) is not None


@cache
def _small_indexes() -> frozenset[str]:
    rows = _service().execute(
        "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'"
    )
    return frozenset(name for (name,) in rows) - LARGE_PARTS


def _by_small_index(step: str) -> bool:
    return step.rpartition(" ")[2] in _small_indexes()


def _named(sql: str, name: str) -> str:
    """The table that a statement calls so."""
    found = re.search(rf"\b({'|'.join(ROWS)})\s+(?:AS\s+)?{re.escape(name)}\b", sql)
    return found[1] if found else name


def watch() -> None:
    """Remember from now on which statements the program runs in this process."""
    translate = database_module.for_sqlite

    def remember(sql: str) -> str:
        if sql not in _ran and (module := _speaker()):
            _ran[sql] = module
        return translate(sql)

    database_module.for_sqlite = remember


def pass_over(sql: str) -> None:
    """Let a statement be that a test bent on purpose."""
    _ran[sql] = ""


def _speaker() -> str:
    """The module of the program that the connection was asked by; "" where it was a test, or the
    schema."""
    frame = sys._getframe(2)
    while frame.f_back and _is_between(frame.f_code):
        if frame.f_code.co_name == "_migrate":
            return ""
        frame = frame.f_back
    path = Path(frame.f_code.co_filename)
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""


def _is_between(code: CodeType) -> bool:
    file, functions = _CRASHING
    return code.co_filename in _BETWEEN or (code.co_filename == file and code.co_name in functions)


def complaints() -> list[str]:
    """What is wrong with the statements that ran, a line each."""
    found = []
    for sql, module in _ran.items():
        if module in ("", _INDEX) or _CONNECTION.search(sql):
            continue
        words = foreign_words(sql)
        much = "" if any(a in sql or a == module for a in ALLOWED) else reads_too_much(sql)
        found += [
            f"{module}: {trouble}, in: {' '.join(sql.split())[:300]}"
            for trouble in (
                words and f"only SQLite reads it ({words})",
                much and f"no index of a big table is of use ({much})",
            )
            if trouble
        ]
    return found
