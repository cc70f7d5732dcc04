"""Facts about common mail providers: their servers, their logins, and what to do when they
refuse.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from digest.errors import ConfigError, UsageError
from digest.mail.server import SUBMISSION_PORT, SUBMISSIONS_PORT, is_loopback
from digest.rules.channels import RateLimit

DAY = timedelta(days=1)
GUIDES = "docs/mail"
"""The folder with a guide for each preset."""


@dataclass(frozen=True, slots=True)
class Hint:
    """Advice for where a reply matches `pattern` (a regular expression, case ignored)."""

    pattern: str
    text: str


@dataclass(frozen=True, slots=True)
class Preset:
    """One way to send. An empty `host` is asked for; `login` says what the password is.

    `daily_limit` is in messages, None where the provider publishes none or it differs by contract.
    `domains` are those of addresses that belong there. `token`: the login is by XOAUTH2 as a rule.
    `grouped`: how a password looks that the provider shows in groups, without their blanks (a
    regular expression).
    """

    name: str
    title: str
    scheme: str = "smtp"
    host: str = ""
    port: int = 0
    login: str = ""
    daily_limit: int | None = None
    domains: tuple[str, ...] = ()
    hints: tuple[Hint, ...] = ()
    token: bool = False
    grouped: str = ""

    @property
    def guide(self) -> str:
        """The page that explains it step by step."""
        return f"{GUIDES}/{self.name}.md"

    @property
    def scheme_is_smtp(self) -> bool:
        """Whether mail goes to a server, rather than to a program or a folder."""
        return self.scheme.startswith("smtp")

    def url(self, user: str = "") -> str:
        """The DIGEST_MAIL setting for this login; only for presets that know their server."""
        if not self.scheme_is_smtp:
            return f"{self.scheme}:{self.host}"
        login = f"{quote(user, safe='@.+-_')}@" if user and self.login else ""
        return f"{self.scheme}://{login}{self.host}:{self.port}"


_REFUSED = r"\b53[45]\b"
_OTHER_SENDER = (
    r"send ?as ?denied|not (allowed|permitted|owned)|permissions? to send as"
    r"|mail from .*(must|same)|\b553\b"
)


def _as_login(provider: str) -> Hint:
    return Hint(
        _OTHER_SENDER,
        f"{provider} sends only in the name of the login: set DIGEST_FROM to its address",
    )


PRESETS = (
    Preset(
        "gmail",
        "Gmail, and Google Workspace with an app password",
        host="smtp.gmail.com",
        port=SUBMISSION_PORT,
        login="an app password of 16 letters, with or without its blanks;"
        " not the password of the Google account",
        daily_limit=500,
        domains=("gmail.com", "googlemail.com"),
        hints=(
            Hint(
                r"5\.4\.5|daily .*(quota|limit)",
                "Gmail takes 500 messages a day (Workspace 2,000); what is left goes tomorrow",
            ),
            Hint(
                r"\b53[45]\b|5\.7\.[89]\b",
                "Gmail wants an app password: turn on 2-Step Verification, then make one at "
                "https://myaccount.google.com/apppasswords; changing the account's password revokes"
                " it",
            ),
        ),
        grouped="[A-Za-z]{16}",
    ),
    Preset(
        "outlook",
        "Outlook.com, Hotmail, Live (a token command, no password)",
        host="smtp-mail.outlook.com",
        port=SUBMISSION_PORT,
        login="none: a command that prints an access token (DIGEST_MAIL_TOKEN_COMMAND)",
        domains=("outlook.com", "hotmail.com", "live.com", "msn.com"),
        hints=(
            Hint(
                rf"{_REFUSED}|5\.7\.(3|30|57|139)\b|no login with a password",
                "Outlook.com takes no passwords since September 2024: set DIGEST_MAIL_TOKEN_COMMAND"
                " to a command that "
                "prints an access token",
            ),
            _as_login("Outlook.com"),
        ),
        token=True,
    ),
    Preset(
        "microsoft365",
        "Microsoft 365, Exchange Online (work or university)",
        host="smtp.office365.com",
        port=SUBMISSION_PORT,
        login="a token command; or, until basic authentication ends, the mailbox's password",
        daily_limit=10_000,
        hints=(
            Hint(
                r"5\.7\.30\b|basic authentication|no login with a password",
                "Microsoft is ending basic authentication: set DIGEST_MAIL_TOKEN_COMMAND to a "
                "command that prints an "
                "access token, or ask the admin for a relay without login",
            ),
            Hint(
                rf"{_REFUSED}|5\.7\.(3|57|139)\b|SmtpClientAuthentication",
                "ask the admin whether authenticated SMTP (SMTP AUTH) is switched on for this "
                "mailbox and security "
                "defaults allow it, or use DIGEST_MAIL_TOKEN_COMMAND",
            ),
            _as_login("Exchange"),
        ),
        token=True,
    ),
    Preset(
        "fastmail",
        "Fastmail",
        scheme="smtps",
        host="smtp.fastmail.com",
        port=SUBMISSIONS_PORT,
        login="an app password; the login is the full address",
        domains=("fastmail.com", "fastmail.fm"),
        hints=(
            Hint(
                _REFUSED,
                "Fastmail wants an app password with access to SMTP: Settings, Privacy & Security",
            ),
            _as_login("Fastmail"),
        ),
    ),
    Preset(
        "icloud",
        "iCloud Mail",
        host="smtp.mail.me.com",
        port=SUBMISSION_PORT,
        login="an app-specific password; the login is the full iCloud address",
        daily_limit=1_000,
        domains=("icloud.com", "me.com", "mac.com"),
        hints=(
            Hint(
                r"limit|5\.7\.1 .*exceeded",
                "iCloud takes 1,000 messages a day; what is left goes tomorrow",
            ),
            Hint(
                _REFUSED,
                "iCloud wants an app-specific password: make one at https://account.apple.com",
            ),
            _as_login("iCloud"),
        ),
    ),
    Preset(
        "yahoo",
        "Yahoo Mail",
        scheme="smtps",
        host="smtp.mail.yahoo.com",
        port=SUBMISSIONS_PORT,
        login="an app password of 16 letters, with or without its blanks;"
        " not the password of the account",
        domains=("yahoo.com", "ymail.com", "rocketmail.com"),
        hints=(
            Hint(
                _REFUSED,
                "Yahoo wants an app password: Account Info, Security, Generate app password",
            ),
            _as_login("Yahoo"),
        ),
        grouped="[a-z]{16}",
    ),
    Preset(
        "qq",
        "QQ Mail, Foxmail",
        scheme="smtps",
        host="smtp.qq.com",
        port=SUBMISSIONS_PORT,
        login="the authorization code of 16 letters; not the QQ login password",
        domains=("qq.com", "foxmail.com"),
        hints=(
            Hint(
                _REFUSED,
                "QQ wants the authorization code, not the login password: switch on SMTP in the web"
                " mail's settings "
                "(Account), which shows the code",
            ),
            _as_login("QQ"),
        ),
        grouped="[a-z]{16}",
    ),
    Preset(
        "relay",
        "A relay of the campus or the company, without login",
        port=25,
        hints=(
            Hint(
                r"relay|\b5[35]0\b|\b554\b",
                "the relay does not take mail from this machine: ask its admin to allow this "
                "machine's address, or "
                "for a server to log in to",
            ),
        ),
    ),
    Preset(
        "server",
        "Another SMTP server",
        port=SUBMISSION_PORT,
        login="the password of that login",
    ),
    Preset(
        "sendmail", "The mail system of this machine: sendmail, Postfix, Exim", scheme="sendmail"
    ),
    Preset(
        "folder", "Nowhere yet: a folder on this machine, to look at", scheme="maildir", host="mail"
    ),
)

_GENERAL = (
    Hint(
        r"token command",
        "run the command of DIGEST_MAIL_TOKEN_COMMAND by hand: its first line must be an access "
        "token",
    ),
    Hint(
        r"certificate|hostname mismatch",
        "the server's certificate is not trusted: name the certificate of a private authority with "
        "DIGEST_MAIL_CA, "
        "and write the server's name as the certificate has it",
    ),
    Hint(
        r"starttls|wrong version number|\[ssl",
        "host, port and TLS do not fit: port 587 is smtp:// (STARTTLS), port 465 is smtps://, and a"
        " "
        "relay of a trusted network that has no TLS is smtp://HOST:25?tls=none",
    ),
    Hint(
        r"connecting to|cannot be reached|timed? ?out",
        "nobody answers there: check host and port, and whether this network lets mail out (many "
        "block port 25)",
    ),
    Hint(
        r"no login with .*offered: none",
        "the server offers no login here: leave the user out; if it stands in DIGEST_MAIL, take"
        " ?tls=none away, since many servers offer a login after STARTTLS alone",
    ),
    Hint(
        r"no login with a password",
        "the server takes no password here: it may want DIGEST_MAIL_TOKEN_COMMAND",
    ),
    Hint(
        rf"{_REFUSED}|5\.7\.8\b",
        "login or password is wrong; many providers want an app password here",
    ),
    Hint(
        r"\b530\b|authentication (is )?required",
        "the server wants a login: write smtp://USER@HOST:PORT",
    ),
    Hint(
        r"relay",
        "the server does not take mail from this machine: log in, or ask its admin to allow it",
    ),
    Hint(
        _OTHER_SENDER,
        "the server does not take mail from this sender: set DIGEST_FROM to the login's address",
    ),
)


def find_preset(name: str) -> Preset:
    """The preset of this name, in whatever case. Raises UsageError with the nearest that there
    is.
    """
    by_name = {preset.name: preset for preset in PRESETS}
    wanted = name.strip().casefold()
    if wanted in by_name:
        return by_name[wanted]
    near = difflib.get_close_matches(wanted, by_name, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"write one of {', '.join(by_name)}"
    raise UsageError(f"{name!r} is no provider that is known here", remedy=remedy)


def guess_preset(address: str) -> Preset | None:
    """The provider to which an address belongs by its domain, or None."""
    domain = address.rpartition("@")[2].casefold()
    # Some write their countries' domains: yahoo.co.uk, hotmail.fr.
    domain = re.sub(r"^(outlook|hotmail|live|yahoo)\.(?:com?\.)?[a-z]{2}$", r"\1.com", domain)
    return next((preset for preset in PRESETS if domain in preset.domains), None)


def preset_of(mail: str) -> Preset | None:
    """The preset to which a DIGEST_MAIL setting, or what a transport calls itself, belongs by its
    host; or None.
    """
    host = _host(mail)
    if not host or is_loopback(host):
        return None
    is_relay = re.search(r":25(?:[/?]|$)", mail) and "@" not in mail
    fitting = (preset for preset in PRESETS if preset.scheme_is_smtp and preset.host == host)
    return next(fitting, find_preset("relay") if is_relay else None)


def hint_for(mail: str, reply: str) -> str:
    """Advice on a server's refusal, in a line, or nothing where that is not known.

    `mail` is the DIGEST_MAIL setting or a transport's description, `reply` the words of a receipt.
    """
    preset = preset_of(mail)
    own = [(hint, f" ({preset.guide})") for hint in preset.hints] if preset else []
    general = [(hint, "") for hint in _GENERAL]
    # That nobody answered, or could prove who it is, is no refusal by the provider, whatever
    # numbers stand there.
    ordered = general[:4] + own + general[4:]
    return next(
        (
            hint.text + where
            for hint, where in ordered
            if re.search(hint.pattern, reply, re.IGNORECASE)
        ),
        "",
    )


def limit_hint(mail: str, messages: int, limits: Sequence[RateLimit]) -> str:
    """Advice where this many messages a day come near what the provider takes and no limit sees
    to it, or nothing.
    """
    preset = preset_of(mail)
    most = preset.daily_limit if preset else None
    seen_to = most is not None and any(
        limit.period >= DAY and limit.number <= most for limit in limits
    )
    if preset is None or most is None or seen_to or messages < 0.8 * most:
        return ""
    return (
        f"set DIGEST_MAIL_RATE={most * 9 // 10}/day: {preset.host} takes {most:,} messages a day;"
        " the rest waits"
    )


def as_issued(host: str, password: str) -> str:
    """A password as the provider means it: blanks are taken out where it shows passwords in
    groups.
    """
    preset = preset_of(f"smtp://{host}")
    # A password that merely has blanks is the user's own: only the provider's pattern is joined.
    joined = re.sub(r"\s", "", password)
    return (
        joined if preset and preset.grouped and re.fullmatch(preset.grouped, joined) else password
    )


def check_issued(mail: str, password: str) -> None:
    """Raise ConfigError where the provider of a DIGEST_MAIL setting issues passwords of one form,
    and this is none of them.
    """
    preset = preset_of(mail)
    if preset and preset.grouped and not re.fullmatch(preset.grouped, re.sub(r"\s", "", password)):
        raise ConfigError(
            f"{preset.host} takes no such password: it wants {preset.login}",
            remedy=f"{preset.guide} says how to get one",
        )


def _host(mail: str) -> str:
    found = re.match(r"\s*smtps?://(?:.*@)?(\[[^\]]*\]|[^:/?\s]+)", mail, re.IGNORECASE)
    return found[1].strip("[]").rstrip(".").casefold() if found else ""
