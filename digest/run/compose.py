"""The composing step of a cycle: for each reader whose slot is open, the digest that is due, into
the outbox.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from digest.errors import DigestError
from digest.keywords.categories import is_outside
from digest.keywords.grammar import parse
from digest.keywords.match import Matcher
from digest.keywords.silence import hint
from digest.model import Digest, Paper, Roster, Silence, Subscriber, Tally
from digest.ranking import Taste
from digest.rendering.render import Renderer
from digest.rules.channels import RULES
from digest.rules.compose import Extras, compose, shape
from digest.rules.quiet import why_quiet
from digest.rules.schedule import (
    Slot,
    SlotState,
    current_slot,
    is_paused,
    latest_slot,
    next_digest,
    next_slot,
)
from digest.run.bodies import Bodies
from digest.run.fetch import unanswered
from digest.run.summaries import summarized
from digest.run.tastes import Tastes, ranks
from digest.store import Store
from digest.store.bodies import Content
from digest.store.digests import DigestPlan, Due, Exclude, Queued
from digest.store.preferences import LibraryPaper
from digest.store.silences import SILENCE
from digest.system.signals import Stop

log = logging.getLogger(__name__)

CHUNK = 200
"""Readers to a transaction; between chunks the event loop has its turn."""
WELCOME_WAIT = timedelta(hours=24)
"""How long a first digest waits for keywords that arXiv has not yet answered."""


class Occasion(Enum):
    """The reason for a digest: papers or a welcome, a keyword that is silent, nothing."""

    DIGEST = auto()
    NOTE = auto()
    NOTHING = auto()


@dataclass(frozen=True, slots=True)
class Composer:
    """Composes digests; `contact` and `domain` are the sender's; `held` are the libraries that the
    database does not keep, by readers' numbers; `model` is the one whose summaries are shown ("":
    none are).
    """

    store: Store
    renderer: Renderer
    contact: str
    domain: str
    held: Mapping[int, Sequence[LibraryPaper]] = field(default_factory=dict)
    model: str = ""

    @property
    def bodies(self) -> Bodies:
        """The maker of bodies."""
        return Bodies(self.store, self.renderer)

    @property
    def tastes(self) -> Tastes:
        """What readers have, for one cycle."""
        return Tastes(self.store, self.held)


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
    tastes = composer.tastes
    composed, failed = 0, []
    for start in range(0, len(due), CHUNK):
        if stop.is_set():
            break
        batch = _Batch(composer, now, tastes)
        for reader in due[start : start + CHUNK]:
            try:
                batch.consider(reader, subscribers[reader.address.casefold()])
            # The store cannot be used, or the disk is full: that is nobody's digest alone.
            except DigestError:
                raise
            except Exception as error:
                log.exception("the digest for %s could not be composed", reader.address)
                words = f"no digest could be composed ({type(error).__name__}: {error})"
                failed.append(f"{reader.address}: {words}")
        composed += batch.write()
        # A signal or an answer to the service manager does not wait for thousands of readers.
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
    if _occasion(plan, subscriber, now, waited=timedelta.max) is Occasion.NOTHING:
        return None
    batch = _Batch(composer, now, composer.tastes)
    taste = batch.tastes.of(reader.id, subscriber)
    return batch.digest(plan, subscriber, latest_slot(subscriber, now), taste=taste)


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
    if _occasion(plan, subscriber, now, waited=timedelta(0)) is not Occasion.DIGEST:
        return False
    taken = latest_slot(subscriber, now) if reader.slot is None else reader.slot
    # docs/decisions.md, “`digest send` has a moment of its own for a slot”.
    is_first = plan.first and reader.slot is None
    batch = _Batch(composer, now, composer.tastes)
    apart = None if is_first else digests.unscheduled_slot(reader.id, now)
    batch.queue(plan, subscriber, taken, apart=apart)
    # Nothing is queued where the deliveries that were to be folded have moved meanwhile.
    return batch.write() == 1


def make_plan(store: Store, reader: Due, subscriber: Subscriber) -> DigestPlan:
    """Plan the digest that is due to a reader, by the subscribers file's wishes."""
    return store.digests.plan(
        reader,
        revisions=subscriber.revisions,
        max_papers=subscriber.max_papers,
        exclude=exclude_rules(subscriber) if subscriber.exclude or subscriber.within else None,
    )


