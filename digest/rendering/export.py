"""Papers in formats that other programs read, safe for those."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from digest.errors import one_line
from digest.model import Digest, Paper
from digest.rendering.csl import to_csl
from digest.rendering.names import published_in
from digest.rendering.ris import to_ris
from digest.rendering.texts import UNPRINTABLE
from digest.times import to_text

FIELDS = (
    "id",
    "version",
    "title",
    "authors",
    "abstract",
    "categories",
    "published",
    "updated",
    "comment",
    "journal_ref",
    "doi",
    "keywords",
    "first_seen",
    "mailed",
)
"""The fields of JSON and CSV, in their order; they are stable."""

FORMULA = ("=", "+", "-", "@")
"""A cell that begins with one of these, blanks aside, is run by spreadsheet programs (OWASP, "CSV
injection")."""


@dataclass(frozen=True, slots=True)
class Record:
    """A paper to be exported. `first_seen` and `mailed` are days, None where nobody knows or it was
    not.
    """

    paper: Paper
    keywords: tuple[str, ...]
    first_seen: date | None
    mailed: date | None


def records_of(digest: Digest, *, abstracts: bool = True) -> Iterator[Record]:
    """The papers of a digest in their order, `abstracts` or not."""
    for section in digest.sections:
        for item in section.items:
            paper = item.paper if abstracts else replace(item.paper, abstract="")
            yield Record(paper, item.keywords, None, None)


def file_name(digest: Digest, ending: str) -> str:
    """What a file with the papers of a digest is called."""
    return f"arxiv-{digest.date}{ending}"


def _values(record: Record) -> dict[str, Any]:
    paper = record.paper
    return {
        "id": paper.id,
        "version": paper.version,
        "title": _line(paper.title),
        "authors": [_line(author) for author in paper.authors],
        "abstract": _line(paper.abstract),
        "categories": list(paper.categories),
        "published": to_text(paper.published),
        "updated": to_text(paper.updated),
        "comment": _line(paper.comment),
        "journal_ref": _line(paper.journal_ref),
        "doi": _line(paper.doi),
        "keywords": list(record.keywords),
        "first_seen": record.first_seen.isoformat() if record.first_seen else None,
        "mailed": record.mailed.isoformat() if record.mailed else None,
    }


def _line(text: str) -> str:
    """One line without control characters."""
    return one_line(UNPRINTABLE.sub(" ", text))


def to_json(records: Iterable[Record]) -> Iterator[str]:
    """A list of objects, one a line."""
    before = "[\n"
    for record in records:
        yield before + json.dumps(_values(record), ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def to_csv(records: Iterable[Record]) -> Iterator[str]:
    """A table with a header (RFC 4180): names joined by "; ", categories by blanks.

    An apostrophe stands before a cell that a spreadsheet program would take for a formula.
    """
    yield _row(FIELDS)
    for record in records:
        values = _values(record)
        values["authors"] = "; ".join(values["authors"])
        values["keywords"] = "; ".join(values["keywords"])
        values["categories"] = " ".join(values["categories"])
        yield _row(["" if values[name] is None else defused(str(values[name])) for name in FIELDS])


def defused(cell: str) -> str:
    """A cell that no spreadsheet program takes for a formula."""
    return f"'{cell}" if cell.lstrip().startswith(FORMULA) else cell


def _row(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def to_bibtex(records: Iterable[Record]) -> Iterator[str]:
    """An @misc entry each, as arXiv itself recommends (help page "BibTeX and arXiv"): eprint,
    archivePrefix, primaryClass. The key is `arXiv:` and the base id, so it never changes; the DOI
    is the e-print's, and that of the publisher stands in the note.
    """
    before = ""
    for record in records:
        yield before + _bibtex(record)
        before = "\n"


def _bibtex(record: Record) -> str:
    paper = record.paper
    fields = {
        "title": f"{{{latex(paper.title)}}}",  # the second pair of braces keeps capitals
        "author": " and ".join(filter(None, map(_author, paper.authors))),
        "year": str(paper.published.year),
        "eprint": paper.id,
        "archivePrefix": "arXiv",
        "primaryClass": _verbatim(paper.categories[0]) if paper.categories else "",
        "version": str(paper.version),
        "url": f"https://arxiv.org/abs/{paper.id}v{paper.version}",
        "doi": _verbatim(paper.arxiv_doi),
        # An @misc has no journal.
        "note": latex(published_in(paper)),
        "abstract": latex(paper.abstract),
        "comment": latex(paper.comment),
        "keywords": latex(", ".join(record.keywords)),
    }
    lines = ",\n".join(
        f"  {name} = {{{value}}}" for name, value in fields.items() if value not in ("", "{}")
    )
    return f"@misc{{arXiv:{paper.id},\n{lines}\n}}\n"


def _author(name: str) -> str:
    """A name; one that BibTeX would cut in two or turn round (and, a comma, a collaboration) in
    braces.
    """
    text = latex(name)
    whole = re.search(r",|\band\b|\bothers\b|collaboration|consortium", text, re.IGNORECASE)
    return f"{{{text}}}" if whole else text


def _verbatim(text: str) -> str:
    """An identifier, which BibTeX styles print as it is: what would break the entry is
    percent-encoded.
    """
    return re.sub(r"[{}\\\s]", lambda match: f"%{ord(match[0]):02X}", _line(text))


_MATH = re.compile(r"(?<!\\)\$\$.+?(?<!\\)\$\$|(?<!\\)\$[^$]+?(?<!\\)\$|\\\(.+?\\\)|\\\[.+?\\\]")
_TEX = re.compile(r"[\\{}$]")
_BRACES = re.compile(r"[{}]")
_PLAIN = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\textbraceleft{}",
        "}": r"\textbraceright{}",
        "$": r"\$",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "%": r"\%",
        "#": r"\#",
        "&": r"\&",
        "_": r"\_",
    }
)


def latex(text: str) -> str:
    r"""Text for a BibTeX field: TeX that is sound is kept, with `%`, `#`, `&`, `_` escaped outside
    math.

    Where braces or dollars do not pair up every special character is written out, so that the entry
    stays whole for readers that count `\{` as a brace (BibTeX itself) and for those that do not.
    """
    line = _line(text)
    if not _TEX.search(line):
        return _escape(line, "%#&_")
    if not _is_sound(line):
        return line.translate(_PLAIN)
    pieces, end = [], 0
    for match in _MATH.finditer(line):
        pieces += [_escape(line[end : match.start()], "%#&_"), _escape(match[0], "%#")]
        end = match.end()
    return "".join(pieces) + _escape(line[end:], "%#&_")


def _escape(text: str, characters: str) -> str:
    return re.sub(
        rf"\\.|[{characters}]",
        lambda match: match[0] if match[0][0] == "\\" else f"\\{match[0]}",
        text,
    )


def _is_sound(line: str) -> bool:
    """Whether braces pair up by either way of counting, also inside and outside of math, and
    dollars pair up.
    """
    if line.endswith("\\"):
        return False
    outside = _MATH.sub("", line)
    if re.search(r"(?<!\\)\$", outside) or not all(map(_pairs, (outside, *_MATH.findall(line)))):
        return False
    return _pairs(line)


def _pairs(text: str) -> bool:
    return (
        _balanced(text)
        and _balanced(re.sub(r"\\.", "", text))
        and _balanced(re.sub(r"\\[{}]", "", text))
    )


def _balanced(text: str) -> bool:
    depth = 0
    for brace in _BRACES.findall(text):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0


WRITERS: dict[str, Callable[[Iterable[Record]], Iterator[str]]] = {
    "json": to_json,
    "csv": to_csv,
    "bibtex": to_bibtex,
    "ris": to_ris,
    "csl": to_csl,
}
"""The formats by name."""
FILES = {
    "bibtex": (".bib", "application/x-bibtex"),
    "ris": (".ris", "application/x-research-info-systems"),
}
"""The formats in which papers are taken along from a mail or a page: ending, and media type."""
ENDINGS = {
    ".json": "json",
    ".csv": "csv",
    ".bib": "bibtex",
    ".bibtex": "bibtex",
    ".ris": "ris",
    ".csljson": "csl",
    ".csl.json": "csl",
}
"""The formats by the ending of a file's name; of two that fit, the longer one counts."""


def format_of(name: str) -> str | None:
    """The format that the ending of a file's name stands for; None where it stands for none."""
    fitting = [ending for ending in ENDINGS if name.casefold().endswith(ending)]
    return ENDINGS[max(fitting, key=len)] if fitting else None
