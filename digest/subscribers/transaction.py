"""One edit of the subscribers file: made under a lock, checked, and written whole or not at all.

A file that cannot be followed is not edited. One with mistakes that hold back some of its readers
is, where the edit is about others: it keeps its mistakes, and gets no new one. What an edit does
not name must mean the same before and after; this too is checked, whatever the file looks like.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from digest.errors import ConfigError, UsageError
from digest.model import Mistake, Roster
from digest.subscribers.addresses import folded_address
from digest.subscribers.check import Checked, check_text, examine_text, fold
from digest.subscribers.draft import Draft
from digest.subscribers.follow import follow_text, problem_words
from digest.subscribers.load import read_text
from digest.subscribers.problems import Problem, SubscribersFileError
from digest.system.files import replace_file
from digest.system.locks import file_lock

# Seconds to wait for another edit to end: each takes a blink, or some seconds with 50,000 readers.
WAIT = 10.0
HEADER = """\
# Who gets which new arXiv papers. Edit this file, or use 'digest subscribe' and 'digest keywords';
# 'digest subscribers check' tells whether it is right. Longer queries get a name under keywords:,
# what all readers share stands under defaults:, such as {timezone: Europe/Berlin, at: "08:00"}.
"""
_ELSEWHERE = "name another home folder with --home or DIGEST_HOME"


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit: the roster before it and after it. `redefined`: a name that an entry with a mistake
    uses does not mean the same any more.
    """

    before: Roster
    after: Roster
    redefined: bool = False

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """The mistakes that the file has kept."""
        return self.after.mistakes

    @property
    def changed(self) -> bool:
        """Whether the edit made any difference."""
        return self.before != self.after


# Raises UsageError where an edit would change more than was asked.
Guard = Callable[[Edit], None]


def edit_file(
    path: Path,
    change: Callable[[Checked, Draft], None],
    guard: Guard = lambda _edit: None,
    *,
    create: bool = False,
    dry_run: bool = False,
    however_few: bool = False,
) -> Edit:
    """Make one change; the guard refuses one that means more than was asked. `however_few`: also
    in a file by whose mistakes more readers are held back than served.

    Raises UsageError where the file would become wrong, SubscribersFileError where it is already
    and cannot be followed, ConfigError where it is missing (and not to be created) or cannot be
    written.
    """
    target = Path(os.path.realpath(path))
    if not create:
        # A missing file is reported before the lock is taken: its own file would need the folder.
        read_text(target)
    if not dry_run:
        ready_folder(target.parent)
    with nullcontext() if dry_run else file_lock(target, WAIT):
        is_new = not target.exists()
        checked = check_or_begin(target, path.name, however_few=however_few)
        draft = Draft(checked.document, path.name)
        change(checked, draft)
        result = draft.result()
        if result == checked.document.text:
            return Edit(checked.roster, checked.roster)
        after = _check_result(result, checked, path.name, however_few)
        edit = Edit(checked.roster, after.roster, _redefines(checked, after))
        guard(edit)
        if not dry_run:
            mark = b"" if is_new else target.read_bytes()[:3]
            replace_file(target, (mark if mark == b"\xef\xbb\xbf" else b"") + result.encode())
    return edit


def ready_folder(folder: Path) -> None:
    """Make the folder where it is missing, and be sure that files can be written in it.

    Raises ConfigError naming the folder that cannot be made or written, and how another one is
    named.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the folder {folder} cannot be made ({error.strerror})", remedy=_ELSEWHERE
        ) from error
    effective = os.access in os.supports_effective_ids
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=effective):
        raise ConfigError(
            f"the folder {folder} cannot be written", remedy=f"run as its owner, or {_ELSEWHERE}"
        )


def check_or_begin(path: Path, name: str = "", *, however_few: bool = False) -> Checked:
    """The file as an edit finds it: checked and followed as far as it is right, or the beginning of
    one where there is none yet. Raises SubscribersFileError as `follow_text` does.
    """
    text = read_text(path) if path.exists() else ""
    name = name or path.name
    if not text.strip():
        return check_text(HEADER, name, may_be_empty=True)
    checked, error = examine_text(text, name)
    if checked is None or checked.document.root is None or error is None:
        return check_text(text, name, may_be_empty=True)
    checked.roster = _roster(text, name, however_few)
    return checked


def _roster(text: str, name: str, however_few: bool) -> Roster:
    return follow_text(text, name, problem_words(name), however_few=however_few).roster


def refuse_unread(
    checked: Checked, addresses: Iterable[str], name: str, *, readers: Iterable[str] | None = None
) -> None:
    """Raise SubscribersFileError where one of these addresses stands in a file with mistakes, and
    not as that of a reader (or one of `readers`, casefolded): the mistake is in their entry, or
    hides it.
    """
    problems, text = checked.report.problems, checked.document.text
    if readers is None:
        readers = (reader.email.casefold() for reader in checked.roster.subscribers)
    unread = {folded_address(address) for address in addresses} - set(readers)
    if problems and any(address in text.casefold() for address in unread):
        raise SubscribersFileError(problems, name=name, lines=text.split("\n"))


def _check_result(text: str, before: Checked, name: str, however_few: bool) -> Checked:
    """The edited text, checked: its mistakes are those of before, or of the edit that was asked
    for.
    """
    checked, error = examine_text(text, name)
    if error is None and checked is not None:
        return checked
    assert error is not None
    new = _new(before.report.problems, error.problems)
    if new or checked is None:
        first, more = new[0], len(new) - 1
        raise UsageError(
            f"not done: {first.message}" + (f" (and {more} more)" if more else ""),
            remedy=f"did you mean {first.suggestion}?" if first.suggestion else "",
        ) from error
    checked.roster = _roster(text, name, however_few)
    return checked


def _new(before: Iterable[Problem], after: Iterable[Problem]) -> list[Problem]:
    """The mistakes that were not there before."""
    known, new = Counter(map(_kind, before)), list[Problem]()
    for problem in after:
        known[_kind(problem)] -= 1
        new += [problem] if known[_kind(problem)] < 0 else []
    return new


def _kind(problem: Problem) -> tuple[str, str]:
    """What a mistake is, wherever it stands."""
    return re.sub(r"\bline \d+", "line", problem.message), problem.suggestion


def _redefines(before: Checked, after: Checked) -> bool:
    """Whether a text in an entry with a mistake, which nobody can compare, means another keyword
    now.
    """
    texts = {fold(text) for text in before.unread_texts()}
    return any(before.names.get(text) != after.names.get(text) for text in texts)
