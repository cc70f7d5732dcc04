"""Running text with TeX in it: where formulas begin and end, accents, quotes, dashes, links,
citations.
"""

from __future__ import annotations

import re
import unicodedata

from digest.keywords import accents
from digest.rendering.tex import tables
from digest.rendering.tex.atoms import UnreadableError
from digest.rendering.tex.formula import CODE, DEEPEST, Formula, closing_braces

LONGEST_FORMULA = 2_000
"""Characters between two dollars; what is farther apart is no formula."""

MOST_SCRIPTS = 3
"""Scripts on one symbol in running text."""

ANYTHING = re.compile(r"[\\$`~]|--")
PATH = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]:\\[A-Za-z0-9_.]\S*|\\\\[A-Za-z0-9]\S*")
"""A Windows path, with a drive or a server."""
SPECIAL = re.compile(PATH.pattern + r"|\$\$|[\\${~`]|-{2,}")
DOLLAR = re.compile(r"\\.|\$", re.DOTALL)
COMMAND = re.compile(r"\\(?:([A-Za-z]+)(\*?)|(.))", re.DOTALL)
SIGNS = re.compile(r"[\\^_={}<>]")
GROUPS = re.compile(r"\\[A-Za-z]+|\{[^{}]*\}")
WORD = re.compile(r"(?<![^\s(])[A-Za-z]{3,}(?=[\s,.;:)]|$)")
OPTIONS = re.compile(r"(?:\[[^\[\]{}$]{0,80}\]){0,2}")
BRACED_COMMAND = re.compile(r"\{\s{0,3}\\(?:[A-Za-z]+|['\"`^~=.])")
COMMAND_BEFORE = re.compile(r"\\[A-Za-z]+\s$")
QUOTED = re.compile(r"``([^`\n]{0,300}?)(?:''|\")|`([^\s`'][^`']{0,120}(?<!\s))'(?!\w)")
ESCAPED_QUOTE = re.compile(r"\\\"(?![A-Za-z{\\])")


def to_unicode(text: str) -> str:
    """Return the text with its TeX turned into Unicode, in time linear to its length.

    A formula is turned as a whole or stays as a whole, with its dollars; in running text the unit
    is a command with its arguments. The result, turned again, stays as it is: where it would not,
    the text is given back unchanged. No control character is in the result that was not in the
    text.
    """
    if not ANYTHING.search(text):
        return text
    turned = _Text(text).turn()
    if turned == text or not ANYTHING.search(turned) or _Text(turned).turn() == turned:
        return turned
    return text


