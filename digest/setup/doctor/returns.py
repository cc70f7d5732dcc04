"""What stands around the mail: whether the mailbox can be read, bounces get there, the link to
leave is answered, and issues can be posted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from digest.keywords.words import counted
from digest.mail.mailbox import read_mailbox
from digest.mail.mailbox_process import open_mailbox
from digest.mail.reader_tokens import NOBODYS
from digest.model import Channel, Outcome, Receipt
from digest.setup.doctor.check import (
    Cause,
    Finding,
    fail,
    first,
    must_resolve,
    ok,
    unresolved,
    warn,
)
from digest.setup.mail import make_issues, make_sender
from digest.setup.settings import Settings
from digest.setup.subscribers import roster_or_empty
from digest.subscribers.addresses import repository_of

TIMEOUT = 8.0
"""Seconds for an answer from the web side."""
PROBE = f"/u/{NOBODYS}"
"""A link that leads nowhere, which only `digest serve` says in its own words."""
REMEDY = (
    "make a fine-grained token with 'Issues: read and write' on it, and set DIGEST_GITHUB_TOKEN"
)


def check_inbox(inbox: str, password: str, ca: Path | None) -> Finding:
    """Log in and select the folder; nothing is read or marked. What goes wrong is raised."""
    place = read_mailbox(inbox)
    must_resolve(place.host, "is the name right?")

    async def look() -> None:
        async with open_mailbox(place, password, ca, TIMEOUT):
            pass

    asyncio.run(look())
    return ok(f"{place.name} can be read")


def check_bounce(bounce: str, inbox: str, sender: str) -> Finding:
    """Whether bounces come to a mailbox that is read, and from a domain that helps the mail."""
    local, _, domain = bounce.rpartition("@")
    own = parseaddr(sender)[1].rpartition("@")[2].lower()
    return first(
        (
            not inbox,
            warn(
                f"bounces go to {bounce}, and nobody reads them",
                "set DIGEST_INBOX to that mailbox, "
                "or act on single ones with 'digest inbox MAIL.eml'",
            ),
        ),
        (
            # A subdomain is aligned, too (RFC 7489 section 3.1.2, relaxed).
            own and not f".{domain.lower()}".endswith(f".{own}"),
            warn(
                f"the bounce address is at {domain}, and mail comes from {own}: "
                "SPF is not aligned with the sender",
                f"use an address at {own}, or see that DKIM signs for it",
            ),
        ),
        (
            True,
            ok(
                f"each delivery has its own, such as {local}+7-…@{domain}: "
                "does the server deliver such to the inbox?"
            ),
        ),
    )


def check_base_url(base_url: str) -> Finding:
    """Ask for a link that leads nowhere: `digest serve` says so in its own words."""
    must_resolve(urlsplit(base_url).hostname or "", "every mail leads there")
    try:
        answer = httpx.get(base_url + PROBE, timeout=TIMEOUT)
    except httpx.HTTPError as error:
        return fail(
            f"{base_url} does not answer ({type(error).__name__}), and every mail leads there",
            "start 'digest serve' behind your web server",
            Cause.NETWORK,
        )
    if answer.status_code == httpx.codes.NOT_FOUND and "This link leads nowhere" in answer.text:
        return ok(f"{base_url} is answered by 'digest serve'")
    return fail(
        f"{base_url} is answered by something else (HTTP {answer.status_code}), "
        "and every mail leads there",
        "pass /u/ on to 'digest serve', or take DIGEST_BASE_URL out",
    )


def check_likes(settings: Settings) -> list[Finding]:
    """Whether anything reads what readers answer who are asked what they like."""
    readers = roster_or_empty(settings).subscribers
    asked = [reader for reader in readers if reader.feedback and reader.channel is Channel.MAIL]
    if not asked:
        return []
    whom = counted(len(asked), "reader")
    if settings.base_url:
        return [ok(f"{whom} can like papers, by links to {settings.base_url}")]
    if settings.inbox:
        return [ok(f"{whom} can like papers, by mail to {make_sender(settings).request_address}")]
    return [
        warn(
            f"{whom} can like papers, and nothing reads what they answer",
            "set DIGEST_BASE_URL and start 'digest serve', or set DIGEST_INBOX",
        )
    ]


def check_repositories(settings: Settings) -> list[Finding]:
    """Ask GitHub about each repository that the subscribers file names; nothing is posted."""
    readers = roster_or_empty(settings).subscribers
    names = [repository_of(r.email) for r in readers if r.channel is Channel.GITHUB]
    host = urlsplit(settings.github_api).hostname or ""
    if not names:
        return []
    if not settings.github_token:
        found = fail("there is no token to post with", REMEDY)
    elif why := unresolved(host):
        found = fail(f"{host} has no address ({why})", "", Cause.NETWORK)
    else:
        return asyncio.run(_examine(settings, names))
    return [replace(found, found=f"{name}: {found.found}") for name in names]


async def _examine(settings: Settings, repositories: Sequence[str]) -> list[Finding]:
    # docs/decisions.md: The doctor offers GitHub an issue without a title.
    issues = make_issues(settings)
    try:
        return [_issues(name, await issues.examine(name)) for name in repositories]
    finally:
        await issues.close()


def _issues(repository: str, receipt: Receipt) -> Finding:
    if receipt.outcome is Outcome.SENT:
        return ok(f"{repository}: {receipt.reply}")
    found, _, remedy = receipt.reply.partition(": ")
    is_ours = receipt.outcome is Outcome.FAILED or receipt.permanent
    cause = Cause.CONFIG if is_ours else Cause.NETWORK
    return fail(f"{repository}: {found}", remedy, cause)
