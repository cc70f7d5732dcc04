"""A Daily Papers page read back: its keywords, and under each the rows in their order.

It reads what this program writes, and what the system wrote from which the page comes: links with
http or https, with or without a version, bold or not, with more or fewer columns, and with bars in
a cell that should not be there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from digest.rendering.page.cells import HTTPS, Column, plain
from digest.rendering.page.render import UPDATED

_HEADING = re.compile(r"#{2,3}\s+(?P<name>.*\S)\s*")
_RULE = re.compile(r"\|?[\s:|-]*-[\s:|-]*")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TITLE = re.compile(
    r"\s*(?P<bold>\*\*)?\[(?P<title>.*?)\]\((?P<links>https?)://"
    r"(?:[a-z]+\.)?arxiv\.org/(?:abs|pdf)/"
    r"(?P<id>\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v(?P<version>[1-9]\d{0,3}))?"
    r"(?:\.pdf)?\)(?(bold)\*\*)\s*"
)
_FOLD = re.compile(
    r"\s*<details>\s*<summary>.{0,60}?</summary>\s*<p>(?P<text>.*?)</p>\s*</details>\s*(?=\||$)"
)
_CELL = re.compile(r"\s*(?P<text>[^|]*?)\s*(?=\||$)")
_LAST = re.compile(r"\s*(?P<text>.*?)\s*(?=\|?\s*$)")


@dataclass(frozen=True, slots=True)
class PageRow:
    """One row: a paper in a version (None where the link names none), with that version's day where
    one is shown; `links` is the scheme of its link.
    """

    id: str
    version: int | None
    title: str
    date: date | None
    abstract: str = ""
    comment: str = ""
    links: str = HTTPS


@dataclass(frozen=True, slots=True)
class PageSection:
    """A keyword by its name, and its rows, the newest submission first."""

    keyword: str
    rows: tuple[PageRow, ...]


@dataclass(frozen=True, slots=True)
class PublishedPage:
    """What a page holds. `updated` is the day that it names; `unread` are the numbers of rows that
    make no sense.
    """

    updated: date | None
    sections: tuple[PageSection, ...]
    unread: tuple[int, ...]

    @property
    def links(self) -> str:
        """The scheme of most of its links."""
        schemes = Counter(row.links for section in self.sections for row in section.rows)
        return max(schemes, key=schemes.__getitem__, default=HTTPS)


def read_page(text: str) -> PublishedPage:
    """Read the page; what stands outside the tables is passed over."""
    updated: date | None = None
    sections: dict[str, list[PageRow]] = {}
    unread: list[int] = []
    name: str | None = None
    for number, line, columns in _lines(text):
        if columns is None and line.startswith(UPDATED):
            updated = updated or _day(line)
        elif heading := _HEADING.fullmatch(line):
            name = plain(heading["name"])
        elif columns and name is not None:
            if row := _row(line.strip(), columns):
                sections.setdefault(name, []).append(row)
            else:
                unread.append(number)
    read = tuple(PageSection(name, tuple(rows)) for name, rows in sections.items())
    return PublishedPage(updated, read, tuple(unread))


def _lines(text: str) -> Iterator[tuple[int, str, list[Column | None] | None]]:
    """The lines by their numbers, those of tables with the columns in place of their headings."""
    lines = text.replace("\r\n", "\n").removeprefix("\ufeff").split("\n")
    columns: list[Column | None] | None = None
    for number, (line, following) in enumerate(zip(lines, [*lines[1:], ""], strict=True), 1):
        if not line.lstrip().startswith("|"):
            columns = None
            yield number, line, None
        # A line of bars is a table's heading only over a rule, as Markdown has it.
        elif columns is None:
            if _RULE.fullmatch(following):
                columns = [_column(name) for name in line.strip().strip("|").split("|")]
        elif not _RULE.fullmatch(line):
            yield number, line, columns


def _column(name: str) -> Column | None:
    """The column of a heading; None for one that this program does not have."""
    word = name.strip().strip("*").strip().casefold().removesuffix("s")
    return next((column for column in Column if column.casefold() == word), None)


def _row(line: str, columns: list[Column | None]) -> PageRow | None:
    """Read one row, cell by cell; None where there is no paper in it."""
    cells: dict[Column | None, str] = {}
    paper: re.Match[str] | None = None
    place = 0
    for number, column in enumerate(columns):
        if not line.startswith("|", place):
            break
        place += 1
        if column is Column.TITLE:
            found = paper = _TITLE.match(line, place)
        else:
            last = _LAST if number == len(columns) - 1 else _CELL
            found = _FOLD.match(line, place) or last.match(line, place)
            cells[column] = found["text"] if found else ""
        if found is None:
            return None
        place = found.end()
    if paper is None:
        return None
    return PageRow(
        id=re.sub(r"\.[A-Z]{2}/", "/", paper["id"]),
        version=int(paper["version"]) if paper["version"] else None,
        title=plain(paper["title"].strip()),
        date=_day(cells.get(Column.DATE, "")),
        abstract=plain(cells.get(Column.ABSTRACT, "")),
        comment=plain(cells.get(Column.COMMENT, "")),
        links=paper["links"],
    )


def _day(text: str) -> date | None:
    found = _DATE.search(text)
    try:
        return date.fromisoformat(found.group()) if found else None
    except ValueError:
        return None
