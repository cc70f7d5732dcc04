"""Feeds (Atom, RFC 4287) of papers.

An entry is a paper, whatever number of keywords brought it: its id never changes, and it is updated
by a new version alone, so that a feed reader shows it once, or once more where it is told to.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from markupsafe import escape

from digest.model import Item
from digest.rendering.texts import UNPRINTABLE, readable
from digest.times import to_text
from digest.web.listings import Feed

ATOM = "application/atom+xml"
LONGEST_ABSTRACT = 4_000
_NO_CHARACTERS = dict.fromkeys((0xFFFE, 0xFFFF), " ")
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When a feed without an entry was updated."""


def write_feed(address: str, feed: Feed) -> str:
    """A feed. `address` is the web side's public one: without it the feed has an id all the same,
    and names no place of its own.
    """
    own = f"{address}/{feed.path}.atom" if address else ""
    updated = max((item.paper.updated for item in feed.items), default=NEVER)
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<feed xmlns="http://www.w3.org/2005/Atom">',
        _tag("id", own or f"urn:uuid:{uuid.uuid5(uuid.UUID(feed.origin), feed.path)}"),
        _tag("title", feed.title),
        _tag("subtitle", feed.subtitle),
        _tag("updated", to_text(updated)),
        "<generator>Digest</generator>",
        "<author><name>arXiv</name><uri>https://arxiv.org/</uri></author>",
        _tag(
            "rights",
            "Metadata of arXiv, CC0. Thank you to arXiv for use of its open access"
            " interoperability.",
        ),
    ]
    if own:
        lines += [
            f'<link rel="self" type="{ATOM}" href="{_escaped(own)}"/>',
            _link(f"{address}/"),
        ]
    return "\n".join([*lines, *map(_entry, feed.items), "</feed>\n"])


def _entry(item: Item) -> str:
    paper = item.paper
    comment = readable(paper.comment)
    content = f"<p>{escape(readable(paper.abstract, LONGEST_ABSTRACT))}</p>"
    if comment:
        content += f"<p>{escape(comment)}</p>"
    return "\n".join(
        [
            "<entry>",
            _tag("id", f"https://arxiv.org/abs/{paper.id}"),
            _tag("title", readable(paper.title) or paper.id),
            _link(paper.abstract_url),
            _tag("published", to_text(paper.published)),
            _tag("updated", to_text(paper.updated)),
            *(
                f"<author>{_tag('name', readable(author))}</author>"
                for author in paper.authors or ("unknown",)
            ),
            *(f'<category term="{_escaped(name)}"/>' for name in paper.categories),
            *(
                f'<category scheme="urn:digest:keyword" term="{_escaped(name)}"/>'
                for name in item.keywords
            ),
            f'<content type="html">{_escaped(content)}</content>',
            "</entry>",
        ]
    )


def _tag(name: str, text: str) -> str:
    return f"<{name}>{_escaped(text)}</{name}>"


def _link(address: str) -> str:
    return f'<link rel="alternate" type="text/html" href="{_escaped(address)}"/>'


def _escaped(text: str) -> str:
    """A text without what XML 1.0 cannot hold, and with what it must not say escaped."""
    return str(escape(UNPRINTABLE.sub(" ", text).translate(_NO_CHARACTERS)))
