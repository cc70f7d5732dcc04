"""What is remembered of a channel's other side, as the mail server: whether it is given a rest and
why, and how much it was given lately.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from digest.model import Outcome, Receipt
from digest.rules.bounces import Fault, bare_words, fault_of
from digest.rules.channels import RateLimit
from digest.store.database import Concern, Database
from digest.store.readers import count_readers
from digest.store.rows import columns_of, from_text

PAUSES = tuple(timedelta(minutes=m) for m in (5, 15, 30, 60))
"""The rest after each failure of the server in a row; the last one repeats, and is taken at once
where only a person can mend what is wrong: servers lock accounts after some refused logins. A rest
that the server itself asks for is taken in place of that, and none is longer than the last one."""
STREAK = 3
"""From this many messages in a row on, refused as a matter of policy, or in the same words, or left
without an answer, it is the server's failure."""
DAY = timedelta(days=1)
_WITHOUT_CAUSE = (Fault.UNKNOWN, Fault.ROUTE, Fault.MAILBOX)
"""Faults of which nobody knows whose they are, while one reader's refusal is all that is known.
Never among them: that the mailbox does not exist, which concerns that reader alone."""


@dataclass(frozen=True, slots=True)
class RelayState:
    """How a channel's server is. Times are UTC.

    `failures` in a row gave it a rest until `paused_until`, the first of them at `tripped_since`;
    `reason` is in the server's own words. `streak` counts messages in a row that were refused as a
    matter of policy, or in the same words (`refusal`, the last time to the reader `refused`), or
    left without an answer. `permanent`: only a person can mend it, as with a refused login.
    """

    failures: int = 0
    streak: int = 0
    tripped_since: datetime | None = None
    paused_until: datetime | None = None
    reason: str = ""
    permanent: bool = False
    refusal: str = ""
    refused: int = 0

    def is_paused(self, now: datetime) -> bool:
        """Whether it is given a rest now. An end further off than any rest was set by a clock that
        has been wrong.
        """
        return self.paused_until is not None and now < self.paused_until <= now + PAUSES[-1]


