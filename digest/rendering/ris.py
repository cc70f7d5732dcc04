"""Papers as RIS, which most reference managers read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from digest.errors import one_line
from digest.rendering.names import published_in, split_name
from digest.rendering.texts import UNPRINTABLE

if TYPE_CHECKING:
    from digest.rendering.export import Record


def to_ris(records: Iterable[Record]) -> Iterator[str]:
    """An entry each, as something unpublished that arXiv keeps: UNPB, since RIS has no preprint,
    and Zotero and EndNote read that as one. TeX stays as it is.
    """
    for record in records:
        paper = record.paper
        fields = [
            ("TY", "UNPB"),
            ("ID", f"arXiv:{paper.id}"),
            ("TI", paper.title),
            *(("AU", ", ".join(filter(None, split_name(name)))) for name in paper.authors),
            ("PY", f"{paper.published:%Y}"),
            ("DA", f"{paper.published:%Y/%m/%d}"),
            ("AB", paper.abstract),
            ("PB", "arXiv"),
            ("M1", f"arXiv:{paper.id}v{paper.version}"),
            ("UR", paper.abstract_url),
            ("L1", paper.pdf_url),
            ("DO", paper.arxiv_doi),
            ("N1", paper.comment),
            ("N1", published_in(paper)),
            *(("KW", name) for name in record.keywords),
        ]
        lines = ((tag, one_line(UNPRINTABLE.sub(" ", text))) for tag, text in fields)
        yield "".join(f"{tag}  - {text}\r\n" for tag, text in lines if text) + "ER  - \r\n\r\n"
