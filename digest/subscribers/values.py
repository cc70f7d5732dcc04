"""The questions that every value of the file is asked, and the mistakes that the answers show.

A value that is wrong raises WrongValueError; `with report:` around the reading of one value, or of
one entry, notes it, and the reading goes on behind it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Self, TypeVar

from digest.errors import QueryError
from digest.subscribers.document import Document, NodeKind, YamlNode
from digest.subscribers.guesses import nearest_field
from digest.subscribers.problems import Entry, Problem, without_urls
from digest.subscribers.quoting import quote, write, yaml_type

T = TypeVar("T")
# A letter or two with a lone # behind them: `F #` is a name, and no comment that says nothing.
_CUT = re.compile(r"\w{1,2} +#\s*")
# Makes a value of a text; raises WrongValueError, or QueryError for a keyword.
ReadText = Callable[[str], T]


@dataclass(eq=False)
class WrongValueError(Exception):
    """What is wrong with a value, and the YAML that was probably meant, where that is known.

    Who reads a text does not know where it stands; `node` and `offset`, the characters from its
    beginning to the caret, are added by the report.
    """

    message: str
    suggestion: str = ""
    node: YamlNode | None = None
    offset: int = 0


def fits(read: ReadText[object] | None, text: str) -> bool:
    """Whether a text can be read so: only what can is suggested."""
    try:
        if read is not None:
            read(text)
    except (WrongValueError, QueryError, ValueError):
        return False
    return read is not None


def _refuse_cut(node: YamlNode, rest: str, fitting: ReadText[object]) -> None:
    """Refuse a name of which YAML took the sign at its end for a comment; `rest` is what stands
    behind it.
    """
    meant = (node.value + rest).strip()
    if node.plain and _CUT.fullmatch(meant):
        suggestion = quote(meant) if fits(fitting, meant) else ""
        raise WrongValueError(f"YAML reads the # of {meant} as a comment", suggestion, node=node)


def split(text: str) -> list[str]:
    """The members of a list in one text: between commas, semicolons (also those of Chinese and
    Japanese) or line breaks, but not inside quotes.
    """
    parts = re.findall(r'(?:"[^"]*(?:"|$)|[^",;\n，、；])+', text)
    return [part.strip() for part in parts if part.strip()]


class Report:
    """The mistakes found so far in one document, each with the entry that was being read.

    `spoilt` has those of each entry, by its key: its own, and those of entries that it rests on.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self.spoilt: dict[tuple[str, str], list[Problem]] = defaultdict(list)
        self._entry = Entry()

    def entry(self, section: str, name: str | int = "") -> Self:
        """`with report.entry(…):` notes what is wrong within as a mistake of this entry."""
        self._entry = Entry(section, name)
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> bool:
        if isinstance(error, WrongValueError):
            self.note(error)
            return True
        return False

    def note(self, error: WrongValueError, entry: Entry | None = None) -> None:
        """Add a mistake to those found so far: of an entry, or of the one that is being read."""
        start = error.node.start if error.node else 0
        place, entry = self.document.place(start + error.offset), entry or self._entry
        problem = Problem(*place, without_urls(error.message), error.suggestion, entry)
        self.problems.append(problem)
        self.spoilt[entry.key].append(problem)

    def rests_on(self, section: str, *names: str) -> None:
        """Note that what is being read means nothing certain where one of these entries is
        wrong.
        """
        # Most files have no mistake, and thousands of values that rest on others.
        for name in names if self.spoilt else ():
            if problems := self.spoilt.get(Entry(section, name).key):
                self.spoilt[self._entry.key] += problems

    @property
    def is_spoilt(self) -> bool:
        """Whether the entry that is being read is wrong, or rests on one that is."""
        return self._entry.key in self.spoilt

    def read(self, node: YamlNode, read: ReadText[T], text: str | None = None) -> T:
        """What a node's text means; a mistake in a query has the caret under the very character
        where that can be told.
        """
        try:
            return read(node.value if text is None else text)
        except WrongValueError as error:
            error.node = error.node or node
            raise
        except QueryError as error:
            opening = 0 if node.plain else 1
            inside = self.document.text[node.start + opening : node.end - opening]
            exact = error.text == node.value == inside
            offset = opening + error.position if exact else 0
            raise WrongValueError(str(error), node=node, offset=offset) from None

    def text(self, node: YamlNode, what: str, fitting: ReadText[object] = str) -> str:
        """A value that is meant as text; refuses what YAML takes for something else.

        It is suggested in quotes where that is `fitting`.
        """
        if node.kind is not NodeKind.TEXT:
            raise WrongValueError(f"{what} is one text, and here stands {node.kind}", node=node)
        taken_for = yaml_type(node.value) if node.plain else ""
        rest = self.document.text[node.end :].split("\n", 1)[0]
        if not taken_for:
            _refuse_cut(node, rest, fitting)
            return node.value
        message, meant, offset = f"{what} is missing", node.value, 0
        if meant:
            message = f"YAML reads {meant} as {taken_for}: put it in quotes"
        elif comment := re.match(r"(\s+)(#\S.*)", rest):
            meant, offset = comment[2].strip(), len(comment[1])
            message = f"{what} is missing: YAML reads {meant} as a comment"
        suggestion = quote(meant) if meant and fits(fitting, meant) else ""
        raise WrongValueError(message, suggestion, node=node, offset=offset)

    def value(self, node: YamlNode, what: str, read: ReadText[T]) -> T:
        """What a text in the file means."""
        self.text(node, what, read)
        return self.read(node, read)

    def items(
        self, node: YamlNode, what: str, fitting: ReadText[object] | None = None
    ) -> Iterable[YamlNode]:
        """The members of a list; a single value is refused with the list that it should be."""
        if node.kind is NodeKind.LIST:
            return node.items
        # With commas several are meant: read as one they would be a phrase that nothing holds.
        parts = split(node.value)
        is_meant = bool(parts) and all(fits(fitting, part) for part in parts)
        suggestion = f"[{', '.join(map(write, parts))}]" if is_meant else ""
        raise WrongValueError(
            f"{what} is a list, and here stands {node.shape}", suggestion, node=node
        )

    def values(self, node: YamlNode, what: str, one: str, read: ReadText[T]) -> list[T]:
        """What the texts in a list mean, each called `one`; those that are wrong are left out."""
        found: list[T] = []
        for item in self.items(node, what, read):
            with self:
                found.append(self.value(item, one, read))
        return found

    def pairs(self, node: YamlNode, what: str) -> list[tuple[YamlNode, YamlNode]]:
        """The names and values of a mapping, without those that come a second time."""
        if node.kind is not NodeKind.MAPPING:
            raise WrongValueError(
                f"{what} is made of lines 'name: value', and here stands {node.shape}", node=node
            )
        first: dict[str, tuple[YamlNode, YamlNode]] = {}
        for name, value in node.pairs:
            known, _ = first.setdefault(name.value, (name, value))
            if known is not name:
                line = self.document.place(known.start)[0]
                again = f"{name.value}: stands here for the second time, first in line {line}"
                self.note(WrongValueError(again, node=name), self._entry.part(name.value))
        return list(first.values())

    def fields(self, node: YamlNode, known: Collection[str], what: str) -> dict[str, YamlNode]:
        """A mapping whose names are all known; what is probably meant by another is suggested
        where it is still free.
        """
        found = {}
        pairs = self.pairs(node, what)
        taken = {name.value for name, _ in pairs}
        for name, value in pairs:
            if name.value in known:
                found[name.value] = value
                continue
            near = nearest_field(name.value, known)
            message = f"{name.value}: means nothing in {what}"
            message += "" if near else f"; known are {', '.join(known)}"
            if name.value == "<<":
                message = "YAML's << is not understood here: what all share stands under defaults:"
            self.note(WrongValueError(message, "" if near in taken else near, node=name))
            taken.add(near)
        return found
