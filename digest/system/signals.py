"""Stopping in good order: the first signal lets the message in flight finish, the second ends all
at once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

GRACE_SECONDS = 10.0
"""How long a message that is being handed over may take to finish after a stop was asked for."""

T = TypeVar("T")


class Threads(ThreadPoolExecutor):
    """Makes each call in a thread that the program does not wait for at its end: nothing can stop a
    call that hangs in the operating system, such as the look-up of a name.
    """

    def submit(self, call: Callable[..., T], /, *args: Any, **named: Any) -> Future[T]:
        """Begin a call."""
        result: Future[T] = Future()

        def work() -> None:
            if not result.set_running_or_notify_cancel():
                return
            try:
                result.set_result(call(*args, **named))
            except BaseException as error:
                result.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return result


class Stop(asyncio.Event):
    """Set when a stop is asked for; and whether a message is being handed over right now."""

    in_flight = False

    async def rest(self, seconds: float) -> None:
        """Sleep for `seconds`, or less where a stop is asked for."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.wait()


async def run_stoppable(
    work: Coroutine[Any, Any, T],
    stop: Stop,
    *,
    on_hangup: Callable[[], None] | None = None,
    grace: float = GRACE_SECONDS,
) -> T | None:
    """Run `work`; SIGTERM and SIGINT ask it to stop, and cancel it `grace` seconds later if a
    message is in flight, at once if none is. A second signal kills the process. None: it was
    stopped.
    """
    loop = asyncio.get_running_loop()
    loop.set_default_executor(Threads())
    task = asyncio.ensure_future(work)

    def on_signal(number: int) -> None:
        if stop.is_set():
            # Without the handler the same signal ends the process at once.
            loop.remove_signal_handler(number)
            os.kill(os.getpid(), number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    if on_hangup is not None:
        loop.add_signal_handler(signal.SIGHUP, on_hangup)
    asked = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            # Work that heeds the stop by itself has a moment to end well.
            await asyncio.wait({task}, timeout=grace if stop.in_flight else 0.2)
        if not task.done():
            task.cancel()
        return await task
    except asyncio.CancelledError:
        return None
    finally:
        asked.cancel()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)
