"""Running text with TeX in it: where formulas begin and end, accents, quotes, dashes, links,
citations.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import suppress

from digest.keywords import accents
from digest.rendering.tex import tables
from digest.rendering.tex.atoms import UnreadableError, attach, join
from digest.rendering.tex.formula import CODE, DEEPEST, Formula, closing_braces, linked

LONGEST_FORMULA = 2_000
"""Characters between two dollars; what is farther apart is no formula."""

MOST_SCRIPTS = 3
"""Scripts on one symbol in running text."""

_ANYTHING = re.compile(r"[\\$`~]|--")
_SPECIAL = re.compile(r"\$\$?|[\\{~`]|--+")
# A Windows path, with a drive or a server, is no TeX.
_PATH = re.compile(r"(?<=(?<![A-Za-z0-9])[A-Za-z]:)\\[A-Za-z0-9_.]\S*|\\\\[A-Za-z0-9]\S*")
_DOLLAR = re.compile(r"\\.|\$", re.DOTALL)
_COMMAND = re.compile(r"\\(?:([A-Za-z]+)|(.))", re.DOTALL)
_FENCES = {"(": r"\)", "[": r"\]"}
_SIGNS = re.compile(r"[\\^_={}<>]")
_GROUPS = re.compile(r"\\[A-Za-z]+|\{[^{}]*\}")
_WORD = re.compile(r"(?<![^\s(])[A-Za-z]{3,}(?=[\s,.;:)]|$)")
_BLANKS = re.compile(r"\s*")
_OPTIONS = re.compile(r"\s*(?:\[[^\[\]{}$]{0,80}\]){0,2}")
_BRACED_COMMAND = re.compile(r"\{\s{0,3}\\(?:[A-Za-z]+|['\"`^~=.])")
_COMMAND_BEFORE = re.compile(r"\\[A-Za-z]+\s$")
_QUOTED = re.compile(
    r"(?<![^\W_`])(?:``([^`\n]{0,300}?)(?:''|\")|`([^\s`'][^`']{0,120}(?<!\s))'(?!\w))"
)
_BACKTICKS = re.compile(r"`+")
_ESCAPED_QUOTE = re.compile(r"\\\"(?![A-Za-z{\\])")
# Kirchhoff\'s law, an apostrophe escaped by mistake; a Polish \'s is no word of its own.
_APOSTROPHE = re.compile(r"(?<=[^\W\d_]{5})\\'(?=s [^\W\d_A-Z])")
# A blank behind a sign is as a rule one behind an apostrophe.
_NO_ACCENT = re.compile(r"\\[^A-Za-z]\s")
# arXiv serves \b{eta} and \c{opyright} where \beta and \copyright were meant.
_MISTYPED = re.compile(r"\\([uvHckrdb])\{([A-Za-z]+)\}")
_ESCAPED = re.compile(r"\\([_%#&~$])")
_SMALL = {"textsuperscript": tables.SUPERSCRIPTS, "textsubscript": tables.SUBSCRIPTS}
# A tie between two words; a tilde in an address, or for "about", stays.
_TIE = re.compile(r"(?<=[^\s/~(=])~(?=\S)(?!(?<=[0-9%KMGB]~)\d)")
# An arrow, a line of dashes, a comment of HTML, and an option such as --help.
_NO_DASH = re.compile(r"-{4,}|--+>|(?<=[<!])--|(?<![^ `'\"(\[/\n])--+(?=[^\W_])")


def to_unicode(text: str) -> str:
    """Return the text with its TeX turned into Unicode, in time linear to its length.

    A formula is turned as a whole or stays as a whole, with its dollars; in running text the unit
    is a command with its arguments. The result, turned again, stays as it is: where it would not,
    the text is given back unchanged. No control character is in the result that was not in the
    text.
    """
    if not _ANYTHING.search(text):
        return text
    turned = _Text(text).turned()
    # What was turned can look like TeX anew, as the dollars of \$n\$ do.
    if turned == text or not _ANYTHING.search(turned) or _Text(turned).turned() == turned:
        return turned
    return text


Turned = tuple[str, int]
"""A piece of text as Unicode, and where the source goes on behind it."""


class _Text:
    """One text, with the places where its braces close."""

    def __init__(self, text: str) -> None:
        self.source = text
        self.ends = closing_braces(text)
        self.formula = Formula(text, self.ends, self._range)
        self.has_escaped_quotes = bool(_ESCAPED_QUOTE.search(text))

    def turned(self) -> str:
        return self._range(0, len(self.source), 0)

    def _range(self, start: int, end: int, depth: int) -> str:
        if depth > DEEPEST:
            return self.source[start:end]
        pieces: list[str] = []
        place = start
        while found := _SPECIAL.search(self.source, place, end):
            pieces.append(self.source[place : found.start()])
            piece, place = _READERS[found.group()[0]](self, found, end, depth)
            pieces.append(piece)
        return "".join([*pieces, self.source[place:end]])

    def _dollars(self, found: re.Match[str], end: int, depth: int) -> Turned:
        """Turn a formula between dollars, or leave the dollar where it is money."""
        fence, start = found.group(), found.end()
        # Bounded, or a text of a thousand lone dollars would take time in its square.
        dollars = _DOLLAR.finditer(self.source, start, min(end, start + LONGEST_FORMULA))
        close = next((dollar.start() for dollar in dollars if dollar.group() == "$"), -1)
        if close < 0 or not self.source.startswith(fence, close):
            return fence, start
        after = close + len(fence)
        content = self.source[start:close]
        if is_formula(content, self.source[after : after + 1]):
            return self._formula(found.start(), close, len(fence), depth)
        if fence == "$" or content.strip():
            return fence, start
        return self.source[found.start() : after], after

    def _formula(self, place: int, close: int, fence: int, depth: int) -> Turned:
        """Turn a formula between two fences of `fence` characters, or leave it as it is."""
        after = close + fence
        try:
            return self.formula.line(place + fence, close, depth), after
        except UnreadableError:
            return self.source[place:after], after

    def _command(self, found: re.Match[str], end: int, depth: int) -> Turned:
        place = found.start()
        match = _COMMAND.match(self.source, place, end)
        if not match:
            return "\\", place + 1
        if path := _PATH.match(self.source, place, end):
            return path.group(), path.end()
        if fence := _FENCES.get(match[2]):
            close = self.source.find(fence, place + 2, min(end, place + LONGEST_FORMULA))
            return self._formula(place, close, 2, depth) if close > 0 else (match[0], place + 2)
        if accent := self._accent(place, end):
            return accent
        if match[1]:
            return self._word(match[1], place, end, depth)
        return self._escaped(match[2], place), place + 2

    def _accent(self, place: int, end: int) -> Turned | None:
        """Turn an accent with its letter, where Unicode has the two as one character."""
        if _APOSTROPHE.match(self.source, place, end):
            return "'", place + 2
        is_quote = self.has_escaped_quotes and self.source.startswith('\\"', place)
        if is_quote or _NO_ACCENT.match(self.source, place):
            return None
        found = accents.ACCENT.match(self.source, place, end)
        if found and len(letter := accents.accented(found)) == 1:
            return letter, found.end()
        mistyped = _MISTYPED.match(self.source, place, end)
        if mistyped and (symbol := tables.ORDINARY.get(mistyped[1] + mistyped[2])):
            return symbol, mistyped.end()
        return None

    def _escaped(self, character: str, place: int) -> str:
        if character in tables.ESCAPES:
            return character
        if character in tables.NOTHING:
            return ""
        before = self.source[max(place - 25, 0) : place]
        stray = character.isspace() and (not before or before[-1].isspace())
        if character in tables.SPACES and (not stray or _COMMAND_BEFORE.search(before)):
            return " "
        return "\\" + character

    def _word(self, name: str, start: int, end: int, depth: int) -> Turned:
        """Turn a command of letters; an unknown one stays, with the groups that follow it
        directly.
        """
        place = after = start + 1 + len(name)
        before = self.source[start - 1] if start else " "
        if self.source.startswith("{", place) or before not in "/.\\:":
            if name in _COMMANDS:
                with suppress(UnreadableError):
                    return _COMMANDS[name](self, name, place, end, depth)
            if name.startswith("text") or not (before.isascii() and before.isalpha()):
                with suppress(UnreadableError):
                    return self._symbol(start, end, depth)
        # What an unknown command does with its arguments nobody knows.
        while (close := self.ends.get(after, end)) < end:
            after = close + 1
        return self.source[start:after], after

    def _letter(self, name: str, place: int, end: int, _depth: int) -> Turned:
        after = _after(_BLANKS, self.source, place, end)
        return accents.LETTERS[name], after + 2 * self.source.startswith("{}", after)

    def _declaration(self, _name: str, place: int, end: int, depth: int) -> Turned:
        if place in self.ends and self.ends[place] < end:
            return self._group(place, self.ends[place], depth)
        return "", _after(_BLANKS, self.source, place, end)

    def _character(self, _name: str, place: int, _end: int, _depth: int) -> Turned:
        code = CODE.match(self.source, place)
        if not code or not chr(int(code[1], 16)).isprintable():
            raise UnreadableError
        return chr(int(code[1], 16)), code.end()

    def _citation(self, name: str, place: int, end: int, _depth: int) -> Turned:
        group, close = self._argument(place, end)
        before = self.source[max(place - len(name) - 2, 0) : place - len(name) - 1]
        blank = " " if before.isalnum() else ""
        return f"{blank}[{self.source[group + 1 : close].strip()}]", close + 1

    def _acronym(self, name: str, place: int, end: int, _depth: int) -> Turned:
        group, close = self._argument(place, end)
        return self.source[group + 1 : close].strip() + tables.ACRONYMS[name], close + 1

    def _abbreviation(self, name: str, place: int, end: int, _depth: int) -> Turned:
        text = tables.ABBREVIATIONS[name]
        after = place + 2 * self.source.startswith("{}", place, end)
        if self.source.startswith("{", after, end):
            raise UnreadableError
        # The macro looks ahead, too: a full stop behind it is the one that it ends with.
        return text, after + self.source.startswith(".", after, end)

    def _link(self, name: str, place: int, end: int, depth: int) -> Turned:
        group, close = self._argument(place, end)
        second = self.formula.close(close + 1, end)
        shown, after = self._group(close + 1, second, depth)
        address = self.source[group + 1 : close]
        return linked(shown, address) if name == "href" else shown, after

    def _verbatim(self, name: str, place: int, end: int, _depth: int) -> Turned:
        group, close = self._argument(place, end)
        content = self.source[group + 1 : close]
        letters = _SMALL.get(name)
        if letters is None:
            return "" if name == "color" else _ESCAPED.sub(r"\1", content), close + 1
        if not letters.keys() >= set(content):
            raise UnreadableError
        return "".join(map(letters.__getitem__, content)), close + 1

    def _words(self, name: str, place: int, end: int, depth: int) -> Turned:
        shown, after = self._group(*self._argument(place, end), depth)
        return f" ({shown.strip()})" if name == "footnote" else shown, after

    def _argument(self, place: int, end: int) -> tuple[int, int]:
        """The braces of a command's argument, behind its options."""
        group = _after(_OPTIONS, self.source, place, end)
        return group, self.formula.close(group, end)

    def _group(self, place: int, close: int, depth: int) -> Turned:
        return self._range(place + 1, close, depth + 1), close + 1

    def _symbol(self, start: int, end: int, depth: int) -> Turned:
        """Turn a command of mathematics that stands in running text, with the scripts that follow
        it directly.
        """
        atoms, after = self.formula.command(start, end, depth)
        if not atoms:
            raise UnreadableError
        role = atoms[0].role
        for _ in range(MOST_SCRIPTS):
            if after < end and (mark := self.source[after]) in "^_":
                script, after = self.formula.argument(after + 1, end, depth)
                attach(atoms, mark, script)
        line = join(atoms)
        if not self.source[after - 1].isspace():
            return line, after
        apart = role in ("relation", "binary") and start and not self.source[start - 1].isspace()
        return f" {line} " if apart else f"{line} ", after

    def _braces(self, found: re.Match[str], end: int, depth: int) -> Turned:
        r"""Take the braces off a group that begins with a command, such as {\o} or {\em so}."""
        place = found.start()
        close = self.ends.get(place, end)
        begins = _BRACED_COMMAND.match(self.source, place, end)
        if close >= end or not begins:
            # A group that never ends stays with the command that it begins with.
            return (begins or found).group(), (begins or found).end()
        inner, after = self._group(place, close, depth)
        is_turned = "\\" not in inner and inner != self.source[place + 1 : close]
        return inner if is_turned else f"{{{inner}}}", after

    def _quotes(self, found: re.Match[str], end: int, depth: int) -> Turned:
        quoted = _QUOTED.match(self.source, found.start(), end)
        if not quoted or depth >= DEEPEST:
            after = _after(_BACKTICKS, self.source, found.start())
            return self.source[found.start() : after], after
        inner = self._range(*quoted.span(quoted.lastindex or 1), depth + 1)
        return f"“{inner}”" if quoted.lastindex == 1 else f"‘{inner}’", quoted.end()

    def _tie(self, found: re.Match[str], _end: int, _depth: int) -> Turned:
        return " " if _TIE.match(self.source, found.start()) else "~", found.end()

    def _dash(self, found: re.Match[str], _end: int, _depth: int) -> Turned:
        """Make dashes of -- and ---."""
        dashes = found.group()
        stays = _NO_DASH.match(self.source, found.start())
        return dashes if stays else "–—"[len(dashes) - 2], found.end()


