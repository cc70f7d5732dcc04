"""The kill test: real runs are killed (SIGKILL) at any moment; no digest may be lost, and hardly
one doubled.

    python -m tests.kills --kills 500

A relay that notes every message it took, and a small arXiv, live in this process. Each run of
`digest run` is a process of its own: a fork of a nursery that has everything imported (so that five
hundred take minutes), and now and then one that is started from the beginning. It dies by its own
hand right before or after a chosen step (a statement of the database, a write to or a read from the
server), or is killed from outside after a random time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from digest.model import Paper
from digest.rules.calendar import next_served
from tests.world.replay import Home, smtp_beside, subscribers_file
from tests.world.smtp_server import Answer
from tests.world.standin import Standin
from tests.world.worlds import DAY, MONDAY, eprint

START = MONDAY - 364 * DAY
"""Long enough ago that hundreds of days lie before today."""

READERS = {
    "ada@example.org": ["alpha"],
    "bob@example.org": ["alpha", "beta"],
    "lin@example.org": ["beta"],
    "ravi@example.org": ["alpha"],
}
ROOT = Path(__file__).resolve().parent.parent
FULL_RUN = 260
"""About so many steps has a run that fetches, composes and mails."""
MAIL_STEPS = 40
"""About so many of them are the mail server's."""
QUIET = timedelta(minutes=31)
"""After this time a delivery that may have been accepted is tried again."""


class Nursery:
    """Starts runs as forks of one process that has imported everything."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.kills", "--nursery"],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, arguments: list[str], *, step: int = 0, kind: str = "", seconds: float = 0.0
    ) -> dict[str, Any]:
        """One run, killed at the step of that number and kind, or after so many seconds; how it
        ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"arguments": arguments, "step": step, "kind": kind, "seconds": seconds}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@dataclass
class Report:
    """What a whole test came to."""

    kills: int = 0
    runs: int = 0
    where: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    doubled: int = 0
    unknown: int = 0
    unsaid: list[str] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.runs} runs, {self.kills} killed "
            f"({', '.join(f'{n} {k}' for k, n in self.where.most_common())});"
            f" {self.accepted} messages accepted; lost {len(self.lost)}, papers twice "
            f"{len(self.twice)},"
            f" messages doubled {self.doubled} of {self.unknown} recorded as maybe delivered"
        )


