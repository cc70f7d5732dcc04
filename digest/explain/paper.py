"""From the store to an answer: why a paper came to a reader or did not, and how a day went for a
reader.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from digest.keywords.grammar import parse
from digest.keywords.match import Matcher
from digest.keywords.words import counted
from digest.model import NOT_CARRIED, Paper, Query, Revisions, State, Subscriber, in_words
from digest.rules.plan import DEEP
from digest.rules.schedule import (
    SlotState,
    current_slot,
    is_paused,
    local_date,
    next_digest,
    next_slot,
    pause_in_words,
)
from digest.rules.verdict import (
    WEIGHT,
    FailedTerm,
    LedgerEntry,
    LogRow,
    PaperName,
    Part,
    Verdict,
    Wishes,
    delivery_words,
    judge_row,
    moment,
    row_words,
    why_not_matched,
)
from digest.run.compose import make_plan
from digest.store import Store
from digest.store.digests import Due
from digest.store.history import Carried, Reader
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
    "no_match",
)
"""Where several keywords say different things, the first of these is the answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is asked about: as the subscribers file has them, as the database remembers them, or
    both.
    """

    store: Store
    now: datetime
    address: str
    subscriber: Subscriber | None
    past: Reader | None
    hold_unknown: bool = False

    @property
    def zone(self) -> str:
        """The zone in which times are shown."""
        return self.subscriber.timezone if self.subscriber else "UTC"

    @property
    def parts(self) -> dict[str, Part]:
        """The reader's parts of the logs, by query."""
        return (
            {part.query: part for part in self.store.history.parts(self.past.id)}
            if self.past
            else {}
        )


def keywords_of(asked: Asked, parts: dict[str, Part]) -> dict[str, str]:
    """Query to name: the reader's keywords, then those that they had before."""
    named: dict[str, str] = {}
    for keyword in asked.subscriber.keywords if asked.subscriber else ():
        named.setdefault(keyword.query, keyword.name)
    return named | {query: part.label for query, part in parts.items() if query not in named}


def explain_paper(asked: Asked, name: PaperName) -> dict[str, Any]:
    """The chain for one paper, as plain values; `verdict` is a stable word and `answer` says it in
    a sentence.
    """
    history = asked.store.history
    paper = history.paper(name.id)
    parts = asked.parts
    if paper is None:
        return _unknown_paper(asked, name, parts)
    log = history.log(name.id)
    rows = [row for row in log if name.version in (None, row.version)] or log
    carriers = history.carriers(asked.past.id, name.id) if asked.past else []
    live = [
        (delivery, carried)
        for delivery, carried in carriers
        if delivery.state not in NOT_CARRIED and carried.version >= (name.version or 0)
    ]
    had = max(
        (c.version for delivery, c in carriers if delivery.state not in NOT_CARRIED), default=None
    )
    keywords = list(_keywords(asked, paper, parts, rows, had))
    verdict = _verdict(asked, name, paper, keywords, live, log)
    known = [row.recorded_at for row in log]
    return {
        **_head(asked, "paper"),
        "paper": {
            "id": paper.id,
            "version": paper.version,
            "asked_version": name.version,
            "title": paper.title,
            "published": to_text(paper.published),
            "updated": to_text(paper.updated),
            "url": f"https://arxiv.org/abs/{name}",
            "first_seen": text_or_none(
                min((k for k in known if k), default=None) if all(known) else None
            ),
        },
        "keywords": keywords,
        "digests": [
            digest_values(asked, delivery) | {"version": carried.version}
            for delivery, carried in carriers
        ],
        "verdict": verdict.code,
        "answer": verdict.text,
    }


def _head(asked: Asked, about: str) -> dict[str, Any]:
    return {
        "email": asked.address,
        "timezone": asked.zone,
        "now": to_text(asked.now),
        "about": about,
    }


