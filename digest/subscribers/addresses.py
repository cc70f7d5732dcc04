"""The addresses of readers: a mail address, a GitHub repository as `github:OWNER/REPO`, or a name
as `webhook:NAME`.
"""

from __future__ import annotations

import re
from contextlib import suppress

from digest.errors import one_line
from digest.model import Channel
from digest.subscribers.values import WrongValueError, fits
from digest.system.apprise_urls import NoLibraryError, WrongUrlError, open_service

REPOSITORY = f"{Channel.GITHUB}:"
"""Begins the address of a reader that is a GitHub repository: `github:OWNER/REPO`."""

NAMED = (Channel.WEBHOOK, Channel.APPRISE)
"""The channels by which digests go to a URL; their readers are known by a name."""

_REPOSITORY = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}"
)
_REPOSITORY_IN_TEXT = re.compile(
    r"(?:https?://github\.com/|git@github\.com:|github:)"
    r"([A-Za-z0-9-]+/[A-Za-z0-9._-]+?)(?:\.git)?/?$"
)
VARIABLE = re.compile(r"\$(?:\{\w+\}|\w+)")
"""What stands in the place of a text that a variable of the environment holds."""
_SECRET = re.compile(
    r"(?:whsec_)?(?:[A-Za-z0-9+/]{4}){8,21}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
)
_MAIL_IN_TEXT = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")


def channel_of(address: str) -> Channel:
    """The channel by which digests come to who is called so."""
    kind = address.partition(":")[0].lower()
    return Channel(kind) if kind in (Channel.GITHUB, *NAMED) and ":" in address else Channel.MAIL


def repository_of(address: str) -> str:
    """The repository of an address of GitHub's channel, as `OWNER/REPO`."""
    return address[len(REPOSITORY) :].strip()


def address_by_name(kind: str, name: str) -> str:
    """The address of a reader who is known by a name."""
    return f"{kind}:{one_line(name)}"


def normal_email(text: str) -> str:
    """The stored form of a mail address: the domain in lower case, Unicode composed.

    Raises ValueError. Reserved domains pass, but `localhost` alone is local.
    """
    from email_validator import validate_email

    local, _, domain = text.rpartition("@")
    is_local = domain.lower() == "localhost"
    # The library refuses a domain without a dot, and mail to this machine has none.
    checked = validate_email(
        f"{local}@localhost.test" if is_local else text,
        check_deliverability=False,
        test_environment=True,
    )
    return checked.normalized.removesuffix(".test") if is_local else checked.normalized


def normal_address(text: str) -> str:
    """The stored form of what the digests of a reader go to: a mail address,
    `github:OWNER/REPO`, or `webhook:NAME`.

    Raises ValueError.
    """
    channel = channel_of(text)
    if channel is Channel.MAIL:
        return normal_email(text)
    if channel in NAMED:
        name = text.partition(":")[2]
        if not name.strip() or not name.isprintable():
            raise ValueError(f"a reader of this kind is written {channel}:NAME")
        return address_by_name(channel, name)
    repository = repository_of(text)
    if not _REPOSITORY.fullmatch(repository):
        raise ValueError("a GitHub repository is written OWNER/REPO")
    return REPOSITORY + repository


def folded_address(text: str) -> str:
    """The form in which addresses are compared; what is none is nobody's."""
    try:
        return normal_address(text.strip()).casefold()
    except ValueError:
        return text.strip().casefold()


def read_email(text: str) -> str:
    """A mail address of the file in its stored form. Raises WrongValueError."""
    try:
        return normal_email(text)
    except ValueError as error:
        why = str(error).rstrip(".")
        found = _MAIL_IN_TEXT.search(text)
        meant = found[0] if found and found[0] != text and fits(normal_email, found[0]) else ""
        message = f"{text!r} is no mail address: {why[:1].lower()}{why[1:]}"
        raise WrongValueError(message, meant) from error


def read_repository(text: str) -> str:
    """A GitHub repository of the file in the form of an address. Raises WrongValueError."""
    try:
        return normal_address(REPOSITORY + text)
    except ValueError as error:
        found = _REPOSITORY_IN_TEXT.search(text)
        meant = (
            found[1]
            if found and found[1] != text and fits(normal_address, REPOSITORY + found[1])
            else ""
        )
        raise WrongValueError(f"{text!r}: {error}", meant) from error


def read_webhook(text: str) -> str:
    """A webhook's URL, or the variable that holds it. Raises WrongValueError, which does not repeat
    it: it may hold a token.
    """
    if not VARIABLE.fullmatch(text) and not re.fullmatch(r"https?://[!-~]+", text):
        raise WrongValueError("a webhook is a URL that begins with https://, or a $VARIABLE")
    return text


def read_secret(text: str) -> str:
    """The text of a webhook's secret, or the variable that holds it. Raises WrongValueError, which
    does not repeat it.
    """
    if not VARIABLE.fullmatch(text) and not _SECRET.fullmatch(text):
        raise WrongValueError(
            "a secret is whsec_ and base64 of 24 to 64 bytes, as 'openssl rand -base64 32' prints"
            " it, or a $VARIABLE that holds such a text"
        )
    return text


def read_apprise(text: str) -> str:
    """A URL of Apprise's with one target, or the variable that holds it. Raises WrongValueError,
    which does not repeat it.

    What only Apprise can tell is asked where it is installed.
    """
    if VARIABLE.fullmatch(text):
        return text
    if not re.fullmatch(r"[a-z][a-z0-9+-]*://\S+", text, re.IGNORECASE):
        raise WrongValueError("this is no URL of Apprise's, such as tgram://…, nor a $VARIABLE")
    with suppress(NoLibraryError):
        try:
            open_service(text)
        except WrongUrlError as error:
            raise WrongValueError(str(error)) from None
    return text
