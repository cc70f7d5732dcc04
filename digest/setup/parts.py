"""The composition root: from settings to the parts that a cycle works with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from digest.errors import ConfigError
from digest.mail.message import assemble
from digest.mail.transport import Carrier
from digest.model import OPEN, Channel
from digest.rules.channels import Terms, make_terms
from digest.setup.channels import make_chats, make_webhooks
from digest.setup.mail import make_issues, make_sender, make_transport
from digest.setup.settings import Settings
from digest.setup.subscribers import apply_naming, known_as, place_of_subscribers, read_roster

if TYPE_CHECKING:
    from digest.mail.transport import Transport
    from digest.model import Outgoing, Roster, Subscriber
    from digest.run.cycle import Parts, Summary
    from digest.run.deliver import Delivered, Mailer
    from digest.run.libraries import Places
    from digest.run.summaries import Writer
    from digest.store import Store
    from digest.store.bodies import Content


@contextmanager
def existing_store(settings: Settings) -> Iterator[Store | None]:
    """The database where there is one already, for commands that report or mend."""
    from digest.store import is_there, open_store

    if not is_there(settings.db):
        yield None
        return
    with open_store(settings.db, create=False) as store:
        apply_naming(settings, store)
        yield store


@contextmanager
def reading_store(settings: Settings) -> Iterator[Store]:
    """The database; where there is none yet, an empty one in memory: for commands that report."""
    from digest.store import rehearsal_store

    with existing_store(settings) as store:
        if store is not None:
            yield store
            return
    with rehearsal_store(settings.db) as empty:
        yield empty


def require_subscriber(roster: Roster, address: str, settings: Settings) -> Subscriber:
    """One reader by address; ConfigError where the file does not name it or has a mistake there."""
    from digest.subscribers.edit import roster_entry
    from digest.subscribers.guesses import unknown_reader

    reader = roster_entry(roster, known_as(settings, address))
    if reader is None:
        if why := roster.why_held_back(known_as(settings, address)):
            raise held_back_error(address, why)
        known = (subscriber.email for subscriber in roster.subscribers)
        raise unknown_reader(place_of_subscribers(settings), address, known)
    return reader


def held_back_error(address: str, why: str) -> ConfigError:
    """What to raise where something is asked of a reader whose entry has a mistake."""
    return ConfigError(
        f"{address} is held back by a mistake in the subscribers file: {why}",
        remedy="'digest subscribers check' shows it",
    )


def places_of(settings: Settings) -> Places:
    """Where readers' libraries lie."""
    from digest.libraries.zotero import Access
    from digest.run.libraries import Places

    return Places(settings.home, Access(settings.zotero_api, settings.zotero_key))


def writer_of(settings: Settings) -> Writer | None:
    """Who writes summaries; None where no model is named."""
    from digest.run.summaries import Writer
    from digest.summaries.client import Endpoint

    if not settings.llm_url:
        return None
    endpoint = Endpoint(settings.llm_url, settings.llm_model, settings.llm_key)
    return Writer(endpoint, settings.llm_daily.requests, settings.llm_daily.tokens)


def terms_of(settings: Settings) -> dict[Channel, Terms]:
    """On what terms the digests of each channel leave."""
    return make_terms(settings.mail_rate, hold_unknown=settings.hold_unknown)


def holds_unknown(settings: Settings, channel: Channel) -> bool:
    """Whether what may have been delivered there waits for a person."""
    return terms_of(settings)[channel].hold_unknown


def mail_hint(settings: Settings, summary: Summary) -> str:
    """Advice on the mail server's refusal that ended a run, to be put after its words; or
    nothing.
    """
    from digest.mail.presets import hint_for

    paused = summary.paused.get(Channel.MAIL)
    hint = hint_for(settings.mail, paused.reason) if paused else ""
    return f": {hint}" if hint else ""


