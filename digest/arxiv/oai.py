"""An answer of arXiv's OAI-PMH service, from bytes to records: one whole page of ListRecords, or an
ArxivError.

The format asked for is `arXivRaw`, the only one that tells a paper's version and the dates of all
versions; the format `arXiv` has one name an author, but the date of the current version at most,
and no version. (OAI-PMH 2.0, and arXiv's help, "Open Archives Initiative".)
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from datetime import date, datetime

from digest.arxiv.authors import split_authors
from digest.arxiv.documents import (
    PAPER_ID,
    VERSION,
    carrying,
    check_parts,
    mail_date,
    plain_text,
    reading,
    whole_document,
    wrong_document,
)
from digest.errors import ArxivError
from digest.keywords.accents import decode_accents
from digest.model import Paper

FORMAT = "arXivRaw"
_OAI = "{http://www.openarchives.org/OAI/2.0/}"
_RAW = "{http://arxiv.org/OAI/arXivRaw/}"


class TokenExpiredError(ArxivError):
    """A resumption token that the service no longer knows (they end at midnight UTC): begin the
    list anew.
    """


@dataclass(frozen=True, slots=True)
class Record:
    """A paper whose record was changed on day `datestamp` (UTC), for whatever reason: a version, a
    DOI, a category.
    """

    paper: Paper
    datestamp: date


@dataclass(frozen=True, slots=True)
class RecordPage:
    """One page of a list. `deleted` are base ids; `token` asks for the next page, "" on the last;
    `total` is how many records the list has, where the service tells.
    """

    records: tuple[Record, ...]
    deleted: tuple[str, ...] = ()
    token: str = ""
    total: int | None = None


def parse_records(body: bytes, *, content_type: str = "") -> RecordPage:
    """Read one page, or raise ArxivError, which carries `body`; nothing else is ever raised.

    That no record matches is an empty page: nothing was changed on the days asked for. Other errors
    of the protocol, which come with status 200, are raised; TokenExpiredError where the list is to
    be begun anew.
    """
    with carrying(body):
        root = whole_document(body, content_type)
        if root.tag != f"{_OAI}OAI-PMH":
            raise wrong_document(content_type, "an OAI-PMH document")
        if (error := root.find(f"{_OAI}error")) is not None:
            return _protocol_error(error)
        listed = root.find(f"{_OAI}ListRecords")
        if listed is None:
            raise ArxivError("arXiv's OAI answer has no list of records")
        return _page(listed)


def _protocol_error(error: ElementTree.Element) -> RecordPage:
    code, words = error.get("code", ""), plain_text(error.text or "")
    if code == "noRecordsMatch":
        # The same code comes for a set that does not exist, and that would never be noticed.
        if "set" in words.lower() and "match any sets" in words.lower():
            raise ArxivError(f"arXiv's OAI service knows no such set ({words})", transient=False)
        return RecordPage(())
    if code == "badResumptionToken":
        raise TokenExpiredError(
            f"arXiv's OAI service broke off the list ({words})", transient=False
        )
    raise ArxivError(
        f"arXiv's OAI service refused the request ({code or 'no code'}: {words})", transient=False
    )


def _page(listed: ElementTree.Element) -> RecordPage:
    records: list[Record] = []
    deleted: list[str] = []
    for element in listed.findall(f"{_OAI}record"):
        header, base = _header(element)
        if header.get("status") == "deleted":
            deleted.append(base)
        else:
            records.append(Record(_paper(element, base), _datestamp(header, base)))
    if not records and not deleted:
        raise ArxivError("arXiv's OAI answer is a list without records")
    token = listed.find(f"{_OAI}resumptionToken")
    if token is None:
        return RecordPage(tuple(records), tuple(deleted))
    size = token.get("completeListSize", "")
    total = int(size) if re.fullmatch("[0-9]{1,12}", size) else None
    return RecordPage(tuple(records), tuple(deleted), (token.text or "").strip(), total)


def _header(record: ElementTree.Element) -> tuple[ElementTree.Element, str]:
    """A record's header, and the base id of its paper."""
    header = record.find(f"{_OAI}header")
    if header is None:
        raise ArxivError("a record of arXiv's OAI answer has no header")
    base = plain_text(header.findtext(f"{_OAI}identifier", "")).removeprefix("oai:arXiv.org:")
    if not re.fullmatch(PAPER_ID, base):
        raise ArxivError(
            f"a record of arXiv's OAI answer has no paper's id: {base[:80] or 'none at all'}"
        )
    return header, base


def _paper(element: ElementTree.Element, base: str) -> Paper:
    raw = element.find(f"{_OAI}metadata/{_RAW}arXivRaw")
    if raw is None:
        raise ArxivError(f"{base} does not come in the format {FORMAT}")

    def text(name: str) -> str:
        return plain_text(raw.findtext(f"{_RAW}{name}", "") if raw is not None else "")

    versions = sorted(_version(each, base) for each in raw.findall(f"{_RAW}version"))
    title, authors = text("title"), split_authors(text("authors"))
    categories = tuple(text("categories").split())
    parts = {"version": versions, "title": title, "authors": authors, "category": categories}
    check_parts(base, "OAI answer", **parts)
    return Paper(
        id=base,
        version=versions[-1][0],
        title=decode_accents(title),
        abstract=decode_accents(text("abstract")),
        authors=authors,
        categories=categories,
        published=versions[0][1],
        updated=versions[-1][1],
        comment=decode_accents(text("comments")),
        journal_ref=text("journal-ref"),
        doi=text("doi").partition(" ")[0],
    )


def _version(element: ElementTree.Element, base: str) -> tuple[int, datetime]:
    """A version's number and date (`Tue, 3 Apr 2007 22:04:11 GMT`)."""
    number = re.fullmatch(VERSION, element.get("version", ""))
    text = plain_text(element.findtext(f"{_RAW}date", ""))
    otherwise = f"{base} has a version without number or date in arXiv's OAI answer"
    with reading(otherwise, text):
        return int(number[1] if number else ""), mail_date(text)


def _datestamp(header: ElementTree.Element, base: str) -> date:
    text = plain_text(header.findtext(f"{_OAI}datestamp", ""))
    with reading(f"{base} has no readable datestamp in arXiv's OAI answer", text):
        return date.fromisoformat(text[:10])
