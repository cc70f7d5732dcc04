"""Whether mail could leave: connect, encrypt, log in and name a sender, and go away before any
message.
"""

from __future__ import annotations

from digest.mail.message import Message, Sender, message_id
from digest.mail.transport import Transport
from digest.model import Receipt


class _EnoughError(Exception):
    """Everything before the message went well."""


async def probe(transport: Transport, sender: Sender) -> Receipt | None:
    """Try a transport once without mailing anything; None where it was ready to take a message.

    It goes through all that comes before a message, up to a recipient, who is the sender; there the
    transport is told to stop (`before_data` raises), so that nothing is handed over. The receipt
    tells what was in the way: RELAY where the server could not be used, DEFERRED or FAILED where it
    only did not take that recipient.
    """

    def stop() -> None:
        raise _EnoughError

    message = Message(
        sender=sender.address,
        recipient=sender.address,
        message_id=message_id("probe", sender.domain),
        data=b"Subject: never sent\r\n\r\n",
        smtputf8=not sender.address.isascii(),
    )
    try:
        return await transport.send(message, stop)
    except _EnoughError:
        return None
