"""The daemon: a cycle whenever one is due (an announcement, a reader's hour, a retry), and sleep in
between.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from digest.errors import ClockError, ConfigError, TryLaterError
from digest.model import Channel, Roster
from digest.rules.calendar import last_served, next_served
from digest.rules.channels import Terms, make_terms
from digest.rules.plan import AT_LEAST_EVERY
from digest.rules.quiet import QUIET_WAIT
from digest.rules.schedule import is_paused, latest_slot, next_slot, resumes_at
from digest.run.cycle import Summary
from digest.run.deliver import opens_at
from digest.store import Store
from digest.system.signals import Stop
from digest.system.systemd import Notifier
from digest.times import in_utc

log = logging.getLogger(__name__)

LOOK_AGAIN = timedelta(minutes=15)
"""The longest sleep: a sleeping process does not notice that the machine slept too, or that its
clock was set, so it looks at the time this often; looking touches no file but the subscribers
file's date."""
BUSY_WAIT = timedelta(minutes=1)
"""The wait when another cycle holds the lock."""
NEXT_CYCLE = timedelta(minutes=1)
"""The wait for new queries for which a cycle had no room."""


@dataclass(slots=True)
class Daemon:
    """The daemon and what it works with.

    `work` does one cycle under the lock; `load` reads the subscribers file, `stamp` changes when
    the file does; `clock` is UTC; `rest` sleeps the given seconds, or less where `wake` is set or a
    stop is asked for; `previews`: people are told what keywords would bring before they have them.
    """

    store: Store
    load: Callable[[], Roster]
    stamp: Callable[[], object]
    work: Callable[[Roster], Awaitable[Summary]]
    clock: Callable[[], datetime]
    notifier: Notifier
    stop: Stop
    wake: asyncio.Event
    rest: Callable[[float], Awaitable[None]]
    terms: Mapping[Channel, Terms] = field(default_factory=make_terms)
    previews: bool = False

    def hang_up(self) -> None:
        """SIGHUP: read the subscribers file again, now."""
        self.wake.set()

    async def serve(self) -> None:
        """Work until a stop is asked for. Raises what makes work impossible: a wrong setting, a
        lost database.
        """
        stamp, roster = self.stamp(), self.load()
        self.notifier.ready("starting")
        try:
            await self._serve(roster, stamp)
        finally:
            self.notifier.stopping()

    async def _serve(self, roster: Roster, stamp: object) -> None:
        next_work, waits_for = self.clock(), ""
        seen = next_work
        while not self.stop.is_set():
            # What was worked out by a clock that has been set back since may be far away.
            if self.clock() < seen:
                next_work = self.clock()
            seen = self.clock()
            if self.wake.is_set() or self.stamp() != stamp:
                self.wake.clear()
                stamp = self.stamp()
                roster = self._reload(roster)
                next_work = self.clock()
            if self._is_due(next_work):
                try:
                    self.notifier.status("at work")
                    summary = await self.work(roster)
                    next_work = self._next_work(roster, summary.started)
                    waits_for = f"; {summary.awaited}" if summary.awaited else ""
                except ClockError as error:
                    log.warning("%s", error)
                    next_work = self.clock() + LOOK_AGAIN
                except TryLaterError as error:
                    log.warning("%s", error)
                    # Somebody runs a command, which takes the work along.
                    next_work = self.clock() + BUSY_WAIT
                self.notifier.status(f"next work at {in_utc(next_work)}{waits_for}")
                log.info("next work at %s%s", in_utc(next_work), waits_for)
            # At least a second: a clock that was set back must not make a busy loop.
            await self.rest(
                max(
                    min((next_work - self.clock()).total_seconds(), LOOK_AGAIN.total_seconds()), 1.0
                )
            )

    def _is_due(self, next_work: datetime) -> bool:
        """Whether there is work: the hour has come, or somebody left, asked for a letter, or would
        like to know what a keyword brings, on the web meanwhile.
        """
        now, limits = self.clock(), self.terms[Channel.MAIL].limits
        if next_work <= now:
            return True
        with suppress(TryLaterError):
            if self.previews and self.store.previews.wanted(now):
                return True
            return bool(self.store.suppressions.farewells(now)) or (
                bool(self.store.letters.wanted(now))
                and self.store.letters.has_room(now, limits)
                and opens_at(self.store, Channel.MAIL, self.terms[Channel.MAIL], now) <= now
            )
        return False

    def _reload(self, roster: Roster) -> Roster:
        """The subscribers file again; while it is wrong, the one that was right goes on."""
        self.notifier.reloading()
        try:
            loaded = self.load()
            # Most likely an editor that writes the file in two steps: nobody is removed for that.
            if not loaded.names_readers and self.store.subscribers.known():
                raise ConfigError("it names nobody, and the database knows readers")
            roster = loaded
            log.info("the subscribers file was taken over: %d readers", len(roster.subscribers))
        except ConfigError as error:
            log.error("the subscribers file is not taken over: %s", error)
        self.notifier.ready()
        return roster

    def _next_work(self, roster: Roster, started: datetime) -> datetime:
        return next_work(self.store, roster, started, now=self.clock(), on=self.terms)


def next_work(
    store: Store,
    roster: Roster,
    started: datetime,
    *,
    now: datetime,
    on: Mapping[Channel, Terms],
) -> datetime:
    """The next moment at which there is something to do, after the cycle that began at `started`.

    What fell due while that cycle worked may have come too late for it, and counts. A delivery is
    not tried again before its channel opens, by the terms that it is `on`.
    """
    moments = [next_served(started).served_at, *_fetches(store, roster, now)]
    for channel, terms in on.items():
        due = store.outbox.next_at(channel, terms)
        if due is not None:
            moments.append(max(due, opens_at(store, channel, terms, now)))
    # Thousands of readers share a few schedules, and working out a slot takes its time.
    schedules = {(s.days, s.at, s.timezone): s for s in roster.subscribers}
    moments += [next_slot(subscriber, started) for subscriber in schedules.values()]
    moments += _wishes(roster, started)
    return min(moment for moment in moments if moment > started)


def _fetches(store: Store, roster: Roster, now: datetime) -> Iterator[datetime]:
    """When queries are asked for again, whatever is announced."""
    keywords, pause = store.mistakes.completed(roster).keywords, store.windows.pause()
    for query in store.windows.queries([keyword.query for keyword in keywords]):
        if query.next_fetch_at is not None:
            yield query.next_fetch_at
        elif query.last_good_at is not None:
            yield query.last_good_at + AT_LEAST_EVERY
        elif pause is None or pause.until <= now:
            # The cycle before had no room for it.
            yield now + NEXT_CYCLE
    if pause is not None:
        yield pause.until


def _wishes(roster: Roster, started: datetime) -> Iterator[datetime]:
    """When pauses end, and when who wants to be told that nothing came is told so."""
    served = last_served(started).served_at
    for subscriber in roster.subscribers:
        if subscriber.paused_until is not None and is_paused(subscriber, started):
            yield resumes_at(subscriber.paused_until, subscriber.timezone)
        elif subscriber.quiet_days:
            yield max(latest_slot(subscriber, started), served) + QUIET_WAIT


async def watch(notifier: Notifier) -> None:
    """Tell the service manager that the event loop turns, twice as often as it wants to hear it."""
    while notifier.watchdog_seconds:
        notifier.alive()
        await asyncio.sleep(notifier.watchdog_seconds / 2)
