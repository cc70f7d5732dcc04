"""What the templates say of a digest: clean texts, counts and dates in words, nothing left to decide."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

from digest.model import Change, Digest, Item, Keyword, Kind, Rhythm, Weekly
from digest.query import describe
from digest.revision import is_withdrawn
from digest.tex import to_unicode

SUBJECT_LENGTH = 78
NAMED_AUTHORS = 3
NAMED_KEYWORDS = 3

# What is longer than any real one is cut, so that one odd paper cannot push out all others.
TITLE_LENGTH, NAME_LENGTH, RULE_LENGTH, COMMENT_LENGTH, ABSTRACT_LENGTH = 500, 80, 200, 1_000, 6_000

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

# Controls (C0, C1), line and paragraph separators, lone surrogates; and the marks that turn the
# direction of writing, with which a title could rearrange the line around it.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str, length: int = TITLE_LENGTH) -> str:
    """Make hostile text one printable line of at most `length` characters."""
    line = " ".join(UNPRINTABLE.sub(" ", text).split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def readable(text: str, length: int = TITLE_LENGTH) -> str:
    """Make a text of arXiv's one printable line, with its TeX as Unicode."""
    return clean(to_unicode(text), length)


@dataclass(frozen=True, slots=True)
class PaperView:
    """What a template may say of one paper; every text is clean, `number` counts through the digest."""

    number: int
    title: str
    url: str
    pdf: str
    authors: tuple[str, ...]
    more_authors: str
    byline: str
    date: str
    categories: str
    labels: tuple[str, ...]
    badges: tuple[str, ...]
    comment: str
    abstract: str
    changed: str


@dataclass(frozen=True, slots=True)
class SectionView:
    """One heading and its papers; `first` is the number of the first of them."""

    title: str
    count: str
    first: int
    papers: tuple[PaperView, ...]


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
    welcome: bool
    rhythm: str
    quiet: str
    skipped: str
    silences: tuple[SilenceView, ...]
    sections: tuple[SectionView, ...]
    total: int
    keywords: tuple[KeywordView, ...]
    previous: str
    next: str
    contact: str
    mailto: str


def view(digest: Digest) -> PageView:
    """Prepare what the templates write; nothing in it is decided by a template."""
    sections = tuple(_section_views(digest))
    headline, lead, subject = _headlines(digest)
    contact = clean(digest.contact)
    return PageView(
        subject=subject,
        headline=headline,
        lead=f"{lead}, {_day(digest.date)}" if lead else _day(digest.date),
        welcome=digest.welcome,
        rhythm=_rhythm(digest.rhythm, digest.timezone) if digest.rhythm else "",
        quiet="" if digest.papers else clean(digest.quiet).rstrip("."),
        skipped=_skipped(digest.skipped, digest.previous),
        silences=tuple(
            SilenceView(_name(s.keyword), _count(s.days, "day"), clean(s.hint, COMMENT_LENGTH)) for s in digest.silences
        ),
        sections=sections,
        total=digest.papers,
        keywords=tuple(_keyword_view(keyword) for keyword in digest.keywords),
        previous=_day(digest.previous) if digest.previous else "",
        next=_moment(digest.next_at, digest.timezone) if digest.next_at else "",
        contact=contact,
        mailto=f"mailto:{quote(contact, safe='@+')}?subject=unsubscribe" if contact else "",
    )


def _section_views(digest: Digest) -> Iterator[SectionView]:
    zone = ZoneInfo(digest.timezone)
    number = 1
    for section in digest.sections:
        papers = tuple(_paper_view(item, number + i, zone) for i, item in enumerate(section.items))
        revised = all(item.kind is Kind.REVISED for item in section.items)
        count = _count(len(papers), "version" if revised else "paper")
        yield SectionView(_name(section.title), count, number, papers)
        number += len(papers)


def _paper_view(item: Item, number: int, zone: ZoneInfo) -> PaperView:
    paper = item.paper
    revised = item.kind is Kind.REVISED
    authors = [name for author in paper.authors if (name := readable(author, NAME_LENGTH))]
    submitted = _short_date(paper.published.astimezone(zone).date())
    badges = []
    if revised:
        badges.append(f"v{paper.version}")
    if item.kind is Kind.LATE:
        badges.append("announced late")
    if is_withdrawn(paper):
        badges.append("withdrawn")
    elif Change.ACCEPTED in (item.changes or ()):
        badges.append("accepted")
    return PaperView(
        number=number,
        title=readable(paper.title) or paper.id,
        url=paper.abstract_url,
        pdf=paper.pdf_url,
        authors=tuple(authors[:NAMED_AUTHORS]),
        more_authors=f" + {len(authors) - NAMED_AUTHORS} more" if len(authors) > NAMED_AUTHORS else "",
        byline=authors[0] + (" et al." if len(authors) > 1 else "") if authors else "",
        date=f"{_short_date(paper.updated.astimezone(zone).date())}, first {submitted}" if revised else submitted,
        categories=", ".join(clean(category, NAME_LENGTH) for category in paper.categories),
        # Under a keyword's own heading its name says nothing new; several names do, and a new
        # version has no such heading.
        labels=tuple(_name(name) for name in item.keywords) if revised or len(item.keywords) > 1 else (),
        badges=tuple(badges),
        comment=readable(paper.comment, COMMENT_LENGTH),
        abstract=readable(paper.abstract, ABSTRACT_LENGTH),
        changed=_changed(item) if revised else "",
    )


