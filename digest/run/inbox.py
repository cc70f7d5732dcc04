"""From a message in the inbox to what follows from it: who is not mailed any more, and what is left
for a person.

Only what proves itself counts: a token that we signed, or the Message-ID of a mail of ours, which
only those know who had it. So a forged bounce suppresses nobody.
"""

from __future__ import annotations

import asyncio
import logging
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import parseaddr
from pathlib import Path

from digest.mail.mailbox import MailboxLocation
from digest.mail.mailbox_process import Fetched, MailboxProcess, open_mailbox, too_slow
from digest.mail.message import bare_address
from digest.mail.parse import key_of
from digest.mail.reader_tokens import Purpose, Signer
from digest.mail.received import Incoming, MessageKind
from digest.run.farewell import NO_DELIVERY, bounced_farewell
from digest.run.letters import bounced_letter
from digest.run.likes import choose
from digest.store import Store
from digest.store.bounces import Effect
from digest.subscribers.pseudonyms import Pseudonyms, conceal

log = logging.getLogger(__name__)

FIRST_READ = timedelta(days=30)
"""A mailbox that was never read before is read this far back."""
HUGE = 10_000_000
"""Bytes of a message whose size may be why it could not be fetched."""
CHUNK = 50
"""Messages for which the mailbox is searched at a time."""

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


@dataclass(slots=True)
class Reading:
    """What a reading of the mailbox came to. `begun`: the server told what is new; `finished`: all
    of that was looked at before the time was over.
    """

    results: list[InboxResult] = field(default_factory=list)
    begun: bool = False
    finished: bool = False


@dataclass(frozen=True, slots=True)
class InboxReader:
    """Reads an inbox. `place` is the mailbox, `ca` the file of a private authority's certificate;
    `clock` gives now in UTC; `names` are made of the addresses where the database is to hold none.
    """

    store: Store
    signer: Signer
    place: MailboxLocation
    password: str
    ca: Path | None
    clock: Callable[[], datetime]
    names: Pseudonyms | None = None

    def leave(self, fetched: Fetched, why: str) -> InboxResult:
        """Leave a message that was not read for a person."""
        incoming = Incoming(MessageKind.OTHER, sender=fetched.sender, subject=fetched.subject)
        return _unproven(_concealed(incoming, self.names) if self.names else incoming, why)


async def process_inbox(reader: InboxReader, seconds: float) -> Reading:
    """Read what is new in the mailbox for at most `seconds`, and act upon it. Raises ConfigError or
    TryLaterError where the mailbox cannot be read.

    What was acted upon is remembered in the database before it is marked in the mailbox: stopped in
    between, the next reading finds it done.
    """
    reading = Reading()
    try:
        async with asyncio.timeout(seconds):
            while not reading.finished:
                async with open_mailbox(
                    reader.place, reader.password, reader.ca, seconds
                ) as mailbox:
                    await _read_on(reader, mailbox, reading)
    except TimeoutError:
        if not reading.begun:
            raise too_slow(reader.place, seconds) from None
    return reading


async def _read_on(reader: InboxReader, mailbox: MailboxProcess, reading: Reading) -> None:
    """Read and act until nothing is new, or until a message ends the mailbox's process."""
    inbox, name = reader.store.inbox, reader.place.name
    name = reader.names.of(name) if reader.names else name
    after = inbox.place(name, mailbox.validity)
    since = None if after else (reader.clock() - FIRST_READ).date()
    while uids := await mailbox.uids(after=after, since=since, limit=CHUNK):
        reading.begun = True
        for uid in uids:
            # docs/decisions.md, “A mail is noted before it is read”.
            number = key_of(f"{name} {mailbox.validity} {uid}".encode())
            fetched = await _fetch(reader, mailbox, uid, number)
            inbox.end(number)
            if fetched is not None and fetched.refused:
                why = f"the mail server does not send message {uid} ({fetched.refused})"
                reading.results.append(reader.leave(fetched, why))
                # Where it sends a later one, this one is passed over; else it is asked for again.
                continue
            if fetched is not None:
                result = await _read_one(reader, mailbox, fetched)
                reading.results.append(result)
                if result.handled:
                    await mailbox.mark_handled(uid)
            # docs/decisions.md, “The inbox is remembered twice”.
            inbox.advance(name, mailbox.validity, uid)
            if mailbox.ended:
                return
        after = uids[-1]
    reading.finished = True


async def _fetch(
    reader: InboxReader, mailbox: MailboxProcess, uid: int, number: str
) -> Fetched | None:
    """Get one message, which is noted by its number before. Where that was begun before and broke
    off, its size is asked for first: not every server sends only the part that is asked for.
    """
    inbox = reader.store.inbox
    if inbox.is_begun(number) and (size := await mailbox.size(uid)) > HUGE:
        return Fetched(huge=f"message {uid} has {size:,} bytes, which took too much to fetch")
    inbox.begin(number, reader.clock())
    return await mailbox.fetch(uid)


