"""What readers say besides the subscribers file: the papers that they like, their libraries, and
what they agreed to. None of it changes which papers come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime

from digest.errors import UsageError
from digest.model import Paper
from digest.store.database import Concern, Database
from digest.store.naming import MARK
from digest.store.papers import load_papers
from digest.store.rows import from_text, moment_or_none
from digest.times import to_text

LIBRARY_PAPERS = 5_000
LIBRARY_BYTES = 10_000_000
"""How much one reader's library may hold: so many papers, and so many bytes of text (UTF-8)."""
ZOTERO_REST = "zotero_rest"
"""Meta key: the moment before which nobody is to ask Zotero."""


@dataclass(frozen=True, slots=True)
class LibraryPaper:
    """A paper in a reader's own library. `id`: what the reader's program knows it by, such as an
    arXiv id or a DOI; `source`: the item of the reader's field `library` that it comes from, ""
    where it was imported; `mark` says what that item held. `arxiv`: the id is one of arXiv's, which
    has been `asked` for what is missing or not. Without a title it is not known yet what it is.
    """

    id: str
    title: str
    abstract: str
    source: str = ""
    mark: str = ""
    asked: bool = False
    arxiv: bool = False

    @property
    def size(self) -> int:
        """The bytes of its texts."""
        return sum(len(text.encode()) for text in (self.id, self.title, self.abstract))


@dataclass(frozen=True, slots=True)
class Offered:
    """The papers in a mail for which its reader can say that they want more like them: their base
    ids, by their numbers there. The reader made older `links` worthless so often.
    """

    reader: int
    links: int
    papers: dict[int, str]


@dataclass(frozen=True, slots=True)
class Consent:
    """What a reader agreed to, in the words that were shown, when (UTC), and from which network,
    shortened.
    """

    words: str
    at: datetime
    place: str = ""


