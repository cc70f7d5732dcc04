"""Transactions that wait are kept together: a commit takes as long for many as for one, since it
waits for the disk, and for whoever else writes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from digest.errors import StoreError


class Transactions:
    """The write transactions of one connection."""

    def __init__(
        self, connection: sqlite3.Connection, execute: Callable[[str], sqlite3.Cursor]
    ) -> None:
        self._connection, self._execute = connection, execute
        self._begun: bool | None = None
        """Whether those that are kept together have begun; None where none are."""

    @contextmanager
    def one(self) -> Iterator[None]:
        """One transaction, kept at its end; among those that are kept together a part of theirs."""
        if self._begun is not None:
            with self._part():
                yield
            return
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            self._roll_back("ROLLBACK")
            raise

    @contextmanager
    def together(self) -> Iterator[None]:
        """Keep all transactions in here at its end. One that fails is undone by itself. Raises
        StoreError where none could be kept.
        """
        self._begun = False
        try:
            yield
            self._require_whole()
            if self._connection.in_transaction:
                self._execute("COMMIT")
        except BaseException:
            self._roll_back("ROLLBACK")
            raise
        finally:
            self._begun = None

    @contextmanager
    def _part(self) -> Iterator[None]:
        """A transaction among those that are kept together, which the first of them begins."""
        self._require_whole()
        if not self._begun:
            self._execute("BEGIN IMMEDIATE")
            self._begun = True
        self._execute("SAVEPOINT part")
        try:
            yield
            self._execute("RELEASE part")
        except BaseException:
            self._roll_back("ROLLBACK TO part")
            raise

    def _require_whole(self) -> None:
        # Where the disk is full SQLite undoes the whole (sqlite.org/lang_transaction.html).
        if self._begun and not self._connection.in_transaction:
            raise StoreError("what was written together is undone", remedy="is the disk full?")

    def _roll_back(self, statement: str) -> None:
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute(statement)