def _unknown_paper(asked: Asked, name: PaperName, parts: dict[str, Part]) -> dict[str, Any]:
    """What it means that no window ever held the paper."""
    named = keywords_of(asked, parts)
    firsts = [first for first in map(asked.store.history.first_good, named) if first]
    lasts = [q.last_good_at for q in asked.store.windows.queries(list(named)) if q.last_good_at]
    link = f"https://arxiv.org/abs/{name}"
    held = next(
        (q for q in asked.store.windows.queries(list(named)) if _held(asked, q, name.id)), None
    )
    if held is not None:
        text = f"{name}: {_held_words(asked, held)}"
    elif firsts and lasts:
        since, until = moment(min(firsts) - DEEP, asked.zone), moment(max(lasts), asked.zone)
        text = (
            f"{name} is not in the database: no keyword's window held it between {since} and {until}. Either no"
            " keyword matches it, or it was last updated outside that time, or it is not announced yet"
        )
    else:
        text = (
            f"{name} is not in the database: arXiv has not answered for this reader's keywords yet"
        )
    return {
        **_head(asked, "paper"),
        "paper": None,
        "keywords": [{"keyword": label, "query": query} for query, label in named.items()],
        "digests": [],
        "verdict": "unknown_paper" if held is None else "held_back",
        "answer": f"{text}. arXiv's own page tells its date and categories: {link}",
    }


def _keywords(
    asked: Asked, paper: Paper, parts: dict[str, Part], rows: list[LogRow], had: int | None
) -> Iterator[dict[str, Any]]:
    """What each keyword of the reader's says of the paper; former ones only where their log holds
    it.
    """
    wanted = {k.query for k in asked.subscriber.keywords} if asked.subscriber else set()
    versions = asked.store.history.milestones(paper.id)
    with Matcher([paper]) as matcher:
        excluded = next(
            (
                r
                for r in (asked.subscriber.exclude if asked.subscriber else ())
                if matcher.match(parse(r))
            ),
            "",
        )
        for query, label in keywords_of(asked, parts).items():
            own = [row for row in rows if row.query == query]
            if not own and query not in wanted:
                continue
            part = parts.get(query)
            if own:
                subscriber = asked.subscriber
                wishes = Wishes(
                    revisions=subscriber.revisions if subscriber else Revisions.NONE,
                    max_papers=subscriber.max_papers if subscriber else 0,
                    excluded_by=excluded,
                    had_version=had,
                    accepted=versions.accepted,
                    withdrawn=versions.withdrawn,
                )
                judged = [_judge(asked, row, part, wishes) for row in own]
                verdict = _first(judged)
            else:
                judged, verdict = [], _why_not_recorded(asked, paper, query, matcher)
            yield {
                "keyword": label,
                "query": query,
                "recorded": [
                    {
                        "version": row.version,
                        "kind": row.kind.value,
                        "at": text_or_none(row.recorded_at),
                        "text": row_words(row, paper, asked.zone),
                        "status": judgement.code,
                        "why": judgement.text,
                    }
                    for row, judgement in zip(own, judged, strict=True)
                ],
                "failed_terms": [] if own else [failed.term for failed in _failed(query, matcher)],
                "status": verdict.code,
                "why": verdict.text,
            }


def _held(asked: Asked, query: Query, paper: str) -> bool:
    """Whether a paper stands in the held-back answers for a query, and would be news."""
    return any(paper == each.id for each, _ in asked.store.windows.held.papers(query.id))


def _held_words(asked: Asked, query: Query) -> str:
    since = (
        f" since {moment(query.quarantined_since, asked.zone)}" if query.quarantined_since else ""
    )
    return (
        f"it stands in an answer of arXiv's that is held back{since} ({query.trouble}); it is mailed when the keyword"
        " is believed again, if it matches"
    )


def _failed(query: str, matcher: Matcher) -> tuple[FailedTerm, ...]:
    """The terms that keep the matcher's one paper from matching."""
    return why_not_matched(parse(query), lambda term: bool(matcher.match(term)))


def _judge(asked: Asked, row: LogRow, part: Part | None, wishes: Wishes) -> Verdict:
    let_go = (
        asked.past is not None
        and part is not None
        and part.start is not None
        and row.seq <= part.start
        and asked.store.history.was_skipped(asked.past.id, row, part.start)
    )
    return judge_row(row, part, wishes, asked.zone, let_go=let_go)


