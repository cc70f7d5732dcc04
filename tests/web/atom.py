"""Whether a feed is what RFC 4287 asks for: by the grammar of its appendix B, by what its prose
asks beyond that, and by feedparser.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import feedparser
import html5lib
import rnc2rng
from lxml import etree

GRAMMAR = Path(__file__).with_name("atom.rnc")
ATOM = "{http://www.w3.org/2005/Atom}"
REQUIRED = {"id", "title", "updated", "author", "link"}


@cache
def grammar() -> etree.RelaxNG:
    """The grammar, ready to be asked."""
    text = rnc2rng.dumps(rnc2rng.loads(GRAMMAR.read_text(encoding="utf-8")))
    # No XML may declare a prefix for what has no namespace; nothing in the result needs it.
    return etree.RelaxNG(etree.fromstring(text.replace('xmlns:local=""', "").encode()))


def faults(text: str) -> list[str]:
    """What is wrong with a feed, each with the section that says so."""
    feed = etree.fromstring(text.encode())
    if not grammar().validate(feed):
        return [f"B: {each.line}: {each.message}" for each in grammar().error_log]
    entries = feed.findall(f"{ATOM}entry")
    found = [
        f"4.1.1: {entry.findtext(f'{ATOM}id')} has no author, and neither has the feed"
        for entry in entries
        if feed.find(f"{ATOM}author") is None and entry.find(f"{ATOM}author") is None
    ]
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    if len(set(ids)) < len(ids):
        found.append("4.1.1: two entries are one")
    for place in (feed, *entries):
        found += _faults_of(place)
    return found


def _faults_of(place: Any) -> list[str]:
    """What is wrong with a feed, or an entry, beyond the grammar."""
    found = []
    links = place.findall(f"{ATOM}link")
    kinds = [
        (each.get("type"), each.get("hreflang"))
        for each in links
        if each.get("rel", "alternate") == "alternate"
    ]
    if len(set(kinds)) < len(kinds):
        found.append("4.1.1: two alternates of one type and language")
    if place.find(f"{ATOM}content") is None and not kinds and place.tag == f"{ATOM}entry":
        found.append("4.1.2: an entry with neither content nor alternate")
    addresses = [place.findtext(f"{ATOM}id") or "", *(each.get("href", "") for each in links)]
    addresses += [each.text or "" for each in place.findall(f"{ATOM}author/{ATOM}uri")]
    for address in addresses:
        if not urlsplit(address).scheme or any(c.isspace() or c in '<>"{}|\\^`' for c in address):
            found.append(f"4.2.6, 4.2.7: {address!r} is no absolute IRI")
    for name in ("updated", "published"):
        date = place.findtext(f"{ATOM}{name}")
        # Capitals, and a zone: RFC 3339 as section 3.3 narrows it.
        if date is not None and not (date.endswith("Z") and date[10] == "T"):
            found.append(f"3.3: {date!r} is no date")
    for content in place.findall(f"{ATOM}content"):
        if content.get("type") == "html":
            html5lib.HTMLParser(strict=True).parseFragment(content.text or "")
    return found


def parsed(text: str) -> Any:
    """A feed as feedparser reads it, once nothing is wrong with it."""
    assert faults(text) == []
    feed = feedparser.parse(text.encode())
    assert not feed.bozo, feed.bozo_exception
    assert feed.version == "atom10"
    assert feed.feed.keys() >= {"id", "title", "updated", "author"}
    for entry in feed.entries:
        assert entry.keys() >= REQUIRED
    return feed
