"""What the receipts of digests must say: by the oracle's books, and by a replay's ledger."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from digest.model import Kind, Revisions, Tally

if TYPE_CHECKING:
    from tests.world.model import Oracle

_SENTENCE = re.compile(
    r"Receipt: (?:arXiv sent (?P<rows>[\d,]+) rows? since [^,]+, among them )?"
    r"(?P<found>[\d,]+|no) papers?(?P<first> to begin with)?(?: first seen)?(?: since [^,:.;]+)?"
    r"(?:, (?:all )?(?P<all>[a-z ]+)|: (?P<parts>[^;.]+))?"
    r"(?P<agreed>; its search was asked as well, and held no more)?\."
)


@dataclass(frozen=True)
class Receipt:
    """A receipt as a reader finds it: where how many papers went."""

    rows: int
    matched: int
    shares: dict[str, int]
    first: bool
    agreed: bool


def read_receipt(text: str) -> Receipt:
    """The one receipt of a digest's text part, or of its HTML."""
    (found,) = re.finditer(r"Receipt: [^.]*\.", " ".join(text.split()))
    said = _SENTENCE.fullmatch(found[0])
    assert said, found[0]
    matched = 0 if said["found"] == "no" else int(said["found"].replace(",", ""))
    shares = {said["all"]: matched} if said["all"] else {}
    for part in (said["parts"] or "").split(", "):
        number, _, where = part.partition(" ")
        shares |= {where: int(number)} if where else {}
    rows = int((said["rows"] or "0").replace(",", ""))
    return Receipt(rows, matched, shares, bool(said["first"]), bool(said["agreed"]))


def tally_by(oracle: Oracle, address: str, shown: Set[str]) -> Tally:
    """How the papers of a digest of `shown` must add up, by the oracle's books: the rows of the
    reader's logs that no digest has read.
    """
    due: set[str] = set()
    had: set[str] = set()
    old: set[str] = set()
    for paper, version, kind in _unread(oracle, address):
        needed = _needed(oracle, address, paper, version, kind)
        known = oracle.had(address, paper)
        if kind == Kind.OLD:
            old.add(paper)
        elif needed is not None:
            (due if known is None or known < needed else had).add(paper)
    outside = {paper for paper in due if oracle.outside(address, paper)}
    return Tally(
        matched=len(shown | due | had | old),
        excluded=len(outside - shown),
        had=len(had - due - shown),
        old=len(old - had - due - shown),
    )


def _unread(oracle: Oracle, address: str) -> Iterator[tuple[str, int, Kind]]:
    for subscription in oracle.open_subscriptions(address):
        for seq, paper, version, kind in (*subscription.entries, *subscription.passed):
            if seq > subscription.read:
                yield paper, version, kind


def _needed(oracle: Oracle, address: str, paper: str, version: int, kind: Kind) -> int | None:
    """The version that a reader must have had for a row to be no news; None: it never is."""
    if kind != Kind.REVISED:
        return 0
    match oracle.known[address].revisions:
        case Revisions.ALL:
            return version
        case Revisions.PUBLISHED:
            return max((v for v in oracle.accepted[paper] if v <= version), default=None)
    return None
