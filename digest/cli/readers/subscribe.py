"""`digest subscribe`, `unsubscribe` and `subscribers`: who gets what, in the subscribers file."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import (
    Command,
    Context,
    ListingGroup,
    json_option,
    pass_context,
    say_where_mail_goes,
)
from digest.cli.readers.describe import (
    keyword_line,
    lift_suppressions,
    mail_again,
    next_line,
    subscriber_json,
    suppression_json,
    suppression_line,
    suppressions,
    tell_lifted,
    titled,
    what,
    when,
    without_digest,
)
from digest.errors import QueryError, UsageError
from digest.keywords.words import counted
from digest.model import REPOSITORY, Abstracts, Format, Revisions, Rule, Subscriber
from digest.setup.parts import existing_store, machine_now
from digest.setup.subscribers import known_as, place_of_subscribers, read_roster, subscribers_file

if TYPE_CHECKING:
    from digest.store import Store
    from digest.subscribers.edit import Value

PLAIN_RULES = [rule.value for rule in Rule if rule is not Rule.QUERY]


class Clearable(click.Choice[str]):
    """A choice that is taken back by an empty value or `none`, as other options are."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Let the words through that clear."""
        from digest.subscribers.flags import NOTHING

        return value if value in NOTHING else super().convert(value, param, ctx)


