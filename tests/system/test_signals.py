"""Stopping: nothing that hangs in the operating system holds the program up."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading

import pytest

from digest.system.signals import Stop, Threads, run_stoppable


def test_a_call_that_hangs_in_a_thread_keeps_no_stop_waiting() -> None:
    """As the look-up of a name does for half a minute and more."""
    release, ended = threading.Event(), threading.Event()

    def hang() -> None:
        release.wait(60)
        ended.set()

    async def work() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.to_thread(hang)

    assert asyncio.run(run_stoppable(work(), Stop())) is None
    assert not ended.is_set(), "it was waited for"
    release.set()


def test_the_program_ends_while_a_call_still_hangs() -> None:
    text = (
        "import asyncio, threading\n"
        "from digest.system.signals import Stop, run_stoppable\n"
        "async def work():\n"
        "    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)\n"
        "    return 'done'\n"
        "print(asyncio.run(run_stoppable(work(), Stop())))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


async def test_what_a_call_gives_or_raises_comes_back() -> None:
    asyncio.get_running_loop().set_default_executor(Threads())
    assert await asyncio.to_thread(int, "7") == 7
    with pytest.raises(ValueError, match="seven"):
        await asyncio.to_thread(int, "seven")
    results = await asyncio.gather(*(asyncio.to_thread(str, n) for n in range(20)))
    assert results == [str(n) for n in range(20)]
