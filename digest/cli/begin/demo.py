"""`digest demo`: the whole way without a network."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import click

from digest.cli.base import Command, Context, labelled, now_option, pass_context
from digest.demo.api import Index, serve_api
from digest.errors import UsageError
from digest.setup.mail import make_transport
from digest.setup.parts import machine_now, open_parts
from digest.setup.settings import Settings, load_settings
from digest.setup.subscribers import read_roster
from digest.store import open_store

BEFORE = timedelta(days=16)
"""The tour's three days lie in the near past, so that its dates look familiar."""


@click.command(cls=Command, examples=("digest demo", "digest demo tour"))
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
@now_option
@pass_context
def demo(context: Context, folder: Path | None, now: datetime | None) -> None:
    """Show the whole way in three days, without a network and without a setting.

    A small arXiv of invented papers starts on this machine; digests go to a folder. FOLDER is made,
    or must be empty; without one a temporary folder is taken.
    """
    # What runs a cycle takes a second to import, which `digest demo --help` need not wait for.
    from digest.demo.tour import PREVIEW, prepare, write_preview

    home = _empty_folder(folder)
    prepare(home)
    index = Index()
    with serve_api(index) as url:
        flags = {
            "DIGEST_HOME": str(home),
            "DIGEST_ARXIV_API": url,
            "DIGEST_ARXIV_DELAY": "0",
        }
        # Whatever is set on this machine stays out, above all a real mail server.
        settings = load_settings(flags, environ={}, folder=home)
        asyncio.run(_walk(context, settings, index, (now or machine_now()) - BEFORE))
    maildir = home / "mail"
    write_preview(maildir, home / PREVIEW)
    rows = [
        ("Digests, a Maildir:", f"{maildir}  (to read them: mutt -f {maildir})"),
        ("A digest as HTML:", f"{home / PREVIEW}"),
        ("The database:", f"{settings.db}"),
        ("The subscribers:", f"{settings.subscribers}"),
    ]
    context.echo("", *labelled(rows, 21), "Your own: digest init")


def _empty_folder(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="digest-demo-")).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(
                f"the folder {folder} is not empty", remedy="name one that does not exist yet"
            )
    except OSError as error:
        raise UsageError(f"the folder {folder} cannot be used ({error.strerror})") from error
    return folder.resolve()


async def _walk(context: Context, settings: Settings, index: Index, start: datetime) -> None:
    """Put a cycle's parts together once, and walk through the days."""
    from digest.demo.tour import walk

    with open_store(settings.db) as store:
        async with open_parts(
            settings,
            store,
            read_roster(settings),
            make_transport(settings),
            clock=lambda: start,
        ) as parts:
            await walk(parts, index, start.date(), context.echo)
