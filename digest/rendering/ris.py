"""Papers as RIS, which most reference managers read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from digest.errors import one_line
from digest.rendering.texts import UNPRINTABLE

if TYPE_CHECKING:
    from digest.rendering.export import Record

_GROUP = re.compile(r"collaboration|consortium|\bteam\b|\bgroup\b|,", re.IGNORECASE)
_SURNAME = re.compile(r"(?<!\S)(?:[a-zà-ÿ'’]+ )*\S+(?: (?:Jr|Sr)\.?| I{1,3}V?)?$")
"""The last word of a name, with the small words before it (van der, de la)."""


def to_ris(records: Iterable[Record]) -> Iterator[str]:
    """An entry each, as something unpublished that arXiv keeps: UNPB, since RIS has no preprint,
    and Zotero and EndNote read that as one. TeX stays as it is.
    """
    for record in records:
        paper = record.paper
        fields = [
            ("TY", "UNPB"),
            ("TI", paper.title),
            *(("AU", _author(name)) for name in paper.authors),
            ("PY", f"{paper.published:%Y}"),
            ("DA", f"{paper.published:%Y/%m/%d}"),
            ("AB", paper.abstract),
            ("PB", "arXiv"),
            ("M1", f"arXiv:{paper.id}v{paper.version}"),
            ("UR", paper.abstract_url),
            ("L1", paper.pdf_url),
            ("DO", paper.doi),
            ("N1", paper.comment),
            ("N1", paper.journal_ref),
            *(("KW", name) for name in record.keywords),
        ]
        lines = ((tag, one_line(UNPRINTABLE.sub(" ", text))) for tag, text in fields)
        yield "".join(f"{tag}  - {text}\r\n" for tag, text in lines if text) + "ER  - \r\n\r\n"


def _author(name: str) -> str:
    """A name with the surname first; one of a collaboration, or that has a comma, as it is."""
    name = one_line(name)
    surname = _SURNAME.search(name)
    if surname is None or _GROUP.search(name) or not surname.start():
        return name
    return f"{surname[0]}, {name[: surname.start()].strip()}"