def _first(verdicts: list[Verdict]) -> Verdict:
    return min(verdicts, key=lambda verdict: DECISIVE.index(verdict.code))


def _why_not_recorded(asked: Asked, paper: Paper, query: str, matcher: Matcher) -> Verdict:
    """Why a paper that is known through another keyword is not in this one's log."""
    found = asked.store.windows.queries([query])
    last = found[0].last_good_at if found else None
    failed = dict.fromkeys(each.words for each in _failed(query, matcher))
    if failed:
        return Verdict("no_match", f"it does not match: {'; '.join(failed)}")
    trouble = (
        f" (the last answer was not good: {found[0].trouble})" if found and found[0].trouble else ""
    )
    if found and _held(asked, found[0], paper.id):
        return Verdict("held_back", _held_words(asked, found[0]))
    if last is None:
        return Verdict(
            "not_fetched", f"it matches, and arXiv has not yet answered for this keyword{trouble}"
        )
    if paper.updated > last:
        return Verdict(
            "not_yet_asked",
            f"it matches, and is younger than the last answer of {moment(last, asked.zone)}{trouble}",
        )
    first = asked.store.history.first_good(query)
    if first is not None and paper.updated < first - DEEP:
        return Verdict(
            "before_first_window",
            f"it matches, but is older than the first window of {moment(first, asked.zone)}, which reached back"
            f" {DEEP.days} days",
        )
    return Verdict(
        "not_served",
        "it matches by this program's own reading, but arXiv's answers for this keyword did not hold it; arXiv's"
        f" search decides{trouble}",
    )


def _verdict(
    asked: Asked,
    name: PaperName,
    paper: Paper,
    keywords: list[dict[str, Any]],
    live: list[tuple[LedgerEntry, Carried]],
    log: list[LogRow],
) -> Verdict:
    """What became of the paper for this reader, in one sentence."""
    if live:
        delivery, carried = min(live, key=lambda pair: (WEIGHT.index(pair[0].state), pair[0].id))
        return _delivered(asked, replace(name, version=name.version and carried.version), delivery)
    if name.version is not None and name.version not in {row.version for row in log}:
        return Verdict(
            "unknown_version",
            f"Version {name.version} never came here: the newest that arXiv served is version {paper.version}.",
        )
    if asked.past is not None and asked.past.left_at is not None and asked.subscriber is None:
        return Verdict(
            "left",
            f"{asked.address} left on {moment(asked.past.left_at, asked.zone)} and had not got {name} by then.",
        )
    if not keywords:
        return Verdict("no_keyword", f"No keyword of {asked.address} is in the file.")
    chosen = _first([Verdict(k["status"], k["why"]) for k in keywords])
    label = next(k["keyword"] for k in keywords if k["status"] == chosen.code)
    if chosen.code == "due":
        return _due(asked, name)
    if chosen.code == "no_match":
        which = "the keyword" if len(keywords) == 1 else f"any of the {len(keywords)} keywords"
        return Verdict(
            "no_match",
            f"{name} was not mailed to {asked.address}: it does not match {which}.",
        )
    return Verdict(
        chosen.code, f"{name} was not mailed to {asked.address}. {label}: {chosen.text}."
    )


def _delivered(asked: Asked, name: PaperName, delivery: LedgerEntry) -> Verdict:
    when = moment(delivery.ended_at or delivery.queued_at, asked.zone)
    match delivery.state:
        case State.SENT:
            return Verdict("mailed", f"{name} was mailed to {asked.address} on {when}.")
        case State.UNKNOWN:
            return Verdict(
                "maybe_delivered",
                f"{name} was maybe delivered to {asked.address}: the mail of {when}.",
            )
        case State.DROPPED:
            return Verdict(
                "dropped", f"{name} was in a digest that was dropped on {when}; it counts as had."
            )
    return Verdict(
        "waiting",
        f"{name} is in a digest that waits in the outbox ({in_words(delivery.state)}).",
    )


