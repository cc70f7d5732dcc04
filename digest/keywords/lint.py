"""Lint for keywords: what can be read, and is probably not meant."""

from __future__ import annotations

import re

from digest.errors import QueryError
from digest.keywords.categories import CATEGORIES, category_case, category_warning
from digest.keywords.grammar import read_keyword, terms
from digest.keywords.tokens import LOWER_CASE_OPERATORS, glued_operator
from digest.model import Rule

_HYPHENED = re.compile(r"(?:(?!cat:)\w+:)?\w+(?:-\w+)+")
_COMMON_WORDS = frozenset(
    "ai algorithm algorithms analysis approach data dataset deep framework language learning machine method "
    "methods model models network networks neural optimization performance system systems theory training".split()
)


def warnings(text: str, rule: Rule | None = None) -> list[str]:
    """Say what is probably not meant in a keyword that can be read; one that cannot be has none."""
    try:
        node, used = read_keyword(text, rule)
    except QueryError:
        return []
    leaves = list(dict.fromkeys(terms(node)))
    found = [
        warning
        for term in leaves
        if term.field == "cat" and (warning := category_warning(term.text, prefix=term.prefix))
    ]
    words = text.split()
    found += _hyphens(words, used)
    if len({term.text for term in leaves}) == 1 and leaves[0].text in _COMMON_WORDS:
        found.append(
            f"{leaves[0].text!r} alone stands in a large share of all papers; add a second word or a category"
        )
    for word in words:
        if apart := glued_operator(word):
            found.append(f"{word!r} is read as one word; if an operator is meant, write {apart!r}")
    if used is not Rule.QUERY and category_case(text.strip().lower()) in CATEGORIES:
        found.append(
            f"{text!r} is searched for as a word; for the category write cat:{category_case(leaves[0].text)}"
        )
    if used is not Rule.QUERY and len(words) > 1:
        found += _operators_in_phrase(words)
    return found


def _hyphens(words: list[str], used: Rule) -> list[str]:
    """What a hyphen means: nothing, but that a plain `time-series` is one word, and so under
    another rule than two.
    """
    if used is Rule.QUERY:
        hyphened = [word.strip("()") for word in words if _HYPHENED.fullmatch(word.strip("()"))]
        return [
            f"{word!r} is searched for as a phrase: a hyphen counts as a blank" for word in hyphened
        ]
    if len(words) == 1 and used is Rule.BOTH and "-" in words[0]:
        apart = words[0].replace("-", " ")
        return [
            f"{words[0]!r} is one word, which must stand in title and abstract; as a phrase, {apart!r}, it may stand"
            " in either. Search reads both the same, since a hyphen counts as a blank"
        ]
    return []


def _operators_in_phrase(words: list[str]) -> list[str]:
    """The doubt whether a phrase was meant where one of its words looks like an operator."""
    text = " ".join(words)
    if words[0] == "NOT":
        return [f"{text!r} is read as one phrase; to exclude, write what to find before ANDNOT"]
    for place, word in enumerate(words[1:-1], 1):
        if word in ("NOT", "not"):
            meant = " ".join([*words[:place], "ANDNOT", *words[place + 1 :]])
            return [f"{text!r} is read as one phrase; did you mean {meant!r}?"]
        if word in LOWER_CASE_OPERATORS:
            return [
                f"{text!r} is read as one phrase; if {word!r} is an operator, write it in capitals"
            ]
    return []
