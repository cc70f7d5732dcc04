"""The archive's listings: which papers stand at an address below the web side's, by the logs.

`digest serve` and `digest publish --site` show the same; so nothing here depends on when it is
asked for, but on what is on record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from digest.keywords.categories import is_outside
from digest.keywords.grammar import describe
from digest.keywords.words import counted, listed
from digest.model import Digest, Item, Keyword, Kind, Layout, Paper, Rule, Subscriber
from digest.rendering.entry import keyword_name
from digest.rendering.texts import readable
from digest.rules.calendar import announcement_of
from digest.rules.compose import compose
from digest.rules.verdict import read_paper_name
from digest.store import Store
from digest.store.archive import ArchivedPaper
from digest.times import MONTHS, WEEKDAYS
from digest.web.public import Public

PAGE = 25
"""Papers on a page."""
LEAST = 13
"""A keyword's newest page has at least so many, where there are: else it begins with the page
before it."""
IN_FEED = 50
"""Entries of a feed."""
_DAY = timedelta(days=1)
_PATH = re.compile(
    r"(?P<kind>day|keyword)/(?P<name>[a-z0-9-]{1,80})(?:/(?P<number>[1-9]\d{0,6}))?"
    r"|paper/(?P<paper>[a-zA-Z0-9./-]{4,40})|index"
)


@dataclass(frozen=True, slots=True)
class PageLink:
    """A link to another page: its path without an ending, the words, and what is asked of it."""

    path: str
    words: str
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """The papers at one path, put together as a digest would; `title` and `lead` say what they are.

    `feed` is the path of the feed that goes on with them; `came` says of a single paper how it
    came. Of what was searched for, `asked` is what is asked of the path, `text` what was written,
    `reading` how it was read, line by line, and `brought` which keywords brought each paper.
    """

    path: str
    title: str
    lead: str
    digest: Digest
    newer: PageLink | None = None
    older: PageLink | None = None
    feed: str = "feed"
    came: tuple[str, ...] = ()
    asked: str = ""
    text: str = ""
    reading: tuple[str, ...] = ()
    brought: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def items(self) -> list[Item]:
        """The papers in their order."""
        return [item for section in self.digest.sections for item in section.items]


@dataclass(frozen=True, slots=True)
class Feed:
    """The papers of a feed, the last that came first, each once; `path` is without its ending, and
    `origin` the database's uuid.
    """

    path: str
    title: str
    subtitle: str
    items: Sequence[Item]
    origin: str


class Listings:
    """The listings of one database, as far as they are `public`."""

    def __init__(self, store: Store, public: Public) -> None:
        self._archive, self._public, self._origin = store.archive, public, store.uuid

    def find(self, path: str) -> Listing | None:
        """The listing at a path without an ending; None where nothing public stands there."""
        found = _PATH.fullmatch(path) if self._public.keywords else None
        if found is None:
            return None
        if path == "index":
            return self._today()
        if found["paper"]:
            return self._paper(found["paper"])
        number = int(found["number"]) if found["number"] else 0
        return (self._day if found["kind"] == "day" else self._keyword)(found["name"], number)

    def all(self) -> Iterator[Listing]:
        """Every listing but those of single papers: the latest day, days with their pages, keywords
        with theirs.
        """
        yield self._today()
        day = self._archive.last_day(self._public.queries)
        while day:
            yield from self._follow(f"day/{day}", f"day/{day}/")
            day = self._archive.last_day(self._public.queries, before=day)
        for slug in self._public.slugs:
            yield from self._follow(f"keyword/{slug}", f"keyword/{slug}/")

    def _follow(self, path: str, within: str) -> Iterator[Listing]:
        """A listing, and those older ones whose paths begin so."""
        listing = self.find(path)
        while listing:
            yield listing
            older = listing.older.path if listing.older else ""
            listing = self.find(older) if older.startswith(within) else None

    def feeds(self) -> Iterator[Feed]:
        """Every feed."""
        for path in ("feed", *(f"keyword/{slug}" for slug in self._public.slugs)):
            if feed := self.feed(path):
                yield feed

    def _today(self) -> Listing:
        day = self._archive.last_day(self._public.queries)
        listing = self._day(day.isoformat(), 0) if day else None
        if listing is None:
            lead = "Nothing is on record yet: the first papers will stand here."
            return Listing("index", "New arXiv papers", lead, self._digest([], date.min))
        return replace(listing, path="index")

    def _day(self, name: str, number: int) -> Listing | None:
        """A page of a day; 0 is the first, 1 is none."""
        with suppress(ValueError):
            day = date.fromisoformat(name)
            papers = self._archive.day(day, self._public.queries)
            pages, first = -(-len(papers) // PAGE), max(number - 1, 0) * PAGE
            if number != 1 and first < len(papers):
                wanted = papers[first : first + PAGE]
                rows = self._archive.on_day(day, wanted, self._public.queries)
                digest = self._digest(self._items(rows), day)
                count, named = counted(len(papers), "new paper"), _headings(digest)
                newer, older = self._beside_day(day, number or 1, pages)
                return Listing(
                    path=f"day/{day}/{number}" if number else f"day/{day}",
                    title=day_words(day),
                    lead=f"{count}, page {number or 1} of {pages}"
                    if pages > 1
                    else f"{count} for {named}",
                    digest=digest,
                    newer=newer,
                    older=older,
                )
        return None

    def _beside_day(
        self, day: date, number: int, pages: int
    ) -> tuple[PageLink | None, PageLink | None]:
        if number > 1:
            newer: PageLink | None = PageLink(f"day/{day}/{number - 1}".removesuffix("/1"), "Back")
        else:
            following = self._archive.next_day(self._public.queries, day)
            newer = PageLink(f"day/{following}", day_words(following)) if following else None
        if number < pages:
            return newer, PageLink(f"day/{day}/{number + 1}", f"More of {day_words(day)}")
        before = self._archive.last_day(self._public.queries, before=day)
        return newer, PageLink(f"day/{before}", day_words(before)) if before else None

    def _keyword(self, slug: str, number: int) -> Listing | None:
        """A page of a keyword: 0 is the newest; the others are numbered from the oldest on, so that
        each of them holds the same papers for ever.
        """
        keyword = self._public.slugs.get(slug)
        if keyword is None:
            return None
        full, rest = divmod(self._archive.count(keyword.query), PAGE)
        if number > full:
            return None
        last = full - 1 if rest < LEAST and full else full
        skipped, most = (full - number) * PAGE + rest, PAGE
        if not number:
            skipped, most = 0, rest + (full - last) * PAGE
        before = number - 1 if number else last
        after = f"keyword/{slug}/{number + 1}" if number < last else f"keyword/{slug}"
        before_it = max(number - 1, 0) * PAGE
        if number and before_it < skipped:
            rows = self._archive.oldest(keyword.query, most, before_it)
        else:
            rows = self._archive.newest(keyword.query, most, skipped)
        return Listing(
            path=f"keyword/{slug}/{number}" if number else f"keyword/{slug}",
            title=keyword_name(keyword.name),
            lead=f"All new arXiv papers that match {describe(keyword)}",
            digest=self._digest(self._items(rows, dated=True), date.min, keyword),
            newer=PageLink(after, "Newer") if number else None,
            older=PageLink(f"keyword/{slug}/{before}", "Older") if before else None,
            feed=f"keyword/{slug}",
        )

    def _paper(self, text: str) -> Listing | None:
        name = read_paper_name(text)
        rows = self._archive.of_paper(name.id, self._public.queries) if name else []
        items = self._items(rows[:1])
        if name is None or not items:
            return None
        names = self._public.names
        keywords = tuple(dict.fromkeys(names[row.query] for row in rows))
        digest = self._digest([replace(items[0], keywords=keywords)], date.min)
        return Listing(
            path=f"paper/{name.id}",
            title=readable(items[0].paper.title) or name.id,
            lead=f"arXiv:{name.id}, for {listed([keyword_name(k) for k in keywords], all_=True)}",
            digest=digest,
            came=tuple(_came(row, keyword_name(names[row.query])) for row in rows),
        )

    def found(
        self, papers: Sequence[str], query: str, heading: str
    ) -> tuple[Digest, dict[str, list[str]]]:
        """Some papers as a digest of what matches a query, under one heading; and by their ids the
        names of the keywords that brought them.
        """
        first: dict[str, ArchivedPaper] = {}
        names: dict[str, list[str]] = {}
        for row in self._archive.of_papers(papers, self._public.queries):
            first.setdefault(row.paper, row)
            names.setdefault(row.paper, []).append(self._public.names[row.query])
        items = self._items([first[paper] for paper in papers if paper in first], dated=True)
        own = [replace(item, keywords=(heading,)) for item in items]
        return self._digest(own, date.min, Keyword(heading, query, Rule.QUERY)), names

    def feed(self, path: str) -> Feed | None:
        """The feed at a path without its ending: of all public keywords, or of one."""
        kind, _, slug = path.partition("/")
        keyword = self._public.slugs.get(slug) if kind == "keyword" else None
        if not self._public.keywords or (keyword is None and path != "feed"):
            return None
        keywords = [keyword] if keyword else self._public.keywords
        title = f"arXiv: {keyword_name(keyword.name)}" if keyword else "New arXiv papers"
        found: dict[str, Item] = {}
        queries = [each.query for each in keywords]
        # Several keywords may have brought a paper.
        most = IN_FEED if keyword else 2 * IN_FEED
        for item in self._items(self._archive.newest_of(queries, most)):
            known = found.get(item.paper.id, item).keywords
            names = dict.fromkeys((*known, *item.keywords))
            found[item.paper.id] = replace(item, keywords=tuple(names))
        subtitle = f"New arXiv papers for {_named(keywords)}"
        return Feed(path, title, subtitle, [*found.values()][:IN_FEED], self._origin)

    def _items(self, rows: Sequence[ArchivedPaper], *, dated: bool = False) -> list[Item]:
        """Rows of the logs as papers that a digest can hold; `dated`: under the days of their
        announcements.
        """
        papers = self._archive.papers([row.paper for row in rows])
        kept = (row for row in rows if not self._is_outside(papers[row.paper]))
        return [_item(papers[row.paper], row, self._public.names[row.query], dated) for row in kept]

    def _is_outside(self, paper: Paper) -> bool:
        return is_outside(paper.categories, self._public.within)

    def _digest(self, items: Sequence[Item], day: date, keyword: Keyword | None = None) -> Digest:
        # Telling of hundreds that brought nothing would take longer than all else.
        named = {name for item in items for name in item.keywords}
        keywords = (
            (keyword,)
            if keyword
            else tuple(each for each in self._public.keywords if each.name in named)
        )
        reader = Subscriber("", keywords, layout=Layout.FULL, max_papers=len(items))
        now = datetime.combine(day, time(12), UTC)
        return compose(items, reader, now=now)


def _item(paper: Paper, row: ArchivedPaper, name: str, dated: bool) -> Item:
    # What a page brought that was imported, or a paper's late version, is an old one to nobody who
    # reads back.
    kind = Kind.LATE if row.kind is Kind.LATE else Kind.NEW
    announced = announcement_of(paper.published).evening + _DAY if dated else None
    return Item(paper, kind, (name,), announced=None if kind is Kind.LATE else announced)


def _headings(digest: Digest) -> str:
    return listed([keyword_name(section.title) for section in digest.sections])


def _named(keywords: Sequence[Keyword]) -> str:
    return listed([keyword_name(keyword.name) for keyword in keywords])


def _came(row: ArchivedPaper, name: str) -> str:
    """How a paper came, in a line."""
    what = {Kind.REVISED: "a new version", Kind.LATE: "late"}.get(row.kind, "new")
    when = f"on {day_words(row.at.date())}" if row.at else "more than a year ago"
    return f"{what}, for {name}, {when}"


def day_words(day: date) -> str:
    """`Monday 23 November 2026`."""
    return f"{WEEKDAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]} {day.year}"
