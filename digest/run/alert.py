"""The operator hears of trouble, and of its end: after each cycle what is wrong is compared with
what was reported.
"""

from __future__ import annotations

import logging
import platform
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import Path

from digest.mail.body import LONGEST_LINE
from digest.mail.message import Message, Sender, address_in, header_text
from digest.mail.transport import Transport
from digest.model import Outcome, Roster
from digest.rules.alarm import Facts, Notice, decide
from digest.rules.channels import RULES
from digest.store import Store
from digest.store.relay import STREAK
from digest.store.suppressions import Refused
from digest.times import in_utc

log = logging.getLogger(__name__)

LASTING = 2
"""From this many failures of the mail server in a row on, the operator is told: one alone is over
within minutes."""

UNREAD = timedelta(days=1)
"""For so long a mailbox may be out of reach without the operator's being told: requests to leave
are to be honoured within two days."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """The parts with which the operator is told. `address` is the operator's, `home` tells which
    installation speaks; `reads_mailbox`: a mailbox is set.
    """

    store: Store
    transport: Transport
    sender: Sender
    address: str
    home: Path
    reads_mailbox: bool = False


async def after_cycle(
    alarm: Alarm, roster: Roster | None, error: str | None, now: datetime
) -> None:
    """Tell the operator what a cycle showed, if that is news.

    `error` is why it failed, or empty; None for a cycle that is neither here nor there.

    The mail does not pass through the outbox, and leaves also while mail rests, being one message;
    but a server that cannot be used at all is left alone until its rest is over. Where it is not
    accepted the next cycle tries again, and in the end tells when all is well.
    """
    store = alarm.store
    failed, why = store.alarms.note_cycle(None if error is None else header_text(error))
    facts = Facts(
        failed_cycles=failed,
        error=why,
        mail_rests=_mail_rests(store, now),
        mailbox_unread=_mailbox_unread(store, now) if alarm.reads_mailbox else "",
        last_good=_unanswered(store, roster) if roster else {},
        mistakes=tuple(map(str, roster.mistakes)) if roster else (),
        refused=tuple(map(_refused, store.suppressions.refused(now))),
    )
    # A pure decision, so that an alarm that could not be sent is taken again next time.
    decision = decide(facts, store.alarms.memory(), now)
    reported = (
        decision.notice is not None
        and not _is_away(store, now)
        and await _tell(alarm, decision.notice, now)
    )
    keep = reported or decision.notice is None
    store.alarms.remember(decision.if_accepted if keep else decision.memory)


def _mail_rests(store: Store, now: datetime) -> str:
    """Why digests do not leave, where that is more than a passing trouble of a channel's server."""
    if surge := store.suppressions.surge(now):
        return surge.words
    found = []
    for channel, relay in store.relays.items():
        state = relay.state()
        lasting = state.permanent or state.failures >= LASTING or state.streak >= STREAK
        if state.tripped_since is not None and lasting:
            since = in_utc(state.tripped_since)
            found.append(f"{RULES[channel].server} is in trouble since {since}: {state.reason}")
    return "; ".join(found)


def _mailbox_unread(store: Store, now: datetime) -> str:
    """Why the mailbox is not read, where that is so for long."""
    unread = store.inbox.unread()
    if unread is None or now - unread.since < UNREAD:
        return ""
    return f"nobody who asks to leave is heard since {in_utc(unread.since)}: {unread.words}"


def _refused(one: Refused) -> str:
    """That a reader's mail is refused day after day, for no fault of theirs."""
    return (
        f"no mail reached {one.address} since {in_utc(one.since)}, refused on {one.days} days"
        f" ({one.words}): the papers are due again each day"
    )


def _is_away(store: Store, now: datetime) -> bool:
    """Whether the mail server could not even be used, and rests: trying would be what the rest is
    to spare it.
    """
    state = store.relay.state()
    return state.is_paused(now) and state.streak < STREAK


def _unanswered(store: Store, roster: Roster) -> dict[str, datetime]:
    """The keywords whose last fetches failed, with the time of the last good one."""
    keywords = store.mistakes.completed(roster).keywords
    names = {keyword.query: keyword.name for keyword in reversed(keywords)}
    queries = store.windows.queries(list(names))
    return {
        names[q.text]: q.last_good_at for q in queries if q.failures and q.last_good_at is not None
    }


async def _tell(alarm: Alarm, notice: Notice, now: datetime) -> bool:
    """Mail a notice; whether it was accepted, as far as one knows."""
    # docs/decisions.md, “The mail to the operator is not in the outbox”.
    receipt = await alarm.transport.send(_message(alarm, notice, now), lambda: None)
    if receipt.outcome in (Outcome.SENT, Outcome.UNKNOWN):
        return True
    log.warning("the operator could not be told (%s): %s", notice.subject, receipt.reply)
    return False


def _message(alarm: Alarm, notice: Notice, now: datetime) -> Message:
    where = f"Digest on {platform.node() or 'this machine'}, in {alarm.home}"
    sender, recipient = alarm.sender, address_in(alarm.address)
    mail = EmailMessage(policy=SMTP.clone(max_line_length=LONGEST_LINE))
    mail["From"] = sender.address
    mail["To"] = recipient
    mail["Subject"] = header_text(f"Digest: {notice.subject}")[:200]
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = make_msgid("alarm", domain=sender.domain)
    mail["Auto-Submitted"] = "auto-generated"
    lines = "\n".join(f"- {header_text(line)}" for line in notice.lines)
    advice = "'digest status' shows how it is now, 'digest doctor' what to do. This is told once."
    mail.set_content(f"{where}:\n\n{lines}\n\n{advice}\n", cte="quoted-printable")
    return Message(
        sender.address,
        recipient,
        mail["Message-ID"],
        mail.as_bytes(),
        smtputf8=not recipient.isascii(),
    )
