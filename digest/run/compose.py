"""The composing step of a cycle: for each reader whose slot is open, the digest that is due, into
the outbox.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from digest.errors import DigestError
from digest.keywords.grammar import parse
from digest.keywords.match import Matcher
from digest.keywords.silence import hint
from digest.mail.message import freeze
from digest.model import Digest, Format, Paper, Roster, Silence, Subscriber
from digest.rendering.issue import render_issues
from digest.rendering.render import Renderer
from digest.rules.calendar import doubt_about, last_served, next_served, quiet_night
from digest.rules.compose import compose
from digest.rules.schedule import (
    gives_way,
    is_paused,
    latest_slot,
    local_date,
    next_digest,
    next_slot,
    resumes_at,
)
from digest.run.fetch import STALE
from digest.store import Store
from digest.store.digests import SLOT_OPEN, DigestPlan, Due, Exclude, Queued
from digest.store.silences import SILENCE
from digest.system.signals import Stop

log = logging.getLogger(__name__)

CHUNK = 200
"""Readers to a transaction; between chunks the event loop has its turn."""
WELCOME_WAIT = timedelta(hours=24)
"""A first digest waits so long for keywords that arXiv has not yet answered."""
QUIET_WAIT = timedelta(hours=6)
"""A note that nothing came waits so long, after the slot opened, for an announcement and for
arXiv's answers."""


@dataclass(frozen=True, slots=True)
class Composer:
    """What composing needs; `contact` and `domain` are the sender's."""

    store: Store
    renderer: Renderer
    contact: str
    domain: str


@dataclass(slots=True)
class _Chunk:
    """What one chunk of readers comes to, before it is written.

    `stored` are the digests in their stored form (key, subject, body), by all that they were made
    of.
    """

    queued: list[Queued] = field(default_factory=list)
    stored: dict[object, tuple[str, str, tuple[bytes, ...]]] = field(default_factory=dict)
    next_slots: dict[int, datetime] = field(default_factory=dict)
    away: list[int] = field(default_factory=list)
    opened: list[int] = field(default_factory=list)
    closed: list[tuple[int, datetime, datetime]] = field(default_factory=list)


async def compose_due(
    composer: Composer, roster: Roster, now: datetime, stop: Stop
) -> tuple[int, list[str]]:
    """Queue a digest for every reader to whom one is due; returns how many, and what failed for
    whom.

    A reader whose digest cannot be made holds up nobody else, and is looked at again by the next
    cycle.
    """
    subscribers = {s.email.casefold(): s for s in roster.subscribers}
    due = [d for d in composer.store.digests.due(now) if d.address.casefold() in subscribers]
    composed, failed = 0, []
    for start in range(0, len(due), CHUNK):
        if stop.is_set():
            break
        chunk = _Chunk()
        for reader in due[start : start + CHUNK]:
            try:
                _consider(composer, reader, subscribers[reader.address.casefold()], now, chunk)
            except DigestError:
                raise
            except Exception as error:
                log.exception("the digest for %s could not be composed", reader.address)
                failed.append(
                    f"{reader.address}: no digest could be composed ({type(error).__name__}: {error})"
                )
        composed += _write(composer, chunk, now)
        await asyncio.sleep(0)
    return composed, failed


def compose_now(composer: Composer, subscriber: Subscriber, now: datetime) -> Digest | None:
    """The digest that the reader would get if it were composed now, whatever the hour; None where
    nothing is due.
    """
    reader = composer.store.digests.reader(subscriber.email)
    if reader is None:
        return None
    plan = make_plan(composer.store, reader, subscriber)
    without_papers = _may_be_empty(subscriber) and (
        (plan.first and not plan.waiting) or _note_is_due(plan, now)
    )
    if not plan.items and not without_papers:
        return None
    return _digest(composer, plan, subscriber, latest_slot(subscriber, now), now)


def queue_now(composer: Composer, subscriber: Subscriber, now: datetime) -> bool:
    """Queue what is due to one reader, whatever the hour, in a slot apart from the schedule; false
    where nothing is.

    A first digest is the one of the schedule, come early: it also takes the slot that is open or
    was the last.
    """
    digests = composer.store.digests
    reader = digests.reader(subscriber.email)
    if reader is None or reader.suppressed or is_paused(subscriber, now):
        return False
    plan = make_plan(composer.store, reader, subscriber)
    empty = _may_be_empty(subscriber) and plan.first and not plan.waiting and not plan.unplaced
    if not plan.items and not empty:
        return False
    taken = latest_slot(subscriber, now) if reader.slot is None else reader.slot
    slot = taken if plan.first and reader.slot is None else digests.unscheduled_slot(reader.id, now)
    chunk = _Chunk(next_slots={reader.id: next_slot(subscriber, slot)})
    apart = slot if slot != taken else None
    chunk.queued.append(_queued(composer, plan, subscriber, taken, now, chunk, apart=apart))
    return _write(composer, chunk, now) == 1


