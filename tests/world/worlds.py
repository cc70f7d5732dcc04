"""Small worlds for tests of the cycle: an arXiv and a mail server whose answers are set, a clock, a
database."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

from digest.errors import ArxivError
from digest.mail.apprise import assemble_chat
from digest.mail.github import assemble_issues
from digest.mail.message import Message, Sender, assemble
from digest.mail.transport import Carrier, Transport
from digest.mail.webhook import assemble_webhook
from digest.model import Channel, Keyword, Outcome, Paper, Receipt, Roster, Rule, Subscriber, Window
from digest.rendering.render import Renderer
from digest.rules.channels import RateLimit, make_terms
from digest.run.compose import Composer
from digest.run.cycle import Parts, RunOptions, Summary, run_cycle
from digest.run.deliver import Mailer
from digest.run.fetch import Sources
from digest.run.session import silent
from digest.store import Store
from digest.subscribers.addresses import channel_of
from digest.system.signals import Stop
from tests.world.databases import Kind, SqliteFile

MONDAY = datetime(2026, 11, 9, 7, 0, tzinfo=UTC)
"""A Monday in November without holidays near it, forty-five minutes after Sunday's announcement was
served."""

SENDER = Sender("Digest <digest@example.org>")

RENDERER = Renderer()
"""One for all worlds: compiling the templates takes longer than a cycle."""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def keyword(name: str, query: str | None = None) -> Keyword:
    """A keyword whose query is `all:NAME`, or as given."""
    return Keyword(name, query or f"all:{name.lower()}", Rule.QUERY)


def reader(address: str, *names: str, **options: Any) -> Subscriber:
    """A reader of keywords by name."""
    keywords = tuple(keyword(name) for name in names)
    return Subscriber(address, keywords, channel=channel_of(address), **options)


def eprint(number: int, submitted: datetime = MONDAY - DAY, **changes: Any) -> Paper:
    """A paper with an id of its own, submitted at that moment."""
    paper = Paper(
        id=f"2611.{number:05d}",
        version=1,
        title=f"Title {number}",
        abstract=f"Abstract {number}.",
        authors=("Ada Example",),
        categories=("cs.LG",),
        published=submitted,
        updated=submitted,
    )
    return replace(paper, **changes)


def bad_answer(
    words: str = "the answer was cut off", cls: type[ArxivError] = ArxivError, **how: Any
) -> ArxivError:
    """What the client raises for an answer that is not whole."""
    return cls(words, body=how.pop("body", b"<feed>half"), **how)


@dataclass
class Arxiv:
    """Answers each query with the papers set for it, or with the failures set for it, one each."""

    papers: dict[str, list[Paper]] = field(default_factory=lambda: defaultdict(list))
    failures: dict[str, list[ArxivError]] = field(default_factory=lambda: defaultdict(list))
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def announce(self, name: str, *papers: Paper) -> None:
        """Let the index hold these papers too, for the query of this name; a known paper is
        replaced."""
        held = {p.id: p for p in self.papers[f"all:{name.lower()}"]} | {p.id: p for p in papers}
        self.papers[f"all:{name.lower()}"] = list(held.values())

    def fail(self, name: str, *errors: ArxivError) -> None:
        """Let the next answers to the query of this name be these."""
        self.failures[f"all:{name.lower()}"] += errors

    async def fetch(self, query: str, *, since: datetime, **options: Any) -> Window:
        """Answer."""
        self.asked.append((query, {"since": since, **options}))
        if self.failures[query]:
            raise self.failures[query].pop(0)
        rows = tuple(sorted(self.papers[query], key=lambda p: p.updated, reverse=True))
        return Window(query, rows, len(rows), since, 1)


def mailer_of(
    mail: Transport,
    sender: Sender,
    *,
    limits: Sequence[RateLimit] = (),
    hold: bool = False,
    **others: Transport,
) -> Mailer:
    """What carries all digests by one transport, or issues, webhooks and chats by others."""
    terms = make_terms(limits, hold_unknown=hold)
    carriers = {
        Channel.MAIL: Carrier(mail, partial(assemble, sender=sender), terms[Channel.MAIL]),
        Channel.GITHUB: Carrier(others.get("issues", mail), assemble_issues, terms[Channel.GITHUB]),
        Channel.WEBHOOK: Carrier(
            others.get("webhooks", mail), assemble_webhook, terms[Channel.WEBHOOK]
        ),
        Channel.APPRISE: Carrier(
            others.get("chats", mail),
            partial(assemble_chat, sender=sender),
            terms[Channel.APPRISE],
        ),
    }
    return Mailer(carriers, sender)


_WAYS = ("issues", "webhooks", "chats", "limits")


@dataclass
class Relay:
    """A mail server: each message is accepted, unless `answers` has something else for its reader.

    An answer is a receipt, or an exception that the transport fails with. `before`: whether it
    comes before DATA. `taken` are the messages that were accepted.
    """

    answers: dict[str, list[Receipt | BaseException]] = field(
        default_factory=lambda: defaultdict(list)
    )
    before: bool = False
    tried: list[Message] = field(default_factory=list)
    taken: list[Message] = field(default_factory=list)
    description: str = "a relay"
    width: int = 3

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        """Take one message, or not."""
        self.tried.append(message)
        answer = self.answers[message.recipient].pop(0) if self.answers[message.recipient] else None
        if isinstance(answer, Receipt) and answer.outcome in (
            Outcome.DEFERRED,
            Outcome.FAILED,
            Outcome.RELAY,
        ):
            return answer
        if not self.before:
            before_data()
        if isinstance(answer, BaseException):
            raise answer
        if answer is not None:
            return answer
        self.taken.append(message)
        return Receipt(Outcome.SENT, "250 ok")

    async def close(self) -> None:
        """Nothing to close."""


class World:
    """One database, one arXiv, one mail server, and a clock that the test sets."""

    def __init__(self, path: Path, kind: Kind | None = None) -> None:
        self.path = path
        self.kind = kind or SqliteFile(path)
        self.open_again()
        self.arxiv, self.relay = Arxiv(), Relay()
        self.readers: list[Subscriber] = []
        self.keywords: list[Keyword] = []
        self.now = MONDAY
        self.hold = False
        self.stop = Stop()

    def open_again(self) -> None:
        """Open the database, as the next process does."""
        self.database = self.kind.open()
        self.store = Store(self.database)

    @property
    def roster(self) -> Roster:
        """The subscribers file: the readers, and all their keywords with the page's own."""
        wanted: dict[str, Keyword] = {}
        for each in (*self.keywords, *(k for r in self.readers for k in r.keywords)):
            wanted.setdefault(each.query, each)
        return Roster(tuple(self.readers), tuple(wanted.values()))

    def parts(
        self,
        sources: Sources | None = None,
        sender: Sender = SENDER,
        contact: str | None = None,
        roster: Roster | None = None,
        progress: Callable[[str], None] = silent,
        **mailing: Any,
    ) -> Parts:
        """What a cycle works with; `mailing` is for the mailer."""
        contact = sender.contact if contact is None else contact
        others = {name: mailing.pop(name) for name in _WAYS if name in mailing}
        mail = mailing.pop("transport", self.relay)
        mailer = mailer_of(mail, sender, hold=self.hold, **others)
        return Parts(
            store=self.store,
            clock=lambda: self.now,
            stop=self.stop,
            progress=progress,
            roster=roster or self.roster,
            sources=sources or Sources(self.arxiv),
            composer=Composer(self.store, RENDERER, contact, sender.domain),
            mailer=replace(mailer, **mailing),
        )

    async def cycle(
        self,
        at: datetime | None = None,
        *,
        fetch_all: bool = False,
        force_mail: bool = False,
        only: Subscriber | None = None,
        **changes: Any,
    ) -> Summary:
        """One cycle, now or at a later moment."""
        self.now = at or self.now
        return await run_cycle(self.parts(**changes), RunOptions(fetch_all, force_mail, only))

    def mails(self, address: str = "") -> list[EmailMessage]:
        """The accepted messages, to one reader or to all."""
        return [mail(m.data) for m in self.relay.taken if not address or m.recipient == address]

    def titles(self, address: str) -> list[list[int]]:
        """The numbers of the papers in each accepted message to a reader."""
        return [numbers(m) for m in self.mails(address)]

    def value(self, sql: str, *parameters: Any) -> Any:
        """A look into the database by a connection of its own: what is not committed is not
        seen."""
        other = self.kind.open()
        try:
            return other.value(sql, parameters)
        finally:
            other.close()

    def close(self) -> None:
        """Close the database."""
        self.store.close()


def mail(data: bytes) -> EmailMessage:
    """A message as a mail program reads it."""
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text(message: EmailMessage) -> str:
    """The text part."""
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def numbers(message: EmailMessage) -> list[int]:
    """The numbers of the papers that a message names, in order."""
    import re

    return [int(n) for n in re.findall(r"arxiv\.org/abs/2611\.(\d{5})v", text(message))]


def hashes(folder: Path) -> dict[str, str]:
    """Every file below a folder with a hash of what is in it; but for the lock that all who ask
    arXiv share."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".arxiv.lock")
    }


def days(first: datetime, count: int) -> Iterator[datetime]:
    """The same time on so many days."""
    return (first + number * DAY for number in range(count))
