"""Edits of a document as replaced characters: whatever an edit does not concern stays as it was
written.

Loading the file and writing it anew, even with a library that keeps comments, would move those
around removed lines and change spacing, quotes and long lines elsewhere. Here a change is a few
patches of the text, made from the places that the tree knows; every other character stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from digest.errors import UsageError
from digest.subscribers.document import Document, Mapping, Node, Scalar, Sequence

Entry = list[tuple[str, str]]
"""The names and values of a new mapping, both as YAML writes them."""


class Draft:
    """The changes that are to be made to one document; none of them may touch another. `name` is
    the file's.
    """

    def __init__(self, document: Document, name: str) -> None:
        self.text = document.text
        self._document, self._name = document, name
        self.root = document.root
        self.newline = "\r\n" if "\r\n" in document.text else "\n"
        self._patches: list[tuple[int, int, str]] = []
        self._sections: dict[str, str] = {}

    def result(self) -> str:
        """The text with all changes made."""
        for name, body in self._sections.items():
            self._add_section(name, body)
        text, end = [], 0
        for start, stop, replacement in sorted(self._patches, key=lambda patch: patch[:2]):
            if start < end:
                raise UsageError(
                    "two changes at one place of the file", remedy="make them one after the other"
                )
            text += [self.text[end:start], replacement]
            end = stop
        return "".join([*text, self.text[end:]])

    def replace(self, node: Node, written: str) -> None:
        """Write something else in the place of a value."""
        self._own(node)
        self._patches.append((node.start, node.end, written))

    def add_section(self, name: str, body: Iterable[str]) -> None:
        """Add lines under a new name at the end of the file, or further lines if it was just
        added.
        """
        lines = "".join(f"{line}{self.newline}" for line in body)
        self._sections[name] = self._sections.get(name, "") + lines

    def set_field(self, mapping: Mapping, name: str, written: str) -> None:
        """Give a field of a mapping a value on one line, in the place of the old one if there is
        one.
        """
        self._own(mapping)
        for key, value in mapping.pairs:
            if key.value == name:
                self._set_value(key, value, written)
                return
        self.add_pairs(mapping, [(name, written)])

    def add_pairs(self, mapping: Mapping, pairs: Entry) -> None:
        """Add names with their values at the end of a mapping that is not empty or stands in
        braces.
        """
        self._own(mapping)
        written = [f"{name}: {value}" for name, value in pairs]
        if mapping.flow:
            ends = [value.end for _, value in mapping.pairs]
            self._insert_in_brackets(mapping.start, ends, written)
        else:
            column = self._column(mapping.pairs[0][0].start)
            self._insert_lines(mapping.end, [" " * column + line for line in written])

    def remove_pair(self, key: Scalar | None, mapping: Mapping, name: Scalar) -> None:
        """Take a name and its value out of a mapping, which is itself the value of `key` (None: of
        a list).
        """
        self._own(mapping)
        spans = [(each.start, value.end) for each, value in mapping.pairs]
        index = next(i for i, (each, _) in enumerate(mapping.pairs) if each is name)
        if mapping.flow:
            self._remove_in_brackets(mapping, spans, {index})
        elif self._begins_line(name.start):
            self._remove_lines(*spans[index])
        elif index + 1 < len(spans):
            self._patches.append((spans[index][0], spans[index + 1][0], ""))
        if len(spans) == 1 and not mapping.flow and key is not None:
            self._insert_after_colon(key, " {}")

    def add_items(self, key: Scalar, node: Node, written: list[str]) -> None:
        """Add single values to the list that is the value of `key`."""
        if isinstance(node, Sequence) and node.flow:
            self._own(node)
            self._insert_in_brackets(node.start, [item.end for item in node.items], written)
        elif isinstance(node, Sequence):
            self._own(node)
            self._insert_lines(
                node.end, [f"{' ' * self._column(node.start)}- {item}" for item in written]
            )
        else:
            self._set_value(key, node, f"[{', '.join(written)}]")

    def add_entries(self, key: Scalar, node: Node, entries: list[Entry]) -> None:
        """Add mappings to the list that is the value of `key`."""
        if isinstance(node, Sequence) and node.flow and (node.items or self._in_braces(key)):
            self._own(node)
            written = [
                "{" + ", ".join(f"{name}: {value}" for name, value in entry) + "}"
                for entry in entries
            ]
            self._insert_in_brackets(node.start, [item.end for item in node.items], written)
        elif isinstance(node, Sequence) and not node.flow:
            self._own(node)
            apart = len(node.items) > 1 and re.search(
                r"\n\s*\n", self.text[node.items[-2].end : node.items[-1].start]
            )
            lines = block_lines(entries, self._column(node.start))
            self._insert_lines(node.end, ["", *lines] if apart else lines)
        else:
            self._fill(key, node, block_lines(entries, self._column(key.start) + 2))

    def remove_items(self, key: Scalar, node: Sequence, indexes: set[int]) -> None:
        """Take items out of the list that is the value of `key`."""
        self._own(node)
        spans = [(item.start, item.end) for item in node.items]
        if node.flow:
            self._remove_in_brackets(node, spans, indexes)
            return
        column = self._column(node.start)
        for index in sorted(indexes):
            self._remove_lines(self._dash(spans[index][0], column), spans[index][1])
        if len(indexes) == len(spans):
            self._insert_after_colon(key, " []")

    def list_to_mapping(self, node: Sequence, pairs: Entry) -> None:
        """Turn a list of names into a mapping in which each stands for itself, and add names with
        their values.
        """
        self._own(node)
        column = self._column(node.start)
        for item in node.items:
            if not node.flow:
                self._patches.append((self._dash(item.start, column), item.start, ""))
            self._patches.append((item.end, item.end, f": {self.text[item.start : item.end]}"))
        written = [f"{name}: {value}" for name, value in pairs]
        if node.flow:
            self._patches += [(node.start, node.start + 1, "{"), (node.end - 1, node.end, "}")]
            self._insert_in_brackets(node.start, [item.end for item in node.items], written)
        else:
            self._insert_lines(node.end, [" " * column + line for line in written])

    def fill_section(self, key: Scalar, node: Node, pairs: Entry) -> None:
        """Add names with their values to a section that holds none yet."""
        written = [f"{name}: {value}" for name, value in pairs]
        if self._in_braces(key):
            self._set_value(key, node, "{" + ", ".join(written) + "}")
        else:
            self._fill(key, node, [" " * (self._column(key.start) + 2) + line for line in written])

    def _fill(self, key: Scalar, node: Node, lines: list[str]) -> None:
        """Put lines in the place of an empty value."""
        self._own(node)
        after = self.text.index(":", key.end) + 1
        self._patches.append((after, max(after, node.end), ""))
        self._insert_lines(max(after, node.end), lines)

    def _own(self, node: Node) -> None:
        if node.alias:
            kind = {Sequence: "list", Scalar: "value"}.get(type(node), "entry")
            written = self.text[node.start : node.end]
            raise UsageError(
                f"{self._place(node.start)}: the {kind} is written here as {written}, which stands for the same in "
                "another place",
                remedy=f"write the {kind} out in that line first, then give the command again",
            )

    def _set_value(self, key: Scalar, node: Node, written: str) -> None:
        self._own(node)
        after = self.text.index(":", key.end) + 1
        start = (
            node.start
            if "\n" not in self.text[after : node.start] and node.start > after
            else after
        )
        self._patches.append(
            (start, max(start, node.end), written if start > after else f" {written}")
        )

    def _add_section(self, name: str, body: str) -> None:
        head = f"{name}:{self.newline}"
        if isinstance(self.root, Mapping) and self.root.pairs:
            if self.root.flow or self._column(self.root.pairs[0][0].start):
                raise UsageError(
                    f"the file has no section {name}: to add to",
                    remedy=f"write '{name}: []' into it first",
                )
            end = self._line_end(self.root.end)
        else:
            end = len(self.text)
        before = self.text[:end]
        gap = "" if not before.strip() else self.newline * (1 if before.endswith("\n") else 2)
        self._patches.append((end, end, gap + head + body))

    def _insert_in_brackets(self, start: int, ends: list[int], written: list[str]) -> None:
        at = ends[-1] if ends else start + 1
        text = ", ".join(written)
        self._patches.append((at, at, f", {text}" if ends else text))

    def _remove_in_brackets(
        self, node: Node, spans: list[tuple[int, int]], indexes: set[int]
    ) -> None:
        if len(indexes) == len(spans):
            self._patches.append((node.start + 1, node.end - 1, ""))
            return
        kept_before = False
        for index, (start, end) in enumerate(spans):
            if index not in indexes:
                kept_before = True
            elif kept_before:
                self._patches.append((spans[index - 1][1], end, ""))
            else:
                self._patches.append((start, spans[index + 1][0], ""))

    def _insert_lines(self, position: int, lines: list[str]) -> None:
        """Add lines behind the one in which something ends."""
        end = self._line_end(position)
        text = "".join(f"{line}{self.newline}" for line in lines)
        self._patches.append(
            (end, end, text if self.text[:end].endswith("\n") else self.newline + text)
        )

    def _remove_lines(self, start: int, end: int) -> None:
        if not self._begins_line(start):
            raise UsageError(
                f"{self._place(start)}: the line to remove holds something else too",
                remedy="edit the file by hand",
            )
        self._patches.append((self.text.rfind("\n", 0, start) + 1, self._line_end(end), ""))

    def _insert_after_colon(self, key: Scalar, text: str) -> None:
        after = self.text.index(":", key.end) + 1
        self._patches.append((after, after, text))

    def _line_end(self, position: int) -> int:
        """Where the line after the one of this position begins."""
        end = self.text.find("\n", position)
        return len(self.text) if end < 0 else end + 1

    def _column(self, position: int) -> int:
        return position - (self.text.rfind("\n", 0, position) + 1)

    def _begins_line(self, position: int) -> bool:
        return not self.text[self.text.rfind("\n", 0, position) + 1 : position].strip()

    def _place(self, position: int) -> str:
        """File and line of a position, for people."""
        return f"{self._name}:{self._document.place(position)[0]}"

    def _in_braces(self, key: Scalar) -> bool:
        """Whether the file's sections themselves stand in braces, as in JSON."""
        return (
            isinstance(self.root, Mapping)
            and self.root.flow
            and any(key is name for name, _ in self.root.pairs)
        )

    def _dash(self, start: int, column: int) -> int:
        """Where the dash of a list's item stands, at the list's column on this line or one
        above.
        """
        line = self.text.rfind("\n", 0, start) + 1
        while line and not re.match(r"-(\s|$)", self.text[line + column :][:2]):
            line = self.text.rfind("\n", 0, line - 1) + 1
        return line + column


def block_lines(entries: list[Entry], column: int) -> list[str]:
    """New items of a list, each a mapping, as lines whose dashes stand at a column."""
    lines = []
    for entry in entries:
        for index, (name, value) in enumerate(entry):
            lines.append(f"{' ' * column}{'  ' if index else '- '}{name}: {value}")
    return lines
