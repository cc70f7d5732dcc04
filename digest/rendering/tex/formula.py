r"""One formula to a line of Unicode, or not at all: what holds a single command nobody knows is
`Unreadable`.

A formula becomes a list of atoms, each with its role; the roles decide the spaces between them,
much as in TeX.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from digest.rendering.tex import tables
from digest.rendering.tex.atoms import (
    SPACE,
    Atom,
    UnreadableError,
    accented,
    attach,
    choose,
    fraction,
    group,
    in_alphabet,
    join,
    negated,
    prime,
    root,
    single,
    symbol,
    word,
)

DEEPEST = 12
"""Nesting that is followed; what is deeper stays as it is."""
COMMAND = re.compile(r"\\([A-Za-z]+\*?|.|$)", re.DOTALL)
INFIX = re.compile(r"\\(over|choose)(?![A-Za-z])")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
LETTERS_AHEAD = re.compile(r"\s*([A-Za-z]+)")
CODE = re.compile(r"\{x?([0-9A-Fa-f]{2,5})\}")
OPTION = re.compile(r"\s*\[([^\[\]{}$]{0,40})\]")


def closing_braces(text: str) -> dict[int, int]:
    """Return where each brace that opens is closed; escaped and unmatched ones are not in it."""
    ends: dict[int, int] = {}
    open_ones: list[int] = []
    for found in re.finditer(r"\\.|[{}]", text, re.DOTALL):
        if found.group() == "{":
            open_ones.append(found.start())
        elif found.group() == "}" and open_ones:
            ends[open_ones.pop()] = found.start()
    return ends


class Formula:
    r"""Reads the formula that stands in a text between two places.

    `to_text` turns the argument of a command like \text; it is given the two places and the depth.
    """

    def __init__(
        self, text: str, ends: dict[int, int], to_text: Callable[[int, int, int], str]
    ) -> None:
        self.text = text
        self.ends = ends
        self.to_text = to_text

    def line(self, start: int, end: int, depth: int = 0) -> str:
        """Return the whole formula, or raise UnreadableError."""
        return join(self.atoms(start, end, depth))

    def atoms(self, start: int, end: int, depth: int) -> list[Atom]:
        """Read up to `end`."""
        if depth > DEEPEST:
            raise UnreadableError
        found: list[Atom] = []
        place = start
        while place < end:
            character = self.text[place]
            if character in "^_":
                script, place = self.argument(place + 1, end, depth)
                attach(found, character, script)
            elif character == "'":
                prime(found)
                place += 1
            elif infix := INFIX.match(self.text, place, end):
                below = self.atoms(infix.end(), end, depth + 1)
                return [
                    fraction(found, below) if infix.group(1) == "over" else choose(found, below)
                ]
            else:
                atoms, place = self.unit(place, end, depth)
                found += atoms
        return found

    def unit(self, place: int, end: int, depth: int) -> tuple[list[Atom], int]:
        """Read one character, number, group or command with its arguments."""
        character = self.text[place]
        if character == "\\":
            return self.command(place, end, depth)
        if character == "{":
            close = self.ends.get(place, end)
            if close >= end:
                raise UnreadableError
            return [group(self.atoms(place + 1, close, depth + 1))], close + 1
        if character in "}$&":
            raise UnreadableError
        if number := NUMBER.match(self.text, place, end):
            return [Atom(number.group(), "ordinary", plain=True)], number.end()
        return [single(character)], place + 1

    def argument(self, place: int, end: int, depth: int) -> tuple[list[Atom], int]:
        """Read what a command or a script takes: a group, or the next character or command."""
        if depth > DEEPEST:
            raise UnreadableError
        while place < end and self.text[place].isspace():
            place += 1
        if place >= end or self.text[place] in "^_'":
            raise UnreadableError
        if self.text[place] == "{":
            close = self.ends.get(place, end)
            if close >= end:
                raise UnreadableError
            return self.atoms(place + 1, close, depth + 1), close + 1
        if self.text[place] != "\\":
            return [single(self.text[place])], place + 1
        return self.command(place, end, depth + 1)

    def command(self, place: int, end: int, depth: int) -> tuple[list[Atom], int]:
        """Read a command with its arguments; the spaces behind its name are part of it."""
        match = COMMAND.match(self.text, place, end)
        if not match:
            raise UnreadableError
        name, place = match.group(1), match.end()
        if name.endswith("*") and name not in ("operatorname*",):
            name, place = name[:-1], place - 1
        if name[:1].isalpha():
            while place < end and self.text[place].isspace():
                place += 1
        if (atoms := symbol(name)) is not None:
            return atoms, place
        if name in tables.SIZES:
            return self._delimiter(place, end, depth)
        if (
            name == "unicode"
            and (code := CODE.match(self.text, place))
            and chr(int(code.group(1), 16)).isprintable()
        ):
            return [single(chr(int(code.group(1), 16)))], code.end()
        return self._with_arguments(name, place, end, depth, match.start())

    def _delimiter(self, place: int, end: int, depth: int) -> tuple[list[Atom], int]:
        if self.text.startswith(".", place):
            return [], place + 1
        if place >= end:
            return [], place
        atoms, after = self.unit(place, end, depth)
        return atoms, after

    def _with_arguments(
        self, name: str, place: int, end: int, depth: int, start: int
    ) -> tuple[list[Atom], int]:
        if name in ("color", "textcolor"):
            place = self._skip(place, end)
            return ([], place) if name == "color" else self.argument(place, end, depth)
        if name in tables.TEXT_WRAPPERS and self.text.startswith("{", place):
            return self._words(name, place, end)
        if name in tables.BIG_O:
            atoms, after = (
                self.unit(place, end, depth) if self.text.startswith("{", place) else ([], place)
            )
            inner = join(atoms)
            return [Atom(tables.BIG_O[name] + (f"({inner})" if inner else ""), "ordinary")], after
        if name == "href":
            after = self._skip(self._skip(place, end), end)
            return [Atom(self._readable(start, after), "ordinary")], after
        if name == "cal" and (letters := LETTERS_AHEAD.match(self.text, place, end)):
            return [Atom(in_alphabet(letters.group(1), "cal"), "ordinary")], letters.end()
        if name not in tables.TAKING:
            raise UnreadableError
        option = OPTION.match(self.text, place, end) if name == "sqrt" else None
        atoms, place = self.argument(option.end() if option else place, end, depth)
        if name in tables.TAKING_TWO:
            second, place = self.argument(place, end, depth)
            return _of_two(name, atoms, second), place
        return _of_one(name, atoms, option.group(1) if option else ""), place

    def _words(self, name: str, place: int, end: int) -> tuple[list[Atom], int]:
        close = self.ends.get(place, end)
        if close >= end:
            raise UnreadableError
        text = self._readable(place + 1, close)
        inner = text.strip()
        role = (
            "function"
            if name in tables.WORDS and len(inner) > 1 and inner[:1].isalpha()
            else "ordinary"
        )
        around = (
            [SPACE] if text[:1].isspace() else [],
            [SPACE] if text[-1:].isspace() and inner else [],
        )
        return [*around[0], *([Atom(inner, role)] if inner else []), *around[1]], close + 1

    def _readable(self, start: int, end: int) -> str:
        text = self.to_text(start, end, 1)
        if re.search(r"[\\$]", text):
            raise UnreadableError
        return text

    def _skip(self, place: int, end: int) -> int:
        close = self.ends.get(place, end)
        if close >= end:
            raise UnreadableError
        return close + 1


def _of_one(name: str, atoms: list[Atom], option: str) -> list[Atom]:
    if name in tables.ALPHABETS:
        return [group(atoms, in_alphabet(join(atoms), name))]
    if name in tables.MATH_ACCENTS:
        return [accented(name, atoms)]
    if name == "sqrt":
        return [root(atoms, option)]
    if name == "not":
        return [negated(atoms)]
    if name in ("pmod", "mod"):
        words = f"mod {join(atoms)}"
        return [SPACE, Atom(f"({words})" if name == "pmod" else words, "ordinary")]
    return [word(name, atoms)]


def _of_two(name: str, first: list[Atom], second: list[Atom]) -> list[Atom]:
    if name in tables.FRACTIONS:
        return [fraction(first, second)]
    if name.endswith("binom"):
        return [choose(first, second)]
    base = list(second)
    attach(base, "_" if name == "underset" else "^", first)
    return base
