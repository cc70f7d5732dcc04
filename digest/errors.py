"""Errors a person may meet: each says what was wrong and where, what to do, and how the program
exits; and the form of a text that fits into such a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from digest.model import Paper


class Exit(IntEnum):
    """Exit codes; 75 and 78 are EX_TEMPFAIL and EX_CONFIG of sysexits.h."""

    DONE = 0
    GIVEN_UP = 1
    USAGE = 2
    TRY_LATER = 75
    CONFIG = 78


class DigestError(Exception):
    """What went wrong and where, in one line; `remedy` is what the person can do about it."""

    exit_code: Exit = Exit.GIVEN_UP

    def __init__(self, message: str, *, remedy: str = "") -> None:
        # Whatever is read from settings may hold a password, and messages reach logs and databases.
        self.message, self.remedy = masked(message), masked(remedy)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}: {self.remedy}" if self.remedy else self.message


class UsageError(DigestError):
    """The command line asks for something that cannot be."""

    exit_code = Exit.USAGE


class ConfigError(DigestError):
    """A setting or a file is missing, wrong, or belongs to somebody else."""

    exit_code = Exit.CONFIG


class QueryError(UsageError):
    """A keyword that cannot be read; `position` is the 0-based character of `text` at fault."""

    def __init__(self, message: str, *, text: str, position: int, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.text = text
        self.position = position


class TryLaterError(DigestError):
    """Nothing is wrong here, but not now: another cycle is at work, or there is no network."""

    exit_code = Exit.TRY_LATER


class ClockError(TryLaterError):
    """The machine's clock is wrong, or it cannot be told whether it is right. `off`: how far the
    Date of arXiv's answer lies behind it, or before it where less than nothing.
    """

    off: timedelta | None = None


class StoreError(ConfigError):
    """The database is locked, unwritable, damaged, foreign, or from a newer version."""


class DamagedError(StoreError):
    """The file is damaged, or no database."""


class ArxivError(DigestError):
    """An answer of arXiv's that is not a whole and sane window.

    `transient`: asking again may help. `throttled`: arXiv asks us to slow down. `unreachable`: no
    answer came at all. `retry_after`: the pause that arXiv asked for. `body`: the bytes that were
    refused, for inspection. `requests`: how many requests were made in all.
    """

    requests = 0
    throttled = False
    unreachable = False

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        transient: bool = True,
        retry_after: timedelta | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.transient = transient
        self.retry_after = retry_after
        self.body = body

    def __copy__(self) -> Self:
        # Exception's own way calls __init__ with the message alone, which DoubtfulError refuses.
        twin = type(self).__new__(type(self), *self.args)
        twin.__dict__.update(self.__dict__)
        return twin


class ThrottledError(ArxivError):
    """ArXiv asks us to slow down."""

    throttled = True


class UnreachableError(ArxivError):
    """No answer came at all."""

    unreachable = True


class DoubtfulError(ArxivError):
    """A whole answer that is not to be believed; `papers` are its rows as they were served.

    `ordered`: they stand in the order that was asked for, and only do not fit what came before.
    """

    def __init__(
        self, message: str, papers: tuple[Paper, ...], *, ordered: bool, body: bytes = b""
    ) -> None:
        super().__init__(message, body=body)
        self.papers = papers
        self.ordered = ordered


def one_line(text: str) -> str:
    """A text without line breaks and repeated blanks, as messages and logs want it.

    Stricter ones: `arxiv.documents.plain_text` for what arXiv sends, `mail.message.header_text` for
    headers, `rendering.texts.printable_line` for what people see,
    `rendering.page.cells.without_controls` for the page.
    """
    return " ".join(text.split())


MASK = "***"
# A port is no password; who is named without one, to a web server, is a token.
_LOGIN = re.compile(
    r"(//[^/:@\s]*):(?!\d+(?:[/?#\s]|$))\S*@|(?:(?<=http://)|(?<=https://))[^/:@\s?#]+@",
    re.IGNORECASE,
)
_PARAMETER = re.compile(
    r"([?&;](?:[\w-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|signature)"
    r"|pass|pwd|pw|key|auth|sig)=)[^&;\s#'\"]+",
    re.IGNORECASE,
)


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """A text that may be printed: without these secrets, and without the passwords that stand in
    URLs, before the host or as a parameter.
    """
    # The longer first, since one may be a part of the other.
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    text = _LOGIN.sub(lambda found: f"{found[1]}:{MASK}@" if found[1] else f"{MASK}@", text)
    return _PARAMETER.sub(rf"\1{MASK}", text)
