"""`digest send`: what is due to one reader, now."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

import click

from digest.cli.base import (
    Command,
    Context,
    json_option,
    now_option,
    pass_context,
    say_where_mail_goes,
)
from digest.cli.daily.run import progress_line, work
from digest.cli.readers.describe import next_line
from digest.errors import TryLaterError
from digest.keywords.words import counted
from digest.setup.parts import clock_at, existing_store, find_subscriber, holds_unknown, mail_hint
from digest.setup.subscribers import read_roster

if TYPE_CHECKING:
    from digest.model import Subscriber
    from digest.rules.verdict import Delivery
    from digest.run.cycle import Summary


@click.command(
    cls=Command, examples=("digest send ada@example.org", "digest send lin@example.org --json")
)
@click.argument("email")
@now_option
@json_option
@pass_context
@click.pass_context
def send(
    click_context: click.Context, context: Context, email: str, now: datetime | None, as_json: bool
) -> None:
    """Mail a reader what is due to them now, whatever their hour and day.

    Keywords that are due are asked for first. The reader's own schedule stays as it is: at their
    hour comes what is new by then, and nothing comes twice. What waits in the outbox leaves too, as
    with 'digest run'.
    """
    subscriber = find_subscriber(read_roster(context.settings), email, context.settings)
    moment = clock_at(now)()
    if not as_json:
        say_where_mail_goes(context)
    kept = _kept(context, subscriber, moment)
    if kept:
        _tell(context, subscriber, [], kept, as_json=as_json)
        return
    before = {d.id: d for d in _deliveries(context, subscriber)}
    with progress_line(context, quiet=as_json) as progress:
        summary = asyncio.run(work(context, now, progress, only=subscriber))
    if summary is None:
        raise TryLaterError("stopped", remedy="the next run goes on from here")
    after = _deliveries(context, subscriber)
    moved = [d for d in after if d.id not in before or d.state != before[d.id].state]
    why = "" if moved else _why_nothing(context, subscriber, after, moment)
    _tell(context, subscriber, moved, why, as_json=as_json)
    _warn(context, summary)
    click_context.exit(summary.exit_code)


def _kept(context: Context, subscriber: Subscriber, now: datetime) -> str:
    """What keeps all mail from the reader, with the command that ends it; or nothing."""
    from digest.rules.schedule import is_paused, pause_in_words

    if subscriber.paused_until is not None and is_paused(subscriber, now):
        pause = pause_in_words(subscriber.paused_until)
        return f"mail is {pause}: 'digest subscribers resume {subscriber.email}' ends that"
    with existing_store(context.settings) as store:
        state = store.subscribers.state(subscriber.email) if store else None
    return (
        f"mail to this address is suppressed: {state.suppressed}"
        if state and state.suppressed
        else ""
    )


def _deliveries(context: Context, subscriber: Subscriber) -> list[Delivery]:
    """The reader's digests, newest first."""
    with existing_store(context.settings) as store:
        reader = store.history.reader(subscriber.email) if store else None
        return store.history.deliveries(reader.id) if store and reader else []


def _why_nothing(
    context: Context, subscriber: Subscriber, deliveries: list[Delivery], now: datetime
) -> str:
    """Why there was nothing to send."""
    waiting = [d for d in deliveries if d.ended_at is None]
    if waiting:
        number = waiting[0].id
        return f"a digest waits in the outbox already: 'digest outbox retry {number}' lets it leave at once"
    with existing_store(context.settings) as store:
        state = store.subscribers.state(subscriber.email) if store else None
    if state is not None and state.last_digest_at is None and state.unplaced:
        return f"arXiv has not yet answered for {', '.join(state.unplaced)}"
    next_ = next_line(subscriber, now, taken=state.slot if state else None)
    return f"no new paper since the last digest. {next_.rstrip('.')}"


def _tell(
    context: Context, subscriber: Subscriber, moved: list[Delivery], why: str, *, as_json: bool
) -> None:
    """Say what was done, or why there was nothing to do."""
    from digest.model import State
    from digest.rules.verdict import delivery_words

    moved = [d for d in moved if d.state != State.EXPIRED]
    if as_json:
        digests = [
            {
                "id": d.id,
                "subject": d.subject,
                "papers": d.papers,
                "state": d.state.value,
                "reply": d.reply,
            }
            for d in moved
        ]
        context.print_json({"email": subscriber.email, "digests": digests, "why": why})
        return
    hold = holds_unknown(context.settings, subscriber.email)
    for delivery in moved:
        words = delivery_words(delivery, subscriber.timezone, hold_unknown=hold)
        context.echo(
            f"{subscriber.email}: {counted(delivery.papers, 'paper')}, {delivery.subject!r}: {words}"
        )
    if why:
        context.echo(f"Nothing was sent to {subscriber.email}: {why}.")


def _warn(context: Context, summary: Summary) -> None:
    """Say what went wrong on the way."""
    for keyword in summary.keywords:
        if keyword.status not in ("ok", "skipped"):
            context.warn(f"{keyword.keyword}: {keyword.status} ({keyword.why})")
    if summary.trouble:
        context.warn(summary.trouble + mail_hint(context.settings, summary))
    for line in summary.given_up:
        context.warn(f"given up: {line}")
