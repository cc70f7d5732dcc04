"""BibTeX as real programs write it, read in one pass over the text: entries that are not closed are
named and kept as far as they go.

The grammar is BibTeX's own (btxdoc): braces count, a backslash before one changes nothing; text
between entries is a comment. An unclosed entry ends where a line begins the next one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from digest.libraries.entries import (
    Entry,
    Odd,
    Reading,
    arxiv_id,
    arxiv_id_within,
    doi_in,
    one_line,
)

_HEAD = re.compile(r"@[ \t]*([A-Za-z]+)[ \t\r\n]*([{(])")
# Possessive, so that no run of blanks is looked at again and again.
_KEY = re.compile(r"\s*+([^,{}\"=#\n]*+)(?:,|(?=[})]))")
_NAME = re.compile(r"[\s,]*([^\s={}(),\"#@]+)\s*=\s*")
_BARE = re.compile(r"[^\s,{}()\"#]+")
_BRACES = re.compile(r"[{}]|\n[ \t]*@[A-Za-z]+[ \t]*\{[^\s,{}]*,")
_QUOTED = re.compile(r"[{}\"]|\n[ \t]*@[A-Za-z]+[ \t]*\{[^\s,{}]*,")
_BLANK = re.compile(r"[\s,]*")
_NEXT = re.compile(r"\n[ \t]*@")

# Where an arXiv id may stand besides `eprint`, the surest first.
_PLACES = "arxivid doi url journal volume number note howpublished publisher annote pages".split()


MOST_EXPANDED = 5_000_000
"""At most so many characters come of abbreviations: each can double those before it."""


class _UnclosedError(Exception):
    """A value that does not end; what of it was read, and where reading can go on."""

    def __init__(self, text: str, place: int) -> None:
        super().__init__(text)
        self.text, self.place = text, place


@dataclass(slots=True)
class _Parser:
    text: str
    place: int = 0
    strings: dict[str, str] = field(default_factory=dict)
    found: list[tuple[str, int, dict[str, str]]] = field(default_factory=list)
    odd: list[Odd] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    expanded: int = 0

    def read(self) -> None:
        self.lines = [match.start() for match in re.finditer("\n", self.text)]
        while match := _HEAD.search(self.text, self.place):
            kind = match[1].lower()
            self.place = match.end()
            if kind in ("comment", "preamble"):
                self._skip(match)
            else:
                self._entry(kind, match)

    def line(self, place: int) -> int:
        return bisect_right(self.lines, place - 1) + 1

    def _skip(self, head: re.Match[str]) -> None:
        try:
            self._braced()
        except _UnclosedError as error:
            self.odd.append(Odd(self.line(head.start()), f"@{head[1]} is not closed"))
            self.place = error.place

    def _entry(self, kind: str, head: re.Match[str]) -> None:
        key = ""
        if kind != "string" and (match := _KEY.match(self.text, self.place)):
            key, self.place = match[1].strip(), match.end()
        values: dict[str, str] = {}
        try:
            self._fields(values)
        except _UnclosedError as error:
            line = self.line(head.start())
            called = key or f"an entry (@{kind})"
            self.odd.append(Odd(line, f"{called} is not closed, or {error}"))
            self.place = max(error.place, head.end())
        if kind == "string":
            self.strings |= values
        else:
            self.found.append((key, self.line(head.start()), values))

    def _fields(self, values: dict[str, str]) -> None:
        text = self.text
        while match := _NAME.match(text, self.place):
            self.place = match.end()
            name = match[1].lower()
            try:
                value = self._value()
            except _UnclosedError as error:
                values.setdefault(name, error.text)
                raise _UnclosedError(f"the value of {name} does not end", error.place) from None
            values.setdefault(name, value)
        end = self.place
        self.place = _BLANK.match(text, end).end()  # type: ignore[union-attr]
        if text[self.place : self.place + 1] in ("}", ")"):
            self.place += 1
            return
        after = _NEXT.search(text, end)
        seen = one_line(text[self.place : self.place + 30])
        words = f"stands with {seen!r} where a field is due" if seen else "the file ends in it"
        raise _UnclosedError(words, after.start() if after else len(text))

    def _value(self) -> str:
        parts = []
        while True:
            parts.append(self._part())
            after = _BLANKS.match(self.text, self.place).end()  # type: ignore[union-attr]
            if self.text[after : after + 1] != "#":
                return "".join(parts)
            self.place = _BLANKS.match(self.text, after + 1).end()  # type: ignore[union-attr]

    def _part(self) -> str:
        first = self.text[self.place : self.place + 1]
        if first == "{":
            self.place += 1
            return self._braced()
        if first == '"':
            self.place += 1
            return self._braced(_QUOTED)
        match = _BARE.match(self.text, self.place)
        if match is None:
            return ""
        self.place = match.end()
        value = self.strings.get(match[0].lower(), match[0])
        self.expanded += len(value)
        return value if self.expanded < MOST_EXPANDED else ""

    def _braced(self, ends: re.Pattern[str] = _BRACES) -> str:
        """The text up to the brace, or quotation mark, that ends it."""
        start, depth = self.place, 0
        closing = '"' if ends is _QUOTED else "}"
        for match in ends.finditer(self.text, start):
            sign = match[0]
            if sign == closing and depth == 0:
                self.place = match.end()
                return self.text[start : match.start()]
            if sign[0] == "\n":
                raise _UnclosedError(self.text[start : match.start()], match.start())
            depth += {"{": 1, "}": -1}.get(sign, 0)
        raise _UnclosedError(self.text[start:], len(self.text))


_BLANKS = re.compile(r"\s*")


def read_bibtex(text: str) -> Reading:
    """The entries of a BibTeX file, and what is odd about it."""
    parser = _Parser(text)
    parser.read()
    by_key = {key.casefold(): values for key, _, values in reversed(parser.found) if key}
    entries, odd = [], parser.odd
    for key, line, values in parser.found:
        parent = by_key.get(values.get("crossref", "").casefold(), {})
        entry = _entry_of(key, line, values, parent)
        if entry.counts:
            entries.append(entry)
        else:
            odd.append(Odd(line, f"{key or 'an entry'} has no title and no arXiv id"))
    return Reading(tuple(entries), tuple(sorted(odd, key=lambda one: one.line)))


def _entry_of(key: str, line: int, values: dict[str, str], parent: dict[str, str]) -> Entry:
    title = values.get("title") or parent.get("title") or parent.get("booktitle") or ""
    kind = values.get("archiveprefix") or values.get("eprinttype") or "arxiv"
    eprint = values.get("eprint", "") if kind.strip("{} ").casefold() == "arxiv" else ""
    return Entry(
        title=one_line(title),
        abstract=one_line(values.get("abstract", "")),
        arxiv=arxiv_id(eprint.strip("{} "))
        or arxiv_id(values.get("arxivid", "").strip("{} "))
        or arxiv_id_within(values.get(name, "") for name in _PLACES),
        doi=doi_in(re.sub(r"[{}\\]", "", values.get("doi", ""))),
        key=key,
        line=line,
        tex=True,
    )
