"""Broken YAML in people's words: what is wrong, where, and how the line would be right.

A line whose correction is plain is corrected for the sake of reading on, so that one missing pair of quotes
does not hide the other mistakes of the file. Nothing is ever written back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from digest.roster.document import Document, SyntaxProblem, line_starts, place
from digest.roster.problems import Problem
from digest.roster.quoting import quote

MAX_REPAIRS = 20
REPAIRABLE = 500_000
"""Characters beyond which the text is not read again and again: each time would take seconds."""

_LINE = re.compile(
    r"""(?P<before>\s*(?:-\s+)*(?:(?:"[^"]*"|'[^']*'|[^\s:#'"\[\]{},-][^:#\[\]{},]*):\s+)?)"""
    r"(?P<value>\S.*?)(?P<comment>\s+\#.*|\s*)"
)
_WHOLE = "a value that begins with a quote must stand in quotes as a whole"
_NEEDS_QUOTES = "a value that begins with @, ` or % must stand in quotes"
_BACKSLASH = "a backslash has a meaning in double quotes: use single ones"
_TAB = "a tab stands here, and YAML is indented with blanks"
_COLON = "a colon with a space behind it ends a name: the text must stand in quotes"


def read(text: str) -> tuple[Document | None, list[Problem]]:
    """Read a text; return the tree of what it was probably meant to be, and what had to be guessed.

    The tree is only the file's own where there are no problems; it is None where the rest is unreadable.
    """
    problems: list[Problem] = []
    seen: set[int] = set()
    while True:
        try:
            return Document(text), problems
        except SyntaxProblem as fault:
            problem, corrected = _describe(text, fault)
        if problem.line in seen:
            return None, problems
        problems.append(problem)
        seen.add(problem.line)
        if corrected is None or len(seen) > MAX_REPAIRS or len(text) > REPAIRABLE:
            return None, problems
        text = corrected


def _describe(text: str, fault: SyntaxProblem) -> tuple[Problem, str | None]:
    """The problem, and the text with its line corrected where the correction is sure to help."""
    starts = line_starts(text)
    row, column = place(starts, min(fault.start, len(text)))
    start = starts[row - 1]
    line = text[start:].split("\n", 1)[0]
    above = next((above for above in reversed(text[:start].split("\n")) if above.strip()), "")
    for guess in _guesses(line, column - 1, above, fault):
        candidate = text[:start] + guess.line + text[start + len(line) :]
        if _first_fault(candidate) > row:
            return Problem(row, guess.column + 1, guess.message, guess.shown), candidate
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return Problem(row, line.index("\t") + 1, _TAB), None
    return Problem(row, column, fault.message, fault.suggestion), None


def _first_fault(text: str) -> float:
    """The first line that cannot be read; infinity where all can."""
    try:
        Document(text)
    except SyntaxProblem as fault:
        return place(line_starts(text), fault.start)[0]
    return float("inf")


@dataclass(frozen=True, slots=True)
class _Guess:
    """A line as it was probably meant, what is wrong with the one there, from which column, and what to show."""

    line: str
    message: str
    column: int
    shown: str


def _guesses(line: str, column: int, above: str, fault: SyntaxProblem) -> Iterator[_Guess]:
    """What the line may have been meant to be, the likeliest first."""
    if fault.written:
        corrected = line[:column] + fault.suggestion + line[column + len(fault.written) :]
        yield _Guess(corrected, fault.message, column, fault.suggestion)
        return
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent:
        depth = len(above) - len(above.lstrip())
        for blanks in (depth, depth + 2, depth + 4, max(0, depth - 2), max(0, depth - 4), 0):
            body = " " * blanks + line.lstrip()
            yield _Guess(body, _TAB, indent.index("\t"), f"{body.strip()} (after {blanks} blanks)")
        return
    match = _LINE.fullmatch(line.rstrip("\r"))
    if match and ("bracket" not in fault.message or "[" in line):
        before, value, comment = match["before"], match["value"], match["comment"]
        for message, at, correct in _quotings(value, column - len(before)):
            corrected = before + correct + comment
            yield _Guess(corrected, message, len(before) + at, (before + correct).strip())


def _quotings(value: str, column: int) -> Iterator[tuple[str, int, str]]:
    """What quotes a value lacks: the message, the place in the value, the value in quotes."""
    if value.startswith("[") and value.endswith("]"):
        items = [item.strip() for item in _split(value[1:-1])]
        wrong = [item for item in items if _runs_on(item) or item[:1] in ("@", "`", "%")]
        if wrong:
            quoted = ", ".join(quote(item) if item in wrong else item for item in items)
            yield _WHOLE if _runs_on(wrong[0]) else _NEEDS_QUOTES, value.index(wrong[0]), f"[{quoted}]"
    elif _runs_on(value):
        yield _WHOLE, 0, quote(value)
    elif value[0] in "@`%":
        yield _NEEDS_QUOTES, 0, quote(value)
    elif len(value) > 1 and value[0] == value[-1] == '"' and "\\" in value:
        yield _BACKSLASH, column - 1, f"'{value[1:-1]}'"
    elif ": " in value and value[0] not in "\"'[{&*!|>":
        yield _COLON, 0, quote(value)


def _runs_on(value: str) -> bool:
    """Whether a value begins with a quoted part and goes on behind it."""
    match = re.match(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'", value)
    return bool(match and value[match.end() :].strip())


def _split(items: str) -> list[str]:
    """Cut at commas that stand outside quotes."""
    return re.findall(r"(?:\"[^\"]*\"|'[^']*'|[^,\"'])+", items)
