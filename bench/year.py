"""A year with a stand-in for arXiv that does all that is known to go wrong, and what three
strategies made of it.

Run it from the project: python -m bench.year [DAYS] [SEED]. It takes some minutes for the whole
year.

The program is the real one: run_cycle with its real client, over HTTP to the built-in stand-in,
hour by hour. Only the last step, the mail, goes to a list in memory, since SMTP is not measured
here. The two simple strategies ask the same world at the same hours as one who runs a script each
morning.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import logging
import re
import sqlite3
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from digest.keywords.grammar import make_keyword
from digest.mail.message import Message
from digest.model import Keyword, Outcome, Paper, Receipt, Revisions, Roster, Subscriber, Weekly
from digest.rules.calendar import served_between, submitted_by
from digest.run.cycle import Summary, run_cycle
from digest.setup.parts import open_parts
from digest.setup.settings import load_settings
from digest.store import open_store
from tests.world.receipts import Answer, Received, answers_of, judge_receipts
from tests.world.standin import ScriptedAnswer, Standin

START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PHRASES = {"time series": 7.0, "graph kernel": 3.0, "active matter": 0.8}
"""The phrases that are asked for, and how many papers a day are submitted with them."""
CATEGORY = "cat:stat.AP"
"""A category, into which papers come by cross-listing, days after they were announced."""
KEYWORDS = tuple(make_keyword(text) for text in (*PHRASES, CATEGORY))
HOLDS = (1, 2, 2, 3, 3, 5, 8, 9, 13, 16, 22, 29, 34)
HISTORY = timedelta(days=90)
"""So long before the first run the index is dense; beyond that it has some papers of each of six
years."""
GUARD = timedelta(days=40)
"""What was first submitted longer ago than this and is first seen in a later version is a revision,
to any strategy."""
MORNING = 9
"""The hour (UTC) at which the simple strategies run: every announcement is served by then."""
NEWEST = 15
NOTHING = ("weekend", "holiday", "no match", "no announcement")
"""So begin the reasons that say that there was nothing to find."""

_PAPER_LINE = re.compile(r"^ *https://arxiv\.org/abs/(\S+?)v(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Spell:
    """A time in which something is wrong."""

    begins: datetime
    ends: datetime

    def holds(self, now: datetime) -> bool:
        """Whether it is so now."""
        return self.begins <= now < self.ends


@dataclass
class Weather:
    """What goes wrong when. The world without it is a well-behaved arXiv."""

    outages: list[Spell] = field(default_factory=list)
    off: list[Spell] = field(default_factory=list)
    stale: list[Spell] = field(default_factory=list)
    unsorted: list[Spell] = field(default_factory=list)
    partial: float = 0.0


class World:
    """arXiv: what the index holds at each moment, and how it answers then."""

    def __init__(self, days: int, seed: int) -> None:
        self.random = Random(seed)
        self.start, self.end = START, START + days * DAY
        self.now = self.start
        self.numbers: Counter[str] = Counter()
        self.events: list[tuple[datetime, Paper]] = []
        """Since when the index has which state of which paper."""
        self.firsts: dict[str, dict[str, tuple[datetime, Paper]]] = defaultdict(dict)
        """For each query and paper: since when it is in the answer, and in which state first."""
        self.counts: Counter[str] = Counter()
        self._fill()
        self.events.sort(key=lambda event: event[0])
        self._note_firsts()
        self.weather = self._weather(days)
        self._state: dict[str, Paper] = {}
        self._next = 0

    # -- what happens ------------------------------------------------------------------------------

    def _fill(self) -> None:
        for phrase, per_day in PHRASES.items():
            for _ in range(1200):
                self._old(phrase)
            moment = self.start - HISTORY
            while moment < self.end:
                moment += timedelta(days=self.random.expovariate(per_day))
                self._submit(phrase, moment)

    def _old(self, phrase: str) -> None:
        """A paper of long ago; now and then one gets a new version during the year."""
        at = self.start - HISTORY - timedelta(days=self.random.uniform(1, 6 * 365))
        paper = self._paper(phrase, at)
        self.events.append((at + 2 * DAY, paper))
        if self.random.random() < 0.05:
            revised = self.start + timedelta(
                days=self.random.uniform(0, (self.end - self.start).days)
            )
            self._announce(replace(paper, version=2, updated=revised), revised)
            self.counts["new versions of old papers"] += 1

    def _submit(self, phrase: str, at: datetime) -> None:
        paper = self._paper(phrase, at)
        held = self.random.choice(HOLDS) if self.random.random() < 0.07 else 0
        visible = self._announce(paper, at + timedelta(days=held))
        self.counts["papers"] += 1
        self.counts["papers held"] += held > 0
        luck = self.random.random()
        if luck < 0.3:
            again = visible + timedelta(days=self.random.choice((0.2, 1, 3, 12, 40)))
            comment = self.random.choice(
                ("", "", "accepted at ICML 2026", "This paper has been withdrawn")
            )
            self._announce(replace(paper, version=2, updated=again, comment=comment), again)
            self.counts["new versions"] += 1
        elif luck < 0.4:
            later = visible + timedelta(days=self.random.choice((1, 2, 5, 12, 20)))
            if later - at < timedelta(days=34):
                self.events.append(
                    (later, replace(paper, categories=(*paper.categories, "stat.AP")))
                )
                self.counts["papers cross-listed later"] += 1

    def _paper(self, phrase: str, at: datetime) -> Paper:
        month = f"{at:%y%m}"
        self.numbers[month] += 1
        at = at.replace(microsecond=0)
        others = [other for other in PHRASES if other != phrase and self.random.random() < 0.06]
        words = " and ".join([phrase, *others])
        return Paper(
            id=f"{month}.{self.numbers[month]:05d}",
            version=1,
            title=f"On {words} {self.numbers[month]}",
            abstract=f"We study {words}.",
            authors=("Ada Example",),
            categories=("stat.ML", "stat.AP") if self.random.random() < 0.05 else ("stat.ML",),
            published=at,
            updated=at,
        )

    def _announce(self, paper: Paper, ready: datetime) -> datetime:
        """In the index since the announcement after `ready`: served at 01:15 New York time, half of
        it hours before."""
        ready = max(ready, self.start - 2 * HISTORY)
        announced = served_between(ready, ready + 12 * DAY)
        served = next(each.served_at for each in announced if submitted_by(each) >= ready)
        visible = served - timedelta(minutes=self.random.choice((200, 120, 30, 5)))
        self.events.append((visible, paper))
        return visible

    def _note_firsts(self) -> None:
        for visible, paper in self.events:
            for keyword in KEYWORDS:
                if paper.id not in self.firsts[keyword.query] and matches(keyword, paper):
                    self.firsts[keyword.query][paper.id] = visible, paper

    def _weather(self, days: int) -> Weather:
        def spells(number: float, shortest: float, longest: float) -> list[Spell]:
            """So many in a year, each of so many hours."""
            found = []
            for _ in range(max(1, round(number * days / 365))):
                begins = self.start + timedelta(days=self.random.uniform(10, days - 14))
                found.append(
                    Spell(begins, begins + timedelta(hours=self.random.uniform(shortest, longest)))
                )
            return found

        return Weather(
            outages=[*spells(50, 1, 6), *spells(4, 24, 80)],
            off=spells(3, 24, 20 * 24),
            stale=spells(5, 20, 70),
            unsorted=spells(3, 40, 56),
            partial=0.02,
        )

    # -- how it answers ----------------------------------------------------------------------------

    def papers(self) -> dict[str, Paper]:
        """What the index holds now; in a stale spell what it held when that began. Time goes
        forward only."""
        now = min(
            [self.now, *(spell.begins for spell in self.weather.stale if spell.holds(self.now))]
        )
        while self._next < len(self.events) and self.events[self._next][0] <= now:
            paper = self.events[self._next][1]
            held = self._state.get(paper.id)
            # A cross-listing that a new version overtook keeps the version and adds the category.
            if held is not None and held.version > paper.version:
                paper = replace(held, categories=paper.categories)
            self._state[paper.id] = paper
            self._next += 1
        return self._state

    def outage(self) -> ScriptedAnswer | None:
        """How a request fails now, if it does."""
        if not any(spell.holds(self.now) for spell in self.weather.outages):
            return None
        bad: tuple[Callable[[], ScriptedAnswer], ...] = (
            lambda: ScriptedAnswer(status=503),
            lambda: ScriptedAnswer(status=503, headers={"Retry-After": "0"}),
            lambda: ScriptedAnswer(body=b""),
            lambda: ScriptedAnswer(cut_after=self.random.randint(20, 900)),
            lambda: ScriptedAnswer(body=b"<html><body>arXiv is down</body></html>"),
            lambda: ScriptedAnswer(reset=True),
        )
        return self.random.choice(bad)()

    def rows(self, query: str, random: Random) -> tuple[Paper, ...]:
        """The answer to a query now: whole, or a part of it; sorted, or not."""
        wanted = [keyword for keyword in KEYWORDS if keyword.query.strip("()") in query]
        rows = [
            paper
            for paper in self.papers().values()
            if any(matches(keyword, paper) for keyword in wanted)
        ]
        rows.sort(key=lambda paper: (paper.updated, paper.id), reverse=True)
        if any(spell.holds(self.now) for spell in self.weather.unsorted):
            Random(f"{self.now:%Y%m%d}{query}").shuffle(rows)
        elif random.random() < self.weather.partial:
            rows = rows[: random.choice((1, 3, 20))]
        return tuple(rows)

    def expected(self, query: str) -> dict[str, datetime]:
        """The papers that are new to a query during the year, and since when: what a perfect reader
        gets."""
        return {
            name: visible
            for name, (visible, paper) in self.firsts[query].items()
            if self.start + DAY < visible < self.end
            and (paper.version == 1 or visible - paper.published < GUARD)
        }

    def around(self, query: str) -> set[str]:
        """The papers that were there before the year, or came after it: whoever mails one does
        nothing wrong."""
        firsts = self.firsts[query].items()
        return {name for name, (visible, _) in firsts if not self.start + DAY < visible < self.end}


def matches(keyword: Keyword, paper: Paper) -> bool:
    """Whether arXiv finds the paper by the keyword: the words of this world stand in title and
    abstract, or nowhere."""
    return (
        "stat.AP" in paper.categories
        if keyword.name == CATEGORY
        else keyword.name in paper.abstract
    )


@dataclass
class Tally:
    """What one reader of one strategy got: every row that was mailed, and the days without any."""

    mailed: Counter[str] = field(default_factory=Counter)
    false_nothing: int = 0


# -- the simple strategies


def simple(world: World, days: int) -> dict[str, dict[str, Tally]]:
    """Run the two scripts every morning: strategy, keyword, tally. One that fails mails nothing,
    and tells nobody."""
    tallies: dict[str, dict[str, Tally]] = {
        name: {k.query: Tally() for k in KEYWORDS} for name in ("newest 15", "watermark")
    }
    marks = {k.query: world.start - DAY for k in KEYWORDS}
    for number in range(days + 10):
        world.now = world.start + number * DAY + MORNING * HOUR
        if any(spell.holds(world.now) for spell in world.weather.off):
            continue
        for keyword in KEYWORDS:
            rows = () if world.outage() else world.rows(keyword.query, world.random)
            fresh = [paper for paper in rows if paper.published > marks[keyword.query]]
            marks[keyword.query] = max([marks[keyword.query], *(paper.published for paper in rows)])
            for name, mailed in (("newest 15", rows[:NEWEST]), ("watermark", fresh)):
                tally = tallies[name][keyword.query]
                unseen = [
                    paper
                    for paper, visible in world.expected(keyword.query).items()
                    if visible <= world.now and not tally.mailed[paper]
                ]
                tally.mailed.update(paper.id for paper in mailed)
                tally.false_nothing += bool(unseen) and not mailed
    return tallies


# -- the program


@dataclass
class Mailbox:
    """Takes every message; a transport for run_cycle."""

    world: World
    mails: list[tuple[str, datetime, bytes]] = field(default_factory=list)
    description: str = "a list in memory"
    width: int = 1

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        """Accept."""
        before_data()
        self.mails.append((message.recipient, self.world.now, message.data))
        return Receipt(Outcome.SENT, "250 ok")

    async def close(self) -> None:
        """Nothing to close."""


def readers() -> tuple[Subscriber, ...]:
    """One reader for each keyword; one of all, at a weekly hour; one who wants new versions too."""
    single = [
        Subscriber(f"reader{number}@example.org", (keyword,), quiet_days=True)
        for number, keyword in enumerate(KEYWORDS)
    ]
    return (
        *single,
        Subscriber("all@example.org", KEYWORDS, timezone="Europe/Berlin"),
        Subscriber("weekly@example.org", KEYWORDS, days=(Weekly.MON,)),
        Subscriber("versions@example.org", KEYWORDS, revisions=Revisions.ALL),
    )


@dataclass
class Outcomes:
    """What the program did in the year."""

    world: World
    mails: list[tuple[str, datetime, bytes]]
    cycles: int = 0
    requests: int = 0
    false_records: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    held_back: int = 0
    failed: int = 0
    seconds: float = 0.0


def play(days: int, seed: int, folder: Path) -> Outcomes:
    """Live through the year with the real program, hour by hour."""
    world = World(days, seed)
    mailbox = Mailbox(world)
    outcomes = Outcomes(world, mailbox.mails)
    began = time.monotonic()
    with Standin(on_query=lambda params: _answer(world, standin, params)) as standin:
        asyncio.run(_live(world, standin, mailbox, outcomes, folder))
        outcomes.requests = len(standin.requests)
    outcomes.seconds = time.monotonic() - began
    return outcomes


def _answer(world: World, standin: Standin, params: dict[str, str]) -> ScriptedAnswer | None:
    """Fail, or let the stand-in answer with what the index holds."""
    query = params.get("search_query", "")
    standin.serve_windows({query: world.rows(query, world.random)})
    return world.outage()


async def _live(
    world: World, standin: Standin, mailbox: Mailbox, outcomes: Outcomes, folder: Path
) -> None:
    flags = {
        "DIGEST_HOME": str(folder),
        "DIGEST_ARXIV_API": standin.url,
        "DIGEST_ARXIV_DELAY": "0",
        "DIGEST_FROM": "Digest <digest@example.org>",
    }
    settings = load_settings(flags, {}, folder)
    roster = Roster(readers(), KEYWORDS)
    with open_store(settings.db, create=True) as store:
        parts_of = open_parts(settings, store, roster, mailbox, clock=lambda: world.now)
        books, seen = sqlite3.connect(settings.db), defaultdict[str, set[str]](set)
        async with parts_of as parts:
            moment = world.start + MORNING * HOUR
            while moment < world.end + 10 * DAY:  # the last weekend's deep window closes the year
                world.now = moment
                if not any(spell.holds(moment) for spell in world.weather.off):
                    summary = await run_cycle(parts)
                    _note(outcomes, summary, seen)
                    if any(record.status == "ok" for record in summary.keywords):
                        seen = _seen(books)
                moment += HOUR
        books.close()


def _seen(books: sqlite3.Connection) -> dict[str, set[str]]:
    """What each query's log holds."""
    found: dict[str, set[str]] = defaultdict(set)
    for text, paper in books.execute(
        "SELECT q.text, m.paper FROM seen m JOIN query q ON q.id = m.query"
    ):
        found[text].add(paper)
    return found


