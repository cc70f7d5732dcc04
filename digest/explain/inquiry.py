"""Who is asked about: the reader as the subscribers file and the database have them, what keeps
mail from them, and what comes next for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from digest.keywords.words import counted, listed
from digest.model import Subscriber
from digest.rules.schedule import (
    SlotState,
    current_slot,
    is_paused,
    local_date,
    next_digest,
    next_slot,
    pause_in_words,
)
from digest.rules.verdict import LedgerEntry, Part, Verdict, delivery_words, moment
from digest.rules.words import in_words
from digest.run.compose import make_plan
from digest.run.fetch import unanswered
from digest.store import Store
from digest.store.digests import DigestPlan, Due
from digest.store.history import Reader
from digest.times import text_or_none, to_text


@dataclass(frozen=True)
class Inquiry:
    """A question about one reader: as the subscribers file has them, as the database remembers
    them, or both. `now` is UTC; `held_back` are the words of the mistake in the file for which
    nothing is mailed to them.
    """

    store: Store
    now: datetime
    address: str
    subscriber: Subscriber | None
    past: Reader | None
    hold_unknown: bool = False
    held_back: str = ""

    @property
    def zone(self) -> str:
        """The zone in which times are shown."""
        return self.subscriber.timezone if self.subscriber else "UTC"

    @cached_property
    def due(self) -> Due | None:
        """The reader as composing sees them; None for whom it does not serve."""
        return self.store.digests.reader(self.address)

    @cached_property
    def parts(self) -> dict[str, Part]:
        """The reader's parts of the logs, by query."""
        parts = self.store.history.parts(self.past.id) if self.past else []
        return {part.query: part for part in parts}

    @cached_property
    def keywords(self) -> dict[str, str]:
        """Query to name: the reader's keywords, then those that they had before."""
        named: dict[str, str] = {}
        for keyword in self.subscriber.keywords if self.subscriber else ():
            named.setdefault(keyword.query, keyword.name)
        for query, part in self.parts.items():
            named.setdefault(query, part.label)
        return named

    def wants(self, query: str) -> bool:
        """Whether a query is one of the reader's, and not a former one."""
        keywords = self.subscriber.keywords if self.subscriber else ()
        return any(keyword.query == query for keyword in keywords)

    @cached_property
    def plan(self) -> DigestPlan | None:
        """The plan of the digest that would go now."""
        if self.due is None or self.subscriber is None:
            return None
        return make_plan(self.store, self.due, self.subscriber)

    def deliveries(self, **limits: Any) -> list[LedgerEntry]:
        """The reader's digests, newest first; `limits` are those of the store's history."""
        return self.store.history.deliveries(self.past.id, **limits) if self.past else []

    def at(self, when: datetime) -> str:
        """A moment for people, in the reader's zone."""
        return moment(when, self.zone)

    def head(self, about: str) -> dict[str, Any]:
        """The values with which every answer begins."""
        return {
            "email": self.address,
            "timezone": self.zone,
            "now": to_text(self.now),
            "about": about,
        }

    def suppression(self) -> Verdict | None:
        """The suppression of the reader's address: since when and why."""
        if self.past is None or self.past.suppressed_at is None:
            return None
        return Verdict(
            "suppressed",
            f"mail to this address is suppressed since {self.at(self.past.suppressed_at)}"
            f": {self.past.suppression}",
        )

    def pause(self, when: datetime) -> str:
        """The pause of the subscribers file, as far as it lasts at a moment, in words; or ""."""
        reader = self.subscriber
        if reader is None or reader.paused_until is None or not is_paused(reader, when):
            return ""
        return pause_in_words(reader.paused_until)

    def values(self, delivery: LedgerEntry) -> dict[str, Any]:
        """One digest of the reader's as plain values."""
        return delivery_values(delivery, self.zone, hold_unknown=self.hold_unknown)


