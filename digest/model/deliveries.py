"""Deliveries: their states, the attempts to hand them over, and how those ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from digest.model.readers import Channel


class State(StrEnum):
    """The states of a delivery; to people `unknown` is "maybe delivered"."""

    QUEUED = "queued"
    LEASED = "leased"
    IN_DATA = "in_data"
    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"
    DROPPED = "dropped"


OPEN = frozenset({State.QUEUED, State.LEASED, State.IN_DATA, State.DEFERRED, State.UNKNOWN})
"""The states of a delivery on its way; in all others it has ended."""


WAITING = OPEN - {State.LEASED, State.IN_DATA}
"""The states of a delivery that no attempt is being made to hand over."""


NOT_CARRIED = frozenset({State.EXPIRED, State.FAILED, State.SUPPRESSED})
"""The states in which a delivery has certainly not brought its papers to the reader."""


class Outcome(StrEnum):
    """How an attempt to hand over one message ended, by the stage at which it ended.

    SENT: accepted. DEFERRED, FAILED: this message, for a time or for good. UNKNOWN: it may have
    been accepted. RELAY: the server could not be used at all; the message was not at fault.
    """

    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNKNOWN = "unknown"
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of one attempt; `reply` is the server's own words, `bounce` blames the address.

    `permanent` on RELAY: trying again in this run cannot help (a refused login); `rest`: for how
    long the server asks to be left alone, by all on RELAY, by this reader on DEFERRED. `policy` on
    FAILED: the server refused as a matter of policy (5.7.x of RFC 3463), which may be meant for the
    sender. `folder`: it went to a folder of this machine, and to nobody's inbox.
    """

    outcome: Outcome
    reply: str = ""
    bounce: bool = False
    permanent: bool = False
    rest: timedelta | None = None
    policy: bool = False
    folder: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A change that a reader made by themselves, in words, and the number by which it is undone."""

    number: int
    words: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One delivery that is to leave now, with all that its message is made of. `date` is UTC.

    `pieces` is the MIME body, encoded once for all its readers and cut where each reader's own line
    goes: before the text part's, between, and after the HTML part's; two pieces where there is no
    HTML part. Of an issue they are the text of each of its parts. `reader` is the subscriber's
    number, 0 where the message belongs to no delivery (a test, a preview); `content` is that of the
    digest, which all who get the same share, 0 where there is none. `links` says which of that
    reader's own links count, `told` what the reader changed since the last digest.
    `has_papers`: the digest carries some.
    """

    id: int
    attempt: int
    address: str
    name: str
    message_id: str
    date: datetime
    subject: str
    pieces: tuple[bytes, ...]
    reader: int = 0
    channel: Channel = Channel.MAIL
    content: int = 0
    links: int = 0
    told: tuple[Told, ...] = ()
    has_papers: bool = False
