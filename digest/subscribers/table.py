"""People in a CSV file: a header row, then a reader a row; read and checked as a whole before
anything is done.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from digest.errors import QueryError, UsageError
from digest.subscribers import tree
from digest.subscribers.edit import Value, Wanted
from digest.subscribers.fields import normal_email
from digest.subscribers.flags import SETTABLE, read_flag, split
from digest.subscribers.load import Checked, fold
from digest.subscribers.report import nearest

COLUMNS = ("email", "keywords", *SETTABLE)
DELIMITERS = (",", ";", "\t")
"""What stands between cells; spreadsheets of many countries write semicolons."""
MAX_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong in one line of the file; lines count from 1."""

    line: int
    message: str


class TableError(UsageError):
    """All mistakes of a CSV file at once, each with its line."""

    def __init__(self, mistakes: list[Mistake], name: str) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: mistake.line))
        shown = [f"{name}:{mistake.line}: {mistake.message}" for mistake in self.mistakes]
        if len(shown) > 1:
            shown = [
                f"{name} is not right:",
                *shown,
                f"{len(shown)} mistakes in {name}; nothing was changed",
            ]
        super().__init__("\n".join(shown))


def read_table(path: Path, checked: Checked) -> list[Wanted]:
    """The readers of a CSV file, each with what their row asks for; an empty cell asks for nothing.

    `checked` is the subscribers file, whose names, groups and readers a row may mean. Raises
    TableError with every mistake, UsageError where the file cannot be read.
    """
    text = _read(path)
    rows = _rows(text, path.name)
    line, header = next(rows, (1, []))
    names = _columns(header, line, path.name)
    mistakes: list[Mistake] = []
    readers: list[Wanted] = []
    lines: dict[str, int] = {}
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(names):
            mistakes.append(
                Mistake(
                    line,
                    f"{len(cells)} cells, and the header names {len(names)}: put what holds commas in quotes",
                )
            )
            continue
        wrong, reader = _reader(dict(zip(names, cells, strict=False)), checked)
        first = lines.setdefault(reader.email.casefold(), line)
        if first != line and reader.email:
            wrong.append(f"{reader.email} stands in line {first} already")
        mistakes += [Mistake(line, message) for message in wrong]
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
        raise TableError([Mistake(begin, f"this row cannot be read ({error})")], name) from error


def _columns(header: list[str], line: int, file: str) -> list[str]:
    """The names of the columns, as the subscribers file calls them."""
    names = [cell.strip().lower().replace(" ", "_") for cell in header]
    mistakes = []
    for name in names:
        if name not in COLUMNS:
            near = nearest(name, COLUMNS)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(COLUMNS)}"
            mistakes.append(Mistake(line, f"the header names a column {name!r}: {hint}"))
        elif names.count(name) > 1:
            mistakes.append(Mistake(line, f"the header names {name} twice"))
    if "email" not in names:
        mistakes.insert(
            0,
            Mistake(
                line, "the header names no column email: the first row says what the cells are"
            ),
        )
    if mistakes:
        raise TableError(list(dict.fromkeys(mistakes)), file)
    return names


def _reader(cells: dict[str, str], checked: Checked) -> tuple[list[str], Wanted]:
    """What one row asks for, and what is wrong in it."""
    wrong = []
    email = cells.get("email", "").strip()
    try:
        email = normal_email(email)
    except ValueError as error:
        wrong.append(
            f"{email!r} is no mail address: {str(error).rstrip('.')}"
            if email
            else "there is no address"
        )
    fields: dict[str, Value] = {}
    for name in SETTABLE:
        text = cells.get(name, "")
        if text.strip():
            try:
                fields[name] = read_flag(name, text, called=name)
            except UsageError as error:
                wrong.append(str(error))
    keywords = split(cells.get("keywords", ""))
    excluded = fields.get("exclude")
    wrong += [why for keyword in keywords if (why := _doubt(keyword, checked))]
    wrong += [
        why
        for query in (excluded if isinstance(excluded, list) else [])
        if (why := _doubt(query, checked))
    ]
    if not keywords and email.casefold() not in checked.entries and not tree.default_items(checked):
        wrong.append(f"{email} needs a keyword, being new")
    return wrong, Wanted(email, tuple(keywords), fields)


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
