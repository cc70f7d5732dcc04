"""What digests say: each digest's value, kept, and its body, which lasts as long as a delivery of
it is on its way.

A content is a digest as one program with one set of templates renders it; all its readers share it.
The body is there from the moment at which a delivery is queued until none is open any more, and is
written only where there is none: so one Message-ID never carries two bodies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from digest.model import Paper
from digest.store.database import Concern, Database
from digest.store.papers import load_papers
from digest.store.rows import OPEN_STATES, unpack

STEP = 500
"""Bodies that are let go in one transaction …"""
FORGOTTEN_AT_ONCE = 200
"""… and digests of which nothing is to be left; a body of theirs has up to 90 kB."""
HAS_ENDED = f"""NOT EXISTS (
    SELECT 1 FROM delivery d WHERE d.content = body.content AND d.state IN {OPEN_STATES})"""
"""Whether nobody waits for a body any more."""


@dataclass(frozen=True, slots=True)
class Content:
    """A digest as it is kept. `key` tells it from all others: equal digests that are rendered in
    the same way have the same. `digest` is the value of which it can be rendered again, "" where
    there is none; `body` is that of Outgoing, packed (see rows.pack). `papers` are the base ids in
    the order of the papers' numbers, where they have such.
    """

    key: str
    subject: str
    digest: str
    body: bytes
    papers: tuple[str, ...] = ()

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """The body as an Outgoing has it."""
        return unpack(self.body)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of the digest of a delivery: its value, its papers as they are known now, by
    their ids, and the versions in which it names them.
    """

    key: str
    digest: str
    papers: dict[str, Paper]
    versions: dict[str, int]


class Bodies(Concern):
    """The contents of digests."""

    def stored(self, key: str) -> Content | None:
        """The content with this key, where an equal digest is on its way; without its body it is
        to be rendered again.
        """
        return self._db.first(
            Content,
            """SELECT c.key, c.subject, c.digest, b.pieces AS body
               FROM content c JOIN body b ON b.content = c.id WHERE c.key = ?""",
            [key],
        )

    def numbered(self, key: str) -> tuple[str, ...]:
        """The base ids of the papers of the content with this key, in the order of their numbers;
        nothing where there is no such content, or they have none.
        """
        ids: list[str] = self._db.column(
            """SELECT cp.paper FROM content c JOIN content_paper cp ON cp.content = c.id
               WHERE c.key = ? AND cp.number > 0 ORDER BY cp.number""",
            [key],
        )
        return tuple(ids)

    def kept(self, delivery: int) -> Kept | None:
        """What the digest of a delivery was; None where no value of it is kept, or there is no such
        delivery.
        """
        content = self._db.number("SELECT content FROM delivery WHERE id = ?", [delivery])
        return kept_content(self._db, content)

    def let_go(self) -> Iterator[int]:
        """Delete the bodies that nobody waits for and that can be rendered again, in small
        transactions, and yield after each how many went.

        It looks at each body that is still there once, whatever the number of readers.
        """
        last = 0
        while chosen := self._db.column(_PASSING, {"last": last, "most": STEP}):
            with self._db.transaction():
                gone = self._db.write(
                    f"DELETE FROM body WHERE content IN many(?) AND {HAS_ENDED}", [chosen]
                )
            last = chosen[-1]
            yield gone


_PASSING = f"""
    SELECT content FROM body
    WHERE lasting = 0 AND content > :last AND {HAS_ENDED} ORDER BY content LIMIT :most"""


def keep(database: Database, content: Content, papers: Iterable[tuple[str, int, bool]]) -> int:
    """The number of a content, written where there is none with its key, and its body beside it;
    belongs into the transaction that queues a delivery of it.

    `papers` are those that a new one carries: the id, the version, and whether as a new version.
    """
    number = database.number("SELECT id FROM content WHERE key = ?", [content.key])
    if not number:
        number = database.number(
            "INSERT INTO content(key, subject, digest) VALUES(?, ?, ?) RETURNING id",
            [content.key, content.subject, content.digest],
        )
        places = {paper: place for place, paper in enumerate(content.papers, 1)}
        database.write_many(
            """INSERT INTO content_paper(content, paper, version, revised, number)
               VALUES(?, ?, ?, ?, ?)""",
            [[number, *paper, places.get(paper[0], 0)] for paper in papers],
        )
    # Where there is one, somebody may have been sent it, and may be sent it again.
    database.write(
        """INSERT INTO body(content, pieces, lasting) VALUES(?, ?, ?)
           ON CONFLICT(content) DO NOTHING""",
        [number, content.body, content.digest == ""],
    )
    return number


def kept_content(database: Database, content: int) -> Kept | None:
    """What the digest of a content was; None where no value of it is kept."""
    row = database.row("SELECT key, digest FROM content WHERE id = ? AND digest <> ''", [content])
    if row is None:
        return None
    versions = {paper: version for paper, version, _ in papers_of(database, content)}
    return Kept(row["key"], row["digest"], load_papers(database, [*versions]), versions)


def papers_of(database: Database, content: int) -> list[tuple[str, int, bool]]:
    """What `keep` is to be told of the papers of a content."""
    rows = database.rows(
        "SELECT paper, version, revised FROM content_paper WHERE content = ?", [content]
    )
    return [(row["paper"], row["version"], bool(row["revised"])) for row in rows]


def delete(database: Database, contents: list[int]) -> None:
    """Delete contents that no delivery names any more, with all that hangs on them."""
    for table, column in (("body", "content"), ("content_paper", "content"), ("content", "id")):
        database.write(f"DELETE FROM {table} WHERE {column} IN many(?)", [contents])


def forget(database: Database, before: datetime) -> Iterator[None]:
    """Let go of what digests said whose deliveries all ended before a moment, for good: their
    values, and bodies that lasted without one. Yields after each small transaction.
    """
    for number, held, let_go in _SAID:
        ended = _ENDED_BEFORE.format(number)
        last = 0
        while chosen := database.column(
            f"""SELECT {number} FROM {held} AND {number} > :last AND {ended}
                ORDER BY {number} LIMIT :most""",
            {"last": last, "before": before, "most": FORGOTTEN_AT_ONCE},
        ):
            with database.transaction():
                database.write(
                    f"{let_go} WHERE {number} IN many(:chosen) AND {ended}",
                    {"chosen": chosen, "before": before},
                )
            last = chosen[-1]
            yield


_SAID = (
    ("body.content", "body WHERE body.lasting = 1", "DELETE FROM body"),
    ("content.id", "content WHERE content.digest <> ''", "UPDATE content SET digest = ''"),
)
"""What a digest says stands in two places: the column of its number, how it is found there, and how
it goes."""

_ENDED_BEFORE = f"""NOT EXISTS (
    SELECT 1 FROM delivery d WHERE d.content = {{0}}
        AND (d.state IN {OPEN_STATES} OR COALESCE(d.ended_at, d.queued_at) >= :before))"""
