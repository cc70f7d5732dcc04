"""`digest subscribers forget`: erase all that is known of readers who ask for it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import click

from digest.cli.base import Command, Context, json_option, pass_context
from digest.errors import ConfigError, UsageError
from digest.keywords.words import counted
from digest.model import Origin
from digest.setup.mail import make_transport
from digest.setup.parts import existing_store, machine_now
from digest.setup.settings import IN_PLACE, Settings
from digest.setup.subscribers import known_as, place_of_subscribers, read_roster
from digest.store import Store
from digest.store.copying import backups
from digest.subscribers.edit import remove_subscribers, roster_entry
from digest.subscribers.guesses import nearest_address
from digest.system.locks import cycle_lock


@click.command(cls=Command, examples=("digest subscribers forget lin@example.org --yes",))
@click.argument("emails", nargs=-1, required=True, metavar="EMAIL...")
@click.option("--yes", "assume_yes", is_flag=True, help="Do not ask.")
@json_option
@pass_context
def forget(context: Context, emails: tuple[str, ...], assume_yes: bool, as_json: bool) -> None:
    """Erase all that is known of these readers, for those who ask for it.

    Their entries go from the subscribers file, and from the database all that it holds about them:
    digests, keywords, likes, what they agreed to, what servers said of them. What is on its way to
    them is not sent. A keyed hash of the address stays, so that nothing is mailed to it where an
    older list names it again; 'digest subscribe' lifts that, and takes them for new readers.
    Backups, and mails in a folder, are not touched.
    """
    settings = context.settings
    names = {email: known_as(settings, email).strip() for email in dict.fromkeys(emails)}
    with existing_store(settings) as store:
        in_file = _whom_the_file_names(settings, store, names)
    if not _is_agreed(context, names, assume_yes=assume_yes):
        return
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        if settings.db.exists():
            stack.enter_context(cycle_lock(settings.db))
        store = stack.enter_context(existing_store(settings))
        # The file comes first, since it may refuse the change; should the machine stop before the
        # database has followed, the same command again does the rest.
        if in_file and not settings.subscribers_yaml:
            remove_subscribers(settings.subscribers, in_file)
        for email, name in names.items():
            erased = store.personal.forget(name, machine_now()) if store else Counter()
            rows.append({"email": email, "in_file": email in in_file, "erased": +erased})
        if store:
            store.personal.clear_traces()
    value = {"forgotten": rows, "not_touched": [str(path) for path in backups(settings.db)]}
    context.show(value, _lines(settings, rows), as_json=as_json)


def _whom_the_file_names(
    settings: Settings, store: Store | None, names: dict[str, str]
) -> list[str]:
    """Those of the readers who are in the subscribers file. Raises ConfigError where neither file
    nor database knows one of them.
    """
    roster = read_roster(settings)
    in_file = []
    for email, name in names.items():
        entry = roster_entry(roster, name)
        if entry.origin is Origin.FILE if entry else roster.why_held_back(name):
            in_file.append(email)
        elif not store or not (store.personal.known(name) or store.suppressions.of(name)):
            known = [reader.email for reader in roster.subscribers]
            near = nearest_address(email, known + (store.history.addresses() if store else []))
            raise ConfigError(
                f"neither {place_of_subscribers(settings)} nor the database knows {email}",
                remedy=f"did you mean {near}?" if near else "nothing was erased",
            )
    return in_file


def _is_agreed(context: Context, names: dict[str, str], *, assume_yes: bool) -> bool:
    """Ask, unless told not to. Raises UsageError where nobody can be asked."""
    if assume_yes:
        return True
    who = ", ".join(names)
    if not sys.stdin.isatty():
        raise UsageError(
            f"nothing was erased of {who}, since nobody can be asked here", remedy="add --yes"
        )
    if click.confirm(f"Erase all that is known of {who}? It cannot be undone", default=False):
        return True
    context.echo("Nothing was erased.")
    return False


def _lines(settings: Settings, rows: list[dict[str, Any]]) -> Iterator[str]:
    """What was done, and what is left to do, for people."""
    for row in rows:
        erased = dict(row["erased"])
        digests = counted(erased.pop("delivery", 0), "digest")
        others = counted(sum(erased.values()), "other record")
        if row["in_file"] or row["erased"]:
            yield f"{row['email']} is forgotten: {digests} and {others} are erased."
        else:
            yield f"{row['email']} was forgotten before."
        if row["in_file"] and settings.subscribers_yaml:
            yield f"  Take the entry out of {IN_PLACE}, too: it is passed over until then."
        elif row["in_file"]:
            yield f"  The entry in {settings.subscribers} is taken out."
    yield "Not touched, and yours to delete:"
    yield from (f"  {path}" for path in backups(settings.db))
    if not settings.mails_for_real:
        yield f"  mails in the {make_transport(settings).description}"
    yield "  backups elsewhere or under other names, and the logs of mail servers"
