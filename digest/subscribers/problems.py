"""A mistake in the subscribers file: where it stands, what is wrong, and what was probably
meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from digest.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `line` and `column` count from 1; `suggestion` is the corrected text, or
    nothing.

    `span` is what the suggestion stands in for, as positions in the text that was checked, where
    that is known.
    """

    line: int
    column: int
    message: str
    suggestion: str = ""
    span: tuple[int, int] | None = field(default=None, compare=False, repr=False)


class RosterError(ConfigError):
    """All mistakes of a subscribers file at once; its text shows each with its line and a caret."""

    def __init__(self, problems: Iterable[Problem], *, name: str, lines: Sequence[str]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.line, p.column)))
        shown = [_show(problem, name, lines) for problem in self.problems]
        if len(shown) > 1:
            count = f"{len(shown)} mistakes in {name}; nothing was changed"
            shown = [f"{name} is not right:", *shown, count]
        super().__init__("\n".join(shown))


def _show(problem: Problem, name: str, lines: Sequence[str]) -> str:
    """One mistake as compilers write it: place and message, the source line, a caret, a
    suggestion.
    """
    shown = [f"{name}:{problem.line}:{problem.column}: {problem.message}"]
    if problem.line <= len(lines) and lines[problem.line - 1].strip():
        source, caret = excerpt(lines[problem.line - 1], problem.column - 1)
        shown += [f"  {source}", f"  {' ' * caret}^"]
    if problem.suggestion:
        shown.append(f"  did you mean: {problem.suggestion}")
    return "\n".join(shown)


def excerpt(line: str, position: int) -> tuple[str, int]:
    """Cut at most 100 characters around a position, each drawable in one cell, tabs and controls as
    blanks.
    """
    first = max(0, position - 60) if len(line) > 100 else 0
    text = "".join(char if char.isprintable() else " " for char in line[first : first + 100])
    return text.rstrip(), position - first
