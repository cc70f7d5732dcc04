"""`digest subscribers`: readers listed, shown, changed in place, moved and imported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import click

from digest.cli.base import (
    Command,
    Context,
    ListingGroup,
    edited,
    json_option,
    pass_context,
    warn_of_mistakes,
)
from digest.cli.readers.changes import Change, change_lines, changes_of
from digest.cli.readers.describe import (
    address_and_name,
    awaited_answers,
    content_words,
    feed_lines,
    keyword_line,
    keyword_names,
    next_digest_json,
    next_digest_line,
    schedule_words,
    show_left,
    stored_json,
    subscriber_json,
    suppression_json,
    suppression_line,
    suppressions,
    warn_about,
    warn_of,
    without_digest,
)
from digest.cli.readers.extras import extra_lines
from digest.cli.readers.forget import forget
from digest.cli.readers.libraries import held_by, holding_json, library_lines
from digest.cli.readers.move import move
from digest.cli.readers.own_words import (
    end_wishes,
    ended_lines,
    set_anywhere,
    signed_up,
    wish_words,
)
from digest.errors import UsageError
from digest.keywords.words import counted
from digest.model import Origin, Roster, Wish
from digest.rules.schedule import FOR_EVER, is_paused
from digest.setup.parts import machine_now, require_subscriber
from digest.setup.subscribers import (
    known_as,
    place_of_subscribers,
    read_roster,
    subscribers_file,
)
from digest.store.suppressions import Suppression
from digest.subscribers import SubscribersFileError
from digest.subscribers.edit import add_all, roster_entry
from digest.subscribers.fields import SETTABLE, Value, read_flag
from digest.subscribers.guesses import nearest_field
from digest.subscribers.people_csv import read_table
from digest.subscribers.transaction import check_or_begin

_KEYWORDS = (
    "keywords are",
    "'digest subscribe {email} -k KEYWORD' adds one,"
    " 'digest unsubscribe {email} -k KEYWORD' takes one",
)
SET_OTHERWISE = {
    "email": ("an address is", "'digest subscribers move {email} NEW' gives another"),
    **dict.fromkeys(("keyword", "keywords"), _KEYWORDS),
    "library": ("a library is", "write it into the subscribers file by hand (docs/subscribers.md)"),
}
"""The fields of a reader that are changed in other ways."""


@click.group(cls=ListingGroup)
@json_option
@click.pass_context
def subscribers(ctx: click.Context, as_json: bool) -> None:
    """List the readers, show, set, move or forget one, pause some, import many; check the file."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_, as_json=as_json)


subscribers.add_command(forget)
subscribers.add_command(move)


@subscribers.command("list", cls=Command, examples=("digest subscribers list",))
@json_option
@pass_context
def list_(context: Context, as_json: bool) -> None:
    """List the readers: those of the file, and those who signed up."""
    roster = read_roster(context.settings)
    held = suppressions(context, roster.subscribers)
    value = [
        {**subscriber_json(r), "suppressed": suppression_json(held.get(r.email.casefold()))}
        for r in roster.subscribers
    ]
    place = place_of_subscribers(context.settings)
    context.show(value, _list_lines(roster, held, place), as_json=as_json)
    warn_of_mistakes(context, roster.mistakes)


def _list_lines(roster: Roster, held: dict[str, Suppression], place: str) -> Iterator[str]:
    if not roster.subscribers:
        yield f"{place} names no reader yet: 'digest subscribe EMAIL -k KEYWORD' adds one."
    for reader in roster.subscribers:
        signed = "  (signed up)" if reader.origin is Origin.WEB else ""
        yield f"{reader.email}  {schedule_words(reader)}  {keyword_names(reader)}{signed}"
        if found := held.pop(reader.email.casefold(), None):
            yield f"  {suppression_line(found)}"
    # What is left belongs to people who were taken out of the file after they had left or bounced.
    for found in held.values():
        yield f"{found.address}  no longer in the file\n  {suppression_line(found)}"


