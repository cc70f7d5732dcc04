"""`digest outbox`: what waits to be mailed, and why it waits."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import Command, Context, ListingGroup, json_option, pass_context
from digest.errors import ConfigError, UsageError
from digest.keywords.words import counted
from digest.model import REPOSITORY, in_words
from digest.setup.mail import make_sender
from digest.setup.parts import existing_store, machine_now
from digest.setup.subscribers import read_roster
from digest.times import text_or_none, to_text

if TYPE_CHECKING:
    from digest.store import Store
    from digest.store.history import Carried
    from digest.store.outbox import Entry
    from digest.store.relay import RelayState


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
    now = machine_now()
    with existing_store(context.settings) as store:
        entries = store.outbox.entries(ended=with_ended) if store else []
        server = server_words(store, context, now) if entries else []
        opens_at = store.relay.opens_at(now, context.settings.mail_rate) if store else now
        reason = store.relay.state().reason if store else ""
    if as_json:
        context.print_json([_as_json(entry) for entry in entries])
        return
    if not entries:
        context.echo("The outbox is empty.")
    for line in server:
        context.echo(line)
    for entry in entries:
        context.echo(f"{entry.id}  {entry.address}  {in_words(entry.state)}  {entry.subject}")
        if coming := what_follows(entry, opens_at, hold_unknown=context.settings.hold_unknown):
            context.echo(f"    {coming}")
        if entry.reply and entry.reply != reason:
            context.echo(f"    {entry.reply}")


def what_follows(entry: Entry, opens_at: datetime, *, hold_unknown: bool) -> str:
    """When a waiting delivery is tried again, or who is to decide; no mail leaves before
    `opens_at`.
    """
    if entry.address.startswith(REPOSITORY):
        opens_at, hold_unknown = entry.next_at, False
    if entry.state == "unknown" and hold_unknown:
        return f"waits for you: 'digest outbox retry {entry.id}' sends it again, 'digest outbox drop {entry.id}' does not"
    if entry.state not in ("queued", "deferred", "unknown"):
        return ""
    tried = (
        f"tried {'once' if entry.attempt == 1 else f'{entry.attempt} times'}, "
        if entry.attempt
        else ""
    )
    if entry.next_at <= opens_at <= machine_now():
        return f"{tried}leaves with the next run"
    return f"{tried}next at {max(entry.next_at, opens_at):%Y-%m-%d %H:%M} UTC"


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
    """Let deliveries leave with the next run, whatever their wait or the mail server's rest.

    One that is "maybe delivered" is only tried again where it is named by its number.
    """
    if bool(number) == everything:
        raise UsageError(
            "name the deliveries to retry, or --all",
            remedy="'digest outbox list' shows their numbers",
        )
    with existing_store(context.settings) as store:
        if store is None:
            raise UsageError("the outbox is empty")
        unsure: list[str] = []
        if everything:
            entries = store.outbox.entries()
            number = tuple(e.id for e in entries if e.state in ("queued", "deferred"))
            unsure = [str(e.id) for e in entries if e.state == "unknown"]
            if unsure:
                context.echo(
                    f"Maybe delivered, and sent again only where you name them: {', '.join(unsure)}"
                )
        for one in number:
            entry = store.outbox.retry(one, machine_now())
            context.echo(f"Delivery {one} to {entry.address} leaves with the next run.")
        if number and store.relay.let_go(machine_now()):
            context.echo("The mail server's rest ends with that.")
        if not number:
            context.echo("Nothing else waits." if unsure else "Nothing waits.")


@outbox.command(cls=Command, examples=("digest outbox drop 2",))
@click.argument("number", type=int, nargs=-1, required=True)
@pass_context
def drop(context: Context, number: tuple[int, ...]) -> None:
    """Take deliveries out of the outbox for good; their papers count as had and do not come
    again.
    """
    with existing_store(context.settings) as store:
        if store is None:
            raise UsageError("the outbox is empty")
        for one in number:
            entry = store.outbox.drop(one, machine_now())
            context.echo(
                f"Delivery {one} to {entry.address} was dropped: {counted(entry.papers, 'paper')} will not be mailed."
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
    with existing_store(context.settings) as store:
        if store is None:
            raise UsageError(
                f"there is no delivery {number}", remedy="'digest run' makes the first ones"
            )
        if eml is not None:
            _write(context, store, number, eml)
            return
        entry, papers = store.outbox.entry(number), store.history.contents(number)
        opens_at = store.relay.opens_at(machine_now(), context.settings.mail_rate)
    if as_json:
        context.print_json(_as_json(entry) | _more_as_json(entry, papers))
        return
    context.echo(f"Delivery {entry.id} to {entry.address}: {in_words(entry.state)}")
    for heading, text in _details(entry, opens_at, hold_unknown=context.settings.hold_unknown):
        context.echo(f"{heading:<12}{text}")
    for line, paper in enumerate(papers):
        new = " (new version)" if paper.revised else ""
        context.echo(
            f"{'' if line else 'Papers':<12}{paper.id}v{paper.version}{new}  {paper.title}"
        )


def _details(entry: Entry, opens_at: datetime, *, hold_unknown: bool) -> list[tuple[str, str]]:
    """What there is to say of a delivery, by headings."""
    lines = [
        ("Subject", entry.subject),
        ("Repeats", f"delivery {entry.again}" if entry.again else ""),
        ("Composed", f"{entry.queued_at:%Y-%m-%d %H:%M} UTC"),
        ("Ended", f"{entry.ended_at:%Y-%m-%d %H:%M} UTC" if entry.ended_at else ""),
        ("Attempts", str(entry.attempt)),
        ("Comes", what_follows(entry, opens_at, hold_unknown=hold_unknown)),
        ("Server", entry.reply),
        ("Message-ID", entry.message_id),
    ]
    return [(heading, text) for heading, text in lines if text]


def _write(context: Context, store: Store, number: int, place: str) -> None:
    """Write a delivery's message, byte for byte as it leaves."""
    from digest.mail.message import assemble
    from digest.subscribers.pseudonyms import mailboxes, reveal

    outgoing = store.outbox.message(number)
    if outgoing.address.startswith(REPOSITORY):
        raise UsageError(
            f"delivery {number} is an issue of {outgoing.address}, and no mail",
            remedy=f"'digest outbox show {number}' lists its papers",
        )
    named = (
        reveal(outgoing, mailboxes(read_roster(context.settings)))
        if context.settings.subscribers_yaml
        else None
    )
    data = assemble(named or outgoing, make_sender(context.settings, store)).data
    if place == "-":
        click.echo(data, nl=False)
        return
    try:
        Path(place).write_bytes(data)
    except OSError as error:
        raise ConfigError(
            f"{place} cannot be written ({error.strerror})", remedy="name another file"
        ) from error
    context.echo(f"The message of delivery {number} is in {place}.")


