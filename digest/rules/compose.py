"""The papers that are due to a reader, put together into one digest: sections, order, dates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from math import inf
from zoneinfo import ZoneInfo

from digest.keywords.categories import in_categories
from digest.keywords.marks import ABSTRACT, TITLE, author_term, find, names, wanted
from digest.keywords.tokens import Term
from digest.model import (
    CloseTo,
    Digest,
    Item,
    Kind,
    Order,
    Paper,
    Rhythm,
    Section,
    Silence,
    Subscriber,
    Tally,
)
from digest.rules.calendar import announcement_of, served_between

NEW_VERSIONS = "New versions"
ALSO_LISTED = "arXiv's search also lists"
LIKELIEST = "Likeliest first"

SHAPING = (
    "keywords days at timezone max_papers quiet_days order abstracts layout format authors"
    " categories subject_prefix top feedback attach summary language channel"
).split()
"""The fields of a reader by which the digest of the same papers is another one; by all others
nobody's digest differs. `days`, `at` and `quiet_days` are told to a new reader, and by the first
two the next digest comes."""


@dataclass(frozen=True, slots=True)
class Extras:
    """What a digest says besides its papers; the moments are UTC.

    `welcome`: it is the reader's first; `previous` and `next_at` are when the one before came and
    the next can come; `skipped` papers were left out on the return from an absence; `quiet` tells
    why nothing came; `silences` are keywords that have matched nothing for long, `unanswered` those
    for which arXiv has not answered yet; `notice` is the operator's; the `tally` says how the
    papers add up; the papers' summaries, if they have any, are by the `model`.
    """

    welcome: bool = False
    previous: datetime | None = None
    next_at: datetime | None = None
    skipped: int = 0
    quiet: str = ""
    contact: str = ""
    silences: tuple[Silence, ...] = ()
    unanswered: tuple[str, ...] = ()
    notice: str = ""
    tally: Tally | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class Rank:
    """How likely a reader wants a paper, by what they have: the higher the `score`, the likelier;
    and the paper of theirs for which it is high, if there is one.
    """

    score: float
    close_to: CloseTo | None = None


UNRANKED = Rank(-inf)


def shape(subscriber: Subscriber) -> tuple[object, ...]:
    """All of a reader that shapes their digests: readers in whom this is equal share one."""
    return tuple(getattr(subscriber, name) for name in SHAPING)


def compose(
    items: Sequence[Item],
    subscriber: Subscriber,
    *,
    now: datetime,
    extras: Extras = Extras(),
    ranks: Mapping[str, Rank] | None = None,
) -> Digest:
    """Build the digest that carries `items`; `now` is UTC, its dates are the reader's own.

    Every paper comes once: under the keyword that its title names, else its abstract, in the
    reader's order; among the new versions; or among what arXiv's search also lists. Its heading is
    the first of its keywords. The same items in any order give the same
    digest. One that covers several announcements has the papers of each under each heading by the
    announcement's day.

    With `ranks`, by the papers' base ids, what is new stands together, the highest score first,
    whatever its keyword and its day; equal scores stand in the order without them. A paper without
    a rank comes last, and none is left out.
    """
    zone = ZoneInfo(subscriber.timezone)
    previous, next_at = extras.previous, extras.next_at
    covered = _announced_days(previous, now) if previous and ranks is None else frozenset()
    # docs/decisions.md, “The announcement of a paper is computed from its dates”.
    if len(covered) > 1:
        items = [replace(item, announced=_announced(item, covered)) for item in items]
    rhythm = Rhythm(subscriber.days, subscriber.at, subscriber.quiet_days)
    return Digest(
        date=now.astimezone(zone).date(),
        timezone=subscriber.timezone,
        sections=_sections(_each_paper_once(items), subscriber, ranks),
        keywords=subscriber.keywords,
        welcome=extras.welcome,
        previous=previous.astimezone(zone).date() if previous else None,
        next_at=next_at.astimezone(zone) if next_at else None,
        abstracts=subscriber.max_papers,
        skipped=extras.skipped,
        quiet=extras.quiet,
        contact=extras.contact,
        silences=extras.silences,
        rhythm=rhythm if extras.welcome else None,
        abstract_length=subscriber.abstracts,
        layout=subscriber.layout,
        format=subscriber.format,
        authors=subscriber.authors,
        categories=subscriber.categories,
        subject_prefix=subscriber.subject_prefix,
        channel=subscriber.channel,
        unanswered=extras.unanswered if extras.welcome else (),
        ranked=ranks is not None,
        top=subscriber.top,
        notice=extras.notice,
        feedback=subscriber.feedback,
        attach=subscriber.attach,
        tally=extras.tally,
        **_summarized(items, subscriber, extras),
    )


def _summarized(items: Iterable[Item], subscriber: Subscriber, extras: Extras) -> dict[str, str]:
    """By which model and in which language summaries are; nothing where no paper has one, so that
    the digest is then the same as without a model.
    """
    if not any(item.summary for item in items):
        return {}
    return {"model": extras.model, "language": subscriber.language}


def _announced_days(previous: datetime, now: datetime) -> frozenset[date]:
    """The days of the announcements between two digests, as arXiv's lists date them: each evening's
    by the next day.
    """
    return frozenset(served.evening + timedelta(days=1) for served in served_between(previous, now))


def _announced(item: Item, covered: frozenset[date]) -> date | None:
    """The day of a paper's announcement, by its dates; None where it was held, so that they cannot
    tell.
    """
    submitted = item.paper.updated if item.kind is Kind.REVISED else item.paper.published
    day = announcement_of(submitted).evening + timedelta(days=1)
    return day if day in covered and item.kind is not Kind.LATE else None


def _each_paper_once(items: Iterable[Item]) -> list[Item]:
    """Merge items of one paper: its latest version, with the keywords of all; new outweighs
    revised.
    """
    merged: dict[str, Item] = {}
    for item in items:
        known = merged.get(item.paper.id)
        merged[item.paper.id] = item if known is None else _merge(known, item)
    return list(merged.values())


def _merge(one: Item, other: Item) -> Item:
    weight = (Kind.NEW, Kind.LATE, Kind.REVISED, Kind.OLD)
    # A paper may be new for one keyword and revised for another: the reader has not had it.
    latest = max(one, other, key=lambda item: (item.paper.version, item.paper.updated))
    return replace(
        latest,
        kind=min(one.kind, other.kind, key=weight.index),
        keywords=one.keywords + other.keywords,
        listed=one.listed and other.listed,
    )


def _sections(
    items: Iterable[Item], subscriber: Subscriber, ranks: Mapping[str, Rank] | None
) -> tuple[Section, ...]:
    """Group by the first keyword in the reader's order, but for what is ranked; then sort each
    group. Empty ones are left out.
    """
    given = ranks or {}
    rank: dict[str, int] = {}
    labels: dict[str, str] = {}
    for position, keyword in enumerate(subscriber.keywords):
        rank.setdefault(keyword.name.casefold(), position)
        labels.setdefault(keyword.name.casefold(), keyword.name)

    terms = {keyword.name.casefold(): wanted(keyword.query) for keyword in subscriber.keywords}
    groups: dict[tuple[int, str], list[Item]] = {}
    for item in items:
        known = _in_reader_order(item.keywords, rank, labels)
        named = replace(
            item,
            keywords=_foremost(known, item.paper, terms),
            close_to=given.get(item.paper.id, UNRANKED).close_to,
        )
        groups.setdefault(_heading(named, is_ranked=ranks is not None), []).append(named)

    def place(heading: tuple[int, str]) -> tuple[int, int, str]:
        # A name that the reader no longer has comes after theirs: better an odd heading than a lost
        # paper.
        kind, title = heading
        return kind, rank.get(title.casefold(), len(rank)), title

    sort_key = _sort_key(subscriber, terms, given)
    return tuple(
        Section(heading[1] or "Other papers", tuple(sorted(groups[heading], key=sort_key)))
        for heading in sorted(groups, key=place)
    )


def _heading(item: Item, *, is_ranked: bool) -> tuple[int, str]:
    """What a paper stands under: the kind of heading, and its words."""
    if item.listed:
        return 2, ALSO_LISTED
    if item.kind is Kind.REVISED:
        return 1, NEW_VERSIONS
    return 0, LIKELIEST if is_ranked else next(iter(item.keywords), "")


def _in_reader_order(
    names: Iterable[str], rank: dict[str, int], labels: dict[str, str]
) -> tuple[str, ...]:
    """Spell each name as the reader does, in the reader's order; names that differ by case are
    one.
    """
    folded: dict[str, str] = {}
    for name in sorted(names):
        folded.setdefault(name.casefold(), labels.get(name.casefold(), name))
    return tuple(
        folded[key] for key in sorted(folded, key=lambda key: (rank.get(key, len(rank)), key))
    )


def _foremost(
    known: tuple[str, ...], paper: Paper, terms: Mapping[str, Sequence[Term]]
) -> tuple[str, ...]:
    """Put first the name that the title carries, else the one that the abstract does."""
    if len(known) < 2:
        return known
    for text, fields in ((paper.title, TITLE), (paper.abstract, ABSTRACT)):
        for name in known:
            if find(text, terms.get(name.casefold(), ()), fields):
                return (name, *(other for other in known if other != name))
    return known


SortKey = tuple[float, float, bool, int, bool, bool, float, str]


def _sort_key(
    subscriber: Subscriber, terms: Mapping[str, Sequence[Term]], ranks: Mapping[str, Rank]
) -> Callable[[Item], SortKey]:
    """What a section is sorted by: the latest announcement first, in it the likeliest to matter,
    then the newest.

    Likeliest: the highest rank; a keyword stands in the title; of more keywords; by an author, in a
    category that the reader named. What counts for a new version is its own submission, not that of
    the paper's first one. The id makes it stable.
    """
    authors = [author_term(name) for name in subscriber.authors]

    def sort_key(item: Item) -> SortKey:
        paper = item.paper
        day = -item.announced.toordinal() if item.announced else 0
        score = ranks.get(paper.id, UNRANKED).score
        submitted = paper.updated if item.kind is Kind.REVISED else paper.published
        newest = (-submitted.timestamp(), paper.id)
        if subscriber.order is Order.NEWEST:
            return (day, -score, False, 0, False, False, *newest)
        sought = [term for name in item.keywords for term in terms.get(name.casefold(), ())]
        return (
            day,
            -score,
            not find(paper.title, sought, TITLE),
            -len(item.keywords),
            not names(paper.authors, authors),
            not in_categories(paper.categories, subscriber.categories),
            *newest,
        )

    return sort_key
