"""All settings: from flags, the environment and .env, each checked; nothing else reads them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from digest.errors import ConfigError
from digest.model import RateLimit
from digest.setup.settings import read
from digest.setup.settings.read import CREDENTIAL
from digest.setup.settings.table import (
    ARXIV_API,
    ARXIV_FEEDS,
    ARXIV_OAI,
    GITHUB_API,
    SETTINGS,
    Setting,
)

__all__ = [
    "ARXIV_API",
    "ARXIV_FEEDS",
    "ARXIV_OAI",
    "CREDENTIAL",
    "DOTENV",
    "SETTINGS",
    "SYSTEM_HOME",
    "Setting",
    "Settings",
    "Survey",
    "find_home",
    "load_settings",
    "survey_settings",
]

T = TypeVar("T")

SYSTEM_HOME = Path("/var/lib/digest")
DOTENV = ".env"
SOURCES = ("auto", "api", "feeds", "oai")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked; every path is absolute. `unknown` are DIGEST_ variables that mean
    nothing.

    `origins` tells for each variable where its value came from: `flag`, `environment`, `.env`,
    `default`; for the password also `password file` or `systemd credential`; for the home folder
    also `current folder`. `arxiv_feeds` and `arxiv_oai` are "" where there is no such service.
    """

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
    mail_token_command: str = ""
    mail_rate: tuple[RateLimit, ...] = ()
    arxiv_feeds: str = ""
    arxiv_oai: str = ""
    source: str = "auto"
    inbox: str = ""
    inbox_password: str = field(default="", repr=False)
    bounce: str = ""
    operator: str = ""
    heartbeat_url: str = field(default="", repr=False)
    base_url: str = ""
    secret: str = field(default="", repr=False)
    subscribers_yaml: str = field(default="", repr=False)
    github_token: str = field(default="", repr=False)
    github_api: str = GITHUB_API
    unknown: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def mails_for_real(self) -> bool:
        """Whether mail leaves this machine's files: false while it goes to a Maildir."""
        return not self.mail.strip().lower().startswith("maildir:")


@dataclass(frozen=True, slots=True)
class Survey:
    """All settings, whatever is wrong with some of them; in `settings` the default stands where a
    value cannot be.

    `values` are as they were written, `mistakes` by variable (or `.env`), in the order in which
    they were found; `unknown` are DIGEST_ variables that mean nothing, with the nearest that does,
    or nothing; `dotenv` is where the .env file is looked for, and `in_dotenv` are the variables
    that it sets.
    """

    settings: Settings
    values: Mapping[str, str] = field(repr=False)
    mistakes: Mapping[str, ConfigError]
    unknown: Mapping[str, str]
    dotenv: Path
    in_dotenv: frozenset[str]


class _Attempt:
    """Reads one value after the other, and notes the mistakes."""

    def __init__(self) -> None:
        self.mistakes: dict[str, ConfigError] = {}

    def __call__(self, variable: str, settle: Callable[[], T], fallback: T) -> T:
        try:
            return settle()
        except ConfigError as error:
            self.mistakes[variable] = error
            return fallback


