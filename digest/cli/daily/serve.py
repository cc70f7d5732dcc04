"""`digest serve`: the web side, by which readers leave with one click."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import click

from digest.cli.base import Command, Context, pass_context
from digest.errors import ConfigError, TryLaterError, UsageError
from digest.mail.reader_tokens import Purpose, Signer
from digest.setup.mail import make_signer
from digest.setup.parts import machine_now
from digest.setup.subscribers import apply_naming
from digest.store import Store, open_store
from digest.system.signals import Stop, run_stoppable

log = logging.getLogger(__name__)

LISTEN = "127.0.0.1:8080"


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
        signer = make_signer(store, settings.secret)
        application = _application(store, signer, prefix=urlsplit(settings.base_url).path)
        greeting = f"Listening on http://{listen}, for {settings.base_url or 'links to come'}"
        asyncio.run(_serve(application, listener, lambda: context.echo(greeting)))


def _application(store: Store, signer: Signer, *, prefix: str) -> Any:
    try:
        from digest.web.app import make_app
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the web side needs {error.name}, which is not installed",
            remedy="in the clone: pip install '.[web]'",
        ) from error

    def known(token: str) -> bool:
        reader = signer.number(Purpose.LEAVE, token)
        return reader is not None and store.inbox.address_of(reader) is not None

    def leave(token: str) -> bool:
        reader = signer.number(Purpose.LEAVE, token)
        address = None
        if reader is not None:
            address = store.suppressions.unsubscribe(reader, "by the link in a mail", machine_now())
        log.info("%s", f"{address}: unsubscribed" if address else "a link that leads nowhere")
        return address is not None

    return make_app(known, leave, prefix=prefix)


async def _serve(application: Any, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until a signal asks for a stop. Requests are not logged: their paths are secrets."""
    import uvicorn

    class Server(uvicorn.Server):
        """Leaves signals to `run_stoppable`, as all commands that stay do."""

        @contextlib.contextmanager
        def capture_signals(self) -> Any:
            yield

    config = uvicorn.Config(
        application,
        access_log=False,
        log_config=None,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server, stop = Server(config), Stop()

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
