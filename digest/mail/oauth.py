"""Access tokens for a login by XOAUTH2: a command of the user's prints one, since each provider has
its own way.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import signal

from digest.errors import ConfigError

TIMEOUT = 30.0
"""Seconds that the command may take; it may have to ask the provider for a new token."""

LONGEST_TOKEN = 8192
"""Bytes of a token; one line of AUTH holds 12,288 once it is encoded (RFC 4954 section 4)."""

_TOKEN = re.compile(rb"[\x21-\x7e]+")


class TokenError(Exception):
    """There is no token, said in one line without anything that the command printed.

    `permanent`: trying again in this run cannot help.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


def read_command(text: str) -> tuple[str, ...]:
    """Split a command line as a shell would, without one being run. Raises ConfigError, which does
    not repeat it.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise ConfigError(
            "DIGEST_MAIL_TOKEN_COMMAND cannot be split into words",
            remedy=f"mend its quotes ({error})",
        ) from None
    if not words or "\0" in text:
        raise ConfigError(
            "DIGEST_MAIL_TOKEN_COMMAND names no command", remedy="write a program and its arguments"
        )
    return words


async def fetch_token(
    command: tuple[str, ...],
    *,
    timeout: float = TIMEOUT,  # noqa: ASYNC109
) -> str:
    """Run the command and return the first line that it prints. Raises TokenError.

    What it prints goes nowhere else. After `timeout` seconds, or when cancelled, it is killed with
    all its children.
    """
    # Nothing else of the command is ever said: its arguments may hold secrets.
    name = os.path.basename(command[0])  # noqa: PTH119
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            limit=LONGEST_TOKEN,
        )
    except OSError as error:
        raise TokenError(
            f"the token command {name} cannot be run ({error.strerror})", permanent=True
        ) from None
    try:
        async with asyncio.timeout(timeout):
            line = await _first_line(process)
    except TimeoutError:
        raise TokenError(f"the token command {name} took more than {timeout:g} seconds") from None
    finally:
        # Also when it has ended well: what it left behind would hold the pipe, and has no business
        # any more.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    if process.returncode:
        raise TokenError(f"the token command {name} failed with exit code {process.returncode}")
    token = line.strip()
    if not token:
        raise TokenError(f"the token command {name} printed nothing on its first line")
    if not _TOKEN.fullmatch(token):
        raise TokenError(
            f"what the token command {name} printed on its first line is no token", permanent=True
        )
    return token.decode("ascii")


async def _first_line(process: asyncio.subprocess.Process) -> bytes:
    """The first line of the output, once the command has ended; the rest is read and forgotten."""
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
    except ValueError:
        line = b"\0"  # longer than any token: no token
    # A command whose pipe is full would never end.
    while await process.stdout.read(65536):
        pass
    await process.wait()
    return line
