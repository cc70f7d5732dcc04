"""Hostile text made fit to print: one line, of a sane length, without what a terminal or a page
would obey.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache

from digest.errors import one_line
from digest.rendering.tex import to_unicode

# What is longer than any real one is cut, so that one odd paper cannot push out all others.
TITLE_LENGTH, ABSTRACT_LENGTH = 500, 6_000

# Controls (C0, C1), line and paragraph separators, lone surrogates; and the marks that turn the
# direction of writing, with which a title could rearrange the line around it.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# A full stop ends no sentence behind an initial or one of these; behind it another one begins.
# Some authors leave out the blank behind it; a name with a dot in it is not followed by a sentence.
_SENTENCE_END = re.compile(
    r"[.!?][\"'”’)\]]*(?= +[\"'“‘(\[$]?[^\Wa-z_])|[。！？]"
    r"|(?<=[a-z]{5})\.(?=[A-Z][a-z]* [a-z]+ )"
)
_NO_END = re.compile(
    r"(?:\b(?:[A-Z]|e\.g|i\.e|cf|vs|al|etc|resp|approx|Fig|Figs|Eq|Eqs|Sec|Ref|Refs"
    r"|No|Thm|Dr|Prof|St|viz|w\.r\.t|Jan|Feb|Aug|Sept?|Oct|Nov|Dec|Phys|Math|Lett|Rev"
    r"|Sci|Proc|Int|Vol))\.$"
)
# … unless a word follows that opens sentences and no names: "over the field K. We show".
_OPENS = re.compile(
    r" +(?:We|The|This|These|That|It|In|As|Our|Here|For|To|If|When|Moreover|Furthermore"
    r"|However|Then|Thus|Hence|Both|They|Such|Comparison|By|On|Using|Finally)\b"
)
BRACKET = 200
"""Characters that a bracket holds at most; a full stop within one ends no sentence."""


def printable_line(text: str, length: int = TITLE_LENGTH) -> str:
    """Make hostile text one printable line of at most `length` characters."""
    line = one_line(UNPRINTABLE.sub(" ", text))
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def readable(text: str, length: int = TITLE_LENGTH) -> str:
    """Make a text of arXiv's one printable line, with its TeX as Unicode."""
    return printable_line(to_unicode(text), length)


@lru_cache(maxsize=4096)
def _sentence_ends(text: str) -> tuple[int, ...]:
    ends = (match.end() for match in _SENTENCE_END.finditer(text))
    return tuple(
        end
        for end in ends
        if (not _NO_END.search(text, max(0, end - 12), end) or _OPENS.match(text, end))
        and not _in_a_link(text, end)
        and not _in_brackets(text, end)
    )


def _in_brackets(text: str, end: int) -> bool:
    """Whether a bracket is open before `end` that is closed soon after it."""
    before, after = text[max(0, end - BRACKET) : end], text[end : end + BRACKET]
    for opening, closing in ("()", "[]"):
        start = before.rfind(opening)
        if start > before.rfind(closing) and closing in after:
            shut = after.index(closing)
            if opening not in after[:shut] and len(before) - start + shut < BRACKET:
                return True
    return False


def _in_a_link(text: str, end: int) -> bool:
    return text[end : end + 1] != " " and "/" in text[text.rfind(" ", 0, end) + 1 : end]


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text, each with its full stop."""
    ends = (0, *_sentence_ends(text))
    cuts = zip(ends, (*ends[1:], len(text)), strict=True)
    return tuple(part for start, end in cuts if (part := text[start:end].strip()))


def shorten(text: str, length: int) -> str:
    """The sentences of a text that fit into `length` characters, and an ellipsis for what is left
    out.

    Where not even the first one fits, its words that do.
    """
    if len(text) <= length:
        return text
    ends = _sentence_ends(text)
    # Two characters are kept for the blank and the ellipsis.
    if whole := bisect_right(ends, length - 2):
        return text[: ends[whole - 1]] + " …"
    cut = text[: length - 1].rpartition(" ")[0].rstrip(" ,;:–-")
    return (cut or text[: length - 1]) + "…"
