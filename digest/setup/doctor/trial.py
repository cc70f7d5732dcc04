"""A test digest: invented papers, the real renderer, the real way out; nothing of it is
recorded.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from digest.model import Digest, Item, Keyword, Kind, Outcome, Receipt, Rule, Section
from digest.setup.doctor.check import Cause, Check, fail, ok, skip
from digest.setup.doctor.sender import NAME, mail_is_wrong
from digest.setup.mail import make_transport, send_alone
from digest.setup.settings import Settings, Survey

SECONDS = 60.0
PAPERS = 3
TITLE = "This is only a test: the papers are invented"
LABEL = "a test of this Digest"


def trial_digest(now: datetime, contact: str) -> Digest:
    """A small digest that says of itself that it is a test."""
    from digest.demo.papers import World

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


def check_templates(survey: Survey, now: datetime) -> Check:
    """Render the test digest, with the operator's own templates where there are some."""
    from digest.rendering.render import Renderer

    settings = survey.settings
    if "DIGEST_TEMPLATES" in survey.mistakes:
        return skip("templates", "DIGEST_TEMPLATES is wrong")
    rendered = Renderer(settings.templates).render(
        trial_digest(now, settings.contact), secrets.token_hex(16)
    )
    where = (
        f"those in {settings.templates} and the built-in ones"
        if settings.templates
        else "the built-in ones"
    )
    return ok("templates", f"{where} make a digest of {len(rendered.html.encode()) // 1000 + 1} kB")


def check_by_sending(survey: Survey, address: str, now: datetime) -> Check:
    """Send the test digest to one address, and tell the server's words."""
    settings = survey.settings
    if wrong := mail_is_wrong(survey):
        return skip(NAME, f"{wrong} is wrong, so nothing was sent")
    receipt = asyncio.run(send_trial(settings, address, now))
    if receipt.outcome is Outcome.SENT:
        return ok(
            NAME,
            f"a test digest went to {address} by {make_transport(settings).description}: {receipt.reply}",
        )
    return _refused(settings, address, receipt)


def _refused(settings: Settings, address: str, receipt: Receipt) -> Check:
    from digest.mail.presets import hint_for

    place = make_transport(settings).description
    hint = hint_for(settings.mail, receipt.reply)
    found = f"the test digest to {address} by {place} was not accepted: {receipt.reply}"
    if receipt.outcome is Outcome.RELAY:
        return fail(NAME, found, hint, Cause.CONFIG if receipt.permanent else Cause.NETWORK)
    if receipt.outcome is Outcome.UNKNOWN:
        return fail(
            NAME, f"maybe delivered to {address} by {place}: {receipt.reply}", hint, Cause.NETWORK
        )
    cause = Cause.NETWORK if receipt.outcome is Outcome.DEFERRED else Cause.OTHER
    return fail(NAME, found, hint or "is the address right?", cause)


async def send_trial(settings: Settings, address: str, now: datetime) -> Receipt:
    """Mail the test digest under a Message-ID of its own."""
    from digest.mail.message import freeze
    from digest.rendering.render import Renderer

    rendered = Renderer(settings.templates).render(
        trial_digest(now, settings.contact), secrets.token_hex(16)
    )
    subject, handed_over = f"Test: {rendered.subject}", asyncio.Event()
    try:
        async with asyncio.timeout(SECONDS):
            return await send_alone(
                settings, address, subject, freeze(rendered), now, handed_over.set
            )
    except TimeoutError:
        outcome = Outcome.UNKNOWN if handed_over.is_set() else Outcome.RELAY
        return Receipt(outcome, f"timed out: no answer in {SECONDS:g} s")
