r"""One formula to a line of Unicode, or not at all: a single command that nobody knows makes it
unreadable (`UnreadableError`).

A formula becomes a list of atoms, each with its role; the roles decide the spaces between them,
much as in TeX.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from digest.rendering.tex import tables
from digest.rendering.tex.atoms import (
    SPACE,
    SYMBOLS,
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
    word,
)

DEEPEST = 12
"""Nesting that is followed; what is deeper stays as it is."""
CODE = re.compile(r"\{x?([0-9A-Fa-f]{2,5})\}")
_COMMAND = re.compile(r"\\(?:(operatorname\*|[A-Za-z]+)\s*|(.?))", re.DOTALL)
_INFIX = re.compile(r"\\(over|choose)(?![A-Za-z])")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_LETTERS = re.compile(r"[A-Za-z]+")
_OPTION = re.compile(r"\s*\[([^\[\]{}$]{0,40})\]")

Read = tuple[list[Atom], int]
"""The result of reading, and the position where the text goes on."""


def closing_braces(text: str) -> dict[int, int]:
    """Return where each brace that opens is closed; escaped and unmatched ones are not in it."""
    # Found once for the whole text: to search the end of each brace would take time in its square.
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

    `to_text` turns the argument of a command like \text; it is given the two places and the depth,
    which counts through formulas and running text, so that no nesting of the two goes deeper.
    """

    def __init__(
        self, text: str, ends: dict[int, int], to_text: Callable[[int, int, int], str]
    ) -> None:
        self.text = text
        self.ends = ends
        self.to_text = to_text

    def line(self, start: int, end: int, depth: int) -> str:
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
            elif infix := _INFIX.match(self.text, place, end):
                below = self.atoms(infix.end(), end, depth + 1)
                return [fraction(found, below) if infix[1] == "over" else choose(found, below)]
            else:
                atoms, place = self._unit(place, end, depth)
                found += atoms
        return found

    def _unit(self, place: int, end: int, depth: int) -> Read:
        """Read one character, number, group or command with its arguments."""
        character = self.text[place]
        if character == "\\":
            return self.command(place, end, depth)
        if character == "{":
            close = self.close(place, end)
            return [group(self.atoms(place + 1, close, depth + 1))], close + 1
        if character in "}$&":
            raise UnreadableError
        if number := _NUMBER.match(self.text, place, end):
            return [Atom(number.group(), "ordinary", plain=True)], number.end()
        return [single(character)], place + 1

    def argument(self, place: int, end: int, depth: int) -> Read:
        """Read what a command or a script takes: a group, or the next character or command."""
        while place < end and self.text[place].isspace():
            place += 1
        if depth > DEEPEST or place >= end or self.text[place] in "^_'":
            raise UnreadableError
        if self.text[place] == "{":
            close = self.close(place, end)
            return self.atoms(place + 1, close, depth + 1), close + 1
        if self.text[place] == "\\":
            return self.command(place, end, depth + 1)
        return [single(self.text[place])], place + 1

    def close(self, place: int, end: int) -> int:
        """Where the group that begins at a place is closed; it has to be, before `end`."""
        close = self.ends.get(place, end)
        if close >= end:
            raise UnreadableError
        return close

    def command(self, start: int, end: int, depth: int) -> Read:
        """Read a command with its arguments; the spaces behind its name are part of it."""
        match = _COMMAND.match(self.text, start, end)
        if not match:
            raise UnreadableError
        name, place = match[1] or match[2], match.end()
        if name in SYMBOLS:
            return [*SYMBOLS[name]], place
        # \cal is a declaration in old LaTeX: {\cal F}, without braces around its letter.
        if name == "cal" and (letters := _LETTERS.match(self.text, place, end)):
            return [in_alphabet(name, [Atom(letters.group(), "ordinary")])], letters.end()
        if name in _READERS:
            return _READERS[name](self, name, place, end, depth)
        # A formula with a single unknown command stays whole, since half of it could be misread.
        if name not in _OF_ONE and name not in _OF_TWO:
            raise UnreadableError
        first, place = self.argument(place, end, depth)
        if name in _OF_ONE:
            return [_OF_ONE[name](first)], place
        second, place = self.argument(place, end, depth)
        return [_OF_TWO[name](first, second)], place

    def _delimiter(self, _name: str, place: int, end: int, depth: int) -> Read:
        r"""Read what stands behind \left or \big; a full stop is none."""
        if depth > DEEPEST:
            raise UnreadableError
        if self.text.startswith(".", place):
            return [], place + 1
        return self._unit(place, end, depth + 1) if place < end else ([], place)

    def _character(self, _name: str, place: int, _end: int, _depth: int) -> Read:
        code = CODE.match(self.text, place)
        if not code or not chr(int(code[1], 16)).isprintable():
            raise UnreadableError
        return [single(chr(int(code[1], 16)))], code.end()

    def _color(self, name: str, place: int, end: int, depth: int) -> Read:
        place = self.close(place, end) + 1
        return ([], place) if name == "color" else self.argument(place, end, depth)

    def _big_o(self, name: str, place: int, end: int, depth: int) -> Read:
        atoms: list[Atom] = []
        if self.text.startswith("{", place):
            atoms, place = self._unit(place, end, depth)
        inner = join(atoms)
        return [Atom(tables.BIG_O[name] + (f"({inner})" if inner else ""), "ordinary")], place

    def _link(self, _name: str, place: int, end: int, depth: int) -> Read:
        middle = self.close(place, end)
        close = self.close(middle + 1, end)
        text = self.to_text(middle + 2, close, depth + 1)
        return [_readable(linked(text, self.text[place + 1 : middle]))], close + 1

    def _modulo(self, name: str, place: int, end: int, depth: int) -> Read:
        atoms, place = self.argument(place, end, depth)
        words = f"mod {join(atoms)}"
        return [SPACE, Atom(f"({words})" if name == "pmod" else words, "ordinary")], place

    def _root(self, _name: str, place: int, end: int, depth: int) -> Read:
        option = _OPTION.match(self.text, place, end)
        atoms, place = self.argument(option.end() if option else place, end, depth)
        return [root(atoms, option[1].strip() if option else "")], place

    def _stacked(self, name: str, place: int, end: int, depth: int) -> Read:
        script, place = self.argument(place, end, depth)
        base, place = self.argument(place, end, depth)
        attach(base, "_" if name == "underset" else "^", script)
        return base, place

    def _words(self, name: str, place: int, end: int, depth: int) -> Read:
        if not self.text.startswith("{", place):
            atoms, place = self.argument(place, end, depth)
            return [word(name, atoms)], place
        close = self.close(place, end)
        text = self.to_text(place + 1, close, depth + 1)
        atom = _readable(text.strip())
        if not atom.text:
            return [SPACE] if text else [], close + 1
        if name in tables.WORDS and len(atom.text) > 1 and atom.text[0].isalpha():
            atom = replace(atom, role="function")
        before = [SPACE] if text[0].isspace() else []
        after = [SPACE] if text[-1].isspace() else []
        return [*before, atom, *after], close + 1


