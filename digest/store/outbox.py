"""The outbox: deliveries on their way, each write fenced by who claimed it and in which attempt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from digest.errors import UsageError
from digest.model import REPOSITORY, Outcome, Outgoing, RateLimit, Receipt, State
from digest.store.database import Database
from digest.store.digests import make_message_id, rewind, unpack
from digest.store.relay import Relay
from digest.store.suppressions import note_bounce
from digest.times import from_text, moment_or_none, to_text

RETRIES = tuple(timedelta(minutes=m) for m in (5, 15, 30, 60, 120, 240))
"""The wait after each refused attempt; the last one repeats."""
GIVE_UP = timedelta(days=5)
"""A relay's refusals, or its silence, are taken as final after this time (RFC 5321 section 4.5.4.1:
4-5 days)."""
UNKNOWN_WAIT = timedelta(minutes=30)
"""So long at least a delivery that may have been accepted rests before it is tried again."""
SUBJECT = "CASE WHEN d.again IS NULL THEN c.subject ELSE 'Again: ' || c.subject END"
"""A delivery's subject, in SQL; a digest that is sent once more says so."""
OPEN = "('queued', 'leased', 'in_data', 'deferred', 'unknown')"
"""The states of a delivery on its way. Each statement that looks for such names them in these very
words, whatever else it asks: else SQLite cannot know that the index of them will do
(delivery_open), and reads the ledger of all years."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A delivery as people see it in the outbox. Times are UTC; `papers` is how many it carries.

    `ended_at` is None while it is on its way; `again` is the number of the digest that it repeats.
    """

    id: int
    address: str
    subject: str
    papers: int
    state: State
    attempt: int
    queued_at: datetime
    next_at: datetime
    reply: str
    message_id: str
    ended_at: datetime | None
    again: int | None


def body_is_gone(delivery: int) -> UsageError:
    """What is said where a digest's body was let go."""
    return UsageError(
        f"the body of delivery {delivery} is no longer kept",
        remedy="'digest db prune' let it go; where the readers come from a secret none is kept that was delivered",
    )


