"""What a model's answer must be to be shown: short, whole, plain, in the asked language, and of
nothing but what the paper says. Whatever is in doubt is refused: the abstract's own sentence is
there in its place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import islice

from digest.rendering.texts import UNPRINTABLE, sentences
from digest.summaries.prompt import Source, language_name, told

LONGEST, SHORTEST = 450, 12
"""Characters of a summary; twelve are a sentence in Chinese."""
SENTENCES = 2
SHARE = 0.7
"""So much of a summary's content words are the paper's, where both are in English."""
RUN = 4
"""Words of the prompt in a row that an answer may not have."""
OWN_WORDS = 4
"""So many content words that the title has not are in a summary; with fewer it is the title."""

_WHOLE = re.compile(r"[.!?][\"'”’»)\]]*$|[。！？।؟۔]$")
_CUT = re.compile(r"\.\.|…")
_GREETING = re.compile(
    r"(?:sure|certainly|of course|okay|here(?:'s|’s| is| are)|i(?:'m|’m| am| can| cannot)"
    r"|as an? (?:ai|language)|(?:summary|tl;?dr|translation|abstract|title|sentence)\b.{0,20}:)",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"[<>{}\[\]`*|\\#_@$^]|~~|&\w+;|://|www\.|^[-•\d]+[.)]? |\n")
# Mail programs make a link of whatever looks like a host.
_HOST = re.compile(r"[\w-]{2,}\.[^\W\d_]{2,}")
_WORD = re.compile(r"[^\W\d_]{3,}")
_TOKEN = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+(?:[.,'’]\d+)*")
_SUPERSCRIPT = re.compile("[⁰¹²³⁴-⁹₀-₉]+")
_GROUPED = re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}(?!\d))")
_SEPARATOR = re.compile(r"[.,'’]")
_ACRONYM = re.compile("[A-Za-z]*[A-Z][A-Za-z0-9]*[A-Z][A-Za-z0-9]*")
_BRACKET = re.compile(r"\(([^()]{2,80})\)")
_NUMERALS = {
    word: str(number)
    for number, word in enumerate(
        "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
        " sixteen seventeen eighteen nineteen twenty".split(),
        2,
    )
} | dict(
    pair.split(":")
    for pair in (
        "thirty:30 forty:40 fifty:50 sixty:60 seventy:70 eighty:80 ninety:90 dozen:12 hundred:100"
        " hundreds:100 thousand:1000 thousands:1000 million:1000000 millions:1000000"
        " billion:1000000000 billions:1000000000"
    ).split()
)
_SMALL = frozenset("a an and at by for from in of on or the to via with".split())
_COMMON = _SMALL | frozenset(
    "also are based been both but can could has have how into introduce is it its may method more"
    " most new not our paper present propose researchers results show shows study than that their"
    " them there these they this those through toward towards under used uses using was we were"
    " what when where which while who will work authors author across between such".split()
)
_TRANSLATED = {"ki": "ai", "ia": "ai"}
"""Acronyms that have other letters in other languages."""


def fault_of(text: str, source: Source, is_in: Callable[[str, str], bool]) -> str:
    """Why an answer is not shown, in a few words; "" where it may be. `is_in` tells whether a text
    is in the language of a tag.
    """
    if not SHORTEST <= len(text) <= LONGEST:
        return "too long" if text[LONGEST:] else "too short" if text else "nothing was said"
    rules = (_fault_of_form, _fault_of_facts)
    found = next(filter(None, (rule(text, source) for rule in rules)), "")
    if not found and not is_in(text, source.language):
        return f"not in {language_name(source.language)}"
    return found


def _fault_of_form(text: str, source: Source) -> str:
    """What is wrong with an answer as a text."""
    cases = (
        (_has_markup(text, source), "markup or a link"),
        (_GREETING.match(text), "more than the sentences"),
        (not _is_whole(text, source), "a sentence that is cut"),
        (len(sentences(text)) > SENTENCES, "more than two sentences"),
        (_echoes(text, source), "what the model was told"),
    )
    return next((why for applies, why in cases if applies), "")


def _fault_of_facts(text: str, source: Source) -> str:
    """What an answer says that the paper does not, or does not say that it should."""
    known = f"{source.title} {source.abstract}"
    is_english = source.language.partition("-")[0] == "en"
    if unknown := next(_unknown_numbers(text, known, words=is_english), ""):
        return f"a number that the paper does not have ({unknown})"
    if unknown := next(_unknown_acronyms(text, known), ""):
        return f"an acronym, or what it stands for, that the paper does not have ({unknown})"
    if source.title and source.title.casefold() in text.casefold():
        return "the title again"
    if is_english:
        if unknown := next(_unknown_names(text, known), ""):
            return f"a name that the paper does not have ({unknown})"
        said = stems(text)
        if len(said - stems(source.title)) < OWN_WORDS:
            return "the title again"
        if len(said & stems(known)) < SHARE * len(said):
            return "hardly in the abstract's words"
    return ""


def _has_markup(text: str, source: Source) -> bool:
    """Whether a program could read a text as more than words; hosts that the abstract names are
    words there.
    """
    hosts = (found[0] for found in _HOST.finditer(text))
    is_marked = UNPRINTABLE.search(text) or _MARKUP.search(text)
    return bool(is_marked) or any(host not in source.abstract for host in hosts)


def _is_whole(text: str, source: Source) -> bool:
    """Whether a text begins and ends as sentences do."""
    begins = not text[0].islower() or source.abstract.startswith(text.split()[0])
    ends = _WHOLE.search(text) and not _CUT.search(text)
    return begins and bool(ends) and not _is_open(text)


def _echoes(text: str, source: Source) -> bool:
    """Whether words in a row are those of the prompt."""
    prompt = " ".join(told(source.wanted, source.language))
    return bool(_runs(text) & _runs(prompt) - _runs(f"{source.title} {source.abstract}"))


def _runs(text: str) -> set[tuple[str, ...]]:
    """All words of a text that stand in a row, so many at a time."""
    words = _TOKEN.findall(text.casefold())
    return {tuple(words[start : start + RUN]) for start in range(len(words) - RUN + 1)}


def _is_open(text: str) -> bool:
    """Whether a bracket is not closed, or a quotation."""
    pairs = (("(", ")"), ("“", "”"), ("«", "»"))
    return any(text.count(a) != text.count(b) for a, b in pairs) or text.count('"') % 2 == 1


def stems(text: str) -> frozenset[str]:
    """The words of a text that carry meaning, by how they begin."""
    words = map(str.lower, _WORD.findall(text))
    return frozenset(word[:5] for word in words if word not in _COMMON)


def _unknown_numbers(text: str, told: str, *, words: bool) -> Iterator[str]:
    """The numbers of a text that another does not have, in figures; with `words` also those in
    English words.
    """
    known = _numbers(told) | _numbers(_grouped(told))
    known |= {_NUMERALS[word] for word in _numerals(told)}
    as_written = [one for one in _written(text) if not _readings(one) & known]
    if as_written and any(not _readings(one) & known for one in _written(_grouped(text))):
        yield from as_written
    if words:
        yield from (word for word in _numerals(text) if _NUMERALS[word] not in known)


def _written(text: str) -> list[str]:
    """The numbers of a text, in ASCII's digits; what is raised or lowered is one of its own."""
    text = _SUPERSCRIPT.sub(lambda found: f" {unicodedata.normalize('NFKC', found[0])} ", text)
    plain = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
    return _NUMBER.findall(plain)


