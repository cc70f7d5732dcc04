"""`digest run`, one cycle, and `digest daemon`, the same again and again."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import (
    Command,
    Context,
    json_option,
    now_option,
    pass_context,
    say_where_mail_goes,
)
from digest.cli.daily.folder import Answer, answer, say_what_the_folder_holds
from digest.cli.daily.health import telling_of_failure
from digest.cli.readers.keywords_windows import what_to_do
from digest.errors import Exit, TryLaterError, UsageError
from digest.keywords.words import counted
from digest.model import REPOSITORY
from digest.setup.mail import make_transport
from digest.setup.parts import clock_at, machine_now, mail_hint, open_parts
from digest.setup.subscribers import read_roster, settle_names
from digest.times import to_text

FAR = timedelta(days=366)
"""A real run so far ahead of the machine's clock is more likely a slip than meant."""

if TYPE_CHECKING:
    from digest.mail.message import Message
    from digest.model import Roster, Subscriber
    from digest.run.cycle import Parts, Summary
    from digest.setup.settings import Settings


@click.command(cls=Command, examples=("digest run", "digest run --dry-run", "digest run --json"))
@now_option
@json_option
@click.option("-q", "--quiet", is_flag=True, help="Say only what went wrong, as cron wants it.")
@click.option(
    "--dry-run", is_flag=True, help="Do all of it in a copy: write nothing, send nothing."
)
@click.option(
    "--fetch", "fetch_all", is_flag=True, help="Ask arXiv also for keywords that are not due."
)
@click.option(
    "--wait", is_flag=True, help="Wait up to two minutes for a network that is not up yet."
)
@click.option(
    "--folder",
    type=click.Choice([choice.value for choice in Answer]),
    help="What becomes of the last week's mail that only went to the folder.",
)
@pass_context
@click.pass_context
def run(
    click_context: click.Context,
    context: Context,
    now: datetime | None,
    as_json: bool,
    quiet: bool,
    dry_run: bool,
    fetch_all: bool,
    wait: bool,
    folder: str | None,
) -> None:
    """Do one cycle: fetch what is due, mail what is new. With --wait this is what the timer calls.

    Repeating it does no harm: a paper that was mailed is not mailed again. After trouble the mail
    server is given a rest, which only a run without --wait does not keep, since whoever mended
    something wants to see it work. Where mail only went to a folder until now, '--folder mail' also
    mails what is there of the last 7 days, once and at once.
    """
    choice = Answer(folder) if folder else None
    if choice is Answer.MAIL and not context.settings.mails_for_real:
        raise UsageError(
            "mail still goes to the folder alone", remedy="set DIGEST_MAIL to a server first"
        )
    if not as_json and not quiet:
        say_where_mail_goes(context)
    with progress_line(context, quiet=as_json or quiet) as progress:
        if dry_run:
            summary, messages = asyncio.run(
                _rehearse(context, now, fetch_all, wait, progress, choice)
            )
        else:
            with telling_of_failure(context):
                summary, messages = (
                    asyncio.run(
                        work(context, now, progress, fetch_all=fetch_all, wait=wait, folder=choice)
                    ),
                    [],
                )
    if summary is None:
        raise TryLaterError("stopped", remedy="the next run goes on from here")
    if as_json:
        context.print_json(summary_as_json(summary))
    elif not quiet:
        _tell(context, summary, messages, dry_run)
    if summary.trouble:
        context.warn(summary.trouble + mail_hint(context.settings, summary))
    for line in summary.given_up:
        context.warn(f"given up: {line}")
    if not as_json and not quiet and not dry_run:
        say_what_the_folder_holds(context, clock_at(now)())
    click_context.exit(summary.exit_code)


async def work(
    context: Context,
    now: datetime | None,
    progress: Callable[[str], None],
    *,
    fetch_all: bool = False,
    wait: bool = False,
    only: Subscriber | None = None,
    folder: Answer | None = None,
) -> Summary | None:
    """One real cycle, alone on its database; with `only`, for this reader alone."""
    from digest.store import open_store
    from digest.system.locks import cycle_lock
    from digest.system.signals import Stop, run_stoppable

    settings = context.settings
    roster = read_safely(settings)
    transport = make_transport(settings)
    fresh = not settings.db.exists()
    stop = Stop()
    with cycle_lock(settings.db), open_store(settings.db) as store:
        if fresh:
            context.warn(f"a new database was made: {settings.db}")
        clock = clock_at(now)
        moment = store.runs.check_time(clock())
        clock = clock if moment <= clock() else clock_at(moment)
        if not fresh and clock() - machine_now() > FAR and not store.runs.is_beyond(machine_now()):
            raise UsageError(
                f"--now {clock():%Y-%m-%d} is more than a year ahead, and a database's time never goes back",
                remedy="rehearse it with --dry-run, or name a copy with --db",
            )
        if clock() - machine_now() > timedelta(hours=1):
            context.warn(
                "--now lies ahead of the clock: what is mailed now counts, and no run is possible before that time;"
                " --dry-run rehearses"
            )
        async with open_parts(
            settings,
            store,
            roster,
            transport,
            clock=clock,
            stop=stop,
            fetch_all=fetch_all,
            insist=not wait,
            progress=progress,
        ) as parts:
            at_once = answer(store, roster, folder, clock()) if folder else ()
            parts = replace(parts, only=only, at_once=at_once)
            return await run_stoppable(_whole(context, parts, wait), stop)


