"""Days of keyword windows, recorded or made up, walked through by the real `digest run`, and what
came of it."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import io
import json
import logging
import lzma
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from random import Random

from digest.cli import main
from digest.demo.papers import World, newest_first
from digest.demo.words import TOPICS, Topic
from digest.keywords.grammar import make_keyword
from digest.model import Paper
from digest.rules.calendar import quiet_night
from digest.rules.revision import is_withdrawn
from tests.world.receipts import Answer, Received, answers_in, judge_receipts
from tests.world.shell import end_where_stopped
from tests.world.smtp_server import Script, SmtpServer, smtp_server
from tests.world.standin import Standin

GUARD = timedelta(days=45)
DEADLINE = clock_time(18)
"""14:00 in New York, in UTC: the recording has days only, and what it holds was submitted by
then."""
MORNING = clock_time(9)
"""A time at which the announcement of the evening before is served, in UTC."""
ASKED_DAILY = timedelta(days=8)
"""Rows this old are asked for every day, older ones on nights without an announcement."""

_PAPER_LINE = re.compile(r"^ +https://arxiv\.org/abs/(\S+?)(?:v\d+)?$", re.M)


@dataclass(frozen=True)
class Day:
    """One run: when it is, and what arXiv answers to each keyword then, in its order."""

    now: datetime
    windows: Mapping[str, tuple[Paper, ...]]


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Mail:
    """One digest as its reader finds it."""

    recipient: str
    on: datetime
    message_id: str
    ids: tuple[str, ...]
    text: str = ""


def run_digest(*arguments: str) -> Result:
    """One command of `digest`, in this process, with logging left as it was."""
    out, err = io.StringIO(), io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main(list(arguments))
    except SystemExit as end:
        end_where_stopped(err.getvalue())
        return Result(int(end.code or 0), out.getvalue(), err.getvalue())
    finally:
        root.handlers = handlers
        root.setLevel(level)
    raise AssertionError("main() always exits")


@dataclass
class Home:
    """A home folder with settings and readers, and all that Digest does in it."""

    folder: Path

    @classmethod
    def make(
        cls, folder: Path, standin: Standin, subscribers: str, mail: str = "maildir:mail"
    ) -> Home:
        settings = {
            "DIGEST_ARXIV_API": standin.url,
            "DIGEST_ARXIV_DELAY": "0",
            "DIGEST_MAIL": mail,
            "DIGEST_FROM": "Daily Papers <papers@example.org>",
        }
        (folder / ".env").write_text(
            "".join(f"{name}='{value}'\n" for name, value in settings.items())
        )
        (folder / "subscribers.yaml").write_text(subscribers)
        return cls(folder)

    def digest(self, command: str, *arguments: str) -> Result:
        return run_digest(command, "--home", str(self.folder), *arguments)

    def mails(self) -> list[Mail]:
        """What lies in the Maildir, oldest first."""
        found = [read_mail(path.read_bytes()) for path in (self.folder / "mail" / "new").iterdir()]
        return sorted(found, key=lambda mail: (mail.on, mail.recipient))


def read_mail(data: bytes) -> Mail:
    """The papers that a digest names in its text part, each at its own line."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    part = message.get_body(("plain",))
    assert part is not None
    return Mail(
        recipient=message["To"].addresses[0].addr_spec,
        on=message["Date"].datetime.astimezone(UTC),
        message_id=message["Message-ID"],
        ids=tuple(_PAPER_LINE.findall(part.get_content())),
        text=part.get_content(),
    )


def subscribers_file(readers: Mapping[str, Sequence[str]], **fields: str) -> str:
    """A subscribers file with these readers and their keywords."""
    lines = ["subscribers:"]
    for address, keywords in readers.items():
        lines += [f"  - email: {address}", f"    keywords: [{', '.join(keywords)}]"]
        lines += [f"    {name}: {value}" for name, value in fields.items()]
    return "\n".join(lines) + "\n"


