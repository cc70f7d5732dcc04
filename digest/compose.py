"""The papers that are due to a reader, put together into one digest: sections, order, dates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from digest.model import Digest, Item, Kind, Order, Rhythm, Section, Silence, Subscriber

NEW_VERSIONS = "New versions"


def compose(
    items: Sequence[Item],
    subscriber: Subscriber,
    *,
    now: datetime,
    welcome: bool,
    previous: datetime | None,
    next_at: datetime | None,
    skipped: int = 0,
    quiet: str = "",
    contact: str = "",
    silences: tuple[Silence, ...] = (),
) -> Digest:
    """Build the digest that carries `items`; the moments are UTC, its dates the reader's own.

    Every paper comes once: under the first of the reader's keywords that it matches, or among the new
    versions. The same items in any order give the same digest.
    """
    zone = ZoneInfo(subscriber.timezone)
    return Digest(
        date=now.astimezone(zone).date(),
        timezone=subscriber.timezone,
        sections=_sections(_each_paper_once(items), subscriber),
        keywords=subscriber.keywords,
        welcome=welcome,
        previous=previous.astimezone(zone).date() if previous else None,
        next_at=next_at.astimezone(zone) if next_at else None,
        abstracts=subscriber.max_papers,
        skipped=skipped,
        quiet=quiet,
        contact=contact,
        silences=silences,
        rhythm=Rhythm(subscriber.days, subscriber.at, subscriber.quiet_days) if welcome else None,
    )


def _each_paper_once(items: Iterable[Item]) -> list[Item]:
    """Merge items of one paper: its latest version, with the keywords of all; new outweighs revised."""
    merged: dict[str, Item] = {}
    for item in items:
        known = merged.get(item.paper.id)
        merged[item.paper.id] = item if known is None else _merge(known, item)
    return list(merged.values())


def _merge(one: Item, other: Item) -> Item:
    weight = (Kind.NEW, Kind.LATE, Kind.REVISED, Kind.OLD)
    latest = max(one, other, key=lambda item: (item.paper.version, item.paper.updated))
    return replace(latest, kind=min(one.kind, other.kind, key=weight.index), keywords=one.keywords + other.keywords)


def _sections(items: Iterable[Item], subscriber: Subscriber) -> tuple[Section, ...]:
    """Group by the first keyword in the reader's order, then sort each group; empty ones are left out."""
    rank: dict[str, int] = {}
    labels: dict[str, str] = {}
    for position, keyword in enumerate(subscriber.keywords):
        rank.setdefault(keyword.name.casefold(), position)
        labels.setdefault(keyword.name.casefold(), keyword.name)

    groups: dict[str, list[Item]] = {}
    revised: list[Item] = []
    for item in items:
        named = replace(item, keywords=_in_reader_order(item.keywords, rank, labels))
        if item.kind is Kind.REVISED:
            revised.append(named)
        else:
            groups.setdefault(named.keywords[0] if named.keywords else "", []).append(named)

    # A name that the reader no longer has comes after theirs: better an odd heading than a lost paper.
    order = sorted(groups, key=lambda title: (rank.get(title.casefold(), len(rank)), title))
    sections = [Section(title or "Other papers", _sorted(groups[title], subscriber.order)) for title in order]
    if revised:
        sections.append(Section(NEW_VERSIONS, _sorted(revised, subscriber.order)))
    return tuple(sections)


def _in_reader_order(names: Iterable[str], rank: dict[str, int], labels: dict[str, str]) -> tuple[str, ...]:
    """Spell each name as the reader does, in the reader's order; names that differ by case are one."""
    folded: dict[str, str] = {}
    for name in sorted(names):
        folded.setdefault(name.casefold(), labels.get(name.casefold(), name))
    return tuple(folded[key] for key in sorted(folded, key=lambda key: (rank.get(key, len(rank)), key)))


def _sorted(items: Iterable[Item], order: Order) -> tuple[Item, ...]:
    """Newest submission first, then by id; for `likeliest` matches of several keywords before that.

    What counts for a new version is its own submission, not that of the paper's first one.
    """

    def key(item: Item) -> tuple[bool, float, str]:
        several = order is Order.LIKELIEST and len(item.keywords) > 1
        submitted = item.paper.updated if item.kind is Kind.REVISED else item.paper.published
        return (not several, -submitted.timestamp(), item.paper.id)

    return tuple(sorted(items, key=key))
