"""Rows as values: a dataclass is made of a row whose columns are named as its fields."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from datetime import date, datetime
from enum import Enum
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar, get_type_hints

from digest import times
from digest.errors import StoreError
from digest.model import NOT_CARRIED, OPEN, WAITING, State

T = TypeVar("T")
P = ParamSpec("P")

RESTORE = "restore a backup ('digest db restore'), and keep this file"


def stored(read: Callable[P, T]) -> Callable[P, T]:
    """A reader of what the database holds: what it cannot read has been damaged there, and is told
    so.

    The modules of the store read nothing otherwise.
    """

    @wraps(read)
    def call(*args: P.args, **named: P.kwargs) -> T:
        try:
            return read(*args, **named)
        except (ValueError, TypeError, LookupError, zlib.error) as error:
            held = ", ".join(repr(value)[:60] for value in args)
            raise StoreError(
                f"the database holds a value that cannot be read ({held})",
                remedy=RESTORE,
            ) from error

    return call


from_text = stored(times.from_text)
moment_or_none = stored(times.moment_or_none)
loads = stored(json.loads)
decompress = stored(zlib.decompress)


def pack(pieces: tuple[bytes, ...]) -> bytes:
    """A body as it is stored; encoded MIME text holds no NUL."""
    # Better compression takes three times as long, for what is let go once it was sent.
    return zlib.compress(b"\0".join(pieces), level=1)


def unpack(packed: bytes) -> tuple[bytes, ...]:
    """The body that `pack` wrote."""
    return tuple(decompress(packed).split(b"\0"))


def states(among: Collection[State]) -> str:
    """A list of states as SQL writes it, in the order in which they are declared."""
    return f"({', '.join(repr(state.value) for state in State if state in among)})"


OPEN_STATES = states(OPEN)
"""Each statement that looks for deliveries on their way names these in these very words, whatever
else it asks: else SQLite cannot know that the index of them will do (delivery_open), and reads the
ledger of all years."""
WAITING_STATES = states(WAITING)
NOT_CARRIED_STATES = states(NOT_CARRIED)


def value_of(cls: Callable[..., T], row: Mapping[str, Any], **given: Any) -> T:
    """A dataclass of a row, each column read by its field's type; `given` are fields without one.

    Columns that are no fields are left out, and fields that are no columns keep their defaults.
    """
    read = _readers(cls)
    found = {name: read[name](value) for name, value in row.items() if name in read}
    return cls(**(found | given))


def columns_of(value: Any) -> dict[str, Any]:
    """A dataclass as the parameters of a statement: each field under its name, and as it is."""
    # `asdict` would copy each moment and tuple, which takes longer than the statement itself.
    return {field.name: getattr(value, field.name) for field in fields(value)}


_READERS: dict[Any, Callable[[Any], Any]] = {
    bool: bool,
    date | None: stored(lambda text: date.fromisoformat(text) if text else None),
    datetime: from_text,
    datetime | None: moment_or_none,
    tuple[str, ...]: stored(lambda text: tuple(json.loads(text))),
    frozenset[str]: stored(lambda text: frozenset(json.loads(text))),
    tuple[bytes, ...]: unpack,
}


@cache
def _readers(cls: Any) -> dict[str, Callable[[Any], Any]]:
    """For each field of a dataclass, what makes its value of a column's."""
    hints = get_type_hints(cls)
    return {field.name: _reader(hints[field.name]) for field in fields(cls)}


def _reader(hint: Any) -> Callable[[Any], Any]:
    if isinstance(hint, type) and issubclass(hint, Enum):
        return stored(hint)
    return _READERS.get(hint, lambda value: value)
