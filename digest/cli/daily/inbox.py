"""`digest inbox`: act on bounces, complaints and requests to leave, from the mailbox or from
files.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from digest.cli.base import Command, Context, json_option, pass_context
from digest.errors import ConfigError, DigestError
from digest.keywords.words import counted
from digest.run.inbox import InboxResult, process_inbox, process_message
from digest.setup.mail import make_inbox_reader, make_signer
from digest.setup.parts import existing_store, machine_now
from digest.setup.settings import Settings
from digest.setup.subscribers import pseudonyms_of
from digest.store import Store

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=5)
"""How often the daemon reads the mailbox."""


@click.command(cls=Command, examples=("digest inbox request.eml",))
@click.argument(
    "files",
    nargs=-1,
    metavar="[MAIL.eml]...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@json_option
@pass_context
def inbox(context: Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Act on what came back: bounces, complaints, and requests to leave.

    Without a file the mailbox that DIGEST_INBOX names is read, as each run and the daemon do too.
    Each message is acted upon once; what is none of these, or proves not whom it is about, is left
    for a person.
    """
    settings = context.settings
    if not files and not settings.inbox:
        raise ConfigError(
            "DIGEST_INBOX is not set, so there is no mailbox to read",
            remedy="set it, or name the files of single messages: digest inbox MAIL.eml",
        )
    with existing_store(settings) as store:
        if store is None:
            raise ConfigError(
                f"there is no database at {settings.db}, so nobody was mailed",
                remedy="see DIGEST_DB",
            )
        if files:
            results = _read_files(files, settings, store)
        else:
            results = asyncio.run(read_inbox(settings, store))
    left = sum(not result.handled for result in results)
    read = counted(len(results), "message")
    lines = [_line(result) for result in results]
    lines.append(f"{read} read, {left} left for a person." if results else "Nothing new.")
    context.show([_as_json(result) for result in results], lines, as_json=as_json)


async def read_inbox(
    settings: Settings, store: Store, clock: Callable[[], datetime] = machine_now
) -> list[InboxResult]:
    """Read the mailbox that DIGEST_INBOX names."""
    return await process_inbox(make_inbox_reader(settings, store, clock))


async def try_inbox(
    context: Context, store: Store, clock: Callable[[], datetime], said: str = ""
) -> str:
    """Read the mailbox, where there is one. What is wrong with it stops nothing else.

    It is said, unless it was `said` before, and returned.
    """
    if not context.settings.inbox:
        return ""
    try:
        await read_inbox(context.settings, store, clock)
    except DigestError as error:
        if str(error) != said:
            context.warn(str(error))
        return str(error)
    return ""


async def keep_reading_inbox(context: Context, store: Store) -> None:
    """Read the mailbox again and again, while the daemon does its cycles."""
    trouble = ""
    while context.settings.inbox:
        try:
            trouble = await try_inbox(context, store, machine_now, trouble)
        except Exception:  # one odd message must not end the reading for as long as the daemon runs
            log.exception("the mailbox could not be read")
        await asyncio.sleep(EVERY.total_seconds())


def _read_files(files: tuple[Path, ...], settings: Settings, store: Store) -> list[InboxResult]:
    signer = make_signer(store, settings.secret)
    names = pseudonyms_of(settings)
    return [
        process_message(store, signer, path.read_bytes(), machine_now(), names) for path in files
    ]


def _line(result: InboxResult) -> str:
    """What was made of a message."""
    incoming = result.incoming
    who = result.address or f"{incoming.sender or 'nobody'}, {incoming.subject!r}"
    left = "" if result.handled or result.address else "left for a person: "
    return f"{left}{who}: {result.did}"


def _as_json(result: InboxResult) -> dict[str, Any]:
    return {
        "kind": result.incoming.kind.value,
        "handled": result.handled,
        "email": result.address or None,
        "did": result.did,
        "from": result.incoming.sender,
        "subject": result.incoming.subject,
    }
