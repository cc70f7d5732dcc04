"""What becomes of the mail in the folder once mail leaves for real: offered in a line, done by a
flag.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from digest.cli.base import Context
from digest.keywords.words import counted
from digest.model import Roster, Subscriber
from digest.setup.parts import reading_store
from digest.store import Store


class FolderAnswer(StrEnum):
    """A person's wish for the mail of the last week that only went to the folder."""

    MAIL = "mail"
    LEAVE = "leave"


def say_what_the_folder_holds(context: Context, now: datetime) -> None:
    """One line, while mail leaves for real and nobody has said what is to become of the
    folder's.
    """
    if not context.settings.mails_for_real:
        return
    with reading_store(context.settings) as store:
        found = store.folder.waiting(now)
    if found.papers:
        papers, readers = counted(found.papers, "paper"), counted(len(found.readers), "reader")
        context.warn(
            f"in the last 7 days {papers} for {readers} only went to the folder:"
            " 'digest run --folder mail' mails them too,"
            " 'digest run --folder leave' does not, and ends this line"
        )


def apply_answer(
    store: Store, roster: Roster, choice: FolderAnswer, now: datetime
) -> tuple[Subscriber, ...]:
    """Mail what the folder holds, or leave it, as chosen; returns the readers to whom it makes
    something due.
    """
    if choice is FolderAnswer.LEAVE:
        store.folder.leave(now)
        return ()
    addresses = {address.casefold() for address in store.folder.offer_again(now).readers}
    return tuple(reader for reader in roster.subscribers if reader.email.casefold() in addresses)
