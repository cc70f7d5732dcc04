"""Tables of papers in Markdown: cells that cannot break the table and bring no HTML but their own
folds.

A text stands in its cell as arXiv serves it, but for the few characters that could do harm where
they stand; those are written as references (CommonMark, "Entity and numeric character references"),
and `plain` takes them back.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

from digest.model import Paper

HTTPS, HTTP = "https", "http"
"""The schemes of links: arXiv's own, and the one that pages had before."""
COMMENT_LENGTH = 20
"""Characters of a comment that stands in its cell as it is; a longer one is folded."""
SUMMARY_LENGTH = 5

_BLANKS = re.compile(
    r"[\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028-\u2029\u202f\u205f\u3000\ud800-\udfff]+"
)
"""Blanks and controls, of which a run becomes one space; half characters, which UTF-8 cannot write,
too."""
_TURNING = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
"""Marks that turn the direction of writing, with which a text could rearrange its row."""

# What ends a cell; what begins a tag, a comment or an address in pointed brackets; what would be
# read as a reference; and what would make a link or an image of brackets.
_ANYWHERE = r"\||<(?=[A-Za-z/!?]|[^\s<>]*@)|&(?=#[0-9xX]|[A-Za-z][A-Za-z0-9]*;)|(?<=\])\("


def _escaping(harmful: str) -> re.Pattern[str]:
    """What is written as references: harmful characters, and backslashes before one or at the end,
    which would undo it.
    """
    # Possessive, and only where a run of backslashes begins: else the search is quadratic in its
    # length.
    return re.compile(rf"(?<!\\)\\++(?={harmful}|\Z)|{harmful}")


_HARMFUL = _escaping(_ANYWHERE)
_IN_COMMENT = _escaping(_ANYWHERE + "|`")
_IN_TITLE = _escaping(_ANYWHERE + r"|[\[\]`*]")
_IN_HEADING = _escaping(_ANYWHERE + r"|[\[\]`*]|#(?=#*$)")
_NAMED = {"<": "&lt;", "&": "&amp;"}
_REFERENCE = re.compile(r"&(?:lt|amp|#(?:35|40|42|91|92|93|96|124));")


class Column(StrEnum):
    """The columns that a table of papers can have, by their headings."""

    TITLE = "Title"
    DATE = "Date"
    ABSTRACT = "Abstract"
    COMMENT = "Comment"


def table(
    papers: Iterable[Paper], columns: Sequence[Column] = tuple(Column), links: str = HTTPS
) -> str:
    """Write a table with a row for each paper, without a line break at its end; `links` is the
    scheme of its links.
    """
    heading = "| " + " | ".join(f"**{column}**" for column in columns) + " |"
    line = "| " + " | ".join("---" for _ in columns) + " |"
    return "\n".join((heading, line, *(row(paper, columns, links) for paper in papers)))


def row(paper: Paper, columns: Sequence[Column] = tuple(Column), links: str = HTTPS) -> str:
    """Write one row: the title linked with its version, the date of that version (UTC), abstract
    and comment folded.
    """
    return "| " + " | ".join(_cell(column, paper, links) for column in columns) + " |"


def heading(name: str) -> str:
    """Write a keyword's name so that it can stand in a heading."""
    return _escaped(without_controls(name), _IN_HEADING)


def link(paper: Paper, links: str = HTTPS) -> str:
    """Return the address of a version's abstract page, by the scheme `links`."""
    return f"{links}://arxiv.org/abs/{paper.id}v{paper.version}"


def plain(cell: str) -> str:
    """Take back what was done to a text for its cell."""
    return _REFERENCE.sub(lambda reference: html.unescape(reference.group()), cell)


def without_controls(text: str) -> str:
    """Make a text one line: single spaces between its words, no controls."""
    return _BLANKS.sub(" ", _TURNING.sub("", text)).strip(" ")


def _cell(column: Column, paper: Paper, links: str) -> str:
    match column:
        case Column.TITLE:
            title = _escaped(without_controls(paper.title), _IN_TITLE)
            return f"**[{title}]({link(paper, links)})**"
        case Column.DATE:
            return paper.updated.date().isoformat()
        case Column.ABSTRACT:
            return _fold("Show", _escaped(without_controls(paper.abstract), _HARMFUL))
        case Column.COMMENT:
            return _comment(paper)


def _comment(paper: Paper) -> str:
    text = without_controls(paper.comment)
    if len(text) <= COMMENT_LENGTH:
        return _escaped(text, _IN_COMMENT)
    return _fold(f"{_escaped(text[:SUMMARY_LENGTH], _IN_COMMENT)}...", _escaped(text, _IN_COMMENT))


def _fold(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary><p>{text}</p></details>"


def _escaped(text: str, harmful: re.Pattern[str]) -> str:
    return harmful.sub(_references, text)


def _references(found: re.Match[str]) -> str:
    return "".join(_NAMED.get(character, f"&#{ord(character)};") for character in found.group())
