"""`digest outbox`: what waits to leave, and why it waits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from digest.cli.base import (
    Command,
    Context,
    ListingGroup,
    json_option,
    labelled,
    pass_context,
)
from digest.cli.look.shown import revealed
from digest.errors import ConfigError, UsageError
from digest.keywords.words import counted
from digest.mail.message import assemble
from digest.model import Channel
from digest.rules.channels import RULES, Terms
from digest.rules.words import in_words
from digest.run.deliver import opens_at
from digest.setup.mail import make_sender
from digest.setup.parts import existing_store, machine_now, reading_store, terms_of
from digest.store import Store
from digest.store.history import Carried
from digest.store.outbox import OutboxRow
from digest.system.files import write_private
from digest.times import in_utc, text_or_none, to_text


@click.group(cls=ListingGroup, examples=("digest outbox",))
@click.pass_context
def outbox(click_context: click.Context) -> None:
    """See and settle what waits to be mailed."""
    if click_context.invoked_subcommand is None:
        click_context.invoke(list_)


@outbox.command("list", cls=Command, examples=("digest outbox list --all",))
@click.option("--all", "with_ended", is_flag=True, help="Also what failed or was dropped.")
@json_option
@pass_context
def list_(context: Context, with_ended: bool = False, as_json: bool = False) -> None:
    """List the deliveries on their way, with the servers' own words."""
    now, on = machine_now(), terms_of(context.settings)
    with reading_store(context.settings) as store:
        rows = store.outbox.entries(ended=with_ended)
        opens = openings(store, on, now)
        reasons = {relay.state().reason for relay in store.relays.values()}
        servers = list(server_words(store, on, now))

    def lines() -> Iterator[str]:
        yield from servers if rows else ["The outbox is empty."]
        for row in rows:
            yield f"{row.id}  {row.address}  {in_words(row.state)}  {row.subject}"
            # The server's reason stands above already, once for all that it keeps back.
            reply = row.reply if row.reply not in reasons else ""
            yield from labelled([("", what_follows(row, opens, on), reply)], 4)

    context.show([_as_json(row) for row in rows], lines(), as_json=as_json)


def openings(store: Store, on: Mapping[Channel, Terms], now: datetime) -> dict[Channel, datetime]:
    """When digests may leave again by each channel, by its server's rest and its limits."""
    return {channel: opens_at(store, channel, terms, now) for channel, terms in on.items()}


def leaves_at(row: OutboxRow, opens: Mapping[Channel, datetime]) -> datetime:
    """When a waiting delivery is tried again: not before its channel opens."""
    return max(row.next_at, opens[row.channel])


def what_follows(
    row: OutboxRow, opens: Mapping[Channel, datetime], on: Mapping[Channel, Terms]
) -> str:
    """When a delivery is tried again, or who is to decide; "" where it has ended or is leaving."""
    if row.state == "unknown" and on[row.channel].hold_unknown:
        return (
            f"waits for you: 'digest outbox retry {row.id}' sends it again,"
            f" 'digest outbox drop {row.id}' does not"
        )
    if row.state not in ("queued", "deferred", "unknown"):
        return ""
    times = "once" if row.attempt == 1 else f"{row.attempt} times"
    tried = f"tried {times}, " if row.attempt else ""
    at = leaves_at(row, opens)
    return tried + ("leaves with the next run" if at <= machine_now() else f"next at {in_utc(at)}")


@outbox.command(cls=Command, examples=("digest outbox retry --all",))
@click.argument("number", type=int, nargs=-1)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Everything that waits, except what may have been delivered.",
)
@pass_context
def retry(context: Context, number: tuple[int, ...], everything: bool) -> None:
    """Let deliveries leave with the next run, whatever their wait or the rest of their server.

    One that is "maybe delivered" is only tried again where it is named by its number.
    """
    if bool(number) == everything:
        raise UsageError(
            "name the deliveries to retry, or --all",
            remedy="'digest outbox list' shows their numbers",
        )
    with _store(context, "the outbox is empty") as store:
        # Sent again it may come twice, so a person decides on each (docs/decisions.md, "A delivery
        # that may have been accepted is "unknown" until it is sent or dropped").
        unsure = _waiting(store, "unknown") if everything else []
        if unsure:
            named = ", ".join(map(str, unsure))
            context.echo(f"Maybe delivered, and sent again only where you name them: {named}")
        rows = [
            store.outbox.retry(one, machine_now())
            for one in number or _waiting(store, "queued", "deferred")
        ]
        for row in rows:
            context.echo(f"Delivery {row.id} to {row.address} leaves with the next run.")
        if not rows:
            context.echo("Nothing else waits." if unsure else "Nothing waits.")
        _end_rests(context, store, {row.channel: None for row in rows})


def _end_rests(context: Context, store: Store, channels: Iterable[Channel]) -> None:
    """End the rests of the channels of what is tried again, as a person wishes."""
    for channel in channels:
        if store.relays[channel].end_pause(machine_now()):
            context.echo(f"{RULES[channel].subject}'s rest ends with that.")


