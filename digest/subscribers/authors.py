"""Authors and categories as the subscribers file names them."""

from __future__ import annotations

from digest.errors import one_line
from digest.keywords.grammar import parse
from digest.keywords.tokens import Term

MAX_AUTHOR = 100


def read_author(text: str) -> str:
    """An author's name in one line. Raises ValueError where it is none."""
    name = one_line(text)
    if len(name) > MAX_AUTHOR or not name.isprintable() or not any(map(str.isalpha, name)):
        raise ValueError(text)
    return name


def read_category(text: str) -> str:
    """A category, such as `cs.LG`, or all of an archive, `cs.*`. Raises QueryError or ValueError
    where it is neither.
    """
    term = parse(f"cat:{text}")
    if not isinstance(term, Term) or term.phrase:
        raise ValueError(text)
    return f"{term.text}{'*' if term.prefix else ''}"
