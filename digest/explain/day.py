"""How a day went for a reader: announced, fetched, recorded, mailed; or why no digest came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from digest.explain.paper import (
    Asked,
    digest_values,
    keeps_mail,
    keywords_of,
    next_chance,
    what_next,
)
from digest.keywords.words import counted
from digest.model import NOT_CARRIED, Kind, Revisions, in_words
from digest.rules.calendar import Announcement, quiet_night, served_between
from digest.rules.schedule import is_paused, local_date, next_slot, pause_in_words, resumes_at
from digest.rules.verdict import LedgerEntry, moment
from digest.store.history import Fetch, Recorded, Run
from digest.store.runs import KEPT
from digest.times import to_text

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_FAILED = ("fetch_failed", "could not be fetched")


def latest_day(asked: Asked) -> date:
    """The reader's last local day with something to tell: a digest, or an answer of arXiv's; else
    today.
    """
    history = asked.store.history
    moments = [history.last_fetch_at(keywords_of(asked, asked.parts))]
    if asked.past is not None:
        moments += [
            delivery.ended_at or delivery.queued_at
            for delivery in history.deliveries(asked.past.id, limit=1)
        ]
    return local_date(max((m for m in moments if m), default=asked.now), asked.zone)


def explain_day(asked: Asked, day: date) -> dict[str, Any]:
    """The chain for one local day of the reader's, as plain values; `verdict` is a stable word."""
    history, zone = asked.store.history, asked.zone
    start, end = resumes_at(day, zone), resumes_at(day + _DAY, zone)
    announced = served_between(start - _SECOND, end - _SECOND)
    named = keywords_of(asked, asked.parts)
    fetches = history.fetches(named, start, end)
    revisions = asked.subscriber.revisions if asked.subscriber else Revisions.NONE
    recorded = (
        history.recorded(asked.past.id, start, end, revisions=revisions) if asked.past else []
    )
    digests = (
        list(reversed(history.deliveries(asked.past.id, since=start, until=end)))
        if asked.past
        else []
    )
    reasons = list(_reasons(asked, day, start, end, announced, fetches, recorded, digests))
    reasons = reasons or [("nothing", "nothing new came for the reader's keywords")]
    went = [
        d
        for d in digests
        if d.state not in NOT_CARRIED and (d.queued_at >= start or _ended_by(d, end))
    ]
    if went:
        verdict, answer = "digest", _went(asked, day, went)
    else:
        verdict, answer = (
            reasons[0][0],
            f"No digest on {day:%a %Y-%m-%d} for {asked.address}: {reasons[0][1]}.",
        )
    return {
        "email": asked.address,
        "timezone": zone,
        "now": to_text(asked.now),
        "about": "day",
        "date": day.isoformat(),
        "announced": [
            {"evening": a.evening.isoformat(), "served": to_text(a.served_at)} for a in announced
        ],
        "silent": None if announced else quiet_night(end - _SECOND),
        "fetched": [_fetch_values(fetch, named, zone) for fetch in fetches],
        "recorded": _recorded_values(recorded),
        "digests": [digest_values(asked, delivery) for delivery in digests],
        "verdict": verdict,
        "answer": answer,
        "reasons": [] if went else [text for _, text in reasons],
        "next": what_next(asked),
    }


def _ended_by(delivery: LedgerEntry, end: datetime) -> bool:
    return delivery.ended_at is not None and delivery.ended_at < end


def _went(asked: Asked, day: date, digests: list[LedgerEntry]) -> str:
    """What a day with a digest brought."""
    words = []
    for delivery in digests:
        papers = {0: "no paper", 1: "1 paper"}.get(delivery.papers, f"{delivery.papers} papers")
        words.append(f"{papers} ({in_words(delivery.state)})")
    return f"The digest of {day:%a %Y-%m-%d} for {asked.address}: {'; '.join(words)}."


def _fetch_values(fetch: Fetch, named: dict[str, str], zone: str) -> dict[str, Any]:
    record = fetch.record
    if record.status == "ok":
        counts = [f"{record.new} new"]
        counts += [f"{record.late} announced late"] if record.late else []
        counts += [f"{record.revised} revised"] if record.revised else []
        text = f"{record.fetched} rows, {', '.join(counts)}" + (
            f" ({record.why})" if record.why else ""
        )
    else:
        text = f"{in_words(record.status)}: {record.why}"
    return {
        "keyword": named.get(fetch.query, record.keyword),
        "query": fetch.query,
        "at": to_text(fetch.at),
        "status": record.status,
        "fetched": record.fetched,
        "new": record.new,
        "late": record.late,
        "revised": record.revised,
        "why": record.why,
        "text": f"{moment(fetch.at, zone)} {named.get(fetch.query, record.keyword)}: {text}",
    }


def _recorded_values(recorded: list[Recorded]) -> dict[str, Any]:
    """What came into the reader's logs: papers once each, however many keywords they match."""
    kinds: dict[str, Kind] = {}
    for row in recorded:
        if row.counts:
            kinds[row.paper] = min(kinds.get(row.paper, row.kind), row.kind, key=list(Kind).index)
    counts = Counter(kinds.values())
    beside = {row.paper for row in recorded} - kinds.keys()
    carried = {row.paper for row in recorded if row.delivery is not None and row.paper in kinds}
    return {
        "new": counts[Kind.NEW],
        "late": counts[Kind.LATE],
        "revised": counts[Kind.REVISED],
        "not_for_this_reader": len(beside),
        "carried": len(carried),
    }


