"""Readers of single settings: a path, a secret, an address, a URL, a number, or a ConfigError that
names the setting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from digest.errors import ConfigError
from digest.mail.reader_tokens import LONGEST_TOKEN
from digest.rules.channels import RateLimit

LONGEST_BOUNCE = 64 - 1 - LONGEST_TOKEN
"""Letters of a bounce address before the @: with a token behind them 64 are allowed (RFC 5321
section 4.5.3.1.1)."""
SHORTEST_SECRET = 16
"""Characters; a shorter one could be found by trying, and with it whose a reader's name is."""
LONGEST_MODEL = 80
"""Characters of a model's name."""
PERIODS = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
}
"""The length of each period that a rate may name, in seconds."""


@dataclass(frozen=True, slots=True)
class Written:
    """One setting as it was written; only what reads a password is given an empty one. `home` is
    the folder to which paths are relative.
    """

    variable: str
    text: str
    home: Path

    def wrong(self, remedy: str) -> ConfigError:
        """The mistake that this text is no such value."""
        return ConfigError(f"{self.variable} is {self.text!r}", remedy=remedy)

    def one_of(self, *words: str) -> str:
        """The text, which must be one of these words."""
        if self.text not in words:
            raise self.wrong(f"write {', '.join(words[:-1])} or {words[-1]}")
        return self.text


@dataclass(frozen=True, slots=True)
class Daily:
    """How much a model may be asked in a day: so often, and for so many tokens."""

    requests: int
    tokens: int


DAILY = Daily(1000, 1_000_000)
"""How much that is where nobody says otherwise."""


def text(written: Written) -> str:
    """The text as it stands there; whoever uses it finds its mistakes."""
    return written.text


def path(written: Written) -> Path:
    """A path, with `~` written out. Raises ConfigError where that names a user who has no home
    folder.
    """
    try:
        return written.home / Path(written.text).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"{written.variable} is {written.text!r}, the home folder of a user who has none"
        ) from error


def folder(written: Written) -> Path:
    """A folder that is there."""
    found = path(written)
    if not found.is_dir():
        raise ConfigError(f"{written.variable} is {found}, which is not a folder")
    return found


def database(written: Written) -> Path:
    """The path of a database."""
    scheme, separator, _ = written.text.partition("://")
    if separator:
        raise ConfigError(
            f"{written.variable} is {scheme}://…, and only SQLite is supported",
            remedy="give the path of a file",
        )
    return path(written)


def password(file: Written, environ: Mapping[str, str], credential: str) -> tuple[str, str]:
    """A password that no variable holds, and where it is from: the file that `file` names, else
    systemd's credential. Both are "" where there is neither.
    """
    credentials = environ.get("CREDENTIALS_DIRECTORY", "")
    if not file.text and not credentials:
        return "", ""
    place = path(file) if file.text else Path(credentials) / credential
    try:
        # Editors end the last line; blanks may belong to the password.
        secret = place.read_text(encoding="utf-8").strip("\r\n")
    except FileNotFoundError as error:
        if not file.text:
            return "", ""
        raise ConfigError(f"{file.variable} names {place}, which does not exist") from error
    except (OSError, UnicodeDecodeError) as error:
        # Its type alone, since a decoder's message repeats a part of the secret.
        raise ConfigError(
            f"the password file {place} cannot be read ({type(error).__name__})"
        ) from error
    if file.text:
        return secret, "password file"
    # The units' own default credential is an empty line: it reads as no password.
    return secret, "systemd credential" if secret else ""


def address(written: Written) -> str:
    """A single mail address, with or without a display name."""
    from email.utils import getaddresses

    from email_validator import EmailNotValidError, validate_email

    addresses = getaddresses([written.text])
    if len(addresses) > 1:
        raise ConfigError(
            f"{written.variable} is {written.text!r}, which is more than one mail address",
            remedy="write one",
        )
    bare = addresses[0][1] or written.text
    # The validator knows no host without a dot, and a server of one's own may deliver there.
    if re.fullmatch(r"[^@]*@localhost(\.localdomain)?", bare):
        return written.text
    try:
        # Nobody is asked over the network; "test" allows the domains that are kept for tests.
        validate_email(bare, check_deliverability=False, test_environment=True, allow_smtputf8=True)
    except EmailNotValidError as error:
        raise ConfigError(
            f"{written.variable} is {written.text!r}, which is no mail address",
            remedy=str(error).rstrip("."),
        ) from error
    return written.text


def bounce(written: Written) -> str:
    """The bounce address: a bare one, short enough that a token fits in, in ASCII as every server
    can take it.
    """
    local, _, _ = address(written).rpartition("@")
    bare = re.fullmatch(r"[A-Za-z0-9._=+-]+@[^<>\s]+", written.text)
    if bare is None or not written.text.isascii():
        raise written.wrong("write a bare address, such as bounces@example.org")
    if len(local) > LONGEST_BOUNCE:
        raise ConfigError(
            f"{written.variable} has {len(local)} letters before the @, "
            "and a token must fit in behind them",
            remedy=f"use one with at most {LONGEST_BOUNCE}",
        )
    return written.text


def mailbox(written: Written) -> str:
    """A mailbox that can be read; what is wrong with it the mailbox's own room says."""
    from digest.mail.mailbox import read_mailbox

    read_mailbox(written.text)
    return written.text