def make_plan(store: Store, reader: Due, subscriber: Subscriber) -> DigestPlan:
    """What is due to a reader, by the subscribers file's wishes."""
    return store.digests.plan(
        reader,
        revisions=subscriber.revisions,
        max_papers=subscriber.max_papers,
        exclude=exclude_rules(subscriber) if subscriber.exclude else None,
    )


def _consider(
    composer: Composer, reader: Due, subscriber: Subscriber, now: datetime, chunk: _Chunk
) -> None:
    """Decide about one reader whose slot is open."""
    if reader.suppressed or is_paused(subscriber, now):
        if not reader.away:
            chunk.away.append(reader.id)
        return
    slot = latest_slot(subscriber, now)
    if reader.slot is not None and slot <= reader.slot:
        return
    if gives_way(subscriber, slot, now):
        return
    opened = reader.opened_at if reader.opened_at is not None and reader.opened_at >= slot else None
    # The slot of a reader who never had a digest stays open until the first one goes, which always
    # does.
    if opened is not None and now - opened >= SLOT_OPEN and reader.slot is not None:
        chunk.closed.append((reader.id, slot, next_slot(subscriber, slot)))
        return
    _queue_or_open(composer, reader, subscriber, slot, now, chunk, opened=opened is not None)


def _queue_or_open(
    composer: Composer,
    reader: Due,
    subscriber: Subscriber,
    slot: datetime,
    now: datetime,
    chunk: _Chunk,
    *,
    opened: bool,
) -> None:
    """Queue the digest for an open slot; where nothing is due, the slot stays open, and a note may
    go beside it.
    """
    plan, is_due, quiet = None, False, ""
    if composer.store.digests.has_news(reader.id) or composer.store.digests.is_silent(reader.id):
        plan = make_plan(composer.store, reader, subscriber)
        is_due = bool(plan.items) or (
            _may_be_empty(subscriber) and _welcome_is_due(plan, reader, now)
        )
    if not is_due and subscriber.quiet_days and _may_be_empty(subscriber):
        plan = plan or make_plan(composer.store, reader, subscriber)
        if not plan.first and not plan.waiting:
            quiet = _quiet_reason(composer.store, subscriber, plan.previous, slot, now)
    if plan is not None and (is_due or quiet):
        chunk.queued.append(_queued(composer, plan, subscriber, slot, now, chunk, quiet=quiet))
        chunk.next_slots[reader.id] = next_slot(subscriber, slot)
        return
    if not opened:
        chunk.opened.append(reader.id)
    if plan is not None and _may_be_empty(subscriber) and _note_is_due(plan, now):
        apart = composer.store.digests.unscheduled_slot(reader.id, now)
        chunk.queued.append(_queued(composer, plan, subscriber, slot, now, chunk, apart=apart))
        chunk.next_slots[reader.id] = next_slot(subscriber, slot)


def _write(composer: Composer, chunk: _Chunk, now: datetime) -> int:
    """Write what a chunk came to; nothing is written where there is nothing."""
    digests = composer.store.digests
    if chunk.away:
        digests.mark_away(chunk.away)
    if chunk.opened:
        digests.open_slots(chunk.opened, now)
    if chunk.closed:
        digests.close_slots(chunk.closed)
    if not chunk.queued:
        return 0
    return digests.queue(chunk.queued, now, composer.domain, chunk.next_slots.__getitem__)


def _may_be_empty(subscriber: Subscriber) -> bool:
    """Whether a digest without a paper may go to this reader: watchers of a repository get no issue
    for that.
    """
    return subscriber.format is not Format.ISSUE


def _welcome_is_due(plan: DigestPlan, reader: Due, now: datetime) -> bool:
    """A first digest goes out even without papers, once every keyword had its first answer, or
    after a day.
    """
    return (
        plan.first
        and not plan.waiting
        and (not plan.unplaced or now - reader.since >= WELCOME_WAIT)
    )


