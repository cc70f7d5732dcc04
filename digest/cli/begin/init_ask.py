"""Questions on a terminal: one at a time, with a default in brackets, asked again until the answer
can be used.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

import click

from digest.cli.mistakes import explain
from digest.errors import DigestError, UsageError
from digest.rules.schedule import parse_zone
from digest.subscribers.addresses import normal_email

T = TypeVar("T")


def ask(question: str, check: Callable[[str], T], *, default: str | None = None) -> T:
    """Ask until `check` takes the answer; what it raises is shown. An empty answer is the default.

    Without a default an answer is needed; with an empty one none is.
    """
    while True:
        answer: str = click.prompt(question, default=default, show_default=bool(default))
        try:
            return check(answer.strip())
        except DigestError as error:
            click.echo(f"  {explain(error)[0]}")


def ask_secret(question: str, check: Callable[[str], object]) -> str:
    """Ask for what nobody should see, until `check` takes it; it is not echoed."""
    while True:
        answer: str = click.prompt(f"{question} (it is not shown)", hide_input=True)
        secret = answer.strip("\r\n")
        try:
            check(secret)
            return secret
        except DigestError as error:
            click.echo(f"  {explain(error)[0]}")


def one_of(names: Iterable[str]) -> Callable[[str], str]:
    """A check for one of some words, or the beginning of just one; a slip is answered with the
    nearest.
    """
    known = list(names)

    def check(answer: str) -> str:
        word = answer.casefold()
        same = [name for name in known if name == word]
        found = same or [name for name in known if word and name.startswith(word)]
        if len(found) == 1:
            return found[0]
        near = difflib.get_close_matches(word, known, n=1)
        raise UsageError(
            f"{answer!r} is none of these",
            remedy=f"did you mean {near[0]}?" if near else f"write {', '.join(known)}",
        )

    return check


def address(answer: str) -> str:
    """A mail address in the form in which it is stored."""
    try:
        return normal_email(answer)
    except ValueError as error:
        raise UsageError(f"{answer!r} is no mail address", remedy=str(error).rstrip(".")) from error


def hour(answer: str) -> str:
    """A time of day as HH:MM; `none` is nothing. `7`, `7am` and `7.30` are understood."""
    text = answer.casefold()
    if text == "none":
        return ""
    found = re.fullmatch(r"(\d?\d)(?:[:.h](\d\d))?\s*([ap]m)?", text)
    if found:
        # With am or pm, 12 stands for 0; without, an hour counts from midnight.
        hours, minutes = int(found[1]), int(found[2] or 0)
        fits = 1 <= hours <= 12 if found[3] else hours < 24
        hours = hours % 12 + 12 * (found[3] == "pm") if found[3] else hours
        if fits and minutes < 60:
            return f"{hours:02}:{minutes:02}"
    raise UsageError(
        f"{answer!r} is no time of day", remedy="write hours and minutes, such as 07:00, or none"
    )


def zone(answer: str) -> str:
    """The name of a time zone."""
    return parse_zone(answer).key
