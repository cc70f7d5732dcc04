"""Decides when the operator is mailed: from what is wrong now and what was reported before, one
notice or none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from digest.rules.calendar import served_between
from digest.times import in_utc

FAILED_CYCLES = 3
"""From this many failed cycles in a row on, the operator is told: it is no accident."""
MISSED_ANNOUNCEMENTS = 2
"""From this many announcements without a good answer on, it is more than a bad evening."""


class Trouble(StrEnum):
    """The kinds of trouble that the operator is told of."""

    CYCLES = "cycles"
    MAIL = "mail"
    INBOX = "inbox"
    FETCH = "fetch"
    READERS = "readers"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Facts:
    """The state of things after a cycle. Times are UTC.

    `failed_cycles` in a row, the last for the reason `error`; `mail_rests`: why nothing is sent, or
    nothing; `mailbox_unread`: why the mailbox has not been read for long, or nothing; `last_good`
    are the keywords that arXiv fails to answer, with the time of its last good answer; `mistakes`
    are those in the subscribers file, which hold back some of the readers; `refused` tells of
    readers whose mail is refused day after day.
    """

    failed_cycles: int = 0
    error: str = ""
    mail_rests: str = ""
    mailbox_unread: str = ""
    last_good: Mapping[str, datetime] = field(default_factory=dict)
    mistakes: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownTrouble:
    """A trouble that is not over: since when it is known (UTC), and whether it was reported."""

    since: datetime
    words: str
    reported: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """A mail to the operator."""

    subject: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """The notice to mail, if any; what to remember in any case, and what once the mail was
    accepted.
    """

    notice: Notice | None
    memory: Mapping[Trouble, KnownTrouble]
    if_accepted: Mapping[Trouble, KnownTrouble]


def decide(facts: Facts, memory: Mapping[Trouble, KnownTrouble], now: datetime) -> Decision:
    """Compare what is wrong with what the operator knows.

    Each trouble is reported once, and each state of the subscribers file; what comes and goes while
    another stays is not reported again.
    When all is well one mail says so, and what it was: where mail itself was broken, that is the
    first that reaches the operator.
    """
    wrong = _wrong(facts, now)
    if not wrong:
        notice = _all_well(memory, now) if memory else None
        return Decision(notice, memory if notice else {}, {})
    known = dict(memory)
    for kind, words in wrong.items():
        known[kind] = _updated(kind, memory.get(kind), words, now)
    if all(known[kind].reported for kind in wrong):
        return Decision(None, known, known)
    lines = tuple(
        f"{known[kind].words} (known since {in_utc(known[kind].since)})" for kind in wrong
    )
    # What is over already, but was never reported, does not count as reported by this notice.
    accepted = {
        kind: replace(one, reported=one.reported or kind in wrong) for kind, one in known.items()
    }
    return Decision(Notice(f"trouble: {next(iter(wrong.values()))}", lines), known, accepted)


def _updated(kind: Trouble, before: KnownTrouble | None, words: str, now: datetime) -> KnownTrouble:
    """A trouble as it is now. Another mistake in the file concerns other people: that is news."""
    if before is None or (kind is Trouble.READERS and before.words != words):
        return KnownTrouble(now, words)
    return replace(before, words=words)


def _wrong(facts: Facts, now: datetime) -> dict[Trouble, str]:
    """The troubles that deserve the operator's attention, in words."""
    wrong = {}
    if facts.mail_rests:
        wrong[Trouble.MAIL] = facts.mail_rests
    if facts.mailbox_unread:
        wrong[Trouble.INBOX] = facts.mailbox_unread
    if facts.failed_cycles >= FAILED_CYCLES:
        wrong[Trouble.CYCLES] = (
            f"{facts.failed_cycles} cycles in a row failed, the last with: {facts.error}"
        )
    if facts.mistakes:
        wrong[Trouble.READERS] = _some(facts.mistakes)
    if facts.refused:
        wrong[Trouble.REFUSED] = _some(facts.refused)
    behind = {
        name: good
        for name, good in facts.last_good.items()
        if len(served_between(good, now)) >= MISSED_ANNOUNCEMENTS
    }
    if behind:
        oldest = min(behind.values())
        missed = len(served_between(oldest, now))
        names = ", ".join(list(behind)[:3]) + (
            f" and {len(behind) - 3} more" if len(behind) > 3 else ""
        )
        wrong[Trouble.FETCH] = (
            f"arXiv has not answered for {names} since {in_utc(oldest)}, {missed} announcements ago"
        )
    return wrong


def _some(texts: Sequence[str]) -> str:
    """The first few of several texts, and how many more there are."""
    more = len(texts) - 5
    return "; ".join([*texts[:5], *([f"and {more} more"] if more > 0 else [])])


def _all_well(memory: Mapping[Trouble, KnownTrouble], now: datetime) -> Notice:
    lines = tuple(
        f"over: {one.words} (from {in_utc(one.since)} to {in_utc(now)})" for one in memory.values()
    )
    return Notice("all is well again", lines)
