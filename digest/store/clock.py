"""The database's sense of time: what it has seen, and putting right what was stamped under a wrong
clock.

Only stamps that lie in the future are ever wrong in a way that does harm: a clock that was behind
makes windows reach deeper and slots open later, and no more (see Digests.queue for the ledger).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from digest.errors import ClockError
from digest.model import Kind
from digest.rules.bounces import SURGE_SPAN
from digest.rules.delivery_retry import UNKNOWN_WAIT
from digest.rules.diff import GUARD, diff
from digest.rules.plan import COMPARED_LATEST
from digest.store.alarms import Alarms
from digest.store.database import STAMPED_UNTIL, Concern
from digest.store.digests import ERA
from digest.store.papers import load_papers
from digest.store.preferences import ZOTERO_REST
from digest.store.relay import PAUSES
from digest.store.rows import loads, moment_or_none, stored
from digest.store.windows import ARXIV_PAUSE, counted_as_mailed
from digest.times import to_text

LATEST_NOW = "latest_now"
"""Meta key: the latest time that a run has begun at."""
SKEW = timedelta(hours=1)
"""A clock that is wrong by less than this is not worth stopping for."""
LEAP = timedelta(days=2)
"""A clock that has moved on by more than this since the last run is compared with arXiv's before
anything is stamped; a smaller step is found wrong by the first answer, and does no harm by then."""
_TROUBLE, _PLACE = "clock_trouble", "in_earnest_at"
_DATED = "deliveries_dated"
_OFF, _TRUSTED = "clock_off", "dates_off"


@dataclass(frozen=True, slots=True)
class PutRight:
    """What a wrong clock had stamped: until when it had run ahead, how many keywords, readers and
    digests had moments in the future, and how many papers were taken for old and are due now.
    """

    seen: datetime | None
    keywords: int
    readers: int
    digests: int
    papers: int


class Clock(Concern):
    """The time of a database, which never goes back but where arXiv confirms that it was wrong."""

    def latest(self) -> datetime | None:
        """The latest time that the database has seen; None where it has seen none.

        Bounces are taken in without a run, and count too.
        """
        moments = (self._db.meta(LATEST_NOW), self._db.text("SELECT MAX(at) FROM bounce"))
        return moment_or_none(max(filter(None, moments), default=None))

    def stamped(self) -> datetime | None:
        """The latest time by which anything was stamped, commands included; None where nothing was.
        What they say holds up no rehearsal of an earlier day.
        """
        moments = (self.latest(), moment_or_none(self._db.meta(STAMPED_UNTIL)))
        return max(filter(None, moments), default=None)

    def check(self, now: datetime) -> datetime:
        """The time to work with. Raises ClockError where it would go back."""
        latest = self.latest()
        if latest is None or latest <= now:
            return now
        # A clock that was put right by minutes: go on from the time that was seen.
        if not self.is_ahead_of(now):
            return latest
        raise ClockError(
            f"{self._db.name} has already seen {to_text(latest)}, which is later than"
            f" {to_text(now)}",
            remedy="'digest db clock' compares the clock with arXiv's, as the next run does, and"
            " puts right what is wrong",
        )

    def is_ahead_of(self, now: datetime) -> bool:
        """Whether the database has seen a time that lies ahead of this one."""
        latest = self.latest()
        return latest is not None and latest - now >= SKEW

    def is_stamped_ahead_of(self, now: datetime) -> bool:
        """Whether anything, by a run or a command, was stamped ahead of this time."""
        stamped = self.stamped()
        return stamped is not None and stamped - now >= SKEW

    def is_doubtful(self, now: datetime) -> bool:
        """Whether this time lies too far from what the database has seen to be believed as it is.

        A database without a run is as good as its first answer of arXiv's. What a command saw is
        no proof of a later time, since nothing compares its clock.
        """
        latest = self.latest()
        return self.is_stamped_ahead_of(now) or (latest is not None and now - latest > LEAP)

    def note_trouble(self, words: str, off: timedelta | None = None) -> None:
        """Remember what is wrong with the machine's clock, and how far it is off; "": nothing is
        wrong.
        """
        if words != self.trouble():
            self._db.set_meta(_TROUBLE, words)
            self._db.set_meta(_OFF, str((off or timedelta(0)) // timedelta(seconds=1)))

    def trust(self) -> None:
        """Take a person's word that the machine's clock is right, and what it was off by last the
        fault of the dates that arXiv's answers come with.
        """
        self._db.set_meta(_TRUSTED, self._db.meta(_OFF) or "0")

    def trusted(self) -> timedelta:
        """How far a person knows the dates of arXiv's answers to be off."""
        return timedelta(seconds=stored(int)(self._db.meta(_TRUSTED) or "0"))

    def trouble(self) -> str:
        """What was found wrong with the machine's clock when it was looked at last."""
        return self._db.meta(_TROUBLE) or ""

    def note_in_earnest(self, path: Path) -> None:
        """Remember that the database runs where it lies, by the machine's clock."""
        if not self.is_in_earnest(path):
            self._db.set_meta(_PLACE, _mark_of(path))

    def is_in_earnest(self, path: Path) -> bool:
        """Whether it has run where it lies; a copy has not, and neither has a new one."""
        return self._db.meta(_PLACE) == _mark_of(path)

    def date_deliveries(self) -> None:
        """Let no delivery be older than a paper that it carries, once: programs before this one
        queued some so, under a clock that was behind, and looked for papers in later ones only.
        """
        if self._db.meta(_DATED):
            return
        with self._db.transaction():
            self._db.write(_TOO_OLD)
            self._db.set_meta(_DATED, "yes")

    def put_right(self, now: datetime) -> PutRight:
        """Put right, in one transaction, what the program itself stamped beyond `now`, which is
        known to be the time. What persons said, such as a pause, stays.
        """
        seen, moment = self.stamped(), {"now": now}
        with self._db.transaction():
            keywords, papers = self._put_logs_right(now)
            digests = self._db.write(_DELIVERIES, moment)
            # No shorter, since a server takes its time to tell that a mail had come already.
            self._db.write(
                "UPDATE delivery SET next_at = :then WHERE next_at > :then",
                {"then": now + UNKNOWN_WAIT},
            )
            readers = self._db.write(_READERS, moment)
            for table, column in _STAMPS:
                self._db.write(f"UPDATE {table} SET {column} = :now WHERE {column} > :now", moment)
            # When a bounce came is not known, but those of long ago are no surge now.
            self._db.write(
                "UPDATE bounce SET at = :then WHERE at > :now", moment | {"then": now - SURGE_SPAN}
            )
            # What a feed held on a day that has not come is nothing to compare the next one with.
            self._db.write("DELETE FROM feed WHERE at > :now", moment)
            self._put_trouble_right(now)
            for key in (LATEST_NOW, STAMPED_UNTIL, "mailed_until", "folder_answered", ZOTERO_REST):
                if (self._db.meta(key) or "") > to_text(now):
                    self._db.set_meta(key, to_text(now))
            # Slots that were used under the wrong clock come again: their Message-IDs must not.
            self._db.set_meta(ERA, to_text(now))
        return PutRight(seen, keywords, readers, digests, papers)

    def _put_logs_right(self, now: datetime) -> tuple[int, int]:
        """Let each query go on from its last window that is known to be whole, and judge again what
        was taken for old meanwhile; returns how many queries and papers that concerned.
        """
        queries = self._db.rows(_QUERIES, {"now": now})
        for query in queries:
            known = query["whole_until"] or query["oldest"] or query["last_run"]
            good = moment_or_none(known) or now - GUARD
            self._db.write(
                """UPDATE query SET last_good_at = :good,
                       deep_at = CASE WHEN deep_at > :deep THEN :deep ELSE deep_at END,
                       covered_since = CASE WHEN covered_since > :now THEN :oldest
                                            ELSE covered_since END
                   WHERE id = :id""",
                query | {"now": now, "good": good, "deep": good - COMPARED_LATEST},
            )
        rows = self._db.rows(_DOUBTFUL, {"now": now})
        return len(queries), sum(self._judge_again(row, now) for row in rows)

    def _judge_again(self, row: dict[str, Any], now: datetime) -> bool:
        """Judge the first row of a paper in a query's log as if it had come now; whether it is due
        to somebody by that.
        """
        good, covered = moment_or_none(row["last_good_at"]), moment_or_none(row["covered_since"])
        (paper,) = load_papers(self._db, [row["paper"]]).values()
        (judged,) = diff([paper], {}, good, now, covered, counted_as_mailed(self._db, good))
        if judged.kind == row["kind"]:
            return False
        self._db.write("UPDATE seen SET kind = ? WHERE seq = ?", [judged.kind, row["seq"]])
        self._db.write(
            """UPDATE subscription SET position = GREATEST(start, LEAST(position, :seq - 1))
               WHERE query = :query AND start IS NOT NULL""",
            row,
        )
        return judged.kind is not Kind.OLD

    def _put_trouble_right(self, now: datetime) -> None:
        """Let no rest of arXiv or the mail server last longer than one that begins now, and no
        trouble begin later.
        """
        self._db.write(
            "UPDATE relay SET paused_until = :end WHERE paused_until > :end",
            {"end": now + PAUSES[-1]},
        )
        alarms = Alarms(self._db)
        known = alarms.memory().items()
        alarms.remember({kind: replace(one, since=min(one.since, now)) for kind, one in known})
        pause = loads(self._db.meta(ARXIV_PAUSE) or "{}")
        end = to_text(now + timedelta(hours=pause.get("hours", 0)))
        if pause and pause["until"] > end:
            self._db.set_meta(ARXIV_PAUSE, json.dumps(pause | {"until": end}))


