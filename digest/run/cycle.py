"""One run of the whole way: recover, deliver what waits, fetch, compose, deliver.

A cycle that was interrupted anywhere is finished by the next one. It is given everything it works
with, the time included; locks, schedules, signals and printing belong to its callers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from digest.errors import ConfigError, Exit
from digest.mail.message import Sender
from digest.mail.transport import Transport
from digest.model import Keyword, Outcome, RateLimit, Roster, Subscriber
from digest.rendering.render import Renderer
from digest.rules.plan import API, AUTO, FEEDS, OAI, at_once, is_due, order
from digest.run.compose import Composer, compose_due, queue_now
from digest.run.deliver import Delivered, Delivery, deliver, post_issues
from digest.run.fetch import Fetched, Round, why_not_due
from digest.run.sources.api import ApiSource
from digest.run.sources.base import Arxiv, Errand, Source
from digest.run.sources.feeds import Feeds, FeedsSource
from digest.run.sources.oai import Oai, OaiSource
from digest.run.staleness import doubt_silence
from digest.store import Store
from digest.store.relay import RelayState
from digest.store.runs import KeywordRecord
from digest.system.signals import Stop


def _silent(_text: str) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a cycle works with. `clock` gives now in UTC; `fetch_all` asks arXiv for what is not
    due, too; `insist` tries the mail server even where it is given a rest.

    `source` is the one that is tried first (auto, api, feeds, oai); `feeds` and `oai` are None
    where there are none. `only`: the one reader for whom keywords are fetched and a digest is
    composed, whatever the hour; `at_once`: readers who do not wait for their hour, beside all
    others. `issues` posts to repositories; `mailboxes` as in Delivery. `bodies_are_public`:
    strangers may see the database, so the bodies in it name no contact.
    """

    store: Store
    roster: Roster
    arxiv: Arxiv
    transport: Transport
    issues: Transport
    renderer: Renderer
    sender: Sender
    clock: Callable[[], datetime]
    feeds: Feeds | None = None
    oai: Oai | None = None
    source: str = AUTO
    mailboxes: Mapping[str, str] | None = field(default=None, repr=False)
    bodies_are_public: bool = False
    hold_unknown: bool = False
    limits: Sequence[RateLimit] = ()
    insist: bool = False
    fetch_all: bool = False
    only: Subscriber | None = None
    at_once: tuple[Subscriber, ...] = ()
    stop: Stop = field(default_factory=Stop)
    progress: Callable[[str], None] = _silent

    @property
    def composer(self) -> Composer:
        """What composes digests."""
        contact = "" if self.bodies_are_public else self.sender.contact
        return Composer(self.store, self.renderer, contact, self.sender.domain)

    @property
    def sources(self) -> dict[str, Source]:
        """What can be asked, by name."""
        found: dict[str, Source] = {API: ApiSource(self.arxiv)}
        if self.feeds is not None:
            found[FEEDS] = FeedsSource(self.feeds, self.arxiv, self.store)
        if self.oai is not None:
            found[OAI] = OaiSource(self.oai)
        return found


@dataclass(frozen=True, slots=True)
class Summary:
    """What a cycle did. Times are UTC; `trouble` says in a line what kept mail or all answers away;
    `waiting` counts the deliveries that are still in the outbox; `paused` tells why the mail server
    is given a rest, `room_at` when the limits let the next message leave.
    """

    started: datetime
    finished: datetime
    keywords: tuple[KeywordRecord, ...]
    composed: int
    outcomes: Counter[Outcome]
    trouble: str
    given_up: tuple[str, ...]
    waiting: int
    exit_code: Exit
    paused: RelayState | None = None
    room_at: datetime | None = None


