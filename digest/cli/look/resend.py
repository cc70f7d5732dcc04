"""`digest resend`: a digest that has gone, once more."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

import click

from digest.cli.base import Command, Context, now_option, pass_context
from digest.errors import Exit, TryLaterError, UsageError
from digest.setup.mail import make_sender
from digest.setup.parts import clock_at, deliver_waiting, existing_store

if TYPE_CHECKING:
    from digest.rules.verdict import Delivery
    from digest.store import Store


@click.command(
    cls=Command, examples=("digest resend ada@example.org", "digest resend ada@example.org --last")
)
@click.argument("email")
@click.option("--date", "day", metavar="DATE", help="The digest of this day, in the reader's zone.")
@click.option(
    "--last",
    is_flag=True,
    help="The last digest that has gone; this is what is done without --date.",
)
@now_option
@pass_context
@click.pass_context
def resend(
    click_context: click.Context,
    context: Context,
    email: str,
    day: str | None,
    last: bool,
    now: datetime | None,
) -> None:
    """Send a digest again that has gone: the same papers, "Again" in the subject, a Message-ID of
    its own.

    It takes the place of no other digest, and no paper becomes due by it.
    """
    from digest.system.locks import cycle_lock

    if day is not None and last:
        raise UsageError("--date and --last exclude each other")
    with existing_store(context.settings) as store:
        if store is None:
            raise UsageError(
                f"no digest has gone to {email}", remedy="'digest run' sends the first one"
            )
        clock = clock_at(now)
        moment = store.runs.check_time(clock())
        number = _chosen(context, store, email, day).id
        entry = store.outbox.again(number, moment, make_sender(context.settings).domain)
        try:
            with cycle_lock(context.settings.db):
                asyncio.run(
                    deliver_waiting(context.settings, store, clock=lambda: max(moment, clock()))
                )
        except TryLaterError as error:
            context.warn(error.message)
        entry = store.outbox.entry(entry.id)
    if entry.state == "sent":
        context.echo(f"“{entry.subject}” went to {entry.address}: {entry.reply}")
        return
    context.echo(
        f"“{entry.subject}” to {entry.address} waits in the outbox as delivery {entry.id}."
    )
    if entry.reply:
        context.warn(entry.reply)
    click_context.exit(Exit.GIVEN_UP if entry.state == "failed" else Exit.DONE)


def _chosen(context: Context, store: Store, email: str, day: str | None) -> Delivery:
    """The digest that is meant; UsageError where there is none."""
    from digest.cli.look.history import readable_roster
    from digest.cli.look.why import find_reader
    from digest.rules.schedule import local_date

    subscriber, past = find_reader(
        context, readable_roster(context, why="days are in UTC"), store, email
    )
    digests = store.history.deliveries(past.id) if past else []
    where = ""
    if day is not None:
        zone = subscriber.timezone if subscriber else "UTC"
        wanted = _day(day)
        digests = [d for d in digests if local_date(d.queued_at, zone).isoformat() == wanted]
        where = f" on {wanted}"
    gone = [d for d in digests if d.state in ("sent", "dropped")]
    if not digests:
        raise UsageError(
            f"no digest went to {email}{where}", remedy=f"'digest history {email}' lists them"
        )
    return (gone or digests)[0]


def _day(text: str) -> str:
    try:
        return datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        raise UsageError(f"--date {text!r} is no date", remedy="write it as 2026-11-23") from None
