"""`digest serve`: the web side."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, TypeAlias

import click

from digest.cli.base import Command, Context, pass_context
from digest.errors import ConfigError, TryLaterError, UsageError
from digest.setup.subscribers import apply_naming
from digest.store import Store, open_store
from digest.system.signals import Stop, run_stoppable

LISTEN = "127.0.0.1:8080"

Serve: TypeAlias = Callable[[Stop], Coroutine[Any, Any, None]]
"""Says where it listens, and answers requests until a stop is asked for."""


@click.command(cls=Command, examples=("digest serve --listen 127.0.0.1:8080",))
@click.option(
    "--listen", default=LISTEN, show_default=True, metavar="ADDRESS:PORT", help="Where to listen."
)
@pass_context
def serve(context: Context, listen: str) -> None:
    """Answer on the web: the links in readers' mails, and an archive of what is public.

    Nothing but those links is public until 'public:' in the subscribers file names keywords. It
    speaks plain HTTP, for a web server in front that has a certificate and passes https requests
    on. Each mail holds such a link as soon as DIGEST_BASE_URL is set.
    """
    with open_store(context.settings.db, create=False) as store:
        apply_naming(context.settings, store)
        with open_web(context, store, listen) as serve_until:
            asyncio.run(_serve(serve_until))


async def _serve(serve_until: Serve) -> None:
    stop = Stop()
    # Requests in flight are finished before the server ends, as mail in flight is.
    stop.in_flight = True
    await run_stoppable(serve_until(stop), stop)


@contextlib.contextmanager
def open_web(context: Context, store: Store, listen: str) -> Iterator[Serve]:
    """The web side of an installation, whose address and port are taken from here on.

    Raises UsageError where `listen` names none, TryLaterError where it cannot be listened on,
    ConfigError where the web side is not installed.
    """
    host, port = _address(listen)
    settings = context.settings
    require_web()
    from digest.web.app import make_app, open_site, prepare
    from digest.web.server import make_server, serve_until

    if not settings.base_url:
        context.warn("DIGEST_BASE_URL is not set: no mail leads here yet")
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(contextlib.closing(_socket(host, port)))
        site = stack.enter_context(open_site(settings, store))
        front = make_app(site)
        beside = None
        if settings.metrics:
            beside = stack.enter_context(contextlib.closing(_socket(*_address(settings.metrics))))

        async def answer(stop: Stop) -> None:
            # Not before: whoever reads the line may send a signal, which must find its handler.
            context.echo(
                f"Listening on http://{listen}, for {settings.base_url or 'links to come'}",
                f"Strangers see {site.file.public.words}.",
            )
            serving = [serve_until(make_server(front), listener, stop)]
            if beside:
                from digest.web.metrics import make_watch

                watch = make_watch(site.reading, front.answers, site.clock)
                serving.append(serve_until(make_server(watch), beside, stop))
            preparing = asyncio.create_task(prepare(site))
            try:
                await asyncio.gather(*serving)
            finally:
                preparing.cancel()

        yield answer


def require_web() -> None:
    """Raise ConfigError where the web side is not installed."""
    try:
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the web side needs {error.name}, which is not installed",
            remedy="in the clone: pip install '.[web]'",
        ) from error


@contextlib.asynccontextmanager
async def beside(serve: Serve | None, stop: Stop) -> AsyncIterator[None]:
    """Answer requests beside other work, until that ends; those in flight are finished."""
    serving = asyncio.ensure_future(serve(stop)) if serve else None
    try:
        yield
    finally:
        stop.set()
        if serving:
            await serving


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
