"""A message in the inbox as it was read, and how its headers and parts are looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from email.message import Message
from enum import StrEnum
from typing import Any

from digest.errors import one_line
from digest.mail.parse import field

_RECIPIENT_HEADERS = (
    "To",
    "Cc",
    "Delivered-To",
    "X-Original-To",
    "Envelope-To",
    "X-Envelope-To",
    "X-Delivered-To",
)
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,250}>")


class MessageKind(StrEnum):
    """The kinds of messages that are told apart."""

    BOUNCE = "bounce"
    DELAY = "delay"
    COMPLAINT = "complaint"
    LEAVE = "leave"
    LIKE = "like"
    REPLY = "automatic reply"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it was read.

    `evidence` is the text in which a token may stand, and `message_ids` those of mails that it is
    about: whoever knows one of ours has had the mail. For a bounce, `status` is the enhanced status
    code (RFC 3463), empty where there is none; `said` is the remote server's own words;
    `recipients` are the addresses that failed; `numbers` are those of the papers in a mail of which
    more like them are wanted. `sender` and `subject` are for people.
    """

    kind: MessageKind
    evidence: str = ""
    message_ids: tuple[str, ...] = ()
    status: str = ""
    said: str = ""
    recipients: frozenset[str] = frozenset()
    numbers: tuple[int, ...] = ()
    sender: str = ""
    subject: str = ""

    def to_json(self) -> dict[str, Any]:
        """The same as what JSON can hold."""
        return asdict(self) | {"recipients": sorted(self.recipients)}

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Incoming:
        """What `to_json` made."""
        return cls(
            **found
            | {
                "kind": MessageKind(found["kind"]),
                "message_ids": tuple(found["message_ids"]),
                "recipients": frozenset(found["recipients"]),
                "numbers": tuple(found["numbers"]),
            }
        )


def recipients_of(message: Message) -> str:
    """All addresses to which a message went, as its headers and those of the servers say."""
    return "\n".join(text for name in _RECIPIENT_HEADERS for text in headers(message, name))


def message_ids(messages: Iterable[Message], *names: str) -> tuple[str, ...]:
    """The Message-IDs that stand in these headers, each once."""
    texts = [text for one in messages for name in names for text in headers(one, name)]
    return tuple(dict.fromkeys(one for text in texts for one in _MESSAGE_ID.findall(text)))


def header(message: Message, name: str) -> str:
    """A header in one line, decoded; nothing where it is missing."""
    return next(iter(headers(message, name)), "")


def headers(message: Message, name: str) -> list[str]:
    """All headers of a name, each in one line, decoded."""
    return [one_line(field(value)) for value in message.get_all(name, [])]
