"""Judges refusals and bounces: whom an enhanced status code blames, and for how long.

SMTP answers and delivery reports are judged alike: the code names a fault, and the fault says
whom to blame (RFC 3463).
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum

SOFT_DAYS = 3
"""Bounces for a time end in a suppression when they come on this many different days (UTC) …"""
SOFT_SPAN = timedelta(days=30)
"""… within this time."""
SURGE_SPAN = timedelta(hours=1)
SURGE_SHARE = 0.05
"""When more than this share of readers bounces within SURGE_SPAN, the cause is not a reader …"""
SURGE_READERS = 5
"""… but fewer readers than these are no surge, however few there are in all."""

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")


class Fault(StrEnum):
    """The cause of a refusal that a status code names; UNKNOWN: none of the others."""

    ADDRESS = "address"
    MESSAGE = "message"
    POLICY = "policy"
    QUOTA = "quota"
    ROUTE = "route"
    UNKNOWN = "unknown"


_FAULTS = {
    "1": Fault.ADDRESS,
    "2": Fault.ADDRESS,
    # With another message, or on another day, the address may well work.
    "3.4": Fault.MESSAGE,
    "4.4": Fault.ROUTE,
    # The sender has sent what the server takes in a day: congestion in RFC 3463, and Gmail's quota.
    "4.5": Fault.QUOTA,
    "6": Fault.MESSAGE,
    # The policy may be about the message or about the sender's standing: never about the reader.
    "7": Fault.POLICY,
}
"""Faults by the subject of a code, and by subject and detail where that says more."""


class Blame(StrEnum):
    """The one whom a bounce blames. HARD: the address, for good. SOFT: for a time. POLICY: the mail
    or its sender.
    """

    HARD = "hard"
    SOFT = "soft"
    POLICY = "policy"


_BLAMED = {
    Fault.ADDRESS: Blame.HARD,
    Fault.UNKNOWN: Blame.HARD,
    Fault.MESSAGE: Blame.POLICY,
    Fault.POLICY: Blame.POLICY,
    Fault.ROUTE: Blame.SOFT,
    Fault.QUOTA: Blame.SOFT,
}
"""The blame for a permanent refusal (5.x.x), by its fault."""


def status_of(text: str) -> str:
    """The first enhanced status code in a server's words, such as 5.1.1 (RFC 3463), or nothing."""
    found = _STATUS.search(text)
    return found[0] if found else ""


def fault_of(status: str) -> Fault:
    """The cause that an enhanced status code names; UNKNOWN without one."""
    subject = status[2:]
    return _FAULTS.get(subject, _FAULTS.get(subject.partition(".")[0], Fault.UNKNOWN))


def blame_of(status: str) -> Blame:
    """Judge a bounce by its code; SOFT without one, when nobody knows how long it will fail."""
    if not status.startswith("5."):
        return Blame.SOFT
    return _BLAMED[fault_of(status)]


def is_surge(bounced: int, readers: int) -> bool:
    """Whether too many of all readers bounced at once for a reader to be the cause."""
    return bounced >= SURGE_READERS and bounced > SURGE_SHARE * readers
