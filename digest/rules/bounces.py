"""What a bounce means for its reader: gone for good, away for a time, or not the reader's fault at
all.
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum

SOFT_DAYS = 3
"""Bounces for a time end in a suppression when they came on so many different days (UTC) …"""
SOFT_SPAN = timedelta(days=30)
"""… within this time."""
SURGE_SPAN = timedelta(hours=1)
SURGE_SHARE = 0.05
"""When more than this share of all readers bounces within SURGE_SPAN, the cause is the way of the
mail …"""
SURGE_READERS = 5
"""… but fewer readers than these are no multitude, however few there are in all."""

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_NOT_THE_ADDRESS = {"5.3.4", "5.4.4", "5.4.5"}
"""Size, routing, sending quota: with another message or another day the address may well work (RFC
3463)."""


class Blame(StrEnum):
    """Whom a bounce blames. HARD: the address, for good. SOFT: for a time. POLICY: the mail or its
    sender.
    """

    HARD = "hard"
    SOFT = "soft"
    POLICY = "policy"


def status_of(text: str) -> str:
    """The first enhanced status code in a server's words, such as 5.1.1 (RFC 3463), or nothing."""
    found = _STATUS.search(text)
    return found[0] if found else ""


def blame_of(status: str) -> Blame:
    """Judge an enhanced status code; without one nobody can tell for how long an address fails:
    SOFT.

    5.6 is the message's content, 5.7 its policy or the sender's standing: neither is known to the
    reader.
    """
    if status.startswith(("5.7.", "5.6.")):
        return Blame.POLICY
    return Blame.HARD if status.startswith("5.") and status not in _NOT_THE_ADDRESS else Blame.SOFT


def is_surge(bounced: int, readers: int) -> bool:
    """Whether so many readers, of so many in all, bounced at once that no reader can be the
    cause.
    """
    return bounced >= SURGE_READERS and bounced > SURGE_SHARE * readers
