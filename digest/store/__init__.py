"""The database: all that happened, and all SQL. It speaks in domain verbs; no row or cursor leaves it."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path
from types import TracebackType

from digest.mail.signing import Signer
from digest.store.alarms import Alarms
from digest.store.database import Database
from digest.store.digests import Digests
from digest.store.exports import Exports
from digest.store.folder import Folder
from digest.store.history import History
from digest.store.inbox import Inbox
from digest.store.naming import Naming
from digest.store.outbox import Outbox
from digest.store.pages import Pages
from digest.store.relay import Relay
from digest.store.runs import Runs
from digest.store.sources import Sources
from digest.store.subscribers import Subscribers
from digest.store.suppressions import Suppressions
from digest.store.windows import Windows


class Store:
    """The rooms of one database, side by side."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.runs = Runs(database)
        self.subscribers = Subscribers(database)
        self.windows = Windows(database)
        self.sources = Sources(database)
        self.digests = Digests(database)
        self.exports = Exports(database)
        self.folder = Folder(database)
        self.history = History(database)
        self.suppressions = Suppressions(database)
        self.inbox = Inbox(database)
        self.alarms = Alarms(database)
        self.naming = Naming(database)
        self.pages = Pages(database)
        self.relay = Relay(database)
        self.outbox = Outbox(database, f"{socket.gethostname()}:{os.getpid()}", self.relay)

    def signer(self, secret: str = "") -> Signer:
        """What makes and checks tokens: with the database's own secret, or the operator's in its place.

        A database that was without a secret of its own, since strangers could read it, gets a new one.
        """
        meta = self._database.meta
        if not secret and not meta("secret"):
            self._database.set_meta("secret", secrets.token_hex(32))
        return Signer(secret or meta("secret") or "", meta("uuid") or "")

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_store(path: Path, *, create: bool = True) -> Store:
    """Open the database file, making it where it is missing and `create` is true. Errors: see Database.open."""
    return Store(Database.open(path, create=create))


def rehearsal_store(path: Path) -> Store:
    """A copy in memory: whatever is done in it, the file stays as it is."""
    return Store(Database.copy_of(path))
