"""The settings: read from flags, the environment and a .env file, and checked; nothing else reads them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from digest.errors import ConfigError

SYSTEM_HOME = Path("/var/lib/digest")
CREDENTIAL = "mail-password"
"""The name under which systemd hands over the SMTP password (systemd.exec(5), LoadCredential)."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its variable, what stands where nothing is said, and what it is for."""

    variable: str
    default: str
    help: str
    secret: bool = False

    @property
    def flag(self) -> str:
        """The flag of the same name; a secret has none, since process lists show flags to everybody."""
        return "--" + self.variable.removeprefix("DIGEST_").lower().replace("_", "-")


SETTINGS = (
    Setting("DIGEST_HOME", "", "the folder to which all other paths are relative"),
    Setting("DIGEST_DB", "digest.db", "the database"),
    Setting("DIGEST_SUBSCRIBERS", "subscribers.yaml", "the subscribers file"),
    Setting("DIGEST_MAIL", "maildir:mail", "maildir:PATH, sendmail:, smtp://USER@HOST:587 or smtps://USER@HOST:465"),
    Setting("DIGEST_MAIL_PASSWORD", "", "the password of the SMTP login", secret=True),
    Setting("DIGEST_MAIL_PASSWORD_FILE", "", "a file that holds the password of the SMTP login"),
    Setting("DIGEST_MAIL_CA", "", "a file with the certificate of a private authority, for SMTP"),
    Setting("DIGEST_FROM", "", "the sender, such as 'Daily Papers <papers@example.org>'"),
    Setting("DIGEST_CONTACT", "", "the address to which people write, and that arXiv sees"),
    Setting("DIGEST_ARXIV_API", "https://export.arxiv.org/api/query", "arXiv's query interface"),
    Setting("DIGEST_ARXIV_DELAY", "3", "seconds between two requests to arXiv"),
    Setting("DIGEST_ON_UNKNOWN", "retry", "what follows when a mail may have been delivered: retry or hold"),
    Setting("DIGEST_TEMPLATES", "", "a folder whose templates come before the built-in ones"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked; every path is absolute. `unknown` are DIGEST_ variables that mean nothing."""

    home: Path
    db: Path
    subscribers: Path
    mail: str
    mail_password: str = field(repr=False)
    mail_ca: Path | None
    sender: str
    contact: str
    arxiv_api: str
    arxiv_delay: float
    hold_unknown: bool
    templates: Path | None
    unknown: tuple[str, ...] = ()

    @property
    def mails_for_real(self) -> bool:
        """Whether mail leaves this machine's files: false while it goes to a Maildir."""
        return not self.mail.startswith("maildir:")


def load_settings(
    flags: Mapping[str, str], environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> Settings:
    """Settle every setting: a flag (by variable) before the environment before .env before the default.

    `folder` is the current folder. Raises ConfigError for a value that cannot be.
    """
    environ = os.environ if environ is None else environ
    folder = Path.cwd() if folder is None else folder
    home = find_home(flags.get("DIGEST_HOME") or environ.get("DIGEST_HOME", ""), folder)
    dotenv = _read_dotenv(home / ".env")
    values = {
        s.variable: flags.get(s.variable) or environ.get(s.variable) or dotenv.get(s.variable) or s.default
        for s in SETTINGS
    }

    def path(variable: str) -> Path:
        return (home / Path(values[variable]).expanduser()).absolute()

    if "://" in values["DIGEST_DB"]:
        raise ConfigError(
            f"DIGEST_DB is {values['DIGEST_DB'].split('://')[0]}://…, and only SQLite is supported",
            remedy="give the path of a file",
        )
    if values["DIGEST_ON_UNKNOWN"] not in ("retry", "hold"):
        raise ConfigError(f"DIGEST_ON_UNKNOWN is {values['DIGEST_ON_UNKNOWN']!r}", remedy="write retry or hold")
    settings = Settings(
        home=home,
        db=path("DIGEST_DB"),
        subscribers=path("DIGEST_SUBSCRIBERS"),
        mail=values["DIGEST_MAIL"],
        mail_password=_password(values, environ, path),
        mail_ca=path("DIGEST_MAIL_CA") if values["DIGEST_MAIL_CA"] else None,
        sender=_address("DIGEST_FROM", values["DIGEST_FROM"]),
        contact=_address("DIGEST_CONTACT", values["DIGEST_CONTACT"]),
        arxiv_api=_url("DIGEST_ARXIV_API", values["DIGEST_ARXIV_API"]),
        arxiv_delay=_seconds("DIGEST_ARXIV_DELAY", values["DIGEST_ARXIV_DELAY"]),
        hold_unknown=values["DIGEST_ON_UNKNOWN"] == "hold",
        templates=path("DIGEST_TEMPLATES") if values["DIGEST_TEMPLATES"] else None,
        unknown=_unknown([*environ, *dotenv]),
    )
    if settings.templates and not settings.templates.is_dir():
        raise ConfigError(f"DIGEST_TEMPLATES is {settings.templates}, which is not a folder")
    if settings.mails_for_real and not settings.sender:
        raise ConfigError(
            "DIGEST_FROM is not set, and mail needs a sender",
            remedy="set it, such as DIGEST_FROM='Daily Papers <papers@example.org>'",
        )
    return settings


def find_home(named: str, folder: Path) -> Path:
    """The home folder: as named, else here where an installation is, else the user's, else the system's."""
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs

    own = Path(platformdirs.user_data_dir("digest", appauthor=False))
    for candidate in (folder, own, SYSTEM_HOME):
        if _holds_installation(candidate):
            return candidate.absolute()
    return own.absolute()


def _holds_installation(folder: Path) -> bool:
    try:
        return (folder / "subscribers.yaml").exists() or (folder / "digest.db").exists()
    except OSError:
        return False


def _read_dotenv(path: Path) -> dict[str, str]:
    """The variables in a .env file; none where there is no such file."""
    from dotenv import dotenv_values

    try:
        with path.open(encoding="utf-8") as stream:
            return {k: v for k, v in dotenv_values(stream=stream, interpolate=False).items() if v is not None}
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error})", remedy="mend or remove it") from error


def _password(values: Mapping[str, str], environ: Mapping[str, str], path: object) -> str:
    """The SMTP password: the variable, else the file, else systemd's credential, else nothing."""
    if values["DIGEST_MAIL_PASSWORD"]:
        return values["DIGEST_MAIL_PASSWORD"]
    if values["DIGEST_MAIL_PASSWORD_FILE"]:
        assert callable(path)
        return _secret_file(path("DIGEST_MAIL_PASSWORD_FILE"), required=True)
    if environ.get("CREDENTIALS_DIRECTORY"):
        return _secret_file(Path(environ["CREDENTIALS_DIRECTORY"]) / CREDENTIAL, required=False)
    return ""


def _secret_file(path: Path, *, required: bool) -> str:
    try:
        return path.read_text(encoding="utf-8").strip("\r\n")
    except FileNotFoundError as error:
        if not required:
            return ""
        raise ConfigError(f"DIGEST_MAIL_PASSWORD_FILE names {path}, which does not exist") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the password file {path} cannot be read ({type(error).__name__})") from error


def _address(variable: str, value: str) -> str:
    """A single mail address, with or without a display name."""
    if not value:
        return ""
    from email.utils import parseaddr

    from email_validator import EmailNotValidError, validate_email

    address = parseaddr(value)[1] or value
    try:
        validate_email(address, check_deliverability=False, test_environment=True, allow_smtputf8=True)
    except EmailNotValidError as error:
        if address.rpartition("@")[2] in ("localhost", "localhost.localdomain") and address.count("@") == 1:
            return value
        raise ConfigError(
            f"{variable} is {value!r}, which is no mail address", remedy=str(error).rstrip(".")
        ) from error
    return value


def _url(variable: str, value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ConfigError(f"{variable} is {value!r}", remedy="write an address that starts with https://")
    return value


def _seconds(variable: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise ConfigError(f"{variable} is {value!r}", remedy="write a number of seconds, 3 or more for arXiv itself")
    return seconds


def _unknown(names: Iterable[str]) -> tuple[str, ...]:
    """Each DIGEST_ variable that is none of ours, with the nearest that is."""
    known = [s.variable for s in SETTINGS]
    found = []
    for name in sorted({n for n in names if n.startswith("DIGEST_") and n not in known}):
        near = difflib.get_close_matches(name, known, n=1)
        found.append(f"{name} (did you mean {near[0]}?)" if near else name)
    return tuple(found)
