"""Whatever bytes come as an answer of arXiv's, only papers or a DigestError come out."""

from __future__ import annotations

import copy
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.arxiv.atom import Feed, parse_feed
from digest.arxiv.feeds import AnnouncementFeed, parse_announcements
from digest.arxiv.oai import RecordPage, parse_records
from digest.demo.feeds import feed
from digest.errors import ArxivError
from digest.model import Paper
from tests.arxiv.test_feeds import DAY, PAPERS, REVISED
from tests.arxiv.test_oai import RECORDS
from tests.world.announcements import Batch, announcement_feed, oai_page
from tests.world.shared import shared

READERS: dict[str, Callable[..., Any]] = {
    "api": parse_feed,
    "rss": parse_announcements,
    "oai": parse_records,
}
MADE = {
    "api": feed(PAPERS[:3], query="all:x", start=0, max_results=10, total=3),
    "rss": announcement_feed(Batch(DAY, PAPERS[:3], REVISED[:2]), ["cs", "stat"]),
    "oai": oai_page(RECORDS[:3], token="t", cursor=0, total=9),
}
PIECES = (
    b"<", b">", b"&", b"\x00", b"\xff", b"&#0;", b"&#x10FFFF;", b"]]>", b"<![CDATA[", b"<!--",
    b"<?x?>",  b"xmlns=''", b"<entry>", b"</entry>", b"<item>", b"<record>", b"9" * 400, b"v0",
    b"v99999", b"-", b"\n", b"GMT",  b"+9999", b"0000-00-00", b"&amp;", "é".encode(), b"\\'",
    b"{", b"(", b"https://", b"oai:arXiv.org:", b" ",
)  # fmt: skip


@cache
def captured(kind: str) -> tuple[bytes, ...]:
    """The real answers, each cut to a size that a mutation is likely to hit something in."""
    files = sorted(
        path
        for path in shared(f"arxiv/captures/{kind}").iterdir()
        if path.suffix in (".xml", ".txt")
    )
    return tuple(map(_shortened, files))


def _shortened(path: Path) -> bytes:
    """A whole document with its first entries only."""
    body = path.read_bytes()
    for end in (b"</entry>", b"</item>", b"</record>"):
        if body.count(end) > 3:
            first = end.join(body.split(end)[:3]) + end
            return first + body[body.rindex(end) + len(end) :]
    return body


def believed(kind: str, body: bytes, content_type: str = "") -> bool:
    """Read one answer; whether papers came out of it."""
    try:
        read = READERS[kind](body, content_type=content_type)
    except ArxivError as refusal:
        error = refusal
    else:
        return _sane(read)
    assert error.body == body
    assert "\n" not in error.message
    return False


def _sane(read: Any) -> bool:
    """Check what came out of a reader."""
    assert isinstance(read, Feed | AnnouncementFeed | RecordPage)
    papers = (
        read.papers
        if not isinstance(read, RecordPage)
        else tuple(record.paper for record in read.records)
    )
    for paper in papers:
        assert paper.id == paper.id.strip() != ""
        assert 1 <= paper.version <= 9999
        assert paper.title == " ".join(paper.title.split()) != ""
        assert all(name.strip() == name != "" for name in (*paper.authors, *paper.categories))
        assert paper.abstract == " ".join(paper.abstract.split())
        if isinstance(paper, Paper):
            assert paper.authors
            assert paper.categories
            assert paper.comment == " ".join(paper.comment.split())
            assert paper.published.tzinfo is not None
            assert paper.updated.tzinfo is not None
    return True


_VALUE = re.compile(rb">([^<>]*)<|\"([^\"<>]*)\"|'([^'<>]*)'")
_TEXTS = st.one_of(
    st.sampled_from(
        (
            b"",
            b"0",
            b"-1",
            b"9" * 400,
            b"v1",
            b"v0",
            b"2026-13-45",
            b"9999-12-31T23:59:59+14:00",
            b" ",
        )
    ),
    st.sampled_from(
        (
            b"Fri, 31 Feb 2026 25:61:61 GMT",
            b"Mon, 1 Jan 10000 00:00:00",
            b"0001-01-01T00:00:00+23:59",
        )
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="<>&\"'"), max_size=12).map(str.encode),
)


@st.composite
def changed_values(draw: st.DrawFn, bodies: tuple[bytes, ...]) -> bytes:
    """A document that is still whole, with other texts or attributes in a few places."""
    body = draw(st.sampled_from(bodies))
    for _ in range(draw(st.integers(1, 3))):
        found = draw(st.sampled_from(list(_VALUE.finditer(body)) or [None]))
        if found is not None:
            body = body[: found.start() + 1] + draw(_TEXTS) + body[found.end() - 1 :]
    return body


