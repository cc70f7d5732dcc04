"""`digest inbox`: act on bounces, complaints and requests to leave, from the mailbox or from
files.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from digest.cli.base import Command, Context, json_option, pass_context
from digest.errors import ConfigError, DigestError, TryLaterError
from digest.keywords.words import counted
from digest.mail.parse import LONGEST
from digest.run.inbox import InboxResult, Reading, process_inbox, process_message
from digest.setup.clock import store_clock
from digest.setup.mail import make_inbox_reader, make_signer
from digest.setup.parts import existing_store, machine_now
from digest.setup.settings import Settings
from digest.setup.subscribers import pseudonyms_of
from digest.store import Store
from digest.subscribers.pseudonyms import conceal
from digest.system.signals import Stop, run_stoppable

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=5)
"""How often the daemon reads the mailbox."""
BEFORE_CYCLE = 30.0
"""Seconds for which a reading may hold up a cycle."""
WHOLE = 120.0
"""Seconds for a reading that holds up nothing."""


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
    reading = _read_files(files, settings) if files else asyncio.run(_by_hand(settings))
    results = reading.results
    left = sum(not result.handled for result in results)
    read = counted(len(results), "message")
    lines = [_line(result) for result in results]
    lines.append(f"{read} read, {left} left for a person." if results else "Nothing new.")
    if not reading.finished:
        context.warn(f"{WHOLE:g} seconds were not enough: 'digest inbox' again reads the rest")
    context.show([_as_json(result) for result in results], lines, as_json=as_json)


async def read_inbox(
    settings: Settings, now: datetime | None = None, seconds: float = WHOLE
) -> Reading:
    """Read the mailbox that DIGEST_INBOX names, with a connection to the database that lasts no
    longer: nobody holds the cycle lock for it, and a backup may take the database's place.
    """
    with _database(settings) as store:
        clock = store_clock(store, now)
        try:
            reading = await process_inbox(make_inbox_reader(settings, store, clock), seconds)
        except DigestError as error:
            # Where the database knows no addresses it is not to learn the mailbox's either.
            why = str(error) if pseudonyms_of(settings) is None else conceal(str(error))
            store.inbox.note_unread(why, clock())
            raise
        store.inbox.note_unread("", clock())
        return reading


@dataclass(slots=True)
class MailboxWatch:
    """The reading of the mailbox beside a cycle or the daemon, one at a time. Whatever is wrong
    with it stops nothing else: it is said, once in a row.
    """

    context: Context
    now: datetime | None = None
    trouble: str = ""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def before_cycle(self) -> bool:
        """Read for a short time, so that nobody is mailed whose request was read; false where the
        rest is to be read after the cycle.
        """
        try:
            # Another reading may be at work; ours has a moment to end well.
            async with asyncio.timeout(BEFORE_CYCLE + 1):
                return await self.read(BEFORE_CYCLE)
        except TimeoutError:
            return False

    async def read(self, seconds: float = WHOLE) -> bool:
        """Read what is new; false where there is more to be read, and time for it was lacking."""
        if not self.context.settings.inbox:
            return True
        async with self.turn:
            try:
                reading = await read_inbox(self.context.settings, self.now, seconds)
            except DigestError as error:
                if str(error) != self.trouble:
                    self.context.warn(str(error))
                self.trouble = str(error)
                return True
            except Exception:  # one odd message must end neither a run nor the daemon
                log.exception("the mailbox could not be read")
                return True
            self.trouble = ""
            return reading.finished

    async def keep_reading(self) -> None:
        """Read again and again, while the daemon does its cycles."""
        while self.context.settings.inbox:
            await self.read()
            await asyncio.sleep(EVERY.total_seconds())


async def _by_hand(settings: Settings) -> Reading:
    """A reading that a signal ends."""
    reading = await run_stoppable(read_inbox(settings), Stop())
    if reading is None:
        raise TryLaterError("stopped", remedy="the next reading goes on from here")
    return reading


def _read_files(files: tuple[Path, ...], settings: Settings) -> Reading:
    with _database(settings) as store:
        signer, names = make_signer(store, settings.secret), pseudonyms_of(settings)
        reading = Reading(finished=True)
        for path in files:
            with path.open("rb") as file:
                raw = file.read(LONGEST)
            reading.results.append(process_message(store, signer, raw, machine_now(), names))
    return reading


@contextmanager
def _database(settings: Settings) -> Iterator[Store]:
    with existing_store(settings) as store:
        if store is None:
            raise ConfigError(
                f"there is no database at {settings.db}, so nobody was mailed",
                remedy="see DIGEST_DB",
            )
        yield store


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
