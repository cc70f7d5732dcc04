"""How arXiv's search finds papers, by its published source (arxiv-search: its index's mappings and
its query builders). The demo's answers differ from this program's own matching where arXiv's would.

Titles and abstracts: words as Lucene's standard tokenizer has them, possessive 's taken off, stop
words left out (a phrase keeps their place, and takes any word in it), Porter's stems; accents
count. `word*` is compared with those stems as it stands. Comments and journal references are not
stemmed. Names are cut at blanks alone, and found in any order. `all:` is any field, or the words of
all of them, cut at blanks, without accents, or the names of a paper's categories.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from digest.keywords.accents import decode_all_accents
from digest.keywords.category_names import named_by
from digest.keywords.grammar import And, Node, Or
from digest.keywords.match import stem
from digest.keywords.standard import STOP_WORDS
from digest.keywords.tokens import Term
from digest.model import Paper

Words = list[str | None]
"""Words by their places; None where one was left out."""

_WORD = re.compile(r"\w+(?:(?:(?<=[^\W\d_])['‘’.:·](?=[^\W\d_])|(?<=\d)['‘’.,;](?=\d))\w+)*")
_POSSESSIVE = re.compile(r"['’][sS]$")
_NO_SIGNS = str.maketrans("", "", ".,;")
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ı": "i"})


class Search:
    """An index over some papers, as arXiv's is."""

    def __init__(self, papers: Iterable[Paper]) -> None:
        self._papers = [_indexed(paper) for paper in papers]
        self._places: dict[str, dict[str, set[int]]] = {}

    def find(self, node: Node) -> set[str]:
        """The base ids of the papers that arXiv would find."""
        return {self._papers[number].paper.id for number in self._found(node)}

    def _found(self, node: Node) -> set[int]:
        if isinstance(node, Term):
            fields = _ALL if node.field == "all" else (node.field,)
            found = set().union(*(self._in_field(field, node) for field in fields))
            return found | self._named(node) if node.field == "all" else found
        left, right = self._found(node.left), self._found(node.right)
        if isinstance(node, Or):
            return left | right
        return left & right if isinstance(node, And) else left - right

    def _in_field(self, field: str, term: Term) -> set[int]:
        """The papers of which one field holds what is sought."""
        if field == "cat" or term.prefix:
            return self._with(field, [term.text.lower()], prefix=term.prefix)
        if field == "abs" and term.phrase and STOP_WORDS.issuperset(_standard(term.text)):
            field = "abs as written"  # all of its words are left out of the stemmed index
        sought = _SOUGHT[field](term.text)
        holds = _in_any_order if term.field == "au" else _in_row
        found = self._with(field, list(filter(None, sought)))
        return {n for n in found if self._papers[n].any_text(field, holds, sought)}

    def _named(self, term: Term) -> set[int]:
        """The papers that have a category of which the names hold what is sought."""
        names = named_by(_folded(term.text), prefix=term.prefix)
        return set().union(*(self._with("cat", [name.lower()]) for name in names))

    def _with(self, field: str, words: Sequence[str], *, prefix: bool = False) -> set[int]:
        """The papers that have all of some words in a field, or one that begins so."""
        places = self._places.get(field)
        if places is None:
            places = self._places[field] = self._indexed_by_word(field)
        if prefix:
            return set().union(*(places[word] for word in places if word.startswith(words[0])))
        return set.intersection(*(places.get(word, set()) for word in words)) if words else set()

    def _indexed_by_word(self, field: str) -> dict[str, set[int]]:
        places: dict[str, set[int]] = {}
        for number, paper in enumerate(self._papers):
            for text in paper.texts(field):
                for word in filter(None, text):
                    places.setdefault(word, set()).add(number)
        return places


class _Indexed:
    """A paper as the index has it: the words of each field, made when they are first asked for."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        self._texts: dict[str, list[Words]] = {}

    def texts(self, field: str) -> list[Words]:
        """The texts of a field; `all` has those of the combined field."""
        if field not in self._texts:
            self._texts[field] = self._words(field)
        return self._texts[field]

    def any_text(self, field: str, holds: Callable[[Words, Words], bool], sought: Words) -> bool:
        """Whether one of the texts of a field holds the sought words."""
        return any(holds(words, sought) for words in self.texts(field))

    def _words(self, field: str) -> list[Words]:
        paper = self.paper
        if field == "au":
            return [[*_folded(name)] for name in paper.authors]
        if field == "cat":
            return [[category.lower()] for category in paper.categories]
        if field == "all":
            texts = (paper.title, paper.abstract, paper.comment, paper.journal_ref, paper.doi)
            return [
                _combined(text) for text in (*texts, paper.id, *paper.authors, *paper.categories)
            ]
        text = {"ti": paper.title, "co": paper.comment, "jr": paper.journal_ref}
        return [_SOUGHT[field](text.get(field, paper.abstract))]


@lru_cache(maxsize=5_000)
def _indexed(paper: Paper) -> _Indexed:
    return _Indexed(paper)


def _in_any_order(words: Sequence[str | None], sought: Sequence[str | None]) -> bool:
    """Whether all the sought words are among some, as those of a name."""
    return set(sought) <= set(words)


def _in_row(words: Sequence[str | None], sought: Sequence[str | None]) -> bool:
    """Whether the sought words stand in a row, any word where None is sought."""
    places = [place for place, word in enumerate(sought) if word is not None]
    sought = sought[places[0] : places[-1] + 1]  # no phrase waits for what is left out at its ends
    return any(
        all(each in (None, words[place + number]) for number, each in enumerate(sought))
        for place in range(len(words) - len(sought) + 1)
        if words[place] == sought[0]
    )


def _standard(text: str) -> list[str]:
    text = unicodedata.normalize("NFC", decode_all_accents(text))
    return [word.lower() for word in _WORD.findall(text)]


def _simple(text: str) -> Words:
    return [None if word in STOP_WORDS else word for word in _standard(text)]


def _english(text: str) -> Words:
    words = (_POSSESSIVE.sub("", word) for word in _standard(text))
    return [None if word in STOP_WORDS else _porter(word) for word in words]


@lru_cache(maxsize=65_536)
def _porter(word: str) -> str:
    """A word's stem, with its accents."""
    bare = stem(word)
    if word.isascii():
        return bare
    return word[: len(bare) - 1] + (bare[-1] if bare[-1:] == "i" else word[len(bare) - 1 :][:1])


def _folded(text: str) -> list[str]:
    """Words cut at blanks, without dots, commas, semicolons, and accents."""
    text = decode_all_accents(text).lower().translate(_NO_SIGNS).translate(_LETTERS)
    letters = unicodedata.normalize("NFD", text)
    return "".join(each for each in letters if not unicodedata.combining(each)).split()


def _combined(text: str) -> Words:
    return [None if word in STOP_WORDS else word for word in _folded(text)]


def _name(text: str) -> Words:
    return [*_folded(text.replace("_", " "))]


_SOUGHT: dict[str, Callable[[str], Words]] = {
    "ti": _english,
    "abs": _english,
    "abs as written": lambda text: [*_standard(text)],
    "co": _simple,
    "jr": _simple,
    "au": _name,
    "all": _combined,
}
"""By field, the words that are sought for a term."""
_ALL = ("ti", "abs", "co", "jr", "au", "all")
"""`all:` is any one field, or the words of all of them."""
