"""Delivery over SMTP: a few connections to one server, reused for many messages, one recipient a
message.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from digest.mail.connection import Account, Connection
from digest.mail.message import Message
from digest.model import Outcome, Receipt

log = logging.getLogger(__name__)

CONNECTIONS = 3
"""The most connections at once; some providers take no more from one login (Exchange Online:
three)."""


class SmtpTransport:
    """Hands messages to one server over up to `connections` connections, made when they are needed.

    A server that turns a further connection away while another one works gets fewer from then on.
    """

    def __init__(self, account: Account, connections: int = CONNECTIONS) -> None:
        self._account = account
        self._connections = [Connection(account) for _ in range(connections)]
        # The one that was used last is taken first, so that few messages need one connection only.
        self._free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        for connection in self._connections:
            self._free.put_nowait(connection)

    @property
    def description(self) -> str:
        """The server, without the login."""
        return self._account.server.url

    @property
    def width(self) -> int:
        """How many messages may be handed over at a time."""
        return len(self._connections)

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        """Hand over one message on a connection that is free, or as soon as one is."""
        while True:
            connection = await self._free.get()
            try:
                receipt = await connection.send(message, before_data)
            except BaseException:
                self._free.put_nowait(connection)
                raise
            if not self._is_one_too_many(connection, receipt):
                self._free.put_nowait(connection)
                return receipt
            # The message goes out on another one; what was turned away was never about it.
            self._connections.remove(connection)
            log.info(
                "%s takes %d connections at a time: %s", self.description, self.width, receipt.reply
            )

    def _is_one_too_many(self, connection: Connection, receipt: Receipt) -> bool:
        """Whether a connection was turned away only because there are others."""
        if receipt.outcome is not Outcome.RELAY or not connection.turned_away:
            return False
        return any(other.is_open for other in self._connections if other is not connection)

    async def close(self) -> None:
        """Say goodbye on every connection."""
        await asyncio.gather(*(connection.close() for connection in self._connections))
