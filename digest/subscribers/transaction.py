"""One edit of the subscribers file: made under a lock, checked, and written whole or not at all.

A file with mistakes is not edited, and neither is a sound file so that it would have some. What an
edit does not name must mean the same before and after; this too is checked, whatever the file looks
like.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from digest.errors import ConfigError, UsageError
from digest.model import Roster
from digest.subscribers.check import Checked, check_text
from digest.subscribers.draft import Draft
from digest.subscribers.load import read_text
from digest.subscribers.problems import SubscribersFileError
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
    """An edit: the roster before it and after it."""

    before: Roster
    after: Roster

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
) -> Edit:
    """Make one change; the guard refuses one that means more than was asked.

    Raises UsageError where the file would become wrong, SubscribersFileError where it is already,
    ConfigError where it is missing (and not to be created) or cannot be written.
    """
    target = Path(os.path.realpath(path))
    if not create:
        # A missing file is reported before the lock is taken: its own file would need the folder.
        read_text(target)
    if not dry_run:
        ready_folder(target.parent)
    with nullcontext() if dry_run else file_lock(target, WAIT):
        is_new = not target.exists()
        checked = check_or_begin(target, path.name)
        draft = Draft(checked.document, path.name)
        change(checked, draft)
        result = draft.result()
        if result == checked.document.text:
            return Edit(checked.roster, checked.roster)
        edit = Edit(checked.roster, _check_result(result, path.name))
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


def check_or_begin(path: Path, name: str = "") -> Checked:
    """The file as an edit finds it: checked, or the beginning of one where there is none yet."""
    text = read_text(path) if path.exists() else ""
    return check_text(text if text.strip() else HEADER, name or path.name, may_be_empty=True)


def _check_result(text: str, name: str) -> Roster:
    """The roster of the edited text; its mistakes are mistakes of the edit that was asked for."""
    try:
        return check_text(text, name).roster
    except SubscribersFileError as error:
        first, more = error.problems[0], len(error.problems) - 1
        raise UsageError(
            f"not done: {first.message}" + (f" (and {more} more)" if more else ""),
            remedy=f"did you mean {first.suggestion}?" if first.suggestion else "",
        ) from error
