"""The files of a new installation: where they lie, which zone is local, and a .env that loses
nothing it had.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from digest.errors import ConfigError
from digest.setup.settings import find_home

PROJECT = re.compile(r"^name\s*=\s*arxiv-digest\s*$", re.MULTILINE)
PLAIN = re.compile(r"[A-Za-z0-9_./:@+=,~-]+")
"""Values that a .env file can show without quotes."""


HEADER = "# Settings of Digest: 'digest config' shows them all.\n"
MARKS_OF_ONE = ("subscribers.yaml", "digest.db", ".env")
"""Files by which an installation is known."""


@dataclass(frozen=True, slots=True)
class Home:
    """The home folder, and whether an installation is there already."""

    path: Path
    exists: bool


def choose_home(named: str, folder: Path) -> Home:
    """The folder for an installation; `folder` is the current one.

    A clone of the project holds an example of a subscribers file, by which it would pass for an
    installation: it is passed over, unless it is named or a database lies there.
    """
    if not named and is_clone(folder) and not (folder / "digest.db").exists():
        folder = Path(os.devnull)  # a place where no installation can be
    path = find_home(named, folder)
    return Home(path, any((path / name).exists() for name in MARKS_OF_ONE))


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
    from digest.rules.schedule import parse_zone

    for name in (environ.get("TZ", "").removeprefix(":"), *_zones_of_system(etc)):
        zone = name.rpartition("zoneinfo/")[2].removeprefix("posix/").removeprefix("right/").strip()
        try:
            if zone:
                parse_zone(zone)
                return zone
        except ConfigError:
            continue
    return "UTC"


def _zones_of_system(etc: Path) -> list[str]:
    found = []
    with suppress(OSError):
        link = os.readlink(etc / "localtime")  # noqa: PTH115 - the text of the link, which need not exist
        found += [link] if "zoneinfo/" in link else []
    with suppress(OSError, UnicodeDecodeError):
        found.append((etc / "timezone").read_text(encoding="utf-8").strip().partition("\n")[0])
    return found


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of the settings: which were added, and which the file has otherwise and keeps."""

    path: Path
    added: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    open_to_others: bool = False


def read_env(path: Path) -> dict[str, str]:
    """The settings in a .env file, those that are empty left out. Raises ConfigError where it
    cannot be read.
    """
    return _parse(_text(path))


def save_env(path: Path, wanted: Mapping[str, str]) -> Saved:
    """Add what a .env file lacks, and leave all that it has. A new one is for its owner alone (mode
    0600).

    The file is written as a whole or not at all. Raises ConfigError where that cannot be done.
    """
    from digest.subscribers.write import ready_folder
    from digest.system.files import replace_file

    # The file may be a link into a folder that is synchronized: it stays one.
    target = Path(os.path.realpath(path))
    text = _text(target, HEADER)
    had, wanted = _parse(text), {name: value for name, value in wanted.items() if value}
    missing = {name: value for name, value in wanted.items() if name not in had}
    kept = tuple(name for name, value in wanted.items() if had.get(name, value) != value)
    if not missing:
        return Saved(path, kept=kept)
    text += "".join(f"{name}={quoted(name, value)}\n" for name, value in missing.items())
    if _parse(text) != had | missing:
        raise ConfigError(
            f"{path} ends in an unclosed quote: nothing can be added", remedy="mend it"
        )
    ready_folder(target.parent)
    replace_file(target, text.encode(), mode=0o600)
    return Saved(path, tuple(missing), kept, bool(target.stat().st_mode & 0o077))


def quoted(name: str, value: str) -> str:
    """A value as python-dotenv reads it back; it has changed its mind about backslashes between
    versions.
    """
    single = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    double = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    fits = not set(value) & {"\n", "\r", "\0"} and value.encode(errors="replace").decode() == value
    shapes = [value, single, double] if PLAIN.fullmatch(value) else [single, double]
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
    from dotenv import dotenv_values

    values = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in values.items() if value}
