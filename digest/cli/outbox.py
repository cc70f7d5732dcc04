"""`digest outbox`: what waits to be mailed, and why it waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import Command, Context, json_option, machine_now, pass_context
from digest.cli.parts import existing_store
from digest.errors import UsageError
from digest.times import to_text

if TYPE_CHECKING:
    from digest.store.outbox import Entry

STATE_WORDS = {"unknown": "maybe delivered", "in_data": "being handed over", "leased": "being sent"}


@click.group()
def outbox() -> None:
    """See and settle what waits to be mailed."""


@outbox.command("list", cls=Command)
@click.option("--all", "with_ended", is_flag=True, help="Also what failed or was dropped.")
@json_option
@pass_context
def list_(context: Context, with_ended: bool, as_json: bool) -> None:
    """List the deliveries on their way, with the mail server's own words."""
    with existing_store(context.settings) as store:
        entries = store.outbox.entries(ended=with_ended) if store else []
    if as_json:
        context.print_json([_as_json(entry) for entry in entries])
        return
    if not entries:
        context.echo("The outbox is empty.")
    for entry in entries:
        state = STATE_WORDS.get(entry.state, entry.state)
        context.echo(f"{entry.id}  {entry.address}  {state}  {entry.subject}")
        if entry.state in ("queued", "deferred", "unknown"):
            tried = f"tried {entry.attempt} times, " if entry.attempt else ""
            context.echo(f"    {tried}next at {entry.next_at:%Y-%m-%d %H:%M} UTC")
        if entry.reply:
            context.echo(f"    {entry.reply}")


@outbox.command(cls=Command)
@click.argument("number", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Everything that waits, except what may have been delivered.")
@pass_context
def retry(context: Context, number: tuple[int, ...], everything: bool) -> None:
    """Let deliveries leave with the next run, whatever their wait.

    One that is "maybe delivered" is only tried again where it is named by its number.
    """
    if bool(number) == everything:
        raise UsageError("name the deliveries to retry, or --all", remedy="'digest outbox list' shows their numbers")
    with existing_store(context.settings) as store:
        if store is None:
            raise UsageError("the outbox is empty")
        if everything:
            number = tuple(e.id for e in store.outbox.entries() if e.state in ("queued", "deferred"))
        for one in number:
            entry = store.outbox.retry(one, machine_now())
            context.echo(f"Delivery {one} to {entry.address} leaves with the next run.")
        if not number:
            context.echo("Nothing waits.")


@outbox.command(cls=Command)
@click.argument("number", type=int, nargs=-1, required=True)
@pass_context
def drop(context: Context, number: tuple[int, ...]) -> None:
    """Take deliveries out of the outbox for good; their papers count as had and do not come again."""
    with existing_store(context.settings) as store:
        if store is None:
            raise UsageError("the outbox is empty")
        for one in number:
            entry = store.outbox.drop(one, machine_now())
            context.echo(f"Delivery {one} to {entry.address} was dropped: {entry.papers} papers are not mailed.")


def _as_json(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "email": entry.address,
        "subject": entry.subject,
        "papers": entry.papers,
        "state": entry.state,
        "attempt": entry.attempt,
        "queued": to_text(entry.queued_at),
        "next": to_text(entry.next_at),
        "reply": entry.reply,
    }
