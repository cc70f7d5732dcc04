"""What templates write of single papers, kept while other digests hold them, too: readers of one
day are sent the same papers, and who has a library gets them in an order of their own.

A kept piece holds placeholders for what differs by digest: the paper's number, and its mark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from digest.rendering.entry import PaperView
from digest.rendering.texts import ABSTRACT_LENGTH
from digest.rendering.view import PageView

MOST = 6_000
"""Pieces of a part that are kept at most, of about two kilobytes each."""
# Controls, which no text of a paper holds (texts.UNPRINTABLE).
PLACE, MARK, CUT = "\x1f", "\x1d", "\x1e"
_WITH_ABSTRACT = frozenset({"entry", "full"})
"""The macros of the HTML part that write an abstract, as long as the extent says."""


class Macro(Protocol):
    """A macro of a template's that writes of a paper."""

    name: str

    def __call__(self, paper: PaperView, *more: Any) -> str:
        """What it writes."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is said: of papers 1 to `abstracts` all, to `details` a byline, to `listed` the
    title.

    An abstract ends with the last sentence within `length` characters.
    """

    abstracts: int
    details: int
    listed: int
    length: int = ABSTRACT_LENGTH

    @property
    def shortened(self) -> bool:
        """Whether an abstract may end before its end."""
        return self.abstracts > 0 and self.length < ABSTRACT_LENGTH


@dataclass(slots=True)
class PieceCache:
    """The pieces of one kind of part, by all that they depend on. Papers are known by a number,
    since it takes long to compare their views.
    """

    pieces: dict[object, str] = field(default_factory=dict)
    papers: dict[PaperView, int] = field(default_factory=dict)

    def make_room(self) -> None:
        """Let go of all where they are many; belongs between two digests."""
        if len(self.pieces) > MOST:
            self.pieces.clear()
            self.papers.clear()


@dataclass(frozen=True, slots=True)
class _Known:
    """A paper without what differs by digest, where its pieces are kept, and its number there: a
    negative one among those that no other digest holds.
    """

    bare: PaperView
    kept: dict[object, str]
    number: int


class Pieces:
    """The pieces of one part of a digest."""

    def __init__(self, cache: PieceCache, page: PageView) -> None:
        cache.make_room()
        self.page = page
        own: dict[object, str] = {}
        self.papers: dict[int, _Known] = {}
        for paper in (paper for section in page.sections for paper in section.papers):
            bare = replace(paper, number=0, place=PLACE, mark=paper.mark and MARK)
            if paper.close_to:
                # What names a paper of the reader's own is of use to no other digest.
                self.papers[paper.number] = _Known(bare, own, -paper.number)
            else:
                number = cache.papers.setdefault(bare, len(cache.papers))
                self.papers[paper.number] = _Known(bare, cache.pieces, number)

    def in_text(self, macro: Macro, paper: PaperView, indent: int, *more: Any) -> str:
        """A piece of the text part, which begins with the paper's number and a full stop."""
        known = self.papers[paper.number]
        key = (known.number, macro.name, indent, *more)
        if key not in known.kept:
            # As wide as the widest number, so that it is folded as any.
            widest = replace(known.bare, number=10 ** (indent - 2) - 1)
            known.kept[key] = macro(widest, indent, *more)[indent:]
        return f"{paper.number:>{indent - 2}}. " + known.kept[key].replace(MARK, paper.mark)


class HtmlPieces:
    """The pieces of the HTML part at one extent, which are put into the page once its styles are in
    its tags, as they are in those of the pieces.
    """

    def __init__(self, pieces: Pieces, extent: Extent) -> None:
        self._pieces, self._extent = pieces, extent
        self._placed: list[tuple[PaperView, dict[object, str], object]] = []
        self._new: dict[object, tuple[dict[object, str], str]] = {}

    def place(self, macro: Macro, paper: PaperView, *more: Any) -> str:
        """What stands in the page for a piece."""
        extent, page, known = self._extent, self._pieces.page, self._pieces.papers[paper.number]
        sizes = (extent.abstracts, extent.details, len(page.contents))
        length = extent.length if macro.name in _WITH_ABSTRACT else 0
        within = tuple(paper.number <= size for size in sizes)
        key = (known.number, macro.name, *more, length, *within, page.glance)
        if key not in known.kept and key not in self._new:
            written = macro(replace(known.bare, number=paper.number), *more)
            self._new[key] = known.kept, written
        self._placed.append((paper, known.kept, key))
        return CUT

    def whole(self, page: str, inline: Callable[[str], str]) -> str:
        """The page with its pieces; `inline` puts styles into tags."""
        if self._new:
            pieces = CUT.join(["", *(written for _, written in self._new.values()), ""])
            head = page.partition("<body>")[0]
            cut = inline(f"{head}<body>{pieces}</body></html>").split(CUT)[1:-1]
            for (key, (kept, _)), piece in zip(self._new.items(), cut, strict=True):
                kept[key] = piece
        first, *others = inline(page).split(CUT)
        parts = [first]
        for (paper, kept, key), other in zip(self._placed, others, strict=True):
            parts += [kept[key].replace(PLACE, str(paper.number)).replace(MARK, paper.mark), other]
        return "".join(parts)
