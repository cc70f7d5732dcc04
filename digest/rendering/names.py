"""Authors' names as reference managers sort them, and where a paper came out."""

from __future__ import annotations

import re
from typing import NamedTuple

from digest.model import Paper
from digest.rendering.texts import printable_line

_GROUP = re.compile(r"collaboration|consortium|\bteam\b|\bgroup\b|,", re.IGNORECASE)
_SURNAME = re.compile(r"(?<!\S)(?:[a-zà-ÿ'’]+ )*\S+(?: (?:Jr|Sr)\.?| I{1,3}V?)?$")
"""The last word of a name, with the small words before it (van der, de la)."""


class Name(NamedTuple):
    """A name in two; where it has no `given` one, as of a collaboration, `family` is all of it."""

    family: str
    given: str = ""


def split_name(name: str) -> Name:
    """A name as arXiv writes it; one of a collaboration, or that has a comma, stays whole."""
    name = printable_line(name)
    surname = _SURNAME.search(name)
    if surname is None or _GROUP.search(name) or not surname.start():
        return Name(name)
    return Name(surname[0], name[: surname.start()].strip())


def published_in(paper: Paper) -> str:
    """The journal reference and the publisher's DOI, as far as they are known: an entry is one of
    the e-print, so its own DOI is that of arXiv.
    """
    doi = "" if paper.doi.casefold() == paper.arxiv_doi.casefold() else paper.doi
    return ", ".join(filter(None, (paper.journal_ref, f"doi:{doi}" if doi.strip() else "")))
