"""The sentence of an abstract that says what was done or found, picked by rules and shown word for
word.

Every sentence gets the sum of what its signs are worth. The signs were chosen, and their worth
fitted (a logistic choice among an abstract's sentences), on papers whose sentences had been read
and marked by hand; docs/decisions.md tells how that was done and judged.
"""

from __future__ import annotations

import re

from digest.rendering.texts import sentences

_WE = (
    r"\b(?:we|i)\b(?: have| can)?"
    r"(?: \w+ly| also| then| further| first| here| now| thus| therefore| still| instead| next)?"
)
_THIS = (
    r"\b(?:this|our) (?:[\w-]+ )?(?:paper|work|article|study|letter|thesis|survey|note|report"
    r"|chapter)\b(?: \w+ly| therefore| thus| then| first)?"
)
_BY = rf"(?:{_WE}|{_THIS})"
_PAPER = r"(?:paper|work|article|study|letter|survey|note|thesis|chapter)\b"


def _sign(pattern: str) -> re.Pattern[str]:
    """What is looked for in a sentence in small letters (many times faster than either case)."""
    return re.compile(pattern)


_MADE = _sign(
    rf"{_BY} (?:introduc|propos|present|develop|design|devis|creat|build|construct)\w*"
    r"|\b(?:is|are) (?:introduced|proposed|presented|developed)\b"
)
"""What was made."""
_TOLD = _sign(
    r"\b(?:show|demonstrat|reveal|indicat|suggest|find|found|prov|confirm|establish|conclud"
    r"|observ)\w*(?: \w+){0,2} that\b"
    r"|\b(?:results?|experiments?|evaluations?|findings|analys[ei]s|tests?|stud(?:y|ies))\b.{0,60}"
    r"\b(?:show|demonstrat|reveal|indicat|suggest|find|confirm)\w*\b"
)
"""What was found, told as a fact."""
_FOUND = _sign(
    _TOLD.pattern + rf"|{_BY} (?:prov(?:e|ing|ed)\b|show\b|demonstrat|find\b|found\b|finds\b"
    r"|establish|obtain|deriv|reveal|discover|uncover|characteri[sz]|solv|determin|identif|give\b"
    r"|generali[sz]|classif|detect|observ|settl|resolv|confirm|improv|unif|refut|disprov"
    r"|explain)\w*"
)
"""That, or what was proved or got, in one word."""
_STUDIED = _sign(
    rf"{_BY} (?:study|studied|studies|investigat|examin|explor|analy[sz]|consider|survey|review"
    r"|discuss|address|revisit|ask|focus|compar|evaluat|test)\w*"
)
"""What was looked at, whatever came of it."""

SIGNS: tuple[tuple[float, re.Pattern[str]], ...] = (
    (1.4, _sign(rf"{_BY} (?:introduc|propos|present)\w*")),
    (0.5, _TOLD),
    (-1.0, _STUDIED),
    # What comes of the whole work.
    (
        0.9,
        _sign(
            r"\b(?:these|the|our|overall|together|taken together),? (?:\w+ )?(?:results?"
            r"|findings)\b"
        ),
    ),
    (
        1.2,
        _sign(
            r"\b(?:main|key|central|principal|core) (?:result|finding|contribution|theorem"
            r"|insight)s?\b|\bfinding is\b"
        ),
    ),
    # How much, in figures; to beat others says little of what does it.
    (
        1.4,
        _sign(r"\d ?(?:%|percent|x\b|×|times\b|(?:percentage )?points?\b|-fold|db\b|pp\b|gev\b)"),
    ),
    (-0.8, _sign(r"\boutperform|\bsurpass|\bexceed")),
    # A theorem.
    (
        0.7,
        _sign(
            r"[=≤≥⩽⩾∈∀]|\b(?:every|all|any|if and only if|conjecture|bounds?|polynomial"
            r"|algorithm)\b"
        ),
    ),
    # Who speaks; where nobody does, it is mostly motivation, or a detail.
    (0.8, _sign(r"\b(?:we|i)\b")),
    (0.8, _sign(rf"\b(?:this|our|the present) {_PAPER}")),
    (-1.1, _sign(rf"^(?!.*\b(?:we|our|this {_PAPER}|here)\b)")),
    # What is known, or wanting.
    (
        -0.9,
        _sign(
            r"^(?:however|yet|but|despite|although|while|recent(?:ly)?|existing|current|prior"
            r"|previous|traditional|conventional|many|most|unfortunately|nevertheless)\b"
        ),
    ),
    # What is done besides, or next, or before.
    (
        -1.3,
        _sign(
            r"^(?:moreover|furthermore|additionally|finally|besides|in addition|lastly|also"
            r"|further|then|next|second|third)\b"
            r"|\b(?:we|i) (?:also|further(?:more)?|additionally|then|finally|lastly|next|first)\b"
        ),
    ),
    # It says something of what it names.
    (0.4, _sign(r"\b(?:that|which|whose|where|by) ")),
)
"""What a sign in a sentence is worth, however often it occurs."""
FIRST = 1.4
"""What the first sentence gains that says what was made, and the first that says what was found."""
OPENING, BARE, ENDING = -0.7, -0.7, -0.5
"""What an abstract's opening loses, once more where it says nothing of the kind (it is motivation),
and what its last two sentences lose."""
SHORT, SHORTER = -0.6, -0.9
"""What a sentence of up to 100 characters loses, and each by a hundred characters under 140."""
NAMED, NAMED_MOST, NAME = 1.6, 0.5, 1.6
"""What is gained by having all words of the title (in proportion), most of them among the
abstract's sentences, and the name that the title gives."""

