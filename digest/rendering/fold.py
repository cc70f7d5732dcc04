"""Folding text for terminals, where wide characters take two columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

TEXT_COLUMNS = 78
"""The text part's width (RFC 5322 section 2.1.1)."""


def columns(text: str) -> int:
    """How many columns a terminal gives to `text` (Unicode Standard Annex 11: wide ones count
    two).
    """
    return len(text) if text.isascii() else sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


_BREAKS = re.compile(r" (?!%(?:[ .,;:)]|$))")
"""Where a line may end; a percent sign stays with its number."""


def wrap(text: str, indent: int = 0, lead: str = "") -> str:
    """Fold `text` into lines of TEXT_COLUMNS, the first behind `lead`, the others indented.

    A link is never broken, whatever its length; any other word that is longer than a line is.
    """
    room = TEXT_COLUMNS - indent
    lines, used = [""], 0
    for gap, piece in _pieces(text, room):
        width = columns(piece)
        if used and used + len(gap) + width > room:
            lines.append(piece)
            used = width
        else:
            gap = gap if used else ""
            lines[-1] += gap + piece
            used += len(gap) + width
    return lead.ljust(indent) + ("\n" + " " * indent).join(lines)


def _pieces(text: str, room: int) -> Iterator[tuple[str, str]]:
    """Cut into what stays together, each with the gap before it; wide scripts break anywhere."""
    for word in _BREAKS.split(text):
        gap = " "
        for piece in _unbroken(word, room):
            yield gap, piece
            gap = ""


def _unbroken(word: str, room: int) -> Iterable[str]:
    # A link that is broken in two cannot be clicked.
    if "https://" in word or (word.isascii() and len(word) <= room):
        return [word]
    pieces, used = [""], 0
    for character in word:
        width = _width(character)
        # What has no width stays with the character before it.
        if used and width and (width == 2 or used + width > room):
            pieces.append("")
            used = 0
        pieces[-1] += character
        # A line may be broken before and behind every wide character.
        used = room if width == 2 else used + width
    return pieces


def underline(text: str, line: str) -> str:
    """`text`, folded, over a line of `line` as long as itself."""
    return wrap(text) + "\n" + line * min(columns(text), TEXT_COLUMNS)