class Trial:
    """One installation whose runs are killed; `hold` is the policy for what may have been
    delivered."""

    def __init__(self, folder: Path, seed: int, *, hold: bool) -> None:
        self.folder, self.hold = folder, hold
        self.random = random.Random(seed)
        self.report = Report()
        self.papers: list[Paper] = []
        self.expected: list[tuple[str, str]] = []
        self.unsure: set[str] = set()
        self.now = START

    def live(self, kills: int, *, seconds: float = 600.0) -> Report:
        """Live day after day until so many runs were killed, then until all is quiet; and judge."""
        slow = random.Random(1)

        def answer(_line: str) -> Answer:
            time.sleep(slow.choice([0, 0, 0.002, 0.01]))
            return None

        deadline = time.monotonic() + seconds
        with Standin() as standin, smtp_beside({"message": answer}) as relay:
            Home.make(
                self.folder, standin, subscribers_file(READERS), f"smtp://127.0.0.1:{relay.port}"
            )
            environ = os.environ | {
                "DIGEST_ON_UNKNOWN": "hold" if self.hold else "retry",
                "PYTHONWARNINGS": "error",
            }
            with Nursery(environ) as nursery:
                self._announce(standin, expected=False)
                self._settle(nursery)
                while self.report.kills < kills and time.monotonic() < deadline:
                    self.now = next_served(self.now).served_at + timedelta(minutes=1)
                    self._announce(standin)
                    self._day(nursery, kills, environ)
                    self._settle(nursery)
        self._judge([taken.data for taken in relay.messages])
        return self.report

    def _announce(self, standin: Standin, *, expected: bool = True) -> None:
        """New papers, some of which match both keywords."""
        for _ in range(self.random.randint(1, 3)):
            words = self.random.choice([["alpha"], ["beta"], ["alpha", "beta"]])
            name = " ".join(words)
            number = len(self.papers) + 1
            paper = eprint(
                number,
                self.now - DAY / 2,
                title=f"{name} in title {number}",
                abstract=f"On {name}.",
            )
            self.papers.append(paper)
            if expected:
                self.expected += [
                    (who, paper.id)
                    for who, keywords in READERS.items()
                    if set(keywords) & set(words)
                ]
        standin.serve(self.papers)

    def _day(self, nursery: Nursery, kills: int, environ: dict[str, str]) -> None:
        """Runs that are killed, until one of them comes through."""
        while self.report.kills < kills:
            kind = self.random.choice(
                ["any step", "any step", "mail step", "mail step", "mail step", "moment"]
            )
            if self.report.runs % 40 == 39:
                kind = "process"
            self.report.runs += 1
            killed = self._run_and_kill(nursery, kind, environ)
            self.now += timedelta(minutes=1)
            if not killed:
                return
            self.report.kills += 1
            self.report.where[kind] += 1

    def _run_and_kill(self, nursery: Nursery, kind: str, environ: dict[str, str]) -> bool:
        match kind:
            case "any step":
                ended = nursery.run(self._arguments, step=self.random.randint(1, FULL_RUN))
            case "mail step":
                ended = nursery.run(
                    self._arguments, step=self.random.randint(1, MAIL_STEPS), kind="mail"
                )
            case "moment":
                ended = nursery.run(self._arguments, seconds=self.random.uniform(0.01, 0.35))
            case _:
                process = subprocess.Popen(
                    [sys.executable, "-m", "digest", *self._arguments],
                    cwd=ROOT,
                    env=environ,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                with suppress(subprocess.TimeoutExpired):
                    process.wait(self.random.uniform(0.4, 1.2))
                process.kill()
                ended = {"killed": process.wait() == -signal.SIGKILL, "code": process.returncode}
        assert ended["killed"] or ended["code"] == 0, ended
        return bool(ended["killed"])

    @property
    def _arguments(self) -> list[str]:
        return ["run", "--home", str(self.folder), "--now", self.now.isoformat(), "--quiet"]

    def _settle(self, nursery: Nursery) -> None:
        """Runs that nobody disturbs, until nothing waits any more that may leave."""
        for _ in range(4):
            self.report.runs += 1
            ended = nursery.run(self._arguments)
            assert ended["code"] == 0, ended
            self.now += QUIET
            # Read day by day: after two months the ledger keeps no Message-IDs.
            self.unsure |= {
                row[0]
                for row in self._rows("SELECT message_id FROM delivery WHERE maybe_accepted = 1")
            }
            if not self._value(
                "SELECT COUNT(*) FROM delivery WHERE state IN ('queued', 'leased', 'in_data', "
                "'deferred')"
                " OR (state = 'unknown' AND NOT ?)",
                self.hold,
            ):
                return
        raise AssertionError("it does not become quiet")

    def _value(self, sql: str, *parameters: Any) -> Any:
        with closing(sqlite3.connect(self.folder / "digest.db")) as database:
            return database.execute(sql, parameters).fetchone()[0]

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "digest.db")) as database:
            return database.execute(sql).fetchall()

    def _judge(self, messages: list[bytes]) -> None:
        """Compare what the relay took with what was due, and with what the database says of it."""
        report = self.report
        report.accepted = len(messages)
        copies: Counter[str] = Counter()
        carried: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        for data in messages:
            text = data.decode()
            message_id = re.search(r"^Message-ID: (<[^>]+>)", text, re.M)
            recipient = re.search(r"^To: (?:.* <)?([^\s<>]+@[^\s<>]+?)>?\r$", text, re.M)
            assert message_id
            assert recipient
            copies[message_id[1]] += 1
            for paper in re.findall(r"arxiv\.org/abs/(2611\.\d{5})v", text):
                carried[recipient[1], paper].add(message_id[1])
        held = {
            (row[0], row[1])
            for row in self._rows(
                "SELECT r.address, cp.paper FROM delivery d JOIN subscriber r ON r.id = "
                "d.subscriber"
                " JOIN content_paper cp ON cp.content = d.content WHERE d.state = 'unknown'"
            )
        }
        report.unknown = len(self.unsure)
        report.doubled = sum(times - 1 for times in copies.values())
        report.unsaid = [
            message for message, times in copies.items() if times > 1 and message not in self.unsure
        ]
        report.lost = [f"{key}" for key in self.expected if key not in carried and key not in held]
        report.twice = [f"{key} in {ids}" for key, ids in carried.items() if len(ids) > 1]
        report.damage = [
            str(row[0]) for row in self._rows("PRAGMA integrity_check") if row[0] != "ok"
        ]
        report.damage += [str(row) for row in self._rows("PRAGMA foreign_key_check")]


