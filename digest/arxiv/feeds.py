"""An announcement feed of arXiv's, from bytes to announcements: a whole Atom or RSS document, or an
ArxivError.

`https://rss.arxiv.org/atom/CAT+CAT` and `/rss/CAT+CAT` hold all that was announced today, by New
York's date (arXiv's help, "RSS feeds"); what is said here of their limits is from the source of
that service.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Set
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from digest.arxiv.atom import ATOM
from digest.arxiv.authors import split_authors
from digest.arxiv.documents import (
    PAPER_ID,
    VERSION,
    carrying,
    check_parts,
    plain_text,
    reading,
    whole_document,
    wrong_document,
)
from digest.errors import ArxivError
from digest.keywords.accents import decode_accents
from digest.rules.calendar import NEW_YORK

LIMIT = 2_000
"""Items in one feed. What is beyond is cut off, and the new papers stand last."""
SAME_SHARE = 0.5
"""Neighbouring days' feeds share a few items (a paper that is cross-listed a day later); one of
which more than this share stood in the previous announcement's is still that one."""
NEVER_EMPTY = 20
"""A feed with at least this many papers in one announcement has some in the next; small categories
have days without."""

_ID = re.compile(rf"oai:arXiv\.org:(?P<id>{PAPER_ID}){VERSION}")
_PREAMBLE = re.compile(r"\A\s*arXiv:\S+\s+Announce Type:\s*\S+\s+Abstract:\s*", re.IGNORECASE)
_TITLE = re.compile(r"(?P<names>.+) updates on arXiv\.org")


class AnnounceType(StrEnum):
    """How a feed announces a paper; `cross` and `replace-cross`: its primary category is not one of
    the feed's.
    """

    NEW = "new"
    CROSS = "cross"
    REPLACE = "replace"
    REPLACE_CROSS = "replace-cross"


@dataclass(frozen=True, slots=True)
class Announced:
    """One paper as it was announced. A feed tells neither when it was submitted nor its comment.

    `day` is New York's date on which the announcement is in the feed: the one after its evening.
    """

    id: str
    version: int
    kind: AnnounceType
    day: date
    title: str
    abstract: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    journal_ref: str = ""
    doi: str = ""

    @property
    def key(self) -> str:
        """The id of what was announced, with its version."""
        return f"{self.id}v{self.version}"


@dataclass(frozen=True, slots=True)
class AnnouncementFeed:
    """One whole feed. `names` are the categories or archives that its title names, lower-cased;
    `papers` can be of several days; `day` is the newest of these, None where there are none.
    """

    names: frozenset[str]
    papers: tuple[Announced, ...]

    @property
    def day(self) -> date | None:
        """The date of the newest announcement in the feed."""
        return max((paper.day for paper in self.papers), default=None)

    @property
    def keys(self) -> frozenset[str]:
        """What is announced. It tells two days' feeds apart; dates do not, since a stale feed can
        be freshly built.
        """
        return frozenset(paper.key for paper in self.papers)

    @property
    def overflows(self) -> bool:
        """Whether the feed is as long as a feed can be, so that papers, first of all new ones, may
        be missing.
        """
        return len(self.papers) >= LIMIT


class FullFeedError(ArxivError):
    """A feed as long as a feed can be: ask for fewer categories at once."""


class StaleFeedError(ArxivError):
    """A feed that holds another day's announcement: arXiv is late, and asking again at once does
    not help.
    """


def parse_announcements(body: bytes, *, content_type: str = "") -> AnnouncementFeed:
    """Read one feed, Atom or RSS, or raise ArxivError, which carries `body`; nothing else is ever
    raised.
    """
    with carrying(body):
        root = whole_document(body, content_type)
        if root.tag == f"{ATOM}feed":
            return _read(root, root.findall(f"{ATOM}entry"))
        channel = root.find("channel") if root.tag == "rss" else None
        if channel is None:
            raise wrong_document(content_type, "an announcement feed")
        return _read(channel, channel.findall("item"))


