"""Why a keyword may match nothing: the hint beside the note that nothing has matched it for
long.
"""

from __future__ import annotations

from digest.keywords.grammar import And, AndNot, Node, Or, parse, terms
from digest.keywords.lint import warnings
from digest.keywords.tokens import Term
from digest.model import Keyword, Rule

_IN_TITLES = "It is looked for in titles only."
_SPELLING = "Perhaps authors spell it otherwise."


def hint(keyword: Keyword) -> str:
    """The likeliest reason, in a sentence: what lint doubts about the keyword, or how its rule
    narrows it.
    """
    plain = keyword.rule is not Rule.QUERY
    doubts = warnings(_as_written(keyword), keyword.rule if plain else None)
    if doubts:
        return f"Perhaps it does not say what was meant: {doubts[0]}."
    node = parse(keyword.query)
    if keyword.rule is Rule.TITLE:
        return f"{_IN_TITLES} With 'match: either' the abstract counts too."
    if keyword.rule is Rule.BOTH:
        return "It has to stand in title and abstract, as authors spell it; with 'match: either' one is enough."
    if keyword.rule is Rule.EITHER:
        words = next(terms(node)).text.split()
        if len(words) > 1:
            return "Its words have to stand side by side, in this order: fewer words find more."
        return _SPELLING
    return _why_a_query(node)


def _why_a_query(node: Node) -> str:
    leaves = list(terms(node))
    if isinstance(node, AndNot) and _excluded_too(node):
        return "What it finds is also what it excludes."
    if _demands_several(node):
        return "All its parts have to match at once: one of them left out, it may find more."
    if all(leaf.field == "ti" for leaf in leaves):
        return _IN_TITLES
    if all(leaf.field == "au" for leaf in leaves):
        return "It waits for an author's name: perhaps they sign otherwise."
    return _SPELLING


def _excluded_too(node: AndNot) -> bool:
    """Whether a word that is to be found is also excluded."""
    wanted = {(term.field, term.text) for term in terms(node.left)}
    return any((term.field, term.text) in wanted for term in terms(node.right))


def _demands_several(node: Node) -> bool:
    """Whether every way to match the query needs several terms at once."""
    if isinstance(node, And):
        return True
    if isinstance(node, Or):
        return _demands_several(node.left) and _demands_several(node.right)
    return not isinstance(node, Term) and _demands_several(node.left)


def _as_written(keyword: Keyword) -> str:
    """The text that a plain keyword searches for, which may not be its name; the query of one that
    is none.
    """
    if keyword.rule is Rule.QUERY:
        return keyword.query
    text = next(terms(parse(keyword.query))).text
    return keyword.name if keyword.name.casefold() == text.casefold() else text
