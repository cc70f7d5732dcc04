r"""TeX's accents and letters in running text: what they stand for, and text with them as
Unicode.
"""

from __future__ import annotations

import re
import unicodedata

_LETTER_PAIRS = "o ø O Ø l ł L Ł ss ß SS ẞ ae æ AE Æ oe œ OE Œ aa å AA Å i ı j ȷ dh ð DH Ð th þ TH Þ dj đ DJ Đ ng ŋ NG Ŋ".split()
LETTERS = dict(zip(_LETTER_PAIRS[::2], _LETTER_PAIRS[1::2], strict=True))
"""Letters by the names of their commands, without the backslash."""
ACCENTS = dict(
    zip(
        ("`", "'", "^", '"', "~", "=", ".", "u", "v", "H", "c", "k", "r", "d", "b"),
        "\u0300\u0301\u0302\u0308\u0303\u0304\u0307\u0306\u030c\u030b\u0327\u0328\u030a\u0323\u0331",
        strict=True,
    )
)  # fmt: skip
"""Accents of text, with the combining character that each stands for."""
_DOTLESS = {"ı": "i", "ȷ": "j"}
_MATH = re.compile(r"(\$[^$]*\$)")
_NAMED = rf"\\({'|'.join(sorted(LETTERS, key=len, reverse=True))})"
_LETTER = re.compile(rf"\{{{_NAMED}\s*\}}|{_NAMED}(?:\{{\}}|(?![A-Za-z])\s?)")
_ONE = r"""\\(?:([`'^~"=.])|([uvHckrdb])(?![A-Za-z]))\s*(?:\{\s*([^\W\d_])\s*\}|([^\W\d_]))"""
_ACCENT = re.compile(rf"\{{{_ONE}\}}|{_ONE}")


def decode_accents(text: str) -> str:
    r"""Return text with TeX's accents and letters as Unicode (`Andr\'e`, `H{\o}vik`), formulas left
    as they are.

    arXiv's API does the same before it answers; its feeds and OAI do not.
    """
    if "\\" not in text:
        return text
    parts = _MATH.split(text)
    parts[::2] = map(decode_all_accents, parts[::2])
    return "".join(parts)


def decode_all_accents(text: str) -> str:
    """Return text with TeX's accents and letters as Unicode, in formulas too, as arXiv's search
    reads it.
    """
    return _ACCENT.sub(_accented, _LETTER.sub(_letter, text))


def _letter(found: re.Match[str]) -> str:
    return LETTERS[found[1] or found[2]]


def _accented(found: re.Match[str]) -> str:
    sign, letter = [group for group in found.groups() if group]
    return unicodedata.normalize("NFC", _DOTLESS.get(letter, letter) + ACCENTS[sign])
