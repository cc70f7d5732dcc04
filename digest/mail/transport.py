"""The ways by which digests leave: what they share, and how a setting such as smtp://… names
one.
"""

from __future__ import annotations

import difflib
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from digest.errors import ConfigError
from digest.mail.message import Message
from digest.mail.oauth import fetch_token, read_command
from digest.mail.presets import as_issued
from digest.mail.server import EXAMPLE, Server, read_server
from digest.model import Outgoing, Receipt
from digest.rules.channels import Terms

SCHEMES = ("maildir", "sendmail", "smtp", "smtps")
SENDMAIL = Path("/usr/sbin/sendmail")


class Transport(Protocol):
    """A way by which messages leave, up to `width` at a time."""

    @property
    def width(self) -> int:
        """How many messages may be handed over at a time; it may become less."""

    @property
    def description(self) -> str:
        """The way in words for people, without secrets: `Maildir /srv/mail`,
        `smtp://relay.example.org:587`.
        """

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        """Hand over one message; what the other side says or does becomes a receipt, never an
        exception.

        `before_data` is called right before the moment from which on the message may be accepted,
        and not at all where it does not come to that. What it raises is passed on, and nothing is
        sent. A cancellation is passed on too: the message may have been accepted if `before_data`
        was called.
        """

    async def close(self) -> None:
        """Let go of the connection, if there is one. Never fails, and a later `send` opens a new
        one.
        """


@dataclass(frozen=True, slots=True)
class Carrier:
    """What carries the digests of one channel: `assemble` makes a delivery's message, `transport`
    hands it over, on these `terms`. How long it rests after trouble is in store/relay.
    """

    transport: Transport
    assemble: Callable[[Outgoing], Message]
    terms: Terms


def open_transport(
    url: str, *, home: Path, password: str | None, ca: Path | None, token_command: str = ""
) -> Transport:
    """Make the transport that a DIGEST_MAIL setting names; nothing is connected or written yet.

    Relative paths are anchored at `home`; `ca` is a file with a private authority's certificates,
    trusted beside the public ones; `token_command` is run for each connection and prints an access
    token, with which the user logs in instead of the password. Raises ConfigError for a setting
    that cannot be read, asks for something unsafe, or lacks its password.
    """
    scheme, rest = _scheme(url)
    if scheme == "maildir":
        from digest.mail.maildir import MaildirTransport

        return MaildirTransport(maildir_path(rest, home))
    if scheme == "sendmail":
        from digest.mail.sendmail import SendmailTransport

        return SendmailTransport(home / rest if rest else SENDMAIL)
    return _open_smtp(read_server(scheme, rest), password, ca, token_command)


def _open_smtp(
    server: Server, password: str | None, ca: Path | None, token_command: str
) -> Transport:
    from digest.mail.connection import Account
    from digest.mail.smtp import SmtpTransport

    tls_context = None if server.tls == "none" else make_tls_context(ca, server.tls)
    if token_command:
        fetch = partial(fetch_token, read_command(token_command))
        if not server.user:
            raise ConfigError(
                "DIGEST_MAIL_TOKEN_COMMAND is set, and DIGEST_MAIL names no user to log in with",
                remedy=EXAMPLE,
            )
        return SmtpTransport(Account(server, token=fetch, tls_context=tls_context))
    if server.user and not password:
        raise ConfigError(
            "DIGEST_MAIL names a user to log in with, and there is no password",
            remedy="set DIGEST_MAIL_PASSWORD or DIGEST_MAIL_PASSWORD_FILE",
        )
    secret = as_issued(server.host, password) if server.user and password else ""
    return SmtpTransport(Account(server, secret, tls_context=tls_context))


def _scheme(url: str) -> tuple[str, str]:
    """Split a setting at its first colon. Raises ConfigError where no known scheme stands before
    it.
    """
    scheme, colon, rest = url.strip().partition(":")
    name = scheme.lower()
    if colon and name in SCHEMES:
        if name.startswith("smtp") and not rest.startswith("//"):
            raise ConfigError("DIGEST_MAIL lacks the two slashes of a URL", remedy=EXAMPLE)
        return name, rest
    if not colon or not re.fullmatch(r"[a-z][a-z0-9+-]*", name):
        raise ConfigError("DIGEST_MAIL does not begin with a way of sending", remedy=EXAMPLE)
    # The scheme alone is repeated: whatever follows may hold a password.
    near = difflib.get_close_matches(name, SCHEMES, n=1)
    remedy = f"did you mean {near[0]}:?" if near else EXAMPLE
    raise ConfigError(f"DIGEST_MAIL begins with {name}:, which is no way of sending", remedy=remedy)


def maildir_path(rest: str, home: Path) -> Path:
    """The folder that stands behind `maildir:`. Raises ConfigError where there can be none."""
    path = rest.removeprefix("//")
    if not path or "\0" in path:
        raise ConfigError(
            "DIGEST_MAIL names no folder after maildir:", remedy="write it as maildir:mail"
        )
    try:
        return home / Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError("DIGEST_MAIL names the home folder of a user who has none") from error


def make_tls_context(ca: Path | None, tls: str = "") -> ssl.SSLContext:
    """Certificates and host names are checked; SSL_CERT_FILE is honoured by OpenSSL itself.

    Only where `tls` is taken as `offered`, on the loopback, and no authority is named, any
    certificate will do.
    """
    context = ssl.create_default_context()
    # docs/decisions.md, “A local server's certificate is checked where its authority is named”.
    if ca is None and tls == "offered":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if ca is not None:
        try:
            context.load_verify_locations(cafile=ca)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"DIGEST_MAIL_CA names {ca}, which holds no certificates that can be read",
                remedy="name a PEM file with the authority's certificate",
            ) from error
    return context
