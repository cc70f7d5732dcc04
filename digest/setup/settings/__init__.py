"""All settings: from flags, the environment and .env, each checked; nothing else reads them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from digest.errors import ConfigError
from digest.rules.channels import RateLimit
from digest.setup.settings import read
from digest.setup.settings.contradictions import contradictions
from digest.setup.settings.found import refuse_foreign, refuse_foreign_files
from digest.setup.settings.read import DAILY, Daily, Written
from digest.setup.settings.table import (
    ARXIV_API,
    CREDENTIAL,
    GITHUB_API,
    IN_PLACE,
    SETTINGS,
    ZOTERO_API,
    Setting,
)
from digest.system.timers.job import STATE

__all__ = [
    "CREDENTIAL",
    "DOTENV",
    "IN_PLACE",
    "SETTINGS",
    "SYSTEM_HOME",
    "Setting",
    "Settings",
    "Survey",
    "find_home",
    "load_settings",
    "survey_settings",
]

SYSTEM_HOME = STATE
DOTENV = ".env"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, checked; every path is absolute. A field's default stands where its setting has
    no value, or one that cannot be.

    The fields stand in the order in which they are read, so that this is the order of mistakes.

    `unknown` are DIGEST_ variables that mean nothing, each with the nearest that does, or nothing.
    `origins` tells for each variable where its value came from: `flag`, `environment`, `.env`,
    `default`; for a password also `password file` or `systemd credential`; for the home folder also
    `current folder`. `arxiv_feeds` and `arxiv_oai` are "" where there is no such service. The
    subscribers file may name some of the `variables`, of the environment and of .env.
    """

    home: Path
    db: Path
    subscribers: Path
    hold_unknown: bool = False
    mail: str = "maildir:mail"
    mail_password: str = field(default="", repr=False)
    mail_ca: Path | None = None
    mail_token_command: str = ""
    mail_rate: tuple[RateLimit, ...] = ()
    sender: str = ""
    contact: str = ""
    inbox: str = ""
    inbox_password: str = field(default="", repr=False)
    bounce: str = ""
    operator: str = ""
    heartbeat_url: str = field(default="", repr=False)
    base_url: str = ""
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    metrics: str = ""
    signup: bool = False
    arxiv_api: str = ARXIV_API
    arxiv_feeds: str = ""
    arxiv_oai: str = ""
    source: str = "auto"
    arxiv_delay: float = 3.0
    templates: Path | None = None
    subscribers_yaml: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    github_token: str = field(default="", repr=False)
    github_api: str = GITHUB_API
    issue_label: str = ""
    page_url: str = ""
    private_targets: bool = False
    zotero_key: str = field(default="", repr=False)
    zotero_api: str = ZOTERO_API
    llm_url: str = ""
    llm_model: str = ""
    llm_key: str = field(default="", repr=False)
    llm_daily: Daily = DAILY
    unknown: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    variables: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def mails_for_real(self) -> bool:
        """Whether mail leaves this machine's files: false while it goes to a Maildir."""
        return not self.mail.strip().lower().startswith("maildir:")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that no log and no answer may repeat, as far as they are set."""
        secrets = (
            self.mail_password,
            self.inbox_password,
            self.heartbeat_url,
            self.secret,
            self.github_token,
            self.zotero_key,
            self.llm_key,
        )
        return tuple(filter(None, secrets))


@dataclass(frozen=True, slots=True)
class Survey:
    """All settings, whatever is wrong with some of them.

    `values` are as they were written, passwords also as their files hold them; `mistakes` by
    variable (or `.env`), in the order in which they were found; `dotenv` is where the .env file is
    looked for, and `in_dotenv` are the variables that it sets.
    """

    settings: Settings
    values: Mapping[str, str] = field(repr=False)
    mistakes: Mapping[str, ConfigError]
    dotenv: Path
    in_dotenv: frozenset[str]


def load_settings(
    flags: Mapping[str, str], environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> Settings:
    """Read every setting: a flag (by variable) before the environment before .env before the
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
    """Read every setting as `load_settings` does, and gather what is wrong instead of raising
    it.

    Raises ConfigError all the same where nobody named the home folder, and what is found in the
    current one may be another user's word: nothing of it is to be used.
    """
    environ = os.environ if environ is None else environ
    folder = (Path.cwd() if folder is None else folder).absolute()
    mistakes: dict[str, ConfigError] = {}
    # Not from .env: that file lies in the home folder, which must be known to find it.
    named = flags.get("DIGEST_HOME") or environ.get("DIGEST_HOME", "")
    home, dotenv = folder, dict[str, str]()
    with _noted("DIGEST_HOME", mistakes):
        home = find_home(named, folder)
    is_found = not named and _is_only_found(home, folder)
    with _noted(DOTENV, mistakes):
        dotenv = _read_dotenv(home / DOTENV)
    values, origins = _gather({"flag": flags, "environment": environ, DOTENV: dotenv})
    if not named:
        origins["DIGEST_HOME"] = _origin_of_home(home, folder)
    if is_found:
        refuse_foreign_files(home, values)
    found = _read(values, origins, home, environ, mistakes)
    unknown = _unknown([*environ, *dotenv])
    variables = dotenv | {name: value for name, value in environ.items() if value}
    settings = Settings(home=home, **found, unknown=unknown, origins=origins, variables=variables)
    for name, mistake in contradictions(settings, mistakes):
        mistakes.setdefault(name, mistake)
    in_dotenv = frozenset(name for name, value in dotenv.items() if value)
    return Survey(settings, values, mistakes, home / DOTENV, in_dotenv)


