"""What an assistant is told: papers and texts, bounded, and saying so where they are cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from digest.keywords.words import counted
from digest.model import Digest, Item, Paper
from digest.rendering.texts import readable, shorten
from digest.rendering.view import view

MOST_PAPERS = 50
"""Papers in one answer at most."""
MOST_CHARACTERS = 40_000
"""Characters of one answer at most, some ten thousand tokens."""
ABSTRACT = 1_000
"""Characters of an abstract in a list."""
_MARKUP = re.compile(r"[\\`*_\[\]<>#|]")
"""What Markdown could take for its own in a line of text."""


@dataclass(frozen=True)
class FoundPaper:
    """A paper on record; `came` is the day (UTC) on which it was first seen, "" where not known."""

    id: str
    version: int
    title: str
    authors: list[str]
    categories: list[str]
    published: str
    came: str
    keywords: list[str]
    url: str
    doi: str
    abstract: str


@dataclass(frozen=True)
class Papers:
    """Papers, the newest first; `cut` says what was left out for length, "" where nothing was."""

    papers: list[FoundPaper]
    cut: str


def told(paper: Paper, keywords: Sequence[str], came: str) -> FoundPaper:
    """A paper as it is told."""
    return FoundPaper(
        id=paper.id,
        version=paper.version,
        title=readable(paper.title),
        authors=[readable(name, 100) for name in paper.authors[:10]],
        categories=list(paper.categories),
        published=f"{paper.published:%Y-%m-%d}",
        came=came,
        keywords=list(keywords),
        url=paper.abstract_url,
        doi=paper.arxiv_doi,
        abstract=shorten(readable(paper.abstract, 6_000), ABSTRACT),
    )


def papers_within(found: Iterable[FoundPaper], limit: int, *, more: str = "") -> Papers:
    """The first `limit` of some papers, as far as one answer has room; `more` says what was not
    looked at, where something was not.
    """
    papers: list[FoundPaper] = []
    room, cut = MOST_CHARACTERS, more
    most = max(1, min(limit, MOST_PAPERS))
    for paper in found:
        room -= len(repr(paper))
        if len(papers) == most or room < 0:
            cut = f"only the first {counted(len(papers), 'paper')}: there are more"
            break
        papers.append(paper)
    return Papers(papers=papers, cut=cut)


def text_within(pieces: Iterable[str]) -> str:
    """Pieces of a text one below the other, as far as one answer has room."""
    kept: list[str] = []
    room, cut = MOST_CHARACTERS, 0
    for piece in pieces:
        room -= len(piece) + 1
        if room < 0:
            cut += 1
        else:
            kept.append(piece)
    if cut:
        kept.append(f"\n(cut here: {counted(cut, 'more part')} would be too long for one answer)")
    return "\n".join(kept)


def digest_pieces(digest: Digest, subject: str) -> Iterator[str]:
    """A digest as Markdown: what it says, and a piece for each paper."""
    page = view(digest)
    yield f"# {_plain(subject)}\n\n{_plain(page.headline)} {_plain(page.lead)}"
    for section in digest.sections:
        yield f"\n## {_plain(section.title)}\n"
        yield from map(_paper, section.items)
    if digest.quiet:
        yield f"\n{_plain(digest.quiet)}"


def _paper(item: Item) -> str:
    paper = item.paper
    names = ", ".join(readable(name, 100) for name in paper.authors[:3])
    more = " et al." if paper.authors[3:] else ""
    about = "; ".join(filter(None, (f"{names}{more}", ", ".join(item.keywords), item.kind.value)))
    abstract = shorten(readable(paper.abstract, 6_000), ABSTRACT)
    title = f"- [{_plain(paper.title)}]({paper.abstract_url}) ({paper.id})"
    return f"{title}\n  {_plain(about)}\n  {_plain(abstract)}".rstrip()


def _plain(text: str) -> str:
    """A line in which Markdown finds nothing of its own."""
    return _MARKUP.sub(r"\\\g<0>", readable(text, 6_000))
