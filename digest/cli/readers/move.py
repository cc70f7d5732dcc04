"""`digest subscribers move`: another address for a reader, in the file or in their sign-up."""

from __future__ import annotations

from contextlib import ExitStack

import click

from digest.cli.base import Command, Context, edited, pass_context
from digest.cli.readers.own_words import signed_up
from digest.errors import UsageError
from digest.setup.parts import existing_store
from digest.setup.subscribers import read_roster, subscribers_file
from digest.store import Store
from digest.subscribers.addresses import folded_address
from digest.subscribers.edit import address_of, move_subscriber, roster_entry
from digest.system.locks import cycle_lock


@click.command(cls=Command, examples=("digest subscribers move ada@example.org ada@example.net",))
@click.argument("old")
@click.argument("new")
@pass_context
def move(context: Context, old: str, new: str) -> None:
    """Give a reader another address; what was sent to the old one is not sent again."""
    settings = context.settings
    roster = read_roster(settings)
    reader, target = roster_entry(roster, old), roster_entry(roster, new)
    with ExitStack() as stack:
        if settings.db.exists():
            # A run between the two steps would take the new address for a new reader and the old
            # one for gone.
            stack.enter_context(cycle_lock(settings.db))
        store = stack.enter_context(existing_store(settings))
        # The file comes first, since it is the file that may refuse the change, and then nothing
        # has happened. Should the machine stop before the database has followed, the same command
        # again does the rest; so it also does after somebody has changed the address in the file by
        # hand.
        if reader is None and target and _is_half_moved(store, old, target.email):
            source, address = old, target.email
        else:
            source, address = reader.email if reader else old, _moved(context, old, new)
        followed = store.subscribers.move(source, address) if store else False
    context.echo(f"{source} is now {address}{', with all that was sent' if followed else ''}.")


def _is_half_moved(store: Store | None, old: str, new: str) -> bool:
    """Whether the file names the new address alone, and the database the old one alone."""
    return (
        store is not None
        and store.subscribers.state(old) is not None
        and store.subscribers.state(new) is None
    )


def _moved(context: Context, old: str, new: str) -> str:
    """Move a reader in the file, where it names them; returns the new address in its stored form.
    Raises UsageError where somebody else has it.
    """
    own = signed_up(context.settings, [old, new])
    if folded_address(old) not in own.signups:
        if folded_address(new) not in own.signups:
            edited(context, move_subscriber(subscribers_file(context.settings), old, new))
            return address_of(new)
    elif own.is_free(new, except_for=old):
        return address_of(new)
    raise UsageError(
        f"{new} is a subscriber already", remedy=f"'digest unsubscribe {old}' lets one go"
    )
