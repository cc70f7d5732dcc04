r"""TeX's accents and letters in running text: what they stand for, and text with them as
Unicode.
"""

from __future__ import annotations

import re
import unicodedata

_LETTER_PAIRS = (
    "o ø O Ø l ł L Ł ss ß SS ẞ ae æ AE Æ oe œ OE Œ aa å AA Å i ı j ȷ dh ð DH Ð th þ TH Þ "
    "dj đ DJ Đ ng ŋ NG Ŋ"
).split()
LETTERS = dict(zip(_LETTER_PAIRS[::2], _LETTER_PAIRS[1::2], strict=True))
"""Letters by the names of their commands, without the backslash."""
ACCENTS = dict(
    zip(
        ("`", "'", "^", '"', "~", "=", ".", "u", "v", "H", "c", "k", "r", "d", "b"),
        "\u0300\u0301\u0302\u0308\u0303\u0304\u0307"
        "\u0306\u030c\u030b\u0327\u0328\u030a\u0323\u0331",
        strict=True,
    )
)
"""Accents of text, with the combining character that each stands for."""
_SPELLED = (
    "Abbé Ampère Ångström Aumüller Barabási Barceló Bézier Böhm Brønsted café Calderón Candès "
    "Carathéodory Čech Černý Čerenkov Chvátal Cortés Cramér Dąbrowski Émery Erdős Erdös exposé "
    "façade Föllmer Fréchet Fürer Gårding Gâteaux Gödel Gómez González Gørtz Grönwall Grünbaum "
    "Grüneisen Grünwald Gröbner Hájek Halász Hénon Hölder Hörmander Hückel Itô Itō Jørgensen "
    "Kähler Kärkkäinen Köhler Komlós König Köthe Koucký Künneth Lamé Lefèvre Lévy L'Hôpital "
    "Lipták Łojasiewicz Loève Lovász Löwenheim Löwner Łukasiewicz Lüroth Martínez Matérn Möbius "
    "Möller Mössbauer Møller Müller naïve naïvely naïveté Néel Néron Nikodým Niño Nörlund "
    "Nyström Ørsted Padé Painlevé Pătraşcu Plücker Poincaré Pólya Prékopa Príncipe protégé "
    "Prüfer Rényi résumé Röntgen Rössler Sárközy Schönhage Schröder Schrödinger Schützenberger "
    "Sørensen Stäckel Størmer Szegő Szegö Szemerédi Teichmüller Tóth Turán Väisälä Vitányi "
    "Ważewski Zürich"
).split()
ACCENTED: dict[str, tuple[str, ...]] = {}
"""Words of science that are written with accents, and that many search for without: the plain
letters, and the word in each of its spellings."""
for _name in map(str.lower, _SPELLED):
    _plain = unicodedata.normalize("NFD", _name.replace("ø", "o").replace("ł", "l"))
    _plain = "".join(letter for letter in _plain if not unicodedata.combining(letter))
    ACCENTED[_plain] = (*ACCENTED.get(_plain, ()), _name)
_DOTLESS = {"ı": "i", "ȷ": "j"}
_MATH = re.compile(r"(\$[^$]*\$)")
# Longer names first, or \oe would be read as \o with an e behind it.
_NAMED = rf"\\(?:{'|'.join(sorted(LETTERS, key=len, reverse=True))})(?![A-Za-z])"
_LETTER = re.compile(rf"(?P<brace>\{{)?{_NAMED}(?(brace)\s*\}}|(?:\{{\}}|\s?))")
_BASE = rf"(?:[^\W\d_]|{_NAMED})"
_SIGN = r"""\\(?:[`'^~"=.]|[uvHckrdb](?![A-Za-z]))\s*"""
_ONE = rf"{_SIGN}(?:{_BASE}|\{{\s*{_BASE}\s*\}})"
ACCENT = re.compile(
    # The base in braces may bear another accent, as in \~{\^e}.
    rf"(?P<brace>\{{)?(?P<sign>{_SIGN})"
    rf"(?:\{{\s*(?P<base>{_BASE}|{_ONE}|\{{{_ONE}\}})\s*\}}|(?P<bare>{_BASE}))(?(brace)\}})"
)
"""An accent with its letter."""


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
    return ACCENT.sub(accented, _LETTER.sub(_letter, text))


def _letter(found: re.Match[str]) -> str:
    return LETTERS[found[0].strip("{}").strip()[1:]]


def accented(found: re.Match[str]) -> str:
    """Return the letter of an ACCENT with its accent, as one character where Unicode has it."""
    letter = decode_all_accents(found["base"] or found["bare"]).strip("{}")
    accent = ACCENTS[found["sign"].strip()[1:]]
    return unicodedata.normalize("NFC", _DOTLESS.get(letter, letter) + accent)
