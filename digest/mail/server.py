"""Reads DIGEST_MAIL: the SMTP server it names, and how the connection to it is protected."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote

from digest.errors import ConfigError

SUBMISSION_PORT, SUBMISSIONS_PORT = 587, 465
"""The ports for handing in mail: with STARTTLS (RFC 6409), and with TLS from the start (RFC
8314)."""

EXAMPLE = "write it as smtp://USER@HOST:587, smtps://USER@HOST:465, sendmail: or maildir:PATH"

_HOST = re.compile(r"(?:[A-Za-z0-9_-]|[^\x00-\x9f\s])+(?:\.(?:[A-Za-z0-9_-]|[^\x00-\x9f\s])+)*\.?")


@dataclass(frozen=True, slots=True)
class Server:
    """An SMTP server and how it is spoken to. `tls` is `always` (from the start), `starttls`
    (required), `offered` (STARTTLS where the server has it) or `none`.
    """

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


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name: localhost, 127.0.0.0/8 or ::1."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def read_server(scheme: str, rest: str) -> Server:
    """Read what follows `smtp:`. No part of it is repeated in an error: any may be a misplaced
    password.
    """
    # A user may be a mail address, so the host begins behind the last @.
    login, _, place = rest.removeprefix("//").rpartition("@")
    if ":" in login:
        raise ConfigError(
            "DIGEST_MAIL holds a password, where others can read it",
            remedy="take it out, and set DIGEST_MAIL_PASSWORD or DIGEST_MAIL_PASSWORD_FILE",
        )
    user = unquote(login)
    if not user.isprintable():
        raise ConfigError("DIGEST_MAIL names a user with control characters", remedy=EXAMPLE)
    place, _, options = place.partition("?")
    host, port = _place(
        place.removesuffix("/"), SUBMISSIONS_PORT if scheme == "smtps" else SUBMISSION_PORT
    )
    return Server(scheme, host, port, _tls(scheme, host, options, bool(user)), user)


def _place(place: str, default_port: int) -> tuple[str, int]:
    """Split `host:port`, where an IPv6 host stands in brackets."""
    parts = re.fullmatch(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::(.*))?", place)
    if parts is None:
        raise ConfigError("DIGEST_MAIL names a host that cannot be read", remedy=EXAMPLE)
    bracketed, plain, port = parts.groups()
    if bracketed is not None:
        try:
            host = str(ipaddress.IPv6Address(bracketed))
        except ValueError:
            raise ConfigError("DIGEST_MAIL has brackets around what is no IPv6 address") from None
    elif _HOST.fullmatch(plain):
        host = plain
    else:
        raise ConfigError("DIGEST_MAIL names no host, or one that cannot be", remedy=EXAMPLE)
    if not port:
        return host, default_port
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise ConfigError(
            "DIGEST_MAIL has a port that is no number from 1 to 65535", remedy=EXAMPLE
        )
    return host, int(port)


def _tls(scheme: str, host: str, options: str, login: bool) -> str:
    """Settle how the connection is protected: off loopback always, unless written out and without a
    login. On it a server may still take no login before STARTTLS.
    """
    if options not in ("", "tls=none", "tls=starttls"):
        raise ConfigError(
            "DIGEST_MAIL has an option that is unknown",
            remedy="only ?tls=none and ?tls=starttls exist",
        )
    if scheme == "smtps":
        if options:
            raise ConfigError(
                "DIGEST_MAIL has a tls option, and smtps:// is TLS from the start",
                remedy="leave it out",
            )
        return "always"
    if options == "tls=none" and login and not is_loopback(host):
        raise ConfigError(
            "DIGEST_MAIL would send a password over the network unprotected",
            remedy="leave out ?tls=none, or the user",
        )
    if options:
        return options.removeprefix("tls=")
    if not is_loopback(host):
        return "starttls"
    return "offered" if login else "none"
