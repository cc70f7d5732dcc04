"""What is sent of a listing: a page in the digest's typography, a file for reference managers, a
feed.

All links are relative: so the same pages work under any path, and as files.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from markupsafe import escape

from digest.model import Digest, Paper
from digest.rendering.entry import keyword_name
from digest.rendering.export import FILES, WRITERS, Record
from digest.rendering.pieces import Extent
from digest.rendering.render import HTML_KEYWORDS
from digest.rendering.view import view
from digest.web.cite import coins, metas
from digest.web.feeds import ATOM, write_feed
from digest.web.listings import Feed, Listing, Listings
from digest.web.pages import Pages
from digest.web.public import Public

HTML = "text/html"
EXPORTS = {ending: (writer, media) for writer, (ending, media) in FILES.items()}
"""The formats in which a page's papers can be taken along, by the ending: the writer's name, and
the type."""
ENDINGS = (".html", *EXPORTS)
MARK = secrets.token_hex(16)
"""Holds the place of what stands behind each paper; nobody can write it into an abstract."""
_BEHIND = re.compile(rf"^{MARK}-(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at an address; `modified` is when it last changed, where that is known; `tag` is
    another one with other content.
    """

    content: bytes
    media: str = HTML
    modified: datetime | None = None
    tag: str = field(init=False)

    def __post_init__(self) -> None:
        tag = f'"{hashlib.sha256(self.content).hexdigest()[:24]}"'
        object.__setattr__(self, "tag", tag)

    @classmethod
    def of(cls, text: str, media: str = HTML, modified: datetime | None = None) -> Found:
        """What is sent of a text."""
        return cls(text.encode(), media, modified)


class ArchivePages:
    """Makes what is sent of listings. `static`: for files, of which none is a single paper's, and
    that nobody searches. `address` is the web side's public one, "" where it is not known.
    """

    def __init__(
        self, pages: Pages, public: Public, *, address: str = "", static: bool = False
    ) -> None:
        self._pages, self._public = pages, public
        self._address, self._static = address, static

    def find(self, listings: Listings, path: str) -> Found | None:
        """What stands at a path below the web side's; None where nothing public does."""
        bare, dot, ending = (path or "index.html").rpartition(".")
        if ending == "atom":
            feed = listings.feed(bare)
            return feed_content(self._address, feed) if feed else None
        listing = listings.find(bare) if dot + ending in ENDINGS else None
        if listing is None:
            return None
        return self.content(listing, dot + ending)

    def content(self, listing: Listing, ending: str) -> Found:
        """A listing as it is sent, by the ending of its address."""
        return self._page(listing) if ending == ".html" else self._export(listing, ending)

    def text(self, listings: Listings, path: str) -> str:
        """What stands at a path that is known to lead somewhere."""
        found = self.find(listings, path)
        return found.content.decode() if found else ""

    def _page(self, listing: Listing) -> Found:
        papers = [item.paper for item in listing.items]
        html = digest_page(
            self._pages,
            "archive.html",
            listing.digest,
            title=listing.title,
            lead=listing.lead,
            listing=listing,
            root=root_of(listing.path),
            static=self._static,
            keywords=[(slug, keyword.name) for slug, keyword in self._public.slugs.items()],
            metas=metas(papers[0]) if listing.came else [],
        )
        return Found.of(
            _BEHIND.sub(lambda mark: self._behind(papers[int(mark[1]) - 1], listing), html)
        )

    def _behind(self, paper: Paper, listing: Listing) -> str:
        """What stands behind a paper: its anchor, for good, and what reference managers read."""
        root = root_of(listing.path)
        place = f"#{paper.id}" if self._static else f"{root}/paper/{paper.id}.html"
        data = "" if listing.came else f'<span class="Z3988" title="{escape(coins(paper))}"></span>'
        line = f'&nbsp; <a id="{escape(paper.id)}" href="{escape(place)}">Permanent link</a>{data}'
        for slug, keyword in self._public.slugs.items() if listing.brought else ():
            if keyword.name in listing.brought.get(paper.id, ()):
                name = escape(keyword_name(keyword.name))
                line += f'&nbsp; <a class="b" href="{root}/keyword/{slug}.html">{name}</a>'
        return line

    def _export(self, listing: Listing, ending: str) -> Found:
        names = {item.paper.id: item.keywords for item in listing.items} | dict(listing.brought)
        papers = (item.paper for item in listing.items)
        return taken_along(
            ending, (Record(paper, tuple(names[paper.id]), None, None) for paper in papers)
        )


def taken_along(ending: str, records: Iterable[Record]) -> Found:
    """Papers as the file that has this ending."""
    writer, media = EXPORTS[ending]
    return Found.of("".join(WRITERS[writer](records)), media)


def feed_content(address: str, feed: Feed) -> Found:
    """A feed as it is sent."""
    newest = max((item.paper.updated for item in feed.items), default=None)
    return Found.of(write_feed(address, feed), ATOM, newest)


def digest_page(
    pages: Pages, name: str, digest: Digest, *, title: str = "", lead: str = "", **values: object
) -> str:
    """A page of the papers of a digest, by the mail's own templates: none is left out. With a
    `title` each paper has a line with the mark.
    """
    page = view(digest, MARK if title else "")
    if title:
        page = replace(page, headline=title, lead=lead, contents=(), glance=False)
    extent = Extent(page.total, page.total, page.total)
    return pages.page(
        name, page=page, extent=extent, mark="", shown_keywords=HTML_KEYWORDS, **values
    )


def root_of(path: str) -> str:
    """The way from a page to where the web side begins."""
    return "/".join([".."] * path.count("/")) or "."
