"""`digest db`: backups of the database, restoring one, looking whether it is sound, putting its
time right, letting go of old things.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime, timedelta
from pathlib import Path

import click

from digest.cli.base import (
    Command,
    Context,
    json_option,
    labelled,
    now_option,
    pass_context,
)
from digest.errors import Exit, StoreError, UsageError
from digest.keywords.words import counted, listed
from digest.setup.clock import settle_clock
from digest.setup.parts import clock_at, machine_now
from digest.store import health, is_there, open_store, pruning, upkeep
from digest.store.taking_over import TakenOver
from digest.system.locks import cycle_lock
from digest.times import in_utc, text_or_none, to_text

KEEP = 90
"""Days for which a prune keeps bodies of digests, records of runs and refused answers."""


@click.group()
def db() -> None:
    """Back up, restore, check and prune the database, and put its time right."""


@db.command(cls=Command, examples=("digest db backup", "digest db backup copy.db"))
@click.argument("file", type=click.Path(path_type=Path), required=False)
@now_option
@pass_context
def backup(context: Context, file: Path | None, now: datetime | None) -> None:
    """Copy the database into FILE, also while a cycle is at work; without FILE beside it, with the
    time in its name.

    The copy is one file, whole or not there at all. It holds the secret of signed links: keep it as
    private.
    """
    path = _existing(context)
    target = file or path.with_name(f"{path.stem}-{clock_at(now)():%Y%m%d-%H%M%S}{path.suffix}")
    last = upkeep.back_up(path, target).last_run
    until = f", with all until {in_utc(last.started)}" if last else ""
    context.echo(f"Backup    {target}, {_size(target.stat().st_size)}{until}")


@db.command(cls=Command, examples=("digest db restore backup.db --not-mailed",))
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--mailed",
    "mailed",
    flag_value="yes",
    help="Papers announced since the backup count as mailed.",
)
@click.option(
    "--not-mailed", "mailed", flag_value="no", help="They are mailed (again): none is missed."
)
@now_option
@pass_context
def restore(context: Context, file: Path, mailed: str | None, now: datetime | None) -> None:
    """Put a backup in the place of the database; the old one is kept beside it.

    What was announced since the backup was made may have been mailed or not: a terminal is asked, a
    script says it by a flag.
    """
    path, moment = context.settings.db, clock_at(now)()
    upkeep.examine_backup(file, path)  # before anything is asked
    with cycle_lock(path):
        # docs/decisions.md: "A restored backup asks once what counts as mailed"
        counts = mailed == "yes" if mailed else _counts_as_mailed(file, path)
        done = upkeep.restore(file, path, moment, mailed=counts)
    dropped = f" ({done.dropped} on their way too)" if done.dropped else ""
    rows = [
        ("Restored", f"{path} from {file}, with all until {_until(done.until)}"),
        ("Before", f"the database until now is in {done.aside}" if done.aside else ""),
        ("", _taken_over(done.taken)),
        (
            "Since",
            f"counts as mailed{dropped}"
            if counts
            else "is mailed with the next run, as far as arXiv still shows it",
        ),
    ]
    context.echo(*labelled(rows, 10))


def _taken_over(taken: TakenOver) -> str:
    """What a restored backup has from the database before it, for people."""
    counts = {
        counted(taken.suppressions, "suppression"): taken.suppressions,
        counted(taken.signups, "sign-up"): taken.signups,
        f"{counted(taken.forgotten, 'reader')} to forget": taken.forgotten,
    }
    said = [words for words, number in counts.items() if number]
    return f"{listed(said)} taken over from it" if said else ""


def _counts_as_mailed(file: Path, path: Path) -> bool:
    """Ask a person whether what came since the backup `file` counts as mailed."""
    backup = upkeep.last_run_of(file)
    current = upkeep.last_run_of(path) if path.exists() else None
    between = f"the backup knows all until {_until(backup)}, the database until {_until(current)}"
    if not sys.stdin.isatty():
        raise UsageError(
            between,
            remedy="say by --mailed or --not-mailed whether papers since then count as mailed",
        )
    click.echo(f"T{between[1:]}.")
    return click.confirm("Do papers announced since then count as mailed?", default=False)


@db.command(cls=Command, examples=("digest db check", "digest db check --json"))
@json_option
@pass_context
def check(context: Context, as_json: bool) -> None:
    """Read all of the database, and tell whether it is sound; nothing is written."""
    path = _existing(context)
    found = health.examine(path, wholly=True)
    run, size = found.last_run, path.stat().st_size
    problems = list(found.problems)
    if found.orphans:
        problems.append(f"{counted(found.orphans, 'row')} refer to rows that are not there")
    value = {
        "database": str(path),
        "bytes": size,
        "schema": found.version,
        "known_schema": found.known,
        "last_run": to_text(run.started) if run else None,
        "problems": problems,
    }
    until = f", last run {in_utc(run.started)}" if run else ""
    state = "damaged" if problems else "sound"
    to_do = "to do: 'digest db restore' puts a backup in its place; keep this file"
    lines = [
        f"{path} is {state}: {_size(size)}, schema {found.version}{until}",
        *labelled([("", *problems, to_do if problems else "")], 2),
    ]
    context.show(value, lines, as_json=as_json)
    context.exit(Exit.CONFIG if problems else Exit.DONE)


@db.command(cls=Command, examples=("digest db clock",))
@click.option("--trust", is_flag=True, help="Ask nobody: this machine's clock is right.")
@json_option
@pass_context
def clock(context: Context, trust: bool, as_json: bool) -> None:
    """Compare this machine's clock with arXiv's, and put right what was stamped under a wrong one.

    A run does the same where the time has leapt: after a clock that was ahead, by years or by
    hours, nothing is missed and nothing comes twice. While the clock is wrong, or arXiv cannot be
    asked, nothing is changed, and the exit code is 75.
    """
    path = _existing(context)
    with cycle_lock(path), open_store(path, create=False) as store:
        seen = store.clock.stamped()
        said = asyncio.run(settle_clock(context.settings, store, always=True, trusted=trust))
    now = machine_now()
    value = {"now": to_text(now), "seen": text_or_none(seen), "put_right": said}
    rows = [
        ("Clock", f"{in_utc(now)}, {'taken for right' if trust else 'right by arXiv’s'}"),
        ("Database", said or f"with all until {_until(seen)}: nothing to put right"),
    ]
    context.show(value, labelled(rows, 10), as_json=as_json)


@db.command(cls=Command, examples=("digest db prune", "digest db prune --days 30"))
@click.option(
    "--days", type=click.IntRange(min=1), default=KEEP, show_default=True, help="Keep so many days."
)
@json_option
@now_option
@pass_context
def prune(context: Context, days: int, as_json: bool, now: datetime | None) -> None:
    """Let go of bodies of digests, records of runs and refused answers that are older, and shrink
    the file, in small steps between which others can write.

    What was seen, and what was mailed to whom and in which month, stays for good: nothing comes
    again. Whatever N is, deliveries go 60 days after they ended, and the abstract of a paper that
    nobody likes and no page shows a year after it came: each run does a part of that by itself.
    """
    path, moment = _existing(context), clock_at(now)()
    with cycle_lock(path):
        done = pruning.prune(path, moment - timedelta(days=days), moment)
    value = {
        "bodies": done.bodies,
        "deliveries": done.deliveries,
        "runs": done.runs,
        "windows": done.windows,
        "abstracts": done.abstracts,
        "freed_bytes": done.freed,
        "empty_bytes": done.empty,
    }
    counts = (
        counted(done.bodies, "mail text"),
        counted(done.deliveries, "delivery", "deliveries") if done.deliveries else "",
        counted(done.runs, "run"),
        counted(done.windows, "refused answer"),
        counted(done.abstracts, "abstract") if done.abstracts else "",
    )
    gone = ", ".join(filter(None, counts))
    left = f"{_size(done.freed)} freed, {_size(path.stat().st_size)} left"
    lines = [f"Let go of {gone}; {left}."]
    if done.empty:
        lines += [
            f"Of that {_size(done.empty)} are empty, for new rows: an older version began the"
            " file, and another",
            "program has it open. Stop 'digest daemon' and 'digest serve' and prune once more to"
            " give them back.",
        ]
    context.show(value, lines, as_json=as_json)


def _existing(context: Context) -> Path:
    path = context.settings.db
    if not is_there(path):
        raise StoreError(f"there is no database at {path}", remedy="'digest run' makes one")
    return path


def _until(moment: datetime | None) -> str:
    return in_utc(moment) if moment else "no run"


def _size(number: int) -> str:
    return f"{number / 1_000_000:.1f} MB" if number >= 100_000 else f"{number / 1000:.0f} kB"
