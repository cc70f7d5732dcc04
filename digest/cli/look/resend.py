"""`digest resend`: a digest that has gone, once more."""

from __future__ import annotations

import asyncio
from datetime import datetime

import click

from digest.cli.base import Command, Context, now_option, pass_context
from digest.cli.look.shown import chosen_digest
from digest.errors import Exit, TryLaterError, UsageError
from digest.setup.clock import check_ahead, store_clock
from digest.setup.mail import make_sender
from digest.setup.parts import deliver_waiting, existing_store, made_again
from digest.system.locks import cycle_lock


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
def resend(context: Context, email: str, day: str | None, last: bool, now: datetime | None) -> None:
    """Send a digest again that has gone: the same papers, "Again" in the subject, a Message-ID of
    its own.

    It takes the place of no other digest, and no paper becomes due by it.
    """
    settings = context.settings
    if day is not None and last:
        raise UsageError("--date and --last exclude each other")
    with existing_store(settings) as store:
        if store is None:
            raise UsageError(
                f"no digest has gone to {email}", remedy="'digest run' sends the first one"
            )
        check_ahead(settings, store, now)
        clock = store_clock(store, now)
        number = chosen_digest(context, store, email, day)
        content, differs = made_again(settings, store, number) or (None, "")
        domain = make_sender(settings).domain
        again = store.outbox.again(number, clock(), domain, content).id
        if differs:
            context.warn(differs)
        try:
            with cycle_lock(settings.db):
                asyncio.run(deliver_waiting(settings, store, clock=clock))
        except TryLaterError as error:  # another cycle works, and takes it along
            context.warn(error.message)
        row = store.outbox.entry(again)
    if row.state == "sent":
        context.echo(f"“{row.subject}” went to {row.address}: {row.reply}")
        return
    context.echo(f"“{row.subject}” to {row.address} waits in the outbox as delivery {row.id}.")
    if row.reply:
        context.warn(row.reply)
    context.exit(Exit.GIVEN_UP if row.state == "failed" else Exit.DONE)
