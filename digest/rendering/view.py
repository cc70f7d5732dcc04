"""What the templates say of a digest: headline, subject, sections, dates in words; nothing is left
to decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from itertools import groupby
from urllib.parse import quote

from digest.keywords import words
from digest.keywords.grammar import describe
from digest.keywords.marks import wanted
from digest.model import Digest, Item, Keyword, Kind, Layout, Rhythm, Section, Weekly
from digest.rendering.entry import Manner, PaperView, keyword_name, paper_view
from digest.rendering.receipt import receipt
from digest.rendering.texts import printable_line, shorten
from digest.times import MONTHS, WEEKDAYS, day_in_words

SUBJECT_LENGTH = 78
SHORTEST_NAME = 8
GLANCE_FROM = 4
"""Papers from which on a digest begins with all of them at a glance."""
CONTENTS_FROM = 9
"""Papers from which on a digest without a glance begins with a list of what is in it."""
CONTENTS_TITLES, CONTENTS_LENGTH = 8, 70
RULE_LENGTH, PREFIX_LENGTH, HINT_LENGTH = 200, 30, 1_000


counted = partial(words.counted, separator=",")


@dataclass(frozen=True, slots=True)
class GroupView:
    """The papers of one announcement under a heading; without a `day` where a digest covers one
    announcement.
    """

    day: str
    anchor: str
    papers: tuple[PaperView, ...]


@dataclass(frozen=True, slots=True)
class SectionView:
    """One heading and its papers; `first` is the number of the first of them, `anchor` what a link
    can name.
    """

    title: str
    count: str
    first: int
    anchor: str
    groups: tuple[GroupView, ...]

    @property
    def has_abstracts(self) -> bool:
        """Whether any of its papers has an abstract to show."""
        return any(paper.abstract for paper in self.papers)

    @property
    def papers(self) -> tuple[PaperView, ...]:
        """The papers of all groups."""
        return tuple(paper for group in self.groups for paper in group.papers)


@dataclass(frozen=True, slots=True)
class ContentView:
    """A line of the contents: what stands at `anchor`, and from which number on."""

    text: str
    note: str
    anchor: str
    number: int


@dataclass(frozen=True, slots=True)
class KeywordView:
    """A keyword that the reader subscribed to, and in words how it matches."""

    name: str
    rule: str


@dataclass(frozen=True, slots=True)
class SilenceView:
    """A keyword that matches nothing, for how long, and a hint why."""

    name: str
    since: str
    hint: str


@dataclass(frozen=True, slots=True)
class PageView:
    """Everything else that a template may say."""

    subject: str
    headline: str
    lead: str
    glance: bool
    welcome: bool
    rhythm: str
    unanswered: str
    quiet: str
    skipped: str
    silences: tuple[SilenceView, ...]
    sections: tuple[SectionView, ...]
    contents: tuple[ContentView, ...]
    total: int
    keywords: tuple[KeywordView, ...]
    previous: str
    next: str
    contact: str
    mailto: str
    notice: str
    receipt: str

    @property
    def top(self) -> str:
        """Nothing: templates from before the glance have a first title here."""
        return ""


def view(digest: Digest, mark: str = "") -> PageView:
    """Prepare what the templates write; nothing in it is decided by a template. With a `mark`
    papers have lines for their reader alone.
    """
    sections = tuple(_section_views(digest, mark))
    if digest.top is not None and _has_glance(digest):
        sections = _with_top(sections, digest.top)
    headline, lead, subject = headlines(digest)
    contact = printable_line(digest.contact)
    return PageView(
        subject=subject,
        headline=headline,
        lead=_lead(digest, lead),
        glance=_has_glance(digest),
        welcome=digest.welcome,
        rhythm=_rhythm(digest.rhythm, digest.timezone) if digest.rhythm else "",
        unanswered=_unanswered(digest.unanswered),
        quiet="" if digest.papers else printable_line(digest.quiet).rstrip("."),
        skipped=_skipped(digest.skipped, digest.previous),
        silences=tuple(
            SilenceView(
                keyword_name(s.keyword), counted(s.days, "day"), printable_line(s.hint, HINT_LENGTH)
            )
            for s in digest.silences
        ),
        sections=sections,
        contents=tuple(_contents(digest, sections)),
        total=digest.papers,
        keywords=tuple(map(_keyword_view, digest.keywords)),
        previous=day_in_words(digest.previous) if digest.previous else "",
        next=_moment(digest.next_at, digest.timezone) if digest.next_at else "",
        contact=contact,
        mailto=f"mailto:{quote(contact, safe='@+')}?subject=unsubscribe" if contact else "",
        notice=printable_line(digest.notice),
        receipt=receipt(digest),
    )


def _lead(digest: Digest, lead: str) -> str:
    """What the digest is for, its day, and since when it covers announcements."""
    parts = ", ".join(filter(None, (lead, day_in_words(digest.date))))
    if digest.previous and any(item.announced for item in _items(digest)):
        return f"{parts}; all since {day_in_words(digest.previous)}"
    return parts


def _has_glance(digest: Digest) -> bool:
    """Whether a digest begins with all papers at a glance."""
    return digest.layout is Layout.BOTH and digest.papers >= GLANCE_FROM


def _items(digest: Digest) -> Iterator[Item]:
    for section in digest.sections:
        yield from section.items


def _section_views(digest: Digest, mark: str) -> Iterator[SectionView]:
    number = 1
    for place, section in enumerate(digest.sections, 1):
        revised = all(item.kind is Kind.REVISED for item in section.items)
        count = counted(len(section.items), "version" if revised else "paper")
        groups = tuple(_groups(section, number, digest, mark))
        yield SectionView(keyword_name(section.title), count, number, f"s{place}", groups)
        number += len(section.items)


def _groups(section: Section, number: int, digest: Digest, mark: str) -> Iterator[GroupView]:
    """The papers of a section by their announcement, as they were sorted; at a glance those that
    only mention a keyword come last.
    """
    terms = {keyword.name.casefold(): wanted(keyword.query) for keyword in digest.keywords}
    mixed = 2 * sum(item.kind is Kind.NEW for item in _items(digest)) <= digest.papers
    manner = Manner(digest, terms, mixed, _has_glance(digest))
    dated = any(item.announced for item in _items(digest))
    for day, items in groupby(section.items, key=lambda item: item.announced):
        heading = (day_in_words(day) if day else "Held, and announced since") if dated else ""
        shown = sorted((paper_view(item, manner) for item in items), key=lambda p: p.passing)
        papers = tuple(
            replace(paper, number=n, mark=f"{mark}-{n}" if mark else "")
            for n, paper in enumerate(shown, number)
        )
        yield GroupView(heading, f"d{number}", papers)
        number += len(papers)


def _with_top(sections: tuple[SectionView, ...], top: int) -> tuple[SectionView, ...]:
    """Sections in which the first `top` of the papers that lead do so, and all others are titles;
    as they were where no more do.
    """
    leading = [paper.number for section in sections for paper in section.papers if paper.leads]
    if len(leading) <= top:
        return sections
    kept = frozenset(leading[:top])

    def titled(paper: PaperView) -> PaperView:
        # Hundreds of these must fit.
        return replace(paper, brief=True, byline="", date="", abstract="")

    def group_view(group: GroupView) -> GroupView:
        papers = (paper if paper.number in kept else titled(paper) for paper in group.papers)
        return replace(group, papers=tuple(papers))

    return tuple(
        replace(section, groups=tuple(map(group_view, section.groups))) for section in sections
    )


def _contents(digest: Digest, sections: Sequence[SectionView]) -> Iterator[ContentView]:
    """The headings; under a single one the days; without days the first titles. At a glance the
    titles stand together without that.
    """
    if digest.papers < CONTENTS_FROM or _has_glance(digest):
        return
    if len(sections) > 1:
        for section in sections:
            yield ContentView(section.title, section.count, section.anchor, section.first)
        return
    (section,) = sections
    if len(section.groups) > 1:
        for group in section.groups:
            yield ContentView(
                group.day, counted(len(group.papers), "paper"), group.anchor, group.papers[0].number
            )
        return
    papers = section.papers
    for paper in papers[:CONTENTS_TITLES]:
        note = (
            f"and {len(papers) - CONTENTS_TITLES} more" if paper.number == CONTENTS_TITLES else ""
        )
        yield ContentView(shorten(paper.title, CONTENTS_LENGTH), note, paper.anchor, paper.number)


def _keyword_view(keyword: Keyword) -> KeywordView:
    return KeywordView(keyword_name(keyword.name), printable_line(describe(keyword), RULE_LENGTH))


def headlines(digest: Digest) -> tuple[str, str, str]:
    """Return the headline, what follows it on the next line, and the subject."""
    names = _names(digest)
    on = words.listed(names)
    if digest.welcome:
        headline = "Your arXiv digest starts"
        found = f"{counted(digest.papers, 'recent paper')} on " if digest.papers else ""
        subject = _subject(digest, f"{headline}: {found}", names, dated=False)
        return headline, (found or "for ") + on, subject
    if digest.papers:
        counts = _counts(digest)
        return counts, f"for {on}", _subject(digest, f"{counts}: ", names)
    if digest.silences and not digest.quiet:
        since = counted(min(silence.days for silence in digest.silences), "day")
        headline = f"No new paper in {since}"
        names = [keyword_name(silence.keyword) for silence in digest.silences]
        return headline, f"for {words.listed(names)}", _subject(digest, f"{headline}: ", names)
    reasons = filter(None, [printable_line(digest.quiet).rstrip(".")])
    subject = _subject(digest, "No new papers: ", list(reasons))
    return "No new papers", f"for {on}" if names else "", subject


def _counts(digest: Digest) -> str:
    """`3 new papers, 1 new version`, and what arXiv's search only lists."""
    besides = sum(item.listed for item in _items(digest))
    revised = sum(item.kind is Kind.REVISED and not item.listed for item in _items(digest))
    counts = [
        (digest.papers - revised - besides, "new paper", ""),
        (revised, "new version", ""),
        (besides, "paper also listed", "papers also listed"),
    ]
    return ", ".join(counted(count, one, many) for count, one, many in counts if count)


