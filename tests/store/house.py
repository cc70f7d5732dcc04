"""A store, and short words for what its tests do with it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from digest.model import (
    Channel,
    Outcome,
    Outgoing,
    Paper,
    Query,
    Receipt,
    Revisions,
    Roster,
    State,
    Subscriber,
    Window,
)
from digest.rules.channels import Terms
from digest.store import Store
from digest.store.bodies import Content
from digest.store.digests import DigestPlan, Queued
from digest.store.papers import write_paper
from digest.store.rows import pack
from digest.times import to_text
from tests.world.databases import Kind, SqliteFile
from tests.world.worlds import DAY, MONDAY, keyword

ADA, BOB = "ada@example.org", "bob@example.org"
PIECES = (b"before\r\n", b"between\r\n", b"after\r\n")
MINUTE = timedelta(minutes=1)


class Kill(BaseException):
    """The process was killed here."""


class House:
    """A store, and short words for what tests do with it."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.database = kind.open()
        self.store = Store(self.database)
        self.now = MONDAY
        self.run = self.store.runs.begin(self.now)
        self.roster = Roster((), ())

    def open_again(self) -> None:
        """Open the database that was closed."""
        self.database = self.kind.open()
        self.store = Store(self.database)

    @property
    def path(self) -> Path:
        """The file that it is in, for tests of what only that has."""
        assert isinstance(self.kind, SqliteFile)
        return self.kind.path

    def sync(self, *readers: Subscriber, at: datetime | None = None) -> bool:
        self.now = at or self.now
        keywords = {k.query: k for r in readers for k in r.keywords}
        self.roster = Roster(readers, tuple(keywords.values()))
        return self.store.subscribers.sync(self.roster, self.now)

    def query(self, name: str) -> Query:
        (query,) = self.store.windows.queries([keyword(name).query])
        return query

    def record(self, name: str, *papers: Paper, at: datetime | None = None) -> Any:
        self.now = at or self.now
        window = Window(keyword(name).query, papers, len(papers), self.now - 8 * DAY, 1)
        return self.store.windows.record(self.query(name), window, self.now, self.run)

    def record_paper(self, paper: Paper) -> None:
        """Keep a paper that stands in no log."""
        write_paper(self.database, paper)

    def plan(self, address: str = ADA, **options: Any) -> DigestPlan:
        # As a cycle does before it composes.
        for _ in iter(self.store.withdrawals.step, False):
            pass
        due = self.store.digests.reader(address)
        assert due is not None
        return self.store.digests.plan(
            due, **{"revisions": Revisions.NONE, "max_papers": 50} | options
        )

    def due(self, address: str = ADA, **options: Any) -> list[int]:
        return numbers(self.plan(address, **options))

    def queue(
        self,
        address: str = ADA,
        at: datetime | None = None,
        plan: DigestPlan | None = None,
        **options: Any,
    ) -> int:
        """Queue what is due; returns the delivery's number, 0 where nothing was queued."""
        self.now = at or self.now
        plan = plan or self.plan(address, **options)
        key = f"{address} {self.now} {numbers(plan)}"
        queued = Queued(plan, self.now, Content(key, "subject", "", pack(PIECES)))
        count = self.store.digests.queue(
            [queued], self.now, "example.org", lambda _reader: self.now + DAY
        )
        return int(self.value("SELECT MAX(id) FROM delivery")) if count else 0

    def claim(self, at: datetime | None = None, *, hold: bool = False) -> Outgoing | None:
        self.now = at or self.now
        terms = Terms(hold_unknown=hold)
        return next(iter(self.store.outbox.claim(self.now, Channel.MAIL, terms)), None)

    def settle(
        self, outcome: Outcome, at: datetime | None = None, *, hold: bool = False
    ) -> State | None:
        """Claim the next delivery and let its attempt end so."""
        outgoing = self.claim(at, hold=hold)
        assert outgoing is not None
        if outcome in (Outcome.SENT, Outcome.UNKNOWN):
            self.store.outbox.enter_data(outgoing)
        return self.ended(outgoing, Receipt(outcome, f"the server said {outcome}"))

    def ended(self, outgoing: Outgoing, receipt: Receipt, jitter: float = 0.5) -> State | None:
        """Let the attempt of a claimed delivery end so."""
        ((state, _),) = self.store.outbox.record([(outgoing, receipt)], self.now, lambda: jitter)
        return state

    def state(self, delivery: int) -> str:
        return str(self.value("SELECT state FROM delivery WHERE id = ?", delivery))

    def suppress(self, address: str = ADA) -> None:
        self.database.write(
            "INSERT INTO suppression(address, reason, since) VALUES(?, 'bounced', ?)",
            [address, to_text(self.now)],
        )

    def value(self, sql: str, *parameters: Any) -> Any:
        """A look by another connection: what is not committed is not seen."""
        other = self.kind.open()
        try:
            return other.value(sql, parameters)
        finally:
            other.close()


def numbers(plan: DigestPlan) -> list[int]:
    return [int(item.paper.id[-5:]) for item in plan.items]
