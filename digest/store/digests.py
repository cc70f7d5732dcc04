"""From the log to the outbox: who is due, which papers are due to them, and the queueing of their
digests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from digest.model import Item, Kind, Paper, Revisions, Tally
from digest.store.bodies import Content, keep
from digest.store.choices import tell
from digest.store.database import Concern, Database
from digest.store.due import (
    NO_END,
    WITHIN,
    DuePaper,
    LookedThrough,
    items_of,
    look_through,
    most_recent,
    withdrawn_papers,
)
from digest.store.log import head
from digest.store.papers import load_papers
from digest.store.rows import NOT_CARRIED_STATES
from digest.store.silences import is_silent, note_silences, silent_queries
from digest.store.subscribers import unplaced_labels
from digest.times import to_text

Exclude = Callable[[list[Paper]], set[str]]
"""Given papers, the base ids of those that the reader never wants."""
FOLDABLE = "state IN ('queued', 'deferred') AND maybe_accepted = 0"
"""Whether a newer digest may replace a delivery: no attempt can have brought it to the reader. The
index of a reader's (delivery_foldable) is in these very words."""
INSERT_DELIVERY = """
    INSERT INTO delivery(subscriber, slot, content, message_id, queued_at, next_at, from_seq, again)
    VALUES(:reader, :slot, :content, :message_id, GREATEST(:now, :newest), :now, :from_seq, :again)
    RETURNING id"""
"""No delivery counts as older than the newest paper that it carries, whatever the machine's clock
says: what a reader had is found by that."""
ROWS_OF_PAPER = 20
"""At most so many rows of the log are read for each of the latest papers: a paper has one for each
keyword and version."""
ERA = "clock_put_right"
"""Meta key: when slots could last be used anew: a wrong clock was put right, a backup restored."""


@dataclass(frozen=True, slots=True)
class Due:
    """A reader whose slot is open. `found_empty_at`: when that slot was first
    found empty (the column opened_at).
    """

    id: int
    address: str
    since: datetime
    away: bool
    suppressed: bool
    slot: datetime | None
    found_empty_at: datetime | None


@dataclass(frozen=True, slots=True)
class DigestPlan:
    """The digest that one reader would get now, and what queueing it will do; nothing is written
    yet.

    `items` are the papers with their kinds and keyword names; `folded` are open deliveries that it
    replaces, `waiting` says that there are any at all; `first`: no digest has gone to this reader
    before; `end` is up to where the log was read; `unplaced` are the keywords that arXiv has not
    answered since the reader has them; `cut` is where the log starts for a reader who is back from
    an absence; `silences` are the queries that have matched nothing for long, with the days, which
    the reader is still to be notified of; the `tally` knows no answers yet.
    """

    reader: int
    items: tuple[Item, ...]
    first: bool
    previous: datetime | None
    unplaced: tuple[str, ...]
    skipped: int
    waiting: bool
    folded: tuple[int, ...]
    from_seq: int
    end: int
    cut: int | None
    tally: Tally
    silences: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queued:
    """A planned digest in its rendered form, ready to become a delivery; `slot` is the moment for
    which it is.

    `unscheduled`: that moment is none of the reader's schedule, and leaves the scheduled slots as
    they are.
    """

    plan: DigestPlan
    slot: datetime
    content: Content
    unscheduled: bool = False