def make_mailer(
    settings: Settings, store: Store, roster: Roster, transport: Transport, *, rehearsed: bool
) -> Mailer:
    """How digests leave, mail by this transport. `rehearsed`: nothing leaves otherwise, and readers
    keep the names by which the database knows them.
    """
    from digest.mail.apprise import assemble_chat
    from digest.mail.github import assemble_issues
    from digest.mail.webhook import assemble_webhook
    from digest.run.deliver import Mailer
    from digest.subscribers.pseudonyms import mailboxes

    sender = make_sender(settings, store)
    # A rehearsal shows all that is due, and waits for nothing.
    limits = () if rehearsed else settings.mail_rate
    on = make_terms(limits, hold_unknown=settings.hold_unknown)
    issues = transport if rehearsed else make_issues(settings)
    webhooks = transport if rehearsed else make_webhooks(settings, roster)
    chats = transport if rehearsed else make_chats(settings, roster)
    return Mailer(
        carriers={
            Channel.MAIL: Carrier(transport, partial(assemble, sender=sender), on[Channel.MAIL]),
            Channel.GITHUB: Carrier(issues, assemble_issues, on[Channel.GITHUB]),
            Channel.WEBHOOK: Carrier(webhooks, assemble_webhook, on[Channel.WEBHOOK]),
            Channel.APPRISE: Carrier(
                chats, partial(assemble_chat, sender=sender), on[Channel.APPRISE]
            ),
        },
        sender=sender,
        mailboxes=None if rehearsed else mailboxes(roster),
    )


@asynccontextmanager
async def open_parts(
    settings: Settings,
    store: Store,
    roster: Roster,
    transport: Transport,
    *,
    clock: Callable[[], datetime],
    rehearsed: bool = False,
) -> AsyncIterator[Parts]:
    """Everything that a cycle works with, closed at the end. `rehearsed`: nothing leaves but by
    `transport`. What one cycle alone wants is put in its place by `dataclasses.replace`.
    """
    from digest.rendering.render import Renderer
    from digest.run.compose import Composer
    from digest.run.cycle import Parts
    from digest.run.fetch import Sources
    from digest.setup.arxiv import make_arxiv, make_feeds, make_oai

    mailer = make_mailer(settings, store, roster, transport, rehearsed=rehearsed)
    apply_naming(settings, store, roster)
    try:
        async with make_arxiv(settings) as arxiv:
            line = arxiv.line
            feeds, oai = make_feeds(settings, line), make_oai(settings, line)
            # Strangers may see a database that is kept in public: its bodies name no contact.
            contact = "" if settings.subscribers_yaml else mailer.sender.contact
            writer = writer_of(settings)
            composer = Composer(
                store,
                Renderer(settings.templates),
                contact,
                mailer.sender.domain,
                model=writer.endpoint.model if writer else "",
            )
            yield Parts(
                store=store,
                clock=clock,
                roster=roster,
                sources=Sources(
                    arxiv, feeds, oai, settings.source, line, settings.signup and not rehearsed
                ),
                composer=composer,
                mailer=mailer,
                libraries=places_of(settings),
                # What is only looked at costs nothing.
                writer=None if rehearsed else writer,
            )
            apply_naming(settings, store, roster)
    finally:
        await mailer.close()


async def deliver_waiting(
    settings: Settings, store: Store, *, clock: Callable[[], datetime]
) -> Delivered:
    """Send what waits in the outbox, now; for whoever holds the cycle lock. A stop is obeyed as in
    a cycle.
    """
    from digest.run.deliver import Delivered, deliver
    from digest.run.session import Session
    from digest.system.signals import run_stoppable

    session, transport = Session(store=store, clock=clock), make_transport(settings)
    mailer = make_mailer(settings, store, read_roster(settings), transport, rehearsed=False)
    store.outbox.recover(clock())
    try:
        done = await run_stoppable(deliver(session, mailer, force=True), session.stop)
        await session.take(store.bodies.let_go())
        return done or Delivered()
    finally:
        await mailer.close()


def made_again(settings: Settings, store: Store, delivery: int) -> tuple[Content, str] | None:
    """The digest of a delivery, rendered again, and how it may differ from what was sent; None
    where that cannot be (see Bodies.again).
    """
    from digest.rendering.render import Renderer
    from digest.run.bodies import Bodies

    return Bodies(store, Renderer(settings.templates)).again(delivery)


def message_of(settings: Settings, store: Store, delivery: int) -> tuple[Outgoing, str]:
    """All that a delivery's message is made of, and how it may differ from what was sent.

    Its body is the one that is kept while it is on its way, and rendered again once it has ended,
    since another one may be kept by then. Raises UsageError where neither can be.
    """
    has_ended = store.outbox.entry(delivery).state not in OPEN
    again = made_again(settings, store, delivery) if has_ended else None
    content, differs = again or (None, "")
    return store.outbox.message(delivery, content.pieces if content else ()), differs


def clock_at(now: datetime | None) -> Callable[[], datetime]:
    """The clock of a command: the machine's, or one that stands still at --now."""
    if now is None:
        return machine_now
    return lambda: now


def machine_now() -> datetime:
    """The machine's clock, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)