def _note(outcomes: Outcomes, summary: Summary, before: dict[str, set[str]]) -> None:
    """Count what the run's record says, and whether it says in vain that there was nothing."""
    world = outcomes.world
    outcomes.cycles += 1
    outcomes.answers += answers_of(summary.keywords, world.now)
    for record in summary.keywords:
        outcomes.failed += record.status == "failed"
        outcomes.held_back += record.status == "quarantined"
        if record.status == "ok" and record.why.startswith(NOTHING):
            query = next(k.query for k in KEYWORDS if k.name == record.keyword)
            unseen = _announced(world, query, world.now) - before[query]
            if unseen:
                outcomes.false_records.append(
                    f"{world.now:%Y-%m-%d %H:%M} {record.keyword}: {record.why}: {unseen}"
                )


def _announced(world: World, query: str, now: datetime) -> set[str]:
    """The new papers that the daily answer holds by now: those of the last eight days."""
    firsts = world.firsts[query]
    return {
        name
        for name, visible in world.expected(query).items()
        if visible <= now and firsts[name][1].updated > now - 8 * DAY
    }


# -- the table


@dataclass(frozen=True)
class Line:
    """A line of the table."""

    name: str
    due: int
    got: int
    repeated: int
    foreign: int
    false_nothing: int
    worst_wait: float = 0.0

    def __str__(self) -> str:
        share = 100 * self.got / self.due
        wait = f"{self.worst_wait:.0f}" if self.worst_wait else ""
        return (
            f"{self.name:<30}{self.due:>8,}{self.got:>8,}{share:>9.2f} %{self.repeated:>10,}"
            f"{self.foreign:>9,}{self.false_nothing:>9,}{wait:>7}"
        )