def _rhythm(rhythm: Rhythm, timezone: str) -> str:
    """When digests come, and what a day without any means."""
    week = tuple(Weekly)
    named = [f"{WEEKDAYS[week.index(day)]}s" for day in rhythm.days]
    days = {week: "every day", week[:5]: "from Monday to Friday"}.get(
        rhythm.days, f"on {words.listed(named, all_=True)}"
    )
    hour = (
        f", not before {rhythm.at:%H:%M} ({timezone})"
        if rhythm.at
        else ", as soon as the papers are in"
    )
    none = "a short mail says why" if rhythm.tells else "no mail comes"
    return (
        f"Digests come {days}{hour}; where no paper matches, {none}. arXiv announces new papers on"
        " the evenings of Sunday to Thursday, New York time."
    )


def _unanswered(keywords: Sequence[str]) -> str:
    """Of which keywords nobody knows yet what matches."""
    if not keywords:
        return ""
    names = words.listed([keyword_name(name) for name in keywords], all_=True)
    return f"arXiv has not answered for {names} yet: what matches comes once it has."


def _skipped(count: int, previous: date | None) -> str:
    """What was let go after an absence, and the command that lists it; the address is for the
    reader to put in.
    """
    if not count:
        return ""
    were, them = (" was", "it") if count == 1 else (" were", "them")
    since = f" --since {previous}" if previous else ""
    return (
        "While your mail was paused, more came than one digest holds: "
        f"{counted(count, 'older paper')}{were} let go. Whoever runs this digest can list {them}: "
        f"'digest export --email ADDRESS --unmailed{since}'."
    )


