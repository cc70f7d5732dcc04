"""What stands in a Zotero library, without asking for it: how one is named, and its items as
entries (Zotero web API, version 3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from digest.libraries.csl import without_markup
from digest.libraries.entries import Entry, arxiv_id_kept, arxiv_id_within, one_line
from digest.libraries.files import LibraryError

OWN_TAG = "added by Digest"
"""What Digest puts into a Zotero library bears this tag, and does not count there."""
PREFIX = "zotero:"
_NAME = re.compile(
    r"zotero:(user|group)/([0-9]{1,12})(?:/collections/([A-Za-z0-9]{8}))?/?", re.IGNORECASE
)
_PLACES = (
    *("archiveID", "DOI", "url", "extra", "number", "reportNumber", "archiveLocation"),
    *("publicationTitle", "callNumber"),
)
# These hang on a paper, or on nothing, and are none.
_NO_PAPERS = ("attachment", "note", "annotation")


@dataclass(frozen=True, slots=True)
class Access:
    """Where Zotero is asked, and the key with which it is (none is needed for public libraries)."""

    api: str
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """A library of a `user` or a `group`, by its number, or one collection in it."""

    kind: str
    number: str
    collection: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """All items of a place with their versions, as of a version of the library."""

    version: int
    items: Mapping[str, int]


def is_zotero(item: str) -> bool:
    """Whether an item of a reader's field `library` means Zotero."""
    return item.lower().startswith(PREFIX)


def place_of(item: str) -> Place:
    """The place that an item names. Raises LibraryError where it names none."""
    match = _NAME.fullmatch(item)
    if match is None:
        raise LibraryError(
            f"the library {item} is none of Zotero's",
            remedy="write zotero:user/123456 or zotero:group/123456,"
            " for one collection with /collections/ABCD1234 after it",
        )
    return Place(match[1].lower(), match[2], (match[3] or "").upper())


def entry_of(item: Any) -> tuple[str, int, Entry] | None:
    """An item's key, version and entry; None where it has no key and version. What is no paper,
    and what Digest put there itself, is an entry that says nothing.
    """
    data = item.get("data") if isinstance(item, dict) else None
    if not isinstance(data, dict):
        return None
    key, version = data.get("key"), data.get("version")
    if not isinstance(key, str) or not isinstance(version, int):
        return None

    def text(name: str) -> str:
        value = data.get(name)
        return one_line(without_markup(value)) if isinstance(value, str) else ""

    if data.get("itemType") in _NO_PAPERS or _is_ours(data.get("tags")):
        return key, version, Entry(key=key)
    # Known by its key and not by its DOI, which all chapters of a book may share.
    archive = f"{text('archive')} {text('repository')}"
    arxiv = (
        arxiv_id_within(map(text, _PLACES))
        or arxiv_id_kept(archive, text("archiveID"))
        or arxiv_id_kept(archive, text("archiveLocation"))
    )
    return key, version, Entry(text("title"), text("abstractNote"), arxiv=arxiv, key=key)


def _is_ours(tags: Any) -> bool:
    named = [tag.get("tag") for tag in tags if isinstance(tag, dict)] if tags else []
    return any(isinstance(tag, str) and tag.casefold() == OWN_TAG.casefold() for tag in named)
