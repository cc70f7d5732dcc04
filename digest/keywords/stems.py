"""Word stems as the search has them: Porter's algorithm, in the form in which SQLite's FTS5 carries
it out.

M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980, with its author's two later
changes (`logi` and `bli`). What a keyword matched is shown to readers word by word, so this must
agree with digest/match.py; a test compares the two.
"""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST = 64
"""Bytes of a word beyond which FTS5 leaves it as it is; those of one or two letters stay too."""

# Each letter is a vowel (v) or a consonant (c); a word's measure is how often consonants follow
# vowels.
_TIMES = re.compile("v+c+")

_SECOND = {
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "logi": "log", "bli": "ble",
    "alli": "al", "entli": "ent", "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate", "ator": "ate",
    "alism": "al", "iveness": "ive", "fulness": "ful", "ousness": "ous", "aliti": "al", "iviti": "ive",
    "biliti": "ble",
}  # fmt: skip
_THIRD = {
    "icate": "ic",
    "ative": "",
    "alize": "al",
    "iciti": "ic",
    "ical": "ic",
    "ful": "",
    "ness": "",
}
_FOURTH = tuple(
    "al ance ence er ic able ible ant ement ment ent ion ou ism ate iti ous ive ize".split()
)


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The stem of a folded word: lower case, without accents."""
    if not 3 <= len(word.encode()) <= LONGEST:
        return word
    for step in (_plural, _past, _final_y, _second, _third, _fourth, _final_e):
        word = step(word)
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word


def _kinds(word: str) -> str:
    """A letter a word: `v` or `c`. Y is a vowel behind a consonant."""
    kinds, previous = [], "v"
    for letter in word:
        previous = "v" if letter in "aeiou" or (letter == "y" and previous == "c") else "c"
        kinds.append(previous)
    return "".join(kinds)


def _measure(word: str) -> int:
    return len(_TIMES.findall(_kinds(word)))


def _has_vowel(word: str) -> bool:
    return "v" in _kinds(word)


def _is_short(word: str) -> bool:
    """Porter's *o: consonant, vowel, consonant at the end, the last one not w, x or y."""
    return word[-1:] not in ("w", "x", "y") and _kinds(word).endswith("cvc")


def _plural(word: str) -> str:
    if not word.endswith("s") or word.endswith("ss"):
        return word
    is_double = (len(word) > 4 and word.endswith("sses")) or (
        len(word) > 3 and word.endswith("ies")
    )
    return word[:-2] if is_double else word[:-1]


def _past(word: str) -> str:
    if len(word) > 3 and word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) else word
    ending = next((end for end in ("ed", "ing") if len(word) > len(end) and word.endswith(end)), "")
    if not ending or not _has_vowel(word[: -len(ending)]):
        return word
    word = word[: -len(ending)]
    if word.endswith(("at", "bl", "iz")):
        return word + "e"
    if word[-1:] not in "aeioulsz" and word[-2:-1] == word[-1:]:
        return word[:-1]
    return word + "e" if _measure(word) == 1 and _is_short(word) else word


def _final_y(word: str) -> str:
    return word[:-1] + "i" if word.endswith("y") and _has_vowel(word[:-1]) else word


def _second(word: str) -> str:
    return _replaced(word, _SECOND)


def _third(word: str) -> str:
    return _replaced(word, _THIRD)


def _replaced(word: str, endings: dict[str, str]) -> str:
    """Put another ending for the longest of these that the word has, where something measurable
    stays before it.
    """
    ending = _longest(word, endings)
    stays = word[: len(word) - len(ending)]
    return stays + endings[ending] if ending and _measure(stays) else word


def _fourth(word: str) -> str:
    ending = _longest(word, _FOURTH)
    stays = word[: len(word) - len(ending)]
    if not ending or (ending == "ion" and stays[-1:] not in ("s", "t")):
        return word
    return stays if _measure(stays) > 1 else word


def _longest(word: str, endings: dict[str, str] | tuple[str, ...]) -> str:
    found = [ending for ending in endings if len(word) > len(ending) and word.endswith(ending)]
    return max(found, key=len, default="")


def _final_e(word: str) -> str:
    if not word.endswith("e"):
        return word
    measure = _measure(word[:-1])
    return word[:-1] if measure > 1 or (measure == 1 and not _is_short(word[:-1])) else word
