"""Names and accents as arXiv's feeds and OAI write them: all authors in one line, accents in
TeX.
"""

from __future__ import annotations

import re

from digest.errors import one_line
from digest.keywords.accents import decode_accents

_GROUP = re.compile(r"\([^()]*\)")
_BETWEEN = re.compile(r"\s*[,;]\s*(?:and\s+)?|\s+and\s+")
_SUFFIX = re.compile(r"(?:Jr|Sr)\.?|I{2,3}|IV", re.IGNORECASE)


def split_authors(line: str) -> tuple[str, ...]:
    """Return the names in one line of authors, without their affiliations, which stand in
    parentheses.

    Names are joined by commas, semicolons or "and" (arXiv's help, "How to prepare your author
    list").
    """
    while (
        shorter := _GROUP.sub("", line)
    ) != line:  # affiliations can nest: ((1) Oslo, (2) Bergen)
        line = shorter
    names: list[str] = []
    for piece in _BETWEEN.split(decode_accents(re.sub("[()]", " ", line))):
        name = one_line(piece)
        # "Ada Smith, Jr." is one author.
        if names and _SUFFIX.fullmatch(name):
            names[-1] += f", {name}"
        elif name and name != "and":
            names.append(name)
    return tuple(names)
