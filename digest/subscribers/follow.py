"""A subscribers file with mistakes, followed as far as it is right: each mistake holds back those
who rest on it, and nobody else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from digest.model import Mistake, Roster
from digest.subscribers.addresses import NAMED, address_by_name
from digest.subscribers.book import Book
from digest.subscribers.check import Checked, examine_text
from digest.subscribers.document import NodeKind, YamlNode
from digest.subscribers.fields import ADDRESSES, FIELDS
from digest.subscribers.problems import Problem, SubscribersFileError
from digest.subscribers.values import fits


def follow_text(
    text: str,
    name: str,
    words: Callable[[Problem], str],
    *,
    may_be_empty: bool = False,
    however_few: bool = False,
) -> Book:
    """What a file's text says; `name` is the file's, `words` tells a mistake in a line.

    Whose entry is wrong, or uses a keyword, a group or a default that is, stands under `mistakes`
    and not among the readers. Raises SubscribersFileError with every mistake where nobody can be
    served in good faith: the YAML cannot be read, a section as a whole is wrong, or (unless
    `however_few` will do) more readers would be held back than served.
    """
    checked, error = examine_text(text, name)
    if may_be_empty and checked is not None and checked.document.root is None:
        error = None
    if checked is not None and error is None:
        return Book(checked, checked.roster, words)
    assert error is not None
    if checked is None or any(problem.entry.name == "" for problem in error.problems):
        raise error
    roster, held = _followed(checked, error, words)
    if held > len(roster.subscribers) and not however_few:
        raise error
    return Book(checked, roster, words)


def entries_of_readers(checked: Checked) -> dict[str, list[YamlNode]]:
    """The entries of each reader, by the casefolded address: those that are right, and those with a
    mistake that are certainly theirs.
    """
    addresses = {id(entry): address for address, entry in checked.entries.items()}
    found: dict[str, list[YamlNode]] = defaultdict(list)
    spoilt = {id(entry): address for address, entry, _ in _spoilt(checked)}
    for entry in checked.document.part("subscribers").items:
        if address := spoilt.get(id(entry), addresses.get(id(entry), "")).casefold():
            found[address].append(entry)
    return found


def _followed(
    checked: Checked, error: SubscribersFileError, words: Callable[[Problem], str]
) -> tuple[Roster, int]:
    """The roster of those whom no mistake holds back, and how many others there are."""
    held = _held_back(checked)
    readers = [r for r in checked.roster.subscribers if r.email.casefold() not in held]
    whom = _whom(held)
    mistakes = (Mistake(words(problem), tuple(whom[problem])) for problem in error.problems)
    return replace(checked.roster, subscribers=tuple(readers), mistakes=tuple(mistakes)), len(held)


def problem_words(name: str) -> Callable[[Problem], str]:
    """Tells a mistake of the file of this name in one line."""

    def words(problem: Problem) -> str:
        meant = f"; did you mean: {problem.suggestion}" if problem.suggestion else ""
        return f"{name}:{problem.line}:{problem.column}: {problem.message}{meant}"

    return words


def _whom(held: dict[str, tuple[str, list[Problem]]]) -> dict[Problem, list[str]]:
    """The addresses of those whom each mistake holds back."""
    whom: dict[Problem, list[str]] = defaultdict(list)
    for address, problems in held.values():
        for problem in dict.fromkeys(problems):
            whom[problem].append(address)
    return whom


def _held_back(checked: Checked) -> dict[str, tuple[str, list[Problem]]]:
    """The readers whom mistakes hold back: address ("" where it cannot be told) and mistakes, by
    the casefolded address, or else by the number of the entry.
    """
    found: dict[str, tuple[str, list[Problem]]] = {}
    for number, (address, _, problems) in enumerate(_spoilt(checked)):
        found.setdefault(address.casefold() or str(number), (address, []))[1].extend(problems)
    return found


def _spoilt(checked: Checked) -> Iterator[tuple[str, YamlNode, list[Problem]]]:
    """The entries of readers that have a mistake, or rest on one: address ("" where it cannot be
    told), entry, mistakes.
    """
    entries = checked.document.part("subscribers").items
    for (section, number), problems in checked.report.spoilt.items():
        if section == "subscribers":
            entry = entries[int(number) - 1]
            yield _address(entry, checked.document.text), entry, problems


def _address(entry: YamlNode, text: str) -> str:
    """The address of an entry with a mistake; "" unless it is certain.

    It is not where there is none or more than one, where a field comes twice, or where a field
    holds what none can: a line that is indented wrongly, or a quote that is not closed, may have
    made the next reader's entry a part of this one, and who stands there must not be taken for one
    who left.
    """
    fields = {name.value: value for name, value in entry.pairs}
    named = [name for name in ADDRESSES if name in fields]
    parts = chain(*map(_parts, fields.values()))
    is_whole = len(fields) == len(entry.pairs) and all(_is_line(part, text) for part in parts)
    return _told_by(named[0], fields) if len(named) == 1 and is_whole else ""


def _told_by(kind: str, fields: Mapping[str, YamlNode]) -> str:
    """The address that an entry's fields mean, if they mean one: a URL may be what is wrong, and
    the name beside it tells whose it is.
    """
    field = "name" if kind in NAMED else kind
    read, written = FIELDS[field].read, fields[field].value if field in fields else ""
    if not written.strip() or not fits(read, written):
        return ""
    return address_by_name(kind, read(written)) if kind in NAMED else str(read(written))


def _parts(value: YamlNode) -> Sequence[YamlNode]:
    return value.items if value.kind is NodeKind.LIST else [value]


def _is_line(value: YamlNode, text: str) -> bool:
    """Whether a value is a text on one line."""
    return value.kind is NodeKind.TEXT and "\n" not in text[value.start : value.end]