@subscribers.command(cls=Command, examples=("digest subscribers show ada@example.org",))
@click.argument("email")
@json_option
@pass_context
def show(context: Context, email: str, as_json: bool) -> None:
    """Show one reader: keywords, options, what they took away by themselves, and when the next
    digest comes.

    With --json, all that the database knows of the reader as well ('stored'), also of one who left
    or is held back by a mistake.
    """
    roster, name = read_roster(context.settings), known_as(context.settings, email).strip()
    stored = stored_json(context, name)
    if stored and not roster_entry(roster, name):
        why = roster.why_held_back(name)
        show_left(context, email, name, stored, held_back=why, as_json=as_json)
        return
    reader = require_subscriber(roster, email, context.settings)
    now, first = machine_now(), bool(without_digest(context, [reader]))
    held = suppressions(context, [reader]).get(reader.email.casefold())
    awaited = awaited_answers(context, [reader], now).get(reader.email)
    library = held_by(context, reader)
    coming = next_digest_json(reader, now, first=first, awaited=awaited)
    value = {
        **subscriber_json(reader),
        **coming,
        "suppressed": suppression_json(held),
        "stored": stored,
        "library_held": holding_json(library),
    }
    lines = [
        address_and_name(reader) + (", signed up" if reader.origin is Origin.WEB else ""),
        *(f"  {keyword_line(keyword)}" for keyword in reader.keywords),
        *(f"  {wish_words(w)} by themselves on {w.since:%Y-%m-%d}" for w in reader.wishes),
        *(f"  never: {query}" for query in reader.exclude),
        *([f"  only within: {', '.join(reader.within)}"] if reader.within else []),
        f"  {schedule_words(reader)}; {content_words(reader)}",
        *extra_lines(reader),
        *library_lines(library),
        *feed_lines(context, reader),
        f"  {suppression_line(held)}; 'digest subscribe {reader.email}' lifts that"
        if held
        else next_digest_line(reader, now, first=first, awaited=awaited),
    ]
    context.show(value, lines, as_json=as_json)


@subscribers.command(
    "set",
    cls=Command,
    examples=(
        "digest subscribers set ada@example.org at=07:00 timezone=Europe/Berlin",
        "digest subscribers set lin@example.org schedule=mon,thu at=none",
    ),
)
@click.argument("email")
@click.argument("fields", nargs=-1, required=True, metavar="FIELD=VALUE...")
@json_option
@pass_context
def set_(context: Context, email: str, fields: tuple[str, ...], as_json: bool) -> None:
    """Set fields of one reader, such as at=07:00.

    The fields are name, schedule, at, timezone, revisions, max_papers, exclude, within, quiet_days,
    order, paused_until, abstracts, layout, top, format, authors, categories, subject_prefix,
    feedback, attach, summary and language, written as in the subscribers file; several days,
    queries or names stand between commas. A field set to nothing or to 'none' is cleared: the
    reader then has none, or the usual one ('abstracts=none' means none).
    """
    values = dict(_read_pair(pair, email) for pair in fields)
    if len(values) < len(fields):
        raise UsageError("a field is set twice", remedy="name each field once")
    edit, ended = set_anywhere(context, [email], values)
    _report(context, changes_of(context, edit, [email]), ended, as_json=as_json)


def _read_pair(pair: str, email: str) -> tuple[str, Value]:
    """Read `field=value`; UsageError says which fields there are, or which command changes this
    one.
    """
    name, equals, value = pair.partition("=")
    name = name.strip().lower().replace("-", "_")
    if name in SET_OTHERWISE:
        what, remedy = SET_OTHERWISE[name]
        raise UsageError(f"{what} not set", remedy=remedy.format(email=email))
    if not equals:
        raise UsageError(
            f"{pair!r} is not FIELD=VALUE",
            remedy="write it as in at=07:00, with quotes around blanks",
        )
    if name not in SETTABLE:
        near = nearest_field(name, SETTABLE)
        raise UsageError(
            f"there is no field {name}",
            remedy=f"did you mean {near}?" if near else f"there are {', '.join(SETTABLE)}",
        )
    return name, read_flag(name, value, called=name)


@subscribers.command(
    cls=Command,
    examples=(
        "digest subscribers pause ada@example.org --until 2099-12-24",
        "digest subscribers pause lin@example.org",
    ),
)
@click.argument("emails", nargs=-1, required=True, metavar="EMAIL...")
@click.option(
    "--until",
    metavar="DATE",
    help="The day on which digests begin again; else 'resume' ends the pause.",
)
@json_option
@pass_context
def pause(context: Context, emails: tuple[str, ...], until: str | None, as_json: bool) -> None:
    """Mail nothing to these readers for a while.

    Their papers are recorded meanwhile. The first digest afterwards brings the most recent ones, as
    many as the reader's max_papers, and says how many older ones there were.
    """
    given = FOR_EVER.isoformat() if until is None else until
    day = read_flag("paused_until", given, called="--until")
    if day is None:
        raise UsageError(
            "--until names no day", remedy="leave it out, or write a date such as 2099-12-24"
        )
    # The day begins at midnight of each reader's zone, so that it may have come for some of them.
    roster, now = read_roster(context.settings), machine_now()
    for reader in filter(None, (roster_entry(roster, email) for email in emails)):
        if not is_paused(replace(reader, paused_until=date.fromisoformat(str(day))), now):
            raise UsageError(
                f"{day} has come already where {reader.email} is",
                remedy="name a day that is to come",
            )
    edit, ended = set_anywhere(context, emails, {"paused_until": day})
    _report(context, changes_of(context, edit, emails), ended, as_json=as_json)


