"""The last mail to readers who left by the button of the web's page: some mail scanners press
buttons, so whoever left hears it, once.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from digest.mail.body import freeze
from digest.mail.message import Sender, message_id
from digest.model import Channel, Outcome, Outgoing, Rendered
from digest.run.alone import AGAIN, mail_alone
from digest.run.deliver import Mailer, pause_of
from digest.run.session import Session
from digest.store import Store
from digest.store.suppressions import Farewell

log = logging.getLogger(__name__)

SUBJECT = "You left: no more digests come to you"
NO_DELIVERY = 0
"""The number in the bounce address of a last mail, which is no delivery of the outbox."""
_MARK = "the-line-of-the-reader"
_TEXT = f"""\
The button "Unsubscribe" was pressed on the page behind the link in one of
your digests of new arXiv papers, so no more of them come to you.

Some mail scanners press such buttons. If it was not you, or if you want to
come back, now or later: answer this mail, and a person puts you back.

This is the last mail.

-- \n{_MARK}
"""


async def say_farewell(session: Session, mailer: Mailer) -> None:
    """Mail to those who are still to hear it, as far as the mail server and the limits let it."""
    # docs/decisions.md, “The last mail is not in the outbox”.
    for farewell in session.store.suppressions.farewells(session.clock()):
        if session.stop.is_set() or pause_of(session, Channel.MAIL):
            return
        limits = mailer.carriers[Channel.MAIL].terms.limits
        if not session.store.relay.take_one(session.clock(), limits):
            return
        if not await _say(session, mailer, farewell):
            return


async def _say(session: Session, mailer: Mailer, farewell: Farewell) -> bool:
    """Try one last mail; returns whether the mail server can be used for the next one."""
    store, suppressions = session.store, session.store.suppressions
    outgoing = _outgoing(store.uuid, farewell, mailer.sender, session.clock())
    receipt = await mail_alone(
        session, mailer, outgoing, partial(suppressions.enter_data, farewell)
    )
    suppressions.settle(farewell, again=receipt.outcome in AGAIN)
    log.info("%s: told of having left: %s", farewell.address, receipt.reply)
    return receipt.outcome is not Outcome.RELAY


def bounced_farewell(store: Store, message_ids: Sequence[str]) -> str | None:
    """The reader to whom the last mail with one of these Message-IDs went; None for all others."""
    names = {each.lstrip("<").rpartition("@")[0] for each in message_ids}
    said = store.suppressions.said_farewells() if any(n.startswith("left.") for n in names) else []
    return next((one.address for one in said if _name_of(store.uuid, one) in names), None)


def _name_of(uuid: str, farewell: Farewell) -> str:
    """The part of a last mail's Message-ID that tells it from all others."""
    unique = hashlib.sha256(f"{uuid} {farewell.address} {farewell.since}".encode()).hexdigest()
    return f"left.{unique[:32]}"


def _outgoing(uuid: str, farewell: Farewell, sender: Sender, now: datetime) -> Outgoing:
    return Outgoing(
        id=NO_DELIVERY,
        attempt=1,
        address=farewell.address,
        name="",
        message_id=message_id(_name_of(uuid, farewell), sender.domain),
        date=now,
        subject=SUBJECT,
        pieces=freeze(Rendered(SUBJECT, _TEXT, "", _MARK)),
    )
