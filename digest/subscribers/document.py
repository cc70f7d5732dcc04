"""YAML text as a tree of nodes that know their place in it, so that mistakes and edits can point
there.

The tree is built from the parser's events and not from loaded values, for three reasons. Every node
keeps its place and its own characters (`1e3`, `on`, `2026-12-01`), so that a mistake can be shown
as it was written. An edit can replace just the characters that change and leave all others as they
are. And it is quick: ruamel.yaml's loader that keeps comments takes about 0.55 ms a subscriber, its
events in pure Python 0.28 ms, and where the package ruamel.yaml.clib is installed, 0.013 ms.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from digest.subscribers.quoting import yaml_type

# The largest file that is read: more than 200,000 subscribers.
MAX_BYTES = 32 * 1024 * 1024
# The most values that a file may hold once its aliases are written out; a few lines can stand for
# billions.
MAX_VALUES = 5_000_000
# The deepest nesting of values; 4 is the deepest that means something.
MAX_DEPTH = 12


# The dash of a block list's first item, where an anchor or a tag stands before it.
_DASH = re.compile(r"^ *-(?=\s)", re.MULTILINE)
BACKSLASH = "a backslash has a meaning in double quotes: use single ones"


class NodeKind(StrEnum):
    """What a node is, in words for people."""

    TEXT = "a single value"
    LIST = "a list"
    MAPPING = "a mapping"


@dataclass(slots=True)
class YamlNode:
    """A value and where it stands: `text[start:end]`.

    A single value has a `value`, and is `plain` where it was written without quotes, so that YAML
    gives it a type. A list has `items`; a mapping has `pairs` of names and values in their order,
    repeated ones included. `flow`: written in brackets or braces. `alias`: written elsewhere and
    only named here. `size`: how many values it holds, aliases written out.
    """

    kind: NodeKind
    start: int
    end: int
    value: str = ""
    plain: bool = False
    items: Sequence[YamlNode] = ()
    pairs: Sequence[tuple[YamlNode, YamlNode]] = ()
    flow: bool = False
    alias: bool = False
    size: int = 1

    def get(self, name: str) -> tuple[YamlNode, YamlNode] | None:
        """The first pair of this name."""
        return next((pair for pair in self.pairs if pair[0].value == name), None)

    @property
    def texts(self) -> list[str]:
        """The items of a list of single values, or the names of a mapping."""
        return [item.value for item in self.items] + [name.value for name, _ in self.pairs]

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Where the members of a list or mapping begin and end."""
        pairs = [(name.start, value.end) for name, value in self.pairs]
        return [(item.start, item.end) for item in self.items] + pairs

    @property
    def is_nothing(self) -> bool:
        """Whether YAML reads nothing here: no characters, or `~`, or `null`."""
        return self.plain and yaml_type(self.value) == "nothing"

    @property
    def shape(self) -> str:
        """What stands here, in words for people."""
        return "nothing" if self.plain and not self.value else self.kind.value


@dataclass(eq=False)
class YamlError(Exception):
    """The text cannot be read on from `start`. `written` is what `suggestion` would stand in for,
    where that is known.
    """

    start: int
    message: str
    suggestion: str = ""
    written: str = ""


class Document:
    """A text and its tree; `root` is None where the text holds no value at all.

    Raises YamlError where it is no YAML, or holds what no subscribers file needs.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = line_starts(text)
        self.root: YamlNode | None = _Composer(text).root()

    def place(self, position: int) -> tuple[int, int]:
        """Line and column of a position, both counted from 1."""
        return place(self._starts, position)

    def section(self, name: str) -> tuple[YamlNode, YamlNode] | None:
        """One of the file's sections: its name and its value."""
        return self.root.get(name) if self.root else None

    def part(self, name: str) -> YamlNode:
        """The value of a section, nothing where it is missing."""
        found = self.section(name)
        return found[1] if found else YamlNode(NodeKind.TEXT, 0, 0)


def line_starts(text: str) -> list[int]:
    """The positions at which lines begin, as editors count them: after each line feed."""
    return [0, *(match.end() for match in re.finditer("\n", text))]


def place(starts: list[int], position: int) -> tuple[int, int]:
    """Line and column of a position, both counted from 1."""
    line = bisect_right(starts, position)
    return line, position - starts[line - 1] + 1


