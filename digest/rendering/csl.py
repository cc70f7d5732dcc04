"""Papers as CSL-JSON, which Pandoc, Quarto, Zotero and citation styles read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from digest.rendering.names import published_in, split_name
from digest.rendering.texts import ABSTRACT_LENGTH, readable

if TYPE_CHECKING:
    from digest.rendering.export import Record


def to_csl(records: Iterable[Record]) -> Iterator[str]:
    """A list of items, one a line, of the type that the schema has for a preprint (CSL 1.0.2,
    appendix III: article). TeX stands as Unicode, since programs print these texts as they are.
    """
    before = "[\n"
    for record in records:
        yield before + json.dumps(_item(record), ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _item(record: Record) -> dict[str, Any]:
    paper = record.paper
    day = paper.published
    notes = (paper.comment, published_in(paper))
    item = {
        "id": f"arXiv:{paper.id}",
        "type": "article",
        "title": readable(paper.title),
        "author": [author for name in paper.authors if (author := _author(name))],
        "issued": {"date-parts": [[day.year, day.month, day.day]]},
        "abstract": readable(paper.abstract, ABSTRACT_LENGTH),
        "publisher": "arXiv",
        "number": f"arXiv:{paper.id}",
        "version": str(paper.version),
        "DOI": paper.arxiv_doi,
        "URL": paper.abstract_url,
        "note": "; ".join(filter(None, (readable(note) for note in notes))),
        "keyword": ", ".join(record.keywords),
    }
    return {name: value for name, value in item.items() if value}


def _author(name: str) -> dict[str, str]:
    """A name; the names of authors have no TeX any more."""
    family, given = split_name(name)
    if given:
        return {"family": family, "given": given}
    return {"literal": family} if family else {}