async def _read_one(reader: InboxReader, mailbox: MailboxProcess, fetched: Fetched) -> InboxResult:
    """Read one message that was fetched, and act upon it. One that ended its reading once, or the
    whole program with it twice, is left for a person.
    """
    inbox, key = reader.store.inbox, fetched.key
    if fetched.huge:
        return _given_up(reader, fetched, fetched.huge)
    # docs/decisions.md, “A mail is noted before it is read”.
    if not inbox.begin(key, reader.clock()) and not inbox.handled(key):
        return _given_up(reader, fetched, "reading it was broken off before")
    try:
        incoming = await mailbox.read()
    except asyncio.CancelledError:
        inbox.end(key)  # the time was over, or a stop was asked for: not the message's fault
        raise
    if incoming is None:
        inbox.give_up(key, reader.clock())
        return _given_up(reader, fetched, "reading it takes too much time or memory")
    inbox.end(key)
    return act(reader.store, reader.signer, key, incoming, reader.clock(), reader.names)


def _given_up(reader: InboxReader, fetched: Fetched, why: str) -> InboxResult:
    """Leave a message for a person, who is told of it: it may be a request to leave."""
    result = reader.leave(fetched, why)
    who = f"{result.incoming.sender or 'nobody'}, {result.incoming.subject!r}"
    log.warning("%s: left for a person: %s: %s", reader.place.name, who, why)
    return result


def process_message(
    store: Store, signer: Signer, raw: bytes, now: datetime, names: Pseudonyms | None = None
) -> InboxResult:
    """Read a message that a person has saved, and act upon it."""
    # Elsewhere the mailbox's process alone reads mails.
    from digest.mail.incoming import read_incoming

    return act(store, signer, key_of(raw), read_incoming(raw), now, names)


def act(
    store: Store,
    signer: Signer,
    key: str,
    incoming: Incoming,
    now: datetime,
    names: Pseudonyms | None,
) -> InboxResult:
    """Act upon one message, once; with `names`, nothing of what is remembered or said of it holds
    an address.
    """
    incoming = _concealed(incoming, names) if names else incoming
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
        return _unproven(incoming, _by_hand(store, incoming))
    fresh = store.inbox.unsubscribe(key, reader, "by mail", now)
    return _done(store, incoming, reader, "unsubscribed" if fresh else "was unsubscribed already")


def _by_hand(store: Store, incoming: Incoming) -> str:
    """What a person can do about a request that proves nothing: anybody can write any sender."""
    # docs/decisions.md, “A request without proof is for a person”.
    known = store.history.reader(parseaddr(incoming.sender)[1])
    address = known.address if known and known.left_at is None else ""
    who = f", but its sender {address} is a reader" if address else ""
    command = f"digest unsubscribe {shlex.quote(address) if address else 'EMAIL'}"
    return f"asks to leave, and proves not for whom{who}: '{command}' does it by hand"


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
    if letter := bounced_letter(store, incoming.message_ids):
        store.letters.note_bounce(letter)
        store.inbox.ignore(key, now)
        did = f"a letter that was asked for on the web bounced ({incoming.said}): no more go there"
        return InboxResult(incoming, True, did, letter.address)
    left = bounced_farewell(store, incoming.message_ids)
    if left or NO_DELIVERY in signer.numbers(Purpose.BOUNCE, incoming.evidence):
        store.inbox.ignore(key, now)
        did = f"the last mail, to who has left, bounced ({incoming.said}): nothing to do"
        return InboxResult(incoming, True, did, left or "")
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


def _like(store: Store, signer: Signer, key: str, incoming: Incoming, now: datetime) -> InboxResult:
    chosen = choose(store, signer, incoming.evidence, incoming.numbers)
    if chosen is None:
        return _unproven(incoming, "asks for more like some papers, of no mail that is known")
    if not chosen.papers:
        return _unproven(incoming, "asks for more like some papers, and names none of its mail")
    if store.naming.mark:
        return _unproven(incoming, "likes are not kept where strangers may see the database")
    store.inbox.like(key, chosen.reader, chosen.papers, now)
    others = ", ".join(map(str, chosen.missing))
    missing = f"; its mail has no paper {others}" if others else ""
    return _done(store, incoming, chosen.reader, f"likes {', '.join(chosen.papers)}{missing}")


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
    return _unproven(
        incoming, incoming.said or "no bounce, and no request to leave that proves itself"
    )


_ACTIONS = {
    MessageKind.LEAVE: _leave,
    MessageKind.LIKE: _like,
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
