"""Recognizes messages in the inbox: a bounce, a complaint, a request to leave, or none of these.

Nothing is believed here: the tokens and Message-IDs that stand in the message are returned, and
whoever acts on them asks whether they are genuine.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import Message

from digest.mail.message import words
from digest.mail.reader_tokens import TOKEN
from digest.mail.received import (
    Incoming,
    MessageKind,
    content,
    header,
    message_ids,
    recipients_of,
)
from digest.mail.reports import read_older_bounce, read_report

log = logging.getLogger(__name__)

_WORD = re.compile(r"\bunsubscribe\b", re.IGNORECASE)
_LEAVE_LINE = re.compile(r"(?!>)\W*(?:please\s+)?unsubscribe(?:\s+me)?\W*", re.IGNORECASE)
_REPLY_PREFIX = re.compile(r"^(?:(?:re|aw|antw|sv|vs|tr)\s*:\s*)+", re.IGNORECASE)
_AWAY = re.compile(
    r"out of (?:the )?office|auto(?:matic|mated)?[ -]?(?:reply|response)|abwesenheit|vacation",
    re.IGNORECASE,
)
_FIRST_LINES = 20


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
        sender=words(header(message, "From"), 100),
        subject=words(header(message, "Subject"), 100),
    )


def _read(message: Message) -> Incoming:
    """The first reading that fits; what proves most comes first."""
    readings = (read_report, _leave_by_token, read_older_bounce, _automatic_reply, _leave_in_words)
    return next(
        filter(None, (reading(message) for reading in readings)), Incoming(MessageKind.OTHER)
    )


def _leave_by_token(message: Message) -> Incoming | None:
    """The request that List-Unsubscribe makes of a mail program: its subject has the token."""
    subject = header(message, "Subject")
    asked = _WORD.search(subject) and TOKEN.search(subject.lower())
    # A note of absence may repeat the subject of what it answers.
    if asked and _auto_submitted(message) != "auto-replied":
        return Incoming(MessageKind.LEAVE, subject)
    return None


def _automatic_reply(message: Message) -> Incoming | None:
    if not _is_automatic(message):
        return None
    return Incoming(MessageKind.REPLY, recipients_of(message), _answered(message))


def _leave_in_words(message: Message) -> Incoming | None:
    """A reply whose subject or first line asks for nothing but to leave."""
    subject = _REPLY_PREFIX.sub("", header(message, "Subject"))
    if _LEAVE_LINE.fullmatch(subject) or _LEAVE_LINE.fullmatch(_first_line(message)):
        return Incoming(MessageKind.LEAVE, recipients_of(message), _answered(message))
    return None


def _answered(message: Message) -> tuple[str, ...]:
    return message_ids([message], "In-Reply-To", "References")


def _is_automatic(message: Message) -> bool:
    """Whether a program wrote this in answer to a mail (RFC 3834, and what was usual before it)."""
    names = ("X-Autoreply", "X-Autorespond", "X-AutoReply-From")
    return bool(
        _auto_submitted(message) not in ("", "no")
        or any(name in message for name in names)
        or header(message, "Precedence").strip().lower() in ("auto_reply", "auto-reply")
        or _AWAY.search(header(message, "Subject"))
    )


def _auto_submitted(message: Message) -> str:
    return header(message, "Auto-Submitted").partition(";")[0].strip().lower()


def _first_line(message: Message) -> str:
    """The first line that the writer wrote; nothing where that is a quotation."""
    for part in message.walk():
        if part.get_content_type() == "text/plain" and not part.get_filename():
            charset = part.get_content_charset() or "utf-8"
            text = content(part).decode(charset, "replace")
            lines = [line.strip() for line in text.splitlines()[:_FIRST_LINES]]
            return next((line for line in lines if line), "")
    return ""
