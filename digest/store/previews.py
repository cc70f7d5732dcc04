"""What tells people what a keyword would have brought that is not theirs yet: announcements kept
whole, and questions to arXiv with their answers.

Nothing of it enters a log, is due to anybody, or is shown elsewhere; nothing tells who asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from digest.model import Paper
from digest.store.database import Concern, Database
from digest.store.rows import columns_of, loads, pack, unpack, value_of
from digest.times import to_text

KEPT = timedelta(days=7)
"""For how long announcements and answers are kept."""
TRIED = timedelta(days=1)
"""For how long a question waits, and one that arXiv gave no answer to is not asked again."""
ASKED_A_DAY = 50
"""Questions that are taken in a day."""
AGAIN = timedelta(minutes=15)
"""The wait of all questions where arXiv could not be asked."""


@dataclass(frozen=True, slots=True)
class Question:
    """What arXiv is to be asked, or was: how many `papers` it had of the 7 days before, with the
    `titles` of the newest; `failed`: it gave no answer. `next_at` is when it is asked at the
    earliest. Times are UTC.
    """

    query: str
    at: datetime
    next_at: datetime
    answered_at: datetime | None
    failed: bool
    papers: int
    titles: tuple[str, ...]


class Previews(Concern):
    """The announcements that are kept whole, and the questions."""

    def keep(self, day: date, feeds: Mapping[str, Sequence[Paper]]) -> None:
        """Keep what some feeds announced as new on a day."""
        with self._db.transaction():
            self._db.write_many(
                """INSERT INTO announced(day, feed, papers) VALUES(?, ?, ?)
                   ON CONFLICT(day, feed) DO UPDATE SET papers = excluded.papers""",
                [[day, feed, _packed(papers)] for feed, papers in feeds.items()],
            )

    def kept(self, since: date) -> list[tuple[date, str]]:
        """The days since then, and the feeds that are kept whole of each, the newest first."""
        rows = self._db.rows(
            "SELECT day, feed FROM announced WHERE day >= ? ORDER BY day DESC, feed", [since]
        )
        return [(date.fromisoformat(row["day"]), row["feed"]) for row in rows]

    def papers(self, day: date, feed: str) -> Iterator[Paper]:
        """What a feed announced as new on a day."""
        row = self._db.row("SELECT papers FROM announced WHERE day = ? AND feed = ?", [day, feed])
        for columns in loads(unpack(row["papers"])[0]) if row else ():
            yield value_of(Paper, columns)

    def ask(self, query: str, now: datetime) -> bool:
        """Note what arXiv is to be asked; false where too much is in a day."""
        with self._db.transaction():
            _drop_questions(self._db, now)
            lately = self._db.number("SELECT COUNT(*) FROM question WHERE at > ?", [now - TRIED])
            if lately >= ASKED_A_DAY:
                return False
            self._db.note_time(now)
            self._db.write(
                """INSERT INTO question(query, at, next_at) VALUES(?, ?, ?)
                   ON CONFLICT DO NOTHING""",
                [query, now, now],
            )
        return True

    def question(self, query: str) -> Question | None:
        """What was noted for arXiv, with its answer where there is one."""
        return self._db.first(Question, "SELECT * FROM question WHERE query = ?", [query])

    def wanted(self, now: datetime) -> list[str]:
        """What arXiv is to be asked now, the oldest first."""
        return self._db.column(
            """SELECT query FROM question WHERE answered_at IS NULL AND next_at <= ? AND at > ?
               ORDER BY at, query""",
            [now, now - TRIED],
        )

    def answer(self, query: str, papers: int, titles: Sequence[str], now: datetime) -> None:
        """Write how many papers arXiv had, and the titles of the newest."""
        self._db.write(
            "UPDATE question SET answered_at = ?, papers = ?, titles = ? WHERE query = ?",
            [now, papers, json.dumps(titles, ensure_ascii=False), query],
        )

    def fail(self, query: str, now: datetime) -> None:
        """Write that arXiv gave no answer."""
        self._db.write(
            "UPDATE question SET answered_at = ?, failed = 1 WHERE query = ?", [now, query]
        )

    def put_off(self, now: datetime) -> None:
        """Let all questions wait, since arXiv could not be asked."""
        self._db.write("UPDATE question SET next_at = ? WHERE answered_at IS NULL", [now + AGAIN])

    def let_go(self, now: datetime) -> bool:
        """Let go of one feed's day that is old, or then of old questions; true where more may be
        left.
        """
        first = (now - KEPT).date() - timedelta(days=1)  # New York's date may be the one before
        # A wrong clock may have dated it.
        last = (now + TRIED).date()
        old = self._db.row(
            "SELECT day, feed FROM announced WHERE day < ? OR day > ? LIMIT 1", [first, last]
        )
        if old is None:
            _drop_questions(self._db, now)
            return False
        self._db.write("DELETE FROM announced WHERE day = :day AND feed = :feed", old)
        return True


def _drop_questions(database: Database, now: datetime) -> None:
    """Let go of old answers, and of what was not answered in time."""
    database.write(
        """DELETE FROM question WHERE COALESCE(answered_at, at) < :old
               OR (at < :late AND (answered_at IS NULL OR failed = 1))""",
        {"old": now - KEPT, "late": now - TRIED},
    )


def _packed(papers: Sequence[Paper]) -> bytes:
    rows = [
        columns_of(paper)
        | {
            "authors": json.dumps(paper.authors),
            "categories": json.dumps(paper.categories),
            "published": to_text(paper.published),
            "updated": to_text(paper.updated),
        }
        for paper in papers
    ]
    return pack((json.dumps(rows).encode(),))
