"""The values of a subscriber's fields read from the file, each by its row of the table."""

from __future__ import annotations

from typing import Any

from digest.model import Weekly
from digest.subscribers.document import NodeKind, YamlNode
from digest.subscribers.fields import FIELDS, Field
from digest.subscribers.guesses import nearest_day
from digest.subscribers.quoting import quote
from digest.subscribers.values import Report, WrongValueError, fits

# An item of a schedule that is a list.
DAY = Field(
    Weekly,
    one="a day",
    mistake="{!r} is no day: mon, tue, wed, thu, fri, sat, sun",
    suggest=nearest_day,
)


def read_field(report: Report, name: str, node: YamlNode) -> Any:
    """The model's value of a field that needs nothing else of the file. Raises WrongValueError."""
    field = FIELDS[name]
    if name == "schedule" and node.kind is not NodeKind.TEXT:
        return _read_days(report, node)
    if name == "library":
        return _read_library(report, node)
    if field.one:
        return tuple(dict.fromkeys(report.values(node, name, field.one, field.read)))
    if name == "subject_prefix" and node.kind is NodeKind.LIST:
        written = report.document.text[node.start : node.end]
        suggestion = quote(written) if fits(field.read, written) else ""
        raise WrongValueError("a subject_prefix in brackets needs quotes", suggestion, node=node)
    return _read_single(report, name, node)


def _read_library(report: Report, node: YamlNode) -> tuple[str, ...]:
    """The items of a library, or its only one. An arXiv id looks like a number, and is none."""
    items = [node] if node.kind is NodeKind.TEXT else report.items(node, "library")
    for item in items:
        if item.kind is not NodeKind.TEXT:
            report.text(item, "one of library")
    read = (report.read(item, FIELDS["library"].read) for item in items)
    return tuple(dict.fromkeys(filter(None, read)))


def _read_single(report: Report, name: str, node: YamlNode) -> Any:
    field = FIELDS[name]
    if not field.typed or node.kind is not NodeKind.TEXT:
        return report.value(node, name, field.read)
    if field.optional and node.is_nothing:
        return None
    in_quotes = field.unquoted and not node.plain
    return report.read(node, field.read, quote(node.value) if in_quotes else node.value)


def _read_days(report: Report, node: YamlNode) -> tuple[Weekly, ...]:
    days = report.values(node, "schedule", DAY.one, DAY.read)
    if not node.items:
        raise WrongValueError(
            "the list of days is empty: nothing would ever come; to pause, set paused_until",
            node=node,
        )
    return tuple(day for day in Weekly if day in days)