async def _whole(context: Context, parts: Parts, wait: bool) -> Summary:
    """What a real run does: first hear who left and what came back, then the cycle; then say how it
    went.
    """
    from digest.cli.daily.health import after_cycle
    from digest.cli.daily.inbox import hear_quietly

    await hear_quietly(context, parts.store, parts.clock)
    summary = await _cycle(parts, context.settings, wait)
    await after_cycle(context, parts, summary)
    return summary


def read_safely(settings: Settings) -> Roster:
    """Who gets what; ConfigError too where strangers could see the addresses."""
    import os

    from digest.setup.exposure import refuse_exposure

    roster = read_roster(settings)
    refuse_exposure(settings, roster, os.environ)
    return roster


async def _rehearse(
    context: Context,
    now: datetime | None,
    fetch_all: bool,
    wait: bool,
    progress: Callable[[str], None],
    folder: Answer | None,
) -> tuple[Summary | None, list[Message]]:
    """The same cycle in a copy of the database, with mail that goes nowhere."""
    from digest.mail.nowhere import Nowhere
    from digest.store import rehearsal_store
    from digest.system.signals import Stop, run_stoppable

    settings = context.settings
    roster = read_roster(settings)
    nowhere = Nowhere()
    stop = Stop()
    with rehearsal_store(settings.db) as store:
        clock = clock_at(store.runs.check_time(clock_at(now)()))
        async with open_parts(
            settings,
            store,
            roster,
            nowhere,
            clock=clock,
            stop=stop,
            rehearsed=True,
            fetch_all=fetch_all,
            progress=progress,
        ) as parts:
            parts = replace(parts, at_once=answer(store, roster, folder, clock()) if folder else ())
            return await run_stoppable(_cycle(parts, settings, wait), stop), nowhere.messages


async def _cycle(parts: Parts, settings: Settings, wait: bool) -> Summary:
    """One cycle; with `wait`, one that waits for the network, and is to be tried later where that
    was in vain.
    """
    from digest.run.cycle import run_cycle

    if not wait:
        return await run_cycle(parts)
    from digest.run.patience import Patience, patient

    patience = Patience(parts.stop, parts.progress)
    addresses = {
        "api": settings.arxiv_api,
        "feeds": settings.arxiv_feeds,
        "oai": settings.arxiv_oai,
    }
    summary = await run_cycle(patient(parts, patience, **addresses))
    if patience.in_vain and summary.exit_code == Exit.DONE:
        return replace(summary, exit_code=Exit.TRY_LATER)
    return summary