def _due(asked: Asked, name: PaperName) -> Verdict:
    """It is due: when it comes, or what keeps it."""
    reader = asked.store.digests.reader(asked.address)
    if reader is None or asked.subscriber is None:
        return Verdict(
            "due",
            f"{name} is due to {asked.address}, who comes into the database with the next run.",
        )
    plan = make_plan(asked.store, reader, asked.subscriber)
    if reader.away and name.id not in {item.paper.id for item in plan.items}:
        return Verdict(
            "let_go",
            f"{name} is not mailed: after the pause come the most recent {asked.subscriber.max_papers} papers,"
            " and this is older.",
        )
    kept = keeps_mail(asked, reader)
    if kept:
        return Verdict(kept.code, f"{name} is due to {asked.address}, but {kept.text}.")
    return Verdict(
        "due",
        f"{name} is due to {asked.address}, and comes {next_chance(asked.subscriber, reader, asked)}.",
    )


def keeps_mail(asked: Asked, reader: Due) -> Verdict | None:
    """What keeps all mail from a reader now: a suppression, or a pause."""
    if reader.suppressed and asked.past is not None and asked.past.suppressed_at is not None:
        since = moment(asked.past.suppressed_at, asked.zone)
        return Verdict(
            "suppressed",
            f"mail to this address is suppressed since {since}: {asked.past.suppression}",
        )
    until = asked.subscriber.paused_until if asked.subscriber is not None else None
    if (
        asked.subscriber is not None
        and until is not None
        and is_paused(asked.subscriber, asked.now)
    ):
        return Verdict("paused", f"mail is {pause_in_words(until)}")
    return None


def next_chance(subscriber: Subscriber, reader: Due, asked: Asked) -> str:
    """When what is due already can leave."""
    slot = current_slot(subscriber, asked.now, used=reader.slot, opened_at=reader.opened_at)
    if slot.state is not SlotState.OPEN:
        after = next_slot(subscriber, max(slot.at, reader.slot or slot.at))
        return f"with the first run from {moment(after, asked.zone)} on"
    return "with the next run"


def what_next(asked: Asked) -> str:
    """What comes next for the reader, in a sentence."""
    if asked.subscriber is None:
        return ""
    reader = asked.store.digests.reader(asked.address)
    if reader is None:
        return "The next run takes this reader in."
    kept = keeps_mail(asked, reader)
    waiting = [
        d for d in asked.store.history.deliveries(reader.id, since=asked.now) if d.ended_at is None
    ]
    plan = make_plan(asked.store, reader, asked.subscriber)
    parts = []
    if waiting:
        parts.append(f"A digest waits in the outbox ({in_words(waiting[0].state)})")
    if kept:
        parts.append(kept.text[0].upper() + kept.text[1:])
        return ". ".join(parts) + "."
    if plan.items:
        due = counted(len(plan.items), "paper is due, and comes", "papers are due, and come")
        parts.append(f"{due} "
                     + next_chance(asked.subscriber, reader, asked))  # fmt: skip
    else:
        when, evening = next_digest(asked.subscriber, asked.now, taken=reader.slot)
        parts.append(
            f"The next digest can come on {moment(when, asked.zone)}, with the announcement of {evening:%a %Y-%m-%d}"
        )
    return ". ".join(parts) + "."


def digest_values(asked: Asked, delivery: LedgerEntry) -> dict[str, Any]:
    """One digest of the reader's as plain values."""
    return delivery_values(delivery, asked.zone, hold_unknown=asked.hold_unknown)


def delivery_values(
    delivery: LedgerEntry, zone: str, *, hold_unknown: bool = False
) -> dict[str, Any]:
    """A delivery as plain values; `text` is for people."""
    return {
        "id": delivery.id,
        "date": local_date(delivery.queued_at, zone).isoformat(),
        "composed": to_text(delivery.queued_at),
        "subject": delivery.subject,
        "papers": delivery.papers,
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "next": to_text(delivery.next_at) if delivery.ended_at is None else None,
        "ended": text_or_none(delivery.ended_at),
        "reply": delivery.reply,
        "text": delivery_words(delivery, zone, hold_unknown=hold_unknown),
    }
