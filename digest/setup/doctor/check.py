"""Checks and their findings, and how all are made: side by side, each bounded in time, none hiding
another.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from digest.errors import (
    ArxivError,
    ConfigError,
    DigestError,
    Exit,
    TryLaterError,
    masked,
    one_line,
)
from digest.system.signals import Threads

SECONDS = 10.0
"""For each check, all of which begin at once."""


class Level(StrEnum):
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


class UncheckedError(Exception):
    """A check cannot be made, which is nobody's fault; the text says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's: how something is, what was found, and what to do about it.

    `cause` has a meaning for what failed alone, and decides the exit code. `name` is that of the
    check, where it is left empty.
    """

    level: Level
    found: str
    remedy: str = ""
    cause: Cause = Cause.CONFIG
    name: str = ""


def ok(found: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, found)


def warn(found: str, remedy: str = "") -> Finding:
    """It works, and should be looked at."""
    return Finding(Level.WARN, found, remedy)


def fail(found: str, remedy: str = "", cause: Cause = Cause.CONFIG) -> Finding:
    """It does not work."""
    return Finding(Level.FAIL, found, remedy, cause)


def skip(why: str, name: str = "") -> Finding:
    """It was not looked at."""
    return Finding(Level.SKIP, f"not checked: {why}", name=name)


def first(*cases: tuple[object, Finding]) -> Finding:
    """The finding of the first case that applies; the last one always should.

    All are made before one is chosen, so the words of each must be fit for any facts.
    """
    return next(finding for applies, finding in cases if applies)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at; several findings of it are several lines.

    It is left out unless `wanted`, and skipped while a setting is wrong whose name begins with one
    of `needs`; `consequence` is what the line then says of that.
    """

    name: str
    examine: Callable[[], Finding | Iterable[Finding]]
    needs: tuple[str, ...] = ()
    wanted: object = True
    consequence: str = ""

    def findings(self, wrong: Iterable[str]) -> list[Finding]:
        """What the check comes to. Whatever it raises is a finding, so that it hides no other's."""
        try:
            for setting in wrong:
                if setting.startswith(self.needs):
                    raise UncheckedError(f"{setting} is wrong{self.consequence}")
            result = self.examine()
            found = [result] if isinstance(result, Finding) else list(result)
        except UncheckedError as error:
            found = [skip(str(error))]
        except DigestError as error:
            found = [fail(error.message, error.remedy, _cause(error))]
        except Exception as error:  # a fault of ours in one check
            said = one_line(str(error))[:200]
            broken = f"the check broke off ({type(error).__name__}: {said})"
            found = [fail(broken, "", Cause.OTHER)]
        return [replace(finding, name=finding.name or self.name) for finding in found]


def _cause(error: DigestError) -> Cause:
    if isinstance(error, TryLaterError) or (isinstance(error, ArxivError) and error.transient):
        return Cause.NETWORK
    return Cause.CONFIG if isinstance(error, ConfigError) else Cause.OTHER


def run_checks(
    checks: Iterable[Check], wrong: Iterable[str] = (), *, seconds: float = SECONDS
) -> Iterator[Finding]:
    """Begin all checks at once, and yield what each finds, in their order, as soon as it is known.

    `wrong` are the settings that are. A check that has not ended after `seconds` has failed. It is
    left behind in a thread that the program does not wait for: nothing can stop a call that hangs
    in the operating system.
    """
    # docs/decisions.md: Doctor's checks run in threads that may be left behind.
    threads, known = Threads(), tuple(wrong)
    running = [(each, threads.submit(each.findings, known)) for each in checks if each.wanted]
    deadline = time.monotonic() + seconds
    for check, result in running:
        try:
            yield from result.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            late = fail(f"no result after {seconds:g} seconds", "", Cause.OTHER)
            yield replace(late, name=check.name)


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


def must_resolve(host: str, remedy: str, *, place: str = "") -> None:
    """Raise TryLaterError where a host has no address; `place` is what the line begins with."""
    if why := unresolved(host):
        raise TryLaterError(f"{place}{host} is not found ({why})", remedy=remedy)


def exit_code(findings: Iterable[Finding]) -> Exit:
    """0 where nothing failed; 78 where a failure is about a setting or file; 75 where all are the
    network's; else 1.
    """
    causes = {finding.cause for finding in findings if finding.level is Level.FAIL}
    if not causes:
        return Exit.DONE
    # Settings and files first: what else failed may follow from them.
    if Cause.CONFIG in causes:
        return Exit.CONFIG
    return Exit.TRY_LATER if causes == {Cause.NETWORK} else Exit.GIVEN_UP


def redacted(finding: Finding, secrets: Iterable[str]) -> Finding:
    """The same finding without these words in what it says; servers and errors repeat what they
    were given.
    """
    found, remedy = masked(finding.found, secrets), masked(finding.remedy, secrets)
    return replace(finding, found=found, remedy=remedy)
