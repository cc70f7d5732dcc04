"""Papers as an Atom feed in the shape of arXiv's query API: the same names, order of elements and
links.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from xml.sax.saxutils import escape, quoteattr

from digest.model import Paper
from digest.times import to_text

# Characters that no XML document may hold, not even escaped (XML 1.0 section 2.2).
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_HEAD = (
    "<?xml version='1.0' encoding='UTF-8'?>\n"
    '<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" '
    'xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">\n'
)
_BEGINNING = datetime(1991, 8, 14, tzinfo=UTC)


def feed(
    papers: Sequence[Paper],
    *,
    query: str,
    start: int,
    max_results: int,
    total: int,
    id_list: str = "",
) -> bytes:
    """Return the answer that holds these papers, as rows `start` and following of `total`
    matches.
    """
    title = (
        f"arXiv Query: search_query={query}&id_list={id_list}"
        f"&start={start}&max_results={max_results}"
    )
    link = (
        f"https://arxiv.org/api/query?search_query={query}&start={start}"
        f"&max_results={max_results}&id_list={id_list}"
    )
    mark = base64.b64encode(hashlib.sha256(title.encode("utf-8", "replace")).digest()[:20]).decode()
    youngest = max((paper.updated for paper in papers), default=_BEGINNING)
    return "".join(
        (
            _HEAD,
            f"  <id>https://arxiv.org/api/{mark.rstrip('=')}</id>\n",
            f"  <title>{plain(title)}</title>\n",
            f"  <updated>{to_text(youngest)}</updated>\n",
            f'  <link href={quoted(link)} type="application/atom+xml"/>\n',
            _counts(max_results, total, start),
            *map(_entry, papers),
            "</feed>\n",
        )
    ).encode()


def error_feed(reason: str) -> bytes:
    """Return what arXiv sends with HTTP 400: a feed with one entry titled Error."""
    place = quoted("https://arxiv.org/api/errors#" + re.sub("[^a-z0-9.]+", "_", reason.lower()))
    updated = to_text(_BEGINNING)
    return (
        f"{_HEAD}"
        "  <id>https://arxiv.org/</id>\n"
        "  <title>arXiv Search Results</title>\n"
        f"  <updated>{updated}</updated>\n"
        f"{_counts(1, 1, 0)}"
        "  <entry>\n"
        f"    <id>{place[1:-1]}</id>\n"
        "    <title>Error</title>\n"
        f"    <updated>{updated}</updated>\n"
        f'    <link href={place} rel="alternate" type="text/html"/>\n'
        f"    <summary>{plain(reason)}</summary>\n"
        "    <author>\n      <name>arXiv api core</name>\n    </author>\n"
        "  </entry>\n"
        "</feed>\n"
    ).encode()


def _counts(per_page: int, total: int, start: int) -> str:
    return (
        f"  <opensearch:itemsPerPage>{per_page}</opensearch:itemsPerPage>\n"
        f"  <opensearch:totalResults>{total}</opensearch:totalResults>\n"
        f"  <opensearch:startIndex>{start}</opensearch:startIndex>\n"
    )


# Tests ask a stand-in for the same papers thousands of times.
@lru_cache(maxsize=20_000)
def _entry(paper: Paper) -> str:
    name = f"{paper.id}v{paper.version}"
    lines = [
        "<entry>",
        f"  <id>http://arxiv.org/abs/{plain(name)}</id>",
        f"  <title>{plain(paper.title)}</title>",
        f"  <updated>{to_text(paper.updated)}</updated>",
        f'  <link href={quoted(paper.abstract_url)} rel="alternate" type="text/html"/>',
        f'  <link href={quoted(paper.pdf_url)} rel="related" type="application/pdf" title="pdf"/>',
        f"  <summary>{plain(paper.abstract)}</summary>",
    ]
    lines += [
        f'  <category term={quoted(term)} scheme="http://arxiv.org/schemas/atom"/>'
        for term in paper.categories
    ]
    lines.append(f"  <published>{to_text(paper.published)}</published>")
    if paper.comment:
        lines.append(f"  <arxiv:comment>{plain(paper.comment)}</arxiv:comment>")
    lines += [f"  <arxiv:primary_category term={quoted(term)}/>" for term in paper.categories[:1]]
    if paper.journal_ref:
        lines.append(f"  <arxiv:journal_ref>{plain(paper.journal_ref)}</arxiv:journal_ref>")
    for author in paper.authors:
        lines += ["  <author>", f"    <name>{plain(author)}</name>", "  </author>"]
    if paper.doi:
        lines.append(f"  <arxiv:doi>{plain(paper.doi)}</arxiv:doi>")
        link = quoted(f"https://doi.org/{paper.doi}")
        lines.append(f'  <link rel="related" href={link} title="doi"/>')
    lines.append("</entry>")
    return "".join(f"  {line}\n" for line in lines)


def plain(text: str) -> str:
    """Text of an element."""
    return escape(_NOT_XML.sub("", text))


def quoted(text: str) -> str:
    """An attribute's value with its quotes."""
    return quoteattr(_NOT_XML.sub("", text), {'"': "&quot;"})
