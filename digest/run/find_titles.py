"""Papers of a library that have no arXiv id, looked for by their titles at arXiv's search."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from digest.errors import ArxivError, QueryError
from digest.keywords.asked import asked_text
from digest.keywords.grammar import make_keyword
from digest.model import Paper, Rule
from digest.rendering.tex.text import to_unicode
from digest.run.sources.base import Arxiv
from digest.store.preferences import LibraryPaper

PAGE = 20
"""So many papers are asked for by one title: where arXiv lists more, it is no title of one."""
WORDS = 25
"""So many words of a title are asked for."""


@dataclass(frozen=True, slots=True)
class Found:
    """The papers, some with an arXiv id now; how many were `asked` for and `found`; `trouble` says
    why not all were asked for, or "".
    """

    papers: list[LibraryPaper]
    asked: int
    found: int
    trouble: str = ""


async def find_titles(
    arxiv: Arxiv,
    papers: Sequence[LibraryPaper],
    now: datetime,
    progress: Callable[[str], None],
) -> Found:
    """Ask arXiv for each paper without an id, one after the other, at the client's pace. What has
    exactly the same title, letter case and signs apart, is it, where that is one paper alone.
    """
    lacking = [paper for paper in papers if not paper.arxiv and paper.title]
    found: dict[str, Paper] = {}
    asked, trouble = 0, ""
    for paper in lacking:
        progress(f"arXiv is asked for titles: {asked} of {len(lacking)}, {len(found)} found")
        try:
            match = await _ask(arxiv, paper.title, now)
        except ArxivError as error:
            if error.throttled or error.unreachable:
                trouble = error.message
                break
            match = None  # a title that arXiv's search cannot take
        asked += 1
        if match is not None:
            found[paper.id] = match
    named = [_named(paper, found[paper.id]) if paper.id in found else paper for paper in papers]
    return Found(named, asked, len(found), trouble)


async def _ask(arxiv: Arxiv, title: str, now: datetime) -> Paper | None:
    words = " ".join(re.findall(r"\w+", title)[:WORDS])
    try:
        query = make_keyword("title", f'ti:"{words}"', Rule.QUERY).query
    except QueryError:
        return None
    # What was changed before now need not be reached: one page is enough.
    window = await arxiv.fetch(asked_text(query), since=now, page_size=PAGE, attempts=1)
    same = [paper for paper in window.papers if _letters(paper.title) == _letters(title)]
    is_whole = window.total is None or window.total <= PAGE
    return same[0] if len(same) == 1 and is_whole else None


def _letters(title: str) -> str:
    """What is compared of a title: its letters and digits."""
    plain = unicodedata.normalize("NFKD", to_unicode(title)).casefold()
    return "".join(letter for letter in plain if letter.isalnum())


def _named(paper: LibraryPaper, match: Paper) -> LibraryPaper:
    return replace(
        paper, id=match.id, abstract=paper.abstract or match.abstract, asked=True, arxiv=True
    )
