"""`digest send`: what is due to one reader, now."""

from __future__ import annotations

import asyncio
from datetime import datetime

import click

from digest.cli.base import (
    Command,
    Context,
    json_option,
    now_option,
    pass_context,
    say_where_mail_goes,
)
from digest.cli.daily.cycle import CycleOptions, progress_line, run_real_cycle, warn_of_trouble
from digest.cli.readers.describe import next_digest_line
from digest.keywords.words import counted
from digest.model import State, Subscriber
from digest.rules.schedule import is_paused, pause_in_words
from digest.rules.verdict import LedgerEntry, delivery_words
from digest.setup.parts import clock_at, holds_unknown, reading_store, require_subscriber
from digest.setup.settings import Settings
from digest.setup.subscribers import read_roster
from digest.store import Store


@click.command(
    cls=Command, examples=("digest send ada@example.org", "digest send lin@example.org --json")
)
@click.argument("email")
@now_option
@json_option
@pass_context
def send(context: Context, email: str, now: datetime | None, as_json: bool) -> None:
    """Mail a reader what is due to them now, whatever their hour and day.

    Keywords that are due are asked for first. The reader's own schedule stays as it is: at their
    hour comes what is new by then, and nothing comes twice. What waits in the outbox leaves too, as
    with 'digest run'.
    """
    settings = context.settings
    subscriber = require_subscriber(read_roster(settings), email, settings)
    moment = clock_at(now)()
    if not as_json:
        say_where_mail_goes(context)
    with reading_store(settings) as store:
        why = _what_keeps_mail(store, subscriber, moment)
        before = {d.id: d.state for d in _deliveries(store, subscriber)}
    if why:
        _show(context, subscriber, [], why, as_json=as_json)
        return
    with progress_line(context, quiet=as_json) as progress:
        options = CycleOptions(now, only=subscriber, progress=progress)
        summary = asyncio.run(run_real_cycle(context, options))
    with reading_store(settings) as store:
        # A cycle also moves what lay in the outbox before it: that is shown, too.
        moved = [d for d in _deliveries(store, subscriber) if d.state != before.get(d.id)]
        why = "" if moved else _why_nothing(store, subscriber, moment)
    _show(context, subscriber, moved, why, as_json=as_json)
    for keyword in summary.keywords:
        if keyword.status not in ("ok", "skipped"):
            context.warn(f"{keyword.keyword}: {keyword.status} ({keyword.why})")
    warn_of_trouble(context, summary)
    context.exit(summary.exit_code)


def _what_keeps_mail(store: Store, subscriber: Subscriber, now: datetime) -> str:
    """What keeps all mail from the reader, with the command that ends it; or nothing."""
    if subscriber.paused_until is not None and is_paused(subscriber, now):
        pause = pause_in_words(subscriber.paused_until)
        return f"mail is {pause}: 'digest subscribers resume {subscriber.email}' ends that"
    if suppressed := store.suppressions.of(subscriber.email):
        return f"mail to this address is suppressed: {suppressed.why}"
    return ""


def _deliveries(store: Store, subscriber: Subscriber) -> list[LedgerEntry]:
    """The reader's digests, newest first."""
    reader = store.history.reader(subscriber.email)
    return store.history.deliveries(reader.id) if reader else []


def _why_nothing(store: Store, subscriber: Subscriber, now: datetime) -> str:
    """Why there was nothing to send."""
    from digest.run.fetch import unanswered

    waiting = [d.id for d in _deliveries(store, subscriber) if d.ended_at is None]
    if waiting:
        lets_it = f"'digest outbox retry {waiting[0]}' lets it leave at once"
        return f"a digest waits in the outbox already: {lets_it}"
    state = store.subscribers.state(subscriber.email)
    if state is not None and state.last_digest_at is None and state.unplaced:
        return f"arXiv has not yet answered for {', '.join(state.unplaced)}"
    asked, taken = unanswered(store, subscriber.keywords, now), state.slot if state else None
    awaited = asked.again if asked else None
    following = next_digest_line(subscriber, now, taken=taken, awaited=awaited)
    return f"no new paper since the last digest. {following.rstrip('.')}"


def _show(
    context: Context, subscriber: Subscriber, moved: list[LedgerEntry], why: str, *, as_json: bool
) -> None:
    """Say what was done, or why there was nothing to do."""
    # A digest whose papers went into a newer one is no news where that one is shown.
    moved = [d for d in moved if d.state != State.EXPIRED]
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
    value = {"email": subscriber.email, "digests": digests, "why": why}
    lines = [_line(context.settings, subscriber, delivery) for delivery in moved]
    if why:
        lines.append(f"Nothing was sent to {subscriber.email}: {why}.")
    context.show(value, lines, as_json=as_json)


def _line(settings: Settings, subscriber: Subscriber, delivery: LedgerEntry) -> str:
    hold = holds_unknown(settings, subscriber.channel)
    words = delivery_words(delivery, subscriber.timezone, hold_unknown=hold)
    papers = counted(delivery.papers, "paper")
    return f"{subscriber.email}: {papers}, {delivery.subject!r}: {words}"
