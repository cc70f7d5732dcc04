"""Reads what servers send back: delivery reports, complaints, and bounces in prose."""

from __future__ import annotations

import base64
import binascii
import logging
import quopri
import re
from collections.abc import Iterator, Sequence
from email.message import Message
from email.utils import parseaddr
from urllib.parse import unquote

from digest.mail.message import words
from digest.mail.parse import content, parse, parse_fields, parts_of
from digest.mail.reader_tokens import TOKEN
from digest.mail.received import (
    Incoming,
    MessageKind,
    header,
    headers,
    message_ids,
    recipients_of,
)
from digest.rules.bounces import Fault, fault_of, mildness, status_of

_STATUS_PARTS = ("message/delivery-status", "message/global-delivery-status")
_RETURNED_PARTS = (
    "message/rfc822",
    "message/global",
    "message/rfc822-headers",
    "message/global-headers",
)
_TOKEN_HEADERS = ("Return-Path", "List-Unsubscribe", "X-Envelope-From")
_FAILED = {"failed", "failure"}
_NOT_FAILED = {"delayed", "delivered", "relayed", "expanded"}
_COMPLAINTS = ("abuse", "fraud", "virus", "opt-out", "opt-out-list")
"""The types of feedback by which a reader says: no more of this (RFC 5965 section 7.3, and its
drafts). Others tell of the sending (auth-failure, dkim), or the contrary (not-spam).
"""
_COMPLAINERS = ("staff@hotmail.com",)
"""Who sends back the mail alone that a reader called spam: Outlook.com's JMRP."""
_MAIL_SYSTEMS = re.compile(
    r"(?:mailer-?daemon|mail-?daemon|mdaemon|postmaster|mailsystem|mail-?system)\b|"
    r"\bmail delivery (?:sub)?system\b",
    re.IGNORECASE,
)
_REPORT_SUBJECT = re.compile(
    r"\bundeliver(?:ed|able)\b|\b(?:mail|message)? ?delivery (?:status|fail|report|notification"
    r"|problem|error|has failed)|\bfailure notice\b|\breturned (?:mail|to sender)\b"
    r"|\bnon-?delivery\b|\b(?:could|can) ?not be delivered\b|\bnot delivered\b"
    r"|\bmail system error\b|\bunzustellbar|\bnon remis|\bno se (?:ha podido|puede) entregar"
    r"|\bmancato recapito\b|退信|投递失败|配信不能|配信エラー",
    re.IGNORECASE,
)
_BOUNCE_ADDRESS = re.compile(rf"\+{TOKEN.pattern}@")
_COPY = re.compile(
    r"\s*-{2,}.*\b(?:copy|original message|(?:returned|unsent) message|below this line"
    r"|(?:message|headers?)(?: text)? follows?)\b"
    r"|\s*(?:return-path|received|message-id|dkim-signature|mime-version)\s*:",
    re.IGNORECASE,
)
"""The line at which the copy of a mail begins in a bounce in prose."""
_AT_STAGE = (
    (re.compile(r"in reply to mail from|after mail from", re.IGNORECASE), "MAIL FROM"),
    (
        re.compile(
            r"in reply to (?:end of )?data|after (?:the )?(?:end of )?data\b|>>> data\b"
            r"|smtp command data\b",
            re.IGNORECASE,
        ),
        "end of DATA",
    ),
)
"""What servers say, in prose alone, of the command that was refused."""
_MOST_BLOCKS = 50
"""Blocks of fields of a report that are read, the first of which tells of no recipient."""
_PROSE = 500
"""Letters that are read of what is said in prose about an address."""
_LINE = 200
"""Letters of a line that are looked at for where a copy begins."""


def read_report(message: Message) -> Incoming | None:
    """A delivery status notification (RFC 3464, 6533) or a feedback report (RFC 5965)."""
    for part in message.walk():
        kind = part.get_content_type()
        if kind == "message/feedback-report":
            return _complaint(message, part)
        if kind in _STATUS_PARTS and (found := _delivery_status(message, part)):
            return found
    sender = parseaddr(header(message, "From"))[1].lower()
    if sender in _COMPLAINERS and any(_returned(message)):
        said = f"abuse, reported by {sender}"
        return Incoming(MessageKind.COMPLAINT, *_evidence(message), said=said)
    return None


def calls_itself_report(message: Message) -> bool:
    """Whether a message says that it is a delivery report, whether or not it can be read."""
    kind = str(message.get_param("report-type", "delivery-status")).lower()
    return bool(
        (message.get_content_type() == "multipart/report" and kind == "delivery-status")
        or any(part.get_content_type() in _STATUS_PARTS for part in message.walk())
        or "X-Failed-Recipients" in message
        or _MAIL_SYSTEMS.search(header(message, "From"))
        or _REPORT_SUBJECT.search(header(message, "Subject"))
    )


