"""One item of a library: a file in the home folder, or a paper of arXiv's."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from digest.errors import ConfigError
from digest.libraries.bibtex import read_bibtex
from digest.libraries.csl import read_csl
from digest.libraries.entries import Entry, Odd, Reading, arxiv_id, one_line
from digest.libraries.ris import read_ris

MAX_BYTES = 20_000_000
_SEPARATORS = re.compile(r"[\s,;]+")


class LibraryError(ConfigError):
    """An item of a library that cannot be read."""


def read_item(item: str, home: Path, known: str = "") -> tuple[str, Reading | None]:
    """What an item of a reader's field `library` holds, and a mark of that; None where the mark is
    the one that is `known`. Raises LibraryError where it cannot be read.
    """
    if arxiv := arxiv_id(item):
        return arxiv, None if known == arxiv else Reading((Entry(arxiv=arxiv),))
    if "://" in item:
        raise LibraryError(
            f"the library {item} is no file and no paper of arXiv's",
            remedy="name a BibTeX, RIS or CSL-JSON file, a list of arXiv ids, an arXiv id, or a"
            " Zotero library as zotero:user/123456",
        )
    data = _bytes_of(path_of(item, home), item)
    mark = hashlib.sha256(data).hexdigest()
    if mark == known:
        return mark, None
    reading = read_library(data, item)
    # Damaged, or caught while it was being written: nothing in it is worth what was read last.
    if reading.odd and not reading.entries:
        raise _unreadable(item, str(reading.odd[0]))
    return mark, reading


def read_file(path: Path) -> Reading:
    """What a file holds that somebody names. Raises LibraryError where it cannot be read, or holds
    nothing.
    """
    reading = read_library(_bytes_of(path, str(path)), str(path))
    if not reading.entries:
        raise _unreadable(str(path), str(next(iter(reading.odd), "it is empty")))
    return reading


def _unreadable(name: str, why: str) -> LibraryError:
    return LibraryError(
        f"the library {name} holds no entry that can be read ({why})",
        remedy="export it anew, as BibTeX, RIS or CSL-JSON",
    )


def path_of(item: str, home: Path) -> Path:
    """The file that an item names. Raises LibraryError where it is none, or lies elsewhere than in
    the home folder.
    """
    try:
        path, within = (home / item).resolve(), home.resolve()
        if not path.is_relative_to(within):
            raise LibraryError(
                f"the library {item} lies outside of the home folder {within}",
                remedy="put a copy of the file into the home folder",
            )
        if not path.is_file():
            raise LibraryError(
                f"the library {item}: there is no such file in {within}",
                remedy="check its name; paths are relative to the home folder",
            )
        return path
    except (OSError, ValueError, RuntimeError) as error:
        raise _closed(item, error) from error


def _closed(name: str, error: Exception) -> LibraryError:
    why = getattr(error, "strerror", None) or error
    return LibraryError(f"the library {name} cannot be read ({why})")


def _bytes_of(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _closed(name, error) from error
    if len(data) > MAX_BYTES:
        raise LibraryError(
            f"the library {name} has more than {MAX_BYTES // 1_000_000} MB",
            remedy="export the papers without files and notes, or fewer of them",
        )
    return data


def read_library(data: bytes, name: str) -> Reading:
    """The entries of a file, whatever its format, by its name's end, else by what it holds."""
    text = _decode(data)
    return _reader_of(text, name)(text)


def _decode(data: bytes) -> str:
    """Bytes as text: by their mark, else as UTF-8, else as Windows' Latin-1."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", errors="replace")
    return text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")


def _reader_of(text: str, name: str) -> Callable[[str], Reading]:
    by_end = {".bib": read_bibtex, ".ris": read_ris, ".nbib": read_ris, ".json": read_csl}
    if (end := Path(name).suffix.lower()) in by_end:
        return by_end[end]
    if re.match(r"\s*[\[{]", text):
        return read_csl
    if re.search(r"^(?:TY  ?-|PMID-)", text, re.MULTILINE):
        return read_ris
    return read_bibtex if re.search(r"^\s{0,9}@[A-Za-z]+\s{0,9}[{(]", text, re.M) else _read_ids


def _read_ids(text: str) -> Reading:
    """A list of arXiv ids or addresses, whatever is between them; # begins a comment."""
    entries, odd = [], []
    for number, line in enumerate(text.split("\n"), 1):
        for word in filter(None, _SEPARATORS.split(re.sub(r"(?:^|\s)#.*", "", line))):
            if arxiv := arxiv_id(word):
                entries.append(Entry(arxiv=arxiv, line=number))
            else:
                odd.append(Odd(number, f"{one_line(word)[:60]!r} is no arXiv id"))
    return Reading(tuple(entries), tuple(odd))