def server_words(store: Store | None, context: Context, now: datetime) -> list[str]:
    """Why the mail server, or a limit, keeps mail back; nothing where neither does."""
    if store is None:
        return []
    lines = [_rest_words(store.relay.state(), now)]
    limits = context.settings.mail_rate
    room_at = store.relay.room_at(now, limits)
    if room_at > now:
        lines.append(
            f"DIGEST_MAIL_RATE lets the next message leave at {room_at:%Y-%m-%d %H:%M} UTC."
        )
    return [line for line in lines if line]


def _rest_words(state: RelayState, now: datetime) -> str:
    if state.tripped_since is None:
        return ""
    since = f"since {state.tripped_since:%Y-%m-%d %H:%M} UTC"
    if state.paused_until is not None and state.is_paused(now):
        return f"No mail leaves until {state.paused_until:%Y-%m-%d %H:%M} UTC; in trouble {since}: {state.reason}"
    return f"In trouble {since}, and tried again with the next run: {state.reason}"


def _more_as_json(entry: Entry, papers: list[Carried]) -> dict[str, Any]:
    return {
        "message_id": entry.message_id,
        "ended": text_or_none(entry.ended_at),
        "again": entry.again,
        "titles": [
            {"id": p.id, "version": p.version, "title": p.title, "revised": p.revised}
            for p in papers
        ],
    }


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
