"""The addresses of readers: a mail address, or a GitHub repository as `github:OWNER/REPO`."""

from __future__ import annotations

import re

from digest.model import Channel
from digest.subscribers.values import WrongValueError, fits

REPOSITORY = f"{Channel.GITHUB}:"
"""Begins the address of a reader that is a GitHub repository: `github:OWNER/REPO`."""

_REPOSITORY = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}"
)
_REPOSITORY_IN_TEXT = re.compile(
    r"(?:https?://github\.com/|git@github\.com:|github:)"
    r"([A-Za-z0-9-]+/[A-Za-z0-9._-]+?)(?:\.git)?/?$"
)
_MAIL_IN_TEXT = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")


def channel_of(address: str) -> Channel:
    """The channel by which digests come to who is called so."""
    return Channel.GITHUB if address.lower().startswith(REPOSITORY) else Channel.MAIL


def repository_of(address: str) -> str:
    """The repository of an address of GitHub's channel, as `OWNER/REPO`."""
    return address[len(REPOSITORY) :].strip()


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
    """The stored form of what the digests of a reader go to: a mail address, or
    `github:OWNER/REPO`.

    Raises ValueError.
    """
    if channel_of(text) is Channel.MAIL:
        return normal_email(text)
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
