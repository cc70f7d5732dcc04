"""Readers of single values: a path, a secret, an address, a URL, a number, or a ConfigError that names the setting."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from digest.errors import ConfigError
from digest.model import RateLimit

CREDENTIAL = "mail-password"
"""The name under which systemd hands over the SMTP password (systemd.exec(5), LoadCredential)."""


def expanded(variable: str, value: str) -> Path:
    """A path, with `~` written out. Raises ConfigError where that names a user who has no home folder."""
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{variable} is {value!r}, the home folder of a user who has none") from error


def password(values: Mapping[str, str], environ: Mapping[str, str], path: Callable[[str], Path]) -> tuple[str, str]:
    """The SMTP password and where it is from, unless the variable: it, else the file, else systemd's credential."""
    if values["DIGEST_MAIL_PASSWORD"]:
        return values["DIGEST_MAIL_PASSWORD"], ""
    if values["DIGEST_MAIL_PASSWORD_FILE"]:
        return _secret_file(path("DIGEST_MAIL_PASSWORD_FILE"), required=True), "password file"
    if environ.get("CREDENTIALS_DIRECTORY"):
        secret = _secret_file(Path(environ["CREDENTIALS_DIRECTORY"]) / CREDENTIAL, required=False)
        return secret, "systemd credential" if secret else ""
    return "", ""


def _secret_file(path: Path, *, required: bool) -> str:
    try:
        return path.read_text(encoding="utf-8").strip("\r\n")
    except FileNotFoundError as error:
        if not required:
            return ""
        raise ConfigError(f"DIGEST_MAIL_PASSWORD_FILE names {path}, which does not exist") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the password file {path} cannot be read ({type(error).__name__})") from error


def address(variable: str, value: str) -> str:
    """A single mail address, with or without a display name."""
    if not value:
        return ""
    from email.utils import getaddresses

    from email_validator import EmailNotValidError, validate_email

    addresses = getaddresses([value])
    if len(addresses) > 1:
        raise ConfigError(f"{variable} is {value!r}, which is more than one mail address", remedy="write one")
    address = addresses[0][1] or value
    try:
        validate_email(address, check_deliverability=False, test_environment=True, allow_smtputf8=True)
    except EmailNotValidError as error:
        if address.rpartition("@")[2] in ("localhost", "localhost.localdomain") and address.count("@") == 1:
            return value
        raise ConfigError(
            f"{variable} is {value!r}, which is no mail address", remedy=str(error).rstrip(".")
        ) from error
    return value


def url(variable: str, value: str) -> str:
    """A web address."""
    if not value.startswith(("http://", "https://")):
        raise ConfigError(f"{variable} is {value!r}", remedy="write an address that starts with https://")
    return value


def seconds(variable: str, value: str) -> float:
    """A pause in seconds, an hour at most."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise ConfigError(f"{variable} is {value!r}", remedy="write a number of seconds, 3 or more for arXiv itself")
    return seconds


PERIODS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400}
"""The length of each period that a rate may name, in seconds."""


def rate(variable: str, value: str) -> tuple[RateLimit, ...]:
    """Limits such as `20/min, 450/day`, all of which hold."""
    limits = []
    for part in filter(None, re.split(r"[,;\s]+", re.sub(r"\s*/\s*", "/", value.strip()))):
        found = re.fullmatch(r"([0-9]{1,9})/([a-z]+)", part.lower())
        if found is None or found[2] not in PERIODS or int(found[1]) == 0:
            raise ConfigError(f"{variable} is {value!r}", remedy="write it as 20/min, or 20/min, 450/day")
        limits.append(RateLimit(int(found[1]), timedelta(seconds=PERIODS[found[2]])))
    return tuple(limits)