def _readable(text: str) -> Atom:
    """Make one atom of running text, or raise UnreadableError where some TeX is left in it."""
    if re.search(r"[\\$]", text):
        raise UnreadableError
    return Atom(text, "ordinary")


def linked(text: str, address: str) -> str:
    """Write a link in a line: its text, with the address where the text does not say it."""
    address = address.strip()
    return text if address in (text, f"mailto:{text}") else f"{text} ({address})"


_READERS: dict[str, Callable[[Formula, str, int, int, int], Read]] = {
    **dict.fromkeys(tables.SIZES, Formula._delimiter),
    **dict.fromkeys(tables.BIG_O, Formula._big_o),
    **dict.fromkeys(tables.TEXT_WRAPPERS, Formula._words),
    **dict.fromkeys(("color", "textcolor"), Formula._color),
    **dict.fromkeys(("mod", "pmod"), Formula._modulo),
    **dict.fromkeys(("overset", "stackrel", "underset"), Formula._stacked),
    "href": Formula._link,
    "sqrt": Formula._root,
    "unicode": Formula._character,
}
"""Commands that read what follows them in a way of their own."""
_OF_ONE: dict[str, Callable[[list[Atom]], Atom]] = {
    **{name: partial(word, name) for name in tables.MATH_WRAPPERS},
    **{name: partial(in_alphabet, name) for name in tables.ALPHABETS},
    **{name: partial(accented, mark) for name, mark in tables.MATH_ACCENTS.items()},
    "not": negated,
}
_OF_TWO: dict[str, Callable[[list[Atom], list[Atom]], Atom]] = {
    **dict.fromkeys(tables.FRACTIONS, fraction),
    **dict.fromkeys(tables.BINOMIALS, choose),
}
