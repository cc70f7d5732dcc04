"""The outbox: deliveries on their way, each write fenced by who claimed it and in which attempt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from digest.errors import UsageError
from digest.model import NOT_CARRIED, OPEN, Channel, Outcome, Outgoing, Receipt, State
from digest.rules.bounces import bare_words
from digest.rules.channels import Terms
from digest.rules.delivery_retry import UNKNOWN_WAIT, effect_of
from digest.store.ageing import KEPT
from digest.store.bodies import Content, keep, papers_of
from digest.store.bounces import excuse_words, note_bounce
from digest.store.choices import told_in
from digest.store.database import Concern, Database
from digest.store.digests import INSERT_DELIVERY, make_message_id, rewind
from digest.store.mistakes import HELD_BACK
from digest.store.readers import HAS_LEFT
from digest.store.relay import Relay
from digest.store.rows import OPEN_STATES, WAITING_STATES, states, stored, unpack, value_of

SUBJECT = "CASE WHEN d.again IS NULL THEN c.subject ELSE 'Again: ' || c.subject END"
"""A delivery's subject, in SQL; a digest that is sent once more says so."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A delivery as people see it in the outbox. Times are UTC; `papers` is how many it carries.

    `ended_at` is None while it is on its way; `again` is the number of the digest that it repeats.
    """

    id: int
    address: str
    channel: Channel
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


def body_gone_error(delivery: int) -> UsageError:
    """The error where a digest's body is no longer stored."""
    return UsageError(
        f"the body of delivery {delivery} is no longer kept",
        remedy="'digest db prune' let it go, or, where the readers come from a secret, an older"
        " version of digest",
    )


def no_delivery_error(delivery: int, flag: str = "") -> UsageError:
    """The error where there is no delivery of this number."""
    return UsageError(
        f"there is no delivery {delivery}",
        remedy=f"'digest outbox list{flag}' shows them; none is kept for longer than"
        f" {KEPT.days} days after it ended",
    )