class Relay(Concern):
    """The breaker of one channel, and the count of what left by it. `guesses`: see ChannelRules.

    It trips when the server cannot be used, and lets a single message try after each rest; the
    first one that is taken closes it.
    """

    def __init__(self, database: Database, name: str, *, guesses: bool) -> None:
        super().__init__(database)
        self._name, self._guesses = name, guesses

    def state(self) -> RelayState:
        """How the server is, by all that is remembered."""
        found = self._db.first(RelayState, "SELECT * FROM relay WHERE name = ?", [self._name])
        return found or RelayState()

    def judge(self, receipt: Receipt, now: datetime, reader: int = 0, address: str = "") -> Receipt:
        """Take note of how an attempt for a reader ended, and return what that means for the
        message.

        Where the server does not tell (`ChannelRules.guesses`), a message that was refused as a
        matter of policy, or in words that name no cause of the reader's, is not at fault where
        others before it were refused so too. Belongs into the transaction that records the attempt.
        """
        state = self.state()
        match receipt.outcome:
            case Outcome.RELAY:
                self._return_token()
                self._write(_tripped(state, receipt, now))
            case Outcome.SENT if state != RelayState():
                self._write(RelayState())
            case Outcome.UNKNOWN | Outcome.FAILED if self._guesses:
                if self._is_everybodys(state, receipt, now, reader, address):
                    return Receipt(Outcome.RELAY, receipt.reply)
            case Outcome.DEFERRED | Outcome.FAILED:
                self._answered(state)
        return receipt

    def _is_everybodys(
        self, state: RelayState, receipt: Receipt, now: datetime, reader: int, address: str
    ) -> bool:
        """Whether a refusal is now taken for the server's failure, and not for one reader's; a
        silence only counts towards that.
        """
        # docs/decisions.md, "Three refusals in a row, or three silences, are the server's trouble".
        if receipt.outcome is Outcome.UNKNOWN:
            self._suspect(state, receipt, now)
            return False
        if receipt.policy:
            # Where there are fewer readers, it is the server's when all of them were refused.
            most = min(STREAK, count_readers(self._db) or STREAK)
            return self._suspect(state, receipt, now, most)
        if fault_of(receipt.reply) in _WITHOUT_CAUSE:
            return self._suspect_words(receipt, now, reader, bare_words(receipt.reply, address))
        self._answered(state)
        return False

    def _suspect(
        self, state: RelayState, receipt: Receipt, now: datetime, most: int = STREAK
    ) -> bool:
        """Count what may be the server's failure; whether it is taken for one now."""
        state = replace(state, streak=state.streak + 1)
        trips = state.streak >= most or state.failures > 0
        self._write(_tripped(state, receipt, now) if trips else state)
        return trips

    def _suspect_words(self, receipt: Receipt, now: datetime, reader: int, said: str) -> bool:
        """Count a refusal where another reader's was in the same words; whether it is taken for the
        server's failure now.
        """
        state = self.state()
        if said != state.refusal:
            self._answered(state)
            state = self.state()
            row = state.streak if state.failures else 1
            self._write(replace(state, streak=row, refusal=said, refused=reader))
            return False
        if reader == state.refused and not state.failures:
            return False
        return self._suspect(replace(state, refused=reader), receipt, now)

    def _answered(self, state: RelayState) -> None:
        """End the rests of a server that answers again, unless it took no message lately."""
        # That it answers does not yet mean that it takes messages again.
        if state.failures and state.streak < STREAK:
            self._write(RelayState(streak=state.streak))

    def use(self, server: str) -> None:
        """Begin to work with the server that is called so; what is remembered of another one is no
        judgement on it.
        """
        with self._db.transaction():
            known = self._db.value("SELECT place FROM relay WHERE name = ?", [self._name])
            if known != server:
                self._db.write("DELETE FROM relay WHERE name = ?", [self._name])
                self._db.write(
                    """INSERT INTO relay(name, place, failures, streak, reason, permanent)
                       VALUES(?, ?, 0, 0, '', 0)""",
                    [self._name, server],
                )

    def end_pause(self, now: datetime) -> bool:
        """End the rest, as a person wishes; returns whether there was one."""
        with self._db.transaction():
            state = self.state()
            if state.paused_until is not None:
                self._write(replace(state, paused_until=None))
        return state.is_paused(now)

    def _write(self, state: RelayState) -> None:
        self._db.write(
            """INSERT INTO relay(name, place, failures, streak, tripped_since, paused_until,
                   reason, permanent, refusal, refused)
               VALUES(:name, '', :failures, :streak, :tripped_since, :paused_until,
                   :reason, :permanent, :refusal, :refused)
               ON CONFLICT(name) DO UPDATE SET
                   failures = :failures, streak = :streak, tripped_since = :tripped_since,
                   paused_until = :paused_until, reason = :reason, permanent = :permanent,
                   refusal = :refusal, refused = :refused""",
            columns_of(state) | {"name": self._name},
        )

    def room(self, now: datetime, limits: Sequence[RateLimit], most: int) -> int:
        """How many messages may leave now, at most `most`. Belongs into the claiming transaction.

        Each message takes a token, which comes back one period later; so no stretch of that length
        ever sees more, which is how providers count. A bucket that fills steadily would let twice
        as many out in one.
        """
        # A clock that was set back would otherwise keep tokens away for as long.
        self._db.write(
            "UPDATE handover SET at = :now WHERE channel = :channel AND at > :now",
            {"now": now, "channel": self._name},
        )
        # docs/decisions.md, "A token comes back one period after it was taken"
        left = (limit.number - self.handed_over(now, limit.period) for limit in limits)
        return max(min([most, *left]), 0)

    def handed_over(self, now: datetime, period: timedelta = DAY) -> int:
        """How many messages left in the last `period`, whatever became of them."""
        return self._db.number(
            "SELECT SUM(number) FROM handover WHERE channel = ? AND at > ?",
            [self._name, now - period],
        )

    def take(self, number: int, now: datetime, limits: Sequence[RateLimit]) -> None:
        """Write down that `number` messages leave now, and delete what no limit looks back to."""
        oldest = max([DAY, *(limit.period for limit in limits)])
        self._db.write(
            "DELETE FROM handover WHERE channel = ? AND at <= ?", [self._name, now - oldest]
        )
        self._db.write(
            "INSERT INTO handover(channel, at, number) VALUES(?, ?, ?)", [self._name, now, number]
        )

    def take_one(self, now: datetime, limits: Sequence[RateLimit]) -> bool:
        """Take a token for a message that is in no outbox; false where none is left."""
        with self._db.transaction():
            if not self.room(now, limits, 1):
                return False
            self.take(1, now, limits)
        return True

    def judge_one(self, receipt: Receipt, now: datetime, address: str) -> Receipt:
        """Judge the attempt for a message that is in no outbox."""
        with self._db.transaction():
            return self.judge(receipt, now, address=address)

    def _return_token(self) -> None:
        """Undo the last `take` for one message, which did not leave after all."""
        self._db.write(
            """UPDATE handover SET number = number - 1
               WHERE id = (SELECT MAX(id) FROM handover WHERE channel = ? AND number > 0)""",
            [self._name],
        )

    def room_at(self, now: datetime, limits: Sequence[RateLimit]) -> datetime:
        """When the next message may leave, by the limits alone: now, or when enough tokens have
        come back.
        """
        return max((self._room_at(now, limit) for limit in limits), default=now)

    def _room_at(self, now: datetime, limit: RateLimit) -> datetime:
        rows = self._db.rows(
            "SELECT at, number FROM handover WHERE channel = ? AND at > ? ORDER BY at",
            [self._name, now - limit.period],
        )
        used = sum(row["number"] for row in rows)
        moment = now
        for row in rows:
            if used < limit.number:
                break
            used -= row["number"]
            moment = min(from_text(row["at"]), now) + limit.period
        return moment

    def opens_at(self, now: datetime, limits: Sequence[RateLimit]) -> datetime:
        """When mail may leave again: now, or after the rest, or when the limits let it."""
        state = self.state()
        rested = state.paused_until if state.is_paused(now) else None
        return max(rested or now, self.room_at(now, limits))


def _tripped(state: RelayState, receipt: Receipt, now: datetime) -> RelayState:
    """The state after one more failure of the server; what fails during a rest does not lengthen
    it.
    """
    # A person's run tries once during a rest; what it meets must not make the rest longer.
    if state.is_paused(now):
        return replace(state, reason=receipt.reply, permanent=receipt.permanent)
    pause = PAUSES[-1] if receipt.permanent else PAUSES[min(state.failures, len(PAUSES) - 1)]
    return replace(
        state,
        failures=state.failures + 1,
        tripped_since=state.tripped_since or now,
        paused_until=now + min(receipt.rest or pause, PAUSES[-1]),
        reason=receipt.reply,
        permanent=receipt.permanent,
    )
