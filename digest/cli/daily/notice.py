"""`digest notice`: what all readers are told for a while."""

from __future__ import annotations

from datetime import date

import click

from digest.cli.base import Command, Context, json_option, pass_context
from digest.errors import UsageError, one_line
from digest.setup.parts import machine_now
from digest.setup.subscribers import apply_naming
from digest.store import open_store
from digest.store.notices import Notice

LONGEST = 300


@click.command(
    cls=Command,
    examples=(
        "digest notice 'No digests on 24 and 25 December' --until 2026-12-25",
        "digest notice --clear",
    ),
)
@click.argument("text", required=False)
@click.option("--until", metavar="DATE", help="The last day (UTC) on which it is told.")
@click.option("--clear", is_flag=True, help="Tell it no more.")
@json_option
@pass_context
def notice(
    context: Context, text: str | None, until: str | None, clear: bool, as_json: bool
) -> None:
    """Top every digest and every page of the web side with a text; without one, show it.

    Digests that wait to be mailed stay as they are.
    """
    now = machine_now()
    with open_store(context.settings.db, create=False) as store:
        apply_naming(context.settings, store)
        if clear:
            if text or until:
                raise UsageError("--clear takes no text")
            store.notices.set(None)
        elif text is not None:
            store.notices.set(_read(text, until, now.date()))
        elif until:
            raise UsageError("--until needs a text", remedy="write digest notice TEXT --until DATE")
        found = store.notices.current(now)
    value = {"text": found.text, "until": found.until.isoformat()} if found else None
    line = f"Until {found.until}: {found.text}" if found else "There is no notice."
    context.show(value, [line], as_json=as_json)


def _read(text: str, until: str | None, today: date) -> Notice:
    """The notice that is asked for. Raises UsageError."""
    text = one_line(text)
    if not text or not text.isprintable() or len(text) > LONGEST:
        raise UsageError(f"a notice is one line of 1 to {LONGEST} printable characters")
    if until is None:
        raise UsageError("--until is missing", remedy="write the last day, such as 2026-12-25")
    try:
        day = date.fromisoformat(until)
    except ValueError as error:
        raise UsageError(
            f"--until {until!r} is no date", remedy="write it as 2026-12-25"
        ) from error
    if day < today:
        raise UsageError(f"--until {day} is over", remedy="write today or a later day")
    return Notice(text, day)