@click.command(
    cls=Command,
    examples=(
        'digest subscribe grace@example.org -k "diffusion model" --at 07:00 --timezone Europe/Berlin',
        "digest subscribe ada@example.org -k 'ti:\"flow matching\" AND cat:cs.LG' --schedule mon,thu",
    ),
)
@click.argument("emails", nargs=-1, required=True, metavar="EMAIL...")
@click.option(
    "-k",
    "--keyword",
    "keywords",
    multiple=True,
    help="A word, a phrase, a query, a name, or +GROUP.",
)
@click.option(
    "--match", type=click.Choice(PLAIN_RULES), help="How the plain keywords given here match."
)
@click.option("--name", help="The name of the reader, where there is one EMAIL; '': none.")
@click.option(
    "--schedule", metavar="DAYS", help="daily, weekdays, weekly, or days such as mon,thu."
)
@click.option(
    "--at",
    metavar="HH:MM",
    help="Not before this local time; '' or none: as soon as the papers are in.",
)
@click.option("--timezone", metavar="ZONE", help="Such as Europe/Berlin.")
@click.option(
    "--revisions",
    flag_value="true",
    default=None,
    help="New versions of papers too, in their own section.",
)
@click.option(
    "--revisions-published",
    "revisions",
    flag_value="published",
    help="Of new versions only those that tell of acceptance or publication.",
)
@click.option("--no-revisions", "revisions", flag_value="false", help="No new versions.")
@click.option(
    "--max-papers", metavar="N", help="Papers with abstract; the rest come as title lines."
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="QUERY",
    help="Never these, in place of those before; '' or none: no more.",
)
@click.option(
    "--quiet-days",
    type=Clearable(["tell", "silent"]),
    help="On a day without papers, say why or not.",
)
@click.option("--order", type=Clearable(["likeliest", "newest"]), help="The order of the papers.")
@click.option(
    "--paused-until", metavar="DATE", help="No digests before this day; '' or none: go on."
)
@click.option(
    "--abstracts",
    type=Clearable(["full", "short", "none"]),
    help="How much of each abstract comes.",
)
@click.option(
    "--format", type=Clearable(["html", "text"]), help="text: mails without an HTML part."
)
@click.option(
    "--author",
    "authors",
    multiple=True,
    metavar="NAME",
    help="Papers by these first; '' or none: no more.",
)
@click.option(
    "--category",
    "categories",
    multiple=True,
    metavar="CATEGORY",
    help="Papers in these first; '' or none: no more.",
)
@click.option(
    "--subject-prefix", metavar="TEXT", help="What each subject begins with, such as '[arXiv]'."
)
@json_option
@pass_context
def subscribe(
    context: Context,
    /,
    emails: tuple[str, ...],
    keywords: tuple[str, ...],
    match: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Add readers to the subscribers file, or keywords and settings to readers who are in it.

    Who unsubscribed or bounced is mailed again from then on, and the command says so.
    A setting given as '' or none is cleared: the reader then has none, or the usual one.
    """
    from digest.cli.readers.outcome import show_json, tell
    from digest.subscribers.edit import add_subscribers, find_reader

    if context.settings.subscribers_yaml and not keywords:
        mail_again(context, emails, as_json=as_json)
        return
    path = subscribers_file(context.settings)
    rule = Rule(match) if match else None
    _refuse_stray_words(emails, keywords)
    if flags["name"] and len({email.strip().casefold() for email in emails}) > 1:
        raise UsageError(
            "--name is for one reader, and here are several",
            remedy="give each name in a command of its own",
        )
    try:
        edit = add_subscribers(path, emails, keywords, _fields(flags), match=rule)
    except QueryError as error:
        raise query_error(error) from error
    now = machine_now()
    found = (find_reader(edit.after, email) for email in emails)
    readers = list({reader.email: reader for reader in found if reader}.values())
    waiting = without_digest(context, readers)
    lifted = lift_suppressions(context, readers)
    if as_json:
        told = [
            {**show_json(edit, r, now, waiting), "lifted": suppression_json(lifted.get(r.email))}
            for r in readers
        ]
        context.print_json({"file": str(path), "subscribers": told})
        return
    for line in tell(edit, readers, now, waiting):
        context.echo(line)
    tell_lifted(context, lifted)
    context.echo(f"The subscribers file is {path}")
    warn_about(context, readers)
    say_where_mail_goes(context)
    if any(r.format is Format.ISSUE for r in readers) and not context.settings.github_token:
        words = "issues are posted with DIGEST_GITHUB_TOKEN, and it is not set"
        context.warn(f"{words}: it takes a token with 'Issues: read and write' on the repository")


def _fields(flags: dict[str, Any]) -> dict[str, Value]:
    """The fields that were given, as the file shows them; None for those that are cleared."""
    from digest.subscribers.flags import NOTHING, read_flag

    fields: dict[str, Value] = {}
    for name, value in flags.items():
        if isinstance(value, tuple):
            queries = [query for query in value if query.strip()]
            if value:
                fields[name] = None if " ".join(queries) in NOTHING else queries
        elif isinstance(value, bool):
            fields[name] = value
        elif value is not None:
            fields[name] = read_flag(name, value)
    return fields


def _refuse_stray_words(emails: tuple[str, ...], keywords: tuple[str, ...]) -> None:
    """A keyword of several words without quotes leaves all but its first among the addresses."""
    import shlex

    stray = [text for text in emails if "@" not in text and not text.lower().startswith(REPOSITORY)]
    if stray and keywords:
        meant = " ".join([keywords[0], *stray]) if len(keywords) == 1 else "several words"
        remedy = f"a keyword of several words goes in quotes: -k {shlex.quote(meant)}"
        raise UsageError(f"{stray[0]!r} is no mail address", remedy=remedy)


@click.command(
    cls=Command,
    examples=(
        "digest unsubscribe lin@example.org",
        "digest unsubscribe ada@example.org -k Hallucination",
    ),
)
@click.argument("emails", nargs=-1, required=True, metavar="EMAIL...")
@click.option("-k", "--keyword", "keywords", multiple=True, help="Only this keyword, or +GROUP.")
@json_option
@pass_context
def unsubscribe(
    context: Context, emails: tuple[str, ...], keywords: tuple[str, ...], as_json: bool
) -> None:
    """Take readers out of the subscribers file, or only some of their keywords."""
    from digest.subscribers.edit import find_reader, remove_subscribers

    settings = context.settings
    _refuse_stray_words(emails, keywords)
    try:
        edit = remove_subscribers(subscribers_file(settings), emails, keywords)
    except QueryError as error:
        raise query_error(error) from error
    result = []
    # What the file no longer says the database learns here, and not only with the next run: a run
    # refuses to let everybody go because of an empty file, so whoever is last in it must be let go
    # by name.
    with existing_store(settings) as store:
        for email in dict.fromkeys(emails):
            old, new = find_reader(edit.before, email), find_reader(edit.after, email)
            known = (
                store.subscribers.remove(old.email if old else email, machine_now())
                if store and not new
                else False
            )
            result.append((email, old, new, known))
    if as_json:
        context.print_json(
            [
                {
                    "email": old.email if old else email,
                    "status": _status(old, new, known=known),
                    "removed": _removed(old, new),
                    "keywords": [k.name for k in new.keywords] if new else [],
                }
                for email, old, new, known in result
            ]
        )
        return
    for email, old, new, known in result:
        context.echo(_farewell(email, old, new, known=known, asked=bool(keywords)))


def _status(old: Subscriber | None, new: Subscriber | None, *, known: bool) -> str:
    if new is None:
        return "removed" if old or known else "unknown"
    return "unchanged" if old == new else "changed"


def _removed(old: Subscriber | None, new: Subscriber | None) -> list[str]:
    left = {keyword.query for keyword in new.keywords} if new else set()
    return [keyword.name for keyword in old.keywords if keyword.query not in left] if old else []


def _farewell(
    email: str, old: Subscriber | None, new: Subscriber | None, *, known: bool, asked: bool
) -> str:
    if old is None:
        return (
            f"{email} is let go: only the database knew it."
            if known
            else f"{email} was not subscribed."
        )
    if new is None:
        return f"{old.email} is unsubscribed{', since no keyword is left' if asked else ''}."
    removed, left = _removed(old, new), ", ".join(keyword.name for keyword in new.keywords)
    if not removed:
        return f"{old.email} had no such keyword; the keywords are {left}."
    return f"{old.email} no longer gets {', '.join(removed)}; what stays is {left}."


@click.group(cls=ListingGroup)
@json_option
@click.pass_context
def subscribers(ctx: click.Context, as_json: bool) -> None:
    """List the readers, show, set or move one, pause some, import many, or check the file."""
    if ctx.invoked_subcommand is not None:
        return
    _list(ctx.ensure_object(Context), as_json=as_json)


@subscribers.command("list", cls=Command, examples=("digest subscribers list",))
@json_option
@pass_context
def list_(context: Context, as_json: bool) -> None:
    """List the readers."""
    _list(context, as_json=as_json)


def _list(context: Context, *, as_json: bool) -> None:
    roster = read_roster(context.settings)
    held = suppressions(context)
    if as_json:
        context.print_json(
            [
                {**subscriber_json(r), "suppressed": suppression_json(held.get(r.email.casefold()))}
                for r in roster.subscribers
            ]
        )
        return
    if not roster.subscribers:
        place = place_of_subscribers(context.settings)
        context.echo(f"{place} names no reader yet: 'digest subscribe EMAIL -k KEYWORD' adds one.")
    for reader in roster.subscribers:
        names = ", ".join(keyword.name for keyword in reader.keywords)
        context.echo(f"{reader.email}  {when(reader)}  {names}")
        if found := held.pop(reader.email.casefold(), None):
            context.echo(f"  {suppression_line(found)}")
    for found in held.values():
        context.echo(f"{found.address}  no longer in the file\n  {suppression_line(found)}")


@subscribers.command(cls=Command, examples=("digest subscribers show ada@example.org",))
@click.argument("email")
@json_option
@pass_context
def show(context: Context, email: str, as_json: bool) -> None:
    """Show one reader: keywords, options, and when the next digest comes."""
    from digest.subscribers.edit import find_reader
    from digest.subscribers.unknown import unknown_reader

    roster = read_roster(context.settings)
    reader = find_reader(roster, known_as(context.settings, email))
    if reader is None:
        raise unknown_reader(
            place_of_subscribers(context.settings),
            email,
            (known.email for known in roster.subscribers),
        )
    now = machine_now()
    first = bool(without_digest(context, [reader]))
    found = suppressions(context).get(reader.email.casefold())
    if as_json:
        context.print_json(
            {**subscriber_json(reader, now, first=first), "suppressed": suppression_json(found)}
        )
        return
    context.echo(titled(reader))
    for keyword in reader.keywords:
        context.echo(f"  {keyword_line(keyword)}")
    for query in reader.exclude:
        context.echo(f"  never: {query}")
    context.echo(f"  {when(reader)}; {what(reader)}")
    if favoured := [*reader.authors, *reader.categories]:
        context.echo(f"  foremost: {', '.join(favoured)}")
    if extras := _extras(reader):
        context.echo(f"  {', '.join(extras)}")
    if found:
        context.echo(f"  {suppression_line(found)}; 'digest subscribe {reader.email}' lifts that")
        return
    context.echo(next_line(reader, now, first=first))


def _extras(reader: Subscriber) -> list[str]:
    """What differs from the usual, in words."""
    return [
        text
        for wanted, text in (
            (reader.revisions is Revisions.ALL, "new versions too"),
            (reader.revisions is Revisions.PUBLISHED, "accepted and published papers too"),
            (reader.quiet_days, "says why nothing came"),
            (reader.abstracts is Abstracts.SHORT, "short abstracts"),
            (reader.abstracts is Abstracts.NONE, "no abstracts"),
            (reader.format is Format.TEXT, "text alone"),
            (reader.subject_prefix, f"subjects begin with {reader.subject_prefix}"),
        )
        if wanted
    ]


@subscribers.command(
    cls=Command, examples=("digest subscribers move ada@example.org ada@example.net",)
)
@click.argument("old")
@click.argument("new")
@pass_context
def move(context: Context, old: str, new: str) -> None:
    """Give a reader another address; what was sent to the old one is not sent again."""
    from digest.subscribers.edit import find_reader, move_subscriber
    from digest.subscribers.fields import normal_address
    from digest.system.locks import cycle_lock

    settings = context.settings
    roster = read_roster(settings)
    reader, target = find_reader(roster, old), find_reader(roster, new)
    with ExitStack() as stack:
        if settings.db.exists():
            # A run between the two steps would take the new address for a new reader and the old
            # one for gone.
            stack.enter_context(cycle_lock(settings.db))
        store = stack.enter_context(existing_store(settings))
        # The file comes first, since it is the file that may refuse the change, and then nothing
        # has happened. Should the machine stop before the database has followed, the same command
        # again does the rest; so it also does after somebody has changed the address in the file by
        # hand.
        if reader is None and target and _is_half_moved(store, old, target.email):
            source, address = old, target.email
        else:
            move_subscriber(subscribers_file(settings), old, new)
            source, address = reader.email if reader else old, normal_address(new)
        followed = store.subscribers.move(source, address) if store else False
    context.echo(f"{source} is now {address}{', with all that was sent' if followed else ''}.")


def _is_half_moved(store: Store | None, old: str, new: str) -> bool:
    """Whether the file names the new address alone, and the database the old one alone."""
    return (
        store is not None
        and store.subscribers.state(old) is not None
        and store.subscribers.state(new) is None
    )


@subscribers.command(cls=Command, examples=("digest subscribers check",))
@json_option
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Check the whole file and show every mistake."""
    from digest.subscribers import RosterError

    context = ctx.find_root().ensure_object(Context)
    path = place_of_subscribers(context.settings)
    try:
        roster = read_roster(context.settings)
    except RosterError as error:
        if not as_json:
            raise
        fields = ("line", "column", "message", "suggestion")
        problems = [{name: getattr(problem, name) for name in fields} for problem in error.problems]
        context.print_json({"file": path, "problems": problems})
        ctx.exit(int(error.exit_code))
    if as_json:
        context.print_json({"file": path, "problems": []})
        return
    readers, keywords = len(roster.subscribers), len(roster.keywords)
    context.echo(f"{path} is right: {counted(readers, 'reader')}, {counted(keywords, 'keyword')}.")
    warn_about(context, list(roster.subscribers))


def warn_about(context: Context, readers: list[Subscriber]) -> None:
    """Say on stderr what is probably not meant in these readers' keywords."""
    from digest.keywords.lint import warnings

    keywords = {keyword.query: keyword for reader in readers for keyword in reader.keywords}
    for keyword in keywords.values():
        plain = keyword.rule is not Rule.QUERY and keyword.name.casefold() in keyword.query
        for warning in warnings(keyword.name, keyword.rule) if plain else warnings(keyword.query):
            context.warn(warning)
    for category in dict.fromkeys(category for reader in readers for category in reader.categories):
        for warning in warnings(f"cat:{category}"):
            context.warn(warning)


def query_error(error: QueryError) -> UsageError:
    """A keyword's mistake with a caret under its place."""
    from digest.subscribers.problems import excerpt

    if not error.text.strip():
        return UsageError(str(error))
    source, caret = excerpt(error.text, error.position)
    return UsageError(f"{error}\n  {source}\n  {' ' * caret}^")