async def run_cycle(parts: Parts) -> Summary:
    """Do one cycle and leave its record. Raises StoreError or ConfigError where it cannot work at
    all.
    """
    store, started = parts.store, parts.clock()
    run = store.runs.begin(started)
    store.outbox.recover(started)
    work = _delivery(parts)
    delivered = await deliver(work)
    try:
        store.subscribers.sync(parts.roster, started)
    except ConfigError as error:
        store.runs.finish(
            run, parts.clock(), composed=0, outcomes=delivered.outcomes, trouble=str(error)
        )
        raise
    fetched = doubt_silence(store, await fetch_due(parts, run), run, parts.clock())
    composer = parts.composer
    if parts.only is not None:
        composed = int(queue_now(composer, parts.only, parts.clock()))
    else:
        composed, not_composed = await compose_due(
            composer, parts.roster, parts.clock(), parts.stop
        )
        delivered.given_up += not_composed
        composed += sum(
            queue_now(composer, subscriber, parts.clock()) for subscriber in parts.at_once
        )
    if delivered.paused is None:
        delivered.add(await deliver(work, patient=True))
    delivered.add_issues(await post_issues(work))
    summary = _summary(started, parts.clock(), fetched, composed, delivered, store.outbox.waiting())
    store.runs.finish(
        run, summary.finished, composed=composed, outcomes=summary.outcomes, trouble=summary.trouble
    )
    return summary


def _delivery(parts: Parts) -> Delivery:
    return Delivery(
        store=parts.store,
        transport=parts.transport,
        sender=parts.sender,
        clock=parts.clock,
        hold_unknown=parts.hold_unknown,
        stop=parts.stop,
        progress=parts.progress,
        limits=parts.limits,
        insist=parts.insist,
        issues=parts.issues,
        mailboxes=parts.mailboxes,
    )


async def fetch_due(parts: Parts, run: int) -> list[Fetched]:
    """Fetch what is due: from the first source that can give it, and where that fails from the next
    one.
    """
    keywords: dict[str, Keyword] = {}
    for keyword in (
        *(parts.only.keywords if parts.only is not None else ()),
        *parts.roster.keywords,
    ):
        keywords.setdefault(keyword.query, keyword)
    asked_for = parts.only.keywords if parts.only is not None else parts.roster.keywords
    queries, now = (
        parts.store.windows.queries([keyword.query for keyword in asked_for]),
        parts.clock(),
    )
    names = order(parts.source, len(queries), parts.sources)
    errand = Errand(
        now, {text: keyword.name for text, keyword in keywords.items()}, parts.stop, parts.progress
    )
    asking = Round(parts.store, keywords, run, parts.clock, errand, insists=parts.fetch_all)
    due = at_once(
        [query for query in queries if parts.fetch_all or is_due(query, now, names[0])],
        now,
        names[0],
    )
    wanted = {query.id for query in due}
    for query in queries:
        if query.id not in wanted:
            asking.skip(query, why_not_due(query, now))
    for name in names:
        await asking.ask(parts.sources[name], due, first=names[0])
    return [asking.done[query.text] for query in queries if query.text in asking.done]


def _summary(
    started: datetime,
    finished: datetime,
    fetched: list[Fetched],
    composed: int,
    delivered: Delivered,
    waiting: int,
) -> Summary:
    """Add up what happened, and choose the exit code."""
    asked = [f for f in fetched if f.record.status != "skipped"]
    failed = [f for f in asked if f.error is not None]
    offline = (
        bool(failed)
        and len(failed) == len(asked)
        and all(f.error and f.error.unreachable for f in failed)
    )
    trouble, code = "", Exit.DONE
    if failed or delivered.given_up:
        code = Exit.GIVEN_UP
    if offline:
        trouble, code = "arXiv could not be reached: the next run tries again", Exit.TRY_LATER
    paused = delivered.paused
    if paused is not None and paused.paused_until is not None and not waiting:
        paused = None
    if paused is not None:
        trouble = _mail_trouble(paused, tried=bool(delivered.outcomes))
        code = Exit.CONFIG if paused.permanent else code
    return Summary(
        started=started,
        finished=finished,
        keywords=tuple(f.record for f in fetched),
        composed=composed,
        outcomes=delivered.outcomes,
        trouble=trouble,
        given_up=tuple(delivered.given_up),
        waiting=waiting,
        exit_code=code,
        paused=paused,
        room_at=delivered.room_at,
    )


def _mail_trouble(paused: RelayState, *, tried: bool) -> str:
    """Why mail waits, in a line; `tried`: in this run."""
    if paused.paused_until is None:
        return f"mail waits: {paused.reason}"
    if tried:
        return f"mail could not be handed over ({paused.reason})"
    return f"mail waits until {paused.paused_until:%Y-%m-%d %H:%M} UTC: it could not be handed over ({paused.reason})"
