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


@dataclass(frozen=True, slots=True)
class Home:
    """The home folder, whether it was named by the person, and whether an installation is there
    already.
    """

    path: Path
    named: bool
    exists: bool


def choose_home(named: str, folder: Path) -> Home:
    """The folder for an installation; `folder` is the current one.

    A clone of the project holds an example of a subscribers file, by which it would pass for an
    installation: it is passed over, unless it is named or a database lies there.
    """
    if named:
        path = find_home(named, folder)
        return Home(path, True, _is_installed(path))
    if is_clone(folder) and not (folder / "digest.db").exists():
        folder = Path(os.devnull)  # a place where no installation can be
    path = find_home("", folder)
    return Home(path, False, _is_installed(path))


def is_clone(folder: Path) -> bool:
    """Whether a folder is a clone of the project."""
    try:
        return PROJECT.search((folder / "setup.cfg").read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False


def _is_installed(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("subscribers.yaml", "digest.db", ".env"))


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
    created: bool = False
    open_to_others: bool = False


def read_env(path: Path) -> dict[str, str]:
    """The settings in a .env file, those that are empty left out. Raises ConfigError where it
    cannot be read.
    """
    return _parse(_text(path)) if path.exists() else {}


def save_env(path: Path, wanted: Mapping[str, str]) -> Saved:
    """Add what a .env file lacks, and leave all that it has. A new one is for its owner alone (mode
    0600).

    The file is written as a whole or not at all. Raises ConfigError where that cannot be done.
    """
    from digest.system.files import replace_file

    target = Path(os.path.realpath(path))
    had = read_env(target)
    missing = {name: value for name, value in wanted.items() if value and name not in had}
    kept = tuple(name for name, value in wanted.items() if value and had.get(name, value) != value)
    if not missing:
        return Saved(path, kept=kept)
    lines = "".join(f"{name}={quoted(name, value)}\n" for name, value in missing.items())
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{target.parent} cannot be made ({error.strerror})") from error
    created = not target.exists()
    text = "# Settings of Digest: 'digest config' shows them all.\n" if created else _text(target)
    text += "" if text.endswith("\n") or not text else "\n"
    if _parse(text + lines) != _parse(text) | missing:
        raise ConfigError(
            f"{path} ends in an unclosed quote: nothing can be added", remedy="mend it"
        )
    if created:
        _reserve(target)
    try:
        replace_file(target, (text + lines).encode())
    except BaseException:
        if created:
            target.unlink(missing_ok=True)
        raise
    others = bool(target.stat().st_mode & 0o077)
    return Saved(path, tuple(missing), kept, created, others)


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


def _reserve(path: Path) -> None:
    """Make the file, empty and private, so that replacing it keeps that mode."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror})") from error


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return stream.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error})", remedy="mend or remove it") from error


def _parse(text: str) -> dict[str, str]:
    from dotenv import dotenv_values

    return {
        name: value
        for name, value in dotenv_values(stream=StringIO(text), interpolate=False).items()
        if value
    }
