"""What a model says of papers: each summary once for all its readers, and why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from digest.model import Paper
from digest.store.database import Concern, Database
from digest.store.due import NO_END, WITHIN
from digest.store.papers import load_papers
from digest.store.relay import Relay

ATTEMPTS = 2
"""So often a model is asked for a paper's summary."""


@dataclass(frozen=True, slots=True)
class Manner:
    """By whom and how summaries are written: the model, the version of what it is told, and the
    language, a BCP 47 tag.
    """

    model: str
    prompt: str
    language: str


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a summary, and when: the `text`, "" where there is none, and `why`, by which
    `model`.
    """

    model: str
    text: str
    why: str
    at: datetime


class Summaries(Concern):
    """The summaries of papers, and how their endpoint is."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        # The endpoint rests as a mail server does, and its days are counted as messages are.
        self.endpoint = Relay(database, "llm", guesses=True)
        self.tokens = Relay(database, "llm tokens", guesses=False)

    def want(
        self, addresses: Sequence[str], manner: Manner, now: datetime
    ) -> list[tuple[Paper, int]]:
        """The papers for which a model may still be asked, and how often: those that are new in the
        logs of these readers, and that no digest of theirs has accounted for. Those that were asked
        for least often come first, then those that came last.

        Each is noted, so that it can be told that it has no summary.
        """
        rows = self._db.rows(
            _WANTED, _named(manner) | {"addresses": list(addresses), "no_end": NO_END}
        )
        with self._db.transaction():
            self._db.write_many(
                """INSERT INTO summary(paper, version, model, prompt, language, at)
                   VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING""",
                [
                    [row["id"], row["version"], manner.model, manner.prompt, manner.language, now]
                    for row in rows
                    if row["attempts"] is None
                ],
            )
        papers = load_papers(self._db, [row["id"] for row in rows])
        left = {row["id"]: ATTEMPTS - (row["attempts"] or 0) for row in rows}
        return [(papers[paper], number) for paper, number in left.items() if number > 0]

    def keep(self, paper: Paper, manner: Manner, text: str, now: datetime) -> None:
        """Keep the summary of a paper."""
        self._db.write(
            f"UPDATE summary SET text = :text, why = '', at = :now WHERE {_THIS}",
            _named(manner, paper) | {"text": text, "now": now},
        )

    def refuse(
        self, paper: Paper, manner: Manner, why: str, now: datetime, *, attempts: int = 0
    ) -> None:
        """Note why a paper has no summary; so many `attempts` are used up."""
        self._db.write(
            f"""UPDATE summary SET why = :why, at = :now, attempts = attempts + :attempts
                WHERE {_THIS} AND text = ''""",
            _named(manner, paper) | {"why": why, "now": now, "attempts": attempts},
        )

    def put_off(self, papers: Sequence[Paper], manner: Manner, why: str, now: datetime) -> None:
        """Note why papers that were not asked for have no summary yet."""
        with self._db.transaction():
            for paper in papers:
                self.refuse(paper, manner, why, now)

    def of(self, versions: Mapping[str, int], manner: Manner) -> dict[str, str]:
        """The summaries of papers in these versions, by base id."""
        rows = self._db.rows(
            """SELECT paper, version, text FROM summary
               WHERE paper IN many(:papers) AND model = :model AND prompt = :prompt
                   AND language = :language AND text <> ''""",
            _named(manner) | {"papers": list(versions)},
        )
        return {
            row["paper"]: row["text"] for row in rows if versions[row["paper"]] == row["version"]
        }

    def told(self, paper: str, version: int, prompt: str, language: str) -> Told | None:
        """What came last of a paper's summary; None where nobody wanted one."""
        found = self._db.all(
            Told,
            """SELECT model, text, why, at FROM summary WHERE paper = ? AND version = ?
                   AND prompt = ? AND language = ?""",
            [paper, version, prompt, language],
        )
        return max(found, key=lambda told: (told.at, told.model), default=None)

    def new_since(self, addresses: Sequence[str], moment: datetime) -> int:
        """How many papers runs found new for these readers since a moment."""
        return self._db.number(
            """SELECT COUNT(DISTINCT m.paper) FROM subscriber r
               JOIN subscription s ON s.subscriber = r.id
               JOIN seen m ON m.query = s.query JOIN run n ON n.id = m.run
               WHERE lower(r.address) IN many(?) AND n.started_at >= ?
                   AND m.kind IN ('new', 'late') AND m.listed = 0""",
            [[address.lower() for address in addresses], moment],
        )

    def since(self, moment: datetime) -> tuple[int, Counter[str]]:
        """Of the papers looked at since a moment: how many have a summary, and how many have none,
        by the reason.
        """
        rows = self._db.rows(
            """SELECT text <> '' AS has_text, why, COUNT(*) AS number FROM summary
               WHERE at >= ? GROUP BY 1, 2""",
            [moment],
        )
        without = Counter({row["why"]: row["number"] for row in rows if not row["has_text"]})
        return sum(row["number"] for row in rows if row["has_text"]), without


def drop_summaries(database: Database, before: datetime, most: int) -> int:
    """Let at most so many summaries go that were last touched before a moment; returns how many."""
    return database.write(
        """DELETE FROM summary WHERE (paper, version, model, prompt, language) IN (
               SELECT paper, version, model, prompt, language FROM summary WHERE at < ? LIMIT ?)""",
        [before, most],
    )


def _named(manner: Manner, paper: Paper | None = None) -> dict[str, object]:
    named: dict[str, object] = {
        "model": manner.model,
        "prompt": manner.prompt,
        "language": manner.language,
    }
    return named | {"paper": paper.id, "version": paper.version} if paper else named


_THIS = (
    "paper = :paper AND version = :version AND model = :model AND prompt = :prompt"
    " AND language = :language"
)

_WANTED = f"""
    SELECT p.id, p.version, a.attempts, MAX(m.seq) AS seq
    FROM subscriber r
    JOIN subscription s ON s.subscriber = r.id AND s.start IS NOT NULL
    JOIN seen m ON m.query = s.query AND {WITHIN.format("GREATEST(s.start, s.position)")}
    JOIN paper p ON p.id = m.paper
    LEFT JOIN summary a ON a.paper = p.id AND a.version = p.version AND a.model = :model
        AND a.prompt = :prompt AND a.language = :language
    WHERE lower(r.address) IN many(:addresses) AND r.gone = 0 AND r.away = 0
        AND m.kind IN ('new', 'late') AND m.listed = 0 AND p.abstract <> ''
        AND (a.text IS NULL OR a.text = '')
    GROUP BY p.id, p.version, a.attempts
    ORDER BY COALESCE(a.attempts, 0), seq DESC"""
