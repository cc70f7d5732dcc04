"""Whether the settings fit each other: what is missing, contradictory, unknown, or open to
others.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from digest.errors import ConfigError
from digest.setup.doctor.check import Check, fail, ok, warn
from digest.setup.settings import DOTENV, SETTINGS, Settings, Survey

if TYPE_CHECKING:
    from digest.mail.server import Server

NAME = "settings"
ARXIV_DELAY = 3.0
"""Seconds between two requests, as arXiv's terms of use for its API ask for."""


def all_mistakes(survey: Survey) -> dict[str, ConfigError]:
    """What is wrong with single settings, by variable: also what only the transport that they name
    can tell.
    """
    from digest.mail.transport import open_transport

    mistakes = dict(survey.mistakes)
    settings = survey.settings
    try:
        open_transport(
            settings.mail,
            home=settings.home,
            password=settings.mail_password or None,
            ca=settings.mail_ca,
            token_command=settings.mail_token_command,
        )
    except ConfigError as error:
        first = error.message.split(" ")[0]
        name = first if first in survey.values else "DIGEST_MAIL"
        # A password that could not be read is that mistake, and not a missing password too.
        if not (
            "there is no password" in error.message and "DIGEST_MAIL_PASSWORD_FILE" in mistakes
        ):
            mistakes.setdefault(name, error)
    return mistakes


def check_settings(survey: Survey) -> list[Check]:
    """Every mistake, then everything odd; one line that all is well where there is neither."""
    found = [fail(NAME, error.message, error.remedy) for error in all_mistakes(survey).values()]
    found += [
        warn(
            NAME,
            f"{name} is set, and no such setting exists",
            f"did you mean {near}?" if near else "remove it",
        )
        for name, near in survey.settings.unknown.items()
    ]
    found += _about_mail(survey)
    found += _about_arxiv(survey)
    found += _open_to_others(survey)
    return found or [
        ok(NAME, f"no mistakes; 'digest config' shows them, home folder {survey.settings.home}")
    ]


def _about_arxiv(survey: Survey) -> Iterator[Check]:
    settings = survey.settings
    if not settings.contact and "DIGEST_CONTACT" not in survey.mistakes:
        yield warn(
            NAME,
            "DIGEST_CONTACT is not set: readers see nobody to write to, and arXiv nobody to warn",
            "set it to your address",
        )
    host = urlsplit(settings.arxiv_api).hostname or ""
    if settings.arxiv_delay < ARXIV_DELAY and (host == "arxiv.org" or host.endswith(".arxiv.org")):
        yield warn(
            NAME,
            f"DIGEST_ARXIV_DELAY is {settings.arxiv_delay:g}, and arXiv asks for 3 seconds between requests",
            "take it out",
        )
    if DOTENV not in survey.mistakes and "DIGEST_HOME" in survey.in_dotenv:
        yield warn(
            NAME,
            "DIGEST_HOME stands in the .env file, which is looked for in the home folder: it means nothing there",
            "put it into the environment, or use --home",
        )


def read_server_of(settings: Settings) -> Server | None:
    """The SMTP server that DIGEST_MAIL names; None where it names none, or cannot be read."""
    from digest.mail.server import read_server

    scheme, colon, rest = settings.mail.strip().partition(":")
    if not colon or scheme.lower() not in ("smtp", "smtps"):
        return None
    try:
        return read_server(scheme.lower(), rest)
    except ConfigError:
        return None


