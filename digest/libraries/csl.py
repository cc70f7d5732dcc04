"""CSL-JSON as Zotero and others write it."""

from __future__ import annotations

import json
import re
from typing import Any

from digest.libraries.entries import (
    Entry,
    Odd,
    Reading,
    arxiv_id_kept,
    arxiv_id_within,
    doi_in,
    one_line,
)

_MARKUP = re.compile(r"</?(?:i|b|sub|sup|span|sc|jats:[a-z]+|p)(?:\s[^<>]*)?>", re.IGNORECASE)
_PLACES = ("DOI", "URL", "number", "note", "archive_location", "container-title", "publisher")


def read_csl(text: str) -> Reading:
    """The entries of a CSL-JSON file, and what is odd about it."""
    try:
        value = json.loads(text)
    except ValueError as error:
        line = getattr(error, "lineno", 0)
        return Reading((), (Odd(line, "it is no JSON from here on"),))
    except RecursionError:
        return Reading((), (Odd(0, "it is nested too deeply"),))
    items = value.get("items") if isinstance(value, dict) and "items" in value else value
    if not isinstance(items, list):
        items = [items]
    entries, odd = [], []
    for number, item in enumerate(items, 1):
        entry = _entry_of(item) if isinstance(item, dict) else Entry()
        if entry.counts:
            entries.append(entry)
        else:
            odd.append(Odd(0, f"item {number} has no title and no arXiv id"))
    return Reading(tuple(entries), tuple(odd))


def _entry_of(item: dict[str, Any]) -> Entry:
    def text(name: str) -> str:
        value = item.get(name)
        # As doi.org has it: a list of one.
        value = next(iter(value), "") if isinstance(value, list) else value
        return one_line(str(value)) if isinstance(value, str | int) else ""

    return Entry(
        title=one_line(without_markup(text("title"))),
        abstract=one_line(without_markup(text("abstract"))),
        arxiv=arxiv_id_within(map(text, _PLACES))
        or arxiv_id_kept(text("archive"), text("archive_location")),
        doi=doi_in(text("DOI")),
        key=text("citation-key") or text("id"),
    )


def without_markup(text: str) -> str:
    """A text without the HTML that titles and abstracts may bear."""
    return _MARKUP.sub("", text)