class _Composer:
    """Makes nodes of the parser's events, which are read one after the other."""

    def __init__(self, text: str) -> None:
        from ruamel.yaml import events

        self._kinds, self._text = events, text
        self._events = _events(text)
        self._anchors: dict[str, YamlNode] = {}

    def root(self) -> YamlNode | None:
        """The value of the one document in the text, None where it holds nothing."""
        root, documents = None, 0
        for event in self._events:
            documents += isinstance(event, self._kinds.DocumentStartEvent)
            if documents > 1:
                start = event.start_mark.index
                raise YamlError(start, "a second document begins here: remove this line")
            if isinstance(event, self._kinds.NodeEvent):
                root = self._node(event, 0)
        return root if root and (root.value or not root.plain) else None

    def _node(self, event: Any, depth: int) -> YamlNode:
        """The node that begins with this event, with all that it holds."""
        if isinstance(event, self._kinds.ScalarEvent):
            node = self._single(event)
        elif isinstance(event, self._kinds.AliasEvent):
            node = self._aliased(event)
        else:
            node = self._collection(event, depth)
        if node.size > MAX_VALUES:
            raise YamlError(
                node.start, f"the aliases here stand for more than {MAX_VALUES:,} values"
            )
        if event.anchor and not node.alias:
            self._anchors[event.anchor] = node
        return node

    def _aliased(self, event: Any) -> YamlNode:
        start, written = event.start_mark.index, f"*{event.anchor}"
        if event.anchor not in self._anchors:
            raise YamlError(
                start,
                f"YAML takes {written} for the name of another value",
                suggestion=f'"{written}"',
                written=written,
            )
        target = self._anchors[event.anchor]
        return replace(target, start=start, end=event.end_mark.index, alias=True)

    def _single(self, event: Any) -> YamlNode:
        start, end, style = event.start_mark.index, event.end_mark.index, event.style
        plain = _is_untagged(event) and not style
        if style in ("|", ">") or not event.value:
            end = start + len(self._text[start:end].rstrip())
        return YamlNode(NodeKind.TEXT, start, end, event.value, plain)

    def _collection(self, event: Any, depth: int) -> YamlNode:
        start, flow = event.start_mark.index, bool(event.flow_style)
        if depth == MAX_DEPTH:
            raise YamlError(start, "this is nested deeper than anything in this file can be")
        _is_untagged(event)
        is_mapping = isinstance(event, self._kinds.MappingStartEvent)
        members, end = self._members(depth + 1, in_mapping=is_mapping)
        if members and not flow:
            # A block ends with its last value: the parser's mark lies behind later comments.
            end = members[-1].end
            # An anchor or a tag stands on the line of the name: the block begins below it, in
            # the column in which its members stand.
            if event.anchor or event.tag:
                dash = None if is_mapping else _DASH.search(self._text, start)
                start = dash.end() - 1 if dash else members[0].start
        size = 1 + sum(member.size for member in members)
        if is_mapping:
            pairs = list(zip(members[::2], members[1::2], strict=True))
            return YamlNode(NodeKind.MAPPING, start, end, pairs=pairs, flow=flow, size=size)
        return YamlNode(NodeKind.LIST, start, end, items=members, flow=flow, size=size)

    def _members(self, depth: int, *, in_mapping: bool) -> tuple[list[YamlNode], int]:
        """The items of a list, or the names and values of a mapping in turn, and where it ends."""
        members: list[YamlNode] = []
        for event in self._events:
            if isinstance(event, self._kinds.CollectionEndEvent):
                break
            member = self._node(event, depth)
            if in_mapping and len(members) % 2:
                self._place_missing(member, members[-1])
            elif in_mapping and member.kind is not NodeKind.TEXT:
                raise YamlError(member.start, "a list or mapping stands where a name is expected")
            members.append(member)
        return members, event.end_mark.index

    def _place_missing(self, value: YamlNode, name: YamlNode) -> None:
        """Put a value that is not there behind its name: the parser places it at whatever comes
        next, lines below.
        """
        if value.start == value.end:
            colon = re.compile(r"\s*:").match(self._text, name.end)
            value.start = value.end = colon.end() if colon else name.end


def _is_untagged(event: Any) -> bool:
    """Whether YAML is left to guess the type; refuses any tag but the one that says "text"."""
    tag = event.tag
    if tag is None:
        return True
    if tag == "!" or str(tag) == "tag:yaml.org,2002:str":
        return False
    written = f"{tag} {getattr(event, 'value', '')}".rstrip()
    raise YamlError(
        event.start_mark.index,
        f"YAML takes {tag} for the type of a value",
        suggestion=f'"{written}"',
        written=written,
    )


def _events(text: str) -> Iterator[Any]:
    """The parser's events. The parser in C, where there is one, is only trusted with text that it
    can read to the end: a mistake is always described by the one in Python.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.parser import Parser
    from ruamel.yaml.reader import ReaderError

    quick = YAML(typ="safe")
    if quick.Parser is not Parser:
        with suppress(YAMLError):
            yield from list(quick.parse(text))
            return
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except ReaderError as error:
        code = f"U+{ord(text[error.position]):04X}"
        raise YamlError(error.position, f"the character {code} cannot stand in this file") from None
    except MarkedYAMLError as error:
        raise _in_words(error, text) from None


# Part of what ruamel.yaml says, whether the place to look at is where the value began rather than
# where the parser stopped, and what that means for people; `{}` is the line where the value began.
_COMPLAINTS = (
    ("',' or", False, "a comma is missing before this, or the bracket of line {} is not closed"),
    (
        "cannot start any token",
        False,
        "this character cannot begin a value: put the text in quotes",
    ),
    ("unknown escape", False, BACKSLASH),
    ("unexpected end of stream", True, "a quote opens here and is never closed"),
    ("expected ':'", True, "a name without a colon, or a line that is indented wrongly"),
    ("", False, "this does not fit what stands before it: look at indentation and quotes"),
)


def _in_words(error: Any, text: str) -> YamlError:
    """The parser's complaint in words that say what to look at."""
    said, began = error.problem or "", error.context_mark
    if "<stream end>" in said and (bracket := _open_bracket(text)) is not None:
        return YamlError(bracket, f"this {text[bracket]} is not closed")
    at_beginning, message = next(row[1:] for row in _COMPLAINTS if row[0] in said)
    mark = began if at_beginning else error.problem_mark or began
    return YamlError(mark.index, message.format(began.line + 1 if began else ""))


def _open_bracket(text: str) -> int | None:
    """Where the innermost bracket stands that is still open at the end of the text."""
    from ruamel.yaml import YAML

    opened: list[int] = []
    for token in YAML(typ="safe", pure=True).scan(text):
        if token.id in ("[", "{"):
            opened.append(token.start_mark.index)
        elif token.id in ("]", "}") and opened:
            opened.pop()
    return opened[-1] if opened else None
