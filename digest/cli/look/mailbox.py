"""What `digest status` tells of the mailbox that is read."""

from __future__ import annotations

from typing import Any

from digest.setup.settings import Settings
from digest.store import Store
from digest.store.rows import from_text
from digest.times import in_utc, to_text


def report_mailbox(store: Store, settings: Settings) -> dict[str, Any] | None:
    """Since when the mailbox cannot be read, and why; None where it can, or none is set."""
    unread = store.inbox.unread() if settings.inbox else None
    return {"since": to_text(unread.since), "trouble": unread.words} if unread else None


def tell_mailbox(mailbox: dict[str, Any] | None) -> str:
    """The same in words, or nothing."""
    if mailbox is None:
        return ""
    since = in_utc(from_text(mailbox["since"]))
    return f"FAILED: the mailbox is not read since {since}: {mailbox['trouble']}"
