"""Where in a paper's texts the words of a query stand: what is highlighted, and what the order of
papers goes by.

Words are found as keywords/match.py finds papers: by stem, without case, accents and hyphens; in
comments, for `word*` and names of authors as they are written. What follows ANDNOT is not looked
for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from digest.errors import QueryError, one_line
from digest.keywords.grammar import AndNot, Node, parse
from digest.keywords.match import names_sought, searchable, stem
from digest.keywords.standard import whole_names, whole_words, with_signs
from digest.keywords.tokens import Term

Span = tuple[int, int]
"""A piece of a text: where it begins, and where the text goes on behind it."""

TITLE, ABSTRACT, COMMENT = (frozenset({field, "all"}) for field in ("ti", "abs", "co"))
"""The fields whose terms look into a title, an abstract, a comment."""

_WORD = re.compile("(?:[^\\W_][\u0300-\u0331]*[\ue001-\ue008]?)+")
_POSSESSIVE = re.compile("\ue002[sS]$")
_NAMES = frozenset({"au", "all"})


class _Word(NamedTuple):
    start: int
    end: int
    folded: str


@lru_cache(maxsize=1024)
def wanted(query: str) -> tuple[Term, ...]:
    """The terms of a canonical query that a paper may match, without those behind ANDNOT; none of
    what is no query.
    """
    try:
        return tuple(dict.fromkeys(_positive(parse(query))))
    except QueryError:
        return ()


def _positive(node: Node) -> Iterator[Term]:
    if isinstance(node, Term):
        yield node
        return
    yield from _positive(node.left)
    if not isinstance(node, AndNot):
        yield from _positive(node.right)


def find(text: str, terms: Iterable[Term], fields: frozenset[str]) -> tuple[Span, ...]:
    """The pieces of a text that the terms of these fields match; what only a blank or a hyphen
    parts is one piece.
    """
    phrases = tuple(term for term in terms if term.field in fields)
    return _found(text, phrases, fields != COMMENT) if phrases else ()


# Of each paper of a day it is asked for each digest that holds it.
@lru_cache(maxsize=4096)
def _found(text: str, phrases: Sequence[Term], by_stem: bool) -> tuple[Span, ...]:
    words = _words(text)
    plain = [word.folded for word in words]
    stems = list(map(stem, plain)) if by_stem else plain
    places = set(
        chain.from_iterable(
            _places(
                plain if term.prefix else stems,
                _sought(term, by_stem and not term.prefix),
                prefix=term.prefix,
            )
            for term in phrases
        )
    )
    return _joined(text, [(words[first].start, words[last].end) for first, last in sorted(places)])


def names(authors: Sequence[str], terms: Iterable[Term]) -> frozenset[int]:
    """The places of the authors whose name a term matches: in either order, or by surname and
    initial.
    """
    phrases = [
        (spelling, term.prefix)
        for term in terms
        if term.field in _NAMES
        for spelling in _spellings(term)
    ]
    if not phrases:
        return frozenset()
    found = set()
    for place, author in enumerate(authors):
        # The name twice and its initial hold all orders of its words, as in the index of papers.
        name = [
            word.folded
            for word in _words(whole_names(searchable(f"{author} {author} {author.strip()[:1]}")))
        ]
        if any(any(_places(name, phrase, prefix=prefix)) for phrase, prefix in phrases):
            found.add(place)
    return frozenset(found)


@lru_cache(maxsize=4096)
def _spellings(term: Term) -> list[list[str]]:
    """The words of a name that is sought, in each way in which it may be written: by `au:` with
    each hyphen as a blank, too, by `all:` as it stands.
    """
    return [[word.folded for word in _words(each)] for each in names_sought(term)]


def author_term(name: str) -> Term:
    """A reader's wish for an author, as the term that `au:` would be."""
    return Term("au", one_line(name.lower()), phrase=True)


@lru_cache(maxsize=4096)
def _sought(term: Term, stemmed: bool) -> list[str]:
    """The words of a term, in the form in which they are compared."""
    folded = [word.folded for word in _words(term.text)]
    return [stem(word) for word in folded] if stemmed else folded


def _words(text: str) -> list[_Word]:
    return [
        _Word(match.start(), match.start() + len(word), _folded(with_signs(word)))
        for match in _WORD.finditer(whole_words(text))
        for word in (_POSSESSIVE.sub("", match[0]),)
    ]


@lru_cache(maxsize=65_536)
def _folded(word: str) -> str:
    """A word in lower case and without accents, as FTS5's tokenizer has it."""
    if word.isascii():
        return word.lower()
    parts = unicodedata.normalize("NFD", word.lower())
    return unicodedata.normalize("NFC", "".join(c for c in parts if not "\u0300" <= c <= "\u0331"))


def _places(
    words: Sequence[str], sought: Sequence[str], *, prefix: bool
) -> Iterator[tuple[int, int]]:
    """Where the words stand in a row, by the numbers of the first and the last; a prefix is the
    last of them.
    """
    size = len(sought)
    for first in range(len(words) - size + 1 if sought else 0):
        if prefix:
            is_there = words[first].startswith(sought[0])
        else:
            # The first word alone is as a rule enough to say no.
            is_there = words[first] == sought[0] and words[first : first + size] == sought
        if is_there:
            yield first, first + size - 1


def _joined(text: str, spans: Iterable[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for start, end in spans:
        if joined and (
            start <= joined[-1][1] or text[joined[-1][1] : start] in (" ", "-", "\u2010", "\u2011")
        ):
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)
