"""`digest keywords`: the names and groups in the file, and answers of arXiv's that were not
believed.
"""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from digest.cli.base import (
    Command,
    Context,
    ListingGroup,
    edited,
    json_option,
    now_option,
    pass_context,
    warn_of_mistakes,
)
from digest.cli.readers.describe import keyword_line
from digest.cli.readers.keywords_check import check, match_option
from digest.cli.readers.own_words import having, remove_from_entries, rename_in_entries
from digest.errors import ConfigError, DigestError, QueryError, UsageError
from digest.keywords.grammar import make_keyword
from digest.keywords.lint import warnings
from digest.keywords.words import counted
from digest.model import Keyword, Kind, Rule
from digest.setup.clock import check_ahead, store_clock
from digest.setup.parts import existing_store, reading_store
from digest.setup.subscribers import place_of_subscribers, read_roster, subscribers_file
from digest.store.held import BadWindow
from digest.subscribers.edit_keywords import (
    add_keyword,
    list_groups,
    remove_keyword,
    rename_keyword,
    set_group,
    set_keyword,
)
from digest.subscribers.guesses import nearest
from digest.subscribers.transaction import Edit
from digest.system.locks import cycle_lock
from digest.times import in_utc, to_text


@click.group(cls=ListingGroup)
@json_option
@click.pass_context
def keywords(ctx: click.Context, as_json: bool) -> None:
    """List keywords and groups, check one before it is used, or name, set and remove them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_, as_json=as_json)


keywords.add_command(check)


class TwoTexts(Command):
    """A command whose two texts cannot be told apart where one of several words lacks its
    quotes.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Say what to do about a word too many."""
        words = " ".join(args)  # click takes them out of the list
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if "unexpected extra argument" not in error.message:
                raise
            remedy = "put a name or a query of several words in quotes"
            raise UsageError(f"{words} is more than two texts", remedy=remedy) from error


@keywords.command("list", cls=Command, examples=("digest keywords list",))
@json_option
@pass_context
def list_(context: Context, as_json: bool) -> None:
    """List the keywords."""
    roster = read_roster(context.settings)
    readers = Counter(k.query for reader in roster.subscribers for k in reader.keywords)
    value = [
        {"name": k.name, "query": k.query, "rule": str(k.rule), "readers": readers[k.query]}
        for k in roster.keywords
    ]
    none = f"{place_of_subscribers(context.settings)} holds no keyword yet."
    lines = (f"{keyword_line(k)}  ({counted(readers[k.query], 'reader')})" for k in roster.keywords)
    context.show(value, lines if roster.keywords else [none], as_json=as_json)
    warn_of_mistakes(context, roster.mistakes)


@keywords.command(
    cls=TwoTexts,
    examples=(
        "digest keywords add Agents 'ti:agent* AND cat:cs.AI'",
        'digest keywords add "scaling law" --match title',
    ),
)
@click.argument("name")
@click.argument("query", required=False)
@match_option
@pass_context
def add(context: Context, name: str, query: str | None, match: str | None) -> None:
    """Give a query a name in the subscribers file; without QUERY the name itself is searched
    for.
    """
    rule = Rule(match) if match else None
    keyword = make_keyword(name, query, rule)
    edit = edited(context, add_keyword(subscribers_file(context.settings), name, query, rule))
    context.echo(keyword_line(keyword), *_read_otherwise(edit))
    _warn_of(context, name if query is None else query, rule)


def _warn_of(context: Context, text: str, rule: Rule | None) -> None:
    """Say on stderr what is probably not meant."""
    for doubt in warnings(text, rule):
        context.warn(doubt)


def _read_otherwise(edit: Edit) -> Iterator[str]:
    """Which readers get other keywords than before."""
    before = {reader.email: reader.keywords for reader in edit.before.subscribers}
    changed = [
        reader.email
        for reader in edit.after.subscribers
        if before.get(reader.email) != reader.keywords
    ]
    if changed:
        others = " and others" if changed[5:] else ""
        yield f"Read so from now on for {', '.join(changed[:5])}{others}."


@keywords.command(
    "set",
    cls=Command,
    examples=(
        'digest keywords set "RL theory" \'ti:"reinforcement learning" AND cat:stat.ML\'',
        'digest keywords set +vision "RL theory" MLLM',
    ),
)
@click.argument("name")
@click.argument("texts", nargs=-1, metavar="[QUERY | KEYWORD...]")
@match_option
@pass_context
def set_(context: Context, name: str, texts: tuple[str, ...], match: str | None) -> None:
    """Give a keyword another query or rule, or a group its keywords.

    What the old query had recorded still comes. A group is named with its +, as in '+vision', and
    made where there is none; the keywords take the place of those that it has.
    """
    path, rule = subscribers_file(context.settings), Rule(match) if match else None
    if name.startswith("+"):
        _set_group(context, path, name, texts, rule)
        return
    if len(texts) > 1 or not (texts or rule):
        remedy = "put a query of several words in quotes"
        raise UsageError(f"{name} is set to one query", remedy=remedy)
    query = "".join(texts) or None
    edit = edited(context, set_keyword(path, name, query, rule))
    after = {keyword.name.casefold(): keyword for keyword in edit.after.keywords}
    context.echo(keyword_line(after[name.casefold()]), *_read_otherwise(edit))
    _warn_of(context, query or name, rule)


def _set_group(
    context: Context, path: Path, name: str, texts: tuple[str, ...], rule: Rule | None
) -> None:
    if not texts or rule:
        remedy = f"such as 'digest keywords set {name} MLLM'"
        raise UsageError("a group is set to keywords", remedy=remedy)
    edit = edited(context, set_group(path, name.lstrip("+ "), texts))
    context.echo(f"{name}: {', '.join(texts)}", *_read_otherwise(edit))


@keywords.command(cls=Command, examples=("digest keywords groups",))
@json_option
@pass_context
def groups(context: Context, as_json: bool) -> None:
    """List the groups with their keywords, and who has them."""
    found = list_groups(subscribers_file(context.settings))
    value = [{"name": n, "keywords": members, "used_by": who} for n, members, who in found]
    lines = [
        f"+{name}: {', '.join(members)}  ({', '.join(who[:5]) or 'nobody'}"
        + (f" and {len(who) - 5} more)" if who[5:] else ")")
        for name, members, who in found
    ]
    none = "There is no group yet: 'digest keywords set +NAME KEYWORD...' makes one."
    context.show(value, lines or [none], as_json=as_json)


@keywords.command(cls=Command, examples=('digest keywords remove "RL theory"',))
@click.argument("words", nargs=-1, required=True, metavar="NAME")
@click.option(
    "--force", is_flag=True, help="Take it from the readers and groups that have it, too."
)
@pass_context
def remove(context: Context, words: tuple[str, ...], force: bool) -> None:
    """Take a keyword or a group (+NAME) out of the subscribers file. Several words are one name."""
    name = " ".join(words)
    path, own = subscribers_file(context.settings), having(context.settings, name)
    if own.signups and not force:
        who = counted(len(own.signups), "reader")
        raise UsageError(
            f"{name} is used by {who} who signed up", remedy="--force takes it from them too"
        )
    edited(context, remove_keyword(path, name, force=force))
    remove_from_entries(context, name)
    context.echo(f"{name} is removed.")


@keywords.command(cls=TwoTexts, examples=('digest keywords rename "RL theory" "RL: theory"',))
@click.argument("old")
@click.argument("new")
@pass_context
def rename(context: Context, old: str, new: str) -> None:
    """Give a keyword, or a group (+OLD +NEW), another name wherever it stands; its query and all
    that was sent stay as they are.
    """
    edited(context, rename_keyword(subscribers_file(context.settings), old, new))
    rename_in_entries(context, old, new)
    context.echo(f"{old} is now {new}.")


@keywords.command(
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
    keywords = _known_keywords(context)
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


@keywords.command(cls=Command, examples=('digest keywords accept "Reward Model"',))
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
            check_ahead(context.settings, store, now)
            counts = quarantine.accept(store, found[0], store_clock(store, now)())
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
    text, keywords = " ".join(words), _known_keywords(context)
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


def _known_keywords(context: Context) -> Sequence[Keyword]:
    """The keywords of the subscribers file; and, as they were read before, those of readers whom a
    mistake in it holds back.
    """
    roster = read_roster(context.settings)
    with existing_store(context.settings) as store:
        if store is None:
            return roster.keywords
        # A run has noted who is held back; of a mistake since then the file alone tells.
        held = filter(None, map(store.history.reader, roster.held_back))
        parts = [part for reader in held for part in store.history.parts(reader.id)]
        own = (Keyword(p.label, p.query, Rule.QUERY) for p in parts if p.until is None)
        return (*store.mistakes.completed(roster).keywords, *own)


def quarantine_advice(name: str) -> tuple[str, str]:
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
        # "x": what is there already may be the only copy of an answer that is kept no longer.
        with Path(place).open("xb") as file:
            file.write(raw)
    except FileExistsError as error:
        raise UsageError(f"{place} is there already", remedy="name another file") from error
    except OSError as error:
        raise DigestError(
            f"{place} cannot be written ({error.strerror})", remedy="name another file"
        ) from error
    context.echo(f"{place}: {counted(len(raw), 'byte')} as they came.")
