"""The database: all that happened, and all SQL. It speaks in domain verbs; no row or cursor leaves
it.

Uses: rules and the ground.
"""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from digest.model import Channel
from digest.rules.channels import RULES
from digest.store.ageing import Ageing
from digest.store.alarms import Alarms
from digest.store.archive import Archive
from digest.store.bodies import Bodies
from digest.store.book import Own, SignUps, Wishes, read_own
from digest.store.choices import Choices
from digest.store.clock import Clock
from digest.store.database import Database
from digest.store.digests import Digests
from digest.store.exports import Exports
from digest.store.figures import Watched
from digest.store.files import is_there
from digest.store.folder import Folder
from digest.store.history import History
from digest.store.inbox import Inbox
from digest.store.letters import Letters
from digest.store.looking import database_to_look_at
from digest.store.mistakes import Mistakes
from digest.store.naming import Naming
from digest.store.notices import Notices
from digest.store.outbox import Outbox
from digest.store.pages import Pages
from digest.store.personal import Personal
from digest.store.preferences import Preferences
from digest.store.previews import Previews
from digest.store.relay import Relay
from digest.store.runs import Runs
from digest.store.search import Search
from digest.store.sources import Sources
from digest.store.subscribers import Subscribers
from digest.store.summaries import Summaries
from digest.store.suppressions import Suppressions
from digest.store.windows import Windows
from digest.store.withdrawals import Withdrawals

__all__ = ["Own", "Store", "is_there", "open_store", "open_to_look", "read_own", "rehearsal_store"]


class Store:
    """The rooms of one database, side by side."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.clock = Clock(database)
        self.runs = Runs(database)
        self.subscribers = Subscribers(database)
        self.signups = SignUps(database)
        self.wishes = Wishes(database)
        self.choices = Choices(database)
        self.letters = Letters(database)
        self.notices = Notices(database)
        self.windows = Windows(database)
        self.withdrawals = Withdrawals(database)
        self.sources = Sources(database)
        self.bodies = Bodies(database)
        self.digests = Digests(database)
        self.exports = Exports(database)
        self.archive = Archive(database)
        self.search = Search(database)
        self.watched = Watched(database)
        self.folder = Folder(database)
        self.history = History(database)
        self.suppressions = Suppressions(database)
        self.inbox = Inbox(database)
        self.mistakes = Mistakes(database)
        self.alarms = Alarms(database)
        self.ageing = Ageing(database)
        self.naming = Naming(database)
        self.pages = Pages(database)
        self.personal = Personal(database)
        self.preferences = Preferences(database)
        self.previews = Previews(database)
        self.summaries = Summaries(database)
        # Of each channel; `relay` is the mail server's.
        self.relays = {
            channel: Relay(database, channel.value, guesses=RULES[channel].guesses)
            for channel in Channel
        }
        self.relay = self.relays[Channel.MAIL]
        self.outbox = Outbox(database, f"{socket.gethostname()}:{os.getpid()}", self.relays)

    @property
    def uuid(self) -> str:
        """The random id that tells this database from all others, for good."""
        return self._database.meta("uuid") or ""

    def secret(self) -> str:
        """The database's own secret, with which its tokens are signed.

        A database that was without one, since strangers could read it, gets a new one.
        """
        if not self._database.meta("secret"):
            self._database.set_meta("secret", secrets.token_hex(32))
        return self._database.meta("secret") or ""

    def together(self) -> AbstractContextManager[None]:
        """Keep all that is written in here by one commit at its end, or none of it."""
        return self._database.together()

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_store(path: Path, *, create: bool = True, busy_seconds: float | None = None) -> Store:
    """Open the database file, making it where it is missing and `create` is true. `busy_seconds`,
    errors: see Database.open.
    """
    return Store(Database.open(path, create=create, busy_seconds=busy_seconds))


def open_to_look(path: Path) -> Store:
    """Open the database file for reading alone (errors: see looking)."""
    return Store(database_to_look_at(path))


def rehearsal_store(path: Path) -> Store:
    """A copy in memory: whatever is done in it, the file stays as it is."""
    return Store(Database.copy_of(path))
