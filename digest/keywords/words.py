"""How a query is read, in lines for people: what must hold together, and how each term is
compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from digest.keywords.grammar import And, AndNot, Node, Or, operands
from digest.keywords.tokens import Term

PLACES = {
    "ti": "the title",
    "abs": "the abstract",
    "au": "the authors",
    "co": "the comment",
    "jr": "the journal reference",
    "cat": "the categories",
    "all": "title, abstract, comment, journal reference, authors and categories",
}
"""The part of a paper that the terms of each field are looked for in."""
_HEADS: dict[type[And] | type[Or], str] = {And: "all of these:", Or: "at least one of these:"}

NAMED = 3
"""Of more names than one beyond these the rest is counted."""

Stems = Callable[[str], Sequence[str]]
"""Given words, the stems by which search compares them."""


def reading(node: Node, stems: Stems) -> list[str]:
    """A query as an indented list, two blanks a level."""
    return list(_lines(node, stems, ""))


def _lines(node: Node, stems: Stems, indent: str) -> Iterator[str]:
    if isinstance(node, Term):
        yield indent + term_words(node, stems)
        return
    if isinstance(node, AndNot):
        yield from _lines(node.left, stems, indent)
        yield f"{indent}but not:"
        yield from _lines(node.right, stems, indent + "  ")
        return
    yield indent + _HEADS[type(node)]
    for operand in operands(node):
        yield from _lines(operand, stems, indent + "  ")


def term_words(term: Term, stems: Stems) -> str:
    """One term in words: `"reward models" (stems: reward model) in the title`."""
    if term.field == "cat":
        return (
            f"any category that begins with {term.text}"
            if term.prefix
            else f"the category {term.text}"
        )
    place = {"au": "among the authors", "all": "in any field"}.get(
        term.field, f"in {PLACES[term.field]}"
    )
    if term.prefix:
        return f"a word that begins with {term.text} {place}"
    if term.field == "au":
        return f"{term.written} {place}, first and last name in either order"
    by = " ".join(stems(term.text)) if term.field not in ("co", "jr") else term.text
    words = "" if by == term.text else f" (stem{'s' if ' ' in by else ''}: {by})"
    return f"{term.written}{words} {place}"


def counted(number: int, noun: str, plural: str = "", *, separator: str = "") -> str:
    """A number with its noun: `1 digest`, `2 digests`, `2 queries`; `separator` parts thousands."""
    return f"{number:{separator}} {noun if number == 1 else plural or noun + 's'}"


def listed(names: Sequence[str], *, all_: bool = False) -> str:
    """`A`, `A and B`, `A, B and C`; of many the first three, or `all_`."""
    if len(names) > NAMED + 1 and not all_:
        names = [*names[:NAMED], f"{len(names) - NAMED} more"]
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)
