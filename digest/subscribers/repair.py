"""Broken YAML in people's words: what is wrong, where, and how the line would be right.

A line whose correction is plain is corrected for the sake of reading on, so that one missing pair
of quotes does not hide the other mistakes of the file. Nothing is ever written back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf

from digest.keywords.tokens import FIELDS, OPERATORS
from digest.keywords.words import counted
from digest.subscribers.document import BACKSLASH, Document, YamlError, line_starts, place
from digest.subscribers.problems import Problem
from digest.subscribers.quoting import quote

MAX_REPAIRS = 20
# Characters beyond which only one line is corrected: to read the text again takes seconds.
REPAIRABLE = 500_000
_COLON = "a colon with a space behind it ends a name: the text must stand in quotes"
# The numbers of blanks that a tab may stand for, the likeliest first.
TAB_WIDTHS = (2, 4, 8, 6, 3, 1)

_LINE = re.compile(
    r"""(?P<before>\s*(?:-\s+)*(?:(?:"[^"]*"|'[^']*'|[^\s:#'"\[\]{},-][^:#\[\]{},]*):\s+)?)"""
    r"(?P<value>\S.*?)(?P<comment>\s+\#.*|\s*)"
)
_RUNS_ON = re.compile(r"(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*')\s*\S.*", re.DOTALL)
_TABBED = re.compile(r"^ *\t[ \t]*(?=\S)", re.MULTILINE)
_FIELD_APART = re.compile(rf"({'|'.join(FIELDS)}):\s+(?=\S)")


@dataclass(frozen=True, slots=True)
class Mended:
    """A tree of what a text was probably meant to be, and what is wrong with its YAML.

    `end` is the line from which on nothing can be read; the tree is of what stands above it, None
    where even that cannot be read.
    """

    document: Document | None
    faults: list[Problem]
    end: float = inf


def read(text: str) -> Mended:
    """Read a text as far as it can be: a line whose correction is plain is read as corrected."""
    faults: list[Problem] = []
    as_found = Problem(0, 0, "")
    allowed = MAX_REPAIRS if len(text) <= REPAIRABLE else 1
    while True:
        try:
            return Mended(Document(text), faults)
        except YamlError as error:
            row, column = place(line_starts(text), min(error.start, len(text)))
            if faults and row <= faults[-1].line:
                # The correction did not help: the fault is shown as it was found.
                faults[-1] = as_found
                break
            as_found = Problem(row, column, error.message)
            lines = text.split("\n")
            guess = _guess(row, lines[row - 1], column - 1, error)
            if guess is None or len(faults) == allowed:
                faults.append(as_found)
                break
            problem, lines[row - 1] = guess
            faults.append(problem)
            text = "\n".join(lines)
    end = faults[-1].line
    try:
        return Mended(Document("\n".join(text.split("\n")[: end - 1])), faults, end)
    except YamlError:
        return Mended(None, faults, end)


@dataclass(frozen=True, slots=True)
class Tabs:
    """The lines of a text that are indented with tabs, as one mistake of the first of them.

    `lines` says how many tabs each has.
    """

    text: str
    lines: dict[int, int]
    problem: Problem

    def replaced(self, width: int) -> str:
        """The text with each of those tabs replaced by `width` blanks."""
        return _TABBED.sub(lambda match: match[0].replace("\t", " " * width), self.text)

    def proposed(self, width: int) -> Problem:
        """The mistake with the blanks that are probably meant."""
        return replace(self.problem, suggestion=f"{counted(width, 'blank')} for each tab")

    def moved_back(self, problems: Iterable[Problem], width: int) -> list[Problem]:
        """Mistakes found in the text with blanks, at their columns in the text with tabs."""
        moved = ((p, self.lines.get(p.line, 0) * (width - 1)) for p in problems)
        return [replace(p, column=max(1, p.column - shift)) for p, shift in moved]


def tabs(text: str, row: float) -> Tabs | None:
    """The tabs that may be why a text cannot be read on from a line; None where there are none."""
    starts = line_starts(text)
    lines = {place(starts, m.start())[0]: m[0].count("\t") for m in _TABBED.finditer(text)}
    if not lines or min(lines) > row + 1:
        return None
    first, more = min(lines), len(lines) - 1
    others = f" (and in {counted(more, 'more line')})" if more else ""
    message = f"a tab stands here{others}, and YAML is indented with blanks"
    column = text.index("\t", starts[first - 1]) - starts[first - 1] + 1
    return Tabs(text, lines, Problem(first, column, message))


def _guess(row: int, line: str, column: int, error: YamlError) -> tuple[Problem, str] | None:
    """What is wrong with a line that cannot be read from a column (of 0) on, and the line as it was
    probably meant; None where that is not plain.
    """
    if error.written:
        corrected = line[:column] + error.suggestion + line[column + len(error.written) :]
        return Problem(row, column + 1, error.message, error.suggestion), corrected
    match = _LINE.fullmatch(line.rstrip("\r"))
    if match is None or ("bracket" in error.message and "[" not in line):
        return None
    before, value, comment = match.groups()
    message, at, quoted = _in_quotes(value, column - len(before))
    problem = Problem(row, len(before) + at + 1, message, (before + quoted).strip())
    return (problem, before + quoted + comment) if quoted else None


def _in_quotes(value: str, column: int) -> tuple[str, int, str]:
    """What quotes a value lacks: the message, the place in the value, the value in quotes; nothing
    where it lacks none.
    """
    if value.startswith("[") and value.endswith("]"):
        return _items_in_quotes(value)
    if message := _lacks_quotes(value):
        return message, 0, quote(value)
    if re.fullmatch(r'".*\\.*"', value):
        return BACKSLASH, column - 1, f"'{value[1:-1]}'"
    if ": " in value and value[0] not in "\"'[{&*!|>":
        return _COLON, 0, quote(_closed_up(value))
    return "", 0, ""


def _items_in_quotes(value: str) -> tuple[str, int, str]:
    # Cut at commas that stand outside quotes.
    items = [i.strip() for i in re.findall(r"(?:\"[^\"]*\"|'[^']*'|[^,\"'])+", value[1:-1])]
    wrong = [item for item in items if _lacks_quotes(item)]
    if not wrong:
        return "", 0, ""
    quoted = ", ".join(quote(item) if item in wrong else item for item in items)
    return _lacks_quotes(wrong[0]), value.index(wrong[0]), f"[{quoted}]"


def _lacks_quotes(value: str) -> str:
    """Why a value must stand in quotes, or nothing."""
    if _RUNS_ON.fullmatch(value):
        return "a value that begins with a quote must stand in quotes as a whole"
    if value.startswith(("@", "`", "%")):
        return "a value that begins with @, ` or % must stand in quotes"
    return ""


def _closed_up(value: str) -> str:
    """A query without the blanks behind its fields' colons, so that it can be read; other texts as
    they are.
    """
    field = _FIELD_APART.match(value)
    rest = value[field.end() :] if field else ""
    words = rest.split()
    if field and len(words) > 1 and re.fullmatch(r"[\w -]+", rest) and not {*words} & {*OPERATORS}:
        return f'{field[1]}:"{rest}"'
    return _FIELD_APART.sub(r"\1:", value)
