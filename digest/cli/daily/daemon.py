"""`digest daemon`: cycles again and again, each when it is due."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from digest.cli.base import Command, Context, pass_context, say_where_mail_goes
from digest.cli.daily.cycle import warn_of_trouble
from digest.cli.daily.folder import say_what_the_folder_holds
from digest.cli.daily.health import after_cycle, alarm_on_failure, tell_of_failure
from digest.cli.daily.inbox import MailboxWatch
from digest.cli.daily.serve import beside, open_web
from digest.errors import ClockError
from digest.model import Roster
from digest.setup.clock import keep_comparing, settle_clock, store_clock
from digest.setup.exposure import read_unexposed_roster
from digest.setup.mail import make_transport
from digest.setup.parts import machine_now, open_parts, terms_of
from digest.setup.subscribers import apply_naming
from digest.store import open_store
from digest.system.files import file_stamp
from digest.system.locks import cycle_lock
from digest.system.signals import Stop, run_stoppable
from digest.system.systemd import Notifier

if TYPE_CHECKING:
    from digest.run.cycle import Summary


@click.command(cls=Command, examples=("digest daemon -v", "digest daemon --listen 127.0.0.1:8080"))
@click.option("--listen", metavar="ADDRESS:PORT", help="Do the work of 'digest serve', too.")
@pass_context
def daemon(context: Context, listen: str | None) -> None:
    """Stay, and do a cycle whenever one is due: an announcement, a reader's hour, a retry.

    SIGHUP reads the subscribers file again; SIGTERM stops after the message in flight.
    """
    say_where_mail_goes(context)
    say_what_the_folder_holds(context, machine_now())
    with alarm_on_failure(context):
        asyncio.run(_serve(context, listen))


async def _serve(context: Context, listen: str | None) -> None:
    """Put the daemon together and let it run until a signal ends it."""
    from digest.run.cycle import run_cycle
    from digest.run.daemon import Daemon, watch

    settings = context.settings
    stop, wake, mailbox = Stop(), asyncio.Event(), MailboxWatch(context)

    async def rest(seconds: float) -> None:
        waiting = [asyncio.ensure_future(wake.wait()), asyncio.ensure_future(stop.wait())]
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for future in waiting:
            future.cancel()

    with ExitStack() as stack:
        store = stack.enter_context(open_store(settings.db))
        apply_naming(settings, store)
        web = stack.enter_context(open_web(context, store, listen)) if listen else None

        def stamp() -> object:
            return file_stamp(settings.subscribers), store.signups.revision()

        async def work(roster: Roster) -> Summary:
            try:
                return await whole(roster)
            except ClockError as error:
                await tell_of_failure(context, error)
                raise

        async def whole(roster: Roster) -> Summary:
            with cycle_lock(settings.db):
                if said := await settle_clock(settings, store):
                    context.warn(said)
            await mailbox.before_cycle()
            # The lock is held while a cycle works only, so that commands can be used in between.
            with cycle_lock(settings.db):
                clock = store_clock(store, None)
                transport = make_transport(settings)
                async with open_parts(settings, store, roster, transport, clock=clock) as parts:
                    keep_comparing(parts.sources.line, store)
                    summary = await run_cycle(replace(parts, stop=stop))
                    await after_cycle(context, parts, summary)
            warn_of_trouble(context, summary)
            return summary

        daemon = Daemon(
            store=store,
            load=lambda: read_unexposed_roster(settings),
            stamp=stamp,
            work=work,
            clock=machine_now,
            notifier=Notifier.from_environment(os.environ),
            stop=stop,
            wake=wake,
            rest=rest,
            terms=terms_of(settings),
            previews=settings.signup,
        )
        background = [
            asyncio.ensure_future(watch(daemon.notifier)),
            asyncio.ensure_future(mailbox.keep_reading()),
        ]
        # These two never end by themselves: the notifier's watch, and the reading of the mailbox.
        try:
            async with beside(web, stop):
                await run_stoppable(daemon.serve(), stop, on_hangup=daemon.hang_up)
        finally:
            for task in background:
                task.cancel()
