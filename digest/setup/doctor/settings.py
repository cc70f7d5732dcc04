"""Whether the settings fit each other: what is missing, contradictory, unknown, or open to
others.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

from digest.errors import ConfigError
from digest.mail.presets import guess_preset, limit_hint, preset_of
from digest.mail.server import Server, is_loopback
from digest.setup.doctor.check import Finding, fail, ok, warn
from digest.setup.mail import make_transport, server_of
from digest.setup.settings import DOTENV, SETTINGS, Settings, Survey, read
from digest.setup.settings.found import templates
from digest.setup.settings.read import Written
from digest.setup.subscribers import has_mail_readers, roster_or_empty
from digest.system.accounts import foreign_hand

ARXIV_DELAY = 3.0
"""Seconds between two requests, as arXiv's terms of use for its API ask for."""


def all_mistakes(survey: Survey) -> dict[str, ConfigError]:
    """What is wrong with single settings, by variable: also what only the transport that they name
    can tell.
    """
    mistakes = dict(survey.mistakes)
    try:
        make_transport(survey.settings)
    except ConfigError as error:
        begin = error.message.split(" ")[0]
        name = begin if begin in survey.values else "DIGEST_MAIL"
        # A password that could not be read is that mistake, and not a missing password too.
        missing = "there is no password" in error.message
        if not (missing and "DIGEST_MAIL_PASSWORD_FILE" in mistakes):
            mistakes.setdefault(name, error)
    return mistakes


def check_settings(survey: Survey) -> list[Finding]:
    """Every mistake, then everything odd; one line that all is well where there is neither."""
    settings = survey.settings
    found = [fail(error.message, error.remedy) for error in all_mistakes(survey).values()]
    for name, near in settings.unknown.items():
        remedy = f"did you mean {near}?" if near else "remove it"
        found.append(warn(f"{name} is set, and no such setting exists", remedy))
    server = server_of(settings.mail)
    # Any other DIGEST_MAIL cannot be read, which is among the mistakes.
    if server or settings.mail.strip().lower().startswith(("maildir:", "sendmail:")):
        found += _about_login(survey, server)
        found += _about_readers(settings)
        found += _about_sender(settings, server)
    found += _about_arxiv(survey)
    found += _data_open_to_others(settings)
    found += _open_to_others(survey)
    found += _written_by_others(survey)
    return found or [ok(f"no mistakes; 'digest config' shows them, home folder {settings.home}")]


def _warnings(*cases: tuple[object, str, str]) -> list[Finding]:
    """A warning for each case that applies: what was found, and the remedy."""
    return [warn(found, remedy) for applies, found, remedy in cases if applies]


def _about_login(survey: Survey, server: Server | None) -> list[Finding]:
    """Whether login, password and certificates fit the way by which mail leaves."""
    settings = survey.settings
    origin = settings.origins.get("DIGEST_MAIL_PASSWORD", "") if settings.mail_password else ""
    file_is_read = origin in ("", "password file")
    user, tls = (server.user, server.tls) if server else ("", "none")
    return _warnings(
        (
            origin and not user,
            f"a password is set ({origin}), and DIGEST_MAIL names nobody to log in as",
            "write smtp://USER@HOST:587, or take the password out",
        ),
        (
            survey.values["DIGEST_MAIL_PASSWORD_FILE"] and not file_is_read,
            "DIGEST_MAIL_PASSWORD and DIGEST_MAIL_PASSWORD_FILE are both set: the file is not read",
            "take one out",
        ),
        (
            origin and settings.mail_token_command,
            "a password and DIGEST_MAIL_TOKEN_COMMAND are both set: only the token is used",
            "take one out",
        ),
        (
            settings.mail_ca and tls == "none",
            "DIGEST_MAIL_CA is set, and this way of sending uses no TLS",
            "take it out",
        ),
    )


def _about_readers(settings: Settings) -> list[Finding]:
    """Whether more readers want mail than the provider takes in a day, or get it at all."""
    readers = len(roster_or_empty(settings).subscribers)
    limit = limit_hint(settings.mail, readers, settings.mail_rate)
    return _warnings(
        (limit, f"{readers} readers are many for this mail provider", limit),
        (
            not settings.mails_for_real and has_mail_readers(settings),
            "mail goes to a folder of this machine, and to nobody's inbox",
            "set DIGEST_MAIL to a server: 'digest init' asks for it",
        ),
    )


