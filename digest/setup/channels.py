"""From settings and subscribers to what carries digests to readers who are known by a name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from digest.mail.targets import Target, Targets
from digest.model import Roster
from digest.setup.settings import Settings

if TYPE_CHECKING:
    from digest.mail.webhook import WebhookTransport


def make_webhooks(settings: Settings, roster: Roster) -> WebhookTransport:
    """The transport that posts to programs."""
    from digest.mail.webhook import WebhookTransport

    return WebhookTransport(
        targets_of(settings, roster),
        private=settings.private_targets,
        clock=lambda: datetime.now(UTC),
    )


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
