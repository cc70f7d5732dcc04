"""The sentence of an abstract that says what was done or found, picked by rules and shown word for
word.
"""

from __future__ import annotations

import re

from digest.rendering.texts import sentences

LENGTHS = ((50, -1.0), (240, 0.0), (310, -0.4), (400, -1.0))
"""What a sentence up to so many characters gains or loses: a short one says too little, a long one
is not read at a glance."""
TOO_LONG = -1.8

_WE = r"\b(?:we|i)\b(?: \w+ly| also| then| further| first| here| now| thus| therefore)?"
_THIS = (
    r"\b(?:this|our) (?:[\w-]+ )?(?:paper|work|article|study|letter|thesis|survey|note|report"
    r"|chapter)\b(?: \w+ly| therefore| thus| then)?"
)
_STUDY = (
    r"(?:study|studied|studies|investigat|examin|explor|analy[sz]|consider|survey|review|discuss"
    r"|compar|evaluat|address|conduct|perform|revisit|describ|employ|apply|ask|use\b|focus|aim"
    r"|look|tackle|test)\w*|present an? (?:[\w-]+ ){0,3}(?:study|analysis|evaluation|comparison)\b"
)
_KINDS = (
    # What was looked at, whatever came of it.
    (
        re.compile(
            rf"(?:{_WE}|{_THIS}) (?:{_STUDY})(?!.*\band (?:show|find|propose|develop|prove))",
            re.IGNORECASE,
        ),
        1.0,
    ),
    # What was found.
    (
        re.compile(
            rf"(?:{_WE}|{_THIS}) (?:show|prove|demonstrate|find|found|observe|argue|reveal"
            r"|discover)\w* (?:\w+ ){0,3}(?:that|how)\b"
            r"|\b(?:results?|experiments?|evaluations?|findings|analys[ei]s|tests?)\b.{0,40}"
            r"\b(?:show|demonstrat|reveal|indicat|suggest|find)\w* that\b",
            re.IGNORECASE,
        ),
        2.7,
    ),
    # What is new has a name, or is said to be new.
    (
        re.compile(
            rf"(?:{_WE}|{_THIS}) (?:introduc|propos|present|develop|design|devis)\w*"
            r"|\bis (?:introduced|proposed|presented|developed)\b"
            r"|\b(?:are|was|were) (?:introduced|proposed|presented|developed) (?:in this|here)\b",
            re.IGNORECASE,
        ),
        3.0,
    ),
    (
        re.compile(
            rf"(?:{_WE}|{_THIS}) (?:show|prov(?:e|ing)\b|demonstrat|find\b|found\b|finds\b"
            r"|establish|obtain|deriv|report|reveal|discover|uncover|characteri[sz]|solv|determin"
            r"|construct|provid|argu|identif|formulat|formali[sz]|give|extend|generali[sz]|classif"
            r"|build|measur|detect|constrain|comput|calculat|observ|offer|releas|contribut)\w*",
            re.IGNORECASE,
        ),
        2.4,
    ),
    (re.compile(r"\b(?:outperform|achiev|surpass|improv|reduc|exceed)\w* ", re.IGNORECASE), 0.9),
)
"""What kinds of sentences there are, in the order in which they are tried, and what each is
worth."""
_TURNS = (
    (
        re.compile(
            r"^(?:here|in this (?:paper|work|article|study|letter|survey|note|thesis|chapter)"
            r"|to (?:address|bridge|tackle|overcome|close|fill|resolve|solve|mitigate|this end)"
            r"|motivated by|inspired by|building on)\b",
            re.IGNORECASE,
        ),
        0.6,
    ),
    (
        re.compile(
            r"^(?:however|yet|but|despite|although|while|recent(?:ly)?|existing|current|prior"
            r"|previous|traditional|conventional|many|most|unfortunately|a common|it is well"
            r"|nevertheless|understanding|for example|for instance|in particular|specifically"
            r"|moreover|furthermore|additionally|finally|besides|in addition|lastly|as a|first"
            r"|second|third|\([\di]+\))\b",
            re.IGNORECASE,
        ),
        -1.0,
    ),
    # What can be downloaded.
    (
        re.compile(
            r"\b(?:code|dataset|data|models?|implementation|project page|website|supplementary)\b"
            r".{0,60}\b(?:available|released|found|open-sourced?)\b|https?://|\bgithub\b",
            re.IGNORECASE,
        ),
        -3.0,
    ),
    (re.compile(rf"{_WE} (?:releas|open-sourc|conclud|conced|hope)\w*", re.IGNORECASE), -1.0),
    # What is done besides, or next.
    (
        re.compile(
            r"\b(?:we|i) (?:also|further(?:more)?|additionally|then|finally|lastly)\b"
            r"|\bbased on (?:this|these|our)\b|\busing (?:this|these)\b",
            re.IGNORECASE,
        ),
        -0.7,
    ),
    # What leans on the sentence before.
    (
        re.compile(
            r"^(?:it|they|these|those|such|this (?!paper|work|article|study|letter|survey|note)"
            r"|both|our (?:code|data))\b|\b(?:such an?|the above|both of these)\b",
            re.IGNORECASE,
        ),
        -0.8,
    ),
    (re.compile(r"[?？]$"), -2.0),
)
"""What else in a sentence counts for it, or against it."""
_OPENING = re.compile(r"^[^,]{0,60}, ")
_HANGS = re.compile(
    r"\b(?:these|such|both"
    r"|this (?!paper|work|article|study|letter|survey|note|thesis|chapter|end\b))",
    re.IGNORECASE,
)
"""How a sentence speaks, behind its opening, of what stands before it."""
_NAME = re.compile(r"^[\w./+-]*[A-Z][\w./+-]*(?= ?:)")
"""What a title calls the thing that it is about: `BiWM: Advancing …`."""
_WORDS = re.compile(r"[^\W\d_]{3,}")
_COMMON = frozenset(
    "and are based can for from has have into its new not our than that the their this through to"
    " towards toward using via was were what when where which with without how why does introduce"
    " propose present framework method approach novel paper work address".split()
)
HOLLOW = 5
"""Words of its own that a sentence has at least, beside the title's, if it is to say something."""


