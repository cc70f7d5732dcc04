"""The sentence of an abstract that says what was done or found, picked by rules and shown word for
word.

Every sentence gets the sum of what its signs are worth. The signs were chosen, and their worth
fitted (a logistic choice among an abstract's sentences), on papers of many fields whose sentences
had been read and marked by hand; docs/decisions.md tells how that was done and judged.
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


_NEW = _sign(
    rf"{_BY} (?:introduc|propos|present|develop|design|devis|creat)\w*"
    r"|\b(?:is|are) (?:introduced|proposed|presented|developed)\b"
)
"""What was made."""
_FOUND = _sign(
    rf"{_BY} (?:show|prove|demonstrate|find|found|observe|argue|reveal|discover|conclude|confirm"
    r"|suggest)\w* (?:\w+ ){0,3}(?:that|how)\b"
)
"""What was found, told as a fact."""
_RESULTS = _sign(
    r"\b(?:results?|experiments?|evaluations?|findings|analys[ei]s|tests?|stud(?:y|ies))\b.{0,60}"
    r"\b(?:show|demonstrat|reveal|indicat|suggest|find|confirm)\w*\b"
)
"""What the experiments say."""
_PROVED = _sign(
    rf"{_BY} (?:prov(?:e|ing|ed)\b|show\b|demonstrat|find\b|found\b|finds\b|establish|obtain"
    r"|deriv|reveal|discover|uncover|characteri[sz]|solv|determin|construct|identif|formali[sz]"
    r"|give\b|generali[sz]|classif|detect|constrain|observ|offer|exhibit|settl|resolv|predict"
    r"|suggest|confirm|improv|lift|clarif|unif|refut|disprov|complet|explain|recover|design)\w*"
)
"""What was shown or got, in one word."""
_DONE = _sign(
    rf"{_BY} (?:describ|employ|appl(?:y|ied)|use\b|used\b|compar|build|measur|comput|calculat"
    r"|implement|simulat|adopt|instantiate|report|releas|extend|provid)\w*"
)
"""How it was done."""
_STUDIED = _sign(
    rf"{_BY} (?:study|studied|studies|investigat|examin|explor|analy[sz]|consider|survey|review"
    r"|discuss|evaluat|address|conduct|perform|revisit|ask|focus|aim|look|tackle|test|formulat"
    r"|argue|give an? (?:survey|overview))\w*"
)
"""What was looked at, whatever came of it."""
_PASSIVE = _sign(
    r"\b(?:is|are|was|were|has been|have been) (?:\w+ly )?(?:also )?(?:derived|obtained"
    r"|established|prov(?:ed|en)|shown|found|measured|observed|constructed|described"
    r"|demonstrated|calculated|determined|given|studied|investigated)\b"
)
"""The same without anybody who did it."""
_FINDING = (_FOUND, _RESULTS, _PROVED)
_KINDS = (_NEW, *_FINDING, _DONE, _STUDIED, _PASSIVE)

SIGNS: tuple[tuple[float, re.Pattern[str]], ...] = (
    (0.7, _NEW),
    (1.4, _FOUND),
    (1.1, _PROVED),
    (0.7, _DONE),
    (-0.6, _STUDIED),
    (0.7, _PASSIVE),
    (0.5, _sign(r"\b(?:outperform|achiev|surpass|improv|reduc|exceed|attain)\w* ")),
    (1.4, _sign(rf"^(?:here|in this {_PAPER})\b")),
    (
        1.0,
        _sign(
            r"^(?:to (?:address|bridge|tackle|overcome|close|fill|resolve|solve|mitigate|this end"
            r"|achieve)|motivated by|inspired by|building on|therefore)\b"
        ),
    ),
    # What is known, or wanting.
    (
        -1.3,
        _sign(
            r"^(?:however|yet|but|despite|although|while|recent(?:ly)?|existing|current|prior"
            r"|previous|traditional|conventional|many|most|unfortunately|a common|it is well"
            r"|nevertheless|understanding|as a|suppose|let|given)\b"
        ),
    ),
    # What is done besides, or next.
    (
        -1.0,
        _sign(
            r"^(?:moreover|furthermore|additionally|finally|besides|in addition|lastly|second"
            r"|third|next|also|further)\b"
            r"|\b(?:we|i) (?:also|further(?:more)?|additionally|then|finally|lastly|next)\b"
            r"|^as an? (?:\w+ )?(?:application|consequence|corollary|by-?product|example)"
        ),
    ),
    (-0.7, _sign(r"^first\b|\b(?:we|i) first\b")),
    (0.3, _sign(r"^(?:for example|for instance|in particular|specifically|namely|concretely)\b")),
    # What can be downloaded, or is hoped for.
    (
        -0.6,
        _sign(
            r"\b(?:code|dataset|data|models?|implementation|project page|website|supplementary)\b"
            r".{0,60}\b(?:available|released|found|open-sourced?)\b|https?://|\bgithub\b"
        ),
    ),
    (-0.4, _sign(rf"{_WE} (?:releas|open-sourc|conced|hope)\w*")),
    # What leans on the sentence before.
    (
        -1.0,
        _sign(
            r"\bbased on (?:this|these|our)\b|\busing (?:this|these)\b|\bbuilding (?:up)?on\b"
            r"|\bexploiting this\b"
        ),
    ),
    (
        -1.2,
        _sign(
            rf"^(?:it|they|these|those|such|its|their|this (?!{_PAPER})|both|our (?:code|data))\b"
            r"|\b(?:such an?|the above|both of these|the latter|the former)\b"
        ),
    ),
    # What a structured abstract calls by its name.
    (0.9, _sign(r"^(?:results?|findings?|conclusions?) ?:")),
    # What every paper could say of itself.
    (
        -0.4,
        _sign(
            r"\b(?:effectiveness|superiority|valuable|promising|pav\w+ the way|highlights? the"
            r"|opens? (?:up )?(?:new|the)|lays? the|outlook|future (?:work|research|study)"
            r"|potential)\b"
        ),
    ),
    (0.6, _sign(r"\bfor the first time\b|\bthe first\b")),
    # How much, in figures.
    (
        1.5,
        _sign(r"\d ?(?:%|x\b|×|times\b|(?:percentage )?points?\b|-fold|db\b|pp\b|gev\b)"),
    ),
    # A sentence in which nobody speaks of this work.
    (-1.3, _sign(rf"^(?!.*\b(?:we|our|this {_PAPER}|here)\b)")),
)
"""What a sign in a sentence is worth, however often it occurs."""
FIRST_NEW, FIRST_FINDING = 2.6, 0.9
"""What the first sentence gains that says what was made, or found."""
NO_KIND = -1.5
"""What an abstract's opening loses that says nothing of the kind: it is motivation."""
LENGTHS = ((60, -0.8), (100, -0.9), (240, 0.0), (310, 0.6), (400, 0.3))
"""What a sentence up to so many characters gains or loses: a short one says too little."""
LATE = -0.8
"""What the last sentence loses by its place, those before it in proportion."""
NAMED, THIN = 3.4, -0.4
"""What is gained by naming all that the title names, and lost by each word too few beside it."""
OWN_WORDS = 6
"""Words of its own that a sentence has at least, beside the title's, if it is to say something."""
NAME_FIRST, NAME, NAME_NEW = 1.9, 0.9, 0.6
"""What is gained by opening with the name that the title gives, by having it, by announcing it."""