def _mark_of(path: Path) -> str:
    """What stands for a path in the database, which strangers may see."""
    return hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()


_STAMPS = (
    ("answer", "at"),
    ("choice", "at"),
    ("consent", "at"),
    ("delivery", "ended_at"),
    ("forgotten", "at"),
    ("handover", "at"),
    ("inbox_message", "at"),
    ("lack", "at"),
    ("library", "at"),
    ("letter", "at"),
    ("letter", "next_at"),
    ("letter", "sent_at"),
    ("liked", "at"),
    ("mistake", "since"),
    ("mistake", "until"),
    ("query", "judged_since"),
    ("query", "next_fetch_at"),
    ("query", "quarantined_since"),
    ("question", "answered_at"),
    ("question", "at"),
    ("question", "next_at"),
    ("relay", "tripped_since"),
    ("run", "finished_at"),
    ("run", "started_at"),
    ("signup", "at"),
    ("subscriber", "digest_at"),
    ("subscriber", "due_at"),
    ("subscriber", "opened_at"),
    ("subscriber", "since"),
    ("subscription", "ended_at"),
    ("summary", "at"),
    ("suppression", "since"),
    ("wish", "at"),
)
"""Moments of which it is enough that they do not lie in the future. A reader who is looked at
before the hour, or a query that is asked before its time, does no harm."""

