"""Explains why a paper came to a reader or did not: from the store to an answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from digest.explain.inquiry import Inquiry, keeps_mail, next_chance
from digest.explain.missing import unknown_paper, why_not_recorded
from digest.explain.ranking import explain_ranking
from digest.explain.summary import explain_summary
from digest.keywords.categories import is_outside
from digest.keywords.grammar import parse
from digest.keywords.match import Matcher
from digest.model import NOT_CARRIED, Paper, Revisions, State, Subscriber
from digest.rules.verdict import (
    WEIGHT,
    FailedTerm,
    LedgerEntry,
    LogRow,
    PaperName,
    Verdict,
    Wishes,
    judge_row,
    row_words,
    why_not_matched,
)
from digest.rules.words import in_words
from digest.run.tastes import Tastes
from digest.store.ageing import KEPT
from digest.store.history import Carried
from digest.times import text_or_none, to_text

DECISIVE = (
    "due",
    "excluded",
    "revision_not_wanted",
    "had",
    "let_go",
    "not_placed",
    "held_back",
    "too_old",
    "before_start",
    "keyword_edited",
    "keyword_removed",
    "not_yet_asked",
    "not_fetched",
    "not_served",
    "before_first_window",
    "no_abstract",
    "no_match",
)
"""Where several keywords say different things, the first of these is the answer."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the store knows of one paper and one reader: the paper's rows in all logs, and the
    digests in which it was on its way to the reader; `long_ago` are the months in which it was sent
    to them by digests that are no longer kept, and the versions.
    """

    inquiry: Inquiry
    name: PaperName
    paper: Paper
    log: list[LogRow]
    carriers: list[tuple[LedgerEntry, Carried]]
    long_ago: list[tuple[datetime, int]]

    def rows(self, query: str) -> list[LogRow]:
        """The paper's rows in a query's log: of the version that is asked about, if any log has
        that.
        """
        version = self.name.version
        asked_for = [row for row in self.log if version in (None, row.version)]
        return [row for row in asked_for or self.log if row.query == query]

    def carried(self) -> list[tuple[LedgerEntry, Carried]]:
        """The digests that have brought the paper, or may yet."""
        return [each for each in self.carriers if each[0].state not in NOT_CARRIED]

    def versions(self) -> list[int]:
        """The versions that the reader has had, or may yet have."""
        return [carried.version for _, carried in self.carried()] + [v for _, v in self.long_ago]

    @property
    def composed(self) -> datetime | None:
        """When the last digest was made that has brought the paper, or may yet."""
        return max((delivery.queued_at for delivery, _ in self.carried()), default=None)

    @property
    def first_seen(self) -> datetime | None:
        """When the first log had the paper; None where none has, or nobody knows any more."""
        seen = [row.recorded_at for row in self.log]
        # A row whose run is forgotten is older than all that are remembered.
        return min((at for at in seen if at), default=None) if all(seen) else None

    def values(self) -> dict[str, Any]:
        """The paper as plain values."""
        paper = self.paper
        return {
            "id": paper.id,
            "version": paper.version,
            "asked_version": self.name.version,
            "title": paper.title,
            "published": to_text(paper.published),
            "updated": to_text(paper.updated),
            "url": f"https://arxiv.org/abs/{self.name}",
            "first_seen": text_or_none(self.first_seen),
        }


@dataclass(frozen=True, slots=True)
class _KeywordVerdict:
    """What one keyword says of the paper: each of its rows judged, or the terms that failed."""

    label: str
    query: str
    rows: list[tuple[LogRow, Verdict]]
    failed: tuple[FailedTerm, ...]
    verdict: Verdict

    def values(self, paper: Paper, zone: str) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "keyword": self.label,
            "query": self.query,
            "recorded": [
                {
                    "version": row.version,
                    "kind": row.kind.value,
                    "listed": row.listed,
                    "at": text_or_none(row.recorded_at),
                    "text": row_words(row, paper, zone),
                    "status": verdict.code,
                    "why": verdict.text,
                }
                for row, verdict in self.rows
            ],
            "failed_terms": [failed.term for failed in self.failed],
            "status": self.verdict.code,
            "why": self.verdict.text,
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """What arXiv says of a paper that the database lacks: the paper, or `trouble`, why it could not
    be asked; neither where it knows no such paper.
    """

    paper: Paper | None = None
    trouble: str = ""


def explain_paper(inquiry: Inquiry, name: PaperName, asked: Asked = Asked()) -> dict[str, Any]:
    """The chain for one paper, as plain values; `verdict` is a stable word and `answer` says it in
    a sentence. `asked` is what arXiv says of one that the database lacks.
    """
    history = inquiry.store.history
    paper = history.paper(name.id) or asked.paper
    if paper is None:
        return unknown_paper(inquiry, name, asked.trouble)
    facts = _facts(inquiry, name, paper)
    keywords = list(_keywords(facts))
    # What has happened outweighs what would have.
    verdict = (
        _delivered(facts)
        or _sent_long_ago(facts)
        or _never_came(facts)
        or _by_keywords(facts, keywords)
    )
    return {
        **inquiry.head("paper"),
        "paper": facts.values(),
        "keywords": [each.values(paper, inquiry.zone) for each in keywords],
        "digests": [
            inquiry.values(delivery) | {"version": carried.version}
            for delivery, carried in facts.carriers
        ],
        "months": [{"month": f"{month:%Y-%m}", "version": v} for month, v in facts.long_ago],
        "ranking": _ranking(facts),
        "summary": explain_summary(inquiry.store, inquiry.subscriber, paper, facts.composed),
        "verdict": verdict.code,
        "answer": verdict.text,
    }


def _facts(inquiry: Inquiry, name: PaperName, paper: Paper) -> _Facts:
    """What the store knows of a paper and the reader."""
    history, past = inquiry.store.history, inquiry.past
    carriers = history.carriers(past.id, name.id) if past else []
    long_ago = history.sent_long_ago(past.id, name.id) if past else []
    return _Facts(inquiry, name, paper, history.log(name.id), carriers, long_ago)


def _ranking(facts: _Facts) -> dict[str, Any] | None:
    """How the paper is ranked among those with which it came last, or would come now; None where it
    does neither, or it is not known any more with which.
    """
    inquiry, name = facts.inquiry, facts.name.id
    if inquiry.subscriber is None:
        return None
    together = [item.paper for item in inquiry.plan.items] if inquiry.plan else []
    if all(paper.id != name for paper in together):
        last = max((delivery.id for delivery, _ in facts.carried()), default=0)
        kept = inquiry.store.bodies.kept(last)
        together = list(kept.papers.values()) if kept else []
    if all(paper.id != name for paper in together):
        return None
    tastes = Tastes(inquiry.store)
    return explain_ranking(tastes, inquiry.subscriber, together).values(name)


def _keywords(facts: _Facts) -> Iterator[_KeywordVerdict]:
    """What each keyword of the reader's says of the paper; former ones only where their log holds
    it.
    """
    inquiry = facts.inquiry
    with Matcher([facts.paper]) as matcher:
        wishes = _wishes(facts, matcher)
        for query, label in inquiry.keywords.items():
            own = facts.rows(query)
            if own:
                rows = [(row, _judge(inquiry, row, wishes)) for row in own]
                verdict = _most_decisive([verdict for _, verdict in rows])
                yield _KeywordVerdict(label, query, rows, (), verdict)
            elif inquiry.wants(query) and not facts.paper.abstract:
                words = "the paper's abstract is no longer kept, so whether it matches is not known"
                yield _KeywordVerdict(label, query, [], (), Verdict("no_abstract", words))
            elif inquiry.wants(query):
                failed = why_not_matched(parse(query), lambda term: bool(matcher.match(term)))
                verdict = why_not_recorded(inquiry, facts.paper, query, failed, facts.first_seen)
                yield _KeywordVerdict(label, query, [], failed, verdict)


def _wishes(facts: _Facts, matcher: Matcher) -> Wishes:
    """The wishes that decide whether a row is for this reader; `matcher` holds the one paper."""
    reader = facts.inquiry.subscriber
    versions = facts.inquiry.store.history.milestones(facts.paper.id)
    return Wishes(
        revisions=reader.revisions if reader else Revisions.NONE,
        max_papers=reader.max_papers if reader else 0,
        unwanted=_unwanted(reader, facts.paper, matcher) if reader else "",
        had_version=max(facts.versions(), default=None),
        accepted=versions.accepted,
        withdrawn=versions.withdrawn,
    )


def _unwanted(reader: Subscriber, paper: Paper, matcher: Matcher) -> str:
    """Why a paper never comes to a reader, whatever its keywords bring, in words; or ""."""
    if is_outside(paper.categories, reader.within):
        return (
            f"none of its categories ({', '.join(paper.categories)}) is within"
            f" {', '.join(reader.within)}"
        )
    rule = next((rule for rule in reader.exclude if matcher.match(parse(rule))), "")
    return f"it is excluded by {rule}" if rule else ""


def _judge(inquiry: Inquiry, row: LogRow, wishes: Wishes) -> Verdict:
    part = inquiry.parts.get(row.query)
    start = part.start if part is not None else None
    skipped = False
    if inquiry.past is not None and start is not None and row.seq <= start:
        skipped = inquiry.store.history.was_skipped(inquiry.past.id, row, start)
    return judge_row(row, part, wishes, inquiry.zone, skipped=skipped)


def _most_decisive(verdicts: list[Verdict]) -> Verdict:
    return min(verdicts, key=lambda verdict: DECISIVE.index(verdict.code))


def _delivered(facts: _Facts) -> Verdict | None:
    """What became of the digest that carried the paper, if one did."""
    name, address = facts.name, facts.inquiry.address
    live = [each for each in facts.carried() if each[1].version >= (name.version or 0)]
    if not live:
        return None
    delivery, carried = min(live, key=lambda each: (WEIGHT.index(each[0].state), each[0].id))
    name = replace(name, version=name.version and carried.version)
    when = facts.inquiry.at(delivery.ended_at or delivery.queued_at)
    state = in_words(delivery.state)
    answers = {
        State.SENT: ("mailed", f"was mailed to {address} on {when}."),
        State.UNKNOWN: (
            "maybe_delivered",
            f"was maybe delivered to {address}: the mail of {when}.",
        ),
        State.DROPPED: (
            "dropped",
            f"was in a digest that was dropped on {when}; it counts as had.",
        ),
    }
    waiting = ("waiting", f"is in a digest that waits in the outbox ({state}).")
    code, words = answers.get(delivery.state, waiting)
    return Verdict(code, f"{name} {words}")


def _sent_long_ago(facts: _Facts) -> Verdict | None:
    """That a digest which is no longer kept carried the paper."""
    name = facts.name
    months = [(month, v) for month, v in facts.long_ago if v >= (name.version or 0)]
    if not months:
        return None
    month, version = months[0]
    name = replace(name, version=name.version and version)
    kept = f"single digests are kept for {KEPT.days} days"
    return Verdict(
        "mailed", f"{name} was mailed to {facts.inquiry.address} in {month:%Y-%m} ({kept})."
    )


def _never_came(facts: _Facts) -> Verdict | None:
    """A version that nobody saw, or a reader who had left."""
    inquiry, name = facts.inquiry, facts.name
    # What no log holds was asked for by id, which brings the newest version.
    had = {row.version for row in facts.log} or set(range(1, facts.paper.version + 1))
    if name.version is not None and name.version not in had:
        newest = f"the newest that arXiv served is version {facts.paper.version}"
        return Verdict("unknown_version", f"Version {name.version} never came here: {newest}.")
    left_at = inquiry.past.left_at if inquiry.past and inquiry.subscriber is None else None
    if left_at is not None:
        words = f"left on {inquiry.at(left_at)} and had not got {name} by then"
        return Verdict("left", f"{inquiry.address} {words}.")
    return None


def _by_keywords(facts: _Facts, keywords: list[_KeywordVerdict]) -> Verdict:
    """What the reader's keywords say, in one sentence."""
    name, address = facts.name, facts.inquiry.address
    if not keywords:
        return Verdict("no_keyword", f"No keyword of {address} is in the file.")
    chosen = _most_decisive([each.verdict for each in keywords])
    if chosen.code == "due":
        return _due(facts.inquiry, name)
    if chosen.code == "no_match":
        which = "the keyword" if len(keywords) == 1 else f"any of the {len(keywords)} keywords"
        return Verdict(
            "no_match", f"{name} was not mailed to {address}: it does not match {which}."
        )
    label = next(each.label for each in keywords if each.verdict.code == chosen.code)
    return Verdict(chosen.code, f"{name} was not mailed to {address}. {label}: {chosen.text}.")


def _due(inquiry: Inquiry, name: PaperName) -> Verdict:
    """It is due: when it comes, or what keeps it."""
    reader, plan, is_due = inquiry.due, inquiry.plan, f"{name} is due to {inquiry.address}"
    if reader is None or inquiry.subscriber is None or plan is None:
        return Verdict("due", f"{is_due}, who comes into the database with the next run.")
    if reader.away and name.id not in {item.paper.id for item in plan.items}:
        most = f"the most recent {inquiry.subscriber.max_papers} papers"
        words = f"after the pause come {most}, and this is older"
        return Verdict("let_go", f"{name} is not mailed: {words}.")
    kept = keeps_mail(inquiry)
    if kept:
        return Verdict(kept.code, f"{is_due}, but {kept.text}.")
    return Verdict("due", f"{is_due}, and comes {next_chance(inquiry)}.")
