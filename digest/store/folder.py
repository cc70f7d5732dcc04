"""Mail that only went to a folder of this machine, and may be offered again once mail leaves for
real.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.store.database import Concern
from digest.store.digests import rewind
from digest.times import to_text

# docs/decisions.md, "What only went to the folder is mailed again when a person says so"
OFFERED = timedelta(days=7)
"""How long after it went to the folder a digest can still be mailed."""
_ANSWERED = "folder_answered"


@dataclass(frozen=True, slots=True)
class InFolder:
    """Digests that reached nobody's inbox: how many papers, and the addresses of the readers for
    whom they were.
    """

    papers: int
    readers: tuple[str, ...]


class Folder(Concern):
    """The mail in the folder, until somebody says what is to become of it."""

    def waiting(self, now: datetime) -> InFolder:
        """What went to the folder in the last week, for readers who may be mailed, and nobody has
        decided about.
        """
        rows = self._db.rows(
            f"""SELECT r.address, COUNT(DISTINCT cp.paper) AS papers FROM ({_DELIVERIES}) d
                JOIN subscriber r ON r.id = d.subscriber
                JOIN content_paper cp ON cp.content = d.content
                GROUP BY r.id ORDER BY r.id""",
            self._since(now),
        )
        return InFolder(sum(row["papers"] for row in rows), tuple(row["address"] for row in rows))

    def offer_again(self, now: datetime) -> InFolder:
        """Make due again what is waiting there: to the ledger it never reached its readers."""
        with self._db.transaction():
            found = self.waiting(now)
            for row in self._db.rows(_DELIVERIES, self._since(now)):
                # As if a newer digest had taken its place: an expired delivery carried nothing.
                self._db.write("UPDATE delivery SET state = 'expired' WHERE id = ?", [row["id"]])
                rewind(self._db, row["id"])
            self._db.set_meta(_ANSWERED, to_text(now))
        return found

    def leave(self, now: datetime) -> InFolder:
        """Let what is waiting there count as read."""
        with self._db.transaction():
            found = self.waiting(now)
            self._db.set_meta(_ANSWERED, to_text(now))
        return found

    def _since(self, now: datetime) -> dict[str, str]:
        return {"since": max(to_text(now - OFFERED), self._db.meta(_ANSWERED) or "")}


_DELIVERIES = """
    SELECT d.id, d.subscriber, d.content FROM delivery d JOIN subscriber r ON r.id = d.subscriber
    WHERE d.folder = 1 AND d.state = 'sent' AND d.ended_at > :since AND r.gone = 0
        AND NOT EXISTS (SELECT 1 FROM suppression x WHERE lower(x.address) = lower(r.address))"""