HEAD = (
    f"{'':<30}{'due':>8}{'got':>8}{'recall':>11}{'repeats':>10}{'others':>9}{'false':>9}{'wait':>7}"
)


def program_lines(outcomes: Outcomes) -> list[Line]:
    """A line for each reader of the program."""
    world = outcomes.world
    got: dict[str, dict[str, list[datetime]]] = defaultdict(lambda: defaultdict(list))
    notes: Counter[str] = Counter()
    for recipient, at, data in outcomes.mails:
        message = email.message_from_bytes(data, policy=email.policy.default)
        part = message.get_body(("plain",))  # type: ignore[attr-defined]
        text = part.get_content().replace("\r\n", "\n")
        new, _, _ = text.partition("New versions (")
        for name, _version in _PAPER_LINE.findall(new):
            got[recipient][name].append(at)
        if not _PAPER_LINE.search(text):
            notes[recipient] += _is_false(
                outcomes, recipient, at, str(message["Subject"]), got[recipient]
            )
    lines = []
    for reader in readers():
        due: dict[str, datetime] = {}
        known: set[str] = set()
        for keyword in reader.keywords:
            for name, visible in world.expected(keyword.query).items():
                due[name] = min(visible, due.get(name, visible))
            known |= world.around(keyword.query)
        due = {name: visible for name, visible in due.items() if name not in known}
        mine = got[reader.email]
        lines.append(
            Line(
                f"Digest, {reader.email.split('@')[0]}",
                len(due),
                sum(name in mine for name in due),
                sum(len(times) - 1 for times in mine.values()),
                sum(name not in due and name not in known for name in mine),
                notes[reader.email],
                max(
                    (mine[n][0] - visible for n, visible in due.items() if n in mine),
                    default=0 * DAY,
                )
                / DAY,
            )
        )
    return lines


