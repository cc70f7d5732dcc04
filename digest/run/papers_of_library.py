"""Entries of a library as the papers that are kept of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from digest.libraries import Entry
from digest.rendering.tex.text import to_unicode
from digest.store.preferences import LibraryPaper

LONGEST_TITLE, LONGEST_ABSTRACT = 1_000, 20_000
"""Characters of a text that are kept: arXiv's own have a fifth of it at most."""


def papers_of(entries: Iterable[Entry]) -> list[LibraryPaper]:
    """Entries as papers, each with an id of its own: two that share a key are two."""
    found: dict[str, LibraryPaper] = {}
    names: dict[tuple[str, str], str] = {}
    numbers: Counter[str] = Counter()
    for entry in entries:
        title = _plain(entry.title[:LONGEST_TITLE], entry)
        abstract = _plain(entry.abstract[:LONGEST_ABSTRACT], entry)
        name = entry.arxiv or names.get((entry.id, title), "")
        while not name:
            numbers[entry.id] += 1
            number = numbers[entry.id]
            free = entry.id if number == 1 else f"{entry.id} ({number})"
            name = "" if free in found else free
        names[entry.id, title] = name
        paper = LibraryPaper(name, title, abstract, arxiv=bool(entry.arxiv))
        had = found.get(name)
        found[name] = merged(paper, had) if had else paper
    return list(found.values())


def _plain(text: str, entry: Entry) -> str:
    """A text as people read it: braces in TeX only keep capitals."""
    if not entry.tex or not set(text) & set("\\{}$~-"):
        return text
    return to_unicode(text).replace("{", "").replace("}", "")


def merged(paper: LibraryPaper, known: LibraryPaper) -> LibraryPaper:
    """A paper with what is known besides of what it lacks."""
    return replace(
        paper,
        title=paper.title or known.title,
        abstract=paper.abstract or known.abstract,
        asked=paper.asked or known.asked,
    )
