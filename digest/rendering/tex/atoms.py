"""The atoms of a formula: how each construct is written in one line, and the spaces between
them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

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


class UnreadableError(Exception):
    """The formula has no form in Unicode that we know of; it stays as it is."""


@dataclass(frozen=True, slots=True)
class Atom:
    """A piece of a formula: its text, its role, and what to write where the bare text could be
    misread.

    `guarded` replaces the text under a script, and beside other letters on the sides that `shy`
    names.
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


def join(atoms: list[Atom], *, compact: bool = False) -> str:
    """Write atoms in a line; in a `compact` one, such as a script, relations and operators have no
    spaces.
    """
    solid: list[Atom] = []
    gaps: set[int] = set()
    bars = 0
    for atom in atoms:
        if atom.text in ("|", "‖") and atom.role == "ordinary":
            # Bars come in pairs, of which the first opens.
            atom = replace(atom, role=("open", "close")[bars % 2])
            bars += 1
        if atom.role == "gap":
            gaps.add(len(solid))
        else:
            solid.append(atom)
    texts: list[str] = []
    previous: Atom | None = None
    for place, atom in enumerate(solid):
        following = solid[place + 1] if place + 1 < len(solid) else None
        # A command swallows the space behind it, so that of a sign the one side speaks for the
        # other.
        near = gaps & ({place, place + 1} if atom.role == "sign" else {place})
        gap = bool(near) or (previous is not None and previous.role == "sign" and place - 1 in gaps)
        if previous and _spaced(previous, atom, following, gap=gap, compact=compact):
            texts.append(" ")
        crowded = ("before" in atom.shy and _touches_before(previous)) or (
            atom.shy and _touches_after(atom, following)
        )
        texts.append(atom.guarded if crowded else atom.text)
        # A sign without a left operand is a prefix, and what follows stays close.
        prefix = atom.role in ("binary", "sign") and (
            previous is None or previous.role not in ("ordinary", "close")
        )
        previous = (
            replace(atom, role="open")
            if prefix or (atom.role == "relation" and previous is None)
            else atom
        )
    return re.sub(" {2,}", " ", "".join(texts))


def _touches_before(previous: Atom | None) -> bool:
    return previous is not None and (
        previous.role in ("ordinary", "close", "function", "large") or previous.text == "/"
    )


def _touches_after(atom: Atom, following: Atom | None) -> bool:
    if following is None:
        return False
    both = "before" in atom.shy
    if following.role in ("function", "large") or following.text == "/":
        return both
    return following.role == "ordinary" and (following.text[:1].isalnum() or both)


def _spaced(left: Atom, right: Atom, following: Atom | None, *, gap: bool, compact: bool) -> bool:
    """Say whether a space belongs between two atoms."""
    if "space" in (left.role, right.role):
        return False
    roles = (left.role, right.role)
    if "function" in roles or "large" in roles:
        words = ("ordinary", "function", "large")
        if roles[0] in (*words, "close") and roles[1] in words:
            return True
        if roles[1] == "open" and (roles[0] == "large" or right.text in ("|", "‖")):
            return not compact
    if compact:
        return gap and left.plain and right.plain and left.text.isalnum() and right.text.isalnum()
    if left.role == "relation":
        return right.role != "relation" or gap
    if right.role == "relation":
        return left.role != "open" and (following is not None or gap)
    if left.role == "binary" or (right.role == "binary" and left.role in ("ordinary", "close")):
        return following is not None or right.role != "binary"
    if "sign" in roles:
        return gap and left.role != "open" and (right.role != "sign" or following is not None)
    if left.role == "punctuation":
        return gap
    return gap and right.plain and (left.plain or left.role == "close")


def symbol(name: str) -> list[Atom] | None:
    """Return what a command without arguments stands for; None where it is none."""
    if name in tables.SPACES:
        return [SPACE]
    if name in tables.NOTHING or name in tables.DECLARATIONS:
        return []
    if name in "{|}" and name:
        return [
            Atom("‖" if name == "|" else name, {"{": "open", "}": "close"}.get(name, "ordinary"))
        ]
    for table, role in (
        (tables.ORDINARY, "ordinary"),
        (tables.RELATIONS, "relation"),
        (tables.BINARY, "binary"),
        (tables.FUNCTIONS, "function"),
        (tables.OPENING, "open"),
        (tables.CLOSING, "close"),
        (tables.LARGE, "large"),
        (tables.TIGHT, "tight"),
        (tables.ARROWS_ALONE, "tight"),
        (tables.ESCAPES, "ordinary"),
        (accents.LETTERS, "ordinary"),
    ):
        if name in table:
            return [Atom(table[name], role)]
    return None


def single(character: str) -> Atom:
    """Give one character of a formula its role."""
    if character.isspace():
        return GAP
    if character == "~":
        return SPACE
    if character.isalnum():
        return Atom(character, "ordinary", plain=True)
    if character in "+-−±":
        return Atom(character, "sign")
    roles = {
        "=": "relation",
        "<": "relation",
        ">": "relation",
        "(": "open",
        "[": "open",
        ")": "close",
        "]": "close",
    }
    if character == "/":
        return Atom(character, "tight")
    if character in ",;":
        return Atom(character, "punctuation")
    return Atom(character, roles.get(character, "ordinary"), plain=character in ":|…")


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


