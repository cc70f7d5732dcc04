"""One cycle on the database of an installation, in earnest or in a copy: what `run`, `send`,
`preview` and the daemon share.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from digest.cli.base import Context, warn_of_mistakes
from digest.cli.daily.folder import FolderAnswer, apply_answer
from digest.cli.daily.health import after_cycle
from digest.cli.daily.inbox import MailboxWatch
from digest.errors import Exit, TryLaterError
from digest.mail.message import Message
from digest.mail.nowhere import Nowhere
from digest.model import Roster, Subscriber
from digest.setup.clock import check_ahead, keep_comparing, settle_clock, store_clock
from digest.setup.exposure import read_unexposed_roster
from digest.setup.mail import make_transport
from digest.setup.parts import mail_hint, open_parts
from digest.setup.settings import Settings
from digest.setup.subscribers import apply_naming, read_roster
from digest.store import Store, open_store, rehearsal_store
from digest.system.locks import cycle_lock
from digest.system.signals import Stop, run_stoppable

if TYPE_CHECKING:
    from digest.run.cycle import Parts, RunOptions, Summary
    from digest.run.network_wait import NetworkWait

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CycleOptions:
    """The options of one cycle: to take `now` for the time, to ask arXiv for all, to wait for a
    network, what becomes of the mail in the `folder`, to serve `only` one reader; `progress` is
    called with what goes on.
    """

    now: datetime | None = None
    fetch_all: bool = False
    wait: bool = False
    folder: FolderAnswer | None = None
    only: Subscriber | None = None
    progress: Callable[[str], None] = lambda _text: None


async def run_real_cycle(context: Context, options: CycleOptions) -> Summary:
    """Do one real cycle: first act on what came back by mail, then, alone on the database, fetch
    and mail; then tell the operator how it went, and act on what there was no time for. Raises
    TryLaterError where it was stopped.
    """
    settings = context.settings
    roster = read_unexposed_roster(settings)
    # Before the database is made, so that a wrong setting leaves nothing behind.
    transport = make_transport(settings)
    wanted = await _prepare(context, options, roster)
    mailbox, stop = MailboxWatch(context, options.now), Stop()

    async def whole() -> Summary:
        network = _network_wait(options, stop)
        if settings.inbox:
            await _mailbox_reachable(settings, network)
            options.progress("reading the mailbox")
        # Without the lock: whatever it meets there, nobody else has to wait for it.
        is_read = await mailbox.before_cycle()
        with cycle_lock(settings.db), open_store(settings.db) as store:
            clock = store_clock(store, options.now)
            async with open_parts(settings, store, roster, transport, clock=clock) as parts:
                parts = replace(parts, stop=stop)
                if options.now is None:
                    keep_comparing(parts.sources.line, store)
                summary = await _cycle(parts, options, wanted, network)
                await after_cycle(context, parts, summary)
        if not is_read:
            await mailbox.read()
        return summary

    return await _finished(whole(), stop)


async def _prepare(context: Context, options: CycleOptions, roster: Roster) -> RunOptions:
    """Look whether a cycle is possible now, by the clock too, and settle what becomes of the mail
    in the folder before the inbox may say that somebody has left.
    """
    settings = context.settings
    is_new = not settings.db.exists()
    with cycle_lock(settings.db), open_store(settings.db) as store:
        if is_new:
            context.warn(f"a new database was made: {settings.db}")
        await _settle(context, store, options)
        clock = store_clock(store, options.now)
        apply_naming(settings, store, roster)
        return _wanted(store, roster, options, clock())


async def rehearse(settings: Settings, options: CycleOptions) -> tuple[Summary, list[Message]]:
    """Do the same cycle in a copy of the database, with mail that goes nowhere: what would happen,
    and what would be mailed. Raises TryLaterError where it was stopped.
    """
    nowhere = Nowhere()
    async with rehearsal(settings, read_roster(settings), nowhere, options.now) as parts:
        wanted = _wanted(parts.store, parts.roster, options, parts.clock())
        network = _network_wait(options, parts.stop)
        cycle = _cycle(parts, options, wanted, network)
        return await _finished(cycle, parts.stop), nowhere.messages


@asynccontextmanager
async def rehearsal(
    settings: Settings, roster: Roster, nowhere: Nowhere, now: datetime | None
) -> AsyncIterator[Parts]:
    """The parts of a cycle with a copy of the database, of which nothing leaves but into
    `nowhere`.
    """
    # docs/decisions.md: "Previews and dry runs work in a copy of the database in memory"
    with rehearsal_store(settings.db) as store:
        clock = store_clock(store, now)
        async with open_parts(
            settings, store, roster, nowhere, clock=clock, rehearsed=True
        ) as parts:
            yield parts


def _wanted(store: Store, roster: Roster, options: CycleOptions, now: datetime) -> RunOptions:
    """The options for the cycle itself. What the folder holds is mailed, or left, here."""
    from digest.run.cycle import RunOptions

    at_once: tuple[Subscriber, ...] = ()
    if options.folder is not None:
        at_once = apply_answer(store, roster, options.folder, now)
    return RunOptions(
        fetch_all=options.fetch_all,
        # A person who calls without --wait has mended something, and wants to see it work
        # (docs/decisions.md, "The mail server's rest is stored, and a person need not keep it").
        force_mail=not options.wait,
        only=options.only,
        at_once=at_once,
    )


def _network_wait(options: CycleOptions, stop: Stop) -> NetworkWait | None:
    """What waits for a network, with `wait`; its two minutes are those of the whole run."""
    if not options.wait:
        return None
    from digest.run.network_wait import NetworkWait

    return NetworkWait(stop, options.progress)


async def _mailbox_reachable(settings: Settings, network: NetworkWait | None) -> None:
    """Wait for the mailbox, too: a request to leave lies there, and the digests would go out as
    soon as the network is up.
    """
    from digest.mail.mailbox import read_mailbox

    if network is not None:
        place = read_mailbox(settings.inbox)
        await network.mailbox(place.host, place.port)


async def _cycle(
    parts: Parts, options: CycleOptions, wanted: RunOptions, network: NetworkWait | None
) -> Summary:
    """One cycle; with `network`, one that waits for that, and is to be tried later where it was in
    vain.
    """
    from digest.run.cycle import run_cycle

    parts = replace(parts, progress=options.progress)
    if network is None:
        return await run_cycle(parts, wanted)
    from digest.run.network_wait import waiting_for_network

    summary = await run_cycle(waiting_for_network(parts, network), wanted)
    # No failure to anybody: a laptop may be without a network, and the timer calls again soon.
    if network.in_vain and summary.exit_code == Exit.DONE:
        return replace(summary, exit_code=Exit.TRY_LATER)
    return summary


async def _finished(cycle: Coroutine[Any, Any, T], stop: Stop) -> T:
    """The result of a cycle. Raises TryLaterError where a signal stopped it."""
    summary = await run_stoppable(cycle, stop)
    if summary is None:
        raise TryLaterError("stopped", remedy="the next run goes on from here")
    return summary


async def _settle(context: Context, store: Store, options: CycleOptions) -> None:
    """Make sure of the time before anything is stamped: of the machine's clock, or that --now may
    be taken for it. Raises ClockError, or UsageError.
    """
    settings = context.settings
    if options.now is not None:
        if check_ahead(settings, store, options.now):
            context.warn(
                "--now lies ahead of the clock: what is mailed is mailed in earnest, though this"
                " database alone knows of it; --dry-run mails nothing"
            )
        return
    stop = Stop()
    from digest.run.network_wait import NetworkWait

    ready = NetworkWait(stop, options.progress).arxiv if options.wait else None
    if said := await _finished(settle_clock(settings, store, ready), stop):
        context.warn(said)


def warn_of_trouble(context: Context, summary: Summary) -> None:
    """Say on stderr what kept mail or answers away, and what was given up."""
    if summary.trouble:
        context.warn(summary.trouble + mail_hint(context.settings, summary))
    for line in summary.given_up:
        context.warn(f"given up: {line}")
    warn_of_mistakes(context, summary.mistakes)


@contextmanager
def progress_line(context: Context, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A line that tells what goes on, where a person looks at a terminal."""
    # With -v log lines would tear the line that is drawn again and again.
    if quiet or context.verbosity or not sys.stderr.isatty():
        yield lambda _text: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield status.update
