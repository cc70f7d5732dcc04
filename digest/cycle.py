"""One run of the whole way: recover, deliver what waits, fetch, compose, deliver.

A cycle that was interrupted anywhere is finished by the next one. It is given everything it works with,
the time included; locks, schedules, signals and printing belong to its callers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from digest.composing import Composer, compose_due, queue_now
from digest.delivering import Delivered, deliver
from digest.errors import ConfigError, DoubtfulError, Exit
from digest.fetching import Arxiv, Fetched, fetch_query, is_due, paused, why_not_due
from digest.mail.message import Sender
from digest.mail.transport import Transport
from digest.model import Keyword, Outcome, Roster, Subscriber
from digest.render import Renderer
from digest.staleness import doubt_silence
from digest.stopping import Stop
from digest.store import Store
from digest.store.runs import KeywordRecord
from digest.store.windows import Query


def _silent(_text: str) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a cycle works with. `clock` gives now in UTC; `fetch_all` asks arXiv for what is not due, too.

    `only`: the one reader for whom keywords are fetched and a digest is composed, whatever the hour; `at_once`:
    readers who do not wait for their hour, beside all others.
    """

    store: Store
    roster: Roster
    arxiv: Arxiv
    transport: Transport
    renderer: Renderer
    sender: Sender
    clock: Callable[[], datetime]
    hold_unknown: bool = False
    fetch_all: bool = False
    only: Subscriber | None = None
    at_once: tuple[Subscriber, ...] = ()
    stop: Stop = field(default_factory=Stop)
    progress: Callable[[str], None] = _silent


@dataclass(frozen=True, slots=True)
class Summary:
    """What a cycle did. Times are UTC; `trouble` says in a line what kept mail or all answers away; `waiting`
    counts the deliveries that are still in the outbox.
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

    @property
    def relay_failed(self) -> bool:
        """Whether mail had to be left in the outbox."""
        return bool(self.outcomes[Outcome.RELAY])


async def run_cycle(parts: Parts) -> Summary:
    """Do one cycle and leave its record. Raises StoreError or ConfigError where it cannot work at all."""
    store, started = parts.store, parts.clock()
    run = store.runs.begin(started)
    store.outbox.recover(started)
    delivered = await _deliver(parts)
    try:
        store.subscribers.sync(parts.roster, started)
    except ConfigError as error:
        store.runs.finish(run, parts.clock(), composed=0, outcomes=delivered.outcomes, trouble=str(error))
        raise
    fetched = doubt_silence(store, await fetch_due(parts, run), run, parts.clock())
    composer = Composer(store, parts.renderer, parts.sender.contact, parts.sender.domain)
    if parts.only is not None:
        composed = int(queue_now(composer, parts.only, parts.clock()))
    else:
        composed, not_composed = await compose_due(composer, parts.roster, parts.clock(), parts.stop)
        delivered.given_up += not_composed
        composed += sum(queue_now(composer, subscriber, parts.clock()) for subscriber in parts.at_once)
    if delivered.relay is None:
        delivered.add(await _deliver(parts))
    summary = _summary(started, parts.clock(), fetched, composed, delivered, store.outbox.waiting())
    store.runs.finish(run, summary.finished, composed=composed, outcomes=summary.outcomes, trouble=summary.trouble)
    return summary


async def _deliver(parts: Parts) -> Delivered:
    return await deliver(
        parts.store,
        parts.transport,
        parts.sender,
        clock=parts.clock,
        hold_unknown=parts.hold_unknown,
        stop=parts.stop,
        progress=parts.progress,
    )


async def fetch_due(parts: Parts, run: int) -> list[Fetched]:
    """Fetch what is due. Where arXiv cannot be reached the others are tried only once each; where it asks to slow
    down, nobody asks any more. What does not fit its history is asked for a second time after all others.
    """
    names: dict[str, Keyword] = {}
    for keyword in parts.only.keywords if parts.only is not None else parts.roster.keywords:
        names.setdefault(keyword.query, keyword)
    done: dict[str, Fetched] = {}
    insists, offline = parts.fetch_all, False
    for query in parts.store.windows.queries(list(names)):
        keyword, now = names[query.text], parts.clock()
        if parts.stop.is_set():
            break
        pause = paused(parts.store, now)
        if not parts.fetch_all and not is_due(query, now):
            done[query.text] = Fetched(KeywordRecord(keyword.name, "skipped", why=why_not_due(query, now)))
        elif pause and not insists:
            done[query.text] = Fetched(KeywordRecord(keyword.name, "skipped", why=pause))
        else:
            fetched = await _fetch(parts, keyword, query, run, once=offline or bool(pause))
            insists = insists and not (fetched.error and fetched.error.throttled)
            offline = offline or bool(fetched.error and fetched.error.unreachable)
            done[query.text] = fetched
    doubtful = [text for text, one in done.items() if isinstance(one.error, DoubtfulError) and one.error.ordered]
    for query in parts.store.windows.queries(doubtful):
        if not parts.stop.is_set() and not paused(parts.store, parts.clock()):
            before = done[query.text].record
            again = await _fetch(parts, names[query.text], query, run, once=True, requests=before.requests)
            done[query.text] = again
    return list(done.values())


async def _fetch(parts: Parts, keyword: Keyword, query: Query, run: int, *, once: bool, requests: int = 0) -> Fetched:
    """Ask for one query; `requests` were made for it in this run before."""

    def progress(rows: int, total: int) -> None:
        parts.progress(f"asking arXiv for {keyword.name}: {rows} of at most {total} rows")

    parts.progress(f"asking arXiv for {keyword.name}")
    options = {"attempts": 1} if once else {}
    return await fetch_query(
        parts.store,
        parts.arxiv,
        keyword,
        query,
        run=run,
        now=parts.clock(),
        progress=progress,
        requests=requests,
        **options,
    )


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
    offline = bool(failed) and len(failed) == len(asked) and all(f.error and f.error.unreachable for f in failed)
    trouble, code = "", Exit.DONE
    if failed or delivered.given_up:
        code = Exit.GIVEN_UP
    if offline:
        trouble, code = "arXiv could not be reached: the next run tries again", Exit.TRY_LATER
    if delivered.relay is not None:
        trouble = f"mail could not be handed over ({delivered.relay.reply})"
        code = Exit.CONFIG if delivered.relay.permanent else code
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
    )
