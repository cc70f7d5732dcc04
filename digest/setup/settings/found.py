"""What nobody named: files that are only found because a person stands in their folder. In somebody
else's folder they would run that user's commands (git refuses such a folder too: git-config(1),
safe.directory).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from digest.errors import ConfigError
from digest.system.accounts import foreign_hand

_PATHS = (
    "DIGEST_DB",
    "DIGEST_SUBSCRIBERS",
    "DIGEST_MAIL_PASSWORD_FILE",
    "DIGEST_INBOX_PASSWORD_FILE",
    "DIGEST_MAIL_CA",
)
_LOGS = ("-wal", "-journal")
"""What SQLite takes into a database when it opens that."""


def refuse_foreign(home: Path, *paths: Path, group: bool = False) -> None:
    """Raise ConfigError for the first of the files that may be another user's word.

    Where a group shares a folder its subscribers file is to be written by all; `group` is for what
    runs.
    """
    for path in paths:
        if whose := foreign_hand(path, group=group):
            named = f"--home {shlex.quote(str(home))}"
            raise ConfigError(
                f"{path} {whose}, and was only found through the current folder",
                remedy=f"if you trust what is in it, name the folder: {named}",
            )


def refuse_foreign_files(home: Path, values: Mapping[str, str]) -> None:
    """Raise ConfigError where one of the files that the settings lead to through the home folder
    may be another user's word. What is named by its whole path is not found but meant.
    """
    refuse_foreign(home, *_files(home, values))
    folder = values["DIGEST_TEMPLATES"]
    if folder and not _is_whole(folder):
        refuse_foreign(home, *templates(home / folder), group=True)


def templates(folder: Path) -> Iterator[Path]:
    """A folder of templates, and all in it."""
    yield folder
    yield from folder.rglob("*")


def _files(home: Path, values: Mapping[str, str]) -> Iterator[Path]:
    for variable in _PATHS:
        if values[variable] and not _is_whole(values[variable]):
            yield home / values[variable]
    for log in _LOGS:
        yield home / f"{values['DIGEST_DB']}{log}"
    kind, _, program = values["DIGEST_MAIL"].partition(":")
    words = [program] if kind.strip().lower() == "sendmail" else []
    try:
        words += shlex.split(values["DIGEST_MAIL_TOKEN_COMMAND"])
    except ValueError:
        words += []  # said by whoever reads the command
    yield from (home / word for word in words if word and not _is_whole(word))


def _is_whole(text: str) -> bool:
    return text.startswith(("/", "~"))
