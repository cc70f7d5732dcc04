"""What a check comes to, and how all are made: side by side, each bounded in time, none hiding
another.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from digest.errors import ArxivError, ConfigError, DigestError, Exit, TryLaterError, one_line

SECONDS = 10.0
"""For each check, all of which begin at once."""


class State(StrEnum):
    """How a check ended. SKIP: it could not be made, and says why; that is no judgement."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


class Cause(StrEnum):
    """What a failed check comes from: a setting or file; the network, or what else passes by
    itself; or another.
    """

    CONFIG = "config"
    NETWORK = "network"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's: what was looked at, how it is, what was found, and what to do about
    it.

    `cause` has a meaning for failed checks alone, and decides the exit code.
    """

    name: str
    state: State
    found: str
    remedy: str = ""
    cause: Cause = Cause.CONFIG


Examine = Callable[[], "Check | Sequence[Check]"]


def ok(name: str, found: str) -> Check:
    """All is well."""
    return Check(name, State.OK, found)


def warn(name: str, found: str, remedy: str = "") -> Check:
    """It works, and should be looked at."""
    return Check(name, State.WARN, found, remedy)


def fail(name: str, found: str, remedy: str = "", cause: Cause = Cause.CONFIG) -> Check:
    """It does not work."""
    return Check(name, State.FAIL, found, remedy, cause)


def skip(name: str, why: str) -> Check:
    """It was not looked at."""
    return Check(name, State.SKIP, f"not checked: {why}")


def failed_by(name: str, error: DigestError) -> Check:
    """The check that ended with an error of ours, in its words."""
    if isinstance(error, TryLaterError) or (isinstance(error, ArxivError) and error.transient):
        cause = Cause.NETWORK
    else:
        cause = Cause.CONFIG if isinstance(error, ConfigError) else Cause.OTHER
    return fail(name, error.message, error.remedy, cause)


def run_checks(
    checks: Iterable[tuple[str, Examine]], *, seconds: float = SECONDS
) -> Iterator[Check]:
    """Begin all checks at once, and return what each came to, in their order, as soon as it is
    known.

    One that raises, or has not ended after `seconds`, is a failed check itself. It is left behind
    in a thread that the program does not wait for: nothing can stop a call that hangs in the
    operating system.
    """
    running = [_Running(name, examine) for name, examine in checks]
    deadline = time.monotonic() + seconds
    return (
        check
        for one in running
        for check in one.result(max(0.0, deadline - time.monotonic()), seconds)
    )


class _Running:
    """One check in a thread of its own."""

    def __init__(self, name: str, examine: Examine) -> None:
        self._name, self._examine = name, examine
        self._found: list[Check] = []
        self._ended = threading.Event()
        threading.Thread(target=self._run, name=f"check {name}", daemon=True).start()

    def _run(self) -> None:
        try:
            found = self._examine()
            self._found = [found] if isinstance(found, Check) else list(found)
        except DigestError as error:
            self._found = [failed_by(self._name, error)]
        except Exception as error:  # whatever it is, it must not hide the other checks
            said = one_line(str(error))[:200]
            self._found = [
                fail(
                    self._name,
                    f"the check broke off ({type(error).__name__}: {said})",
                    "",
                    Cause.OTHER,
                )
            ]
        finally:
            self._ended.set()

    def result(self, wait: float, seconds: float) -> list[Check]:
        if self._ended.wait(wait):
            return self._found
        return [fail(self._name, f"no result after {seconds:g} seconds", "", Cause.OTHER)]


def unresolved(host: str) -> str:
    """Why a host has no address, or nothing where it has one.

    For checks to ask in their own thread, before asyncio does: a lookup that hangs in asyncio's
    threads would keep the program from ending.
    """
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError) as error:
        return (getattr(error, "strerror", None) or str(error)).lower()
    return ""


def exit_code(checks: Iterable[Check]) -> Exit:
    """0 without a failed check; 78 where one is about a setting or file; 75 where all are the
    network's; else 1.
    """
    causes = {check.cause for check in checks if check.state is State.FAIL}
    if not causes:
        return Exit.DONE
    if Cause.CONFIG in causes:
        return Exit.CONFIG
    return Exit.TRY_LATER if causes == {Cause.NETWORK} else Exit.GIVEN_UP


def redacted(check: Check, secrets: Iterable[str]) -> Check:
    """The same check without these words in what it says; servers and errors repeat what they were
    given.
    """
    for secret in filter(None, secrets):
        check = replace(
            check,
            found=check.found.replace(secret, "***"),
            remedy=check.remedy.replace(secret, "***"),
        )
    return check
