"""Names and accents as arXiv's feeds and OAI write them: all authors in one line, accents in TeX."""

from __future__ import annotations

import re
import unicodedata

from digest.rendering.tex.tables import ACCENTS, LETTERS

_DOTLESS = {"ı": "i", "ȷ": "j"}
_MATH = re.compile(r"(\$[^$]*\$)")
_NAMED = rf"\\({'|'.join(sorted(LETTERS, key=len, reverse=True))})"
_LETTER = re.compile(rf"\{{{_NAMED}\s*\}}|{_NAMED}(?:\{{\}}|(?![A-Za-z])\s?)")
_ONE = r"""\\(?:([`'^~"=.])|([uvHckrdb])(?![A-Za-z]))\s*(?:\{\s*([^\W\d_])\s*\}|([^\W\d_]))"""
_ACCENT = re.compile(rf"\{{{_ONE}\}}|{_ONE}")
_GROUP = re.compile(r"\([^()]*\)")
_BETWEEN = re.compile(r"\s*[,;]\s*(?:and\s+)?|\s+and\s+")
_SUFFIX = re.compile(r"(?:Jr|Sr)\.?|I{2,3}|IV", re.IGNORECASE)


def decode_accents(text: str) -> str:
    r"""Return text with TeX's accents and letters as Unicode (`Andr\'e`, `H{\o}vik`), formulas left as they are.

    arXiv's API does the same before it answers; its feeds and OAI do not.
    """
    if "\\" not in text:
        return text
    parts = _MATH.split(text)
    parts[::2] = [_ACCENT.sub(_accented, _LETTER.sub(_letter, part)) for part in parts[::2]]
    return "".join(parts)


def split_authors(line: str) -> tuple[str, ...]:
    """Return the names in one line of authors, without their affiliations, which stand in parentheses.

    Names are joined by commas, semicolons or "and" (arXiv's help, "How to prepare your author list").
    """
    while (shorter := _GROUP.sub("", line)) != line:  # affiliations can nest: ((1) Oslo, (2) Bergen)
        line = shorter
    names: list[str] = []
    for piece in _BETWEEN.split(decode_accents(re.sub("[()]", " ", line))):
        name = " ".join(piece.split())
        if names and _SUFFIX.fullmatch(name):
            names[-1] += f", {name}"
        elif name and name != "and":
            names.append(name)
    return tuple(names)


def _letter(found: re.Match[str]) -> str:
    return LETTERS[found[1] or found[2]]


def _accented(found: re.Match[str]) -> str:
    sign, letter = [group for group in found.groups() if group]
    return unicodedata.normalize("NFC", _DOTLESS.get(letter, letter) + ACCENTS[sign])
