"""RIS as EndNote, Mendeley, Scopus and others write it, and PubMed's tagged form."""

from __future__ import annotations

import re

from digest.libraries.entries import Entry, Odd, Reading, arxiv_id_within, doi_in, one_line

_TAG = re.compile(r"([A-Z][A-Z0-9]) {0,3}- ?(.*)")
_LONG_TAG = re.compile(r"([A-Z][A-Z0-9]{1,3}) {0,3}- ?(.*)")
"""As PubMed has them; in RIS a longer word before a hyphen goes on with a text."""
_TITLES = ("TI", "T1", "CT", "BT")
_ABSTRACTS = ("AB", "N2")
_DOIS = ("DO", "LID", "AID", "M3")
_PLACES = "DO LID UR L1 L2 LK AN M1 C1 JO T2 JF VL N1 PB".split()
_BEGINNINGS = ("TY", "PMID")
_KEYS = ("ID", "PMID", "AN")


class _Lines:
    """The records of a file as its lines come."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.odd: list[Odd] = []
        self._record: dict[str, list[list[str]]] = {}
        self._start, self._last = 0, ""

    def take(self, number: int, line: str) -> None:
        match = (_TAG if "TY" in self._record else _LONG_TAG).match(line)
        if match is None:
            self._go_on(line.strip())
        elif match[1] in _BEGINNINGS:
            self.end(expected=match[1] == "PMID")
            self._start = number
            self._add(match[1], match[2])
        elif not self._record:
            self.odd.append(Odd(number, f"a line {match[1]} stands outside an entry"))
        elif match[1] == "ER":
            self.end(expected=True)
        else:
            self._add(match[1], match[2])

    def _go_on(self, words: str) -> None:
        # Between entries some databases say which one comes.
        if words and self._record:
            self._record[self._last][-1].append(words)

    def _add(self, tag: str, value: str) -> None:
        self._record.setdefault(tag, []).append([value])
        self._last = tag

    def end(self, *, expected: bool) -> None:
        if self._record and not expected and "PMID" not in self._record:
            self.odd.append(Odd(self._start, "an entry has no line ER at its end"))
        if self._record:
            texts = {tag: [" ".join(v) for v in values] for tag, values in self._record.items()}
            _take(texts, self._start, self.entries, self.odd)
        self._record = {}


def read_ris(text: str) -> Reading:
    """The entries of an RIS file, and what is odd about it."""
    lines = _Lines()
    for number, line in enumerate(text.split("\n"), 1):
        lines.take(number, line)
    lines.end(expected=False)
    return Reading(tuple(lines.entries), tuple(lines.odd))


def _take(record: dict[str, list[str]], line: int, entries: list[Entry], odd: list[Odd]) -> None:
    def first(tags: tuple[str, ...]) -> str:
        return next((one_line(value) for tag in tags for value in record.get(tag, ())), "")

    entry = Entry(
        title=first(_TITLES),
        abstract=first(_ABSTRACTS),
        arxiv=arxiv_id_within(value for tag in _PLACES for value in record.get(tag, ())),
        doi=next(filter(None, (doi_in(v) for tag in _DOIS for v in record.get(tag, ()))), ""),
        key=first(_KEYS),
        line=line,
    )
    if entry.counts:
        entries.append(entry)
    else:
        odd.append(Odd(line, "an entry has no title and no arXiv id"))
