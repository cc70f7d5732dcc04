"""The delivering step of a cycle: what waits in the outbox leaves, channel by channel, in groups
that the way out takes at a time.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from digest.errors import DigestError
from digest.mail.message import Sender
from digest.mail.transport import Carrier
from digest.model import Channel, Outcome, Outgoing, Receipt, State
from digest.rules.channels import RULES, Terms
from digest.run.session import Session
from digest.store import Store
from digest.store.relay import RelayState
from digest.subscribers.pseudonyms import conceal, reveal

log = logging.getLogger(__name__)

SHORT_WAIT = timedelta(minutes=1)
"""A limit such as 20 a minute is waited for inside a cycle; what waits longer waits in the
outbox."""
TOGETHER = 0.01
"""Seconds for which an answer waits for others to be written down with it: each commit waits for
the disk."""


@dataclass(slots=True)
class Delivered:
    """The outcomes of the messages that were tried.

    `paused`: why a channel's server is given a rest, which kept its others back; `room_at`: when
    its limits let the next one leave, where they did; `tried` are the channels of those messages.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    given_up: list[str] = field(default_factory=list)
    paused: dict[Channel, RelayState] = field(default_factory=dict)
    room_at: dict[Channel, datetime] = field(default_factory=dict)
    tried: set[Channel] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Mailer:
    """What carries the digests of each channel. `mailboxes` are the addresses of readers whom the
    database knows by another name, None where those names are to stay. `ready`, if given, waits
    until the server of this description can be reached.
    """

    carriers: Mapping[Channel, Carrier]
    sender: Sender
    mailboxes: Mapping[str, str] | None = field(default=None, repr=False)
    ready: Callable[[str], Awaitable[None]] | None = None

    async def close(self) -> None:
        """End the connections, also where the run is cancelled meanwhile."""
        for carrier in self.carriers.values():
            await asyncio.shield(carrier.transport.close())


async def deliver(
    session: Session,
    mailer: Mailer,
    done: Delivered | None = None,
    *,
    force: bool = False,
    patient: bool = False,
) -> Delivered:
    """Send everything that may leave now, by every channel: what stops one stops no other. `done`
    is what was delivered before in this run; a channel that was paused then stays so.

    `force`: even where a server is given a rest, since a person asks for it; `patient`: also what
    short limits let leave soon.
    """
    done = done or Delivered()
    while True:
        for channel in mailer.carriers:
            if channel not in done.paused:
                await _deliver_by(channel, session, mailer, done, force=force)
        if not patient or not await _room_comes_soon(session, done):
            return done


async def _deliver_by(
    channel: Channel, session: Session, mailer: Mailer, done: Delivered, *, force: bool
) -> None:
    """Send what may leave now by one channel.

    Begins with a single message, and goes on with groups once one was taken: so a wrong password is
    tried once, and a server that is back from trouble is not flooded. Ends early where the server
    cannot be used, or on a stop.
    """
    store, carrier, most = session.store, mailer.carriers[channel], 1
    # A rest is that of one server: another one in its place is tried at once.
    store.relays[channel].use(carrier.transport.description)
    paused = pause_of(session, channel, force=force)
    while paused is None and not session.stop.is_set():
        group = store.outbox.claim(session.clock(), channel, carrier.terms, most=most)
        if not group:
            break
        session.progress(f"{RULES[channel].leaving} {group[0].address}")
        sent = await _send_group(session, mailer, group, done)
        # docs/decisions.md, “Mail leaves on up to three connections”.
        most = carrier.transport.width if sent else 1
        paused = pause_of(session, channel)
    done.room_at.pop(channel, None)
    if paused is not None:
        done.paused[channel] = paused
    elif (room_at := _room_at(session, channel, carrier.terms)) is not None:
        done.room_at[channel] = room_at


def pause_of(session: Session, channel: Channel, *, force: bool = False) -> RelayState | None:
    """Why nothing more is to leave by a channel: a surge of bounces, which are mail's, or, unless
    `force`, the server's rest.
    """
    now, store = session.clock(), session.store
    if channel is Channel.MAIL and (surge := store.suppressions.surge(now)):
        return RelayState(reason=surge.words)
    state = store.relays[channel].state()
    return state if state.is_paused(now) and not force else None


def opens_at(store: Store, channel: Channel, terms: Terms, now: datetime) -> datetime:
    """When digests may leave again by a channel: now, or after the rest, or when limits let it."""
    opens = store.relays[channel].opens_at(now, terms.limits)
    surge = store.suppressions.surge(now) if channel is Channel.MAIL else None
    return max(opens, surge.until) if surge else opens


async def _room_comes_soon(session: Session, done: Delivered) -> bool:
    """Wait for a limit that lets the next message leave soon; false where there is none, or no time
    to wait.
    """
    room_at = min(done.room_at.values(), default=None)
    if room_at is None or room_at - session.clock() > SHORT_WAIT:
        return False
    while (before := session.clock()) < room_at:
        session.progress("waiting, as DIGEST_MAIL_RATE wishes")
        await session.stop.rest(1)
        # A clock that stands still is a rehearsed one: waiting for it would never end.
        if session.stop.is_set() or session.clock() <= before:
            return False
    return True


