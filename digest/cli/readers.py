"""A reader as the command line shows them: the name, the options as JSON, and when the first digest comes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from digest.cli.base import Context
from digest.cli.parts import existing_store
from digest.errors import StoreError
from digest.model import Subscriber
from digest.times import to_text

if TYPE_CHECKING:
    from digest.store import Store


def titled(reader: Subscriber) -> str:
    """A reader's address, with the name where there is one."""
    return f"{reader.email} ({reader.name})" if reader.name else reader.email


def options_json(reader: Subscriber) -> dict[str, Any]:
    """A reader's options under the names of the subscribers file."""
    return {
        "name": reader.name,
        "schedule": [str(day) for day in reader.days],
        "at": f"{reader.at:%H:%M}" if reader.at else None,
        "timezone": reader.timezone,
        "revisions": {"true": True, "false": False}.get(reader.revisions, reader.revisions.value),
        "max_papers": reader.max_papers,
        "exclude": list(reader.exclude),
        "quiet_days": "tell" if reader.quiet_days else "silent",
        "order": str(reader.order),
        "paused_until": reader.paused_until.isoformat() if reader.paused_until else None,
        "abstracts": str(reader.abstracts),
        "format": str(reader.format),
        "authors": list(reader.authors),
        "categories": list(reader.categories),
        "subject_prefix": reader.subject_prefix,
    }


def subscriber_json(reader: Subscriber, now: datetime | None = None, *, first: bool = False) -> dict[str, Any]:
    """A reader as JSON shows them; with `now`, the next digest too, and the `first` where none ever went."""
    value = {
        "email": reader.email,
        "keywords": [{"name": k.name, "query": k.query, "rule": str(k.rule)} for k in reader.keywords],
        **options_json(reader),
    }
    if now is not None:
        from digest.schedule import latest_slot, next_digest

        begin = first_digest(reader, now) if first else None
        at, evening = next_digest(reader, begin or now, taken=latest_slot(reader, begin) if begin else None)
        value["first_digest"] = to_text(begin) if begin else None
        value["next_digest"] = {"at": to_text(at), "announcement": evening.isoformat()}
    return value


def first_digest(reader: Subscriber, now: datetime) -> datetime:
    """From when on a run may compose the first digest of a reader: at once, or after a pause or their hour (UTC)."""
    from digest.schedule import gives_way, is_paused, latest_slot, next_slot, resumes_at

    if reader.paused_until is not None and is_paused(reader, now):
        now = resumes_at(reader.paused_until, reader.timezone)
    return next_slot(reader, now) if gives_way(reader, latest_slot(reader, now), now) else now


def without_digest(context: Context, readers: list[Subscriber]) -> set[str]:
    """The addresses among these to which no digest ever went, so that the next run brings the first."""
    try:
        with existing_store(context.settings) as store:
            return {reader.email for reader in readers if store is None or not _has_digest(store, reader.email)}
    except StoreError as error:
        context.warn(str(error))
        return set()


def _has_digest(store: Store, address: str) -> bool:
    state, past = store.subscribers.state(address), store.history.reader(address)
    return bool(state.last_digest_at if state else past)
