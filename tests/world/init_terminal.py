"""`digest init` on a terminal of its own, and the arXiv and the mail server that it meets."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import SSLContext

import pexpect
import pytest

from digest.demo.papers import World, newest_first
from digest.demo.words import TOPICS
from digest.model import Paper
from tests.world.smtp_server import SmtpServer, smtp_server

USER, PASSWORD = "ada", "correct 'horse' \\ $battery"
NOW = datetime.now(UTC).replace(microsecond=0)
DIGEST = (sys.executable, "-m", "digest")
WITH_A_TIMER = (
    sys.executable,
    "-c",
    "import digest.cli.daily.timer as timer\n"
    "from digest.cli import main\n"
    "def offer_install(context, *, assume_yes):\n"
    "    print('the timer is offered for', context.settings.home, assume_yes)\n"
    "    return True\n"
    "timer.offer_install = offer_install\n"
    "main()",
)


def papers() -> tuple[Paper, ...]:
    """An arXiv of the last month, and older papers in new versions."""
    world = World(7)
    old = [
        world.revise(world.paper(NOW - timedelta(days=200), TOPICS[0]), NOW - timedelta(days=3))
        for _ in range(4)
    ]
    return newest_first([*world.papers(60, NOW - timedelta(days=29), NOW), *old])


def only_with_password(line: str) -> str:
    """The answer to AUTH: welcome for the right password alone."""
    given = base64.b64decode(line.split(" ")[-1]).decode()
    return (
        "235 2.7.0 Welcome"
        if given == f"\0{USER}\0{PASSWORD}"
        else "535 5.7.8 Username and password not accepted"
    )


def server_with_login(
    certificate: tuple[Path, SSLContext],
) -> AbstractAsyncContextManager[SmtpServer]:
    return smtp_server(
        {"AUTH": only_with_password},
        extensions=("STARTTLS", "AUTH PLAIN LOGIN", "SIZE 10485760"),
        tls=certificate[1],
    )


class Terminal:
    """`digest init` on a terminal of its own; questions are awaited, then answered."""

    def __init__(
        self, folder: Path, arxiv: str, *args: str, command: tuple[str, ...] = DIGEST
    ) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DIGEST_")}
        environment |= {
            "DIGEST_ARXIV_API": arxiv,
            "DIGEST_ARXIV_DELAY": "0",
            "TZ": "Europe/Berlin",
            "XDG_DATA_HOME": str(folder / "data"),
            "TERM": "dumb",
        }
        self.child = pexpect.spawn(
            command[0],
            [*command[1:], "init", *args],
            cwd=folder,
            env=environment,
            encoding="utf-8",
            timeout=20,
        )
        self.child.setwinsize(50, 200)
        self.child.delaybeforesend = None
        self.seen = ""

    def expect(self, text: str) -> None:
        try:
            self.child.expect_exact(text)
        except (pexpect.TIMEOUT, pexpect.EOF):
            pytest.fail(f"{text!r} did not come; what came:\n{self.seen}{self.child.before}")
        self.seen += self.child.before + text

    def answer(self, question: str, text: str = "") -> None:
        self.expect(question)
        if question.startswith("Password"):
            self.child.waitnoecho(5)
        self.child.sendline(text)

    def ends(self, code: int = 0) -> str:
        self.child.expect(pexpect.EOF)
        self.seen += self.child.before
        self.child.close()
        assert self.child.exitstatus == code, self.seen
        assert "Traceback" not in self.seen
        return self.seen


async def on_terminal(
    script: Callable[[Terminal], None], folder: Path, arxiv: str, *args: str, **more: object
) -> str:
    """Go through a dialogue beside the test's servers, and return all that stood on the
    terminal."""

    def go() -> str:
        terminal = Terminal(folder, arxiv, *args, **more)  # type: ignore[arg-type]
        try:
            script(terminal)
            return terminal.seen
        finally:
            terminal.child.close(force=True)

    return await asyncio.to_thread(go)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def run(folder: Path, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    base = {k: v for k, v in os.environ.items() if not k.startswith("DIGEST_")}
    return subprocess.run(
        [*DIGEST, "init", "--no-timer", *args],
        cwd=folder,
        env=base | {"XDG_DATA_HOME": str(folder / "data"), "TZ": "Asia/Tokyo"} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