@contextmanager
def _noted(name: str, mistakes: MutableMapping[str, ConfigError]) -> Iterator[None]:
    """Put a ConfigError among the mistakes instead of raising it."""
    try:
        yield
    except ConfigError as error:
        mistakes[name] = error


def _gather(places: Mapping[str, Mapping[str, str]]) -> tuple[dict[str, str], dict[str, str]]:
    """The text of each setting from the first place that has one, and the name of that place."""
    values, origins = {}, {}
    for setting in SETTINGS:
        name = setting.variable
        # An empty value counts as none, so that a line may stay where its value is taken out.
        origins[name] = next(
            (origin for origin, place in places.items() if place.get(name)), "default"
        )
        values[name] = places.get(origins[name], {name: setting.default})[name]
    # Whoever asks another API than arXiv's does not mean that arXiv itself should stand in for it.
    for name in ("DIGEST_ARXIV_FEEDS", "DIGEST_ARXIV_OAI"):
        if values["DIGEST_ARXIV_API"] != ARXIV_API and origins[name] == "default":
            values[name] = "none"
    return values, origins


def _read(
    values: dict[str, str],
    origins: dict[str, str],
    home: Path,
    environ: Mapping[str, str],
    mistakes: dict[str, ConfigError],
) -> dict[str, Any]:
    """The fields of Settings that have a value. Passwords that stand elsewhere are added to
    `values`, and their places to `origins`.
    """
    found: dict[str, Any] = {"db": home / "digest.db", "subscribers": home / "subscribers.yaml"}
    by_field = {setting.field: setting for setting in SETTINGS}
    for setting in (by_field[each.name] for each in fields(Settings) if each.name in by_field):
        name = setting.variable
        # What the variable itself says comes first; the doctor warns that the file is not read.
        if setting.credential and not values[name]:
            file = Written(f"{name}_FILE", values[f"{name}_FILE"], home)
            with _noted(file.variable, mistakes):
                values[name], origin = read.password(file, environ, setting.credential)
                origins[name] = origin or origins[name]
        if values[name]:
            with _noted(name, mistakes):
                found[setting.field] = setting.read(Written(name, values[name], home))
    return found


def find_home(named: str, folder: Path) -> Path:
    """The home folder: as named, else here where an installation is, else the user's, else the
    system's. Where there is none, the user's is the place for one.
    """
    if named:
        return read.path(Written("DIGEST_HOME", named, Path())).absolute()
    homes = homes_of_this_machine()
    for candidate in (folder, *homes):
        if _holds_installation(candidate):
            return candidate.absolute()
    return homes[0]


def homes_of_this_machine() -> tuple[Path, ...]:
    """The home folders that need not be named: this user's, and the system's."""
    import platformdirs

    try:
        own = Path(platformdirs.user_data_dir("digest", appauthor=False))
    except RuntimeError:  # an account without a folder, as in a container that runs as any number
        return (SYSTEM_HOME.absolute(),)
    return own.absolute(), SYSTEM_HOME.absolute()


def _origin_of_home(home: Path, folder: Path) -> str:
    """Where a home folder comes from that nobody named."""
    return "current folder" if home == folder else "default"


def _is_only_found(home: Path, folder: Path) -> bool:
    """Whether this home folder is one for no other reason than that a person stands in it. Raises
    ConfigError where it or its .env may be another user's word.
    """
    if home != folder or folder in homes_of_this_machine():
        return False
    refuse_foreign(home, home)
    refuse_foreign(home, home / DOTENV, group=True)
    return True


def _holds_installation(folder: Path) -> bool:
    try:
        return (folder / "subscribers.yaml").exists() or (folder / "digest.db").exists()
    except OSError:  # a folder that is closed to this user holds nothing for them
        return False


def _read_dotenv(path: Path) -> dict[str, str]:
    """The variables in a .env file; none where there is no such file."""
    from dotenv.parser import parse_stream

    try:
        with path.open(encoding="utf-8") as stream:
            bindings = list(parse_stream(stream))
    except FileNotFoundError:
        return _no_dotenv(path)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text", remedy="write it anew") from error
    except OSError as error:
        place = path if os.access(path.parent, os.X_OK) else f"the folder {path.parent}"
        raise ConfigError(
            f"{place} cannot be read ({error.strerror})", remedy="check its owner and rights"
        ) from error
    for binding in bindings:
        # The library would pass over such a line, and mail would go where nobody meant it to go.
        if binding.error:
            text = binding.original.string
            line = binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
            raise ConfigError(
                f"{path}:{line} is not of the form NAME=value",
                remedy="write one setting a line, and close every quote",
            )
    return {each.key: each.value for each in bindings if each.key and each.value is not None}


def _no_dotenv(path: Path) -> dict[str, str]:
    """The variables of a file that is not there: none, unless there should be one."""
    if path.is_symlink():
        raise ConfigError(
            f"{path} is a link to {path.readlink()}, which is not there",
            remedy="without its settings mail would go elsewhere: mend the link, or remove it",
        )
    return {}


def _unknown(names: Iterable[str]) -> dict[str, str]:
    """Each DIGEST_ variable that is none of ours, with the nearest that is, or nothing."""
    # Without the prefix, which would make all names alike.
    prefix = "DIGEST_"
    known = [setting.variable.removeprefix(prefix) for setting in SETTINGS]
    ours = {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
    nearest = {
        name: difflib.get_close_matches(name, known, n=1) for name in sorted(ours.difference(known))
    }
    return {prefix + name: prefix + near[0] if near else "" for name, near in nearest.items()}
