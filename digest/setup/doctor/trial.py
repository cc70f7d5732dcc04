"""A test digest: invented papers, the real renderer, the real way out; nothing of it is
recorded.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from digest.demo.papers import World
from digest.mail.message import freeze
from digest.mail.presets import hint_for
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
from digest.setup.doctor.check import Cause, Finding, fail, ok
from digest.setup.mail import make_transport, send_alone
from digest.setup.settings import Settings

SECONDS = 60.0
PAPERS = 3
TITLE = "This is only a test: the papers are invented"
LABEL = "a test of this Digest"


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
        async with asyncio.timeout(SECONDS):
            return await send_alone(
                settings, address, subject, freeze(rendered), now, handed_over.set
            )
    except TimeoutError:
        outcome = Outcome.UNKNOWN if handed_over.is_set() else Outcome.RELAY
        return Receipt(outcome, f"timed out: no answer in {SECONDS:g} s")
