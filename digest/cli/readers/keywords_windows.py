"""`digest keywords windows` and `accept`: the answers that were not believed, and believing them
after all.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import Command, Context, json_option, now_option, pass_context
from digest.errors import ConfigError, DigestError, QueryError, UsageError
from digest.keywords.grammar import make_keyword
from digest.keywords.words import counted
from digest.model import Keyword, Kind
from digest.setup.parts import clock_at, existing_store, reading_store
from digest.setup.subscribers import place_of_subscribers, read_roster
from digest.subscribers.guesses import nearest
from digest.system.locks import cycle_lock
from digest.times import in_utc, to_text

if TYPE_CHECKING:
    from digest.store.held import BadWindow


@click.command(
    cls=Command,
    examples=(
        "digest keywords windows",
        'digest keywords windows "Reward Model"',
        "digest keywords windows --json",
    ),
)
@click.argument("words", nargs=-1, metavar="[KEYWORD]")
@click.option(
    "--save",
    "saved",
    metavar="NUMBER FILE",
    nargs=2,
    type=(int, str),
    help="Write one answer to a file.",
)
@json_option
@pass_context
def windows(
    context: Context, words: tuple[str, ...], saved: tuple[int, str] | None, as_json: bool
) -> None:
    """List arXiv's answers that were not believed, with the reason; the newest few of each keyword
    are kept.

    Nothing is mailed from them. One that is "held back" was whole, and did not fit the answers
    before it.
    """
    keywords = read_roster(context.settings).keywords
    # Of two names of one query the file's first one counts.
    names = {keyword.query: keyword.name for keyword in reversed(keywords)}
    keyword = find_keyword(context, words) if words else None
    with reading_store(context.settings) as store:
        if saved is not None:
            number, place = saved
            _save(context, number, store.windows.held.raw(number), place)
            return
        kept = store.windows.held.windows()
    chosen = [window for window in kept if keyword is None or window.query == keyword.query]
    value = [_as_json(window, names) for window in chosen]
    context.show(value, _lines(chosen, names), as_json=as_json)


def _lines(chosen: list[BadWindow], names: dict[str, str]) -> Iterator[str]:
    for window in chosen:
        rows = f", {counted(window.fetched, 'row')}" if window.fetched is not None else ""
        state = "held back" if window.held else "refused"
        name = names.get(window.query, window.query)
        yield f"{window.id}  {in_utc(window.at)}  {name}: {state}{rows}"
        yield f"    {window.why} ({counted(window.size, 'byte')} kept)"
    if chosen:
        yield f"'digest keywords windows --save {chosen[0].id} FILE' writes one out."
    else:
        yield "No answer of arXiv's is kept: all were believed."


@click.command(cls=Command, examples=('digest keywords accept "Reward Model"',))
@click.argument("words", nargs=-1, required=True, metavar="KEYWORD")
@now_option
@pass_context
def accept(context: Context, words: tuple[str, ...], now: datetime | None) -> None:
    """Believe the answers of a keyword that is held back: what is new in them comes with the next
    digest.

    Look at them first, with 'digest keywords windows'. The keyword's next answer is compared with
    nothing.
    """
    from digest.run import quarantine

    keyword = find_keyword(context, words)
    with existing_store(context.settings) as store:
        found = store.windows.queries([keyword.query]) if store else []
        if store is None or not found or found[0].quarantined_since is None:
            context.echo(f"{keyword.name} is not held back: there is nothing to accept.")
            return
        with cycle_lock(context.settings.db):
            counts = quarantine.accept(store, found[0], store.runs.check_time(clock_at(now)()))
    news = counts[Kind.NEW] + counts[Kind.LATE]
    revised = f", {counted(counts[Kind.REVISED], 'new version')}" if counts[Kind.REVISED] else ""
    context.echo(
        f"{keyword.name} is believed again: {counted(news, 'new paper')}{revised}"
        " in what was held back."
    )
    context.echo("The next run asks for it at once.")


def find_keyword(context: Context, words: tuple[str, ...]) -> Keyword:
    """A keyword of the subscribers file by its name, or any query by its text. Several words are
    one name.
    """
    text = " ".join(words)
    keywords = read_roster(context.settings).keywords
    try:
        queries = {text, make_keyword(text).query}
    except QueryError:
        queries = {text}
    named = [one for one in keywords if one.name.casefold() == text.casefold()]
    for keyword in named or [one for one in keywords if one.query in queries]:
        return keyword
    near = nearest(text, (one.name for one in keywords))
    remedy = f"did you mean {near}?" if near else "'digest keywords' lists those that it has"
    place = place_of_subscribers(context.settings)
    raise ConfigError(f"{place} has no keyword {text}", remedy=remedy)


def what_to_do(name: str) -> tuple[str, str]:
    """What a person can do about a keyword that is held back, in two lines."""
    typed = shlex.quote(name)
    return (
        f"to see its answers: digest keywords windows {typed}",
        f"to believe them:    digest keywords accept {typed}",
    )


def _as_json(window: BadWindow, names: dict[str, str]) -> dict[str, Any]:
    return {
        "id": window.id,
        "keyword": names.get(window.query),
        "query": window.query,
        "at": to_text(window.at),
        "status": "quarantined" if window.held else "failed",
        "why": window.why,
        "fetched": window.fetched,
        "bytes": window.size,
    }


def _save(context: Context, number: int, raw: bytes | None, place: str) -> None:
    """Write an answer as it came; a file that is there already is not overwritten."""
    if raw is None:
        raise UsageError(
            f"no answer {number} is kept", remedy="'digest keywords windows' lists them"
        )
    if place == "-":
        sys.stdout.buffer.write(raw)
        return
    try:
        with Path(place).open("xb") as file:
            file.write(raw)
    except FileExistsError as error:
        raise UsageError(f"{place} is there already", remedy="name another file") from error
    except OSError as error:
        raise DigestError(
            f"{place} cannot be written ({error.strerror})", remedy="name another file"
        ) from error
    context.echo(f"{place}: {counted(len(raw), 'byte')} as they came.")
