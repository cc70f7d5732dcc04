"""A randomized world around real cycles, and an oracle that knows what each digest must hold.

The world announces, holds and revises papers; readers come, change their keywords, pause and leave;
arXiv and the mail relay fail; the process is killed inside and between transactions and around
DATA. The oracle keeps plain Python books of its own and compares every digest that is queued with
them.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from digest.errors import ArxivError, ClockError, DoubtfulError, UsageError
from digest.keywords.categories import is_outside
from digest.mail.message import Message, Sender
from digest.model import (
    Attach,
    Channel,
    Digest,
    Keyword,
    Kind,
    Mistake,
    Outcome,
    Paper,
    Query,
    Receipt,
    Rendered,
    Revisions,
    Roster,
    Rule,
    Standing,
    State,
    Subscriber,
    Tally,
    Weekly,
    Window,
)
from digest.run.bodies import Bodies
from digest.run.clock import settle
from digest.run.compose import Composer
from digest.run.cycle import Parts, run_cycle
from digest.run.fetch import Sources
from digest.store import Store, ageing, withdrawals
from digest.store.clock import PutRight
from digest.store.database import Database, Parameters
from digest.store.digests import DigestPlan, Queued
from digest.store.rows import OPEN_STATES
from digest.store.upkeep import go_on
from digest.store.windows import Judgement
from digest.subscribers.addresses import channel_of
from digest.times import from_text, to_text
from tests.world.likes import SITE, Likes, rendered
from tests.world.models import Models
from tests.world.own_papers import SUBJECTS, OwnPapers
from tests.world.own_words import WISHES, OwnWords, Then, rename_in
from tests.world.receipts import tally_by
from tests.world.statements import pass_over
from tests.world.strangers import Strangers
from tests.world.worlds import mailer_of

ACCEPTED, WITHDRAWN = "Accepted at a conference", "Withdrawn by the authors"
START = datetime(2026, 3, 2, tzinfo=UTC)
FAR = 10**9
NEVER = datetime.min.replace(tzinfo=UTC)
FAR_OFF = timedelta(days=400)
GUARD = timedelta(days=45)
"""What was submitted this long before the last good window is history, by the rules."""
FORGOTTEN = ", forgotten"
"""Stands behind the address of a reader in the books who was forgotten."""
REPOSITORY = "github:lab/papers"
"""The fourth reader, where there are four: what was posted there is found again."""

PROGRAM, CHAT = "webhook:lab", "apprise:lab"
"""The third reader of some histories: it gets all that a mail would bring, and no mail."""
UNMAILED = (REPOSITORY, PROGRAM, CHAT)

SILENT = "all:never"
"""A query that nothing ever matches."""


class Crash(BaseException):
    """The process was killed here."""


class BrokenError(AssertionError):
    """An invariant does not hold."""


class CrashingDatabase(Database):
    """A database in which the process may be killed before a transaction or inside it; then it is
    dead."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.crash: Callable[[], bool] = lambda: False
        self.dead = False
        self.mutation: tuple[str, str] | None = None
        self.mutated = False
        self.runs = 0

    def point(self) -> None:
        if self.dead or self.crash():
            self.dead = True
            raise Crash

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.point()
        with super().transaction():
            yield
            self.point()

    def tidy(self) -> None:
        """Look at the rows after some runs only: what SQLite knew of its statements it has to find
        out anew each time, which takes a third of a history."""
        self.runs += 1
        if self.runs % 16 == 1:
            super().tidy()

    def copy_into(self, other: CrashingDatabase) -> None:
        """Replace all that another database holds by what this one does."""
        self._connection.backup(other._connection)

    def _bent(self, sql: str) -> str:
        if self.mutation and self.mutation[0] in sql:
            self.mutated = True
            sql = sql.replace(*self.mutation)
            pass_over(sql)
        return sql

    def rows(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        return super().rows(self._bent(sql), parameters)

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        return super().value(self._bent(sql), parameters)

    def write_many(self, sql: str, parameters: Sequence[Parameters]) -> None:
        super().write_many(self._bent(sql), parameters)

    def _execute(self, sql: str, parameters: Parameters = ()) -> Any:
        return super()._execute(self._bent(sql), parameters)


def in_memory() -> CrashingDatabase:
    """An empty database of the kind that histories are played on (tests/world/databases.py)."""
    return CrashingDatabase.copy_of(_NOWHERE)


@dataclass
class Subscription:
    """What the oracle knows of one reader's subscription: the rows of the log that are its reader's
    due, and those `passed` by a digest while they lay outside the categories that were wanted. Up
    to `read` they were accounted for."""

    label: str
    state: str = "unplaced"
    was: str = ""
    entries: list[tuple[int, str, int, Kind]] = field(default_factory=list)
    stash: list[tuple[int, str, int, Kind]] = field(default_factory=list)
    passed: list[tuple[int, str, int, Kind]] = field(default_factory=list)
    ended: datetime | None = None
    watched: timedelta = timedelta()
    awaited: set[str] = field(default_factory=set)
    read: int = 0


@dataclass
class Delivery:
    """What the oracle knows of one delivery; `status`: open, in_data, maybe, accepted or void.
    `copies` of it may have been handed over; its papers stand in the log beyond `from_seq`.
    `again`: it repeats one that has gone.
    """

    address: str
    items: list[tuple[str, int, bool]]
    silences: set[str]
    queued_at: datetime
    from_seq: int
    status: str = "open"
    sends: int = 0
    copies: int = 0
    insisted: bool = False
    again: bool = False


class World:
    """One random history; a `harsh` one has more pauses, refusals and people who insist than real
    ones. With `clocks` the machine's clock goes wrong for days, else it does so in some. Without
    `likes` the same history is played, and nobody has or likes anything."""

    def __init__(
        self,
        seed: int,
        mutation: tuple[str, str] | None = None,
        *,
        harsh: bool = False,
        clocks: bool = False,
        kind: Callable[[], CrashingDatabase] = in_memory,
        likes: bool = True,
    ) -> None:
        self.random = random.Random(seed)
        self.database = kind()
        self.store = Store(self.database)
        crash_rate = self.random.choice([0, 0.005, 0.02])
        self.armed = True
        self.database.crash = lambda: self.armed and self.random.random() < crash_rate
        self.database.mutation = mutation
        self.hold = self.random.random() < 0.5
        self.harsh = harsh
        self.clocks = self.random.random() < 0.4 or clocks
        self.faults = 0.35 if harsh else self.random.choice([0, 0.1, 0.35])
        self.queries = [f"all:q{n}" for n in range(self.random.randint(2, 5))]
        self.people = _people(seed)[: self.random.randint(1, 4)]
        self.roster: dict[str, Subscriber] = {}
        self.suppressed: set[str] = set()
        self.pressing = random.Random(seed + 1)
        self.repeating = random.Random(seed + 4)
        self.renderings = itertools.count()
        self.own = OwnWords(self, seed + 5)
        self.owned = OwnPapers(self, seed + 8)
        self.owned.some &= likes
        self.likes = Likes(self, seed + 9, on=likes)
        self.models, self.strangers = Models(self, seed + 10), Strangers(self, seed + 11)
        self.ageing = random.Random(seed + 2)
        self.ages = self.ageing.random() < 0.6
        self.commanding = random.Random(seed + 7)
        self.dated = self.commanding.random() < 0.5
        """Whether each of arXiv's answers tells the time."""
        self.forgetting = random.Random(seed + 3)
        self.forgotten: set[str] = set()
        self.restoring = random.Random(seed + 6)
        self.restores = not self.clocks and self.restoring.random() < 0.4
        self.backup: Backup | None = None
        self.away_before: dict[str, bool] = {}
        self.farewells: Counter[str] = Counter()
        self.clicked: set[str] = set()
        self.mistaken: dict[str, bool] = {}
        """Whose entry in the file has a mistake, and whether it still shows the address."""
        self.papers: dict[str, Paper] = {}
        self.announced: dict[str, datetime] = {}
        self.matches: dict[str, set[str]] = {}
        self.numbers = itertools.count()
        self.now = START
        self.off = timedelta(0)
        self.refusing = 0
        self.stats: Counter[str] = Counter()
        self.oracle = Oracle(self)
        self._spy()
        self._spy_on_leaving()
        self._spy_on_the_clock()

    def _spy(self) -> None:
        """Tell the oracle of each transaction right after it was committed."""
        subscribers, windows, digests, outbox = (
            self.store.subscribers,
            self.store.windows,
            self.store.digests,
            self.store.outbox,
        )
        quarantine = windows.quarantine
        sync, record, queue, claim, settle, recover = (
            subscribers.sync,
            windows.record,
            digests.queue,
            outbox.claim,
            outbox.record,
            outbox.recover,
        )

        def spied_sync(roster: Roster, now: datetime) -> bool:
            changed = sync(roster, now)
            if changed:
                self.oracle.sync(self.own.followed(), now)
                self.own.end_taken(self.oracle.held_back)
            return changed

        def spied_record(
            query: Query, window: Window, now: datetime, run: int, judgement: Judgement
        ) -> Counter[Kind]:
            before = self._head()
            # Of some papers the program finds that arXiv only lists them: they come all the same.
            besides = {p.id for p in window.papers if int(p.id[-2:]) % 7 == 0}
            counts = record(query, window, now, run, replace(judgement, listed=besides))
            self.oracle.cleared(
                query, self.database.rows("SELECT paper FROM seen WHERE query = ?", [query.id])
            )
            rows = self.database.rows(
                "SELECT m.seq, m.paper, m.version, m.kind, m.listed FROM seen m WHERE m.seq > ? "
                "ORDER BY m.seq",
                [before],
            )
            entries = [(r["seq"], r["paper"], r["version"], Kind(r["kind"])) for r in rows]
            listed = {r["paper"] for r in rows if r["listed"]}
            papers = (*window.papers, *judgement.extra)
            self.oracle.record(query.text, entries, papers, listed, now)
            self.oracle.believed(query.text, window, now)
            return counts

        def spied_quarantine(
            query: Query, error: DoubtfulError, now: datetime, next_fetch_at: datetime
        ) -> None:
            quarantine(query, error, now, next_fetch_at)
            self.oracle.held(query, error.papers)
            self.stats["held back"] += 1

        def spied_queue(batch: list[Queued], *args: Any) -> int:
            away = {q.plan.reader: bool(self._one("away", q.plan.reader)) for q in batch}
            before = self.database.value("SELECT COALESCE(MAX(id), 0) FROM delivery")
            self.owned.judge(batch)
            count = queue(batch, *args)
            rows = self.database.rows(
                "SELECT d.id, d.message_id, d.subscriber, r.address FROM delivery d"
                " JOIN subscriber r ON r.id = d.subscriber WHERE d.id > ? ORDER BY d.id",
                [before],
            )
            plans = {q.plan.reader: q.plan for q in batch}
            for row in rows:
                self.oracle.check_unanswered(row["address"], plans[row["subscriber"]].unplaced)
                self.oracle.check_number(row["subscriber"], row["address"])
                self.oracle.queued(
                    row["id"],
                    row["address"],
                    plans[row["subscriber"]],
                    away[row["subscriber"]],
                    row["message_id"],
                )
            return count

        def spied_claim(*args: Any, **kwargs: Any) -> Any:
            try:
                return claim(*args, **kwargs)
            finally:
                self.oracle.settled(self._ended())

        def spied_settle(*args: Any) -> Any:
            settled = settle(*args)
            self.oracle.settled(self._ended())
            return settled

        def spied_recover(now: datetime) -> int:
            count = recover(now)
            self.oracle.recovered()
            return count

        subscribers.sync, windows.record, digests.queue = spied_sync, spied_record, spied_queue  # type: ignore[method-assign,assignment]
        windows.quarantine = spied_quarantine  # type: ignore[method-assign]
        outbox.claim, outbox.record, outbox.recover = spied_claim, spied_settle, spied_recover  # type: ignore[method-assign]

    def _spy_on_leaving(self) -> None:
        remove = self.store.subscribers.remove

        def spied_remove(address: str, now: datetime) -> bool:
            removed = remove(address, now)
            self.oracle.left(address, now)
            return removed

        self.store.subscribers.remove = spied_remove  # type: ignore[method-assign]

    def _spy_on_the_clock(self) -> None:
        put_right = self.store.clock.put_right

        def spied_put_right(now: datetime) -> PutRight:
            done = put_right(now)
            self.stats["put right"] += 1
            self.stats["judged again"] += done.papers
            kinds = {
                row["seq"]: Kind(row["kind"])
                for row in self.database.rows("SELECT seq, kind FROM seen")
            }
            good = {
                row["text"]: from_text(row["last_good_at"])
                for row in self.database.rows("SELECT * FROM query WHERE last_good_at IS NOT NULL")
            }
            self.oracle.put_right(now, kinds, good)
            return done

        self.store.clock.put_right = spied_put_right  # type: ignore[method-assign]

    def _ended(self) -> dict[int, str]:
        rows = self.database.rows(
            "SELECT id, state FROM delivery WHERE state IN ('suppressed', 'dropped', 'failed')"
        )
        return {row["id"]: row["state"] for row in rows}

    def _head(self) -> int:
        return int(self.database.value("SELECT COALESCE(MAX(seq), 0) FROM seen"))

    def _one(self, column: str, reader: int) -> Any:
        return self.database.value(f"SELECT {column} FROM subscriber WHERE id = ?", [reader])

    # -- what happens in the world

    def announce(self) -> None:
        r = self.random
        for _ in range(r.choice([0, 0, 1, 2, 3, 5])):
            held = r.choice([1] * 12 + [2, 3, 5, 9, 22, 34])
            moment = (self.now - timedelta(days=held) + timedelta(hours=r.randrange(24))).replace(
                microsecond=0
            )
            categories = r.choice([("cs.LG",)] * 4 + [("math.CO",), ("math.CO", "cs.DM")])
            number = next(self.numbers)
            title = SUBJECTS[number % len(SUBJECTS)]
            paper = Paper(f"2603.{number:05}", 1, title, "A", (), categories, moment, moment)
            self.papers[paper.id], self.announced[paper.id] = paper, self.now
            self.matches[paper.id] = {q for q in self.queries if r.random() < 0.4}
            self.oracle.announced(paper.id, self.matches[paper.id])
        for paper in list(self.papers.values()):
            if r.random() < 0.03:
                moment = self.now - timedelta(hours=r.randrange(1, 24))
                comment = r.choice([paper.comment, "", ACCEPTED, WITHDRAWN])
                updated = max(moment, paper.updated)
                self.papers[paper.id] = replace(
                    paper, version=paper.version + 1, updated=updated, comment=comment
                )
                if r.random() < 0.5:
                    self.matches[paper.id].add(r.choice(self.queries))
            elif r.random() < 0.02:
                self.matches[paper.id].add(r.choice(self.queries))

    def meddle(self) -> None:
        r = self.random
        for address in self.people:
            luck = r.random()
            if address not in self.roster:
                if luck < (0.03 if address in self.own.signed else 0.2):
                    labels = [f"L{r.randrange(3)}" for _ in range(r.randint(1, 3))]
                    self.roster[address] = Subscriber(
                        address,
                        tuple(self._keyword(label) for label in dict.fromkeys(labels)),
                        revisions=WISHES.get(address[:2], Revisions.NONE),
                        max_papers=3 if self.harsh else r.choice([3, 50]),
                        days=r.choice([tuple(Weekly), tuple(Weekly), (Weekly.MON,)]),
                        at=r.choice([None, time(7), time(20)]),
                        within=r.choice([(), (), ("cs.*", "stat.*")]),
                        channel=channel_of(address),
                        feedback=self.likes.asks(address),
                        attach=Attach.RIS if address[:2] == "r2" else Attach.NONE,
                    )
                continue
            reader = self.roster[address]
            self._slip(address)
            if luck < 0.03:
                del self.roster[address]
            elif luck < 0.08:
                self._edit(address, reader)
            elif luck < 0.10 and len(reader.keywords) > 1:
                self.roster[address] = replace(reader, keywords=reader.keywords[1:])
            elif luck < 0.12:
                self.roster[address] = replace(reader, within=() if reader.within else ("cs.*",))
            elif luck < (0.25 if self.harsh else 0.15):
                until = (
                    None
                    if reader.paused_until
                    else (self.now + timedelta(days=r.randint(1, 9))).date()
                )
                self.roster[address] = replace(reader, paused_until=until)
            elif luck > (0.9 if self.harsh else 0.98):
                self.suppressed ^= {address}
        self._suppress()

    def _slip(self, address: str) -> None:
        """Somebody makes a mistake in an entry, and mends it some days later."""
        luck = self.random.random()
        if address in self.mistaken:
            if luck < 0.3:
                del self.mistaken[address]
        elif luck < 0.06:
            self.mistaken[address] = self.random.random() < 0.7

    def _edit(self, address: str, reader: Subscriber) -> None:
        keyword = self._keyword(f"L{self.random.randrange(3)}")
        others = [k for k in reader.keywords if k.name != keyword.name]
        self.roster[address] = replace(reader, keywords=(*others, keyword))

    def _keyword(self, label: str) -> Keyword:
        return Keyword(label, self.random.choice([*self.queries, SILENT]), Rule.QUERY)

    def _suppress(self) -> None:
        self.database.write("DELETE FROM suppression WHERE farewell IS NULL")
        for address in self.suppressed:
            self.database.write(
                "INSERT OR IGNORE INTO suppression(address, reason, since) VALUES(?, 'bounced', ?)",
                [address, to_text(self.now)],
            )

    # -- the parts that a cycle is given

    async def fetch(self, query: str, *, since: datetime, **_options: Any) -> Window:
        if (told := self.strangers.answer(query, since)) is not None:
            return told
        self.oracle.asked[query] = self.now
        if self.harsh:
            self._insist()
        if self.armed and self.random.random() < self.faults:
            raise ArxivError("an answer that was cut off", body=b"<feed>")
        deep = since - timedelta(days=40)
        rows = [
            # By the program's own reading a paper matches what arXiv says it does.
            replace(p, title=" ".join(sorted(self.matches[p.id])).replace(":", " "))
            for p in self.papers.values()
            if query in self.matches[p.id] and p.updated >= deep
        ]
        rows.sort(key=lambda p: p.updated, reverse=True)
        if self.armed and self.random.random() < self.faults * 0.3:
            rows = self._implausible(query, rows)
        return Window(query, tuple(rows), len(rows), deep, 1)

    def _implausible(self, query: str, rows: list[Paper]) -> list[Paper]:
        """A part of the answer, with a paper that no other answer ever shows, and one that does not
        match."""
        moment = self.now - timedelta(hours=self.random.randrange(1, 60))
        fleeting, stranger = (
            Paper(f"2603.{next(self.numbers):05}", 1, title, "A", (), ("cs.LG",), moment, moment)
            for title in (f"fleeting {query.strip('()').removeprefix('all:')}", "stranger")
        )
        return [fleeting, stranger, *rows[:1]]

    made_by = "the model"

    def render(self, digest: Digest, mark: str) -> Rendered:
        # No two are alike, so that it shows where a body takes the place of another one.
        return rendered(self, digest, mark, f"text {next(self.renderings)}")

    description = "a relay with moods"
    width = 3

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        if message.message_id.startswith("<left."):
            return self._say_farewell(message, before_data)
        return await self.hand_over(message, before_data, by=Channel.MAIL)

    async def hand_over(
        self, message: Message, before_data: Callable[[], None], *, by: Channel
    ) -> Receipt:
        """Take a message by the server of one channel, or not, by the moods that all share."""
        delivery = self.oracle.deliveries[self.oracle.by_message_id[message.message_id]]
        if channel_of(delivery.address) is not by:
            self.oracle.mailed_in_spite.append(f"{delivery.address}, by {by}")
        # Raised later: whatever goes wrong here concerns this message alone.
        if delivery.address in self.oracle.held_back or FORGOTTEN in delivery.address:
            self.oracle.mailed_in_spite.append(delivery.address)
        self.oracle.handed_over(message)
        luck = self.random.random() if self.armed else 1.0
        if luck < self.faults * 0.3 or (self.armed and self.refusing > 0):
            return Receipt(Outcome.DEFERRED, "450 later")
        if luck < self.faults * 0.4:
            said = self.random.choice(["550 no such user", "550 not today", "550 5.2.2 full"])
            return Receipt(Outcome.FAILED, said, bounce=delivery.address not in UNMAILED)
        if luck < self.faults * 0.5:
            return Receipt(Outcome.RELAY, "421 closing")
        self.database.point()
        await asyncio.sleep(0)
        before_data()
        delivery.copies += 1
        if delivery.status == "open":
            delivery.status = "in_data"
        self.database.point()
        await asyncio.sleep(0)
        luck = self.random.random() if self.armed else 1.0
        if luck < self.faults * 0.2:
            delivery.status = "maybe"
            return Receipt(Outcome.UNKNOWN, "no answer")
        delivery.sends += 1
        delivery.status = "maybe"
        self.likes.received(delivery.address, message.data)
        self.models.received(delivery.address, message.data)
        self.database.point()
        if luck < self.faults * 0.4:
            return Receipt(Outcome.UNKNOWN, "no answer")
        delivery.status = "accepted"
        return Receipt(Outcome.SENT, "250 ok")

    async def close(self) -> None:
        pass

    def _say_farewell(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        """Take the last mail to who left by the page's button, or not."""
        luck = self.pressing.random()
        if luck < self.faults * 0.5:
            return Receipt(self.pressing.choice([Outcome.DEFERRED, Outcome.RELAY]), "450 later")
        before_data()
        self.database.point()
        self.farewells[message.message_id] += 1
        if message.recipient not in self.away_before or message.recipient in self.clicked:
            self.farewells[f"{message.recipient}, who has not left"] += 2
        self.stats["farewells"] += 1
        return Receipt(Outcome.SENT if luck < 0.8 else Outcome.UNKNOWN, "250 ok")

    def _press(self) -> None:
        """Now and then a reader presses the page's button, or the mail program's, and takes it
        back; or comes back later, by the operator's word.
        """
        suppressions, luck = self.store.suppressions, self.pressing.random
        for address in self.own.readers() if self.armed else ():
            reader = self.database.number("SELECT id FROM subscriber WHERE address = ?", [address])
            if address in self.away_before:
                can_undo = suppressions.standing(reader, self.clock()) is Standing.LEFT_JUST_NOW
                if can_undo and luck() < 0.3:
                    suppressions.undo(reader, self.clock())
                    if bool(self._one("away", reader)) != self.away_before.pop(address):
                        raise BrokenError(f"{address} took a leave back and is not as before")
                    self.stats["undone"] += 1
                elif luck() < 0.1:
                    suppressions.lift(address)
                    del self.away_before[address]
            elif address in UNMAILED:
                continue
            elif reader and luck() < 0.02 and suppressions.of(address) is None:
                away = bool(self._one("away", reader))
                if luck() < 0.7:
                    suppressions.leave_by_button(reader, self.clock())
                    self.clicked.discard(address)
                else:
                    suppressions.leave_by_one_click(reader, self.clock())
                    self.clicked.add(address)
                self.away_before[address] = away

    def _forget(self) -> None:
        """Now and then a reader asks to be forgotten, whether an old list goes on to name them or
        not; and some subscribe anew later.
        """
        luck = self.forgetting.random
        for address in list(self.people) if self.armed else ():
            if address in self.forgotten and address in self.roster and luck() < 0.1:
                self.store.suppressions.lift(address)
                self.forgotten.discard(address)
                self.stats["subscribed anew"] += 1
            elif address not in self.forgotten and luck() < 0.007:
                self.store.personal.forget(address, self.clock())
                self.forgotten.add(address)
                self.own.forget(address)
                self.likes.forget(address)
                self.oracle.forget(address)
                self.oracle.give_number_up(address)
                if self.backup:
                    self.backup.since.append((address, ""))
                self.stats["forgotten"] += 1

    def _back_up_or_restore(self) -> None:
        """Now and then a backup is made, and put back some days later; what came since counts as
        not mailed. Not where the clock goes wrong, since then nobody can tell what came first.
        """
        if not self.restores or self.restoring.random() > (0.2 if self.backup else 0.1):
            return
        if self.backup is None:
            self.backup = Backup(self)
            return
        left = self.database.column("SELECT address FROM subscriber WHERE gone = 1")
        known = set(self.database.column("SELECT address FROM subscriber"))
        liked = set(self.database.column("SELECT paper FROM liked"))
        papers = dict(self.oracle.papers)
        self.backup.restore(self)
        # A like is taken over with its paper, as the old database knew it.
        for paper in sorted(liked.intersection(self.database.column("SELECT paper FROM liked"))):
            self.oracle._know(papers[paper])
        backup, self.backup = self.backup, None
        forgotten = {address for address, moved in backup.since if not moved}
        # Who had asked to come back, and was not known by then, has to ask again.
        marked = self.store.suppressions.forgotten(self.people).keys()
        if known - self.forgotten & marked:
            raise BrokenError(f"{known & marked} came back, and are forgotten in a restored copy")
        self.forgotten |= marked
        self.oracle.restored(left, forgotten)
        self.own.restored(backup.own, forgotten.union(left))
        self.own.judge_agreed()
        self.stats["restored"] += 1

    def _insist(self) -> None:
        """Now and then a person lets go again what may have been delivered."""
        for entry in self.store.outbox.entries():
            if (
                self.armed
                and entry.state == State.UNKNOWN
                and self.random.random() < (0.5 if self.harsh else 0.1)
            ):
                self.store.outbox.retry(entry.id, self.clock())
                self.oracle.deliveries[entry.id].insisted = True

    def _repeat(self) -> None:
        """Now and then somebody has a digest sent again that has gone."""
        gone = [n for n, each in self.oracle.deliveries.items() if each.status == "accepted"]
        if not self.armed or not gone or self.repeating.random() > 0.2:
            return
        number, made = self.repeating.choice(gone), Bodies(self.store, self)  # type: ignore[arg-type]
        with suppress(UsageError, ClockError):
            content, _ = made.again(number) or (None, "")
            again = self.store.outbox.again(number, self._steady(), "example.org", content)
            self.oracle.repeated(again.id, self.oracle.deliveries[number], again.message_id)
            self.stats["repeats"] += 1

    def _return_mail(self) -> None:
        """Now and then mail that was accepted comes back: it never arrived."""
        for number, delivery in self.oracle.deliveries.items():
            if (
                self.armed
                and delivery.status == "accepted"
                and delivery.address not in UNMAILED
                and self.random.random() < self.faults * 0.03
            ):
                words = self.random.choice(
                    ["452 4.2.2 full", "550 5.1.1 gone", "550 5.7.1 blocked", "550 not today"]
                )
                with suppress(ClockError):
                    self.store.inbox.bounce(
                        str(number), number, words, self._steady(), status="", undelivered=True
                    )
                if self._ended().get(number) == State.FAILED:
                    if delivery.copies > 1:
                        raise BrokenError(
                            f"one copy of delivery {number} came back, and the other was forgotten"
                        )
                    delivery.status, delivery.sends = "void", 0
                    self.oracle.revive(delivery, to_first=True)
                    self.stats["came back"] += 1

    def clock(self) -> datetime:
        """What the machine's clock says."""
        return self.now + self.off

    def _steady(self) -> datetime:
        """The same, for commands whose time never goes back. Raises ClockError where it would."""
        return self.store.clock.check(self.clock())

    async def _arxiv_time(self) -> datetime | None:
        """arXiv's time, where its answers tell any; sometimes it cannot be asked."""
        if self.armed and self.random.random() < self.faults * 0.3:
            raise ArxivError("arXiv did not answer in time")
        tells = self.dated or not self.armed or self.random.random() < 0.5
        return self.now if tells else None

    def _set_clock(self) -> None:
        """Now and then the clock goes wrong for a few days, both ways, by hours or months."""
        r = self.random
        if not self.armed or (self.off and r.random() < 0.3):
            self.off = timedelta(0)
        elif not self.clocks or self.off or r.random() < 0.8:
            return
        else:
            far = r.choice([timedelta(hours=3), timedelta(days=1), timedelta(days=80), FAR_OFF])
            self.off = far * r.choice([1, 1, -1])
            self.stats["clock wrong"] += 1

    broken = BrokenError

    def _file(self) -> tuple[list[Subscriber], list[Mistake]]:
        """What the subscribers file says: whom it serves, and its mistakes."""
        readers = [r for address, r in self.roster.items() if address not in self.mistaken]
        slips = [(a, shown) for a, shown in self.mistaken.items() if a in self.roster]
        return readers, [Mistake(f"slip of {a}", (a if shown else "",)) for a, shown in slips]

    def cycle(self) -> None:
        self.database.dead = False
        try:
            # No command waits until it is known whether the clock is right.
            early = self.clocks and self.commanding.random() < 0.5
            for _ in range(3 if early and self.off else early):
                self._give_commands()
                self.stats["commands by a wrong clock"] += bool(self.off)
            asyncio.run(settle(self.store, self.clock, self._arxiv_time))
            if not self.off:
                self.oracle.let_nothing_be_later(self.now)
            if not early:
                self._give_commands()
            readers, mistakes = self._file()
            if not readers and mistakes:
                return  # more than half would be held back: no cycle works with that
            if not readers:
                self.own.let_go_by_name()
            roster = self.own.roster(readers, mistakes)
            self.strangers.ask()
            if self.armed:
                self.own.interrupt()
            with _small_steps(), self.models.speaking():
                asyncio.run(run_cycle(self._parts(roster)))
            self.oracle.judge_bodies(at_end=True)
            self.stats["cycles"] += 1
            self.stats["cycles with mistakes"] += bool(roster.mistakes)
            self.oracle.judge_held_back()
            self.own.judge_agreed()
            self._age()
        except ClockError:
            self.stats["waited for the clock"] += 1
        except Crash:
            self.stats["crashes"] += 1
        self.oracle.judge_bodies()
        self.likes.judge()

    def _give_commands(self) -> None:
        """What people do between two runs, by the clock that the machine has then."""
        self._insist()
        self._return_mail()
        self._press()
        self._forget()
        self._repeat()
        if self.armed:
            self.own.speak()
            with self.without_faults():
                self.likes.press()
        with self.without_faults():
            self.owned.change()

    @contextmanager
    def without_faults(self) -> Iterator[None]:
        """Let nothing fail, and throw no dice for it: a history goes on as it would without."""
        self.armed, armed = False, self.armed
        try:
            yield
        finally:
            self.armed = armed

    def _parts(self, roster: Roster) -> Parts:
        sender = Sender("Digest <digest@example.org>", signer=self.likes.signer, base_url=SITE)
        return Parts(
            store=self.store,
            clock=self._steady,
            roster=self.models.wishes(roster),
            sources=Sources(self, previews=self.strangers.on),
            composer=Composer(self.store, self, "", sender.domain, model=self.models.name),  # type: ignore[arg-type]
            mailer=mailer_of(
                self,
                sender,
                issues=Repositories(self),
                webhooks=Programs(self, Channel.WEBHOOK),
                chats=Programs(self, Channel.APPRISE),
                hold=self.hold,
            ),
        )

    def _age(self) -> None:
        """Now and then the ledger ages, as if it had been kept for two months and not for days."""
        if not self.ages or self.ageing.random() < 0.8:
            return
        before = self.database.number("SELECT COUNT(*) FROM delivery")
        later = self.clock() + ageing.KEPT - timedelta(days=self.ageing.choice([1, 3, 8]))
        costs = ageing.SHARED_COSTS
        # With costs below nothing each digest is worth to be shared.
        ageing.SHARED_COSTS = self.ageing.choice([costs, -FAR])
        try:
            while self.store.ageing.step(later):
                pass
        finally:
            ageing.SHARED_COSTS = costs
        self.stats["aged"] += before - self.database.number("SELECT COUNT(*) FROM delivery")

    def live(self, days: int = 40, calm: int = 20) -> Counter[str]:
        """Play the history, then let everything be well for a while, and judge."""
        outage = 0
        for day in range(days):
            self.now = START + timedelta(days=day)
            self._set_clock()
            self.announce()
            if self.refusing <= 0 and self.random.random() < self.faults * 0.3:
                self.refusing = self.random.randint(2, 4)
            self.refusing -= 1
            if outage == 0 and self.random.random() < 0.02:
                outage = self.random.randint(2, 20)
            outage = max(0, outage - 1)
            if (
                outage
                or (self.random.random() < 0.5 and self.meddle())
                or not (self.roster or self.own.signed or self.oracle.known)
            ):
                continue
            self._back_up_or_restore()
            self._day((6.5, 9, 20.5))
        self.armed = False
        self._set_clock()
        self.suppressed.clear()
        self.database.write("DELETE FROM suppression")
        self.mistaken.clear()
        self.database.dead = False
        self.own.calm()
        for address, reader in self.roster.items():
            self.roster[address] = replace(reader, paused_until=None)
        for day in range(days, days + calm):
            self.now = START + timedelta(days=day)
            self._day((6.5, 9, 20.5))
        self.oracle.judge()
        if twice := [whom for whom, times in self.farewells.items() if times > 1]:
            raise BrokenError(f"last mails that nobody was to get (again): {twice}")
        return self.stats

    def _day(self, hours: tuple[float, ...]) -> None:
        if not self.roster and not self.own.signed:
            return
        midnight = self.now
        for hour in hours:
            self.now = midnight + timedelta(hours=hour)
            self.cycle()


@contextmanager
def _small_steps() -> Iterator[None]:
    """Let the search for those who had a paper take a step for every two readers."""
    rows, withdrawals.ROWS = withdrawals.ROWS, 2
    try:
        yield
    finally:
        withdrawals.ROWS = rows


class Repositories:
    """GitHub, with the moods of the relay; what was posted is found there, whatever was heard."""

    description, width = "GitHub", 1

    def __init__(self, world: World) -> None:
        self.world = world

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        oracle = self.world.oracle
        delivery = oracle.deliveries[oracle.by_message_id[message.message_id]]
        if not delivery.sends:
            return await self.world.hand_over(message, before_data, by=Channel.GITHUB)
        delivery.status = "accepted"
        self.world.stats["found posted"] += 1
        return Receipt(Outcome.SENT, "it was posted already")

    async def close(self) -> None:
        pass


def _people(seed: int) -> list[str]:
    """The addresses of all who may be readers in a history."""
    third = {1: PROGRAM, 5: CHAT}.get(seed % 8, "r2@example.org")
    return ["r0@example.org", "r1@example.org", third, REPOSITORY]


class Programs:
    """What takes webhooks or is a chat, with the moods of the relay: each refusal is one reader's
    alone, and says how long to wait.
    """

    description, width = "webhooks", 4

    def __init__(self, world: World, channel: Channel) -> None:
        self.world, self.channel = world, channel

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        receipt = await self.world.hand_over(message, before_data, by=self.channel)
        self.world.stats["to a program"] += receipt.outcome is Outcome.SENT
        if receipt.outcome in (Outcome.RELAY, Outcome.DEFERRED):
            return Receipt(Outcome.DEFERRED, "503 later", rest=timedelta(hours=1))
        return receipt

    async def close(self) -> None:
        pass


class Backup:
    """A copy of a world's database, with the books as they were then."""

    def __init__(self, world: World) -> None:
        self.copy = CrashingDatabase.copy_of(_NOWHERE)
        self.since: list[tuple[str, str]] = []
        """Who was given which other address since then, or "" where they were forgotten."""
        world.database.copy_into(self.copy)
        kept = ("world", "asked", "mailed_in_spite", "numbers", "bodies")
        books = {name: held for name, held in vars(world.oracle).items() if name not in kept}
        self.books = copy.deepcopy(books)
        self.pressed = copy.deepcopy((world.away_before, world.farewells, world.clicked))
        own = world.own
        self.own = copy.deepcopy(Then(own.signed, own.taken, own.pressed))

    def restore(self, world: World) -> None:
        """Put the copy in the place of the database, as `digest db restore --not-mailed` does."""
        self.copy.mutation = world.database.mutation
        go_on(self.copy, world.database, world.now)
        self.copy.copy_into(world.database)
        world.database.mutated |= self.copy.mutated
        self.copy.close()
        vars(world.oracle).update(self.books)
        world.away_before, world.farewells, world.clicked = self.pressed
        for old, new in self.since:
            if not new:
                world.oracle.forget(old)
            else:
                world.oracle.move(old, new)
                world.stats["moved since a backup"] += 1
            for book in (world.away_before, *vars(self.own).values()):
                rename_in(book, old, new)


class Oracle:
    """The books: what is due to whom, by the rules and nothing else."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.known: dict[str, Subscriber] = {}
        self.held_back: set[str] = set()
        self.asked: dict[str, datetime] = {}
        self.mailed_in_spite: list[str] = []
        self.numbers: dict[int, str] = {}
        self.log: dict[str, list[tuple[int, str, int, Kind]]] = defaultdict(list)
        self.papers: dict[str, Paper] = {}
        self.withdrawn: dict[str, int] = {}
        self.accepted: dict[str, list[int]] = defaultdict(list)
        self.subscriptions: dict[tuple[str, str], Subscription] = {}
        self.deliveries: dict[int, Delivery] = {}
        self.by_message_id: dict[str, int] = {}
        self.bodies: dict[str, set[bytes]] = defaultdict(set)
        self.last_good: dict[str, datetime] = {}
        self.fleeting: dict[str, set[str]] = defaultdict(set)
        self.strangers: dict[str, set[str]] = defaultdict(set)
        self.watched: dict[str, timedelta] = defaultdict(timedelta)
        self.matched: dict[str, timedelta] = defaultdict(timedelta)

    def sync(self, roster: Roster, now: datetime) -> None:
        forgotten = self.world.forgotten
        present = {s.email: s for s in roster.subscribers if s.email not in forgotten}
        slips = {address for mistake in roster.mistakes for address in mistake.holds_back}
        # Of whom only a restored copy has let in, it is known what they took away.
        known = {address for address, _ in self.subscriptions} | self.world.own.taken.keys()
        missing = known - present.keys()
        # Who signed up after the roster was read is not the file's.
        of_file = missing - self.world.own.signed.keys() if "" in slips else set()
        self.held_back = of_file | missing & slips
        for (address, _query), subscription in self.subscriptions.items():
            if address in self.held_back:
                continue
            if address not in present and subscription.state in ("active", "unplaced"):
                self._stop(subscription, "off", now)
        for address, reader in present.items():
            wanted: dict[str, str] = {}
            for keyword in reader.keywords:
                wanted.setdefault(keyword.query, keyword.name)
            names = {k.name for k in reader.keywords}
            for (owner, query), subscription in self.subscriptions.items():
                if (
                    owner == address
                    and query not in wanted
                    and subscription.state in ("active", "unplaced")
                ):
                    self._stop(subscription, "drain" if subscription.label in names else "off", now)
            for query, label in wanted.items():
                self._want(address, query, label, now)
        # Who is held back is known as before.
        self.known = {a: r for a, r in self.known.items() if a in self.held_back} | present

    def forget(self, address: str) -> None:
        """A reader is forgotten: what comes to the address later is to a new one."""
        for key in [key for key in self.subscriptions if key[0] == address]:
            del self.subscriptions[key]
        for delivery in self.deliveries.values():
            if delivery.address == address:
                delivery.address = f"{address}{FORGOTTEN} at {self.world.now}"
        self.known.pop(address, None)
        self.held_back.discard(address)
        self.world.mistaken.pop(address, None)
        self.world.away_before.pop(address, None)

    def left(self, address: str, now: datetime) -> None:
        """The operator, or the reader, said that the reader leaves."""
        for (owner, _query), subscription in self.subscriptions.items():
            if owner == address and subscription.state in ("active", "unplaced"):
                self._stop(subscription, "off", now)

    def move(self, old: str, new: str) -> None:
        """A reader has another address, and nothing else is otherwise."""
        self.subscriptions = {
            (new if owner == old else owner, query): subscription
            for (owner, query), subscription in self.subscriptions.items()
        }
        for delivery in self.deliveries.values():
            delivery.address = new if delivery.address == old else delivery.address
        for number, owner in self.numbers.items():
            self.numbers[number] = new if owner == old else owner
        if old in self.known:
            self.known[new] = replace(self.known.pop(old), email=new)
        if old in self.held_back:
            self.held_back = self.held_back - {old} | {new}

    def give_number_up(self, address: str) -> None:
        """The number of a reader who was forgotten is nobody's any more."""
        for number, owner in self.numbers.items():
            if owner == address:
                self.numbers[number] = f"{address}{FORGOTTEN} at {self.world.now}"

    def restored(self, left: list[str], forgotten: set[str]) -> None:
        """A backup was restored: who left or was forgotten since stays so."""
        for address in forgotten:
            self.forget(address)
        for (address, _query), subscription in self.subscriptions.items():
            if address in left and subscription.state in ("active", "unplaced"):
                self._stop(subscription, "off", self.world.now)

    def judge_held_back(self) -> None:
        """After a cycle: who is held back was mailed nothing, and their keywords were asked for."""
        if self.mailed_in_spite:
            raise BrokenError(
                f"mailed in spite of a mistake in the file, or forgotten: {self.mailed_in_spite}"
            )
        for address in self.world.forgotten:
            number = "SELECT COUNT(*) FROM subscriber WHERE address = ?"
            if self.world.database.number(number, [address]):
                raise BrokenError(f"{address} is known, and was to be forgotten")
        if self.world.clocks:
            return  # while the clock is wrong, so is what is due
        line = self.world.now - timedelta(hours=36)
        for (address, query), subscription in self.subscriptions.items():
            if address in self.held_back and subscription.state in ("active", "unplaced"):
                self.world.stats["asked for one who is held back"] += 1
                if self.asked.get(query, START - timedelta(9)) < line:
                    raise BrokenError(f"nobody asks for {query} of {address}, who is held back")

    def _stop(self, subscription: Subscription, how: str, now: datetime) -> None:
        subscription.was, subscription.state, subscription.ended = subscription.state, how, now
        subscription.awaited.clear()
        if how == "off":
            subscription.stash, subscription.entries = subscription.entries, []

    def _want(self, address: str, query: str, label: str, now: datetime) -> None:
        subscription = self.subscriptions.setdefault((address, query), Subscription(label))
        if subscription.state in ("off", "drain"):
            assert subscription.ended is not None
            if now - subscription.ended <= timedelta(days=7):
                subscription.state = subscription.was
                subscription.entries += subscription.stash
            else:
                subscription.state, subscription.entries = "unplaced", []
            subscription.stash = []
        subscription.label = label
        if subscription.state == "unplaced" and self.last_good.get(query, NEVER) > now - timedelta(
            hours=36
        ):
            self._place(subscription, query, now)

    def _place(self, subscription: Subscription, query: str, now: datetime) -> None:
        last = [e for e in self.log[query] if e[3] in (Kind.NEW, Kind.LATE)][-20:]
        young = [
            n for n, e in enumerate(last) if self.papers[e[1]].published >= now - timedelta(days=7)
        ]
        begin = min([len(last) - min(5, len(last)), *young])
        first = last[begin][0] if last else FAR
        subscription.state, subscription.watched = "active", self.watched[query]
        subscription.passed = []
        subscription.read = 0
        subscription.entries = [e for e in self.log[query] if e[0] >= first]

    def held(self, query: Query, papers: tuple[Paper, ...]) -> None:
        """What a held-back window showed: what matches is news, once there was a good window
        before."""
        if query.last_good_at is not None:
            self.fleeting[query.text] |= {
                paper.id for paper in papers if paper.title.startswith("fleeting")
            }
            self.strangers[query.text] |= {
                paper.id for paper in papers if paper.title == "stranger"
            }

    def cleared(self, query: Query, log: list[dict[str, Any]]) -> None:
        """A good window ends a spell: the log has what only held-back windows showed, as far as it
        matches."""
        logged, text = {row["paper"] for row in log}, query.text
        # What was held back of a keyword that nobody wanted for a week is forgotten.
        if query.last_good_at is None:
            self.fleeting.pop(text, None)
        if lost := self.fleeting[text] - logged:
            raise BrokenError(f"{text} lacks what only a held-back window showed: {sorted(lost)}")
        if strange := self.strangers[text] & logged:
            raise BrokenError(f"{text} has what does not match it: {sorted(strange)}")

    def record(
        self,
        query: str,
        entries: list[tuple[int, str, int, Kind]],
        papers: tuple[Paper, ...],
        listed: set[str],
        now: datetime,
    ) -> None:
        for paper in papers:
            self._know(paper)
        self.log[query] += entries
        self.watched[query] += min(now - self.last_good.get(query, now), timedelta(days=7))
        matched = (kind for _, paper, _, kind in entries if paper not in listed)
        if any(kind in (Kind.NEW, Kind.LATE) for kind in matched):
            self.matched[query] = self.watched[query]
        subscribed = [s for (_, wanted), s in self.subscriptions.items() if wanted == query]
        for subscription in subscribed:
            if subscription.state == "active":
                subscription.entries += entries
            elif subscription.state in ("off", "drain") and subscription.was == "active":
                subscription.stash += entries
        self.last_good[query] = now
        for subscription in subscribed:
            if subscription.state == "unplaced":
                self._place(subscription, query, now)

    def _know(self, paper: Paper) -> None:
        held = self.papers.get(paper.id)
        if held is not None and held.version >= paper.version:
            return
        self.papers[paper.id] = paper
        if paper.comment != WITHDRAWN:
            self.withdrawn.pop(paper.id, None)
        else:
            self.withdrawn.setdefault(paper.id, paper.version)
        if held is not None and paper.comment == ACCEPTED != held.comment:
            self.accepted[paper.id].append(paper.version)

    def had(self, address: str, paper: str) -> int | None:
        versions = [
            version
            for d in self.deliveries.values()
            if d.address == address and d.status != "void"
            for (p, version, _revised) in d.items
            if p == paper
        ]
        return max(versions, default=None)

    def withdrawals(self, address: str) -> set[str]:
        """What the reader was sent and is not yet told to be withdrawn."""
        return {
            p for p, version in self.withdrawn.items() if 0 < (self.had(address, p) or 0) < version
        }

    def wants(self, address: str, paper: str, version: int) -> bool:
        """Whether a revision up to this version is for this reader."""
        had = self.had(address, paper) or 0
        match self.known[address].revisions:
            case Revisions.ALL:
                return version > had
            case Revisions.PUBLISHED:
                return any(had < accepted <= version for accepted in self.accepted[paper])
        return False

    def open_subscriptions(self, address: str) -> list[Subscription]:
        """The reader's subscriptions whose logs are read."""
        return [
            subscription
            for (owner, _query), subscription in self.subscriptions.items()
            if owner == address and subscription.state in ("active", "drain")
        ]

    def outside(self, address: str, paper: str) -> bool:
        """Whether a paper lies outside the categories that the reader wants."""
        return is_outside(self.papers[paper].categories, self.known[address].within)

    def head(self) -> int:
        """The last number of all logs."""
        return max((e[0] for log in self.log.values() for e in log), default=0)

    def rows(self, address: str) -> Iterator[tuple[int, str, bool]]:
        """The rows of the reader's logs that make a paper due: number, paper, whether it is a
        revision.
        """
        for subscription in self.open_subscriptions(address):
            for seq, paper, version, kind in subscription.entries:
                if kind == Kind.OLD or self.outside(address, paper):
                    continue
                if kind == Kind.REVISED:
                    if self.wants(address, paper, version):
                        yield seq, paper, True
                elif self.had(address, paper) is None:
                    yield seq, paper, False

    def revive(self, delivery: Delivery, *, to_first: bool = False) -> None:
        """A digest did not arrive, and the logs are read again from where it began, or `to_first`
        from the first row of any of its papers: what it passed may be wanted now.
        """
        papers = {paper for paper, _, _ in delivery.items}
        for (owner, query), subscription in self.subscriptions.items():
            if owner != delivery.address:
                continue
            line = delivery.from_seq
            subscription.read = min(subscription.read, line)
            if to_first:
                first = min((e[0] for e in self.log[query] if e[1] in papers), default=FAR)
                line = min(line, first - 1)
                subscription.read = min(subscription.read, line)
            subscription.entries += [e for e in subscription.passed if e[0] > line]
            subscription.passed = [e for e in subscription.passed if e[0] <= line]

    def pass_over(self, address: str) -> None:
        """A digest reads the logs to their end, and lets go what lies outside."""
        for subscription in self.open_subscriptions(address):
            last = max((e[0] for e in subscription.entries), default=0)
            subscription.read = max(subscription.read, last)
            outside = [e for e in subscription.entries if self.outside(address, e[1])]
            subscription.passed += outside
            subscription.entries = [e for e in subscription.entries if e not in outside]
            self.world.stats["outside"] += len(outside)

    def due(self, address: str) -> dict[str, tuple[bool, int]]:
        """Base id -> (as a revision, last number in the log), in no order; what the reader's logs
        make due."""
        new: dict[str, int] = {}
        revised: dict[str, int] = {}
        for seq, paper, is_revision in self.rows(address):
            rows = revised if is_revision else new
            rows[paper] = max(seq, rows.get(paper, 0))
        due = {paper: (False, max(seq, revised.get(paper, 0))) for paper, seq in new.items()}
        return due | {paper: (True, seq) for paper, seq in revised.items() if paper not in new}

    def silent(self, address: str, least: timedelta = timedelta(days=30)) -> set[str]:
        """The queries of which a reader is still to be told that nothing matches them."""
        told = {
            query
            for d in self.deliveries.values()
            if self._counts(d, address)
            for query in d.silences
        }
        return {
            query
            for (owner, query), s in self.subscriptions.items()
            if owner == address and s.state == "active" and query not in told
            and self.watched[query] - max(self.matched[query], s.watched) >= least
        }  # fmt: skip

    @staticmethod
    def _counts(delivery: Delivery, address: str) -> bool:
        return delivery.address == address and delivery.status != "void"

    def mailed_since(self, address: str, moment: datetime) -> bool:
        return any(
            self._counts(d, address) and not d.again and d.queued_at > moment
            for d in self.deliveries.values()
        )

    def queued(
        self,
        number: int,
        address: str,
        plan: DigestPlan,
        away: bool,
        message_id: str,
    ) -> None:
        items = [(i.paper.id, i.paper.version, i.kind == Kind.REVISED) for i in plan.items]
        silences = set(plan.silences)
        for delivery in self.deliveries.values():
            is_open = delivery.status == "open" and not delivery.sends
            if delivery.address == address and is_open and not delivery.again:
                delivery.status = "void"
                self.revive(delivery)
                self.world.stats["folded"] += 1
        if address not in self.known:
            raise BrokenError(f"{address} has left, and a digest was queued")
        want = self.due(address)
        counted = tally_by(self, address, {paper for paper, _, _ in items})
        # A digest without papers of the logs begins at their end.
        from_seq = min((seq for seq, _, _ in self.rows(address)), default=self.head() + 1) - 1
        if away and len(want) > self.known[address].max_papers:
            want, from_seq = self._most_recent(address, want)
        withdrawals = self.withdrawals(address)
        self.world.stats["withdrawals"] += len(withdrawals)
        want = dict.fromkeys(withdrawals, (True, 0)) | want
        self._check_items(address, items, {(p, revised) for p, (revised, _) in want.items()})
        self._check_tally(address, plan, counted)
        if silences != self.silent(address):
            raise BrokenError(
                f"{address} is told that {silences} are silent, to tell was {self.silent(address)}"
            )
        month = self.world.clock() - timedelta(days=30)
        if not items and self.mailed_since(address, month if silences else NEVER):
            raise BrokenError(f"{address} got an empty digest that is not the first")
        queued_at = self._queued_at(items)
        self.deliveries[number] = Delivery(address, items, silences, queued_at, from_seq)
        self.pass_over(address)
        self.by_message_id[message_id] = number
        self.world.stats["digests"] += 1
        self.world.stats["papers"] += len(items)
        self.world.stats["silences"] += len(silences)
        self.world.stats["notes"] += bool(silences) and not items

    def check_number(self, reader: int, address: str) -> None:
        """A reader's number is nobody else's, nor their own once they were forgotten."""
        if self.numbers.setdefault(reader, address) != address:
            raise BrokenError(f"{address} has number {reader}, which was {self.numbers[reader]}'s")

    def repeated(self, number: int, delivery: Delivery, message_id: str) -> None:
        """A digest goes once more, and carries to its reader what it carried before."""
        self.deliveries[number] = Delivery(
            delivery.address,
            delivery.items,
            set(),
            self.world.clock(),
            delivery.from_seq,
            again=True,
        )
        self.by_message_id[message_id] = number

    def handed_over(self, message: Message) -> None:
        """Remember the body that a mail server was given under a Message-ID. Who moved since an
        attempt failed is told the new address in their own lines.
        """
        known = f"{message.message_id} to {message.recipient}"
        self.bodies[known].add(message.data.partition(b"\r\nMIME-Version")[2])

    def judge_bodies(self, *, at_end: bool = False) -> None:
        """Who waits for a body has it, and always the same one; at a cycle's end nobody else's is
        there.
        """
        if twice := [known for known, bodies in self.bodies.items() if len(bodies) > 1]:
            raise BrokenError(f"sent with two bodies: {twice}")
        database = self.world.database
        waiting = set(database.column(f"SELECT content FROM delivery WHERE state IN {OPEN_STATES}"))
        there = set(database.column("SELECT content FROM body"))
        if waiting - there:
            raise BrokenError(f"somebody waits for contents without a body: {waiting - there}")
        if at_end and there - waiting:
            raise BrokenError(f"nobody waits for the bodies of contents {there - waiting}")

    def check_unanswered(self, address: str, named: tuple[str, ...]) -> None:
        """A digest knows which of its reader's keywords arXiv has not answered."""
        subscriptions = self.subscriptions.items()
        missing = [s.label for (a, _), s in subscriptions if (a, s.state) == (address, "unplaced")]
        if sorted(named) != sorted(missing):
            raise BrokenError(f"{address} is told that {named} wait, and {missing} do")

    def _queued_at(self, items: list[tuple[str, int, bool]]) -> datetime:
        """A delivery does not count as older than a paper that it carries."""
        return max([self.world.clock(), *(self.papers[p].published for p, _, _ in items)])

    def put_right(self, now: datetime, kinds: dict[int, Kind], good: dict[str, datetime]) -> None:
        """The clock is known to be right: what was stamped later than now was not then."""
        for query, moment in good.items():
            if moment > now:
                raise BrokenError(f"{query} still had its last good window at {moment}")
        self.last_good = good
        changed = {
            query: min((e[0] for e in log if kinds[e[0]] is not e[3]), default=FAR)
            for query, log in self.log.items()
        }
        for query, log in self.log.items():
            self.log[query] = _judged(log, kinds)
        for (_owner, query), subscription in self.subscriptions.items():
            # The logs are read again from the first row that was judged again.
            line = changed.get(query, FAR)
            subscription.read = min(subscription.read, line - 1)
            subscription.entries += [e for e in subscription.passed if e[0] >= line]
            subscription.passed = [e for e in subscription.passed if e[0] < line]
            subscription.entries = _judged(subscription.entries, kinds)
            subscription.passed = _judged(subscription.passed, kinds)
            subscription.stash = _judged(subscription.stash, kinds)

    def let_nothing_be_later(self, now: datetime) -> None:
        """The clock is known to be right: whatever was said to be later than now was not."""
        for delivery in self.deliveries.values():
            delivery.queued_at = min(delivery.queued_at, now)
        for subscription in self.subscriptions.values():
            if subscription.ended is not None:
                subscription.ended = min(subscription.ended, now)

    def announced(self, paper: str, queries: set[str]) -> None:
        """A paper is announced while there are subscriptions that it matches: their logs must have
        it as new in the end, whatever clocks said.
        """
        for (_owner, query), subscription in self.subscriptions.items():
            if query in queries and subscription.state == "active":
                subscription.awaited.add(paper)

    def believed(self, query: str, window: Window, now: datetime) -> None:
        """Where a part of an answer was taken for the whole, since little was known to compare it
        with: what it lacked, and is history by its date, need not come as new any more. All else
        must.
        """
        if all(paper.title != "stranger" for paper in window.papers):
            return
        self.world.stats["a part believed"] += 1
        logged = {paper for _, paper, _, _ in self.log[query]}
        for (_owner, wanted), subscription in self.subscriptions.items():
            if wanted == query:
                subscription.awaited -= {
                    paper
                    for paper in subscription.awaited - logged
                    if self.world.papers[paper].published < now - GUARD
                }

    def _most_recent(
        self, address: str, want: dict[str, tuple[bool, int]]
    ) -> tuple[dict[str, tuple[bool, int]], int]:
        """After an absence the most recent papers come, and what is older is let go; also returns
        where the log begins anew.
        """
        limit = self.known[address].max_papers
        by_age = sorted(want, key=lambda paper: want[paper][1])
        cut = want[by_age[-limit - 1]][1]
        for (owner, _query), subscription in self.subscriptions.items():
            # The log begins anew behind what was let go. Should this digest fail, a paper of it
            # whose only later row is a new version comes again as one: in another section, but it
            # comes. A log that is not read at present, and may be again, stays as it is.
            if owner == address and subscription.state != "off":
                subscription.entries = [e for e in subscription.entries if e[0] > cut]
                subscription.passed = [e for e in subscription.passed if e[0] > cut]
        self.world.stats["let go"] += len(want) - limit
        return {paper: want[paper] for paper in by_age[-limit:]}, cut

    def _check_items(
        self, address: str, items: list[tuple[str, int, bool]], want: set[tuple[str, bool]]
    ) -> None:
        if {(p, revised) for p, _, revised in items} != want:
            raise BrokenError(
                f"{address} at {self.world.now}: got {sorted(items)}, due was {sorted(want)}"
            )
        for paper, version, _revised in items:
            known = self.papers[paper].version
            if version != known:
                raise BrokenError(f"{paper} came as v{version}, and v{known} is known")

    def _check_tally(self, address: str, plan: DigestPlan, counted: Tally) -> None:
        """The receipt of a digest says what the books do, and adds up."""
        tally = plan.tally
        others = plan.skipped + tally.excluded + tally.had + tally.old
        if tally != counted or tally.matched != len(plan.items) + others:
            raise BrokenError(f"{address} is told {tally}, and it was {counted}")
        self.world.stats["had before"] += tally.had
        self.world.stats["excluded"] += tally.excluded
        self.world.stats["too old"] += tally.old

    def settled(self, ended: dict[int, str]) -> None:
        for number, state in ended.items():
            delivery = self.deliveries[number]
            if state in ("failed", "suppressed"):
                if delivery.status in ("maybe", "accepted"):
                    raise BrokenError(
                        f"delivery {number} may have been accepted, and ended {state}"
                    )
                if delivery.status != "void":
                    self.revive(delivery)
                delivery.status = "void"

    def recovered(self) -> None:
        for delivery in self.deliveries.values():
            if delivery.status == "in_data":
                delivery.status = "maybe"

    def judge(self) -> None:
        """At the end, with everything well for weeks: nothing is due, nothing came twice."""
        # Who has left every keyword that the file still has is mailed nothing.
        readers = {a: r for a, r in self.world.own.readers().items() if r.keywords}
        wanted = {(r.email, k.query) for r in readers.values() for k in r.keywords}
        for (owner, query), subscription in self.subscriptions.items():
            if (owner, query) not in wanted:
                continue
            news = {paper for _, paper, _, kind in self.log[query] if kind in (Kind.NEW, Kind.LATE)}
            if missing := subscription.awaited - news:
                raise BrokenError(f"{query} never had as new: {sorted(missing)}")
        for address in readers:
            if left := [*self.due(address), *self.withdrawals(address)]:
                raise BrokenError(f"lost for {address}: {sorted(left)}")
            self._judge_silence(address)
        seen: Counter[tuple[str, str]] = Counter()
        best: dict[tuple[str, str], int] = {}
        for number, delivery in sorted(self.deliveries.items()):
            self._judge_delivery(number, delivery)
            counts = delivery.sends and not delivery.again
            for paper, version, revised in delivery.items if counts else ():
                key = (delivery.address, paper)
                seen[key] += not revised
                if seen[key] > 1 or best.get(key, 0) >= version:
                    raise BrokenError(f"{paper} v{version} came to {delivery.address} twice")
                best[key] = version

    def _judge_silence(self, address: str) -> None:
        month_and_week = timedelta(days=38)
        untold = self.silent(address, month_and_week)
        # A repository's watchers get no issue for that.
        told = address == REPOSITORY or self.mailed_since(address, self.world.now - month_and_week)
        if untold and not told:
            raise BrokenError(f"{address} was not told that {untold} are silent")

    def _judge_delivery(self, number: int, delivery: Delivery) -> None:
        self.world.stats["sent"] += delivery.sends > 0
        if delivery.sends > 1:
            self.world.stats["repeated after unknown"] += 1
            if delivery.address == REPOSITORY:
                raise BrokenError(f"issue {number} was posted twice")
            if self.world.hold and not delivery.insisted:
                raise BrokenError(f"delivery {number} left twice under the policy hold")
        if delivery.status == "void" and delivery.sends:
            raise BrokenError(f"delivery {number} was accepted, and its papers were made due again")
        reader = self.world.own.readers().get(delivery.address)
        if delivery.status in ("open", "in_data") and reader and reader.keywords:
            raise BrokenError(f"delivery {number} never left")


def _judged(
    entries: list[tuple[int, str, int, Kind]], kinds: dict[int, Kind]
) -> list[tuple[int, str, int, Kind]]:
    """Rows of the log in the kinds that they have now."""
    return [(seq, paper, version, kinds[seq]) for seq, paper, version, _ in entries]


_NOWHERE = Path("/nowhere/digest.db")
_NOWHERE = Path("nowhere") / "memory"
"""A path at which there is no database."""
