"""Whether the doctor can connect to where webhooks lead; no message is sent by it."""

from __future__ import annotations

import asyncio

from digest.mail.webhook import WebhookTransport
from digest.model import Channel, Outcome, Receipt, Roster, Subscriber
from digest.setup.channels import make_webhooks
from digest.setup.doctor.check import Cause, Finding, fail, ok
from digest.setup.settings import Settings
from digest.setup.subscribers import roster_or_empty

SECONDS = 8.0
"""For each, all at once: a check has ten."""


def check_webhooks(settings: Settings) -> list[Finding]:
    """Connect to each webhook of the subscribers file, and send nothing: what it says to a digest
    only a digest can tell.
    """
    roster = roster_or_empty(settings)
    readers = [each for each in roster.subscribers if each.channel is Channel.WEBHOOK]
    return asyncio.run(_webhooks(settings, roster, readers)) if readers else []


async def _webhooks(settings: Settings, roster: Roster, readers: list[Subscriber]) -> list[Finding]:
    webhooks = make_webhooks(settings, roster)
    addresses = [reader.mailbox or reader.email for reader in readers]
    found = await asyncio.gather(*(_examined(webhooks, address) for address in addresses))
    return [_found(address, one) for address, one in zip(addresses, found, strict=True)]


async def _examined(webhooks: WebhookTransport, address: str) -> Receipt:
    try:
        async with asyncio.timeout(SECONDS):
            return await webhooks.examine(address)
    except TimeoutError:
        return Receipt(Outcome.DEFERRED, "it could not be connected to (no answer)")


def _found(address: str, receipt: Receipt) -> Finding:
    if receipt.outcome is Outcome.SENT:
        return ok(f"{address} {receipt.reply}")
    cause = Cause.CONFIG if receipt.permanent else Cause.NETWORK
    return fail(f"{address}: {receipt.reply}", "look at its entry in the file", cause)
