"""YAML text as a tree of nodes that know their place in the text, so that mistakes and edits can
point at it.

The tree is built from the parser's events and not from loaded values, for three reasons. Every node
keeps its place and its own characters (`1e3`, `on`, `2026-12-01`), so that a mistake can be shown,
and corrected, as it was written. An edit can replace just the characters that change and leave all
others as they are. And it is quick: ruamel.yaml's loader that keeps comments takes about 0.55 ms a
subscriber, its events in pure Python 0.28 ms, and where the package ruamel.yaml.clib is installed,
0.013 ms. The parser in C is only trusted with text that it can read: a mistake is always described
by the one in Python.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from digest.subscribers.problems import Problem

MAX_BYTES = 32 * 1024 * 1024
"""The largest file that is read: more than 200,000 subscribers."""
MAX_VALUES = 5_000_000
"""How many values a file may hold once its aliases are written out; a few lines can stand for
billions."""
MAX_DEPTH = 12
"""How deep values may be nested; the deepest that means something is 4."""


@dataclass(slots=True)
class Node:
    """A value and where it stands: `text[start:end]`. `alias`: it is written elsewhere and only
    named here.
    """

    start: int
    end: int
    size: int = 1
    alias: bool = False


@dataclass(slots=True)
class Scalar(Node):
    """A single value. `plain`: it was written without quotes, so YAML gives it a type."""

    value: str = ""
    plain: bool = True


@dataclass(slots=True)
class Sequence(Node):
    """A list. `flow`: in brackets."""

    items: list[Node] = field(default_factory=list)
    flow: bool = False


@dataclass(slots=True)
class Mapping(Node):
    """Keys and values in their order, repeated ones included. `flow`: in braces."""

    pairs: list[tuple[Scalar, Node]] = field(default_factory=list)
    flow: bool = False

    def get(self, key: str) -> Node | None:
        """Return the value of the first such key."""
        return next((value for name, value in self.pairs if name.value == key), None)


class SyntaxProblem(Exception):  # noqa: N818 - it becomes a Problem among others
    """The text cannot be read on from `start`. `written`: what `suggestion` would stand in for, if
    known.
    """

    def __init__(self, start: int, message: str, suggestion: str = "", written: str = "") -> None:
        super().__init__(message)
        self.start = start
        self.message = message
        self.suggestion = suggestion
        self.written = written


class Document:
    """A text and its tree; `root` is None where the text holds no value at all.

    Raises SyntaxProblem where it is no YAML, or holds what no subscribers file needs.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = line_starts(text)
        self.root: Node | None = _compose(text)

    def place(self, position: int) -> tuple[int, int]:
        """Line and column of a position, both counted from 1."""
        return place(self._starts, position)

    def problem(
        self, position: int, message: str, suggestion: str = "", *, end: int | None = None
    ) -> Problem:
        """A mistake at a position of the text; the suggestion stands in for what is there up to
        `end`.
        """
        span = (position, max(position, end)) if suggestion and end is not None else None
        return Problem(*self.place(position), message, suggestion, span)


def line_starts(text: str) -> list[int]:
    """The positions at which lines begin, as editors count them: after each line feed."""
    return [0, *(match.end() for match in re.finditer("\n", text))]


def place(starts: list[int], position: int) -> tuple[int, int]:
    """Line and column of a position, both counted from 1."""
    line = bisect_right(starts, position)
    return line, position - starts[line - 1] + 1


def _events(text: str) -> Iterator[Any]:
    """The parser's events, from the parser in C where there is one and it can read the whole
    text.
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
        message = f"the character U+{ord(text[error.position]):04X} cannot stand in this file"
        raise SyntaxProblem(error.position, message) from None
    except MarkedYAMLError as error:
        raise _syntax_problem(error, text) from None


def _syntax_problem(error: Any, text: str) -> SyntaxProblem:
    """The parser's complaint in words that say what to look at."""
    problem = error.problem or ""
    if "<stream end>" in problem and (opened := _open_bracket(text)) is not None:
        return SyntaxProblem(opened, f"this {text[opened]} is not closed")
    start = (error.problem_mark or error.context_mark).index
    if "end of stream" in problem and "quoted" in (error.context or ""):
        return SyntaxProblem(error.context_mark.index, "a quote opens here and is never closed")
    if "',' or ']'" in problem or "',' or '}'" in problem:
        line = error.context_mark.line + 1
        return SyntaxProblem(
            start, f"a comma is missing before this, or the bracket of line {line} is not closed"
        )
    if "cannot start any token" in problem:
        return SyntaxProblem(start, "this character cannot begin a value: put the text in quotes")
    if "unknown escape" in problem:
        return SyntaxProblem(start, "a backslash has a meaning in double quotes: use single ones")
    if "could not find expected ':'" in problem:
        return SyntaxProblem(
            error.context_mark.index, "a name without a colon, or a line that is indented wrongly"
        )
    return SyntaxProblem(
        start, "this does not fit what stands before it: look at indentation and quotes"
    )


