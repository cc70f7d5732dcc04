"""From a message in the inbox to what follows from it: who is not mailed any more, and what is left
for a person.

Only what proves itself counts: a token that we signed, or the Message-ID of a mail of ours, which
only those know who had it. So a forged bounce suppresses nobody.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from digest.mail.incoming import read_incoming
from digest.mail.mailbox import Mailbox, MailboxLocation
from digest.mail.message import bare_address
from digest.mail.reader_tokens import Purpose, Signer
from digest.mail.received import Incoming, MessageKind
from digest.store import Store
from digest.store.suppressions import Effect
from digest.subscribers.pseudonyms import Pseudonyms, conceal

log = logging.getLogger(__name__)

FIRST_READ = timedelta(days=30)
"""A mailbox that was never read before is read this far back."""
CHUNK = 50
"""Messages after which the place in the mailbox is remembered."""

EFFECTS = {
    Effect.SUPPRESSED: "bounced ({}): not mailed any more",
    Effect.NOTED: "bounced ({}): noted",
    Effect.SURGE: "bounced ({}), with many others at once: the sending rests, and nobody is"
    " suppressed",
    Effect.KNOWN: "bounced ({}): that was known",
}


@dataclass(frozen=True, slots=True)
class InboxResult:
    """The result for one message. `handled`: nobody needs to look at it; `address` is the
    reader's, if any.
    """

    incoming: Incoming
    handled: bool
    did: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class InboxReader:
    """Reads an inbox. `place` is the mailbox; `clock` gives now in UTC; `names` are made
    of the addresses where the database is to hold none.
    """

    store: Store
    signer: Signer
    place: MailboxLocation
    password: str
    tls_context: ssl.SSLContext | None
    clock: Callable[[], datetime]
    names: Pseudonyms | None = None


async def process_inbox(reader: InboxReader) -> list[InboxResult]:
    """Read all that is new in the mailbox, and act upon it. Raises what the mailbox raises.

    What was acted upon is remembered in the database before it is marked in the mailbox: stopped in
    between, the next reading finds it done.
    """
    store, name = reader.store, reader.place.name
    name = reader.names.of(name) if reader.names else name
    # docs/decisions.md, “IMAP in a thread, by IMAPClient”.
    mailbox = await asyncio.to_thread(
        Mailbox, reader.place, reader.password, tls_context=reader.tls_context
    )
    results: list[InboxResult] = []
    try:
        after = store.inbox.place(name, mailbox.validity)
        since = None if after else (reader.clock() - FIRST_READ).date()
        while uids := await asyncio.to_thread(mailbox.uids, after=after, since=since, limit=CHUNK):
            handled = []
            for uid in uids:
                raw = await asyncio.to_thread(mailbox.fetch, uid)
                if raw is not None:
                    results.append(
                        process_message(store, reader.signer, raw, reader.clock(), reader.names)
                    )
                    handled += [uid] if results[-1].handled else []
            await asyncio.to_thread(mailbox.mark_handled, handled)
            after = uids[-1]
            # docs/decisions.md, “The inbox is remembered twice”.
            store.inbox.advance(name, mailbox.validity, after)
    finally:
        await asyncio.to_thread(mailbox.close)
    return results


def process_message(
    store: Store, signer: Signer, raw: bytes, now: datetime, names: Pseudonyms | None = None
) -> InboxResult:
    """Act upon one message, once; with `names`, nothing of what is remembered or said of it holds
    an address.
    """
    incoming = _concealed(read_incoming(raw), names) if names else read_incoming(raw)
    key = hashlib.sha256(raw).hexdigest()
    # The same bytes again, as after a crash or from a second mailbox.
    if store.inbox.handled(key):
        return InboxResult(incoming, True, "was handled before")
    result = _ACTIONS[incoming.kind](store, signer, key, incoming, now)
    log.info("%s: %s", result.address or incoming.sender or "a message", result.did)
    return result


def _concealed(incoming: Incoming, names: Pseudonyms) -> Incoming:
    """The same message in which each address is a name, or gone."""
    said = incoming.said
    for address in incoming.recipients:
        said = conceal(said, bare_address(address))
    return replace(
        incoming,
        said=conceal(said),
        recipients=frozenset(names.of(bare_address(address)) for address in incoming.recipients),
        sender=conceal(incoming.sender),
        subject=conceal(incoming.subject),
    )


def _leave(
    store: Store, signer: Signer, key: str, incoming: Incoming, now: datetime
) -> InboxResult:
    # A bounce address stands in the logs of every server on the way: it proves a bounce, and no
    # reader's wish.
    reader = _by_token(store, signer, incoming)
    if reader is None:
        answered = store.inbox.delivery_of(incoming.message_ids)
        reader = answered[1] if answered else None
    if reader is None:
        return _unproven(
            incoming,
            "asks to leave, and proves not for whom: 'digest unsubscribe EMAIL' does it by hand",
        )
    fresh = store.inbox.unsubscribe(key, reader, "by mail", now)
    return _done(store, incoming, reader, "unsubscribed" if fresh else "was unsubscribed already")


def _complaint(
    store: Store, signer: Signer, key: str, incoming: Incoming, now: datetime
) -> InboxResult:
    reader = _reader(store, signer, incoming)
    if reader is None:
        return _unproven(incoming, "a complaint that names no mail of ours")
    fresh = store.inbox.complain(key, reader, incoming.said, now)
    did = (
        f"complained ({incoming.said}): not mailed any more"
        if fresh
        else "complained, and had left already"
    )
    return _done(store, incoming, reader, did)


def _bounce(
    store: Store, signer: Signer, key: str, incoming: Incoming, now: datetime
) -> InboxResult:
    found = _delivery(store, signer, incoming)
    if found is None:
        return _unproven(
            incoming, "a bounce that names no mail of ours: nobody is suppressed for it"
        )
    delivery, reader = found
    own = bare_address(store.inbox.address_of(reader) or "").casefold()
    # A report may name several recipients; only one of ours failed for sure.
    undelivered = own in {bare_address(address).casefold() for address in incoming.recipients}
    effect = store.inbox.bounce(
        key,
        delivery,
        incoming.said or "without words",
        now,
        status=incoming.status,
        undelivered=undelivered,
    )
    return _done(store, incoming, reader, EFFECTS[effect or Effect.KNOWN].format(incoming.said))


def _ignore(
    store: Store, signer: Signer, key: str, incoming: Incoming, now: datetime
) -> InboxResult:
    """A notice of delay or an out-of-office note: no bounce, and nobody's wish; of ours it needs
    nobody's eyes.
    """
    reader = _reader(store, signer, incoming)
    if reader is None:
        return _unproven(incoming, f"{incoming.kind}, not about a mail of ours")
    store.inbox.ignore(key, now)
    return _done(store, incoming, reader, f"{incoming.kind}: nothing to do")


def _other(
    _store: Store, _signer: Signer, _key: str, incoming: Incoming, _now: datetime
) -> InboxResult:
    return _unproven(incoming, "no bounce, and no request to leave that proves itself")


_ACTIONS = {
    MessageKind.LEAVE: _leave,
    MessageKind.COMPLAINT: _complaint,
    MessageKind.BOUNCE: _bounce,
    MessageKind.DELAY: _ignore,
    MessageKind.REPLY: _ignore,
    MessageKind.OTHER: _other,
}


def _done(store: Store, incoming: Incoming, reader: int, did: str) -> InboxResult:
    return InboxResult(incoming, True, did, store.inbox.address_of(reader) or "")


def _unproven(incoming: Incoming, why: str) -> InboxResult:
    return InboxResult(incoming, False, why)


def _reader(store: Store, signer: Signer, incoming: Incoming) -> int | None:
    """The reader whom a message is about, by a token or by a mail of ours."""
    reader = _by_token(store, signer, incoming)
    if reader is not None:
        return reader
    found = _delivery(store, signer, incoming)
    return found[1] if found else None


def _by_token(store: Store, signer: Signer, incoming: Incoming) -> int | None:
    """The reader whose own token stands in a message."""
    numbers = signer.numbers(Purpose.LEAVE, incoming.evidence)
    return next((number for number in numbers if store.inbox.address_of(number) is not None), None)


def _delivery(store: Store, signer: Signer, incoming: Incoming) -> tuple[int, int] | None:
    """The delivery that a message is about, and its reader."""
    for number in signer.numbers(Purpose.BOUNCE, incoming.evidence):
        found = store.inbox.delivery(number)
        if found is not None:
            return found
    return store.inbox.delivery_of(incoming.message_ids)
