"""The sentence of an abstract that says what was done or found, picked by rules and shown word for
word.

Every sentence gets the sum of what its signs are worth. The signs were chosen, and their worth
fitted (a logistic choice among an abstract's sentences), on papers whose sentences had been read
and marked by hand; docs/decisions.md tells how that was done and judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

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
    (0.8, _sign(rf"{_BY} (?:introduc|propos|present)\w*")),
    (
        1.0,
        _sign(
            rf"{_BY} (?:find|found|observ|discover|uncover|reveal|identif|show|prov"
            r"|demonstrat)\w*"
        ),
    ),
    (-0.6, _STUDIED),
    # What comes of the whole work.
    (
        1.1,
        _sign(
            r"\b(?:these|the|our|overall|together|taken together),? (?:\w+ )?(?:results?"
            r"|findings)\b"
        ),
    ),
    (0.7, _sign(r"\bachiev|\battain|\byield|\bdeliver|\bset\w* (?:a )?new")),
    # How much, in figures.
    (
        0.7,
        _sign(r"\d ?(?:%|percent|x\b|×|times\b|(?:percentage )?points?\b|-fold|db\b|pp\b|gev\b)"),
    ),
    (0.8, _sign(r"\d\D+\d")),
    # What is new in it.
    (0.6, _sign(r"\b(?:novel|new|the first)\b")),
    (
        0.6,
        _sign(r"\b(?:instead of|rather than|without|unlike|while (?:\w+ly )?(?:\w+ing|using))\b"),
    ),
    (0.5, _sign(r"\b(?:that|which|whose|where|by) ")),
    # A sentence in which nobody speaks: mostly motivation, or a detail.
    (-0.8, _sign(rf"^(?!.*\b(?:we|our|this {_PAPER}|here)\b)")),
    # What is known, or wanting.
    (
        -1.4,
        _sign(
            r"^(?:however|yet|but|despite|although|while|recent(?:ly)?|existing|current|prior"
            r"|previous|traditional|conventional|many|most|unfortunately|nevertheless)\b"
        ),
    ),
    # What is done besides, or next, or before.
    (
        -1.7,
        _sign(
            r"^(?:moreover|furthermore|additionally|finally|besides|in addition|lastly|also"
            r"|further|then|next|second|third)\b"
            r"|\b(?:we|i) (?:also|further(?:more)?|additionally|then|finally|lastly|next|first)\b"
        ),
    ),
    # What leans on the sentence before.
    (
        -0.6,
        _sign(
            r"^to (?:this end|address|bridge|tackle|overcome|close|fill|resolve|solve|mitigate"
            r"|achieve|do|explain|evaluate|support|test|answer|study|investigate|isolate|explore"
            r"|quantify|benchmark|assess|measure)\b"
        ),
    ),
    (-0.6, _sign(r"^(?:it|they|this|these|its|such|those)\b")),
)
"""What a sign in a sentence is worth, however often it occurs."""
MADE_FIRST, FOUND_FIRST = 1.2, 0.9
"""What the first sentence gains that says what was made, or what was found."""
AFTER_MADE, AFTER_TITLE = 0.6, 1.9
"""What the sentence gains after the first that says what was made, and more where that one has
fewer than `ENOUGH` words beside the title's: it says what the title has said already."""
ENOUGH = 8
LATE, ENDING, BARE = 0.8, -0.7, -1.1
"""What the last sentence gains by its place, those before it in proportion; what the last two lose;
what an opening loses that says nothing of the kind: it is motivation."""
LENGTH, SHORT, LONG = 1.0, -1.1, -1.8
"""What a sentence gains by a hundred characters, up to 300; loses by a hundred under 140, and by a
hundred over 300: thirteen papers are to be read on three and a half screens of a phone."""
NAMED, NAME = 1.1, 1.3
"""What is gained by having all words of the title (in proportion), and by the name it gives."""
MADE_OWN, THIN = 0.6, -1.3
"""What is gained by ten words, 14 at most, that the title has not, where they say what was made;
what is lost where there are fewer than four of them."""

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
    named, name = _stems(title), _NAME.match(title)
    words = [_stems(_BEFORE_COMMA.sub("", part)) for part in told]
    own = [len(said - named) for said in words]
    made = [bool(_MADE.search(low)) for low in small]
    scores = [
        sum(worth for worth, sign in SIGNS if sign.search(low))
        + LENGTH * min(len(low), 300) / 100
        + SHORT * max(140 - len(low), 0) / 100
        + LONG * max(len(low) - 300, 0) / 100
        + NAMED * len(named & said) / max(len(named), 1)
        + NAME * bool(name and name[0] in part)
        + MADE_OWN * new * min(fresh, 14) / 10
        + THIN * (fresh < 4)
        for part, low, said, fresh, new in zip(told, small, words, own, made, strict=True)
    ]
    for place, gain in _by_place(small, made, own):
        scores[place] += gain
    return told[scores.index(max(scores))]


def _by_place(small: list[str], made: list[bool], own: list[int]) -> Iterator[tuple[int, float]]:
    """What sentences are worth by their place among the others: the place, and a gain.

    `small`: the sentences in small letters; `made`: which of them say what was made; `own`: how
    many words each has that the title has not.
    """
    count = len(small)
    for place in range(count):
        yield place, LATE * place / count + ENDING * (place >= count - 2)
    found = next((place for place, low in enumerate(small) if _FOUND.search(low)), None)
    if found is not None:
        yield found, FOUND_FIRST
    if not (made[0] or found == 0 or _STUDIED.search(small[0])):
        yield 0, BARE
    if True in made:
        first = made.index(True)
        yield first, MADE_FIRST
        if first + 1 < count:
            yield first + 1, AFTER_MADE + AFTER_TITLE * (own[first] < ENOUGH)


def _stems(text: str) -> frozenset[str]:
    """The words of a text that carry meaning, by how they begin."""
    return frozenset(
        word[:6] for word in map(str.lower, _WORDS.findall(text)) if word not in _COMMON
    )
