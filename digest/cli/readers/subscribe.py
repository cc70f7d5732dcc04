"""`digest subscribe` and `unsubscribe`: who gets what, in the subscribers file."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from digest.cli.base import Command, Context, edited, json_option, pass_context, say_where_mail_goes
from digest.cli.readers.changes import Change, change_lines, changes_of
from digest.cli.readers.describe import (
    lift_suppressions,
    lifted_lines,
    mail_again,
    suppression_json,
    warn_about,
    wish_json,
)
from digest.cli.readers.own_words import (
    NOBODY,
    Entries,
    end_wishes,
    ended_lines,
    signed_up,
    together,
)
from digest.errors import ConfigError, DigestError, UsageError
from digest.model import Abstracts, Attach, Channel, Layout, Order, Rule, Subscriber, Summary, Wish
from digest.setup.parts import existing_store, machine_now
from digest.setup.subscribers import LIKES_NOT_KEPT, subscribers_file
from digest.store.suppressions import Suppression
from digest.subscribers import SubscribersFileError
from digest.subscribers.addresses import channel_of
from digest.subscribers.book import listed_in
from digest.subscribers.check import Checked
from digest.subscribers.edit import (
    add_subscribers,
    kept_keywords,
    remove_subscribers,
    roster_entry,
)
from digest.subscribers.fields import MAIL_FORMATS, NOTHING, QUIET_DAYS, Value, read_flag
from digest.subscribers.transaction import Edit

PLAIN_RULES = [rule.value for rule in Rule if rule is not Rule.QUERY]


class Clearable(click.Choice[str]):
    """A choice that is taken back by an empty value or `none`, as other options are."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Let the words through that clear."""
        return value if value in NOTHING else super().convert(value, param, ctx)


def _words(values: Iterable[str]) -> list[str]:
    """The texts of choices: of an enum's members click would offer the names."""
    return list(map(str, values))