def quick_folder() -> str | None:
    """A place in memory: a process that is killed does not lose what it wrote, so no disk need
    wait."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def check(report: Report, *, hold: bool) -> None:
    """Raise AssertionError where the promise was broken."""
    assert report.lost == []
    assert report.twice == []
    assert report.unsaid == []
    assert report.damage == []
    assert report.doubled <= (0 if hold else report.unknown)


# -- the nursery, a process of its own


def nursery() -> None:
    """Fork a run for each line of orders on standard input, and tell how it ended."""
    import digest.arxiv.api
    import digest.cli.daily.cycle
    import digest.cli.daily.run
    import digest.mail.connection
    import digest.mail.presets
    import digest.mail.smtp
    import digest.rendering.render
    import digest.run.cycle
    import digest.setup.parts
    import digest.store
    import digest.subscribers
    import digest.system.locks
    from digest.setup.doctor.mail import trial_digest

    # Compiling the templates is half of a run's work, and no step that a kill could disturb.
    renderer = digest.rendering.render.Renderer()
    renderer.render(trial_digest(MONDAY, ""), "k7f3a9c0d1e2b")
    digest.rendering.render.Renderer = lambda _templates=None: renderer  # type: ignore[assignment, misc]

    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(order)
        if order["seconds"]:
            deadline = time.monotonic() + order["seconds"]
            while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
                if time.monotonic() >= deadline:
                    os.kill(child, signal.SIGKILL)
                    ended = os.waitpid(child, 0)
                    break
                time.sleep(0.002)
        else:
            ended = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(ended[1])
        print(json.dumps({"killed": code == -signal.SIGKILL, "code": code}), flush=True)


def _run(order: dict[str, Any]) -> None:
    """The run itself, in a process that dies at the step that was ordered."""
    from digest.cli import main

    sink = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(sink, descriptor)
    if order["step"]:
        _instrument(order["step"], order["kind"])
    code = 70
    try:
        main(order["arguments"])
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        os._exit(code)


def _instrument(step: int, kind: str) -> None:
    """Let the process kill itself right before or after the step of that number."""
    from aiosmtplib.protocol import SMTPProtocol

    from digest.store.database import Database

    left = step

    def passed() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(owner: type, name: str) -> None:
        work: Callable[..., Any] = getattr(owner, name)

        def stepping(*arguments: Any, **options: Any) -> Any:
            passed()
            result = work(*arguments, **options)
            passed()
            return result

        async def reading(*arguments: Any, **options: Any) -> Any:
            passed()
            result = await work(*arguments, **options)
            passed()
            return result

        setattr(owner, name, reading if name == "read_response" else stepping)

    around(SMTPProtocol, "write")
    around(SMTPProtocol, "read_response")
    if not kind:
        around(Database, "_execute")
        around(Database, "rows")
        around(Database, "write_many")


def main() -> None:
    """The whole test, under both policies."""
    parser = argparse.ArgumentParser(description="Kill runs, and see that nothing is lost.")
    parser.add_argument(
        "--kills", type=int, default=500, help="how many, under both policies together"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nursery", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.nursery:
        nursery()
        return
    began: datetime = datetime.now()  # noqa: DTZ005 - only a difference is shown
    for hold, part in ((False, options.kills - options.kills // 3), (True, options.kills // 3)):
        with tempfile.TemporaryDirectory(dir=quick_folder()) as folder:
            report = Trial(Path(folder), options.seed, hold=hold).live(part)
        print(f"{'hold' if hold else 'retry'}: {report}")
        check(report, hold=hold)
    print(f"all is well after {(datetime.now() - began).total_seconds():.0f} s")  # noqa: DTZ005


if __name__ == "__main__":
    main()
