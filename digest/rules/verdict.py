"""Why a paper came or did not: the chain of facts about one reader as values, and their meaning in
words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from digest.keywords.grammar import And, AndNot, Node, Or, to_text
from digest.keywords.tokens import Term
from digest.keywords.words import PLACES
from digest.model import Kind, Paper, Revisions, State
from digest.rules.calendar import served_between
from digest.rules.compose import ALSO_LISTED
from digest.rules.diff import GUARD

WEIGHT = (
    State.SENT,
    State.UNKNOWN,
    State.IN_DATA,
    State.LEASED,
    State.DEFERRED,
    State.QUEUED,
    State.DROPPED,
)
"""Of several deliveries with one paper the first in this order tells what became of it."""

_NAME = re.compile(
    r"(?:https?://)?(?:(?:www\.|export\.)?arxiv\.org/(?:abs|pdf|html)/|arxiv:\s*)?"
    r"(?:(?P<new>[0-9]{2}(?:0[1-9]|1[0-2])\.[0-9]{4,5})"
    r"|(?P<archive>[a-z-]+)(?:\.[a-z]{2})?/(?P<number>[0-9]{2}(?:0[1-9]|1[0-2])[0-9]{3}))"
    r"(?:v(?P<version>[1-9][0-9]{0,3}))?(?:\.pdf)?/?(?:[?#].*)?",
    re.IGNORECASE,
)
_KINDS = {
    Kind.NEW: "as new",
    Kind.LATE: "as announced late (submitted more than five days before the previous good window)",
    Kind.REVISED: "as a new version",
    Kind.OLD: "as too old to be mailed",
}


@dataclass(frozen=True, slots=True)
class PaperName:
    """A paper as a person names it: the base id, and a version where one is named."""

    id: str
    version: int | None = None

    def __str__(self) -> str:
        return self.id if self.version is None else f"{self.id}v{self.version}"


@dataclass(frozen=True, slots=True)
class LogRow:
    """A paper's row in a query's log. Times are UTC and None where the run's record is gone (kept a
    year).

    `previous_good_at`: when the query's good window before that one was fetched; `listed`: arXiv's
    search lists it, and it does not match by this program's own reading.
    """

    query: str
    seq: int
    version: int
    kind: Kind
    recorded_at: datetime | None
    previous_good_at: datetime | None
    listed: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A reader's part of a query's log: beyond `start` (None: not placed yet), up to `until` where
    it ended.

    `begins_after`: when the last row before it was recorded, None where there is none or nobody
    knows.
    """

    query: str
    label: str
    start: int | None
    until: int | None
    ended_at: datetime | None
    begins_after: datetime | None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One digest on its way to one reader, as the ledger has it. Times are UTC; `papers` is their
    number.
    """

    id: int
    slot: datetime
    queued_at: datetime
    from_seq: int
    subject: str
    papers: int
    state: State
    attempts: int
    next_at: datetime
    ended_at: datetime | None
    reply: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The fate of a paper, as a stable word and in a sentence."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Wishes:
    """The reader's wishes that decide, besides the log, whether a row is for them.

    `unwanted`: why the paper never comes, by `exclude` or `within`, in words; `accepted`: the
    versions that told of acceptance; `withdrawn`: the version with which the paper was withdrawn,
    0 while it stands.
    """

    revisions: Revisions
    max_papers: int
    accepted: frozenset[int] = frozenset()
    unwanted: str = ""
    had_version: int | None = None
    withdrawn: int = 0


def read_paper_name(text: str) -> PaperName | None:
    """Read an id of either style, with or without version, `arXiv:`, or as the address of a page;
    else None.

    An old-style id keeps no subject class: `math.GT/0309136` is `math/0309136` (arXiv's help,
    "Understanding the arXiv identifier").
    """
    match = _NAME.fullmatch(text.strip())
    if match is None:
        return None
    base = match["new"] or f"{match['archive'].lower()}/{match['number']}"
    return PaperName(base, int(match["version"]) if match["version"] else None)


def moment(when: datetime, zone: str) -> str:
    """A moment for people: weekday, date and time in a zone."""
    return f"{when.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True)
class FailedTerm:
    """A term of a query that keeps a paper from matching: as the query has it, and why in words."""

    term: str
    words: str


def why_not_matched(node: Node, holds: Callable[[Term], bool]) -> tuple[FailedTerm, ...]:
    """Say which terms keep a paper from matching; empty where it matches.

    `holds` tells of one term whether the paper matches it.
    """
    if isinstance(node, Term):
        return () if holds(node) else (_missing(node),)
    if isinstance(node, And):
        return why_not_matched(node.left, holds) + why_not_matched(node.right, holds)
    left, right = why_not_matched(node.left, holds), why_not_matched(node.right, holds)
    if isinstance(node, Or):
        return (*left, *right) if left and right else ()
    if left:
        return left
    return () if right else tuple(_present(node.right, holds))


def _missing(term: Term) -> FailedTerm:
    preposition = "is nowhere in" if term.field == "all" else "is not in"
    return FailedTerm(to_text(term), f"{term.written} {preposition} {PLACES[term.field]}")


def _present(node: Node, holds: Callable[[Term], bool]) -> list[FailedTerm]:
    """The terms by which a node matches that should not."""
    if isinstance(node, Term):
        found = FailedTerm(
            to_text(node), f"{node.written} is in {PLACES[node.field]}, after ANDNOT"
        )
        return [found] if holds(node) else []
    left = _present(node.left, holds)
    return left if isinstance(node, AndNot) else left + _present(node.right, holds)


def row_words(row: LogRow, paper: Paper, zone: str) -> str:
    """One row of the log: when it was recorded, of which announcement, and as what."""
    is_old = row.kind is Kind.OLD
    long_ago = ("from a page, or " if is_old else "") + "more than a year ago"
    when = moment(row.recorded_at, zone) if row.recorded_at else long_ago
    words = f"v{row.version} recorded {when} {_KINDS[row.kind]}"
    if is_old:
        line = (row.previous_good_at or row.recorded_at or paper.updated) - GUARD
        before = (
            f"; the line was {line:%Y-%m-%d}, {GUARD.days} days before this keyword's previous"
            " good window"
        )
        words += f" (last updated {paper.updated:%Y-%m-%d}{before if paper.updated < line else ''})"
    besides = f" under “{ALSO_LISTED}”: by this program's own reading it does not match"
    return words + (besides if row.listed else "") + _announced(row)


def _announced(row: LogRow) -> str:
    """The announcements that lay between the windows before and after."""
    if row.recorded_at is None or row.previous_good_at is None:
        return ""
    served = served_between(row.previous_good_at, row.recorded_at)
    if not served:
        return ""
    first, last = served[0].evening, served[-1].evening
    return f", announced {first:%a %Y-%m-%d}" + (f" to {last:%a %Y-%m-%d}" if last != first else "")


def judge_row(
    row: LogRow, part: Part | None, wishes: Wishes, zone: str, *, skipped: bool
) -> Verdict:
    """Whether one row of the log is due to the reader, and if not, why: the first rule that speaks.

    `skipped`: the reader's part of the log was moved past it on the return from an absence.
    """
    return (
        _was_carried(row, wishes)
        or _is_too_old(row)
        or _not_in_part(row, part, zone, came=wishes.max_papers if skipped else None)
        or _not_wanted(row, wishes)
        or Verdict("due", "it is due")
    )


def _was_carried(row: LogRow, wishes: Wishes) -> Verdict | None:
    """A digest carried this version or a later one, or one that has been withdrawn since."""
    had = wishes.had_version
    if had is not None and had >= row.version and row.kind is not Kind.OLD:
        return Verdict("had", f"a digest carried version {had}")
    # docs/decisions.md, “A withdrawal is due by the ledger, not by the log”.
    if had is not None and had < wishes.withdrawn <= row.version:
        return Verdict(
            "due",
            f"it was withdrawn after version {had} was mailed, which is always told",
        )
    return None


def _is_too_old(row: LogRow) -> Verdict | None:
    if row.kind is not Kind.OLD:
        return None
    words = f"it was too old to be mailed when it was first seen (more than {GUARD.days} days)"
    if row.recorded_at is None or row.previous_good_at is None:
        words = (
            "it was history when it was first seen: too old to be mailed,"
            " or no younger than an imported page"
        )
    return Verdict("too_old", words)


def _not_in_part(row: LogRow, part: Part | None, zone: str, *, came: int | None) -> Verdict | None:
    """The row lies outside the reader's part of the log; `came`: how many came on a return."""
    if part is None:
        return Verdict("not_placed", "the next run takes this keyword in for this reader")
    if part.until == 0:
        return Verdict("keyword_removed", f"the keyword was taken away{_at(part.ended_at, zone)}")
    if part.start is None:
        return Verdict(
            "not_placed",
            "the keyword is new for this reader, and starts with arXiv's next good answer",
        )
    if row.seq <= part.start and came is not None:
        return Verdict(
            "let_go",
            f"it was let go after a pause: on the return came the most recent {came}",
        )
    if row.seq <= part.start:
        begins = _at(part.begins_after, zone, ", which begins after")
        words = (
            f"it was recorded before the reader's part of this keyword's log{begins}"
            " (a new keyword starts with at most 20 papers of the last 7 days, and at least 5)"
        )
        return Verdict("before_start", words)
    if part.until is not None and row.seq > part.until:
        when = _at(part.ended_at, zone)
        return Verdict(
            "keyword_edited",
            f"the keyword got another query{when}, before this was recorded",
        )
    return None