class Digests(Concern):
    """The composing side of the store."""

    def due(self, now: datetime) -> list[Due]:
        """The readers whose slot is open at `now`, in the order of their joining."""
        return self._db.all(Due, f"{_DUE} AND r.due_at <= ? ORDER BY r.id", [now])

    def reader(self, address: str) -> Due | None:
        """One reader, whether due or not."""
        return self._db.first(Due, f"{_DUE} AND lower(r.address) = lower(?)", [address])

    def has_news(self, reader: int) -> bool:
        """Whether the reader's logs have grown since the last digest, or there never was one: a
        quick look.
        """
        return bool(
            self._db.value(
                f"""SELECT (SELECT corrections = 1 OR digest_at IS NULL AND NOT EXISTS (
                                SELECT 1 FROM delivery WHERE subscriber = :reader)
                            FROM subscriber WHERE id = :reader)
                        OR EXISTS (
                            SELECT 1 FROM subscription s JOIN seen m ON m.query = s.query
                            WHERE s.subscriber = :reader AND {WITHIN.format("s.position")})""",
                {"reader": reader, "no_end": NO_END},
            )
        )

    def is_silent(self, reader: int) -> bool:
        """Whether a keyword of the reader's has matched nothing for long, unreported: a quick
        look.
        """
        return is_silent(self._db, reader)

    def unscheduled_slot(self, reader: int, now: datetime) -> datetime:
        """A moment at or right after `now` at which no slot of the reader's is or was: schedules
        know no seconds.
        """
        taken = set(
            self._db.column(
                "SELECT slot FROM delivery WHERE subscriber = ? AND slot >= ?", [reader, now]
            )
        )
        slot = now
        # docs/decisions.md, "`digest send` has a moment of its own for a slot"
        while slot.second == 0 or to_text(slot) in taken:
            slot += timedelta(seconds=1)
        return slot

    def latest_papers(self, count: int) -> list[Paper]:
        """The papers that came last into any log, at most `count`, by id."""
        latest = self._db.column(
            "SELECT paper FROM seen WHERE seq > ? ORDER BY seq DESC",
            [head(self._db) - ROWS_OF_PAPER * count],
        )
        found = load_papers(self._db, list(dict.fromkeys(latest))[:count])
        return [found[paper] for paper in sorted(found)]

    def plan(
        self, due: Due, *, revisions: Revisions, max_papers: int, exclude: Exclude | None = None
    ) -> DigestPlan:
        """Say what a digest would hold now. Open deliveries that were never tried to the end are
        folded into it, but only where something newer is due; else `items` is empty.
        """
        end = head(self._db)  # before the rows are read, since others may write meanwhile
        open_ = self._db.rows(
            f"""SELECT id, from_seq FROM delivery
                WHERE subscriber = ? AND {FOLDABLE} AND again IS NULL""",
            [due.id],
        )
        folded = tuple(row["id"] for row in open_)
        rewind = min((row["from_seq"] for row in open_), default=NO_END)
        looked = look_through(self._db, due.id, rewind, folded, revisions)
        wanted = looked.due if exclude is None else self._without(looked.due, exclude)
        withdrawn = withdrawn_papers(self._db, due.id, folded, end)
        # Without anything newer the open delivery is as good as a new digest would be.
        if folded and wanted.keys() | withdrawn.keys() <= self._carried(folded):
            wanted, withdrawn = {}, {}
        # docs/decisions.md, "After a long pause the log begins anew". No withdrawal is skipped.
        recent, cut = most_recent(wanted, max_papers if due.away else len(wanted))
        papers = withdrawn | recent
        previous = self._previous(due.id, folded)
        first_seq = min((paper.first_seq for paper in papers.values()), default=end + 1)
        return DigestPlan(
            reader=due.id,
            items=items_of(self._db, papers),
            first=previous is None,
            previous=previous,
            unplaced=unplaced_labels(self._db, due.id),
            skipped=len(wanted.keys() - papers.keys()),
            waiting=bool(folded),
            folded=folded if papers else (),
            from_seq=first_seq - 1 if cut is None else cut,
            end=end,
            cut=cut,
            silences=silent_queries(self._db, due.id, folded),
            tally=_tally(looked, wanted.keys(), papers.keys()),
        )

    def _without(self, papers: dict[str, DuePaper], exclude: Exclude) -> dict[str, DuePaper]:
        unwanted = exclude(list(load_papers(self._db, list(papers)).values())) if papers else set()
        return {paper: due for paper, due in papers.items() if paper not in unwanted}

    def _carried(self, deliveries: Collection[int]) -> set[str]:
        return set(
            self._db.column(
                """SELECT cp.paper FROM delivery d JOIN content_paper cp ON cp.content = d.content
                   WHERE d.id IN many(?)""",
                [list(deliveries)],
            )
        )

    def _previous(self, reader: int, folded: Collection[int]) -> datetime | None:
        """When the reader's last digest was queued, those left out that are to be folded."""
        return self._db.moment(
            # The last one may have aged while an earlier one is open.
            f"""SELECT MAX(at) FROM (
                    SELECT queued_at AS at FROM delivery
                    WHERE subscriber = :reader AND state NOT IN {NOT_CARRIED_STATES}
                        AND again IS NULL AND id NOT IN many(:folded)
                    UNION ALL SELECT digest_at FROM subscriber WHERE id = :reader) AS digests""",
            {"reader": reader, "folded": list(folded)},
        )

    def queue(
        self,
        batch: Iterable[Queued],
        now: datetime,
        domain: str,
        due_after: Callable[[int], datetime],
    ) -> int:
        """Queue planned digests in one transaction; returns how many.

        `due_after` gives, for a reader, when the next slot opens. One whose folded deliveries have
        moved since the plan was made (somebody dropped or retried them meanwhile) is left for the
        next cycle.
        """
        with self._db.transaction():
            unmoved = [queued for queued in batch if self._fold(queued.plan, now)]
            for queued in unmoved:
                self._insert(queued, now, domain, due_after(queued.plan.reader))
        return len(unmoved)

    def _fold(self, plan: DigestPlan, now: datetime) -> bool:
        """Expire what the new digest replaces; false, and nothing done, where it is no longer as
        planned.
        """
        open_ = self._db.number(
            f"""SELECT COUNT(*) FROM delivery
                WHERE id IN many(?) AND {FOLDABLE}""",
            [list(plan.folded)],
        )
        # Somebody dropped or retried one since: what it carries must not go twice.
        if open_ != len(plan.folded):
            return False
        for delivery in plan.folded:
            self._db.write(
                "UPDATE delivery SET state = 'expired', ended_at = ? WHERE id = ?", [now, delivery]
            )
            rewind(self._db, delivery)
        return True

    def _insert(self, queued: Queued, now: datetime, domain: str, due_at: datetime) -> None:
        plan, slot = queued.plan, to_text(queued.slot)
        delivery = self._db.number(
            INSERT_DELIVERY,
            {
                "reader": plan.reader,
                "slot": slot,
                "content": keep(self._db, queued.content, map(_carried, plan.items)),
                "message_id": make_message_id(self._db, plan.reader, slot, domain),
                "now": now,
                "newest": max((item.paper.published for item in plan.items), default=now),
                "from_seq": plan.from_seq,
                "again": None,
            },
        )
        if plan.cut is not None:
            self._db.write(
                """UPDATE subscription SET
                       start = GREATEST(start, LEAST(:cut, COALESCE(until, :cut))),
                       position = GREATEST(position, LEAST(:cut, COALESCE(until, :cut)))
                   WHERE subscriber = :reader AND start IS NOT NULL""",
                {"cut": plan.cut, "reader": plan.reader},
            )
        # A closed subscription's position stays at its end: what is recorded beyond it comes back
        # where the keyword does.
        self._db.write(
            """UPDATE subscription SET position =
                   GREATEST(position, LEAST(:end, COALESCE(until, :end)))
               WHERE subscriber = :reader AND start IS NOT NULL""",
            {"end": plan.end, "reader": plan.reader},
        )
        note_silences(self._db, plan.reader, delivery, plan.silences)
        tell(self._db, plan.reader, delivery)
        self._db.write(
            "UPDATE subscriber SET away = 0, corrections = 0 WHERE id = ?", [plan.reader]
        )
        if not queued.unscheduled:
            self._close_slot(plan.reader, queued.slot, due_at)

    def _close_slot(self, reader: int, slot: datetime, due_at: datetime) -> None:
        self._db.write(
            "UPDATE subscriber SET slot = ?, opened_at = NULL, due_at = ? WHERE id = ?",
            [slot, due_at, reader],
        )

    def note_empty_slots(self, readers: Iterable[int], now: datetime) -> None:
        """Note that these readers' slots were found empty, and stay open from now on."""
        with self._db.transaction():
            self._db.write_many(
                "UPDATE subscriber SET opened_at = ? WHERE id = ?",
                [[now, reader] for reader in readers],
            )

    def close_slots(self, slots: Iterable[tuple[int, datetime, datetime]]) -> None:
        """End slots that stayed empty: (reader, the slot, when the next one opens)."""
        with self._db.transaction():
            for reader, slot, due_at in slots:
                self._close_slot(reader, slot, due_at)

    def mark_away(self, readers: Iterable[int]) -> None:
        """Note that these readers are paused or suppressed: on return they get the most recent
        papers.
        """
        with self._db.transaction():
            self._db.write_many(
                "UPDATE subscriber SET away = 1 WHERE id = ?", [[reader] for reader in readers]
            )