@dataclass(slots=True)
class _Batch:
    """The results for a chunk of readers, before they are written.

    `contents` are the digests as they are kept, by all that they were made of.
    """

    composer: Composer
    now: datetime
    tastes: Tastes
    queued: list[Queued] = field(default_factory=list)
    contents: dict[object, Content] = field(default_factory=dict)
    next_slots: dict[int, datetime] = field(default_factory=dict)
    away: list[int] = field(default_factory=list)
    found_empty: list[int] = field(default_factory=list)
    closed: list[tuple[int, datetime, datetime]] = field(default_factory=list)

    def consider(self, reader: Due, subscriber: Subscriber) -> None:
        """Decide about one reader whose slot is open."""
        if reader.suppressed or is_paused(subscriber, self.now):
            if not reader.away:
                self.away.append(reader.id)
            return
        slot = current_slot(
            subscriber, self.now, used=reader.slot, found_empty_at=reader.found_empty_at
        )
        if slot.state is SlotState.EXPIRED:
            self.closed.append((reader.id, slot.at, next_slot(subscriber, slot.at)))
        elif slot.state is SlotState.OPEN:
            self._fill(slot, reader, subscriber)

    def _fill(self, slot: Slot, reader: Due, subscriber: Subscriber) -> None:
        """Queue the digest for an open slot; where nothing is due, the slot stays open."""
        digests = self.composer.store.digests
        # Making a plan costs far more than these quick looks, and most readers need none.
        wanted = subscriber.quiet_days or digests.has_news(reader.id)
        if wanted or digests.is_silent(reader.id):
            plan = make_plan(self.composer.store, reader, subscriber)
            occasion = _occasion(plan, subscriber, self.now, waited=self.now - reader.since)
            quiet = (
                "" if occasion is Occasion.DIGEST else self._why_quiet(plan, subscriber, slot.at)
            )
            if occasion is Occasion.DIGEST or quiet:
                self.queue(plan, subscriber, slot.at, quiet=quiet)
                return
            if occasion is Occasion.NOTE:
                apart = digests.unscheduled_slot(reader.id, self.now)
                self.queue(plan, subscriber, slot.at, apart=apart)
        if not slot.found_empty:
            self.found_empty.append(reader.id)

    def _why_quiet(self, plan: DigestPlan, subscriber: Subscriber, slot: datetime) -> str:
        """What a note says to a reader who wants to be told that nothing came; "" where none is to
        go.
        """
        is_told = subscriber.quiet_days and _may_be_empty(subscriber)
        if not is_told or plan.first or plan.waiting:
            return ""
        store = self.composer.store
        queries = store.windows.queries([keyword.query for keyword in subscriber.keywords])
        # Looked up only where they are asked for: most days another reason comes first.
        fetches = (store.runs.last_fetch(query.text) for query in queries)
        return why_quiet(
            subscriber,
            slot,
            self.now,
            queries=queries,
            reasons=(fetch[1].why for fetch in fetches if fetch),
            previous_digest=plan.previous,
        )

    def queue(
        self,
        plan: DigestPlan,
        subscriber: Subscriber,
        slot: datetime,
        *,
        quiet: str = "",
        apart: datetime | None = None,
    ) -> None:
        """Take the digest for a slot in its stored form, queued `apart` from it where that is
        given.

        Readers to whom the same is due in the same way have it composed once, for all of them, but
        for those who have papers of their own; and a digest that equals an earlier one is not
        rendered again.
        """
        taste = self.tastes.of(plan.reader, subscriber) if plan.items else None
        silences = tuple(plan.silences.items())
        made_of = (
            plan.items,
            plan.first,
            plan.unplaced,
            plan.previous,
            plan.skipped,
            plan.tally,
            silences,
            quiet,
            slot,
            shape(subscriber),
            taste and plan.reader,
        )
        if made_of not in self.contents:
            digest = self.digest(plan, subscriber, slot, quiet, taste)
            self.contents[made_of] = self.composer.bodies.of(digest)
        self.queued.append(
            Queued(plan, apart or slot, self.contents[made_of], unscheduled=apart is not None)
        )
        self.next_slots[plan.reader] = next_slot(subscriber, apart or slot)

    def digest(
        self,
        plan: DigestPlan,
        subscriber: Subscriber,
        slot: datetime,
        quiet: str = "",
        taste: Taste | None = None,
    ) -> Digest:
        """The digest of a plan, ranked by a taste where there is one."""
        moment = max(slot, self.now)
        # A pause that is over says nothing of when the next digest comes.
        if not is_paused(subscriber, moment):
            subscriber = replace(subscriber, paused_until=None)
        open_ = unanswered(self.composer.store, subscriber.keywords, self.now)
        again = max(open_.again, moment) if open_ else None
        extras = Extras(
            welcome=plan.first,
            previous=plan.previous,
            next_at=next_digest(subscriber, moment, taken=slot, awaited=again)[0],
            skipped=plan.skipped,
            quiet=quiet,
            contact=self.composer.contact,
            silences=tuple(
                Silence(keyword.name, plan.silences[keyword.query], hint(keyword))
                for keyword in subscriber.keywords
                if keyword.query in plan.silences
            ),
            unanswered=plan.unplaced,
            notice=self.composer.store.notices.text(self.now),
            tally=self._tally(plan, subscriber),
            model=self.composer.model,
        )
        items = summarized(self.composer.store, plan.items, subscriber, self.composer.model)
        papers = [item.paper for item in items]
        # Strangers may see a database that knows its readers by other names.
        is_private = not self.composer.store.naming.mark
        ranked = ranks(taste, papers, subscriber, named=is_private) if taste else None
        return compose(items, subscriber, now=self.now, extras=extras, ranks=ranked)

    def _tally(self, plan: DigestPlan, subscriber: Subscriber) -> Tally:
        """How the papers of a plan add up, with what arXiv answered since the digest before."""
        if plan.previous is None:
            return plan.tally
        store, queries = self.composer.store, {keyword.query for keyword in subscriber.keywords}
        rows = store.runs.rows_since(queries, plan.previous)
        agreed = store.sources.agreed(queries, plan.previous)
        return replace(plan.tally, rows=rows, agreed=agreed)

    def write(self) -> int:
        """Write what the chunk came to; nothing is written where there is nothing."""
        digests = self.composer.store.digests
        if self.away:
            digests.mark_away(self.away)
        if self.found_empty:
            digests.note_empty_slots(self.found_empty, self.now)
        if self.closed:
            digests.close_slots(self.closed)
        if not self.queued:
            return 0
        return digests.queue(
            self.queued, self.now, self.composer.domain, self.next_slots.__getitem__
        )


