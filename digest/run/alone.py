"""Mails that are no digests, one at a time. They stand in no outbox, and keep its rests."""

from __future__ import annotations

from collections.abc import Callable

from digest.model import Outcome, Outgoing, Receipt
from digest.run.deliver import Mailer, send_one
from digest.run.session import Session

AGAIN = (Outcome.DEFERRED, Outcome.RELAY)
"""How an attempt ends that is followed by another one."""


async def mail_alone(
    session: Session, mailer: Mailer, outgoing: Outgoing, enter_data: Callable[[], None]
) -> Receipt:
    """Try such a mail; `enter_data` commits that from now on it may be accepted."""
    session.progress(f"mailing {outgoing.address}")
    session.stop.in_flight = True
    try:
        receipt = await send_one(mailer, outgoing, enter_data)
    finally:
        session.stop.in_flight = False
    return session.store.relay.judge_one(receipt, session.clock(), outgoing.address)
