"""Names and accents as arXiv's feeds and OAI write them: all authors in one line, accents in
TeX.
"""

from __future__ import annotations

import re

from digest.errors import one_line
from digest.keywords.accents import decode_accents

_BETWEEN = re.compile(r"\s*[,;]\s*(?:and\s+)?|\s+and\s+")
_SUFFIX = re.compile(r"(?:Jr|Sr)\.?|I{2,3}|IV", re.IGNORECASE)


NO_NAME = ":"
"""What stands among the names of arXiv's where a group's name was written before a colon."""


def split_authors(line: str) -> tuple[str, ...]:
    """Return the names in one line of authors, without their affiliations, which stand in
    parentheses.

    Names are joined by commas, semicolons or "and" (arXiv's help, "How to prepare your author
    list").
    """
    names: list[str] = []
    # Blanks are single before they are looked for, since that takes time by the square of a run.
    plain = one_line(decode_accents(re.sub("[()]", " ", _without_groups(line))))
    for piece in _BETWEEN.split(plain):
        name = one_line(piece)
        # "Ada Smith, Jr." is one author.
        if names and _SUFFIX.fullmatch(name):
            names[-1] += f", {name}"
        elif name and name not in ("and", NO_NAME):
            names.append(name)
    return tuple(names)


def _without_groups(line: str) -> str:
    """The line without what stands in parentheses, which can nest: ((1) Oslo, (2) Bergen)."""
    kept: list[str] = []
    opened: list[int] = []
    for letter in line:
        if letter == ")" and opened:
            del kept[opened.pop() :]
            continue
        if letter == "(":
            opened.append(len(kept))
        kept.append(letter)
    return "".join(kept)
