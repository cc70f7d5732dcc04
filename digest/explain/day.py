"""Explains a reader's day: announced, fetched, recorded, mailed; or why no digest came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

from digest.explain.inquiry import Inquiry, keeps_mail, next_chance, what_next
from digest.keywords.words import counted
from digest.model import NOT_CARRIED, Kind, Revisions
from digest.rules.calendar import Announcement, QuietNight, quiet_night, served_between
from digest.rules.schedule import local_date, next_slot, resumes_at
from digest.rules.verdict import LedgerEntry
from digest.rules.words import in_words
from digest.store.ageing import KEPT
from digest.store.history import Fetch, Reader, Recorded
from digest.times import to_text

_BETWEEN = QuietNight("not_announced", "no announcement")
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)

_FAILURES = {
    "failed": ("fetch_failed", "could not be fetched"),
    "quarantined": ("held_back", "was held back"),
}

Reason: TypeAlias = tuple[str, str]
"""A reason why no digest came: a stable word, and words for people."""


@dataclass(frozen=True, slots=True)
class _Day:
    """The events of one local day of a reader's, from `start` up to `end` (UTC)."""

    inquiry: Inquiry
    date: date
    start: datetime
    end: datetime
    announced: tuple[Announcement, ...]
    fetches: list[Fetch]
    recorded: list[Recorded]
    digests: list[LedgerEntry]

    def ended(self, delivery: LedgerEntry) -> bool:
        """Whether a delivery came to its end by the end of the day."""
        return delivery.ended_at is not None and delivery.ended_at < self.end

    def went(self) -> list[LedgerEntry]:
        """The digests that the day brought."""
        return [
            delivery
            for delivery in self.digests
            if delivery.state not in NOT_CARRIED
            and (delivery.queued_at >= self.start or self.ended(delivery))
        ]


def latest_day(inquiry: Inquiry) -> date:
    """The reader's last local day with something to tell: a digest, or an answer of arXiv's; else
    today.
    """
    last = inquiry.store.history.last_fetch_at(inquiry.keywords)
    moments = [d.ended_at or d.queued_at for d in inquiry.deliveries(limit=1)]
    moments += [last] if last else []
    return local_date(max(moments, default=inquiry.now), inquiry.zone)


def explain_day(inquiry: Inquiry, when: date) -> dict[str, Any]:
    """The chain for one local day of the reader's, as plain values; `verdict` is a stable word."""
    day = _look_up(inquiry, when)
    went = day.went()
    # The weightiest is the answer; the others are told as well.
    reasons = list(_reasons(day)) or [("nothing", "nothing new came for the reader's keywords")]
    code, why = reasons[0]
    night = quiet_night(day.end - _SECOND)
    return {
        **inquiry.head("day"),
        "date": when.isoformat(),
        "announced": [
            {"evening": a.evening.isoformat(), "served": to_text(a.served_at)}
            for a in day.announced
        ],
        "silent": night.words if night and not day.announced else None,
        "fetched": [_fetch_values(inquiry, fetch) for fetch in day.fetches],
        "recorded": _recorded_values(day.recorded),
        "digests": [inquiry.values(delivery) for delivery in day.digests],
        "verdict": "digest" if went else code,
        "answer": _what_went(inquiry, when, went) if went else _why_none(day, code, why),
        "reasons": [] if went else [text for _, text in reasons],
        "next": what_next(inquiry),
    }


def _why_none(day: _Day, code: str, why: str) -> str:
    """The answer for a day without a digest, or one of which nothing is known any more."""
    date, address = f"{day.date:%a %Y-%m-%d}", day.inquiry.address
    if code == "no_record":
        return f"What came on {date} to {address} is not known any more: {why}."
    return f"No digest on {date} for {address}: {why}."


def _look_up(inquiry: Inquiry, when: date) -> _Day:
    history, zone, past = inquiry.store.history, inquiry.zone, inquiry.past
    start, end = resumes_at(when, zone), resumes_at(when + _DAY, zone)
    revisions = inquiry.subscriber.revisions if inquiry.subscriber else Revisions.NONE
    recorded = history.recorded(past.id, start, end, revisions=revisions) if past else []
    return _Day(
        inquiry,
        when,
        start,
        end,
        announced=served_between(start - _SECOND, end - _SECOND),
        fetches=history.fetches(inquiry.keywords, start, end),
        recorded=recorded,
        digests=inquiry.deliveries(since=start, until=end)[::-1],
    )