def check_announcements(
    feed: AnnouncementFeed, *, names: Iterable[str], day: date, before: Set[str]
) -> None:
    """Raise FullFeedError, StaleFeedError, or ArxivError where a feed is not the announcement
    served on `day`.

    `names` are the categories asked for; `before` is what the previous announcement's feed held
    (`keys`). An empty feed passes where the one before was small: such a category can have a day
    without papers, and whether the announcement came at all is told by the feeds together.
    """
    wanted = {name.lower() for name in names}
    if feed.names != wanted:
        raise ArxivError(
            f"arXiv sent the feed of {', '.join(sorted(feed.names)) or 'nothing'}"
            f" for {_listed(wanted)}"
        )
    if feed.overflows:
        raise FullFeedError(
            f"the feed of {_listed(wanted)} is full ({LIMIT:,} papers), so new ones may be missing",
            transient=False,
        )
    if feed.day is not None and feed.day != day:
        raise StaleFeedError(
            f"the feed of {_listed(wanted)} is of {feed.day}, not of {day}", transient=False
        )
    if not feed.papers and len(before) >= NEVER_EMPTY:
        raise StaleFeedError(
            f"the feed of {_listed(wanted)} is empty,"
            f" and held {len(before)} papers of the announcement before",
            transient=False,
        )
    if len(feed.keys & before) > SAME_SHARE * len(feed.keys):
        raise stale(names, day)


def stale(names: Iterable[str], day: date) -> StaleFeedError:
    """The error for a feed that has not changed since the announcement before that of `day`."""
    return StaleFeedError(
        f"the feed of {_listed(names)} is stale: it still holds the announcement before {day}'s",
        transient=False,
    )


def _listed(names: Iterable[str]) -> str:
    """A feed for people: its names, or the first of many."""
    first, *others = sorted(names)
    if len(others) < 5:
        return "+".join((first, *others))
    return f"{first} and {len(others)} more categories"


def _read(channel: ElementTree.Element, items: list[ElementTree.Element]) -> AnnouncementFeed:
    texts = _texts(channel)
    title = plain_text(texts.get("title", [""])[0])
    if title.lower().startswith("feed error"):
        reason = plain_text((texts.get("subtitle") or texts.get("description") or [""])[0]) or title
        raise ArxivError(f"arXiv has no such feed ({reason[:200]})", transient=False)
    named = _TITLE.fullmatch(title)
    names = named["names"].lower().split(",") if named else []
    papers = dict.fromkeys(_announced(item) for item in items)
    return AnnouncementFeed(frozenset(map(str.strip, names)), tuple(papers))


def _announced(item: ElementTree.Element) -> Announced:
    words = _texts(item)

    def text(*names: str) -> str:
        return next((found for name in names for found in words.get(name, ()) if found), "")

    name = plain_text(text("guid", "id"))
    named = _ID.fullmatch(name)
    if named is None:
        raise ArxivError(f"an item of arXiv's feed has no paper's id: {name[:80] or 'none at all'}")
    title = decode_accents(plain_text(text("title")))
    check_parts(named["id"], "feed", title=title)
    with reading(f"{named['id']} is announced in no known way", text("announce_type")):
        kind = AnnounceType(plain_text(text("announce_type")).lower())
    categories = [each.get("term") or each.text or "" for each in item if _name(each) == "category"]
    return Announced(
        id=named["id"],
        version=int(named[2]),
        kind=kind,
        day=_day(text("published", "pubdate"), named["id"]),
        title=title,
        abstract=decode_accents(
            plain_text(_PREAMBLE.sub("", text("summary", "description"), count=1))
        ),
        authors=split_authors(plain_text(text("creator"))),
        categories=tuple(dict.fromkeys(filter(None, map(plain_text, categories)))),
        journal_ref=plain_text(text("journal_reference", "journal_ref")),
        doi=plain_text(text("doi")),
    )


def _texts(element: ElementTree.Element) -> dict[str, list[str]]:
    """The texts of an element's children by their names, without namespace and case."""
    found: dict[str, list[str]] = {}
    for child in element:
        found.setdefault(_name(child), []).append((child.text or "").strip())
    return found


def _name(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2].lower()


def _day(text: str, paper: str) -> date:
    """New York's date of a moment, written as Atom or as RSS does it (RFC 3339, RFC 822)."""
    with reading(f"{paper} has no readable date in arXiv's feed", text):
        moment = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
        return moment.astimezone(NEW_YORK).date() if moment.tzinfo else moment.date()