_QUESTION = re.compile(r"[?？][\"'”’)]*$")
_OPENING = re.compile(r"^[^,]{0,60}, ")
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
    small = [part.lower() for part in told]
    named, name = _stems(title), _NAME.match(title)
    scores = [
        _signs(low) + _place(low, place / len(told)) + _by_title(part, low, named, name and name[0])
        for place, (part, low) in enumerate(zip(told, small, strict=True))
    ]
    for gain, kinds in ((FIRST_NEW, (_NEW,)), (FIRST_FINDING, _FINDING)):
        first = next((place for place, low in enumerate(small) if _any(kinds, low)), None)
        if first is not None:
            scores[first] += gain
    return told[scores.index(max(scores))] if told else ""


def _signs(sentence: str) -> float:
    """What a sentence is worth by what it says."""
    return sum(worth for worth, sign in SIGNS if sign.search(sentence))


def _any(signs: tuple[re.Pattern[str], ...], sentence: str) -> bool:
    return any(sign.search(sentence) for sign in signs)


def _place(sentence: str, place: float) -> float:
    """What it is worth by its length and place; `place`: 0 for the first one."""
    length = next((gain for most, gain in LENGTHS if len(sentence) <= most), 0.0)
    bare = not place and not _any(_KINDS, sentence)
    return length + LATE * place + NO_KIND * bare


def _by_title(sentence: str, low: str, named: frozenset[str], name: str | None) -> float:
    """What it gains by naming what the title names, and loses where it says no more."""
    said = _stems(_OPENING.sub("", sentence))
    gain = NAMED * len(named & said) / max(len(named), 1)
    gain += THIN * max(OWN_WORDS - len(said - named), 0)
    if name and sentence.startswith(name):
        gain += NAME_FIRST
    elif name and name in sentence:
        gain += NAME + NAME_NEW * bool(_NEW.search(low))
    return gain


def _stems(text: str) -> frozenset[str]:
    """The words of a text that carry meaning, by how they begin."""
    return frozenset(
        word[:6] for word in map(str.lower, _WORDS.findall(text)) if word not in _COMMON
    )
