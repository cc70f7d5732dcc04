"""The delivering step of a cycle: what waits in the outbox leaves, in groups that the way out takes
at a time.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from digest.errors import DigestError
from digest.mail.github import assemble_issues
from digest.mail.message import Sender, assemble
from digest.mail.transport import Transport
from digest.model import REPOSITORY, Outcome, Outgoing, RateLimit, Receipt, State
from digest.store import Store
from digest.store.relay import RelayState
from digest.subscribers.pseudonyms import conceal, reveal
from digest.system.signals import Stop

log = logging.getLogger(__name__)

SHORT_WAIT = timedelta(minutes=1)
"""A limit such as 20 a minute is waited for inside a cycle; what waits longer waits in the
outbox."""
TOGETHER = 0.01
"""Seconds for which an answer waits for others to be written down with it: each commit waits for
the disk."""


@dataclass(slots=True)
class Delivered:
    """What came of the messages that were tried.

    `paused`: why the server is given a rest, which kept the others back; `room_at`: when the limits
    let the next one leave, where they did.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    given_up: list[str] = field(default_factory=list)
    paused: RelayState | None = None
    room_at: datetime | None = None

    def add(self, other: Delivered) -> None:
        """Add what a later round brought."""
        self.outcomes.update(other.outcomes)
        self.given_up += other.given_up
        self.paused, self.room_at = other.paused, other.room_at

    def add_issues(self, posted: Delivered) -> None:
        """Add what became of issues, which says nothing about the mail server."""
        self.outcomes.update(posted.outcomes)
        self.given_up += posted.given_up


@dataclass(frozen=True, slots=True)
class Delivery:
    """What delivering works with. `clock` gives now in UTC; `issues` posts what goes to
    repositories; `mailboxes` are the addresses of readers whom the database knows by another name,
    None where those names are to stay.

    `insist`: try even where the server is given a rest, since a person asks for it. `rest` sleeps
    so many seconds, or less where a stop is asked for; without it nothing is waited for.
    """

    store: Store
    transport: Transport
    sender: Sender
    clock: Callable[[], datetime]
    hold_unknown: bool
    stop: Stop
    progress: Callable[[str], None]
    issues: Transport
    mailboxes: Mapping[str, str] | None = field(default=None, repr=False)
    limits: Sequence[RateLimit] = ()
    insist: bool = False


async def deliver(work: Delivery, *, patient: bool = False) -> Delivered:
    """Send everything that may leave now; `patient`: also what short limits let leave soon.

    Begins with a single message, and goes on with groups once one was taken: so a wrong password is
    tried once, and a server that is back from trouble is not flooded. Ends early where the server
    cannot be used, or on a stop.
    """
    done, store = Delivered(), work.store
    if _bounces_surge(work, done):
        return done
    store.relay.use(work.transport.description)
    state = store.relay.state()
    if state.is_paused(work.clock()) and not work.insist:
        done.paused = state
        return done
    most = 1
    while not work.stop.is_set():
        group = store.outbox.claim(
            work.clock(), hold_unknown=work.hold_unknown, most=most, limits=work.limits
        )
        if not group:
            if patient and await _room_comes_soon(work):
                continue
            break
        work.progress(f"mailing {group[0].address}")
        sent = await _send_group(work, group, done)
        state = store.relay.state()
        if state.is_paused(work.clock()):
            done.paused = state
            break
        if _bounces_surge(work, done):
            break
        most = work.transport.width if sent else 1
    done.room_at = _room_at(work)
    return done


async def post_issues(work: Delivery) -> Delivered:
    """Post what waits for repositories, one after the other; the mail server's rests and limits are
    not theirs.
    """
    done = Delivered()
    while not work.stop.is_set():
        group = work.store.outbox.claim(work.clock(), hold_unknown=work.hold_unknown, issues=True)
        if not group:
            break
        work.progress(f"posting to {group[0].address}")
        await _send_group(work, group, done)
    return done


def _bounces_surge(work: Delivery, done: Delivered) -> bool:
    """Whether so many readers bounce that nothing more is to leave."""
    surge = work.store.suppressions.surge(work.clock())
    if surge is not None:
        done.paused = RelayState(reason=surge.words)
    return surge is not None