def _waiting(store: Store, *states: str) -> list[int]:
    """The numbers of the deliveries in these states."""
    return [row.id for row in store.outbox.entries() if row.state in states]


@outbox.command(cls=Command, examples=("digest outbox drop 2",))
@click.argument("number", type=int, nargs=-1, required=True)
@pass_context
def drop(context: Context, number: tuple[int, ...]) -> None:
    """Take deliveries out of the outbox for good; their papers count as had and do not come
    again.
    """
    with _store(context, "the outbox is empty") as store:
        for one in number:
            row = store.outbox.drop(one, machine_now())
            papers = counted(row.papers, "paper")
            context.echo(
                f"Delivery {one} to {row.address} was dropped: {papers} will not be mailed."
            )


@outbox.command(
    cls=Command, examples=("digest outbox show 1", "digest outbox show 1 --eml message.eml")
)
@click.argument("number", type=int)
@click.option("--eml", metavar="FILE", help="Write the message as it leaves; - is standard output.")
@json_option
@pass_context
def show(context: Context, number: int, eml: str | None, as_json: bool) -> None:
    """Show one delivery, sent or not: what became of it, in the mail server's words, and its
    papers.
    """
    missing, remedy = f"there is no delivery {number}", "'digest run' makes the first ones"
    with _store(context, missing, remedy) as store:
        if eml is not None:
            _write(context, store, number, eml)
            return
        row, papers = store.outbox.entry(number), store.history.contents(number)
        on = terms_of(context.settings)
        opens = openings(store, on, machine_now())
    more = {
        "message_id": row.message_id,
        "ended": text_or_none(row.ended_at),
        "again": row.again,
        "titles": [asdict(paper) for paper in papers],
    }
    rows = [
        ("Subject", row.subject),
        ("Repeats", f"delivery {row.again}" if row.again else ""),
        ("Composed", in_utc(row.queued_at)),
        ("Ended", in_utc(row.ended_at) if row.ended_at else ""),
        ("Attempts", str(row.attempt)),
        ("Comes", what_follows(row, opens, on)),
        ("Server", row.reply),
        ("Message-ID", row.message_id),
        ("Papers", *map(_paper_line, papers)),
    ]
    lines = [f"Delivery {row.id} to {row.address}: {in_words(row.state)}", *labelled(rows, 12)]
    context.show(_as_json(row) | more, lines, as_json=as_json)


def _paper_line(paper: Carried) -> str:
    new = " (new version)" if paper.revised else ""
    return f"{paper.id}v{paper.version}{new}  {paper.title}"


def _write(context: Context, store: Store, number: int, place: str) -> None:
    """Write a delivery's message, byte for byte as it leaves."""
    outgoing = revealed(context, store, number)
    if outgoing.channel is not Channel.MAIL:
        item = RULES[outgoing.channel].item
        raise UsageError(
            f"delivery {number} to {outgoing.address} is of the kind {item!r}, and no mail",
            remedy=f"'digest outbox show {number}' lists its papers",
        )
    data = assemble(outgoing, make_sender(context.settings, store)).data
    if place == "-":
        click.echo(data, nl=False)
        return
    try:
        write_private(Path(place), data)  # its links say who reads it, and unsubscribe them
    except OSError as error:
        raise ConfigError(
            f"{place} cannot be written ({error.strerror})", remedy="name another file"
        ) from error
    context.echo(f"The message of delivery {number} is in {place}.")


def server_words(store: Store, on: Mapping[Channel, Terms], now: datetime) -> Iterator[str]:
    """Why a channel's server, or a limit, keeps digests back; nothing where neither does."""
    for channel, terms in on.items():
        relay, rules = store.relays[channel], RULES[channel]
        state, room_at = relay.state(), relay.room_at(now, terms.limits)
        if state.tripped_since is not None:
            since = f"since {in_utc(state.tripped_since)}"
            if state.paused_until is not None and state.is_paused(now):
                until = in_utc(state.paused_until)
                yield f"No {rules.item} leaves until {until}; in trouble {since}: {state.reason}"
            else:
                yield (
                    f"{rules.subject} is in trouble {since}, and is tried again with the next run:"
                    f" {state.reason}"
                )
        if room_at > now:
            yield f"DIGEST_MAIL_RATE lets the next message leave at {in_utc(room_at)}."


@contextmanager
def _store(context: Context, missing: str, remedy: str = "") -> Iterator[Store]:
    """The database; UsageError where there is none yet."""
    with existing_store(context.settings) as store:
        if store is None:
            raise UsageError(missing, remedy=remedy)
        yield store


def _as_json(row: OutboxRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "email": row.address,
        "subject": row.subject,
        "papers": row.papers,
        "state": row.state,
        "attempt": row.attempt,
        "queued": to_text(row.queued_at),
        "next": to_text(row.next_at),
        "reply": row.reply,
    }
