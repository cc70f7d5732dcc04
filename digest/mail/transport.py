"""The ways by which mail leaves: what all have in common, and how a setting such as smtp://… names one."""

from __future__ import annotations

import difflib
import ipaddress
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

from digest.errors import ConfigError
from digest.mail.message import Message
from digest.model import Receipt

SCHEMES = ("maildir", "sendmail", "smtp", "smtps")
SUBMISSION_PORT, SUBMISSIONS_PORT = 587, 465
"""The ports for handing in mail: with STARTTLS (RFC 6409), and with TLS from the start (RFC 8314)."""

SENDMAIL = Path("/usr/sbin/sendmail")

_HOST = re.compile(r"(?:[A-Za-z0-9_-]|[^\x00-\x9f\s])+(?:\.(?:[A-Za-z0-9_-]|[^\x00-\x9f\s])+)*\.?")
_EXAMPLE = "write it as smtp://USER@HOST:587, smtps://USER@HOST:465, sendmail: or maildir:PATH"


class Transport(Protocol):
    """A way by which mail leaves, used for one message at a time; open several to send in parallel."""

    @property
    def description(self) -> str:
        """The way in words for people, without secrets: `Maildir /srv/mail`, `smtp://relay.example.org:587`."""

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        """Hand over one message; what the other side says or does becomes a receipt, never an exception.

        `before_data` is called right before the moment from which on the message may be accepted, and
        not at all where it does not come to that. What it raises is passed on, and nothing is sent.
        A cancellation is passed on too: the message may have been accepted if `before_data` was called.
        """

    async def close(self) -> None:
        """Let go of the connection, if there is one. Never fails, and a later `send` opens a new one."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where and how SMTP is spoken. `tls` is `always` (from the start), `starttls` (required) or `none`."""

    scheme: str
    host: str
    port: int
    tls: str
    user: str = ""

    @property
    def url(self) -> str:
        """The server for people, without the login."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def open_transport(
    url: str, *, home: Path, password: str | None, ca: Path | None, hostname: str | None = None
) -> Transport:
    """Make the transport that a DIGEST_MAIL setting names; nothing is connected or written yet.

    Relative paths are anchored at `home`; `ca` is a file with a private authority's certificates, trusted
    beside the public ones; `hostname` is what the server is told in EHLO. Raises ConfigError for a
    setting that cannot be read, asks for something unsafe, or lacks its password.
    """
    scheme, rest = _scheme(url)
    if scheme == "maildir":
        from digest.mail.maildir import MaildirTransport

        return MaildirTransport(_maildir_path(rest, home))
    if scheme == "sendmail":
        from digest.mail.sendmail import SendmailTransport

        return SendmailTransport(home / rest if rest else SENDMAIL)
    server = _server(scheme, rest)
    if hostname is not None and not (hostname.isascii() and _HOST.fullmatch(hostname)):
        raise ConfigError(f"{hostname!r} is no host name that a mail server could be greeted with")
    if server.user and not password:
        raise ConfigError(
            "DIGEST_MAIL names a user to log in with, and there is no password",
            remedy="set DIGEST_MAIL_PASSWORD or DIGEST_MAIL_PASSWORD_FILE",
        )
    from digest.mail.smtp import SmtpTransport

    return SmtpTransport(
        server,
        password=password if server.user else None,
        tls_context=None if server.tls == "none" else _tls_context(ca),
        hostname=hostname,
    )


def describe_url(url: str) -> str:
    """A DIGEST_MAIL setting for people: neither user nor password is ever in it, even where it is malformed."""
    try:
        scheme, rest = _scheme(url)
        return _server(scheme, rest).url if scheme.startswith("smtp") else url
    except ConfigError:
        scheme = url.strip().partition(":")[0].lower()
        return f"{scheme}:…" if scheme in SCHEMES else "…"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name: localhost, 127.0.0.0/8 or ::1."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def _scheme(url: str) -> tuple[str, str]:
    """Split a setting at its first colon. Raises ConfigError where no known scheme stands before it."""
    scheme, colon, rest = url.strip().partition(":")
    name = scheme.lower()
    if colon and name in SCHEMES:
        if name.startswith("smtp") and not rest.startswith("//"):
            raise ConfigError("DIGEST_MAIL lacks the two slashes of a URL", remedy=_EXAMPLE)
        return name, rest
    if not colon or not re.fullmatch(r"[a-z][a-z0-9+-]*", name):
        raise ConfigError("DIGEST_MAIL does not begin with a way of sending", remedy=_EXAMPLE)
    near = difflib.get_close_matches(name, SCHEMES, n=1)
    remedy = f"did you mean {near[0]}:?" if near else _EXAMPLE
    raise ConfigError(f"DIGEST_MAIL begins with {name}:, which is no way of sending", remedy=remedy)


def _maildir_path(rest: str, home: Path) -> Path:
    path = rest.removeprefix("//")
    if not path or "\0" in path:
        raise ConfigError("DIGEST_MAIL names no folder after maildir:", remedy="write it as maildir:mail")
    try:
        return home / Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError("DIGEST_MAIL names the home folder of a user who has none") from error


def _server(scheme: str, rest: str) -> Server:
    """Read what follows `smtp:`. No part of it is repeated in an error: any may be a misplaced password."""
    login, _, place = rest.removeprefix("//").rpartition("@")
    if ":" in login:
        raise ConfigError(
            "DIGEST_MAIL holds a password, where others can read it",
            remedy="take it out, and set DIGEST_MAIL_PASSWORD or DIGEST_MAIL_PASSWORD_FILE",
        )
    user = unquote(login)
    if not user.isprintable():
        raise ConfigError("DIGEST_MAIL names a user with control characters", remedy=_EXAMPLE)
    place, _, options = place.partition("?")
    host, port = _place(place.removesuffix("/"), SUBMISSIONS_PORT if scheme == "smtps" else SUBMISSION_PORT)
    return Server(scheme, host, port, _tls(scheme, host, options, bool(user)), user)


def _place(place: str, default_port: int) -> tuple[str, int]:
    """Split `host:port`, where an IPv6 host stands in brackets."""
    parts = re.fullmatch(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::(.*))?", place)
    if parts is None:
        raise ConfigError("DIGEST_MAIL names a host that cannot be read", remedy=_EXAMPLE)
    bracketed, plain, port = parts.groups()
    if bracketed is not None:
        try:
            host = str(ipaddress.IPv6Address(bracketed))
        except ValueError:
            raise ConfigError("DIGEST_MAIL has brackets around what is no IPv6 address") from None
    elif _HOST.fullmatch(plain):
        host = plain
    else:
        raise ConfigError("DIGEST_MAIL names no host, or one that cannot be", remedy=_EXAMPLE)
    if not port:
        return host, default_port
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise ConfigError("DIGEST_MAIL has a port that is no number from 1 to 65535", remedy=_EXAMPLE)
    return host, int(port)


def _tls(scheme: str, host: str, options: str, login: bool) -> str:
    """Settle how the connection is protected: off loopback always, unless written out and without a login."""
    if options not in ("", "tls=none", "tls=starttls"):
        raise ConfigError("DIGEST_MAIL has an option that is unknown", remedy="only ?tls=none and ?tls=starttls exist")
    if scheme == "smtps":
        if options:
            raise ConfigError("DIGEST_MAIL has a tls option, and smtps:// is TLS from the start", remedy="leave it out")
        return "always"
    if options == "tls=none" and login and not is_loopback(host):
        raise ConfigError(
            "DIGEST_MAIL would send a password over the network unprotected",
            remedy="leave out ?tls=none, or the user",
        )
    if options:
        return options.removeprefix("tls=")
    return "none" if is_loopback(host) else "starttls"


def _tls_context(ca: Path | None) -> ssl.SSLContext:
    """Certificates and host names are checked; SSL_CERT_FILE is honoured by OpenSSL itself."""
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(cafile=ca)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"DIGEST_MAIL_CA names {ca}, which holds no certificates that can be read",
                remedy="name a PEM file with the authority's certificate",
            ) from error
    return context
