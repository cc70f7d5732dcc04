"""Reads arXiv's answers as whole XML documents of plain text, before more is made of them."""

from __future__ import annotations

import contextlib
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from digest.errors import ArxivError, ThrottledError, one_line

PAPER_ID = r"[0-9]{4}\.[0-9]{4,5}|[a-z-]+(?:\.[A-Z]{2})?/[0-9]{7}"
"""A base id, new (2611.00001) or old (math.GT/0309136), as a regular expression."""
VERSION = r"v([1-9][0-9]{0,3})"
DEPTH, ATTRIBUTES, NAMESPACES, ELEMENTS, TEXT = 32, 64, 64, 500_000, 200_000
"""What a document may hold: elements in each other, attributes of one, different namespaces,
elements, and characters of one text. arXiv's go to 8, 4 and 8, 2,000 papers have some 100,000
elements, and the longest texts, of 5,000 authors, 100,000 characters. feedparser takes time by the
square of some of them.
"""
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")  # but those that are blanks


@contextlib.contextmanager
def carrying(body: bytes) -> Iterator[None]:
    """Let every ArxivError that is raised inside carry the answer, which is kept for inspection."""
    try:
        yield
    except ArxivError as error:
        error.body = body
        raise


@contextlib.contextmanager
def reading(otherwise: str, text: str) -> Iterator[None]:
    """Raise ArxivError, which says `otherwise` and the text, where it cannot be read inside."""
    try:
        yield
    except (ValueError, OverflowError):
        raise ArxivError(f"{otherwise}: {text[:40]!r}") from None


def check_parts(paper: str, place: str, **parts: object) -> None:
    """Raise ArxivError where one of a paper's parts, which each paper has, is empty."""
    for name, part in parts.items():
        if not part:
            raise ArxivError(f"{paper} has no {name} in arXiv's {place}")


def mail_date(text: str) -> datetime:
    """The moment (UTC) that a date of RFC 5322 or RFC 9110 names; without a zone it is UTC's.

    Raises ValueError or OverflowError.
    """
    moment = parsedate_to_datetime(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def plain_text(text: str) -> str:
    """Return the text without control characters (C0, DEL, C1) and with single spaces between
    words.
    """
    return one_line(_CONTROLS.sub("", text))


class _Tree(ElementTree.TreeBuilder):
    """Builds a document as long as it holds no more than any of arXiv's does; else raises
    ArxivError.
    """

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._elements = 0
        self._namespaces: set[tuple[str, str]] = set()

    def start(self, tag: str, attrs: dict[str, str]) -> ElementTree.Element:
        self._depth += 1
        self._elements += 1
        _allow("depth", self._depth, DEPTH)
        _allow("elements", self._elements, ELEMENTS)
        _allow("attributes", len(attrs), ATTRIBUTES)
        _allow("text", max(map(len, attrs.values()), default=0), TEXT)
        return super().start(tag, attrs)

    def end(self, tag: str) -> ElementTree.Element:
        self._depth -= 1
        element = super().end(tag)
        _allow("text", len(element.text or ""), TEXT)
        return element

    def start_ns(self, prefix: str, uri: str) -> None:
        self._namespaces.add((prefix, uri))
        _allow("namespaces", len(self._namespaces), NAMESPACES)


def _allow(what: str, found: int, most: int) -> None:
    """Raise ArxivError where a document holds more than that."""
    if found > most:
        raise ArxivError(f"arXiv's answer is like none of arXiv's (its {what} beyond {most:,})")


def whole_document(body: bytes, content_type: str = "") -> ElementTree.Element:
    """Return the root of a document that is proven whole by a strict parser, or raise ArxivError.

    `content_type` is the answer's header and only helps to say what came instead.
    """
    text = body.strip()
    if not text:
        raise ArxivError("arXiv sent an empty answer")
    if text.lower().startswith(b"rate exceeded"):
        raise ThrottledError("arXiv asks to slow down (Rate exceeded)")
    if text[:14].lower() == b"<!doctype html" or text[:5].lower() == b"<html":
        raise _web_page()
    if b"<!DOCTYPE" in body:
        # Without a document type there are no entities but XML's own five, so none can grow or
        # reach out.
        raise ArxivError("arXiv's answer declares a document type, which a feed never does")
    try:
        body.decode("utf-8")
        # No document type, see above.
        parser = ElementTree.XMLParser(target=_Tree(), encoding="utf-8")  # noqa: S314
        parser.feed(text)
        root = parser.close()
    except (ElementTree.ParseError, ValueError) as error:
        if "html" in content_type.lower():
            raise _web_page() from None
        raise ArxivError(
            f"arXiv's answer is not a whole XML document ({plain_text(str(error))})"
        ) from None
    if not isinstance(root, ElementTree.Element):
        raise wrong_document(content_type, "an XML document")
    return root


def wrong_document(content_type: str, what: str) -> ArxivError:
    """The error for a whole document that is not `what` was asked for."""
    if "html" in content_type.lower():
        return _web_page()
    return ArxivError(f"arXiv's answer is not {what}")


def _web_page() -> ArxivError:
    return ArxivError("arXiv sent a web page in place of a feed")