def _about_sender(settings: Settings, server: Server | None) -> list[Finding]:
    """Whether answers reach the sender, and whether the server can sign for it."""
    if not settings.mails_for_real:
        return []
    address = parseaddr(settings.sender)[1]
    if address.rpartition("@")[2].rstrip(".") in ("localhost", "localhost.localdomain"):
        return [
            warn(
                f"DIGEST_FROM is {address}, which means nothing elsewhere",
                "use an address that takes mail",
            )
        ]
    provider, way = guess_preset(address), preset_of(settings.mail)
    # A server on this machine hands mail on, and may well do so by the provider.
    if provider is None or server is None or is_loopback(server.host):
        return []
    return _warnings(
        (
            way is None or way.name != provider.name,
            f"DIGEST_FROM is an address at {provider.host or provider.name}, "
            f"and mail leaves by {server.host}, "
            "which cannot sign for it: much of it will be taken for spam",
            f"send by {provider.host}, or from an address at {server.host}'s domain",
        )
    )


def _about_arxiv(survey: Survey) -> list[Finding]:
    settings = survey.settings
    host = urlsplit(settings.arxiv_api).hostname or ""
    return _warnings(
        (
            not settings.contact and "DIGEST_CONTACT" not in survey.mistakes,
            "DIGEST_CONTACT is not set: readers see nobody to write to, and arXiv nobody to warn",
            "set it to your address",
        ),
        (
            settings.arxiv_delay < ARXIV_DELAY and f".{host}".endswith(".arxiv.org"),
            f"DIGEST_ARXIV_DELAY is {settings.arxiv_delay:g}, "
            "and arXiv asks for 3 seconds between requests",
            "take it out",
        ),
        (
            DOTENV not in survey.mistakes and "DIGEST_HOME" in survey.in_dotenv,
            "DIGEST_HOME stands in the .env file, which is looked for in the home folder: "
            "it means nothing there",
            "put it into the environment, or use --home",
        ),
    )


def _written_by_others(survey: Survey) -> Iterator[Finding]:
    """Files that may be another user's word: what is refused where the folder is only found, and
    what a group shares.

    The database's owner is looked at by its own check.
    """
    settings = survey.settings
    own = templates(settings.templates) if settings.templates else ()
    for path in (settings.home, survey.dotenv, settings.subscribers, *own):
        if whose := foreign_hand(path, group=True):
            yield warn(f"{path} {whose}: that decides what is run and mailed as you", _taken(path))


def _taken(path: Path) -> str:
    """How a file becomes one's own."""
    mine = path.stat().st_uid == os.geteuid()
    return f"chmod go-w {path}" if mine else "make it your own, or run as its owner"


def _data_open_to_others(settings: Settings) -> Iterator[Finding]:
    """Database and subscribers file where somebody else can read them."""
    db, subscribers = settings.db, settings.subscribers
    if is_open(db):
        yield warn(
            f"{db} holds addresses and the secret of signed links, and is open to others",
            f"chmod 600 {db}",
        )
    if _is_readable_by_all(subscribers):
        yield warn(
            f"{subscribers} holds addresses, and everybody can read it", f"chmod o-r {subscribers}"
        )


def _open_to_others(survey: Survey) -> Iterator[Finding]:
    """Files with a secret that somebody else can read."""
    secrets = {setting.variable for setting in SETTINGS if setting.secret}
    if survey.in_dotenv & secrets and is_open(survey.dotenv):
        yield warn(
            f"{survey.dotenv} holds a password, and others can read it",
            f"chmod 600 {survey.dotenv}",
        )
    for variable in ("DIGEST_MAIL_PASSWORD_FILE", "DIGEST_INBOX_PASSWORD_FILE"):
        file = Written(variable, survey.values[variable], survey.settings.home)
        # A file that is not read, since the password itself is set, may have any name.
        with suppress(ConfigError):
            if file.text and variable not in survey.mistakes and is_open(path := read.path(file)):
                yield warn(f"the password file {path} can be read by others", f"chmod 600 {path}")


def _is_readable_by_all(path: Path) -> bool:
    """Whether everybody may read a file, and come to it through all folders above it."""
    try:
        modes = [place.stat().st_mode for place in (path, *path.absolute().parents)]
    except OSError:
        return False
    return bool(modes[0] & stat.S_IROTH) and all(mode & stat.S_IXOTH for mode in modes[1:])


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