def _note_is_due(plan: DigestPlan, now: datetime) -> bool:
    """Whether a silent keyword is told of in a mail of its own: where no mail has come for as long
    as it was silent.

    Otherwise it can wait for the next digest. The note takes no slot, so that it keeps no paper
    waiting.
    """
    mailed_lately = plan.previous is not None and now - plan.previous < SILENCE
    return bool(plan.silences) and not (plan.items or plan.first or plan.waiting or mailed_lately)


def _digest(
    composer: Composer,
    plan: DigestPlan,
    subscriber: Subscriber,
    slot: datetime,
    now: datetime,
    quiet: str = "",
) -> Digest:
    return compose(
        plan.items,
        subscriber,
        now=now,
        welcome=plan.first,
        previous=plan.previous,
        next_at=next_digest(subscriber, max(slot, now), taken=slot)[0],
        skipped=plan.skipped,
        quiet=quiet,
        contact=composer.contact,
        silences=tuple(
            Silence(keyword.name, plan.silences[keyword.query], hint(keyword))
            for keyword in subscriber.keywords
            if keyword.query in plan.silences
        ),
    )


def _queued(
    composer: Composer,
    plan: DigestPlan,
    subscriber: Subscriber,
    slot: datetime,
    now: datetime,
    chunk: _Chunk,
    *,
    quiet: str = "",
    apart: datetime | None = None,
) -> Queued:
    """The digest for a slot in its stored form, queued `apart` from it where that is given.

    Readers to whom the same is due in the same way have it composed once, for all of them; and a
    digest that equals an earlier one is not rendered again.
    """
    alike = replace(subscriber, email="", name="", mailbox="")
    told = tuple(plan.silences.items())
    made_of = (plan.items, plan.first, plan.previous, plan.skipped, told, quiet, slot, alike)
    if made_of not in chunk.stored:
        digest = _digest(composer, plan, subscriber, slot, now, quiet)
        key = hashlib.sha256(repr(digest).encode("utf-8", "backslashreplace")).hexdigest()
        chunk.stored[made_of] = (
            key,
            *(composer.store.digests.stored(key) or _rendered(composer, digest)),
        )
    return Queued(plan, apart or slot, *chunk.stored[made_of], unscheduled=apart is not None)


def _rendered(composer: Composer, digest: Digest) -> tuple[str, tuple[bytes, ...]]:
    """Subject and body as they are stored: of a mail, or of the issues of a repository."""
    if digest.format is Format.ISSUE:
        issues = render_issues(digest)
        return issues.title, tuple(body.encode() for body in issues.bodies)
    rendered = composer.renderer.render(digest, secrets.token_hex(16))
    return rendered.subject, freeze(rendered)


def _quiet_reason(
    store: Store, subscriber: Subscriber, previous: datetime | None, slot: datetime, now: datetime
) -> str:
    """Why nothing came since the digest at `previous`, for a reader who wants to be told.

    Empty while an answer of arXiv's is still awaited: the note takes the slot, and would keep the
    papers waiting.
    """
    served, coming = last_served(now).served_at, next_served(now).served_at
    today = local_date(slot, subscriber.timezone)
    if local_date(coming, subscriber.timezone) == today and (
        subscriber.at is None or coming - slot < QUIET_WAIT
    ):
        return ""
    queries = store.windows.queries([k.query for k in subscriber.keywords])
    behind = [q for q in queries if q.last_good_at is None or q.last_good_at < served]
    if behind:
        if now - max(slot, served) < QUIET_WAIT:
            return ""
        return behind[0].trouble or "arXiv could not be asked since its last announcement"
    fetches = [fetch[1].why for query in queries if (fetch := store.runs.last_fetch(query.text))]
    if stale := [why for why in fetches if why.startswith(STALE)]:
        return stale[0]
    if previous is not None and previous >= served:
        midnight = resumes_at(today + timedelta(days=1), subscriber.timezone)
        if night := quiet_night(max(now, midnight - timedelta(seconds=1))):
            return night
    return f"no match in arXiv's last announcement{doubt_about(last_served(now).evening)}"


def exclude_rules(subscriber: Subscriber) -> Exclude:
    """The reader's `exclude` as a function from papers to the ids of those that any of its queries
    matches.
    """

    def unwanted(papers: list[Paper]) -> set[str]:
        with Matcher(papers) as matcher:
            return {paper for rule in subscriber.exclude for paper in matcher.match(parse(rule))}

    return unwanted