@contextmanager
def progress_line(context: Context, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A line that tells what goes on, where a person looks at a terminal."""
    if quiet or context.verbosity or not sys.stderr.isatty():
        yield lambda _text: None
        return
    with context.console.status("starting") as status:
        yield lambda text: status.update(text)


def summary_as_json(summary: Summary) -> dict[str, Any]:
    """The record of a run as `run --json` prints it."""
    from digest.model import Outcome

    return {
        "started": to_text(summary.started),
        "finished": to_text(summary.finished),
        "keywords": [
            {
                "keyword": k.keyword,
                "status": k.status,
                "fetched": k.fetched,
                "new": k.new,
                "revised": k.revised,
                "late": k.late,
                "requests": k.requests,
                "why": k.why,
            }
            for k in summary.keywords
        ],
        "digests": {
            "composed": summary.composed,
            "sent": summary.outcomes[Outcome.SENT],
            "deferred": summary.outcomes[Outcome.DEFERRED] + summary.outcomes[Outcome.RELAY],
            "failed": summary.outcomes[Outcome.FAILED],
            "unknown": summary.outcomes[Outcome.UNKNOWN],
        },
    }


def _tell(context: Context, summary: Summary, messages: list[Message], dry_run: bool) -> None:
    """Say in a few lines what a run did, and why nothing came where nothing did."""
    from digest.model import Outcome

    asked = [k for k in summary.keywords if k.status != "skipped"]
    for k in asked:
        if k.status == "ok":
            parts = [
                f"{k.new + k.late} new" + (f", {k.late} of them announced late" if k.late else "")
            ]
            parts += [counted(k.revised, "new version")] if k.revised else []
            parts += (
                ["noted as seen (a first digest shows the latest)"] if k.first and k.new else []
            )
            context.echo(f"{k.keyword}: {', '.join(parts)}" + (f" ({k.why})" if k.why else ""))
        elif k.status == "quarantined":
            context.echo(f"{k.keyword}: held back, nothing is mailed from it ({k.why})")
            for line in what_to_do(k.keyword):
                context.echo(f"    {line}")
        else:
            context.echo(f"{k.keyword}: {k.status} ({k.why})")
    if not asked and summary.keywords:
        reasons = list(dict.fromkeys(k.why for k in summary.keywords))
        context.echo(f"No keyword was due: {'; '.join(reasons[:3])}.")
    if not summary.keywords:
        context.echo("The subscribers file names no keyword: nothing to fetch.")
    for message in messages:
        verb = "posted" if message.recipient.startswith(REPOSITORY) else "mailed"
        context.echo(f"Would be {verb} to {message.recipient}: {len(message.data) // 1000 + 1} kB")
    tried = {
        Outcome.SENT: "would be sent" if dry_run else "sent",
        Outcome.DEFERRED: "deferred",
        Outcome.RELAY: "left in the outbox",
        Outcome.FAILED: "failed",
        Outcome.UNKNOWN: "maybe delivered",
    }
    counts = [f"{summary.outcomes[o]} {words}" for o, words in tried.items() if summary.outcomes[o]]
    context.echo(f"Digests: {', '.join(counts)}." if counts else "No digest was due.")
    if summary.waiting:
        context.echo(
            f"In the outbox: {counted(summary.waiting, 'digest')} ('digest outbox' tells why)."
        )
    if summary.room_at:
        context.echo(
            f"DIGEST_MAIL_RATE lets the next one leave at {summary.room_at:%Y-%m-%d %H:%M} UTC."
        )


@click.command(cls=Command, examples=("digest daemon -v",))
@pass_context
@click.pass_context
def daemon(click_context: click.Context, context: Context) -> None:
    """Stay, and do a cycle whenever one is due: an announcement, a reader's hour, a retry.

    SIGHUP reads the subscribers file again; SIGTERM stops after the message in flight.
    """
    say_where_mail_goes(context)
    say_what_the_folder_holds(context, machine_now())
    with telling_of_failure(context):
        asyncio.run(_serve(context))
    click_context.exit(Exit.DONE)


async def _serve(context: Context) -> None:
    """Put the daemon together and let it run until a signal ends it."""
    import os

    from digest.cli.daily.health import after_cycle
    from digest.cli.daily.inbox import hear_always
    from digest.run.cycle import run_cycle
    from digest.run.daemon import Daemon, watch
    from digest.store import open_store
    from digest.system.locks import cycle_lock
    from digest.system.signals import Stop, run_stoppable
    from digest.system.systemd import Notifier

    settings = context.settings
    stop, wake = Stop(), asyncio.Event()

    def stamp() -> object:
        try:
            status = settings.subscribers.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    async def rest(seconds: float) -> None:
        waiting = [asyncio.ensure_future(wake.wait()), asyncio.ensure_future(stop.wait())]
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for future in waiting:
            future.cancel()

    with open_store(settings.db) as store:
        settle_names(settings, store)

        async def work(roster: Roster) -> Summary:
            with cycle_lock(settings.db):
                clock = clock_at(None)
                moment = store.runs.check_time(clock())
                clock = clock if moment <= clock() else clock_at(moment)
                async with open_parts(
                    settings, store, roster, make_transport(settings), clock=clock, stop=stop
                ) as parts:
                    summary = await run_cycle(parts)
                    await after_cycle(context, parts, summary)
            if summary.trouble:
                context.warn(summary.trouble + mail_hint(settings, summary))
            for line in summary.given_up:
                context.warn(f"given up: {line}")
            return summary

        daemon = Daemon(
            store=store,
            load=lambda: read_safely(settings),
            stamp=stamp,
            work=work,
            clock=clock_at(None),
            notifier=Notifier.from_environment(os.environ),
            stop=stop,
            wake=wake,
            rest=rest,
            hold_unknown=settings.hold_unknown,
            limits=settings.mail_rate,
        )
        beside = [
            asyncio.ensure_future(watch(daemon.notifier)),
            asyncio.ensure_future(hear_always(context, store)),
        ]
        try:
            await run_stoppable(daemon.serve(), stop, on_hangup=daemon.hang_up)
        finally:
            for task in beside:
                task.cancel()