def _after(pattern: re.Pattern[str], text: str, place: int, end: int = sys.maxsize) -> int:
    """Where the text goes on behind what matches at a place."""
    found = pattern.match(text, place, end)
    return found.end() if found else place


_READERS: dict[str, Callable[[_Text, re.Match[str], int, int], Turned]] = {
    "$": _Text._dollars,
    "\\": _Text._command,
    "{": _Text._braces,
    "`": _Text._quotes,
    "~": _Text._tie,
    "-": _Text._dash,
}
"""The method that reads on from a _SPECIAL, by its first character."""
_COMMANDS: dict[str, Callable[[_Text, str, int, int, int], Turned]] = {
    **dict.fromkeys(accents.LETTERS, _Text._letter),
    **dict.fromkeys(tables.DECLARATIONS, _Text._declaration),
    **dict.fromkeys(tables.CITATIONS | tables.REFERENCES, _Text._citation),
    **dict.fromkeys(tables.ACRONYMS, _Text._acronym),
    **dict.fromkeys(tables.ABBREVIATIONS, _Text._abbreviation),
    **dict.fromkeys((*tables.TEXT_WRAPPERS, "footnote"), _Text._words),
    **dict.fromkeys(("url", "nolinkurl", "path", "color", *_SMALL), _Text._verbatim),
    **dict.fromkeys(("href", "hyperlink", "textcolor"), _Text._link),
    "unicode": _Text._character,
}
"""The commands of running text; they raise UnreadableError where their argument is missing."""


def is_formula(content: str, after: str) -> bool:
    """Tell a formula between two dollars from prose between two prices, by what each looks like.

    The dollars of a formula stand close to it, as pandoc demands it (a digit may not follow); where
    they do not, only a sign of TeX or a single token makes it a formula. Prose has bare words.
    """
    inner = content.strip()
    if not inner or "\n\n" in content:
        return False
    single = len(inner.split()) == 1
    if _SIGNS.search(inner):
        return single or len(_WORD.findall(_GROUPS.sub(" \x00 ", inner))) <= 1
    return not after.isdigit() and (single or (inner == content and not _WORD.search(inner)))