def key_sentence(abstract: str, title: str) -> str:
    """The sentence of an abstract that a reader would have underlined; "" where there is none.

    It is one of the abstract's own, uncut. What was made goes before what was found, that before
    what was studied, and motivation comes last; the words of the title count, but who says nothing
    else says little; among equals the earlier one is chosen.
    """
    parts = sentences(abstract)
    scores = [_score(part, place / len(parts), title) for place, part in enumerate(parts)]
    return parts[scores.index(max(scores))] if parts else ""


def _score(sentence: str, place: float, title: str) -> float:
    """How much a sentence says of what was done or found; `place`: 0 for the first one."""
    kind = next((worth for pattern, worth in _KINDS if pattern.search(sentence)), 0.0)
    score = kind + sum(worth for pattern, worth in _TURNS if pattern.search(sentence))
    score += next((gain for most, gain in LENGTHS if len(sentence) <= most), TOO_LONG)
    # Motivation stands first, details and outlook last.
    score -= 1.0 if not place and kind < 2 else 0.8 * place
    return score + _by_title(sentence, kind, title)


def _by_title(sentence: str, kind: float, title: str) -> float:
    """What a sentence gains by naming what the title names, and loses where it says no more."""
    own = _OPENING.sub("", sentence)
    named, said = _stems(title), _stems(own)
    gain = 1.6 * len(named & said) / max(len(named), 1)
    gain -= 1.2 * (len(said - named) < HOLLOW) + 0.5 * bool(_HANGS.search(own))
    name = _NAME.match(title)
    if name and sentence.startswith(name[0]):
        gain += 2.2 - kind
    elif name and name[0] in sentence and kind:
        gain += 0.6
    return gain


def _stems(text: str) -> frozenset[str]:
    """The words of a text that carry meaning, by how they begin."""
    return frozenset(
        word[:6] for word in map(str.lower, _WORDS.findall(text)) if word not in _COMMON
    )
