"""One question to arXiv at a time, and the pause between two, across processes and runs."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from digest.demo.papers import World
from digest.errors import ArxivError
from digest.system import locks
from digest.system.locks import ArxivTurns
from tests.world.standin import ScriptedAnswer, Standin
from tests.world.worlds import DAY, MONDAY

DELAY = 0.2
ASKING = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from digest.arxiv.api import ArxivClient
from digest.system.locks import ArxivTurns

async def main():
    turn = ArxivTurns(Path(sys.argv[2]))
    async with ArxivClient(sys.argv[1], delay=float(sys.argv[3]), turn=turn) as arxiv:
        print("ready", flush=True)
        sys.stdin.readline()
        await arxiv.fetch("all:x", since=datetime(2000, 1, 1, tzinfo=UTC), page_size=20)

asyncio.run(main())
"""


class Time:
    """A wall clock and a monotonic one, which move when somebody sleeps."""

    def __init__(self) -> None:
        self.wall, self.monotonic = 1_000_000.0, 50.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.wall += seconds
        self.monotonic += seconds

    def turns(self, path: Path) -> ArxivTurns:
        return ArxivTurns(
            path, sleep=self.sleep, monotonic=lambda: self.monotonic, wall=lambda: self.wall
        )


async def take(turns: ArxivTurns, delay: float = 3) -> None:
    async with turns(delay):
        pass


def test_two_processes_never_ask_at_once_and_keep_the_pause(tmp_path: Path) -> None:
    papers = World(3).papers(40, MONDAY - 30 * DAY, MONDAY)
    with Standin() as arxiv:
        arxiv.serve_windows({"all:x": papers})
        arxiv.script(*[ScriptedAnswer(delay=0.1)] * 4)
        command = [sys.executable, "-c", ASKING, arxiv.url, str(tmp_path / "digest.db"), str(DELAY)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        processes = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.communicate("\n", timeout=60)
            assert process.returncode == 0
    assert len(arxiv.requests) == 4
    assert len({asked.port for asked in arxiv.requests}) == 2, "each has a connection of its own"
    for before, after in pairwise(arxiv.requests):
        assert before.ended is not None
        assert after.arrived - before.ended >= DELAY - 0.02


async def test_the_next_program_waits_until_the_pause_is_over(tmp_path: Path) -> None:
    time = Time()
    await take(time.turns(tmp_path / "digest.db"))
    time.wall += 1
    time.monotonic += 1
    await take(time.turns(tmp_path / "digest.db"))
    assert time.slept == [2]
    time.wall += 60
    await take(time.turns(tmp_path / "digest.db"))
    assert time.slept == [2]


@pytest.mark.parametrize("jump", [-86_400, 86_400])
async def test_a_clock_that_was_set_makes_nobody_wait_longer_than_the_pause(
    tmp_path: Path, jump: int
) -> None:
    time = Time()
    await take(time.turns(tmp_path / "digest.db"))
    time.wall += jump
    await take(time.turns(tmp_path / "digest.db"))
    assert sum(time.slept) <= 3


@pytest.mark.parametrize("note", ["", "nonsense", "nan", "1e999", "\x00\xff"])
async def test_a_note_that_cannot_be_read_makes_nobody_wait_for_long(
    tmp_path: Path, note: str
) -> None:
    (tmp_path / "digest.db.arxiv.lock").write_text(note)
    time = Time()
    await take(time.turns(tmp_path / "digest.db"))
    assert sum(time.slept) <= 3


async def test_one_waits_while_another_asks_and_the_pause_after_it(tmp_path: Path) -> None:
    order = []

    async def ask(name: str) -> None:
        async with ArxivTurns(tmp_path / "digest.db")(0.05):
            order.append(f"{name} begins")
            await asyncio.sleep(0.1)
            order.append(f"{name} ends")

    await asyncio.gather(ask("one"), ask("other"))
    assert order in (
        ["one begins", "one ends", "other begins", "other ends"],
        ["other begins", "other ends", "one begins", "one ends"],
    )


async def test_a_turn_that_is_kept_for_ever_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    time = Time()
    async with time.turns(tmp_path / "digest.db")(3):
        with pytest.raises(ArxivError, match="another process keeps asking arXiv") as caught:
            await take(time.turns(tmp_path / "digest.db"))
    assert sum(time.slept) == pytest.approx(locks.LONGEST_TURN, abs=1)
    assert not caught.value.transient


async def test_what_failed_has_ended_too(tmp_path: Path) -> None:
    time = Time()
    with pytest.raises(ZeroDivisionError):
        async with time.turns(tmp_path / "digest.db")(3):
            raise ZeroDivisionError
    await take(time.turns(tmp_path / "digest.db"))
    assert time.slept == [3]


async def test_without_a_folder_there_is_nobody_to_take_turns_with(tmp_path: Path) -> None:
    time = Time()
    await take(time.turns(tmp_path / "nowhere" / "digest.db"))
    assert time.slept == []
    assert list(tmp_path.iterdir()) == []


async def test_anothers_lock_holds_where_it_can_only_be_read(tmp_path: Path) -> None:
    time = Time()
    await take(time.turns(tmp_path / "digest.db"))
    lock = tmp_path / "digest.db.arxiv.lock"
    lock.chmod(0o444)
    if os.access(lock, os.W_OK):
        pytest.skip("whoever runs this writes every file")
    await take(time.turns(tmp_path / "digest.db"))
    assert time.slept == [3]
