"""Readers of single values: a path, a secret, an address, a URL, a number, or a ConfigError that
names the setting.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from digest.errors import ConfigError
from digest.mail.signing import LONGEST_TOKEN
from digest.model import RateLimit

CREDENTIAL, INBOX_CREDENTIAL = "mail-password", "inbox-password"
"""The names under which systemd hands over the passwords of SMTP and IMAP (systemd.exec(5),
LoadCredential)."""
LONGEST_BOUNCE = 64 - 1 - LONGEST_TOKEN
"""Letters of a bounce address before the @: with a token behind them 64 are allowed (RFC 5321
section 4.5.3.1.1)."""
SHORTEST_SECRET = 16


def expanded(variable: str, value: str) -> Path:
    """A path, with `~` written out. Raises ConfigError where that names a user who has no home
    folder.
    """
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"{variable} is {value!r}, the home folder of a user who has none"
        ) from error


def password(
    variable: str,
    values: Mapping[str, str],
    environ: Mapping[str, str],
    path: Callable[[str], Path],
) -> tuple[str, str]:
    """A password and where it is from, if not from `variable` itself: that, the file, or systemd's
    credential.
    """
    if values[variable]:
        return values[variable], ""
    named = f"{variable}_FILE"
    if values[named]:
        return _secret_file(path(named), named, required=True), "password file"
    if environ.get("CREDENTIALS_DIRECTORY"):
        credential = CREDENTIAL if variable == "DIGEST_MAIL_PASSWORD" else INBOX_CREDENTIAL
        secret = _secret_file(
            Path(environ["CREDENTIALS_DIRECTORY"]) / credential, named, required=False
        )
        return secret, "systemd credential" if secret else ""
    return "", ""


def _secret_file(path: Path, variable: str, *, required: bool) -> str:
    try:
        return path.read_text(encoding="utf-8").strip("\r\n")
    except FileNotFoundError as error:
        if not required:
            return ""
        raise ConfigError(f"{variable} names {path}, which does not exist") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the password file {path} cannot be read ({type(error).__name__})"
        ) from error


def address(variable: str, value: str) -> str:
    """A single mail address, with or without a display name."""
    if not value:
        return ""
    from email.utils import getaddresses

    from email_validator import EmailNotValidError, validate_email

    addresses = getaddresses([value])
    if len(addresses) > 1:
        raise ConfigError(
            f"{variable} is {value!r}, which is more than one mail address", remedy="write one"
        )
    address = addresses[0][1] or value
    try:
        validate_email(
            address, check_deliverability=False, test_environment=True, allow_smtputf8=True
        )
    except EmailNotValidError as error:
        if (
            address.rpartition("@")[2] in ("localhost", "localhost.localdomain")
            and address.count("@") == 1
        ):
            return value
        raise ConfigError(
            f"{variable} is {value!r}, which is no mail address", remedy=str(error).rstrip(".")
        ) from error
    return value


def bounce(variable: str, value: str) -> str:
    """The bounce address: a bare one, short enough that a token fits in, in ASCII as every server
    can take it.
    """
    if not address(variable, value):
        return ""
    local, _, _ = value.rpartition("@")
    if not value.isascii() or not re.fullmatch(r"[A-Za-z0-9._=+-]+@[^<>\s]+", value):
        raise ConfigError(
            f"{variable} is {value!r}", remedy="write a bare address, such as bounces@example.org"
        )
    if len(local) > LONGEST_BOUNCE:
        raise ConfigError(
            f"{variable} has {len(local)} letters before the @, and a token must fit in behind them",
            remedy=f"use one with at most {LONGEST_BOUNCE}",
        )
    return value


def base_url(variable: str, value: str) -> str:
    """Where the web side is reached, without a slash at its end; RFC 8058 wants https."""
    if not value:
        return ""
    parts = urlsplit(value)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if (
        not parts.hostname
        or parts.query
        or parts.fragment
        or parts.scheme not in ("https", *["http"] * local)
    ):
        raise ConfigError(
            f"{variable} is {value!r}", remedy="write it as https://digest.example.org"
        )
    if not value.isascii() or re.search(r"[\s<>,\"]", value):
        raise ConfigError(
            f"{variable} holds what no link can", remedy="write it in ASCII, without blanks"
        )
    return value.rstrip("/")


def secret(variable: str, value: str) -> str:
    """A secret that can be kept."""
    if value and len(value) < SHORTEST_SECRET:
        raise ConfigError(
            f"{variable} has fewer than {SHORTEST_SECRET} characters",
            remedy="make one with: openssl rand -hex 32; or leave it out, since the database has its own",
        )
    return value


def url(variable: str, value: str) -> str:
    """A web address."""
    if not value.startswith(("http://", "https://")):
        raise ConfigError(
            f"{variable} is {value!r}", remedy="write an address that starts with https://"
        )
    return value


def service(variable: str, value: str) -> str:
    """A web address, or "" for none."""
    return "" if value.strip().lower() == "none" else url(variable, value)


def choice(variable: str, value: str, possible: Sequence[str]) -> str:
    """One of some words."""
    if value not in possible:
        raise ConfigError(
            f"{variable} is {value!r}", remedy=f"write {', '.join(possible[:-1])} or {possible[-1]}"
        )
    return value


def seconds(variable: str, value: str) -> float:
    """A pause in seconds, an hour at most."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise ConfigError(
            f"{variable} is {value!r}",
            remedy="write a number of seconds, 3 or more for arXiv itself",
        )
    return seconds


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


def rate(variable: str, value: str) -> tuple[RateLimit, ...]:
    """Limits such as `20/min, 450/day`, all of which hold."""
    limits = []
    for part in filter(None, re.split(r"[,;\s]+", re.sub(r"\s*/\s*", "/", value.strip()))):
        found = re.fullmatch(r"([0-9]{1,9})/([a-z]+)", part.lower())
        if found is None or found[2] not in PERIODS or int(found[1]) == 0:
            raise ConfigError(
                f"{variable} is {value!r}", remedy="write it as 20/min, or 20/min, 450/day"
            )
        limits.append(RateLimit(int(found[1]), timedelta(seconds=PERIODS[found[2]])))
    return tuple(limits)
