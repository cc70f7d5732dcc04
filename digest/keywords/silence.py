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
    node = parse(keyword.query)
    words = next(terms(node)).text
    if keyword.rule is Rule.QUERY:
        doubts = warnings(keyword.query)
    else:
        # What a plain keyword searches for may not be its name.
        is_name = keyword.name.casefold() == words.casefold()
        doubts = warnings(keyword.name if is_name else words, keyword.rule)
    if doubts:
        return f"Perhaps it does not say what was meant: {doubts[0]}."
    return {
        Rule.TITLE: f"{_IN_TITLES} With 'match: either' the abstract counts too.",
        Rule.BOTH: "It has to stand in title and abstract, as authors spell it; with "
        "'match: either' one is enough.",
        Rule.EITHER: "Its words have to stand side by side, in this order: fewer words find more."
        if " " in words
        else _SPELLING,
        Rule.QUERY: _why_a_query(node),
    }[keyword.rule]


def _why_a_query(node: Node) -> str:
    # The surest reason first.
    if isinstance(node, AndNot) and _excluded_too(node):
        return "What it finds is also what it excludes."
    if _demands_several(node):
        return "All its parts have to match at once: one of them left out, it may find more."
    fields = {leaf.field for leaf in terms(node)}
    if fields == {"ti"}:
        return _IN_TITLES
    if fields == {"au"}:
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
