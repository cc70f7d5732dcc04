"""The entries of a library as every format gives them, and how an arXiv id is found in one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

ID = r"[0-9]{4}\.[0-9]{4,5}|[a-z-]+(?:\.[A-Z]{2})?/[0-9]{7}"
_BARE = re.compile(rf"(?:arxiv:)?\s*({ID})(?:v[0-9]+)?(?:\s*\[[^\]]*\])?", re.IGNORECASE)
# As addresses, DOIs, journals of Google Scholar and volumes of DBLP have it.
_WITHIN = re.compile(
    rf"(?:arxiv\.org/(?:abs|pdf|html)/|arxiv[.:]\s?|\babs/)({ID})(?![0-9])", re.IGNORECASE
)
_DOI = re.compile(r"10\.[0-9]{4,9}/[^\s\"<>{}]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a library. `arxiv` is a base id without version; `key` is what the reader's
    program calls it; `line` is where it stands (0: not known); `tex`: its texts are TeX.
    """

    title: str = ""
    abstract: str = ""
    arxiv: str = ""
    doi: str = ""
    key: str = ""
    line: int = 0
    tex: bool = False

    @property
    def id(self) -> str:
        """What it is known by."""
        return self.arxiv or self.doi or self.key or " ".join(self.title.casefold().split())[:200]

    @property
    def counts(self) -> bool:
        """Whether it can be ranked by, at once or when arXiv has said what it is."""
        return bool(self.title or self.arxiv)


@dataclass(frozen=True, slots=True)
class Odd:
    """A place that is formed strangely, and what is odd about it; `line` 0: not known."""

    line: int
    words: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.words}" if self.line else self.words


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a file: entries, and what is odd about it."""

    entries: tuple[Entry, ...]
    odd: tuple[Odd, ...] = ()


def arxiv_id(text: str) -> str:
    """The base id that a text is, as an id, an address or a DOI of arXiv's; "" where it is none."""
    text = text.strip()
    if match := _BARE.fullmatch(text):
        return match[1]
    return arxiv_id_within([text]) if "arxiv" in text.casefold() else ""


def arxiv_id_within(texts: Iterable[str]) -> str:
    """The first arXiv id that one of the texts names as such, or ""."""
    for text in texts:
        if match := _WITHIN.search(text):
            return match[1]
    return ""


def arxiv_id_kept(archive: str, place: str) -> str:
    """The base id that a bare place in an archive is, where the archive is arXiv; else ""."""
    return arxiv_id(place) if "arxiv" in archive.casefold() else ""


def doi_in(text: str) -> str:
    """The DOI in a text, or ""."""
    match = _DOI.search(text)
    return match[0].rstrip(".,;") if match else ""


def one_line(text: str) -> str:
    """A text without line breaks and runs of blanks."""
    return " ".join(text.split())
