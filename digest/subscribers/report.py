"""Where the mistakes of one file are gathered, and the questions that every value of it is
asked.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from digest.errors import QueryError
from digest.subscribers.document import Document, Mapping, Node, Scalar, Sequence
from digest.subscribers.problems import Problem
from digest.subscribers.quoting import quote, write, yaml_type


class Report:
    """The mistakes found so far in one document; a value in which one was found reads as None."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def add(
        self,
        node: Node,
        message: str,
        suggestion: str = "",
        *,
        offset: int = 0,
        end: int | None = None,
    ) -> None:
        """Note a mistake at a node, or `offset` characters behind its beginning.

        The suggestion stands in for the node, or for what is there up to `end`.
        """
        end = node.end if end is None else end
        self.problems.append(
            self.document.problem(node.start + offset, message, suggestion, end=end)
        )

    def text(self, node: Node, what: str) -> str | None:
        """A value that is meant as text; refuses what YAML takes for something else."""
        if not isinstance(node, Scalar):
            self.add(node, f"{what} is one text, and here stands {_kind(node)}")
            return None
        if not node.plain or not (kind := yaml_type(node.value)):
            return node.value
        if kind != "nothing":
            self.add(
                node, f"YAML reads {node.value} as {kind}: put it in quotes", quote(node.value)
            )
        else:
            self._nothing(node, what)
        return None

    def _nothing(self, node: Scalar, what: str) -> None:
        """Say that nothing stands here, or that what does stand here is a comment to YAML."""
        if node.value:
            return self.add(
                node, f"YAML reads {node.value} as nothing: put it in quotes", quote(node.value)
            )
        rest = self.document.text[node.end :].split("\n", 1)[0]
        if comment := re.match(r"(\s+)(#\S.*)", rest):
            message = f"{what} is missing: YAML reads {comment[2].strip()} as a comment"
            return self.add(
                node,
                message,
                quote(comment[2].strip()),
                offset=len(comment[1]),
                end=node.end + len(rest),
            )
        return self.add(node, f"{what} is missing")

    def items(self, node: Node, what: str) -> list[Node]:
        """The members of a list; a single value is refused with the list that it should be."""
        if isinstance(node, Sequence):
            return node.items
        suggestion = f"[{write(node.value)}]" if isinstance(node, Scalar) and node.value else ""
        self.add(node, f"{what} is a list, and here stands {_kind(node)}", suggestion)
        return []

    def pairs(self, node: Node, what: str) -> list[tuple[Scalar, Node]]:
        """The names and values of a mapping, without those that come a second time."""
        if not isinstance(node, Mapping):
            self.add(node, f"{what} is made of lines 'name: value', and here stands {_kind(node)}")
            return []
        first: dict[str, Scalar] = {}
        kept = []
        for name, value in node.pairs:
            if name.value in first:
                line = self.document.place(first[name.value].start)[0]
                self.add(
                    name, f"{name.value}: stands here for the second time, first in line {line}"
                )
            else:
                first[name.value] = name
                kept.append((name, value))
        return kept

    def fields(self, node: Node, known: Iterable[str], what: str) -> dict[str, Node]:
        """A mapping whose names are all known."""
        known = list(known)
        found = {}
        for name, value in self.pairs(node, what):
            if name.value in known:
                found[name.value] = value
            elif name.value == "<<":
                self.add(
                    name, "YAML's << is not understood here: what all share stands under defaults:"
                )
            else:
                near = nearest(name.value, known)
                here = f"{name.value}: means nothing in {what}" + (
                    "" if near else f"; known are {', '.join(known)}"
                )
                self.add(name, here, near)
        return found

    def query(self, node: Node, error: QueryError) -> None:
        """Note a keyword that cannot be read, with the caret under the very character where that
        can be told.
        """
        offset = 0
        if isinstance(node, Scalar) and error.text == node.value:
            opening = 0 if node.plain else 1
            inside = self.document.text[node.start + opening : node.end - opening]
            offset = opening + error.position if inside == node.value else 0
        self.add(node, str(error), offset=offset)


def nearest(text: str, known: Iterable[str]) -> str:
    """The name that was probably meant, or nothing."""
    by_folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(text.casefold(), by_folded, n=1)
    return by_folded[near[0]] if near else ""


def probably_meant(text: str, known: Iterable[str]) -> str:
    """The name of which a text is so probably a misspelling that it should not stand for itself; or
    nothing.

    Keywords that are one letter apart may well be two keywords (GPT-4 and GPT-5, LLM and MLLM). So
    this only speaks where words are long, begin alike, and hold no digits.
    """
    folded = text.casefold()
    if len(folded) < 5 or any(char.isdigit() for char in folded):
        return ""
    for name in known:
        other = name.casefold()
        allowed = 1 if len(folded) < 9 else 2
        if (
            other[:1] != folded[0]
            or abs(len(other) - len(folded)) > allowed
            or re.search(r"\d", other)
        ):
            continue
        if slips(folded, other) <= allowed:
            return name
    return ""


def slips(one: str, other: str) -> int:
    """How many letters were mistyped, left out, added, or exchanged with their neighbour, at the
    least.
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, char in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            slips = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (char != wanted))
            if i > 1 and j > 1 and char == other[j - 2] and one[i - 2] == wanted:
                slips = min(slips, older[j - 2] + 1)
            row.append(slips)
    return row[-1]


def _kind(node: Node) -> str:
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Mapping):
        return "a mapping"
    return (
        "nothing"
        if isinstance(node, Scalar) and node.value == "" and node.plain
        else "a single value"
    )
