"""The search of the archive: which papers are in the index of words (store/words.py).

It holds the papers that the public logs brought, and no others; so nothing that it answers, nor how
long that takes, depends on what is not public. Whoever shows the archive has it made and kept up,
in small steps, each of which goes on where the logs were read to before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from digest.errors import DamagedError
from digest.keywords.candidates import ANY, columns_of
from digest.store.archive import SHOWN
from digest.store.database import Concern
from digest.store.log import head
from digest.store.papers import load_papers
from digest.store.rows import loads
from digest.store.words import (
    Candidate,
    begin_words,
    is_whole,
    matching,
    spoil,
    take_out,
    write_words,
)

STEP = 100
"""Papers that are written into the index in one transaction."""
LONGEST = 0.2
"""Seconds of processor time after which a question to the index is given up."""


class Search(Concern):
    """The papers of the archive, by their words."""

    def is_ready(self, queries: Sequence[str]) -> bool:
        """Whether all papers of these queries' logs, and no others, are in the index."""
        return self._is_of(queries) and not self._db.value(_LEFT)

    def step(self, queries: Sequence[str]) -> bool:
        """Do one small step to make it so; false where nothing was left to do."""
        if self.is_ready(queries):
            return False
        with self._spoilt_by_damage(), self._db.transaction():
            if not is_whole(self._db) or self._db.value(_OTHERS, [list(queries)]):
                self._begin()
            self._db.write(_JOIN, [list(queries)])
            self._write_again()
            self._read_on()
        return True

    def share(self) -> float:
        """How much of the logs has been read into the index, from 0 to 1."""
        row = self._db.row(_READ)
        return row["was_read"] / row["rows"] if row and row["rows"] else 0.0

    def candidates(self, asked: str, below: int | None, most: int) -> list[Candidate]:
        """Papers that may match what is `asked` (keywords/candidates.py), those that came last
        first, from below a row on. Raises TryLaterError where that takes too long.
        """
        below = below or head(self._db) + 1
        if asked == ANY:
            return self._db.all(Candidate, _ALL, [below, most])
        with self._spoilt_by_damage(), self._db.bounded(LONGEST):
            return matching(self._db, asked, below, most)

    @contextmanager
    def _spoilt_by_damage(self) -> Iterator[None]:
        """Let the index be made anew where it turns out to be damaged."""
        try:
            yield
        except DamagedError:
            spoil(self._db)
            raise

    def place(self, paper: str) -> int | None:
        """The row at which a paper stands in the index."""
        return self._db.number("SELECT seq FROM findable WHERE paper = ?", [paper]) or None

    def _is_of(self, queries: Sequence[str]) -> bool:
        known = self._db.column("SELECT q.text FROM searched s JOIN query q ON q.id = s.query")
        wanted = self._db.column("SELECT text FROM query WHERE text IN many(?)", [list(queries)])
        return is_whole(self._db) and set(known) == set(wanted)

    def _begin(self) -> None:
        """Begin with an empty index."""
        self._db.write("DELETE FROM findable")
        self._db.write("DELETE FROM searched")
        begin_words(self._db)

    def _write_again(self) -> None:
        """Write the papers that have changed as they are now."""
        rows = self._db.rows(
            "SELECT seq, paper FROM findable WHERE was IS NOT NULL LIMIT ?", [STEP]
        )
        places = {row["paper"]: row["seq"] for row in rows}
        self._take_out(places)
        self._db.write("UPDATE findable SET was = NULL WHERE seq IN many(?)", [[*places.values()]])
        self._write(places)

    def _take_out(self, places: dict[str, int]) -> None:
        """Take papers out, as they were written."""
        papers = load_papers(self._db, list(places))
        rows = self._db.rows(
            "SELECT seq, paper, was FROM findable WHERE seq IN many(?)", [[*places.values()]]
        )
        take_out(
            self._db,
            {
                row["seq"]: loads(row["was"]) if row["was"] else columns_of(papers[row["paper"]])
                for row in rows
            },
        )

    def _read_on(self) -> None:
        """Write what the logs have brought beyond what was read of them."""
        end, rows = head(self._db), self._db.rows(_NEXT, [STEP])
        first: dict[str, int] = {}
        for row in rows:
            first[row["paper"]] = min(row["seq"], first.get(row["paper"], row["seq"]))
        known = self._known(list(first))
        first = {paper: seq for paper, seq in first.items() if seq < known.get(paper, seq + 1)}
        moved = {paper: known[paper] for paper in first if paper in known}
        self._take_out(moved)
        self._db.write("DELETE FROM findable WHERE paper IN many(?)", [list(moved)])
        self._db.write_many(
            "INSERT INTO findable(paper, seq) VALUES(?, ?)", [[*each] for each in first.items()]
        )
        self._write(first)
        if len(rows) < STEP:
            self._db.write("UPDATE searched SET until = ?", [end])
        else:
            self._db.write_many(
                "UPDATE searched SET until = ? WHERE query = ?",
                [[row["seq"], row["query"]] for row in rows],
            )

    def _known(self, papers: list[str]) -> dict[str, int]:
        rows = self._db.rows("SELECT paper, seq FROM findable WHERE paper IN many(?)", [papers])
        return {row["paper"]: row["seq"] for row in rows}

    def _write(self, places: dict[str, int]) -> None:
        papers = load_papers(self._db, list(places))
        write_words(self._db, {seq: papers[paper] for paper, seq in places.items()})


_ALL = "SELECT seq, paper FROM findable WHERE seq < ? ORDER BY seq DESC LIMIT ?"
_OTHERS = """
    SELECT 1 FROM searched s JOIN query q ON q.id = s.query WHERE q.text NOT IN many(?) LIMIT 1"""
_JOIN = """
    INSERT INTO searched(query, until) SELECT q.id, 0 FROM query q
    WHERE q.text IN many(?) AND q.id NOT IN (SELECT query FROM searched)"""
_NEXT = f"""
    SELECT s.query, m.seq, m.paper FROM searched s CROSS JOIN seen m
    WHERE m.query = s.query AND m.seq > s.until AND {SHOWN} ORDER BY s.query, m.seq LIMIT ?"""
_READ = """
    SELECT COUNT(*) AS rows, COUNT(CASE WHEN m.seq <= s.until THEN 1 END) AS was_read
    FROM searched s CROSS JOIN seen m WHERE m.query = s.query"""
_LEFT = f"""
    SELECT EXISTS(SELECT 1 FROM findable WHERE was IS NOT NULL) OR EXISTS(
        SELECT 1 FROM searched s CROSS JOIN seen m
        WHERE m.query = s.query AND m.seq > s.until AND {SHOWN})"""