def _changed(item: Item) -> str:
    """What a new version changed, in a line: `title (before: A Study), comment; abstract as before`."""
    if item.changes is None:
        return ""
    words = {
        Change.TITLE: f"title (before: {clean(item.old_title)})" if item.old_title else "title",
        Change.ABSTRACT: "abstract",
        Change.AUTHORS: "authors",
        Change.COMMENT: "comment",
        Change.JOURNAL_REF: "journal reference",
        Change.DOI: "DOI",
    }
    changed = [text for change, text in words.items() if change in item.changes]
    if Change.ABSTRACT in item.changes:
        return ", ".join(changed)
    return f"{', '.join(changed)}; abstract as before" if changed else "nothing in title, abstract or comment"


def _name(keyword: str) -> str:
    return clean(keyword, NAME_LENGTH) or "unnamed"


def _keyword_view(keyword: Keyword) -> KeywordView:
    return KeywordView(_name(keyword.name), clean(describe(keyword), RULE_LENGTH))


def _headlines(digest: Digest) -> tuple[str, str, str]:
    """Return the headline, what follows it on the next line, and the subject."""
    names = _names(digest)
    on = _in_words(names)
    if digest.welcome:
        start = "Your arXiv digest starts"
        found = f"{_count(digest.papers, 'recent paper')} on " if digest.papers else ""
        return start, (found or "for ") + on, _with_names(f"{start}: {found}", names)
    if not digest.papers and digest.silences and not digest.quiet:
        since = _count(min(silence.days for silence in digest.silences), "day")
        silent = [_name(silence.keyword) for silence in digest.silences]
        return f"No new paper in {since}", f"for {_in_words(silent)}", _with_names(f"No new paper in {since}: ", silent)
    if not digest.papers:
        reason = clean(digest.quiet).rstrip(".")
        subject = clean(f"No new papers: {reason}" if reason else "No new papers", SUBJECT_LENGTH)
        return "No new papers", f"for {on}" if names else "", subject
    revised = sum(item.kind is Kind.REVISED for section in digest.sections for item in section.items)
    new = digest.papers - revised
    counts = ", ".join(_count(count, noun) for count, noun in ((new, "new paper"), (revised, "new version")) if count)
    return counts, f"for {on}", _with_names(f"{counts}: ", names)


def _rhythm(rhythm: Rhythm, timezone: str) -> str:
    """When digests come, and what a day without any means."""
    week = tuple(Weekly)
    named = [f"{DAYS[week.index(day)]}s" for day in rhythm.days]
    days = {week: "every day", week[:5]: "from Monday to Friday"}.get(rhythm.days, f"on {_in_words(named, all_=True)}")
    hour = f", not before {rhythm.at:%H:%M} ({timezone})" if rhythm.at else ", as soon as the papers are in"
    none = "a short mail says why" if rhythm.tells else "no mail comes"
    return (
        f"Digests come {days}{hour}; where no paper matches, {none}. arXiv announces new papers on the evenings of"
        " Sunday to Thursday, New York time."
    )


def _skipped(count: int, previous: date | None) -> str:
    """What was let go after an absence, and the command that lists it; the address is for the reader to put in."""
    if not count:
        return ""
    were, them = (" was", "it") if count == 1 else (" were", "them")
    since = f" --since {previous}" if previous else ""
    return (
        f"While your mail was paused, more came than one digest holds: {_count(count, 'older paper')}{were} let go. "
        f"Whoever runs this digest can list {them}: 'digest export --email ADDRESS --unmailed{since}'."
    )


def _names(digest: Digest) -> list[str]:
    """The keywords that brought something, in the reader's order; all of them where nothing came."""
    firsts = [item.keywords[0] for section in digest.sections for item in section.items if item.keywords]
    names = firsts or [keyword.name for keyword in digest.keywords]
    order = {keyword.name: place for place, keyword in reversed(list(enumerate(digest.keywords)))}
    unique = dict.fromkeys(names)
    return [_name(name) for name in sorted(unique, key=lambda name: order.get(name, len(order)))]


def _with_names(start: str, names: Sequence[str]) -> str:
    """Add as many of the names to a subject as fit, and say how many do not."""
    for shown in range(len(names), 0, -1):
        rest = f" +{len(names) - shown} more" if shown < len(names) else ""
        subject = start + ", ".join(names[:shown]) + rest
        if len(subject) <= SUBJECT_LENGTH:
            return subject
    if not names:
        return start.rstrip(": ")
    rest = f" +{len(names) - 1} more" if len(names) > 1 else ""
    return start + clean(names[0], max(SUBJECT_LENGTH - len(start) - len(rest), 8)) + rest


def _in_words(names: Sequence[str], *, all_: bool = False) -> str:
    """`A`, `A and B`, `A, B and C`; of many the first three, or `all_`."""
    if len(names) > NAMED_KEYWORDS + 1 and not all_:
        names = [*names[:NAMED_KEYWORDS], f"{len(names) - NAMED_KEYWORDS} more"]
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _day(day: date) -> str:
    """`Monday 23 November`, in English whatever the machine's locale is."""
    return f"{DAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]}"


def _short_date(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1][:3]} {day.year}"


def _moment(moment: datetime, timezone: str) -> str:
    return f"{_day(moment.date())}, about {moment:%H:%M} ({timezone})"