def _room_at(session: Session, channel: Channel, terms: Terms) -> datetime | None:
    """When the limits let the next message leave that could leave now, if they keep it back."""
    now, store = session.clock(), session.store
    due = store.outbox.next_at(channel, terms)
    room = store.relays[channel].room_at(now, terms.limits)
    return room if due is not None and due <= now < room else None


async def _send_group(
    session: Session, mailer: Mailer, group: list[Outgoing], done: Delivered
) -> bool:
    """Hand over a group at the same time, recording each message as it ends; returns whether one
    was taken.
    """
    enter = session.store.outbox.enter_data
    tasks = {
        asyncio.create_task(send_one(mailer, each, partial(enter, each))): each for each in group
    }
    pending, taken = set(tasks), False
    # That the server failed is noted last: it outweighs that another message of the group was
    # taken.
    failures: list[tuple[Outgoing, Receipt]] = []
    session.stop.in_flight = True
    try:
        while pending:
            await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            ended, pending = await asyncio.wait(pending, timeout=TOGETHER)
            receipts = [(tasks[task], task.result()) for task in ended]
            others = [each for each in receipts if each[1].outcome is not Outcome.RELAY]
            failures += [each for each in receipts if each[1].outcome is Outcome.RELAY]
            taken = _record(session, others, done) or taken
        _record(session, failures, done)
    except BaseException:
        await _abandon(session, tasks)
        raise
    finally:
        session.stop.in_flight = False
    return taken


def _record(session: Session, receipts: list[tuple[Outgoing, Receipt]], done: Delivered) -> bool:
    """Write down what came of some messages; returns whether one was taken."""
    if not receipts:
        return False
    recorded = session.store.outbox.record(receipts, session.clock(), random.random)
    for (outgoing, _), (state, receipt) in zip(receipts, recorded, strict=True):
        done.outcomes[receipt.outcome] += 1
        done.tried.add(outgoing.channel)
        log.info("delivery %d: %s %s", outgoing.id, state, receipt.reply)
        if state in (State.FAILED, State.DROPPED):
            done.given_up.append(f"{outgoing.address}: {receipt.reply}")
    return any(receipt.outcome is Outcome.SENT for _, receipt in receipts)


async def _abandon(session: Session, tasks: dict[asyncio.Task[Receipt], Outgoing]) -> None:
    """Stop what is in flight and record it by how far it had come; without the store, the next
    cycle does that.
    """
    for task in tasks:
        task.cancel()
    # Cancelled tasks close their connections first: none may go on while the next cycle works.
    results = await asyncio.gather(*tasks, return_exceptions=True)
    whole = [
        (outgoing, result)
        for outgoing, result in zip(tasks.values(), results, strict=True)
        if isinstance(result, Receipt)
    ]
    with suppress(DigestError):
        session.store.outbox.record(whole, session.clock())
        session.store.outbox.recover(session.clock())


async def send_one(mailer: Mailer, outgoing: Outgoing, enter_data: Callable[[], None]) -> Receipt:
    """Try one message. What goes wrong unforeseen concerns this message alone, by how far it had
    come; `enter_data` commits that it may be accepted from now on.
    """
    carrier, handed_over, withheld = mailer.carriers[outgoing.channel], False, ""

    def before_data() -> None:
        nonlocal handed_over, withheld
        # docs/decisions.md, “Each message is marked as in data by itself”.
        try:
            enter_data()
        except LookupError as error:
            withheld = str(error)
            raise
        handed_over = True

    named = outgoing if mailer.mailboxes is None else reveal(outgoing, mailer.mailboxes)
    # Whoever left the file since the digest was queued has no address any more.
    if named is None:
        return Receipt(Outcome.DEFERRED, "the subscribers file no longer holds this reader")
    hidden = named is not outgoing
    try:
        if mailer.ready is not None:
            await mailer.ready(carrier.transport.description)
        receipt = await carrier.transport.send(carrier.assemble(named), before_data)
    except DigestError:
        raise
    except Exception as error:
        receipt = Receipt(Outcome.DEFERRED, withheld)
        if not withheld:
            receipt = _unforeseen(outgoing, error, handed_over=handed_over, hidden=hidden)
    return replace(receipt, reply=conceal(receipt.reply, named.address)) if hidden else receipt


def _unforeseen(
    outgoing: Outgoing, error: Exception, *, handed_over: bool, hidden: bool
) -> Receipt:
    """What came of a message at which the program itself failed."""
    kind = type(error).__name__
    # A traceback may hold the address that the database, and so the log, is not to know.
    words = "delivery %d to %s: %s"
    log.error(words, outgoing.id, outgoing.address, kind, exc_info=None if hidden else error)
    outcome = Outcome.UNKNOWN if handed_over else Outcome.DEFERRED
    return Receipt(outcome, f"an error of the program itself ({kind}: {error})")
