"""An index for many papers: what of each is written into it, and what it is asked so that it finds
each paper that a query matches, and few others. Of these keywords/match.py decides.

It has one way to cut texts, `TOKENIZER`, and one column for each part of a paper: of titles and
abstracts the stems; beside them, for `word*`, the words as they are written, where they are no
stems.
"""

from __future__ import annotations

import re

from digest.keywords.grammar import And, AndNot, Node, operands
from digest.keywords.match import (
    PLAIN,
    as_written,
    cut,
    for_stems,
    in_columns,
    names_sought,
    texts,
)
from digest.keywords.tokens import Term
from digest.model import Paper

FORM = 1
"""Another number for each other way to write the same paper into the index."""
TOKENIZER = PLAIN
COLUMNS = ("title", "abstract", "written", "comment", "journal_ref", "authors", "categories")
ANY = ""
"""What is asked where the index cannot tell: any paper may match."""
SHORTEST = 3
"""Letters of `word*` from which on the index is asked: it would join long lists for fewer, with
which most papers have a word."""
_WORDY = {"ti": ("title",), "abs": ("abstract",), "all": ("title", "abstract")}
_WRITTEN = {"co": ("comment",), "jr": ("journal_ref",), "all": ("comment", "journal_ref")}
_NAMED, _CLASSED = ("au", "all"), ("cat", "all")
_CATEGORY = re.compile(r"[a-z0-9.-]+")
# Letters to unicode61: so a category is one word, and ends with what no longer one goes on with.
_DOT, _HYPHEN, _END = "\ue003\ue007\ue010"
_IN_CATEGORY = str.maketrans({".": _DOT, "-": _HYPHEN})


def columns_of(paper: Paper) -> tuple[str, ...]:
    """A paper's texts for COLUMNS."""
    title, abstract = (cut(for_stems(t), stemmed=True) for t in (paper.title, paper.abstract))
    *written, comment, journal_ref, authors = texts(paper)
    words = set(cut(" ".join(written), stemmed=False)).difference(title, abstract)
    categories = list(map(_category, paper.categories))
    # For `cat:cs.*`.
    archives = {name[: name.find(_DOT) + 1] for name in categories} - {""}
    classed = [f"{name}{_END}" for name in (*categories, *sorted(archives))]
    lists = (title, abstract, sorted(words))
    return (*map(" ".join, lists), comment, journal_ref, authors, " ".join(classed))


def asked(node: Node) -> str:
    """What FTS5 is asked for all papers that a query matches; ANY where it cannot tell."""
    if isinstance(node, Term):
        is_short = node.prefix and node.field != "cat" and len(node.text) < SHORTEST
        return ANY if is_short else " OR ".join(_parts(node))
    if isinstance(node, AndNot):
        return asked(node.left)
    parts = [asked(part) for part in operands(node)]
    if isinstance(node, And):
        return " AND ".join(f"({part})" for part in parts if part)
    return " OR ".join(f"({part})" for part in parts) if all(parts) else ANY


def _parts(term: Term) -> list[str]:
    """What a term asks of each part of a paper in which it may stand."""
    found = []
    if columns := _WORDY.get(term.field):
        if term.prefix:
            found.append(in_columns((*columns, "written"), [as_written(term.text)], prefix=True))
        else:
            stems = " ".join(cut(for_stems(term.text), stemmed=True))
            found.append(in_columns(columns, [stems], prefix=False))
    if columns := _WRITTEN.get(term.field):
        found.append(in_columns(columns, [as_written(term.text)], prefix=term.prefix))
    if term.field in _NAMED:
        found.append(in_columns(("authors",), names_sought(term), prefix=term.prefix))
    category = _category(term.text)
    if term.field in _CLASSED and _CATEGORY.fullmatch(term.text.casefold()):
        begins = term.prefix and category.find(_DOT) != len(category) - 1
        name = category if begins else f"{category}{_END}"
        found.append(in_columns(("categories",), [name], prefix=begins))
    return found


def _category(name: str) -> str:
    return name.casefold().translate(_IN_CATEGORY)