class Outbox:
    """The delivering side of the store. `owner` names this process in the rows that it claims."""

    def __init__(self, database: Database, owner: str, relay: Relay) -> None:
        self._db = database
        self._owner = owner
        self._relay = relay

    def recover(self, now: datetime) -> int:
        """Settle what was interrupted: a leased delivery was never sent, one in DATA may have been.

        Only for whoever holds the cycle lock. Returns how many may have been delivered.
        """
        with self._db.transaction():
            self._db.write(
                "UPDATE delivery SET state = CASE maybe_accepted WHEN 1 THEN 'unknown' ELSE 'queued' END,"
                f" attempt = attempt - 1, owner = NULL WHERE state IN {OPEN} AND state = 'leased'"
            )
            return self._db.write(
                "UPDATE delivery SET state = 'unknown', maybe_accepted = 1, owner = NULL, next_at = ?,"
                f" reply = 'stopped while the mail was being handed over' WHERE state IN {OPEN} AND state = 'in_data'",
                [to_text(now + UNKNOWN_WAIT)],
            )

    def claim(
        self,
        now: datetime,
        *,
        hold_unknown: bool,
        most: int = 1,
        limits: Sequence[RateLimit] = (),
        issues: bool = False,
    ) -> list[Outgoing]:
        """Take the next deliveries that may leave now, `most` at a time and within the limits: of
        mail, or of issues.

        Those of readers who left or are suppressed end here. An issue that may have been posted can
        be looked for, so it need not be held.
        """
        while True:
            with self._db.transaction():
                room = self._relay.room(now, limits)
                most = most if room is None else min(most, room)
                rows = self._db.rows(
                    _CLAIM,
                    {
                        "now": to_text(now),
                        "hold": hold_unknown and not issues,
                        "owner": self._owner,
                        "most": most,
                        "issues": issues,
                    },
                )
                leased = sorted(
                    (row["due"], row["id"]) for row in rows if row["state"] == State.LEASED
                )
                for row in rows:
                    if row["state"] == State.SUPPRESSED:
                        rewind(self._db, row["id"])
                if leased and not issues:
                    self._relay.take(len(leased), now, limits)
            if leased or not rows:
                return [self.message(number) for _, number in leased]

    def message(self, delivery: int) -> Outgoing:
        """All that the message of a delivery is made of. Raises UsageError where there is none, or
        not any more.
        """
        row = self._db.row(
            f"""SELECT d.id, d.attempt, d.message_id, d.queued_at, r.id AS reader, r.address, r.name,
                   {SUBJECT} AS subject, c.pieces
               FROM delivery d JOIN subscriber r ON r.id = d.subscriber JOIN content c ON c.id = d.content
               WHERE d.id = ?""",
            [delivery],
        )
        if row is None:
            raise UsageError(
                f"there is no delivery {delivery}", remedy="'digest outbox list --all' shows them"
            )
        if not row["pieces"]:
            raise body_is_gone(delivery)
        return Outgoing(
            id=row["id"],
            attempt=row["attempt"],
            address=row["address"],
            name=row["name"],
            message_id=row["message_id"],
            date=from_text(row["queued_at"]),
            subject=row["subject"],
            pieces=unpack(row["pieces"]),
            reader=row["reader"],
        )

    def enter_data(self, outgoing: Outgoing) -> None:
        """Commit that from now on the message may be accepted. Raises LookupError where the claim
        was lost.
        """
        changed = self._db.write(
            "UPDATE delivery SET state = 'in_data' WHERE id = ? AND owner = ? AND attempt = ? AND state = 'leased'",
            [outgoing.id, self._owner, outgoing.attempt],
        )
        if changed != 1:
            raise LookupError(f"delivery {outgoing.id} is no longer ours")

    def settle(
        self,
        ended: Iterable[tuple[Outgoing, Receipt]],
        now: datetime,
        jitter: Callable[[], float] = lambda: 0.5,
    ) -> list[tuple[State | None, Receipt]]:
        """Write in one transaction how attempts ended, and when the next ones are due.

        `jitter` in [0, 1) spreads a wait by ±10 %; the rest of what may have been accepted is never
        shortened. Returns for each the delivery's state, or None where the claim had been lost
        meanwhile, and the receipt in the light of the others (see Relay.judge).
        """
        with self._db.transaction():
            return [self._settle(outgoing, receipt, now, jitter) for outgoing, receipt in ended]

    def _settle(
        self, outgoing: Outgoing, receipt: Receipt, now: datetime, jitter: Callable[[], float]
    ) -> tuple[State | None, Receipt]:
        row = self._db.row(
            "SELECT maybe_accepted, queued_at, state FROM delivery WHERE id = ? AND owner = ? AND attempt = ?"
            " AND state IN ('leased', 'in_data')",
            [outgoing.id, self._owner, outgoing.attempt],
        )
        if row is None:
            return None, receipt
        issue = outgoing.address.startswith(REPOSITORY)
        if receipt.outcome == Outcome.RELAY and not issue:
            self._relay.give_back()
        receipt = receipt if issue else self._relay.judge(receipt, now)
        state, wait = _verdict(receipt.outcome, row, outgoing, now)
        if receipt.outcome == Outcome.RELAY and issue:
            wait = RETRIES[0]  # there is no server's rest that would hold it
        if receipt.outcome != Outcome.UNKNOWN:
            wait *= 0.9 + 0.2 * jitter()
        ended = state in (State.SENT, State.FAILED, State.DROPPED)
        self._db.write(
            """UPDATE delivery SET state = :state, next_at = :next_at, reply = :reply, owner = NULL,
                   maybe_accepted = maybe_accepted OR :unknown, attempt = attempt - :uncounted,
                   ended_at = :ended_at, folder = :folder WHERE id = :id""",
            {
                "id": outgoing.id,
                "state": state,
                "next_at": to_text(now + wait),
                "reply": receipt.reply,
                "unknown": receipt.outcome == Outcome.UNKNOWN,
                "uncounted": receipt.outcome == Outcome.RELAY,
                "ended_at": to_text(now) if ended else None,
                "folder": receipt.folder,
            },
        )
        if state == State.FAILED:
            rewind(self._db, outgoing.id)
        if receipt.bounce and ended:
            note_bounce(self._db, outgoing.id, receipt.reply, now)
        return state, receipt

    def next_at(self, *, hold_unknown: bool, issues: bool = False) -> datetime | None:
        """The earliest moment at which a delivery may leave: of mail, or of issues (see
        `claim`).
        """
        text = self._db.value(
            f"SELECT d.next_at FROM {_LEAVING} ORDER BY d.next_at LIMIT 1",
            {"hold": hold_unknown and not issues, "issues": issues},
        )
        return moment_or_none(text)

    def entries(self, *, ended: bool = False) -> list[Entry]:
        """The open deliveries, or with `ended` also those that failed or were dropped."""
        states = OPEN if not ended else OPEN[:-1] + ", 'failed', 'dropped')"
        # The plus keeps SQLite from reading the whole ledger for the sake of its order.
        rows = self._db.rows(f"{_ENTRIES} WHERE d.state IN {states} ORDER BY +d.id")
        return [_entry(row) for row in rows]

    def entry(self, delivery: int) -> Entry:
        """One delivery, whatever became of it. Raises UsageError where there is none of this
        number.
        """
        return self._changed(delivery, 1)

    def waiting(self) -> int:
        """How many deliveries are on their way."""
        number: int = self._db.value(f"SELECT COUNT(*) FROM delivery WHERE state IN {OPEN}")
        return number

    def counts(self) -> Counter[State]:
        """How many deliveries stand in each state."""
        rows = self._db.rows("SELECT state, COUNT(*) AS number FROM delivery GROUP BY state")
        return Counter({State(row["state"]): row["number"] for row in rows})

    def again(self, delivery: int, now: datetime, domain: str) -> Entry:
        """Queue a digest that has gone once more, in a mail of its own that takes no slot and
        changes nothing due.

        Raises UsageError where it has not gone, or the reader is not to be mailed.
        """
        with self._db.transaction():
            row = self._db.row(
                """SELECT d.subscriber, d.content, d.state, d.from_seq, r.address, r.gone, x.reason,
                       COALESCE(d.again, d.id) AS first, c.pieces = x'' AS pruned,
                       (SELECT COUNT(*) FROM delivery o WHERE o.subscriber = d.subscriber AND o.again > 0) AS times
                   FROM delivery d JOIN subscriber r ON r.id = d.subscriber JOIN content c ON c.id = d.content
                   LEFT JOIN suppression x ON x.address = r.address WHERE d.id = ?""",
                [delivery],
            )
            if row is None:
                raise UsageError(
                    f"there is no delivery {delivery}",
                    remedy="'digest outbox list --all' shows them",
                )
            _may_go_again(delivery, row)
            # Its moment is a little past the full second, so that no digest's slot is ever taken by
            # it.
            slot = f"{now:%Y-%m-%dT%H:%M:%S}.{row['times'] + 1:06}Z"
            number = self._db.value(
                "INSERT INTO delivery(subscriber, slot, content, message_id, queued_at, from_seq, next_at, again)"
                " VALUES(?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                [
                    row["subscriber"],
                    slot,
                    row["content"],
                    make_message_id(self._db, row["subscriber"], slot, domain),
                    to_text(now),
                    row["from_seq"],
                    to_text(now),
                    row["first"],
                ],
            )
            return self._changed(number, 1)

    def retry(self, delivery: int, now: datetime) -> Entry:
        """Let one delivery leave with the next cycle. Raises UsageError where it is none that
        waits.
        """
        with self._db.transaction():
            changed = self._db.write(
                """UPDATE delivery SET next_at = MIN(next_at, ?),
                       state = CASE state WHEN 'unknown' THEN 'deferred' ELSE state END
                   WHERE id = ? AND state IN ('queued', 'deferred', 'unknown')""",
                [to_text(now), delivery],
            )
            return self._changed(delivery, changed)

    def drop(self, delivery: int, now: datetime) -> Entry:
        """End one delivery for good; its papers count as had. Raises UsageError where it is none
        that waits.
        """
        with self._db.transaction():
            changed = self._db.write(
                "UPDATE delivery SET state = 'dropped', ended_at = ? WHERE id = ?"
                " AND state IN ('queued', 'deferred', 'unknown')",
                [to_text(now), delivery],
            )
            return self._changed(delivery, changed)

    def _changed(self, delivery: int, changed: int) -> Entry:
        row = self._db.row(f"{_ENTRIES} WHERE d.id = ?", [delivery])
        if row is None:
            raise UsageError(
                f"there is no delivery {delivery}", remedy="'digest outbox list' shows them"
            )
        if not changed:
            raise UsageError(
                f"delivery {delivery} is {row['state']}, and no longer waits in the outbox"
            )
        return _entry(row)