@click.command(
    cls=Command,
    examples=(
        'digest subscribe grace@example.org -k "diffusion model" --at 07:00'
        " --timezone Europe/Berlin",
        "digest subscribe ada@example.org -k 'ti:\"flow matching\" AND cat:cs.LG'"
        " --schedule mon,thu",
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
    "--within",
    multiple=True,
    metavar="CATEGORY",
    help="Only papers in these, such as 'cs.*'; '' or none: all.",
)
@click.option(
    "--quiet-days",
    type=Clearable(_words(QUIET_DAYS)),
    help="On a day without papers, say why or not.",
)
@click.option("--order", type=Clearable(_words(Order)), help="The order of the papers.")
@click.option(
    "--paused-until", metavar="DATE", help="No digests before this day; '' or none: go on."
)
@click.option(
    "--abstracts",
    type=Clearable(_words(Abstracts)),
    help="How much of each abstract comes.",
)
@click.option(
    "--layout",
    type=Clearable(_words(Layout)),
    help="both: all papers at a glance, then in full; full: in full only.",
)
@click.option(
    "--top",
    metavar="N",
    help="So many papers at a glance with what they say, the others as titles; '' or none: all.",
)
@click.option(
    "--format", type=Clearable(_words(MAIL_FORMATS)), help="text: mails without an HTML part."
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
@click.option(
    "--feedback",
    flag_value="true",
    default=None,
    help="Each paper has a way to say: more like this.",
)
@click.option("--no-feedback", "feedback", flag_value="false", help="It has none.")
@click.option(
    "--attach",
    type=Clearable(_words(Attach)),
    help="A file with the papers comes with each mail; '' or none: no file.",
)
@click.option(
    "--summary",
    type=Clearable(_words(Summary)),
    help="What a model says of each paper; '' or none: nothing.",
)
@click.option("--language", metavar="TAG", help="The language of that, such as de or pt-BR.")
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

    Who unsubscribed or bounced is mailed again from then on, and the command says so. Of who signed
    up the file takes over all; what a reader took away by themselves comes again where it is named.
    A setting given as '' or none is cleared: the reader then has none, or the usual one.
    """
    if context.settings.subscribers_yaml and flags["feedback"] == "true":
        raise ConfigError(LIKES_NOT_KEPT, remedy="leave --feedback out")
    # With readers from a secret there is no file to edit; that somebody is mailed again is the
    # database's matter.
    if context.settings.subscribers_yaml and not keywords:
        mail_again(context, emails, as_json=as_json)
        return
    path, now = subscribers_file(context.settings), machine_now()
    _refuse_stray_words(emails, keywords)
    if flags["name"] and len({email.strip().casefold() for email in emails}) > 1:
        raise UsageError(
            "--name is for one reader, and here are several",
            remedy="give each name in a command of its own",
        )
    rule = Rule(match) if match else None
    fields, own = _fields(flags), signed_up(context.settings, emails)
    edit = edited(
        context, add_subscribers(path, emails, keywords, fields, match=rule, own=own.entries)
    )
    changes = changes_of(context, own.known_before(edit), emails)
    readers = [change.reader for change in changes]
    lifted = lift_suppressions(context, readers)
    ended = end_wishes(context, emails, fields, keywords)
    shown = [_subscribed_json(one, lifted, ended, now) for one in changes]
    lines = [*change_lines(changes, now), *lifted_lines(lifted), *ended_lines(ended)]
    context.show(
        {"file": str(path), "subscribers": shown},
        [*lines, *own.taken_over_lines(), f"The subscribers file is {path}"],
        as_json=as_json,
    )
    if not as_json:
        warn_about(context, readers)
        say_where_mail_goes(context)
        _warn_without_token(context, readers)


def _subscribed_json(
    one: Change, lifted: Mapping[str, Suppression], ended: Iterable[Wish], now: datetime
) -> dict[str, Any]:
    """A reader who was added or changed, and what ended with that."""
    email = one.reader.email
    wishes = [wish_json(wish) for wish in ended if wish.email.casefold() == email.casefold()]
    suppressed = suppression_json(lifted.get(email))
    return {**one.as_json(now), "lifted": suppressed, "ended_wishes": wishes}


def _warn_without_token(context: Context, readers: Sequence[Subscriber]) -> None:
    """Say that issues cannot be posted yet, where somebody is to get some."""
    if any(r.channel is Channel.GITHUB for r in readers) and not context.settings.github_token:
        words = "issues are posted with DIGEST_GITHUB_TOKEN, and it is not set"
        context.warn(f"{words}: it takes a token with 'Issues: read and write' on the repository")


def _fields(flags: dict[str, Any]) -> dict[str, Value]:
    """The fields that were given, as the file shows them; None for those that are cleared."""
    fields: dict[str, Value] = {}
    for name, value in flags.items():
        if isinstance(value, tuple):
            queries = [query for query in value if query.strip()]
            if value:
                fields[name] = None if " ".join(queries) in NOTHING else queries
        elif value is not None:
            fields[name] = read_flag(name, value)
    return fields


def _refuse_stray_words(emails: tuple[str, ...], keywords: tuple[str, ...]) -> None:
    """A keyword of several words without quotes leaves all but its first among the addresses."""
    stray = [e for e in emails if "@" not in e and channel_of(e) is Channel.MAIL]
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
    """Take readers out of the subscribers file, or only some of their keywords.

    Who signed up leaves, or loses the keywords, in the same way. To leave, an entry need not be
    right: where the file cannot be edited, the database notes that the reader has left.
    """
    _refuse_stray_words(emails, keywords)
    try:
        edit = edited(context, _removed(context, emails, keywords))
    except (SubscribersFileError, UsageError) as error:
        if keywords:
            raise
        _leave_without_the_file(context, emails, error, as_json=as_json)
        return
    rows: list[dict[str, Any]] = []
    lines: list[str] = []
    # What the file no longer says the database learns here, and not only with the next run: a run
    # refuses to let everybody go because of an empty file, so whoever is last in it must be let go
    # by name.
    with existing_store(context.settings) as store:
        for email in dict.fromkeys(emails):
            old, new = roster_entry(edit.before, email), roster_entry(edit.after, email)
            name = old.email if old else email
            known = store is not None and not new and store.subscribers.remove(name, machine_now())
            named = bool(old or edit.before.why_held_back(email))
            status = _status(old, new, named or known)
            rows.append({"email": name, "status": status, **_keywords(old, new)})
            lines.append(_farewell(**rows[-1], named=named, by_keyword=bool(keywords)))
    context.show(rows, lines, as_json=as_json)


def _leave_without_the_file(
    context: Context, emails: Iterable[str], error: DigestError, *, as_json: bool
) -> None:
    """Let readers leave whose entries cannot be taken out of the file, as by the link in a mail.
    Raises the error where the database knows one of them not.
    """
    now = machine_now()
    with existing_store(context.settings) as store:
        known = {one: store.history.reader(one) if store else None for one in dict.fromkeys(emails)}
        readers = [reader for reader in known.values() if reader is not None]
        if store is None or len(readers) < len(known):
            raise error
        for reader in readers:
            store.suppressions.unsubscribe(reader.id, "by command", now)
    rows = [{"email": r.address, "status": "left", "removed": [], "keywords": []} for r in readers]
    lines = (f"{r.address} is unsubscribed, and nothing is mailed there." for r in readers)
    context.show(rows, lines, as_json=as_json)
    why = error.message.splitlines()[0]
    context.warn(f"the entry stays in the subscribers file, to be taken out by hand: {why}")


def _removed(context: Context, emails: tuple[str, ...], keywords: tuple[str, ...]) -> Edit:
    """Take readers, or keywords of theirs, out of the file, and keywords out of the entries of
    those who signed up; such a reader is let go with their row in the database.
    """

    def change(checked: Checked, entries: Entries) -> Entries:
        kept = {
            address: kept_keywords(checked, address, listed_in(fields), keywords)
            for address, fields in entries.items()
        }
        return {a: {**entries[a], "keywords": texts} for a, texts in kept.items() if texts}

    path, own = subscribers_file(context.settings), signed_up(context.settings, emails)
    of_file, edit = own.others(emails), Edit(NOBODY, NOBODY)
    if of_file or not own.signups:
        edit = remove_subscribers(path, of_file, keywords)
    return together(edit, own.change(context, change if keywords else lambda *_: {}))


def _status(old: Subscriber | None, new: Subscriber | None, known: bool) -> str:
    """The stable word for what became of a reader; `known`: the file or the database had one."""
    if new is None:
        return "removed" if known else "unknown"
    return "unchanged" if old == new else "changed"


def _keywords(old: Subscriber | None, new: Subscriber | None) -> dict[str, list[str]]:
    """The names of the keywords that a reader no longer has, and of those that stay."""
    had, has = (reader.keywords if reader else () for reader in (old, new))
    left = {keyword.query for keyword in has}
    removed = [keyword.name for keyword in had if keyword.query not in left]
    return {"removed": removed, "keywords": [keyword.name for keyword in has]}


def _farewell(
    email: str,
    status: str,
    removed: list[str],
    keywords: list[str],
    *,
    named: bool,
    by_keyword: bool,
) -> str:
    """What became of a reader, for people; `named`: the file had an entry, `by_keyword`: keywords
    were named, not the reader alone.
    """
    left = ", ".join(keywords)
    match status, removed:
        case "unknown", _:
            return f"{email} was not subscribed."
        case "removed", [] if not named:
            return f"{email} is let go: only the database knew it."
        case "removed", _:
            why = ", since no keyword is left" if by_keyword else ""
            return f"{email} is unsubscribed{why}."
        case _, []:
            return f"{email} had no such keyword; the keywords are {left}."
    return f"{email} no longer gets {', '.join(removed)}; what stays is {left}."
