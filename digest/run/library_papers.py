"""Entries of a library as the papers that are kept of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from digest.library import Entry
from digest.rendering.tex.text import to_unicode
from digest.store.preferences import LibraryPaper


def papers_of(entries: Iterable[Entry]) -> list[LibraryPaper]:
    """Entries as papers, each with an id of its own: two that share a key are two."""
    found: dict[str, LibraryPaper] = {}
    for entry in entries:
        name, number = entry.id, 2
        title, abstract = _plain(entry.title, entry), _plain(entry.abstract, entry)
        while name in found and title and found[name].title not in ("", title):
            if name == entry.arxiv:
                break
            name, number = f"{entry.id} ({number})", number + 1
        paper = LibraryPaper(name, title, abstract, arxiv=name == entry.arxiv)
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
