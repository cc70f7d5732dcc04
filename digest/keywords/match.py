"""Matches papers with queries: a private in-memory FTS5 index answers the leaves, Python
the rest.

arXiv's search stems the words of titles and abstracts, ignores case and hyphens, and compares
comments, journal references and authors as they are written; FTS5's `porter unicode61` tokenizer
agrees with it on real windows, given words as arXiv's index cuts them (keywords/standard.py).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import cache, lru_cache
from itertools import product

from digest.errors import ConfigError
from digest.keywords.accents import decode_all_accents
from digest.keywords.categories import in_categories
from digest.keywords.grammar import And, Node, Or
from digest.keywords.standard import whole_names, whole_words, with_signs, without_possessives
from digest.keywords.tokens import Term
from digest.model import Paper

PLAIN = "unicode61 remove_diacritics 2"
_STEMMED = f"porter {PLAIN}"
_STEMMED_COLUMNS = ("title", "abstract")
_AUTHORS = ("authors",)
_OTHER_COLUMNS = ("comment", "journal_ref", *_AUTHORS)
_COLUMNS: dict[str, tuple[tuple[str, ...], ...]] = {
    "cat": (),
    "ti": (("title",),),
    "abs": (("abstract",),),
    "co": (("comment",),),
    "jr": (("journal_ref",),),
    "au": (_AUTHORS,),
    "all": (_STEMMED_COLUMNS, ("comment", "journal_ref"), _AUTHORS),
}
"""Where the terms of a field are looked for: groups of columns, each of one way to compare."""
_LONGEST_NAME = 5  # words of a name of which every hyphen is tried
# A private-use character is a token of its own to unicode61, and no query may contain one: no
# phrase reaches from one author's name into the next one's.
_BETWEEN_AUTHORS = " \ue000 "
# What `remove_diacritics` leaves as it is, and people write without.
_PLAIN_LETTERS = str.maketrans(
    dict(zip("øØłŁßæÆœŒđı", "o O l L ss ae AE oe OE d i".split(), strict=True))
)
_NO_QUOTES = str.maketrans({'"': " ", "\0": " "})


class Matcher(AbstractContextManager["Matcher"]):
    """An index over some papers that says which of them a query matches.

    Words of titles and abstracts match by their stem; those of authors, comments and journal
    references, and `word*`, as they are written. Accents and punctuation between words do not
    count, so that `au:del_maestro` is the phrase "del maestro". An author's name is found in either
    order, by surname and initial (`au:"lovelace a"`), and with its hyphens as blanks. `cat:`
    compares whole categories, primary or not: as on arXiv, `cat:cs` alone matches nothing and
    `cat:cs.*` matches every subject class of cs. `all:` looks through all of these. Use it as a
    context manager, or call `close`.
    """

    def __init__(self, papers: Iterable[Paper]) -> None:
        self._papers = list(papers)
        self._answers: dict[Term, frozenset[str]] = {}
        self._database = sqlite3.connect(":memory:")
        self._indexes: set[str] = set()

    def match(self, node: Node) -> set[str]:
        """The base ids of the papers that a parsed query matches."""
        if isinstance(node, Term):
            return set(self._leaf(node))
        left = self.match(node.left)
        if isinstance(node, Or):
            return left | self.match(node.right)
        # Nothing can be added to it: AND and ANDNOT only take away.
        if not left:
            return left
        return (
            left & self.match(node.right)
            if isinstance(node, And)
            else left - self.match(node.right)
        )

    def close(self) -> None:
        """Free the index."""
        self._database.close()

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _leaf(self, term: Term) -> frozenset[str]:
        if term not in self._answers:
            self._answers[term] = frozenset(self._found(term))
        return self._answers[term]

    def _found(self, term: Term) -> set[str]:
        found: set[str] = set()
        if term.field in ("cat", "all"):
            found |= self._in_categories(term)
        for columns in _COLUMNS[term.field]:
            found |= self._in_index(columns, term)
        return found

    def _in_index(self, columns: tuple[str, ...], term: Term) -> set[str]:
        """Ask FTS5 for a phrase."""
        stemmed = columns[0] in _STEMMED_COLUMNS and not term.prefix
        table = "stemmed" if stemmed else "written" if columns[0] in _STEMMED_COLUMNS else "other"
        self._fill(table)
        if columns == _AUTHORS:
            phrases = names_sought(term)
        else:
            phrases = [(for_stems if stemmed else as_written)(term.text)]
        rows = self._database.execute(
            f"SELECT rowid FROM {table} WHERE {table} MATCH ?",
            (in_columns(columns, phrases, prefix=term.prefix),),
        )
        return {self._papers[row].id for (row,) in rows}

    def _fill(self, table: str) -> None:
        """Make an index when it is asked for the first time; most queries ask few of them."""
        if table in self._indexes:
            return
        tokenizer, columns, made = _INDEXES[table]
        names = ", ".join(columns)
        _make_index(self._database, table, names, tokenizer)
        self._database.executemany(
            f"INSERT INTO {table}(rowid, {names}) VALUES (?{', ?' * len(columns)})",
            ((row, *made(paper)) for row, paper in enumerate(self._papers)),
        )
        self._indexes.add(table)

    def _in_categories(self, term: Term) -> set[str]:
        named = term.text + "*" * term.prefix
        return {paper.id for paper in self._papers if in_categories(paper.categories, (named,))}


def _make_index(database: sqlite3.Connection, table: str, columns: str, tokenizer: str) -> None:
    """Raises ConfigError where this Python's SQLite was built without FTS5."""
    try:
        database.execute(
            f"CREATE VIRTUAL TABLE {table} "
            f"USING fts5({columns}, content='', tokenize='{tokenizer}')"
        )
    except sqlite3.OperationalError as error:
        raise ConfigError(
            f"SQLite {sqlite3.sqlite_version} of this Python cannot search texts ({error})",
            remedy="use a Python whose SQLite has FTS5, as those of python.org and Debian do",
        ) from error