def _open_bracket(text: str) -> int | None:
    """Where the innermost bracket stands that is still open at the end of the text."""
    from ruamel.yaml import YAML, tokens

    opened: list[int] = []
    for token in YAML(typ="safe", pure=True).scan(text):
        if isinstance(token, (tokens.FlowSequenceStartToken, tokens.FlowMappingStartToken)):
            opened.append(token.start_mark.index)
        elif (
            isinstance(token, (tokens.FlowSequenceEndToken, tokens.FlowMappingEndToken)) and opened
        ):
            opened.pop()
    return opened[-1] if opened else None


def _compose(text: str) -> Node | None:
    from ruamel.yaml import events as kinds

    root: Node | None = None
    documents = 0
    anchors: dict[str, Node] = {}
    stack: list[_Open] = []
    for event in _events(text):
        node: Node
        if isinstance(event, kinds.ScalarEvent):
            node = _scalar(event, text)
        elif isinstance(event, kinds.AliasEvent):
            node = _alias(event, anchors)
        elif isinstance(event, (kinds.SequenceStartEvent, kinds.MappingStartEvent)):
            if len(stack) == MAX_DEPTH:
                raise SyntaxProblem(
                    event.start_mark.index,
                    "this is nested deeper than anything in this file can be",
                )
            _refuse_tag(event, event.start_mark.index)
            stack.append(_Open(event, is_mapping=isinstance(event, kinds.MappingStartEvent)))
            continue
        elif isinstance(event, (kinds.SequenceEndEvent, kinds.MappingEndEvent)):
            opened = stack.pop()
            node = opened.close(event.end_mark.index)
            event = opened.event
        else:
            documents += isinstance(event, kinds.DocumentStartEvent)
            if documents > 1:
                raise SyntaxProblem(
                    event.start_mark.index, "a second document begins here: remove this line"
                )
            continue
        if node.size > MAX_VALUES:
            raise SyntaxProblem(
                node.start, f"the aliases here stand for more than {MAX_VALUES:,} values"
            )
        if not node.alias and event.anchor:
            anchors[event.anchor] = node
        if stack:
            stack[-1].add(node, text)
        else:
            root = node
    if isinstance(root, Scalar) and root.plain and root.value == "":
        return None
    return root


class _Open:
    """A list or mapping whose end has not come yet."""

    def __init__(self, event: Any, *, is_mapping: bool) -> None:
        self.event = event
        self.is_mapping = is_mapping
        self.children: list[Node] = []

    def add(self, node: Node, text: str) -> None:
        is_name = self.is_mapping and len(self.children) % 2 == 0
        if is_name and not isinstance(node, Scalar):
            raise SyntaxProblem(node.start, "a list or mapping stands where a name is expected")
        if self.is_mapping and not is_name and node.start == node.end:
            # The parser places a value that is not there at whatever comes next, lines below.
            colon = re.compile(r"\s*:").match(text, self.children[-1].end)
            node.start = node.end = colon.end() if colon else self.children[-1].end
        self.children.append(node)

    def close(self, end: int) -> Node:
        """The finished node. A block ends with its last value: the parser's mark lies behind later
        comments.
        """
        start, flow = self.event.start_mark.index, bool(self.event.flow_style)
        if not flow:
            end = self.children[-1].end if self.children else start
        size = 1 + sum(child.size for child in self.children)
        if not self.is_mapping:
            return Sequence(start, end, size, items=self.children, flow=flow)
        names = [child for child in self.children[::2] if isinstance(child, Scalar)]
        pairs = list(zip(names, self.children[1::2], strict=True))
        return Mapping(start, end, size, pairs=pairs, flow=flow)


def _scalar(event: Any, text: str) -> Scalar:
    start, end = event.start_mark.index, event.end_mark.index
    plain = not event.style
    if not _refuse_tag(event, start):
        plain = False
    if event.style in ("|", ">") or not event.value:
        end = start + len(text[start:end].rstrip())
    return Scalar(start, end, value=event.value, plain=plain)


def _alias(event: Any, anchors: dict[str, Node]) -> Node:
    start, end, name = event.start_mark.index, event.end_mark.index, event.anchor
    target = anchors.get(name)
    if target is None:
        written = f"*{name}"
        raise SyntaxProblem(
            start, f"YAML takes {written} for the name of another value", f'"{written}"', written
        )
    if isinstance(target, Scalar):
        return Scalar(start, end, 1, True, target.value, target.plain)
    if isinstance(target, Sequence):
        return Sequence(start, end, target.size, True, target.items, target.flow)
    assert isinstance(target, Mapping)
    return Mapping(start, end, target.size, True, target.pairs, target.flow)


def _refuse_tag(event: Any, start: int) -> bool:
    """Whether YAML is left to guess the type; refuses any tag but the one that says "text"."""
    tag = event.tag
    if tag is None or tag == "!":
        return tag is None
    if str(tag) == "tag:yaml.org,2002:str":
        return False
    written = f"{tag} {getattr(event, 'value', '')}".rstrip()
    raise SyntaxProblem(start, f"YAML takes {tag} for the type of a value", f'"{written}"', written)
