"""What reference managers read in a page: one paper by metas, several by COinS."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlencode

from digest.model import Paper


# A paper stands on several pages, and goes from each to the next as more come.
@lru_cache(maxsize=1024)
def coins(paper: Paper) -> str:
    """A paper as a ContextObject (ANSI/NISO Z39.88-2004, key/value), for the title of a span of the
    class Z3988: the Zotero connector offers all papers of a page that has several.
    """
    pairs = [
        ("ctx_ver", "Z39.88-2004"),
        ("rft_val_fmt", "info:ofi/fmt:kev:mtx:dc"),
        ("rft.type", "preprint"),
        ("rft.title", paper.title),
        *(("rft.creator", author) for author in paper.authors),
        ("rft.date", f"{paper.published:%Y-%m-%d}"),
        ("rft.publisher", "arXiv"),
        ("rft.identifier", paper.abstract_url),
        *([("rft_id", f"info:doi/{paper.doi}")] if paper.doi else []),
    ]
    return urlencode(pairs, errors="replace")


def metas(paper: Paper) -> list[tuple[str, str]]:
    """The names and contents of a single paper's metas (as Google Scholar's inclusion guidelines
    have them, and arXiv itself).
    """
    pairs = [
        ("citation_title", paper.title),
        *(("citation_author", author) for author in paper.authors),
        ("citation_date", f"{paper.published:%Y/%m/%d}"),
        ("citation_online_date", f"{paper.updated:%Y/%m/%d}"),
        ("citation_pdf_url", paper.pdf_url),
        ("citation_arxiv_id", paper.id),
        ("citation_doi", paper.doi),
        ("citation_abstract", paper.abstract),
    ]
    return [(name, content) for name, content in pairs if content]
