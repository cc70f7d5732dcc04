"""The atoms of a formula: how each construct is written in one line, and the spaces between
them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from itertools import cycle, zip_longest

from digest.keywords import accents
from digest.rendering.tex import tables

LONGEST_SCRIPT = 5
"""Characters that are set in tiny letters; more are hard to read."""
LONGEST_WORD = 3
"""Letters of a word that is set in tiny letters, such as max."""

ATOM = re.compile(
    r"(?:\w|[\u0300-\u036f\u20d0-\u20ff])+|\d+\.\d+|[^\W\d_]′+|∞|[*†‡⋆…⋯]|\w*[%°]", re.UNICODE
)
NEGATED = {
    "=": "≠",
    "∈": "∉",
    "<": "≮",
    ">": "≯",
    "⊂": "⊄",
    "⊆": "⊈",
    "≡": "≢",
    "∼": "≁",
    "∃": "∄",
    "|": "∤",
    "≈": "≉",
}
_BARS = ("|", "‖")
_SCRIPT_BEARERS = ("function", "large", "open", "close", "relation")
"""Roles that an atom keeps under a script."""
_SCRIPTS = {"^": tables.SUPERSCRIPTS, "_": tables.SUBSCRIPTS}
_SCRIPTED = frozenset(tables.SUPERSCRIPTS.values()) | frozenset(tables.SUBSCRIPTS.values())
_MARKS = frozenset("°′†‡*⋆")
"""Superscripts that are read alike in a line."""


class UnreadableError(Exception):
    """The formula has no form in Unicode that we know of; it stays as it is."""


@dataclass(frozen=True, slots=True)
class Atom:
    """A piece of a formula: its text, its role, and what to write where the bare text could be
    misread.

    `guarded` replaces the text under a script, and beside other letters on the sides that `shy`
    names. `plain` is one that was written as it is, without a command.
    """

    text: str
    role: str
    guarded: str = ""
    shy: str = ""
    plain: bool = False

    @property
    def safe(self) -> str:
        """The form that can carry a script."""
        return self.guarded or self.text


GAP = Atom(" ", "gap")
SPACE = Atom(" ", "space")

SYMBOLS = {
    name: [Atom(text, role)]
    for table, role in (
        # Where two tables know a name, the later one is meant.
        (accents.LETTERS, "ordinary"),
        (tables.ESCAPES, "ordinary"),
        (tables.ARROWS_ALONE, "tight"),
        (tables.TIGHT, "tight"),
        (tables.LARGE, "large"),
        (tables.CLOSING, "close"),
        (tables.OPENING, "open"),
        (tables.FUNCTIONS, "function"),
        (tables.BINARY, "binary"),
        (tables.RELATIONS, "relation"),
        (tables.ORDINARY, "ordinary"),
        ({"{": "{"}, "open"),
        ({"}": "}"}, "close"),
        ({"|": "‖"}, "ordinary"),
    )
    for name, text in table.items()
}
"""The texts for commands without arguments."""
SYMBOLS |= {name: [] for name in tables.NOTHING | tables.DECLARATIONS}
SYMBOLS |= {name: [SPACE] for name in tables.SPACES}

_CHARACTERS = {
    character: Atom(character, role, plain=character in ":|…")
    for characters, role in (
        ("+-−±", "sign"),
        ("=<>", "relation"),
        ("([", "open"),
        (")]", "close"),
        ("/", "tight"),
        (",;", "punctuation"),
        (":|…", "ordinary"),
    )
    for character in characters
} | {"~": SPACE}

# The spaces between two atoms by their roles, after the table in chapter 18 of The TeXbook. `a` is
# always a space, `s` one but in scripts, `g` one where the source has it, `w` one where the source
# has it between what is written as it is, `b` one before a bar, `-` none. The last columns are for
# what ends the formula.
_COLUMNS = """
    ordinary function large open close relation binary sign punctuation tight
    relation. binary. sign.
