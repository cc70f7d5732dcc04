"""Announcements as arXiv's feeds and its OAI service write them: the same elements in the same
order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from email.utils import format_datetime
from xml.sax.saxutils import escape

from digest.arxiv.combine import oai_set
from digest.demo.feeds import plain, quoted
from digest.model import Paper
from digest.rules.calendar import NEW_YORK

LIMIT = 2_000
_ORDER = ("replace-cross", "replace", "cross", "new")
_ATOM = (
    "<?xml version='1.0' encoding='UTF-8'?>\n"
    '<feed xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns="http://www.w3.org/2005/Atom" xml:lang="en-us">\n'
)
_RSS = (
    "<?xml version='1.0' encoding='UTF-8'?>\n"
    '<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:atom="http://www.w3.org/2005/Atom" version="2.0">\n  <channel>\n'
)
_OAI = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
)


@dataclass(frozen=True, slots=True)
class Batch:
    """One announcement: what New York's date finds in the feeds."""

    day: date
    new: tuple[Paper, ...] = ()
    replaced: tuple[Paper, ...] = ()


def announcement_feed(batch: Batch, names: Sequence[str], *, rss: bool = False) -> bytes:
    """Return the feed of some categories or archives; like arXiv's it holds 2,000 papers, and new
    ones stand last.
    """
    found = [
        (
            kind
            if _in(paper.categories[:1], names)
            else ("replace-cross" if kind == "replace" else "cross"),
            paper,
        )
        for kind, papers in (("new", batch.new), ("replace", batch.replaced))
        for paper in papers
        if _in(paper.categories, names)
    ]
    found.sort(key=lambda each: _ORDER.index(each[0]))
    return _document(
        f"{', '.join(names)} updates on arXiv.org", names, batch.day, found[:LIMIT], rss
    )


def feed_error(names: Sequence[str], reason: str, day: date, *, rss: bool = False) -> bytes:
    """Return what arXiv sends with HTTP 400 for a category that it does not know."""
    title = (
        f"Feed error for query: http://rss.arxiv.org/{'rss' if rss else 'atom'}/{'+'.join(names)}"
    )
    return _document(title, names, day, [], rss, reason)


def _document(
    title: str,
    names: Sequence[str],
    day: date,
    items: list[tuple[str, Paper]],
    rss: bool,
    reason: str = "",
) -> bytes:
    midnight = datetime.combine(day, time(), NEW_YORK)
    subtitle = reason or f"{', '.join(names)} updates on the arXiv.org e-print archive."
    address = f"http://rss.arxiv.org/{'rss' if rss else 'atom'}/{'+'.join(names)}"
    if rss:
        stamp = format_datetime(midnight)
        head = [
            f"    <title>{plain(title)}</title>\n    <link>{plain(address)}</link>\n",
            f"    <description>{plain(subtitle)}</description>\n    <pubDate>{stamp}</pubDate>\n",
        ]
        parts = [
            _RSS,
            *head,
            *(_item(kind, paper, stamp) for kind, paper in items),
            "  </channel>\n</rss>\n",
        ]
    else:
        stamp = midnight.isoformat()
        head = [
            f"  <id>{plain(address)}</id>\n  <title>{plain(title)}</title>\n",
            f"  <updated>{stamp}</updated>\n",
            f'  <link href={quoted(address)} rel="self"/>\n',
            f"  <subtitle>{plain(subtitle)}</subtitle>\n",
        ]
        parts = [_ATOM, *head, *(_entry(kind, paper, stamp) for kind, paper in items), "</feed>\n"]
    return "".join(parts).encode()


def _entry(kind: str, paper: Paper, stamp: str) -> str:
    return "".join(
        (
            f"  <entry>\n    <id>oai:arXiv.org:{paper.id}v{paper.version}</id>\n",
            f"    <title>{plain(paper.title)}</title>\n    <updated>{stamp}</updated>\n",
            f'    <link href="https://arxiv.org/abs/{paper.id}" rel="alternate"',
            ' type="text/html"/>\n',
            f"    <summary>{_summary(kind, paper)}</summary>\n",
            *(f"    <category term={quoted(term)}/>\n" for term in paper.categories),
            f"    <published>{stamp}</published>\n",
            *_extension(kind, paper),
            "  </entry>\n",
        )
    )


