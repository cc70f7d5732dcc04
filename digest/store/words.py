"""The index of words by which the archive's papers are found: SQLite's FTS5, all of which is here.
Another database has an index of its own in its place.

It has no copy of the texts, so it must be told what it is to take out: whoever changes a paper's
texts notes before what they were (`note_change`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from digest.keywords.candidates import COLUMNS, FORM, TOKENIZER, columns_of
from digest.model import Paper
from digest.store.database import Database

_STAMP = "index_of_words"
"""Meta key: the form of what is in the index."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A paper that may match, at the row of a log that brought it first."""

    seq: int
    paper: str


def is_whole(database: Database) -> bool:
    """Whether there is an index, written as papers are now."""
    return database.meta(_STAMP) == str(FORM)


def begin_words(database: Database) -> None:
    """Begin with an empty index; belongs into a transaction, as all that writes here does."""
    database.write("DROP TABLE IF EXISTS words")
    database.write(
        f"CREATE VIRTUAL TABLE words USING fts5({', '.join(COLUMNS)}, content='',"
        f" tokenize='{TOKENIZER}')"
    )
    database.set_meta(_STAMP, str(FORM))


def write_words(database: Database, papers: Mapping[int, Paper]) -> None:
    """Write papers into the index, each at its row."""
    # What is written in the order of the rows is written at once.
    database.write_many(
        f"INSERT INTO words(rowid, {_NAMES}) VALUES(?{_VALUES})",
        [[seq, *columns_of(paper)] for seq, paper in sorted(papers.items())],
    )


def take_out(database: Database, texts: Mapping[int, Sequence[str]]) -> None:
    """Take out what was written at some rows."""
    database.write_many(
        f"INSERT INTO words(words, rowid, {_NAMES}) VALUES('delete', ?{_VALUES})",
        [[seq, *columns] for seq, columns in sorted(texts.items())],
    )


def note_change(database: Database, papers: Iterable[Paper]) -> None:
    """Note of papers, given as they are in the index, that they are about to change there. The
    index itself is left to who shows the archive: no run fails by what only that needs.
    """
    if is_whole(database):
        given = {paper.id: paper for paper in papers}
        held = database.column(
            "SELECT paper FROM findable WHERE paper IN many(?) AND was IS NULL", [list(given)]
        )
        database.write_many(
            "UPDATE findable SET was = ? WHERE paper = ?",
            [[json.dumps(columns_of(given[paper]), ensure_ascii=False), paper] for paper in held],
        )


def spoil(database: Database) -> None:
    """Let an index that cannot be read be begun anew."""
    database.set_meta(_STAMP, "")


def matching(database: Database, asked: str, below: int, most: int) -> list[Candidate]:
    """The papers that the index finds, those that came last first, from below a row on."""
    return database.all(
        Candidate,
        """SELECT f.seq, f.paper FROM words w JOIN findable f ON f.seq = w.rowid
           WHERE words MATCH ? AND w.rowid < ? ORDER BY w.rowid DESC LIMIT ?""",
        [asked, below, most],
    )


_NAMES, _VALUES = ", ".join(COLUMNS), ", ?" * len(COLUMNS)
