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
    r"\bthis (?:[\w-]+ )?(?:paper|work|article|study|letter|thesis|survey|note|report|chapter)\b"
    r"(?: \w+ly| therefore| thus| then)?"
)
_NAMED = re.compile(
    rf"{_WE} (?:introduc|propos|present|develop|design|release|devis)\w*"
    rf"|{_THIS} (?:introduc|propos|present|develop|describ|establish)\w*"
    r"|\bis (?:introduced|proposed|presented|developed)\b"
    r"|\b(?:are|was|were) (?:introduced|proposed|presented|developed) (?:in this|here)\b",
    re.IGNORECASE,
)
"""What is new has a name, or is said to be new."""
_SHOWN = re.compile(
    rf"{_WE} (?:show|prove|demonstrat|find\b|found\b|establish|obtain|derive|report|reveal"
    r"|discover|uncover|characteri[sz]e|solve|determine|construct|provide|argue|identif|formulat"
    r"|formali[sz]|give\b|extend|generali[sz]e|classif|build|measure|detect|constrain|compute"
    r"|calculate)\w*"
    rf"|{_THIS} (?:show|prov|demonstrat|find|argu|deriv|reveal|address|investigat|stud|examin"
    r"|explor|review|survey|analy|consider|discuss|offer|give|aim|focus|compar|evaluat|report"
    r"|provid|extend|formali|generali|construct|build|asks?)\w*",
    re.IGNORECASE,
)
_STUDIED = re.compile(
    rf"{_WE} (?:study|studied|investigat|examin|explor|analy[sz]|consider|survey|review|discuss"
    r"|compare|evaluat|address|conduct|perform|revisit|describ|observe|suggest|employ|apply|ask\b"
    r"|use\b|focus|aim|propos)\w*",
    re.IGNORECASE,
)
_RESULT = re.compile(
    r"\b(?:results?|experiments?|evaluations?|findings|analys[ei]s|simulations?|observations?)\b"
    r".{0,60}\b(?:show|demonstrat|reveal|indicat|suggest|confirm|find)\w*"
    r"|\b(?:outperform|achiev|surpass|improv|reduc|exceed)\w* ",
    re.IGNORECASE,
)
_HERE = re.compile(
    r"^(?:here|in this (?:paper|work|article|study|letter|survey|note|thesis|chapter)"
    r"|to (?:address|bridge|tackle|overcome|close|fill|resolve|solve|mitigate|this end)"
    r"|motivated by|inspired by|building on)\b",
    re.IGNORECASE,
)
_MOTIVATION = re.compile(
    r"^(?:however|yet|but|despite|although|while|recent(?:ly)?|existing|current|prior|previous"
    r"|traditional|conventional|many|most|unfortunately|a common|it is well|nevertheless"
    r"|understanding|although|for example|for instance|in particular|specifically"
    r"|moreover|furthermore|additionally|finally|besides|in addition|lastly|as a)\b",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"\b(?:code|dataset|data|models?|implementation|project page|website|supplementary)\b.{0,60}"
    r"\b(?:available|released|found|open-sourced?)\b|https?://|\bgithub\b",
    re.IGNORECASE,
)
_BESIDES = re.compile(
    r"\b(?:we|i) (?:also|further(?:more)?|additionally|then|finally|lastly)\b", re.IGNORECASE
)
"""What is done besides, or next."""
_LEANS = re.compile(
    r"^(?:it|they|these|those|such|this (?!paper|work|article|study|letter|survey|note)|both|our"
    r" (?:code|data))\b",
    re.IGNORECASE,
)
"""How a sentence begins that leans on the one before it."""
_WORDS = re.compile(r"[^\W\d_]{3,}")
_COMMON = frozenset(
    "and are based can for from has have into its new not our than that the their this through to"
    " towards toward using via was were what when where which with without how why does".split()
)


def key_sentence(abstract: str, title: str) -> str:
    """The sentence of an abstract that a reader would have underlined; "" where there is none.

    It is one of the abstract's own, uncut. Chosen are: what was made or shown over what was
    studied, that over results, results over motivation; among equals the one that shares most words
    with the title, and the earlier one.
    """
    parts = sentences(abstract)
    named = _stems(title)
    scores = [_score(part, place, len(parts), named) for place, part in enumerate(parts)]
    return parts[scores.index(max(scores))] if parts else ""


def _score(sentence: str, place: int, count: int, named: frozenset[str]) -> float:
    """How much a sentence says of what was done or found."""
    score = 0.0
    if _NAMED.search(sentence):
        score += 3.0
    elif _SHOWN.search(sentence):
        score += 2.4
    elif _STUDIED.search(sentence):
        score += 1.7
    elif _RESULT.search(sentence):
        score += 0.9
    score += 0.6 * bool(_HERE.search(sentence))
    score -= 1.0 * bool(_MOTIVATION.search(sentence))
    score -= 3.0 * bool(_ASIDE.search(sentence))
    score -= 0.7 * bool(_BESIDES.search(sentence))
    score -= 0.8 * bool(_LEANS.search(sentence))
    score -= 2.0 * sentence.rstrip().endswith(("?", "？"))
    if named:
        score += 2.2 * len(named & _stems(sentence)) / len(named)
    score += next((gain for most, gain in LENGTHS if len(sentence) <= most), TOO_LONG)
    # Motivation stands first, details and outlook last.
    if place == 0 and count > 2 and score < 2:
        score -= 0.5
    return score - 0.8 * place / count


def _stems(text: str) -> frozenset[str]:
    """The words of a text that carry meaning, by how they begin."""
    return frozenset(
        word[:6] for word in map(str.lower, _WORDS.findall(text)) if word not in _COMMON
    )
