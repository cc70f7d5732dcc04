"""`digest inbox`: act on bounces, complaints and requests to leave, from the mailbox or from files."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import Command, Context, counted, json_option, machine_now, pass_context
from digest.cli.parts import existing_store
from digest.errors import ConfigError, DigestError
from digest.mailing import make_listener

if TYPE_CHECKING:
    from digest.listening import Heard
    from digest.settings import Settings
    from digest.store import Store


@click.command(cls=Command, examples=("digest inbox request.eml",))
@click.argument(
    "files", nargs=-1, metavar="[MAIL.eml]...", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@json_option
@pass_context
def inbox(context: Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Act on what came back: bounces, complaints, and requests to leave.

    Without a file the mailbox that DIGEST_INBOX names is read, as each run and the daemon do too. Each message is
    acted upon once; what is none of these, or proves not whom it is about, is left for a person.
    """
    settings = context.settings
    if not files and not settings.inbox:
        raise ConfigError(
            "DIGEST_INBOX is not set, so there is no mailbox to read",
            remedy="set it, or name the files of single messages: digest inbox MAIL.eml",
        )
    with existing_store(settings) as store:
        if store is None:
            raise ConfigError(f"there is no database at {settings.db}, so nobody was mailed", remedy="see DIGEST_DB")
        heard = _from_files(files, settings, store) if files else asyncio.run(hear(settings, store))
    if as_json:
        context.print_json([_as_json(one) for one in heard])
        return
    for one in heard:
        context.echo(told(one))
    left = sum(not one.handled for one in heard)
    context.echo(f"{counted(len(heard), 'message')} read, {left} left for a person." if heard else "Nothing new.")


async def hear(settings: Settings, store: Store) -> list[Heard]:
    """Read the mailbox that DIGEST_INBOX names."""
    from digest.listening import listen

    return await listen(make_listener(settings, store, machine_now))


async def hear_quietly(context: Context, store: Store) -> None:
    """Read the mailbox, where there is one; what is wrong with it is said, and stops nothing else."""
    if not context.settings.inbox:
        return
    try:
        await hear(context.settings, store)
    except DigestError as error:
        context.warn(str(error))


def _from_files(files: tuple[Path, ...], settings: Settings, store: Store) -> list[Heard]:
    from digest.listening import consider

    signer = store.signer(settings.secret)
    return [consider(store, signer, path.read_bytes(), machine_now()) for path in files]


def told(heard: Heard) -> str:
    """What was made of a message, in a line."""
    if heard.address:
        return f"{heard.address}: {heard.did}"
    incoming = heard.incoming
    who = f"{incoming.sender or 'nobody'}, {incoming.subject!r}"
    return f"{who}: {heard.did}" if heard.handled else f"left for a person: {who}: {heard.did}"


def _as_json(heard: Heard) -> dict[str, Any]:
    return {
        "kind": heard.incoming.kind.value,
        "handled": heard.handled,
        "email": heard.address or None,
        "did": heard.did,
        "from": heard.incoming.sender,
        "subject": heard.incoming.subject,
    }