def _what_went(inquiry: Inquiry, when: date, digests: list[LedgerEntry]) -> str:
    """The answer for a day with digests: their papers and states."""
    words = []
    for delivery in digests:
        papers = counted(delivery.papers, "paper") if delivery.papers else "no paper"
        words.append(f"{papers} ({in_words(delivery.state)})")
    return f"The digest of {when:%a %Y-%m-%d} for {inquiry.address}: {'; '.join(words)}."


def _fetch_values(inquiry: Inquiry, fetch: Fetch) -> dict[str, Any]:
    record = fetch.record
    label = inquiry.keywords.get(fetch.query, record.keyword)
    text = f"{in_words(record.status)}: {record.why}"
    if record.status == "ok":
        counts = [f"{record.new} new"]
        counts += [f"{record.late} announced late"] if record.late else []
        counts += [f"{record.revised} revised"] if record.revised else []
        why = f" ({record.why})" if record.why else ""
        text = f"{record.fetched} rows, {', '.join(counts)}{why}"
    return {
        "keyword": label,
        "query": fetch.query,
        "at": to_text(fetch.at),
        "status": record.status,
        "fetched": record.fetched,
        "new": record.new,
        "late": record.late,
        "revised": record.revised,
        "why": record.why,
        "text": f"{inquiry.at(fetch.at)} {label}: {text}",
    }


def _recorded_values(recorded: list[Recorded]) -> dict[str, Any]:
    """What came into the reader's logs: papers once each, however many keywords they match."""
    kinds: dict[str, Kind] = {}
    for row in recorded:
        if row.counts:
            kinds[row.paper] = min(kinds.get(row.paper, row.kind), row.kind, key=list(Kind).index)
    counts = Counter(kinds.values())
    others = {row.paper for row in recorded} - kinds.keys()
    carried = {row.paper for row in recorded if row.delivery is not None and row.paper in kinds}
    return {
        "new": counts[Kind.NEW],
        "late": counts[Kind.LATE],
        "revised": counts[Kind.REVISED],
        "not_for_this_reader": len(others),
        "carried": len(carried),
    }


def _reasons(day: _Day) -> Iterator[Reason]:
    """Why no digest was composed on a day, the weightiest reason first."""
    inquiry, reader = day.inquiry, day.inquiry.past
    if day.start > inquiry.now:
        yield "future", _why_future(day)
    elif reader is None:
        yield "not_known", "the next run takes this reader in"
    elif reader.since >= day.end:
        yield "not_known", f"the reader was taken in on {inquiry.at(reader.since)}"
    elif day.end < inquiry.now - KEPT and not day.digests and not day.fetches:
        yield "no_record", _why_no_record(day, reader)
    else:
        yield from _why_kept_away(day, reader)
        yield from _why_held_back(day, reader)
        yield from _why_not_scheduled(day)
        yield from _why_under_way(day)
        yield from _why_trouble(day)
        yield from _why_other_digest(day)
        yield from _why_waiting(day)
        yield from _why_not_announced(day)


def _why_no_record(day: _Day, reader: Reader) -> str:
    """Of a day of long ago: what the ledger has of its month."""
    months = day.inquiry.store.history.months(reader.id)
    sent = [papers for month, papers in months.items() if f"{month:%Y-%m}" == f"{day.date:%Y-%m}"]
    count = counted(sum(map(len, sent)), "paper")
    return (
        f"single digests and runs are kept for {KEPT.days} days; in all of {day.date:%Y-%m}"
        f" {count} went to this reader"
    )


def _why_future(day: _Day) -> str:
    if not day.announced:
        return "the day has not come yet, and no announcement is due on it"
    first = day.announced[0]
    served = f"is served from {day.inquiry.at(first.served_at)} on"
    return f"the day has not come yet; the announcement of {first.evening:%a %Y-%m-%d} {served}"


def _why_kept_away(day: _Day, reader: Reader) -> Iterator[Reason]:
    """The reader had left; a suppression that began before the day's end; a pause, as the file has
    it, after the last digest.
    """
    inquiry = day.inquiry
    if inquiry.subscriber is None and reader.left_at is not None and reader.left_at < day.end:
        yield "left", f"the reader left on {inquiry.at(reader.left_at)}"
    suppression = inquiry.suppression()
    if suppression and reader.suppressed_at is not None and reader.suppressed_at < day.end:
        yield suppression.code, suppression.text
    pause = inquiry.pause(min(day.end - _SECOND, inquiry.now))
    if pause and all(last.queued_at < day.end for last in inquiry.deliveries(limit=1)):
        yield "paused", f"the subscribers file has the reader {pause}"