_QUESTION = re.compile(r"[?？][\"'”’)]*$")
_BEFORE_COMMA = re.compile(r"^[^,]{0,60}, ")
_NAME = re.compile(r"^[\w./+-]*[A-Z][\w./+-]*(?= ?:)")
"""What a title calls the thing that it is about: `BiWM: Advancing …`."""
_WORDS = re.compile(r"[^\W\d_]{3,}")
_COMMON = frozenset(
    "and are based can for from has have into its new not our than that the their this through to"
    " towards toward using via was were what when where which with without how why does introduce"
    " propose present framework method approach novel paper work address".split()
)


def key_sentence(abstract: str, title: str) -> str:
    """The sentence of an abstract that a reader would have underlined; "" where there is none.

    It is one of the abstract's own, uncut, and no question unless there is nothing else; among
    equals the earlier one is chosen.
    """
    parts = sentences(abstract)
    told = [part for part in parts if not _QUESTION.search(part)] or parts
    if not told:
        return ""
    small = [part.lower() for part in told]
    scores = [
        by_place + by_title + sum(worth for worth, sign in SIGNS if sign.search(low))
        for by_place, by_title, low in zip(_by_place(small), _by_title(told, title), small)
    ]
    return told[scores.index(max(scores))]


def _by_place(small: list[str]) -> list[float]:
    """What each sentence, in small letters, is worth by its place among the others and its
    length."""
    gains = [SHORT * (len(low) <= 100) + SHORTER * max(140 - len(low), 0) / 100 for low in small]
    for kind in (_MADE, _FOUND):
        first = next((place for place, low in enumerate(small) if kind.search(low)), None)
        if first is not None:
            gains[first] += FIRST
    gains[0] += OPENING
    gains[0] += BARE * (not any(kind.search(small[0]) for kind in (_MADE, _FOUND, _STUDIED)))
    for place in range(len(small))[-2:]:
        gains[place] += ENDING
    return gains


def _by_title(told: list[str], title: str) -> list[float]:
    """What each sentence gains by naming what the title names."""
    named, name = _stems(title), _NAME.match(title)
    shares = [
        len(named & _stems(_BEFORE_COMMA.sub("", part))) / max(len(named), 1) for part in told
    ]
    most = max(shares) or 1
    return [
        NAMED * share + NAMED_MOST * (share == most) + NAME * bool(name and name[0] in part)
        for share, part in zip(shares, told, strict=True)
    ]


def _stems(text: str) -> frozenset[str]:
    """The words of a text that carry meaning, by how they begin."""
    return frozenset(
        word[:6] for word in map(str.lower, _WORDS.findall(text)) if word not in _COMMON
    )
