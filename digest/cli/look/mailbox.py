"""What `digest status` tells of the mailbox, and of requests to leave."""

from __future__ import annotations

from typing import Any

from digest.cli.base import fit_for_log
from digest.setup.mail import make_sender
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


def report_leaving(settings: Settings) -> dict[str, Any] | None:
    """Where requests to leave arrive by mail, and whether a program reads them there."""
    if not settings.mails_for_real:
        return None
    read_there = settings.bounce if settings.inbox else ""
    return {
        "to": read_there or make_sender(settings).reply_address,
        "read": bool(settings.inbox),
    }


def tell_leaving(leaving: dict[str, Any] | None) -> str:
    """Where requests to leave arrive, unless a program reads them there."""
    if leaving is None or leaving["read"]:
        return ""
    # The one address here: a log that strangers can read must not show it.
    place = fit_for_log(leaving["to"])
    return f"requests arrive at {place}; act on each with 'digest inbox MAIL.eml'"