_LEAVING = f"""delivery d JOIN subscriber r ON r.id = d.subscriber
    WHERE d.state IN {OPEN} AND (d.state IN ('queued', 'deferred') OR (d.state = 'unknown' AND NOT :hold))
        AND (r.address LIKE 'github:%') = :issues"""

# A delivery that may have been accepted once is never made due again: it ends as dropped, not
# suppressed.
_CLAIM = f"""
    UPDATE delivery SET attempt = attempt + 1, owner = :owner,
        ended_at = CASE WHEN stopped THEN :now END,
        state = CASE WHEN NOT stopped THEN 'leased' WHEN maybe_accepted THEN 'dropped' ELSE 'suppressed' END
    FROM (SELECT d.id AS chosen, r.gone OR EXISTS (SELECT 1 FROM suppression x WHERE x.address = r.address) AS stopped
          FROM {_LEAVING} AND d.next_at <= :now
          ORDER BY d.next_at, d.id LIMIT :most)
    WHERE id = chosen RETURNING id, state, next_at AS due"""

_ENTRIES = f"""
    SELECT d.id, r.address, {SUBJECT} AS subject, d.state, d.attempt, d.queued_at, d.next_at, d.ended_at, d.reply,
        d.message_id, d.again,
        (SELECT COUNT(*) FROM content_paper cp WHERE cp.content = d.content) AS papers
    FROM delivery d JOIN subscriber r ON r.id = d.subscriber JOIN content c ON c.id = d.content"""


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(
        id=row["id"],
        address=row["address"],
        subject=row["subject"],
        papers=row["papers"],
        state=State(row["state"]),
        attempt=row["attempt"],
        queued_at=from_text(row["queued_at"]),
        next_at=from_text(row["next_at"]),
        reply=row["reply"],
        message_id=row["message_id"],
        ended_at=moment_or_none(row["ended_at"]),
        again=row["again"],
    )


