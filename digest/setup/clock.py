"""The clock of a run: the machine's, once it is known to be right, or the one that --now names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from digest.errors import ArxivError, ConfigError, UsageError
from digest.setup.arxiv import make_arxiv
from digest.setup.parts import clock_at, machine_now
from digest.setup.settings import Settings
from digest.store import Store
from digest.times import to_text

if TYPE_CHECKING:
    from digest.arxiv.line import Line

AHEAD = timedelta(hours=1)
"""From this far ahead of the machine's clock on, --now is more than a little early."""
ATTEMPTS = 3
"""How often arXiv is asked for the time by one run, where it does not answer."""
Ready = Callable[[str], Awaitable[None]]
"""Waits until the host of a URL can be reached."""


def store_clock(store: Store, now: datetime | None) -> Callable[[], datetime]:
    """The clock of a command that works on a database, whose time never goes back: while the
    machine's clock, or --now, lies a little behind that time, it stands still.

    Raises ClockError where it lies far behind, ConfigError where --now does.
    """
    clock, latest = clock_at(now), store.clock.latest()
    if now is not None and latest is not None and store.clock.is_ahead_of(now):
        raise ConfigError(
            f"the database has already seen {to_text(latest)}, which is later than {to_text(now)}",
            remedy="to rehearse an earlier day, name a copy of an earlier database with --db",
        )
    earliest = store.clock.check(clock())
    return lambda: max(earliest, clock())


def check_ahead(settings: Settings, store: Store, now: datetime | None) -> bool:
    """Whether --now lies ahead of the machine's clock. Raises UsageError where the database is used
    in earnest, since what is mailed then counts, and the time between would be gone.
    """
    if now is None or now - machine_now() <= AHEAD:
        return False
    # docs/decisions.md, "A copy is a database that has not run where it lies"
    if store.clock.is_in_earnest(settings.db):
        raise UsageError(
            f"--now {to_text(now)} lies ahead of the clock, and what is mailed then counts",
            remedy="rehearse it with --dry-run, or in a copy: 'digest db backup copy.db', then --db"
            " copy.db",
        )
    return True


async def settle_clock(
    settings: Settings,
    store: Store,
    ready: Ready | None = None,
    *,
    always: bool = False,
    trusted: bool = False,
) -> str:
    """Make sure of the machine's clock before a cycle (see run.clock.settle). `ready` waits for a
    network; `trusted`: a person says that the clock is right, and nobody is asked.
    """
    from digest.run.clock import settle

    async def ask() -> datetime | None:
        return machine_now() if trusted else await arxiv_time(settings, ready)

    if trusted:
        store.clock.trust()
    said = await settle(store, machine_now, ask, always=always)
    store.clock.note_in_earnest(settings.db)
    return said


async def arxiv_time(settings: Settings, ready: Ready | None = None) -> datetime | None:
    """The time by one small answer of arXiv's, whatever else that says; None where it tells none.
    Who runs once a week would wait as long for the next try, so the first is not the only one; and
    where the API is away, feeds or OAI, which would serve the run too, tell the time.

    Raises ArxivError, of the API.
    """
    from digest.arxiv.line import answered_at

    question = {"search_query": "cat:cs.LG", "start": "0", "max_results": "1"}
    others = [
        (f"{settings.arxiv_feeds.rstrip('/')}/cs.GL", {}) if settings.arxiv_feeds else None,
        (settings.arxiv_oai, {"verb": "Identify"}) if settings.arxiv_oai else None,
    ]
    async with make_arxiv(settings) as client:
        client.line.ready = ready

        async def ask(url: str, parameters: dict[str, str], attempts: int) -> datetime | None:
            get = partial(client.line.get, url, parameters)
            response = await client.line.patiently(get, attempts)
            return answered_at(response.headers, machine_now())

        try:
            return await ask(settings.arxiv_api, question, ATTEMPTS)
        except ArxivError:
            for url, parameters in filter(None, others):
                with suppress(ArxivError):
                    return await ask(url, parameters, 1)
            raise


def keep_comparing(line: Line | None, store: Store) -> None:
    """Compare the machine's clock with each answer that comes by a line to arXiv."""
    from digest.run.clock import comparing

    if line is not None:
        line.on_response = comparing(machine_now, store.clock.trusted())
