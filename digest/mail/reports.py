"""Reads what servers send back: delivery reports, complaints, and bounces from before there were
reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from email import message_from_bytes
from email.message import Message
from urllib.parse import unquote

from digest.mail.message import words
from digest.mail.received import (
    Incoming,
    MessageKind,
    content,
    header,
    headers,
    message_ids,
    recipients_of,
)
from digest.rules.bounces import status_of

_TOKEN_HEADERS = ("Return-Path", "List-Unsubscribe", "X-Envelope-From")
_MAIL_SYSTEMS = re.compile(
    r"(?:mailer-?daemon|mail-?daemon|postmaster|mailsystem|mail-?system)\b", re.IGNORECASE
)


def read_report(message: Message) -> Incoming | None:
    """A delivery status notification (RFC 3464) or a feedback report (RFC 5965)."""
    readers = {"message/feedback-report": _complaint, "message/delivery-status": _bounce}
    for part in message.walk():
        if reader := readers.get(part.get_content_type()):
            return reader(part, *_evidence(message))
    return None


def _evidence(message: Message) -> tuple[str, tuple[str, ...]]:
    """The text in which a token may stand, and the Message-IDs of the mails that are returned."""
    returned = list(_returned(message))
    texts = [
        unquote(text) for one in returned for name in _TOKEN_HEADERS for text in headers(one, name)
    ]
    return "\n".join([recipients_of(message), *texts]), message_ids(returned, "Message-ID")


def _returned(message: Message) -> Iterator[Message]:
    """The headers of mails that are returned in this one, whole or alone (RFC 3462 section 2)."""
    for part in message.walk():
        kind = part.get_content_type()
        if kind in ("message/rfc822", "message/global", "message/rfc822-headers"):
            yield from _inner(part)
        elif kind == "text/rfc822-headers":
            yield message_from_bytes(content(part))


def _inner(part: Message) -> list[Message]:
    """The messages, or blocks of fields, of which a part consists."""
    payload = part.get_payload()
    return [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []


def _bounce(part: Message, evidence: str, message_ids: tuple[str, ...]) -> Incoming:
    """A delivery status notification (RFC 3464): what is said of the recipient who fared worst."""
    reports = [block for block in _inner(part) if block.get("Action")]
    failed = [block for block in reports if header(block, "Action").strip().lower() == "failed"]
    if not failed:
        kind = MessageKind.DELAY if reports else MessageKind.OTHER
        return Incoming(kind, evidence, message_ids)
    status, said = max((_status(block) for block in failed), key=lambda found: found[0])
    return Incoming(MessageKind.BOUNCE, evidence, message_ids, status, said, _recipients(failed))


def _recipients(blocks: Iterable[Message]) -> frozenset[str]:
    """The addresses of which a report tells, as they were given and as the server knows them."""
    names = ("Original-Recipient", "Final-Recipient")
    written = [header(block, name) for block in blocks for name in names]
    plain = {text.rpartition(";")[2].strip().strip("<>") for text in written} - {""}
    # An original recipient may be in xtext, where +2B is a plus (RFC 3461 section 4).
    decoded = {re.sub(r"\+([0-9A-F]{2})", lambda x: chr(int(x[1], 16)), one) for one in plain}
    return frozenset(plain | decoded)


def _status(block: Message) -> tuple[str, str]:
    """Status and words of one recipient's report; a status that says nothing gives way to the
    server's own.
    """
    said = words(
        header(block, "Diagnostic-Code").partition(";")[2] or header(block, "Diagnostic-Code")
    )
    status, own = status_of(header(block, "Status")), status_of(said)
    if own and (not status or (status.endswith(".0.0") and own[0] == status[0])):
        status = own
    return status, said or status


def _complaint(part: Message, evidence: str, message_ids: tuple[str, ...]) -> Incoming:
    """A feedback report (RFC 5965): somebody called the mail spam, or the contrary."""
    fields = next(iter(_inner(part)), None) or message_from_bytes(content(part))
    kind = header(fields, "Feedback-Type").strip().lower()
    if kind in ("", "not-spam"):  # the second is sent when a mail is taken out of a spam folder
        return Incoming(MessageKind.OTHER, evidence, message_ids)
    by = header(fields, "User-Agent") or header(fields, "Reporting-MTA")
    return Incoming(
        MessageKind.COMPLAINT,
        evidence,
        message_ids,
        said=words(f"{kind}, reported by {by}" if by else kind),
    )


def read_older_bounce(message: Message) -> Incoming | None:
    """A bounce in one of the forms from before RFC 3464, which many servers still write."""
    sender = header(message, "From")
    if not _MAIL_SYSTEMS.search(sender) and "X-Failed-Recipients" not in message:
        return None
    from flufl.bounce import all_failures

    temporary, permanent = all_failures(message)
    if not temporary and not permanent:
        return None
    failed = frozenset(address.decode("utf-8", "replace") for address in permanent)
    kind = MessageKind.BOUNCE if failed else MessageKind.DELAY
    said = words(header(message, "Subject"))
    return Incoming(kind, *_evidence(message), recipients=failed, said=said)
