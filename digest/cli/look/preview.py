"""`digest preview`: the next digest of a reader, to look at; nothing is written, nothing is
sent.
"""

from __future__ import annotations

import asyncio
import html
import json
import secrets
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import make_msgid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.base import Command, Context, flags_as, now_option
from digest.cli.daily.cycle import rehearsal
from digest.cli.look.ranked import order_lines
from digest.errors import ConfigError, DigestError, TryLaterError, UsageError
from digest.mail.body import Lines, freeze, shown
from digest.mail.message import assemble
from digest.mail.nowhere import Nowhere
from digest.model import Channel, Digest, Format, Outgoing, Rendered, Roster, Subscriber
from digest.rendering.chat import render_chat
from digest.rendering.issue import render_issues
from digest.rendering.payload import render_payload
from digest.rules.channels import RULES
from digest.setup.channels import chat_text
from digest.setup.mail import make_sender
from digest.setup.parts import clock_at, require_subscriber
from digest.setup.settings import Settings
from digest.setup.subscribers import place_of_subscribers, read_roster
from digest.system.signals import run_stoppable

if TYPE_CHECKING:
    from digest.explain.ranking import Ranking


@dataclass(frozen=True, slots=True)
class PreviewFlags:
    """The argument and the flags of `digest preview`."""

    email: str | None
    open_browser: bool
    as_html: bool
    as_eml: bool
    rank: bool
    gallery: Path | None
    now: datetime | None


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
    "--rank", is_flag=True, help="Print in which order the papers come, and by what, instead."
)
@click.option(
    "--gallery",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write a page of sample digests, to try looks.",
)
@now_option
@flags_as(PreviewFlags)
def preview(context: Context, flags: PreviewFlags) -> None:
    """Show the digest that would be mailed next, whatever the hour.

    EMAIL may be left out where the subscribers file names one reader only. Keywords that are due
    are asked for, as a run would, but nothing is kept. The gallery shows invented papers, with your
    templates where you have some, and needs no subscribers file.
    """
    if flags.open_browser + flags.as_html + flags.as_eml + flags.rank > 1:
        raise UsageError(
            "--open, --html, --eml and --rank ask for different things", remedy="choose one"
        )
    if flags.gallery is not None:
        _gallery(context, flags.gallery, flags)
        return
    roster = read_roster(context.settings)
    subscriber = _chosen(context.settings, roster, flags.email)
    if subscriber.format is Format.TEXT and (flags.open_browser or flags.as_html):
        raise UsageError(
            f"{subscriber.email} gets text alone", remedy="leave --html and --open out"
        )
    digest, ranking = asyncio.run(_next_digest(context, roster, subscriber, flags))
    if digest is None:
        context.echo(f"Nothing is due to {subscriber.email}: 'digest status' tells why.")
    elif ranking is not None:
        _show_order(context, digest, subscriber, ranking)
    elif subscriber.channel is not Channel.MAIL:
        _refuse_mail(subscriber, flags)
        context.echo(*_posted(context.settings, roster, subscriber, digest))
    else:
        _show_mail(context, digest, subscriber, flags)


def _show_order(context: Context, digest: Digest, subscriber: Subscriber, ranking: Ranking) -> None:
    """Print in which order the papers come, and by what."""
    if ranking.why_not:
        context.echo(f"{subscriber.email} has no order of their own: {ranking.why_not}.")
    else:
        context.echo(*order_lines(digest, ranking))


def _refuse_mail(subscriber: Subscriber, flags: PreviewFlags) -> None:
    """Raise UsageError where a mail is asked for and none would go."""
    if flags.as_eml or flags.as_html or flags.open_browser:
        items = RULES[subscriber.channel].items
        raise UsageError(
            f"{subscriber.email} gets {items}, and no mail",
            remedy="leave --eml, --html and --open out",
        )


def _posted(
    settings: Settings, roster: Roster, reader: Subscriber, digest: Digest
) -> Iterator[str]:
    """What would be posted, part by part."""
    if digest.channel is Channel.APPRISE:
        chat = render_chat(digest)
        outgoing = _outgoing(reader, chat.title, (chat.data,))
        outgoing = replace(outgoing, address=reader.mailbox or reader.email)
        yield chat_text(settings, roster, outgoing)
        return
    if digest.channel is Channel.WEBHOOK:
        yield readable_json(render_payload(digest).data)
        return
    issues = render_issues(digest)
    yield f"Title: {issues.title}"
    yield from (f"\n{body}" for body in issues.bodies)


def readable_json(data: bytes) -> str:
    """What a program gets, for people to look at."""
    return json.dumps(json.loads(data), indent=2, ensure_ascii=True)


def _show_mail(
    context: Context, digest: Digest, subscriber: Subscriber, flags: PreviewFlags
) -> None:
    """Print the mail, or a part of it, or open it in the browser."""
    from digest.rendering.render import Renderer

    rendered = Renderer(context.settings.templates).render(digest, secrets.token_hex(16))
    text, page = _shown(context.settings, rendered, subscriber)
    if flags.as_eml:
        date = clock_at(flags.now)()
        # As bytes: a mail's lines end in CRLF, whatever the machine's do.
        sys.stdout.buffer.write(_message(context.settings, rendered, subscriber, date))
    elif flags.open_browser:
        open_page(context, page)
    elif flags.as_html:
        context.echo(page)
    else:
        file = f"\nAttached: {rendered.attachment.name}" if rendered.attachment else ""
        context.echo(f"Subject: {rendered.subject}{file}\n\n{text}")


