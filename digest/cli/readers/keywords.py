"""`digest keywords`: the names in the subscribers file, and how a keyword is read."""

from __future__ import annotations

from collections import Counter

import click

from digest.cli.base import Command, Context, ListingGroup, json_option, pass_context
from digest.cli.readers.describe import keyword_line
from digest.cli.readers.keywords_check import check, match_option
from digest.cli.readers.keywords_windows import accept, windows
from digest.errors import UsageError
from digest.keywords.grammar import make_keyword
from digest.keywords.words import counted
from digest.model import Rule
from digest.setup.subscribers import place_of_subscribers, read_roster, subscribers_file
from digest.subscribers.edit_keywords import add_keyword, remove_keyword, rename_keyword


@click.group(cls=ListingGroup)
@json_option
@click.pass_context
def keywords(ctx: click.Context, as_json: bool) -> None:
    """List the keywords, check one before it is used, or name, rename and remove them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_, as_json=as_json)


for command in (check, windows, accept):
    keywords.add_command(command)


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
    edit = add_keyword(subscribers_file(context.settings), name, query, rule)
    context.echo(keyword_line(keyword))
    before = {reader.email: reader.keywords for reader in edit.before.subscribers}
    changed = [
        reader.email for reader in edit.after.subscribers if before[reader.email] != reader.keywords
    ]
    if changed:
        others = " and others" if changed[5:] else ""
        context.echo(f"Read so from now on for {', '.join(changed[:5])}{others}.")


@keywords.command(cls=Command, examples=('digest keywords remove "RL theory"',))
@click.argument("words", nargs=-1, required=True, metavar="NAME")
@click.option(
    "--force", is_flag=True, help="Take it from the readers and groups that have it, too."
)
@pass_context
def remove(context: Context, words: tuple[str, ...], force: bool) -> None:
    """Take a name out of the subscribers file. Several words are one name."""
    name = " ".join(words)
    remove_keyword(subscribers_file(context.settings), name, force=force)
    context.echo(f"{name} is removed.")


@keywords.command(cls=TwoTexts, examples=('digest keywords rename "RL theory" "RL: theory"',))
@click.argument("old")
@click.argument("new")
@pass_context
def rename(context: Context, old: str, new: str) -> None:
    """Give a keyword another name, wherever it stands; its query and all that was sent stay as they
    are.
    """
    rename_keyword(subscribers_file(context.settings), old, new)
    context.echo(f"{old} is now {new}.")
