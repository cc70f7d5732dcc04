"""What authors say of a paper besides its text: where it was accepted, where its code lies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from digest.rendering.texts import printable_line
from digest.rules.revision import tells_of_acceptance

VENUE_LENGTH, LINK_LENGTH, LABEL_LENGTH = 40, 70, 40
NAMED_LINKS = 2

_ACCEPTED = re.compile(
    r"\b(?P<how>accepted|published|presented|to appear|to be (?:published|presented))"
    r"(?: (?:as an? [\w -]{1,30}|for (?:publication|presentation)))?"
    r" (?P<where>at|to|by|in|for|with) (?:the )?(?P<venue>[^.;,()\[\]:]{2,120})"
    r"(?:\((?P<short>[^()]{2,40})\))?",
    re.IGNORECASE,
)
_VENUE = re.compile(
    r"^[A-Z][\w&-]*[A-Z][\w-]*[ ,-]*(?:['’]\d\d|20\d\d)"
    r"(?: (?:Findings|Main|Oral|Spotlight|Workshop))?(?=[.;,(]|$)"
)
_LINK = re.compile(r"https://[^\s<>\"'`()\[\]{}|\\^]+")
# A plain host name without login or port, all in ASCII, so that a reader sees where it leads. With
# a "=" a link would be broken by quoted-printable.
_PLAIN_LINK = re.compile(
    r"https://(?P<host>(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,})(?P<path>[/?#][!-<>-~]*)?"
)
_CODE = re.compile(r"\b(?:code|implementation|repository|repo)\b", re.IGNORECASE)
_CODE_HOSTS = frozenset(
    "github.com gitlab.com codeberg.org bitbucket.org huggingface.co anonymous.4open.science "
    "sourceforge.net".split()
)


@dataclass(frozen=True, slots=True)
class Link:
    """A link that the authors gave: what it leads to, its address, and the address as it is shown,
    host first.
    """

    what: str
    url: str
    shown: str


def venue_of(comment: str) -> str:
    """`accepted at ICML 2026`, or `ICML 2026` alone, as the authors write it; nothing where they
    need many words.
    """
    for found in _ACCEPTED.finditer(comment):
        venue, short = found["venue"].strip(), (found["short"] or "").strip()
        if len(venue) > VENUE_LENGTH and _has_capitals(short):
            venue = short
        if len(venue) <= VENUE_LENGTH and _has_capitals(venue):
            return f"{found['how'].lower()} {found['where'].lower()} {venue}"
    alone = _VENUE.match(comment)
    return alone[0] if alone and tells_of_acceptance(comment) else ""


def _has_capitals(text: str) -> bool:
    return any(map(str.isupper, text))


def links_of(comment: str, abstract: str) -> Iterator[Link]:
    """The first links to code and to other places that the authors give, the comment's before the
    abstract's.
    """
    found: dict[str, Link] = {}
    for text in (comment, abstract):
        for match in _LINK.finditer(text):
            # What a link leads to is said just before it, as in "Code: https://…".
            before = text[max(0, match.start() - 60) : match.start()]
            if link := _link(match[0].rstrip(".,;:!?*_~"), before):
                found.setdefault(link.what, link)
    yield from sorted(found.values(), key=lambda link: link.what != "code")[:NAMED_LINKS]


def _link(url: str, before: str) -> Link | None:
    """A link, if a reader can see where it leads; `before` is the text before it."""
    plain = _PLAIN_LINK.fullmatch(url)
    if not plain or len(url) > LINK_LENGTH:
        return None
    host = plain["host"]
    what = "code" if host.removeprefix("www.") in _CODE_HOSTS or _CODE.search(before) else "page"
    if host == "huggingface.co" and (plain["path"] or "").startswith("/datasets/"):
        what = "data"
    shown = url.removeprefix("https://").rstrip("/")
    return Link(what, url, printable_line(shown, LABEL_LENGTH))
