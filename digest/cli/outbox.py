"""`digest outbox`: what waits to be mailed, and why it waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import Command, Context, ListingGroup, counted, json_option, machine_now, pass_context
from digest.cli.parts import existing_store
from digest.errors import UsageError
from digest.times import to_text

if TYPE_CHECKING:
    from digest.store.outbox import Entry

STATE_WORDS = {"unknown": "maybe delivered", "in_data": "being handed over", "leased": "being sent"}


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
    """List the deliveries on their way, with the mail server's own words."""
    with existing_store(context.settings) as store:
        entries = store.outbox.entries(ended=with_ended) if store else []
    if as_json:
        context.print_json([_as_json(entry) for entry in entries])
        return
    if not entries:
        context.echo("The outbox is empty.")
    for entry in entries:
        context.echo(f"{entry.id}  {entry.address}  {STATE_WORDS.get(entry.state, entry.state)}  {entry.subject}")
        if coming := _what_follows(entry, hold_unknown=context.settings.hold_unknown):
            context.echo(f"    {coming}")
        if entry.reply:
            context.echo(f"    {entry.reply}")


def _what_follows(entry: Entry, *, hold_unknown: bool) -> str:
    """When a waiting delivery is tried again, or who is to decide."""
    if entry.state == "unknown" and hold_unknown:
        return (
            f"waits for you: 'digest outbox retry {entry.id}' sends it again, 'digest outbox drop {entry.id}' does not"
        )
    if entry.state not in ("queued", "deferred", "unknown"):
        return ""
    tried = f"tried {'once' if entry.attempt == 1 else f'{entry.attempt} times'}, " if entry.attempt else ""
    return f"{tried}next at {entry.next_at:%Y-%m-%d %H:%M} UTC"


@outbox.command(cls=Command, examples=("digest outbox retry --all",))
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
        unsure: list[str] = []
        if everything:
            entries = store.outbox.entries()
            number = tuple(e.id for e in entries if e.state in ("queued", "deferred"))
            unsure = [str(e.id) for e in entries if e.state == "unknown"]
            if unsure:
                context.echo(f"Maybe delivered, and sent again only where you name them: {', '.join(unsure)}")
        for one in number:
            entry = store.outbox.retry(one, machine_now())
            context.echo(f"Delivery {one} to {entry.address} leaves with the next run.")
        if not number:
            context.echo("Nothing else waits." if unsure else "Nothing waits.")


@outbox.command(cls=Command, examples=("digest outbox drop 2",))
@click.argument("number", type=int, nargs=-1, required=True)
@pass_context
def drop(context: Context, number: tuple[int, ...]) -> None:
    """Take deliveries out of the outbox for good; their papers count as had and do not come again."""
    with existing_store(context.settings) as store:
        if store is None:
            raise UsageError("the outbox is empty")
        for one in number:
            entry = store.outbox.drop(one, machine_now())
            context.echo(
                f"Delivery {one} to {entry.address} was dropped: {counted(entry.papers, 'paper')} will not be mailed."
            )


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
