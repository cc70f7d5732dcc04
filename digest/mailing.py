"""From the settings to who mail comes from and the way by which it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from digest.settings import Settings

if TYPE_CHECKING:
    from digest.mail.message import Sender
    from digest.mail.transport import Transport

LOCAL_SENDER = "Digest <digest@localhost>"
"""The sender of mail that only goes to a Maildir, where none is set."""


def make_sender(settings: Settings) -> Sender:
    """Who mail comes from."""
    from digest.mail.message import Sender

    return Sender(settings.sender or LOCAL_SENDER, settings.contact)


def make_transport(settings: Settings) -> Transport:
    """The way by which mail leaves."""
    from digest.mail.transport import open_transport

    return open_transport(
        settings.mail,
        home=settings.home,
        password=settings.mail_password or None,
        ca=settings.mail_ca,
        token_command=settings.mail_token_command,
    )