def _about_mail(survey: Survey) -> Iterator[Check]:
    """Whether login, password, certificates and sender fit the way by which mail leaves."""
    settings = survey.settings
    server = read_server_of(settings)
    if server is None and not settings.mail.strip().lower().startswith(("maildir:", "sendmail:")):
        return  # it cannot be read: a mistake that is told already
    password = settings.origins.get("DIGEST_MAIL_PASSWORD", "") if settings.mail_password else ""
    if password and (server is None or not server.user):
        yield warn(
            NAME,
            f"a password is set ({password}), and DIGEST_MAIL names nobody to log in as",
            "write smtp://USER@HOST:587, or take the password out",
        )
    if survey.values["DIGEST_MAIL_PASSWORD_FILE"] and password not in ("", "password file"):
        yield warn(
            NAME,
            "DIGEST_MAIL_PASSWORD and DIGEST_MAIL_PASSWORD_FILE are both set: the file is not read",
            "take one out",
        )
    if settings.mail_password and settings.mail_token_command:
        yield warn(
            NAME,
            "a password and DIGEST_MAIL_TOKEN_COMMAND are both set: only the token is used",
            "take one out",
        )
    if settings.mail_ca is not None and (server is None or server.tls == "none"):
        yield warn(
            NAME, "DIGEST_MAIL_CA is set, and this way of sending uses no TLS", "take it out"
        )
    if server is not None:
        yield from _about_limits(survey)
    yield from _about_sender(survey, server)


def _about_limits(survey: Survey) -> Iterator[Check]:
    """Whether more readers want mail than the provider takes in a day."""
    from digest.mail.presets import limit_hint
    from digest.subscribers import load_roster

    settings = survey.settings
    try:
        readers = len(load_roster(settings.subscribers).subscribers)
    except ConfigError:
        return  # told by another check
    if hint := limit_hint(settings.mail, readers, settings.mail_rate):
        yield warn(NAME, f"{readers} readers are many for this mail provider", hint)


def _about_sender(survey: Survey, server: Server | None) -> Iterator[Check]:
    from digest.mail.presets import guess_preset, preset_of
    from digest.mail.server import is_loopback
    from digest.setup.subscribers import has_mail_readers

    settings = survey.settings
    address = parseaddr(settings.sender)[1]
    if not settings.mails_for_real:
        if has_mail_readers(settings):
            yield warn(
                NAME,
                "mail goes to a folder of this machine, and to nobody's inbox",
                "set DIGEST_MAIL to a server: 'digest init' asks for it",
            )
        return
    if not address:
        return
    if address.rpartition("@")[2].rstrip(".") in ("localhost", "localhost.localdomain"):
        yield warn(
            NAME,
            f"DIGEST_FROM is {address}, which means nothing elsewhere",
            "use an address that takes mail",
        )
    home_of_sender = guess_preset(address)
    if home_of_sender is not None and server is not None and not is_loopback(server.host):
        by = preset_of(settings.mail)
        if by is None or by.name != home_of_sender.name:
            yield warn(
                NAME,
                f"DIGEST_FROM is an address at {home_of_sender.host or home_of_sender.name}, and mail leaves by"
                f" {server.host}, which cannot sign for it: much of it will be taken for spam",
                f"send by {home_of_sender.host}, or from an address at {server.host}'s domain",
            )


def _open_to_others(survey: Survey) -> Iterator[Check]:
    """Files with a secret that somebody else can read."""
    if survey.in_dotenv & {setting.variable for setting in SETTINGS if setting.secret} and is_open(
        survey.dotenv
    ):
        yield warn(
            NAME,
            f"{survey.dotenv} holds a password, and others can read it",
            f"chmod 600 {survey.dotenv}",
        )
    for variable in ("DIGEST_MAIL_PASSWORD_FILE", "DIGEST_INBOX_PASSWORD_FILE"):
        name = survey.values[variable]
        if name and variable not in survey.mistakes:
            path = survey.settings.home / Path(name).expanduser()
            if is_open(path):
                yield warn(
                    NAME, f"the password file {path} can be read by others", f"chmod 600 {path}"
                )


def is_open(path: Path) -> bool:
    """Whether others may read or write a file; its group counts too where the file is one's own.

    Another's file, such as root's with mode 0640, lets its group in on purpose.
    """
    try:
        found = path.stat()
    except OSError:
        return False
    others = stat.S_IROTH | stat.S_IWOTH
    group = stat.S_IRGRP | stat.S_IWGRP if found.st_uid == os.geteuid() else 0
    return bool(found.st_mode & (others | group))
