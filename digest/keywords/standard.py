r"""What arXiv's index takes for one word, which is more than letters in a row.

Its titles and abstracts are cut by the standard tokenizer of Lucene, the word boundaries of Unicode
(UAX #29): a sign between two letters or two digits does not part them, so that `4.5`, `1,000`,
`d'Alembert` and `alpha_s` are one word each; a hyphen does. An English possessive 's is taken off
(arxiv-search, mappings/DocumentMapping.json: `standard`, `english`).
"""

from __future__ import annotations

import re

STOP_WORDS = frozenset(
    "a an and are as at be but by for if in into is it no not of on or such that the their then "
    "there these they this to was will with".split()
)
"""The words that arXiv's search leaves out: Lucene's English stop words."""

_LETTER = "[^\\W\\d_\u0300-\u036f]"
_IN_WORD, _IN_NUMBER, _HYPHEN = "['‘’.:·]", "['‘’.,;]", "[-\u2010\u2011]"


def _between_letters(sign: str) -> str:
    return f"(?:(?<=[^\\W\\d_]{sign})|(?<=[\u0300-\u036f]{sign}))(?={_LETTER})"


# Each begins with its sign, and looks back from there: so one is looked for six times as fast.
_JOINS = re.compile(
    rf"['‘’.:·,;_](?:{_between_letters(_IN_WORD)}|(?<=\d{_IN_NUMBER})(?=\d)"
    r"|(?<=[^\W_]_)(?=[^\W_]))"
)
_POSSESSIVE = re.compile(r"['’](?<=\w['’])[sS](?!\w|['‘’.:·_]\w)")
_HYPHEN_IN_NAME = re.compile(_HYPHEN + _between_letters(_HYPHEN))
_WORD = re.compile("(?:[^\\W_][\u0300-\u036f]*[\ue001-\ue008]?)+")
# Private-use characters are parts of words to SQLite's unicode61, and no query may contain them.
_SIGNS = ".'‘’:·,;_-\u2010\u2011"
_PARTS = "\ue001\ue002\ue002\ue002\ue003\ue004\ue005\ue006\ue007\ue008\ue008\ue008"
_AS_PARTS = str.maketrans(_SIGNS, _PARTS)
_AS_SIGNS = str.maketrans("\ue001\ue002\ue003\ue004\ue005\ue006\ue007\ue008", ".':·,;_-")


def whole_words(text: str) -> str:
    """The text with the signs inside its words as letters, so that every tokenizer keeps them."""
    return _JOINS.sub(lambda sign: sign[0].translate(_AS_PARTS), text)


def whole_names(text: str) -> str:
    """A name in the same way, but that a hyphen is a part of it: names are cut at blanks."""
    return whole_words(_HYPHEN_IN_NAME.sub(lambda sign: sign[0].translate(_AS_PARTS), text))


def without_possessives(text: str) -> str:
    """The text without the 's of its possessives."""
    return _POSSESSIVE.sub("", text)


def with_signs(text: str) -> str:
    """The text of `whole_words` or `whole_names` with its signs again."""
    return text.translate(_AS_SIGNS)


def words_of(text: str) -> list[str]:
    """The words of a text, with the signs inside them."""
    return [with_signs(word) for word in _WORD.findall(whole_words(text))]