def _why_held_back(day: _Day, reader: Reader) -> Iterator[Reason]:
    """Mistakes in the subscribers file on that day."""
    for words in day.inquiry.store.mistakes.of(reader.id, day.start, day.end):
        yield "mistake", f"a mistake in the subscribers file held the reader back: {words}"


def _why_not_scheduled(day: _Day) -> Iterator[Reason]:
    """No slot on that day, or one that is still to come."""
    inquiry, reader = day.inquiry, day.inquiry.subscriber
    if reader is None:
        return
    slot = next_slot(reader, day.start - _SECOND)
    if local_date(slot, inquiry.zone) != day.date:
        days = ", ".join(reader.days)
        yield "not_scheduled", f"the schedule ({days}) has no digest on a {day.date:%A}"
    elif slot > inquiry.now:
        yield "slot_not_yet", f"the digest of this day comes from {inquiry.at(slot)} on"


def _why_under_way(day: _Day) -> Iterator[Reason]:
    """Digests that were on their way, and did not arrive on that day."""
    for delivery in day.digests:
        if not day.ended(delivery) or delivery.state in NOT_CARRIED:
            composed, text = (
                day.inquiry.at(delivery.queued_at),
                day.inquiry.values(delivery)["text"],
            )
            yield "delivery", f"the digest of {composed} was on its way ({text})"


def _why_trouble(day: _Day) -> Iterator[Reason]:
    """What stood in the way of runs, and of fetches that nothing good followed on the same day."""
    runs = day.inquiry.store.history.runs(since=day.start, until=day.end, idle=True)
    if not runs:
        yield _why_no_run(day)
    for trouble in dict.fromkeys(run.record.trouble for run in runs if run.record.trouble):
        yield "trouble", trouble
    # A later good answer of the day makes up for a failure.
    last = {fetch.query: fetch.record for fetch in day.fetches}
    for record in last.values():
        if record.status in _FAILURES:
            code, words = _FAILURES[record.status]
            yield code, f"{record.keyword} {words}: {record.why}"


def _why_no_run(day: _Day) -> Reason:
    inquiry = day.inquiry
    if day.date == local_date(inquiry.now, inquiry.zone):
        return "no_run", "no run was made on this day yet"
    return "no_run", "no run was made on this day: the machine was off, or no timer called"


def _why_other_digest(day: _Day) -> Iterator[Reason]:
    """Papers that came on that day, and went out later."""
    carried = {row.paper: row.delivery for row in day.recorded if row.counts and row.delivery}
    later = {d.id: d for d in day.inquiry.deliveries()} if carried else {}
    for number, count in Counter(carried.values()).items():
        papers, delivery = counted(count, "paper of this day", "papers of this day"), later[number]
        composed = f"{day.inquiry.at(delivery.queued_at)} ({in_words(delivery.state)})"
        yield "other_digest", f"{papers} went into the digest composed {composed}"


def _why_waiting(day: _Day) -> Iterator[Reason]:
    """Papers that came on that day, and still wait."""
    inquiry = day.inquiry
    waiting = {row.paper for row in day.recorded if row.counts and row.delivery is None}
    if not waiting or inquiry.due is None or inquiry.subscriber is None:
        return
    kept = keeps_mail(inquiry)
    chance = kept.text if kept else f"what is due comes {next_chance(inquiry)}"
    papers = counted(len(waiting), "paper was", "papers were")
    yield "waiting", f"{papers} recorded and not yet mailed; {chance}"


def _why_not_announced(day: _Day) -> Iterator[Reason]:
    """Nothing was announced, or not yet, or what was brought nothing new."""
    if not day.announced:
        # A day of 23 hours may lie between two announcements, after a night that was not quiet.
        night = quiet_night(day.end - _SECOND) or _BETWEEN
        yield night.code, f"nothing was announced ({night.words})"
        return
    if day.announced[-1].served_at > day.inquiry.now:
        served = day.inquiry.at(day.announced[-1].served_at)
        yield "not_served_yet", f"the announcement is served from {served} on"
    good = [fetch.record.why for fetch in day.fetches if fetch.record.status == "ok"]
    for why in filter(None, dict.fromkeys(good)):
        yield "no_match", why
