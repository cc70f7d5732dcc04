"""A mistake in the subscribers file: where it stands, what is wrong, and what was probably
meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from digest.errors import ConfigError, one_line

_URL = re.compile(
    r"(\b[a-z][a-z0-9+-]*://)(?!(?:www\.)?(?:github\.com|arxiv\.org))([^\s\"',}]+)", re.I
)
_TOKENS = (
    re.compile(r"\b((?:webhook|apprise|secret)[\"']?\s*:\s*[\"']?)(?!\$)([^\s\"']+)"),
    _URL,
    re.compile(r"(\bwhsec_)([^\s\"',}]+)"),
    re.compile(r"(\b)((?=\S*[0-9])(?=\S*[A-Z])[A-Za-z0-9+/]{32,}={0,2})"),
)
"""What stands behind a name that holds a token; any URL, and what looks like a secret: these may
stand behind a wrong name."""


class Entry(NamedTuple):
    """The entry that a mistake spoils: a keyword or group by its name, a reader by its number from
    1.

    Without a section it is the file as a whole, without a name the section as a whole.
    """

    section: str = ""
    name: str | int = ""

    @property
    def key(self) -> tuple[str, str]:
        """Equal for what is one entry to the file: case, blanks and a + make no difference."""
        return self.section, one_line(str(self.name)).casefold().lstrip("+ ")

    def part(self, name: str) -> Entry:
        """The entry of a name that stands in this one: a section has a part for each."""
        return Entry(self.section, name) if self.section and self.name == "" else self


WHOLE_FILE = Entry()


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `line` and `column` count from 1; `suggestion` is the corrected text, or
    nothing; `entry` is the part of the file to which it belongs.
    """

    line: int
    column: int
    message: str
    suggestion: str = ""
    entry: Entry = WHOLE_FILE


class SubscribersFileError(ConfigError):
    """All mistakes of a subscribers file at once; its text shows each with its line and a caret."""

    def __init__(self, problems: Iterable[Problem], *, name: str, lines: Sequence[str]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.line, p.column)))
        super().__init__(listed([_show(problem, name, lines) for problem in self.problems], name))


def listed(mistakes: Sequence[str], name: str) -> str:
    """One mistake of a file as it is, several with a heading and their number."""
    if len(mistakes) == 1:
        return mistakes[0]
    count = f"{len(mistakes)} mistakes in {name}; nothing was changed"
    return "\n".join([f"{name} is not right:", *mistakes, count])


def _show(problem: Problem, name: str, lines: Sequence[str]) -> str:
    """One mistake as compilers write it: place and message, the source line, a caret, a
    suggestion.
    """
    shown = [f"{name}:{problem.line}:{problem.column}: {problem.message}"]
    if problem.line <= len(lines) and lines[problem.line - 1].strip():
        source, caret = excerpt(concealed(lines[problem.line - 1]), problem.column - 1)
        shown += [f"  {source}", f"  {' ' * caret}^"]
    if problem.suggestion:
        shown.append(f"  did you mean: {problem.suggestion}")
    return "\n".join(shown)


def concealed(line: str) -> str:
    """A line of the file without what may be a token: the same length, so that carets stay."""
    for pattern in _TOKENS:
        line = _hidden(pattern, line)
    return line


def without_urls(text: str) -> str:
    """A text without what stands in its URLs."""
    return _hidden(_URL, text)


def _hidden(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: found[1] + "*" * len(found[2]), text)


def excerpt(line: str, position: int) -> tuple[str, int]:
    """Cut at most 100 characters around a position, each drawable in one cell, tabs and controls as
    blanks. Returns them with the position in them.
    """
    first = max(0, position - 60) if len(line) > 100 else 0
    text = "".join(char if char.isprintable() else " " for char in line[first : first + 100])
    return text.rstrip(), position - first
