"""The files of a new installation: where they lie, which zone is local, and a .env that loses
nothing it had.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from digest.errors import ConfigError
from digest.rules.schedule import parse_zone
from digest.setup.settings import find_home
from digest.subscribers.transaction import ready_folder
from digest.system.files import replace_file

PROJECT = re.compile(r"^name\s*=\s*arxiv-digest\s*$", re.MULTILINE)
PLAIN = re.compile(r"[A-Za-z0-9_./:@+=,~-]+")
"""Values that a .env file can show without quotes."""


HEADER = "# Settings of Digest: 'digest config' shows them all.\n"
FILES = ("subscribers.yaml", "digest.db", ".env")
"""The files by which an installation is known."""


def choose_home(named: str, folder: Path) -> Path:
    """The folder for an installation; `folder` is the current one.

    A clone of the project holds an example of a subscribers file, by which it would pass for an
    installation: it is passed over, unless it is named or a database lies there.
    """
    if not named and is_clone(folder) and not (folder / "digest.db").exists():
        folder = Path(os.devnull)  # a place where no installation can be
    return find_home(named, folder)


def is_installed(home: Path) -> bool:
    """Whether there is an installation already."""
    return any((home / name).exists() for name in FILES)


def is_clone(folder: Path) -> bool:
    """Whether a folder is a clone of the project."""
    try:
        return PROJECT.search((folder / "setup.cfg").read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False


def check_writable(folder: Path) -> None:
    """Raise ConfigError where the folder cannot be made or written to, before anything was
    asked.
    """
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise ConfigError(
            f"{folder} cannot be written to", remedy="name another folder with --home"
        )


def local_zone(environ: Mapping[str, str], etc: Path = Path("/etc")) -> str:
    """The machine's time zone by name: TZ, else the link /etc/localtime, else /etc/timezone, else
    UTC.
    """
    names = [environ.get("TZ", "").removeprefix(":")]
    with suppress(OSError):
        # The text of the link counts: what it leads to need not exist.
        names.append(os.readlink(etc / "localtime"))  # noqa: PTH115
    with suppress(OSError, UnicodeDecodeError):
        names.append((etc / "timezone").read_text(encoding="utf-8").strip().partition("\n")[0])
    for name in filter(None, names):
        zone = name.rpartition("zoneinfo/")[2].removeprefix("posix/").removeprefix("right/")
        with suppress(ConfigError):
            return parse_zone(zone.strip()).key
    return "UTC"


def read_env(path: Path) -> dict[str, str]:
    """The settings in a .env file, those that are empty left out. Raises ConfigError where it
    cannot be read.
    """
    return _parse(_text(path))


def save_env(path: Path, wanted: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Add what a .env file lacks, and leave all that it has. A new one is for its owner alone (mode
    0600).

    Returns the names of what was added, and of what the file has otherwise. The file is written as
    a whole or not at all. Raises ConfigError where that cannot be done.
    """
    # The file may be a link into a folder that is synchronized: it stays one.
    target = Path(os.path.realpath(path))
    text = _text(target, HEADER)
    had, wanted = _parse(text), {name: value for name, value in wanted.items() if value}
    missing = {name: value for name, value in wanted.items() if name not in had}
    kept = [name for name, value in wanted.items() if had.get(name, value) != value]
    if not missing:
        return [], kept
    text += "".join(f"{name}={quoted(name, value)}\n" for name, value in missing.items())
    # What is added after an unclosed quote would become a part of the value before it.
    if _parse(text) != had | missing:
        raise ConfigError(
            f"{path} ends in an unclosed quote: nothing can be added", remedy="mend it"
        )
    ready_folder(target.parent)
    replace_file(target, text.encode(), mode=0o600)
    return list(missing), kept


def quoted(name: str, value: str) -> str:
    """A value as python-dotenv reads it back; it has changed its mind about backslashes between
    versions.
    """
    single = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    double = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    fits = not set(value) & {"\n", "\r", "\0"} and value.encode(errors="replace").decode() == value
    shapes = [value, single, double] if PLAIN.fullmatch(value) else [single, double]
    # The line behind shows whether the value ends where it should.
    for shape in shapes:
        if fits and _parse(f"{name}={shape}\nX=1\n") == {name: value, "X": "1"}:
            return shape
    raise ConfigError(
        f"{name} has a value that no .env file can hold", remedy="put it into a file of its own"
    )


def _text(path: Path, otherwise: str = "") -> str:
    """The lines of a file, each ended; `otherwise` where there is none."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            text = stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return otherwise
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error})", remedy="mend or remove it") from error
    return text if not text or text.endswith("\n") else f"{text}\n"


def _parse(text: str) -> dict[str, str]:
    values = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in values.items() if value}