@cache
def _cutter(tokenizer: str) -> sqlite3.Connection:
    """An index of nothing, kept for its tokenizer; to make one takes ten times what it is used
    for.
    """
    database = sqlite3.connect(":memory:", check_same_thread=False)
    _make_index(database, "cut", "text", tokenizer)
    database.execute("CREATE VIRTUAL TABLE words USING fts5vocab(cut, instance)")
    return database


_CUTTER_LOCK = threading.Lock()


def cut(text: str, *, stemmed: bool) -> list[str]:
    """The words of a text that was made ready for the index, as they are compared there."""
    with _CUTTER_LOCK, _cutter(_STEMMED if stemmed else PLAIN) as database:
        database.execute("INSERT INTO cut(rowid, text) VALUES (1, ?)", (text,))
        found = database.execute("SELECT term FROM words ORDER BY offset").fetchall()
        # An index without content is not deleted from, only emptied.
        database.execute("INSERT INTO cut(cut) VALUES ('delete-all')")
    return [term for (term,) in found]


def stems(text: str) -> list[str]:
    """The stems of a text's words, as titles and abstracts are compared by them."""
    return [with_signs(term) for term in cut(for_stems(text), stemmed=True)]


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The stem of one word; what search takes for none or several stays as it is."""
    found = stems(word)
    return found[0] if len(found) == 1 else word


def for_stems(text: str) -> str:
    """A text made ready for an index in which words are compared by their stems."""
    return whole_words(without_possessives(searchable(text)))


def as_written(text: str) -> str:
    """A text made ready for an index in which words are compared as they are written."""
    return whole_words(searchable(text))


def _stemmed_texts(paper: Paper) -> tuple[str, ...]:
    """A paper's columns whose words are compared by their stems."""
    return (for_stems(paper.title), for_stems(paper.abstract))


def texts(paper: Paper) -> tuple[str, ...]:
    """A paper's title, abstract, comment, journal reference and authors as they are written."""
    return (*_written_texts(paper), *_other_texts(paper))


def _written_texts(paper: Paper) -> tuple[str, ...]:
    return (as_written(paper.title), as_written(paper.abstract))


def _other_texts(paper: Paper) -> tuple[str, ...]:
    """A name stands there twice and with its initial after it: all its orders in one phrase."""
    authors = _BETWEEN_AUTHORS.join(f"{name} {name} {name.strip()[:1]}" for name in paper.authors)
    plain = (paper.comment, paper.journal_ref)
    return (*map(as_written, plain), whole_names(searchable(authors)))


_INDEXES: dict[str, tuple[str, tuple[str, ...], Callable[[Paper], tuple[str, ...]]]] = {
    "stemmed": (_STEMMED, _STEMMED_COLUMNS, _stemmed_texts),
    "written": (PLAIN, _STEMMED_COLUMNS, _written_texts),
    "other": (PLAIN, _OTHER_COLUMNS, _other_texts),
}
"""The indexes: how words are cut there, their columns, and how a paper's are made."""


def in_columns(columns: Iterable[str], phrases: Iterable[str], *, prefix: bool) -> str:
    """What FTS5 is asked for one of these phrases in one of the columns; inside its quotes nothing
    but a quote has a meaning.
    """
    star = " *" if prefix else ""
    sought = " OR ".join(f'"{phrase.translate(_NO_QUOTES)}"{star}' for phrase in phrases)
    return f"{{{' '.join(columns)}}} : ({sought})"


def names_sought(term: Term) -> list[str]:
    """The ways in which a name that is sought may be written, made ready for the index."""
    text = searchable(term.text)
    # `all:` does not take a name apart: that is for au:, and for whoever writes a hyphen.
    return spellings_of_name(text) if term.field == "au" else [whole_names(text)]


def spellings_of_name(text: str) -> list[str]:
    """A name with each of its blanks and hyphens as either: to arXiv `Levi-Civita` is one word."""
    words = text.replace("-", " ").replace("_", " ").split() or [""]
    if len(words) > _LONGEST_NAME:
        return [whole_names(text)]
    return [
        whole_names(words[0] + "".join(map("".join, zip(signs, words[1:], strict=True))))
        for signs in product(" -", repeat=len(words) - 1)
    ]


def searchable(text: str) -> str:
    """Turn TeX's accents into Unicode's, which `remove_diacritics` sees to, and take out what UTF-8
    cannot hold.

    arXiv searches titles and abstracts in their Unicode form (arxiv-search, its transform of
    `abstract_utf8`).
    """
    if "\\" in text:
        text = decode_all_accents(text)
    return text.translate(_PLAIN_LETTERS).encode("utf-8", "replace").decode()
