"""What `digest subscribe` did: a block for each reader that says all there is to know, or JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from digest.cli.readers.describe import (
    keyword_line,
    next_line,
    options_json,
    subscriber_json,
    titled,
    what,
)
from digest.keywords.words import counted
from digest.model import Format, Subscriber
from digest.rules.schedule import pause_in_words

if TYPE_CHECKING:
    from digest.subscribers.edit import Edit

ONE_BY_ONE = 5
"""Up to so many readers have a block each; of more, those whose blocks are equal share one."""
NAMED = 3
"""How many readers of a shared block are named."""


def tell(
    edit: Edit, readers: list[Subscriber], now: datetime, waiting: Collection[str]
) -> Iterator[str]:
    """The lines for people; `waiting` are the addresses to which no digest ever went."""
    blocks: dict[tuple[str, ...], list[Subscriber]] = {}
    for reader in readers:
        block = _block(edit, reader, now, first=reader.email in waiting)
        blocks.setdefault(
            block if len(readers) > ONE_BY_ONE else (reader.email, *block), []
        ).append(reader)
    for sharing in blocks.values():
        said, *lines = _block(edit, sharing[0], now, first=sharing[0].email in waiting)
        who, more = ", ".join(map(titled, sharing[:NAMED])), len(sharing) - NAMED
        others = f" and {counted(more, 'other')}" if more > 0 else ""
        yield f"{who}{others}: {said}"
        yield from (f"  {line}" for line in lines)


def _block(edit: Edit, reader: Subscriber, now: datetime, *, first: bool) -> tuple[str, ...]:
    """What is said of one reader, whoever it is."""
    return (
        _what_changed(edit, reader),
        *map(keyword_line, reader.keywords),
        *([f"It gets {what(reader)}."] if reader.format is Format.ISSUE else []),
        next_line(reader, now, first=first),
    )


def _what_changed(edit: Edit, reader: Subscriber) -> str:
    changes = _changes(edit, reader)
    if changes["new"]:
        return f"subscribed to {counted(len(reader.keywords), 'keyword')}"
    said = [f"now also {', '.join(changes['added'])}"] if changes["added"] else []
    said += [f"now read otherwise: {', '.join(changes['reread'])}"] if changes["reread"] else []
    changed = dict(changes["changed"])
    if "paused_until" in changed:
        changed.pop("paused_until")
        said.append(
            pause_in_words(reader.paused_until) if reader.paused_until else "no longer paused"
        )
    said += [f"{name} is now {_in_words(value)}" for name, value in changed.items()]
    return "; ".join(said) or "nothing changed"


def _changes(edit: Edit, reader: Subscriber) -> dict[str, Any]:
    from digest.subscribers.edit import find_reader

    old = find_reader(edit.before, reader.email)
    if old is None:
        return {
            "new": True,
            "added": [k.name for k in reader.keywords],
            "reread": [],
            "changed": {},
        }
    had, names = {k.query for k in old.keywords}, {k.name.casefold() for k in old.keywords}
    fresh = [k.name for k in reader.keywords if k.query not in had]
    before, after = options_json(old), options_json(reader)
    return {
        "new": False,
        "added": [name for name in fresh if name.casefold() not in names],
        "reread": [name for name in fresh if name.casefold() in names],
        "changed": {name: value for name, value in after.items() if value != before[name]},
    }


def _in_words(value: Any) -> str:
    """An option's value as the file would show it."""
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value or "none")


def show_json(
    edit: Edit, reader: Subscriber, now: datetime, waiting: Collection[str]
) -> dict[str, Any]:
    """A reader and what changed, for JSON."""
    return {**subscriber_json(reader, now, first=reader.email in waiting), **_changes(edit, reader)}
