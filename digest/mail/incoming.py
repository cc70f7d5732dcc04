"""Recognizes messages in the inbox: a bounce, a complaint, a request to leave, or none of these.

Nothing is believed here: the tokens and Message-IDs that stand in the message are returned, and
whoever acts on them asks whether they are genuine.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from email.message import Message
from enum import StrEnum
from typing import Any
from urllib.parse import unquote

from digest.errors import one_line
from digest.mail.message import words
from digest.mail.reader_tokens import TOKEN
from digest.rules.bounces import status_of

log = logging.getLogger(__name__)

_RECIPIENT_HEADERS = (
    "To",
    "Cc",
    "Delivered-To",
    "X-Original-To",
    "Envelope-To",
    "X-Envelope-To",
    "X-Delivered-To",
)
_TOKEN_HEADERS = ("Return-Path", "List-Unsubscribe", "X-Envelope-From")
_WORD = re.compile(r"\bunsubscribe\b", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,250}>")
_LEAVE_LINE = re.compile(r"(?!>)\W*(?:please\s+)?unsubscribe(?:\s+me)?\W*", re.IGNORECASE)
_REPLY_PREFIX = re.compile(r"^(?:(?:re|aw|antw|sv|vs|tr)\s*:\s*)+", re.IGNORECASE)
_AWAY = re.compile(
    r"out of (?:the )?office|auto(?:matic|mated)?[ -]?(?:reply|response)|abwesenheit|vacation",
    re.IGNORECASE,
)
_MAIL_SYSTEMS = re.compile(
    r"(?:mailer-?daemon|mail-?daemon|postmaster|mailsystem|mail-?system)\b", re.IGNORECASE
)
_FIRST_LINES = 20


class MessageKind(StrEnum):
    """The kinds of messages that are told apart."""

    BOUNCE = "bounce"
    DELAY = "delay"
    COMPLAINT = "complaint"
    LEAVE = "leave"
    REPLY = "automatic reply"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it was read.

    `evidence` is the text in which a token may stand, and `message_ids` those of mails that it is
    about: whoever knows one of ours has had the mail. For a bounce, `status` is the enhanced status
    code (RFC 3463), empty where there is none; `said` is the remote server's own words;
    `recipients` are the addresses that failed. `sender` and `subject` are for people.
    """

    kind: MessageKind
    evidence: str = ""
    message_ids: tuple[str, ...] = ()
    status: str = ""
    said: str = ""
    recipients: frozenset[str] = frozenset()
    sender: str = ""
    subject: str = ""


def read_incoming(raw: bytes) -> Incoming:
    """Say what a message is. Whatever the bytes are, nothing is raised."""
    try:
        message = message_from_bytes(raw, policy=policy.compat32)
        found = _read(message)
    except Exception:
        # The libraries stumble over some of the malformed mail that exists; people read it better.
        log.debug("a message that cannot be read", exc_info=True)
        return Incoming(MessageKind.OTHER)
    return replace(
        found,
        sender=words(_header(message, "From"), 100),
        subject=words(_header(message, "Subject"), 100),
    )


def _read(message: Message) -> Incoming:
    """The first reading that fits; what proves most comes first."""
    readings = (_report, _leave_by_token, _older_bounce, _automatic_reply, _leave_in_words)
    return next(
        filter(None, (reading(message) for reading in readings)), Incoming(MessageKind.OTHER)
    )


def _report(message: Message) -> Incoming | None:
    """A delivery status notification (RFC 3464) or a feedback report (RFC 5965)."""
    readers = {"message/feedback-report": _complaint, "message/delivery-status": _bounce}
    for part in message.walk():
        if reader := readers.get(part.get_content_type()):
            return reader(part, *_evidence(message))
    return None


def _leave_by_token(message: Message) -> Incoming | None:
    """The request that List-Unsubscribe makes of a mail program: its subject has the token."""
    subject = _header(message, "Subject")
    asked = _WORD.search(subject) and TOKEN.search(subject.lower())
    # A note of absence may repeat the subject of what it answers.
    if asked and _auto_submitted(message) != "auto-replied":
        return Incoming(MessageKind.LEAVE, subject)
    return None


def _automatic_reply(message: Message) -> Incoming | None:
    if not _is_automatic(message):
        return None
    return Incoming(MessageKind.REPLY, _recipients_of(message), _answered(message))


def _leave_in_words(message: Message) -> Incoming | None:
    """A reply whose subject or first line asks for nothing but to leave."""
    subject = _REPLY_PREFIX.sub("", _header(message, "Subject"))
    if _LEAVE_LINE.fullmatch(subject) or _LEAVE_LINE.fullmatch(_first_line(message)):
        return Incoming(MessageKind.LEAVE, _recipients_of(message), _answered(message))
    return None


def _recipients_of(message: Message) -> str:
    return "\n".join(text for name in _RECIPIENT_HEADERS for text in _headers(message, name))


def _answered(message: Message) -> tuple[str, ...]:
    return _message_ids([message], "In-Reply-To", "References")


def _evidence(message: Message) -> tuple[str, tuple[str, ...]]:
    """The text in which a token may stand, and the Message-IDs of the mails that are returned."""
    returned = list(_returned(message))
    texts = [
        unquote(text) for one in returned for name in _TOKEN_HEADERS for text in _headers(one, name)
    ]
    return "\n".join([_recipients_of(message), *texts]), _message_ids(returned, "Message-ID")


