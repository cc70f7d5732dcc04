"""What `digest status` says of a reader: what is wrong, why nothing came, how the last digest adds
up.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from digest.model import Subscriber
from digest.rules.schedule import local_date
from digest.store import Store
from digest.store.subscribers import SubscriberState

if TYPE_CHECKING:
    from digest.explain.inquiry import Inquiry

LATEST = 5
"""A digest that was sent again, or refused, may be later than the last one."""


def trouble_of(state: SubscriberState, sent: str) -> str:
    """What is wrong with a reader, of whom a mail or an issue is `sent`; "" where nothing is."""
    if state.refused:
        return (
            f"the last {sent} was refused for good ({state.refused});"
            " its papers come with the next digest"
        )
    return f"arXiv has not yet answered for {', '.join(state.unplaced)}" if state.unplaced else ""


def why_none_today(store: Store, reader: Subscriber, last: datetime, now: datetime) -> str:
    """Why the reader's local day has brought no digest so far; "" where it has."""
    from digest.explain.day import explain_day
    from digest.explain.inquiry import Inquiry

    today = local_date(now, reader.timezone)
    if local_date(last, reader.timezone) == today:
        return ""
    asked = Inquiry(store, now, reader.email, reader, store.history.reader(reader.email))
    reasons = explain_day(asked, today)["reasons"]
    return f"none today: {reasons[0]}" if reasons else ""


def last_receipt(inquiry: Inquiry, state: SubscriberState) -> str:
    """The receipt of the reader's last digest; "" where there is none, or it is no longer kept."""
    from digest.rendering.receipt import receipt
    from digest.rendering.value import decode

    last = [
        each for each in inquiry.deliveries(limit=LATEST) if each.queued_at == state.last_digest_at
    ]
    kept = inquiry.store.bodies.kept(last[0].id) if last else None
    return receipt(decode(kept.digest, kept.papers)) if kept else ""
