"""Lint for keywords: what can be read, and is probably not meant."""

from __future__ import annotations

import re

from digest.errors import QueryError
from digest.keywords.asked import is_left_out
from digest.keywords.categories import CATEGORIES, category_case, category_warning
from digest.keywords.grammar import Node, read_keyword, terms
from digest.keywords.tokens import LOWER_CASE_OPERATORS, Term, from_url, glued_operator
from digest.model import Rule

_HYPHENED = re.compile(r"(?:(?!cat:)\w+:)?\w+(?:-\w+)+")
_SIGNS = (
    (re.compile(r"\|"), "OR"),
    (re.compile(r"\s&{1,2}\s|&&"), "AND"),
)
"""Operators of other programs, and arXiv's own; an & between letters belongs to a name (R&D)."""
_DROPPED = re.compile(r"\w\s?[+#]+(?:\s|$)")
_COMMON_WORDS = frozenset(
    "ai algorithm algorithms analysis approach data dataset deep framework language learning "
    "machine method methods model models network networks neural optimization performance system "
    "systems theory training".split()
)


def warnings(text: str, rule: Rule | None = None) -> list[str]:
    """Say what is probably not meant in a keyword that can be read; one that cannot be has none."""
    try:
        node, used = read_keyword(text, rule)
    except QueryError:
        return []
    leaves = list(dict.fromkeys(terms(node)))
    words, first = text.split(), leaves[0].text
    found = [
        category_warning(leaf.text, prefix=leaf.prefix) for leaf in leaves if leaf.field == "cat"
    ]
    found += _hyphens(words, used)
    found.append(_left_out(node, first))
    if {leaf.text for leaf in leaves} == {first} & _COMMON_WORDS:
        remedy = "add a second word or a category"
        found.append(f"{first!r} alone stands in a large share of all papers; {remedy}")
    found += [
        f"{word!r} is read as one word; if an operator is meant, write {apart!r}"
        for word in words
        if (apart := glued_operator(word))
    ]
    found += _other_grammar(text, used is not Rule.QUERY)
    found += _categories_as_words(leaves)
    if used is not Rule.QUERY:
        if (category := category_case(first)) in CATEGORIES:
            remedy = f"for the category write cat:{category}"
            found.append(f"{text!r} is searched for as a word; {remedy}")
        found += _operators_in_phrase(words)
    return [*filter(None, found)]


def _categories_as_words(leaves: list[Term]) -> list[str]:
    """The categories in a query that lack their field."""
    return [
        f"{leaf.text!r} is searched for as a word; for the category write cat:{category}"
        for leaf in leaves
        if leaf.field == "all" and (category := category_case(leaf.text)) in CATEGORIES
    ]


def _other_grammar(text: str, is_plain: bool) -> list[str]:
    """What is written as other programs want it, and means nothing to arXiv's search, which passes
    over all signs.
    """
    if (plain := from_url(text)) != text:
        return [f"{text!r} is written for an address; write {plain!r}"]
    return (_several(text) or _dropped_signs(text)) if is_plain else []


def _several(text: str) -> list[str]:
    """Several keywords or categories, written as one."""
    parts = list(filter(None, map(str.strip, re.split(r"[|&]{1,2}|[+,;，、；]+", text))))
    if len(parts) < 2:
        return []
    if all(category_case(part) in CATEGORIES for part in parts):
        query = " OR ".join(f"cat:{category_case(part)}" for part in parts)
        return [f"{text!r} is searched for as words; for the categories write {query!r}"]
    if re.search(r"[,;，、；]", text):
        several = ", ".join(map(repr, parts))
        return [f"{text!r} is read as one phrase; for several keywords write each apart: {several}"]
    quoted = [f'"{part}"' if " " in part else part for part in parts]
    meant = (f" {operator} ".join(quoted) for sign, operator in _SIGNS if sign.search(text))
    return [f"{text!r} is read as one phrase; did you mean {each!r}?" for each in meant]


def _dropped_signs(text: str) -> list[str]:
    """A name that is one word without its signs."""
    left = " ".join(re.sub(r"[+#]+", " ", text).split())
    if _DROPPED.search(text) and " " not in left:
        return [
            f"search passes over + and #, so {text!r} finds every {left!r}; "
            "add a word or a category that tells them apart"
        ]
    return []


def _left_out(node: Node, first: str) -> str:
    """What is wrong with a query that arXiv's search cannot look for; "" where nothing is."""
    if not is_left_out(node):
        return ""
    remedy = "add a word that is none of the commonest"
    return f"arXiv's search leaves out {first!r}, and so cannot look for this; {remedy}"


def _hyphens(words: list[str], used: Rule) -> list[str]:
    """What a hyphen means: nothing, but that a plain `time-series` is one word, and so under
    another rule than two.
    """
    if used is Rule.QUERY:
        return [
            f"{word!r} is searched for as a phrase: a hyphen counts as a blank"
            for word in (written.strip("()") for written in words)
            if _HYPHENED.fullmatch(word)
        ]
    if len(words) == 1 and used is Rule.BOTH and "-" in words[0]:
        apart = words[0].replace("-", " ")
        return [
            f"{words[0]!r} is one word, which must stand in title and abstract; as a phrase, "
            f"{apart!r}, it may stand in either. Search reads both the same, since a hyphen counts "
            "as a blank"
        ]
    return []


def _operators_in_phrase(words: list[str]) -> list[str]:
    """The doubt whether a phrase was meant where one of its words looks like an operator."""
    text = " ".join(words)
    if len(words) > 1 and words[0] == "NOT":
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