def _may_go_again(delivery: int, row: dict[str, Any]) -> None:
    """Raise UsageError where a digest cannot be repeated, with what to do instead."""
    if row["gone"]:
        raise UsageError(
            f"{row['address']} is no subscriber any more",
            remedy="'digest subscribe' brings them back",
        )
    if row["reason"]:
        raise UsageError(f"mail to {row['address']} is suppressed ({row['reason']})")
    if row["pruned"]:
        raise body_is_gone(delivery)
    if row["state"] in ("failed", "expired", "suppressed"):
        raise UsageError(
            f"the digest of delivery {delivery} has not gone ({row['state']})",
            remedy="its papers come with the next digest",
        )
    if row["state"] not in ("sent", "dropped"):
        raise UsageError(
            f"the digest of delivery {delivery} is still on its way",
            remedy=f"'digest outbox retry {delivery}' lets it leave with the next run",
        )


def _verdict(
    outcome: Outcome, row: dict[str, Any], outgoing: Outgoing, now: datetime
) -> tuple[State, timedelta]:
    """The state that follows an outcome, and the wait before the next attempt.

    What may have been accepted earlier is never again treated as certainly unsent.
    """
    maybe = bool(row["maybe_accepted"])
    retry = RETRIES[min(outgoing.attempt, len(RETRIES)) - 1]
    match outcome:
        case Outcome.SENT:
            return State.SENT, timedelta()
        case Outcome.UNKNOWN if now - from_text(row["queued_at"]) < GIVE_UP:
            return State.UNKNOWN, max(
                retry, UNKNOWN_WAIT
            )  # each attempt may be one more copy in the reader's mailbox
        case Outcome.RELAY:
            # The server's rest is wait enough; but after it another one goes first, lest this one
            # block them all.
            return (State.UNKNOWN if maybe else State.QUEUED), timedelta(seconds=2)
        case Outcome.DEFERRED if now - from_text(row["queued_at"]) < GIVE_UP:
            return (State.UNKNOWN if maybe else State.DEFERRED), retry
    return (State.DROPPED if maybe or outcome is Outcome.UNKNOWN else State.FAILED), timedelta()
