"""An answer of arXiv's query API, from bytes to papers: a whole Atom feed, or an ArxivError."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import feedparser

from digest.arxiv.authors import NO_NAME
from digest.arxiv.documents import (
    VERSION,
    carrying,
    check_parts,
    plain_text,
    reading,
    whole_document,
    wrong_document,
)
from digest.errors import ArxivError
from digest.model import Paper
from digest.times import from_text

ATOM = "{http://www.w3.org/2005/Atom}"
OPENSEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"

LONGEST_TITLE = 20_000
"""Characters of a title that repeats a query, which is at most 4,000 long; longer ones take long to
look through, and repeat none."""
_TITLE = re.compile(
    r"arxiv query: search_query=(?P<query>.*)&id_list=(?P<ids>.*)&start=\d+&max_results=\d+",
    re.I | re.S,
)
_PAPER_ID = re.compile(
    r"https?://(?:[a-z]+\.)?arxiv\.org/abs/"
    r"(?:(?P<new>[0-9]{4}\.[0-9]{4,5})|(?P<archive>[a-z-]+)(?:\.[A-Z]{2})?/(?P<number>[0-9]{7}))"
    + VERSION.replace("(", "(?P<version>")
)


_ODD_PER_HUNDRED = 5
"""Up to one row in twenty, at least one, may lack what each paper has; where more do, it is the
answer that cannot be believed."""


@dataclass(frozen=True, slots=True)
class OddRow:
    """A row that cannot be read as a paper: the base id, "" where it has none, and what is wrong
    with it.
    """

    id: str
    why: str


@dataclass(frozen=True, slots=True)
class Feed:
    """One whole answer of the query API.

    `query` is the search_query that the feed's title repeats, None where the title repeats none;
    `items_per_page` echoes max_results and is not the number of papers; `total` counts all matches;
    `odd` are the rows that are no `papers`.
    """

    query: str | None
    id_list: tuple[str, ...]
    start: int
    items_per_page: int
    total: int
    papers: tuple[Paper, ...]
    odd: tuple[OddRow, ...] = ()

    @property
    def served(self) -> int:
        """How many rows came."""
        return len(self.papers) + len(self.odd)


def parse_feed(body: bytes, *, content_type: str = "") -> Feed:
    """Read one answer, or raise ArxivError, which carries `body`; nothing else is ever raised.

    `content_type` is the answer's header and only helps to say what came instead of a feed. That
    the document is whole is proven by a strict parser first, since feedparser makes papers of half
    documents.
    """
    with carrying(body):
        root = whole_document(body, content_type)
        if root.tag != f"{ATOM}feed":
            raise wrong_document(content_type, "an Atom feed")
        _refuse_error_feed(root)
        return _read(root, body)


def _refuse_error_feed(root: ElementTree.Element) -> None:
    """Raise where the feed is arXiv's way of saying no: one entry, titled Error."""
    for entry in root.findall(f"{ATOM}entry"):
        if "/api/errors" in entry.findtext(f"{ATOM}id", ""):
            reason = plain_text(entry.findtext(f"{ATOM}summary", "")) or "no reason given"
            raise ArxivError(
                f"arXiv refused the query ({reason})", remedy="correct the query", transient=False
            )


def _read(root: ElementTree.Element, body: bytes) -> Feed:
    title = root.findtext(f"{ATOM}title")
    if title is None:
        raise ArxivError("arXiv's feed has no title")
    # One that is cut repeats no query, as is right for one that is too long.
    named = _TITLE.fullmatch(plain_text(title[:LONGEST_TITLE]))
    entries = _entries(body)
    ids = [plain_text(entry.findtext(f"{ATOM}id", "")) for entry in root.findall(f"{ATOM}entry")]
    if ids != [plain_text(_text(entry, "id")) for entry in entries]:
        raise ArxivError("arXiv's feed can be read in two ways")
    papers, odd = _told_apart(entries)
    start = _number(root, "startIndex")
    if odd and not papers and not start:
        raise ArxivError(odd[0].why)
    return Feed(
        query=named["query"] if named else None,
        id_list=tuple(part for part in named["ids"].split(",") if part) if named else (),
        start=start,
        items_per_page=_number(root, "itemsPerPage"),
        total=_number(root, "totalResults"),
        papers=papers,
        odd=odd,
    )