def _tally(looked: LookedThrough, wanted: Set[str], shown: Set[str]) -> Tally:
    """How all that was looked through adds up, where `shown` are a digest's papers: what else was
    `wanted` was let go.
    """
    due = looked.due.keys()
    return Tally(
        matched=len(shown | due | looked.had | looked.old),
        excluded=len(due - wanted - shown),
        had=len(looked.had - shown),
        old=len(looked.old - shown),
    )


def _carried(item: Item) -> tuple[str, int, bool]:
    """A paper as the ledger has it."""
    return item.paper.id, item.paper.version, item.kind is Kind.REVISED


def make_message_id(database: Database, reader: int, slot: str, domain: str) -> str:
    """The same for the same reader and slot whatever happens, so that a repeated mail can be
    recognised; but another for a slot that was used before its time, under a wrong clock.
    """
    seed = f"{database.meta('uuid')}{database.meta(ERA) or ''} {reader} {slot}"
    return f"<{hashlib.sha256(seed.encode()).hexdigest()[:32]}@{domain}>"


def rewind(database: Database, delivery: int) -> None:
    """Make due again what a delivery was to carry; belongs into the transaction that ends it."""
    database.write(
        """UPDATE subscription SET position = GREATEST(start, LEAST(position, d.from_seq))
           FROM (SELECT subscriber, from_seq FROM delivery WHERE id = ?) AS d
           WHERE subscription.subscriber = d.subscriber AND start IS NOT NULL""",
        [delivery],
    )
    # The delivery may have been the one that reported a withdrawal.
    database.write(
        """UPDATE subscriber SET corrections = 1 WHERE id = (
               SELECT subscriber FROM delivery WHERE id = ?)""",
        [delivery],
    )


_DUE = """
    SELECT r.id, r.address, r.since, r.away, r.slot,
        r.opened_at AS found_empty_at,
        EXISTS (SELECT 1 FROM suppression x WHERE lower(x.address) = lower(r.address)) AS suppressed
    FROM subscriber r WHERE r.gone = 0"""
