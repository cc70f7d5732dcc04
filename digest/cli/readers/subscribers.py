"""`digest subscribers set`, `pause`, `resume` and `import`: readers changed in place, one or many
at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.base import Command, Context, json_option, pass_context
from digest.cli.readers.describe import without_digest
from digest.cli.readers.subscribe import query_error, subscribers, warn_about
from digest.errors import QueryError, UsageError
from digest.keywords.words import counted
from digest.setup.parts import machine_now
from digest.setup.subscribers import read_roster, subscribers_file

if TYPE_CHECKING:
    from digest.model import Subscriber
    from digest.subscribers.edit import Edit, Value


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

    The fields are name, schedule, at, timezone, revisions, max_papers, exclude, quiet_days, order,
    paused_until, abstracts, format, authors, categories and subject_prefix, written as in the
    subscribers file; several days, queries or names stand between commas. A field set to nothing or
    to 'none' is cleared: the reader then has none, or the usual one ('abstracts=none' means none).
    """
    from digest.subscribers.edit import set_fields

    values = dict(_read_pair(pair, email) for pair in fields)
    if len(values) < len(fields):
        raise UsageError("a field is set twice", remedy="name each field once")
    try:
        edit = set_fields(subscribers_file(context.settings), [email], values)
    except QueryError as error:
        raise query_error(error) from error
    _tell(context, edit, [email], as_json=as_json)


def _read_pair(pair: str, email: str) -> tuple[str, Value]:
    """Read `field=value`; UsageError says which fields there are, or which command changes this
    one.
    """
    from digest.subscribers.flags import SETTABLE, read_flag
    from digest.subscribers.report import nearest

    name, equals, value = pair.partition("=")
    name = name.strip().lower().replace("-", "_")
    if name == "email":
        raise UsageError(
            "an address is not set", remedy=f"'digest subscribers move {email} NEW' gives another"
        )
    if name in ("keyword", "keywords"):
        remedy = f"'digest subscribe {email} -k KEYWORD' adds one, 'digest unsubscribe {email} -k KEYWORD' takes one"
        raise UsageError("keywords are not set", remedy=remedy)
    if not equals:
        raise UsageError(
            f"{pair!r} is not FIELD=VALUE",
            remedy="write it as in at=07:00, with quotes around blanks",
        )
    if name not in SETTABLE:
        near = nearest(name, SETTABLE)
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
    from digest.rules.schedule import FOR_EVER, is_paused
    from digest.subscribers.edit import find_reader, set_fields
    from digest.subscribers.flags import read_flag

    day = (
        read_flag("paused_until", until, called="--until")
        if until is not None
        else FOR_EVER.isoformat()
    )
    if day is None:
        raise UsageError(
            "--until names no day", remedy="leave it out, or write a date such as 2099-12-24"
        )
    roster, now = read_roster(context.settings), machine_now()
    for reader in filter(None, (find_reader(roster, email) for email in emails)):
        if not is_paused(replace(reader, paused_until=date.fromisoformat(str(day))), now):
            raise UsageError(
                f"{day} has come already where {reader.email} is",
                remedy="name a day that is to come",
            )
    edit = set_fields(subscribers_file(context.settings), emails, {"paused_until": day})
    _tell(context, edit, emails, as_json=as_json)


@subscribers.command(cls=Command, examples=("digest subscribers resume ada@example.org",))
@click.argument("emails", nargs=-1, required=True, metavar="EMAIL...")
@json_option
@pass_context
def resume(context: Context, emails: tuple[str, ...], as_json: bool) -> None:
    """End the pause of these readers."""
    from digest.subscribers.edit import set_fields

    edit = set_fields(subscribers_file(context.settings), emails, {"paused_until": None})
    waiting = _tell(context, edit, emails, as_json=as_json)
    if not as_json and edit.changed and len(waiting) < len(_found(edit, emails)):
        context.echo(
            "What came meanwhile comes with that digest: the most recent papers, and how many were older."
        )


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
    timezone, revisions, max_papers, exclude, quiet_days, order, paused_until, abstracts, format,
    authors, categories, subject_prefix. An empty cell changes nothing, 'none' clears. All rows are
    taken over at once, or none where one is wrong; to repeat it does no harm.
    """
    from digest.subscribers.edit import add_all, check_or_begin
    from digest.subscribers.table import read_table

    path = subscribers_file(context.settings)
    people = read_table(file, check_or_begin(path))
    edit = add_all(path, people, dry_run=dry_run)
    emails = [person.email for person in people]
    if not as_json:
        _summarize(context, edit, emails, dry_run=dry_run)
    _tell(context, edit, emails, as_json=as_json, only_changed=True)
    if dry_run and not as_json:
        context.echo("Nothing was written.")


def _summarize(context: Context, edit: Edit, emails: list[str], *, dry_run: bool) -> None:
    """One line: how many are new, changed, and as they were."""
    before = {reader.email.casefold(): reader for reader in edit.before.subscribers}
    after = _found(edit, emails)
    new = sum(reader.email.casefold() not in before for reader in after)
    same = sum(before.get(reader.email.casefold()) == reader for reader in after)
    verb = "would be" if dry_run else "were" if new != 1 else "was"
    context.echo(
        f"{counted(new, 'reader')} {verb} added, {len(after) - new - same} changed, {same} left as they were."
    )


def _found(edit: Edit, emails: Iterable[str]) -> list[Subscriber]:
    """The readers with these addresses, each once, as the edit leaves them."""
    readers = {reader.email.casefold(): reader for reader in edit.after.subscribers}
    wanted = dict.fromkeys(email.strip().casefold() for email in emails)
    return [readers[email] for email in wanted if email in readers]


def _tell(
    context: Context,
    edit: Edit,
    emails: Iterable[str],
    *,
    as_json: bool,
    only_changed: bool = False,
) -> set[str]:
    """Say of each reader what changed and when the next digest comes, as 'digest subscribe' does.

    Returns those to whom no digest ever went.
    """
    from digest.cli.readers.outcome import show_json, tell

    now, readers = machine_now(), _found(edit, emails)
    waiting = without_digest(context, readers)
    if as_json:
        shown = [show_json(edit, reader, now, waiting) for reader in readers]
        context.print_json({"file": str(subscribers_file(context.settings)), "subscribers": shown})
        return waiting
    if only_changed:
        before = set(edit.before.subscribers)
        readers = [reader for reader in readers if reader not in before]
    for line in tell(edit, readers, now, waiting):
        context.echo(line)
    warn_about(context, readers)
    return waiting