def _not_wanted(row: LogRow, wishes: Wishes) -> Verdict | None:
    """The reader takes no such row: a revision, a paper that they had, an excluded one."""
    had, is_revision = wishes.had_version, row.kind is Kind.REVISED
    if is_revision and wishes.revisions is Revisions.NONE:
        return Verdict(
            "revision_not_wanted",
            "it is a new version of an older paper, and this reader takes none (revisions: false)",
        )
    since = range((had or 0) + 1, row.version + 1)
    only_accepted = is_revision and wishes.revisions is Revisions.PUBLISHED
    if only_accepted and wishes.accepted.isdisjoint(since):
        return Verdict(
            "revision_not_wanted",
            "it is a new version that tells of no acceptance, and this reader takes no others"
            " (revisions: published)",
        )
    if had is not None and not is_revision:
        return Verdict("had", f"the reader had version {had} already")
    if wishes.unwanted:
        return Verdict("excluded", wishes.unwanted)
    return None


def _at(when: datetime | None, zone: str, preposition: str = " on") -> str:
    """A moment as the end of a phrase; nothing where it is not known."""
    return f"{preposition} {moment(when, zone)}" if when else ""


def delivery_words(delivery: LedgerEntry, zone: str, *, hold_unknown: bool = False) -> str:
    """How far a delivery came, in words and in the server's own."""
    at = moment(delivery.ended_at, zone) if delivery.ended_at else ""
    again = moment(delivery.next_at, zone)
    tried = "" if delivery.attempts < 1 else f", attempt {delivery.attempts}"
    queued = moment(delivery.queued_at, zone)
    unknown = "waits for you: 'digest outbox list'" if hold_unknown else f"next try at {again}"
    words = {
        State.QUEUED: f"waits in the outbox since {queued}, next try from {again} on",
        State.LEASED: "is being sent",
        State.IN_DATA: "is being handed over to the mail server",
        State.SENT: f"sent {at}{tried}",
        State.DEFERRED: f"deferred{tried}, next try at {again}",
        State.FAILED: f"refused for good {at}{tried}; its papers are due again",
        State.UNKNOWN: f"maybe delivered{tried}, {unknown}",
        State.EXPIRED: "not sent; its papers went into a newer digest",
        State.SUPPRESSED: f"not sent {at}:"
        " the reader had left or mail to the address is suppressed",
        State.DROPPED: f"dropped {at}; its papers count as had",
    }[delivery.state]
    return words + (f": {delivery.reply}" if delivery.reply else "")
