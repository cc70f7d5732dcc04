"""The mails with a link that people asked for on the web, and the readers who are to be forgotten.

Each is decided on here, when it leaves: whoever has an address already is told so and gets no
second sign-up, and nobody is mailed whose address bounced or who complained.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from digest.mail.body import freeze
from digest.mail.message import message_id
from digest.mail.reader_tokens import Purpose
from digest.model import Channel, Origin, Outgoing, Rendered
from digest.run.alone import AGAIN, mail_alone
from digest.run.deliver import Mailer, pause_of
from digest.run.session import Session
from digest.store.letters import Letter, LetterKind
from digest.store.suppressions import Reason

if TYPE_CHECKING:
    from digest.model import Roster, Subscriber
    from digest.store import Store

log = logging.getLogger(__name__)

NO_DELIVERY = 0
"""The number in the bounce address of a letter, which is no delivery of the outbox."""
_MARK = "the-line-of-the-reader"
_TEXTS = {
    "sign up": (
        "Confirm your address",
        """\
Somebody, probably you, asked that new arXiv papers be mailed to this address.
To begin, open this page and press its button, within 48 hours:

{link}

If it was not you, do nothing: no digest comes to you.
""",
    ),
    "known": (
        "You get digests already",
        """\
Somebody, probably you, signed up for new arXiv papers with this address, to
which they go already. What comes, and when, is changed here:

{choices}

If it was not you, do nothing: all stays as it is.
""",
    ),
    "key": (
        "Your link",
        """\
By this link, which is good for 30 minutes, you see what is kept of you, can
have it erased, and get another address:

{link}

If you asked for no link, do nothing.
""",
    ),
    "move": (
        "Confirm your new address",
        """\
A reader of new arXiv papers, probably you, asked that they come to this
address from now on. To confirm, open this page and press its button, within
48 hours:

{link}

If it was not you, do nothing.
""",
    ),
}
"""Subjects and texts of the letters."""


async def mail_letters(session: Session, mailer: Mailer, roster: Roster) -> None:
    """Mail what was asked for, as far as the mail server and the limits let it; whoever is to be
    forgotten is.
    """
    store = session.store
    limits = mailer.carriers[Channel.MAIL].terms.limits
    readers = {reader.email.casefold(): reader for reader in roster.subscribers}
    for letter in store.letters.wanted(session.clock()):
        if letter.kind is LetterKind.FORGET:
            _forget(session, letter)
            continue
        known = readers.get(letter.address.casefold())
        kind = _kind(session, letter, known, held=bool(roster.why_held_back(letter.address)))
        if kind is None or not mailer.sender.base_url:
            store.letters.end(letter)
            continue
        if session.stop.is_set() or pause_of(session, Channel.MAIL):
            return
        if not store.letters.has_room(session.clock(), limits):
            return
        if not store.relay.take_one(session.clock(), limits):
            return
        await _mail(session, mailer, letter, kind)


def _kind(session: Session, letter: Letter, known: Subscriber | None, *, held: bool) -> str | None:
    """What a letter is to say; None where none is to go to its address."""
    suppressed = session.store.suppressions.of(letter.address)
    if suppressed and suppressed.reason in (Reason.BOUNCED, Reason.COMPLAINED):
        return None
    if session.store.letters.has_bounced(letter.address):
        return None
    reads = (known is not None or held) and suppressed is None
    match letter.kind:
        case LetterKind.SIGN_UP:
            return "known" if reads else "sign up"
        case LetterKind.MOVE:
            return None if reads or (known and known.origin is Origin.FILE) else "move"
        case _:
            return str(letter.kind)


async def _mail(session: Session, mailer: Mailer, letter: Letter, kind: str) -> None:
    letters = session.store.letters
    outgoing = _outgoing(session, mailer, letter, kind)
    receipt = await mail_alone(
        session, mailer, outgoing, partial(letters.enter_data, letter, session.clock())
    )
    if receipt.outcome in AGAIN:
        letters.retry(letter, session.clock())
    log.info("%s: letter (%s): %s", letter.address, kind, receipt.reply)


def _forget(session: Session, letter: Letter) -> None:
    session.store.personal.forget(letter.address, session.clock())
    session.store.personal.clear_traces()
    log.info("a reader was forgotten, as they asked for")


def bounced_letter(store: Store, message_ids: Sequence[str]) -> Letter | None:
    """The letter that bears one of these Message-IDs; None for all others."""
    names = {each.lstrip("<").rpartition("@")[0] for each in message_ids}
    sent = store.letters.sent() if any(n.startswith("letter.") for n in names) else []
    return next((one for one in sent if _name_of(store.uuid, one) in names), None)


def _name_of(uuid: str, letter: Letter) -> str:
    """The part of a letter's Message-ID that tells it from all others."""
    unique = hashlib.sha256(f"{uuid} {letter.id} {letter.secret}".encode()).hexdigest()
    return f"letter.{unique[:32]}"


def _outgoing(session: Session, mailer: Mailer, letter: Letter, kind: str) -> Outgoing:
    store, sender, now = session.store, mailer.sender, session.clock()
    subject, text = _TEXTS[kind]
    links = {"link": "", "choices": ""}
    if sender.signer is not None:
        token = sender.signer.token(Purpose.LETTER, letter.id, letter.secret)
        links["link"] = f"{sender.base_url}/c/{token}"
    if kind == "known":
        number = store.subscribers.number(letter.address)
        links["choices"] = sender.choices(number, store.letters.links(number)) if number else ""
    body = f"{text.format_map(links)}\n-- \n{_MARK}\n"
    return Outgoing(
        id=NO_DELIVERY,
        attempt=1,
        address=letter.address,
        name="",
        message_id=message_id(_name_of(store.uuid, letter), sender.domain),
        date=now,
        subject=subject,
        pieces=freeze(Rendered(subject, body, "", _MARK)),
    )