def _reasons(
    asked: Asked,
    day: date,
    start: datetime,
    end: datetime,
    announced: tuple[Announcement, ...],
    fetches: list[Fetch],
    recorded: list[Recorded],
    digests: list[LedgerEntry],
) -> Iterator[tuple[str, str]]:
    """Why no digest was composed on a day, the weightiest reason first."""
    zone = asked.zone
    if start > asked.now:
        yield "future", _future(asked, announced)
        return
    reader = asked.past
    if reader is None:
        yield "not_known", "the next run takes this reader in"
        return
    if reader.since >= end:
        yield "not_known", f"the reader was taken in on {moment(reader.since, zone)}"
        return
    if asked.subscriber is None and reader.left_at is not None and reader.left_at < end:
        yield "left", f"the reader left on {moment(reader.left_at, zone)}"
    yield from _kept_away(asked, end)
    yield from _schedule(asked, day, start)
    for delivery in digests:
        if not _ended_by(delivery, end) or delivery.state in NOT_CARRIED:
            text = digest_values(asked, delivery)["text"]
            yield (
                "delivery",
                f"the digest of {moment(delivery.queued_at, zone)} was on its way ({text})",
            )
    runs = asked.store.history.runs(since=start, until=end, idle=True)
    if not runs:
        yield _no_run(asked, end)
    yield from _trouble(runs, fetches)
    yield from _due_rows(asked, recorded)
    if not announced:
        night = quiet_night(end - _SECOND) or "no announcement"
        yield ("weekend" if night == "weekend" else "holiday"), f"nothing was announced ({night})"
    if announced and announced[-1].served_at > asked.now:
        yield (
            "not_served_yet",
            f"the announcement is served from {moment(announced[-1].served_at, zone)} on",
        )
    for why in dict.fromkeys(
        f.record.why for f in fetches if announced and f.record.status == "ok" and f.record.why
    ):
        yield "no_match", why


def _future(asked: Asked, announced: tuple[Announcement, ...]) -> str:
    if not announced:
        return "the day has not come yet, and no announcement is due on it"
    return (
        f"the day has not come yet; the announcement of {announced[0].evening:%a %Y-%m-%d} is served from"
        f" {moment(announced[0].served_at, asked.zone)} on"
    )


def _kept_away(asked: Asked, end: datetime) -> Iterator[tuple[str, str]]:
    """A suppression that began before the day's end; a pause, as the file has it, after the last
    digest.
    """
    reader = asked.past
    assert reader is not None
    if reader.suppressed_at is not None and reader.suppressed_at < end:
        since = moment(reader.suppressed_at, asked.zone)
        yield (
            "suppressed",
            f"mail to this address is suppressed since {since}: {reader.suppression}",
        )
    until = asked.subscriber.paused_until if asked.subscriber is not None else None
    if (
        asked.subscriber is not None
        and until
        and is_paused(asked.subscriber, min(end - _SECOND, asked.now))
    ):
        last = asked.store.history.deliveries(reader.id, limit=1)
        if not last or last[0].queued_at < end:
            yield "paused", f"the subscribers file has the reader {pause_in_words(until)}"


def _schedule(asked: Asked, day: date, start: datetime) -> Iterator[tuple[str, str]]:
    """No slot on that day, or one that is still to come."""
    if asked.subscriber is None:
        return
    slot = next_slot(asked.subscriber, start - _SECOND)
    if local_date(slot, asked.zone) != day:
        days = ", ".join(asked.subscriber.days)
        yield "not_scheduled", f"the schedule ({days}) has no digest on a {day:%A}"
    elif slot > asked.now:
        yield "slot_not_yet", f"the digest of this day comes from {moment(slot, asked.zone)} on"


def _no_run(asked: Asked, end: datetime) -> tuple[str, str]:
    if end < asked.now - KEPT:
        return "no_record", "the records of runs are kept for a year, and this is older"
    if local_date(end - _SECOND, asked.zone) == local_date(asked.now, asked.zone):
        return "no_run", "no run was made on this day yet"
    return "no_run", "no run was made on this day: the machine was off, or no timer called"


def _trouble(runs: list[Run], fetches: list[Fetch]) -> Iterator[tuple[str, str]]:
    """What stood in the way of runs and of fetches that nothing good followed on the same day."""
    for trouble in dict.fromkeys(run.record.trouble for run in runs if run.record.trouble):
        yield "trouble", trouble
    last = {fetch.query: fetch.record for fetch in fetches}
    for record in last.values():
        if record.status in ("failed", "quarantined"):
            code, words = (
                ("held_back", "was held back") if record.status == "quarantined" else _FAILED
            )
            yield code, f"{record.keyword} {words}: {record.why}"


def _due_rows(asked: Asked, recorded: list[Recorded]) -> Iterator[tuple[str, str]]:
    """Papers that came on that day, and went out later or still wait."""
    reader = asked.past
    assert reader is not None
    carried = {
        row.paper: row.delivery for row in recorded if row.counts and row.delivery is not None
    }
    later = {d.id: d for d in asked.store.history.deliveries(reader.id)} if carried else {}
    for number, count in Counter(carried.values()).items():
        papers = counted(count, "paper of this day", "papers of this day")
        delivery = later[number or 0]
        went = f"the digest composed {moment(delivery.queued_at, asked.zone)} ({in_words(delivery.state)})"
        yield "other_digest", f"{papers} went into {went}"
    waiting = {row.paper for row in recorded if row.counts and row.delivery is None}
    due = asked.store.digests.reader(asked.address)
    if waiting and due is not None and asked.subscriber is not None:
        kept = keeps_mail(asked, due)
        chance = (
            kept.text if kept else f"what is due comes {next_chance(asked.subscriber, due, asked)}"
        )
        papers = counted(len(waiting), "paper was", "papers were")
        yield "waiting", f"{papers} recorded and not yet mailed; {chance}"
