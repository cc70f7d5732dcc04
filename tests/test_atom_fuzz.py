"""Mutations of captured answers, in their bytes and in their structure: papers come out, or a DigestError."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable
from functools import cache
from random import Random

import pytest

from digest.arxiv.atom import Feed, parse_feed
from digest.errors import ArxivError, DigestError
from digest.model import Paper
from tests.shared import shared

SIZE = 40_000
"""Bytes: larger captures are of the same kinds and take longer."""
ODD_TEXTS = (
    "",
    " ",
    "0",
    "-1",
    "99999999999999999999",
    "١٢",
    "2026-13-45T99:99:99Z",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59+23:59",
    "0001-01-01T00:00:00+14:00",
    "http://arxiv.org/abs/2611.00001v0",
    "http://arxiv.org/api/errors#x",
    "\x85\u2028\u200e",
    "x" * 5000,
    "<b>&amp;</b>",
    "]]>",
)


@cache
def bodies() -> tuple[bytes, ...]:
    """The captured answers of the API that are not too large."""
    found = sorted(shared("arxiv/captures/api").iterdir())
    return tuple(p.read_bytes() for p in found if p.suffix in (".xml", ".txt") and p.stat().st_size < SIZE)


def bytes_changed(body: bytes, random: Random) -> bytes:
    """Some bytes replaced, taken out, doubled or put elsewhere."""
    changed = bytearray(body)
    for _ in range(random.randint(1, 4)):
        place, length = random.randrange(len(changed) + 1), random.choice((0, 1, 1, 2, 8, 300))
        piece = random.choice(
            (
                random.randbytes(random.randint(0, 8)),
                bytes(changed[place : place + length]) * 2,
                b"<",
                b"&",
                b"</entry>",
            )
        )
        changed[place : place + length] = piece
    return bytes(changed)


def cut(body: bytes, random: Random) -> bytes:
    """The beginning, or the beginning and an end of another answer."""
    end = random.choice(bodies())
    rest = end[random.randrange(len(end) + 1) :] if random.random() < 0.5 else b""
    return body[: random.randrange(len(body) + 1)] + rest


def structure_changed(body: bytes, random: Random) -> bytes:
    """Elements taken out, doubled, moved, renamed, emptied or filled with odd texts; still well-formed."""
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return bytes_changed(body, random)
    for _ in range(random.randint(1, 5)):
        elements = list(root.iter())
        element, parent = random.choice(elements), random.choice(elements)
        random.choice(CHANGES)(element, parent, random)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=random.random() < 0.5)


def take_out(element: ElementTree.Element, _parent: ElementTree.Element, random: Random) -> None:
    if len(element):
        element.remove(random.choice(list(element)))


def put_in(element: ElementTree.Element, parent: ElementTree.Element, random: Random) -> None:
    parent.insert(random.randrange(len(parent) + 1), copy.deepcopy(element))


def reorder(element: ElementTree.Element, _parent: ElementTree.Element, random: Random) -> None:
    children = list(element)
    random.shuffle(children)
    element[:] = children


def retext(element: ElementTree.Element, _parent: ElementTree.Element, random: Random) -> None:
    element.text = random.choice(ODD_TEXTS)


def rename(element: ElementTree.Element, parent: ElementTree.Element, random: Random) -> None:
    element.tag = random.choice(
        (parent.tag, element.tag.rpartition("}")[2], "{urn:x}y", "{http://www.w3.org/2005/Atom}id")
    )


def set_attribute(element: ElementTree.Element, _parent: ElementTree.Element, random: Random) -> None:
    name = random.choice(("term", "href", "type", "scheme", "rel", "{http://www.w3.org/XML/1998/namespace}base"))
    element.set(name, random.choice(ODD_TEXTS))


CHANGES: tuple[Callable[[ElementTree.Element, ElementTree.Element, Random], None], ...] = (
    take_out,
    put_in,
    reorder,
    retext,
    rename,
    set_attribute,
)
MUTATIONS = (bytes_changed, cut, structure_changed, structure_changed)


def read_or_refuse(body: bytes, content_type: str) -> Feed | None:
    try:
        return parse_feed(body, content_type=content_type)
    except DigestError as error:
        refusal = error
    assert isinstance(refusal, ArxivError)
    assert refusal.body == body
    assert "\n" not in str(refusal)
    return None


def fuzz(number: int, seed: int) -> Counter[str]:
    """Read so many mutated answers; what became of them."""
    random, seen = Random(seed), Counter[str]()
    for _ in range(number):
        body = random.choice(MUTATIONS)(random.choice(bodies()), random)
        feed = read_or_refuse(body, random.choice(("", "text/html", "application/atom+xml")))
        seen["refused" if feed is None else "read"] += 1
        if feed is not None:
            check(feed)
    return seen


def check(feed: Feed) -> None:
    """What is read is of the right kind throughout."""
    assert feed.total >= 0
    assert feed.start >= 0
    for paper in feed.papers:
        assert isinstance(paper, Paper)
        assert paper.id
        assert paper.title
        assert paper.version >= 1
        assert paper.authors
        assert paper.categories
        assert paper.published.utcoffset() is not None
        assert paper.updated.utcoffset() is not None
        assert not any("\n" in text or "\x00" in text for text in (paper.title, paper.abstract, paper.comment))


def test_mutated_captures_are_read_or_refused() -> None:
    seen = fuzz(100, 1)
    assert min(seen["read"], seen["refused"]) > 5, seen


@pytest.mark.heavy
def test_many_mutated_captures_are_read_or_refused() -> None:
    seen = fuzz(6_000, 2)
    assert min(seen["read"], seen["refused"]) > 600, seen
