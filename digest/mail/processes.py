"""The end of a process that the program started."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process


async def wait_until_gone(process: Process) -> None:
    """Wait for a process that was killed, which takes no time, also where the caller is cancelled
    just then, as by a time limit: else its pipes would stay open, and nobody would take note of its
    end.
    """
    gone = asyncio.ensure_future(process.wait())
    try:
        await asyncio.shield(gone)
    except asyncio.CancelledError:
        await gone
        raise