""".split()
_SPACING = {
    (left, right.rstrip("."), right.endswith(".")): rule
    for left, rules in {
        "ordinary": "w a a w w s s g - - g - -",
        "function": "a a a b w s - g - - g - -",
        "large": "a a a s w s - g - - g - -",
        "open": "w w w w w - - - - - - - -",
        "close": "w a a w w s s g - - g - -",
        "relation": "s s s s s g s s s s g s s",
        "binary": "s s s s s s s s s s g - s",
        "sign": "g g g g g s g g g g g g -",
        "punctuation": "g g g g g s g g g g g g -",
        "tight": "w w w w w s - g - - g - -",
    }.items()
    for right, rule in zip(_COLUMNS, rules.split(), strict=True)
}


def join(atoms: list[Atom], *, compact: bool = False) -> str:
    """Write atoms in a line; in a `compact` one, such as a script, relations and operators have no
    spaces.
    """
    solid, gaps = _solid(atoms)
    texts: list[str] = []
    left: Atom | None = None
    for place, (atom, right) in enumerate(zip_longest(solid, solid[1:])):
        if left and _spaced(left, atom, gap=place in gaps, last=not right, compact=compact):
            texts.append(" ")
        texts.append(atom.guarded if _is_crowded(left, atom, right) else atom.text)
        # A sign without a left operand is a prefix, and what follows stays close; so does what
        # follows a relation that begins the line.
        has_operand = left is not None and left.role in ("ordinary", "close")
        opens = {"binary": not has_operand, "sign": not has_operand, "relation": left is None}
        left = replace(atom, role="open") if opens.get(atom.role) else atom
    return re.sub(" {2,}", " ", "".join(texts))


def _solid(atoms: list[Atom]) -> tuple[list[Atom], set[int]]:
    """Part the atoms from the gaps before them, which are given by the numbers of the atoms."""
    solid: list[Atom] = []
    gaps: set[int] = set()
    bar_roles = cycle(("open", "close"))  # bars come in pairs
    for atom in atoms:
        # TeX has no spaces in formulas; those of the source count only where a role says nothing.
        if atom.role == "gap":
            gaps.add(len(solid))
        elif atom.text in _BARS and atom.role == "ordinary":
            solid.append(replace(atom, role=next(bar_roles)))
        else:
            solid.append(atom)
    # A command swallows the space behind it, so that of a sign the one side speaks for the other.
    signs = {place for place, atom in enumerate(solid) if atom.role == "sign"}
    after = {place + 1 for place in signs & gaps}
    before = {place for place in signs if place + 1 in gaps}
    return solid, gaps | before | after


def _spaced(left: Atom, right: Atom, *, gap: bool, last: bool, compact: bool) -> bool:
    """Say whether a space belongs between two atoms, of which the right one may be the last."""
    roles = left.role, right.role
    rule = _SPACING.get((*roles, last)) or _SPACING.get((*roles, False), "-")
    if compact and rule != "a":
        return gap and all(atom.plain and atom.text.isalnum() for atom in (left, right))
    return {
        "a": True,
        "s": True,
        "g": gap,
        "w": gap and right.plain and (left.plain or left.role == "close"),
        "b": right.text in _BARS,
        "-": False,
    }[rule]


def _is_crowded(left: Atom | None, atom: Atom, right: Atom | None) -> bool:
    """Say whether an atom stands beside others with which its bare text would be read as one."""
    if "before" in atom.shy:
        return _is_operand(left) or _is_operand(right) or (left and left.role) == "close"
    if not atom.shy or right is None:
        return False
    return right.role == "ordinary" and right.text[:1].isalnum()


def _is_operand(atom: Atom | None) -> bool:
    return atom is not None and (atom.text == "/" or atom.role in ("ordinary", "function", "large"))


def single(character: str) -> Atom:
    """Give one character of a formula its role."""
    if character.isspace():
        return GAP
    return _CHARACTERS.get(character) or Atom(character, "ordinary", plain=character.isalnum())


def group(atoms: list[Atom], text: str | None = None) -> Atom:
    """Make one atom of several; alone, an atom keeps its role, so that {=} and {,} are what they
    seem.
    """
    text = join(atoms) if text is None else text
    if len(atoms) == 1:
        return replace(atoms[0], text=text)
    return Atom(text, "ordinary", "" if ATOM.fullmatch(text) else f"({text})")


def word(name: str, atoms: list[Atom]) -> Atom:
    """Make one atom of what a change of font holds; a word keeps off its neighbours."""
    atom = group(atoms)
    is_word = name in tables.WORDS and len(atom.text) > 1 and atom.text.replace(" ", "").isalpha()
    return replace(atom, role="function") if is_word else replace(atom, plain=False)


def in_alphabet(name: str, atoms: list[Atom]) -> Atom:
    """Make one atom, with its letters in an alphabet such as mathbb."""
    alphabet = tables.ALPHABETS[name]
    return group(atoms, "".join(alphabet.get(letter, letter) for letter in join(atoms)))


def accented(mark: str, atoms: list[Atom]) -> Atom:
    """Put an accent on the one letter there is, or a line over several."""
    text = join(atoms, compact=True)
    base, rest = text[:1], text[1:]
    if mark == tables.OVERLINE and 0 < len(text) < 20 and not set(text) & set(" ()"):
        text = "".join(character + mark for character in text)
    elif base.isalnum() and all(map(unicodedata.combining, rest)):
        text = unicodedata.normalize("NFC", text + mark)
    elif base.isalnum() and _SCRIPTED.issuperset(rest):
        # A script may stand under the accent too: \hat{x_i} reads like \hat{x}_i.
        text = unicodedata.normalize("NFC", base + mark) + rest
    else:
        raise UnreadableError
    return Atom(text, "ordinary")


def negated(atoms: list[Atom]) -> Atom:
    """Strike a relation through."""
    text = join(atoms)
    if len(text) != 1:
        raise UnreadableError
    return Atom(NEGATED.get(text) or unicodedata.normalize("NFC", text + "\u0338"), "relation")


def root(atoms: list[Atom], degree: str) -> Atom:
    """Write a root: √n, ∛(n+1), or n^(1/k) where there is no sign for it."""
    inner = join(atoms, compact=True)
    sign = {"": "√", "2": "√", "3": "∛", "4": "∜"}.get(degree)
    if sign and _is_single(atoms):
        return Atom(sign + inner, "ordinary", sign + _bracketed(inner), shy="after")
    if sign:
        return Atom(sign + _bracketed(inner), "ordinary")
    if not ATOM.fullmatch(degree):
        raise UnreadableError
    base = inner if ATOM.fullmatch(inner) else _bracketed(inner)
    return Atom(f"{base}^(1/{degree})", "ordinary")


def fraction(above: list[Atom], below: list[Atom]) -> Atom:
    """Write a fraction in a line, with brackets where it would be misread."""
    over, under = join(above), join(below)
    over = over if ATOM.fullmatch(over) or _one_pair(over) or _call(over) else f"({over})"
    under = under if _is_single(below) or _one_pair(under) or _call(under) else f"({under})"
    return Atom(f"{over}/{under}", "ordinary", f"({over}/{under})", shy="before and after")


def choose(above: list[Atom], below: list[Atom]) -> Atom:
    """Write a binomial coefficient."""
    return Atom(f"({join(above)} choose {join(below)})", "ordinary")


def _is_single(atoms: list[Atom]) -> bool:
    solid = [atom for atom in atoms if atom.role != "gap"]
    return len(solid) == 1 and bool(ATOM.fullmatch(solid[0].text.lstrip("√∛∜")))


def _bracketed(text: str) -> str:
    return text if text.startswith("(") and _one_pair(text) else f"({text})"


def _one_pair(text: str) -> bool:
    """Say whether one pair of brackets holds the whole text."""
    if len(text) < 2 or text[0] + text[-1] not in ("()", "[]", "||", "‖‖", "⌊⌋", "⌈⌉", "{}"):
        return False
    return not set(text[1:-1]) & {text[0], text[-1]}


def _call(text: str) -> bool:
    """Say whether the text is a name with its arguments, such as f(x)."""
    name, bracket, _ = text.partition("(")
    return bool(bracket) and bool(ATOM.fullmatch(name)) and _one_pair(text[len(name) :])


def prime(found: list[Atom]) -> None:
    """Put a prime on the last atom."""
    base = _taken(found)
    found.append(replace(base, text=base.text + "′", guarded=base.guarded and base.guarded + "′"))


def _taken(found: list[Atom]) -> Atom:
    """Take the last atom, on which something is to be put, and the gaps behind it."""
    while found and found[-1].role == "gap":
        found.pop()
    return found.pop() if found else Atom("", "ordinary")


def attach(found: list[Atom], mark: str, script: list[Atom]) -> None:
    """Put a script on the last atom: in small letters where Unicode has them all, else in a linear
    form.
    """
    base = _taken(found)
    if base.role == "space":
        found.append(base)
        base = Atom("", "ordinary")
    text = join(script, compact=True).strip()
    if not text:
        raise UnreadableError
    role = base.role if base.role in _SCRIPT_BEARERS else "ordinary"
    guarded, shy = "", ""
    # A script in which Unicode lacks one letter is not mixed of two sizes.
    if _is_short(text) and _SCRIPTS[mark].keys() >= set(text):
        written = "".join(map(_SCRIPTS[mark].__getitem__, text))
    # More than one sign gets brackets: in t^2q nobody knows where the script ends.
    elif _is_one_sign(text):
        written, guarded = mark + text, f"{base.safe}{mark}({text})"
        shy = "after" if text[0].isalnum() and role not in ("function", "large") else ""
    else:
        written = mark + _bracketed(text)
    found.append(Atom(base.safe + written, role, guarded, shy, base.plain))


def _is_one_sign(text: str) -> bool:
    """Say whether a script is a single sign, with its accents, that can be read in a line."""
    is_single = all(map(unicodedata.combining, text[1:])) and bool(ATOM.fullmatch(text))
    return is_single and text[0] not in _SCRIPTED - _MARKS


def _is_short(text: str) -> bool:
    """Say whether a script may be set in tiny letters: brackets around one letter at most."""
    if set(text) & set("()") and len(text) != len("(k)"):
        return False
    return len(text) <= (LONGEST_WORD if text.isalpha() else LONGEST_SCRIPT)
