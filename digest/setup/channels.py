"""From settings and subscribers to what carries digests to readers who are known by a name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from digest.mail.targets import Target, Targets
from digest.model import Outgoing, Roster
from digest.setup.mail import make_sender
from digest.setup.settings import Settings

if TYPE_CHECKING:
    from digest.mail.apprise import AppriseTransport
    from digest.mail.webhook import WebhookTransport


def make_webhooks(settings: Settings, roster: Roster) -> WebhookTransport:
    """The transport that posts to programs."""
    from digest.mail.webhook import WebhookTransport

    return WebhookTransport(
        targets_of(settings, roster),
        private=settings.private_targets,
        clock=lambda: datetime.now(UTC),
    )


def make_chats(settings: Settings, roster: Roster) -> AppriseTransport:
    """The transport that sends into chats."""
    from digest.mail.apprise import AppriseTransport

    return AppriseTransport(targets_of(settings, roster))


def chat_text(settings: Settings, roster: Roster, outgoing: Outgoing) -> str:
    """A chat's message as its service gets it; as plain text where that cannot be opened here."""
    import asyncio  # takes long to import

    from digest.mail.apprise import LONGEST, assemble_chat, fitted, written
    from digest.mail.message import EndedError

    message = assemble_chat(outgoing, make_sender(settings))
    try:
        service = asyncio.run(make_chats(settings, roster).opened(outgoing.address))
    except EndedError:
        return written(json.loads(message.data), "text", LONGEST, titled=False, lines=0)
    _, title, text = fitted(service, message.data)
    return f"{title}\n\n{text}" if title else text


def targets_of(settings: Settings, roster: Roster) -> Targets:
    """The URLs of the file, by the addresses that they stand for."""
    return Targets(
        {
            (reader.mailbox or reader.email).casefold(): Target(reader.target, reader.secret)
            for reader in roster.subscribers
            if reader.target
        },
        settings.variables,
    )