def _item(kind: str, paper: Paper, stamp: str) -> str:
    return "".join(
        (
            f"    <item>\n    <title>{plain(paper.title)}</title>\n",
            f"    <link>https://arxiv.org/abs/{paper.id}</link>\n",
            f"    <description>{_summary(kind, paper)}</description>\n",
            f'    <guid isPermaLink="false">oai:arXiv.org:{paper.id}v{paper.version}</guid>\n',
            *(f"    <category>{plain(term)}</category>\n" for term in paper.categories),
            f"    <pubDate>{stamp}</pubDate>\n",
            *_extension(kind, paper),
            "    </item>\n",
        )
    )


def _summary(kind: str, paper: Paper) -> str:
    return plain(
        f"arXiv:{paper.id}v{paper.version} Announce Type: {kind} \nAbstract: {paper.abstract}"
    )


def _extension(kind: str, paper: Paper) -> Iterable[str]:
    yield f"    <arxiv:announce_type>{kind}</arxiv:announce_type>\n"
    if paper.journal_ref:
        yield f"    <arxiv:journal_reference>{plain(paper.journal_ref)}</arxiv:journal_reference>\n"
    if paper.doi:
        yield f"    <arxiv:DOI>{plain(paper.doi)}</arxiv:DOI>\n"
    yield f"    <dc:creator>{plain(', '.join(paper.authors))}</dc:creator>\n"


def _in(categories: Iterable[str], names: Iterable[str]) -> bool:
    wanted = {name.lower() for name in names}
    return any(c.lower() in wanted or c.split(".")[0].lower() in wanted for c in categories)


def oai_page(
    records: Sequence[tuple[Paper, date]], *, token: str, cursor: int, total: int
) -> bytes:
    """Return one page of ListRecords in the format arXivRaw; only the first and the last version's
    dates are known.
    """
    more = (
        f'<resumptionToken cursor="{cursor}" completeListSize="{total}">{escape(token)}'
        "</resumptionToken>\n"
    )
    return "".join(
        (
            _OAI,
            '<request verb="ListRecords" metadataPrefix="arXivRaw">http://oaipmh.arxiv.org/oai</request>\n',
            "<ListRecords>\n",
            *(_record(paper, stamp) for paper, stamp in records),
            more if total > len(records) else "",
            "</ListRecords>\n</OAI-PMH>\n",
        )
    ).encode()


def oai_error(code: str, words: str) -> bytes:
    """Return an error of the protocol, which comes with status 200."""
    request = "<request>http://oaipmh.arxiv.org/oai</request>"
    return f'{_OAI}{request}\n<error code="{code}">{plain(words)}</error>\n</OAI-PMH>\n'.encode()


def oai_sets(paper: Paper) -> frozenset[str]:
    """The sets that a paper is in: its categories' archives, and these with their subject
    classes.
    """
    found = set()
    for category in paper.categories:
        archive, dot, subject = category.partition(".")
        whole = oai_set(archive)
        found |= {whole, whole.partition(":")[0], f"{whole}:{subject}" if dot else whole}
    return frozenset(found)


def _record(paper: Paper, stamp: date) -> str:
    versions = "".join(
        f'<version version="v{number}"><date>{_gmt(moment)}</date><size>9kb</size></version>'
        for number, moment in ((1, paper.published), (paper.version, paper.updated))[
            paper.version == 1 :
        ]
    )
    optional = "".join(
        f"<{name}>{plain(text)}</{name}>"
        for name, text in (
            ("comments", paper.comment),
            ("journal-ref", paper.journal_ref),
            ("doi", paper.doi),
        )
        if text
    )
    return (
        f"<record>\n<header>\n <identifier>oai:arXiv.org:{paper.id}</identifier>\n"
        f" <datestamp>{stamp}</datestamp>\n"
        + "".join(f" <setSpec>{each}</setSpec>\n" for each in sorted(oai_sets(paper)))
        + '</header>\n<metadata>\n <arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/">\n'
        f" <id>{paper.id}</id><submitter>{plain(paper.authors[0])}</submitter>{versions}"
        f"<title>{plain(paper.title)}</title><authors>{plain(', '.join(paper.authors))}</authors>"
        f"<categories>{' '.join(paper.categories)}</categories>{optional}"
        f"<abstract>  {plain(paper.abstract)}\n</abstract></arXivRaw>\n</metadata>\n</record>\n"
    )


def _gmt(moment: datetime) -> str:
    return f"{moment:%a, %d %b %Y %H:%M:%S} GMT"
