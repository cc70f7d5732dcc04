"""How fast mail leaves, as a ratio to Postfix's C program smtp-source in the same run, both into
smtp-sink on loopback.

Run it from a checkout, with Postfix's smtp-sink and smtp-source there: python -m bench.delivering
[MESSAGES]

"connection" is the SMTP side alone; "outbox" is the whole delivering step with a database on the
disk: claim, "in data", settle, each committed before the work goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from digest.mail.connection import Account
from digest.mail.message import Message
from digest.mail.server import Server
from digest.mail.smtp import SmtpTransport
from digest.model import Outcome
from digest.run.compose import compose_due
from digest.run.deliver import deliver
from digest.run.fetch import fetch_due
from tests.world.smtp_server import make_message
from tests.world.worlds import MONDAY, World, eprint, reader

SIZE = 40_000
"""Bytes of a message, about those of a digest with twenty abstracts."""


@contextlib.contextmanager
def sink() -> Iterator[int]:
    """Postfix's smtp-sink on a free port of the loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen(
        ["smtp-sink", *user, f"127.0.0.1:{port}", "100"], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def yardstick(port: int, sessions: int, count: int) -> float:
    """Messages a second of smtp-source, which keeps each connection for all its messages."""
    command = f"smtp-source -d -s {sessions} -l {SIZE} -m {count} 127.0.0.1:{port}"
    begin = time.perf_counter()
    subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL)
    return count / (time.perf_counter() - begin)


def transport(port: int, connections: int) -> SmtpTransport:
    return SmtpTransport(Account(Server("smtp", "127.0.0.1", port, "none")), connections)


async def connection(port: int, connections: int, count: int) -> float:
    """Messages a second over so many connections, without a database."""
    sample = make_message()
    filler = b"x" * 70 + b"\r\n"
    data = sample.data + filler * ((SIZE - len(sample.data)) // len(filler))
    message = Message(sample.sender, sample.recipient, sample.message_id, data)
    way = transport(port, connections)
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            assert (await way.send(message, lambda: None)).outcome is Outcome.SENT

    begin = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    took = time.perf_counter() - begin
    await way.close()
    return count / took


async def outbox(port: int, connections: int, count: int) -> float:
    """Messages a second through the outbox of a real database, committed to the disk."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder) / "digest.db")
        world.database.value("PRAGMA synchronous = FULL")
        world.readers = [reader(f"r{n}@example.org", "Alpha") for n in range(count)]
        world.arxiv.announce(
            "Alpha", *(eprint(n, abstract="A word or two. " * 50) for n in range(1, 18))
        )
        way = transport(port, connections)
        parts = world.parts(transport=way)
        run = world.store.runs.begin(MONDAY)
        world.store.subscribers.sync(world.roster, MONDAY)
        await fetch_due(parts, parts.sources, world.roster, run)
        composed, _ = await compose_due(parts.composer, world.roster, MONDAY, world.stop)
        begin = time.perf_counter()
        done = await deliver(parts, parts.mailer)
        took = time.perf_counter() - begin
        assert done.outcomes[Outcome.SENT] == composed == count
        await way.close()
        world.close()
    return count / took


def main() -> None:
    """Measure all in turn, and print a line for each number of connections."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    if shutil.which("smtp-sink") is None or shutil.which("smtp-source") is None:
        sys.exit("there is no smtp-sink or smtp-source here: they come with Postfix")
    with sink() as port:
        for connections in (1, 4):
            source = yardstick(port, connections, count)
            bare = asyncio.run(connection(port, connections, count))
            whole = asyncio.run(outbox(port, connections, count))
            print(
                f"{connections} connection{'s' if connections > 1 else ' '}: smtp-source "
                f"{source:6.0f}/s,"
                f" connection {bare:5.0f}/s (ratio {bare / source:.2f}),"
                f" outbox {whole:5.0f}/s (ratio {whole / source:.2f})"
            )


if __name__ == "__main__":
    main()
