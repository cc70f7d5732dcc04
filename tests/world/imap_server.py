"""An IMAP server on the loopback that knows as much as Digest asks, and answers what a test
wants.
"""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from digest.mail.mailbox import MailboxLocation

Answer = bytes | Callable[[bytes], Iterable[bytes]]
"""Bytes, in which TAG stands for the command's tag; or what makes a sequence of them of the
command's line, such as one that never ends."""


@dataclass
class ImapServer:
    """Its mailbox, and what it answers to a command in another way than servers do: by the name of
    the command, GREETING for the first line. An empty answer closes the connection, and so does one
    to a command that `closes` names."""

    messages: dict[int, bytes] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    closes: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)
    tls: ssl.SSLContext | None = None
    port: int = 0

    @property
    def place(self) -> MailboxLocation:
        return MailboxLocation("127.0.0.1", self.port, "bounces", "INBOX", "none")

    @property
    def url(self) -> str:
        return f"imap://bounces@127.0.0.1:{self.port}"

    def drip(self, _line: bytes) -> Iterator[bytes]:
        """One octet every two seconds."""
        yield b"*"
        while not self.ending.wait(2):
            yield b" "

    def hang(self, _line: bytes) -> Iterator[bytes]:
        """Nothing at all."""
        self.ending.wait()
        yield b""

    def answer(self, name: str, line: bytes) -> Iterable[bytes]:
        """What is sent for one command."""
        self.asked.append(name)
        answer = self.answers.get(name)
        if answer is None:
            return [self._usual(name, line)]
        if isinstance(answer, bytes):
            return [answer.replace(b"TAG", line.split(b" ", 1)[0])]
        return answer(line)

    def _usual(self, name: str, line: bytes) -> bytes:
        tag = line.split(b" ", 1)[0]
        numbers = sorted(self.messages)
        if name == "FETCH":
            uid = int(line.split()[3])
            raw = self.messages[uid]
            if b"RFC822.SIZE" in line:
                return b"* 1 FETCH (UID %d RFC822.SIZE %d)\r\n%s OK done\r\n" % (uid, len(raw), tag)
            found = b"* 1 FETCH (UID %d BODY[]<0> {%d}\r\n%s)\r\n" % (uid, len(raw), raw)
        else:
            found = {
                "GREETING": b"* OK ready\r\n",
                "CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n",
                "SELECT": b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n"
                b"* OK [PERMANENTFLAGS (\\Seen \\*)] flags\r\n" % len(numbers),
                "SEARCH": b"* SEARCH %s\r\n" % " ".join(map(str, numbers)).encode(),
                "LOGOUT": b"* BYE\r\n",
            }.get(name, b"")
        return found if name == "GREETING" else found + b"%s OK done\r\n" % tag


@contextmanager
def imap_server(
    messages: dict[int, bytes] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    port: int = 0,
    **answers: Answer,
) -> Iterator[ImapServer]:
    """Run such a server, on a port of its own where none is given."""
    server = ImapServer(messages or {}, answers, tls=tls)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                if not self.send("GREETING", b""):
                    return
                while line := self.rfile.readline():
                    words = line.split()
                    name = next((w for w in words[1:] if w.upper() != b"UID"), b"?").upper()
                    if not self.send(name.decode("latin-1"), line):
                        return
                    if name == b"STARTTLS" and server.tls is not None:
                        self.request = server.tls.wrap_socket(self.request, server_side=True)
                        self.setup()

        def finish(self) -> None:
            super().finish()
            # One that was encrypted stands in the place of the server's own.
            self.request.close()

        def send(self, name: str, line: bytes) -> bool:
            sent = False
            for chunk in server.answer(name, line):
                self.wfile.write(chunk)
                sent = sent or bool(chunk)
            return sent and name not in server.closes

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_args: object) -> None:
            """A client that has gone is no error."""

    with Server(("127.0.0.1", port), Handler) as listening:
        server.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.ending.set()
            listening.shutdown()
            thread.join()
