"""The subscribers file read from the disk."""

from __future__ import annotations

from pathlib import Path

from digest.errors import ConfigError
from digest.model import Roster
from digest.subscribers.book import Book
from digest.subscribers.check import check_text
from digest.subscribers.document import MAX_BYTES
from digest.subscribers.follow import follow_text, problem_words
from digest.subscribers.problems import Problem, SubscribersFileError


def load_roster(path: Path, *, may_be_missing: bool = False) -> Roster:
    """Read the subscribers file; one that `may_be_missing` may also hold nothing.

    Raises SubscribersFileError with every mistake in it, and ConfigError where there is no such
    file or it cannot be read. 10,000 subscribers take about 4 s, 50,000 about 21; with the package
    ruamel.yaml.clib 1.4 s and 7 s.
    """
    text = "" if may_be_missing and not path.exists() else read_text(path)
    return check_text(text, path.name, may_be_empty=may_be_missing).roster


def follow_file(path: Path, *, may_be_missing: bool = False) -> Book:
    """Read the subscribers file as far as it is right: mistakes that concern some of the readers
    hold those back. Raises as `load_roster` does where more is wrong; a file that `may_be_missing`
    may also hold nothing.
    """
    text = "" if may_be_missing and not path.exists() else read_text(path)
    return follow_text(text, path.name, problem_words(path.name), may_be_empty=may_be_missing)


def read_text(path: Path) -> str:
    """The characters of the file, without a byte order mark. Raises as `load_roster` does."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no subscribers file {path}",
            remedy="'digest subscribe EMAIL -k KEYWORD' makes one",
        ) from error
    except OSError as error:
        owned = "run as the owner of the file and its folder"
        raise ConfigError(
            f"the subscribers file {path} cannot be read ({error.strerror})",
            remedy=owned if isinstance(error, PermissionError) else "",
        ) from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"the subscribers file {path} has more than {MAX_BYTES // 2**20} MB")
    return _decode(data, path.name)


def _decode(data: bytes, name: str) -> str:
    """Bytes as UTF-8; raises SubscribersFileError at the first byte that is none."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        problem = Problem(1, 1, "the file is written as UTF-16: save it as UTF-8")
        raise SubscribersFileError([problem], name=name, lines=[])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig")
        line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
        byte = f"the byte 0x{data[error.start]:02x} is not UTF-8"
        problem = Problem(line, column, f"{byte}: save the file as UTF-8")
        lines = data.decode("utf-8", errors="replace").split("\n")
        raise SubscribersFileError([problem], name=name, lines=lines) from error