def keeps_mail(inquiry: Inquiry) -> Verdict | None:
    """The verdict that keeps all mail from a reader now: a suppression, or a pause."""
    suppression = inquiry.suppression()
    if suppression is not None and inquiry.due is not None and inquiry.due.suppressed:
        return suppression
    pause = inquiry.pause(inquiry.now)
    return Verdict("paused", f"mail is {pause}") if pause else None


def next_chance(inquiry: Inquiry) -> str:
    """When what is due already can leave."""
    reader, subscriber = inquiry.due, inquiry.subscriber
    if reader is None or subscriber is None:
        return ""
    slot = current_slot(
        subscriber, inquiry.now, used=reader.slot, found_empty_at=reader.found_empty_at
    )
    if slot.state is SlotState.OPEN:
        return "with the next run"
    after = next_slot(subscriber, max(slot.at, reader.slot or slot.at))
    return f"with the first run from {inquiry.at(after)} on"


def what_next(inquiry: Inquiry) -> str:
    """What comes next for the reader, in a sentence or two."""
    if inquiry.held_back:
        return "What is due comes once the mistake in the subscribers file is mended."
    if inquiry.subscriber is None:
        return ""
    if inquiry.due is None or inquiry.plan is None:
        return "The next run takes this reader in."
    waiting = [d for d in inquiry.deliveries(since=inquiry.now) if d.ended_at is None]
    sentences = [f"A digest waits in the outbox ({in_words(d.state)})." for d in waiting[:1]]
    kept, number = keeps_mail(inquiry), len(inquiry.plan.items)
    if kept:
        words = kept.text[0].upper() + kept.text[1:]
    elif number:
        due = counted(number, "paper is due, and comes", "papers are due, and come")
        words = f"{due} {next_chance(inquiry)}"
    else:
        words = _coming(inquiry, inquiry.subscriber)
    return " ".join([*sentences, f"{words}."])


def coming(inquiry: Inquiry, subscriber: Subscriber) -> tuple[datetime, date]:
    """When the next digest can come (UTC), and the evening of the last announcement in it."""
    store, now, reader = inquiry.store, inquiry.now, inquiry.due
    if reader is None:
        return next_digest(subscriber, now)
    asked = unanswered(store, subscriber.keywords, now)
    awaited = asked.again if asked else None
    # Making the plan costs far more than the quick look before it.
    if awaited != now and store.digests.has_news(reader.id) and inquiry.plan and inquiry.plan.items:
        awaited = now
    empty_at = reader.found_empty_at
    return next_digest(subscriber, now, taken=reader.slot, awaited=awaited, found_empty_at=empty_at)


def _coming(inquiry: Inquiry, subscriber: Subscriber) -> str:
    """When the next digest can come, and what arXiv is asked again for before that."""
    now, asked = inquiry.now, unanswered(inquiry.store, subscriber.keywords, inquiry.now)
    when, evening = coming(inquiry, subscriber)
    chance = "with the next run" if when == now else f"on {inquiry.at(when)}"
    words = f"The next digest can come {chance}, with the announcement of {evening:%a %Y-%m-%d}"
    if asked is None:
        return words
    begin = "with the next run" if asked.again == now else f"from {inquiry.at(asked.again)} on"
    return f"{words}: arXiv is asked for {listed(asked.names(subscriber.keywords))} {begin}"


def delivery_values(
    delivery: LedgerEntry, zone: str, *, hold_unknown: bool = False
) -> dict[str, Any]:
    """A delivery as plain values; `text` is for people."""
    return {
        "id": delivery.id,
        "date": local_date(delivery.queued_at, zone).isoformat(),
        "composed": to_text(delivery.queued_at),
        "subject": delivery.subject,
        "papers": delivery.papers,
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "next": to_text(delivery.next_at) if delivery.ended_at is None else None,
        "ended": text_or_none(delivery.ended_at),
        "reply": delivery.reply,
        "text": delivery_words(delivery, zone, hold_unknown=hold_unknown),
    }
