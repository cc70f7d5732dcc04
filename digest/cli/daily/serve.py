"""`digest serve`: the web side, by which readers leave with one click."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from digest.cli.base import Command, Context, pass_context
from digest.errors import ConfigError, TryLaterError, UsageError
from digest.mail.reader_tokens import Purpose, Signer
from digest.model import Standing
from digest.setup.mail import make_signer
from digest.setup.parts import machine_now
from digest.setup.subscribers import apply_naming
from digest.store import Store, open_store
from digest.system.signals import Stop, run_stoppable
from digest.web.pages import Deed

if TYPE_CHECKING:
    from digest.web.server import Server

log = logging.getLogger(__name__)

LISTEN = "127.0.0.1:8080"
SECONDS = 2.0
"""How long a page waits for the database."""


@click.command(cls=Command, examples=("digest serve --listen 127.0.0.1:8080",))
@click.option(
    "--listen", default=LISTEN, show_default=True, metavar="ADDRESS:PORT", help="Where to listen."
)
@pass_context
def serve(context: Context, listen: str) -> None:
    """Answer the links by which readers leave: DIGEST_BASE_URL/u/….

    It speaks plain HTTP, for a web server in front that has a certificate and passes https requests
    on. Each mail holds such a link as soon as DIGEST_BASE_URL is set.
    """
    host, port = _address(listen)
    settings = context.settings
    if not settings.base_url:
        context.warn("DIGEST_BASE_URL is not set: no mail leads here yet")
    with (
        open_store(settings.db, create=False) as store,
        contextlib.closing(_socket(host, port)) as listener,
    ):
        apply_naming(settings, store)
        with contextlib.closing(_Desk(settings.db, make_signer(store, settings.secret))) as desk:
            server = _server(desk, prefix=urlsplit(settings.base_url).path)
            greeting = f"Listening on http://{listen}, for {settings.base_url or 'links to come'}"
            asyncio.run(_serve(server, listener, lambda: context.echo(greeting)))


class _Desk:
    """Does what the pages ask for, in a thread of its own: a database that is locked keeps nobody
    else waiting.
    """

    def __init__(self, path: Path, signer: Signer) -> None:
        self._path, self._signer = path, signer
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._opened: Store | None = None

    async def act(self, deed: Deed, token: str) -> Standing | None:
        """Do a deed to the reader of a token; returns how the reader stands then, or None where it
        is nobody's. Raises TryLaterError where that takes too long.
        """
        reader = self._signer.number(Purpose.LEAVE, token)
        if reader is None:
            log.info("a link that leads nowhere")
            return None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(SECONDS):
                return await loop.run_in_executor(self._thread, self._do, deed, reader)
        except TimeoutError as error:
            raise TryLaterError("the database gave no answer in time") from error

    def _do(self, deed: Deed, reader: int) -> Standing | None:
        suppressions, now = self._store().suppressions, machine_now()
        if deed is Deed.ONE_CLICK:
            suppressions.unsubscribe(reader, "by the link in a mail", now)
        elif deed is Deed.LEAVE:
            suppressions.leave_by_button(reader, now)
        elif deed is Deed.UNDO:
            suppressions.undo(reader, now)
        standing = suppressions.standing(reader, now)
        if deed is not Deed.LOOK:
            address = self._store().inbox.address_of(reader)
            became = "subscribed" if standing is Standing.READS else "unsubscribed"
            log.info("%s: %s", address, became)
        return standing

    def _store(self) -> Store:
        # SQLite's connections belong to the thread that opened them.
        if self._opened is None:
            self._opened = open_store(self._path, create=False, busy_seconds=SECONDS)
        return self._opened

    def close(self) -> None:
        """End the thread, and the work that waits for it."""
        if self._opened is not None:
            self._thread.submit(self._opened.close)
        self._thread.shutdown()


def _server(desk: _Desk, *, prefix: str) -> Server:
    try:
        from digest.web.app import make_app
        from digest.web.server import make_server
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the web side needs {error.name}, which is not installed",
            remedy="in the clone: pip install '.[web]'",
        ) from error
    return make_server(make_app(desk.act, prefix=prefix))


async def _serve(server: Server, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until a signal asks for a stop."""
    stop = Stop()

    async def serve_until_stopped() -> None:
        # Not before: whoever reads the line may send a signal, which must find its handler.
        ready()
        stopping = asyncio.ensure_future(stop.wait())
        stopping.add_done_callback(lambda _: setattr(server, "should_exit", True))
        await server.serve(sockets=[listener])
        stopping.cancel()

    # Requests in flight are finished before the server ends, as mail in flight is.
    stop.in_flight = True
    await run_stoppable(serve_until_stopped(), stop)


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    with contextlib.suppress(ValueError):
        if 0 < int(port) < 65536 and ipaddress.ip_address(
            "127.0.0.1" if host == "localhost" else host
        ):
            return host, int(port)
    raise UsageError(f"--listen {listen!r} is no address and port", remedy=f"write it as {LISTEN}")


def _socket(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except OSError as error:
        raise TryLaterError(
            f"{host}:{port} cannot be listened on ({error.strerror})",
            remedy="name another with --listen",
        ) from error