def is_to_bounce_address(message: Message) -> bool:
    """Whether a message came to what looks like the bounce address of one delivery."""
    return _BOUNCE_ADDRESS.search(recipients_of(message).lower()) is not None


def is_from_nobody(message: Message) -> bool:
    """Whether a message has no sender that could be answered, as reports have none (RFC 5321
    section 4.5.5).
    """
    paths = [path.strip() for path in headers(message, "Return-Path")]
    return "<>" in paths or "" in paths or header(message, "From").strip().endswith("<>")


def read_older_bounce(message: Message) -> Incoming | None:
    """A bounce in one of the forms from before RFC 3464, which many servers still write, or in
    prose.
    """
    temporary, permanent = _detected(message)
    failed = frozenset(address.decode("utf-8", "replace") for address in permanent)
    if temporary and not failed:
        return Incoming(MessageKind.DELAY, *_evidence(message))
    said = _with_stage(message, _said_in_prose(message, failed))
    if not failed and not _names_failure(said):
        return None
    failed = failed or frozenset(re.findall(r"[^\s<>()\[\]:;,\"']+@[\w.-]+\w", said))
    return Incoming(
        MessageKind.BOUNCE,
        *_evidence(message),
        status=status_of(said),
        said=words(said or header(message, "Subject")),
        recipients=failed,
    )


def _detected(message: Message) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """The addresses that failed for a time and for good, in a form that the library knows."""
    from flufl.bounce import all_failures

    # A detector that stumbles, as over a From without an address, logs a traceback and ends all.
    logging.getLogger("flufl.bounce").disabled = True
    try:
        found: tuple[frozenset[bytes], frozenset[bytes]] = all_failures(message)
    except Exception:
        return frozenset(), frozenset()
    return found


def _names_failure(said: str) -> bool:
    """Whether prose repeats a server's answer, or names a mailbox that does not exist."""
    answered = status_of(said).startswith("5") or re.search(r"(?:^|\s)5[0-5]\d[ -]\S", said)
    return bool(answered) or fault_of(said) is Fault.ADDRESS


def _delivery_status(message: Message, part: Message) -> Incoming | None:
    """What a delivery status notification says: of several recipients what is mildest; None where
    it cannot be read.
    """
    told = [(_action(block), block) for block in _fields(part)]
    failed = [block for action, block in told if action in _FAILED]
    if failed:
        status, said = min(
            (_status(message, block) for block in failed),
            key=lambda found: mildness(fault_of(found[1], found[0])),
        )
        return Incoming(MessageKind.BOUNCE, *_evidence(message), status, said, _recipients(failed))
    actions = {action for action, _ in told} - {""}
    return (
        Incoming(MessageKind.DELAY, *_evidence(message))
        if actions and actions <= _NOT_FAILED
        else None
    )


def _action(block: Message) -> str:
    """What became of a recipient; where only the status tells, a permanent one is a failure."""
    written = re.sub(r"\([^()]*\)", " ", header(block, "Action")).split()
    if not written:
        return "failed" if status_of(header(block, "Status")).startswith("5") else ""
    return written[0].strip(",;.").lower()


def _recipients(blocks: Sequence[Message]) -> frozenset[str]:
    """The addresses of which a report tells, as they were given and as the server knows them."""
    names = ("Original-Recipient", "Final-Recipient")
    written = [header(block, name) for block in blocks for name in names]
    plain = {text.rpartition(";")[2].strip().strip("<>") for text in written} - {""}
    # An original recipient may be in xtext, where +2B is a plus (RFC 3461 section 4), or have
    # letters as \x{E9} (RFC 6533 section 3).
    coded = re.compile(r"\+([0-9A-F]{2})|\\x\{([0-9A-Fa-f]{1,5})\}")
    decoded = {coded.sub(lambda x: chr(int(x[1] or x[2], 16)), one) for one in plain}
    return frozenset(plain | decoded)


def _status(message: Message, block: Message) -> tuple[str, str]:
    """Status and words of one recipient's report. A status that says nothing gives way to the
    server's own, and where there are no words at all to what is said in prose.
    """
    said = words(re.sub(r"^\s*[\w.-]+\s*;\s*", "", header(block, "Diagnostic-Code")))
    status, own = status_of(header(block, "Status")), status_of(said)
    if own and (not status or (status.endswith(".0.0") and own[0] == status[0])):
        status = own
    if not said and (not status or status.endswith(".0")):
        said = words(_said_in_prose(message, _recipients([block])))
    return status, _with_stage(message, said or status)