async def _room_comes_soon(work: Delivery) -> bool:
    """Wait for a limit that lets the next message leave soon; false where there is none, or no time
    to wait.
    """
    room_at = _room_at(work)
    if room_at is None or room_at - work.clock() > SHORT_WAIT:
        return False
    while (before := work.clock()) < room_at:
        work.progress("waiting, as DIGEST_MAIL_RATE wishes")
        await work.stop.rest(1)
        if (
            work.stop.is_set() or work.clock() <= before
        ):  # a clock that stands still is a rehearsed one
            return False
    return True


def _room_at(work: Delivery) -> datetime | None:
    """When the limits let the next message leave that could leave now, if they keep it back."""
    now = work.clock()
    due, room = (
        work.store.outbox.next_at(hold_unknown=work.hold_unknown),
        work.store.relay.room_at(now, work.limits),
    )
    return room if due is not None and due <= now < room else None


async def _send_group(work: Delivery, group: list[Outgoing], done: Delivered) -> bool:
    """Hand over a group at the same time, settling each message as it ends; returns whether one was
    taken.
    """
    tasks = {asyncio.create_task(_send(work, outgoing)): outgoing for outgoing in group}
    pending, taken = set(tasks), False
    # That the server failed is noted last: it outweighs that another message of the group was
    # taken.
    failures: list[tuple[Outgoing, Receipt]] = []
    work.stop.in_flight = True
    try:
        while pending:
            ended, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if pending:
                others_too, pending = await asyncio.wait(pending, timeout=TOGETHER)
                ended |= others_too
            receipts = [(tasks[task], task.result()) for task in ended]
            failures += [each for each in receipts if each[1].outcome is Outcome.RELAY]
            others = [each for each in receipts if each[1].outcome is not Outcome.RELAY]
            _settle(work, others, done)
            taken = taken or any(receipt.outcome is Outcome.SENT for _, receipt in others)
        _settle(work, failures, done)
    except BaseException:
        await _abandon(work, tasks)
        raise
    finally:
        work.stop.in_flight = False
    return taken


def _settle(work: Delivery, receipts: list[tuple[Outgoing, Receipt]], done: Delivered) -> None:
    """Write down what came of some messages."""
    if not receipts:
        return
    settled = work.store.outbox.record(receipts, work.clock(), random.random)
    for (outgoing, _), (state, receipt) in zip(receipts, settled, strict=True):
        done.outcomes[receipt.outcome] += 1
        log.info("delivery %d: %s %s", outgoing.id, state, receipt.reply)
        if state in (State.FAILED, State.DROPPED):
            done.given_up.append(f"{outgoing.address}: {receipt.reply}")


async def _abandon(work: Delivery, tasks: dict[asyncio.Task[Receipt], Outgoing]) -> None:
    """Stop what is in flight and settle it by how far it had come; without the store, the next
    cycle does that.
    """
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    with suppress(DigestError):
        whole = [
            (o, t.result()) for t, o in tasks.items() if not t.cancelled() and t.exception() is None
        ]
        work.store.outbox.record(whole, work.clock())
        work.store.outbox.recover(work.clock())


async def _send(work: Delivery, outgoing: Outgoing) -> Receipt:
    """Try one message. What goes wrong unforeseen concerns this message alone, by how far it had
    come.
    """
    handed_over = False

    def before_data() -> None:
        nonlocal handed_over
        work.store.outbox.enter_data(outgoing)
        handed_over = True

    named = outgoing if work.mailboxes is None else reveal(outgoing, work.mailboxes)
    if named is None:
        return Receipt(Outcome.DEFERRED, "the subscribers file no longer holds this reader")
    try:
        if outgoing.address.startswith(REPOSITORY):
            return await work.issues.send(assemble_issues(outgoing), before_data)
        receipt = await work.transport.send(assemble(named, work.sender), before_data)
        return (
            receipt
            if named is outgoing
            else replace(receipt, reply=conceal(receipt.reply, named.address))
        )
    except DigestError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        hidden = named is not outgoing
        log.error(
            "delivery %d to %s: %s",
            outgoing.id,
            outgoing.address,
            type(error).__name__,
            exc_info=not hidden,
        )
        outcome = Outcome.UNKNOWN if handed_over else Outcome.DEFERRED
        said = conceal(said, named.address) if hidden else said
        return Receipt(outcome, f"an error of the program itself ({said})")
