"""The way of the mail: whether the server lets us in, and a test digest that goes through it:
invented papers, the real renderer, the real way out; nothing of it is recorded.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parseaddr
from pathlib import Path

import idna

from digest.demo.papers import World
from digest.mail.body import freeze
from digest.mail.presets import hint_for
from digest.mail.probe import probe
from digest.model import (
    Digest,
    Item,
    Keyword,
    Kind,
    Outcome,
    Receipt,
    Rendered,
    Rule,
    Section,
)
from digest.rendering.render import Renderer
from digest.setup.doctor.check import Cause, Finding, fail, first, must_resolve, ok, warn
from digest.setup.mail import make_sender, make_transport, send_alone, server_of
from digest.setup.settings import Settings

PROBE_SECONDS, SEND_SECONDS = 9.0, 60.0
PAPERS = 3
TITLE = "This is only a test: the papers are invented"
LABEL = "a test of this Digest"


def check_mail(settings: Settings) -> Finding:
    """Go all the way to a message, once, and mail nothing: connect, TLS, login, sender; or the
    folder, the program.
    """
    server = server_of(settings.mail)
    if server is None:
        look = _program if settings.mails_for_real else _folder
        return look(Path(make_transport(settings).description.partition(" ")[2]))
    must_resolve(server.host, "is the name right, and the network up?", place=f"{server.url}: ")
    receipt = asyncio.run(_probe(settings))
    if receipt is None:
        how = {"always": "TLS", "starttls": "STARTTLS", "offered": "STARTTLS where it is offered"}
        protected = how.get(server.tls, "no TLS")
        login = f", logged in as {server.user}" if server.user else ", no login"
        return ok(f"{server.url} is ready: {protected}{login}; nothing was mailed")
    return judged(settings, receipt)


def judged(settings: Settings, receipt: Receipt) -> Finding:
    """What a receipt that is no success means for the settings."""
    place, reply = make_transport(settings).description, receipt.reply
    hint = hint_for(settings.mail, reply)
    return first(
        (
            receipt.outcome is Outcome.RELAY,
            fail(
                f"{place}: {reply}",
                hint or "check DIGEST_MAIL and the network",
                Cause.CONFIG if receipt.permanent else Cause.NETWORK,
            ),
        ),
        (
            receipt.outcome is Outcome.DEFERRED,
            ok(f"{place} lets us in; to the sender's own address it says: {reply}"),
        ),
        (
            True,
            warn(
                f"{place} lets us in, and takes no mail to the sender's own address: {reply}",
                hint or "set DIGEST_FROM to an address that takes mail, or answers get lost",
            ),
        ),
    )


async def _probe(settings: Settings) -> Receipt | None:
    transport = make_transport(settings)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return await probe(transport, make_sender(settings))
    except TimeoutError:
        return Receipt(Outcome.RELAY, f"timed out: no answer in {PROBE_SECONDS:g} s")
    finally:
        await transport.close()


def _folder(path: Path) -> Finding:
    """A Maildir: writable, or a place where it can be made."""
    if path.is_dir():
        places = (path, *(path / name for name in ("tmp", "new", "cur")))
        closed = [place for place in places if place.exists() and not _writable(place)]
        if closed:
            return fail(
                f"the Maildir {closed[0]} is not writable",
                "mend its rights, or run as its owner",
            )
        return ok(f"the Maildir {path} is writable")
    above = next(parent for parent in path.parents if parent.exists())
    return first(
        (
            path.exists(),
            fail(f"{path} is no folder", "name another with DIGEST_MAIL=maildir:PATH"),
        ),
        (
            not (above.is_dir() and _writable(above)),
            fail(f"the Maildir {path} cannot be made: {above} is not writable", "mend its rights"),
        ),
        (True, ok(f"the first mail makes the Maildir {path}")),
    )


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _program(path: Path) -> Finding:
    """A sendmail program that can be started; what stands behind it only a mail can tell."""
    if path.is_dir() or not os.access(path, os.X_OK):
        return fail(
            f"there is no program {path}",
            "install a mail system that brings it (msmtp-mta, postfix), "
            "or set DIGEST_MAIL to smtp://…",
        )
    return ok(f"{path} is there; 'digest doctor --send EMAIL' tries it")


def sender_domain(settings: Settings) -> str:
    """The domain of DIGEST_FROM in ASCII, where mail leaves this machine and the domain is a public
    one; or nothing.
    """
    domain = parseaddr(settings.sender)[1].rpartition("@")[2].rstrip(".").lower()
    if not settings.mails_for_real or "." not in domain:
        return ""
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return domain


def trial_digest(now: datetime, contact: str) -> Digest:
    """A small digest that says of itself that it is a test."""
    papers = World(seed=11).papers(PAPERS, now - timedelta(days=2), now)
    items = tuple(
        # There was no month 00, so these links lead to nobody's paper.
        Item(
            replace(paper, id=f"0000.{number:05d}", title=f"[invented] {paper.title}"),
            Kind.NEW,
            (LABEL,),
        )
        for number, paper in enumerate(papers, 1)
    )
    keyword = Keyword(LABEL, "all:test", Rule.QUERY)
    return Digest(
        date=now.date(),
        timezone="UTC",
        sections=(Section(TITLE, items),),
        keywords=(keyword,),
        contact=contact,
    )


def _rendered(templates: Path | None, contact: str, now: datetime) -> Rendered:
    return Renderer(templates).render(trial_digest(now, contact), secrets.token_hex(16))


def check_templates(templates: Path | None, contact: str, now: datetime) -> Finding:
    """Render the test digest, with the operator's own templates where there are some."""
    rendered = _rendered(templates, contact, now)
    own = f"those in {templates} and " if templates else ""
    size = len(rendered.html.encode()) // 1000 + 1
    return ok(f"{own}the built-in ones make a digest of {size} kB")


def check_by_sending(settings: Settings, address: str, now: datetime) -> Finding:
    """Send the test digest to one address, and tell the server's words."""
    receipt = asyncio.run(_send_trial(settings, address, now))
    place, reply = make_transport(settings).description, receipt.reply
    hint = hint_for(settings.mail, reply)
    refused = f"the test digest to {address} by {place} was not accepted: {reply}"
    unsure = f"maybe delivered to {address} by {place}: {reply}"
    doubtful = hint or "is the address right?"
    by_relay = Cause.CONFIG if receipt.permanent else Cause.NETWORK
    return {
        Outcome.SENT: ok(f"a test digest went to {address} by {place}: {reply}"),
        Outcome.RELAY: fail(refused, hint, by_relay),
        Outcome.UNKNOWN: fail(unsure, hint, Cause.NETWORK),
        Outcome.DEFERRED: fail(refused, doubtful, Cause.NETWORK),
        Outcome.FAILED: fail(refused, doubtful, Cause.OTHER),
    }[receipt.outcome]


async def _send_trial(settings: Settings, address: str, now: datetime) -> Receipt:
    """Mail the test digest; what comes of it is not recorded."""
    rendered = _rendered(settings.templates, settings.contact, now)
    subject, handed_over = f"Test: {rendered.subject}", asyncio.Event()
    try:
        async with asyncio.timeout(SEND_SECONDS):
            return await send_alone(
                settings, address, subject, freeze(rendered), now, handed_over.set
            )
    except TimeoutError:
        # From the moment at which the message itself was begun it may have been taken.
        outcome = Outcome.UNKNOWN if handed_over.is_set() else Outcome.RELAY
        return Receipt(outcome, f"timed out: no answer in {SEND_SECONDS:g} s")
