"""The delivering step of a cycle: what waits in the outbox leaves, one message after the other."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from digest.errors import DigestError
from digest.mail.message import Sender, assemble
from digest.mail.transport import Transport
from digest.model import Outcome, Outgoing, Receipt, State
from digest.stopping import Stop
from digest.store import Store

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Delivered:
    """What came of the messages that were tried. `relay`: the receipt that ended the work early."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    relay: Receipt | None = None
    given_up: list[str] = field(default_factory=list)

    def add(self, other: Delivered) -> None:
        """Add what a later round brought."""
        self.outcomes.update(other.outcomes)
        self.relay = other.relay or self.relay
        self.given_up += other.given_up


async def deliver(
    store: Store,
    transport: Transport,
    sender: Sender,
    *,
    clock: Callable[[], datetime],
    hold_unknown: bool,
    stop: Stop,
    progress: Callable[[str], None],
) -> Delivered:
    """Send everything that may leave now. Ends early where the relay cannot be used, or when `stop` is set."""
    done = Delivered()
    if surge := store.suppressions.surge(clock()):
        done.relay = Receipt(Outcome.RELAY, surge)
        return done
    while not stop.is_set():
        outgoing = store.outbox.claim(clock(), hold_unknown=hold_unknown)
        if outgoing is None:
            break
        progress(f"mailing {outgoing.address}")
        stop.in_flight = True
        try:
            receipt = await _send(store, transport, sender, outgoing, clock)
        finally:
            stop.in_flight = False
        state = store.outbox.settle(outgoing, receipt, clock(), random.random)
        done.outcomes[receipt.outcome] += 1
        log.info("delivery %d: %s %s", outgoing.id, state, receipt.reply)
        if state in (State.FAILED, State.DROPPED):
            done.given_up.append(f"{outgoing.address}: {receipt.reply}")
        if receipt.outcome == Outcome.RELAY:
            done.relay = receipt
            break
    return done


async def _send(
    store: Store, transport: Transport, sender: Sender, outgoing: Outgoing, clock: Callable[[], datetime]
) -> Receipt:
    """Try one message. What goes wrong unforeseen concerns this message alone, by how far it had come.

    Cancelled in the middle, or with the store gone, it is settled where that can be, and the error goes on.
    """
    handed_over = False

    def before_data() -> None:
        nonlocal handed_over
        store.outbox.enter_data(outgoing)
        handed_over = True

    try:
        return await transport.send(assemble(outgoing, sender), before_data)
    except (DigestError, asyncio.CancelledError) as error:
        outcome = Outcome.UNKNOWN if handed_over else Outcome.RELAY
        store.outbox.settle(outgoing, Receipt(outcome, str(error) or "stopped"), clock())
        raise
    except Exception as error:
        log.exception("delivery %d to %s", outgoing.id, outgoing.address)
        outcome = Outcome.UNKNOWN if handed_over else Outcome.DEFERRED
        return Receipt(outcome, f"an error of the program itself ({type(error).__name__}: {error})")