def base_url(written: Written) -> str:
    """The URL of the web side, without a slash at its end; RFC 8058 wants https."""
    parts = urlsplit(written.text)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    schemes = ("https", "http") if local else ("https",)
    if not parts.hostname or parts.query or parts.fragment or parts.scheme not in schemes:
        raise written.wrong("write it as https://digest.example.org")
    # It stands between < and > in List-Unsubscribe (RFC 2369), where commas part several.
    if not written.text.isascii() or re.search(r"[\s<>,\"]", written.text):
        raise ConfigError(
            f"{written.variable} holds what no link can", remedy="write it in ASCII, without blanks"
        )
    return written.text.rstrip("/")


def networks(written: Written) -> tuple[IPv4Network | IPv6Network, ...]:
    """Addresses and networks, such as `127.0.0.1, 10.0.0.0/8`."""
    try:
        return tuple(map(ip_network, filter(None, re.split(r"[,\s]+", written.text))))
    except ValueError:
        raise written.wrong("write addresses or networks, such as 127.0.0.1, ::1") from None


def listen(written: Written) -> str:
    """An address and port to listen on."""
    host, _, port = written.text.rpartition(":")
    try:
        ip_address(host.strip("[]"))
        if 0 < int(port) < 65_536:
            return written.text
    except ValueError:
        pass
    raise written.wrong("write an address and a port, such as 127.0.0.1:9464")


def secret(written: Written) -> str:
    """A secret that can be kept."""
    if len(written.text) < SHORTEST_SECRET:
        raise ConfigError(
            f"{written.variable} has fewer than {SHORTEST_SECRET} characters",
            remedy="make one with: openssl rand -hex 32; "
            "or leave it out, since the database has its own",
        )
    return written.text


def url(written: Written) -> str:
    """A web address."""
    if not written.text.startswith(("http://", "https://")):
        raise written.wrong("write an address that starts with https://")
    return written.text


def endpoint(written: Written) -> str:
    """The address of an interface below which paths are asked for: without a login or a query."""
    try:
        parts = urlsplit(written.text.strip())
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), ""
    if not host or parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.query:
        # A login is not repeated.
        raise ConfigError(
            f"{written.variable} is no address of an endpoint",
            remedy="write one such as https://api.example.org/v1; a key has a setting of its own",
        )
    return written.text.strip()


def label(written: Written) -> str:
    """A label of GitHub's issues: one line of at most 50 characters (GitHub's documentation,
    "Managing labels").
    """
    text = written.text.strip()
    if len(text) > 50 or not text.isprintable() or "," in text:
        raise written.wrong("write one label of at most 50 characters, without a comma")
    return text


def secret_url(written: Written) -> str:
    """A web address that is not repeated: whoever knows it can use it."""
    if not written.text.startswith(("http://", "https://")):
        raise ConfigError(
            f"{written.variable} is no web address",
            remedy="write an address that starts with https://",
        )
    return written.text


def service(written: Written) -> str:
    """A web address, or "" for `none`."""
    return "" if written.text.strip().lower() == "none" else url(written)


def source(written: Written) -> str:
    """The source that is asked first for new papers."""
    return written.one_of("auto", "api", "feeds", "oai")


def hold(written: Written) -> bool:
    """Whether what may have been delivered waits for a person."""
    return written.one_of("retry", "hold") == "hold"


def signup(written: Written) -> bool:
    """Whether strangers may sign up."""
    return written.one_of("closed", "open") == "open"


def targets(written: Written) -> bool:
    """Whether webhooks may lead to this machine and its network."""
    return written.one_of("public", "any") == "any"


def seconds(written: Written) -> float:
    """A pause in seconds, an hour at most."""
    try:
        pause = float(written.text)
    except ValueError:
        pause = -1.0
    if not 0 <= pause <= 3600:  # also false for "nan", which float() reads
        raise written.wrong("write a number of seconds, 3 or more for arXiv itself")
    return pause


def daily(written: Written) -> Daily:
    """How much may be asked in a day, such as `500 requests, 200000 tokens`."""
    found = re.fullmatch(
        r"([0-9]{1,9})\s*requests?\s*[,;]\s*([0-9]{1,9})\s*tokens?", written.text.strip().lower()
    )
    if found is None:
        raise written.wrong("write it as 1000 requests, 1000000 tokens")
    return Daily(int(found[1]), int(found[2]))


def model(written: Written) -> str:
    """The name of a model, which stands beside what it says."""
    name = written.text.strip()
    if len(name) > LONGEST_MODEL or not name.isprintable():
        raise written.wrong(f"write its name in one line of at most {LONGEST_MODEL} characters")
    return name


def rate(written: Written) -> tuple[RateLimit, ...]:
    """Limits such as `20/min, 450/day`, all of which hold."""
    limits = []
    for part in filter(None, re.split(r"[,;\s]+", re.sub(r"\s*/\s*", "/", written.text.strip()))):
        found = re.fullmatch(r"([0-9]{1,9})/([a-z]+)", part.lower())
        if found is None or found[2] not in PERIODS or int(found[1]) == 0:
            raise written.wrong("write it as 20/min, or 20/min, 450/day")
        limits.append(RateLimit(int(found[1]), timedelta(seconds=PERIODS[found[2]])))
    return tuple(limits)