class Outbox(Concern):
    """The delivering side of the store. `owner` names this process in the rows that it claims."""

    def __init__(self, database: Database, owner: str, relays: Mapping[Channel, Relay]) -> None:
        super().__init__(database)
        self._owner = owner
        self._relays = relays

    def recover(self, now: datetime) -> int:
        """Resolve what was interrupted: a leased delivery was not sent, one in DATA may have been.

        Only for whoever holds the cycle lock. Returns how many may have been delivered.
        """
        with self._db.transaction():
            # A repeat of what may have been accepted stays so, though this attempt sent nothing.
            self._db.write(
                f"""UPDATE delivery
                    SET state = CASE maybe_accepted WHEN 1 THEN 'unknown' ELSE 'queued' END,
                        attempt = attempt - 1, owner = NULL
                    WHERE state IN {OPEN_STATES} AND state = 'leased'"""
            )
            return self._db.write(
                f"""UPDATE delivery
                    SET state = 'unknown', maybe_accepted = 1, owner = NULL, next_at = ?,
                        reply = 'stopped while the mail was being handed over'
                    WHERE state IN {OPEN_STATES} AND state = 'in_data'""",
                [now + UNKNOWN_WAIT],
            )

    def claim(
        self, now: datetime, channel: Channel, terms: Terms, *, most: int = 1
    ) -> list[Outgoing]:
        """Take the next deliveries of a channel that may leave now, `most` at a time and on its
        terms.

        Those of readers who left or are suppressed end here.
        """
        relay, hold = self._relays[channel], terms.hold_unknown
        wanted = {"now": now, "owner": self._owner, "channel": channel, "hold": hold}
        while True:
            with self._db.transaction():
                room = relay.room(now, terms.limits, most)
                rows = self._db.rows(_CLAIM, {**wanted, "most": room})
                for row in rows:
                    if row["state"] == State.SUPPRESSED:
                        rewind(self._db, row["id"])
                leased = [row for row in rows if row["state"] == State.LEASED]
                if leased:
                    relay.take(len(leased), now, terms.limits)
            # Where all that were looked at ended here, others may be due behind them.
            if leased or not rows:
                leased.sort(key=itemgetter("due", "id"))
                return [self.message(row["id"]) for row in leased]

    def message(self, delivery: int, pieces: tuple[bytes, ...] = ()) -> Outgoing:
        """A delivery's message, of `pieces` if given. Raises UsageError where it is gone."""
        row = self._db.row(
            f"""SELECT d.id, d.attempt, d.content, d.message_id, d.queued_at AS date,
                   r.address, r.channel, r.name, r.links, r.id AS reader,
                   {SUBJECT} AS subject, b.pieces AS body,
                   EXISTS (SELECT 1 FROM content_paper p WHERE p.content = c.id) AS has_papers
               FROM delivery d JOIN subscriber r ON r.id = d.subscriber
               JOIN content c ON c.id = d.content
               LEFT JOIN body b ON b.content = c.id WHERE d.id = ?""",
            [delivery],
        )
        if row is None:
            raise no_delivery_error(delivery, " --all")
        if not pieces and row["body"] is None:
            raise body_gone_error(delivery)
        told = told_in(self._db, delivery)
        return value_of(Outgoing, row, pieces=pieces or unpack(row["body"]), told=told)

    def enter_data(self, outgoing: Outgoing) -> None:
        """Commit that from now on the message may be accepted. Raises LookupError where the claim
        was lost, or the reader has left since.
        """
        # Each message by itself (docs/decisions.md, "Each message is marked as in data by itself").
        if not self._db.write(
            f"""UPDATE delivery SET state = 'in_data'
               WHERE id = ? AND owner = ? AND attempt = ? AND state = 'leased' AND NOT EXISTS (
                   SELECT 1 FROM subscriber r WHERE r.id = delivery.subscriber AND {HAS_LEFT})""",
            [outgoing.id, self._owner, outgoing.attempt],
        ):
            raise LookupError("not sent: the reader has left, or another run took it")

    def record(
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
            return [self._record(outgoing, receipt, now, jitter) for outgoing, receipt in ended]

    def _judged(self, outgoing: Outgoing, receipt: Receipt, now: datetime) -> Receipt:
        """A receipt in the light of others of its channel; who bounced in the words of what is now
        taken for the server's failure is excused.
        """
        relay = self._relays[outgoing.channel]
        judged = relay.judge(receipt, now, outgoing.reader, outgoing.address)
        if receipt.bounce and judged.outcome is Outcome.RELAY:
            excuse_words(self._db, bare_words(judged.reply, outgoing.address), now)
        return judged

    def _record(
        self, outgoing: Outgoing, receipt: Receipt, now: datetime, jitter: Callable[[], float]
    ) -> tuple[State | None, Receipt]:
        maybe_accepted = self._db.value(
            """SELECT maybe_accepted FROM delivery
               WHERE id = ? AND owner = ? AND attempt = ? AND state IN ('leased', 'in_data')""",
            [outgoing.id, self._owner, outgoing.attempt],
        )
        if maybe_accepted is None:
            return None, receipt
        receipt = self._judged(outgoing, receipt, now)
        doubtful = receipt.outcome is Outcome.UNKNOWN
        effect = effect_of(receipt.outcome, now - outgoing.date)
        state = effect.in_doubt if doubtful or maybe_accepted else effect.state
        wait = effect.wait(outgoing.attempt, receipt.rest, 0.9 + 0.2 * jitter())
        self._db.write(
            """UPDATE delivery
               SET state = :state, next_at = :next_at, ended_at = :ended_at, reply = :reply,
                   owner = NULL, maybe_accepted = GREATEST(maybe_accepted, :unknown),
                   attempt = attempt - :uncounted, folder = :folder
               WHERE id = :id""",
            {
                "id": outgoing.id,
                "state": state,
                "next_at": now + wait,
                "ended_at": None if state in OPEN else now,
                "reply": receipt.reply,
                "unknown": doubtful,
                "uncounted": not effect.counts,
                "folder": receipt.folder,
            },
        )
        if state == State.FAILED:
            rewind(self._db, outgoing.id)
        # While it is tried again it may still arrive, and a bounce could suppress its reader.
        if receipt.bounce and state not in OPEN:
            note_bounce(self._db, outgoing.id, receipt.reply, now)
        return state, receipt

    def next_at(self, channel: Channel, terms: Terms) -> datetime | None:
        """The earliest moment at which a delivery of a channel may leave (see `claim`)."""
        # Asked like this SQLite takes the index of these moments, however little it knows.
        return self._db.moment(
            f"SELECT d.next_at FROM {_LEAVING} AND d.next_at > '' ORDER BY d.next_at LIMIT 1",
            {"channel": channel, "hold": terms.hold_unknown},
        )

    def entries(self, *, ended: bool = False) -> list[OutboxRow]:
        """The open deliveries, or with `ended` also those that failed or were dropped."""
        shown = states(OPEN | {State.FAILED, State.DROPPED}) if ended else OPEN_STATES
        # The plus keeps SQLite from reading the whole ledger for the sake of its order.
        return self._db.all(OutboxRow, f"{_ROWS} WHERE d.state IN {shown} ORDER BY +d.id")

    def entry(self, delivery: int) -> OutboxRow:
        """One delivery, whatever became of it. Raises UsageError where there is none of this
        number.
        """
        found = self._db.first(OutboxRow, f"{_ROWS} WHERE d.id = ?", [delivery])
        if found is None:
            raise no_delivery_error(delivery)
        return found

    def waiting(self) -> Counter[Channel]:
        """How many deliveries of each channel are on their way."""
        rows = self._db.rows(
            f"""SELECT r.channel, COUNT(*) AS number
                FROM delivery d JOIN subscriber r ON r.id = d.subscriber
                WHERE d.state IN {OPEN_STATES} GROUP BY r.channel"""
        )
        return Counter({stored(Channel)(row["channel"]): row["number"] for row in rows})

    def counts(self) -> Counter[State]:
        """How many deliveries stand in each state."""
        rows = self._db.rows("SELECT state, COUNT(*) AS number FROM delivery GROUP BY state")
        return Counter({stored(State)(row["state"]): row["number"] for row in rows})

    def again(
        self, delivery: int, now: datetime, domain: str, content: Content | None = None
    ) -> OutboxRow:
        """Queue a digest that has gone once more, in a mail of its own that takes no slot and
        changes nothing due. `content` is the digest, rendered again; without it its body must have
        lasted.

        Raises UsageError where it has not gone, or the reader is not to be mailed.
        """
        with self._db.transaction():
            self._require(delivery)
            (row,) = self._db.rows(_REPEATED, [delivery])
            _refuse_repeat(delivery, row)
            self._db.note_time(now)
            # Its moment is a little past the full second, so that no digest's slot is ever taken by
            # it. The reader's last repeat tells it from the others: a count would go back with age.
            slot = f"{now:%Y-%m-%dT%H:%M:%S}.{row['last'] % 900_000 + 1:06}Z"
            number = self._db.number(
                INSERT_DELIVERY,
                {
                    "reader": row["subscriber"],
                    "slot": slot,
                    "content": self._repeated(delivery, row, content),
                    "message_id": make_message_id(self._db, row["subscriber"], slot, domain),
                    "now": now,
                    # By a clock that is behind it would go into the ledger of years before its
                    # papers were, where nobody looks for who had one that is withdrawn.
                    "newest": row["queued_at"],
                    "from_seq": row["from_seq"],
                    # A repeat of a repeat names the digest that carries the papers.
                    "again": row["first"],
                },
            )
            return self.entry(number)

    def _repeated(self, delivery: int, row: dict[str, Any], content: Content | None) -> int:
        """The number of the content of a repeat: of the digest's own, or of what is made of it by a
        program that renders it otherwise.
        """
        if content is not None:
            return keep(self._db, content, papers_of(self._db, row["content"]))
        if not row["has_body"]:
            raise body_gone_error(delivery)
        return int(row["content"])

    def retry(self, delivery: int, now: datetime) -> OutboxRow:
        """Let one delivery leave with the next cycle. Raises UsageError where it is none that
        waits.
        """
        # Deferred, what may have been accepted leaves under either policy; the sticky flag keeps it
        # from being folded all the same.
        return self._change(
            delivery,
            """next_at = LEAST(next_at, :now),
               state = CASE state WHEN 'unknown' THEN 'deferred' ELSE state END""",
            now,
        )

    def drop(self, delivery: int, now: datetime) -> OutboxRow:
        """End one delivery for good; its papers count as had. Raises UsageError where it is none
        that waits.
        """
        return self._change(delivery, "state = 'dropped', ended_at = :now", now)

    def _change(self, delivery: int, assignments: str, now: datetime) -> OutboxRow:
        with self._db.transaction():
            changed = self._db.write(
                f"UPDATE delivery SET {assignments} WHERE id = :id AND state IN {WAITING_STATES}",
                {"id": delivery, "now": now},
            )
            entry = self.entry(delivery)
        if not changed:
            raise UsageError(
                f"delivery {delivery} is {entry.state}, and no longer waits in the outbox"
            )
        return entry

    def _require(self, delivery: int) -> None:
        if not self._db.value("SELECT 1 FROM delivery WHERE id = ?", [delivery]):
            raise no_delivery_error(delivery, " --all")


_LEAVING = f"""delivery d JOIN subscriber r ON r.id = d.subscriber
    WHERE d.state IN {OPEN_STATES}
        AND (d.state IN ('queued', 'deferred') OR (d.state = 'unknown' AND :hold = 0))
        AND r.channel = :channel
        AND NOT {HELD_BACK.format("r.id")}"""

# A delivery that may have been accepted once is never made due again: it ends as dropped, not
# suppressed.
_CLAIM = f"""
    UPDATE delivery SET attempt = attempt + 1, owner = :owner,
        ended_at = CASE WHEN stopped THEN :now END,
        state = CASE WHEN NOT stopped THEN 'leased'
                     WHEN maybe_accepted = 1 THEN 'dropped'
                     ELSE 'suppressed' END
    FROM (SELECT d.id AS chosen,
              {HAS_LEFT} AS stopped
          FROM {_LEAVING} AND d.next_at <= :now
          ORDER BY d.next_at, d.id LIMIT :most) AS next
    WHERE id = chosen RETURNING id, state, next_at AS due"""

_ROWS = f"""
    SELECT d.id, r.address, r.channel, {SUBJECT} AS subject, d.state, d.attempt,
        d.queued_at, d.next_at, d.ended_at, d.reply, d.message_id, d.again,
        (SELECT COUNT(*) FROM content_paper cp WHERE cp.content = d.content) AS papers
    FROM delivery d
    JOIN subscriber r ON r.id = d.subscriber
    JOIN content c ON c.id = d.content"""

_REPEATED = """
    SELECT d.subscriber, d.content, d.state, d.from_seq, d.queued_at, r.address, r.gone, x.reason,
        COALESCE(d.again, d.id) AS first,
        EXISTS (SELECT 1 FROM body b WHERE b.content = d.content) AS has_body,
        (SELECT COALESCE(MAX(o.id), 0) FROM delivery o
         WHERE o.subscriber = d.subscriber AND o.again > 0) AS last
    FROM delivery d
    JOIN subscriber r ON r.id = d.subscriber
    LEFT JOIN suppression x ON lower(x.address) = lower(r.address)
    WHERE d.id = ?"""


def _refuse_repeat(delivery: int, row: dict[str, Any]) -> None:
    """Raise UsageError where a digest cannot be repeated, with what to do instead."""
    if row["gone"]:
        raise UsageError(
            f"{row['address']} is no subscriber any more",
            remedy="'digest subscribe' brings them back",
        )
    if row["reason"]:
        raise UsageError(f"mail to {row['address']} is suppressed ({row['reason']})")
    if row["state"] in NOT_CARRIED:
        raise UsageError(
            f"the digest of delivery {delivery} has not gone ({row['state']})",
            remedy="its papers come with the next digest",
        )
    if row["state"] in OPEN:
        raise UsageError(
            f"the digest of delivery {delivery} is still on its way",
            remedy=f"'digest outbox retry {delivery}' lets it leave with the next run",
        )