@st.composite
def mutations(draw: st.DrawFn, bodies: tuple[bytes, ...]) -> bytes:
    """An answer with a few bytes cut out, doubled, moved, or replaced by what parsers stumble
    over."""
    body = draw(st.sampled_from(bodies))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 60)))
        piece = draw(
            st.one_of(st.sampled_from(PIECES), st.binary(max_size=8), st.just(body[start:end] * 2))
        )
        body = body[:start] + piece + body[end:]
    return body


Element = ElementTree.Element
ODD_TEXTS = (
    "", " ", "0", "-1", "9" * 20, "١٢", "2026-13-45T99:99:99Z", "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59+23:59", "0001-01-01T00:00:00+14:00", "http://arxiv.org/abs/2611.00001v0", "http://arxiv.org/api/errors#x",
    "\x85\u2028\u200e", "x" * 5000, "<b>&amp;</b>", "]]>",
)  # fmt: skip
NAMES = (
    "term",
    "href",
    "type",
    "scheme",
    "rel",
    "version",
    "{http://www.w3.org/XML/1998/namespace}base",
)


def _take_out(element: Element, _other: Element, draw: st.DrawFn) -> None:
    if len(element):
        element.remove(draw(st.sampled_from(list(element))))


def _put_in(element: Element, other: Element, draw: st.DrawFn) -> None:
    other.insert(draw(st.integers(0, len(other))), copy.deepcopy(element))


def _reorder(element: Element, _other: Element, draw: st.DrawFn) -> None:
    element[:] = draw(st.permutations(list(element)))


def _say(element: Element, _other: Element, draw: st.DrawFn) -> None:
    element.text = draw(st.sampled_from(ODD_TEXTS))


def _rename(element: Element, other: Element, draw: st.DrawFn) -> None:
    names = (
        other.tag,
        element.tag.rpartition("}")[2],
        "{urn:x}y",
        "{http://www.w3.org/2005/Atom}id",
    )
    element.tag = draw(st.sampled_from(names))


def _describe(element: Element, _other: Element, draw: st.DrawFn) -> None:
    element.set(draw(st.sampled_from(NAMES)), draw(st.sampled_from(ODD_TEXTS)))


@st.composite
def restructured(draw: st.DrawFn, bodies: tuple[bytes, ...]) -> bytes:
    """A document that is still well-formed, its elements taken out, doubled, moved, renamed, or
    given odd texts."""
    body = draw(st.sampled_from(bodies))
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return body
    for _ in range(draw(st.integers(1, 5))):
        elements = list(root.iter())
        element, other = (
            elements[draw(st.integers(0, len(elements) - 1))],
            elements[draw(st.integers(0, len(elements) - 1))],
        )
        draw(st.sampled_from((_take_out, _put_in, _reorder, _say, _rename, _describe)))(
            element, other, draw
        )
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=draw(st.booleans()))


def changed(bodies: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """Answers that are changed in their bytes, their texts, or their structure."""
    return mutations(bodies) | changed_values(bodies) | restructured(bodies)


KINDS = st.sampled_from(("", "text/html", "application/atom+xml"))


@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_mutated_answers(kind: str, data: st.DataObject) -> None:
    believed(kind, data.draw(changed((MADE[kind],))), data.draw(KINDS))


@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_mutated_captures(kind: str, data: st.DataObject) -> None:
    believed(kind, data.draw(changed(captured(kind))), data.draw(KINDS))


@pytest.mark.heavy
@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
@settings(max_examples=1_500, deadline=None)
def test_many_mutated_captures(kind: str, data: st.DataObject) -> None:
    believed(kind, data.draw(changed((*captured(kind), MADE[kind]))), data.draw(KINDS))


@pytest.mark.parametrize("kind", READERS)
@given(body=st.binary(max_size=300))
def test_any_bytes(kind: str, body: bytes) -> None:
    assert not believed(kind, body)


@pytest.mark.parametrize("kind", READERS)
def test_every_capture_is_read_or_refused_by_every_reader(kind: str) -> None:
    for other in READERS:
        for body in captured(other):
            believed(kind, body)


@pytest.mark.parametrize("kind", READERS)
def test_the_answers_that_are_mutated_are_whole_themselves(kind: str) -> None:
    assert believed(kind, MADE[kind])
    assert any(believed(kind, body) for body in captured(kind))
