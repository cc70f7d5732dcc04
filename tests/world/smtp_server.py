"""An SMTP server inside the test's own loop, whose answer at each stage is scripted."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

import pytest

from digest.mail.body import freeze
from digest.mail.message import Message, Sender, assemble
from digest.model import Outgoing, Rendered


class Act(Enum):
    """What a server may do instead of answering."""

    DROP = "drop"
    HANG = "hang"


Answer = str | Act | None
Script = Mapping[str, "Answer | Sequence[Answer] | Callable[[str], Answer]"]

STAGES = ("connect", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "message", "QUIT")
ANSWERS = {
    "connect": "220 mail.example.org ESMTP",
    "STARTTLS": "220 2.0.0 Go ahead",
    "AUTH": "235 2.7.0 Welcome",
    "DATA": "354 Send it",
    "message": "250 2.0.0 Queued as 7",
    "QUIT": "221 2.0.0 Bye",
}


MOST = 10_485_760
"""Octets of a message at most."""


@dataclass(frozen=True)
class Taken:
    """A message that the server got whole, whatever it answered."""

    sender: str
    recipient: str
    data: bytes


@dataclass
class SmtpServer:
    """Answers by `script`: for a stage (a command's verb, `connect`, or `message` for the final
    dot) an answer, a list with one answer a time (then the usual one), or a function of the
    command's line.
    """

    script: Script
    extensions: Sequence[str] = ("8BITMIME", "SMTPUTF8", f"SIZE {MOST}")
    tls: ssl.SSLContext | None = None
    port: int = 0
    connections: int = 0
    commands: list[str] = field(default_factory=list)
    messages: list[Taken] = field(default_factory=list)
    _times: dict[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def verbs(self) -> list[str]:
        """The commands that came, without what followed them."""
        return [command.split(" ")[0] for command in self.commands]

    def answer(self, stage: str, line: str = "") -> Answer:
        self._times[stage] = time = self._times.get(stage, 0) + 1
        chosen = self.script.get(stage)
        if callable(chosen):
            chosen = chosen(line)
        elif isinstance(chosen, list | tuple):
            chosen = chosen[time - 1] if time <= len(chosen) else None
        if chosen is not None:
            assert isinstance(chosen, str | Act)
            return chosen
        if stage == "EHLO":
            lines = ["mail.example.org", *self.extensions]
            return "\r\n".join(f"250{' ' if line is lines[-1] else '-'}{line}" for line in lines)
        return ANSWERS.get(stage, "250 2.0.0 Ok")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await self._converse(reader, writer)
        writer.close()

    async def _say(self, writer: asyncio.StreamWriter, stage: str, line: str = "") -> bool:
        answer = self.answer(stage, line)
        if answer is Act.DROP:
            return False
        if answer is Act.HANG:
            await asyncio.Event().wait()
        writer.write(f"{answer}\r\n".encode())
        await writer.drain()
        return not str(answer).startswith("421")

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender = recipient = ""
        if not await self._say(writer, "connect"):
            return
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.commands.append(line)
            verb = line.split(" ")[0].upper()
            if verb == "MAIL":
                sender = line.partition("<")[2].rpartition(">")[0]
            if verb == "RCPT":
                recipient = line.partition("<")[2].rpartition(">")[0]
            answer = self.answer(verb, line) if verb == "DATA" else ""
            if verb == "DATA" and isinstance(answer, str):
                writer.write(f"{answer}\r\n".encode())
                if answer.startswith("354"):
                    data = await reader.readuntil(b"\r\n.\r\n")
                    self.messages.append(
                        Taken(sender, recipient, data[:-3].replace(b"\r\n..", b"\r\n."))
                    )
                    verb = "message"
                else:
                    continue
            elif verb == "DATA":
                self._times["DATA"] -= 1
            if not await self._say(writer, verb, line) or verb == "QUIT":
                return
            if verb == "STARTTLS" and self.tls is not None:
                await writer.start_tls(self.tls)


@asynccontextmanager
async def smtp_server(
    script: Script | None = None,
    *,
    extensions: Sequence[str] | None = None,
    tls: ssl.SSLContext | None = None,
    tls_from_start: bool = False,
) -> AsyncIterator[SmtpServer]:
    """Serve on a free port of the loopback until the block ends."""
    server = SmtpServer(script or {}, tls=tls)
    if extensions is not None:
        server.extensions = extensions
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):
            await server.serve(reader, writer)
        writer.close()

    listener = await asyncio.start_server(
        serve, "127.0.0.1", 0, ssl=tls if tls_from_start else None, limit=MOST
    )
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


def make_certificate(
    folder: Path, names: str = "DNS:localhost,IP:127.0.0.1"
) -> tuple[Path, ssl.SSLContext]:
    """Make a self-signed certificate: the file by which clients can trust it, and the server's
    context."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not here to make a certificate with")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "
        "/CN=test"
        f" -keyout {key} -out {certificate} -addext subjectAltName={names}"
        " -addext keyUsage=critical,digitalSignature,keyCertSign"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


BODY = freeze(
    Rendered(
        subject="",
        text="Grüße.\n.a line that begins with a dot\nMARK\nGoodbye.\n",
        html="<p>Grüße.</p>\n<p>\nMARK\n</p>\n",
        mark="MARK",
    )
)


def make_message(address: str = "ada@example.org", unique: str = "1", name: str = "Ada") -> Message:
    """A whole message to one reader; `unique` makes its Message-ID."""
    outgoing = Outgoing(
        id=1,
        attempt=1,
        address=address,
        name=name,
        message_id=f"<{unique}@example.org>",
        date=datetime(2026, 11, 23, 7, tzinfo=UTC),
        subject="3 new papers",
        pieces=BODY,
    )
    return assemble(outgoing, Sender("Daily Papers <papers@example.org>"))