class Preferences(Concern):
    """Likes, libraries and consents, by the reader's number. Whoever names a reader that the
    database does not know, such as one who was forgotten meanwhile, changes nothing.
    """

    def offered(self, delivery: int) -> Offered | None:
        """What the mail of a delivery offers; None where it offers nothing, or is no longer
        kept.
        """
        rows = self._db.rows(
            """SELECT d.subscriber, r.links, cp.number, cp.paper
               FROM delivery d JOIN content_paper cp ON cp.content = d.content
               JOIN subscriber r ON r.id = d.subscriber
               WHERE d.id = ? AND cp.number > 0""",
            [delivery],
        )
        papers = {row["number"]: row["paper"] for row in rows}
        return Offered(rows[0]["subscriber"], rows[0]["links"], papers) if rows else None

    def like(self, reader: int, paper: str, now: datetime) -> bool:
        """Note that a reader likes a paper, by its base id; false where the database does not know
        the one or the other, or keeps no likes since strangers may see it.
        """
        with self._db.transaction():
            self._db.note_time(now)
            return note_like(self._db, reader, paper, now)

    def unlike(self, reader: int, paper: str) -> bool:
        """Take a like back; false where there was none."""
        return bool(
            self._db.write("DELETE FROM liked WHERE subscriber = ? AND paper = ?", [reader, paper])
        )

    def liked(self, reader: int) -> dict[str, datetime]:
        """The papers that a reader likes, by base id, and since when; the latest last."""
        rows = self._db.rows(
            "SELECT paper, at FROM liked WHERE subscriber = ? ORDER BY at, paper", [reader]
        )
        return {row["paper"]: from_text(row["at"]) for row in rows}

    def liked_papers(self, reader: int) -> list[Paper]:
        """The papers that a reader likes, as they are kept, by id."""
        found = load_papers(self._db, list(self.liked(reader)))
        return [found[paper] for paper in sorted(found)]

    def readers(self) -> list[int]:
        """Who has a library, or likes a paper."""
        return self._db.column(
            """SELECT r.id FROM subscriber r WHERE r.gone = 0
                   AND (EXISTS (SELECT 1 FROM library l WHERE l.subscriber = r.id)
                       OR EXISTS (SELECT 1 FROM liked l WHERE l.subscriber = r.id))"""
        )

    def replace_library(self, reader: int, papers: Sequence[LibraryPaper], now: datetime) -> bool:
        """Put these papers in the place of a reader's library, whole; of those with one id
        from one source the last counts. False where there is no such reader.

        Raises UsageError where they are more than a library may hold; then nothing changed.
        """
        held = {(paper.source, paper.id): paper for paper in papers}.values()
        size = sum(paper.size for paper in held)
        if len(held) > LIBRARY_PAPERS or size > LIBRARY_BYTES:
            raise UsageError(
                f"the library has {len(held)} papers in {size / 1e6:.1f} MB",
                remedy=f"take at most {LIBRARY_PAPERS} papers and {LIBRARY_BYTES / 1e6:.0f} MB",
            )
        with self._db.transaction():
            if not self._db.value("SELECT 1 FROM subscriber WHERE id = ?", [reader]):
                return False
            self._db.write("DELETE FROM library WHERE subscriber = ?", [reader])
            self._db.write_many(
                """INSERT INTO library(subscriber, at, id, title, abstract, source, mark, asked,
                       arxiv)
                   VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                [[reader, now, *astuple(paper)] for paper in held],
            )
        return True

    def papers_of_library(self, reader: int) -> list[LibraryPaper]:
        """The papers of a reader's library of which it is known what they are, each once."""
        known = {paper.id: paper for paper in self.rows_of_library(reader) if paper.title}
        return list(known.values())

    def rows_of_library(self, reader: int) -> list[LibraryPaper]:
        """All that is kept of a reader's library, by id; one paper may come from several
        sources.
        """
        return self._db.all(
            LibraryPaper,
            """SELECT id, title, abstract, source, mark, asked, arxiv FROM library
               WHERE subscriber = ? ORDER BY id, source""",
            [reader],
        )

    def marks_of_library(self, reader: int) -> dict[str, str]:
        """The mark of each source of a reader's library, by its first paper; cheaper by far than
        the papers.
        """
        marks: dict[str, str] = {}
        last = ""
        while row := self._db.row(
            """SELECT source, mark FROM library
               WHERE subscriber = ? AND source > ? ORDER BY source, id LIMIT 1""",
            [reader, last],
        ):
            last = row["source"]
            marks[last] = row["mark"]
        return marks

    def kept_of_library_since(self, reader: int) -> datetime | None:
        """When a reader's library was read last with anything new in it."""
        return moment_or_none(
            self._db.value("SELECT max(at) FROM library WHERE subscriber = ?", [reader])
        )

    def own_papers(self) -> dict[str, tuple[int, int]]:
        """How many papers each reader has, by address in lower case: in the library, and liked."""
        rows = self._db.rows(
            """SELECT lower(r.address) AS address,
                   (SELECT COUNT(DISTINCT l.id) FROM library l
                    WHERE l.subscriber = r.id AND l.title <> '') AS held,
                   (SELECT COUNT(*) FROM liked l WHERE l.subscriber = r.id) AS liked
               FROM subscriber r WHERE r.id IN many(?)""",
            [self.readers()],
        )
        return {row["address"]: (row["held"], row["liked"]) for row in rows}

    def readers_with_library(self) -> dict[str, int]:
        """The numbers of the readers of whose files something is kept, by address in lower case."""
        numbers = self._db.column("SELECT DISTINCT subscriber FROM library WHERE source <> ''")
        rows = self._db.rows(
            "SELECT lower(address) AS address, id FROM subscriber WHERE id IN many(?)", [numbers]
        )
        return {row["address"]: row["id"] for row in rows}

    def number_of(self, address: str) -> int | None:
        """The number of the reader with this address; None where the database knows none."""
        number: int | None = self._db.value(
            "SELECT id FROM subscriber WHERE lower(address) = lower(?)", [address]
        )
        return number

    def on_record(self, ids: Sequence[str]) -> dict[str, Paper]:
        """Those of these papers that the database knows with their abstracts."""
        papers = load_papers(self._db, list(ids))
        return {name: paper for name, paper in papers.items() if paper.abstract}

    def unasked(self, most: int) -> list[str]:
        """Some arXiv ids of papers in libraries that lack a title or an abstract, and for which
        arXiv has not been asked yet.
        """
        ids: list[str] = self._db.column(
            """SELECT DISTINCT id FROM library
               WHERE asked = 0 AND abstract = '' AND arxiv = 1 ORDER BY id LIMIT ?""",
            [most],
        )
        return ids

    def note_answer(self, ids: Sequence[str], papers: Sequence[Paper]) -> None:
        """Note what arXiv said when it was asked for these papers; of some it may know nothing."""
        with self._db.transaction():
            self._db.write_many(
                """UPDATE library SET abstract = ?,
                       title = CASE WHEN title = '' THEN ? ELSE title END
                   WHERE id = ? AND abstract = ''""",
                [[paper.abstract, paper.title, paper.id] for paper in papers],
            )
            self._db.write("UPDATE library SET asked = 1 WHERE id IN many(?)", [list(ids)])

    def zotero_rests_until(self) -> datetime | None:
        """The moment before which nobody is to ask Zotero."""
        return moment_or_none(self._db.meta(ZOTERO_REST))

    def let_zotero_rest(self, until: datetime) -> None:
        """Note that Zotero is in trouble, or asked to be left alone."""
        self._db.set_meta(ZOTERO_REST, to_text(until))

    def agree(self, reader: int, words: str, now: datetime) -> bool:
        """Note that a reader agreed to something, in the words that were shown; what they agreed to
        before stays. False where there is no such reader.
        """
        with self._db.transaction():
            self._db.note_time(now)
            changed = self._db.write(
                """INSERT INTO consent(subscriber, words, at)
                   SELECT id, ?, ? FROM subscriber WHERE id = ?""",
                [words, now, reader],
            )
        return changed > 0

    def consent(self, reader: int) -> Consent | None:
        """What a reader agreed to last."""
        return self._db.first(
            Consent,
            "SELECT words, at, place FROM consent WHERE subscriber = ? ORDER BY id DESC LIMIT 1",
            [reader],
        )


def note_like(database: Database, reader: int, paper: str, now: datetime) -> bool:
    """See Preferences.like."""
    if database.meta(MARK):
        return False
    # What is liked already stays as it is, and counts as a changed row all the same.
    return bool(
        database.write(
            """INSERT INTO liked(subscriber, paper, at)
               SELECT r.id, p.id, :now FROM subscriber r, paper p
               WHERE r.id = :reader AND p.id = :paper
               ON CONFLICT(subscriber, paper) DO UPDATE SET at = liked.at""",
            {"reader": reader, "paper": paper, "now": now},
        )
    )
