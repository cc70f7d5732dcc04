"""A digest as a value that can be kept: compact JSON that names its papers, and from which it is
rendered again.

Of a paper only the id and the version stand in it: title, abstract and all else come from whoever
keeps the papers. What equals its default is left out, so a field that is added at the end, with a
default, needs no new form; whatever else changes in these classes raises FORM.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date, time
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

from digest.errors import StoreError
from digest.model import Digest, Item, Paper

FORM = 1
"""The form in which values are written; a program that knows only lower ones refuses them."""


def encode(digest: Digest) -> str:
    """The value of a digest, the same for equal digests, whatever is known of their papers beyond
    ids and versions. In ASCII, since a keyword's name may hold what UTF-8 cannot.
    """
    named = {
        field.name: _plain(value)
        for field in fields(digest)
        if (value := getattr(digest, field.name)) != field.default
    }
    return json.dumps({"form": FORM, **named}, separators=(",", ":"))


def decode(text: str, papers: Mapping[str, Paper]) -> Digest:
    """The digest of a value, with `papers` by their base ids, in whatever version they are now.

    Raises StoreError where it is of a newer form, is damaged, or names a paper that is not given.
    """
    try:
        named = json.loads(text)
        form = named.pop("form")
        if form != FORM:
            raise ValueError(f"form {form!r}, known {FORM}")
        hints = _hints(Digest)
        digest = Digest(**{name: _read(hints[name], raw, papers) for name, raw in named.items()})
        zone = ZoneInfo(digest.timezone)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}" if isinstance(error, LookupError) else str(error)
        raise StoreError(
            f"a digest is kept in a form that cannot be read ({what})",
            remedy="where a newer version of digest wrote it, install that one again",
        ) from error
    # An offset from UTC alone cannot tell the two hours apart of which one is repeated in autumn.
    return replace(digest, next_at=digest.next_at and digest.next_at.astimezone(zone))


def impersonal(text: str) -> str:
    """A value without the papers of the reader's own to which others are close, and without places
    for what the reader likes; the same text where it has neither.
    """
    named = json.loads(text)
    asks = named.pop("feedback", False)
    items = [item for _, items in named.get("sections", ()) for item in items]
    personal = [item for item in items if any(item[_CLOSE_TO : _CLOSE_TO + 1])]
    for item in personal:
        item[_CLOSE_TO] = None
        while item[-1] is None:
            item.pop()
    return json.dumps(named, separators=(",", ":")) if personal or asks else text


_CLOSE_TO = [field.name for field in fields(Item)].index("close_to")


def _plain(value: Any) -> Any:
    """What JSON can hold: a paper as its id and version, another dataclass as a list of its fields
    without the last ones that equal their defaults.
    """
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Paper):
        return f"{value.id}v{value.version}"
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date | time):
        return value.isoformat()
    if not is_dataclass(value):
        return value
    row = [(field.default, getattr(value, field.name)) for field in fields(value)]
    while row and row[-1][0] == row[-1][1]:
        row.pop()
    return [_plain(held) for _, held in row]


def _read(hint: Any, raw: Any, papers: Mapping[str, Paper]) -> Any:
    """The value that `_plain` wrote, by the type of its field. Raises ValueError, TypeError or
    LookupError.
    """
    if get_origin(hint) is UnionType:
        (hint,) = (each for each in get_args(hint) if each is not type(None))
        return None if raw is None else _read(hint, raw, papers)
    if get_origin(hint) is tuple:
        return tuple(_read(get_args(hint)[0], each, papers) for each in raw)
    if hint is Paper:
        return papers[raw.rpartition("v")[0]]
    if issubclass(hint, Enum):
        return hint(raw)
    if issubclass(hint, date | time):
        return hint.fromisoformat(raw)
    if isinstance(hint, type) and is_dataclass(hint):
        hints = _hints(hint)
        if len(raw) > len(hints):
            raise ValueError(f"{hint.__name__} has {len(raw)} fields, known {len(hints)}")
        pairs = zip(hints.items(), raw, strict=False)
        return hint(**{name: _read(each, value, papers) for (name, each), value in pairs})
    if not isinstance(raw, hint):
        raise TypeError(f"{raw!r} in the place of {hint.__name__}")
    return raw


@cache
def _hints(cls: type) -> dict[str, Any]:
    """The types of a dataclass's fields, in their order."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls)}
