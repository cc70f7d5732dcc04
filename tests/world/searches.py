"""Queries of all kinds, made of the words and names of real papers, and what two searches make of
them: arXiv's, by its published source, and this program's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from digest.demo.search import Search
from digest.keywords.asked import asked, listed
from digest.keywords.grammar import parse
from digest.keywords.match import Matcher
from digest.model import Paper

KINDS = (
    "word", "phrase", "stop words", "prefix", "possessive", "decimal", "name", "surname",
    "name reversed", "initial", "hyphenated name", "accent", "category", "and", "or", "andnot",
)  # fmt: skip
_STOP = r"(?:of|the|in|and|for|with|to|by|on|a)"
_PATTERNS = {
    "word": r"\b[A-Za-z]{4,}\b",
    "phrase": r"\b[a-z]{4,}[ -][a-z]{4,}\b",
    "stop words": rf"\b[a-z]{{4,}} {_STOP} (?:{_STOP} )?[a-z]{{4,}}\b",
    "prefix": r"\b[a-z]{6,}\b",
    "possessive": r"\b[A-Z][a-z]+'s(?: [a-z]+)?\b",
    "decimal": r"\b[A-Za-z]+[ -]?\d+\.\d+\b",
    "accent": r"\b[A-Z][a-z]*[äöüéèåøőñ][a-z]+(?: [a-z]+)?\b",
}


@dataclass
class Difference:
    """What two searches made of one query: the papers that only one of them found."""

    query: str
    missed: set[str] = field(default_factory=set)
    unexplained: set[str] = field(default_factory=set)
    wider: int = 0


def queries(papers: Sequence[Paper], number: int, seed: int = 1) -> list[tuple[str, str]]:
    """So many queries, of each kind about as many, each of words or names of one of the papers."""
    random = Random(seed)
    found: dict[str, str] = {}
    kinds = iter(KINDS * number)
    while len(found) < number:
        kind = next(kinds)
        for query in _made(kind, papers, random):
            found.setdefault(query, kind)
    return [(kind, query) for query, kind in found.items()]


def _made(kind: str, papers: Sequence[Paper], random: Random) -> Iterator[str]:
    if kind in ("and", "or", "andnot"):
        parts = [
            next(_made(random.choice(KINDS[:4]), papers, random), "ti:model") for _ in range(2)
        ]
        yield f" {kind.upper()} ".join(parts)
        return
    for _ in range(60):
        paper = random.choice(papers)
        if kind == "category":
            yield f"cat:{random.choice(paper.categories)}"
            return
        if kind in _PATTERNS:
            place = random.choice(("ti", "abs", "all"))
            words = re.findall(_PATTERNS[kind], paper.title if place == "ti" else paper.abstract)
            if words:
                word = random.choice(words)
                if kind == "prefix":
                    yield f"{place}:{word[: random.randint(4, len(word))]}*"
                else:
                    yield f'{place}:"{word}"'
                return
        elif query := _name(kind, random.choice(paper.authors)):
            yield query
            return


def _name(kind: str, author: str) -> str:
    words = author.split()
    if len(words) < 2 or '"' in author or (not words[-1].isalpha() and kind != "hyphenated name"):
        return ""
    if kind == "hyphenated name":
        return f'au:"{author.replace("-", " ")}"' if "-" in author else ""
    return {
        "name": f'au:"{author}"',
        "surname": f'au:"{words[-1]}"',
        "name reversed": f'all:"{words[-1]} {words[0]}"' if len(words) == 2 else "",
        "initial": f"au:{words[-1]}_{words[0][0]}" if words[0][0].isalpha() else "",
    }[kind]


def differences(papers: Sequence[Paper], made: Sequence[tuple[str, str]]) -> list[Difference]:
    """For each query: what arXiv, asked for it, would not list of what matches here; and what it
    lists that neither matches here nor is a known difference between the two."""
    found, index = [], Search(papers)
    with Matcher(papers) as matcher:
        for _, query in made:
            node = parse(query)
            own, served = matcher.match(node), index.find(asked(node))
            extra = served - own
            unexplained = extra - matcher.match(listed(node))
            found.append(Difference(query, own - served, unexplained, len(extra)))
    return found