def _may_be_empty(subscriber: Subscriber) -> bool:
    """Whether a digest without a paper may go to this reader: watchers of a repository get no issue
    for that.
    """
    return RULES[subscriber.channel].empty


def _occasion(
    plan: DigestPlan, subscriber: Subscriber, now: datetime, *, waited: timedelta
) -> Occasion:
    """Decide the reason for a digest. `waited`: for how long the reader has been known.

    A first digest goes out even without papers, once every keyword had its first answer, or after a
    day, when it names those that had none. A silent keyword is told of in a mail of its own where
    no mail has come for as long as it was silent, else it can wait for the next digest; the note
    takes no slot, so that it keeps no paper waiting.
    """
    if plan.items:
        return Occasion.DIGEST
    if plan.waiting or not _may_be_empty(subscriber):
        return Occasion.NOTHING
    if plan.first:
        is_due = not plan.unplaced or waited >= WELCOME_WAIT
        return Occasion.DIGEST if is_due else Occasion.NOTHING
    mailed_lately = plan.previous is not None and now - plan.previous < SILENCE
    return Occasion.NOTE if plan.silences and not mailed_lately else Occasion.NOTHING


def exclude_rules(subscriber: Subscriber) -> Exclude:
    """The reader's `exclude` and `within` as a function from papers to the ids of those that any
    query of the one matches, or that lie outside the other.
    """

    def unwanted(papers: list[Paper]) -> set[str]:
        outside = {p.id for p in papers if is_outside(p.categories, subscriber.within)}
        with Matcher(papers) as matcher:
            return outside.union(*(matcher.match(parse(rule)) for rule in subscriber.exclude))

    return unwanted