def _names(digest: Digest) -> list[str]:
    """The keywords that brought something, in the reader's order; all of them where nothing
    came.
    """
    order = {keyword.name: place for place, keyword in reversed([*enumerate(digest.keywords)])}
    firsts = dict.fromkeys(item.keywords[0] for item in _items(digest) if item.keywords)
    names = sorted(firsts or order, key=lambda name: order.get(name, len(order)))
    return [keyword_name(name) for name in names]


def _subject(digest: Digest, start: str, names: Sequence[str], *, dated: bool = True) -> str:
    """`[arXiv] 3 new papers: Reward Model, MLLM (24 Nov)`; the names give way where it grows too
    long.
    """
    prefix = printable_line(digest.subject_prefix, PREFIX_LENGTH)
    end = f" ({digest.date.day} {MONTHS[digest.date.month - 1][:3]})" if dated else ""
    return _with_names(f"{prefix} {start}".lstrip(), names, SUBJECT_LENGTH - len(end)) + end


def _with_names(start: str, names: Sequence[str], room: int) -> str:
    """Add as many of the names to a subject as fit, and say how many do not."""
    for shown in range(len(names), 0, -1):
        rest = _more(len(names) - shown)
        subject = start + ", ".join(names[:shown]) + rest
        if len(subject) <= room:
            return subject
    rest = _more(len(names) - 1)
    left = room - len(start) - len(rest)
    if not names or left < SHORTEST_NAME:
        return printable_line(start.rstrip(": ").removesuffix(" on"), room)
    return start + printable_line(names[0], left) + rest


def _more(names: int) -> str:
    """What a subject says of the keywords that it does not name."""
    return f" +{counted(names, 'more keyword')}" if names > 0 else ""


def _moment(moment: datetime, timezone: str) -> str:
    return f"{day_in_words(moment.date())}, about {moment:%H:%M} ({timezone})"
