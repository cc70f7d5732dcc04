"""Many requests to arXiv as few: joined queries, lists of ids, and the feeds that cover them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from urllib.parse import quote_plus

from digest.keywords.asked import DEEPEST, LONGEST
from digest.keywords.categories import CATEGORIES
from digest.keywords.grammar import And, AndNot, Node, Or, parse
from digest.keywords.tokens import Term

FEEDS_ALONE = 12
"""At most this many wanted categories are asked for one a feed; of more, or of all, several share
one feed."""

_OF_THEIR_OWN = frozenset("cs.AI cs.CL cs.LG cs.CV cs.RO cs.GR cs.MM".split())
SHELVES: tuple[tuple[str, ...], ...] = (
    ("cs.AI", "cs.CL"),
    ("cs.LG", "stat"),
    ("cs.CV", "cs.GR", "cs.MM", "cs.RO", "eess"),
    tuple(sorted(c for c in CATEGORIES if c.startswith("cs.") and c not in _OF_THEIR_OWN)),
    ("math", "math-ph", "nlin"),
    ("astro-ph", "gr-qc"),
    ("cond-mat", "quant-ph"),
    ("hep-ex", "hep-lat", "hep-ph", "hep-th", "nucl-ex", "nucl-th"),
    ("physics",),
    ("econ", "q-bio", "q-fin"),
)
"""All of arXiv on ten feeds, each well below the 2,000 items of a feed on a busy day; `cs` alone
would not be."""

_PHYSICS = frozenset(
    "astro-ph cond-mat gr-qc hep-ex hep-lat hep-ph hep-th"
    " math-ph nlin nucl-ex nucl-th physics quant-ph".split()
)
"""The archives that OAI keeps in the group `physics` (arXiv's help, "Open Archives Initiative",
sets)."""


def joined(queries: Sequence[str]) -> str:
    """One query that matches what any of some canonical queries matches; a single one stays as it
    is.
    """
    if len(queries) == 1:
        return queries[0]
    return f"({' OR '.join(map(_operand, queries))})"


def _operand(query: str) -> str:
    """A query as one side of OR: a chain of OR needs no parentheses of its own."""
    return query[1:-1] if isinstance(parse(query, len(query), DEEPEST), Or) else query


def batches(queries: Iterable[str], longest: int = LONGEST) -> list[tuple[str, ...]]:
    """Queries in their order in as few batches as fit into `longest` encoded bytes each; one may be
    longer alone.
    """
    # Around them all stand two parentheses, and the first has no OR before it.
    room = longest - len(quote_plus("()")) + len(quote_plus(" OR "))
    return list(_packed(queries, lambda query: len(quote_plus(f" OR {_operand(query)}")), room))


def id_batches(ids: Iterable[str], longest: int = LONGEST) -> list[tuple[str, ...]]:
    """Base ids in batches whose lists fit into `longest` encoded bytes each."""
    return list(_packed(ids, lambda each: len(quote_plus(f",{each}")), longest))


def _packed(
    parts: Iterable[str], size: Callable[[str], int], longest: int
) -> Iterator[tuple[str, ...]]:
    batch: list[str] = []
    used = 0
    for part in parts:
        length = size(part)
        if batch and used + length > longest:
            yield tuple(batch)
            batch, used = [], 0
        batch.append(part)
        used += length
    if batch:
        yield tuple(batch)


def loosened(node: Node) -> Node:
    """A query that matches at least what `node` does under any reading of arXiv's: phrases as words
    anywhere.

    It tells for whom a paper came in a combined answer where the exact local match finds nobody.
    """
    if not isinstance(node, Term):
        if isinstance(node, AndNot):
            return loosened(node.left)  # an exclusion could exclude too much here
        return type(node)(loosened(node.left), loosened(node.right))
    if node.field in ("cat", "au"):
        return node
    return reduce(And, map(_anywhere, _words(node)))


def _anywhere(word: str) -> Node:
    """A word's beginning in any text of a paper; `all:` would look at categories, too."""
    places: list[Node] = [Term(field, word, prefix=True) for field in ("ti", "abs", "co", "jr")]
    return reduce(Or, places)


def _words(term: Term) -> list[str]:
    """The beginnings of a term's words, which its inflections share."""
    words = "".join(c if c.isalnum() else " " for c in term.text).split()
    return [word[: max(3, len(word) - 3)] for word in words]


def categories_of(node: Node) -> frozenset[str] | None:
    """Categories one of which every match has; None where matches can be anywhere."""
    if isinstance(node, Term):
        return _named_by(node) or None
    left = categories_of(node.left)
    if isinstance(node, AndNot):
        return left  # what is excluded says nothing about where matches are
    right = categories_of(node.right)
    if left is None or right is None:
        return None if isinstance(node, Or) else left or right
    return left | right if isinstance(node, Or) else min(left, right, key=len)


def _named_by(term: Term) -> frozenset[str]:
    """The categories that a term asks for; none where it asks for words."""
    fits = str.startswith if term.prefix else str.__eq__
    return frozenset(c for c in CATEGORIES if term.field == "cat" and fits(c, term.text))


def feeds_for(wanted: Iterable[frozenset[str] | None]) -> tuple[tuple[str, ...], ...]:
    """The feeds that hold every match of queries with these categories; each feed is a list of
    names.
    """
    needed: set[str] = set()
    for categories in wanted:
        if categories is None:
            return SHELVES
        needed |= categories
    # A feed of its own for each stays short; with many, few full feeds are fewer requests.
    if len(needed) <= FEEDS_ALONE:
        return tuple((name,) for name in sorted(needed))
    return tuple(shelf for shelf in SHELVES if needed & expanded(shelf))


def expanded(names: Iterable[str]) -> frozenset[str]:
    """The categories that a feed's names stand for: an archive is all of its own."""
    return frozenset(
        c for name in names for c in CATEGORIES if c == name or c.startswith(f"{name}.")
    )


def halves(names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Two feeds in place of one that is too long; none where it cannot be divided."""
    parts = list(names) if len(names) > 1 else sorted(expanded(names))
    middle = (len(parts) + 1) // 2
    return (tuple(parts[:middle]), tuple(parts[middle:])) if len(parts) > 1 else ()


def set_for(wanted: Iterable[frozenset[str] | None]) -> str:
    """The OAI set that holds all of some categories: that of their one archive, or "" for all of
    arXiv.
    """
    archives: set[str] = set()
    for categories in wanted:
        if categories is None:
            return ""
        archives |= {category.split(".")[0] for category in categories}
    return oai_set(archives.pop()) if len(archives) == 1 else ""


def oai_set(archive: str) -> str:
    """The OAI set of an archive."""
    return f"physics:{archive}" if archive in _PHYSICS else archive