def recorded_days(folder: Path) -> list[Day]:
    """The recorded days, each with its windows as they were served.

    The recording has dates only, so the rows of one date get times that fall in the served order.
    """
    with lzma.open(folder / "papers.jsonl.xz", "rt", encoding="utf-8") as lines:
        papers = {row["id"]: row for row in map(json.loads, lines)}
    days: dict[str, tuple[datetime, dict[str, tuple[Paper, ...]]]] = {}
    with lzma.open(folder / "windows.jsonl.xz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            fetched, windows = days.get(row["day"], (datetime.min.replace(tzinfo=UTC), {}))
            windows[row["keyword"]] = tuple(
                _recorded(papers[name], place) for place, name in enumerate(row["ids"])
            )
            days[row["day"]] = max(fetched, datetime.fromisoformat(row["fetched_at"])), windows
    return [Day(*days[day]) for day in sorted(days)]


def _recorded(row: dict[str, str], place: int) -> Paper:
    base, _, version = row["id"].rpartition("v")
    updated = datetime.combine(date.fromisoformat(row["updated"]), DEADLINE, UTC) - timedelta(
        seconds=place
    )
    published = datetime.combine(date.fromisoformat(row["published"]), DEADLINE, UTC)
    return Paper(
        id=base,
        version=int(version),
        title=row["title"],
        abstract=row["abstract"],
        authors=("An Author",),
        categories=("cs.LG",),
        published=updated if version == "1" else min(published, updated),
        updated=updated,
        comment=row["comment"],
    )


def invented_days(
    number: int, *, start: date, seed: int, per_day: tuple[int, int] = (9, 2)
) -> list[Day]:
    """Days of an arXiv that holds papers back for up to 22 days, revises them, and sometimes
    answers in part.

    `per_day` has the mean number of submissions for each of two keywords. The runs are in the
    morning (UTC), a little later every day, and meet what the calendar's announcements had brought
    by then.
    """
    random, world = Random(seed), World(seed)
    first = datetime.combine(start, MORNING, UTC)
    shelves = {
        topic.name.title(): _Shelf(random, world, topic, mean)
        for topic, mean in zip(TOPICS, per_day, strict=False)
    }
    for shelf in shelves.values():
        shelf.fill(first - timedelta(days=45), first + timedelta(days=number))
    busy, other = list(shelves.values())
    other.versions += [
        entry for entry in busy.versions if entry[1].id.endswith(("3", "7"))
    ]  # these match both
    days = []
    for passed in range(number):
        now = first + timedelta(days=passed, minutes=passed)
        whole = passed in (0, number - 1)
        days.append(
            Day(now, {name: shelf.window(now, whole=whole) for name, shelf in shelves.items()})
        )
    return days


@dataclass
class _Shelf:
    """All versions of one keyword's papers, each with the moment from which the index has it."""

    random: Random
    world: World
    topic: Topic
    per_day: int
    versions: list[tuple[datetime, Paper]] = field(default_factory=list)

    def fill(self, since: datetime, until: datetime) -> None:
        day = since
        while day < until:
            for _ in range(self.random.randint(0, 2 * self.per_day)):
                self._submit(day + timedelta(minutes=self.random.randrange(24 * 60)))
            if self.random.random() < 0.5:  # a new version of a paper that no window ever showed
                long_ago = day - timedelta(days=self.random.randint(120, 900))
                old = self.world.paper(long_ago, self.topic)
                self._announce(self.world.revise(old, day + timedelta(hours=6)), 0)
            day += timedelta(days=1)

    def _submit(self, at: datetime) -> None:
        paper = self.world.paper(at, self.topic)
        held = self.random.choice((2, 3, 5, 9, 14, 22)) if self.random.random() < 0.07 else 0
        self._announce(paper, held)
        if self.random.random() < 0.3:
            revised = at + timedelta(hours=self.random.choice((2, 30, 80, 300)))
            self._announce(self.world.revise(paper, revised), held)

    def _announce(self, paper: Paper, held: int) -> None:
        """Served with the first announcement whose deadline the version met, or so many days
        later."""
        ready = paper.updated + timedelta(days=held)
        evening = ready.date() if ready.time() <= DEADLINE else ready.date() + timedelta(days=1)
        while quiet_night(morning := datetime.combine(evening + timedelta(days=1), MORNING, UTC)):
            evening += timedelta(days=1)
        self.versions.append((morning, paper))

    def window(self, now: datetime, *, whole: bool) -> tuple[Paper, ...]:
        newest: dict[str, Paper] = {}
        for served_at, paper in self.versions:
            held = newest.get(paper.id)
            if served_at <= now and (held is None or paper.version > held.version):
                newest[paper.id] = paper
        rows = newest_first(list(newest.values()))
        if not whole and self.random.random() < 0.15:
            return rows[: self.random.choice((1, 3, 20))]
        return rows


@dataclass
class Figures:
    """What a replay came to."""

    runs: int = 0
    pages: list[int] = field(default_factory=list)
    seconds: float = 0.0
    mails: int = 0
    papers: int = 0
    lost: list[tuple[str, str]] = field(default_factory=list)
    repeated: list[tuple[str, str]] = field(default_factory=list)
    foreign: list[tuple[str, str]] = field(default_factory=list)
    revisions: list[tuple[str, str]] = field(default_factory=list)
    tardy: list[tuple[str, str]] = field(default_factory=list)
    waits: Counter[int] = field(default_factory=Counter)
    held: dict[tuple[datetime, str], int] = field(default_factory=dict)

    def table(self) -> str:
        days = ", ".join(f"{count} after {wait}" for wait, count in sorted(self.waits.items()))
        lines = {
            "runs": self.runs,
            "requests to arXiv": len(self.pages),
            "rows asked for at once": f"{min(self.pages)} to {max(self.pages)}",
            "mails": self.mails,
            "papers in them": self.papers,
            "lost": len(self.lost),
            "repeated": len(self.repeated),
            "not of the reader's windows": len(self.foreign),
            "windows held back": len(self.held),
            "revisions mailed": len(self.revisions),
            "later than they had to be": len(self.tardy),
            "days waited": days,
            "seconds": f"{self.seconds:.1f}",
        }
        return "\n".join(f"{name:>28}  {value}" for name, value in lines.items())


@dataclass
class Walk:
    """What a walk through days came to: which windows (day's time, keyword) were held back, and
    which of them the program was never sent, what the good answers held, the rows that each request
    asked for, and the seconds taken.
    """

    held: dict[tuple[datetime, str], int] = field(default_factory=dict)
    unserved: set[tuple[datetime, str]] = field(default_factory=set)
    answers: list[Answer] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    seconds: float = 0.0


def walk(home: Home, standin: Standin, days: Sequence[Day]) -> Walk:
    """Do each day's run. What is held back is asked for again on the next day only."""
    began, result = time.monotonic(), Walk()
    for day in days:
        standin.serve_windows(
            {make_keyword(name).query: papers for name, papers in day.windows.items()}
        )
        ran = home.digest("run", "--json", "--now", day.now.isoformat())
        result.answers += answers_in(json.loads(ran.out))
        records = {record["keyword"]: record for record in json.loads(ran.out)["keywords"]}
        assert {record["status"] for record in records.values()} <= {
            "ok",
            "skipped",
            "quarantined",
        }, ran.err
        held = [name for name, record in records.items() if record["status"] == "quarantined"]
        assert ran.code == (1 if held else 0), ran.err
        result.held |= {(day.now, name): records[name]["fetched"] for name in held}
    result.pages = [int(asked.params["max_results"]) for asked in standin.requests]
    result.seconds = time.monotonic() - began
    return result


def judge(
    days: Sequence[Day],
    readers: Mapping[str, Sequence[str]],
    mails: Sequence[Mail],
    held: Container[tuple[datetime, str]] = frozenset(),
) -> Figures:
    """Hold the mails against the windows, by rules of their own that know nothing of stores and
    diffs.

    `held` are the windows (day's time, keyword) that were held back: what they showed is due with
    the next good one.
    """
    wanted, unwanted, served = _expectations(days, held)
    # That a paper which was mailed has been withdrawn is always told, in a digest that names it
    # once more.
    withdrawn = {
        p.id for day in days for papers in day.windows.values() for p in papers if is_withdrawn(p)
    }
    figures = Figures(runs=len(days), mails=len(mails), papers=sum(len(mail.ids) for mail in mails))
    got: dict[str, dict[str, list[datetime]]] = defaultdict(lambda: defaultdict(list))
    for mail in mails:
        for name in mail.ids:
            got[mail.recipient][name].append(mail.on)
    for reader, keywords in readers.items():
        due: dict[str, _First] = {}
        for name, first in (pair for keyword in keywords for pair in wanted[keyword].items()):
            due[name] = min(first, due.get(name, first))
        mine = got.pop(reader, {})
        figures.lost += [(reader, name) for name in due if name not in mine]
        figures.repeated += [
            (reader, name) for name, times in mine.items() if len(times) > 1 + (name in withdrawn)
        ]
        for name, times in mine.items():
            shown = [served[keyword][name] for keyword in keywords if name in served[keyword]]
            if not shown or min(shown) > times[0]:
                figures.foreign.append((reader, name))
            if name not in due and any(name in unwanted[keyword] for keyword in keywords):
                figures.revisions.append((reader, name))
        for name in due.keys() & mine.keys():
            wait = (mine[name][0] - due[name].at).days
            figures.waits[wait] += 1
            if wait and due[name].updated >= due[name].at - ASKED_DAILY:
                figures.tardy.append((reader, name))
    assert not got, f"mail to strangers: {list(got)}"
    return figures


def wrong_receipts(
    mails: Sequence[Mail], walked: Walk, readers: Mapping[str, Sequence[str]]
) -> list[str]:
    """The receipts that do not say what the runs of a walk said."""
    digests = (Received(mail.recipient, mail.on, mail.ids, mail.text) for mail in mails)
    return judge_receipts(digests, walked.answers, readers)


@dataclass(frozen=True, order=True)
class _First:
    """When a paper was served for the first time, and how young the served version was."""

    at: datetime
    updated: datetime


def _expectations(
    days: Sequence[Day], held: Container[tuple[datetime, str]]
) -> tuple[dict[str, dict[str, _First]], dict[str, set[str]], dict[str, dict[str, datetime]]]:
    """For each keyword: since when a paper is due, which ones never are, and when each was first
    served.

    Due is what a window shows for the first time after the first day: a first version always, a
    later one where the paper is young. What the first day shows may come as a welcome, or not.
    """
    wanted: dict[str, dict[str, _First]] = defaultdict(dict)
    unwanted: dict[str, set[str]] = defaultdict(set)
    served: dict[str, dict[str, datetime]] = defaultdict(dict)
    waiting: dict[str, list[Paper]] = defaultdict(list)
    for number, day in enumerate(days):
        previous = days[number - 1].now if number else day.now
        shown = []
        for keyword, papers in day.windows.items():
            if (day.now, keyword) in held:
                waiting[keyword] += papers
            else:
                shown += [(keyword, paper) for paper in (*papers, *waiting.pop(keyword, ()))]
        for keyword, paper in shown:
            if paper.id in served[keyword]:
                continue
            served[keyword][paper.id] = day.now
            if paper.version > 1 and paper.published < previous - GUARD:
                unwanted[keyword].add(paper.id)
            elif number:
                wanted[keyword][paper.id] = _First(day.now, paper.updated)
    return wanted, unwanted, served


class SmtpThread:
    """An SMTP server in a loop of its own, for commands that bring their own loop."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.server: SmtpServer | None = None
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="smtp")

    def _run(self) -> None:
        async def serve() -> None:
            async with smtp_server(self.script) as self.server:
                self._ready.set()
                await self._end.wait()

        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(serve())

    def start(self) -> SmtpServer:
        self._thread.start()
        assert self._ready.wait(5)
        assert self.server is not None
        return self.server

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()


@contextlib.contextmanager
def smtp_beside(script: Script) -> Iterator[SmtpServer]:
    thread = SmtpThread(script)
    try:
        yield thread.start()
    finally:
        thread.stop()
