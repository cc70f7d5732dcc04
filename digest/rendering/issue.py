"""A digest as issues of a GitHub repository: title and bodies in Markdown, each within the size
that GitHub takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from digest.model import Digest, Paper
from digest.rendering.page.cells import Column, heading, row, table
from digest.rendering.texts import readable
from digest.rendering.view import view
from digest.times import MONTHS

BYTES = 60_000
"""A body's size at most, in bytes of UTF-8: GitHub takes 65,536 characters, and a marker is still
added."""
UNFOLDED = 15
"""At most this many papers of a keyword stand open; the rest is folded."""
COLUMNS = (Column.TITLE, Column.DATE, Column.COMMENT)
THANKS = "Thank you to arXiv for use of its open access interoperability."

# What GitHub would read as a call to a person or to another issue, and tell them of it (its
# documentation, "Autolinked references and URLs"): a blank without width takes the meaning away.
_MENTION = re.compile(r"(?<![\w.])@(?=[A-Za-z0-9])|#(?=\d)|(?<=\bGH)-(?=\d)", re.IGNORECASE)
_REFERENCE = re.compile(
    r"https?://(?:www\.)?github\.com/(?=[\w.-]+/[\w.-]+/(?:issues|pull|discussions|commit)/)"
)
_APART = "\u200b"


@dataclass(frozen=True, slots=True)
class Issues:
    """The issues of one digest: one title, and a body for each part."""

    title: str
    bodies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Table:
    """Papers under one heading that stand together in one part."""

    heading: str
    papers: tuple[Paper, ...]

    def text(self) -> str:
        """The heading, the first papers open, the others in a fold."""
        shown, folded = self.papers[:UNFOLDED], self.papers[UNFOLDED:]
        text = f"## {self.heading}\n\n{table(shown, COLUMNS)}\n"
        if folded:
            more = f"{len(folded)} more"
            text += (
                f"\n<details><summary>{more}</summary>\n\n{table(folded, COLUMNS)}\n\n</details>\n"
            )
        return text


def render_issues(digest: Digest) -> Issues:
    """Render all papers of a digest, in as many parts as it needs; none is left out."""
    day = digest.date
    page = view(replace(digest, welcome=False))
    begin = f"{page.headline} {page.lead}." + (
        " To begin with, those of the last days.\n" if digest.welcome else "\n"
    )
    for said in filter(None, (_plain(page.notice), page.unanswered, page.skipped)):
        begin += f"\n{said}\n"
    for silence in page.silences:
        name, hint = _plain(silence.name), _plain(silence.hint)
        begin += f"\nNo new paper has matched {name} in {silence.since}. {hint}\n"
    end = "\n---\n" + "\n\n".join(filter(None, (page.receipt, THANKS))) + "\n"
    room = BYTES - len((begin + end).encode())
    parts = ["\n".join(part.text() for part in tables) for tables in _parts(digest, room)] or [""]
    return Issues(
        title=f"Latest Papers - {MONTHS[day.month - 1]} {day.day}, {day.year}",
        bodies=tuple(f"{begin}\n{part}{end}" for part in parts),
    )


def _parts(digest: Digest, room: int) -> Iterator[Sequence[_Table]]:
    """Share the tables out over parts of at most `room` bytes; a table that does not fit goes on in
    the next part.
    """
    tables: list[_Table] = []
    left = room
    for section in digest.sections:
        name = _plain(section.title) or "Papers"
        papers = [_readable(item.paper) for item in section.items]
        begun = False
        while papers:
            title = f"{name} (continued)" if begun else name
            fitting = _fitting(title, papers, left)
            if not fitting and tables:
                yield tables
                tables, left = [], room
                continue
            # At least one, even where it is too long for a part: no paper is left out.
            tables.append(_Table(title, tuple(papers[: max(fitting, 1)])))
            left -= len(tables[-1].text().encode()) + 1
            papers, begun = papers[max(fitting, 1) :], True
    if tables:
        yield tables


def _fitting(title: str, papers: Sequence[Paper], room: int) -> int:
    """How many of the papers fit: a fold's own lines are counted in."""
    used = len(_Table(title, ()).text().encode()) + len(
        _Table("", tuple(papers[:1]) * (UNFOLDED + 1)).text().encode()
    )
    used -= (UNFOLDED + 1) * (len(row(papers[0], COLUMNS).encode()) + 1)
    for number, paper in enumerate(papers):
        used += len(row(paper, COLUMNS).encode()) + 1
        if used > room:
            return number
    return len(papers)


def _readable(paper: Paper) -> Paper:
    """A paper as people read it: TeX as Unicode, and nobody called by name."""
    return replace(
        paper,
        title=_quiet(readable(paper.title)) or paper.id,
        comment=_quiet(readable(paper.comment)),
    )


def _plain(text: str) -> str:
    return heading(_quiet(text))


def _quiet(text: str) -> str:
    text = _REFERENCE.sub("https://redirect.github.com/", text)
    return _MENTION.sub(lambda found: found.group() + _APART, text)