def _number(root: ElementTree.Element, name: str) -> int:
    text = root.findtext(f"{OPENSEARCH}{name}", "").strip()
    if not re.fullmatch("[0-9]{1,12}", text):
        raise ArxivError(f"arXiv's feed does not say its {name}")
    return int(text)


def _entries(body: bytes) -> list[dict[str, Any]]:
    try:
        parsed = feedparser.parse(
            io.BytesIO(body.strip()),
            response_headers={"content-type": "application/atom+xml; charset=utf-8"},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception as error:  # feedparser names no exceptions of its own
        raise ArxivError(f"arXiv's feed cannot be read ({type(error).__name__})") from None
    if parsed.bozo:
        raise ArxivError(
            f"arXiv's feed had to be repaired ({plain_text(str(parsed.bozo_exception))[:120]})"
        )
    return list(parsed.entries)


def _told_apart(entries: list[dict[str, Any]]) -> tuple[tuple[Paper, ...], tuple[OddRow, ...]]:
    """The papers, and the few rows that cannot be read as one; raises ArxivError where those are
    more.
    """
    papers: list[Paper] = []
    odd: list[OddRow] = []
    for entry in entries:
        try:
            papers.append(_paper(entry))
        except ArxivError as error:
            odd.append(OddRow(_base_id(entry), error.message))
            if len(odd) > max(1, len(entries) * _ODD_PER_HUNDRED // 100):
                raise
    return tuple(papers), tuple(odd)


def _base_id(entry: dict[str, Any]) -> str:
    """The base id of an entry, or ""."""
    found = _PAPER_ID.fullmatch(plain_text(_text(entry, "id")))
    return (found["new"] or f"{found['archive']}/{found['number']}") if found else ""


def _paper(entry: dict[str, Any]) -> Paper:
    address = plain_text(_text(entry, "id"))
    found = _PAPER_ID.fullmatch(address)
    if found is None:
        raise ArxivError(
            f"an entry of arXiv's feed has no paper's id: {address[:80] or 'none at all'}"
        )
    base = _base_id(entry)
    title = plain_text(_text(entry, "title"))
    names = (plain_text(_text(each, "name")) for each in _items(entry, "authors"))
    authors = tuple(name for name in names if name not in ("", NO_NAME))
    categories = _categories(entry)
    # An abstract may be empty, but not its element: a feed that leaves it out is no whole one.
    present = "summary" in entry
    check_parts(base, "feed", title=title, summary=present, author=authors, category=categories)
    return Paper(
        id=base,
        version=int(found["version"]),
        title=title,
        abstract=plain_text(_text(entry, "summary")),
        authors=authors,
        categories=categories,
        published=_moment(entry, "published", base),
        updated=_moment(entry, "updated", base),
        comment=plain_text(_text(entry, "arxiv_comment")),
        journal_ref=plain_text(_text(entry, "arxiv_journal_ref")),
        doi=plain_text(_text(entry, "arxiv_doi")),
    )


def _categories(entry: dict[str, Any]) -> tuple[str, ...]:
    """The primary category first, each once; one element can hold several ("E.1; E.4", "68P05,
    68P10").
    """
    primary = dict.get(entry, "arxiv_primary_category")
    terms = [_text(primary, "term")] if isinstance(primary, dict) else []
    terms += [_text(tag, "term") for tag in _items(entry, "tags")]
    parts = (plain_text(part) for term in terms for part in re.split("[;,]", term))
    return tuple(dict.fromkeys(filter(None, parts)))


def _items(entry: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [item for item in dict.get(entry, name, ()) if isinstance(item, dict)]


def _text(entry: dict[str, Any], name: str) -> str:
    # feedparser's own get answers with another date where one is missing.
    value = dict.get(entry, name)
    return value if isinstance(value, str) else ""


def _moment(entry: dict[str, Any], name: str, base: str) -> datetime:
    text = _text(entry, name).strip()
    with reading(f"{base} has no readable {name} date in arXiv's feed", text):
        return from_text(text)
