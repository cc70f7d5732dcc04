"""Broken YAML in people's words: what is wrong, where, and how the line would be right.

A line whose correction is plain is corrected for the sake of reading on, so that one missing pair
of quotes does not hide the other mistakes of the file. Nothing is ever written back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from digest.keywords.tokens import FIELDS, OPERATORS
from digest.keywords.words import counted
from digest.subscribers.document import Document, SyntaxProblem, line_starts, place
from digest.subscribers.problems import Problem
from digest.subscribers.quoting import quote

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
_COLON = "a colon with a space behind it ends a name: the text must stand in quotes"
_TAB_WIDTHS = (2, 4, 8, 6, 3, 1)
"""How many blanks a tab may have been meant for, the likeliest first."""
_TABBED = re.compile(r"^ *\t[ \t]*(?=\S)", re.MULTILINE)
_FIELD_APART = re.compile(rf"({'|'.join(FIELDS)}):\s+(?=\S)")


@dataclass(frozen=True, slots=True)
class Reading:
    """A tree of what a text was probably meant to be (None: the rest is unreadable), and what had
    to be guessed.

    The tree is only the file's own where there are no problems. `shifts` says for each line that
    was indented with tabs by how many columns its characters moved.
    """

    document: Document | None
    problems: list[Problem]
    shifts: dict[int, int]
    text: str

    @property
    def above(self) -> Document | None:
        """The tree of what stands above the line from which on nothing can be read."""
        lines = self.text.split("\n")
        try:
            return Document("\n".join(lines[: self.problems[-1].line - 1]))
        except SyntaxProblem:
            return None


def read(text: str, mistakes: Callable[[Document], int]) -> Reading:
    """Read a text as far as it can be. `mistakes` counts those of a tree, to choose between two
    readings.
    """
    problems: list[Problem] = []
    seen: set[int] = set()
    shifts: dict[int, int] = {}
    while True:
        corrected: str | None
        try:
            return Reading(Document(text), problems, shifts, text)
        except SyntaxProblem as fault:
            if not shifts and (tabs := _tabs(text, fault, mistakes)):
                problem, corrected, shifts = tabs
                problems.append(problem)
                if corrected is None:
                    return Reading(None, problems, shifts, text)
                text = corrected
                continue
            problem, corrected = _describe(text, fault)
        if problem.line in seen:
            return Reading(None, problems, shifts, text)
        problems.append(problem)
        seen.add(problem.line)
        if corrected is None or len(seen) > MAX_REPAIRS or len(text) > REPAIRABLE:
            return Reading(None, problems, shifts, text)
        text = corrected


def _tabs(
    text: str, fault: SyntaxProblem, mistakes: Callable[[Document], int]
) -> tuple[Problem, str | None, dict[int, int]] | None:
    """Lines indented with tabs as one problem, the text with blanks for each tab, and what that
    moved.

    All those lines are corrected alike: one by one they would be fitted in where they can stand,
    which may be beside the reader to whom they belong.
    """
    starts = line_starts(text)
    row = place(starts, min(fault.start, len(text)))[0]
    found = {place(starts, match.start())[0]: match for match in _TABBED.finditer(text)}
    if not found or min(found) > row + 1:
        return None
    first, more = min(found), len(found) - 1
    others = f" (and in {counted(more, 'more line')})" if more else ""
    column = text.index("\t", starts[first - 1]) - starts[first - 1] + 1
    message = f"a tab stands here{others}, and YAML is indented with blanks"
    ranks = {}
    for width in _TAB_WIDTHS if len(text) <= REPAIRABLE else ():
        candidate = _untabbed(text, width)
        ranks[width] = (-_first_fault(candidate), _count(candidate, mistakes))
    best = min(ranks, key=lambda width: ranks[width], default=0)
    if not best or -ranks[best][0] <= row:
        return (Problem(first, column, message), None, {}) if row in found else None
    shifts = {line: match[0].count("\t") * (best - 1) for line, match in found.items()}
    suggestion = f"{counted(best, 'blank')} for each tab"
    return Problem(first, column, message, suggestion), _untabbed(text, best), shifts


def _untabbed(text: str, width: int) -> str:
    return _TABBED.sub(lambda match: match[0].replace("\t", " " * width), text)


def _count(text: str, mistakes: Callable[[Document], int]) -> int:
    try:
        return mistakes(Document(text))
    except SyntaxProblem:
        return 0


def _describe(text: str, fault: SyntaxProblem) -> tuple[Problem, str | None]:
    """The problem, and the text with its line corrected where the correction is sure to help."""
    starts = line_starts(text)
    row, column = place(starts, min(fault.start, len(text)))
    start = starts[row - 1]
    line = text[start:].split("\n", 1)[0]
    for guess in _guesses(line, column - 1, fault):
        candidate = text[:start] + guess.line + text[start + len(line) :]
        if _first_fault(candidate) > row:
            return Problem(row, guess.column + 1, guess.message, guess.shown), candidate
    return Problem(row, column, fault.message), None


def _first_fault(text: str) -> float:
    """The first line that cannot be read; infinity where all can."""
    try:
        Document(text)
    except SyntaxProblem as fault:
        return place(line_starts(text), fault.start)[0]
    return float("inf")


@dataclass(frozen=True, slots=True)
class _Guess:
    """A line as it was probably meant, what is wrong with the one there, from which column, and
    what to show.
    """

    line: str
    message: str
    column: int
    shown: str


def _guesses(line: str, column: int, fault: SyntaxProblem) -> Iterator[_Guess]:
    """What the line may have been meant to be, the likeliest first."""
    if fault.written:
        corrected = line[:column] + fault.suggestion + line[column + len(fault.written) :]
        yield _Guess(corrected, fault.message, column, fault.suggestion)
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
            yield (
                _WHOLE if _runs_on(wrong[0]) else _NEEDS_QUOTES,
                value.index(wrong[0]),
                f"[{quoted}]",
            )
    elif _runs_on(value):
        yield _WHOLE, 0, quote(value)
    elif value[0] in "@`%":
        yield _NEEDS_QUOTES, 0, quote(value)
    elif len(value) > 1 and value[0] == value[-1] == '"' and "\\" in value:
        yield _BACKSLASH, column - 1, f"'{value[1:-1]}'"
    elif ": " in value and value[0] not in "\"'[{&*!|>":
        yield _COLON, 0, quote(_closed_up(value))


def _closed_up(value: str) -> str:
    """A query without the blanks behind its fields' colons, so that it can be read; other texts as
    they are.
    """
    field = _FIELD_APART.match(value)
    rest = value[field.end() :] if field else ""
    if (
        field
        and " " in rest
        and re.fullmatch(r"[\w -]+", rest)
        and not set(rest.split()) & set(OPERATORS)
    ):
        return f'{field[1]}:"{rest}"'
    return _FIELD_APART.sub(r"\1:", value)


def _runs_on(value: str) -> bool:
    """Whether a value begins with a quoted part and goes on behind it."""
    match = re.match(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'", value)
    return bool(match and value[match.end() :].strip())


def _split(items: str) -> list[str]:
    """Cut at commas that stand outside quotes."""
    return re.findall(r"(?:\"[^\"]*\"|'[^']*'|[^,\"'])+", items)
