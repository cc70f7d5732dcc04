"""What the receipts of digests must say: by the oracle's books, and by a replay's ledger."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from digest.model import Kind, Revisions, Tally
from digest.store.runs import KeywordRecord
from digest.times import from_text

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


@dataclass(frozen=True)
class Answer:
    """What a run said of a keyword's good answer: how many rows, papers first seen, and versions
    that were new.
    """

    keyword: str
    at: datetime
    rows: int
    news: int
    versions: int


def answers_of(records: Iterable[KeywordRecord], at: datetime) -> list[Answer]:
    """The good answers of a run that began then."""
    return [
        Answer(each.keyword, at, each.fetched, each.new + each.late, each.revised)
        for each in records
        if each.status == "ok"
    ]


def answers_in(run: Mapping[str, Any]) -> list[Answer]:
    """The same, by what `digest run --json` printed."""
    records = [KeywordRecord(**each) for each in run["keywords"]]
    return answers_of(records, from_text(run["started"]))


@dataclass(frozen=True)
class Received:
    """A digest as its reader found it: when, with which papers, and its text part."""

    recipient: str
    on: datetime
    ids: tuple[str, ...]
    text: str


def judge_receipts(
    digests: Iterable[Received], answers: Sequence[Answer], readers: Mapping[str, Sequence[str]]
) -> list[str]:
    """Hold each receipt against its own digest and against what the runs since the digest before
    said; returns what is wrong. `readers` are their keywords' names, by address.
    """
    wrong: list[str] = []
    before: dict[str, datetime] = {}
    mailed: dict[str, set[str]] = defaultdict(set)
    for digest in sorted(digests, key=lambda digest: digest.on):
        said, address = read_receipt(digest.text), digest.recipient
        since, before[address] = before.get(address), digest.on
        again = mailed[address].intersection(digest.ids)
        mailed[address].update(digest.ids)
        truths = [
            said.matched == sum(said.shares.values()),
            said.shares.get("in this digest", 0) == len(digest.ids),
            said.first is (since is None),
        ]
        if since is not None:
            mine = [a for a in answers if a.keyword in readers[address]]
            asked = [answer for answer in mine if since < answer.at <= digest.on]
            truths.append(said.rows == sum(answer.rows for answer in asked))
            seen = sum(answer.news for answer in asked) + len(again)
            found = said.matched - said.shares.get("too old", 0)
            # A paper of several keywords is one, and who follows several may take new versions.
            most = seen + sum(answer.versions for answer in asked)
            truths.append(found == seen if len(readers[address]) == 1 else found <= most)
        if not all(truths):
            wrong.append(f"{address} on {digest.on}: {said}, {len(digest.ids)} papers: {truths}")
    return wrong


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
