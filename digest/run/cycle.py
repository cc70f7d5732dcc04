"""One run of the whole way: recover, deliver what waits, fetch, compose, deliver.

A cycle that was interrupted anywhere is finished by the next one. It is given everything it works
with, the time included; locks, schedules, signals and printing belong to its callers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from digest.errors import ClockError, ConfigError, Exit
from digest.keywords.words import counted, listed
from digest.model import Channel, Keyword, Mistake, Outcome, Roster, Subscriber
from digest.rules.channels import RULES
from digest.run.compose import Composer, compose_due, queue_now
from digest.run.deliver import Delivered, Mailer, deliver
from digest.run.farewell import say_farewell
from digest.run.fetch import Fetched, Sources, explain_silence, fetch_due, unanswered
from digest.run.letters import mail_letters
from digest.run.libraries import Places, refresh
from digest.run.previews import tend_previews
from digest.run.session import Session
from digest.run.summaries import Writer, summarize
from digest.store import Store
from digest.store.relay import RelayState
from digest.store.runs import KeywordRecord
from digest.times import in_utc

AGEING_SECONDS = 25.0
"""So much of a cycle may be spent on letting old things go: of 100,000 readers' digests a day, with
the rests between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts(Session):
    """The parts of a cycle: who gets what, whom it asks, and what makes and takes the mail.
    `libraries`: where readers' libraries lie (None: none are read); `writer`: who writes summaries
    (None: nobody is asked).
    """

    roster: Roster
    sources: Sources
    composer: Composer
    mailer: Mailer
    libraries: Places | None = None
    writer: Writer | None = None


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of one cycle. `fetch_all` asks arXiv for what is not due, too; `force_mail`
    tries the mail server even where it is given a rest. `only`: the one reader for whom keywords
    are fetched and a digest is composed, whatever the hour; `at_once`: readers who do not wait for
    their hour, in addition to all others.
    """

    fetch_all: bool = False
    force_mail: bool = False
    only: Subscriber | None = None
    at_once: tuple[Subscriber, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """The results of a cycle. Times are UTC; `trouble` says in a line what kept mail or all answers
    away; `waiting` counts the deliveries that are still in the outbox; `paused` tells why a
    channel's server is given a rest, `room_at` when the limits let the next message leave;
    `unanswered` are the keywords for which arXiv is `asked_again` at that moment, `first_digests`
    counts those that wait for a first answer; `mistakes` are those of the subscribers file.
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
    paused: Mapping[Channel, RelayState] = field(default_factory=dict)
    room_at: datetime | None = None
    unanswered: tuple[str, ...] = ()
    asked_again: datetime | None = None
    first_digests: int = 0
    mistakes: tuple[Mistake, ...] = ()

    @property
    def awaited(self) -> str:
        """What arXiv is asked again for, when, and who waits for it; "" where it has answered."""
        if self.asked_again is None:
            return ""
        digests = counted(self.first_digests, "first digest waits", "first digests wait")
        waiting = f"; {digests} for its answer" if self.first_digests else ""
        again = f"arXiv is asked again from {in_utc(self.asked_again)} on"
        return f"{again}, for {listed(self.unanswered)}{waiting}"


