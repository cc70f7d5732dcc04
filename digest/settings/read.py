"""Readers of single values: a path, a secret, an address, a URL, a number, or a ConfigError that names the setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from digest.errors import ConfigError

CREDENTIAL = "mail-password"
"""The name under which systemd hands over the SMTP password (systemd.exec(5), LoadCredential)."""
SHORTEST_SECRET = 16


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


def secret(variable: str, value: str) -> str:
    """A text that nobody can guess."""
    if value and len(value) < SHORTEST_SECRET:
        raise ConfigError(
            f"{variable} has fewer than {SHORTEST_SECRET} letters", remedy="'openssl rand -hex 32' makes a good one"
        )
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
