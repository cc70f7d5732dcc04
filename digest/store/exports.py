"""Every paper on record with what happened to it here, for files that leave the program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from digest.model import Paper
from digest.store.database import Concern
from digest.store.ledger import first_sent
from digest.store.papers import load_papers
from digest.store.rows import from_text

CHUNK = 500
"""Papers to a look-up."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A paper with what happened to it here. Times are UTC; `queries` are those in whose logs it
    stands.
    """

    paper: Paper
    queries: tuple[str, ...]
    first_seen: datetime | None
    mailed: datetime | None


class Exports(Concern):
    """Papers on their way out. It only reads."""

    def labels(self) -> dict[str, str]:
        """The name under which each query was last asked for or subscribed to."""
        rows = self._db.rows(
            """SELECT q.text, COALESCE(
                   (SELECT k.keyword FROM run_keyword k WHERE k.query = q.id
                    ORDER BY k.run DESC LIMIT 1),
                   (SELECT s.label FROM subscription s WHERE s.query = q.id LIMIT 1),
                   q.text) AS label
               FROM query q"""
        )
        return {row["text"]: row["label"] for row in rows}

    def export(
        self,
        *,
        reader: int | None = None,
        queries: Iterable[str] | None = None,
        unmailed: bool = False,
    ) -> Iterator[Exported]:
        """Every paper that was seen, or only what was mailed to one reader; oldest submission
        first.

        `mailed` is when it was first mailed to that reader, or to anybody; where the delivery is no
        longer kept, the month's first day. What was maybe delivered counts. With `queries`, only
        papers in their logs; with `unmailed`, those that were not mailed to the reader.
        """
        bases = self._db.column(
            """SELECT p.id FROM paper p
               WHERE :all = 1 OR EXISTS (
                   SELECT 1 FROM seen m JOIN query q ON q.id = m.query
                   WHERE m.paper = p.id AND q.text IN many(:queries))
               ORDER BY p.published, p.id""",
            {"all": queries is None, "queries": list(queries or ())},
        )
        mailed = self._mailed(reader)
        wanted = [base for base in bases if reader is None or (base in mailed) is not unmailed]
        for start in range(0, len(wanted), CHUNK):
            chunk = wanted[start : start + CHUNK]
            papers, seen = load_papers(self._db, chunk), self._seen(chunk)
            for base in chunk:
                queries_of, first = seen.get(base, ((), None))
                yield Exported(papers[base], queries_of, first, mailed.get(base))

    def containing(self, words: Sequence[str], most: int) -> list[str]:
        """The papers that have all these words, or parts of words, in title, abstract or authors,
        by their ids, the newest first. It reads every paper.
        """
        text = "lower(p.title || ' ' || p.abstract || ' ' || p.authors)"
        holds = [f"{text} LIKE :word{number} ESCAPE '!'" for number in range(len(words))]
        found: list[str] = self._db.column(
            f"""SELECT p.id FROM paper p WHERE {" AND ".join(holds) or "1 = 1"}
                ORDER BY p.published DESC, p.id DESC LIMIT :most""",
            {f"word{n}": f"%{_like(word)}%" for n, word in enumerate(words)} | {"most": most},
        )
        return found

    def _mailed(self, reader: int | None) -> dict[str, datetime]:
        rows = self._db.rows(
            """SELECT cp.paper, MIN(COALESCE(d.ended_at, d.queued_at)) AS at FROM delivery d
               JOIN content_paper cp ON cp.content = d.content
               WHERE (d.state = 'sent' OR d.maybe_accepted = 1)
                   AND (:all = 1 OR d.subscriber = :reader)
               GROUP BY cp.paper""",
            {"all": reader is None, "reader": reader or 0},
        )
        # Of digests of long ago the month alone is known.
        return {row["paper"]: from_text(row["at"]) for row in rows} | first_sent(self._db, reader)

    def _seen(self, bases: list[str]) -> dict[str, tuple[tuple[str, ...], datetime | None]]:
        rows = self._db.rows(
            # Where a run's record is deleted already, nobody knows when the paper was first seen.
            """SELECT m.paper, q.text, MIN(r.started_at) AS first,
                   COUNT(*) - COUNT(r.id) AS unknown
               FROM seen m JOIN query q ON q.id = m.query LEFT JOIN run r ON r.id = m.run
               WHERE m.paper IN many(?) GROUP BY m.paper, q.text ORDER BY m.paper, q.text""",
            [bases],
        )
        return {base: _seen_in(list(logs)) for base, logs in groupby(rows, itemgetter("paper"))}


def _seen_in(logs: list[dict[str, Any]]) -> tuple[tuple[str, ...], datetime | None]:
    """The queries in whose logs a paper stands, and when it was first seen, where that is known."""
    known = not any(row["unknown"] for row in logs)
    first = from_text(min(row["first"] for row in logs)) if known else None
    return tuple(row["text"] for row in logs), first


def _like(word: str) -> str:
    """A word of which LIKE takes no sign for its own."""
    return re.sub(r"[!%_]", r"!\g<0>", word.lower())