def in_alphabet(text: str, name: str) -> str:
    """Set the letters of a text in an alphabet such as mathbb."""
    return "".join(tables.ALPHABETS[name].get(character, character) for character in text)


def accented(name: str, atoms: list[Atom]) -> Atom:
    """Put an accent on the one letter there is, or a line over several."""
    text, mark = join(atoms, compact=True), tables.MATH_ACCENTS[name]
    if mark == "\u0305" and 0 < len(text) < 20 and not set(text) & set(" ()"):
        return Atom("".join(character + mark for character in text), "ordinary")
    base = text[:1]
    marks_only = all(unicodedata.combining(character) for character in text[1:])
    if base.isalnum() and marks_only:
        return Atom(unicodedata.normalize("NFC", text + mark), "ordinary")
    # A script may stand under the accent too: \hat{x_i} reads like \hat{x}_i.
    scripted = base.isalnum() and all(character in _SCRIPTED for character in text[1:])
    if not scripted:
        raise UnreadableError
    return Atom(unicodedata.normalize("NFC", base + mark) + text[1:], "ordinary")


_SCRIPTED = frozenset(tables.SUPERSCRIPTS.values()) | frozenset(tables.SUBSCRIPTS.values())


def negated(atoms: list[Atom]) -> Atom:
    """Strike a relation through."""
    text = join(atoms)
    if len(text) != 1:
        raise UnreadableError
    return Atom(NEGATED.get(text) or unicodedata.normalize("NFC", text + "\u0338"), "relation")


def root(atoms: list[Atom], degree: str) -> Atom:
    """Write a root: √n, ∛(n+1), or n^(1/k) where there is no sign for it."""
    inner = join(atoms, compact=True)
    guarded = inner if inner.startswith("(") and _one_pair(inner) else f"({inner})"
    sign = {"": "√", "2": "√", "3": "∛", "4": "∜"}.get(degree.strip())
    if sign is None:
        if not ATOM.fullmatch(degree.strip()):
            raise UnreadableError
        return Atom(
            f"{inner if ATOM.fullmatch(inner) else guarded}^(1/{degree.strip()})", "ordinary"
        )
    if _is_single(atoms):
        return Atom(sign + inner, "ordinary", sign + guarded, shy="after")
    return Atom(sign + guarded, "ordinary")


def fraction(above: list[Atom], below: list[Atom]) -> Atom:
    """Write a fraction in a line, with brackets where it would be misread."""
    over, under = join(above), join(below)
    over = over if ATOM.fullmatch(over) or _one_pair(over) or _call(over) else f"({over})"
    under = under if _is_single(below) or _one_pair(under) or _call(under) else f"({under})"
    return Atom(f"{over}/{under}", "ordinary", f"({over}/{under})", shy="before and after")


def _is_single(atoms: list[Atom]) -> bool:
    solid = [atom for atom in atoms if atom.role != "gap"]
    return len(solid) == 1 and bool(ATOM.fullmatch(solid[0].text.lstrip("√∛∜")))


def choose(above: list[Atom], below: list[Atom]) -> Atom:
    """Write a binomial coefficient."""
    return Atom(f"({join(above)} choose {join(below)})", "ordinary")


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
    while found and found[-1].role == "gap":
        found.pop()
    base = found.pop() if found else Atom("", "ordinary")
    found.append(replace(base, text=base.text + "′", guarded=base.guarded and base.guarded + "′"))


def attach(found: list[Atom], mark: str, script: list[Atom]) -> None:
    """Put a script on the last atom: in small letters where Unicode has them all, else in a linear
    form.
    """
    while found and found[-1].role == "gap":
        found.pop()
    base = found.pop() if found and found[-1].role != "space" else Atom("", "ordinary")
    text = join(script, compact=True).strip()
    if not text:
        raise UnreadableError
    table = tables.SUPERSCRIPTS if mark == "^" else tables.SUBSCRIPTS
    letters = text.replace(" ", "")
    role = base.role if base.role in ("function", "large", "close", "relation") else "ordinary"
    if base.role == "open":
        role = "open"
    brackets = bool(set(text) & set("()")) and len(text) != len("(k)")
    short = not brackets and len(text) <= (LONGEST_WORD if text.isalpha() else LONGEST_SCRIPT)
    if letters == text and short and all(character in table for character in text):
        small = "".join(table[character] for character in text)
        found.append(Atom(base.safe + small, role, plain=base.plain))
    elif ATOM.fullmatch(text) and not set(text) & _SCRIPTED - set("°′†‡*⋆"):
        bare, guarded = f"{base.safe}{mark}{text}", f"{base.safe}{mark}({text})"
        found.append(
            Atom(
                bare,
                role,
                guarded,
                shy="after" if text[-1].isalnum() and role not in ("function", "large") else "",
                plain=base.plain,
            )
        )
    else:
        inner = text if text.startswith("(") and _one_pair(text) else f"({text})"
        found.append(Atom(f"{base.safe}{mark}{inner}", role, plain=base.plain))
