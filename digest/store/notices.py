"""What the operator tells all readers for a while."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime

from digest.store.database import Concern
from digest.store.rows import loads, stored

_NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Notice:
    """A text that tops each digest and page until the end of a day (UTC)."""

    text: str
    until: date


class Notices(Concern):
    """The one notice that there is."""

    def set(self, notice: Notice | None) -> None:
        """Put a notice in the place of the last one, or take that away."""
        kept = [notice.text, notice.until.isoformat()] if notice else None
        self._db.set_meta(_NOTICE, json.dumps(kept))

    def current(self, now: datetime) -> Notice | None:
        """The notice that holds now."""
        found = loads(self._db.meta(_NOTICE) or "null")
        if not found:
            return None
        notice = Notice(found[0], stored(date.fromisoformat)(found[1]))
        return notice if now.astimezone(UTC).date() <= notice.until else None

    def text(self, now: datetime) -> str:
        """Its text; "" where none holds."""
        notice = self.current(now)
        return notice.text if notice else ""