def _shown(settings: Settings, rendered: Rendered, subscriber: Subscriber) -> Lines:
    """Both parts as the reader will see them, but for links, which lead nowhere yet."""
    offer = make_sender(settings).offer(0)
    line = f"This mail went to {subscriber.email}."
    own = Lines(line, html.escape(line))
    if subscriber.feedback:
        own = Lines(own.text + offer.own.text, own.html + offer.own.html)
    return shown(rendered, own, offer.papers)


def _chosen(settings: Settings, roster: Roster, email: str | None) -> Subscriber:
    if email is not None:
        return require_subscriber(roster, email, settings)
    if len(roster.subscribers) == 1:
        return roster.subscribers[0]
    place = place_of_subscribers(settings)
    if not roster.subscribers:
        raise ConfigError(
            f"{place} names no subscriber", remedy="'digest subscribe EMAIL -k KEYWORD' adds one"
        )
    example = f"digest preview {roster.subscribers[0].email}"
    raise ConfigError(
        f"{place} names {len(roster.subscribers)} subscribers",
        remedy=f"say whose digest you want to see, such as: {example}",
    )


async def _next_digest(
    context: Context, roster: Roster, subscriber: Subscriber, flags: PreviewFlags
) -> tuple[Digest | None, Ranking | None]:
    """Fetch what is due into a copy of the database, and compose there; with the ranking of its
    papers where the flags ask for it.
    """
    from digest.explain.ranking import explain_ranking
    from digest.run.compose import compose_now
    from digest.run.fetch import fetch_due
    from digest.run.libraries import refresh

    only = Roster(subscribers=(subscriber,), keywords=subscriber.keywords)
    async with rehearsal(context.settings, only, Nowhere(), flags.now) as parts:
        store, clock = parts.store, parts.clock
        # Only this reader's keywords are fetched; but all readers are synced, as by the next run,
        # since the file would otherwise seem to have lost the others.
        store.subscribers.sync(roster, clock())
        fetching = fetch_due(parts, parts.sources, only, store.runs.begin(clock()))
        fetched = await run_stoppable(fetching, parts.stop)
        failed = [one for one in fetched or [] if one.error is not None]
        for one in failed:
            context.warn(f"{one.record.keyword}: {one.record.why}")
        state = store.subscribers.state(subscriber.email)
        unplaced = len(state.unplaced) if state else 0
        if failed and unplaced == len({k.query for k in subscriber.keywords}):
            raise TryLaterError(
                "arXiv has answered for none of the keywords yet", remedy="try again later"
            )
        # Another reader's papers are not asked for: what is learnt here is forgotten.
        held = await refresh(parts, None, parts.libraries, only, fetched=bool(fetched))
        composer = replace(parts.composer, held=held)
        digest = compose_now(composer, subscriber, clock())
        if digest is None or not flags.rank:
            return digest, None
        papers = [item.paper for section in digest.sections for item in section.items]
        return digest, explain_ranking(composer.tastes, subscriber, papers)


def _message(
    settings: Settings, rendered: Rendered, subscriber: Subscriber, date: datetime
) -> bytes:
    """The message as it would leave, under a Message-ID of its own."""
    sender = make_sender(settings)
    outgoing = _outgoing(subscriber, rendered.subject, freeze(rendered))
    unique = make_msgid("preview", domain=sender.domain)
    return assemble(replace(outgoing, message_id=unique, date=date), sender).data


def _outgoing(reader: Subscriber, subject: str, pieces: tuple[bytes, ...]) -> Outgoing:
    """A message of no delivery."""
    return Outgoing(
        id=0,
        attempt=1,
        address=reader.email,
        name=reader.name,
        message_id="<preview@localhost>",
        date=datetime.now(UTC),
        subject=subject,
        pieces=pieces,
        channel=reader.channel,
    )


def _gallery(context: Context, folder: Path, flags: PreviewFlags) -> None:
    """Write the sample digests, and say where their page lies."""
    from digest.demo.gallery import write_gallery
    from digest.rendering.render import Renderer

    if flags.email or flags.as_html or flags.as_eml or flags.rank or flags.now:
        raise UsageError(
            "--gallery shows samples only", remedy="leave the rest out, but for --open"
        )
    page = write_gallery(folder.absolute(), Renderer(context.settings.templates))
    context.echo(f"The samples lie at {page}")
    if flags.open_browser:
        _launch(page)


def open_page(context: Context, page: str) -> None:
    """Write the HTML part to a file of its own and open the browser on it."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="digest-", suffix=".html", delete=False, encoding="utf-8"
    ) as file:
        file.write(page)
    context.echo(f"The preview lies at {file.name}")
    _launch(Path(file.name))


def _launch(page: Path) -> None:
    if click.launch(page.as_uri()) != 0:
        raise DigestError("no browser could be started", remedy=f"open {page} yourself")