def wrong_receipts(outcomes: Outcomes) -> list[str]:
    """The receipts that do not say what the runs said."""
    digests = []
    for recipient, at, data in outcomes.mails:
        message = email.message_from_bytes(data, policy=email.policy.default)
        text = message.get_body(("plain",)).get_content()  # type: ignore[attr-defined]
        ids = tuple(name for name, _version in _PAPER_LINE.findall(text.replace("\r\n", "\n")))
        digests.append(Received(recipient, at, ids, text))
    named = {reader.email: [each.name for each in reader.keywords] for reader in readers()}
    return judge_receipts(digests, outcomes.answers, named)


def _is_false(
    outcomes: Outcomes, recipient: str, at: datetime, subject: str, got: dict[str, list[datetime]]
) -> bool:
    """Whether a note says that there is nothing though something had been announced that the reader
    has not got."""
    reason = subject.removeprefix("No new papers: ")
    if reason == subject or not reason.startswith(NOTHING):
        return False
    reader = next(reader for reader in readers() if reader.email == recipient)
    return any(
        _announced(outcomes.world, keyword.query, at) - got.keys() for keyword in reader.keywords
    )


def simple_lines(world: World, tallies: dict[str, dict[str, Tally]]) -> list[Line]:
    """A line for each simple strategy, over all keywords."""
    lines = []
    for name, by_query in tallies.items():
        due = got = repeated = foreign = false_nothing = 0
        for query, tally in by_query.items():
            expected = world.expected(query)
            due += len(expected)
            got += sum(paper in tally.mailed for paper in expected)
            repeated += sum(count - 1 for count in tally.mailed.values())
            known = world.around(query)
            foreign += sum(paper not in expected and paper not in known for paper in tally.mailed)
            false_nothing += tally.false_nothing
        lines.append(Line(f"{name}, each keyword", due, got, repeated, foreign, false_nothing))
    return lines