def _grouped(text: str) -> str:
    """A text in which thousands are not set apart by blanks."""
    return _GROUPED.sub("", text)


def _numbers(text: str) -> set[str]:
    return {reading for one in _written(text) for reading in _readings(one)}


def _readings(number: str) -> set[str]:
    """What a number can mean: its separators are those of decimals, or of thousands."""
    parts = _SEPARATOR.split(number)
    readings = {".".join(parts)}
    if all(len(part) == 3 for part in parts[1:]):
        readings.add("".join(parts))
    return readings


def _numerals(text: str) -> list[str]:
    return [word for word in map(str.lower, _WORD.findall(text)) if word in _NUMERALS]


def _unknown_acronyms(text: str, told: str) -> Iterator[str]:
    """The acronyms of a text that another neither has nor spells, and the words that one is said to
    stand for, where the other does not have those.
    """
    tokens = _TOKEN.findall(told)
    known = {_singular(token.casefold()) for token in tokens}
    phrase = f" {' '.join(map(_folded, tokens))} "
    for found in _ACRONYM.finditer(text):
        name = _singular(found[0].casefold())
        is_known = name in known or _TRANSLATED.get(name, name) in known
        if not is_known and not _spells(tokens, _singular(found[0]).casefold()):
            yield found[0]
    for acronym, words in _expansions(text):
        if f" {' '.join(map(_folded, words))} " not in phrase:
            yield f"{acronym}: {' '.join(words)}"


def _unknown_names(text: str, told: str) -> Iterator[str]:
    """The words of a text that are written as names, and that another does not have."""
    known = {_folded(token) for token in _TOKEN.findall(told)}
    for sentence in sentences(text):
        for word in _TOKEN.findall(sentence)[1:]:
            if word[0].isupper() and _folded(word) not in known and not _ACRONYM.fullmatch(word):
                yield word


def _expansions(text: str) -> Iterator[tuple[str, list[str]]]:
    """The acronyms of a text that stand beside the words of which they are made, with these: before
    a bracket that holds the acronym, or within one behind it.
    """
    for bracket in _BRACKET.finditer(text):
        within, before = _TOKEN.findall(bracket[1]), _TOKEN.findall(text[: bracket.start()])
        if len(within) == 1 and _ACRONYM.fullmatch(within[0]):
            latest = range(len(before) - 1, max(len(before) - 2 * len(within[0]), 0) - 1, -1)
            parts = (before[start:] for start in latest)
            yield from islice(((within[0], part) for part in parts if _makes(part, within[0])), 1)
        elif before and _ACRONYM.fullmatch(before[-1]) and _makes(within, before[-1]):
            yield before[-1], within


def _makes(words: list[str], acronym: str) -> bool:
    """Whether an acronym is made of the first letters of words, the small ones with or without."""
    if len(words) < 2 or words[0].casefold() in _SMALL:
        return False
    return _singular(acronym).casefold() in _begins(words)


def _begins(words: list[str]) -> tuple[str, str]:
    """The first letters of words, and those of the ones that carry meaning."""
    weighty = (word for word in words if word.casefold() not in _SMALL)
    return "".join(w[0].casefold() for w in words), "".join(w[0].casefold() for w in weighty)


def _spells(words: list[str], letters: str) -> bool:
    """Whether words in a row begin with these letters; of two letters that would say little."""
    return len(letters) > 2 and any(letters in begins for begins in _begins(words))


def _folded(word: str) -> str:
    return _singular(word.casefold())


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and len(word) > 2 else word