def _complaint(message: Message, part: Message) -> Incoming:
    """A feedback report (RFC 5965): somebody called the mail spam, or something else of it."""
    fields = next(iter(_fields(part)), Message())
    kind = re.sub(r"\([^()]*\)", " ", header(fields, "Feedback-Type")).strip().lower()
    evidence = _evidence(message)
    if kind not in _COMPLAINTS:
        said = f"a feedback report that is no complaint ({words(kind, 40) or 'of no type'})"
        return Incoming(MessageKind.OTHER, *evidence, said=said)
    by = header(fields, "User-Agent") or header(fields, "Reporting-MTA")
    said = words(f"{kind}, reported by {by}" if by else kind)
    return Incoming(MessageKind.COMPLAINT, *evidence, said=said)


def _evidence(message: Message) -> tuple[str, tuple[str, ...]]:
    """The text in which a token may stand, and the Message-IDs of the mails that are returned."""
    returned = list(_returned(message))
    texts = [
        unquote(text) for one in returned for name in _TOKEN_HEADERS for text in headers(one, name)
    ]
    return "\n".join([recipients_of(message), *texts]), message_ids(returned, "Message-ID")


def _returned(message: Message) -> Iterator[Message]:
    """The headers of mails that are returned in this one, whole or alone (RFC 3462 section 2), or
    below what is said in prose.
    """
    for part in message.walk():
        kind = part.get_content_type()
        if kind in _RETURNED_PARTS:
            yield from _inner(part) or [parse(_source(part))]
        elif kind == "text/rfc822-headers":
            yield parse(content(part))
    if copy := _prose(message)[1].lstrip():
        yield parse_fields(copy)


def _inner(part: Message) -> list[Message]:
    """The messages of which a part consists; none where they are encoded, which RFC 2046 forbids
    and some do.
    """
    return [] if _encoding(part) else parts_of(part)


def _fields(part: Message) -> list[Message]:
    """The blocks of fields in a report's part (RFC 3464 section 2.1), in whatever form it was
    sent.
    """
    text = _source(part).decode("utf-8", "replace").replace("\r\n", "\n")
    blocks = re.split(r"(?:\n[ \t]*)+\n", text.strip(), maxsplit=_MOST_BLOCKS)
    return [parse_fields(block) for block in blocks[:_MOST_BLOCKS]]


def _source(part: Message) -> bytes:
    """What stands in a part, decoded; the standard parser takes some kinds apart without that."""
    if not part.is_multipart():
        return content(part)
    raw = b"\n".join(one.as_bytes() for one in parts_of(part)[:_MOST_BLOCKS])
    if _encoding(part) == "quoted-printable":
        return quopri.decodestring(raw)
    try:
        return base64.b64decode(raw) if _encoding(part) == "base64" else raw
    except binascii.Error:
        return raw


def _encoding(part: Message) -> str:
    """How a part is encoded; nothing where it stands as it is."""
    written = header(part, "Content-Transfer-Encoding").strip().lower()
    return written if written in ("base64", "quoted-printable") else ""


def _prose(message: Message) -> tuple[str, str]:
    """What a server says in prose, and the copy of the mail below it."""
    for part in message.walk():
        if part.get_content_type() == "text/plain":
            # Codes and most words are in ASCII, whatever the letters around them are.
            lines = content(part).decode("utf-8", "replace").splitlines()
            end = next(
                (at for at, line in enumerate(lines) if _COPY.match(line[:_LINE])), len(lines)
            )
            below = lines[end:] if end < len(lines) and ":" in lines[end] else lines[end + 1 :]
            if any(line.strip() for line in lines[:end]):
                return "\n".join(lines[:end]), "\n".join(below)
    return "", ""


def _with_stage(message: Message, said: str) -> str:
    """What was said, with the command that was refused where that was not the recipient's."""
    told = " ".join(_prose(message)[0].split())
    found = (f"in reply to {command}" for stage, command in _AT_STAGE if stage.search(told))
    stage = next(found, "")
    return f"{said} ({stage} command)" if stage and stage not in said else said


def _said_in_prose(message: Message, addresses: frozenset[str]) -> str:
    """What is said of one of these addresses, from the line that names it on, or of the whole
    mail.
    """
    said = _prose(message)[0]
    places = [said.casefold().find(address.casefold()) for address in addresses]
    begin = said.rfind("\n", 0, min((place for place in places if place >= 0), default=0)) + 1
    return said[begin : begin + _PROSE].strip()
