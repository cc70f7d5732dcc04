"""Recognizes messages in the inbox: a bounce, a complaint, a request to leave, or none of these.

Nothing is believed here: the tokens and Message-IDs that stand in the message are returned, and
whoever acts on them asks whether they are genuine.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from email.message import Message
from urllib.parse import unquote

from digest.mail.leaving import asks_to_leave, text_of_page
from digest.mail.liking import numbers_in
from digest.mail.message import words
from digest.mail.parse import LONGEST_HEADER, RefusedError, content, glimpse, parse, text
from digest.mail.reader_tokens import TOKEN
from digest.mail.received import (
    Incoming,
    MessageKind,
    header,
    message_ids,
    recipients_of,
)
from digest.mail.reports import (
    calls_itself_report,
    is_from_nobody,
    is_to_bounce_address,
    read_older_bounce,
    read_report,
)

log = logging.getLogger(__name__)

MOST_NAMED = 200
"""Message-IDs and failed recipients of which more are not looked up."""

# The subjects that our List-Unsubscribe and our likes make; gateways put "[EXT]" before it.
_REQUEST = re.compile(rf"(?:\s*\[[^\]]*\])*\s*unsubscribe[\s+]+{TOKEN.pattern}\s*")
_LIKES = re.compile(rf"(?:\s*\[[^\]]*\])*\s*more[\s+]+like[\s+]+{TOKEN.pattern}(?P<more>.*)")
_WORD = re.compile(r"\bunsubscribe\b", re.IGNORECASE)
_REPLY_PREFIX = re.compile(
    r"(?:\s*(?:re|aw|antw|sv|vs|tr|r|rif|ref|odp|ynt|回复|回覆|答复|返信)\s*[:：])*\s*",
    re.IGNORECASE,
)
# At the beginning: further on it may be a keyword's name, in the subject of a person's reply.
_AWAY = re.compile(
    rf"{_REPLY_PREFIX.pattern}(?:out of (?:the )?office"
    r"|auto(?:matic|mated)?[ -]?(?:reply|response)|auto:|automatische antwort|abwesenheit|vacation"
    r"|réponse automatique|respuesta automática|risposta automatica|resposta automática"
    r"|automatisch antwoord|autosvar|自动回复|自動回覆|自動返信)",
    re.IGNORECASE,
)


def read_incoming(raw: bytes) -> Incoming:
    """Say what a message is. Whatever the bytes are, nothing is raised."""
    sender, subject = glimpse(raw)
    try:
        message = parse(raw)
        found = _read(message)
        sender, subject = header(message, "From"), header(message, "Subject")
    except RefusedError as error:
        found = Incoming(MessageKind.OTHER, said=str(error))
    except Exception as error:
        # The libraries stumble over some of the malformed mail that exists; people read it better.
        log.debug("a message that cannot be read", exc_info=True)
        found = Incoming(MessageKind.OTHER, said=f"it cannot be read ({type(error).__name__})")
    return replace(
        found,
        evidence=found.evidence[:LONGEST_HEADER],
        message_ids=found.message_ids[-MOST_NAMED:],
        recipients=frozenset(sorted(found.recipients)[:MOST_NAMED]),
        sender=words(sender, 100),
        subject=words(subject, 100),
    )


def _read(message: Message) -> Incoming:
    """The first reading that fits; what proves most comes first."""
    readings = (
        read_report,
        _leave_by_token,
        _like_by_token,
        _older_bounce,
        _automatic_reply,
        _leave_in_words,
    )
    return next(
        filter(None, (reading(message) for reading in readings)), Incoming(MessageKind.OTHER)
    )


def _leave_by_token(message: Message) -> Incoming | None:
    """The request that List-Unsubscribe makes of a mail program: its subject has the token.

    Whoever wrote it: Apple's Mail declares it an automatic reply. A note of absence repeats the
    subject of what it answers behind a word of its own.
    """
    # Some programs leave the "%20" as it stands in the address.
    subject = unquote(header(message, "Subject"))
    asked = _WORD.search(subject) and TOKEN.search(subject.lower())
    if _REQUEST.fullmatch(subject.lower()) or (asked and not _is_automatic(message)):
        return Incoming(MessageKind.LEAVE, subject)
    return None


def _like_by_token(message: Message) -> Incoming | None:
    """The mail that a digest offers for its papers: the subject has the token, and behind it or in
    what was written stand their numbers.
    """
    subject = unquote(header(message, "Subject")).lower()
    asked = _LIKES.fullmatch(subject)
    if asked is None or _is_automatic(message):
        return None
    numbers = numbers_in(f"{asked['more']}\n{_written(message)}")
    return Incoming(MessageKind.LIKE, subject, numbers=numbers)


def _older_bounce(message: Message) -> Incoming | None:
    """A bounce that is no report to programs. One to the bounce address of a delivery needs no
    sender that looks like a server's.
    """
    came_back = is_to_bounce_address(message) and not _says_away(message)
    return read_older_bounce(message) if came_back or calls_itself_report(message) else None


def _automatic_reply(message: Message) -> Incoming | None:
    """A program's answer to a mail, such as a note of absence; never what may be a report."""
    if not _is_automatic(message):
        return None
    came_back = is_from_nobody(message) and is_to_bounce_address(message)
    if calls_itself_report(message) or (came_back and not _says_away(message)):
        return Incoming(MessageKind.OTHER, said="a delivery report that cannot be read")
    return Incoming(MessageKind.REPLY, recipients_of(message), _answered(message))


def _leave_in_words(message: Message) -> Incoming | None:
    """A reply whose subject or first sentence asks for nothing but to leave."""
    subject = _REPLY_PREFIX.sub("", header(message, "Subject"), count=1)
    if asks_to_leave(subject) or asks_to_leave(_written(message)):
        return Incoming(MessageKind.LEAVE, recipients_of(message), _answered(message))
    return None


def _answered(message: Message) -> tuple[str, ...]:
    return message_ids([message], "In-Reply-To", "References")


def _is_automatic(message: Message) -> bool:
    """Whether a program wrote this in answer to a mail (RFC 3834, and what was usual before it)."""
    return _auto_submitted(message) not in ("", "no") or _says_away(message)


def _says_away(message: Message) -> bool:
    """Whether a message says that it is a person's standing answer, such as a note of absence (RFC
    5230 section 5); reports of servers do not.
    """
    names = ("X-Autoreply", "X-Autorespond", "X-AutoReply-From")
    return bool(
        any(name in message for name in names)
        or header(message, "Precedence").strip().lower() in ("auto_reply", "auto-reply")
        or "(vacation)" in header(message, "Auto-Submitted").lower()
        or _AWAY.match(header(message, "Subject"))
    )


def _auto_submitted(message: Message) -> str:
    return header(message, "Auto-Submitted").partition(";")[0].strip().lower()


def _written(message: Message) -> str:
    """What the writer wrote, and below it perhaps what is answered: the text, else the page."""
    for kind, read in (("text/plain", str), ("text/html", text_of_page)):
        for part in message.walk():
            if part.get_content_type() == kind and not part.get_filename():
                written = read(text(content(part), part.get_content_charset()))
                if written.strip():
                    return written
    return ""