def tables(days: int, seed: int, folder: Path) -> tuple[Outcomes, list[Line], list[Line]]:
    """Play the year three times over: once with the program, once with the scripts."""
    outcomes = play(days, seed, folder)
    world = World(days, seed)
    return outcomes, program_lines(outcomes), simple_lines(world, simple(world, days))


def main() -> None:
    """Print the table."""
    days = int(sys.argv[1]) if len(sys.argv) > 1 else 359
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    logging.disable(logging.CRITICAL)
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # so that the disk has no part in it
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        outcomes, program, scripts = tables(days, seed, Path(folder))
    weather = outcomes.world.weather
    print(f"{days} days from {START:%Y-%m-%d}, seed {seed}: {_listed(outcomes.world.counts)};")
    print(
        f"{len(weather.outages)} outages, {len(weather.off)} times off, {len(weather.stale)} stale "
        "spells,"
    )
    print(
        f"{len(weather.unsorted)} spells without sorting, one answer in {1 / weather.partial:.0f} a"
        " part of itself"
    )
    print(f"\n{HEAD}")
    for line in (*program, *scripts):
        print(line)
    print(
        "\nfalse: notes and mornings without a mail that say, or let believe, that nothing was "
        "announced; "
        f"of the\nprogram's records {len(outcomes.false_records)} do. wait: the longest, in days."
        f"\n{outcomes.cycles:,} cycles, {outcomes.requests:,} requests, {outcomes.failed} failed "
        "and"
        f" {outcomes.held_back} held back, {outcomes.seconds:.0f} s"
    )
    for words in outcomes.false_records[:10]:
        print(words)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.items())


if __name__ == "__main__":
    main()
