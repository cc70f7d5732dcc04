"""Settings as they may be shown: passwords, and whatever could be a misplaced one, are masked."""

from __future__ import annotations

import shlex
from urllib.parse import urlsplit

from digest.errors import MASK, masked
from digest.setup.settings import Setting, Settings, Survey

SHORTEST = 4
"""Characters of a part of an address that is masked: a shorter one is no secret, and may stand
anywhere."""
_PATHS = {
    "DIGEST_HOME": "home",
    "DIGEST_DB": "db",
    "DIGEST_SUBSCRIBERS": "subscribers",
    "DIGEST_MAIL_CA": "mail_ca",
}


def shown(setting: Setting, survey: Survey) -> str:
    """The value that is at work, for people: an absolute path, a secret's mask, or nothing where
    none is set.
    """
    name = setting.variable
    text = survey.values[name]
    if setting.secret:
        return MASK if text else ""
    if name == "DIGEST_MAIL":
        return _mail(text)
    if name == "DIGEST_INBOX" and name in survey.mistakes:
        return MASK  # any part of it may be a misplaced password
    if name == "DIGEST_MAIL_TOKEN_COMMAND":
        return _command(text)
    if name in _PATHS and name not in survey.mistakes:
        return str(getattr(survey.settings, _PATHS[name]) or "")
    return masked(text)


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """All that must never be printed: secrets, the SMTP password in each shape in which somebody
    may repeat it, and what is secret in the heartbeat's address, however its host is written.
    """
    address = urlsplit(settings.heartbeat_url)
    found = {*settings.secrets, *(part for part in address[2:4] if len(part) > SHORTEST)}
    if settings.mail_password:
        # What a transport is made of takes long to import.
        from digest.mail.presets import as_issued
        from digest.setup.mail import server_of

        server = server_of(settings.mail)
        found.add(as_issued(server.host if server else "", settings.mail_password))
    return tuple(found)


def _mail(text: str) -> str:
    """DIGEST_MAIL; any part of one that cannot be read may be a misplaced password, so it is not
    shown.
    """
    from digest.setup.mail import server_of

    scheme, colon, _ = text.strip().partition(":")
    kind = f"{scheme.lower()}{colon}"
    if kind in ("maildir:", "sendmail:") or server_of(text):
        return text
    return f"{scheme}:{MASK}" if kind in ("smtp:", "smtps:") else MASK


def _command(text: str) -> str:
    """A command's program; its arguments may hold a token."""
    try:
        words = shlex.split(text)
    except ValueError:
        return MASK
    return f"{words[0]} {MASK}" if len(words) > 1 else "".join(words)
