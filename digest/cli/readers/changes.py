"""The readers that an edit of the subscribers file changed: a block for each, or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from digest.cli.base import Context
from digest.cli.readers.describe import (
    address_and_name,
    awaited_answers,
    content_words,
    keyword_line,
    next_digest_json,
    next_digest_line,
    options_json,
    subscriber_json,
    without_digest,
)
from digest.keywords.words import counted
from digest.model import Channel, Subscriber
from digest.rules.schedule import pause_in_words
from digest.setup.parts import machine_now
from digest.subscribers.edit import roster_entry
from digest.subscribers.transaction import Edit

ONE_BY_ONE = 5
"""At most this many readers have a block each; of more, those with equal blocks share one."""
NAMED = 3
"""The number of readers that a shared block names."""


@dataclass(frozen=True, slots=True)
class Change:
    """A reader as an edit leaves them. `old`: as they were, None for a new one; `first`: no digest
    ever went to them; `awaited`: when arXiv is asked again for what it has not answered.
    """

    reader: Subscriber
    old: Subscriber | None
    first: bool
    awaited: datetime | None = None

    @property
    def differences(self) -> dict[str, Any]:
        """What is otherwise than before, under the names that JSON has for it."""
        fresh = self._fresh
        had = {keyword.name.casefold() for keyword in self.old.keywords} if self.old else set()
        return {
            "new": self.old is None,
            "added": [name for name in fresh if name.casefold() not in had],
            "reread": [name for name in fresh if name.casefold() in had],
            "changed": self._changed,
        }

    @property
    def _fresh(self) -> list[str]:
        """The names of keywords with a query that the reader did not have."""
        had = {keyword.query for keyword in self.old.keywords} if self.old else set()
        return [keyword.name for keyword in self.reader.keywords if keyword.query not in had]

    @property
    def _changed(self) -> dict[str, Any]:
        """The options that the reader had otherwise; a new reader had none."""
        before, after = options_json(self.old or self.reader), options_json(self.reader)
        return {name: value for name, value in after.items() if value != before[name]}

    def as_json(self, now: datetime) -> dict[str, Any]:
        """The reader, when digests come, and what changed."""
        coming = next_digest_json(self.reader, now, first=self.first, awaited=self.awaited)
        return {**subscriber_json(self.reader), **coming, **self.differences}

    def block(self, now: datetime) -> tuple[str, ...]:
        """The lines that are said of the reader, whoever it is."""
        reader = self.reader
        return (
            self._summary(),
            *map(keyword_line, reader.keywords),
            *([f"It gets {content_words(reader)}."] if reader.channel is not Channel.MAIL else []),
            next_digest_line(reader, now, first=self.first, awaited=self.awaited),
        )

    def _summary(self) -> str:
        found, until = self.differences, self.reader.paused_until
        if found["new"]:
            return f"subscribed to {counted(len(self.reader.keywords), 'keyword')}"
        keywords = {"now also": found["added"], "now read otherwise:": found["reread"]}
        said = [f"{words} {', '.join(names)}" for words, names in keywords.items() if names]
        # The date alone would not say whether the pause begins, ends or has no end.
        if "paused_until" in found["changed"]:
            del found["changed"]["paused_until"]
            said.append(pause_in_words(until) if until else "no longer paused")
        said += [f"{name} is now {_in_words(value)}" for name, value in found["changed"].items()]
        return "; ".join(said) or "nothing changed"


def changes_of(context: Context, edit: Edit, emails: Iterable[str]) -> list[Change]:
    """What became of the readers with these addresses, each once."""
    before = {reader.email.casefold(): reader for reader in edit.before.subscribers}
    after = {reader.email.casefold(): reader for reader in edit.after.subscribers}
    # An address that is written otherwise than it is stored is looked for one by one, which takes
    # too long for all the people of a table.
    found = (after.get(email.casefold()) or roster_entry(edit.after, email) for email in emails)
    readers = dict.fromkeys(reader for reader in found if reader)
    first = without_digest(context, readers)
    awaited = awaited_answers(context, readers, machine_now())
    return [
        Change(
            reader,
            before.get(reader.email.casefold()),
            reader.email in first,
            awaited.get(reader.email),
        )
        for reader in readers
    ]


def change_lines(changes: Sequence[Change], now: datetime) -> Iterator[str]:
    """The lines for people: a block a reader, or one for all readers of whom the same is said."""
    blocks: dict[tuple[str, ...], list[Subscriber]] = {}
    for change in changes:
        own = change.reader.email if len(changes) <= ONE_BY_ONE else ""
        blocks.setdefault((own, *change.block(now)), []).append(change.reader)
    for (_, said, *lines), sharing in blocks.items():
        who, more = ", ".join(map(address_and_name, sharing[:NAMED])), len(sharing) - NAMED
        others = f" and {counted(more, 'other')}" if more > 0 else ""
        yield f"{who}{others}: {said}"
        yield from (f"  {line}" for line in lines)


def _in_words(value: Any) -> str:
    """An option's value as the file would show it."""
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value or "none")