def load_settings(
    flags: Mapping[str, str], environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> Settings:
    """Settle every setting: a flag (by variable) before the environment before .env before the
    default.

    `folder` is the current folder. Raises ConfigError for the first value that cannot be.
    """
    survey = survey_settings(flags, environ, folder)
    for mistake in survey.mistakes.values():
        raise mistake
    return survey.settings


def survey_settings(
    flags: Mapping[str, str], environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> Survey:
    """Settle every setting as `load_settings` does, and gather what is wrong instead of raising
    it.
    """
    environ = os.environ if environ is None else environ
    folder = Path.cwd() if folder is None else folder
    attempt = _Attempt()
    mistakes = attempt.mistakes
    named = flags.get("DIGEST_HOME") or environ.get("DIGEST_HOME", "")
    home = attempt("DIGEST_HOME", lambda: find_home(named, folder), folder.absolute())
    dotenv = attempt(DOTENV, lambda: _read_dotenv(home / DOTENV), dict[str, str]())
    values, origins = _gather(flags, environ, dotenv)
    if not named:
        origins["DIGEST_HOME"] = "current folder" if home == folder.absolute() else "default"
    settings = _settle(home, values, origins, environ, attempt)
    if settings.source in ("feeds", "oai") and not getattr(settings, f"arxiv_{settings.source}"):
        name = f"DIGEST_ARXIV_{settings.source.upper()}"
        if name not in mistakes:
            mistakes["DIGEST_SOURCE"] = ConfigError(
                f"DIGEST_SOURCE is {settings.source}, and there is no address to ask",
                remedy=f"set {name}",
            )
    if settings.mails_for_real and not settings.sender and "DIGEST_FROM" not in mistakes:
        mistakes["DIGEST_FROM"] = ConfigError(
            "DIGEST_FROM is not set, and mail needs a sender",
            remedy="set it, such as DIGEST_FROM='Daily Papers <papers@example.org>'",
        )
    unknown = _unknown([*environ, *dotenv])
    told = tuple(
        f"{name} (did you mean {near}?)" if near else name for name, near in unknown.items()
    )
    return Survey(
        settings=replace(settings, unknown=told),
        values=values,
        mistakes=mistakes,
        unknown=unknown,
        dotenv=home / DOTENV,
        in_dotenv=frozenset(name for name, value in dotenv.items() if value),
    )


def _gather(
    flags: Mapping[str, str], environ: Mapping[str, str], dotenv: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The text of each setting, and where it came from."""
    places = {"flag": flags, "environment": environ, DOTENV: dotenv}
    values, origins = {}, {}
    for setting in SETTINGS:
        name = setting.variable
        origins[name] = next(
            (origin for origin, place in places.items() if place.get(name)), "default"
        )
        values[name] = places[origins[name]][name] if origins[name] in places else setting.default
    # Whoever asks another API than arXiv's does not mean that arXiv itself should stand in for it.
    for name in ("DIGEST_ARXIV_FEEDS", "DIGEST_ARXIV_OAI"):
        if values["DIGEST_ARXIV_API"] != ARXIV_API and origins[name] == "default":
            values[name] = "none"
    return values, origins


def _settle(
    home: Path,
    values: Mapping[str, str],
    origins: dict[str, str],
    environ: Mapping[str, str],
    attempt: _Attempt,
) -> Settings:
    """Check each value; what is wrong with one is noted, and the default stands for it."""

    def path(variable: str) -> Path:
        return home / read.expanded(variable, values[variable])

    def database() -> Path:
        if "://" in values["DIGEST_DB"]:
            raise ConfigError(
                f"DIGEST_DB is {values['DIGEST_DB'].split('://')[0]}://…, and only SQLite is supported",
                remedy="give the path of a file",
            )
        return path("DIGEST_DB")

    def hold() -> bool:
        if values["DIGEST_ON_UNKNOWN"] not in ("retry", "hold"):
            raise ConfigError(
                f"DIGEST_ON_UNKNOWN is {values['DIGEST_ON_UNKNOWN']!r}",
                remedy="write retry or hold",
            )
        return values["DIGEST_ON_UNKNOWN"] == "hold"

    def templates() -> Path | None:
        folder = path("DIGEST_TEMPLATES") if values["DIGEST_TEMPLATES"] else None
        if folder and not folder.is_dir():
            raise ConfigError(f"DIGEST_TEMPLATES is {folder}, which is not a folder")
        return folder

    def password(variable: str) -> str:
        text, origin = read.password(variable, values, environ, path)
        origins[variable] = origin or origins[variable]
        return text

    def checked(variable: str, reader: Callable[[str, str], str]) -> str:
        return attempt(variable, lambda: reader(variable, values[variable]), "")

    def secret() -> str:
        if values["DIGEST_SUBSCRIBERS_YAML"] and not values["DIGEST_SECRET"]:
            raise ConfigError(
                "DIGEST_SUBSCRIBERS_YAML is set, and DIGEST_SECRET is not: readers' names are made with it",
                remedy="set it to a long random text, and never change it ('openssl rand -hex 32' makes one)",
            )
        return read.secret("DIGEST_SECRET", values["DIGEST_SECRET"])

    return Settings(
        home=home,
        db=attempt("DIGEST_DB", database, home / "digest.db"),
        subscribers=attempt(
            "DIGEST_SUBSCRIBERS", lambda: path("DIGEST_SUBSCRIBERS"), home / "subscribers.yaml"
        ),
        hold_unknown=attempt("DIGEST_ON_UNKNOWN", hold, False),
        mail=values["DIGEST_MAIL"],
        mail_password=attempt(
            "DIGEST_MAIL_PASSWORD_FILE", lambda: password("DIGEST_MAIL_PASSWORD"), ""
        ),
        mail_ca=attempt(
            "DIGEST_MAIL_CA",
            lambda: path("DIGEST_MAIL_CA") if values["DIGEST_MAIL_CA"] else None,
            None,
        ),
        mail_token_command=values["DIGEST_MAIL_TOKEN_COMMAND"],
        mail_rate=attempt(
            "DIGEST_MAIL_RATE",
            lambda: read.rate("DIGEST_MAIL_RATE", values["DIGEST_MAIL_RATE"]),
            (),
        ),
        sender=checked("DIGEST_FROM", read.address),
        contact=checked("DIGEST_CONTACT", read.address),
        inbox=checked("DIGEST_INBOX", _inbox),
        inbox_password=attempt(
            "DIGEST_INBOX_PASSWORD_FILE", lambda: password("DIGEST_INBOX_PASSWORD"), ""
        ),
        bounce=checked("DIGEST_BOUNCE", read.bounce),
        operator=checked("DIGEST_OPERATOR", read.address),
        heartbeat_url=checked(
            "DIGEST_HEARTBEAT_URL", lambda name, text: read.url(name, text) if text else ""
        ),
        base_url=checked("DIGEST_BASE_URL", read.base_url),
        arxiv_api=attempt(
            "DIGEST_ARXIV_API",
            lambda: read.url("DIGEST_ARXIV_API", values["DIGEST_ARXIV_API"]),
            ARXIV_API,
        ),
        arxiv_feeds=attempt(
            "DIGEST_ARXIV_FEEDS",
            lambda: read.service("DIGEST_ARXIV_FEEDS", values["DIGEST_ARXIV_FEEDS"]),
            "",
        ),
        arxiv_oai=attempt(
            "DIGEST_ARXIV_OAI",
            lambda: read.service("DIGEST_ARXIV_OAI", values["DIGEST_ARXIV_OAI"]),
            "",
        ),
        source=attempt(
            "DIGEST_SOURCE",
            lambda: read.choice("DIGEST_SOURCE", values["DIGEST_SOURCE"], SOURCES),
            "auto",
        ),
        arxiv_delay=attempt(
            "DIGEST_ARXIV_DELAY",
            lambda: read.seconds("DIGEST_ARXIV_DELAY", values["DIGEST_ARXIV_DELAY"]),
            3.0,
        ),
        templates=attempt("DIGEST_TEMPLATES", templates, None),
        subscribers_yaml=values["DIGEST_SUBSCRIBERS_YAML"],
        secret=attempt("DIGEST_SECRET", secret, ""),
        github_token=values["DIGEST_GITHUB_TOKEN"],
        github_api=attempt(
            "DIGEST_GITHUB_API",
            lambda: read.url("DIGEST_GITHUB_API", values["DIGEST_GITHUB_API"]),
            GITHUB_API,
        ),
        origins=origins,
    )


def _inbox(_variable: str, value: str) -> str:
    """A mailbox that can be read; what is wrong with it the mailbox's own room says."""
    if value:
        from digest.mail.mailbox import read_mailbox

        read_mailbox(value)
    return value


def find_home(named: str, folder: Path) -> Path:
    """The home folder: as named, else here where an installation is, else the user's, else the
    system's.
    """
    if named:
        return read.expanded("DIGEST_HOME", named).absolute()
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
    from dotenv.parser import parse_stream

    try:
        with path.open(encoding="utf-8") as stream:
            bindings = list(parse_stream(stream))
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text", remedy="write it anew") from error
    except OSError as error:
        place = path if os.access(path.parent, os.X_OK) else f"the folder {path.parent}"
        raise ConfigError(
            f"{place} cannot be read ({error.strerror})", remedy="check its owner and rights"
        ) from error
    values = {}
    for binding in bindings:
        # The library would pass over such a line, and mail would go where nobody meant it to go.
        if binding.error:
            text = binding.original.string
            line = binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
            raise ConfigError(
                f"{path}:{line} is not of the form NAME=value",
                remedy="write one setting a line, and close every quote",
            )
        if binding.key is not None and binding.value is not None:
            values[binding.key] = binding.value
    return values


def _unknown(names: Iterable[str]) -> dict[str, str]:
    """Each DIGEST_ variable that is none of ours, with the nearest that is, or nothing."""
    prefix = "DIGEST_"
    known = [s.variable.removeprefix(prefix) for s in SETTINGS]
    found = {}
    for name in sorted(
        {n for n in names if n.startswith(prefix) and n.removeprefix(prefix) not in known}
    ):
        near = difflib.get_close_matches(name.removeprefix(prefix), known, n=1)
        found[name] = f"{prefix}{near[0]}" if near else ""
    return found
