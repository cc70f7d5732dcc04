"""A digest that went to a reader, as it was read: which one is meant, and showing it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

from digest.cli.base import Context
from digest.cli.look.preview import open_page, readable_json
from digest.cli.look.reader import known_reader, readable_roster
from digest.errors import UsageError
from digest.mail.message import assemble
from digest.model import Channel, Outgoing
from digest.rules.channels import RULES
from digest.rules.schedule import local_date
from digest.setup.channels import chat_text
from digest.setup.mail import make_sender
from digest.setup.parts import message_of
from digest.setup.subscribers import read_roster, roster_or_empty
from digest.store import Store
from digest.subscribers.pseudonyms import mailboxes, reveal


def chosen_digest(context: Context, store: Store, email: str, day: str | None) -> int:
    """The number of the last digest that went to a reader, or on a day in the reader's zone;
    UsageError where there is none.
    """
    roster = readable_roster(context, why="days are in UTC")
    reader = known_reader(context.settings, roster, store, email)
    digests = store.history.deliveries(reader.number)
    where = ""
    if day is not None:
        wanted = _day(day)
        digests = [d for d in digests if local_date(d.queued_at, reader.zone).isoformat() == wanted]
        where = f" on {wanted}"
    if not digests:
        raise UsageError(
            f"no digest went to {email}{where}", remedy=f"'digest history {email}' lists them"
        )
    gone = [d for d in digests if d.state in ("sent", "dropped")]
    return (gone or digests)[0].id


def _day(text: str) -> str:
    try:
        return datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        raise UsageError(f"--date {text!r} is no date", remedy="write it as 2026-11-23") from None


def revealed(context: Context, store: Store, delivery: int) -> Outgoing:
    """All that a delivery's message is made of, with the reader's address; it is told where it may
    differ from what was sent.
    """
    outgoing, differs = message_of(context.settings, store, delivery)
    if differs:
        context.warn(differs)
    # The database holds a name in the address's place: the message as it leaves has the address.
    if context.settings.subscribers_yaml:
        outgoing = reveal(outgoing, mailboxes(read_roster(context.settings))) or outgoing
    return outgoing


def show_digest(
    context: Context, store: Store, email: str, day: str | None, *, open_browser: bool
) -> None:
    """Print a digest that went to a reader, or open it in the browser; without the links by which
    its reader leaves.
    """
    outgoing = revealed(context, store, chosen_digest(context, store, email, day))
    if outgoing.channel is not Channel.MAIL:
        if open_browser:
            items = RULES[outgoing.channel].items
            raise UsageError(f"{email} gets {items}, and no mail", remedy="leave --open out")
        if outgoing.channel is Channel.WEBHOOK:
            context.echo(readable_json(outgoing.pieces[0]))
            return
        if outgoing.channel is Channel.APPRISE:
            context.echo(chat_text(context.settings, roster_or_empty(context.settings), outgoing))
            return
        bodies = (piece.decode() for piece in outgoing.pieces)
        context.echo(f"Title: {outgoing.subject}", *(f"\n{body}" for body in bodies))
        return
    message = assemble(replace(outgoing, reader=0), make_sender(context.settings))
    parsed = message_from_bytes(message.data, EmailMessage, policy=policy.default)
    if not open_browser:
        context.echo(f"Subject: {outgoing.subject}\n\n{_part(parsed, 'plain')}")
        return
    html = _part(parsed, "html")
    if not html:
        raise UsageError("this digest has a text part alone", remedy="leave --open out")
    open_page(context, html)


def _part(message: EmailMessage, kind: str) -> str:
    """A part's text, "" where there is none such."""
    part = message.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n") if part else ""
