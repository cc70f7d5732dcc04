"""Remembers what the operator was alerted to, and how many cycles failed in a row."""

from __future__ import annotations

import json
from collections.abc import Mapping

from digest.rules.alarm import KnownTrouble, Trouble
from digest.store.database import Concern
from digest.store.rows import from_text, loads, stored
from digest.times import to_text

FAILED, ERROR, MEMORY = "failed_cycles", "failed_cycle_error", "alarms"


class Alarms(Concern):
    """A few remembered facts about the program's own health."""

    def note_cycle(self, error: str | None) -> tuple[int, str]:
        """Count a failed cycle, or with an empty error forget those before; None leaves the count
        as it is.

        Returns how many failed in a row, and why the last one did.
        """
        with self._db.transaction():
            failed = int(self._db.meta(FAILED) or 0)
            if error is None:
                return failed, self._db.meta(ERROR) or ""
            if error or failed:
                failed = failed + 1 if error else 0
                self._db.set_meta(FAILED, str(failed))
                self._db.set_meta(ERROR, error)
        return failed, error

    def memory(self) -> dict[Trouble, KnownTrouble]:
        """The troubles that are not over, as the operator knows them."""
        return _troubles(self._db.meta(MEMORY) or "{}")

    def remember(self, memory: Mapping[Trouble, KnownTrouble]) -> None:
        """Remember what is not over."""
        noted = {
            kind.value: [to_text(one.since), one.words, one.reported]
            for kind, one in memory.items()
        }
        if noted != loads(self._db.meta(MEMORY) or "{}"):
            self._db.set_meta(MEMORY, json.dumps(noted))


@stored
def _troubles(text: str) -> dict[Trouble, KnownTrouble]:
    return {
        Trouble(kind): KnownTrouble(from_text(since), words, reported)
        for kind, (since, words, reported) in loads(text).items()
    }
