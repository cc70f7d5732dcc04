"""Digests: what is due to a reader, put together, and as it will be read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TypeAlias

from digest.model.papers import Change, Kind, Paper
from digest.model.readers import Abstracts, Attach, Channel, Format, Keyword, Layout, Weekly

LocalDate: TypeAlias = date
"""A day in somebody's time zone."""


@dataclass(frozen=True, slots=True)
class CloseTo:
    """One of a reader's own papers to which a paper in the digest is close; `id` is its arXiv id or
    DOI, or what else the reader's program knows it by.
    """

    title: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One paper in a digest, with the names of all the reader's keywords that it matches.

    For a new version `changes` says what is different from the version that the reader had (None:
    not known), and `old_title` what the title was, where that changed. `announced` is the day of
    its announcement, as arXiv's lists date it, in a digest that covers several. `listed`: arXiv's
    search lists it for these keywords, and by this program's own reading it matches none.
    `close_to`: the one of the reader's own papers for which it stands high. `summary`: what a model
    says of it, "" where nothing.
    """

    paper: Paper
    kind: Kind
    keywords: tuple[str, ...]
    changes: tuple[Change, ...] | None = None
    old_title: str = ""
    announced: date | None = None
    listed: bool = False
    close_to: CloseTo | None = None
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """The papers under one heading: a keyword's name, the new versions, what arXiv also lists."""

    title: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Silence:
    """A keyword that matched no new paper in `days` days of good windows, with a hint why."""

    keyword: str
    days: int
    hint: str


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The days on which digests come, not before `at`; `tells`: without papers a mail says why."""

    days: tuple[Weekly, ...]
    at: time | None
    tells: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """How the papers add up that a digest was made from: of the `matched`, those that are in the
    digest or were let go after an absence, and here the others, each under the first that holds:
    excluded by the reader, had before, too old to be mailed.

    `rows` are those of all of arXiv's good answers since the reader's digest before this one.
    `agreed`: another of arXiv's services was asked as well, and held nothing more.
    """

    matched: int
    rows: int = 0
    excluded: int = 0
    had: int = 0
    old: int = 0
    agreed: bool = False


@dataclass(frozen=True, slots=True)
class Digest:
    """The content of one mail or issue, free of anything that belongs to one reader alone, but for
    the order and the reasons of a `ranked` one.

    `date` and `next_at` are in `timezone`; `previous` is the local date of the reader's digest
    before this one; `abstracts` is how many papers come with their abstract (as much of it as
    `abstract_length` says), the others as title lines; `skipped` counts papers left out after an
    absence; `quiet` is the reason where nothing came; `silences` are the keywords of which the
    reader is told, once, that they match nothing. A `welcome` names the `rhythm`, and the keywords
    that are still `unanswered`. A `ranked` one has its papers in the order of what the reader has,
    whatever their keywords and days. Where there is a `top`, so many papers stand at a glance with
    what they say, and all others as titles. A `notice` is what the operator tells all readers.
    With `feedback` each paper has a line for its reader alone. `attach`: the mail brings the papers
    as a file. The `tally` says how its papers and those that are not in it add up; readers who
    share a body share that, too. `model` is the one by which papers' summaries are, and `language`
    the tag of theirs, "" where no paper has one.
    """

    date: LocalDate
    timezone: str
    sections: tuple[Section, ...]
    keywords: tuple[Keyword, ...]
    welcome: bool = False
    previous: LocalDate | None = None
    next_at: datetime | None = None
    abstracts: int = 50
    skipped: int = 0
    quiet: str = ""
    contact: str = ""
    silences: tuple[Silence, ...] = ()
    rhythm: Rhythm | None = None
    abstract_length: Abstracts = Abstracts.FULL
    layout: Layout = Layout.BOTH
    format: Format = Format.HTML
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subject_prefix: str = ""
    channel: Channel = Channel.MAIL
    unanswered: tuple[str, ...] = ()
    ranked: bool = False
    top: int | None = None
    notice: str = ""
    feedback: bool = False
    attach: Attach = Attach.NONE
    tally: Tally | None = None
    model: str = ""
    language: str = ""

    @property
    def papers(self) -> int:
        """How many papers the digest names."""
        return sum(len(section.items) for section in self.sections)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that comes with a mail; `media` is its media type, `text` goes out as UTF-8."""

    name: str
    media: str
    text: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A digest as it will be read; the HTML part is empty where the reader wants text alone.

    In each part `mark`, a word that stands nowhere else, holds the places of what belongs to one
    reader alone, each on a line of its own: once the reader's own line, and, with a hyphen and the
    number of a paper in the digest behind it, that paper's line. So a hundred thousand readers
    share one body. `papers` are the base ids of all papers, in the order of their numbers;
    `attachment` is the same for all, too.
    """

    subject: str
    text: str
    html: str
    mark: str
    papers: tuple[str, ...] = ()
    attachment: Attachment | None = None


def marked_lines(part: str, mark: str) -> list[str]:
    """The marked lines of a part, in their order: a paper's number, or "" for the reader's own.

    Raises ValueError where there is not one reader's line, or the mark is not alone on its line.
    """
    names = [line.removeprefix(mark) for line in part.split("\n") if mark in line]
    papers = [name for name in names if name]
    is_right = all(re.fullmatch("-[0-9]+", name) for name in papers)
    if not is_right or len(papers) != len(names) - 1 or len(set(papers)) < len(papers):
        raise ValueError("the mark does not stand once and alone on its line")
    return [name[1:] for name in names]