# The first window under a wrong clock still reached back to the last good one; those after it may
# have been too shallow. So what counts is the youngest paper that came before all of these, or else
# the oldest that came at all; no clock is asked for either. Where none came it is the last run
# under a right clock, and where none is known the guard's span: to whoever reads the query since an
# empty answer, nothing that was announced later is history.
_QUERIES = """
    SELECT q.id,
        (SELECT MAX(p.published) FROM seen m JOIN paper p ON p.id = m.paper
         LEFT JOIN run r ON r.id = m.run
         WHERE m.query = q.id AND p.published <= :now AND (r.id IS NULL OR r.started_at <= :now))
            AS whole_until,
        (SELECT MIN(p.updated) FROM seen m JOIN paper p ON p.id = m.paper WHERE m.query = q.id)
            AS oldest,
        (SELECT MAX(r.started_at) FROM run r WHERE r.started_at <= :now) AS last_run
    FROM query q WHERE q.last_good_at > :now OR q.covered_since > :now OR q.deep_at > :now"""

_DOUBTFUL = """
    SELECT m.seq, m.query, m.paper, m.kind, q.last_good_at, q.covered_since
    FROM seen m JOIN run r ON r.id = m.run JOIN query q ON q.id = m.query
    WHERE r.started_at > :now AND m.kind IN ('old', 'revised') AND NOT EXISTS (
        SELECT 1 FROM seen e WHERE e.query = m.query AND e.paper = m.paper AND e.seq < m.seq)
    ORDER BY m.seq"""

# A slot stays used: it becomes one of now, told from all others by a fraction of a second that no
# schedule and no repeat has.
_DELIVERIES = """
    UPDATE delivery SET queued_at = LEAST(queued_at, :now), slot =
        CASE WHEN slot > :now
            THEN rtrim(:now, 'Z') || '.9' || substr(CAST(100000 + other.number AS TEXT), 2) || 'Z'
            ELSE slot END
    FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY subscriber ORDER BY id) AS number
          FROM delivery WHERE queued_at > :now OR slot > :now) AS other
    WHERE delivery.id = other.id"""

_READERS = """
    UPDATE subscriber SET slot = (
        SELECT MAX(d.slot) FROM delivery d WHERE d.subscriber = subscriber.id AND d.again IS NULL)
    WHERE slot > :now"""

_TOO_OLD = """
    UPDATE delivery SET queued_at = newest.published
    FROM (SELECT cp.content, MAX(p.published) AS published
          FROM content_paper cp JOIN paper p ON p.id = cp.paper GROUP BY cp.content) AS newest
    WHERE delivery.content = newest.content AND delivery.queued_at < newest.published"""
