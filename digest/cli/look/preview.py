"""`digest preview`: the next digest of a reader, to look at; nothing is written, nothing is
sent.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.base import Command, Context, now_option, pass_context
from digest.errors import ConfigError, DigestError, TryLaterError, UsageError
from digest.model import Format
from digest.setup.mail import make_sender
from digest.setup.parts import clock_at, find_subscriber, open_parts
from digest.setup.subscribers import place_of_subscribers, read_roster

if TYPE_CHECKING:
    from digest.model import Digest, Rendered, Roster, Subscriber


@click.command(
    cls=Command, examples=("digest preview ada@example.org", "digest preview --gallery samples")
)
@click.argument("email", required=False)
@click.option("--open", "open_browser", is_flag=True, help="Show the HTML part in the browser.")
@click.option("--html", "as_html", is_flag=True, help="Print the HTML part.")
@click.option(
    "--eml", "as_eml", is_flag=True, help="Print the whole message as it would be mailed."
)
@click.option(
    "--gallery",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write a page of sample digests, to try looks.",
)
@now_option
@pass_context
def preview(
    context: Context,
    email: str | None,
    open_browser: bool,
    as_html: bool,
    as_eml: bool,
    gallery: Path | None,
    now: datetime | None,
) -> None:
    """Show the digest that would be mailed next, whatever the hour.

    EMAIL may be left out where the subscribers file names one reader only. Keywords that are due
    are asked for, as a run would, but nothing is kept. The gallery shows invented papers, with your
    templates where you have some, and needs no subscribers file.
    """
    if open_browser + as_html + as_eml > 1:
        raise UsageError("--open, --html and --eml ask for different things", remedy="choose one")
    if gallery is not None:
        if email or as_html or as_eml or now:
            raise UsageError(
                "--gallery shows samples only", remedy="leave the rest out, but for --open"
            )
        _gallery(context, gallery, open_browser=open_browser)
        return
    settings = context.settings
    roster = read_roster(settings)
    subscriber = _chosen(context, roster, email)
    if subscriber.format is Format.TEXT and (open_browser or as_html):
        raise UsageError(
            f"{subscriber.email} gets text alone", remedy="leave --html and --open out"
        )
    digest = asyncio.run(_next_digest(context, roster, subscriber, now))
    if digest is None:
        context.echo(f"Nothing is due to {subscriber.email}: 'digest status' tells why.")
        return
    if subscriber.format is Format.ISSUE:
        _show_issues(context, digest, mail_only=as_eml or as_html or open_browser)
        return
    if as_eml:
        sys.stdout.buffer.write(_message(context, digest, subscriber, clock_at(now)()))
        return
    rendered = _rendered(context, digest)
    line = f"This mail went to {subscriber.email}."
    if open_browser:
        _show(context, rendered.html.replace(rendered.mark, line))
    elif as_html:
        context.echo(rendered.html.replace(rendered.mark, line))
    else:
        context.echo(f"Subject: {rendered.subject}\n\n{rendered.text.replace(rendered.mark, line)}")


def _show_issues(context: Context, digest: Digest, *, mail_only: bool) -> None:
    """Print what would be posted, part by part."""
    from digest.rendering.issue import render_issues

    if mail_only:
        raise UsageError(
            "a repository gets issues, and no mail", remedy="leave --eml, --html and --open out"
        )
    issues = render_issues(digest)
    context.echo(f"Title: {issues.title}")
    for body in issues.bodies:
        context.echo(f"\n{body}")


def _chosen(context: Context, roster: Roster, email: str | None) -> Subscriber:
    if email is not None:
        return find_subscriber(roster, email, context.settings)
    if len(roster.subscribers) == 1:
        return roster.subscribers[0]
    place = place_of_subscribers(context.settings)
    if not roster.subscribers:
        raise ConfigError(
            f"{place} names no subscriber", remedy="'digest subscribe EMAIL -k KEYWORD' adds one"
        )
    raise ConfigError(
        f"{place} names {len(roster.subscribers)} subscribers",
        remedy=f"say whose digest you want to see, such as: digest preview {roster.subscribers[0].email}",
    )


async def _next_digest(
    context: Context, roster: Roster, subscriber: Subscriber, now: datetime | None
) -> Digest | None:
    """Fetch what is due into a copy of the database, and compose there."""
    from digest.mail.nowhere import Nowhere
    from digest.model import Roster
    from digest.run.compose import compose_now
    from digest.run.cycle import fetch_due
    from digest.store import rehearsal_store
    from digest.system.signals import Stop, run_stoppable

    settings = context.settings
    stop = Stop()
    only = Roster(subscribers=(subscriber,), keywords=subscriber.keywords)
    with rehearsal_store(settings.db) as store:
        clock = clock_at(store.runs.check_time(clock_at(now)()))
        async with open_parts(
            settings, store, only, Nowhere(), clock=clock, stop=stop, rehearsed=True
        ) as parts:
            store.subscribers.sync(roster, clock())
            fetched = await run_stoppable(fetch_due(parts, store.runs.begin(clock())), stop)
            failed = [f for f in fetched or [] if f.error is not None]
            for one in failed:
                context.warn(f"{one.record.keyword}: {one.record.why}")
            state = store.subscribers.state(subscriber.email)
            if (
                failed
                and state is not None
                and len(state.unplaced) == len({k.query for k in subscriber.keywords})
            ):
                raise TryLaterError(
                    "arXiv has answered for none of the keywords yet", remedy="try again later"
                )
            return compose_now(parts.composer, subscriber, clock())


def _rendered(context: Context, digest: Digest) -> Rendered:
    import secrets

    from digest.rendering.render import Renderer

    return Renderer(context.settings.templates).render(digest, secrets.token_hex(16))


def _message(context: Context, digest: Digest, subscriber: Subscriber, date: datetime) -> bytes:
    """The message as it would leave, under a Message-ID of its own."""
    from email.utils import make_msgid

    from digest.mail.message import assemble, freeze
    from digest.model import Outgoing

    rendered, sender = _rendered(context, digest), make_sender(context.settings)
    outgoing = Outgoing(
        id=0,
        attempt=1,
        address=subscriber.email,
        name=subscriber.name,
        message_id=make_msgid("preview", domain=sender.domain),
        date=date,
        subject=rendered.subject,
        pieces=freeze(rendered),
    )
    return assemble(outgoing, sender).data


def _gallery(context: Context, folder: Path, *, open_browser: bool) -> None:
    """Write the sample digests, and say where their page lies."""
    from digest.demo.gallery import write_gallery
    from digest.rendering.render import Renderer

    page = write_gallery(folder.absolute(), Renderer(context.settings.templates))
    context.echo(f"The samples lie at {page}")
    if open_browser:
        _launch(page)


def _show(context: Context, html: str) -> None:
    """Write the HTML part to a file of its own and open the browser on it."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="digest-", suffix=".html", delete=False, encoding="utf-8"
    ) as file:
        file.write(html)
    context.echo(f"The preview lies at {file.name}")
    _launch(Path(file.name))


def _launch(page: Path) -> None:
    if click.launch(page.as_uri()) != 0:
        raise DigestError("no browser could be started", remedy=f"open {page} yourself")
