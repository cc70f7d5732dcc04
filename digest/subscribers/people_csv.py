"""People in a CSV file: a header row, then a reader a row; read and checked as a whole before
anything is done.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from digest.errors import QueryError, UsageError
from digest.subscribers.addresses import normal_email
from digest.subscribers.check import Checked, fold
from digest.subscribers.edit import Wanted, listed_keywords
from digest.subscribers.fields import SETTABLE, Value, read_flag
from digest.subscribers.guesses import nearest
from digest.subscribers.problems import listed
from digest.subscribers.values import split

COLUMNS = ("email", "keywords", *SETTABLE)
# The marks between cells; spreadsheets of many countries write semicolons.
DELIMITERS = (",", ";", "\t")
MAX_BYTES = 32 * 1024 * 1024

# A line of the file, counted from 1, and what is wrong in it.
RowMistake = tuple[int, str]


class TableError(UsageError):
    """All mistakes of a CSV file at once, each with its line."""

    def __init__(self, mistakes: Iterable[RowMistake], name: str) -> None:
        shown = [f"{name}:{line}: {text}" for line, text in sorted(mistakes, key=lambda m: m[0])]
        super().__init__(listed(shown, name))


def read_table(path: Path, checked: Checked) -> list[Wanted]:
    """The readers of a CSV file, each with what their row asks for; an empty cell asks for nothing.

    `checked` is the subscribers file, whose names, groups and readers a row may mean. Raises
    TableError with every mistake, UsageError where the file cannot be read.
    """
    rows = _rows(_read(path), path.name)
    names = _columns(*next(rows, (1, [])), path.name)
    mistakes: list[RowMistake] = []
    readers: list[Wanted] = []
    lines: dict[str, int] = {}
    for line, cells in rows:
        if len(cells) > len(names):
            message = f"{len(cells)} cells, and the header names {len(names)}"
            mistakes.append((line, f"{message}: put what holds commas in quotes"))
        elif any(cell.strip() for cell in cells):
            wrong, reader = _reader(dict(zip(names, cells, strict=False)), checked)
            first = lines.setdefault(reader.email.casefold(), line)
            if first != line and reader.email:
                wrong.append(f"{reader.email} stands in line {first} already")
            mistakes += [(line, message) for message in wrong]
            readers.append(reader)
    if mistakes:
        raise TableError(mistakes, path.name)
    if not readers:
        raise UsageError(
            f"{path.name} names no reader", remedy="write a row for each below the header"
        )
    return readers


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()[: MAX_BYTES + 1]
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})") from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"{path} has more than {MAX_BYTES // 2**20} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{path.name}:{line}: this is no UTF-8", remedy="save it as 'CSV UTF-8'"
        ) from error


def _rows(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line in which it begins."""
    head = text.lstrip("\r\n").partition("\n")[0].lower()
    delimiter = max(
        DELIMITERS, key=lambda mark: sum(cell.strip(' "\r') in COLUMNS for cell in head.split(mark))
    )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begin = 1
    try:
        for cells in reader:
            if cells:
                yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as error:
        raise TableError([(begin, f"this row cannot be read ({error})")], name) from error


def _columns(line: int, header: list[str], file: str) -> list[str]:
    """The names of the columns, as the subscribers file calls them."""
    names = [cell.strip().lower().replace(" ", "_") for cell in header]
    wrong = []
    if "email" not in names:
        wrong = ["the header names no column email: the first row says what the cells are"]
    for name in dict.fromkeys(names):
        if name not in COLUMNS:
            near = nearest(name, COLUMNS)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(COLUMNS)}"
            wrong.append(f"the header names a column {name!r}: {hint}")
        elif names.count(name) > 1:
            wrong.append(f"the header names {name} twice")
    if wrong:
        raise TableError([(line, message) for message in wrong], file)
    return names


def _reader(cells: dict[str, str], checked: Checked) -> tuple[list[str], Wanted]:
    """The mistakes in one row, and what it asks for."""
    wrong = []
    email = cells.get("email", "").strip()
    try:
        email = normal_email(email)
    except ValueError as error:
        why = f"{email!r} is no mail address: {str(error).rstrip('.')}"
        wrong.append(why if email else "there is no address")
    fields: dict[str, Value] = {}
    for name in (name for name in SETTABLE if cells.get(name, "").strip()):
        try:
            fields[name] = read_flag(name, cells[name], called=name)
        except UsageError as error:
            wrong.append(str(error))
    reader = Wanted(email, tuple(split(cells.get("keywords", ""))), fields)
    doubts = (_doubt(text, checked) for text in (*reader.keywords, *reader.excluded))
    wrong += filter(None, doubts)
    inherited = listed_keywords(checked, checked.entries.get(email.casefold()))
    if not reader.keywords and not inherited:
        wrong.append(f"{email} needs a keyword, being new")
    return wrong, reader


def _doubt(text: str, checked: Checked) -> str:
    """Why this is no keyword, or nothing."""
    if text.startswith("+"):
        if fold(text[1:]) in checked.groups:
            return ""
        near = nearest(text[1:], checked.groups)
        return f"there is no group {text}" + (f": did you mean +{near}?" if near else "")
    try:
        checked.find(text)
    except QueryError as error:
        return f"the keyword {text!r} cannot be read: {error}"
    return ""
