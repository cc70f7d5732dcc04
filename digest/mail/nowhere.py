"""Mail that goes nowhere, for rehearsals: every message is taken, none leaves."""

from __future__ import annotations

from collections.abc import Callable

from digest.mail.message import Message
from digest.model import Outcome, Receipt


class Nowhere:
    """A transport that keeps the messages it was given."""

    description = "nowhere"
    width = 1

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        """Take the message."""
        before_data()
        self.messages.append(message)
        return Receipt(Outcome.SENT)

    async def close(self) -> None:
        """Nothing to close."""
