"""Edits of a document as replaced characters: whatever an edit does not concern stays as it was
written.

Loading the file and writing it anew, even with a library that keeps comments, would move those
around removed lines and change spacing, quotes and long lines elsewhere. Here a change is a few
patches of the text, made from the places that the tree knows; every other character stays.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from digest.errors import UsageError
from digest.subscribers.document import Document, NodeKind, YamlNode


@dataclass(frozen=True, slots=True)
class Member:
    """What is added to a list or mapping, as YAML writes it `inline`, and in `lines` of its own.

    `brackets`: the pair that encloses a list or mapping of such members ("[]" or "{}"). `short`: it
    may begin a list on the line of the list's name.
    """

    brackets: str
    inline: str
    lines: Sequence[str]
    short: bool = False


def single(written: str) -> Member:
    """An item of a list that is a single value."""
    return Member("[]", written, [f"- {written}"], short=True)


def pair(name: str, written: str) -> Member:
    """A name with its value."""
    return Member("{}", f"{name}: {written}", [f"{name}: {written}"])


def entry_member(fields: Iterable[tuple[str, str]]) -> Member:
    """An item of a list that is a mapping."""
    pairs = [f"{name}: {written}" for name, written in fields]
    lines = [f"{'  ' if index else '- '}{line}" for index, line in enumerate(pairs)]
    return Member("[]", "{" + ", ".join(pairs) + "}", lines)


class Draft:
    """The changes that are to be made to one document; none of them may touch another. `name` is
    the file's.
    """

    def __init__(self, document: Document, name: str) -> None:
        self.text = document.text
        self._document, self._name = document, name
        self._newline = "\r\n" if "\r\n" in document.text else "\n"
        self._patches: list[tuple[int, int, str]] = []
        self._new_sections: dict[str, list[Member]] = {}

    def result(self) -> str:
        """The text with all changes made."""
        for name, members in self._new_sections.items():
            self._add_section(name, members)
        text, end = [], 0
        for start, stop, replacement in sorted(self._patches, key=lambda patch: patch[:2]):
            if start < end:
                raise UsageError(
                    "two changes at one place of the file", remedy="make them one after the other"
                )
            text += [self.text[end:start], replacement]
            end = stop
        return "".join([*text, self.text[end:]])

    def replace(self, node: YamlNode, written: str) -> None:
        """Write something else in the place of a value."""
        self._refuse_alias(node)
        self._patch(node.start, node.end, written)

    def set_field(self, mapping: YamlNode, name: str, written: str) -> None:
        """Give a field of a mapping a value on one line, in the place of the old one if there is
        one. With nothing written the field goes.
        """
        self._refuse_alias(mapping)
        found = mapping.get(name)
        if found and written:
            self._set_value(*found, written)
        elif found:
            self.remove(None, mapping, {mapping.texts.index(name)})
        elif written:
            self.add(mapping.pairs[0][0], mapping, [pair(name, written)])

    def add_to_section(self, name: str, members: list[Member]) -> None:
        """Add to one of the file's sections; where it is missing, at the end of the file."""
        if found := self._document.section(name):
            self.add(*found, members)
        else:
            self._new_sections.setdefault(name, []).extend(members)

    def add(self, key: YamlNode, node: YamlNode, members: list[Member]) -> None:
        """Add to a list or mapping, or to nothing; `key` is the name whose value it is."""
        self._refuse_alias(node)
        inline, brackets = ", ".join(member.inline for member in members), members[0].brackets
        stays = members[0].short or self._is_in_braces(key)
        if node.kind is not NodeKind.TEXT and not node.flow:
            gap = [""] if self._are_apart(node) else []
            self._insert_lines(node.end, gap + _lines(members, self._column(node.start)))
        elif node.spans:
            self._patch(node.spans[-1][1], node.spans[-1][1], f", {inline}")
        elif stays and self.text.startswith(brackets[0], node.start):
            self._patch(node.start + 1, node.start + 1, inline)
        elif stays:
            self._set_value(key, node, f"{brackets[0]}{inline}{brackets[1]}")
        else:
            after = self._after_colon(key)
            self._patch(after, max(after, node.end), "")
            self._insert_lines(max(after, node.end), _lines(members, self._column(key.start) + 2))

    def remove(self, key: YamlNode | None, node: YamlNode, indexes: Collection[int]) -> None:
        """Take members out of a list or mapping, which is the value of `key` (None: an item of a
        list, and not all its members go).
        """
        self._refuse_alias(node)
        if node.flow:
            self._remove_in_brackets(node, indexes)
            return
        for index in sorted(indexes):
            start, end = node.spans[index]
            begin = self._dash(start, node) if node.kind is NodeKind.LIST else start
            if self._begins_line(begin):
                self._patch(self.text.rfind("\n", 0, begin) + 1, self._line_end(end), "")
            elif index + 1 < len(node.spans) and node.kind is NodeKind.MAPPING:
                # The first field stands behind its entry's dash, where the second one goes now.
                self._patch(start, node.spans[index + 1][0], "")
            else:
                raise UsageError(
                    f"{self._place(begin)}: the line to remove holds something else too",
                    remedy="edit the file by hand",
                )
        if key and len(indexes) == len(node.spans):
            after = self._after_colon(key)
            self._patch(after, after, " []" if node.kind is NodeKind.LIST else " {}")

    def list_to_mapping(
        self,
        node: YamlNode,
        names: Mapping[int, str] = MappingProxyType({}),
        values: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        """Turn a list of names into a mapping in which each stands for itself, but for those items
        for which another name or value is given.
        """
        for index, item in enumerate(node.items):
            if not node.flow:
                self._patch(self._dash(item.start, node), item.start, "")
            written = self.text[item.start : item.end]
            line = f"{names.get(index, written)}: {values.get(index, written)}"
            self._patch(item.start, item.end, line)
        if node.flow and node.items:
            self._patch(node.start, node.start + 1, "{")
            self._patch(node.end - 1, node.end, "}")

    def _patch(self, start: int, end: int, written: str) -> None:
        self._patches.append((start, end, written))

    def _refuse_alias(self, node: YamlNode) -> None:
        """Refuse to change what is only named here, and written in another place."""
        if node.alias:
            kind = {NodeKind.LIST: "list", NodeKind.TEXT: "value", NodeKind.MAPPING: "entry"}[
                node.kind
            ]
            written = self.text[node.start : node.end]
            raise UsageError(
                f"{self._place(node.start)}: the {kind} is written here as {written}, "
                "which stands for the same in another place",
                remedy=f"write the {kind} out in that line first, then give the command again",
            )

    def _set_value(self, key: YamlNode, node: YamlNode, written: str) -> None:
        self._refuse_alias(node)
        after = self._after_colon(key)
        if node.start > after and "\n" not in self.text[after : node.start]:
            self._patch(node.start, node.end, written)
        else:
            self._patch(after, max(after, node.end), f" {written}")

    def _add_section(self, name: str, members: list[Member]) -> None:
        root, end = self._document.root, len(self.text)
        if root and root.pairs:
            if root.flow or self._column(root.pairs[0][0].start):
                raise UsageError(
                    f"the file has no section {name}: to add to",
                    remedy=f"write '{name}: []' into it first",
                )
            end = self._line_end(root.end)
        before = self.text[:end]
        gap = ([] if before.endswith("\n") else [""]) + [""] if before.strip() else []
        lines = [*gap, f"{name}:", *_lines(members, 2), ""]
        self._patch(end, end, self._newline.join(lines))

    def _remove_in_brackets(self, node: YamlNode, indexes: Collection[int]) -> None:
        kept = [index for index in range(len(node.spans)) if index not in indexes]
        if not kept:
            self._patch(node.start + 1, node.end - 1, "")
        for index in sorted(indexes) if kept else ():
            start, end = node.spans[index]
            if index > kept[0]:
                self._patch(node.spans[index - 1][1], end, "")
            else:
                self._patch(start, node.spans[index + 1][0], "")

    def _insert_lines(self, position: int, lines: list[str]) -> None:
        """Add lines behind the one in which something ends."""
        end = self._line_end(position)
        first = [] if self.text[:end].endswith("\n") else [""]
        self._patch(end, end, self._newline.join([*first, *lines, ""]))

    def _after_colon(self, key: YamlNode) -> int:
        return self.text.index(":", key.end) + 1

    def _line_end(self, position: int) -> int:
        """Where the line after the one of this position begins."""
        end = self.text.find("\n", position)
        return len(self.text) if end < 0 else end + 1

    def _column(self, position: int) -> int:
        return position - (self.text.rfind("\n", 0, position) + 1)

    def _begins_line(self, position: int) -> bool:
        return not self.text[position - self._column(position) : position].strip()

    def _is_in_braces(self, key: YamlNode) -> bool:
        """Whether this is a section of a file in braces, like JSON."""
        root = self._document.root
        return root is not None and root.flow and any(key is name for name, _ in root.pairs)

    def _are_apart(self, node: YamlNode) -> bool:
        """Whether a blank line stands before the last of several items."""
        last = [item for item in node.items[-2:] if item.kind is NodeKind.MAPPING]
        between = self.text[last[0].end : last[1].start] if len(last) == 2 else ""
        return re.search(r"\n\s*\n", between) is not None

    def _place(self, position: int) -> str:
        """File and line of a position, for people."""
        return f"{self._name}:{self._document.place(position)[0]}"

    def _dash(self, start: int, node: YamlNode) -> int:
        """Where the dash of a list's item stands, at the list's column on this line or one
        above.
        """
        column = self._column(node.start)
        line = start - self._column(start)
        while line and not re.match(r"-(\s|$)", self.text[line + column :][:2]):
            line = self.text.rfind("\n", 0, line - 1) + 1
        return line + column


def _lines(members: list[Member], column: int) -> list[str]:
    return [" " * column + line for member in members for line in member.lines]