def _message_ids(messages: Iterable[Message], *names: str) -> tuple[str, ...]:
    texts = [text for one in messages for name in names for text in _headers(one, name)]
    return tuple(dict.fromkeys(one for text in texts for one in _MESSAGE_ID.findall(text)))


def _returned(message: Message) -> Iterator[Message]:
    """The headers of mails that are returned in this one, whole or alone (RFC 3462 section 2)."""
    for part in message.walk():
        kind = part.get_content_type()
        if kind in ("message/rfc822", "message/global", "message/rfc822-headers"):
            yield from _inner(part)
        elif kind == "text/rfc822-headers":
            yield message_from_bytes(_bytes(part))


def _inner(part: Message) -> list[Message]:
    """The messages, or blocks of fields, of which a part consists."""
    payload = part.get_payload()
    return [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []


def _bounce(part: Message, evidence: str, message_ids: tuple[str, ...]) -> Incoming:
    """A delivery status notification (RFC 3464): what is said of the recipient who fared worst."""
    reports = [block for block in _inner(part) if block.get("Action")]
    failed = [block for block in reports if _header(block, "Action").strip().lower() == "failed"]
    if not failed:
        kind = MessageKind.DELAY if reports else MessageKind.OTHER
        return Incoming(kind, evidence, message_ids)
    status, said = max((_status(block) for block in failed), key=lambda found: found[0])
    return Incoming(MessageKind.BOUNCE, evidence, message_ids, status, said, _recipients(failed))


def _recipients(blocks: Iterable[Message]) -> frozenset[str]:
    """The addresses of which a report tells, as they were given and as the server knows them."""
    names = ("Original-Recipient", "Final-Recipient")
    written = [_header(block, name) for block in blocks for name in names]
    plain = {text.rpartition(";")[2].strip().strip("<>") for text in written} - {""}
    # An original recipient may be in xtext, where +2B is a plus (RFC 3461 section 4).
    decoded = {re.sub(r"\+([0-9A-F]{2})", lambda x: chr(int(x[1], 16)), one) for one in plain}
    return frozenset(plain | decoded)


def _status(block: Message) -> tuple[str, str]:
    """Status and words of one recipient's report; a status that says nothing gives way to the
    server's own.
    """
    said = words(
        _header(block, "Diagnostic-Code").partition(";")[2] or _header(block, "Diagnostic-Code")
    )
    status, own = status_of(_header(block, "Status")), status_of(said)
    if own and (not status or (status.endswith(".0.0") and own[0] == status[0])):
        status = own
    return status, said or status


def _complaint(part: Message, evidence: str, message_ids: tuple[str, ...]) -> Incoming:
    """A feedback report (RFC 5965): somebody called the mail spam, or the contrary."""
    fields = next(iter(_inner(part)), None) or message_from_bytes(_bytes(part))
    kind = _header(fields, "Feedback-Type").strip().lower()
    if kind in ("", "not-spam"):  # the second is sent when a mail is taken out of a spam folder
        return Incoming(MessageKind.OTHER, evidence, message_ids)
    by = _header(fields, "User-Agent") or _header(fields, "Reporting-MTA")
    return Incoming(
        MessageKind.COMPLAINT,
        evidence,
        message_ids,
        said=words(f"{kind}, reported by {by}" if by else kind),
    )


def _older_bounce(message: Message) -> Incoming | None:
    """A bounce in one of the forms from before RFC 3464, which many servers still write."""
    sender = _header(message, "From")
    if not _MAIL_SYSTEMS.search(sender) and "X-Failed-Recipients" not in message:
        return None
    from flufl.bounce import all_failures

    temporary, permanent = all_failures(message)
    if not temporary and not permanent:
        return None
    failed = frozenset(address.decode("utf-8", "replace") for address in permanent)
    kind = MessageKind.BOUNCE if failed else MessageKind.DELAY
    said = words(_header(message, "Subject"))
    return Incoming(kind, *_evidence(message), recipients=failed, said=said)


def _is_automatic(message: Message) -> bool:
    """Whether a program wrote this in answer to a mail (RFC 3834, and what was usual before it)."""
    names = ("X-Autoreply", "X-Autorespond", "X-AutoReply-From")
    return bool(
        _auto_submitted(message) not in ("", "no")
        or any(name in message for name in names)
        or _header(message, "Precedence").strip().lower() in ("auto_reply", "auto-reply")
        or _AWAY.search(_header(message, "Subject"))
    )


def _auto_submitted(message: Message) -> str:
    return _header(message, "Auto-Submitted").partition(";")[0].strip().lower()


def _first_line(message: Message) -> str:
    """The first line that the writer wrote; nothing where that is a quotation."""
    for part in message.walk():
        if part.get_content_type() == "text/plain" and not part.get_filename():
            charset = part.get_content_charset() or "utf-8"
            text = _bytes(part).decode(charset, "replace")
            lines = [line.strip() for line in text.splitlines()[:_FIRST_LINES]]
            return next((line for line in lines if line), "")
    return ""


def _bytes(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _header(message: Message, name: str) -> str:
    """A header in one line, decoded; nothing where it is missing."""
    return next(iter(_headers(message, name)), "")


def _headers(message: Message, name: str) -> list[str]:
    from email.header import decode_header, make_header

    def decoded(value: Any) -> str:
        try:
            text = str(make_header(decode_header(str(value))))
        except (ValueError, LookupError):
            text = str(value)
        return one_line(text)

    return [decoded(value) for value in message.get_all(name, [])]