class _Text:
    """One text, with the places where its braces close."""

    def __init__(self, text: str) -> None:
        self.source = text
        self.ends = closing_braces(text)
        self.formula = Formula(text, self.ends, self._range)
        self.without_close: set[str] = set()
        self.quotes_escaped = bool(ESCAPED_QUOTE.search(text))

    def turn(self) -> str:
        return self._range(0, len(self.source), 0)

    def _range(self, start: int, end: int, depth: int) -> str:
        if depth > DEEPEST:
            return self.source[start:end]
        pieces: list[str] = []
        place = start
        while found := SPECIAL.search(self.source, place, end):
            pieces.append(self.source[place : found.start()])
            piece, place = self._special(found, end, depth)
            pieces.append(piece)
        pieces.append(self.source[place:end])
        return "".join(pieces)

    def _special(self, found: re.Match[str], end: int, depth: int) -> tuple[str, int]:
        special, place = found.group(), found.start()
        if len(special) > 2 and "\\" in special:
            return special, found.end()
        if special in ("$", "$$"):
            return self._dollars(place, end, special)
        if special == "\\":
            return self._command(place, end, depth)
        if special == "{":
            return self._braces(place, end, depth)
        if special == "`":
            return self._quotes(place, end, depth)
        if special == "~":
            return self._tie(place), found.end()
        return self._dash(special, place), found.end()

    def _dollars(self, place: int, end: int, fence: str) -> tuple[str, int]:
        """Turn a formula between dollars, or leave the dollar where it is money."""
        start = place + len(fence)
        limit = min(end, start + LONGEST_FORMULA)
        close = next(
            (m.start() for m in DOLLAR.finditer(self.source, start, limit) if m.group() == "$"), -1
        )
        if close < 0 or not self.source.startswith(fence, close):
            return fence, start
        after = close + len(fence)
        content = self.source[start:close]
        if not is_formula(content, self.source[after : after + 1]):
            return (
                (fence, start)
                if fence == "$" or content.strip()
                else (self.source[place:after], after)
            )
        return self._formula(place, start, close, after)

    def _formula(self, place: int, start: int, close: int, after: int) -> tuple[str, int]:
        try:
            line = self.formula.line(start, close)
        except UnreadableError:
            return self.source[place:after], after
        return line, after

    def _command(self, place: int, end: int, depth: int) -> tuple[str, int]:
        match = COMMAND.match(self.source, place, end)
        if not match:
            return "\\", place + 1
        word, character = match.group(1), match.group(3)
        if character in ("(", "["):
            return self._fenced(place, end, {"(": "\\)", "[": "\\]"}[character])
        if (accented := self._accent(match, end)) is not None:
            return accented
        if character is not None:
            return self._escape(character, match)
        return self._word(word, match.end(1), place, end, depth)

    def _fenced(self, place: int, end: int, fence: str) -> tuple[str, int]:
        close = -1 if fence in self.without_close else self.source.find(fence, place + 2, end)
        if close < 0 or close - place > LONGEST_FORMULA:
            if close < 0:
                self.without_close.add(fence)
            return self.source[place : place + 2], place + 2
        return self._formula(place, place + 2, close, close + 2)

    def _escape(self, character: str, match: re.Match[str]) -> tuple[str, int]:
        if character in tables.ESCAPES:
            return character, match.end()
        if character in tables.SPACES:
            before = self.source[max(match.start() - 25, 0) : match.start()]
            stray = (
                character.isspace()
                and (not before or before[-1].isspace())
                and not COMMAND_BEFORE.search(before)
            )
            return match.group() if stray else " ", match.end()
        if character in tables.NOTHING:
            return "", match.end()
        return match.group(), match.end()

    def _accent(self, match: re.Match[str], end: int) -> tuple[str, int] | None:
        """Turn an accent with its letter, where Unicode has the two as one character."""
        name = match.group(1) or match.group(3)
        place = match.end(1) if match.group(1) else match.end()
        if name not in accents.ACCENTS or (name == '"' and self.quotes_escaped):
            return None
        if name == "'" and self._is_apostrophe(match.start()):
            return "'", place
        if match.group(1):
            while place < end and self.source[place] == " ":
                place += 1
        letter, after = self._accented_letter(place, end)
        both = unicodedata.normalize(
            "NFC", letter.replace("ı", "i").replace("ȷ", "j") + accents.ACCENTS[name]
        )
        if letter and len(both) == 1:
            return both, after
        # arXiv serves \\b{eta} and \\c{opyright} where \\beta and \\copyright were meant.
        symbol = (
            tables.ORDINARY.get(name + self.source[place + 1 : after - 1])
            if self.source.startswith("{", place)
            else None
        )
        return (symbol, after) if symbol else None

    def _accented_letter(self, place: int, end: int) -> tuple[str, int]:
        """Return the letter at a place, in braces or not, and where it ends; nothing where there is
        none.
        """
        if self.source.startswith("{", place) and (close := self.ends.get(place, end)) < end:
            inner = self.source[place + 1 : close].strip() if close - place < 12 else ""
            letter = (
                inner
                if len(inner) == 1
                else accents.LETTERS.get(inner[1:], "")
                if inner[:1] == "\\"
                else ""
            )
            if inner[:1] == "{" or (inner[:1] == "\\" and not letter):
                # An accent on an accented letter, as in \^{\'e}.
                letter = unicodedata.normalize("NFC", self._range(place + 1, close, DEEPEST)).strip(
                    "{}"
                )
            return (letter if len(letter) == 1 and letter.isalpha() else ""), close + 1
        if (
            self.source.startswith(("\\i", "\\j"), place)
            and not self.source[place + 2 : place + 3].isalpha()
        ):
            after = place + 2
            return self.source[place + 1], after + self.source.startswith(" ", after)
        letter = self.source[place : place + 1] if place < end else ""
        return (letter, place + 1) if letter.isalpha() else ("", place)

    def _is_apostrophe(self, place: int) -> bool:
        r"""Tell Kirchhoff\'s law, an apostrophe escaped by mistake, from a Polish \'s."""
        before, after = self.source[max(place - 5, 0) : place], self.source[place + 2 : place + 5]
        return len(before) == 5 and before.isalpha() and after[:2] == "s " and after[2:].islower()

    def _word(self, name: str, place: int, start: int, end: int, depth: int) -> tuple[str, int]:
        """Turn a command of letters; an unknown one stays, with the groups that follow it
        directly.
        """
        inside_word = start > 0 and self.source[start - 1] in "/.\\:"
        letter_before = (
            start > 0 and self.source[start - 1].isascii() and self.source[start - 1].isalpha()
        )
        if self.source.startswith("{", place) or not inside_word:
            turned = self._text_command(name, place, end, depth)
            if turned is None and (not letter_before or name.startswith("text")):
                turned = self._symbol(start, end, depth)
            if turned is not None:
                return turned
        after = place
        while (close := self.ends.get(after, end)) < end:
            after = close + 1
        return self.source[start:after], after

    def _text_command(self, name: str, place: int, end: int, depth: int) -> tuple[str, int] | None:
        if name in accents.LETTERS or name in tables.DECLARATIONS:
            after = place
            while after < end and self.source[after].isspace():
                after += 1
            if name in accents.LETTERS:
                return accents.LETTERS[name], after + 2 * self.source.startswith("{}", after)
            group = self.ends.get(place, end)
            return (
                ("", after)
                if group >= end
                else (self._range(place + 1, group, depth + 1), group + 1)
            )
        if name == "unicode" and (code := CODE.match(self.source, place)):
            character = chr(int(code.group(1), 16))
            return (character, code.end()) if character.isprintable() else None
        options = OPTIONS.match(self.source, place, end)
        group = options.end() if options else place
        close = self.ends.get(group, end)
        if close >= end:
            return None
        return self._one_argument(name, group + 1, close, end, depth)

    def _one_argument(
        self, name: str, start: int, close: int, end: int, depth: int
    ) -> tuple[str, int] | None:
        content, after = self.source[start:close], close + 1
        if name in ("url", "nolinkurl", "path"):
            return re.sub(r"\\([_%#&~$])", r"\1", content), after
        if name in ("href", "hyperlink", "textcolor", "color"):
            if name == "color":
                return "", after
            second = self.ends.get(after, end)
            if second >= end:
                return None
            shown = self._range(after + 1, second, depth + 1)
            told = name != "href" or content.strip() in (shown, f"mailto:{shown}")
            return shown if told else f"{shown} ({content.strip()})", second + 1
        if name in tables.CITATIONS:
            beside_word = self.source[start - len(name) - 3 : start - len(name) - 2].isalnum()
            return f"{' ' if beside_word else ''}[{content.strip()}]", after
        if name == "footnote":
            return f" ({self._range(start, close, depth + 1).strip()})", after
        if name in ("textsuperscript", "textsubscript"):
            table = tables.SUPERSCRIPTS if name == "textsuperscript" else tables.SUBSCRIPTS
            small = "".join(table.get(character, "") for character in content)
            return (small, after) if len(small) == len(content) else None
        if name in tables.TEXT_WRAPPERS:
            return self._range(start, close, depth + 1), after
        return None

    def _symbol(self, start: int, end: int, depth: int) -> tuple[str, int] | None:
        """Turn a command of mathematics that stands in running text, with the scripts that follow
        it directly.
        """
        try:
            atoms, after = self.formula.command(start, end, depth)
            if not atoms:
                return None
            for _ in range(MOST_SCRIPTS):
                if after < end and self.source[after] in "^_":
                    after = self.formula.argument(after + 1, end, depth)[1]
            line = self.formula.line(start, after, depth)
        except UnreadableError:
            return None
        if not self.source[after - 1].isspace():
            return line, after
        apart = (
            atoms[0].role in ("relation", "binary")
            and start
            and not self.source[start - 1].isspace()
        )
        return f" {line} " if apart else f"{line} ", after

    def _braces(self, place: int, end: int, depth: int) -> tuple[str, int]:
        r"""Take the braces off a group that begins with a command, such as {\o} or {\em so}."""
        close = self.ends.get(place, end)
        begins = BRACED_COMMAND.match(self.source, place, end)
        if close >= end or not begins:
            # A group that never ends stays with the command that it begins with.
            return (begins.group(), begins.end()) if begins else ("{", place + 1)
        inner = self._range(place + 1, close, depth + 1)
        turned = "\\" not in inner and inner != self.source[place + 1 : close]
        return inner if turned else f"{{{inner}}}", close + 1

    def _quotes(self, place: int, end: int, depth: int) -> tuple[str, int]:
        quoted = QUOTED.match(self.source, place, end)
        before = self.source[max(place - 1, 0) : place]
        if not quoted or depth >= DEEPEST or before.isalnum() or before == "`":
            after = place
            while after < end and self.source[after] == "`":
                after += 1
            return self.source[place:after], after
        group = 1 if quoted.group(1) is not None else 2
        inner = self._range(quoted.start(group), quoted.end(group), depth + 1)
        return (f"“{inner}”" if group == 1 else f"‘{inner}’"), quoted.end()

    def _tie(self, place: int) -> str:
        """Make a space of a tie between words; a tilde in an address, or for "about", stays."""
        before, after = self.source[max(place - 1, 0) : place], self.source[place + 1 : place + 2]
        if not before or not after or after.isspace() or before.isspace() or before in "/~(=":
            return "~"
        return "~" if before[-1] in "0123456789%KMGB" and after.isdigit() else " "

    def _dash(self, token: str, place: int) -> str:
        """Make dashes of -- and ---; an option such as --help, and a line of them, stay."""
        after = self.source[place + len(token) : place + len(token) + 1]
        before = self.source[max(place - 1, 0) : place]
        option = (not before or before in " `'\"([/\n") and after.isalnum()
        return (
            token
            if len(token) > 3 or option or after == ">" or before in ("<", "!")
            else "–—"[len(token) - 2]
        )


def is_formula(content: str, after: str) -> bool:
    """Tell a formula between two dollars from prose between two prices, by what each looks like.

    The dollars of a formula stand close to it, as pandoc demands it (a digit may not follow); where
    they do not, only a sign of TeX or a single token makes it a formula. Prose has bare words.
    """
    inner = content.strip()
    if not inner or "\n\n" in content:
        return False
    has_signs = bool(SIGNS.search(inner))
    if after.isdigit() and not has_signs:
        return False
    if inner != content and not has_signs and len(inner.split()) > 1:
        return False
    words = WORD.findall(GROUPS.sub(" \x00 ", inner) if has_signs else inner)
    many = len(inner.split()) > 1
    return not (many and len(words) > (1 if has_signs else 0))
