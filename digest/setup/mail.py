"""From the settings to who mail comes from and the way by which it leaves."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from digest.errors import ConfigError
from digest.mail.message import Sender, assemble, message_id
from digest.mail.reader_tokens import Signer
from digest.mail.server import Server, read_server
from digest.mail.transport import Transport, open_transport
from digest.model import Outgoing, Receipt
from digest.setup.settings import Settings
from digest.setup.subscribers import pseudonyms_of

if TYPE_CHECKING:
    # httpx and the inbox take long to import, and few commands need them.
    from digest.mail.github import GithubTransport
    from digest.run.inbox import InboxReader
    from digest.store import Store

LOCAL_SENDER = "Digest <digest@localhost>"
"""The sender of mail that only goes to a Maildir, where none is set."""


def make_sender(settings: Settings, store: Store | None = None) -> Sender:
    """Who mail comes from; with the database, whose secret signs, also how its readers leave.

    Requests to leave go to the bounce address where that is read, else to the contact, whose
    mailbox may be read too.
    """
    return Sender(
        settings.sender or LOCAL_SENDER,
        settings.contact,
        signer=make_signer(store, settings.secret) if store else None,
        bounce=settings.bounce,
        leave=settings.bounce if settings.inbox else "",
        base_url=settings.base_url,
    )


def make_signer(store: Store, secret: str = "") -> Signer:
    """The signer that makes and checks tokens: with the operator's secret, or else the database's
    own.
    """
    return Signer(secret or store.secret(), store.uuid)


def make_inbox_reader(
    settings: Settings, store: Store, clock: Callable[[], datetime]
) -> InboxReader:
    """The reader of the mailbox that DIGEST_INBOX names."""
    from digest.mail.mailbox import read_mailbox
    from digest.run.inbox import InboxReader

    place = read_mailbox(settings.inbox)
    return InboxReader(
        store=store,
        signer=make_signer(store, settings.secret),
        place=place,
        password=settings.inbox_password,
        ca=settings.mail_ca,
        clock=clock,
        names=pseudonyms_of(settings),
    )


def make_issues(settings: Settings) -> GithubTransport:
    """The transport that posts issues to repositories."""
    from digest.mail.github import GithubTransport

    return GithubTransport(
        settings.github_token,
        api=settings.github_api,
        clock=lambda: datetime.now(UTC),
        label=settings.issue_label,
        page_url=settings.page_url,
    )


def server_of(mail: str) -> Server | None:
    """The SMTP server that a DIGEST_MAIL setting names; None where it names none, or cannot be
    read.
    """
    scheme, colon, place = mail.strip().partition(":")
    if not colon or scheme.lower() not in ("smtp", "smtps"):
        return None
    # What is wrong with it is told by whoever lists all mistakes.
    try:
        return read_server(scheme.lower(), place)
    except ConfigError:
        return None


def make_transport(settings: Settings) -> Transport:
    """The way by which mail leaves."""
    return open_transport(
        settings.mail,
        home=settings.home,
        password=settings.mail_password or None,
        ca=settings.mail_ca,
        token_command=settings.mail_token_command,
    )


async def send_alone(
    settings: Settings,
    address: str,
    subject: str,
    pieces: tuple[bytes, ...],
    now: datetime,
    before_data: Callable[[], None] = lambda: None,
) -> Receipt:
    """Mail one message that no digest is, under a Message-ID of its own; nothing is recorded.

    `before_data` is called before the message itself is handed over.
    """
    sender, transport = make_sender(settings), make_transport(settings)
    outgoing = Outgoing(
        id=0,
        attempt=1,
        address=address,
        name="",
        message_id=message_id(f"test.{secrets.token_hex(12)}", sender.domain),
        date=now,
        subject=subject,
        pieces=pieces,
    )
    try:
        return await transport.send(assemble(outgoing, sender), before_data)
    finally:
        await transport.close()