async def run_cycle(parts: Parts, options: RunOptions = RunOptions()) -> Summary:
    """Do one cycle and leave its record. Raises StoreError or ConfigError where it cannot work at
    all, ClockError where an answer of arXiv's shows that the time is wrong.
    """
    only, force = options.only, options.force_mail
    store, mailer, started = parts.store, parts.mailer, parts.clock()
    run = store.runs.begin(started)
    store.clock.date_deliveries()
    store.outbox.recover(started)
    refused = _sync(parts, started)
    # What waits leaves before arXiv is asked: an arXiv that is slow or away holds up no mail.
    delivered = await deliver(parts, mailer, force=force)
    try:
        if refused is not None:
            raise refused
        roster = store.mistakes.completed(parts.roster)
        fetched = await fetch_due(
            parts, parts.sources, roster, run, only=only, force=options.fetch_all
        )
    except (ConfigError, ClockError) as error:
        store.runs.finish(
            run, parts.clock(), composed=0, outcomes=delivered.outcomes, trouble=str(error)
        )
        # The command fails, and the record says why nothing was fetched.
        if isinstance(error, ClockError):
            store.clock.note_trouble(error.message, error.off)
        raise
    fetched = explain_silence(parts, fetched, run)
    asked = any(each.record.status != "skipped" for each in fetched)
    held = await refresh(parts, parts.sources.arxiv, parts.libraries, parts.roster, fetched=asked)
    composer = replace(parts.composer, held=held)
    await summarize(parts, parts.writer, parts.roster.subscribers, only)
    # Their next digest tells them.
    await parts.take(iter(store.withdrawals.step, False))
    composed = 0
    if only is None:
        composed, not_composed = await compose_due(
            composer, parts.roster, parts.clock(), parts.stop
        )
        delivered.given_up += not_composed
    for subscriber in options.at_once if only is None else (only,):
        composed += queue_now(composer, subscriber, parts.clock())
    # A server that failed a moment ago is given its rest within the same run, too.
    await deliver(parts, mailer, delivered, force=force, patient=True)
    await say_farewell(parts, mailer)
    await mail_letters(parts, mailer, parts.roster)
    await parts.take(store.bodies.let_go())
    if only is None:
        await parts.take(iter(lambda: store.ageing.step(parts.clock()), False), AGEING_SECONDS)
    finished = parts.clock()
    summary = _summary(started, finished, fetched, composed, delivered, store.outbox.waiting())
    summary = _with_awaited(summary, store, roster.keywords if only is None else only.keywords)
    summary = _with_mistakes(summary, roster.mistakes)
    store.runs.finish(
        run, summary.finished, composed=composed, outcomes=summary.outcomes, trouble=summary.trouble
    )
    await tend_previews(parts, parts.sources, only)
    return summary


def _with_mistakes(summary: Summary, mistakes: tuple[Mistake, ...]) -> Summary:
    """A summary that says whom mistakes in the subscribers file held back, and ends accordingly."""
    code = summary.exit_code or Exit.GIVEN_UP
    return replace(summary, mistakes=mistakes, exit_code=code) if mistakes else summary


def _sync(parts: Parts, now: datetime) -> ConfigError | None:
    """Make the database follow the subscribers file, before anything leaves: who is held back by a
    mistake in it gets nothing. Returns why that cannot be.
    """
    try:
        parts.store.subscribers.sync(parts.roster, now)
    except ConfigError as error:
        return error
    return None


def _summary(
    started: datetime,
    finished: datetime,
    fetched: Sequence[Fetched],
    composed: int,
    delivered: Delivered,
    waiting: Counter[Channel],
) -> Summary:
    # A rest that ends by itself keeps nothing back where nothing waits.
    paused = {
        channel: state
        for channel, state in delivered.paused.items()
        if state.paused_until is None or waiting[channel]
    }
    trouble, exit_code = _outcome(fetched, delivered)
    if paused:
        trouble = "; ".join(_rest_in_words(channel, delivered) for channel in paused)
    if any(state.permanent for state in paused.values()):
        exit_code = Exit.CONFIG
    return Summary(
        started=started,
        finished=finished,
        keywords=tuple(f.record for f in fetched),
        composed=composed,
        outcomes=delivered.outcomes,
        trouble=trouble,
        given_up=tuple(delivered.given_up),
        waiting=waiting.total(),
        exit_code=exit_code,
        paused=paused,
        room_at=min(delivered.room_at.values(), default=None),
    )


def _with_awaited(summary: Summary, store: Store, keywords: Sequence[Keyword]) -> Summary:
    """The summary with what arXiv has not answered yet."""
    asked = unanswered(store, keywords, summary.finished)
    if asked is None:
        return summary
    return replace(
        summary,
        unanswered=tuple(asked.names(keywords)),
        asked_again=asked.again,
        first_digests=store.subscribers.awaiting_first(),
    )


def _outcome(fetched: Sequence[Fetched], delivered: Delivered) -> tuple[str, Exit]:
    """The trouble of the fetching in a line, if any, and the exit code."""
    errors = [f.error for f in fetched if f.record.status != "skipped"]
    trouble, code = "", Exit.GIVEN_UP if any(errors) or delivered.given_up else Exit.DONE
    if errors and all(error and error.unreachable for error in errors):
        trouble, code = "arXiv could not be reached: the next run tries again", Exit.TRY_LATER
    return trouble, code


def _rest_in_words(channel: Channel, delivered: Delivered) -> str:
    """Why what a channel carries waits, in a line."""
    paused, rules = delivered.paused[channel], RULES[channel]
    if paused.paused_until is None:
        return f"{rules.waits}: {paused.reason}"
    untaken = f"{rules.untaken} ({paused.reason})"
    if channel in delivered.tried:
        return f"{rules.items} {untaken}"
    return f"{rules.waits} until {in_utc(paused.paused_until)}, since the last one {untaken}"