@subscribers.command(cls=Command, examples=("digest subscribers resume ada@example.org",))
@click.argument("emails", nargs=-1, required=True, metavar="EMAIL...")
@json_option
@pass_context
def resume(context: Context, emails: tuple[str, ...], as_json: bool) -> None:
    """End the pause of these readers."""
    edit, ended = set_anywhere(context, emails, {"paused_until": None})
    changes = changes_of(context, edit, emails)
    _report(context, changes, ended, as_json=as_json)
    if not as_json and (edit.changed or ended) and not all(change.first for change in changes):
        context.echo(
            "What came meanwhile comes with that digest: the most recent papers,"
            " and how many were older."
        )


@subscribers.command(cls=Command, examples=("digest subscribers check",))
@json_option
@pass_context
def check(context: Context, as_json: bool) -> None:
    """Check the whole file and show every mistake."""
    path = place_of_subscribers(context.settings)
    try:
        roster = read_roster(context.settings, whole=True)
    except SubscribersFileError as error:
        if not as_json:
            raise
        fields = ("line", "column", "message", "suggestion")
        problems = [{name: getattr(problem, name) for name in fields} for problem in error.problems]
        context.print_json({"file": path, "problems": problems})
        context.exit(error.exit_code)
    readers = counted(len(roster.subscribers), "reader")
    keywords = counted(len(roster.keywords), "keyword")
    context.show(
        {"file": path, "problems": []},
        [f"{path} is right: {readers}, {keywords}."],
        as_json=as_json,
    )
    if not as_json:
        wanted = (c for r in roster.subscribers for c in (*r.categories, *r.within))
        # Keywords and categories of the page, too, which may be no reader's.
        warn_of(context, roster.keywords, (*roster.within, *wanted))
        # The file is right, and those who signed up may still rest on what it no longer has.
        warn_of_mistakes(context, read_roster(context.settings).mistakes)
        _warn_of_libraries(context, roster)


def _warn_of_libraries(context: Context, roster: Roster) -> None:
    """Say what is wrong with readers' libraries, which holds none of them back."""
    from digest.run.libraries import troubles_of

    for reader in roster.subscribers:
        for trouble in troubles_of(reader, context.settings.home):
            context.warn(str(trouble))


@subscribers.command(
    "import", cls=Command, examples=("digest subscribers import people.csv --dry-run",)
)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.csv")
@click.option(
    "--dry-run", is_flag=True, help="Check the file and say what would be done; write nothing."
)
@json_option
@pass_context
def import_(context: Context, file: Path, dry_run: bool, as_json: bool) -> None:
    """Add the people of a CSV file, all at once.

    Who is a reader already gets what the row asks for beyond what they have. The first row names
    the columns: email, and any of keywords (several between semicolons), name, schedule, at,
    timezone, revisions, max_papers, exclude, within, quiet_days, order, paused_until, abstracts,
    layout, top, format, authors, categories, subject_prefix, feedback, attach, summary, language.
    An empty cell changes nothing, 'none' clears. All rows are taken over at once, or none where
    one is wrong; to repeat it does no harm.
    """
    path = subscribers_file(context.settings)
    people = read_table(file, check_or_begin(path))
    emails = [person.email for person in people]
    own = signed_up(context.settings, emails)
    edit = edited(context, add_all(path, people, own=own.entries, dry_run=dry_run))
    changes = changes_of(context, own.known_before(edit), emails)
    if not dry_run:
        for person in people:
            end_wishes(context, [person.email], person.fields, person.keywords)
    if as_json:
        _report(context, changes, as_json=True)
        return
    context.echo(_summary(changes, dry_run=dry_run))
    # A table is imported again and again: people read of what is otherwise than before.
    _report(context, [change for change in changes if change.old != change.reader], as_json=False)
    if dry_run:
        context.echo("Nothing was written.")


def _summary(changes: Sequence[Change], *, dry_run: bool) -> str:
    """How many are new, changed, and as they were."""
    new = sum(change.old is None for change in changes)
    same = sum(change.old == change.reader for change in changes)
    verb = "would be" if dry_run else "were" if new != 1 else "was"
    return (
        f"{counted(new, 'reader')} {verb} added, {len(changes) - new - same} changed,"
        f" {same} left as they were."
    )


def _report(
    context: Context, changes: Sequence[Change], ended: Sequence[Wish] = (), *, as_json: bool
) -> None:
    """Say what changed of each reader, and when the next digest comes, as `subscribe` does."""
    now = machine_now()
    if as_json:
        shown = [change.as_json(now) for change in changes]
        file = str(subscribers_file(context.settings))
        context.print_json({"file": file, "subscribers": shown})
        return
    context.echo(*change_lines(changes, now), *ended_lines(ended))
    warn_about(context, [change.reader for change in changes])
